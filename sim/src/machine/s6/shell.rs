//! The scripts of slots and of the image, read line by line. A line that is not understood is an error, never skipped.
//!
//! ```text
//!   read ─► lines ─► words (quotes, expansions) ─► commands ─► exec … | exit N | the wait of `main/run`
//! ```
//!
//! Source: what `hermes` renders in `backend/s6/slot.rs` and `ops/init/root_tree.rs`. All of a script that does not wait
//! happens at once.

mod commands;
mod exec;
mod words;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use hermes::error::Errno;
use hermes::host::effect::{Program, Status};

use super::tools;
use crate::machine::disk::Credentials;
use crate::machine::kernel::processes::Loader;
use crate::machine::kernel::signals;
use crate::machine::process::ProcessBody;
use crate::machine::state::shell::{Script, Shell};
use crate::machine::syscalls;
use crate::machine::world::{ProcessId, World};

/// What a script comes to.
#[derive(Clone, Debug)]
pub enum Next {
    /// It becomes this program, as this user.
    Exec {
        /// What to become.
        program: Program,
        /// As whom, if that changes.
        credentials: Option<Credentials>,
    },
    /// It waits first.
    Wait(Shell),
    /// It exits.
    Exit(u8),
}

/// How long it waits between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// How a program that cannot prepare what it shall become exits.
const UNPREPARED: u8 = 111;

/// Reads a script to its end, or to where it waits. `script` is how it was called.
///
/// # Panics
///
/// If it does not understand a line: the simulator must learn it.
pub fn read(
    world: &mut World,
    who: ProcessId,
    text: &str,
    script: &Program,
) -> Result<Next, Errno> {
    let mut env = script.env.clone();
    match text.lines().next() {
        Some("#!/bin/sh") => {}
        Some("#!/command/with-contenv sh") => {
            env.retain(|name, _| name == "PATH");
            let dir = Path::new("/run/s6/container_environment");
            if exec::load_environment(world, who, dir, &mut env).is_err() {
                return Ok(Next::Exit(UNPREPARED));
            }
        }
        // Its interpreter is not there.
        _ => return Err(Errno::NOENT),
    }
    let script = Script {
        path: script.path.clone(),
        lines: text.lines().map(str::to_owned).collect(),
        at: 1,
        args: script.args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect(),
        variables: BTreeMap::new(),
        env,
    };
    Ok(script.go_on(world, who))
}

fn own(world: &World, who: ProcessId) -> Option<&Shell> {
    match &world.process(who)?.body {
        ProcessBody::Shell(own) => Some(own),
        _ => None,
    }
}

/// Is there something for it to do now?
pub fn is_ready(world: &World, who: ProcessId) -> bool {
    wakes_at(world, who).is_some_and(|at| at <= world.clock.boot)
}

/// When time alone gives it something to do.
pub fn wakes_at(world: &World, who: ProcessId) -> Option<Duration> {
    own(world, who).filter(|_| syscalls::can_move(world, who)).map(|own| own.next_at)
}

/// One look; what it waited for is followed by the rest of the script.
pub fn step(world: &mut World, who: ProcessId, load: Loader) {
    let Some(Shell { script, until, looks, .. }) = own(world, who).cloned() else { return };
    let next = script.until(world, who, until, looks + 1);
    match next {
        Next::Wait(shell) => syscalls::process(world, who).body = ProcessBody::Shell(shell),
        Next::Exit(code) => signals::end_process(world, who, Status::Exited(code)),
        Next::Exec { program, credentials } => {
            if let Some(credentials) = credentials {
                syscalls::process(world, who).credentials = credentials;
            }
            if load(world, who, &program).is_err() {
                signals::end_process(world, who, Status::Exited(126));
            }
        }
    }
}

impl Script {
    fn line(&self, at: usize) -> &str {
        self.lines[at].trim()
    }

