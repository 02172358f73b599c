//! When nobody moves any more, after a boot, and when somebody outside took a hand: the rare moments of the watch.
//!
//! What is looked at after each step is not here.

use hermes::name::Profile;

use super::super::{IntentSet, Name, Violation, boot, host, intent, process, quiescence, slot};
use super::{Monitor, ObservedIntent};
use crate::machine::world::World;
use crate::observe::volume;

impl Monitor {
    /// After the power failed: every command is over, and what the disk kept is looked at with the next step.
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
        for (profile, may) in self.known_profiles(world) {
            self.if_enabled(intent::check_readable(world, &profile, may))?;
            self.if_enabled(intent::check_allowed(world, &profile, may, Name::S1))?;
        }
        Ok(())
    }

    /// Something outside changed files, or stopped what it had no business with: what is so is taken for what was asked.
    pub fn changed_from_outside(&mut self, world: &World) {
        let before = self.allowed.clone();
        self.adopt_current_state(world);
        self.unsettled.extend(before.keys().cloned());
        self.may_have_leftovers = true;
        self.needs_power_cut_check = false;
        for active in self.running_commands.values() {
            for (profile, words) in &before {
                if active.command.concerns(profile) {
                    let now = self
                        .allowed
                        .get(profile)
                        .copied()
                        .unwrap_or(IntentSet::only(ObservedIntent::NoProfile));
                    self.allowed.insert(profile.clone(), now.and(*words));
                }
            }
        }
    }

    /// A fault refuses this process something.
    pub fn effect_refused(&mut self, serial: u64) {
        self.may_have_leftovers = true;
        if let Some(active) = self.running_commands.get_mut(&serial) {
            active.is_refused = true;
        }
    }

    /// Somebody was told to end, as machines do it to processes. That changes no word and tears no slot; whoever was
    /// killed left its files.
    pub fn process_signalled(&mut self, is_killed: bool) {
        self.may_have_leftovers |= is_killed;
        if is_killed {
            // A supervisor that is born again remembers nothing.
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

    /// Somebody told the supervisor behind our back: this service no longer says what was asked.
    pub fn supervisor_overruled(&mut self, profile: &Profile) {
        self.overruled.insert(profile.clone());
        self.mark_unsettled(profile.clone());
    }

    /// Nobody moves any more and no command is at work.
    pub fn check_at_rest(&mut self, world: &World) -> Result<(), Violation> {
        self.check_after_power_cut(world)?;
        for (profile, may) in self.known_profiles(world) {
            self.if_enabled(intent::check_readable(world, &profile, may))?;
            self.if_enabled(intent::check_allowed(world, &profile, may, Name::S3))?;
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
            self.if_enabled(quiescence::check_no_leftovers(world, |it| {
                !self.overruled.contains(it)
            }))?;
            self.if_enabled(quiescence::check_no_unfinished_profiles(world))?;
        }
        self.adopt_durable_intents(world);
        Ok(())
    }

    /// What cannot change any more by a power cut is what is in force from now on.
    fn adopt_durable_intents(&mut self, world: &World) {
        for (profile, _) in self.known_profiles(world) {
            let durable = volume::intents_after_power_cut(world, &profile);
            let now = volume::observed_intent(world, &profile);
            // What is behind a broken file may come out any day.
            let is_settled =
                now != ObservedIntent::Unreadable && durable.iter().all(|word| *word == now);
            if is_settled && !self.has_running_command(&profile) {
                self.allowed.insert(profile, IntentSet::only(now));
            }
        }
        self.allowed.retain(|_, words| *words != IntentSet::only(ObservedIntent::NoProfile));
    }

    /// As [`Watch::at_rest`], after a boot with nothing else done since: it has tidied up, and has written its log.
    pub fn check_after_boot(&mut self, world: &World) -> Result<(), Violation> {
        if quiescence::supervised_scan_dir(world).is_some() {
            self.unsettled.clear();
            self.may_have_leftovers = false;
        }
        self.check_at_rest(world)?;
        match quiescence::supervised_scan_dir(world) {
            Some(_) => self.if_enabled(boot::check_boot_log(world)),
            None => self.if_enabled(host::check_boot_follows_intent(world, |it| {
                !self.overruled.contains(it)
            })),
        }
    }

    /// A boot is refused something for good: it says so, and what it could not do is the next one's. What is refused but
    /// once costs nothing.
    pub fn boot_was_refused(&mut self, world: &World) {
        self.unsettled.extend(volume::profiles(world));
        self.may_have_leftovers = true;
    }
}
