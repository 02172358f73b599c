//! Programs: what a file stands for when it is executed, and how processes come to be.
//!
//! An image's programs are files that begin with `sim:`; scripts are read by [`crate::s6::shell`].

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hermes::cli::invocation::Invocation;
use hermes::error::Errno;
use hermes::host::effect::{Finished, Handle, Kind, Links, Pid, Program, Status};
use hermes::host::{Answer, Outcome};

use super::{Reply, Stand, files, process, signals, waiting};
use crate::disk::Credentials;
use crate::hash::Kept;
use crate::hosts;
use crate::image;
use crate::process::{Body, Open, Process, What};
use crate::s6::shell::{self, Next};
use crate::s6::{logger::Logger, svscan::Svscan, tools};
use crate::task::Task;
use crate::touched::{self, Thing};
use crate::user_program::Running;
use crate::world::{Who, World};

const NOEXEC: Errno = Errno(8);

/// A script that becomes a script that becomes …
const DEPTH_MAX: usize = 8;

/// How a new process begins, before it is any program.
#[derive(Clone, Debug)]
pub struct Birth {
    /// Its parent's number; 0 from outside.
    pub parent: i32,
    /// A number that nobody else has.
    pub serial: u64,
    /// Whom it runs as.
    pub credentials: Credentials,
    /// Open files, by descriptor.
    pub inherited: BTreeMap<i32, Open>,
    /// It gets SIGKILL when its parent ends.
    pub dies_with_parent: bool,
}

/// Makes a process in a container. It is nobody yet: [`become_program`] makes it somebody.
pub fn make(
    world: &mut World,
    container: crate::world::ContainerId,
    birth: Birth,
    body: Body,
) -> Who {
    touched::changed(Thing::Processes(container));
    for open in birth.inherited.values() {
        match open.what {
            What::Pipe(pipe) => touched::changed(Thing::Pipe(pipe)),
            What::Node(node) if open.flock => touched::changed(Thing::Lock(node)),
            _ => {}
        }
    }
    let started = world.clock.boot;
    let parent = world.process(Who { container, pid: birth.parent });
    let service = parent.and_then(|parent| parent.service.clone());
    let inside = world.container_mut(container);
    inside.last_pid += 1;
    let pid = inside.last_pid;
    touched::changed(Thing::Process(Who { container, pid }));
    let process = Process {
        serial: birth.serial,
        parent: birth.parent,
        group: pid,
        started,
        credentials: birth.credentials,
        cwd: inside.root,
        comm: String::new(),
        argv: Arc::default(),
        env: Arc::default(),
        open: BTreeMap::new(),
        inherited: birth.inherited,
        record_locks: BTreeSet::new(),
        trapped: BTreeSet::new(),
        pending: BTreeSet::new(),
        stopped: false,
        dies_with_parent: birth.dies_with_parent,
        spawned: BTreeSet::new(),
        made: 0,
        since: None,
        ended: None,
        service,
        body,
    };
    inside.processes.insert(pid, Arc::new(Kept::new(process)));
    Who { container, pid }
}

/// Has a process become a program, as `execve` does. What it had open is closed; record locks stay.
pub fn become_program(world: &mut World, who: Who, program: &Program) -> Result<(), Errno> {
    touched::changed(Thing::Process(who));
    let mut program = program.clone();
    for _ in 0..DEPTH_MAX {
        match load(world, who, &program)? {
            Loaded::Body(body) => {
                settle(world, who, &program, *body);
                return Ok(());
            }
            Loaded::Next(Next::Exec(next)) => program = next,
            Loaded::Next(Next::Exit(code)) => {
                signals::end(world, who, Status::Exited(code));
                return Ok(());
            }
        }
    }
    Err(Errno::LOOP)
}

enum Loaded {
    Body(Box<Body>),
    Next(Next),
}

/// Puts the new image in place.
fn settle(world: &mut World, who: Who, program: &Program, body: Body) {
    let own = process(world, who);
    let name = program.path.file_name().unwrap_or_default().to_string_lossy();
    own.comm = name.chars().take(15).collect();
    own.argv = Arc::new(argv(program));
    own.env = Arc::new(program.env.clone());
    own.trapped.clear();
    own.since = None;
    own.body = body;
    let closed: Vec<Open> = std::mem::take(&mut own.open).into_values().collect();
    files::let_go(world, &closed);
}

fn argv(program: &Program) -> Vec<OsString> {
    let mut argv = vec![program.path.clone().into_os_string()];
    argv.extend(program.args.iter().cloned());
    argv
}

