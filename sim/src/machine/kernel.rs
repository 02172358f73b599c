//! The kernel: answers one effect of one process, and changes the world by it. Decides nothing, injects nothing. It
//! does not know which programs there are: effects that start one go through the loader, which is above.
//!
//! ```text
//!   Effect ──► perform ──► files · procfs · locks · signals · processes · waiting · net
//! ```

pub mod files;
mod locks;
mod net;
pub mod processes;
pub mod procfs;
pub mod signals;
mod waiting;

use hermes::error::Errno;
use hermes::host::effect::{Clock, Effect, Handle};
use hermes::host::{Answer, Outcome};

use crate::hash::LazilyHashed;
use crate::machine::disk::{Credentials, NodeId, View};
use crate::machine::footprint::{self, Resource};
use crate::machine::process::{OpenFile, OpenKind, Process};
use crate::machine::process_footprint;
use crate::machine::world::{ProcessId, World};
use std::collections::BTreeMap;
use std::sync::Arc;

pub use net::NOTIFY_SOCKET;
pub(in crate::machine) use waiting::waiting_since;
pub use waiting::{is_ready, wakes_at};

/// The answer to an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The effect has ended with this outcome.
    Done(Outcome),
    /// The effect waits for something.
    Blocked,
    /// The process runs another program now, or has ended.
    Replaced,
}

impl From<Outcome> for Reply {
    fn from(outcome: Outcome) -> Self {
        Self::Done(outcome)
    }
}

/// Performs one effect of a process.
///
/// # Panics
///
/// If there is no such process: the caller has just checked it.
pub fn perform(world: &mut World, who: ProcessId, effect: &Effect) -> Reply {
    use Effect as E;
    record_process_footprint(world, who, effect);
    let outcome = match effect {
        E::Open { place, how, links } => files::open(world, who, place, *how, *links),
        E::Read { handle, max } => files::read(world, who, *handle, *max),
        E::Write { handle, bytes } => files::write(world, who, *handle, bytes),
        E::Sync { handle } => files::sync(world, who, *handle),
        E::Close { handle } => files::close(world, who, *handle),
        E::HandleMeta { handle } => files::handle_meta(world, who, *handle),
        E::Meta { place, links } => files::meta(world, who, place, *links),
        E::List { handle } => files::list(world, who, *handle),
        E::ReadLink { place } => files::read_link(world, who, place),
        E::MakeDir { place, mode } => files::make_dir(world, who, place, *mode),
        E::MakeFifo { place, mode } => files::make_fifo(world, who, place, *mode),
        E::Rename { from, to, over } => files::rename(world, who, from, to, *over),
        E::Unlink { place } => files::unlink(world, who, place),
        E::RemoveDir { place } => files::remove_dir(world, who, place),
        E::SetMode { handle, mode } => files::set_mode(world, who, *handle, *mode),
        E::SetOwner { place, uid, gid } => files::set_owner(world, who, place, *uid, *gid),
        E::Lock { handle } => locks::lock(world, who, *handle),
        E::LockRecord { handle } => locks::lock_record(world, who, *handle),
        E::IsLocked { handle } => locks::is_locked(world, who, *handle),
        // The contents of a pipe are not kept (a reader takes them at once), so there always is room.
        E::HasRoom { .. } => Ok(Answer::Flag(true)),
        E::Pipe => files::pipe(world, who),
        E::Inherited { descriptor } => files::inherited(world, who, *descriptor),
        E::Run { .. } | E::Spawn { .. } | E::Exec { .. } => {
            panic!("{effect:?}: programs are started above the kernel, by `machine::loader`")
        }
        E::OpenProcess { pid } => signals::open(world, who, *pid),
        E::SignalProcess { process, signal } => signals::send(world, who, *process, *signal),
        E::SignalGroup { leader, signal } => signals::send_group(world, who, *leader, *signal),
        E::Reap { child } => signals::reap(world, who, *child),
        E::ChangeDir { handle } => files::change_dir(world, who, *handle),
        E::SetGroups { gids } => {
            change_credentials_as_root(process(world, who), |own| own.groups.clone_from(gids))
        }
        E::SetGid { gid } => change_credentials_as_root(process(world, who), |own| own.gid = *gid),
        E::SetUid { uid } => change_credentials_as_root(process(world, who), |own| own.uid = *uid),
        E::SetUmask { mask } => {
            process(world, who).credentials.umask = *mask;
            Ok(Answer::Done)
        }
        E::Now { clock: Clock::Wall } => Ok(Answer::Time(world.clock.wall)),
        E::Now { clock: Clock::Boot } => Ok(Answer::Time(world.clock.boot)),
        E::Sleep { duration } => return waiting::sleep(world, who, *duration),
        E::Random => Ok(Answer::Number(process(world, who).next_unique_number())),
        // The caller of the machine keeps the printed text.
        E::Print { bytes, .. } => Ok(Answer::Count(bytes.len())),
        E::Trap { signals } => {
            process(world, who).trapped.extend(signals);
            Ok(Answer::Done)
        }
        E::Listen { port } => net::listen(world, who, *port),
        E::Accept { listener } => net::accept(world, who, *listener),
        E::Connect { port } => net::connect(world, who, *port),
        E::ConnectLocal { path } => net::connect_local(world, who, path),
        E::Wait { interests } => return waiting::wait(world, who, interests),
    };
    outcome.into()
}

