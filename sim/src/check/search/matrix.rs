//! The crash matrix: before each effect of the named tasks each kind of crash, and each errno, once and for good. Then
//! the run is concluded. "After an effect" is before the next one, and before the exit. A second crash is not here.

use super::{Schedule, Search, Tally, calm, conclude, faults};
use crate::execution::{Deed, Failure, Move, Play};
use crate::machine::image;
use crate::machine::world::ProcessId;
use crate::replay::Request;
use crate::scenario::{Crash, Task};

/// So many ways to lose power are tried at one place.
const CUTS_MAX: usize = 6;

/// Where something befalls: at so many moves, this.
pub(super) type Cell = (u64, Move);

impl Search {
    /// Tries every cell.
    pub fn matrix(mut self) -> Tally {
        let cells = self.cells();
        self.at_each(&cells, self.budget.runs, Self::try_cell);
        self.tally
    }

    /// Every cell of the calm run.
    pub(super) fn cells(&mut self) -> Vec<Cell> {
        let tasks = self.start.scenario().search.crash.clone();
        let kinds = self.start.scenario().search.crash_kinds.clone();
        let mut cells = Vec::new();
        let mut play = self.start.clone();
        let walked = calm::run(&mut play, &mut |play, next| {
            let Move::Step(who) = next else { return };
            if is_named(play, *who, &tasks) {
                let deeds = deeds(play, *who, &kinds).into_iter();
                cells.extend(deeds.map(|deed| (play.moves, Move::Befall(*who, deed))));
            }
        });
        if let Err(failure) = walked {
            self.broken(&Schedule::default(), failure, false);
            return Vec::new();
        }
        self.missed(&Schedule::default(), &play);
        cells
    }

    /// Walks the calm path once more, and stops where a cell is, at no more than so many of them.
    pub(super) fn at_each(
        &mut self,
        cells: &[Cell],
        at_most: u64,
        mut stop: impl FnMut(&mut Self, &Play, &Cell),
    ) {
        let mut chosen = self.spread(cells, at_most, 0).peekable();
        let mut play = self.start.clone();
        while chosen.peek().is_some() {
            while let Some(cell) = chosen.next_if(|(at, _)| *at == play.moves) {
                stop(self, &play, cell);
            }
            let Some(next) = play.calm() else { break };
            if play.take(&next).is_err() {
                break;
            }
        }
    }

    /// So many of these, spread evenly; which ones, the seed says, and `shift`.
    pub(super) fn spread<'a, T>(
        &mut self,
        all: &'a [T],
        at_most: u64,
        shift: u64,
    ) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let stride = (all.len() as u64).div_ceil(at_most.max(1)).max(1);
        self.tally.is_complete &= stride == 1;
        let offset = usize::try_from((self.budget.seed + shift) % stride).unwrap_or_default();
        all.iter().skip(offset).step_by(usize::try_from(stride).unwrap_or(usize::MAX))
    }

    fn try_cell(&mut self, play: &Play, (_, deed): &Cell) {
        self.try_deed(play, &Schedule::default(), deed);
    }

    /// Has it befall a copy, and concludes that.
    pub(super) fn try_deed(&mut self, play: &Play, schedule: &Schedule, deed: &Move) {
        let schedule = schedule.with(play.moves, deed.clone());
        let mut fork = play.clone();
        let effects = fork.effects;
        self.tally.transitions += 1;
        if let Err(failure) = befall(&mut fork, deed, &mut |_, _| {}) {
            self.tally.runs += 1;
            self.broken(&schedule, failure, false);
            return;
        }
        self.tally.effects += fork.effects - effects;
        self.conclude(fork, &schedule);
    }
}

/// Plays the cells of a schedule. After the first one the story goes on or is cut off; after the last it is cut off, and
/// the run is concluded. Those that the story does not come to befall while it is concluded.
pub(crate) fn replay(
    play: &mut Play,
    schedule: &Schedule,
    goes_on: GoesOn,
    see: &mut dyn FnMut(&Play, &Move),
) -> Result<(), Failure> {
    let mut cells = &schedule.0[..];
    let mut is_cut = cells.is_empty() || goes_on == GoesOn::No;
    loop {
        let due = cells.first().map_or(u64::MAX, |(at, _)| *at);
        while play.moves != due && !play.is_over() && play.moves < calm::MOVES_MAX {
            let Some(next) = play.calm() else { break };
            see(play, &next);
            play.take(&next)?;
        }
        let Some(((_, deed), later)) = cells.split_first().filter(|_| play.moves == due) else {
            return conclude::conclude_with(play, cells, see);
        };
        befall(play, deed, see)?;
        if is_cut {
            play.abandon();
        }
        (cells, is_cut) = (later, true);
    }
}

/// Does the story go on after the first crash?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GoesOn {
    Yes,
    No,
}

/// It befalls. A task that was refused something goes on to its end: that is part of the cell. `see` is told of each move
/// before it is taken.
pub(super) fn befall(
    play: &mut Play,
    deed: &Move,
    see: &mut dyn FnMut(&Play, &Move),
) -> Result<(), Failure> {
    see(play, deed);
    play.take(deed)?;
    let Move::Befall(who, Deed::Refuse(_) | Deed::RefuseForGood(_)) = deed else { return Ok(()) };
    let serial = play.machine.world.process(*who).map(|process| process.serial);
    for _ in 0..20_000 {
        let same = play.machine.world.process(*who).map(|process| process.serial) == serial;
        if !same || play.is_over() {
            break;
        }
        let Some(next) = play.calm() else { break };
        see(play, &next);
        play.take(&next)?;
    }
    Ok(())
}

fn is_named(play: &Play, who: ProcessId, tasks: &[Task]) -> bool {
    play.task(who).is_some_and(|task| tasks.contains(&task))
}

/// What can befall a task at what it is about to do.
pub(super) fn deeds(play: &Play, who: ProcessId, kinds: &[Crash]) -> Vec<Deed> {
    let effect = match play.machine.request(who) {
        Some(Request::Effect(effect)) if !faults::is_private(effect) => Some(effect),
        Some(Request::Exit(_)) => None,
        _ => return Vec::new(),
    };
    let mut deeds = Vec::new();
    for kind in kinds {
        match kind {
            Crash::Kill => deeds.push(Deed::Kill),
            Crash::Container => deeds.push(Deed::ContainerKill),
            Crash::Power => {
                let cuts = play.machine.world.disk.cut_count_up_to(image::VOLUME, CUTS_MAX);
                deeds.extend((0..cuts).map(Deed::PowerCut));
            }
            Crash::Errno => {
                let errnos = effect.map(faults::errnos).unwrap_or_default();
                deeds.extend(errnos.iter().map(|&errno| Deed::Refuse(errno)));
                deeds.extend(errnos.iter().map(|&errno| Deed::RefuseForGood(errno)));
            }
        }
    }
    deeds
}
