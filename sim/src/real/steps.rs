//! Runs a scenario on real containers, step by step. The first step that fails ends it.

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

/// Time for a boot to come to rest. A machine that does not, such as one with a gateway that fails for ever, goes on anyway.
pub(super) const BOOT_MAX: Duration = Duration::from_secs(10);

/// Runs all steps. Before the first one, `c1` is booted and comes to rest, unless a step boots it.
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
            single => together(machine, std::slice::from_ref(single)),
        };
        held.map_err(|failure| format!("step {}, {}: {failure}", index + 1, describe_step(step)))?;
    }
    Ok(())
}

/// Waits for the scanner of `c1`, if it has one: without this, a container that was just started looks as if it were at rest.
pub(super) fn wait_for_scanner(machine: &RealMachine, scenario: &Scenario) -> Result<(), String> {
    match has_scanner(scenario) {
        true => wait_for_svscan(machine, ContainerName(1)),
        false => Ok(()),
    }
}

/// Does `c1` have a scanner?
pub(super) fn has_scanner(scenario: &Scenario) -> bool {
    let is_guest =
        scenario.world.environment.get("HERMES_ROLE").is_some_and(|role| role == "guest");
    scenario.world.tree != SupervisionTree::None && !is_guest && scenario.world.command.is_empty()
}

/// A step, for messages.
fn describe_step(step: &Step) -> String {
    match step {
        Step::Run(run) => format!("`{}`", run.run),
        other => format!("`{}`", other.key()),
    }
}

/// Is the scenario about the baseline order of its steps only?
fn is_baseline_only(scenario: &Scenario) -> bool {
    !scenario.search.exhaustive && scenario.search.faults_max == 0
}

/// Runs a group in the baseline order: each step begins when the previous one has ended or waits.
fn in_order(machine: &mut RealMachine, steps: &[Step]) -> Result<(), String> {
    let mut commands: Vec<(&RunStep, AwaitExit)> = Vec::new();
    for step in steps {
        match step {
            Step::Run(run) => commands.push((run, begin(machine, run)?)),
            other => perform_step(machine, other)?,
        }
        observe::wait_for_quiet(machine);
    }
    commands.into_iter().try_for_each(|(run, await_exit)| expect::command(run, &await_exit()?))
}

/// Runs a group concurrently: starts the commands, performs the other steps, then waits for the commands.
pub(super) fn together(machine: &mut RealMachine, steps: &[Step]) -> Result<(), String> {
    let mut commands: Vec<(&RunStep, AwaitExit)> = Vec::new();
    for step in steps {
        if let Step::Run(run) = step {
            commands.push((run, begin(machine, run)?));
        }
    }
    for step in steps {
        if !matches!(step, Step::Run(_)) {
            perform_step(machine, step)?;
        }
    }
    let mut held = Ok(());
    for (run, await_exit) in commands {
        let output = await_exit()?;
        held = held.and(expect::command(run, &output));
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
            let start = Instant::now();
            act_on_container(machine, it.action, it.container, it.grace.0)?;
            let elapsed = start.elapsed();
            match it.within {
                Some(within) if elapsed > within.0 => {
                    Err(format!("took {} s", elapsed.as_secs_f32()))
                }
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
        other => change_file(machine, other),
    }
}

fn act_on_container(
    machine: &mut RealMachine,
    action: ContainerAction,
    name: ContainerName,
    grace: Duration,
) -> Result<(), String> {
    match action {
        ContainerAction::Start => machine.start(name),
        ContainerAction::Stop => machine.stop(name, grace),
        ContainerAction::Restart => machine.restart(name, grace),
        ContainerAction::Kill => machine.kill(name),
        ContainerAction::Recreate => machine.recreate(name).and_then(|()| machine.start(name)),
        ContainerAction::Pause => machine.pause(name),
        ContainerAction::Unpause => machine.unpause(name),
    }
}

/// Performs a step that changes files, as root.
fn change_file(machine: &RealMachine, step: &Step) -> Result<(), String> {
    let container: &dyn ContainerHandle = machine.container(ContainerName(1))?;
    let path = setup::absolute_path;
    match step {
        Step::Write(it) => setup::write_node(container, &it.write, &it.file),
        Step::Remove(it) => {
            setup::run_script(container, "rm -rf -- \"$1\"", &[&path(&it.remove)], b"")
        }
        Step::Move(it) => setup::run_script(
            container,
            "mv -T -- \"$1\" \"$2\"",
            &[&path(&it.from), &path(&it.to)],
            b"",
        ),
        Step::Copy(it) => setup::run_script(
            container,
            "cp -aT -- \"$1\" \"$2\"",
            &[&path(&it.copy), &path(&it.to)],
            b"",
        ),
        Step::Chmod(it) => {
            let mode = format!("{:04o}", it.mode.0);
            setup::run_script(container, "chmod -- \"$2\" \"$1\"", &[&path(&it.chmod), &mode], b"")
        }
        Step::Chown(it) => {
            let owner = uid(it.owner).to_string();
            setup::run_script(
                container,
                "chown -h -- \"$2:$2\" \"$1\"",
                &[&path(&it.chown), &owner],
                b"",
            )
        }
        other => Err(format!("this machine cannot `{}`", other.key())),
    }
}

/// Runs one of the tools of s6 as the owner of the tree.
fn run_s6_tool(
    machine: &RealMachine,
    container: ContainerName,
    argv: &[&str],
) -> Result<(), String> {
    let user = if machine.is_foreign() { User::Root } else { User::Hermes };
    // Its exit code is not checked: the scenario has expectations for the effect.
    machine.run(container, user, &machine.env(), argv).map(drop)
}

/// Finds the process that a step addresses.
fn find(
    machine: &RealMachine,
    container: ContainerName,
    target: &ProcessAddress,
) -> Option<HostProcess> {
    let all = machine.processes(container);
    let child_of = |parent: &HostProcess| {
        all.iter().find(|process| process.parent == parent.host_pid).cloned()
    };
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
