//! What the simulator's watch says of a real machine. "At rest" cannot be seen there but by looking again: what must hold
//! then holds in time, or does not.

use std::time::{Duration, Instant};

use super::super::exec::ExecOutput;
use super::super::machine::RealMachine;
use super::super::{observe, wait};
use super::world_reader;
use crate::invariants::{self, Fingerprint, Monitor, Violation};
use crate::machine::world::{ContainerId, ProcessId, World};
use crate::machine::{ProcessOutput, StepOutcome};
use crate::scenario::values::User;
use crate::scenario::{ContainerName, Scenario};

/// It counts as rest if nothing has moved for so long.
const QUIET: Duration = Duration::from_millis(250);

/// It is looked at after this time even if something still moves, or hangs between up and down: a crash may leave it so.
const SETTLE_MAX: Duration = Duration::from_secs(2);

/// Whoever has booted comes to rest, however loaded the machine is.
const BOOT_SETTLE_MAX: Duration = Duration::from_secs(15);

/// Between two looks: each reads all of `/proc`.
const STEP: Duration = Duration::from_millis(25);

/// What is said of a boot that has not come so far.
pub(super) const NOT_SUPERVISED: &str = "nobody supervises yet";

/// The machine that is watched.
pub(super) struct RealMonitor<'a> {
    pub(super) machine: RealMachine,
    pub(super) scenario: &'a Scenario,
    monitor: Monitor,
    /// Commands so far: each needs a number of its own.
    commands: u64,
}

/// When it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checkpoint {
    /// Whatever was done is over.
    AtRest,
    /// The containers were started, and nothing else was done since.
    Booted,
}

impl<'a> RealMonitor<'a> {
    /// What is so now is taken for what was asked.
    pub(super) fn new(mut machine: RealMachine, scenario: &'a Scenario) -> Result<Self, String> {
        let promised: Vec<_> = scenario.required_invariants().into_iter().collect();
        let watch = Monitor::new(&world_reader::read(&mut machine, scenario)?, &promised);
        Ok(Self { machine, scenario, monitor: watch, commands: 0 })
    }

    pub(super) fn world(&mut self) -> Result<World, String> {
        world_reader::read(&mut self.machine, self.scenario)
    }

    /// Somebody outside changed files.
    pub(super) fn record_outside_change(&mut self) -> Result<(), String> {
        let world = self.world()?;
        self.monitor.changed_from_outside(&world);
        Ok(())
    }

    /// Something was killed.
    pub(super) fn record_kill(&mut self) {
        self.monitor.process_signalled(true);
    }

    /// A boot was refused something.
    pub(super) fn record_boot_refusal(&mut self) -> Result<(), String> {
        let world = self.world()?;
        self.monitor.boot_was_refused(&world);
        Ok(())
    }

    /// A command begins; gives its number.
    pub(super) fn record_command_start(&mut self, words: &[String]) -> Result<u64, String> {
        self.commands += 1;
        // Above every number that the outside gives to processes.
        let serial = u64::from(u32::MAX) + self.commands;
        let world = self.world()?;
        self.monitor.command_started(&world, serial, words, crate::machine::image::HERMES_UID);
        Ok(serial)
    }

    /// An effect of it was refused.
    pub(super) fn record_refusal(&mut self, serial: u64) {
        self.monitor.effect_refused(serial);
    }

    /// It has ended, by itself or not.
    pub(super) fn record_command_end(
        &mut self,
        serial: u64,
        outcome: &ExecOutput,
    ) -> Result<(), String> {
        let world = self.world()?;
        let Some(code) = outcome.code else {
            self.monitor.process_signalled(true);
            self.monitor.commands_aborted(&world, std::iter::once(serial));
            return Ok(());
        };
        let who = ProcessId { container: ContainerId(1), pid: 0 };
        let (out, err) = (outcome.out.clone().into_bytes(), outcome.err.clone().into_bytes());
        let printed = ProcessOutput { who, gateway: None, stdout: out, stderr: err };
        let code = u8::try_from(code).map_err(|_| format!("it exited {code}"))?;
        let moved = StepOutcome::Exited { who, serial, code };
        let moved = self.monitor.after_step(&world, &moved, Some(&printed));
        moved.map_err(|breach| breach.to_string())
    }

    /// It comes to rest, all that is promised then holds, and `status` says what is so.
    pub(super) fn check_in_time(&mut self, when: Checkpoint) -> Result<(), String> {
        self.retry_until_settled(|watched| watched.check_now(when))
    }

    /// The same, as it is now.
    pub(super) fn check_now(&mut self, when: Checkpoint) -> Result<(), String> {
        let world = self.world()?;
        // Before anybody supervises nothing can be wrong with it, and on a loaded machine that takes a while.
        if when == Checkpoint::Booted
            && invariants::quiescence::supervised_scan_dir(&world).is_none()
        {
            return Err(NOT_SUPERVISED.to_owned());
        }
        let mut watch = self.monitor.clone();
        let looked = match when {
            Checkpoint::AtRest => watch.check_at_rest(&world),
            Checkpoint::Booted => watch.check_after_boot(&world),
        };
        let held = looked.and_then(|()| self.status(&world));
        held.map_err(|breach| breach.to_string())?;
        self.monitor = watch;
        Ok(())
    }

    /// It comes to rest, and this is so.
    pub(super) fn retry_until_settled(
        &mut self,
        mut look: impl FnMut(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let end = Instant::now() + wait::PATIENCE;
        loop {
            self.settle(SETTLE_MAX)?;
            match look(self) {
                Err(_) if Instant::now() < end => {}
                last => return last,
            }
        }
    }

    /// A crash is over, as far as it can be.
    pub(super) fn settle_after_fault(&mut self) -> Result<(), String> {
        self.settle(SETTLE_MAX)
    }

    /// Waits until nothing moves, at most so long.
    fn settle(&mut self, at_most: Duration) -> Result<(), String> {
        self.machine.refresh()?;
        let began = Instant::now();
        let (mut last, mut since) = (observe::take_snapshot(&self.machine), began);
        while began.elapsed() < at_most {
            wait::pass(STEP);
            let now = observe::take_snapshot(&self.machine);
            if now != last {
                (last, since) = (now, Instant::now());
            } else if since.elapsed() >= QUIET && observe::is_at_rest(&self.machine) {
                break;
            }
        }
        Ok(())
    }

    /// What people and programs can tell, once it has come to rest.
    pub(super) fn fingerprint(&mut self) -> Result<Fingerprint, String> {
        self.settle(BOOT_SETTLE_MAX)?;
        let mut last = invariants::fingerprint(&self.world()?);
        // A look takes a time, and what is loaded may move in it after all.
        for _ in 0..10 {
            let now = invariants::fingerprint(&self.world()?);
            if now == last {
                break;
            }
            last = now;
        }
        Ok(last)
    }

    fn status(&self, world: &World) -> Result<(), Violation> {
        if invariants::quiescence::supervised_scan_dir(world).is_none() {
            return Ok(());
        }
        let argv = ["hermes", "gateway", "status", "--all", "--json"];
        let said = self.machine.run(ContainerName(1), User::Hermes, &self.machine.env(), &argv);
        let said = said.map(|it| it.out).unwrap_or_default();
        invariants::check_status(world, said.as_bytes())
    }
}
