//! The beginning of an execution: the scenario's world is built, and `c1` boots unless a step of the scenario boots.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::scripted_faults::ScriptedFaultProgress;
use super::{Execution, Failure, immediate_steps};
use crate::invariants::Monitor;
use crate::machine::Machine;
use crate::machine::disk::NodeId;
use crate::machine::image::{self, HERMES_UID, VOLUME, WorldConfig};
use crate::machine::runtime;
use crate::machine::user_program;
use crate::machine::world::{ContainerId, Pid1, S6Version, World};
use crate::scenario::world::{FileContent, FileSpec, S6Spec, SupervisionTree};
use crate::scenario::{Scenario, values};

impl Execution {
    /// An execution at its beginning: booted and settled, if no step of the scenario boots.
    pub fn new(scenario: &Arc<Scenario>) -> Result<Self, Failure> {
        let world = world(scenario);
        let monitor =
            Monitor::new(&world, &scenario.required_invariants().into_iter().collect::<Vec<_>>());
        let mut execution = Self {
            scenario: Arc::clone(scenario),
            machine: Machine::new(world),
            step_index: scenario.steps.len(),
            step_progress: Vec::new(),
            last_process: None,
            commands: Arc::default(),
            sticky_error: None,
            fault_progress: ScriptedFaultProgress::new(&scenario.faults),
            restarting: Vec::new(),
            monitor,
            is_fault_free: true,
            missed_expectation: None,
            transition_count: 0,
            effect_count: 0,
            digest: 0,
            recorded: None,
        };
        if !scenario.has_boot_step() {
            runtime::start(&mut execution.machine.world, ContainerId(1));
            execution.settle(values::Span::seconds(60).0)?;
            execution.monitor.check_after_boot(&execution.machine.world)?;
        }
        execution.step_index = 0;
        Ok(execution)
    }

    /// Takes baseline transitions until none is enabled, at most for this time.
    pub fn settle(&mut self, time_max: std::time::Duration) -> Result<(), Failure> {
        let until = self.machine.world.clock.boot + time_max;
        loop {
            let Some(next) = self.baseline_transition() else { return Ok(()) };
            if next == super::Transition::AdvanceTime
                && self.next_moment().is_some_and(|at| at > until)
            {
                return Ok(());
            }
            self.step(&next)?;
        }
    }
}

fn world(scenario: &Scenario) -> World {
    let spec = &scenario.world;
    let config = WorldConfig {
        s6: match spec.s6 {
            S6Spec::V2_11 => S6Version::V2_11,
            S6Spec::V2_13 => S6Version::V2_13,
            S6Spec::V2_15 => S6Version::V2_15,
        },
        containers: spec.containers,
        env: spec.environment.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        umask: spec.umask.map_or(WorldConfig::default().umask, |mode| mode.0),
        run_is_tmpfs: spec.noexec_run,
        command: spec.command.iter().map(OsString::from).collect(),
        programs: programs(scenario),
        host: spec.tree.host(),
        ..WorldConfig::default()
    };
    let mut world = image::build_world(&config);
    let init = match spec.tree {
        SupervisionTree::None => Some(Pid1::Sleeper),
        SupervisionTree::Root => Some(Pid1::Foreign),
        SupervisionTree::Hermes
        | SupervisionTree::Systemd
        | SupervisionTree::Launchd
        | SupervisionTree::Windows => None,
    };
    if let Some(init) = init {
        for container in world.containers.values_mut() {
            container.settings.init = init;
        }
    }
    volume(&mut world, scenario);
    world
}

fn programs(scenario: &Scenario) -> BTreeMap<PathBuf, user_program::Behaviour> {
    let spec = &scenario.world;
    let at_paths = spec.programs.iter().map(|(path, lines)| (PathBuf::from(path), lines));
    let in_files = spec.files.iter().filter_map(|(path, node)| match &node.content {
        FileContent::Program(lines) => Some((PathBuf::from(path), lines)),
        _ => None,
    });
    at_paths
        .chain(in_files)
        .map(|(path, lines)| (path, immediate_steps::to_behaviour(lines)))
        .collect()
}

/// Creates the files on the volume, and elsewhere, before the first boot.
fn volume(world: &mut World, scenario: &Scenario) {
    let root = NodeId { device: VOLUME, number: crate::machine::disk::ROOT };
    for (name, profile) in &scenario.world.profiles {
        let dir = match name.0.is_default() {
            true => PathBuf::new(),
            false => Path::new("profiles").join(name.0.as_str()),
        };
        let mut put = |file: &str, text: &str| {
            world.disk.put_file(
                root,
                &dir.join(file),
                text.as_bytes(),
                0o644,
                HERMES_UID,
                HERMES_UID,
            );
        };
        put("SOUL.md", "");
        if let Some(intent) = profile.intent {
            put("gateway_intent.json", &intent_text(intent));
        }
        if let Some(state) = &profile.state {
            put("gateway_state.json", &format!("{{\"gateway_state\":\"{state}\"}}\n"));
        }
        if let Some(config) = &profile.config {
            put("gateway.toml", config);
        }
        for (path, node) in &profile.files {
            immediate_steps::put_file(world, &dir.join(path).to_string_lossy(), node);
        }
    }
    // A file is created before its hard links.
    let is_hard_link = |node: &FileSpec| matches!(node.content, FileContent::HardLink(_));
    let (hard_links, files): (Vec<_>, Vec<_>) =
        scenario.world.files.iter().partition(|(_, node)| is_hard_link(node));
    for (address, node) in files.into_iter().chain(hard_links) {
        immediate_steps::put_file(world, address, node);
    }
}

/// A record as an operator's command would have written it.
pub fn intent_text(intent: values::IntentSpec) -> String {
    let word = match intent {
        values::IntentSpec::Running => "running",
        values::IntentSpec::Stopped => "stopped",
    };
    format!(
        "{{\"intent\":\"{word}\",\"at\":\"2025-12-31T00:00:00.000Z\",\"by\":{{\"uid\":10000,\"pid\":1,\"argv\":[\"hermes\"]}},\"sequence\":1}}\n"
    )
}
