//! Runs a command of the product in a copy of the machine in which nothing else moves. The machine itself is unchanged.

use std::ffi::OsString;

use hermes::error::Errno;

use crate::machine::Machine;
use crate::machine::world::ContainerId;
use crate::machine::{image, runtime};

/// A command that has not ended after this number of steps is given up.
const STEPS_MAX: u32 = 10_000;

/// Runs `hermes WORDS…` as hermes in the first container, and returns its standard output.
pub fn run_in_copy(machine: &Machine, words: &[&str]) -> Result<Vec<u8>, Errno> {
    let mut copy = machine.clone();
    let command = runtime::ExecCommand {
        uid: image::HERMES_UID,
        args: words.iter().map(OsString::from).collect(),
        env: Default::default(),
        number: u64::MAX,
    };
    let who = runtime::exec(&mut copy.world, ContainerId(1), command)?;
    let serial = copy.world.process(who).map_or(0, |process| process.serial);
    for _ in 0..STEPS_MAX {
        match copy.world.process(who) {
            Some(process) if process.serial == serial && process.is_alive() => {}
            _ => break,
        }
        if copy.is_ready(who) {
            copy.step(who);
        } else if let Some(moment) = copy.next_wake() {
            copy.advance_to(moment);
        } else {
            break;
        }
    }
    Ok(copy.outputs.get(&serial).map(|printed| printed.stdout.clone()).unwrap_or_default())
}
