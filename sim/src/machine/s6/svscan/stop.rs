//! Supervisors that end, that are told to, and the scanner's own end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hermes::error::Errno;
use hermes::host::effect::{Program, Signal, Status};

use super::SvscanTurn;
use crate::machine::kernel::processes::{NewProcess, executable, make_process};
use crate::machine::kernel::signals;
use crate::machine::process::ProcessBody;
use crate::machine::process_footprint;
use crate::machine::state::svscan::{Nuke, ScannedService, ServicePart, Svscan, SvscanStage};
use crate::machine::syscalls;
use crate::machine::world::{ProcessId, S6Version, World};

/// 2.11 waits so long after a death.
const AFTER_DEATH: Duration = Duration::from_secs(1);

/// The exit of a child that could not become its program.
const NO_EXEC: u8 = 127;

/// A supervisor that has ended and was not reaped.
pub(super) fn ended_child(world: &World, who: ProcessId, own: &Svscan) -> Option<i32> {
    let pids = own.services.iter().flat_map(|service| [service.main.pid, service.logger_pid()]);
    pids.flatten().find(|&pid| {
        let child = world.process(ProcessId { container: who.container, pid });
        child.is_none_or(|child| !child.is_alive())
    })
}

impl Svscan {
    /// No supervisor is left to wait for.
    pub(super) fn is_empty(&self) -> bool {
        self.services.iter().all(ScannedService::is_dead)
    }
}

impl SvscanTurn<'_> {
    /// Hears of a supervisor's end. One that is wanted is started again: in 2.11 a second after its death and with a
    /// scan, since 2.12 a second after its start (V17, V18, V19).
    pub(super) fn reap(&mut self, pid: i32) {
        process_footprint::record_coming_or_going(self.world, ProcessId { pid, ..self.who });
        self.world.container_mut(self.who.container).processes.remove(&pid);
        let again = self.now() + AFTER_DEATH;
        let is_old = self.world.s6_version == S6Version::V2_11;
        let Some(index) = self.own.services.iter().position(|service| service.has(pid)) else {
            return;
        };
        let service = &mut self.own.services[index];
        let part =
            if service.main.pid == Some(pid) { ServicePart::Main } else { ServicePart::Logger };
        if let Some(supervisor) = service.part(part) {
            supervisor.pid = None;
            if is_old {
                supervisor.start_at = again;
            }
        }
        // Early, so that the logger comes to its end.
        let closed = match part {
            ServicePart::Main if !service.active => service.pipe.take(),
            _ => None,
        };
        self.close(closed);
        // What the last scan did not find is forgotten, even if it is back since.
        if self.own.stage == SvscanStage::Lives {
            self.drop_dead();
        }
    }

    /// Tells the supervisors of what the last scan did not find, unless a scan is still to come.
    pub(super) fn nuke(&mut self) {
        if self.own.scan_pending {
            return;
        }
        let Some(nuke) = self.own.nuke.take() else { return };
        let gone = self.own.services.iter().filter(|service| !service.active);
        let told: Vec<_> = gone.map(|service| (service.main.pid, service.logger_pid())).collect();
        for (main, logger) in told {
            self.signal_supervisors(main, logger, nuke);
        }
    }

    fn signal_supervisors(&mut self, main: Option<i32>, logger: Option<i32>, nuke: Nuke) {
        let logger_signal = match nuke {
            Nuke::Orderly => Signal::HUP,
            Nuke::All => Signal::TERM,
        };
        for (pid, signal) in [(main, Signal::TERM), (logger, logger_signal)] {
            if let Some(pid) = pid {
                signals::deliver(
                    self.world,
                    ProcessId { container: self.who.container, pid },
                    signal,
                );
            }
        }
    }

    /// Tells everybody, lets go of the pipes and waits. Since 2.12 nobody is told while a scan is pending, and it waits
    /// for ever (V23).
    pub(super) fn stop(&mut self, nuke: Nuke) {
        self.own.stage = SvscanStage::Stops;
        if self.own.scan_pending && self.world.s6_version != S6Version::V2_11 {
            return;
        }
        let services = std::mem::take(&mut self.own.services);
        for service in &services {
            self.signal_supervisors(service.main.pid, service.logger_pid(), nuke);
            self.close(service.pipe);
        }
        self.own.services = services;
        for service in &mut self.own.services {
            service.pipe = None;
        }
    }

    /// One step of the wait.
    pub(super) fn step_stop(&mut self) {
        if let Some(pid) = ended_child(self.world, self.who, &self.own) {
            self.reap(pid);
        }
        if self.own.is_empty() {
            self.finish();
        }
    }

    /// Becomes `.s6-svscan/finish`; without one it exits 0.
    pub(super) fn finish(&mut self) {
        self.own.stage = match self.become_script(".s6-svscan/finish") {
            Ok(()) => SvscanStage::Gone,
            Err(Errno::NOENT) => SvscanStage::Ends(0),
            Err(_) => match self.become_script(".s6-svscan/crash") {
                Ok(()) => SvscanStage::Gone,
                Err(_) => SvscanStage::Ends(111),
            },
        };
    }

    /// Starts `.s6-svscan/SIGxxx`; one that is not there, or cannot be executed, leaves the signal to s6-svscan (V32).
    pub(super) fn runs_script(&mut self, name: &str) -> bool {
        let path = Path::new(".s6-svscan").join(name);
        if executable(self.world, self.who, &path).is_err() {
            return false;
        }
        let own = syscalls::process(self.world, self.who);
        let mut inherited = own.inherited.clone();
        inherited.retain(|descriptor, _| (0..=2).contains(descriptor));
        let birth = NewProcess {
            parent: self.who.pid,
            serial: own.next_unique_number(),
            credentials: own.credentials.clone(),
            inherited,
            dies_with_parent: false,
        };
        let (cwd, env) = (own.cwd, (*own.env).clone());
        let body = ProcessBody::Svscan(self.own.clone());
        let child = make_process(self.world, self.who.container, birth, body);
        syscalls::process(self.world, child).cwd = cwd;
        let program = Program { path, env, ..Program::default() };
        if (self.load)(self.world, child, &program).is_err() {
            signals::end_process(self.world, child, Status::Exited(NO_EXEC));
        }
        true
    }

    fn become_script(&mut self, path: &str) -> Result<(), Errno> {
        let env = self.world.process(self.who).map(|own| (*own.env).clone()).unwrap_or_default();
        let program = Program { path: PathBuf::from(path), env, ..Program::default() };
        (self.load)(self.world, self.who, &program)
    }
}
