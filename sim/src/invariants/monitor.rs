//! The monitor: what must be remembered between two checks, and when which invariant is checked.
//!
//! It is part of the search's state, so it holds little: the intents that may be in force on each profile, the commands
//! that run, and whether a crash left something that no boot has swept. Here are the checks after each step; `commands`
//! has those at the start and end of a command, `occasions` those at rest, after a boot and after outside changes.

mod commands;
mod occasions;

use std::collections::{BTreeMap, BTreeSet};

use hermes::host::Outcome;
use hermes::host::effect::Effect;
use hermes::name::Profile;

use super::command::ParsedCommand;
use super::file_effects::is_about_files;
use super::{IntentSet, Violation, bounds, intent, process, read_only, root, slot};
use crate::machine::world::{ProcessId, World};
use crate::machine::{ProcessOutput, StepOutcome};
use crate::observe::process::{gateway_of, is_booting};
use crate::observe::recorded_intent::{self, ObservedIntent};
use crate::observe::volume;
use crate::scenario::Invariant;

/// The exit code of a gateway that would fail the same way again.
const PERMANENT: u8 = 78;

/// The state of the checks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Monitor {
    /// The invariants that are checked, a bit each.
    enabled: u32,
    /// The intents that may be in force.
    allowed: BTreeMap<Profile, IntentSet>,
    /// Commands that run, by the serials of their processes.
    running_commands: BTreeMap<u64, commands::RunningCommand>,
    /// Profiles whose slot may disagree with the intent, because a command on them failed or was cut short.
    unsettled: BTreeSet<Profile>,
    /// Profiles whose service was changed without hermes, and by no command since.
    overruled: BTreeSet<Profile>,
    /// A crash may have left files that only a boot removes.
    may_have_leftovers: bool,
    /// Gateways that failed permanently: only an operator can help them. With the namespace of the container's run.
    given_up: BTreeSet<(u64, Profile)>,
    /// The power was cut, and the intents have not been checked since.
    needs_power_cut_check: bool,
}

impl Monitor {
    /// Starts with the intents of the present world in force.
    pub fn new(world: &World, required: &[Invariant]) -> Self {
        let mut monitor = Self {
            enabled: super::violation::observable(world, required)
                .fold(0, |bits, invariant| bits | invariant.bit()),
            allowed: BTreeMap::new(),
            running_commands: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            overruled: BTreeSet::new(),
            may_have_leftovers: true,
            given_up: BTreeSet::new(),
            needs_power_cut_check: false,
        };
        monitor.adopt_current_state(world);
        monitor
    }

    /// What another boot must not change: [`super::fingerprint`] in one number.
    pub fn fingerprint(world: &World) -> u128 {
        crate::hash::digest(&super::fingerprint(world))
    }

    /// The intents that may be in force.
    pub fn allowed_intents(&self, profile: &Profile) -> IntentSet {
        self.allowed.get(profile).copied().unwrap_or(IntentSet::only(ObservedIntent::NoProfile))
    }

    fn is_enabled(&self, invariant: Invariant) -> bool {
        self.enabled & invariant.bit() != 0
    }

    /// Drops a violation of an invariant that is not enabled.
    fn if_enabled(&self, checked: Result<(), Violation>) -> Result<(), Violation> {
        match checked {
            Err(violation) if self.is_enabled(violation.invariant) => Err(violation),
            _ => Ok(()),
        }
    }

    /// The intents that the world has now are in force from here on.
    fn adopt_current_state(&mut self, world: &World) {
        self.allowed.clear();
        for profile in volume::profiles(world) {
            let mut intents = IntentSet::only(volume::observed_intent(world, &profile));
            if intents.has(ObservedIntent::Unreadable) {
                // A boot, or a command, puts the broken file aside and infers the intent from the state file.
                let inferred = volume::inferred_intent(world, &profile);
                intents = intents.with(recorded_intent::from_inferred(&inferred));
            }
            self.unsettled.insert(profile.clone());
            self.allowed.insert(profile, intents);
        }
    }

    /// Checks the world after each step.
    pub fn after_step(
        &mut self,
        world: &World,
        step: &StepOutcome,
        printed: Option<&ProcessOutput>,
    ) -> Result<(), Violation> {
        self.check_after_power_cut(world)?;
        match step {
            StepOutcome::Performed { who, effect, outcome } => {
                self.after_effect(world, *who, effect, outcome.as_ref())
            }
            StepOutcome::Exited { who, serial, code } => {
                self.after_gateway_end(world, *who, *code)?;
                self.after_exit(world, *serial, *code, printed)
            }
            StepOutcome::Panicked { message, .. } => {
                self.if_enabled(read_only::reject_panic(message))?;
                let aborted: Vec<u64> = self.commands_without_process(world);
                self.commands_aborted(world, aborted.into_iter());
                Ok(())
            }
            StepOutcome::Automaton { who } => {
                self.if_enabled(root::check_root_supervises_own_dirs(world, *who))
            }
        }
    }

