//! A user's program as a small automaton: its actions after its start, and at signals.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use hermes::host::effect::{Signal, Status};

use crate::machine::kernel::programs::{NewProcess, make_process};
use crate::machine::kernel::{files, signals};
use crate::machine::process::{OpenKind, ProcessBody};
use crate::machine::world::{ProcessId, World};

/// The behaviour of a program: its rules, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Behaviour {
    /// Its rules.
    pub rules: Vec<Rule>,
    /// For this long after its start, signals still have their default actions. Zero in scenarios.
    pub handlers_after: Duration,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// The signal that triggers it; the start if `None`.
    pub trigger: Option<Signal>,
    /// The delay after the trigger.
    pub after: Duration,
    /// The action.
    pub action: ProgramAction,
}

/// An action of a program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProgramAction {
    /// Writes a newline to descriptor 3.
    Ready,
    /// Answers on `HERMES_GATEWAY_PORT` from now on.
    Serve,
    /// Exits.
    Exit(u8),
    /// Nothing: the signal does not end the program.
    Ignore,
    /// Prints a line.
    Print(String),
    /// Starts a child that sleeps, holds the standard output and ignores SIGTERM.
    Fork,
}

/// A running program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserProgram {
    program_path: PathBuf,
    handled: Vec<Signal>,
    handlers_from: Duration,
    due: Vec<(Duration, ProgramAction)>,
    serves: Option<u16>,
}

impl UserProgram {
    /// The program at its start.
    pub fn new(path: PathBuf, behaviour: &Behaviour, now: Duration) -> Self {
        let handled = behaviour.rules.iter().filter_map(|rule| rule.trigger).collect();
        let deaf_until = now + behaviour.handlers_after;
        let mut running = Self {
            program_path: path,
            handled,
            handlers_from: deaf_until,
            due: Vec::new(),
            serves: None,
        };
        running.trigger_rules(behaviour, None, now);
        running
    }

    fn trigger_rules(&mut self, behaviour: &Behaviour, on: Option<Signal>, now: Duration) {
        let rules = behaviour.rules.iter().filter(|rule| rule.trigger == on);
        self.due.extend(rules.map(|rule| (now + rule.after, rule.action.clone())));
        self.due.sort_by_key(|due| due.0);
    }

    /// Does the program have a rule for this signal? Then the signal does not end it.
    pub fn handles_signal(&self, signal: Signal, now: Duration) -> bool {
        now >= self.handlers_from && self.handled.contains(&signal)
    }

    /// Does the program answer on this port?
    pub fn serves(&self, port: u16) -> bool {
        self.serves == Some(port)
    }

    /// The time of its next action, if time alone triggers one.
    pub fn wakes_at(&self) -> Option<Duration> {
        self.due.first().map(|due| due.0)
    }
}

/// Is there an action to take now?
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
