//! `.gateway-planned-stop.json`: the marker tells a gateway that the SIGTERM it is about to get is planned.
//!
//! Only the process it names consumes it: pid, start time and boot must all be its own. The wall clock decides nothing.

use std::path::Path;

use serde_json::Map;

use super::file;
use super::identity::Process;
use super::json::{self, Reading};
use crate::error::HostError;
use crate::host::Host;

/// What was planned for the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopPlan {
    /// It shall stop and stay down.
    Stop,
    /// It shall stop and be started again.
    Restart,
}

impl StopPlan {
    fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}

/// The marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The process that shall stop.
    pub target: Process,
    /// What is planned for it.
    pub plan: StopPlan,
}

impl Marker {
    /// Does the marker name this very process?
    pub fn names(&self, process: &Process) -> bool {
        if planted!(MarkerByPidAlone) {
            return self.target.pid == process.pid;
        }
        planted!(MarkerForAnybody) || self.target == *process
    }
}

/// Writes the marker into the target's profile directory.
pub async fn write(
    host: &impl Host,
    path: &Path,
    marker: &Marker,
    stopper_pid: u32,
    written_at: &str,
) -> Result<(), HostError> {
    let mut object = Map::new();
    object.insert("schema".to_owned(), 1.into());
    marker.target.write(&mut object, "target_");
    object.insert("plan".to_owned(), marker.plan.as_str().into());
    object.insert("stopper_pid".to_owned(), stopper_pid.into());
    object.insert("written_at".to_owned(), written_at.into());
    json::write(host, path, &object).await
}

/// Reads the marker, whatever process it names.
pub async fn read(host: &impl Host, path: &Path) -> Reading<Marker> {
    json::read(host, path).await.and_then(path, |object| {
        let target = Process::read(&object, "target_").ok_or("it names no process")?;
        let plan = match object.get("plan").and_then(serde_json::Value::as_str) {
            None | Some("stop") => StopPlan::Stop,
            Some("restart") => StopPlan::Restart,
            Some(other) => return Err(format!("it plans {other:?}")),
        };
        Ok(Marker { target, plan })
    })
}

/// Removes the marker if it names this process, and returns what was planned. Another process's marker is left alone.
pub async fn consume(
    host: &impl Host,
    path: &Path,
    reader: &Process,
) -> Result<Option<StopPlan>, HostError> {
    match read(host, path).await.whole() {
        Some(marker) if marker.names(reader) => {
            file::remove(host, path).await?;
            Ok(Some(marker.plan))
        }
        Some(_) => {
            mark!("H4");
            Ok(None)
        }
        None => Ok(None),
    }
}