/// Adds the footprint of effects on processes, its own or others, beside what they access themselves.
fn record_process_footprint(world: &World, who: ProcessId, effect: &Effect) {
    let named = |pid: i32| ProcessId { pid, ..who };
    match effect {
        Effect::OpenProcess { pid } => process_footprint::record_lookup(world, named(pid.raw())),
        Effect::SignalProcess { process, .. } => {
            if let Ok(OpenKind::Process(_, serial)) =
                open_file(world, who, *process).map(|it| &it.kind)
            {
                footprint::record_read(Resource::Process(*serial));
            }
        }
        Effect::SignalGroup { .. } => footprint::record_all_processes(who.container),
        Effect::Reap { child } => {
            process_footprint::record_coming_or_going(world, named(child.raw()))
        }
        Effect::ChangeDir { .. }
        | Effect::SetGroups { .. }
        | Effect::SetGid { .. }
        | Effect::SetUid { .. } => process_footprint::record_process_change(world, who),
        Effect::Trap { .. } => process_footprint::record_inbox_change(world, who),
        Effect::Wait { interests } => waiting::record_wait_footprint(world, who, interests),
        Effect::Listen { .. }
        | Effect::Accept { .. }
        | Effect::Connect { .. }
        | Effect::ConnectLocal { .. } => footprint::record_everything(),
        _ => {}
    }
}

fn change_credentials_as_root(
    process: &mut Process,
    change: impl FnOnce(&mut Credentials),
) -> Outcome {
    if process.credentials.uid != 0 {
        return Err(PERM);
    }
    change(&mut process.credentials);
    Ok(Answer::Done)
}

/// Not permitted, whatever the file's mode.
const PERM: Errno = Errno(1);
/// No child of ours.
const CHILD: Errno = Errno(10);

fn process(world: &mut World, who: ProcessId) -> &mut Process {
    world.process_mut(who).expect("the process that asks exists")
}

/// What a process has under this handle.
fn open_file(world: &World, who: ProcessId, handle: Handle) -> Result<&OpenFile, Errno> {
    world.process(who).and_then(|process| process.open_files.get(&handle.0)).ok_or(Errno::BADF)
}

/// What a process sees of the disk, kept beside the world while the disk changes.
pub(crate) struct OwnedView {
    root: NodeId,
    cwd: NodeId,
    mounts: Arc<LazilyHashed<BTreeMap<NodeId, NodeId>>>,
    credentials: Credentials,
}

impl OwnedView {
    pub(crate) fn for_process(world: &World, who: ProcessId) -> Self {
        let container = world.container(who.container);
        let process = world.process(who).expect("the process that asks exists");
        Self {
            root: container.root,
            cwd: process.cwd,
            mounts: Arc::clone(&container.mounts),
            credentials: process.credentials.clone(),
        }
    }

    pub(crate) fn view(&self) -> View<'_> {
        View {
            root: self.root,
            cwd: self.cwd,
            mounts: &self.mounts,
            credentials: &self.credentials,
        }
    }
}

/// All nodes that are open in any process.
pub(crate) fn all_open_files(world: &World) -> impl Iterator<Item = &OpenFile> {
    world
        .processes()
        .flat_map(|(_, process)| process.open_files.values().chain(process.inherited.values()))
}
