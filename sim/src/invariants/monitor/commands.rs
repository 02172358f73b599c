//! Commands, from start to end: which intents they may write, and what must hold when they succeed, fail or are cut short.

use std::collections::{BTreeMap, BTreeSet};

use hermes::name::Profile;

use super::super::command::{self, ParsedCommand};
use super::super::{IntentSet, Violation, intent, quiescence, read_only};
use super::Monitor;
use crate::machine::ProcessOutput;
use crate::machine::world::World;
use crate::observe::recorded_intent::ObservedIntent;
use crate::scenario::Invariant;

/// A command that runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RunningCommand {
    pub(super) command: ParsedCommand,
    /// It ends only when the state that it asks for is reached.
    is_awaited: bool,
    /// Intents of commands that ran at the same time, by profile.
    concurrent_intents: BTreeMap<Profile, IntentSet>,
    /// Its own output was refused.
    pub(super) is_muted: bool,
    /// A fault refused one of its effects: it may have left something for the next boot.
    pub(super) is_refused: bool,
    /// Profiles on which another command failed or was cut short meanwhile: its success does not settle them.
    pub(super) disturbed: BTreeSet<Profile>,
}

impl Monitor {
    /// A command begins; its user is not used yet.
    pub fn command_started(&mut self, world: &World, serial: u64, argv: &[String], _uid: u32) {
        let command = ParsedCommand::parse(argv);
        self.given_up.retain(|(_, profile)| !command.concerns(profile));
        let mut concurrent_intents: BTreeMap<Profile, IntentSet> = BTreeMap::new();
        let profiles: BTreeSet<Profile> = command
            .affected_profiles(world)
            .into_iter()
            .chain(self.allowed.keys().cloned())
            .collect();
        for profile in profiles.into_iter().filter(|profile| command.concerns(profile)) {
            let mut allowed =
                command.allowed_intents(world, &profile, self.allowed_intents(&profile));
            if matches!(&command, ParsedCommand::Rename(old, new) if *new == profile && old != new)
            {
                if let ParsedCommand::Rename(old, _) = &command {
                    allowed =
                        allowed.and(self.allowed_intents(old).without(ObservedIntent::NoProfile));
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
                *entry = entry.and(allowed);
                let entry = concurrent_intents.entry(profile.clone()).or_default();
                *entry = entry.and(theirs);
            }
            let before = self.allowed_intents(&profile);
            self.allowed.insert(profile, before.and(allowed));
        }
        let running = RunningCommand {
            command,
            is_awaited: command::is_awaited(argv),
            concurrent_intents,
            is_muted: false,
            is_refused: false,
            disturbed: BTreeSet::new(),
        };
        self.running_commands.insert(serial, running);
    }

    pub(super) fn after_exit(
        &mut self,
        world: &World,
        serial: u64,
        code: u8,
        printed: Option<&ProcessOutput>,
    ) -> Result<(), Violation> {
        if let Some(printed) = printed {
            self.if_enabled(read_only::check_output_is_readable(printed))?;
        }
        let Some(running) = self.running_commands.remove(&serial) else { return Ok(()) };
        match code {
            0 => self.command_succeeded(world, &running)?,
            _ => self.command_failed(world, &running, code, printed)?,
        }
        self.check_down_files(world)?;
        match code {
            0 => self.check_stop_ended_gateways(world, &running),
            _ => Ok(()),
        }
    }

    fn command_succeeded(
        &mut self,
        world: &World,
        running: &RunningCommand,
    ) -> Result<(), Violation> {
        if running.command == ParsedCommand::Boot && !running.is_refused {
            // It has settled every slot, those of deleted profiles as well.
            self.unsettled.retain(|profile| running.disturbed.contains(profile));
        }
        for profile in self.concerned_profiles(world, &running.command) {
            let before = self.allowed_intents(&profile);
            let concurrent = running.concurrent_intents.get(&profile).copied().unwrap_or_default();
            let now = match &running.command {
                ParsedCommand::SetIntent(intent, _)
                    if before != IntentSet::only(ObservedIntent::NoProfile) =>
                {
                    IntentSet::only(*intent)
                }
                ParsedCommand::Create(_) => before.without(ObservedIntent::NoProfile),
                ParsedCommand::Delete(_) => IntentSet::only(ObservedIntent::NoProfile),
                ParsedCommand::Rename(old, _) if *old == profile => {
                    IntentSet::only(ObservedIntent::NoProfile)
                }
                ParsedCommand::Rename(..) => before.without(ObservedIntent::NoProfile),
                _ => before,
            };
            self.allowed.insert(profile.clone(), now.and(concurrent));
            if running.is_refused {
                self.unsettled.insert(profile.clone());
            } else if !running.disturbed.contains(&profile) {
                self.unsettled.remove(&profile);
                self.overruled.remove(&profile);
            }
            if running.command != ParsedCommand::Boot
                && !matches!(running.command, ParsedCommand::Run(_))
            {
                let allowed = self.allowed_intents(&profile);
                self.if_enabled(intent::check_allowed(world, &profile, allowed, Invariant::S1))?;
                self.if_enabled(intent::check_durable(world, &profile, allowed))?;
            }
        }
        Ok(())
    }

    /// A stop that exits 0 has ended its gateways, except those of profiles on which another command ran meanwhile.
    fn check_stop_ended_gateways(
        &self,
        world: &World,
        running: &RunningCommand,
    ) -> Result<(), Violation> {
        if !running.is_awaited
            || !matches!(running.command, ParsedCommand::SetIntent(ObservedIntent::Stopped, _))
        {
            return Ok(());
        }
        for profile in self.concerned_profiles(world, &running.command) {
            let is_alone = !running.concurrent_intents.contains_key(&profile)
                && !running.disturbed.contains(&profile)
                && !self.has_running_command(&profile);
            if is_alone {
                self.if_enabled(quiescence::check_stopped(world, &profile))?;
            }
        }
        Ok(())
    }

    /// Does a command on this profile run?
    pub(super) fn has_running_command(&self, profile: &Profile) -> bool {
        self.running_commands.values().any(|other| other.command.concerns(profile))
    }

    fn command_failed(
        &mut self,
        world: &World,
        running: &RunningCommand,
        code: u8,
        printed: Option<&ProcessOutput>,
    ) -> Result<(), Violation> {
        if running.command.must_explain(code) && !running.is_muted {
            self.if_enabled(intent::check_failure_is_explained(&running.command, code, printed))?;
        }
        for profile in self.concerned_profiles(world, &running.command) {
            let allowed = self.allowed_intents(&profile);
            self.if_enabled(intent::check_allowed(world, &profile, allowed, Invariant::S4))?;
            self.mark_unsettled(profile);
            self.may_have_leftovers = true;
        }
        Ok(())
    }

    fn concerned_profiles(&self, world: &World, command: &ParsedCommand) -> Vec<Profile> {
        let known = self.known_profiles(world).into_iter().map(|(profile, _)| profile);
        known.filter(|profile| command.concerns(profile)).collect()
    }

    pub(super) fn commands_without_process(&self, world: &World) -> Vec<u64> {
        let alive = |serial: &u64| {
            world.processes().any(|(_, process)| process.serial == *serial && process.is_alive())
        };
        self.running_commands.keys().copied().filter(|serial| !alive(serial)).collect()
    }

    /// These commands were killed, or their container ended: they are over without an exit code.
    pub fn commands_aborted(&mut self, world: &World, serials: impl Iterator<Item = u64>) {
        for serial in serials {
            let Some(running) = self.running_commands.remove(&serial) else { continue };
            let concerned = self.concerned_profiles(world, &running.command);
            self.may_have_leftovers |= !concerned.is_empty();
            for profile in concerned {
                self.mark_unsettled(profile);
            }
        }
    }
}
