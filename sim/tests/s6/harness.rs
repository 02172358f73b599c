//! A machine of one container: s6-svscan as PID 1 on `/run/service`, and a process of root that runs the tools.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hermes::host::effect::Effect;
use hermes::host::effect::{OnExisting, Place, Program, Signal, Status};
use hermes_sim::hash::LazilyHashed;
use hermes_sim::machine::disk::{Credentials, Disk, NodeId};
use hermes_sim::machine::kernel::processes::{NewProcess, make_process};
use hermes_sim::machine::kernel::{self, Reply, signals};
use hermes_sim::machine::loader;
use hermes_sim::machine::process::ProcessBody;
use hermes_sim::machine::s6::{logger, supervise, svscan, tools};
use hermes_sim::machine::state::logger::Logger;
use hermes_sim::machine::state::user_program::{Behaviour, ProgramAction, Rule};
use hermes_sim::machine::user_program;
use hermes_sim::machine::world::{
    Clock, Container, ContainerId, ContainerPhase, ContainerSettings, Pid1, ProcessId, S6Version,
    World,
};

pub use S6Version::{V2_11, V2_13, V2_15};

const ID: ContainerId = ContainerId(1);
const SCAN_DIR: &str = "/run/service";
const STEPS_MAX: usize = 20_000;

pub struct S6Machine {
    pub world: World,
    root: NodeId,
    /// The process of root that runs the tools.
    pub me: ProcessId,
    /// The service whose status records are kept.
    watched: Option<String>,
    /// Its status records: the flags, and whether it is up.
    pub trace: Vec<String>,
    last: Vec<u8>,
}

fn rule(on: Option<Signal>, after_ms: u64, act: ProgramAction) -> Rule {
    Rule { trigger: on, after: Duration::from_millis(after_ms), action: act }
}

fn behaviours() -> BTreeMap<PathBuf, Behaviour> {
    let program = |name: &str, rules: Vec<Rule>| {
        (Path::new("/usr/bin").join(name), Behaviour { rules, ..Behaviour::default() })
    };
    BTreeMap::from([
        program("agent", vec![]),
        program("ready", vec![rule(None, 100, ProgramAction::Ready)]),
        program("stubborn", vec![rule(Some(Signal::TERM), 0, ProgramAction::Ignore)]),
        program("usr1", vec![rule(Some(Signal::USR1), 0, ProgramAction::Exit(7))]),
        program("crash", vec![rule(None, 10, ProgramAction::Exit(1))]),
        program("zero", vec![rule(None, 10, ProgramAction::Exit(0))]),
        program("three", vec![rule(None, 10, ProgramAction::Exit(3))]),
        program("slow", vec![rule(None, 2000, ProgramAction::Exit(0))]),
        program("hang", vec![rule(Some(Signal::TERM), 0, ProgramAction::Ignore)]),
    ])
}

impl S6Machine {
    /// The files exist, and nothing runs.
    pub fn new(version: S6Version) -> Self {
        let mut disk = Disk::new();
        let root = disk.add_device(1);
        let programs = behaviours();
        for path in programs.keys() {
            disk.put_file(root, path, b"sim:user", 0o755, 0, 0);
        }
        for name in ["s6-svscan", "s6-log", "s6-svscanctl"] {
            let contents = format!("sim:{name}");
            disk.put_file(
                root,
                &Path::new("/usr/bin").join(name),
                contents.as_bytes(),
                0o755,
                0,
                0,
            );
        }
        let passwd = b"root:x:0:0::/root:/bin/sh\nhermes:x:10000:10000::/home:/bin/sh\n";
        disk.put_file(root, Path::new("/etc/passwd"), passwd, 0o644, 0, 0);
        disk.put_dir(root, Path::new(SCAN_DIR), 0o755, 0, 0);
        let settings = ContainerSettings {
            env: Arc::default(),
            umask: 0o022,
            command: Vec::new(),
            uid: 0,
            gid: 0,
            init: Pid1::Hermes,
        };
        let container = Container {
            settings: LazilyHashed::new(settings),
            phase: ContainerPhase::Running,
            root,
            mounts: Arc::default(),
            namespace: 1,
            processes: BTreeMap::new(),
            last_pid: 0,
            kill_at: None,
            registry: Default::default(),
        };
        let world = World {
            s6_version: version,
            clock: Clock {
                boot: Duration::from_secs(1000),
                wall: Duration::from_secs(1_800_000_000),
            },
            boot_count: 1,
            namespace_count: 1,
            disk,
            pipes: BTreeMap::new(),
            containers: BTreeMap::from([(ID, container)]),
            programs: Arc::new(LazilyHashed::new(programs)),
        };
        let me = ProcessId { container: ID, pid: 2 };
        Self { world, root, me, watched: None, trace: Vec::new(), last: Vec::new() }
    }

    /// With these services and s6-svscan, settled.
    pub fn with(version: S6Version, services: &[(&str, &str)]) -> Self {
        let mut machine = Self::new(version);
        for (name, program) in services {
            machine.service(name, program);
        }
        machine.boot(&[]);
        machine
    }

