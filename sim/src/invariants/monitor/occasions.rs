//! The rare checks of the monitor: at rest, after a boot, after a power cut, and when something changed from outside.
//!
//! The checks after each step are not here.

use hermes::name::Profile;

use super::super::{IntentSet, Violation, boot, host, intent, process, quiescence, slot};
use super::{Monitor, ObservedIntent};
use crate::machine::world::World;
use crate::observe::volume;
use crate::scenario::Invariant;

impl Monitor {
    /// The power was cut: every command is over, and the outcome of the cut is checked with the next step.
    pub fn power_cut(&mut self, world: &World) {
        let all: Vec<u64> = self.running_commands.keys().copied().collect();
        self.commands_aborted(world, all.into_iter());
        self.may_have_leftovers = true;
        self.needs_power_cut_check = true;
    }

    pub(super) fn check_after_power_cut(&mut self, world: &World) -> Result<(), Violation> {
        if !std::mem::take(&mut self.needs_power_cut_check) {
            return Ok(());
        }
        for (profile, allowed) in self.known_profiles(world) {
            self.if_enabled(intent::check_readable(world, &profile, allowed))?;
            self.if_enabled(intent::check_allowed(world, &profile, allowed, Invariant::S1))?;
        }
        Ok(())
    }

    /// Something outside of hermes changed files or processes: the intents that the world has now are in force from here on.
    pub fn changed_from_outside(&mut self, world: &World) {
        let before = self.allowed.clone();
        self.adopt_current_state(world);
        self.unsettled.extend(before.keys().cloned());
        self.may_have_leftovers = true;
        self.needs_power_cut_check = false;
        for running in self.running_commands.values() {
            for (profile, intents) in &before {
                if running.command.concerns(profile) {
                    let now = self
                        .allowed
                        .get(profile)
                        .copied()
                        .unwrap_or(IntentSet::only(ObservedIntent::NoProfile));
                    self.allowed.insert(profile.clone(), now.and(*intents));
                }
            }
        }
    }

    /// A fault refuses an effect of this process.
    pub fn effect_refused(&mut self, serial: u64) {
        self.may_have_leftovers = true;
        if let Some(running) = self.running_commands.get_mut(&serial) {
            running.is_refused = true;
        }
    }

    /// A process was told to end by a signal. That changes no intent and tears no slot; a killed process leaves its files.
    pub fn process_signalled(&mut self, is_killed: bool) {
        self.may_have_leftovers |= is_killed;
        if is_killed {
            // A new supervisor does not know that the gateway failed permanently.
            self.given_up.clear();
        }
    }

    /// A command on this profile did not end well.
    pub(super) fn mark_unsettled(&mut self, profile: Profile) {
        for other in
            self.running_commands.values_mut().filter(|other| other.command.concerns(&profile))
        {
            other.disturbed.insert(profile.clone());
        }
        self.unsettled.insert(profile);
    }

    /// A user told the supervisor without hermes: this service no longer follows the intent.
    pub fn supervisor_overruled(&mut self, profile: &Profile) {
        self.overruled.insert(profile.clone());
        self.mark_unsettled(profile.clone());
    }

    /// Checks a world at rest: nothing moves and no command runs.
    pub fn check_at_rest(&mut self, world: &World) -> Result<(), Violation> {
        self.check_after_power_cut(world)?;
        for (profile, allowed) in self.known_profiles(world) {
            self.if_enabled(intent::check_readable(world, &profile, allowed))?;
            self.if_enabled(intent::check_allowed(world, &profile, allowed, Invariant::S3))?;
        }
        self.if_enabled(slot::check_slots_complete(world))?;
        self.if_enabled(process::check_one_gateway_per_profile(world))?;
        self.check_down_files(world)?;
        let counts = |profile: &Profile| !self.unsettled.contains(profile);
        self.if_enabled(quiescence::check_one_slot_per_profile(world, counts))?;
        self.if_enabled(quiescence::check_wants(world, counts))?;
        self.if_enabled(quiescence::check_stopped_gateways_gone(world, counts))?;
        if !self.may_have_leftovers {
            if self.unsettled.is_empty() {
                self.if_enabled(quiescence::check_no_ownerless_processes(world))?;
            }
            self.if_enabled(quiescence::check_no_leftovers(world, |profile| {
                !self.overruled.contains(profile)
            }))?;
            self.if_enabled(quiescence::check_no_unfinished_profiles(world))?;
        }
        self.adopt_durable_intents(world);
        Ok(())
    }

    /// An intent that no power cut can change any more is the only one in force from now on.
    fn adopt_durable_intents(&mut self, world: &World) {
        for (profile, _) in self.known_profiles(world) {
            let durable = volume::intents_after_power_cut(world, &profile);
            let now = volume::observed_intent(world, &profile);
            // The intent behind a broken file may still show later.
            let is_settled =
                now != ObservedIntent::Unreadable && durable.iter().all(|intent| *intent == now);
            if is_settled && !self.has_running_command(&profile) {
                self.allowed.insert(profile, IntentSet::only(now));
            }
        }
        self.allowed.retain(|_, intents| *intents != IntentSet::only(ObservedIntent::NoProfile));
    }

    /// As [`Monitor::check_at_rest`], after a boot with nothing else done since: it has swept, and has written its log.
    pub fn check_after_boot(&mut self, world: &World) -> Result<(), Violation> {
        if quiescence::supervised_scan_dir(world).is_some() {
            self.unsettled.clear();
            self.may_have_leftovers = false;
        }
        self.check_at_rest(world)?;
        match quiescence::supervised_scan_dir(world) {
            Some(_) => self.if_enabled(boot::check_boot_log(world)),
            None => self.if_enabled(host::check_boot_follows_intent(world, |profile| {
                !self.overruled.contains(profile)
            })),
        }
    }

    /// An effect of a boot fails from now on: the boot reports it, and leaves the rest to the next boot. A single failure
    /// leaves nothing.
    pub fn boot_was_refused(&mut self, world: &World) {
        self.unsettled.extend(volume::profiles(world));
        self.may_have_leftovers = true;
    }
}
