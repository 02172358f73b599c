//! The watch: what must be remembered between two looks, and when which promise is looked at.
//!
//! It is part of the search's state, so it holds little: which words may be in force on each profile, which commands
//! are at work, and after which crash nobody has tidied up. Here is what is looked at after each step; `later` has the
//! rest.

mod occasions;

use std::collections::{BTreeMap, BTreeSet};

use hermes::host::Outcome;
use hermes::host::effect::Effect;
use hermes::name::Profile;

use super::command::ParsedCommand;
use super::file_effects::is_about_files;
use super::{
    IntentSet, Name, Violation, bounds, command, intent, process, quiescence, read_only, root, slot,
};
use crate::machine::world::{ProcessId, World};
use crate::machine::{ProcessOutput, StepOutcome};
use crate::observe::process::{gateway_of, is_booting};
use crate::observe::recorded_intent::ObservedIntent;
use crate::observe::volume;

/// What a gateway ends with if another try would end the same.
const PERMANENT: u8 = 78;

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Monitor {
    enabled: u32,
    /// The words that may be in force.
    allowed: BTreeMap<Profile, IntentSet>,
    /// Commands at work, by their processes' serials.
    running_commands: BTreeMap<u64, RunningCommand>,
    /// Profiles whose slot may not say the intent, because a command on them failed or was cut short.
    unsettled: BTreeSet<Profile>,
    /// Profiles whose service somebody changed behind our back, and no command since.
    overruled: BTreeSet<Profile>,
    /// A crash may have left files that only a boot takes away.
    may_have_leftovers: bool,
    /// Gateways that said that nothing but an operator can help them: in which run of which container.
    given_up: BTreeSet<(u64, Profile)>,
    /// The power failed, and nobody has looked at the words since.
    needs_power_cut_check: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct RunningCommand {
    command: ParsedCommand,
    /// It ends when what it asks is so.
    is_awaited: bool,
    /// Words of commands that were at work at the same time, by profile.
    concurrent_intents: BTreeMap<Profile, IntentSet>,
    /// It was refused its own output.
    is_muted: bool,
    /// A fault refused it something: what it could not see it may have left for the next boot.
    is_refused: bool,
    /// Profiles on which another command failed or was cut short meanwhile: its success mends nothing there.
    disturbed: BTreeSet<Profile>,
}

impl Monitor {
    /// Takes the world as it is for what is in force.
    pub fn new(world: &World, wanted: &[Name]) -> Self {
        let mut watch = Self {
            enabled: super::violation::observable(world, wanted)
                .fold(0, |bits, name| bits | name.bit()),
            allowed: BTreeMap::new(),
            running_commands: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            overruled: BTreeSet::new(),
            may_have_leftovers: true,
            given_up: BTreeSet::new(),
            needs_power_cut_check: false,
        };
        watch.adopt_current_state(world);
        watch
    }

    /// What another boot must not change: [`super::fingerprint`] in one number.
    pub fn fingerprint(world: &World) -> u128 {
        crate::hash::digest(&super::fingerprint(world))
    }

    /// The words that may be in force.
    pub fn allowed_intents(&self, profile: &Profile) -> IntentSet {
        self.allowed.get(profile).copied().unwrap_or(IntentSet::only(ObservedIntent::NoProfile))
    }

    fn is_enabled(&self, name: Name) -> bool {
        self.enabled & name.bit() != 0
    }

    /// Drops a breach of a promise that nobody asked for.
    fn if_enabled(&self, looked: Result<(), Violation>) -> Result<(), Violation> {
        looked
            .or_else(|breach| if self.is_enabled(breach.invariant) { Err(breach) } else { Ok(()) })
    }

    fn adopt_current_state(&mut self, world: &World) {
        self.allowed.clear();
        for profile in volume::profiles(world) {
            let mut words = IntentSet::only(volume::observed_intent(world, &profile));
            if words.has(ObservedIntent::Unreadable) {
                // A boot, or a command, reads past it and puts it aside.
                let prior = volume::inferred_intent(world, &profile);
                words = words.with(crate::observe::recorded_intent::from_inferred(&prior));
            }
            self.unsettled.insert(profile.clone());
            self.allowed.insert(profile, words);
        }
    }

    /// A command begins; `uid` is noted by nobody yet.
    pub fn command_started(&mut self, world: &World, serial: u64, argv: &[String], _uid: u32) {
        let asked = ParsedCommand::parse(argv);
        self.given_up.retain(|(_, profile)| !asked.concerns(profile));
        let mut met: BTreeMap<Profile, IntentSet> = BTreeMap::new();
        let profiles: BTreeSet<Profile> = asked
            .affected_profiles(world)
            .into_iter()
            .chain(self.allowed.keys().cloned())
            .collect();
        for profile in profiles.into_iter().filter(|profile| asked.concerns(profile)) {
            let mut may = asked.allowed_intents(world, &profile, self.allowed_intents(&profile));
            if matches!(&asked, ParsedCommand::Rename(old, new) if *new == profile && old != new) {
                if let ParsedCommand::Rename(old, _) = &asked {
                    may = may.and(self.allowed_intents(old).without(ObservedIntent::NoProfile));
                }
            }
            let others =
                self.running_commands.values_mut().filter(|other| other.command.concerns(&profile));
            for other in others {
                let theirs = other.command.allowed_intents(
                    world,
                    &profile,
                    self.allowed.get(&profile).copied().unwrap_or_default(),
                );
                let entry = other.concurrent_intents.entry(profile.clone()).or_default();
                *entry = entry.and(may);
                let entry = met.entry(profile.clone()).or_default();
                *entry = entry.and(theirs);
            }
            let before = self.allowed_intents(&profile);
            self.allowed.insert(profile, before.and(may));
        }
        let (is_awaited, overtaken) = (command::is_awaited(argv), BTreeSet::new());
        let (is_muted, is_refused) = (false, false);
        let active = RunningCommand {
            command: asked,
            is_awaited,
            concurrent_intents: met,
            is_muted,
            is_refused,
            disturbed: overtaken,
        };
        self.running_commands.insert(serial, active);
    }

    /// After each step.
    pub fn after_step(
        &mut self,
        world: &World,
        moved: &StepOutcome,
        printed: Option<&ProcessOutput>,
    ) -> Result<(), Violation> {
        self.check_after_power_cut(world)?;
        match moved {
            StepOutcome::Performed { who, effect, outcome } => {
                self.after_effect(world, *who, effect, outcome.as_ref())
            }
            StepOutcome::Exited { who, serial, code } => {
                self.after_gateway_end(world, *who, *code)?;
                self.after_exit(world, *serial, *code, printed)
            }
            StepOutcome::Panicked { message, .. } => {
                self.if_enabled(read_only::reject_panic(message))?;
                let gone: Vec<u64> = self.commands_without_process(world);
                self.commands_aborted(world, gone.into_iter());
                Ok(())
            }
            StepOutcome::Automaton { who } => {
                self.if_enabled(root::check_root_supervises_own_dirs(world, *who))
            }
        }
    }

    fn commands_without_process(&self, world: &World) -> Vec<u64> {
        let alive =
            |serial: &u64| world.processes().any(|(_, it)| it.serial == *serial && it.is_alive());
        self.running_commands.keys().copied().filter(|serial| !alive(serial)).collect()
    }

    fn after_effect(
        &mut self,
        world: &World,
        who: ProcessId,
        effect: &Effect,
        outcome: Option<&Outcome>,
    ) -> Result<(), Violation> {
        let serial = world.process(who).map(|process| process.serial);
        if let Some(active) = serial.and_then(|serial| self.running_commands.get_mut(&serial)) {
            active.is_muted |= read_only::is_muted(effect, outcome);
            if active.command == ParsedCommand::ReadOnly {
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

    /// A gateway sets its handlers: it is not one that had given up.
    fn check_gateway_start(&self, world: &World, who: ProcessId) -> Result<(), Violation> {
        let acts = world.process(who).and_then(|process| gateway_of(&process.argv));
        let run = world.container(who.container).namespace;
        match acts.filter(|profile| self.given_up.contains(&(run, profile.clone()))) {
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
        for (profile, may) in self.known_profiles(world) {
            self.if_enabled(intent::check_readable(world, &profile, may))?;
            self.if_enabled(intent::check_allowed(world, &profile, may, Name::S3))?;
        }
        match effect {
            Effect::Rename { from, to, .. } => {
                self.if_enabled(process::check_holds_lock(world, who, &from.path, &to.path))
            }
            _ => Ok(()),
        }
    }

    /// Every profile that is or may be.
    fn known_profiles(&self, world: &World) -> Vec<(Profile, IntentSet)> {
        let mut names: BTreeSet<Profile> = self.allowed.keys().cloned().collect();
        names.extend(volume::profiles(world));
        names.into_iter().map(|name| (name.clone(), self.allowed_intents(&name))).collect()
    }

    fn after_intent_write(&mut self, world: &World, who: ProcessId) -> Result<(), Violation> {
        let Some(process) = world.process(who) else { return Ok(()) };
        let argv: Vec<String> =
            process.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        // A container's heartbeat starts the gateway of a home where nobody has said anything yet.
        if let Some(profile) = gateway_of(&process.argv) {
            let may = self.allowed_intents(&profile);
            if may.has(ObservedIntent::Unset) {
                self.allowed.insert(profile, may.with(ObservedIntent::Running));
            }
        }
        self.if_enabled(intent::check_writer(&argv))
    }

    /// What a gateway notes of its own end is what is left of the intent if the intent file is lost.
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

    fn after_exit(
        &mut self,
        world: &World,
        serial: u64,
        code: u8,
        printed: Option<&ProcessOutput>,
    ) -> Result<(), Violation> {
        if let Some(printed) = printed {
            self.if_enabled(read_only::check_output_is_readable(printed))?;
        }
        let Some(active) = self.running_commands.remove(&serial) else { return Ok(()) };
        match code {
            0 => self.command_succeeded(world, &active)?,
            _ => self.command_failed(world, &active, code, printed)?,
        }
        self.check_down_files(world)?;
        match code {
            0 => self.check_stop_ended_gateways(world, &active),
            _ => Ok(()),
        }
    }

    fn command_succeeded(
        &mut self,
        world: &World,
        active: &RunningCommand,
    ) -> Result<(), Violation> {
        if active.command == ParsedCommand::Boot && !active.is_refused {
            // It has looked after every slot, those of profiles that are no more as well.
            self.unsettled.retain(|profile| active.disturbed.contains(profile));
        }
        for profile in self.concerned_profiles(world, &active.command) {
            let before = self.allowed_intents(&profile);
            let met = active.concurrent_intents.get(&profile).copied().unwrap_or_default();
            let now = match &active.command {
                ParsedCommand::SetIntent(word, _)
                    if before != IntentSet::only(ObservedIntent::NoProfile) =>
                {
                    IntentSet::only(*word)
                }
                ParsedCommand::Create(_) => before.without(ObservedIntent::NoProfile),
                ParsedCommand::Delete(_) => IntentSet::only(ObservedIntent::NoProfile),
                ParsedCommand::Rename(old, _) if *old == profile => {
                    IntentSet::only(ObservedIntent::NoProfile)
                }
                ParsedCommand::Rename(..) => before.without(ObservedIntent::NoProfile),
                _ => before,
            };
            self.allowed.insert(profile.clone(), now.and(met));
            if active.is_refused {
                self.unsettled.insert(profile.clone());
            } else if !active.disturbed.contains(&profile) {
                self.unsettled.remove(&profile);
                self.overruled.remove(&profile);
            }
            if active.command != ParsedCommand::Boot
                && !matches!(active.command, ParsedCommand::Run(_))
            {
                let may = self.allowed_intents(&profile);
                self.if_enabled(intent::check_allowed(world, &profile, may, Name::S1))?;
                self.if_enabled(intent::check_durable(world, &profile, may))?;
            }
        }
        Ok(())
    }

    /// A stop that ends with 0 has ended whom it names, unless somebody else was at work on it, too.
    fn check_stop_ended_gateways(
        &self,
        world: &World,
        active: &RunningCommand,
    ) -> Result<(), Violation> {
        if !active.is_awaited
            || !matches!(active.command, ParsedCommand::SetIntent(ObservedIntent::Stopped, _))
        {
            return Ok(());
        }
        for profile in self.concerned_profiles(world, &active.command) {
            let is_alone = !active.concurrent_intents.contains_key(&profile)
                && !active.disturbed.contains(&profile)
                && !self.has_running_command(&profile);
            if is_alone {
                self.if_enabled(quiescence::check_stopped(world, &profile))?;
            }
        }
        Ok(())
    }

    /// Is a command at work on it?
    fn has_running_command(&self, profile: &Profile) -> bool {
        self.running_commands.values().any(|other| other.command.concerns(profile))
    }

    fn command_failed(
        &mut self,
        world: &World,
        active: &RunningCommand,
        code: u8,
        printed: Option<&ProcessOutput>,
    ) -> Result<(), Violation> {
        if active.command.must_explain(code) && !active.is_muted {
            self.if_enabled(intent::check_failure_is_explained(&active.command, code, printed))?;
        }
        for profile in self.concerned_profiles(world, &active.command) {
            let may = self.allowed_intents(&profile);
            self.if_enabled(intent::check_allowed(world, &profile, may, Name::S4))?;
            self.mark_unsettled(profile);
            self.may_have_leftovers = true;
        }
        Ok(())
    }

    fn concerned_profiles(&self, world: &World, asked: &ParsedCommand) -> Vec<Profile> {
        let known = self.known_profiles(world).into_iter().map(|(profile, _)| profile);
        known.filter(|profile| asked.concerns(profile)).collect()
    }

    fn check_down_files(&self, world: &World) -> Result<(), Violation> {
        if !self.is_enabled(Name::S7) || is_booting(world) {
            return Ok(());
        }
        slot::check_down_files(world, |profile| {
            !self.unsettled.contains(profile) && !self.has_running_command(profile)
        })
    }

    /// Killed, or its container ended: these commands are over without an exit code.
    pub fn commands_aborted(&mut self, world: &World, who_serials: impl Iterator<Item = u64>) {
        for serial in who_serials {
            let Some(active) = self.running_commands.remove(&serial) else { continue };
            let concerned = self.concerned_profiles(world, &active.command);
            self.may_have_leftovers |= !concerned.is_empty();
            for profile in concerned {
                self.mark_unsettled(profile);
            }
        }
    }
}
