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
use hermes::host::effect::{OpenMode, Signal, Status};

use crate::machine::kernel::processes::Loader;
use crate::machine::kernel::{files, signals};
use crate::machine::process::{OpenKind, ProcessBody};
use crate::machine::process_footprint;
pub use crate::machine::state::svscan::Svscan;
use crate::machine::state::svscan::{Nuke, ServiceLimit, SvscanStage};
use crate::machine::syscalls;
use crate::machine::world::{ProcessId, S6Version, World};

impl Svscan {
    /// As it starts, with its arguments.
    pub fn new(world: &mut World, _who: ProcessId, args: &[OsString]) -> Self {
        let is_old = world.s6_version == S6Version::V2_11;
        let mut limit =
            if is_old { ServiceLimit::Services(500) } else { ServiceLimit::Processes(1000) };
        let (mut notification, mut scan_dir, mut stage) = (None, None, SvscanStage::Directory);
        let mut args = args.iter().map(OsString::as_os_str);
        while let Some(arg) = args.next() {
            let mut number = || args.next().and_then(OsStr::to_str).and_then(|it| it.parse().ok());
            match (arg.to_str(), world.s6_version) {
                (Some("--"), _) => {}
                (Some("-d"), _) => notification = number(),
                (Some("-c"), S6Version::V2_11 | S6Version::V2_13) => {
                    limit = number().map_or(limit, ServiceLimit::Services);
                }
                (Some("-C"), S6Version::V2_13 | S6Version::V2_15) => {
                    limit = number().map_or(limit, ServiceLimit::Processes);
                }
                (Some(word), _) if word.starts_with('-') => stage = SvscanStage::Ends(100),
                _ => scan_dir = Some(PathBuf::from(arg)),
            }
        }
        if scan_dir.is_none() && world.s6_version == S6Version::V2_15 {
            stage = SvscanStage::Ends(100);
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
}

fn own(world: &World, who: ProcessId) -> Option<&Svscan> {
    match &world.process(who)?.body {
        ProcessBody::Svscan(own) => Some(own),
        _ => None,
    }
}

/// Is there something for it to do now?
pub fn is_ready(world: &World, who: ProcessId) -> bool {
    let Some(own) = own(world, who).filter(|_| syscalls::can_move(world, who)) else {
        return false;
    };
    let a_child_ended = stop::ended_child(world, who, own).is_some();
    match own.stage {
        SvscanStage::Lives => {
            a_child_ended
                || world.process(who).is_some_and(|process| !process.pending.is_empty())
                || syscalls::has_bytes(world, who, own.control)
                || own.deadline().is_some_and(|at| at <= world.clock.boot)
        }
        SvscanStage::Stops => a_child_ended || own.is_empty(),
        _ => true,
    }
}

/// When time alone gives it something to do.
pub fn wakes_at(world: &World, who: ProcessId) -> Option<Duration> {
    let own = own(world, who).filter(|_| syscalls::can_move(world, who))?;
    if own.stage == SvscanStage::Lives { own.deadline() } else { None }
}

/// One transition.
pub fn step(world: &mut World, who: ProcessId, load: Loader) {
    let Some(own) = own(world, who).cloned() else { return };
    let mut turn = SvscanTurn { world, who, own, load };
    match turn.own.stage {
        SvscanStage::Lives => {
            process_footprint::record_inbox_read(turn.world, who);
            turn.wake();
        }
        SvscanStage::Stops => {
            process_footprint::record_inbox_read(turn.world, who);
            turn.step_stop();
        }
        SvscanStage::Ends(_) | SvscanStage::Gone => {}
        _ => turn.start_up(),
    }
    let SvscanTurn { own, .. } = turn;
    match own.stage {
        SvscanStage::Ends(code) => signals::end_process(world, who, Status::Exited(code)),
        SvscanStage::Gone => {}
        _ => syscalls::process(world, who).body = ProcessBody::Svscan(own),
    }
}

/// One step of one scanner.
struct SvscanTurn<'world> {
    world: &'world mut World,
    who: ProcessId,
    own: Svscan,
    load: Loader,
}

impl SvscanTurn<'_> {
    fn now(&self) -> Duration {
        self.world.clock.boot
    }

