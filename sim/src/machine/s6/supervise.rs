//! s6-supervise: one service directory, its process, and the state machine between them.
//!
//! ```text
//!   event/ ─► supervise/ ─► lock ─► control ─► first status ─► DOWN ◄──────────────┐
//!                                                               │ start             │
//!                                                               ▼                   │ D
//!                                                               UP ──d──► FINISH ───┘
//!                                                       LASTUP ──► LASTFINISH ──► exit
//! ```
//!
//! Source: `s6.md` 2. Events are not sent: nobody here subscribes, production polls. What it would say on stderr is not
//! kept. Neither `lock-fd` nor links in place of `supervise` or `event` are known.

mod settings;
mod start;
mod states;
mod status;

use std::path::Path;
use std::time::Duration;

use hermes::error::Errno;
use hermes::host::effect::{FileKind, OpenMode, Status};

use crate::machine::kernel::processes::Loader;
use crate::machine::kernel::signals;
use crate::machine::process::ProcessBody;
use crate::machine::process_footprint;
pub use crate::machine::state::supervise::Supervise;
use crate::machine::state::supervise::{StatusRecord, SuperviseStage, SuperviseState};
use crate::machine::syscalls;
use crate::machine::world::{ProcessId, S6Version, World};

fn own(world: &World, who: ProcessId) -> Option<&Supervise> {
    match &world.process(who)?.body {
        ProcessBody::Supervise(own) => Some(own),
        _ => None,
    }
}

/// Is there something for it to do now?
pub fn is_ready(world: &World, who: ProcessId) -> bool {
    let Some(own) = own(world, who).filter(|_| syscalls::can_move(world, who)) else {
        return false;
    };
    if !matches!(own.stage, SuperviseStage::Lives(_)) {
        return true;
    }
    let signalled = world.process(who).is_some_and(|process| !process.pending.is_empty());
    signalled
        || child_end(world, who, own).is_some()
        || own.notification.is_some_and(|handle| is_over_or_has_bytes(world, who, handle))
        || syscalls::has_bytes(world, who, own.control)
        || own.deadline.is_some_and(|at| at <= world.clock.boot)
}

/// When time alone gives it something to do.
pub fn wakes_at(world: &World, who: ProcessId) -> Option<Duration> {
    own(world, who).filter(|_| syscalls::can_move(world, who))?.deadline
}

/// One transition.
pub fn step(world: &mut World, who: ProcessId, load: Loader) {
    let Some(own) = own(world, who).cloned() else { return };
    let mut turn = SuperviseTurn { world, who, own, load };
    match turn.own.stage {
        SuperviseStage::Lives(state) => {
            process_footprint::record_inbox_read(turn.world, who);
            turn.wake(state);
        }
        SuperviseStage::Ends(_) => {}
        _ => turn.start_up(),
    }
    let SuperviseTurn { own, .. } = turn;
    match own.stage {
        SuperviseStage::Ends(code) => signals::end_process(world, who, Status::Exited(code)),
        _ => syscalls::process(world, who).body = ProcessBody::Supervise(own),
    }
}

/// How its child ended, if it has.
fn child_end(world: &World, who: ProcessId, own: &Supervise) -> Option<Status> {
    world.process(ProcessId { container: who.container, pid: own.record.pid })?.end_status
}

fn is_over_or_has_bytes(world: &World, who: ProcessId, handle: u32) -> bool {
    let pipe = syscalls::pipe_of(world, who, handle);
    syscalls::has_bytes(world, who, handle)
        || !pipe.is_some_and(|pipe| syscalls::has_writer(world, pipe))
}

/// One step of one supervisor.
struct SuperviseTurn<'world> {
    world: &'world mut World,
    who: ProcessId,
    own: Supervise,
    load: Loader,
}

impl SuperviseTurn<'_> {
    fn version(&self) -> S6Version {
        self.world.s6_version
    }

    fn now(&self) -> Duration {
        self.world.clock.boot
    }

    /// One stage on the way to the loop: each can be seen by others.
    fn start_up(&mut self) {
        let (result, next) = match self.own.stage {
            SuperviseStage::Event => {
                (self.enter().and_then(|()| self.make_event()), SuperviseStage::Directory)
            }
            SuperviseStage::Directory => {
                (self.make_dir("supervise").map(drop), SuperviseStage::Lock)
            }
            SuperviseStage::Lock => (self.lock(), SuperviseStage::Control),
            SuperviseStage::Control => (self.listen(), SuperviseStage::Status),
            _ => (self.first_status(), SuperviseStage::Lives(SuperviseState::Down)),
        };
        self.own.stage = match result {
            Ok(()) => next,
            // Something else lies there, or another has the lock.
            Err(Errno::NOTDIR | Errno::EXIST | Errno::AGAIN)
                if self.own.stage != SuperviseStage::Event || self.is_odd_event() =>
            {
                SuperviseStage::Ends(100)
            }
            Err(_) => SuperviseStage::Ends(111),
        };
    }

    fn is_odd_event(&self) -> bool {
        syscalls::stat(self.world, self.who, Path::new("event"))
            .is_ok_and(|meta| meta.kind != FileKind::Directory)
    }

    /// The service directory becomes the working directory, and stays it when it is renamed.
    fn enter(&mut self) -> Result<(), Errno> {
        let path = std::path::PathBuf::from(&self.own.name);
        let node = syscalls::open(self.world, self.who, &path, OpenMode::Directory)?;
        syscalls::process(self.world, self.who).cwd = node;
        Ok(())
    }

    fn make_dir(&mut self, path: &str) -> Result<bool, Errno> {
        syscalls::without_umask(self.world, self.who, |world| {
            syscalls::make_dir(world, self.who, path, 0o700)
        })
    }

    /// Only a directory that was just made gets its mode.
    fn make_event(&mut self) -> Result<(), Errno> {
        if self.make_dir("event")? {
            return Ok(());
        }
        syscalls::set_mode(self.world, self.who, Path::new("event"), 0o3730)
    }

    fn lock(&mut self) -> Result<(), Errno> {
        syscalls::without_umask(self.world, self.who, |world| {
            syscalls::lock(world, self.who, "supervise/lock", 0o644)
        })
    }

    fn listen(&mut self) -> Result<(), Errno> {
        self.own.control = syscalls::without_umask(self.world, self.who, |world| {
            syscalls::listen(world, self.who, "supervise/control")
        })?;
        Ok(())
    }

    /// The only time that `down` is read.
    fn first_status(&mut self) -> Result<(), Errno> {
        self.forget_deaths();
        let stamp = self.stamp();
        self.own.record = StatusRecord {
            stamp,
            ready_stamp: stamp,
            ready: true,
            want_up: !syscalls::exists(self.world, self.who, Path::new("down")),
            // "Not started yet", until the next write (V2).
            paused: self.version() == S6Version::V2_15,
            ..StatusRecord::default()
        };
        self.write_record();
        self.own.record.paused = false;
        self.own.deadline = Some(self.now());
        Ok(())
    }
}
