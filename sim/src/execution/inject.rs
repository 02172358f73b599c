//! Injects faults into an execution: errors, crashes, sleeps of the machine, and the restart after them. Chooses nothing.

use std::sync::Arc;
use std::time::Duration;

use hermes::host::effect::Signal;

use super::{Execution, Failure, Fault, StickyError};
use crate::machine::footprint;
use crate::machine::runtime;
use crate::machine::world::{ContainerId, ContainerPhase, ProcessId};
use crate::replay::Request;
use crate::scenario::{EffectKind, Span, TaskAddress};

impl Execution {
    pub(super) fn inject(&mut self, who: ProcessId, fault: &Fault) -> Result<(), Failure> {
        self.is_fault_free = false;
        match (fault, self.machine.world.process(who)) {
            (Fault::FailEffect(_) | Fault::FailEffectForGood(_), Some(process)) => {
                self.monitor.effect_refused(process.serial);
            }
            _ => self.monitor.process_signalled(true),
        }
        match fault {
            Fault::Kill => footprint::during_step(|| self.machine.send_signal(who, Signal::KILL)),
            Fault::ContainerKill => {
                runtime::kill(&mut self.machine.world, who.container);
                self.restarting.push(who.container);
            }
            Fault::ContainerRestart => {
                let grace = Span::seconds(10).0;
                runtime::stop(&mut self.machine.world, who.container, grace);
                self.restarting.push(who.container);
            }
            Fault::PowerCut(choice) => self.cut_power(*choice),
            Fault::Suspend(time) => self.suspend(*time),
            Fault::FailEffect(errno) => {
                let outcome = self.machine.refuse(who, *errno);
                self.record_outcome(&outcome)?;
            }
            Fault::FailEffectForGood(errno) => {
                let serial = self.machine.world.process(who).map(|process| process.serial);
                if let (Some(serial), Some(Request::Effect(effect))) =
                    (serial, self.machine.request(who))
                {
                    let kind = EffectKind::of(effect);
                    if matches!(
                        self.task_address(who),
                        Some(TaskAddress::Init(_) | TaskAddress::Tree(_))
                    ) {
                        self.monitor.boot_was_refused(&self.machine.world);
                    }
                    self.sticky_error =
                        Some(StickyError { serial, kind, object: None, errno: *errno });
                }
                let outcome = self.machine.refuse(who, *errno);
                self.record_outcome(&outcome)?;
            }
        }
        Ok(())
    }

    /// The machine sleeps. Both its clocks count that; the deadlines of the steps do not.
    fn suspend(&mut self, time: Duration) {
        self.machine.advance_to(self.machine.world.clock.boot + time);
        for progress in &mut self.step_progress {
            progress.extend_deadline(time);
        }
    }

    /// The power is cut and comes back; every container that ran is started again.
    pub(super) fn cut_power(&mut self, choice: u64) {
        let running: Vec<ContainerId> = self.running();
        runtime::cut_power(&mut self.machine.world, choice);
        let serials: Vec<u64> = self.commands.keys().copied().collect();
        self.monitor.commands_aborted(&self.machine.world, serials.into_iter());
        self.monitor.power_cut(&self.machine.world);
        for command in Arc::make_mut(&mut self.commands).values_mut() {
            command.is_running = false;
        }
        self.restarting = running;
    }

    fn running(&self) -> Vec<ContainerId> {
        let containers = self.machine.world.containers.iter();
        let running = containers
            .filter(|(_, container)| !matches!(container.phase, ContainerPhase::Exited(_)));
        running.map(|(&id, _)| id).collect()
    }

    /// Restarts every container, as an operator does after a fault.
    pub fn restart_containers(&mut self) {
        let ids: Vec<ContainerId> = self.machine.world.containers.keys().copied().collect();
        for id in ids {
            runtime::stop(&mut self.machine.world, id, Span::seconds(10).0);
            if !self.restarting.contains(&id) {
                self.restarting.push(id);
            }
        }
    }
}