    /// One stage on the way to the loop: each can be seen by others.
    fn start_up(&mut self) {
        let (result, next) = match self.own.stage {
            SvscanStage::Directory => (self.enter(), SvscanStage::Lock),
            SvscanStage::Lock => (self.lock(), SvscanStage::Control),
            SvscanStage::Control => (self.listen(), SvscanStage::Ready),
            _ => (self.begin(), SvscanStage::Lives),
        };
        self.own.stage = match result {
            Ok(()) => next,
            Err(Errno::NOTDIR | Errno::EXIST | Errno::AGAIN) => SvscanStage::Ends(100),
            Err(_) => SvscanStage::Ends(111),
        };
    }

    fn enter(&mut self) -> Result<(), Errno> {
        let scan_dir = self.own.scan_dir.clone();
        let node = syscalls::open(self.world, self.who, &scan_dir, OpenMode::Directory)?;
        syscalls::process(self.world, self.who).cwd = node;
        syscalls::without_umask(self.world, self.who, |world| {
            syscalls::make_dir(world, self.who, ".s6-svscan", 0o700)
        })
        .map(drop)
    }

    fn lock(&mut self) -> Result<(), Errno> {
        syscalls::without_umask(self.world, self.who, |world| {
            syscalls::lock(world, self.who, ".s6-svscan/lock", 0o600)
        })
    }

    fn listen(&mut self) -> Result<(), Errno> {
        self.own.control = syscalls::without_umask(self.world, self.who, |world| {
            syscalls::listen(world, self.who, ".s6-svscan/control")
        })?;
        Ok(())
    }

    /// Says that it listens; the first scan is the next step.
    fn begin(&mut self) -> Result<(), Errno> {
        if let Some(descriptor) = self.own.notification.take() {
            let own = syscalls::process(self.world, self.who);
            let pipe = own.inherited.get(&descriptor).map(|open| open.kind.clone());
            if let Some(OpenKind::Pipe(pipe)) = pipe {
                // A reader that is gone hears nothing.
                let _ = files::write_pipe(self.world, pipe, b"\n");
            }
            syscalls::close_inherited(self.world, self.who, descriptor);
        }
        if self.world.s6_version == S6Version::V2_15 {
            self.initial_cleanup();
        }
        self.own.scan_at = Some(self.now());
        Ok(())
    }

    /// One wake-up: a child's end, a signal, all queued letters, or a deadline.
    fn wake(&mut self) {
        if let Some(pid) = stop::ended_child(self.world, self.who, &self.own) {
            self.reap(pid);
        } else if let Some(signal) = syscalls::process(self.world, self.who).pending.pop_first() {
            let (name, letter) = match signal {
                Signal::HUP => ("SIGHUP", b'h'),
                Signal::QUIT => ("SIGQUIT", b'q'),
                Signal::INT => ("SIGINT", b't'),
                _ => ("SIGTERM", b't'),
            };
            if !self.runs_script(name) {
                self.handle_letters(&[letter]);
            }
        } else if syscalls::has_bytes(self.world, self.who, self.own.control) {
            let letters = syscalls::take_bytes(self.world, self.who, self.own.control);
            self.handle_letters(&letters);
        } else {
            self.deadline();
        }
    }

    /// All letters of one wake-up, then the scan, then what must go is told. Letters that stop come before the scan.
    fn handle_letters(&mut self, letters: &[u8]) {
        let mut stop = None;
        for letter in letters {
            match letter {
                b'a' => self.own.scan_pending = true,
                b'h' => {
                    self.own.scan_pending = true;
                    self.request_nuke(Nuke::Orderly);
                }
                b'n' => self.request_nuke(Nuke::Orderly),
                b'N' => self.request_nuke(Nuke::All),
                b't' | b'i' | b'q' => stop = Some(*letter),
                b'b' => self.own.stage = SvscanStage::Stops,
                _ => {}
            }
        }
        let at_once = self.own.stage == SvscanStage::Stops;
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
    fn request_nuke(&mut self, nuke: Nuke) {
        let is_old = self.world.s6_version == S6Version::V2_11;
        self.own.nuke = match self.own.nuke {
            Some(Nuke::All) if !is_old => Some(Nuke::All),
            _ => Some(nuke),
        };
    }

    fn deadline(&mut self) {
        let is_old = self.world.s6_version == S6Version::V2_11;
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
        for name in syscalls::names_here(self.world, self.who) {
            let path = Path::new(&name);
            if !scan::is_hidden(&name)
                && syscalls::stat(self.world, self.who, path) == Err(Errno::NOENT)
            {
                self.unlink(path);
            }
        }
    }
}
