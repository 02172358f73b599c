//! How processes come to be and become programs: everything but which programs there are.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use hermes::error::Errno;
use hermes::host::effect::{FileKind, Handle, LinkPolicy, Program};

use super::{OwnedView, files, open_file, process};
use crate::hash::LazilyHashed;
use crate::machine::disk::Credentials;
use crate::machine::footprint::{self, Resource};
use crate::machine::image;
use crate::machine::process::{OpenFile, OpenKind, Process, ProcessBody};
use crate::machine::process_footprint;
use crate::machine::world::{ContainerId, ProcessId, World};

/// Has a process become a program, as `execve` does. What programs there are is known above the kernel
/// ([`crate::machine::loader`]); automata that start programs are handed this.
pub type Loader = fn(&mut World, ProcessId, &Program) -> Result<(), Errno>;

/// How a new process begins, before it is any program.
#[derive(Clone, Debug)]
pub struct NewProcess {
    /// Its parent's number; 0 from outside.
    pub parent: i32,
    /// A number that no other process has.
    pub serial: u64,
    /// Whom it runs as.
    pub credentials: Credentials,
    /// Open files, by descriptor.
    pub inherited: BTreeMap<i32, OpenFile>,
    /// It gets SIGKILL when its parent ends.
    pub dies_with_parent: bool,
}

/// Makes a process in a container. It runs no program yet: a [`Loader`] gives it one.
pub fn make_process(
    world: &mut World,
    container: ContainerId,
    birth: NewProcess,
    body: ProcessBody,
) -> ProcessId {
    footprint::record_write(Resource::NextPid(container));
    for open in birth.inherited.values() {
        match open.kind {
            OpenKind::Pipe(pipe) => footprint::record_write(Resource::Pipe(pipe)),
            OpenKind::Node(node) if open.flock => footprint::record_write(Resource::Lock(node)),
            _ => {}
        }
    }
    let started = world.clock.boot;
    let parent = world.process(ProcessId { container, pid: birth.parent });
    let service = parent.and_then(|parent| parent.service.clone());
    let inside = world.container_mut(container);
    inside.last_pid += 1;
    let pid = inside.last_pid;
    let process = Process {
        serial: birth.serial,
        parent: birth.parent,
        group: pid,
        started_at: started,
        credentials: birth.credentials,
        cwd: inside.root,
        comm: String::new(),
        argv: Arc::default(),
        env: Arc::default(),
        open_files: BTreeMap::new(),
        inherited: birth.inherited,
        record_locks: BTreeSet::new(),
        trapped: BTreeSet::new(),
        pending: BTreeSet::new(),
        stopped: false,
        dies_with_parent: birth.dies_with_parent,
        spawned: BTreeSet::new(),
        made_count: 0,
        waiting_since: None,
        end_status: None,
        service,
        body,
    };
    inside.processes.insert(pid, Arc::new(LazilyHashed::new(process)));
    let made = ProcessId { container, pid };
    process_footprint::record_coming_or_going(world, made);
    made
}

/// Puts the new image in place.
pub(in crate::machine) fn install_program(
    world: &mut World,
    who: ProcessId,
    program: &Program,
    body: ProcessBody,
) {
    let own = process(world, who);
    let name = program.path.file_name().unwrap_or_default().to_string_lossy();
    own.comm = name.chars().take(15).collect();
    own.argv = Arc::new(argv(program));
    own.env = Arc::new(program.env.clone());
    own.trapped.clear();
    own.waiting_since = None;
    own.body = body;
    let closed: Vec<OpenFile> = std::mem::take(&mut own.open_files).into_values().collect();
    files::release_open_files(world, &closed);
}

pub(in crate::machine) fn argv(program: &Program) -> Vec<OsString> {
    let mut argv = vec![program.path.clone().into_os_string()];
    argv.extend(program.args.iter().cloned());
    argv
}

/// The contents of an executable file, as this process may execute it.
pub(crate) fn executable(world: &World, who: ProcessId, path: &Path) -> Result<Vec<u8>, Errno> {
    let stand = OwnedView::for_process(world, who);
    let node = world.disk.resolve(&stand.view(), None, path, LinkPolicy::Follow)?;
    let meta = world.disk.meta(node);
    if meta.kind != FileKind::File || image::is_noexec(node.device) {
        return Err(Errno::ACCESS);
    }
    let own = &world.process(who).expect("the process that executes exists").credentials;
    let bits = if own.uid == 0 {
        0o111
    } else if own.uid == meta.uid {
        0o100
    } else if own.gid == meta.gid || own.groups.contains(&meta.gid) {
        0o010
    } else {
        0o001
    };
    if meta.mode & bits == 0 {
        return Err(Errno::ACCESS);
    }
    Ok(world.disk.contents(node).unwrap_or_default().to_vec())
}

/// What a program finds open, from what its maker has.
pub(in crate::machine) fn inherited_files(
    world: &World,
    who: ProcessId,
    inherit: &[(Handle, i32)],
) -> Result<BTreeMap<i32, OpenFile>, Errno> {
    let mut handed = BTreeMap::new();
    for &(handle, descriptor) in inherit {
        handed.insert(descriptor, open_file(world, who, handle)?.clone());
    }
    Ok(handed)
}

/// A user's program in the place of a tool: it never ends by itself.
pub(super) fn never_ends(world: &World, who: ProcessId, program: &Program) -> bool {
    executable(world, who, &program.path).is_ok_and(|contents| contents == b"sim:user")
}
