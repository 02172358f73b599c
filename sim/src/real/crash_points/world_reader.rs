//! Reads a real machine into a world of the simulator, so that the invariants can be checked there.
//!
//! The world has: the volume, `/run` of each running container, and its processes with parents, arguments, environments,
//! working directories and POSIX locks. It lacks what cannot be observed from outside: unsynced data (everything counts as
//! durable), zombies, pending signals, sockets. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::super::machine::RealMachine;
use super::super::processes::HostProcess;
use crate::hash::LazilyHashed;
use crate::machine::disk::{Credentials, Disk, NodeId, ROOT};
use crate::machine::image::{self, HOME, VOLUME, WorldConfig};
use crate::machine::process::{Process, ProcessBody};
use crate::machine::state::user_program::{Behaviour, UserProgram};
use crate::machine::world::{ContainerId, ContainerPhase, World};
use crate::scenario::{ContainerName, Scenario};

/// Simulated nodes by real device and inode.
type NodesByInode = BTreeMap<(u64, u64), NodeId>;

/// A node that no longer has a name.
const NOWHERE: NodeId = NodeId { device: 0, number: 0 };

/// Reads the whole machine.
pub(super) fn read(machine: &mut RealMachine, scenario: &Scenario) -> Result<World, String> {
    let spec = &scenario.world;
    let env = machine.env();
    let mut world = image::build_world(&WorldConfig {
        containers: spec.containers,
        env: env.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        ..WorldConfig::default()
    });
    let mut known = NodesByInode::new();
    let volume = NodeId { device: VOLUME, number: ROOT };
    walk(
        &mut world.disk,
        volume,
        &machine.container(ContainerName(1))?.procfs_path(HOME)?,
        Path::new(""),
        &mut known,
    );
    for container in machine.all().collect::<Vec<_>>() {
        if machine.is_running(container) {
            read_container(&mut world, machine, container, &mut known)?;
        }
    }
    Ok(world)
}

fn read_container(
    world: &mut World,
    machine: &RealMachine,
    container: ContainerName,
    known: &mut NodesByInode,
) -> Result<(), String> {
    let id = ContainerId(container.0);
    let root = world.container(id).root;
    // A container that ended meanwhile has no files.
    let Ok(outside) = machine.container(container)?.procfs_path("") else { return Ok(()) };
    walk(&mut world.disk, root, &outside, Path::new("/run"), known);
    let observed = machine.processes(container);
    let pids: BTreeMap<u32, i32> = observed
        .iter()
        .map(|process| (process.host_pid, i32::try_from(process.pid).unwrap_or(0)))
        .collect();
    let locks = record_locks(known);
    let mut processes = BTreeMap::new();
    for process in &observed {
        let children = observed.iter().filter(|child| child.parent == process.host_pid);
        let spawned = children.filter_map(|child| pids.get(&child.host_pid).copied()).collect();
        // A process that ended meanwhile is left out.
        if let Some(simulated) = to_process(process, &pids, known, &locks, spawned) {
            processes.insert(pids[&process.host_pid], Arc::new(LazilyHashed::new(simulated)));
        }
    }
    let inside = world.container_mut(id);
    inside.phase = ContainerPhase::Running;
    inside.namespace = 1;
    inside.processes = processes;
    Ok(())
}

