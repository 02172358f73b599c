//! s6-svscan: keeps one s6-supervise for each directory of its scan directory, and one for its logger.
//!
//! ```text
//!   .s6-svscan/ ─► lock ─► control ─► "ready" ─► scan ─► wait: children · signals · letters · deadlines
//!                                                 └─ stop: all told ─► all gone ─► .s6-svscan/finish
//! ```
//!
//! A signal runs `.s6-svscan/SIGxxx` if that can be executed, and is what s6-svscan makes of it itself if not; letters
//! never run a script. Source: `s6.md` 1. The reaper's letter `z` does nothing: whom it did not start as a supervisor is
//! reaped at once. Not here: `-t`, `-X`, `-L`, and what it would say on stderr.

mod scan;
mod stop;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hermes::error::Errno;
use hermes::host::effect::{How, Signal, Status};

use self::scan::Service;
use super::act;
use crate::kernel::{files, signals};
use crate::process::{Body, What};
use crate::touched::{self, Thing};
use crate::world::{Version, Who, World};

/// s6-svscan.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Svscan {
    scan_dir: PathBuf,
    notification: Option<i32>,
    limit: Limit,
    stage: Stage,
    control: u32,
    services: Vec<Service>,
    /// When it looks at the directory again by itself.
    scan_at: Option<Duration>,
    /// A scan was asked for and has not gone through (V23).
    scan_pending: bool,
    /// Supervisors that are not wanted any more are to be told, after that scan.
    nuke: Option<Nuke>,
}

/// How many it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Limit {
    Services(usize),
    Processes(usize),
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Directory,
    Lock,
    Control,
    Ready,
    Lives,
    /// Waits for all supervisors.
    Stops,
    Ends(u8),
    /// It is another program now.
    Gone,
}

/// What loggers of what goes are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Nuke {
    /// To read to the end: SIGHUP.
    Orderly,
    /// SIGTERM as well.
    All,
}

impl Svscan {
    /// As it starts, with its arguments.
    pub fn new(world: &mut World, _who: Who, args: &[OsString]) -> Self {
        let is_old = world.s6 == Version::V2_11;
        let mut limit = if is_old { Limit::Services(500) } else { Limit::Processes(1000) };
        let (mut notification, mut scan_dir, mut stage) = (None, None, Stage::Directory);
        let mut args = args.iter().map(OsString::as_os_str);
        while let Some(arg) = args.next() {
            let mut number = || args.next().and_then(OsStr::to_str).and_then(|it| it.parse().ok());
            match (arg.to_str(), world.s6) {
                (Some("--"), _) => {}
                (Some("-d"), _) => notification = number(),
                (Some("-c"), Version::V2_11 | Version::V2_13) => {
                    limit = number().map_or(limit, Limit::Services);
                }
                (Some("-C"), Version::V2_13 | Version::V2_15) => {
                    limit = number().map_or(limit, Limit::Processes);
                }
                (Some(word), _) if word.starts_with('-') => stage = Stage::Ends(100),
                _ => scan_dir = Some(PathBuf::from(arg)),
            }
        }
        if scan_dir.is_none() && world.s6 == Version::V2_15 {
            stage = Stage::Ends(100);
        }
        Self {
            scan_dir: scan_dir.unwrap_or_else(|| PathBuf::from(".")),
            notification: notification.and_then(|number: usize| i32::try_from(number).ok()),
            limit,
            stage,
            control: 0,
            services: Vec::new(),
            scan_at: None,
            scan_pending: false,
            nuke: None,
        }
    }

    /// Is this child one of its own supervisors, whose end it must hear of?
    pub fn started(&self, pid: i32) -> bool {
        self.services.iter().any(|service| service.has(pid))
    }
}

fn own(world: &World, who: Who) -> Option<&Svscan> {
    match &world.process(who)?.body {
        Body::Svscan(own) => Some(own),
        _ => None,
    }
}

/// Is there something for it to do now?
pub fn is_ready(world: &World, who: Who) -> bool {
    let Some(own) = own(world, who).filter(|_| act::can_move(world, who)) else { return false };
    let a_child_ended = stop::ended_child(world, who, own).is_some();
    match own.stage {
        Stage::Lives => {
            a_child_ended
                || world.process(who).is_some_and(|process| !process.pending.is_empty())
                || act::has_bytes(world, who, own.control)
                || own.deadline().is_some_and(|at| at <= world.clock.boot)
        }
        Stage::Stops => a_child_ended || own.is_empty(),
        _ => true,
    }
}

/// When time alone gives it something to do.
pub fn wakes_at(world: &World, who: Who) -> Option<Duration> {
    let own = own(world, who).filter(|_| act::can_move(world, who))?;
    if own.stage == Stage::Lives { own.deadline() } else { None }
}

/// One transition.
pub fn step(world: &mut World, who: Who) {
    let Some(own) = own(world, who).cloned() else { return };
    let mut turn = Turn { world, who, own };
    match turn.own.stage {
        Stage::Lives => {
            touched::seen(Thing::Inbox(who));
            turn.live();
        }
        Stage::Stops => {
            touched::seen(Thing::Inbox(who));
            turn.stops();
        }
        Stage::Ends(_) | Stage::Gone => {}
        _ => turn.start_up(),
    }
    let Turn { own, .. } = turn;
    match own.stage {
        Stage::Ends(code) => signals::end(world, who, Status::Exited(code)),
        Stage::Gone => {}
        _ => act::process(world, who).body = Body::Svscan(own),
    }
}

