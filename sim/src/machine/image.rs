//! The image as the `Dockerfile` builds it, on a simulated disk; the volume; the options of `docker run`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::hash::LazilyHashed;
use crate::machine::disk::{Disk, NodeId};
use crate::machine::process::Programs;
use crate::machine::registry::{HostKind, HostRegistry};
use crate::machine::world::{
    Clock, Container, ContainerId, ContainerPhase, ContainerSettings, Pid1, S6Version, World,
};

/// The volume's device.
pub const VOLUME: u16 = 100;

/// Where the volume is mounted: the home.
pub const HOME: &str = "/opt/data";

/// The user of the image.
pub const HERMES_UID: u32 = 10_000;

/// The path of the production program.
pub const HERMES_PROGRAM: &str = "/usr/local/bin/hermes";

/// Every executable of the image, and the program that it stands for.
const PROGRAMS: [(&str, &str); 9] = [
    (HERMES_PROGRAM, "sim:hermes"),
    ("/usr/bin/s6-svscan", "sim:s6-svscan"),
    ("/command/s6-svscan", "sim:s6-svscan"),
    ("/command/s6-svc", "sim:s6-svc"),
    ("/command/s6-svok", "sim:s6-svok"),
    ("/command/s6-svstat", "sim:s6-svstat"),
    ("/command/s6-svscanctl", "sim:s6-svscanctl"),
    ("/command/s6-log", "sim:s6-log"),
    ("/command/with-contenv", "sim:with-contenv"),
];

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nhermes:x:10000:10000::/opt/data:/bin/sh\n";
const GROUP: &str = "root:x:0:\nhermes:x:10000:\n";

/// When the simulated machine first boots: 2026-01-01T00:00:00Z.
const FIRST_BOOT: Duration = Duration::from_secs(1_767_225_600);

/// The configuration of a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorldConfig {
    /// The version of s6.
    pub s6: S6Version,
    /// The number of containers that mount the volume.
    pub containers: u8,
    /// The variables of `docker run -e`.
    pub env: BTreeMap<OsString, OsString>,
    /// The umask with which PID 1 starts.
    pub umask: u32,
    /// The command of the containers.
    pub command: Vec<OsString>,
    /// The user of PID 1: 0 unless `--user` names another.
    pub uid: u32,
    /// `/run` is a tmpfs, gone with the container's end; as an engine mounts it, nothing on it can be executed.
    pub run_is_tmpfs: bool,
    /// The behaviour of users' programs.
    pub programs: Programs,
    /// No container at all, but a host with its own supervisor.
    pub host: Option<HostKind>,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            s6: S6Version::V2_13,
            containers: 1,
            env: BTreeMap::new(),
            umask: 0o022,
            command: Vec::new(),
            uid: 0,
            run_is_tmpfs: false,
            programs: Programs::new(),
            host: None,
        }
    }
}

/// A machine with its containers created and none started, and an empty volume.
pub fn build_world(facts: &WorldConfig) -> World {
    let mut disk = Disk::new();
    let volume = disk.add_device(VOLUME);
    disk.set_status_durably(volume, 0o755, HERMES_UID, HERMES_UID);
    let mut containers = BTreeMap::new();
    for number in 1..=facts.containers {
        let id = ContainerId(number);
        let root = install_image(&mut disk, id, &facts.programs);
        if let Some(kind) = facts.host {
            install_host_files(&mut disk, root, kind);
        }
        let mounts = Arc::new(LazilyHashed::new(mounts(&mut disk, id, facts.run_is_tmpfs)));
        let container = Container {
            settings: LazilyHashed::new(settings(facts)),
            phase: ContainerPhase::Exited(0),
            root,
            mounts,
            namespace: 0,
            processes: BTreeMap::new(),
            last_pid: 0,
            kill_at: None,
            registry: HostRegistry::default(),
        };
        containers.insert(id, container);
    }
    World {
        s6_version: facts.s6,
        clock: Clock { boot: Duration::from_secs(100), wall: FIRST_BOOT },
        boot_count: 1,
        namespace_count: 0,
        disk,
        pipes: BTreeMap::new(),
        containers,
        programs: Arc::new(LazilyHashed::new(facts.programs.clone())),
    }
}

fn settings(facts: &WorldConfig) -> ContainerSettings {
    let mut env = BTreeMap::from([
        ("HERMES_HOME".into(), HOME.into()),
        (
            "PATH".into(),
            "/command:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into(),
        ),
    ]);
    if let Some(kind) = facts.host {
        env.extend(kind.env().iter().map(|(name, value)| (name.into(), value.into())));
    }
    env.extend(facts.env.clone());
    // The supervisor of a host belongs to its user.
    let uid = if facts.host.is_some() { HERMES_UID } else { facts.uid };
    ContainerSettings {
        env: Arc::new(env),
        umask: facts.umask,
        command: facts.command.clone(),
        uid,
        gid: uid,
        init: facts.host.map_or(Pid1::Hermes, Pid1::Host),
    }
}

