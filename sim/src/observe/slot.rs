//! The slots of one container: which are visible, whether they are complete, their supervisors and status records.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use hermes::backend::s6::{Tools, render};
use hermes::name::{Profile, SlotName};
use hermes::record::config::Restart;
use hermes::supervisor::{ServiceSpec, TargetState};

use super::process::{is_logger, is_scanner, is_supervisor};
use super::recorded_intent::{Contents, OneFileHost, poll_ready};
use super::volume::{entry, names};
use crate::machine::disk::NodeId;
use crate::machine::process::Process;
use crate::machine::world::{ContainerId, ContainerPhase, ProcessId, World};

/// A status record, as far as invariants read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SupervisorRecord {
    /// The supervisor wants it up.
    pub wants_up: bool,
    /// The process, of the service or of its `finish`; 0 for none.
    pub pid: i32,
    /// The process is `finish`.
    pub is_finishing: bool,
    /// The service reported that it is ready.
    pub is_ready: bool,
    /// Its last wait status, as in `waitpid(2)`.
    pub wait_status: u16,
}

/// The exit code 78 as a wait status: the configuration is wrong, s6 does not try again.
const PERMANENT: u16 = 78 << 8;

impl SupervisorRecord {
    /// Reads a record of either size.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (status, flags) = match bytes.len() {
            35 => (32, bytes[34]),
            43 => (40, bytes[42]),
            _ => return None,
        };
        let pid: [u8; 8] = bytes.get(24..32)?.try_into().ok()?;
        Some(Self {
            wants_up: flags & 4 != 0,
            pid: i32::try_from(u64::from_be_bytes(pid)).ok()?,
            is_finishing: flags & 2 != 0,
            is_ready: flags & 8 != 0,
            wait_status: u16::from_be_bytes([bytes[status], bytes[status + 1]]),
        })
    }

    /// It ended permanently: its configuration is wrong.
    pub fn has_failed_permanently(&self) -> bool {
        !self.wants_up && self.pid == 0 && self.wait_status == PERMANENT
    }
}

/// One entry of a scan directory that is named like a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its profile.
    pub profile: Profile,
    /// Its directory.
    pub dir: NodeId,
    /// `down` is there.
    pub has_down_file: bool,
}

/// Containers in which an s6-svscan watches the scan directory, with that directory.
pub fn scanned_dirs(world: &World) -> Vec<(ContainerId, NodeId)> {
    let running = |id: &ContainerId| matches!(world.container(*id).phase, ContainerPhase::Running);
    let with_dir = |id: ContainerId| Some((id, world.scan_dir(id)?));
    let is_scanned = |(id, dir): &(ContainerId, NodeId)| {
        world
            .container(*id)
            .processes
            .values()
            .any(|process| is_scanner(process) && process.cwd == *dir)
    };
    let ids = world.containers.keys().copied().filter(running);
    ids.filter_map(with_dir).filter(is_scanned).collect()
}

/// The slots that a scanner can see.
pub fn visible_slots(world: &World, scan_dir: NodeId) -> Vec<Slot> {
    let read = |name: &String| match SlotName::parse_entry(name) {
        SlotName::Slot(profile) => {
            let dir = entry(world, scan_dir, name)?;
            Some(Slot { profile, dir, has_down_file: entry(world, dir, "down").is_some() })
        }
        _ => None,
    };
    names(world, scan_dir).iter().filter_map(read).collect()
}

/// Directories that a scanner can see, with the name of a slot but of no legal profile.
pub fn misnamed_slots(world: &World, scan_dir: NodeId) -> Vec<(String, NodeId)> {
    let is_illegal = |name: &String| matches!(SlotName::parse_entry(name), SlotName::Illegal(_));
    let all = names(world, scan_dir).into_iter().filter(is_illegal);
    let with_node = |name: String| entry(world, scan_dir, &name).map(|node| (name, node));
    all.filter_map(with_node).collect()
}

/// Hidden and illegal slots: names that no profile owns.
pub fn leftover_slots(world: &World, scan_dir: NodeId) -> Vec<String> {
    let is_leftover = |name: &String| {
        matches!(SlotName::parse_entry(name), SlotName::Hidden(_) | SlotName::Illegal(_))
    };
    names(world, scan_dir).into_iter().filter(is_leftover).collect()
}

