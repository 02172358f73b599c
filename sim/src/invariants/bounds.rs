//! S18: what a process holds open has a limit that nothing on the disk can move.
//!
//! Only the production program is looked at: what s6 holds open grows with the services that it supervises. A stack
//! cannot be seen here; recursion over a tree can, because each level holds its directory open.

use super::Violation;
use super::violation::violation;
use crate::machine::process::ProcessBody;
use crate::machine::world::{ProcessId, World};
use crate::scenario::Invariant;

/// More than any command of ours needs, whatever lies on the disk.
const OPEN_FILES_MAX: usize = 20;

/// S18, of the process that has just opened something.
pub fn check_open_files(world: &World, who: ProcessId) -> Result<(), Violation> {
    let Some(process) = world.process(who) else { return Ok(()) };
    let count = process.open_files.len();
    if count <= OPEN_FILES_MAX || !matches!(process.body, ProcessBody::Task(_)) {
        return Ok(());
    }
    let words: Vec<_> = process.argv.iter().map(|word| word.to_string_lossy()).collect();
    violation(Invariant::S18, format!("`{}` has {count} files open at once", words.join(" ")))
}
