//! Starting `./run` and `./finish`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use hermes::error::Errno;
use hermes::host::effect::{Program, Status};

use super::SuperviseTurn;
use crate::machine::kernel::processes::{NewProcess, make_process};
use crate::machine::kernel::{files, signals};
use crate::machine::process::{OpenFile, ProcessBody};
use crate::machine::process_footprint;
use crate::machine::state::supervise::{SuperviseStage, SuperviseState};
use crate::machine::syscalls;
use crate::machine::world::{ProcessId, S6Version};

/// The exit of a child that could not become its program.
const NO_EXEC: u8 = 127;

impl SuperviseTurn<'_> {
    /// Starts the service; one that cannot be started is tried again much later (V8).
    pub(super) fn start(&mut self) {
        let mut inherited = self.streams();
        self.own.notification = None;
        if let Some(descriptor) = self.notification_descriptor() {
            let (read, write) = syscalls::pipe(self.world, self.who);
            let own = syscalls::process(self.world, self.who);
            let end = own.open_files.remove(&write).expect("a pipe has two ends");
            inherited.insert(descriptor, end);
            self.own.notification = Some(read);
        }
        let args = vec![self.own.name.clone()];
        match self.spawn("run", args, inherited) {
            Ok(child) => self.has_started(child),
            Err((child, _)) => {
                self.disown(child);
                self.close_notification();
                let again = if self.version() == S6Version::V2_11 { 10 } else { 60 };
                self.own.deadline = Some(self.now() + Duration::from_secs(again));
            }
        }
    }

    fn has_started(&mut self, child: ProcessId) {
        let stamp = self.stamp();
        let record = &mut self.own.record;
        (record.stamp, record.pid, record.ready, record.paused) = (stamp, child.pid, false, false);
        self.own.group = child.pid;
        self.own.ready_at = None;
        self.own.dying = false;
        self.own.deadline = None;
        self.own.stage = SuperviseStage::Lives(SuperviseState::Up);
        self.write_record();
    }

    /// Starts the finish script; whether there is one to wait for. 2.11 forks first, and waits for a child that could
    /// not become anything (V6).
    pub(super) fn start_finish(&mut self, end: Status) -> bool {
        let (code, signal) = match end {
            Status::Exited(code) => (u32::from(code), 0),
            Status::Signalled(signal) => (256, signal.0),
        };
        let mut args: Vec<OsString> =
            vec![code.to_string().into(), signal.to_string().into(), self.own.name.clone()];
        if self.version() != S6Version::V2_11 {
            args.push(self.own.group.to_string().into());
        }
        let streams = self.streams();
        let child = match self.spawn("finish", args, streams) {
            Ok(child) => child,
            Err((child, _)) if self.version() == S6Version::V2_11 => {
                signals::end_process(self.world, child, Status::Exited(NO_EXEC));
                child
            }
            Err((child, _)) => {
                self.disown(child);
                return false;
            }
        };
        self.own.record.pid = child.pid;
        self.own.record.finishing = true;
        let within = self.finish_within();
        self.own.deadline = within.map(|within| self.now() + within);
        true
    }

    /// Standard input and output, as it has them itself.
    fn streams(&self) -> BTreeMap<i32, OpenFile> {
        let own = self.world.process(self.who).map(|own| own.inherited.clone()).unwrap_or_default();
        own.into_iter().filter(|(descriptor, _)| (0..=2).contains(descriptor)).collect()
    }

    /// A child in a session of its own. One that could not become the program is given back with the reason.
    fn spawn(
        &mut self,
        file: &str,
        args: Vec<OsString>,
        inherited: BTreeMap<i32, OpenFile>,
    ) -> Result<ProcessId, (ProcessId, Errno)> {
        let own = syscalls::process(self.world, self.who);
        let birth = NewProcess {
            parent: self.who.pid,
            serial: own.next_unique_number(),
            credentials: own.credentials.clone(),
            inherited,
            dies_with_parent: false,
        };
        let (cwd, env) = (own.cwd, BTreeMap::clone(&own.env));
        let body = ProcessBody::Supervise(self.own.clone());
        let child = make_process(self.world, self.who.container, birth, body);
        syscalls::process(self.world, child).cwd = cwd;
        let path = match self.version() {
            S6Version::V2_11 => PathBuf::from(file),
            _ => PathBuf::from(format!("./{file}")),
        };
        let program = Program { path, args, env, ..Program::default() };
        match (self.load)(self.world, child, &program) {
            Ok(()) => Ok(child),
            Err(errno) => Err((child, errno)),
        }
    }

    /// A child that never was anything.
    fn disown(&mut self, child: ProcessId) {
        let held = std::mem::take(&mut syscalls::process(self.world, child).inherited);
        self.reap(child.pid);
        let closed: Vec<OpenFile> = held.into_values().collect();
        files::release_open_files(self.world, &closed);
    }

    pub(super) fn reap(&mut self, pid: i32) {
        let child = ProcessId { pid, ..self.who };
        process_footprint::record_coming_or_going(self.world, child);
        self.world.container_mut(self.who.container).processes.remove(&pid);
    }

    pub(super) fn close_notification(&mut self) {
        if let Some(handle) = self.own.notification.take() {
            syscalls::close_handle(self.world, self.who, handle);
        }
    }
}
