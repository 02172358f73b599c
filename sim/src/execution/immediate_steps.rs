//! The steps that happen at once, by no process of the world: files, owners, signals, clocks, s6's tools run by a user.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hermes::host::effect::Signal as RawSignal;

use super::disk_address::{disk_path, find_node, uid};
use super::task_address::{arguments, profile_of};
use super::{Failure, expectations};
use crate::machine::Machine;
use crate::machine::disk::{NodeBody, NodeId};
use crate::machine::hosts;
use crate::machine::image::VOLUME;
use crate::machine::process::ProcessBody;
use crate::machine::s6::tools;
use crate::machine::user_program;
use crate::machine::world::{ContainerId, ProcessId, World};
use crate::scenario::step::{DiskCondition, ProcessAddress};
use crate::scenario::values::{ClockShift, SignalName};
use crate::scenario::world::{ActionSpec, FileContent, FileSpec, ProgramSpec};
use crate::scenario::{ProfileName, Step};

/// Performs a step.
pub(super) fn perform_step(machine: &mut Machine, step: &Step) -> Result<(), Failure> {
    let world = &mut machine.world;
    match step {
        Step::Signal(step) => {
            let container = ContainerId(step.container.0);
            let Some(who) = find_process(world, container, &step.to) else {
                return Err(expectations::expectation_failure(
                    "a step",
                    format!("no process is `{}`", step.to),
                ));
            };
            machine.send_signal(who, signal(step.signal));
        }
        Step::S6Svc(step) => {
            let container = ContainerId(step.container.0);
            let dir = format!("/run/service/gateway-{}", step.profile);
            run_s6_tool(world, container, "s6-svc", [step.options.clone(), dir])?;
        }
        Step::S6Svscanctl(step) => {
            let container = ContainerId(step.container.0);
            let words = [step.options.clone(), "/run/service".to_owned()];
            run_s6_tool(world, container, "s6-svscanctl", words)?;
        }
        Step::HostStop(step) => {
            if !hosts::tools::stop_service(world, ContainerId(step.container.0), &step.profile.0) {
                let detail = format!("no host's tool could stop {}", step.profile);
                return Err(expectations::expectation_failure("a step", detail));
            }
        }
        Step::Write(step) => put_file(world, &step.write, &step.file),
        Step::Remove(step) => {
            let (root, path) = disk_path(&step.remove);
            for node in world.disk.remove(root, &path) {
                world.disk.release_node(node);
            }
        }
        Step::Move(step) => {
            copy(world, &step.from, &step.to)?;
            let (root, path) = disk_path(&step.from);
            for node in world.disk.remove(root, &path) {
                world.disk.release_node(node);
            }
        }
        Step::Copy(step) => copy(world, &step.copy, &step.to)?,
        Step::Chmod(step) => {
            let (node, status) = node_status(world, &step.chmod)?;
            world.disk.set_status_durably(node, step.mode.0, status.uid, status.gid);
        }
        Step::Chown(step) => {
            let (node, status) = node_status(world, &step.chown)?;
            world.disk.set_status_durably(node, status.mode, uid(step.owner), uid(step.owner));
        }
        Step::Disk(step) => {
            world.disk.set_full(VOLUME, step.disk == DiskCondition::Full);
            world.disk.set_read_only(VOLUME, step.disk == DiskCondition::ReadOnly);
        }
        Step::Clock(step) => match step.clock {
            ClockShift::Forward(span) => world.clock.wall += span.0,
            ClockShift::Back(span) => world.clock.wall = world.clock.wall.saturating_sub(span.0),
        },
        Step::Suspend(step) => {
            // `CLOCK_BOOTTIME` counts the sleep, so every deadline of that clock within it is past when the machine wakes.
            let until = world.clock.boot + step.suspend.0;
            machine.advance_to(until);
        }
        _ => unreachable!("the execution itself performs the other steps"),
    }
    Ok(())
}

/// A signal by its number.
pub(super) fn signal(signal: SignalName) -> RawSignal {
    RawSignal(match signal {
        SignalName::Hup => 1,
        SignalName::Int => 2,
        SignalName::Quit => 3,
        SignalName::Kill => 9,
        SignalName::Usr1 => 10,
        SignalName::Usr2 => 12,
        SignalName::Term => 15,
        SignalName::Cont => 18,
        SignalName::Stop => 19,
    })
}

/// Creates a file of the scenario at its address.
pub(super) fn put_file(world: &mut World, address: &str, node: &FileSpec) {
    let (root, path) = disk_path(address);
    let owner = uid(node.owner);
    let mode = |default| node.mode.map_or(default, |mode| mode.0);
    let disk = &mut world.disk;
    match &node.content {
        FileContent::File(bytes) => disk.put_file(root, &path, bytes, mode(0o644), owner, owner),
        FileContent::Link(target) => disk.put_link(root, &path, target, owner, owner),
        FileContent::HardLink(other) => {
            let (root, other) = disk_path(other);
            disk.put_hard_link(root, &other, &path)
        }
        FileContent::Dir => disk.put_dir(root, &path, mode(0o755), owner, owner),
        FileContent::Nested(depth) => {
            let deepest = (0..*depth).fold(path.clone(), |dir, _| dir.join("d"));
            disk.put_dir(root, &deepest, mode(0o755), owner, owner)
        }
        FileContent::Fifo => disk.put_fifo(root, &path, mode(0o600), owner, owner),
        FileContent::Program(lines) => {
            let path = Path::new("/").join(&path);
            Arc::make_mut(&mut world.programs).insert(path.clone(), to_behaviour(lines));
            let path = path.strip_prefix("/").expect("made above");
            disk.put_file(root, path, b"sim:user", mode(0o755), owner, owner)
        }
    };
}

