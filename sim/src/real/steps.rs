//! A story, step by step, on real containers. The first step that does not hold ends it.

use std::time::{Duration, Instant};

use super::container::{AwaitExit, ContainerHandle};
use super::exec::uid;
use super::machine::{RealMachine, wait_for_svscan};
use super::processes::HostProcess;
use super::{expect, observe, setup, wait};
use crate::scenario::step::{ContainerAction, ProcessAddress};
use crate::scenario::values::User;
use crate::scenario::world::SupervisionTree;
use crate::scenario::{ContainerName, RunStep, Scenario, Step};

/// How long a boot may take to come to rest; what still moves then, as a gateway that fails for ever does, may go on.
pub(super) const BOOT_MAX: Duration = Duration::from_secs(10);

/// Plays it from the beginning: `c1` is booted and settled, unless the story boots by itself.
pub(super) fn run_steps(machine: &mut RealMachine, scenario: &Scenario) -> Result<(), String> {
    if !scenario.has_boot_step() {
        machine.start(ContainerName(1))?;
        wait_for_scanner(machine, scenario)?;
        observe::settle(machine, BOOT_MAX);
    }
    for (index, step) in scenario.steps.iter().enumerate() {
        machine.refresh()?;
        let held = match step {
            Step::Together(group) if is_baseline_only(scenario) => in_order(machine, &group.steps),
            Step::Together(group) => together(machine, &group.steps),
            one => together(machine, std::slice::from_ref(one)),
        };
        held.map_err(|what| format!("step {}, {}: {what}", index + 1, describe_step(step)))?;
    }
    Ok(())
}

/// A container that was only just started is quiet, too.
pub(super) fn wait_for_scanner(machine: &RealMachine, scenario: &Scenario) -> Result<(), String> {
    match has_scanner(scenario) {
        true => wait_for_svscan(machine, ContainerName(1)),
        false => Ok(()),
    }
}

/// Does `c1` supervise anything?
pub(super) fn has_scanner(scenario: &Scenario) -> bool {
    let is_guest = scenario.world.environment.get("HERMES_ROLE").is_some_and(|it| it == "guest");
    scenario.world.tree != SupervisionTree::None && !is_guest && scenario.world.command.is_empty()
}

/// A step in a few words.
fn describe_step(step: &Step) -> String {
    match step {
        Step::Run(run) => format!("`{}`", run.run),
        other => format!("`{}`", other.key()),
    }
}

/// Does it tell of the calm run alone, and of no other order?
fn is_baseline_only(scenario: &Scenario) -> bool {
    !scenario.search.exhaustive && scenario.search.faults_max == 0
}

/// The calm run: each step begins when the one before has ended or waits.
fn in_order(machine: &mut RealMachine, steps: &[Step]) -> Result<(), String> {
    let mut begun: Vec<(&RunStep, AwaitExit)> = Vec::new();
    for step in steps {
        match step {
            Step::Run(run) => begun.push((run, begin(machine, run)?)),
            other => perform_step(machine, other)?,
        }
        observe::wait_for_quiet(machine);
    }
    begun.into_iter().try_for_each(|(run, end)| expect::command(run, &end()?))
}

/// The commands are begun first, whatever else is together with them is done then, and then they are waited for.
pub(super) fn together(machine: &mut RealMachine, steps: &[Step]) -> Result<(), String> {
    let mut begun: Vec<(&RunStep, AwaitExit)> = Vec::new();
    for step in steps {
        if let Step::Run(run) = step {
            begun.push((run, begin(machine, run)?));
        }
    }
    for step in steps {
        if !matches!(step, Step::Run(_)) {
            perform_step(machine, step)?;
        }
    }
    let mut held = Ok(());
    for (run, begun) in begun {
        let ended = begun()?;
        held = held.and(expect::command(run, &ended));
    }
    held
}

pub(super) fn begin(machine: &RealMachine, run: &RunStep) -> Result<AwaitExit, String> {
    let words = run.words();
    let argv: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut env = machine.env();
    env.extend(run.env.clone());
    machine.begin(run.container, run.user, &env, &argv)
}

