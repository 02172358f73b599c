//! A user's program as data: its behaviour, and how far it is.

use std::path::PathBuf;
use std::time::Duration;

use hermes::host::effect::Signal;

/// What a program does, in the order of its rules.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Behaviour {
    /// Its rules.
    pub rules: Vec<Rule>,
    /// How long after its start signals still do what they do by default. Nothing in stories.
    pub handlers_after: Duration,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// The signal that sets it off; its start if `None`.
    pub trigger: Option<Signal>,
    /// How long after that.
    pub after: Duration,
    /// What it then does.
    pub action: ProgramAction,
}

/// What a program can do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProgramAction {
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
pub struct UserProgram {
    pub(in crate::machine) program_path: PathBuf,
    pub(in crate::machine) handled: Vec<Signal>,
    pub(in crate::machine) handlers_from: Duration,
    pub(in crate::machine) due: Vec<(Duration, ProgramAction)>,
    pub(in crate::machine) serves: Option<u16>,
}

impl UserProgram {
    /// At its start.
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

    pub(in crate::machine) fn trigger_rules(
        &mut self,
        behaviour: &Behaviour,
        on: Option<Signal>,
        now: Duration,
    ) {
        let rules = behaviour.rules.iter().filter(|rule| rule.trigger == on);
        self.due.extend(rules.map(|rule| (now + rule.after, rule.action.clone())));
        self.due.sort_by_key(|due| due.0);
    }

    /// Does it do something at this signal, other than die?
    pub fn handles_signal(&self, signal: Signal, now: Duration) -> bool {
        now >= self.handlers_from && self.handled.contains(&signal)
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