/// The device of a container's own files.
fn layer_device(id: ContainerId) -> u16 {
    u16::from(id.0)
}

/// The device of its `/run`, if that is a tmpfs.
pub fn tmpfs_device(id: ContainerId) -> u16 {
    200 + u16::from(id.0)
}

/// Files that only a host has, and no file that marks a container.
fn install_host_files(disk: &mut Disk, root: NodeId, kind: HostKind) {
    for (path, contents) in kind.files() {
        disk.put_file(root, Path::new(path), contents.as_bytes(), 0o755, 0, 0);
    }
    for node in disk.remove(root, Path::new("/.dockerenv")) {
        disk.release_node(node);
    }
}

impl HostKind {
    /// What only such a machine has: programs, and files by which it is known.
    pub fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Systemd => &[
                ("/usr/bin/systemctl", "sim:systemctl"),
                ("/usr/bin/loginctl", "sim:loginctl"),
                ("/run/systemd/system/.keep", ""),
            ],
            Self::Launchd => {
                &[("/bin/launchctl", "sim:launchctl"), ("/sbin/launchd", "sim:launchd")]
            }
            Self::Windows => &[("/Windows/System32/schtasks.exe", "sim:schtasks")],
        }
    }

    /// What everybody there finds in the environment.
    pub fn env(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Systemd | Self::Launchd => &[("HOME", HOME), ("PATH", "/usr/bin:/bin")],
            Self::Windows => &[
                ("HOME", HOME),
                ("PATH", "/usr/bin:/bin"),
                ("OS", "Windows_NT"),
                ("SystemRoot", "/Windows"),
                ("USERDOMAIN", "PC"),
                ("USERNAME", "hermes"),
            ],
        }
    }
}

/// Lays the image's files for a container, in place of whatever it had.
pub fn install_image(disk: &mut Disk, id: ContainerId, programs: &Programs) -> NodeId {
    let root = disk.add_device(layer_device(id));
    for (path, contents) in PROGRAMS {
        disk.put_file(root, Path::new(path), contents.as_bytes(), 0o755, 0, 0);
    }
    for path in programs.keys() {
        disk.put_file(root, path, b"sim:user", 0o755, 0, 0);
    }
    disk.put_file(root, Path::new("/etc/passwd"), PASSWD.as_bytes(), 0o644, 0, 0);
    disk.put_file(root, Path::new("/etc/group"), GROUP.as_bytes(), 0o644, 0, 0);
    disk.put_file(root, Path::new("/.dockerenv"), b"", 0o644, 0, 0);
    disk.put_dir(root, Path::new("/tmp"), 0o1777, 0, 0);
    disk.put_dir(root, Path::new("/run"), 0o755, 0, 0);
    for dir in ["/run/hermes", "/run/s6", "/run/service"] {
        disk.put_dir(root, Path::new(dir), 0o755, HERMES_UID, HERMES_UID);
    }
    disk.put_dir(root, Path::new(HOME), 0o755, HERMES_UID, HERMES_UID);
    root
}

fn mounts(disk: &mut Disk, id: ContainerId, run_is_tmpfs: bool) -> BTreeMap<NodeId, NodeId> {
    let root = NodeId { device: layer_device(id), number: crate::machine::disk::ROOT };
    let none = BTreeMap::new();
    let at = |disk: &Disk, path| disk.peek(root, &none, Path::new(path)).expect("laid above");
    let volume = NodeId { device: VOLUME, number: crate::machine::disk::ROOT };
    let mut mounts = BTreeMap::from([(at(disk, HOME), volume)]);
    if run_is_tmpfs {
        let run = at(disk, "/run");
        mounts.insert(run, disk.add_device(tmpfs_device(id)));
    }
    mounts
}

/// Can nothing on this device be executed?
pub fn is_noexec(device: u16) -> bool {
    device > tmpfs_device(ContainerId(0))
}

/// Recreates a container from the image, on the same volume.
pub fn recreate(world: &mut World, id: ContainerId) {
    let run_is_tmpfs = world.container(id).mounts.len() > 1;
    let programs = Arc::clone(&world.programs);
    let root = install_image(&mut world.disk, id, &programs);
    let mounts = Arc::new(LazilyHashed::new(mounts(&mut world.disk, id, run_is_tmpfs)));
    let container = world.container_mut(id);
    container.root = root;
    container.mounts = mounts;
    container.phase = ContainerPhase::Exited(0);
}
