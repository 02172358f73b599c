//! The fake side: a simulated machine whose PID 1 is s6-svscan, and two users outside the tree who run the tools.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hermes::host::effect::{Effect, OnExisting, Place, Program, Signal, Status};

use super::sequence::{self, PROGRAMS, SCAN_DIR, SequenceAct, SignalTarget, service_files};
use super::view::{ActOutcome, ComparedNode, ComparedWorld, role};
use crate::hash::LazilyHashed;
use crate::machine::disk::{self, Credentials, Disk, NodeBody, NodeId};
use crate::machine::kernel::processes::{NewProcess, make_process};
use crate::machine::kernel::{self, Reply};
use crate::machine::process::{Process, ProcessBody};
use crate::machine::s6::tools;
use crate::machine::state::user_program::{Behaviour, UserProgram};
use crate::machine::world::{
    Clock, Container, ContainerId, ContainerPhase, ContainerSettings, Pid1, ProcessId, S6Version,
    World,
};
use crate::machine::{Machine, loader};
use crate::scenario::world::S6Spec;

const ID: ContainerId = ContainerId(1);

const NOENT: i32 = 2;
const NOTEMPTY: i32 = 39;

/// More turns than this without time passing are a loop.
const TURNS_MAX: usize = 20_000;

/// Which of the ready processes takes the next turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TurnOrder {
    Oldest,
    Youngest,
    /// Each in turn.
    Round,
}

/// One fake, with one turn order.
#[derive(Clone, Debug)]
pub(super) struct FakeS6 {
    machine: Machine,
    root: NodeId,
    root_user: ProcessId,
    hermes: ProcessId,
    order: TurnOrder,
    turns: usize,
}

fn version(s6: S6Spec) -> S6Version {
    match s6 {
        S6Spec::V2_11 => S6Version::V2_11,
        S6Spec::V2_13 => S6Version::V2_13,
        S6Spec::V2_15 => S6Version::V2_15,
    }
}

/// Real programs need a moment to install their handlers, and a signal may come before or after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProgramPace {
    Quick,
    Slow,
}

fn behaviours(pace: ProgramPace) -> BTreeMap<PathBuf, Behaviour> {
    let deaf_for = match pace {
        ProgramPace::Quick => Duration::ZERO,
        ProgramPace::Slow => Duration::from_millis(30),
    };
    let read = |(name, lines): (&str, &str)| {
        let lines = serde_json::from_str(lines).expect("a constant of ours");
        let behaviour =
            Behaviour { handlers_after: deaf_for, ..crate::execution::to_behaviour(&lines) };
        (Path::new("/usr/bin").join(name), behaviour)
    };
    PROGRAMS.into_iter().map(read).collect()
}

fn world(s6: S6Spec) -> (World, NodeId) {
    let mut disk = Disk::new();
    let root = disk.add_device(1);
    let programs = behaviours(ProgramPace::Quick);
    for path in programs.keys() {
        disk.put_file(root, path, b"sim:user", 0o755, 0, 0);
    }
    for name in ["s6-svscan", "s6-log"] {
        let (path, contents) = (Path::new("/usr/bin").join(name), format!("sim:{name}"));
        disk.put_file(root, &path, contents.as_bytes(), 0o755, 0, 0);
    }
    disk.put_dir(root, Path::new(SCAN_DIR), 0o755, 0, 0);
    let (env, command, umask) = (Arc::default(), Vec::new(), 0o022);
    let settings = ContainerSettings { env, command, uid: 0, gid: 0, init: Pid1::Hermes, umask };
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
        s6_version: version(s6),
        clock: Clock { boot: Duration::from_secs(100), wall: Duration::from_secs(1_800_000_000) },
        boot_count: 1,
        namespace_count: 1,
        disk,
        pipes: BTreeMap::new(),
        containers: BTreeMap::from([(ID, container)]),
        programs: Arc::new(LazilyHashed::new(programs)),
    };
    (world, root)
}

