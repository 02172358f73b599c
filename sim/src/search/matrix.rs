//! The crash matrix: before each effect of the named tasks each kind of crash, and each errno, once and for good. Then
//! the run is concluded. "After an effect" is before the next one, and before the exit.

use super::{Schedule, Search, Tally, calm, faults};
use crate::image;
use crate::play::{Deed, Move, Play};
use crate::scenario::{Crash, Task};
use crate::task::Wants;
use crate::world::Who;

/// So many ways to lose power are tried at one place.
const CUTS_MAX: usize = 6;

impl Search {
    /// Tries every cell.
    pub fn matrix(mut self) -> Tally {
        let tasks = self.start.scenario().search.crash.clone();
        let kinds = self.start.scenario().search.crash_kinds.clone();
        let mut cells = Vec::new();
        let mut play = self.start.clone();
        let walked = calm::run(&mut play, &mut |play, next| {
            let Move::Step(who) = next else { return };
            if is_named(play, *who, &tasks) {
                cells.extend(
                    deeds(play, *who, &kinds)
                        .into_iter()
                        .map(|deed| (play.moves, Move::Befall(*who, deed))),
                );
            }
        });
        if let Err(failure) = walked {
            self.broken(&Schedule::default(), failure, false);
            return self.tally;
        }
        self.missed(&Schedule::default(), &play);
        self.try_cells(&cells);
        self.tally
    }

    /// Walks the calm path once more, and forks where a cell is.
    fn try_cells(&mut self, cells: &[(u64, Move)]) {
        let stride = stride(cells.len() as u64, self.budget.runs);
        if stride > 1 {
            self.tally.is_complete = false;
        }
        let offset = usize::try_from(self.budget.seed % stride).unwrap_or_default();
        let step = usize::try_from(stride).unwrap_or(usize::MAX);
        let mut chosen = cells.iter().skip(offset).step_by(step).peekable();
        let mut play = self.start.clone();
        while chosen.peek().is_some() {
            while let Some((at, deed)) = chosen.next_if(|(at, _)| *at == play.moves) {
                self.try_cell(&play, *at, deed);
            }
            let Some(next) = play.calm() else { break };
            if play.take(&next).is_err() {
                break;
            }
        }
    }

    fn try_cell(&mut self, play: &Play, at: u64, deed: &Move) {
        let schedule = Schedule::default().with(at, deed.clone());
        let mut fork = play.clone();
        let effects = fork.effects;
        let befell = fork.take(deed);
        self.tally.transitions += 1;
        if let Err(failure) = befell.and_then(|()| finish_refused(&mut fork, deed, &mut |_, _| {}))
        {
            self.tally.runs += 1;
            self.broken(&schedule, failure, false);
            return;
        }
        self.tally.effects += fork.effects - effects;
        self.conclude(fork, &schedule);
    }
}

/// One in so many cells.
fn stride(cells: u64, runs: u64) -> u64 {
    cells.div_ceil(runs.max(1)).max(1)
}

/// A task that was refused something goes on to its end: that is part of the cell. `see` is told of each move before it
/// is taken.
pub(crate) fn finish_refused(
    play: &mut Play,
    deed: &Move,
    see: &mut dyn FnMut(&Play, &Move),
) -> Result<(), crate::play::Failure> {
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

fn is_named(play: &Play, who: Who, tasks: &[Task]) -> bool {
    play.task(who).is_some_and(|task| tasks.contains(&task))
}

/// What can befall a task at what it is about to do.
pub(super) fn deeds(play: &Play, who: Who, kinds: &[Crash]) -> Vec<Deed> {
    let effect = match play.machine.wants(who) {
        Some(Wants::Effect(effect)) if !faults::is_private(effect) => Some(effect),
        Some(Wants::Exit(_)) => None,
        _ => return Vec::new(),
    };
    let mut deeds = Vec::new();
    for kind in kinds {
        match kind {
            Crash::Kill => deeds.push(Deed::Kill),
            Crash::Container => deeds.push(Deed::ContainerKill),
            Crash::Power => {
                let cuts = play.machine.world.disk.cuts_up_to(image::VOLUME, CUTS_MAX);
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
