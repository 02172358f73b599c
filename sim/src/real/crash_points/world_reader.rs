//! A real machine read into the simulator's own world, so that its promises can be looked at there.
//!
//! What it shows: the volume, `/run` of each container that runs, who lives in it with parents, words, environments,
//! directories and POSIX locks. What nobody can see from outside it does not: what a power cut would leave (all counts as
//! durable), zombies, pending signals, sockets. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::super::machine::RealMachine;
use super::super::processes::HostProcess as Seen;
use crate::hash::LazilyHashed;
use crate::machine::disk::{Credentials, Disk, NodeId, ROOT};
use crate::machine::image::{self, HOME, VOLUME, WorldConfig};
use crate::machine::process::{Process, ProcessBody};
use crate::machine::state::user_program::{Behaviour, UserProgram};
use crate::machine::world::{ContainerId, ContainerPhase, World};
use crate::scenario::{ContainerName, Scenario};

/// Real objects by device and inode.
type NodesByInode = BTreeMap<(u64, u64), NodeId>;

/// What has no name any more.
const NOWHERE: NodeId = NodeId { device: 0, number: 0 };

/// Everything that is there now.
pub(super) fn read(machine: &mut RealMachine, scenario: &Scenario) -> Result<World, String> {
    let told = &scenario.world;
    let env = machine.env();
    let mut world = image::build_world(&WorldConfig {
        containers: told.containers,
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
    // One that ends meanwhile shows no more.
    let Ok(outside) = machine.container(container)?.procfs_path("") else { return Ok(()) };
    walk(&mut world.disk, root, &outside, Path::new("/run"), known);
    let seen = machine.processes(container);
    let numbers: BTreeMap<u32, i32> =
        seen.iter().map(|it| (it.host_pid, i32::try_from(it.pid).unwrap_or(0))).collect();
    let locks = locks(known);
    let mut processes = BTreeMap::new();
    for one in &seen {
        let children = seen.iter().filter(|it| it.parent == one.host_pid).map(|it| it.host_pid);
        let spawned = children.filter_map(|outer| numbers.get(&outer).copied()).collect();
        // Whoever ended meanwhile is not there any more.
        if let Some(process) = process(one, &numbers, known, &locks, spawned) {
            processes.insert(numbers[&one.host_pid], Arc::new(LazilyHashed::new(process)));
        }
    }
    let inside = world.container_mut(id);
    inside.phase = ContainerPhase::Running;
    inside.namespace = 1;
    inside.processes = processes;
    Ok(())
}

/// Puts a tree in the world as it is, and notes who is who. What goes away meanwhile is left out.
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

/// Who holds a POSIX lock on what, by the outside's numbers. `/proc/locks` names devices otherwise than `stat` does on
/// an overlay, so the inode decides. The kernel tells the list in parts, and where others lock and unlock meanwhile a line
/// may be left out: it is read more than once.
fn locks(known: &NodesByInode) -> BTreeSet<(u32, NodeId)> {
    let by_inode: BTreeMap<u64, NodeId> = known.iter().map(|((_, ino), id)| (*ino, *id)).collect();
    let text: String =
        (0..3).map(|_| std::fs::read_to_string("/proc/locks").unwrap_or_default()).collect();
    let of = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // `1: POSIX  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`; one that waits has an arrow before its kind.
        let is_posix = words.get(1) == Some(&"POSIX");
        let inode = words.get(5)?.rsplit(':').next()?.parse().ok()?;
        let held = is_posix.then(|| Some((words.get(4)?.parse().ok()?, *by_inode.get(&inode)?)));
        held.flatten()
    };
    text.lines().filter_map(of).collect()
}

fn process(
    seen: &Seen,
    numbers: &BTreeMap<u32, i32>,
    known: &NodesByInode,
    locks: &BTreeSet<(u32, NodeId)>,
    spawned: BTreeSet<i32>,
) -> Option<Process> {
    let proc = PathBuf::from(format!("/proc/{}", seen.host_pid));
    let comm = std::fs::read_to_string(proc.join("comm")).ok()?;
    let env = std::fs::read(proc.join("environ")).ok()?;
    let cwd = std::fs::metadata(proc.join("cwd")).ok();
    let owner = std::fs::metadata(&proc).ok()?;
    let mine = locks.iter().filter(|(holder, _)| *holder == seen.host_pid);
    Some(Process {
        serial: u64::from(seen.host_pid),
        parent: numbers.get(&seen.parent).copied().unwrap_or(0),
        group: 0,
        started_at: Duration::ZERO,
        credentials: Credentials {
            uid: owner.uid(),
            gid: owner.gid(),
            groups: Vec::new(),
            umask: 0o022,
        },
        cwd: cwd.and_then(|it| known.get(&(it.dev(), it.ino())).copied()).unwrap_or(NOWHERE),
        comm: comm.trim_end().to_owned(),
        argv: Arc::new(seen.argv.iter().map(OsString::from).collect()),
        env: Arc::new(environment(&env)),
        open_files: BTreeMap::new(),
        inherited: BTreeMap::new(),
        service: None,
        record_locks: mine.map(|(_, node)| *node).collect(),
        trapped: BTreeSet::new(),
        pending: BTreeSet::new(),
        stopped: seen.is_stopped,
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
    let own = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let pairs = bytes.split(|byte| *byte == 0).filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        Some((own(&pair[..at]), own(&pair[at + 1..])))
    });
    pairs.collect()
}