    pub fn boot(&mut self, args: &[&str]) {
        let first = self.born(0, 1);
        assert_eq!(first.pid, 1, "s6-svscan is PID 1");
        let mut args: Vec<OsString> = args.iter().map(OsString::from).collect();
        args.extend(["--".into(), SCAN_DIR.into()]);
        let path = PathBuf::from("/usr/bin/s6-svscan");
        let env = BTreeMap::from([("PATH".into(), "/usr/bin".into())]);
        let program = Program { path, args, env, ..Program::default() };
        loader::become_program(&mut self.world, first, &program).expect("s6-svscan starts");
        self.me = self.born(0, 2);
        self.settle();
    }

    /// A process outside the tree that never takes a step by itself.
    pub fn born(&mut self, uid: u32, serial: u64) -> ProcessId {
        let credentials = Credentials { uid, gid: uid, groups: vec![], umask: 0o022 };
        let inherited = BTreeMap::new();
        let birth =
            NewProcess { parent: 0, serial, credentials, inherited, dies_with_parent: false };
        make_process(&mut self.world, ID, birth, ProcessBody::Logger(Logger))
    }

    pub fn service(&mut self, name: &str, program: &str) {
        self.file(&format!("{name}/run"), &format!("#!/bin/sh\nexec /usr/bin/{program}\n"));
    }

    pub fn logged(&mut self, name: &str, program: &str) {
        self.service(name, program);
        self.file(&format!("{name}/log/run"), "#!/bin/sh\nexec /usr/bin/s6-log 1\n");
    }

    pub fn path(&self, below: &str) -> PathBuf {
        Path::new(SCAN_DIR).join(below)
    }

    pub fn file(&mut self, below: &str, text: &str) {
        let path = self.path(below);
        self.world.disk.put_file(self.root, &path, text.as_bytes(), 0o755, 0, 0);
    }

    /// What a live program was called with.
    pub fn words_of(&self, program: &str) -> String {
        let found = self.world.processes().find(|(_, it)| it.comm == program).expect("it runs").1;
        found.argv[1..].join(std::ffi::OsStr::new(" ")).to_string_lossy().into_owned()
    }

    pub fn dir(&mut self, below: &str) {
        let path = self.path(below);
        self.world.disk.put_dir(self.root, &path, 0o755, 0, 0);
    }

    pub fn link(&mut self, below: &str, target: &str) {
        let path = self.path(below);
        self.world.disk.put_link(self.root, &path, target, 0, 0);
    }

    pub fn remove(&mut self, below: &str) {
        let path = self.path(below);
        self.world.disk.remove(self.root, &path);
    }

    pub fn rename(&mut self, from: &str, to: &str) {
        let (from, to) = (self.path(from), self.path(to));
        let (from, to) = (Place::from(&from), Place::from(&to));
        let done = kernel::perform(
            &mut self.world,
            self.me,
            &Effect::Rename { from, to, over: OnExisting::Replace },
        );
        assert!(matches!(done, Reply::Done(Ok(_))), "{done:?}");
    }

    pub fn node(&self, path: &Path) -> Option<NodeId> {
        self.world.disk.peek(self.root, &BTreeMap::new(), path)
    }

    pub fn exists(&self, below: &str) -> bool {
        self.node(&self.path(below)).is_some()
    }

    pub fn contents(&self, below: &str) -> Vec<u8> {
        let node = self.node(&self.path(below));
        node.and_then(|node| self.world.disk.contents(node)).unwrap_or_default().to_vec()
    }

    pub fn mode(&self, below: &str) -> u32 {
        let node = self.node(&self.path(below)).expect("it is there");
        self.world.disk.meta(node).mode
    }

    fn is_ready(&self, who: ProcessId) -> bool {
        let Some(process) = self.world.process(who) else { return false };
        if who == self.me || !process.is_alive() || process.stopped || process.comm.is_empty() {
            return false;
        }
        match &process.body {
            ProcessBody::Svscan(_) => svscan::is_ready(&self.world, who),
            ProcessBody::Supervise(_) => supervise::is_ready(&self.world, who),
            ProcessBody::Logger(_) => logger::is_ready(&self.world, who),
            ProcessBody::User(running) => user_program::is_ready(&self.world, who, running),
            ProcessBody::Task(_) | ProcessBody::BootHook | ProcessBody::Manager(_) => false,
        }
    }

    fn wakes_at(&self, who: ProcessId) -> Option<Duration> {
        match &self.world.process(who)?.body {
            ProcessBody::Svscan(_) => svscan::wakes_at(&self.world, who),
            ProcessBody::Supervise(_) => supervise::wakes_at(&self.world, who),
            ProcessBody::Logger(_) => logger::wakes_at(&self.world, who),
            ProcessBody::User(running) => running.wakes_at(),
            ProcessBody::Task(_) | ProcessBody::BootHook | ProcessBody::Manager(_) => None,
        }
    }

