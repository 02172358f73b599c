//! One look at the scan directory: what is new is started, what is gone is marked.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hermes::host::effect::{Effect, FileKind, Meta, Place};

use super::SvscanTurn;
use crate::machine::kernel::processes::{NewProcess, make_process};
use crate::machine::process::{OpenFile, ProcessBody};
use crate::machine::state::supervise::Supervise;
use crate::machine::state::svscan::{
    ScannedService, ServiceLimit, ServicePart, SupervisorProcess, Svscan,
};
use crate::machine::syscalls;
use crate::machine::world::S6Version;

/// The least time between two starts of one supervisor.
const THROTTLE: Duration = Duration::from_secs(1);

impl Svscan {
    /// When something is due by itself.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let dead = |supervisor: &&SupervisorProcess| supervisor.pid.is_none();
        let parts = self
            .services
            .iter()
            .filter(|service| service.active)
            .flat_map(|service| [Some(&service.main), service.logger.as_ref()]);
        let starts = parts.flatten().filter(dead).map(|supervisor| supervisor.start_at);
        starts.chain(self.scan_at).min()
    }

    fn count(&self) -> usize {
        match self.limit {
            ServiceLimit::Services(_) => self.services.len(),
            ServiceLimit::Processes(_) => {
                self.services.iter().map(|it| 1 + usize::from(it.logger.is_some())).sum()
            }
        }
    }

    fn has_room(&self, logged: bool) -> bool {
        match self.limit {
            ServiceLimit::Services(max) => self.count() < max,
            ServiceLimit::Processes(max) => self.count() + 1 + usize::from(logged) <= max,
        }
    }
}

pub(super) fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
}

