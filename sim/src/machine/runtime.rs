//! The container runtime: start, stop with its grace, kill, pause, `docker exec`; and power cuts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hermes::error::Errno;
use hermes::host::effect::{Program, Signal, Status};

use crate::hash;
use crate::machine::disk::Credentials;
use crate::machine::kernel::processes::{NewProcess, make_process};
use crate::machine::kernel::signals;
use crate::machine::loader::become_program;
use crate::machine::process::ProcessBody;
use crate::machine::state::manager::Manager;
use crate::machine::state::user_program::{Behaviour, UserProgram};
use crate::machine::world::{ContainerId, ContainerPhase, Pid1, ProcessId, World};
use crate::machine::{foreign, image};

/// Starts a container that does not run, or a host.
pub fn start(world: &mut World, id: ContainerId) {
    world.namespace_count += 1;
    let namespace = world.namespace_count;
    let now = world.clock;
    world.disk.wipe_device(image::tmpfs_device(id));
    let container = world.container_mut(id);
    container.phase = ContainerPhase::Running;
    container.namespace = namespace;
    container.last_pid = 0;
    container.kill_at = None;
    let settings = container.settings.clone();
    let serial = derive_serial(&("container", id, namespace, now));
    let mut args: Vec<OsString> = vec!["boot".into(), "init".into(), "--".into()];
    args.extend(settings.command.iter().cloned());
    let birth = NewProcess {
        parent: 0,
        serial,
        credentials: Credentials {
            umask: settings.umask,
            ..credentials(settings.uid, settings.gid)
        },
        inherited: BTreeMap::new(),
        dies_with_parent: false,
    };
    let program = Program {
        path: image::HERMES_PROGRAM.into(),
        args,
        env: settings.env.as_ref().clone(),
        ..Program::default()
    };
    let first = make_process(world, id, birth, placeholder_body());
    let process = world.process_mut(first).expect("just made");
    match settings.init {
        Pid1::Hermes => {}
        Pid1::Foreign => {
            if foreign::boot_foreign(world, first, &program).is_err() {
                signals::end_container(world, id, Status::Exited(127));
            }
            return;
        }
        Pid1::Sleeper => {
            process.comm = "sleep".to_owned();
            process.argv = Arc::new(vec!["sleep".into(), "infinity".into()]);
            return;
        }
        Pid1::Host(kind) => {
            process.comm = kind.comm().to_owned();
            process.argv = Arc::new(vec![kind.comm().into()]);
            let env = kind.env().iter().map(|(name, value)| (name.into(), value.into()));
            process.env = Arc::new(env.collect());
            process.body = ProcessBody::Manager(Box::new(Manager::new(kind)));
            return;
        }
    }
    if become_program(world, first, &program).is_err() {
        signals::end_container(world, id, Status::Exited(127));
    }
}

/// The body of a process before it runs a program.
fn placeholder_body() -> ProcessBody {
    ProcessBody::User(UserProgram::new(PathBuf::new(), &Behaviour::default(), Duration::ZERO))
}

fn credentials(uid: u32, gid: u32) -> Credentials {
    Credentials { uid, gid, groups: vec![gid], umask: 0o022 }
}

fn derive_serial<T: std::hash::Hash>(of: &T) -> u64 {
    u64::try_from(hash::digest(of) & u128::from(u64::MAX)).expect("64 bits")
}

/// Sends SIGTERM now, and SIGKILL after the grace.
pub fn stop(world: &mut World, id: ContainerId, grace: Duration) {
    let kill_at = world.clock.boot + grace;
    let container = world.container_mut(id);
    match container.phase {
        ContainerPhase::Exited(_) => return,
        ContainerPhase::Paused => container.phase = ContainerPhase::Running,
        ContainerPhase::Running => {}
    }
    container.kill_at = Some(kill_at);
    signals::deliver(world, ProcessId { container: id, pid: 1 }, Signal::TERM);
}

/// Sends SIGKILL, which PID 1 cannot ignore when it comes from outside.
pub fn kill(world: &mut World, id: ContainerId) {
    if !matches!(world.container(id).phase, ContainerPhase::Exited(_)) {
        signals::end_container(world, id, Status::Signalled(Signal::KILL));
    }
}

/// Freezes the container: its processes take no step until it is unpaused.
pub fn pause(world: &mut World, id: ContainerId, paused: bool) {
    let container = world.container_mut(id);
    match (container.phase, paused) {
        (ContainerPhase::Running, true) => container.phase = ContainerPhase::Paused,
        (ContainerPhase::Paused, false) => container.phase = ContainerPhase::Running,
        _ => {}
    }
}

/// One `docker exec`.
#[derive(Clone, Debug)]
pub struct ExecCommand {
    /// The user.
    pub uid: u32,
    /// The arguments after `hermes`.
    pub args: Vec<OsString>,
    /// Variables that are added to the container's environment.
    pub env: BTreeMap<OsString, OsString>,
    /// The index of this command in the run, from 0.
    pub number: u64,
}

/// `docker exec`: a command without a parent in the container.
pub fn exec(world: &mut World, id: ContainerId, command: ExecCommand) -> Result<ProcessId, Errno> {
    let container = world.container(id);
    if container.phase != ContainerPhase::Running {
        return Err(Errno::SRCH);
    }
    let mut env = container.settings.env.as_ref().clone();
    env.extend(command.env);
    let birth = NewProcess {
        parent: 0,
        serial: derive_serial(&("exec", id, command.number)),
        credentials: credentials(command.uid, command.uid),
        inherited: BTreeMap::new(),
        dies_with_parent: false,
    };
    let who = make_process(world, id, birth, placeholder_body());
    let (root, mounts) = {
        let container = world.container(id);
        (container.root, Arc::clone(&container.mounts))
    };
    if let Some(cwd) = world.disk.peek(root, &mounts, Path::new(image::HOME)) {
        world.process_mut(who).expect("just made").cwd = cwd;
    }
    let program = Program {
        path: image::HERMES_PROGRAM.into(),
        args: command.args,
        env,
        ..Program::default()
    };
    become_program(world, who, &program).map(|()| who)
}

/// Cuts the power: every process ends, and `choice` selects which unsynced changes the disk keeps.
pub fn cut_power(world: &mut World, choice: u64) {
    let ids: Vec<ContainerId> = world.containers.keys().copied().collect();
    for &id in &ids {
        signals::end_container(world, id, Status::Signalled(Signal::KILL));
        world.disk.wipe_device(image::tmpfs_device(id));
    }
    world.pipes.clear();
    world.disk.power_cut(image::VOLUME, choice);
    for id in ids {
        world.disk.power_cut(u16::from(id.0), 1);
    }
    world.boot_count += 1;
    let down = Duration::from_secs(60);
    world.clock.wall += down;
    world.clock.boot = Duration::from_secs(100);
}

/// When a stop's grace ends, if one is under way.
pub fn wakes_at(world: &World) -> Option<Duration> {
    world.containers.values().filter_map(|container| container.kill_at).min()
}

/// Ends the containers whose grace is over.
pub fn kill_overdue_containers(world: &mut World) {
    let now = world.clock.boot;
    let over: Vec<ContainerId> = world
        .containers
        .iter()
        .filter(|(_, container)| container.kill_at.is_some_and(|at| at <= now))
        .map(|(&id, _)| id)
        .collect();
    for id in over {
        kill(world, id);
    }
}
