//! The watch when nobody moves any more, and after boots: what must hold then, and what a boot may have cost.

use super::Watch;
use crate::observe::volume;
use crate::observe::word::Word;
use crate::promise::{Breach, Name, Words, boot, intent, process, rest, slot};
use crate::world::World;

impl Watch {
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
        if self.torn.is_empty() {
            self.if_wanted(rest::one_slot_each(world))?;
            self.if_wanted(rest::wanted_is_asked(world))?;
            self.if_wanted(rest::stopped_is_gone(world))?;
            self.if_wanted(rest::nobody_is_ownerless(world))?;
        }
        if !self.is_littered {
            self.if_wanted(rest::nothing_is_left(world))?;
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
            let is_settled = durable.iter().all(|word| *word == now);
            if is_settled && !self.active.values().any(|it| it.asked.concerns(&profile)) {
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
            self.if_wanted(boot::is_logged(world))?;
        }
        self.at_rest(world)
    }

    /// A boot is refused something for good: it says so, and what it could not do is the next one's. What is refused but
    /// once costs nothing.
    pub fn boot_was_refused(&mut self, world: &World) {
        self.torn.extend(volume::profiles(world));
        self.is_littered = true;
    }
}