pub(super) fn perform_step(machine: &mut RealMachine, step: &Step) -> Result<(), String> {
    match step {
        Step::Boot(it) => {
            if let Some(command) = &it.command {
                machine.set_command(it.boot, command)?;
            }
            machine.start(it.boot)
        }
        Step::Container(it) => {
            let began = Instant::now();
            runtime(machine, it.action, it.container, it.grace.0)?;
            let took = began.elapsed();
            match it.within {
                Some(within) if took > within.0 => Err(format!("took {} s", took.as_secs_f32())),
                _ => Ok(()),
            }
        }
        Step::Signal(it) => {
            let process = find(machine, it.container, &it.to)
                .ok_or_else(|| format!("no process is `{}`", it.to))?;
            machine.container(it.container)?.signal(&process, it.signal)
        }
        Step::Pass(it) => {
            wait::pass(it.pass.0);
            Ok(())
        }
        Step::Settle(it) => {
            observe::settle(machine, it.settle.0);
            Ok(())
        }
        Step::Expect(it) => wait::poll_within(it.expect.within.0, || {
            machine.refresh()?;
            expect::holds(machine, &it.expect)
        }),
        Step::S6Svc(it) => {
            let slot = format!("{}/gateway-{}", machine.scan_dir(), it.profile);
            run_s6_tool(machine, it.container, &["s6-svc", &it.options, &slot])
        }
        Step::S6Svscanctl(it) => {
            let dir = machine.scan_dir();
            run_s6_tool(machine, it.container, &["s6-svscanctl", &it.options, &dir])
        }
        other => files(machine, other),
    }
}

fn runtime(
    machine: &mut RealMachine,
    act: ContainerAction,
    of: ContainerName,
    grace: Duration,
) -> Result<(), String> {
    match act {
        ContainerAction::Start => machine.start(of),
        ContainerAction::Stop => machine.stop(of, grace),
        ContainerAction::Restart => machine.restart(of, grace),
        ContainerAction::Kill => machine.kill(of),
        ContainerAction::Recreate => machine.recreate(of).and_then(|()| machine.start(of)),
        ContainerAction::Pause => machine.pause(of),
        ContainerAction::Unpause => machine.unpause(of),
    }
}

/// Files are changed as root, from the host.
fn files(machine: &RealMachine, step: &Step) -> Result<(), String> {
    let vessel: &dyn ContainerHandle = machine.container(ContainerName(1))?;
    let place = setup::absolute_path;
    match step {
        Step::Write(it) => setup::write_node(vessel, &it.write, &it.file),
        Step::Remove(it) => {
            setup::run_script(vessel, "rm -rf -- \"$1\"", &[&place(&it.remove)], b"")
        }
        Step::Move(it) => setup::run_script(
            vessel,
            "mv -T -- \"$1\" \"$2\"",
            &[&place(&it.from), &place(&it.to)],
            b"",
        ),
        Step::Copy(it) => setup::run_script(
            vessel,
            "cp -aT -- \"$1\" \"$2\"",
            &[&place(&it.copy), &place(&it.to)],
            b"",
        ),
        Step::Chmod(it) => {
            let mode = format!("{:04o}", it.mode.0);
            setup::run_script(vessel, "chmod -- \"$2\" \"$1\"", &[&place(&it.chmod), &mode], b"")
        }
        Step::Chown(it) => {
            let owner = uid(it.owner).to_string();
            setup::run_script(
                vessel,
                "chown -h -- \"$2:$2\" \"$1\"",
                &[&place(&it.chown), &owner],
                b"",
            )
        }
        other => Err(format!("this machine cannot `{}`", other.key())),
    }
}

/// One of s6's tools, as whoever owns the tree.
fn run_s6_tool(
    machine: &RealMachine,
    container: ContainerName,
    argv: &[&str],
) -> Result<(), String> {
    let user = if machine.is_foreign() { User::Root } else { User::Hermes };
    // What it answers is its own affair: a story says what comes of it.
    machine.run(container, user, &machine.env(), argv).map(drop)
}

/// Whom a step means.
fn find(
    machine: &RealMachine,
    container: ContainerName,
    target: &ProcessAddress,
) -> Option<HostProcess> {
    let all = machine.processes(container);
    let child_of = |of: &HostProcess| all.iter().find(|it| it.parent == of.host_pid).cloned();
    let supervisor = |service: String| all.iter().find(|it| observe::supervises(it, &service));
    match target {
        ProcessAddress::Init => all.iter().find(|it| it.pid == 1).cloned(),
        ProcessAddress::Gateway(name) => observe::gateways(&all, &name.0).into_iter().next(),
        ProcessAddress::Child(name) => child_of(observe::gateways(&all, &name.0).first()?),
        ProcessAddress::Supervisor(name) => supervisor(format!("gateway-{name}")).cloned(),
        ProcessAddress::Logger(name) => child_of(supervisor(format!("gateway-{name}/log"))?),
        ProcessAddress::Svscan => {
            all.iter().find(|it| it.pid != 1 && it.program() == "s6-svscan").cloned()
        }
        ProcessAddress::Main => child_of(supervisor("main".to_owned())?),
    }
}