/// One step of one scanner.
struct Turn<'world> {
    world: &'world mut World,
    who: Who,
    own: Svscan,
}

impl Turn<'_> {
    fn now(&self) -> Duration {
        self.world.clock.boot
    }

    /// One stage on the way to the loop: each can be seen by others.
    fn start_up(&mut self) {
        let (result, next) = match self.own.stage {
            Stage::Directory => (self.enter(), Stage::Lock),
            Stage::Lock => (self.lock(), Stage::Control),
            Stage::Control => (self.listen(), Stage::Ready),
            _ => (self.begin(), Stage::Lives),
        };
        self.own.stage = match result {
            Ok(()) => next,
            Err(Errno::NOTDIR | Errno::EXIST | Errno::AGAIN) => Stage::Ends(100),
            Err(_) => Stage::Ends(111),
        };
    }

    fn enter(&mut self) -> Result<(), Errno> {
        let scan_dir = self.own.scan_dir.clone();
        let node = act::open(self.world, self.who, &scan_dir, How::Directory)?;
        act::process(self.world, self.who).cwd = node;
        act::without_umask(self.world, self.who, |world| {
            act::make_dir(world, self.who, ".s6-svscan", 0o700)
        })
        .map(drop)
    }

    fn lock(&mut self) -> Result<(), Errno> {
        act::without_umask(self.world, self.who, |world| {
            act::lock(world, self.who, ".s6-svscan/lock", 0o600)
        })
    }

    fn listen(&mut self) -> Result<(), Errno> {
        self.own.control = act::without_umask(self.world, self.who, |world| {
            act::listen(world, self.who, ".s6-svscan/control")
        })?;
        Ok(())
    }

    /// Says that it listens; the first scan is the next step.
    fn begin(&mut self) -> Result<(), Errno> {
        if let Some(descriptor) = self.own.notification.take() {
            let own = act::process(self.world, self.who);
            let pipe = own.inherited.get(&descriptor).map(|open| open.what.clone());
            if let Some(What::Pipe(pipe)) = pipe {
                // A reader that is gone hears nothing.
                let _ = files::write_pipe(self.world, pipe, b"\n");
            }
            act::let_go_inherited(self.world, self.who, descriptor);
        }
        if self.world.s6 == Version::V2_15 {
            self.initial_cleanup();
        }
        self.own.scan_at = Some(self.now());
        Ok(())
    }

    /// One wake-up: a child's end, a signal, all queued letters, or a deadline.
    fn live(&mut self) {
        if let Some(pid) = stop::ended_child(self.world, self.who, &self.own) {
            self.reap(pid);
        } else if let Some(signal) = act::process(self.world, self.who).pending.pop_first() {
            let (name, letter) = match signal {
                Signal::HUP => ("SIGHUP", b'h'),
                Signal::QUIT => ("SIGQUIT", b'q'),
                Signal::INT => ("SIGINT", b't'),
                _ => ("SIGTERM", b't'),
            };
            if !self.runs_script(name) {
                self.obey(&[letter]);
            }
        } else if act::has_bytes(self.world, self.who, self.own.control) {
            let letters = act::take_bytes(self.world, self.who, self.own.control);
            self.obey(&letters);
        } else {
            self.deadline();
        }
    }

    /// All letters of one wake-up, then the scan, then what must go is told. Letters that stop come before the scan.
    fn obey(&mut self, letters: &[u8]) {
        let mut stop = None;
        for letter in letters {
            match letter {
                b'a' => self.own.scan_pending = true,
                b'h' => {
                    self.own.scan_pending = true;
                    self.wants_nuke(Nuke::Orderly);
                }
                b'n' => self.wants_nuke(Nuke::Orderly),
                b'N' => self.wants_nuke(Nuke::All),
                b't' | b'i' | b'q' => stop = Some(*letter),
                b'b' => self.own.stage = Stage::Stops,
                _ => {}
            }
        }
        let at_once = self.own.stage == Stage::Stops;
        if let Some(letter) = stop {
            self.stop(if letter == b'q' { Nuke::All } else { Nuke::Orderly });
        }
        if at_once {
            self.finish();
        } else if stop.is_none() {
            if self.own.scan_pending {
                self.scan();
            }
            self.nuke();
        }
    }

    /// 2.11 keeps the last letter of a batch, later ones the strongest.
    fn wants_nuke(&mut self, nuke: Nuke) {
        let is_old = self.world.s6 == Version::V2_11;
        self.own.nuke = match self.own.nuke {
            Some(Nuke::All) if !is_old => Some(Nuke::All),
            _ => Some(nuke),
        };
    }

    fn deadline(&mut self) {
        let is_old = self.world.s6 == Version::V2_11;
        let scan_is_due = self.own.scan_at.is_some_and(|at| at <= self.now());
        // In 2.11 every deadline is a scan (V18).
        if is_old || scan_is_due {
            self.scan();
            self.nuke();
        }
        if !is_old {
            self.start_due();
        }
    }

    fn initial_cleanup(&mut self) {
        for name in act::names_here(self.world, self.who) {
            let path = Path::new(&name);
            if !scan::is_hidden(&name) && act::stat(self.world, self.who, path) == Err(Errno::NOENT)
            {
                self.unlink(path);
            }
        }
    }
}
