//! Builds worlds for the tests of invariants: a healthy one, and changes that violate an invariant.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hermes::host::Answer;
use hermes::host::effect::{Effect, LinkPolicy, OnExisting, OpenMode, Place};
use hermes::name::Profile;
use hermes_sim::invariants::{self, Monitor};
use hermes_sim::machine::disk::{Credentials, NodeId, View};
use hermes_sim::machine::image::{self, HERMES_UID, WorldConfig};
use hermes_sim::machine::kernel::processes::{NewProcess, make_process};
use hermes_sim::machine::process::{OpenFile, OpenKind, ProcessBody};
use hermes_sim::machine::state::user_program::{Behaviour, UserProgram};
use hermes_sim::machine::world::{ContainerId, ContainerPhase, ProcessId, World};
use hermes_sim::machine::{ProcessOutput, StepOutcome};
use hermes_sim::observe::volume::HOME_NODE;
use hermes_sim::scenario::Invariant;

pub const FIRST: ContainerId = ContainerId(1);
pub const SLOT_FILES: [(&str, u32); 7] = [
    ("type", 0o644),
    ("run", 0o755),
    ("finish", 0o755),
    ("notification-fd", 0o644),
    ("timeout-kill", 0o644),
    ("log/type", 0o644),
    ("log/run", 0o755),
];

/// A world under construction; the changes need no process in it.
pub struct WorldBuilder {
    pub world: World,
    serials: u64,
}

pub fn profile(name: &str) -> Profile {
    Profile::parse(name).expect("legal")
}

pub fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

impl WorldBuilder {
    pub fn empty() -> Self {
        let mut world = image::build_world(&WorldConfig::default());
        world.container_mut(FIRST).phase = ContainerPhase::Running;
        world.container_mut(FIRST).namespace = 1;
        Self { world, serials: 0 }
    }

    /// PID 1, a scanner that holds the home, `default` stopped and `coder` running, as after a boot.
    pub fn healthy() -> Self {
        let mut builder = Self::empty();
        let scan_dir = builder.at("/run/service");
        builder.spawn(0, 0, "/usr/bin/init");
        let scanner = builder.spawn(1, HERMES_UID, "/command/s6-svscan /run/service");
        let lock = builder.file(".supervisor.lock", "");
        let process = builder.world.process_mut(scanner).expect("made");
        process.comm = "s6-svscan".to_owned();
        process.cwd = scan_dir;
        process.record_locks.insert(lock);
        builder.soul("coder");
        builder.slot("default", false);
        builder.slot("coder", true);
        let stamp = "2026-01-01T00:00:00+0000 profile=";
        builder.file(
            "logs/container-boot.log",
            &format!(
                "{stamp}default prior_state=stopped action=registered slot=new\n\
                 {stamp}coder prior_state=running action=started slot=new\n"
            ),
        );
        builder
    }

    pub fn at(&self, path: &str) -> NodeId {
        let container = self.world.container(FIRST);
        let found = self.world.disk.peek(container.root, &container.mounts, Path::new(path));
        found.expect("a path of the image")
    }

    /// A file of the volume.
    pub fn file(&mut self, path: &str, contents: &str) -> NodeId {
        let bytes = contents.as_bytes();
        self.world.disk.put_file(HOME_NODE, Path::new(path), bytes, 0o644, HERMES_UID, HERMES_UID)
    }

    pub fn soul(&mut self, name: &str) {
        self.file(&format!("profiles/{name}/SOUL.md"), "# soul\n");
    }

    pub fn home(name: &str) -> PathBuf {
        if name == "default" { PathBuf::new() } else { Path::new("profiles").join(name) }
    }

    pub fn intent(&mut self, name: &str, intent: &str) {
        let path = Self::home(name).join("gateway_intent.json");
        let text = format!("{{\"intent\":\"{intent}\"}}\n");
        self.file(path.to_str().expect("text"), &text);
    }

    pub fn scanned(&mut self, path: &str, contents: &[u8], mode: u32) -> NodeId {
        let dir = self.at("/run/service");
        self.world.disk.put_file(dir, Path::new(path), contents, mode, HERMES_UID, HERMES_UID)
    }

    /// Removes an entry of the scan directory.
    pub fn unscan(&mut self, path: &str) {
        let dir = self.at("/run/service");
        self.world.disk.remove(dir, Path::new(path));
    }

    /// A complete slot with its supervisor, its gateway if it runs, and the matching intent.
    pub fn slot(&mut self, name: &str, runs: bool) {
        self.intent(name, if runs { "running" } else { "stopped" });
        let slot = format!("gateway-{name}");
        for (path, mode) in SLOT_FILES {
            self.scanned(&format!("{slot}/{path}"), b"text\n", mode);
        }
        if !runs {
            self.scanned(&format!("{slot}/down"), b"", 0o644);
        }
        let lock = self.scanned(&format!("{slot}/supervise/lock"), b"", 0o644);
        let supervisor = self.spawn(2, HERMES_UID, "s6-supervise");
        let dir = self.at(&format!("/run/service/{slot}"));
        let process = self.world.process_mut(supervisor).expect("made");
        process.comm = "s6-supervise".to_owned();
        process.cwd = dir;
        process.record_locks.insert(lock);
        let pid = if runs { self.gateway(name, supervisor.pid).pid } else { 0 };
        self.status(name, runs, pid);
    }

