//! A story, step by step, on real containers. The first step that does not hold ends it.

use std::time::{Duration, Instant};

use rustix::process::Signal as RawSignal;

use super::inside::{Begun, uid};
use super::machine::Machine;
use super::processes::Process;
use super::{expect, look, setup, wait};
use crate::scenario::step::{RuntimeAct, Target};
use crate::scenario::words::{Signal, User};
use crate::scenario::world::Tree;
use crate::scenario::{Container, Run, Scenario, Step};

/// How long a boot may take to come to rest; what still moves then, as a gateway that fails for ever does, may go on.
const BOOT_MAX: Duration = Duration::from_secs(10);

/// Plays it from the beginning: `c1` is booted and settled, unless the story boots by itself.
pub(super) fn play(machine: &mut Machine, scenario: &Scenario) -> Result<(), String> {
    if !scenario.boots_by_itself() {
        machine.start(Container(1))?;
        wait_for_scanner(machine, scenario)?;
        look::settle(machine, BOOT_MAX);
    }
    for (index, step) in scenario.story.iter().enumerate() {
        machine.refresh()?;
        let held = match step {
            Step::Together(group) => together(machine, &group.together),
            one => together(machine, std::slice::from_ref(one)),
        };
        held.map_err(|what| format!("step {}, {}: {what}", index + 1, told(step)))?;
    }
    Ok(())
}

/// A container that was only just started is quiet, too.
fn wait_for_scanner(machine: &Machine, scenario: &Scenario) -> Result<(), String> {
    let is_guest = scenario.world.environment.get("HERMES_ROLE").is_some_and(|it| it == "guest");
    if scenario.world.tree == Tree::None || is_guest || !scenario.world.command.is_empty() {
        return Ok(());
    }
    look::wait_for_svscan(machine, Container(1))
}

/// A step in a few words.
fn told(step: &Step) -> String {
    match step {
        Step::Run(run) => format!("`{}`", run.run),
        other => format!("`{}`", other.key()),
    }
}

/// The commands are begun first, whatever else is together with them is done then, and then they are waited for.
fn together(machine: &mut Machine, steps: &[Step]) -> Result<(), String> {
    let mut begun: Vec<(&Run, Begun)> = Vec::new();
    for step in steps {
        if let Step::Run(run) = step {
            begun.push((run, begin(machine, run)?));
        }
    }
    for step in steps {
        if !matches!(step, Step::Run(_)) {
            act(machine, step)?;
        }
    }
    let mut held = Ok(());
    for (run, begun) in begun {
        let ended = begun.end()?;
        held = held.and(expect::command(run, &ended));
    }
    held
}

fn begin(machine: &Machine, run: &Run) -> Result<Begun, String> {
    let words = run.words();
    let argv: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut env = machine.env();
    env.extend(run.env.clone());
    machine.begin(run.container, run.user, &env, &argv)
}

fn act(machine: &mut Machine, step: &Step) -> Result<(), String> {
    match step {
        Step::Boot(it) => {
            if let Some(command) = &it.command {
                machine.set_command(it.boot, command)?;
            }
            machine.start(it.boot)
        }
        Step::Container(it) => {
            let began = Instant::now();
            runtime(machine, it.container, it.of, it.grace.0)?;
            let took = began.elapsed();
            match it.within {
                Some(within) if took > within.0 => Err(format!("took {} s", took.as_secs_f32())),
                _ => Ok(()),
            }
        }
        Step::Signal(it) => {
            let process = find(machine, it.container, &it.to)
                .ok_or_else(|| format!("no process is `{}`", it.to))?;
            process.signal(signal(it.signal));
            Ok(())
        }
        Step::Pass(it) => {
            wait::pass(it.pass.0);
            Ok(())
        }
        Step::Settle(it) => {
            look::settle(machine, it.settle.0);
            Ok(())
        }
        Step::Expect(it) => wait::within(it.expect.within.0, || expect::holds(machine, &it.expect)),
        Step::S6Svc(it) => {
            let slot = format!("{}/gateway-{}", machine.scan_dir(), it.profile);
            behind_our_back(machine, it.container, &["s6-svc", &it.options, &slot])
        }
        Step::S6Svscanctl(it) => {
            let dir = machine.scan_dir();
            behind_our_back(machine, it.container, &["s6-svscanctl", &it.options, &dir])
        }
        other => files(machine, other),
    }
}