    fn step(&mut self, who: ProcessId) {
        match &self.world.process(who).expect("it is ready").body {
            ProcessBody::Svscan(_) => svscan::step(&mut self.world, who, loader::become_program),
            ProcessBody::Supervise(_) => {
                supervise::step(&mut self.world, who, loader::become_program)
            }
            ProcessBody::Logger(_) => logger::step(&mut self.world, who),
            ProcessBody::User(_) => drop(user_program::step(&mut self.world, who)),
            ProcessBody::Task(_) | ProcessBody::BootHook | ProcessBody::Manager(_) => {}
        }
        self.record_status();
    }

    /// One step of one ready process; false if there is none.
    pub fn one_step(&mut self) -> bool {
        let all: Vec<ProcessId> = self.world.processes().map(|(who, _)| who).collect();
        let Some(&who) = all.iter().find(|&&who| self.is_ready(who)) else { return false };
        self.step(who);
        true
    }

    /// Takes steps until no process is ready.
    pub fn settle(&mut self) {
        for _ in 0..STEPS_MAX {
            if !self.one_step() {
                return;
            }
        }
        panic!("a process is busy for ever");
    }

    /// Lets this many milliseconds pass.
    pub fn pass(&mut self, milliseconds: u64) {
        let end = self.world.clock.boot + Duration::from_millis(milliseconds);
        self.settle();
        loop {
            let others = self.world.processes().filter(|(who, _)| *who != self.me);
            let alive = others.filter(|(_, process)| process.is_alive() && !process.stopped);
            let next = alive.filter_map(|(who, _)| self.wakes_at(who)).min();
            let at = next.filter(|at| *at <= end).unwrap_or(end);
            let passed = at.saturating_sub(self.world.clock.boot);
            self.world.clock.boot += passed;
            self.world.clock.wall += passed;
            self.settle();
            if at == end {
                return;
            }
        }
    }

    pub fn watch(&mut self, name: &str) {
        self.watched = Some(name.to_owned());
        self.last = self.contents(&format!("{name}/supervise/status"));
        self.trace.clear();
    }

    fn record_status(&mut self) {
        let Some(name) = &self.watched else { return };
        let record = self.contents(&format!("{name}/supervise/status"));
        if record == self.last || record.is_empty() {
            return;
        }
        let flags = record[record.len() - 1];
        let letters = [(1, 'P'), (2, 'F'), (4, 'W'), (8, 'R')];
        let text: String = letters
            .iter()
            .map(|(bit, letter)| if flags & bit == 0 { '-' } else { *letter })
            .collect();
        let up = record[24..32] != [0; 8] && flags & 2 == 0;
        self.trace.push(if up { format!("{text} up") } else { text });
        self.last = record;
    }

    pub fn tool(&mut self, name: &str, args: &[&str]) -> (u8, String) {
        self.tool_as(self.me, name, args)
    }

    /// The exit code, and the text on both streams.
    pub fn tool_as(&mut self, who: ProcessId, name: &str, args: &[&str]) -> (u8, String) {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let finished = tools::run(&mut self.world, who, name, &args).expect("a known tool");
        let Status::Exited(code) = finished.status else { panic!("a tool exits") };
        let text = [finished.stdout, finished.stderr].concat();
        (code, String::from_utf8_lossy(&text).trim_end_matches('\n').to_owned())
    }

    /// Sends control letters to a service and lets all processes take their steps.
    pub fn svc(&mut self, letters: &str, name: &str) {
        let dir = self.path(name).display().to_string();
        assert_eq!(self.tool("s6-svc", &[letters, &dir]), (0, String::new()));
        self.settle();
    }

    pub fn scanctl(&mut self, letters: &str) {
        assert_eq!(self.tool("s6-svscanctl", &[letters, SCAN_DIR]), (0, String::new()));
        self.settle();
    }

    pub fn fields(&mut self, fields: &str, name: &str) -> String {
        let dir = self.path(name).display().to_string();
        self.tool("s6-svstat", &["-o", fields, &dir]).1
    }

    pub fn is_up(&mut self, name: &str) -> bool {
        self.fields("up", name) == "true"
    }

    pub fn pid(&mut self, name: &str) -> i32 {
        self.fields("pid", name).parse().expect("a number")
    }

    /// Live processes with this command line, after its program.
    pub fn with_args(&self, comm: &str, arg: &str) -> Vec<ProcessId> {
        let matches = |process: &hermes_sim::machine::process::Process| {
            process.is_alive()
                && process.comm == comm
                && (arg.is_empty() || process.argv.get(1).is_some_and(|first| first == arg))
        };
        self.world.processes().filter(|(_, process)| matches(process)).map(|(who, _)| who).collect()
    }

    pub fn supervisors(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .with_args("s6-supervise", "")
            .into_iter()
            .filter_map(|who| self.world.process(who))
            .map(|process| process.argv[1].to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    pub fn supervisor(&self, name: &str) -> ProcessId {
        self.with_args("s6-supervise", name)[0]
    }

    pub fn count(&self, comm: &str) -> usize {
        self.with_args(comm, "").len()
    }

    pub fn kill(&mut self, who: ProcessId, signal: Signal) {
        signals::deliver(&mut self.world, who, signal);
        self.settle();
    }

    pub fn phase(&self) -> ContainerPhase {
        self.world.container(ID).phase
    }

    pub fn root(&self) -> NodeId {
        self.root
    }
}