    pub fn status(&mut self, name: &str, wants_up: bool, pid: i32) {
        let mut record = vec![0u8; 35];
        record[28..32].copy_from_slice(&pid.to_be_bytes());
        record[34] = if wants_up { 4 } else { 0 } | if pid > 0 { 8 } else { 0 };
        self.scanned(&format!("gateway-{name}/supervise/status"), &record, 0o644);
    }

    /// A gateway that holds its profile's lock.
    pub fn gateway(&mut self, name: &str, parent: i32) -> ProcessId {
        let option = if name == "default" { String::new() } else { format!(" -p {name}") };
        let who = self.spawn(
            parent,
            HERMES_UID,
            &format!("/usr/local/bin/hermes{option} gateway run --notify-fd 3"),
        );
        let path = Self::home(name).join(".gateway.lock");
        let lock = self.file(path.to_str().expect("text"), "");
        let process = self.world.process_mut(who).expect("made");
        process.env = Arc::new(BTreeMap::from([("HERMES_S6_SUPERVISED_CHILD".into(), "1".into())]));
        process.record_locks.insert(lock);
        who
    }

    pub fn spawn(&mut self, parent: i32, uid: u32, line: &str) -> ProcessId {
        self.serials += 1;
        let credentials = Credentials { uid, gid: uid, groups: vec![uid], umask: 0o022 };
        let birth = NewProcess {
            parent,
            serial: self.serials,
            credentials,
            inherited: BTreeMap::new(),
            dies_with_parent: false,
        };
        let body = ProcessBody::User(UserProgram::new(
            PathBuf::new(),
            &Behaviour::default(),
            Duration::ZERO,
        ));
        let who = make_process(&mut self.world, FIRST, birth, body);
        let process = self.world.process_mut(who).expect("made");
        process.argv = Arc::new(line.split_whitespace().map(OsString::from).collect());
        who
    }

    /// A monitor that has checked the boot.
    pub fn booted(&self) -> Monitor {
        let mut monitor = Monitor::new(&self.world, &Invariant::ALL);
        monitor.check_after_boot(&self.world).expect("a healthy world");
        monitor
    }

    pub fn booted_violation(&self) -> Option<Invariant> {
        let mut monitor = Monitor::new(&self.world, &Invariant::ALL);
        monitor.check_after_boot(&self.world).err().map(|violation| violation.invariant)
    }

    /// A running command that holds the lock of its profile.
    pub fn command(&mut self, monitor: &mut Monitor, uid: u32, line: &str) -> (ProcessId, u64) {
        let who = self.spawn(0, uid, &format!("/usr/local/bin/{line}"));
        let name = line
            .split_once("-p ")
            .map_or("default", |(_, rest)| rest.split_once(' ').map_or(rest, |(name, _)| name));
        self.lock(who, &format!(".locks/{name}"));
        let serial = self.world.process(who).expect("made").serial;
        monitor.command_started(&self.world, serial, &words(line), uid);
        (who, serial)
    }

    /// The process locks a file of the volume.
    pub fn lock(&mut self, who: ProcessId, path: &str) {
        let node = self.file(path, "");
        let open = OpenFile { flock: true, ..OpenFile::new(OpenKind::Node(node), true, false) };
        self.world.process_mut(who).expect("made").insert_open_file(open);
    }

    /// The process ends with this code.
    pub fn exit(&mut self, (who, serial): (ProcessId, u64), code: u8) -> StepOutcome {
        self.world.container_mut(FIRST).processes.remove(&who.pid);
        StepOutcome::Exited { who, serial, code }
    }

    /// Replaces a file as the production code does, without the syncs.
    pub fn replace_unsynced(&mut self, dir: NodeId, name: &str, contents: &[u8]) {
        let credentials =
            Credentials { uid: HERMES_UID, gid: HERMES_UID, groups: vec![], umask: 0o022 };
        let mounts = BTreeMap::new();
        let view =
            View { root: HOME_NODE, cwd: HOME_NODE, mounts: &mounts, credentials: &credentials };
        let disk = &mut self.world.disk;
        let mode = OpenMode::Create { mode: 0o644 };
        let new = disk.open(&view, Some(dir), Path::new("new"), mode, LinkPolicy::Refuse);
        let new = new.expect("made");
        disk.write(new, Some(0), contents).expect("written");
        let (from, to) = ((Some(dir), Path::new("new")), (Some(dir), Path::new(name)));
        disk.rename(&view, from, to, OnExisting::Replace).expect("renamed");
    }
}

pub fn acted(who: ProcessId, effect: Effect) -> StepOutcome {
    StepOutcome::Performed { who, effect, outcome: Some(Ok(Answer::Done)) }
}

pub fn wrote_intent(who: ProcessId) -> StepOutcome {
    acted(
        who,
        Effect::Rename {
            from: Place::from("/opt/data/profiles/coder/.tmp"),
            to: Place::from("/opt/data/profiles/coder/gateway_intent.json"),
            over: OnExisting::Replace,
        },
    )
}

pub fn violated<T>(checked: Result<T, invariants::Violation>) -> Option<Invariant> {
    checked.err().map(|violation| violation.invariant)
}

pub fn printed(text: &str) -> ProcessOutput {
    ProcessOutput {
        who: ProcessId { container: FIRST, pid: 2 },
        gateway: None,
        stdout: Vec::new(),
        stderr: text.as_bytes().to_vec(),
    }
}
