//! A user's program as a small automaton: what it does after its start, and at a signal.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use hermes::host::effect::{Signal, Status};

use crate::machine::kernel::programs::{Birth, make};
use crate::machine::kernel::{files, signals};
use crate::machine::process::{Body, What};
use crate::machine::world::{Who, World};

/// What a program does, in the order of its rules.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Behaviour {
    /// Its rules.
    pub rules: Vec<Rule>,
    /// How long after its start signals still do what they do by default. Nothing in stories.
    pub deaf_for: Duration,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// The signal that sets it off; its start if `None`.
    pub on: Option<Signal>,
    /// How long after that.
    pub after: Duration,
    /// What it then does.
    pub act: Act,
}

/// What a program can do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Writes a newline to descriptor 3.
    Ready,
    /// Answers on `HERMES_GATEWAY_PORT` from now on.
    Serve,
    /// Exits.
    Exit(u8),
    /// Nothing: the signal does not end it.
    Ignore,
    /// Prints a line.
    Print(String),
    /// Leaves a child behind that sleeps, holds the standard output and ignores SIGTERM.
    Fork,
}

/// A program that runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Running {
    behaviour: PathBuf,
    handled: Vec<Signal>,
    deaf_until: Duration,
    due: Vec<(Duration, Act)>,
    serves: Option<u16>,
}

impl Running {
    /// At its start.
    pub fn new(path: PathBuf, behaviour: &Behaviour, now: Duration) -> Self {
        let handled = behaviour.rules.iter().filter_map(|rule| rule.on).collect();
        let deaf_until = now + behaviour.deaf_for;
        let mut running =
            Self { behaviour: path, handled, deaf_until, due: Vec::new(), serves: None };
        running.set_off(behaviour, None, now);
        running
    }

    fn set_off(&mut self, behaviour: &Behaviour, on: Option<Signal>, now: Duration) {
        let rules = behaviour.rules.iter().filter(|rule| rule.on == on);
        self.due.extend(rules.map(|rule| (now + rule.after, rule.act.clone())));
        self.due.sort_by_key(|due| due.0);
    }

    /// Does it do something at this signal, other than die?
    pub fn takes(&self, signal: Signal, now: Duration) -> bool {
        now >= self.deaf_until && self.handled.contains(&signal)
    }

    /// Does it answer on this port?
    pub fn serves(&self, port: u16) -> bool {
        self.serves == Some(port)
    }

    /// When it acts next by itself.
    pub fn wakes_at(&self) -> Option<Duration> {
        self.due.first().map(|due| due.0)
    }
}

/// Is there something for it to do now?
pub fn is_ready(world: &World, who: Who, running: &Running) -> bool {
    let signalled = world.process(who).is_some_and(|process| !process.pending.is_empty());
    signalled || running.wakes_at().is_some_and(|at| at <= world.clock.boot)
}

/// One step: a signal first, else what is due. Gives what it printed.
///
/// # Panics
///
/// If the process is no user's program.
pub fn step(world: &mut World, who: Who) -> Option<String> {
    let now = world.clock.boot;
    let programs = std::sync::Arc::clone(&world.programs);
    let process = world.process_mut(who).expect("the process that moves exists");
    let Body::User(running) = &mut process.body else { panic!("{who:?} is no user's program") };
    if let Some(signal) = process.pending.pop_first() {
        let behaviour = programs.get(&running.behaviour).cloned().unwrap_or_default();
        running.set_off(&behaviour, Some(signal), now);
        return None;
    }
    if running.wakes_at().is_none_or(|at| at > now) {
        return None;
    }
    match running.due.remove(0).1 {
        Act::Ignore => {}
        Act::Print(line) => return Some(line),
        Act::Fork => fork(world, who),
        Act::Serve => {
            let port = process.env.get(OsStr::new("HERMES_GATEWAY_PORT"));
            running.serves = port.and_then(|port| port.to_str()?.parse().ok());
        }
        Act::Exit(code) => signals::end(world, who, Status::Exited(code)),
        Act::Ready => {
            let descriptor = process.inherited.get(&3).map(|open| open.what.clone());
            if let Some(What::Pipe(pipe)) = descriptor {
                // A reader that is gone hears nothing.
                let _ = files::write_pipe(world, pipe, b"\n");
            }
        }
    }
    None
}

/// A child that nothing but SIGKILL ends.
fn fork(world: &mut World, who: Who) {
    let deaf = Behaviour {
        rules: vec![Rule { on: Some(Signal::TERM), after: Duration::ZERO, act: Act::Ignore }],
        deaf_for: Duration::ZERO,
    };
    let body = Body::User(Running::new(PathBuf::new(), &deaf, world.clock.boot));
    let Some(process) = world.process_mut(who) else { return };
    let birth = Birth {
        parent: who.pid,
        serial: process.fresh(),
        credentials: process.credentials.clone(),
        inherited: process.inherited.clone(),
        dies_with_parent: false,
    };
    let group = process.group;
    let child = make(world, who.container, birth, body);
    if let Some(child) = world.process_mut(child) {
        child.group = group;
        child.comm = "child".to_owned();
    }
}
