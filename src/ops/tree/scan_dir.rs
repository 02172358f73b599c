//! What the gateways' scan directory holds beside slots: how its s6-svscan stops, in a way that cannot hang.
//!
//! Written and run as hermes. Renders the scripts and writes them; stops nothing itself.

use std::path::Path;

use crate::backend::s6::Tools;
use crate::error::HostError;
use crate::host::Host;
use crate::record::file;

/// Makes the directory if it is missing, and writes the scripts.
pub(super) async fn prepare(
    host: &impl Host,
    scan_dir: &Path,
    tools: &Tools,
) -> Result<(), HostError> {
    let own = scan_dir.join(".s6-svscan");
    file::make_dirs(host, &own, 0o755).await?;
    let stop = stop(&tools.dir_for_scripts().to_string_lossy());
    file::replace_unsynced(host, &own.join("SIGTERM"), stop.as_bytes(), 0o755).await?;
    file::replace_unsynced(host, &own.join("finish"), FINISH.as_bytes(), 0o755).await
}

/// A scanner that anybody stopped comes back, unless its service is being stopped: 0 and 3 mean other things.
const FINISH: &str = "#!/bin/sh\nexit 1\n";

/// s6-svscan runs one for each SIGTERM it gets: any number of them does no harm.
fn stop(bin: &str) -> String {
    let bin = format!("'{}'", bin.replace('\'', r"'\''"));
    format!(
        r#"#!/bin/sh
# Stops the gateways, then their loggers, then the scanner.
#
# The first line is enough, but for two cases in which the scanner would wait for ever: a scan was pending, and no
# supervisor was told (s6 2.12 to 2.15); or an orphan holds a logger's pipe, and that logger never sees its end.
# So whoever still runs is told here, once: another SIGTERM could disturb a gateway that drains.
bin={bin}
scanner=$PPID
"$bin/s6-svscanctl" -t .
sleep 0.2
while kill -0 "$scanner" 2>/dev/null; do
  for slot in */; do
    slot=${{slot%/}}
    if "$bin/s6-svok" "$slot" 2>/dev/null; then
      if test "$("$bin/s6-svstat" -o wantedup "$slot" 2>/dev/null)" = true; then
        "$bin/s6-svc" -dx "$slot" 2>/dev/null
      else
        "$bin/s6-svc" -x "$slot" 2>/dev/null
      fi
    elif test -d "$slot/log"; then
      # Its pipe may still hold lines: a logger that can read on has done so a second later.
      sleep 1
      "$bin/s6-svc" -dx "$slot/log" 2>/dev/null
    fi
  done
  sleep 0.5
done
"#
    )
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
        let tools = Tools::at("/command");
        assert_eq!(run_ready(prepare(&host, &scan_dir, &tools)), Ok(()));
        for name in ["SIGTERM", "finish"] {
            let script = scan_dir.join(".s6-svscan").join(name);
            let meta = run_ready(fs::link_meta(&host, &script));
            assert_eq!(meta.map(|meta| meta.mode & 0o777), Ok(0o755), "{name}");
        }
    }

    #[test]
    fn the_scripts_name_the_tools_by_absolute_path() {
        let script = stop("/command");
        assert!(script.contains("bin='/command'\n"));
        assert!(script.starts_with("#!/bin/sh\n") && FINISH.starts_with("#!/bin/sh\n"));
    }
}