impl SvscanTurn<'_> {
    /// Reads the directory. In 2.11 what cannot be looked at is left out and looked at again in 3 s; since 2.12 it ends
    /// the scan, which is tried again (V21, V22).
    pub(super) fn scan(&mut self) {
        let is_old = self.world.s6_version == S6Version::V2_11;
        self.own.scan_at = None;
        self.own.scan_pending = true;
        let mut seen = Vec::new();
        for name in syscalls::names_here(self.world, self.who) {
            if is_hidden(&name) {
                continue;
            }
            let again = match syscalls::stat(self.world, self.who, Path::new(&name)) {
                Ok(meta) if meta.kind != FileKind::Directory => continue,
                Ok(meta) => match self.check(&name, &meta, &mut seen) {
                    true => continue,
                    false => 60,
                },
                Err(_) if is_old => 3,
                Err(_) => 4,
            };
            if !is_old || again == 3 {
                self.own.scan_at = Some(self.now() + Duration::from_secs(again));
            }
            if !is_old {
                return;
            }
        }
        self.own.scan_pending = false;
        for service in &mut self.own.services {
            service.active = seen.contains(&service.identity);
        }
        self.drop_dead();
        self.start_due();
    }

    /// One directory; whether there was room for it.
    fn check(&mut self, name: &OsStr, meta: &Meta, seen: &mut Vec<(u64, u64)>) -> bool {
        if seen.contains(&meta.identity) {
            return true;
        }
        let log = Path::new(name).join("log");
        let log = syscalls::stat(self.world, self.who, &log);
        let logged = log.is_ok_and(|meta| meta.kind == FileKind::Directory);
        let known = self.own.services.iter().position(|it| it.identity == meta.identity);
        let is_old = self.world.s6_version == S6Version::V2_11;
        let index = match known {
            Some(index) => index,
            None if self.own.has_room(logged) => {
                self.own.services.push(ScannedService {
                    identity: meta.identity,
                    name: name.to_owned(),
                    active: true,
                    main: SupervisorProcess::default(),
                    logger: None,
                    pipe: None,
                });
                self.own.services.len() - 1
            }
            None => return false,
        };
        seen.push(meta.identity);
        let service = &mut self.own.services[index];
        name.clone_into(&mut service.name);
        service.active = true;
        // Since 2.12 also for one that was not logged before (V28).
        if logged && service.logger.is_none() && (known.is_none() || !is_old) {
            service.logger = Some(SupervisorProcess::default());
        }
        if known.is_none() && !is_old {
            // Started at once, even if something after it ends this scan.
            self.start_parts(index);
        }
        true
    }

    /// What is neither there nor alive is forgotten.
    pub(super) fn drop_dead(&mut self) {
        let (gone, kept) = std::mem::take(&mut self.own.services)
            .into_iter()
            .partition::<Vec<_>, _>(|service| !service.active && service.is_dead());
        self.own.services = kept;
        for service in gone {
            self.close(service.pipe);
        }
    }

    pub(super) fn close(&mut self, pipe: Option<(u32, u32)>) {
        if let Some((read, write)) = pipe {
            syscalls::close_handle(self.world, self.who, read);
            syscalls::close_handle(self.world, self.who, write);
        }
    }

    /// Starts whatever is wanted, dead and due.
    pub(super) fn start_due(&mut self) {
        for index in 0..self.own.services.len() {
            if self.own.services[index].active {
                self.start_parts(index);
            }
        }
    }

    fn start_parts(&mut self, index: usize) {
        let service = &self.own.services[index];
        if service.logger.is_some() && service.pipe.is_none() {
            self.own.services[index].pipe = Some(syscalls::pipe(self.world, self.who));
        }
        for part in [ServicePart::Logger, ServicePart::Main] {
            let now = self.now();
            let due = self.own.services[index]
                .part(part)
                .is_some_and(|it| it.pid.is_none() && it.start_at <= now);
            if due {
                self.start_part(index, part);
            }
        }
    }

    fn start_part(&mut self, index: usize, part: ServicePart) {
        let service = &self.own.services[index];
        let (name, descriptor, handle) = match part {
            ServicePart::Main => (service.name.clone(), 1, service.pipe.map(|pipe| pipe.1)),
            ServicePart::Logger => {
                let name = Path::new(&service.name).join("log").into_os_string();
                (name, 0, service.pipe.map(|pipe| pipe.0))
            }
        };
        let pid = self.spawn(name, descriptor, handle);
        let now = self.now();
        if let Some(supervisor) = self.own.services[index].part(part) {
            *supervisor = SupervisorProcess { pid: Some(pid), start_at: now + THROTTLE };
        }
    }

    /// `s6-supervise NAME`, with one end of the pipe in place of a stream.
    fn spawn(&mut self, name: OsString, descriptor: i32, handle: Option<u32>) -> i32 {
        let own = syscalls::process(self.world, self.who);
        let mut inherited = own.inherited.clone();
        inherited.retain(|descriptor, _| (0..=2).contains(descriptor));
        if let Some(open) = handle.and_then(|handle| own.open_files.get(&handle)) {
            inherited.insert(descriptor, OpenFile::clone(open));
        }
        let (cwd, env, group) = (own.cwd, own.env.clone(), own.group);
        let birth = NewProcess {
            parent: self.who.pid,
            serial: own.next_unique_number(),
            credentials: own.credentials.clone(),
            inherited,
            dies_with_parent: false,
        };
        let body = ProcessBody::Supervise(Supervise::new(name.clone()));
        let child = make_process(self.world, self.who.container, birth, body);
        let supervisor = syscalls::process(self.world, child);
        (supervisor.cwd, supervisor.env, supervisor.group) = (cwd, env, group);
        "s6-supervise".clone_into(&mut supervisor.comm);
        supervisor.argv = Arc::new(vec!["s6-supervise".into(), name]);
        child.pid
    }

    pub(super) fn unlink(&mut self, path: &Path) {
        // What cannot be taken away stays.
        let _ =
            syscalls::perform(self.world, self.who, &Effect::Unlink { place: Place::from(path) });
    }
}
