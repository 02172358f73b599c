//! Programs: what a file stands for when it is executed, and how processes come to be.
//!
//! An image's programs are files that begin with `sim:`; scripts are read by [`crate::machine::s6::shell`].

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hermes::cli::invocation::Invocation;
use hermes::error::Errno;
use hermes::host::effect::{FileKind, Finished, Handle, LinkPolicy, Pid, Program, Status};
use hermes::host::{Answer, Outcome};

use super::{OwnedView, Reply, files, process, signals, waiting};
use crate::hash::LazilyHashed;
use crate::machine::disk::Credentials;
use crate::machine::footprint::{self, Resource};
use crate::machine::hosts;
use crate::machine::image;
use crate::machine::process::{OpenFile, OpenKind, Process, ProcessBody};
use crate::machine::s6::shell::{self, Next};
use crate::machine::s6::{logger::Logger, svscan::Svscan, tools};
use crate::machine::user_program::UserProgram;
use crate::machine::world::{ProcessId, World};
use crate::replay::Task;

const NOEXEC: Errno = Errno(8);

/// A script that becomes a script that becomes …
const INTERPRETERS_MAX: usize = 8;

/// How a new process begins, before it is any program.
#[derive(Clone, Debug)]
pub struct NewProcess {
    /// Its parent's number; 0 from outside.
    pub parent: i32,
    /// A number that nobody else has.
    pub serial: u64,
    /// Whom it runs as.
    pub credentials: Credentials,
    /// Open files, by descriptor.
    pub inherited: BTreeMap<i32, OpenFile>,
    /// It gets SIGKILL when its parent ends.
    pub dies_with_parent: bool,
}

/// Makes a process in a container. It is nobody yet: [`become_program`] makes it somebody.
pub fn make_process(
    world: &mut World,
    container: crate::machine::world::ContainerId,
    birth: NewProcess,
    body: ProcessBody,
) -> ProcessId {
    footprint::record_write(Resource::NextPid(container));
    for open in birth.inherited.values() {
        match open.kind {
            OpenKind::Pipe(pipe) => footprint::record_write(Resource::Pipe(pipe)),
            OpenKind::Node(node) if open.flock => footprint::record_write(Resource::Lock(node)),
            _ => {}
        }
    }
    let started = world.clock.boot;
    let parent = world.process(ProcessId { container, pid: birth.parent });
    let service = parent.and_then(|parent| parent.service.clone());
    let inside = world.container_mut(container);
    inside.last_pid += 1;
    let pid = inside.last_pid;
    let process = Process {
        serial: birth.serial,
        parent: birth.parent,
        group: pid,
        started_at: started,
        credentials: birth.credentials,
        cwd: inside.root,
        comm: String::new(),
        argv: Arc::default(),
        env: Arc::default(),
        open_files: BTreeMap::new(),
        inherited: birth.inherited,
        record_locks: BTreeSet::new(),
        trapped: BTreeSet::new(),
        pending: BTreeSet::new(),
        stopped: false,
        dies_with_parent: birth.dies_with_parent,
        spawned: BTreeSet::new(),
        made_count: 0,
        waiting_since: None,
        end_status: None,
        service,
        body,
    };
    inside.processes.insert(pid, Arc::new(LazilyHashed::new(process)));
    let made = ProcessId { container, pid };
    footprint::record_coming_or_going(world, made);
    made
}

/// Has a process become a program, as `execve` does. What it had open is closed; record locks stay.
pub fn become_program(world: &mut World, who: ProcessId, program: &Program) -> Result<(), Errno> {
    footprint::record_process_change(world, who);
    let mut program = program.clone();
    for _ in 0..INTERPRETERS_MAX {
        match load(world, who, &program)? {
            Loaded::Body(body) => {
                install_program(world, who, &program, *body);
                return Ok(());
            }
            Loaded::Next(Next::Exec(next)) => program = next,
            Loaded::Next(Next::Exit(code)) => {
                signals::end_process(world, who, Status::Exited(code));
                return Ok(());
            }
        }
    }
    Err(Errno::LOOP)
}

enum Loaded {
    Body(Box<ProcessBody>),
    Next(Next),
}

/// Puts the new image in place.
fn install_program(world: &mut World, who: ProcessId, program: &Program, body: ProcessBody) {
    let own = process(world, who);
    let name = program.path.file_name().unwrap_or_default().to_string_lossy();
    own.comm = name.chars().take(15).collect();
    own.argv = Arc::new(argv(program));
    own.env = Arc::new(program.env.clone());
    own.trapped.clear();
    own.waiting_since = None;
    own.body = body;
    let closed: Vec<OpenFile> = std::mem::take(&mut own.open_files).into_values().collect();
    files::release_open_files(world, &closed);
}

fn argv(program: &Program) -> Vec<OsString> {
    let mut argv = vec![program.path.clone().into_os_string()];
    argv.extend(program.args.iter().cloned());
    argv
}