fn runtime(
    machine: &mut Machine,
    act: RuntimeAct,
    of: Container,
    grace: Duration,
) -> Result<(), String> {
    match act {
        RuntimeAct::Start => machine.start(of),
        RuntimeAct::Stop => machine.stop(of, grace),
        RuntimeAct::Restart => machine.stop(of, grace).and_then(|()| machine.start(of)),
        RuntimeAct::Kill => machine.kill(of),
        RuntimeAct::Recreate => machine.recreate(of).and_then(|()| machine.start(of)),
        RuntimeAct::Pause | RuntimeAct::Unpause => Err("this machine cannot pause".to_owned()),
    }
}

/// Files are changed as root, from the host.
fn files(machine: &Machine, step: &Step) -> Result<(), String> {
    let life = machine.life(Container(1))?;
    let place = setup::place;
    match step {
        Step::Write(it) => setup::put(life, &it.write, &it.file),
        Step::Remove(it) => setup::sh(life, "rm -rf -- \"$1\"", &[&place(&it.remove)], b""),
        Step::Move(it) => {
            setup::sh(life, "mv -T -- \"$1\" \"$2\"", &[&place(&it.from), &place(&it.to)], b"")
        }
        Step::Copy(it) => {
            setup::sh(life, "cp -aT -- \"$1\" \"$2\"", &[&place(&it.copy), &place(&it.to)], b"")
        }
        Step::Chmod(it) => {
            let mode = format!("{:04o}", it.mode.0);
            setup::sh(life, "chmod -- \"$2\" \"$1\"", &[&place(&it.chmod), &mode], b"")
        }
        Step::Chown(it) => {
            let owner = uid(it.owner).to_string();
            setup::sh(life, "chown -h -- \"$2:$2\" \"$1\"", &[&place(&it.chown), &owner], b"")
        }
        other => Err(format!("this machine cannot `{}`", other.key())),
    }
}

/// One of s6's tools, as whoever owns the tree.
fn behind_our_back(machine: &Machine, container: Container, argv: &[&str]) -> Result<(), String> {
    let user = if machine.is_foreign() { User::Root } else { User::Hermes };
    // What it answers is its own affair: a story says what comes of it.
    machine.run(container, user, &machine.env(), argv).map(drop)
}

fn signal(signal: Signal) -> RawSignal {
    match signal {
        Signal::Hup => RawSignal::HUP,
        Signal::Int => RawSignal::INT,
        Signal::Quit => RawSignal::QUIT,
        Signal::Kill => RawSignal::KILL,
        Signal::Usr1 => RawSignal::USR1,
        Signal::Usr2 => RawSignal::USR2,
        Signal::Term => RawSignal::TERM,
        Signal::Cont => RawSignal::CONT,
        Signal::Stop => RawSignal::STOP,
    }
}

/// Whom a step means.
fn find(machine: &Machine, container: Container, target: &Target) -> Option<Process> {
    let all = machine.processes(container);
    let child_of = |of: &Process| all.iter().find(|it| it.parent == of.outer).cloned();
    let supervisor = |service: String| all.iter().find(|it| look::supervises(it, &service));
    match target {
        Target::Init => all.iter().find(|it| it.pid == 1).cloned(),
        Target::Gateway(name) => look::gateways(machine, container, &name.0).into_iter().next(),
        Target::Child(name) => child_of(look::gateways(machine, container, &name.0).first()?),
        Target::Supervisor(name) => supervisor(format!("gateway-{name}")).cloned(),
        Target::Logger(name) => child_of(supervisor(format!("gateway-{name}/log"))?),
        Target::Svscan => all.iter().find(|it| it.pid != 1 && it.program() == "s6-svscan").cloned(),
        Target::Main => child_of(supervisor("main".to_owned())?),
    }
}
