//! The real machine: answers every [`Effect`] with the system call that its doc names.
//!
//! ```text
//!   Effect ──► OsHost::perform ──► files · locks · process · launch · run · network · clock · streams   ready at once
//!                            └───► wait                                                                 tokio
//! ```
//!
//! Decides nothing, retries nothing, logs nothing. Only `main` and tests may name it; all other code uses a [`Host`].
//! It is for one thread: credentials and parent-death signals belong to the calling thread.

mod child;
mod children;
mod clock;
mod files;
#[cfg(feature = "gate")]
pub mod gate;
mod launch;
mod locks;
mod network;
mod process;
mod run;
mod streams;
mod table;
mod wait;

use std::cell::{RefCell, RefMut};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use self::children::Children;
use self::table::Table;
use self::wait::Traps;
use super::{Answer, Effect, Host, Outcome};
use crate::error::Errno;

/// The real machine, as one process sees it.
#[derive(Debug, Default)]
pub struct OsHost {
    table: RefCell<Table>,
    children: RefCell<Children>,
    traps: RefCell<Traps>,
}

impl OsHost {
    /// The machine, with no open handles. Handles of one `OsHost` mean nothing to another.
    pub fn new() -> Self {
        Self::default()
    }

    fn table(&self) -> RefMut<'_, Table> {
        self.table.borrow_mut()
    }
}

impl Host for OsHost {
    async fn perform(&self, effect: Effect) -> Outcome {
        match effect {
            Effect::Open { place, how, links } => {
                files::open(&mut self.table(), &place, how, links)
            }
            Effect::Read { handle, max } => files::read(&self.table(), handle, max),
            Effect::Write { handle, bytes } => files::write(&self.table(), handle, &bytes),
            Effect::Sync { handle } => files::sync(&self.table(), handle),
            Effect::Close { handle } => files::close(&mut self.table(), handle),
            Effect::HandleMeta { handle } => files::handle_meta(&self.table(), handle),
            Effect::Meta { place, links } => files::meta(&self.table(), &place, links),
            Effect::List { handle } => files::list(&self.table(), handle),
            Effect::ReadLink { place } => files::read_link(&self.table(), &place),
            Effect::MakeDir { place, mode } => files::make_dir(&self.table(), &place, mode),
            Effect::MakeFifo { place, mode } => files::make_fifo(&self.table(), &place, mode),
            Effect::Rename { from, to, over } => files::rename(&self.table(), &from, &to, over),
            Effect::Unlink { place } => files::unlink(&self.table(), &place),
            Effect::RemoveDir { place } => files::remove_dir(&self.table(), &place),
            Effect::SetMode { handle, mode } => files::set_mode(&self.table(), handle, mode),
            Effect::SetOwner { place, uid, gid } => {
                files::set_owner(&self.table(), &place, uid, gid)
            }
            Effect::Lock { handle } => locks::lock(&self.table(), handle),
            Effect::LockRecord { handle } => locks::lock_record(&mut self.table(), handle),
            Effect::IsLocked { handle } => locks::is_locked(&self.table(), handle),
            Effect::HasRoom { handle } => streams::has_room(&self.table(), handle),
            Effect::Pipe => streams::pipe(&mut self.table()),
            Effect::Inherited { descriptor } => streams::inherited(&mut self.table(), descriptor),
            Effect::Print { stream, bytes, patience } => streams::print(stream, &bytes, patience),
            Effect::Run { program, timeout } => run::run(&self.table(), &program, timeout),
            Effect::Spawn { program } => {
                launch::spawn(&self.table(), &mut self.children.borrow_mut(), &program)
            }
            Effect::Exec { program } => launch::exec(&self.table(), &program),
            Effect::OpenProcess { pid } => process::open(&mut self.table(), pid),
            Effect::SignalProcess { process, signal } => {
                process::signal(&self.table(), process, signal)
            }
            Effect::SignalGroup { leader, signal } => {
                process::signal_group(&self.children.borrow(), leader, signal)
            }
            Effect::Reap { child } => process::reap(&mut self.children.borrow_mut(), child),
            Effect::ChangeDir { handle } => process::change_dir(&self.table(), handle),
            Effect::SetGroups { gids } => process::set_groups(&gids),
            Effect::SetGid { gid } => process::set_gid(gid),
            Effect::SetUid { uid } => process::set_uid(uid),
            Effect::SetUmask { mask } => process::set_umask(mask),
            Effect::Now { clock } => clock::now(clock),
            Effect::Sleep { duration } => clock::sleep(duration),
            Effect::Random => clock::random(),
            Effect::Listen { port } => network::listen(&mut self.table(), port),
            Effect::Accept { listener } => network::accept(&mut self.table(), listener),
            Effect::Connect { port } => network::connect(&mut self.table(), port),
            Effect::ConnectLocal { path } => network::connect_local(&mut self.table(), &path),
            Effect::Trap { signals } => wait::trap(&mut self.traps.borrow_mut(), &signals),
            Effect::Wait { interests } => wait::wait(self, &interests).await,
        }
    }
}

/// Runs a short command to its end without a runtime: every effect that it asks for is ready at once.
///
/// # Panics
///
/// If the future waits for anything but an effect.
pub fn run_ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
    .expect("without a runtime every effect of the real machine is ready at once")
}

/// Runs a long-lived process to its end, on one thread, able to [`Effect::Trap`] and [`Effect::Wait`].
///
/// # Panics
///
/// If the kernel has no descriptors left for a starting process.
pub fn run_waiting<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the kernel gives a starting process its epoll descriptors")
        .block_on(future)
}

impl From<rustix::io::Errno> for Errno {
    fn from(errno: rustix::io::Errno) -> Self {
        Self(errno.raw_os_error())
    }
}

impl From<io::Error> for Errno {
    /// A call that the standard library refuses before the kernel is asked (a NUL in an argument) is `EINVAL`.
    fn from(error: io::Error) -> Self {
        error.raw_os_error().map_or(Self::INVAL, Self)
    }
}

fn done(result: rustix::io::Result<()>) -> Outcome {
    result?;
    Ok(Answer::Done)
}
