//! When nobody moves any more, after a boot, and when somebody outside took a hand: the rare moments of the watch.
//!
//! What is looked at after each step is not here.

use hermes::name::Profile;

use super::super::{Breach, Name, Words, boot, host, intent, process, rest, slot};
use super::{Watch, Word};
use crate::machine::world::World;
use crate::observe::volume;

impl Watch {
    /// After the power failed: every command is over, and what the disk kept is looked at with the next step.
    pub fn power_cut(&mut self, world: &World) {
        let all: Vec<u64> = self.active.keys().copied().collect();
        self.cut_short(world, all.into_iter());
        self.is_littered = true;
        self.is_dark = true;
    }

    pub(super) fn look_in_the_dark(&mut self, world: &World) -> Result<(), Breach> {
        if !std::mem::take(&mut self.is_dark) {
            return Ok(());
        }
        for (profile, may) in self.known(world) {
            self.if_wanted(intent::is_whole(world, &profile, may))?;
            self.if_wanted(intent::is_allowed(world, &profile, may, Name::S1))?;
        }
        Ok(())
    }

    /// Something outside changed files, or stopped what it had no business with: what is so is taken for what was asked.
    pub fn meddled(&mut self, world: &World) {
        let before = self.words.clone();
        self.take_for_granted(world);
        self.torn.extend(before.keys().cloned());
        self.is_littered = true;
        self.is_dark = false;
        for active in self.active.values() {
            for (profile, words) in &before {
                if active.asked.concerns(profile) {
                    let now = self.words.get(profile).copied().unwrap_or(Words::only(Word::Gone));
                    self.words.insert(profile.clone(), now.and(*words));
                }
            }
        }
    }

    /// A fault refuses this process something.
    pub fn refused(&mut self, serial: u64) {
        self.is_littered = true;
        if let Some(active) = self.active.get_mut(&serial) {
            active.is_refused = true;
        }
    }

    /// Somebody was told to end, as machines do it to processes. That changes no word and tears no slot; whoever was
    /// killed left its files.
    pub fn signalled(&mut self, is_killed: bool) {
        self.is_littered |= is_killed;
        if is_killed {
            // A supervisor that is born again remembers nothing.
            self.given_up.clear();
        }
    }

    /// A command on this profile did not end well.
    pub(super) fn tear(&mut self, profile: Profile) {
        for other in self.active.values_mut().filter(|other| other.asked.concerns(&profile)) {
            other.overtaken.insert(profile.clone());
        }
        self.torn.insert(profile);
    }

    /// Somebody told the supervisor behind our back: this service no longer says what was asked.
    pub fn overruled(&mut self, profile: &Profile) {
        self.overruled.insert(profile.clone());
        self.tear(profile.clone());
    }

    /// Nobody moves any more and no command is at work.
    pub fn at_rest(&mut self, world: &World) -> Result<(), Breach> {
        self.look_in_the_dark(world)?;
        for (profile, may) in self.known(world) {
            self.if_wanted(intent::is_whole(world, &profile, may))?;
            self.if_wanted(intent::is_allowed(world, &profile, may, Name::S3))?;
        }
        self.if_wanted(slot::are_complete(world))?;
        self.if_wanted(process::is_one_gateway(world))?;
        self.slots_say_the_intent(world)?;
        let counts = |profile: &Profile| !self.torn.contains(profile);
        self.if_wanted(rest::one_slot_each(world, counts))?;
        self.if_wanted(rest::wanted_is_asked(world, counts))?;
        self.if_wanted(rest::stopped_is_gone(world, counts))?;
        if !self.is_littered {
            if self.torn.is_empty() {
                self.if_wanted(rest::nobody_is_ownerless(world))?;
            }
            self.if_wanted(rest::nothing_is_left(world, |it| !self.overruled.contains(it)))?;
            self.if_wanted(rest::all_is_finished(world))?;
        }
        self.settle(world);
        Ok(())
    }

    /// What cannot change any more by a power cut is what is in force from now on.
    fn settle(&mut self, world: &World) {
        for (profile, _) in self.known(world) {
            let durable = volume::durable_words(world, &profile);
            let now = volume::word(world, &profile);
            // What is behind a broken file may come out any day.
            let is_settled = now != Word::Broken && durable.iter().all(|word| *word == now);
            if is_settled && !self.is_asked(&profile) {
                self.words.insert(profile, Words::only(now));
            }
        }
        self.words.retain(|_, words| *words != Words::only(Word::Gone));
    }

    /// As [`Watch::at_rest`], after a boot with nothing else done since: it has tidied up, and has written its log.
    pub fn booted(&mut self, world: &World) -> Result<(), Breach> {
        if rest::seat(world).is_some() {
            self.torn.clear();
            self.is_littered = false;
        }
        self.at_rest(world)?;
        match rest::seat(world) {
            Some(_) => self.if_wanted(boot::is_logged(world)),
            None => self
                .if_wanted(host::boot_follows_the_word(world, |it| !self.overruled.contains(it))),
        }
    }

    /// A boot is refused something for good: it says so, and what it could not do is the next one's. What is refused but
    /// once costs nothing.
    pub fn boot_was_refused(&mut self, world: &World) {
        self.torn.extend(volume::profiles(world));
        self.is_littered = true;
    }
}
