//! The watch: what must be remembered between two looks, and when which promise is looked at.
//!
//! It is part of the search's state, so it holds little: which words may be in force on each profile, which commands
//! are at work, and after which crash nobody has tidied up. Here is what is looked at after each step; `later` has the
//! rest.

mod later;

use std::collections::{BTreeMap, BTreeSet};

use hermes::host::Outcome;
use hermes::host::effect::Effect;
use hermes::name::Profile;

use super::change::is_about_files;
use super::command::Asked;
use super::{Breach, Name, Words, command, intent, process, reader, rest, root, slot};
use crate::machine::world::{Who, World};
use crate::machine::{Moved, Printed};
use crate::observe::process::{boots, gateway_of};
use crate::observe::volume;
use crate::observe::word::Word;

/// What a gateway ends with if another try would end the same.
const PERMANENT: u8 = 78;

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Watch {
    wanted: u32,
    /// The words that may be in force.
    words: BTreeMap<Profile, Words>,
    /// Commands at work, by their processes' serials.
    active: BTreeMap<u64, Active>,
    /// Profiles whose slot may not say the intent, because a command on them failed or was cut short.
    torn: BTreeSet<Profile>,
    /// Profiles whose service somebody changed behind our back, and no command since.
    overruled: BTreeSet<Profile>,
    /// A crash may have left files that only a boot takes away.
    is_littered: bool,
    /// Gateways that said that nothing but an operator can help them: in which run of which container.
    given_up: BTreeSet<(u64, Profile)>,
    /// The power failed, and nobody has looked at the words since.
    is_dark: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Active {
    asked: Asked,
    /// It ends when what it asks is so.
    is_awaited: bool,
    /// Words of commands that were at work at the same time, by profile.
    met: BTreeMap<Profile, Words>,
    /// It was refused its own output.
    is_muted: bool,
    /// A fault refused it something: what it could not see it may have left for the next boot.
    is_refused: bool,
    /// Profiles on which another command failed or was cut short meanwhile: its success mends nothing there.
    overtaken: BTreeSet<Profile>,
}

impl Watch {
    /// Takes the world as it is for what is in force.
    pub fn new(world: &World, wanted: &[Name]) -> Self {
        let mut watch = Self {
            wanted: super::name::visible(world, wanted).fold(0, |bits, name| bits | name.bit()),
            words: BTreeMap::new(),
            active: BTreeMap::new(),
            torn: BTreeSet::new(),
            overruled: BTreeSet::new(),
            is_littered: true,
            given_up: BTreeSet::new(),
            is_dark: false,
        };
        watch.take_for_granted(world);
        watch
    }

    /// What another boot must not change: [`super::fingerprint`] in one number.
    pub fn fingerprint(world: &World) -> u128 {
        crate::hash::of(&super::fingerprint(world))
    }

    /// The words that may be in force.
    pub fn words(&self, profile: &Profile) -> Words {
        self.words.get(profile).copied().unwrap_or(Words::only(Word::Gone))
    }

    fn wants(&self, name: Name) -> bool {
        self.wanted & name.bit() != 0
    }

    /// Drops a breach of a promise that nobody asked for.
    fn if_wanted(&self, looked: Result<(), Breach>) -> Result<(), Breach> {
        looked.or_else(|breach| if self.wants(breach.promise) { Err(breach) } else { Ok(()) })
    }

    fn take_for_granted(&mut self, world: &World) {
        self.words.clear();
        for profile in volume::profiles(world) {
            let mut words = Words::only(volume::word(world, &profile));
            if words.has(Word::Broken) {
                // A boot, or a command, reads past it and puts it aside.
                let prior = volume::prior(world, &profile);
                words = words.with(crate::observe::word::of_prior(&prior));
            }
            self.torn.insert(profile.clone());
            self.words.insert(profile, words);
        }
    }

    /// A command begins; `uid` is noted by nobody yet.
    pub fn begins(&mut self, world: &World, serial: u64, argv: &[String], _uid: u32) {
        let asked = Asked::read(argv);
        self.given_up.retain(|(_, profile)| !asked.concerns(profile));
        let mut met: BTreeMap<Profile, Words> = BTreeMap::new();
        let profiles: BTreeSet<Profile> =
            asked.profiles(world).into_iter().chain(self.words.keys().cloned()).collect();
        for profile in profiles.into_iter().filter(|profile| asked.concerns(profile)) {
            let mut may = asked.may_say(world, &profile, self.words(&profile));
            if matches!(&asked, Asked::Rename(old, new) if *new == profile && old != new) {
                if let Asked::Rename(old, _) = &asked {
                    may = may.and(self.words(old).without(Word::Gone));
                }
            }
            let others = self.active.values_mut().filter(|other| other.asked.concerns(&profile));
            for other in others {
                let theirs = other.asked.may_say(
                    world,
                    &profile,
                    self.words.get(&profile).copied().unwrap_or_default(),
                );
                let entry = other.met.entry(profile.clone()).or_default();
                *entry = entry.and(may);
                let entry = met.entry(profile.clone()).or_default();
                *entry = entry.and(theirs);
            }
            let before = self.words(&profile);
            self.words.insert(profile, before.and(may));
        }
        let (is_awaited, overtaken) = (command::is_awaited(argv), BTreeSet::new());
        let (is_muted, is_refused) = (false, false);
        let active = Active { asked, is_awaited, met, is_muted, is_refused, overtaken };
        self.active.insert(serial, active);
    }

    /// After each step.
    pub fn moved(
        &mut self,
        world: &World,
        moved: &Moved,
        printed: Option<&Printed>,
    ) -> Result<(), Breach> {
        self.look_in_the_dark(world)?;
        match moved {
            Moved::Acted { who, effect, outcome } => {
                self.acted(world, *who, effect, outcome.as_ref())
            }
            Moved::Exited { who, serial, code } => {
                self.gateway_ended(world, *who, *code)?;
                self.exited(world, *serial, *code, printed)
            }
            Moved::Panicked { message, .. } => {
                self.if_wanted(reader::is_no_panic(message))?;
                let gone: Vec<u64> = self.without_process(world);
                self.cut_short(world, gone.into_iter());
                Ok(())
            }
            Moved::Automaton { who } => self.if_wanted(root::supervises_its_own(world, *who)),
        }
    }

    fn without_process(&self, world: &World) -> Vec<u64> {
        let alive =
            |serial: &u64| world.everybody().any(|(_, it)| it.serial == *serial && it.is_alive());
        self.active.keys().copied().filter(|serial| !alive(serial)).collect()
    }

    fn acted(
        &mut self,
        world: &World,
        who: Who,
        effect: &Effect,
        outcome: Option<&Outcome>,
    ) -> Result<(), Breach> {
        let serial = world.process(who).map(|process| process.serial);
        if let Some(active) = serial.and_then(|serial| self.active.get_mut(&serial)) {
            active.is_muted |= reader::is_muted(effect, outcome);
            if active.asked == Asked::Look {
                self.if_wanted(reader::only_looks(world, who, effect, outcome))?;
            }
        }
        if matches!(effect, Effect::Trap { .. }) {
            self.gateway_begins(world, who)?;
        }
        if matches!(outcome, Some(Err(_))) {
            return Ok(());
        }
        self.if_wanted(root::keeps_to_itself(world, who, effect))?;
        match effect {
            Effect::SignalProcess { .. } | Effect::SignalGroup { .. } => {
                self.if_wanted(process::signal_is_meant(world, who, effect))
            }
            Effect::LockRecord { .. } | Effect::Listen { .. } | Effect::Spawn { .. } => {
                self.if_wanted(process::is_one_gateway(world))
            }
            _ if is_about_files(world, who, effect) => self.files_changed(world, who, effect),
            _ => Ok(()),
        }
    }

    /// A gateway sets its handlers: it is not one that had given up.
    fn gateway_begins(&self, world: &World, who: Who) -> Result<(), Breach> {
        let acts = world.process(who).and_then(|process| gateway_of(&process.argv));
        let run = world.container(who.container).namespace;
        match acts.filter(|profile| self.given_up.contains(&(run, profile.clone()))) {
            Some(profile) => self.if_wanted(process::is_not_retried(&profile)),
            None => Ok(()),
        }
    }

    fn files_changed(&mut self, world: &World, who: Who, effect: &Effect) -> Result<(), Breach> {
        self.if_wanted(slot::are_complete(world))?;
        if let Effect::Rename { from, to, .. } = effect {
            if volume::is_intent(&to.path) {
                self.intent_written(world, who)?;
            }
            self.if_wanted(process::keep_their_profiles(world, &from.path))?;
        }
        for (profile, may) in self.known(world) {
            self.if_wanted(intent::is_whole(world, &profile, may))?;
            self.if_wanted(intent::is_allowed(world, &profile, may, Name::S3))?;
        }
        match effect {
            Effect::Rename { from, to, .. } => {
                self.if_wanted(process::holds_the_lock(world, who, &from.path, &to.path))
            }
            _ => Ok(()),
        }
    }

    /// Every profile that is or may be.
    fn known(&self, world: &World) -> Vec<(Profile, Words)> {
        let mut names: BTreeSet<Profile> = self.words.keys().cloned().collect();
        names.extend(volume::profiles(world));
        names.into_iter().map(|name| (name.clone(), self.words(&name))).collect()
    }

    fn intent_written(&mut self, world: &World, who: Who) -> Result<(), Breach> {
        let Some(process) = world.process(who) else { return Ok(()) };
        let argv: Vec<String> =
            process.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        // A container's heartbeat starts the gateway of a home where nobody has said anything yet.
        if let Some(profile) = gateway_of(&process.argv) {
            let may = self.words(&profile);
            if may.has(Word::Unsaid) {
                self.words.insert(profile, may.with(Word::Running));
            }
        }
        self.if_wanted(intent::writer_may_write(&argv))
    }

    /// What a gateway notes of its own end is what is left of the intent if the intent file is lost.
    fn gateway_ended(&mut self, world: &World, who: Who, code: u8) -> Result<(), Breach> {
        let ended = world.process(who).and_then(|process| gateway_of(&process.argv));
        let Some(profile) = ended else { return Ok(()) };
        if code == PERMANENT {
            self.given_up.insert((world.container(who.container).namespace, profile.clone()));
        }
        match !self.is_asked(&profile) && self.words(&profile) == Words::only(Word::Running) {
            true => self.if_wanted(intent::end_is_no_stop(world, &profile)),
            false => Ok(()),
        }
    }

    fn exited(
        &mut self,
        world: &World,
        serial: u64,
        code: u8,
        printed: Option<&Printed>,
    ) -> Result<(), Breach> {
        if let Some(printed) = printed {
            self.if_wanted(reader::is_for_people(printed))?;
        }
        let Some(active) = self.active.remove(&serial) else { return Ok(()) };
        match code {
            0 => self.succeeded(world, &active)?,
            _ => self.failed(world, &active, code, printed)?,
        }
        self.slots_say_the_intent(world)?;
        match code {
            0 => self.stop_is_over(world, &active),
            _ => Ok(()),
        }
    }

    fn succeeded(&mut self, world: &World, active: &Active) -> Result<(), Breach> {
        if active.asked == Asked::Boot && !active.is_refused {
            // It has looked after every slot, those of profiles that are no more as well.
            self.torn.retain(|profile| active.overtaken.contains(profile));
        }
        for profile in self.concerned(world, &active.asked) {
            let before = self.words(&profile);
            let met = active.met.get(&profile).copied().unwrap_or_default();
            let now = match &active.asked {
                Asked::Say(word, _) if before != Words::only(Word::Gone) => Words::only(*word),
                Asked::Create(_) => before.without(Word::Gone),
                Asked::Delete(_) => Words::only(Word::Gone),
                Asked::Rename(old, _) if *old == profile => Words::only(Word::Gone),
                Asked::Rename(..) => before.without(Word::Gone),
                _ => before,
            };
            self.words.insert(profile.clone(), now.and(met));
            if active.is_refused {
                self.torn.insert(profile.clone());
            } else if !active.overtaken.contains(&profile) {
                self.torn.remove(&profile);
                self.overruled.remove(&profile);
            }
            if active.asked != Asked::Boot && !matches!(active.asked, Asked::Run(_)) {
                let may = self.words(&profile);
                self.if_wanted(intent::is_allowed(world, &profile, may, Name::S1))?;
                self.if_wanted(intent::stays_true(world, &profile, may))?;
            }
        }
        Ok(())
    }

    /// A stop that ends with 0 has ended whom it names, unless somebody else was at work on it, too.
    fn stop_is_over(&self, world: &World, active: &Active) -> Result<(), Breach> {
        if !active.is_awaited || !matches!(active.asked, Asked::Say(Word::Stopped, _)) {
            return Ok(());
        }
        for profile in self.concerned(world, &active.asked) {
            let is_alone = !active.met.contains_key(&profile)
                && !active.overtaken.contains(&profile)
                && !self.is_asked(&profile);
            if is_alone {
                self.if_wanted(rest::has_stopped(world, &profile))?;
            }
        }
        Ok(())
    }

    /// Is a command at work on it?
    fn is_asked(&self, profile: &Profile) -> bool {
        self.active.values().any(|other| other.asked.concerns(profile))
    }

    fn failed(
        &mut self,
        world: &World,
        active: &Active,
        code: u8,
        printed: Option<&Printed>,
    ) -> Result<(), Breach> {
        if active.asked.must_explain(code) && !active.is_muted {
            self.if_wanted(intent::says_why(&active.asked, code, printed))?;
        }
        for profile in self.concerned(world, &active.asked) {
            let may = self.words(&profile);
            self.if_wanted(intent::is_allowed(world, &profile, may, Name::S4))?;
            self.tear(profile);
            self.is_littered = true;
        }
        Ok(())
    }

    fn concerned(&self, world: &World, asked: &Asked) -> Vec<Profile> {
        let known = self.known(world).into_iter().map(|(profile, _)| profile);
        known.filter(|profile| asked.concerns(profile)).collect()
    }

    fn slots_say_the_intent(&self, world: &World) -> Result<(), Breach> {
        if !self.wants(Name::S7) || boots(world) {
            return Ok(());
        }
        slot::down_says_the_intent(world, |profile| {
            !self.torn.contains(profile) && !self.is_asked(profile)
        })
    }

    /// Killed, or its container ended: these commands are over without an exit code.
    pub fn cut_short(&mut self, world: &World, who_serials: impl Iterator<Item = u64>) {
        for serial in who_serials {
            let Some(active) = self.active.remove(&serial) else { continue };
            let concerned = self.concerned(world, &active.asked);
            self.is_littered |= !concerned.is_empty();
            for profile in concerned {
                self.tear(profile);
            }
        }
    }
}