/// Copies a tree into the world and records its inodes in `known`. A file that vanishes meanwhile is left out.
fn walk(disk: &mut Disk, root: NodeId, outside: &Path, inside: &Path, known: &mut NodesByInode) {
    let real = outside.join(inside.strip_prefix("/").unwrap_or(inside));
    let Ok(meta) = std::fs::symlink_metadata(&real) else { return };
    let (mode, uid, gid) = (meta.mode() & 0o7777, meta.uid(), meta.gid());
    let kind = meta.file_type();
    let is_root = inside.as_os_str().is_empty();
    let id = if is_root {
        root
    } else if kind.is_dir() {
        disk.put_dir(root, inside, mode, uid, gid)
    } else if kind.is_file() {
        disk.put_file(root, inside, &std::fs::read(&real).unwrap_or_default(), mode, uid, gid)
    } else if kind.is_symlink() {
        let target = std::fs::read_link(&real).unwrap_or_default();
        disk.put_link(root, inside, target, uid, gid)
    } else if kind.is_fifo() {
        disk.put_fifo(root, inside, mode, uid, gid)
    } else {
        disk.put_other(root, inside, mode, uid, gid)
    };
    known.insert((meta.dev(), meta.ino()), id);
    if kind.is_dir() {
        let entries = std::fs::read_dir(&real).into_iter().flatten();
        let mut names: Vec<OsString> =
            entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
        names.sort();
        for name in names {
            walk(disk, root, outside, &inside.join(name), known);
        }
    }
}

/// The POSIX locks: the holder's pid on the host, and the file. On an overlay `/proc/locks` has other device numbers than
/// `stat`, so only the inode is compared. The kernel delivers the list in parts and may leave out a line if other processes
/// lock and unlock meanwhile: the list is read more than once.
fn record_locks(known: &NodesByInode) -> BTreeSet<(u32, NodeId)> {
    let by_inode: BTreeMap<u64, NodeId> = known.iter().map(|((_, ino), id)| (*ino, *id)).collect();
    let text: String =
        (0..3).map(|_| std::fs::read_to_string("/proc/locks").unwrap_or_default()).collect();
    let lock = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // `1: POSIX  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`; a waiting lock has an arrow before its kind.
        let is_posix = fields.get(1) == Some(&"POSIX");
        let inode = fields.get(5)?.rsplit(':').next()?.parse().ok()?;
        let held = is_posix.then(|| Some((fields.get(4)?.parse().ok()?, *by_inode.get(&inode)?)));
        held.flatten()
    };
    text.lines().filter_map(lock).collect()
}

fn to_process(
    observed: &HostProcess,
    pids: &BTreeMap<u32, i32>,
    known: &NodesByInode,
    locks: &BTreeSet<(u32, NodeId)>,
    spawned: BTreeSet<i32>,
) -> Option<Process> {
    let proc = PathBuf::from(format!("/proc/{}", observed.host_pid));
    let comm = std::fs::read_to_string(proc.join("comm")).ok()?;
    let env = std::fs::read(proc.join("environ")).ok()?;
    let cwd = std::fs::metadata(proc.join("cwd")).ok();
    let owner = std::fs::metadata(&proc).ok()?;
    let held = locks.iter().filter(|(holder, _)| *holder == observed.host_pid);
    Some(Process {
        serial: u64::from(observed.host_pid),
        parent: pids.get(&observed.parent).copied().unwrap_or(0),
        group: 0,
        started_at: Duration::ZERO,
        credentials: Credentials {
            uid: owner.uid(),
            gid: owner.gid(),
            groups: Vec::new(),
            umask: 0o022,
        },
        cwd: cwd.and_then(|dir| known.get(&(dir.dev(), dir.ino())).copied()).unwrap_or(NOWHERE),
        comm: comm.trim_end().to_owned(),
        argv: Arc::new(observed.argv.iter().map(OsString::from).collect()),
        env: Arc::new(environment(&env)),
        open_files: BTreeMap::new(),
        inherited: BTreeMap::new(),
        service: None,
        record_locks: held.map(|(_, node)| *node).collect(),
        trapped: BTreeSet::new(),
        pending: BTreeSet::new(),
        stopped: observed.is_stopped,
        dies_with_parent: false,
        spawned,
        made_count: 0,
        waiting_since: None,
        end_status: None,
        body: ProcessBody::User(UserProgram::new(
            PathBuf::new(),
            &Behaviour::default(),
            Duration::ZERO,
        )),
    })
}

fn environment(bytes: &[u8]) -> BTreeMap<OsString, OsString> {
    let owned = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let pairs = bytes.split(|byte| *byte == 0).filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        Some((owned(&pair[..at]), owned(&pair[at + 1..])))
    });
    pairs.collect()
}
