//! What befalls a run: a fault, a crash, a sleep of the machine, and the restart after them. Chooses nothing.

use std::sync::Arc;
use std::time::Duration;

use hermes::host::effect::Signal;

use super::{Deed, Failure, Play, Sticky};
use crate::machine::runtime;
use crate::machine::touched;
use crate::machine::world::{ContainerId, ContainerPhase, ProcessId};
use crate::replay::Request;
use crate::scenario::{Kind, Span, Task};

impl Play {
    pub(super) fn befall(&mut self, who: ProcessId, deed: &Deed) -> Result<(), Failure> {
        self.is_clean = false;
        match (deed, self.machine.world.process(who)) {
            (Deed::Refuse(_) | Deed::RefuseForGood(_), Some(process)) => {
                self.watch.effect_refused(process.serial);
            }
            _ => self.watch.process_signalled(true),
        }
        match deed {
            Deed::Kill => touched::during_step(|| self.machine.send_signal(who, Signal::KILL)),
            Deed::ContainerKill => {
                runtime::kill(&mut self.machine.world, who.container);
                self.restarting.push(who.container);
            }
            Deed::ContainerRestart => {
                let grace = Span::seconds(10).0;
                runtime::stop(&mut self.machine.world, who.container, grace);
                self.restarting.push(who.container);
            }
            Deed::PowerCut(choice) => self.cut_power(*choice),
            Deed::Suspend(time) => self.suspend(*time),
            Deed::Refuse(errno) => {
                let moved = self.machine.refuse(who, *errno);
                self.moved(&moved)?;
            }
            Deed::RefuseForGood(errno) => {
                let serial = self.machine.world.process(who).map(|process| process.serial);
                if let (Some(serial), Some(Request::Effect(effect))) =
                    (serial, self.machine.request(who))
                {
                    let kind = Kind::of(effect);
                    if matches!(self.task(who), Some(Task::Init(_) | Task::Tree(_))) {
                        self.watch.boot_was_refused(&self.machine.world);
                    }
                    self.sticky = Some(Sticky { serial, kind, touches: None, errno: *errno });
                }
                let moved = self.machine.refuse(who, *errno);
                self.moved(&moved)?;
            }
        }
        Ok(())
    }

    /// The machine sleeps. Both its clocks count that; whoever watches the story sleeps, too.
    fn suspend(&mut self, time: Duration) {
        self.machine.advance_to(self.machine.world.clock.boot + time);
        for doing in &mut self.doing {
            doing.put_off(time);
        }
    }

    /// The power goes and comes back; every container that ran is started again.
    pub(super) fn cut_power(&mut self, choice: u64) {
        let ran: Vec<ContainerId> = self.running();
        runtime::cut_power(&mut self.machine.world, choice);
        let serials: Vec<u64> = self.commands.keys().copied().collect();
        self.watch.commands_aborted(&self.machine.world, serials.into_iter());
        self.watch.power_cut(&self.machine.world);
        for command in Arc::make_mut(&mut self.commands).values_mut() {
            command.is_running = false;
        }
        self.restarting = ran;
    }

    fn running(&self) -> Vec<ContainerId> {
        let containers = self.machine.world.containers.iter();
        let running = containers.filter(|(_, it)| !matches!(it.phase, ContainerPhase::Exited(_)));
        running.map(|(&id, _)| id).collect()
    }

    /// Restarts every container: what an operator does after a fault.
    pub fn restart_all(&mut self) {
        let ids: Vec<ContainerId> = self.machine.world.containers.keys().copied().collect();
        for id in ids {
            runtime::stop(&mut self.machine.world, id, Span::seconds(10).0);
            if !self.restarting.contains(&id) {
                self.restarting.push(id);
            }
        }
    }
}
