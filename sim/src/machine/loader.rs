//! The loader: what a file stands for when it is executed. It is above the kernel and the automata, and the only file
//! that knows all programs.
//!
//! An image's programs are files that begin with `sim:`; scripts are read by [`crate::machine::s6::shell`].

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use hermes::cli::invocation::Invocation;
use hermes::error::Errno;
use hermes::host::effect::{Effect, Finished, Pid, Program, Status};
use hermes::host::{Answer, Outcome};

use crate::machine::hosts;
use crate::machine::kernel::processes::{
    NewProcess, argv, executable, inherited_files, install_program, make_process,
};
use crate::machine::kernel::{self, Reply, signals};
use crate::machine::process::ProcessBody;
use crate::machine::process_footprint;
use crate::machine::s6::shell::{self, Next};
use crate::machine::s6::tools;
use crate::machine::state::logger::Logger;
use crate::machine::state::svscan::Svscan;
use crate::machine::state::user_program::UserProgram;
use crate::machine::syscalls::process;
use crate::machine::world::{ProcessId, World};
use crate::replay::Task;

const NOEXEC: Errno = Errno(8);

/// The limit for a script that becomes a script that becomes …
const INTERPRETERS_MAX: usize = 8;

/// Performs one effect of a process: those that start programs here, all others in the kernel.
pub fn perform(world: &mut World, who: ProcessId, effect: &Effect) -> Reply {
    match effect {
        Effect::Run { program, timeout } => run(world, who, program, *timeout),
        Effect::Spawn { program } => spawn(world, who, program).into(),
        Effect::Exec { program } => {
            process_footprint::record_process_change(world, who);
            exec(world, who, program)
        }
        _ => kernel::perform(world, who, effect),
    }
}

/// Makes a process run a program, like `execve`. Its open files are closed; record locks stay.
pub fn become_program(world: &mut World, who: ProcessId, program: &Program) -> Result<(), Errno> {
    process_footprint::record_process_change(world, who);
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
        env: hermes::environment::present(program.env.clone()),
        program: program.path.clone(),
        pid: who.pid.unsigned_abs(),
        uid: own.uid,
        gid: own.gid,
        stdin_is_terminal: false,
    };
    Task::new(invocation)
}

fn spawn(world: &mut World, who: ProcessId, program: &Program) -> Outcome {
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

fn exec(world: &mut World, who: ProcessId, program: &Program) -> Reply {
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

fn run_tool(world: &mut World, who: ProcessId, name: &str, args: &[OsString]) -> Option<Finished> {
    tools::run(world, who, name, args).or_else(|| hosts::tools::run(world, who, name, args))
}

/// One of the supervisors' tools, or a script that only looks: they do one thing at once, so they are one step here.
fn run(world: &mut World, who: ProcessId, program: &Program, timeout: Duration) -> Reply {
    let contents = match executable(world, who, &program.path) {
        Ok(contents) => contents,
        Err(errno) => return Reply::Done(Err(errno)),
    };
    if contents.starts_with(b"#!") {
        return Reply::Done(run_script(world, who, program, contents));
    }
    let name = contents.strip_prefix(b"sim:").unwrap_or_default();
    if name == b"user" {
        let is_over = world.clock.boot >= kernel::waiting_since(world, who).saturating_add(timeout);
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
        // The program of the script would be a process of its own; callers only need to know whether the script can be run.
        Next::Exec(_) => Err(NOEXEC),
    }
}
