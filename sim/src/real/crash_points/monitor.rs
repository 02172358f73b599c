//! The simulator's monitor, applied to a real machine. Whether a real machine is at rest can only be observed by looking
//! again; therefore a check that must hold at rest is repeated until it holds, or until a deadline.

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

/// The machine is at rest if nothing has changed for this long.
const QUIET: Duration = Duration::from_millis(250);

/// After this time the machine is checked even if something still changes or hangs between up and down: a crash may leave
/// it so.
const SETTLE_MAX: Duration = Duration::from_secs(2);

/// A booted machine comes to rest within this time, however loaded it is.
const BOOT_SETTLE_MAX: Duration = Duration::from_secs(15);

/// Pause between two observations: each reads all of `/proc`.
const STEP: Duration = Duration::from_millis(25);

/// The failure of a boot that has not yet started a supervisor.
pub(super) const NOT_SUPERVISED: &str = "the scan directory is not supervised yet";

/// A real machine with a monitor.
pub(super) struct RealMonitor<'a> {
    pub(super) machine: RealMachine,
    pub(super) scenario: &'a Scenario,
    monitor: Monitor,
    /// Number of commands so far: each needs a serial number of its own.
    commands: u64,
}

/// The point in a run at which the invariants are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checkpoint {
    /// All commands are over.
    AtRest,
    /// The containers were started, and nothing else has happened since.
    Booted,
}

impl<'a> RealMonitor<'a> {
    /// The current state counts as the requested one.
    pub(super) fn new(mut machine: RealMachine, scenario: &'a Scenario) -> Result<Self, String> {
        let invariants: Vec<_> = scenario.required_invariants().into_iter().collect();
        let monitor = Monitor::new(&world_reader::read(&mut machine, scenario)?, &invariants);
        Ok(Self { machine, scenario, monitor, commands: 0 })
    }

    pub(super) fn world(&mut self) -> Result<World, String> {
        world_reader::read(&mut self.machine, self.scenario)
    }

    /// Files were changed from outside.
    pub(super) fn record_outside_change(&mut self) -> Result<(), String> {
        let world = self.world()?;
        self.monitor.changed_from_outside(&world);
        Ok(())
    }

    /// A process was killed.
    pub(super) fn record_kill(&mut self) {
        self.monitor.process_signalled(true);
    }

    /// A system call of a boot failed.
    pub(super) fn record_boot_refusal(&mut self) -> Result<(), String> {
        let world = self.world()?;
        self.monitor.boot_was_refused(&world);
        Ok(())
    }

    /// A command starts; returns its serial number.
    pub(super) fn record_command_start(&mut self, words: &[String]) -> Result<u64, String> {
        self.commands += 1;
        // Above every pid of the host.
        let serial = u64::from(u32::MAX) + self.commands;
        let world = self.world()?;
        self.monitor.command_started(&world, serial, words, crate::machine::image::HERMES_UID);
        Ok(serial)
    }

    /// An effect of the command failed.
    pub(super) fn record_refusal(&mut self, serial: u64) {
        self.monitor.effect_refused(serial);
    }

    /// The command has ended, by itself or by a signal.
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
        let exited = StepOutcome::Exited { who, serial, code };
        let checked = self.monitor.after_step(&world, &exited, Some(&printed));
        checked.map_err(|violation| violation.to_string())
    }

    /// Waits until the machine is at rest, every invariant holds, and `status` tells the truth.
    pub(super) fn check_in_time(&mut self, when: Checkpoint) -> Result<(), String> {
        self.retry_until_settled(|monitor| monitor.check_now(when))
    }

    /// The same check, once, on the current state.
    pub(super) fn check_now(&mut self, when: Checkpoint) -> Result<(), String> {
        let world = self.world()?;
        // Without a supervisor no invariant can be violated, and on a loaded machine its start takes a while.
        if when == Checkpoint::Booted
            && invariants::quiescence::supervised_scan_dir(&world).is_none()
        {
            return Err(NOT_SUPERVISED.to_owned());
        }
        let mut monitor = self.monitor.clone();
        let checked = match when {
            Checkpoint::AtRest => monitor.check_at_rest(&world),
            Checkpoint::Booted => monitor.check_after_boot(&world),
        };
        let checked = checked.and_then(|()| self.check_status(&world));
        checked.map_err(|violation| violation.to_string())?;
        self.monitor = monitor;
        Ok(())
    }

    /// Waits until the machine is at rest and `check` succeeds.
    pub(super) fn retry_until_settled(
        &mut self,
        mut check: impl FnMut(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let end = Instant::now() + wait::PATIENCE;
        loop {
            self.settle(SETTLE_MAX)?;
            match check(self) {
                Err(_) if Instant::now() < end => {}
                last => return last,
            }
        }
    }

    /// Waits until the machine is at rest after a crash, or until the deadline.
    pub(super) fn settle_after_fault(&mut self) -> Result<(), String> {
        self.settle(SETTLE_MAX)
    }

    /// Waits until nothing changes, at most this long.
    fn settle(&mut self, duration_max: Duration) -> Result<(), String> {
        self.machine.refresh()?;
        let start = Instant::now();
        let (mut last, mut since) = (observe::take_snapshot(&self.machine), start);
        while start.elapsed() < duration_max {
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

    /// Everything that users and programs can observe, once the machine is at rest.
    pub(super) fn fingerprint(&mut self) -> Result<Fingerprint, String> {
        self.settle(BOOT_SETTLE_MAX)?;
        let mut last = invariants::fingerprint(&self.world()?);
        // Reading takes a while, and a loaded machine may change meanwhile.
        for _ in 0..10 {
            let now = invariants::fingerprint(&self.world()?);
            if now == last {
                break;
            }
            last = now;
        }
        Ok(last)
    }

    fn check_status(&self, world: &World) -> Result<(), Violation> {
        if invariants::quiescence::supervised_scan_dir(world).is_none() {
            return Ok(());
        }
        let argv = ["hermes", "gateway", "status", "--all", "--json"];
        let output = self.machine.run(ContainerName(1), User::Hermes, &self.machine.env(), &argv);
        let stdout = output.map(|output| output.out).unwrap_or_default();
        invariants::check_status(world, stdout.as_bytes())
    }
}