impl FakeS6 {
    /// One fake for each turn order, before the boot.
    pub(super) fn all(s6: S6Spec) -> Vec<Self> {
        let make = |order| {
            let (mut world, root) = world(s6);
            let first = spawn_idle(&mut world, 0, 1);
            let root_user = spawn_idle(&mut world, 0, 2);
            let hermes = spawn_idle(&mut world, crate::machine::image::HERMES_UID, 3);
            assert_eq!(first.pid, 1, "the first process of the container");
            Self { machine: Machine::new(world), root, root_user, hermes, order, turns: 0 }
        };
        [TurnOrder::Oldest, TurnOrder::Youngest, TurnOrder::Round].into_iter().map(make).collect()
    }

    /// Performs these operations right after each other, and returns their answers. Between two operations the real
    /// processes go on, by an unknown number of turns: there is one branch for each number of turns.
    pub(super) fn branches(&self, acts: &[SequenceAct]) -> Vec<(Self, Vec<ActOutcome>)> {
        let paces = [ProgramPace::Quick, ProgramPace::Slow];
        let mut branches = paces.map(|pace| (self.with(pace), Vec::new())).to_vec();
        for (index, act) in acts.iter().enumerate() {
            let moments = |(fake, answers): (Self, Vec<ActOutcome>)| {
                let moments = if index == 0 { vec![fake] } else { fake.moments() };
                moments.into_iter().map(move |fake| (fake, answers.clone()))
            };
            branches = branches.into_iter().flat_map(moments).collect();
            for (fake, answers) in &mut branches {
                answers.push(fake.act(act));
            }
        }
        branches
    }

    fn with(&self, pace: ProgramPace) -> Self {
        let mut other = self.clone();
        other.machine.world.programs = Arc::new(LazilyHashed::new(behaviours(pace)));
        other
    }

    /// This state, and the state after each turn until no process is ready.
    fn moments(self) -> Vec<Self> {
        let mut moments = vec![self];
        while let Some(mut next) = moments.last().cloned() {
            if !next.turn() {
                break;
            }
            moments.push(next);
        }
        moments
    }

    /// Performs one operation; no process takes a turn meanwhile.
    fn act(&mut self, act: &SequenceAct) -> ActOutcome {
        let path = |name: &String| Path::new(SCAN_DIR).join(name);
        match act {
            SequenceAct::Rename(from, to) => return self.rename(&path(from), &path(to)),
            SequenceAct::Boot => self.boot(),
            SequenceAct::Tool(words) => return self.tool(self.root_user, words),
            SequenceAct::ToolAsHermes(words) => return self.tool(self.hermes, words),
            SequenceAct::Signal(name, target) => {
                let Some(who) = self.find(target) else { return ActOutcome::NoProcess };
                let number = sequence::signal_number(name).expect("checked when it was read");
                self.machine.send_signal(who, Signal(number));
            }
            other => return ActOutcome::Done(self.file(other)),
        }
        ActOutcome::Done(Ok(()))
    }