/// The contents of an executable file, as this process may execute it.
pub(crate) fn executable(world: &World, who: Who, path: &Path) -> Result<Vec<u8>, Errno> {
    let stand = Stand::of(world, who);
    let node = world.disk.resolve(&stand.view(), None, path, Links::Follow)?;
    let meta = world.disk.meta(node);
    if meta.kind != Kind::File || image::is_noexec(node.device) {
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

fn load(world: &mut World, who: Who, program: &Program) -> Result<Loaded, Errno> {
    let contents = executable(world, who, &program.path)?;
    if contents.starts_with(b"#!") {
        let text = String::from_utf8(contents).map_err(|_| NOEXEC)?;
        return Ok(Loaded::Next(shell::read(world, who, &text, program)?));
    }
    let body = match contents.as_slice() {
        b"sim:hermes" => Body::Task(Box::new(task(world, who, program))),
        b"sim:s6-log" => Body::Logger(Logger),
        b"sim:s6-svscan" => Body::Svscan(Svscan::new(world, who, &program.args)),
        b"sim:user" => {
            let behaviour = world.programs.get(&program.path).cloned().unwrap_or_default();
            Body::User(Running::new(program.path.clone(), &behaviour, world.clock.boot))
        }
        _ => return Err(NOEXEC),
    };
    Ok(Loaded::Body(Box::new(body)))
}

fn task(world: &World, who: Who, program: &Program) -> Task {
    let own = &world.process(who).expect("the process that executes exists").credentials;
    let invocation = Invocation {
        argv: argv(program),
        env: program.env.clone(),
        program: program.path.clone(),
        pid: who.pid.unsigned_abs(),
        uid: own.uid,
        gid: own.gid,
        stdin_is_terminal: false,
    };
    Task::new(invocation)
}

/// What a program finds open, from what its maker has.
fn handed_on(
    world: &World,
    who: Who,
    inherit: &[(Handle, i32)],
) -> Result<BTreeMap<i32, Open>, Errno> {
    let mut handed = BTreeMap::new();
    for &(handle, descriptor) in inherit {
        handed.insert(descriptor, files::opened(world, who, handle)?.clone());
    }
    Ok(handed)
}

pub(super) fn spawn(world: &mut World, who: Who, program: &Program) -> Outcome {
    let inherited = handed_on(world, who, &program.inherit)?;
    executable(world, who, &program.path)?;
    let own = process(world, who);
    let birth = Birth {
        parent: who.pid,
        serial: own.fresh(),
        credentials: own.credentials.clone(),
        inherited,
        dies_with_parent: true,
    };
    let body = own.body.clone();
    let child = make(world, who.container, birth, body);
    if let Err(errno) = become_program(world, child, program) {
        world.container_mut(who.container).processes.remove(&child.pid);
        return Err(errno);
    }
    process(world, who).spawned.insert(child.pid);
    let pid = Pid::new(child.pid.into()).expect("PID 1 was first");
    Ok(Answer::Pid(pid))
}

pub(super) fn exec(world: &mut World, who: Who, program: &Program) -> Reply {
    let inherited = match handed_on(world, who, &program.inherit) {
        Ok(inherited) => inherited,
        Err(errno) => return Reply::Done(Err(errno)),
    };
    match become_program(world, who, program) {
        Ok(()) => {
            if let Some(own) = world.process_mut(who) {
                own.inherited.extend(inherited);
            }
            Reply::Gone
        }
        Err(errno) => Reply::Done(Err(errno)),
    }
}

/// A user's program in the place of a tool: it never ends by itself.
pub(super) fn hangs(world: &World, who: Who, program: &Program) -> bool {
    executable(world, who, &program.path).is_ok_and(|contents| contents == b"sim:user")
}

fn tool(world: &mut World, who: Who, name: &str, args: &[OsString]) -> Option<Finished> {
    tools::run(world, who, name, args).or_else(|| hosts::tools::run(world, who, name, args))
}

/// One of the supervisors' tools, or a script that only looks: they do one thing at once, so they are one step here.
pub(super) fn run(world: &mut World, who: Who, program: &Program, timeout: Duration) -> Reply {
    let contents = match executable(world, who, &program.path) {
        Ok(contents) => contents,
        Err(errno) => return Reply::Done(Err(errno)),
    };
    if contents.starts_with(b"#!") {
        return Reply::Done(script(world, who, program, contents));
    }
    let name = contents.strip_prefix(b"sim:").unwrap_or_default();
    if name == b"user" {
        let is_over = world.clock.boot >= waiting::since(world, who).saturating_add(timeout);
        return if is_over { Reply::Done(Err(Errno::TIMEDOUT)) } else { Reply::NotYet };
    }
    match std::ffi::OsStr::from_bytes(name).to_str() {
        Some(name) => match tool(world, who, name, &program.args) {
            Some(finished) => Reply::Done(Ok(Answer::Finished(finished))),
            None => Reply::Done(Err(NOEXEC)),
        },
        None => Reply::Done(Err(NOEXEC)),
    }
}

fn script(world: &mut World, who: Who, program: &Program, contents: Vec<u8>) -> Outcome {
    let text = String::from_utf8(contents).map_err(|_| NOEXEC)?;
    match shell::read(world, who, &text, program)? {
        Next::Exit(code) => Ok(Answer::Finished(Finished {
            status: Status::Exited(code),
            stdout: Vec::new(),
            stderr: Vec::new(),
        })),
        // What it would become is a process of its own; nobody asks for more than whether the script can be run.
        Next::Exec(_) => Err(NOEXEC),
    }
}
