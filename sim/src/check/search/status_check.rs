//! L7: `hermes gateway status --all --json` is run in a copy of the machine at rest, and compared with the world.

use crate::execution::{Execution, Failure, run_in_copy};
use crate::invariants::quiescence::supervised_scan_dir;
use crate::invariants::{Violation, check_status};
use crate::machine::world::ContainerId;

/// What status says, if somebody moves, or nobody is there to be asked: nothing.
pub(super) fn status_agreement(play: &Execution) -> Option<Result<(), Violation>> {
    let world = &play.machine.world;
    let first = ContainerId(1);
    let is_asked = supervised_scan_dir(world).is_some_and(|(id, _)| id == first)
        && play.machine.ready_processes().is_empty();
    if !is_asked || play.commands().any(|command| command.is_running) {
        return None;
    }
    let said = run_in_copy(&play.machine, &["gateway", "status", "--all", "--json"]).ok()?;
    Some(check_status(world, &said))
}

/// L7 during the settle check: in each execution that is recorded for a report, and in one of 16 others.
pub(super) fn check_status_at_rest(play: &Execution) -> Result<(), Failure> {
    const ONE_IN: u128 = 16;
    let is_asked = play.recorded.is_some() || play.digest % ONE_IN == 0;
    match is_asked.then(|| status_agreement(play)).flatten() {
        Some(held) => Ok(held?),
        None => Ok(()),
    }
}