/// The contents of an executable file, as this process may execute it.
pub(crate) fn executable(world: &World, who: ProcessId, path: &Path) -> Result<Vec<u8>, Errno> {
    let stand = OwnedView::for_process(world, who);
    let node = world.disk.resolve(&stand.view(), None, path, LinkPolicy::Follow)?;
    let meta = world.disk.meta(node);
    if meta.kind != FileKind::File || image::is_noexec(node.device) {
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

fn load(world: &mut World, who: ProcessId, program: &Program) -> Result<Loaded, Errno> {
    let contents = executable(world, who, &program.path)?;
    if contents.starts_with(b"#!") {
        let text = String::from_utf8(contents).map_err(|_| NOEXEC)?;
        return Ok(Loaded::Next(shell::read(world, who, &text, program)?));
    }
    let body = match contents.as_slice() {
        b"sim:hermes" => ProcessBody::Task(Box::new(new_task(world, who, program))),
        b"sim:s6-log" => ProcessBody::Logger(Logger),
        b"sim:s6-svscan" => ProcessBody::Svscan(Svscan::new(world, who, &program.args)),
        b"sim:user" => {
            let behaviour = world.programs.get(&program.path).cloned().unwrap_or_default();
            ProcessBody::User(UserProgram::new(program.path.clone(), &behaviour, world.clock.boot))
        }
        _ => return Err(NOEXEC),
    };
    Ok(Loaded::Body(Box::new(body)))
}

fn new_task(world: &World, who: ProcessId, program: &Program) -> Task {
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
fn inherited_files(
    world: &World,
    who: ProcessId,
    inherit: &[(Handle, i32)],
) -> Result<BTreeMap<i32, OpenFile>, Errno> {
    let mut handed = BTreeMap::new();
    for &(handle, descriptor) in inherit {
        handed.insert(descriptor, files::open_file(world, who, handle)?.clone());
    }
    Ok(handed)
}

pub(super) fn spawn(world: &mut World, who: ProcessId, program: &Program) -> Outcome {
    let inherited = inherited_files(world, who, &program.inherit)?;
    executable(world, who, &program.path)?;
    let own = process(world, who);
    let birth = NewProcess {
        parent: who.pid,
        serial: own.next_unique_number(),
        credentials: own.credentials.clone(),
        inherited,
        dies_with_parent: true,
    };
    let body = own.body.clone();
    let child = make_process(world, who.container, birth, body);
    if let Err(errno) = become_program(world, child, program) {
        world.container_mut(who.container).processes.remove(&child.pid);
        return Err(errno);
    }
    process(world, who).spawned.insert(child.pid);
    let pid = Pid::new(child.pid.into()).expect("PID 1 was first");
    Ok(Answer::Pid(pid))
}

pub(super) fn exec(world: &mut World, who: ProcessId, program: &Program) -> Reply {
    let inherited = match inherited_files(world, who, &program.inherit) {
        Ok(inherited) => inherited,
        Err(errno) => return Reply::Done(Err(errno)),
    };
    match become_program(world, who, program) {
        Ok(()) => {
            if let Some(own) = world.process_mut(who) {
                own.inherited.extend(inherited);
            }
            Reply::Replaced
        }
        Err(errno) => Reply::Done(Err(errno)),
    }
}

/// A user's program in the place of a tool: it never ends by itself.
pub(super) fn never_ends(world: &World, who: ProcessId, program: &Program) -> bool {
    executable(world, who, &program.path).is_ok_and(|contents| contents == b"sim:user")
}

fn run_tool(world: &mut World, who: ProcessId, name: &str, args: &[OsString]) -> Option<Finished> {
    tools::run(world, who, name, args).or_else(|| hosts::tools::run(world, who, name, args))
}

/// One of the supervisors' tools, or a script that only looks: they do one thing at once, so they are one step here.
pub(super) fn run(
    world: &mut World,
    who: ProcessId,
    program: &Program,
    timeout: Duration,
) -> Reply {
    let contents = match executable(world, who, &program.path) {
        Ok(contents) => contents,
        Err(errno) => return Reply::Done(Err(errno)),
    };
    if contents.starts_with(b"#!") {
        return Reply::Done(run_script(world, who, program, contents));
    }
    let name = contents.strip_prefix(b"sim:").unwrap_or_default();
    if name == b"user" {
        let is_over =
            world.clock.boot >= waiting::waiting_since(world, who).saturating_add(timeout);
        return if is_over { Reply::Done(Err(Errno::TIMEDOUT)) } else { Reply::Blocked };
    }
    match std::ffi::OsStr::from_bytes(name).to_str() {
        Some(name) => match run_tool(world, who, name, &program.args) {
            Some(finished) => Reply::Done(Ok(Answer::Finished(finished))),
            None => Reply::Done(Err(NOEXEC)),
        },
        None => Reply::Done(Err(NOEXEC)),
    }
}

fn run_script(world: &mut World, who: ProcessId, program: &Program, contents: Vec<u8>) -> Outcome {
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
