//! What power cuts leave on the volume, each as a scenario of its own: the files of the volume, one boot, and the state that
//! the simulated machine reaches. Real machines execute these scenarios; nothing is checked here.

use std::collections::{BTreeMap, BTreeSet};

use super::crash_matrix::inject_and_finish;
use super::{Explorer, settle_check};
use crate::execution::{Execution, Fault, Transition};
use crate::machine::disk::{Disk, NodeBody, NodeId};
use crate::machine::world;
use crate::observe::recorded_intent::ObservedIntent;
use crate::observe::volume::HOME_NODE;
use crate::observe::{process, volume};
use crate::scenario::expect::{FileExpect, FileKindSpec};
use crate::scenario::step::ExpectStep;
use crate::scenario::values::{IntentSpec, Mode, User};
use crate::scenario::world::{FileContent, FileSpec};
use crate::scenario::{Expect, MachineKind, ProfileName, Scenario, SearchSpec, Step, WorldSpec};

/// A tree below the home, by address.
type VolumeFiles = BTreeMap<String, FileSpec>;

impl Explorer {
    /// At most this number of scenarios, spread over all different volumes that a power cut leaves at the crash points of
    /// the scenario's `search.crash_matrix`.
    pub fn power_cut_scenarios(mut self, count_max: u64) -> Vec<Scenario> {
        let is_power_cut =
            |fault: &Transition| matches!(fault, Transition::Inject(_, Fault::PowerCut(_)));
        let crash_points: Vec<_> =
            self.crash_points().into_iter().filter(|(_, fault)| is_power_cut(fault)).collect();
        let mut known = BTreeSet::new();
        let mut outcomes: Vec<(VolumeFiles, Execution)> = Vec::new();
        self.visit_crash_points(&crash_points, u64::MAX, |_, execution, (_, fault)| {
            let mut branch = execution.clone();
            if inject_and_finish(&mut branch, fault, &mut |_, _| {}).is_err() {
                return;
            }
            let Some(tree) = volume_files(&branch.machine.world.disk) else { return };
            let text = serde_json::to_string(&tree).unwrap_or_default();
            if known.insert(text) {
                outcomes.push((tree, branch));
            }
        });
        let chosen: Vec<_> = self.evenly_spread(&outcomes, count_max, 0).cloned().collect();
        chosen
            .into_iter()
            .enumerate()
            .filter_map(|(at, (tree, execution))| scenario_of_cut(at, tree, execution))
            .collect()
    }
}

/// The scenario of one outcome: the volume has these files, the machine boots, and this is the state at rest.
fn scenario_of_cut(number: usize, tree: VolumeFiles, mut execution: Execution) -> Option<Scenario> {
    execution.skip_remaining_steps();
    settle_check::settle_without_faults(&mut execution).ok()?;
    let original = execution.scenario().clone();
    let expect = expectation_at_rest(&execution.machine.world, &tree)?;
    Some(Scenario {
        name: format!("{}-cut-{}", original.name, number + 1),
        summary: format!(
            "What a power cut left in {}: a boot reaches the same state.",
            original.name
        ),
        runs_on: BTreeSet::from([MachineKind::Container]),
        world: WorldSpec { profiles: BTreeMap::new(), files: tree, ..original.world.clone() },
        steps: vec![Step::Expect(ExpectStep { expect: Box::new(expect) })],
        faults: Vec::new(),
        search: SearchSpec { faults_max: 0, ..SearchSpec::default() },
        ..original
    })
}

/// The state at rest, as an expectation of a scenario.
fn expectation_at_rest(world: &world::World, before: &VolumeFiles) -> Option<Expect> {
    let mut expect = Expect::default();
    let profiles = volume::profiles(world);
    for profile in &profiles {
        let name = ProfileName(profile.clone());
        let is_its_gateway = |(_, gateway, of): (_, &_, _)| {
            of == *profile && process::is_working(world, gateway, profile)
        };
        match process::gateways(world).any(is_its_gateway) {
            true => expect.up.push(name.clone()),
            false => expect.down.push(name.clone()),
        }
        match volume::intent_file(world, profile) {
            ObservedIntent::Running => {
                expect.intent.insert(name.clone(), IntentSpec::Running);
            }
            ObservedIntent::Stopped => {
                expect.intent.insert(name.clone(), IntentSpec::Stopped);
            }
            _ => {}
        }
        expect.supervisors.insert(name.clone(), 1);
        expect.loggers.insert(name, 1);
    }
    expect.slots = Some(profiles.into_iter().map(ProfileName).collect());
    let after = volume_files(&world.disk)?;
    let absent = FileExpect { is: FileKindSpec::Absent, ..FileExpect::default() };
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    expect.file = gone.map(|path| (path.clone(), absent.clone())).collect();
    Some(expect)
}

/// All files below the home; `None` if there is one that a scenario cannot express.
fn volume_files(disk: &Disk) -> Option<VolumeFiles> {
    let mut tree = VolumeFiles::new();
    collect_files(disk, HOME_NODE, "", &mut tree)?;
    Some(tree)
}

fn collect_files(disk: &Disk, dir: NodeId, above: &str, tree: &mut VolumeFiles) -> Option<()> {
    for (name, id) in &disk.node(dir)?.body.as_directory()?.names {
        let node = disk.node(*id)?;
        let path = format!("{above}{}", name.to_str()?);
        let content = match &node.body {
            NodeBody::File(bytes) => FileContent::File(bytes.clone()),
            NodeBody::Directory(_) => FileContent::Dir,
            NodeBody::Link(target) => FileContent::Link(target.to_str()?.to_owned()),
            NodeBody::Fifo => FileContent::Fifo,
            _ => return None,
        };
        let owner = match node.status.uid {
            0 => User::Root,
            crate::machine::image::HERMES_UID => User::Hermes,
            _ => return None,
        };
        let mode = (!matches!(node.body, NodeBody::Link(_))).then_some(Mode(node.status.mode));
        tree.insert(path.clone(), FileSpec { content, owner, mode });
        if matches!(node.body, NodeBody::Directory(_)) {
            collect_files(disk, *id, &format!("{path}/"), tree)?;
        }
    }
    Some(())
}
