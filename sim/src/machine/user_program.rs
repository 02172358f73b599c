//! A user's program as a small automaton: its actions after its start, and at signals.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use hermes::host::effect::{Signal, Status};

use crate::machine::kernel::processes::{NewProcess, make_process};
use crate::machine::kernel::{files, signals};
use crate::machine::process::{OpenKind, ProcessBody};
pub use crate::machine::state::user_program::{Behaviour, ProgramAction, Rule, UserProgram};
use crate::machine::world::{ProcessId, World};

/// Is there something for it to do now?
pub fn is_ready(world: &World, who: ProcessId, running: &UserProgram) -> bool {
    let signalled = world.process(who).is_some_and(|process| !process.pending.is_empty());
    signalled || running.wakes_at().is_some_and(|at| at <= world.clock.boot)
}

/// One step: a signal first, or else the next due action. Returns the printed text.
///
/// # Panics
///
/// If the process is not a user's program.
pub fn step(world: &mut World, who: ProcessId) -> Option<String> {
    let now = world.clock.boot;
    let programs = std::sync::Arc::clone(&world.programs);
    let process = world.process_mut(who).expect("the process that moves exists");
    let ProcessBody::User(running) = &mut process.body else {
        panic!("{who:?} is no user's program")
    };
    if let Some(signal) = process.pending.pop_first() {
        let behaviour = programs.get(&running.program_path).cloned().unwrap_or_default();
        running.trigger_rules(&behaviour, Some(signal), now);
        return None;
    }
    if running.wakes_at().is_none_or(|at| at > now) {
        return None;
    }
    match running.due.remove(0).1 {
        ProgramAction::Ignore => {}
        ProgramAction::Print(line) => return Some(line),
        ProgramAction::Fork => fork(world, who),
        ProgramAction::Serve => {
            let port = process.env.get(OsStr::new("HERMES_GATEWAY_PORT"));
            running.serves = port.and_then(|port| port.to_str()?.parse().ok());
        }
        ProgramAction::Exit(code) => signals::end_process(world, who, Status::Exited(code)),
        ProgramAction::Ready => {
            let descriptor = process.inherited.get(&3).map(|open| open.kind.clone());
            if let Some(OpenKind::Pipe(pipe)) = descriptor {
                // A write without a reader has no effect.
                let _ = files::write_pipe(world, pipe, b"\n");
            }
        }
    }
    None
}

/// A child that only SIGKILL ends.
fn fork(world: &mut World, who: ProcessId) {
    let deaf = Behaviour {
        rules: vec![Rule {
            trigger: Some(Signal::TERM),
            after: Duration::ZERO,
            action: ProgramAction::Ignore,
        }],
        handlers_after: Duration::ZERO,
    };
    let body = ProcessBody::User(UserProgram::new(PathBuf::new(), &deaf, world.clock.boot));
    let Some(process) = world.process_mut(who) else { return };
    let birth = NewProcess {
        parent: who.pid,
        serial: process.next_unique_number(),
        credentials: process.credentials.clone(),
        inherited: process.inherited.clone(),
        dies_with_parent: false,
    };
    let group = process.group;
    let child = make_process(world, who.container, birth, body);
    if let Some(child) = world.process_mut(child) {
        child.group = group;
        child.comm = "child".to_owned();
    }
}