    /// Where the block that is opened at a line is closed.
    fn end_of(&self, opened: usize, open: &str, close: &str) -> usize {
        let mut depth = 0;
        for at in opened..self.lines.len() {
            if self.line(at).starts_with(open) {
                depth += 1;
            } else if self.line(at).split(' ').next() == Some(close) {
                depth -= 1;
            }
            if depth == 0 {
                return at;
            }
        }
        panic!("{}: line {} is never closed", self.path.display(), opened + 1)
    }

    /// Reads on from where it is.
    fn go_on(mut self, world: &mut World, who: ProcessId) -> Next {
        while self.at < self.lines.len() {
            let line = self.line(self.at).to_owned();
            if let Some(condition) = line.strip_prefix("if ") {
                let condition = condition.strip_suffix("; then").unwrap_or_else(|| self.odd());
                if !self.holds(world, who, condition) {
                    self.at = self.end_of(self.at, "if ", "fi");
                }
            } else if line.ends_with("() {") {
                self.at = self.end_of(self.at, &line, "}");
            } else if line.starts_with("until ") {
                let at = self.at;
                return self.until(world, who, at, 0);
            } else if !(line.is_empty() || line.starts_with('#') || line == "fi") {
                if let Err(next) = self.command_line(world, who, &line) {
                    return *next;
                }
            }
            self.at += 1;
        }
        Next::Exit(0)
    }

    /// A loop that looks, sleeps and looks again.
    fn until(mut self, world: &mut World, who: ProcessId, at: usize, looks: u32) -> Next {
        let done = self.end_of(at, "until ", "done");
        if self.line(at).contains("s6-svwait") {
            return self.until_ready(world, who, (at, done), looks);
        }
        let condition = self.line(at).strip_prefix("until ").and_then(|it| it.strip_suffix("; do"));
        let condition = condition.unwrap_or_else(|| self.odd()).to_owned();
        if self.holds(world, who, &condition) {
            self.at = done + 1;
            return self.go_on(world, who);
        }
        let mut nap = LOOK;
        for line in at + 1..done {
            let line = self.line(line).to_owned();
            match line.strip_prefix("sleep ") {
                Some(seconds) => {
                    let seconds = seconds.parse().unwrap_or_else(|_| self.odd());
                    nap = Duration::from_secs_f64(seconds);
                }
                None => {
                    if let Err(next) = self.command_line(world, who, &line) {
                        return *next;
                    }
                }
            }
        }
        Next::Wait(Shell { script: self, until: at, looks, next_at: world.clock.boot + nap })
    }

    /// The wait of `main/run`: for `s6-svwait -U DIR`, for a mark, or for so many looks.
    fn until_ready(
        mut self,
        world: &mut World,
        who: ProcessId,
        (at, done): (usize, usize),
        looks: u32,
    ) -> Next {
        let words: Vec<&str> = self.line(at).split_whitespace().collect();
        let is_svwait = words.get(1).is_some_and(|word| word.ends_with("s6-svwait"));
        let dir = words.iter().skip(2).find(|word| word.contains('/'));
        let (true, Some(dir)) = (is_svwait, dir) else { self.odd() };
        let mut conditions = (at + 1..done).filter_map(|line| {
            self.line(line).strip_prefix("if ").and_then(|it| it.strip_suffix("; then"))
        });
        let marks = conditions.next().unwrap_or_else(|| self.odd()).to_owned();
        let looks_max = conditions.find_map(|line| line.split(" -ge ").nth(1)?.parse().ok());
        let is_over = tools::is_ready_service(world, who, Path::new(dir))
            || self.holds(world, who, &marks)
            || looks >= looks_max.unwrap_or_else(|| self.odd());
        if is_over {
            self.at = done + 1;
            return self.go_on(world, who);
        }
        Next::Wait(Shell { script: self, until: at, looks, next_at: world.clock.boot + LOOK })
    }

    /// A line that nobody taught us.
    fn odd(&self) -> ! {
        panic!(
            "{}: line {} is not understood: {}",
            self.path.display(),
            self.at + 1,
            self.line(self.at)
        )
    }
}
