//! The container runtime: start, stop with its grace, kill, pause, `docker exec`; and the power cord.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hermes::error::Errno;
use hermes::host::effect::{Program, Signal, Status};

use crate::hash;
use crate::machine::disk::Credentials;
use crate::machine::hosts::manager::Manager;
use crate::machine::kernel::programs::{Birth, become_program, make};
use crate::machine::kernel::signals;
use crate::machine::process::Body;
use crate::machine::user_program::{Behaviour, Running};
use crate::machine::world::{ContainerId, Init, Phase, Who, World};
use crate::machine::{foreign, image};

/// Starts a container that does not run, or a host.
pub fn start(world: &mut World, id: ContainerId) {
    world.namespaces += 1;
    let namespace = world.namespaces;
    let now = world.clock;
    world.disk.lose_everything(image::tmpfs(id));
    let container = world.container_mut(id);
    container.phase = Phase::Running;
    container.namespace = namespace;
    container.last_pid = 0;
    container.kill_at = None;
    let settings = container.settings.clone();
    let serial = serial(&("container", id, namespace, now));
    let mut args: Vec<OsString> = vec!["boot".into(), "init".into(), "--".into()];
    args.extend(settings.command.iter().cloned());
    let birth = Birth {
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
    let first = make(world, id, birth, nobody());
    let process = world.process_mut(first).expect("just made");
    match settings.init {
        Init::Hermes => {}
        Init::Foreign => {
            if foreign::boot(world, first, &program).is_err() {
                signals::end_container(world, id, Status::Exited(127));
            }
            return;
        }
        Init::Sleeps => {
            process.comm = "sleep".to_owned();
            process.argv = Arc::new(vec!["sleep".into(), "infinity".into()]);
            return;
        }
        Init::Host(kind) => {
            process.comm = kind.comm().to_owned();
            process.argv = Arc::new(vec![kind.comm().into()]);
            let env = kind.env().iter().map(|(name, value)| (name.into(), value.into()));
            process.env = Arc::new(env.collect());
            process.body = Body::Manager(Box::new(Manager::new(kind)));
            return;
        }
    }
    if become_program(world, first, &program).is_err() {
        signals::end_container(world, id, Status::Exited(127));
    }
}

/// What a process is before it is any program.
fn nobody() -> Body {
    Body::User(Running::new(PathBuf::new(), &Behaviour::default(), Duration::ZERO))
}

fn credentials(uid: u32, gid: u32) -> Credentials {
    Credentials { uid, gid, groups: vec![gid], umask: 0o022 }
}

fn serial<T: std::hash::Hash>(of: &T) -> u64 {
    u64::try_from(hash::of(of) & u128::from(u64::MAX)).expect("64 bits")
}

/// SIGTERM now, SIGKILL after the grace.
pub fn stop(world: &mut World, id: ContainerId, grace: Duration) {
    let kill_at = world.clock.boot + grace;
    let container = world.container_mut(id);
    match container.phase {
        Phase::Exited(_) => return,
        Phase::Paused => container.phase = Phase::Running,
        Phase::Running => {}
    }
    container.kill_at = Some(kill_at);
    signals::deliver(world, Who { container: id, pid: 1 }, Signal::TERM);
}

/// SIGKILL, which PID 1 cannot escape when it comes from outside.
pub fn kill(world: &mut World, id: ContainerId) {
    if !matches!(world.container(id).phase, Phase::Exited(_)) {
        signals::end_container(world, id, Status::Signalled(Signal::KILL));
    }
}

/// Nobody in it moves until it is unpaused.
pub fn pause(world: &mut World, id: ContainerId, paused: bool) {
    let container = world.container_mut(id);
    match (container.phase, paused) {
        (Phase::Running, true) => container.phase = Phase::Paused,
        (Phase::Paused, false) => container.phase = Phase::Running,
        _ => {}
    }
}

/// One `docker exec`.
#[derive(Clone, Debug)]
pub struct Command {
    /// Whom it runs as.
    pub uid: u32,
    /// Its words after `hermes`.
    pub words: Vec<OsString>,
    /// Added to the container's environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Which of the run's commands it is, counted from 0.
    pub number: u64,
}

/// `docker exec`: a command that is nobody's child.
pub fn exec(world: &mut World, id: ContainerId, command: Command) -> Result<Who, Errno> {
    let container = world.container(id);
    if container.phase != Phase::Running {
        return Err(Errno::SRCH);
    }
    let mut env = container.settings.env.as_ref().clone();
    env.extend(command.env);
    let birth = Birth {
        parent: 0,
        serial: serial(&("exec", id, command.number)),
        credentials: credentials(command.uid, command.uid),
        inherited: BTreeMap::new(),
        dies_with_parent: false,
    };
    let who = make(world, id, birth, nobody());
    let (root, mounts) = {
        let container = world.container(id);
        (container.root, Arc::clone(&container.mounts))
    };
    if let Some(cwd) = world.disk.peek(root, &mounts, Path::new(image::HOME)) {
        world.process_mut(who).expect("just made").cwd = cwd;
    }
    let program = Program {
        path: image::HERMES_PROGRAM.into(),
        args: command.words,
        env,
        ..Program::default()
    };
    become_program(world, who, &program).map(|()| who)
}

/// The power fails: every process goes, and of what was not synced the disk keeps what `choice` says.
pub fn cut_power(world: &mut World, choice: u64) {
    let ids: Vec<ContainerId> = world.containers.keys().copied().collect();
    for &id in &ids {
        signals::end_container(world, id, Status::Signalled(Signal::KILL));
        world.disk.lose_everything(image::tmpfs(id));
    }
    world.pipes.clear();
    world.disk.power_cut(image::VOLUME, choice);
    for id in ids {
        world.disk.power_cut(u16::from(id.0), 1);
    }
    world.boots += 1;
    let down = Duration::from_secs(60);
    world.clock.wall += down;
    world.clock.boot = Duration::from_secs(100);
}

/// When a stop's grace ends, if one is under way.
pub fn wakes_at(world: &World) -> Option<Duration> {
    world.containers.values().filter_map(|container| container.kill_at).min()
}

/// Ends the containers whose grace is over.
pub fn end_graces(world: &mut World) {
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
