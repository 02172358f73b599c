//! `gateway.pid`: the identity of the live gateway, and of its child. Means nothing in another boot, and is swept
//! there.
//!
//! Whether the gateway lives is known from its lock, never from this file.

use std::path::Path;

use serde_json::{Map, Value};

use super::identity::Process;
use super::json::{self, Reading};
use crate::error::HostError;
use crate::host::Host;

/// The gateway that last took the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PidRecord {
    /// The gateway process.
    pub process: Process,
    /// The command it runs, once started; leader of its own process group.
    pub child: Option<Process>,
    /// True when a supervisor started it, so that a later one started by the supervisor may take over from it.
    pub supervised: bool,
}

/// Writes our identity.
pub async fn write(host: &impl Host, path: &Path, gateway: &PidRecord) -> Result<(), HostError> {
    let mut object = Map::new();
    gateway.process.write(&mut object, "");
    object.insert("supervised".to_owned(), gateway.supervised.into());
    if let Some(child) = &gateway.child {
        child.write(&mut object, "child_");
    }
    json::write(host, path, &object).await
}

/// Reads the identity that was written last.
pub async fn read(host: &impl Host, path: &Path) -> Reading<PidRecord> {
    json::read(host, path).await.and_then(path, |object| {
        let process = Process::read(&object, "").ok_or("it names no process")?;
        Ok(PidRecord {
            process,
            child: Process::read(&object, "child_"),
            supervised: object.get("supervised").and_then(Value::as_bool).unwrap_or(false),
        })
    })
}