    fn after_effect(
        &mut self,
        world: &World,
        who: ProcessId,
        effect: &Effect,
        outcome: Option<&Outcome>,
    ) -> Result<(), Violation> {
        let serial = world.process(who).map(|process| process.serial);
        if let Some(running) = serial.and_then(|serial| self.running_commands.get_mut(&serial)) {
            running.is_muted |= read_only::is_muted(effect, outcome);
            if running.command == ParsedCommand::ReadOnly {
                self.if_enabled(read_only::check_changes_nothing(world, who, effect, outcome))?;
            }
        }
        if matches!(effect, Effect::Trap { .. }) {
            self.check_gateway_start(world, who)?;
        }
        if matches!(outcome, Some(Err(_))) {
            return Ok(());
        }
        self.if_enabled(root::check_root_effect(world, who, effect))?;
        if matches!(
            effect,
            Effect::Open { .. } | Effect::OpenProcess { .. } | Effect::Accept { .. }
        ) {
            self.if_enabled(bounds::check_open_files(world, who))?;
        }
        match effect {
            Effect::SignalProcess { .. } | Effect::SignalGroup { .. } => {
                self.if_enabled(process::check_signal_target(world, who, effect))
            }
            Effect::LockRecord { .. } | Effect::Listen { .. } | Effect::Spawn { .. } => {
                self.if_enabled(process::check_one_gateway_per_profile(world))
            }
            _ if is_about_files(world, who, effect) => self.after_file_change(world, who, effect),
            _ => Ok(()),
        }
    }

    /// A gateway that sets its signal handlers has started: it must not be one that failed permanently.
    fn check_gateway_start(&self, world: &World, who: ProcessId) -> Result<(), Violation> {
        let gateway = world.process(who).and_then(|process| gateway_of(&process.argv));
        let namespace = world.container(who.container).namespace;
        match gateway.filter(|profile| self.given_up.contains(&(namespace, profile.clone()))) {
            Some(profile) => self.if_enabled(process::reject_retry(&profile)),
            None => Ok(()),
        }
    }

    fn after_file_change(
        &mut self,
        world: &World,
        who: ProcessId,
        effect: &Effect,
    ) -> Result<(), Violation> {
        self.if_enabled(slot::check_slots_complete(world))?;
        if let Effect::Rename { from, to, .. } = effect {
            if volume::is_intent_path(&to.path) {
                self.after_intent_write(world, who)?;
            }
            self.if_enabled(process::check_gateway_keeps_profile(world, &from.path))?;
        }
        for (profile, allowed) in self.known_profiles(world) {
            self.if_enabled(intent::check_readable(world, &profile, allowed))?;
            self.if_enabled(intent::check_allowed(world, &profile, allowed, Invariant::S3))?;
        }
        match effect {
            Effect::Rename { from, to, .. } => {
                self.if_enabled(process::check_holds_lock(world, who, &from.path, &to.path))
            }
            _ => Ok(()),
        }
    }

    /// Every profile that exists or may exist, with its allowed intents.
    fn known_profiles(&self, world: &World) -> Vec<(Profile, IntentSet)> {
        let mut names: BTreeSet<Profile> = self.allowed.keys().cloned().collect();
        names.extend(volume::profiles(world));
        names.into_iter().map(|name| (name.clone(), self.allowed_intents(&name))).collect()
    }

    fn after_intent_write(&mut self, world: &World, who: ProcessId) -> Result<(), Violation> {
        let Some(process) = world.process(who) else { return Ok(()) };
        let argv: Vec<String> =
            process.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        // A container's heartbeat starts the gateway of a home that has no intent yet.
        if let Some(profile) = gateway_of(&process.argv) {
            let allowed = self.allowed_intents(&profile);
            if allowed.has(ObservedIntent::Unset) {
                self.allowed.insert(profile, allowed.with(ObservedIntent::Running));
            }
        }
        self.if_enabled(intent::check_writer(&argv))
    }

    /// The state that a gateway records at its end replaces the intent if the intent file is lost.
    fn after_gateway_end(
        &mut self,
        world: &World,
        who: ProcessId,
        code: u8,
    ) -> Result<(), Violation> {
        let ended = world.process(who).and_then(|process| gateway_of(&process.argv));
        let Some(profile) = ended else { return Ok(()) };
        if code == PERMANENT {
            self.given_up.insert((world.container(who.container).namespace, profile.clone()));
        }
        match !self.has_running_command(&profile)
            && self.allowed_intents(&profile) == IntentSet::only(ObservedIntent::Running)
        {
            true => self.if_enabled(intent::check_end_is_not_a_stop(world, &profile)),
            false => Ok(()),
        }
    }

    fn check_down_files(&self, world: &World) -> Result<(), Violation> {
        if !self.is_enabled(Invariant::S7) || is_booting(world) {
            return Ok(());
        }
        slot::check_down_files(world, |profile| {
            !self.unsettled.contains(profile) && !self.has_running_command(profile)
        })
    }
}