/// The behaviour of a program, from the lines of the scenario.
pub fn to_behaviour(lines: &ProgramSpec) -> user_program::Behaviour {
    let rules = lines.iter().map(|line| user_program::Rule {
        trigger: line.on.map(signal),
        after: line.after.0,
        action: match &line.act {
            ActionSpec::ReadyFd => user_program::ProgramAction::Ready,
            ActionSpec::Serve => user_program::ProgramAction::Serve,
            ActionSpec::Ignore => user_program::ProgramAction::Ignore,
            ActionSpec::Exit(code) => user_program::ProgramAction::Exit(*code),
            ActionSpec::Print(line) => user_program::ProgramAction::Print(line.clone()),
            ActionSpec::Fork => user_program::ProgramAction::Fork,
        },
    });
    user_program::Behaviour { rules: rules.collect(), handlers_after: Duration::ZERO }
}

fn node_status(
    world: &World,
    address: &str,
) -> Result<(NodeId, crate::machine::disk::NodeStatus), Failure> {
    let node = find_node(world, address);
    let found = node.and_then(|id| Some((id, world.disk.node(id)?.status)));
    found.ok_or_else(|| {
        expectations::expectation_failure("a step", format!("there is no `{address}`"))
    })
}

fn copy(world: &mut World, from: &str, to: &str) -> Result<(), Failure> {
    let (node, _) = node_status(world, from)?;
    let (root, path) = disk_path(to);
    copy_node(world, node, root, &path);
    Ok(())
}

fn copy_node(world: &mut World, node: NodeId, root: NodeId, to: &Path) {
    let Some(found) = world.disk.node(node).cloned() else { return };
    let crate::machine::disk::NodeStatus { mode, uid, gid } = found.status;
    match found.body {
        NodeBody::File(bytes) => drop(world.disk.put_file(root, to, &bytes, mode, uid, gid)),
        NodeBody::Link(target) => drop(world.disk.put_link(root, to, target, uid, gid)),
        NodeBody::Fifo => drop(world.disk.put_fifo(root, to, mode, uid, gid)),
        NodeBody::Other => drop(world.disk.put_other(root, to, mode, uid, gid)),
        NodeBody::Directory(directory) => {
            world.disk.put_dir(root, to, mode, uid, gid);
            for (name, child) in directory.names {
                copy_node(world, child, root, &to.join(name));
            }
        }
    }
}

/// The process that a step means.
fn find_process(
    world: &World,
    container: ContainerId,
    target: &ProcessAddress,
) -> Option<ProcessId> {
    let inside = world.container(container).processes.iter();
    let mut alive = inside.filter(|(_, process)| process.is_alive());
    let found = match target {
        ProcessAddress::Init => Some((&1, world.container(container).processes.get(&1)?)),
        ProcessAddress::Gateway(name) => alive.find(|(_, process)| {
            let words = arguments(process);
            matches!(process.body, ProcessBody::Task(_))
                && words.windows(2).any(|two| two == ["gateway", "run"])
                && profile_of(&words).as_ref() == Some(&name.0)
        }),
        ProcessAddress::Child(name) => {
            let gateway = find_process(world, container, &ProcessAddress::Gateway(name.clone()))?;
            alive.find(|(_, process)| process.parent == gateway.pid)
        }
        ProcessAddress::Supervisor(name) => {
            alive.find(|(_, process)| supervises(process, name, ""))
        }
        ProcessAddress::Logger(name) => {
            let mut all = world.container(container).processes.iter();
            let (&supervisor, _) = all.find(|(_, process)| supervises(process, name, "/log"))?;
            alive.find(|(_, process)| process.parent == supervisor)
        }
        ProcessAddress::Svscan => {
            let scan_dir = world.scan_dir(container);
            alive.find(|(_, process)| {
                matches!(process.body, ProcessBody::Svscan(_)) && Some(process.cwd) == scan_dir
            })
        }
        ProcessAddress::Main => {
            let mut all = world.container(container).processes.iter();
            let (&supervisor, _) = all.find(|(_, process)| {
                matches!(process.body, ProcessBody::Supervise(_))
                    && arguments(process).contains(&"main")
            })?;
            alive.find(|(_, process)| process.parent == supervisor)
        }
    };
    found.map(|(&pid, _)| ProcessId { container, pid })
}

fn supervises(process: &crate::machine::process::Process, name: &ProfileName, log: &str) -> bool {
    let own = format!("gateway-{name}{log}");
    matches!(process.body, ProcessBody::Supervise(_)) && arguments(process).contains(&own.as_str())
}

/// Runs one of s6's tools, as the user who owns the tree.
fn run_s6_tool(
    world: &mut World,
    container: ContainerId,
    tool: &str,
    args: [String; 2],
) -> Result<(), Failure> {
    let Some(who) = find_process(world, container, &ProcessAddress::Svscan) else {
        return Err(expectations::expectation_failure("a step", "no s6-svscan runs"));
    };
    let args = args.map(OsString::from);
    match tools::run(world, who, tool, &args) {
        Some(_) => Ok(()),
        None => Err(expectations::expectation_failure("a step", format!("no such tool: {tool}"))),
    }
}