    /// Operations on files, with the errnos of the kernel.
    fn file(&mut self, act: &SequenceAct) -> Result<(), i32> {
        let path = |name: &String| Path::new(SCAN_DIR).join(name);
        let root = self.root;
        let disk = &mut self.machine.world.disk;
        let at = |disk: &Disk, path: &Path| disk.peek(root, &BTreeMap::new(), path);
        let has_parent = |disk: &Disk, path: &Path| {
            path.parent().is_some_and(|parent| at(disk, parent).is_some())
        };
        match act {
            SequenceAct::Service { name, .. } => {
                if at(disk, &path(name)).is_some() {
                    return Err(NOTEMPTY);
                }
                for (file, text, mode) in service_files(act) {
                    disk.put_file(root, &path(name).join(file), text.as_bytes(), mode, 0, 0);
                }
            }
            SequenceAct::Mkdir(name) => {
                disk.put_dir(root, &path(name), 0o755, 0, 0);
            }
            SequenceAct::Write(name, _) if !has_parent(disk, &path(name)) => return Err(NOENT),
            SequenceAct::Write(name, text) => {
                let mode = sequence::mode_of(text);
                disk.put_file(root, &path(name), text.as_bytes(), mode, 0, 0);
            }
            SequenceAct::Link(name, target) => {
                disk.put_link(root, &path(name), target, 0, 0);
            }
            SequenceAct::Fifo(name) => {
                disk.put_fifo(root, &path(name), 0o600, 0, 0);
            }
            SequenceAct::Remove(name) => {
                let removed = disk.remove(root, &path(name));
                if removed.is_empty() {
                    return Err(NOENT);
                }
                removed.into_iter().for_each(|node| disk.release_node(node));
            }
            SequenceAct::Chmod(name, mode) => {
                let node = at(disk, &path(name)).ok_or(NOENT)?;
                disk.set_status_durably(node, *mode, 0, 0);
            }
            _ => unreachable!("not an operation on files"),
        }
        Ok(())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> ActOutcome {
        let (from, to) = (Place::from(from), Place::from(to));
        let effect = Effect::Rename { from, to, over: OnExisting::Replace };
        match kernel::perform(&mut self.machine.world, self.root_user, &effect) {
            Reply::Done(outcome) => ActOutcome::Done(outcome.map(drop).map_err(|errno| errno.0)),
            other => panic!("a rename is done at once: {other:?}"),
        }
    }

    fn boot(&mut self) {
        let path = PathBuf::from("/usr/bin/s6-svscan");
        let args = vec!["--".into(), SCAN_DIR.into()];
        let env = BTreeMap::from([("PATH".into(), "/usr/bin".into())]);
        let program = Program { path, args, env, ..Program::default() };
        let first = ProcessId { container: ID, pid: 1 };
        loader::become_program(&mut self.machine.world, first, &program)
            .expect("the image has s6-svscan");
    }

    fn tool(&mut self, who: ProcessId, words: &[String]) -> ActOutcome {
        let args: Vec<OsString> = words[1..].iter().map(OsString::from).collect();
        let finished = tools::run(&mut self.machine.world, who, &words[0], &args)
            .unwrap_or_else(|| panic!("this tool is not simulated: {words:?}"));
        let Status::Exited(code) = finished.status else { panic!("a tool exits") };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&finished.stdout), text(&finished.stderr));
        ActOutcome::Tool { code: i32::from(code), out, err }
    }

    fn alive(&self) -> impl Iterator<Item = (ProcessId, &Process)> {
        let others = [self.root_user, self.hermes];
        let all = self.machine.world.processes();
        all.filter(move |(who, process)| process.is_alive() && !others.contains(who))
    }

    fn find(&self, target: &SignalTarget) -> Option<ProcessId> {
        let supervisor = |name: &String| {
            let supervises = |process: &Process| {
                matches!(process.body, ProcessBody::Supervise(_))
                    && process.argv.last().is_some_and(|arg| arg == name.as_str())
            };
            self.alive().find(|(_, process)| supervises(process)).map(|(who, _)| who)
        };
        match target {
            SignalTarget::Svscan => self.alive().find(|(who, _)| who.pid == 1).map(|(who, _)| who),
            SignalTarget::Supervisor(name) => supervisor(name),
            SignalTarget::Child(name) => {
                let parent = supervisor(name)?.pid;
                self.alive().find(|(_, process)| process.parent == parent).map(|(who, _)| who)
            }
        }
    }

    /// Lets this much time pass, and the processes take their turns.
    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.machine.world.clock.boot + time;
        loop {
            self.settle();
            let next = self.machine.next_wake().filter(|at| *at <= end);
            if next.is_none() && self.machine.world.clock.boot >= end {
                return;
            }
            self.machine.advance_to(next.unwrap_or(end));
        }
    }

    fn settle(&mut self) {
        for _ in 0..TURNS_MAX {
            if !self.turn() {
                return;
            }
        }
        panic!("a process is busy for ever");
    }

    /// One turn of one ready process; false if there is none.
    fn turn(&mut self) -> bool {
        let mut ready = self.machine.ready_processes();
        ready.retain(|who| ![self.root_user, self.hermes].contains(who));
        if ready.is_empty() {
            return false;
        }
        self.turns += 1;
        let who = match self.order {
            TurnOrder::Oldest => ready[0],
            TurnOrder::Youngest => ready[ready.len() - 1],
            TurnOrder::Round => ready[self.turns % ready.len()],
        };
        self.machine.step(who);
        true
    }

    /// The world now, as it is compared.
    pub(super) fn view(&self) -> ComparedWorld {
        let world = &self.machine.world;
        let ended = match world.container(ID).phase {
            ContainerPhase::Exited(code) => Some(i32::from(code)),
            _ => None,
        };
        let mut processes = BTreeMap::new();
        for (_, process) in self.alive() {
            let argv: Vec<String> =
                process.argv.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
            // Before the boot PID 1 runs no program.
            if argv.is_empty() {
                continue;
            }
            *processes.entry(role(&argv, process.stopped)).or_insert(0) += 1;
        }
        let mut tree = BTreeMap::new();
        let top = world.disk.peek(self.root, &BTreeMap::new(), Path::new(SCAN_DIR));
        // A container's memory is gone when it ends.
        if let (Some(top), None) = (top, ended) {
            self.walk(top, "", &mut tree);
        }
        ComparedWorld { ended, tree, processes }
    }

    fn walk(&self, dir: NodeId, above: &str, tree: &mut BTreeMap<String, String>) {
        let disk = &self.machine.world.disk;
        let Some(names) = disk.node(dir).and_then(|node| node.body.as_directory()) else { return };
        for (name, id) in &names.names {
            let Some(node) = disk.node(*id) else { continue };
            let path = format!("{above}{}", name.to_string_lossy());
            tree.insert(path.clone(), self.describe_node(&path, node));
            self.walk(*id, &format!("{path}/"), tree);
        }
    }

    fn describe_node(&self, path: &str, node: &disk::Node) -> String {
        let (kind, bytes) = match &node.body {
            NodeBody::File(bytes) => ("file", bytes.clone()),
            NodeBody::Directory(_) => ("dir", Vec::new()),
            NodeBody::Link(target) => ("link", target.to_string_lossy().into_owned().into_bytes()),
            NodeBody::Fifo => ("fifo", Vec::new()),
            NodeBody::Other => ("other", Vec::new()),
        };
        let disk::NodeStatus { mode, uid, gid } = node.status;
        let is_alive = |pid: u64| self.alive().any(|(who, _)| u64::try_from(who.pid) == Ok(pid));
        ComparedNode { kind, mode, uid, gid, bytes }.describe(path, is_alive)
    }
}

/// Keeps one of several fakes with the same turn order and the same state.
pub(super) fn drop_duplicates(fakes: &mut Vec<FakeS6>) {
    let mut known = BTreeSet::new();
    fakes.iter_mut().for_each(|fake| *fake = fake.with(ProgramPace::Quick));
    fakes.retain(|fake| known.insert((fake.machine.state_digest(), fake.order)));
}

/// A process that never takes a turn by itself.
fn spawn_idle(world: &mut World, uid: u32, serial: u64) -> ProcessId {
    let credentials = Credentials { uid, gid: uid, groups: vec![], umask: 0o022 };
    let inherited = BTreeMap::new();
    let new = NewProcess { parent: 0, serial, credentials, inherited, dies_with_parent: false };
    let idle = UserProgram::new(PathBuf::new(), &Behaviour::default(), Duration::ZERO);
    make_process(world, ID, new, ProcessBody::User(idle))
}
