//! What power cuts leave on the volume, each as a story of its own: the tree as it lies there, one boot, and what the
//! simulated machine made of it. Real machines play these; here nothing is judged.

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
use crate::scenario::{
    Expect, MachineKind, ProfileName, Scenario, SearchSpec as Told, Step, WorldSpec,
};

/// A tree below the home, by address.
type VolumeFiles = BTreeMap<String, FileSpec>;

impl Explorer {
    /// As many as this, spread over all the different trees that a cut of power leaves at the effects of the story's
    /// `search.crash`.
    pub fn power_cut_scenarios(mut self, at_most: u64) -> Vec<Scenario> {
        let is_cut = |deed: &Transition| matches!(deed, Transition::Inject(_, Fault::PowerCut(_)));
        let cells: Vec<_> =
            self.crash_points().into_iter().filter(|(_, deed)| is_cut(deed)).collect();
        let mut known = BTreeSet::new();
        let mut cut: Vec<(VolumeFiles, Execution)> = Vec::new();
        self.visit_crash_points(&cells, u64::MAX, |_, play, (_, deed)| {
            let mut fork = play.clone();
            if inject_and_finish(&mut fork, deed, &mut |_, _| {}).is_err() {
                return;
            }
            let Some(tree) = volume_files(&fork.machine.world.disk) else { return };
            let text = serde_json::to_string(&tree).unwrap_or_default();
            if known.insert(text) {
                cut.push((tree, fork));
            }
        });
        let chosen: Vec<_> = self.evenly_spread(&cut, at_most, 0).cloned().collect();
        chosen
            .into_iter()
            .enumerate()
            .filter_map(|(at, (tree, play))| scenario_of_cut(at, tree, play))
            .collect()
    }
}

/// The story of one: the tree is there, the machine boots, and this comes of it.
fn scenario_of_cut(number: usize, tree: VolumeFiles, mut play: Execution) -> Option<Scenario> {
    play.skip_remaining_steps();
    settle_check::settle_without_faults(&mut play).ok()?;
    let of = play.scenario().clone();
    let expect = expectation_at_rest(&play.machine.world, &tree)?;
    Some(Scenario {
        name: format!("{}-cut-{}", of.name, number + 1),
        summary: format!("What a power cut left in {}: a boot makes the same of it.", of.name),
        runs_on: BTreeSet::from([MachineKind::Container]),
        world: WorldSpec { profiles: BTreeMap::new(), files: tree, ..of.world.clone() },
        steps: vec![Step::Expect(ExpectStep { expect: Box::new(expect) })],
        faults: Vec::new(),
        search: Told { faults_max: 0, ..Told::default() },
        ..of
    })
}

/// What is so at rest, as a story says it.
fn expectation_at_rest(world: &world::World, before: &VolumeFiles) -> Option<Expect> {
    let mut expect = Expect::default();
    let profiles = volume::profiles(world);
    for profile in &profiles {
        let name = ProfileName(profile.clone());
        let is_it =
            |(_, it, of): (_, &_, _)| of == *profile && process::is_working(world, it, profile);
        match process::gateways(world).any(is_it) {
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

/// All below the home; `None` if there is what a scenario cannot say.
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
