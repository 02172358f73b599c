//! The whole scan directory: how its s6-svscan stops in a way that cannot hang, and whether one of its services is ready.
//!
//! ```text
//!   s6-svscanctl -t ──► a moment ──► the scanner is gone?  ── no ──► supervisors that still run are told ──► again
//! ```
//!
//! `-t` is enough, but for two cases in which the scanner would wait for ever: a scan was pending, and no supervisor was
//! told (s6 2.12 to 2.15); or an orphan holds a logger's pipe, and that logger never sees its end.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{S6, control, status};
use crate::host::effect::{FileKind, OpenMode};
use crate::host::{Host, fs, time};
use crate::record::{file, identity};
use crate::supervisor::{Presence, ProcessState, Service, SupervisorError, TargetState};

/// A scanner whose services are well is gone within it.
const FIRST_LOOK: Duration = Duration::from_millis(200);

/// From one look at who still runs to the next.
const LOOK: Duration = Duration::from_millis(500);

/// A logger's pipe may still hold lines when its service has ended: a logger that can read on has done so this much later.
const LOGGER_PATIENCE: Duration = Duration::from_secs(1);

impl<H: Host> S6<'_, H> {
    /// What is so with a service of the scan directory.
    pub async fn service(&self, name: &str) -> Result<Service, SupervisorError> {
        status::read_service(self, &self.scan_dir.join(name)).await
    }

    /// Is a service of the scan directory up, and has it said that it is ready?
    pub async fn is_ready(&self, name: &str) -> Result<bool, SupervisorError> {
        let Service { presence, process_state, .. } = self.service(name).await?;
        Ok(presence == Presence::Supervised
            && matches!(process_state, ProcessState::Up { ready: true, .. }))
    }

    /// Stops the services, then their loggers, then the s6-svscan with this number. Returns when it is gone: somebody
    /// who supervises it, too, bounds that. It may be done any number of times at once.
    pub async fn stop_scanner(&self, scanner: u32) -> Result<(), SupervisorError> {
        let host = self.host;
        let started = identity::start_time(host, scanner).await;
        // A scanner that stops already reads no letters: supervisors that still run are told below.
        let _ = control::send_scanner_control(self, "stop", "-t").await;
        let started = started?;
        time::sleep(host, FIRST_LOOK).await?;
        wait!(begins);
        loop {
            wait!(round & ());
            // What cannot be read just now is there: it is looked at again.
            match identity::start_time(host, scanner).await {
                Ok(now) if now.is_none() || now != started => break,
                _ => {}
            }
            // Who could not be told just now is told at the next look.
            let _ = self.tell_who_still_runs().await;
            time::sleep(host, LOOK).await?;
        }
        wait!(ends);
        Ok(())
    }

    /// Supervisors are told to end; a service is told once, because another SIGTERM could disturb one that drains.
    async fn tell_who_still_runs(&self) -> Result<(), SupervisorError> {
        let (services, loggers) = self.supervised().await?;
        for (service, want) in services {
            if planted!(PendingScanForgotten) {
                break;
            }
            mark!("H49");
            self.tell_supervisor(&service, if want == TargetState::Up { "-dx" } else { "-x" })
                .await;
        }
        if loggers.is_empty() || planted!(OrphansLoggerForgotten) {
            return Ok(());
        }
        mark!("H50");
        time::sleep(self.host, LOGGER_PATIENCE).await?;
        for logger in loggers {
            self.tell_supervisor(&logger, "-dx").await;
        }
        Ok(())
    }

    /// Services that are supervised, with what they were told last, and loggers whose services are not.
    async fn supervised(
        &self,
    ) -> Result<(Vec<(PathBuf, TargetState)>, Vec<PathBuf>), SupervisorError> {
        let host = self.host;
        let (mut services, mut loggers) = (Vec::new(), Vec::new());
        for name in file::list_names(host, &self.scan_dir).await? {
            let slot = self.scan_dir.join(&name);
            let is_hidden = name.as_encoded_bytes().starts_with(b".");
            let is_dir = |kind| kind == FileKind::Directory;
            if is_hidden || !fs::meta(host, &slot).await.is_ok_and(|meta| is_dir(meta.kind)) {
                continue;
            }
            let log = slot.join("log");
            if self.has_supervisor(&slot).await {
                // What cannot be read was not told to end.
                let record = status::read_record(self, &slot).await.ok().flatten();
                services.push((slot, record.map_or(TargetState::Up, |record| record.target_state)));
            } else if self.has_supervisor(&log).await {
                loggers.push(log);
            }
        }
        Ok((services, loggers))
    }

    /// What cannot be looked at cannot be told either.
    async fn has_supervisor(&self, service: &Path) -> bool {
        let lock = service.join("supervise/lock");
        let Ok(lock) = fs::open(self.host, &lock, OpenMode::Read).await else { return false };
        let locked = fs::is_locked(self.host, &lock).await;
        let closed = fs::close(self.host, lock).await;
        locked.unwrap_or(false) && closed.is_ok()
    }

    async fn tell_supervisor(&self, service: &Path, letters: &'static str) {
        let args = [OsString::from(letters), service.into()];
        // It may have ended since it was looked at; one that has not is told again.
        let _ = control::run_tool(self, "s6-svc", "stop", &service.to_string_lossy(), args).await;
    }
}