/// The files that every slot has, with their modes: what the production renderer makes.
fn required_files() -> &'static [(PathBuf, u32)] {
    static FILES: OnceLock<Vec<(PathBuf, u32)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let tools = poll_ready(Tools::find(&OneFileHost::new(Contents::Missing), None));
        let spec = ServiceSpec {
            profile: Profile::default_profile(),
            program: "/usr/local/bin/hermes".into(),
            home: "/opt/data".into(),
            log_dir: "/opt/data/logs/gateways/default".into(),
            restart: Restart::default(),
            kill_after: Duration::from_secs(1),
        };
        let files = hermes::probe::without_planted_bug(|| render(&spec, TargetState::Up, &tools));
        files.into_iter().map(|file| (PathBuf::from(file.path), file.mode)).collect()
    })
}

/// The first file that a slot lacks, and what is wrong with it.
pub fn missing_file(world: &World, slot: &Slot) -> Option<String> {
    missing_file_in(world, slot.dir)
}

/// The same for any directory.
pub fn missing_file_in(world: &World, dir: NodeId) -> Option<String> {
    required_files().iter().find_map(|(path, mode)| {
        let Some(node) = node_below(world, dir, path) else {
            return Some(format!("no `{}`", path.display()));
        };
        let Some(bytes) = world.disk.contents(node) else {
            return Some(format!("`{}` is no file", path.display()));
        };
        if bytes.is_empty() {
            return Some(format!("`{}` is empty", path.display()));
        }
        let is_mode =
            world.disk.node(node).is_some_and(|node| node.status.mode & 0o111 == mode & 0o111);
        (!is_mode).then(|| format!("`{}` has the wrong mode", path.display()))
    })
}

/// The node at a relative path of plain names.
pub fn node_below(world: &World, dir: NodeId, path: &Path) -> Option<NodeId> {
    path.iter().try_fold(dir, |dir, name| entry(world, dir, name.to_str()?))
}

/// The supervisor of a slot.
pub fn supervisor<'a>(
    world: &'a World,
    id: ContainerId,
    slot: &Slot,
) -> Option<(ProcessId, &'a Process)> {
    let lock = node_below(world, slot.dir, Path::new("supervise/lock"))?;
    let inside = world.container(id).processes.iter();
    let holds = |process: &Process| is_supervisor(process) && process.record_locks.contains(&lock);
    let mut holders = inside.filter(|(_, process)| holds(process));
    holders.next().map(|(&pid, process)| (ProcessId { container: id, pid }, &***process))
}

/// The status record of a slot's supervisor.
pub fn supervisor_record(world: &World, slot: &Slot) -> Option<SupervisorRecord> {
    let status = node_below(world, slot.dir, Path::new("supervise/status"))?;
    SupervisorRecord::read(world.disk.contents(status)?)
}

/// Supervisors without a service directory or of a leftover slot, loggers without a supervisor, and zombies.
pub fn ownerless_processes(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    for (who, process) in world.processes() {
        let parent = world.container(who.container).processes.get(&process.parent);
        if is_logger(process) && !parent.is_some_and(|parent| is_supervisor(parent)) {
            found.push(format!("logger {} has no supervisor", who.pid));
        }
        let dir_is_gone = world.disk.node(process.cwd).is_none_or(|dir| dir.links == 0);
        if is_supervisor(process) && dir_is_gone {
            found.push(format!("supervisor {} has no service directory", who.pid));
        }
        if !process.is_alive() && who.pid != 1 {
            found.push(format!("process {} is a zombie that is never reaped", who.pid));
        }
    }
    for (id, dir) in scanned_dirs(world) {
        for name in leftover_slots(world, dir) {
            let node = entry(world, dir, &name);
            let inside = world.container(id).processes.values();
            let mut holders =
                inside.filter(|process| is_supervisor(process) && Some(process.cwd) == node);
            if holders.next().is_some() {
                found.push(format!("`{name}` is supervised"));
            }
        }
    }
    found
}
