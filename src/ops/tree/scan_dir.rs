//! What the gateways' scan directory holds beside slots: how its s6-svscan stops, in a way that cannot hang.
//!
//! Written and run as hermes. Renders the scripts and writes them; stops nothing itself.

use std::path::Path;

use crate::error::HostError;
use crate::host::Host;
use crate::ops::init::quote;
use crate::record::file;

/// Makes the directory if it is missing, and writes the scripts.
pub(super) async fn prepare(
    host: &impl Host,
    scan_dir: &Path,
    program: &Path,
) -> Result<(), HostError> {
    let own = scan_dir.join(".s6-svscan");
    file::make_dirs(host, &own, 0o755).await?;
    file::replace_unsynced(host, &own.join("SIGTERM"), &stop(program), 0o755).await?;
    file::replace_unsynced(host, &own.join("finish"), FINISH.as_bytes(), 0o755).await
}

/// A stopped s6-svscan is started again, unless its service is being stopped: 0 and 3 mean other things.
const FINISH: &str = "#!/bin/sh\nexit 1\n";

/// s6-svscan runs one for each SIGTERM it gets. Its number is that of the script's parent.
fn stop(program: &Path) -> Vec<u8> {
    let mut stop = b"#!/bin/sh\n\
        # Stops the gateways, then their loggers, then the scanner.\n\
        exec "
        .to_vec();
    stop.extend(quote(program.as_os_str()));
    stop.extend_from_slice(b" boot stop \"$PPID\"\n");
    stop
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::host::fs;
    use crate::host::os::{OsHost, run_ready};

    #[test]
    fn both_scripts_are_there_and_can_be_executed() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let scan_dir = dir.path().join("service");
        let host = OsHost::new();
        assert_eq!(run_ready(prepare(&host, &scan_dir, Path::new("/hermes"))), Ok(()));
        for name in ["SIGTERM", "finish"] {
            let script = scan_dir.join(".s6-svscan").join(name);
            let meta = run_ready(fs::link_meta(&host, &script));
            assert_eq!(meta.map(|meta| meta.mode & 0o777), Ok(0o755), "{name}");
        }
    }

    #[test]
    fn a_stop_is_told_which_scanner_it_stops() {
        let script = String::from_utf8(stop(Path::new("/a dir/hermes"))).expect("text");
        assert_eq!(script.lines().last(), Some("exec '/a dir/hermes' boot stop \"$PPID\""));
    }
}
