//! Runs `systemctl` and `loginctl` and parses their failures. They speak to the machine's systemd or to the user's.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::super::tool::{self, ToolCall};
use crate::detect::Scope;
use crate::host::effect::{Finished, Program};
use crate::host::{Host, fs};
use crate::supervisor::{Cause, SupervisorError};

const PLACES: [&str; 2] = ["/usr/bin", "/bin"];

/// Variables of ours without which a user's systemd cannot be found.
const PASSED: [&str; 4] =
    ["HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "XDG_CONFIG_HOME"];

/// The programs, and the user they are run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Systemctl {
    dirs: Vec<PathBuf>,
    scope: Scope,
    env: BTreeMap<OsString, OsString>,
}

impl Systemctl {
    pub(super) fn new(
        scope: Scope,
        uid: u32,
        env: &BTreeMap<OsString, OsString>,
        bin_dir: Option<PathBuf>,
    ) -> Self {
        let passed =
            |name: &&str| env.get(OsStr::new(*name)).map(|value| (name.into(), value.clone()));
        let mut env: BTreeMap<OsString, OsString> = PASSED.iter().filter_map(passed).collect();
        // Neither `su` nor cron sets it; where systemd keeps it is no secret.
        env.entry("XDG_RUNTIME_DIR".into()).or_insert_with(|| format!("/run/user/{uid}").into());
        // Time stamps and texts look the same everywhere.
        env.insert("TZ".into(), "UTC".into());
        env.insert("LC_ALL".into(), "C".into());
        let dirs =
            bin_dir.map_or_else(|| PLACES.iter().map(PathBuf::from).collect(), |dir| vec![dir]);
        Self { dirs, scope, env }
    }

    /// The same programs for another systemd.
    pub(super) fn with_scope(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// `systemctl [--user] ACTION ARGS…`: what it printed.
    pub(super) async fn run_action<H: Host>(
        &self,
        host: &H,
        action: &'static str,
        service: &str,
        args: &[&str],
    ) -> Result<String, SupervisorError> {
        let mut arguments: Vec<OsString> = vec!["--no-ask-password".into()];
        if self.scope == Scope::User {
            arguments.push("--user".into());
        }
        arguments.push(action.into());
        arguments.extend(args.iter().map(OsString::from));
        let finished = self.run(host, "systemctl", action, service, arguments).await?;
        Ok(String::from_utf8_lossy(&finished.stdout).into_owned())
    }

    /// Does the user's systemd start at boot, and stay when the last session ends? `None` if that cannot be found out.
    pub(super) async fn lingers<H: Host>(&self, host: &H, uid: u32) -> Option<bool> {
        let args = ["show-user".into(), uid.to_string().into(), "--property=Linger".into()];
        let answer = self.run(host, "loginctl", "show-user", "", args.to_vec()).await;
        match answer {
            Ok(finished) => Some(String::from_utf8_lossy(&finished.stdout).trim() == "Linger=yes"),
            // "User ID 10000 is not logged in or lingering".
            Err(SupervisorError::Command { stderr, .. }) if stderr.contains("lingering") => {
                Some(false)
            }
            Err(_) => None,
        }
    }

    async fn run<H: Host>(
        &self,
        host: &H,
        tool: &'static str,
        action: &'static str,
        service: &str,
        args: Vec<OsString>,
    ) -> Result<Finished, SupervisorError> {
        let program = self.program(host, tool, args).await?;
        let act = ToolCall { tool, action, service, timeout: tool::TIMEOUT };
        tool::run(host, act, program, |_, stderr| cause(stderr)).await
    }

    /// The command line of one of the programs.
    pub(super) async fn program<H: Host>(
        &self,
        host: &H,
        tool: &'static str,
        args: Vec<OsString>,
    ) -> Result<Program, SupervisorError> {
        let path = self.find(host, tool).await?;
        Ok(Program { path, args, env: self.env.clone(), ..Program::default() })
    }

    async fn find<H: Host>(
        &self,
        host: &H,
        tool: &'static str,
    ) -> Result<PathBuf, SupervisorError> {
        for dir in &self.dirs {
            let path = dir.join(tool);
            if fs::meta(host, Path::new(&path)).await.is_ok() {
                return Ok(path);
            }
        }
        Err(self.missing(tool))
    }

    fn missing(&self, tool: &'static str) -> SupervisorError {
        SupervisorError::NoTool { tool, looked_in: self.dirs.clone() }
    }
}

/// systemctl has one exit code for nearly everything; these texts (in the C locale) tell the causes apart.
fn cause(stderr: &str) -> Cause {
    let has_any = |texts: &[&str]| texts.iter().any(|text| stderr.contains(text));
    if has_any(&[
        "Failed to connect to bus",
        "Failed to connect to user scope bus",
        "Failed to connect to system scope bus",
        "Can't operate",
        "Failed to get properties: Transport",
    ]) {
        Cause::NoBus
    } else if has_any(&["Access denied", "authentication required", "Permission denied"]) {
        Cause::Forbidden
    } else {
        Cause::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    // The texts of systemd 252 and of 257.
    #[rstest]
    #[case(
        "Failed to connect to user scope bus via local transport: No medium found",
        Cause::NoBus
    )]
    #[case("Failed to connect to bus: No medium found", Cause::NoBus)]
    #[case("Failed to connect to bus: No such file or directory", Cause::NoBus)]
    #[case("Failed to connect to bus: Operation not permitted", Cause::NoBus)]
    #[case(
        "System has not been booted with systemd as init system (PID 1). Can't operate.",
        Cause::NoBus
    )]
    #[case("Failed to stop dbus.service: Access denied", Cause::Forbidden)]
    #[case("Failed to start x: Interactive authentication required.", Cause::Forbidden)]
    #[case("Failed to start x.service: Unit x.service is masked.", Cause::Unknown)]
    fn the_cause_is_read_from_the_words(#[case] stderr: &str, #[case] expected: Cause) {
        assert_eq!(cause(stderr), expected);
    }

    #[test]
    fn the_runtime_directory_is_the_users_own_where_nobody_set_it() {
        let systemctl = Systemctl::new(Scope::User, 10_000, &BTreeMap::new(), None);
        let dir = systemctl.env.get(OsStr::new("XDG_RUNTIME_DIR"));
        assert_eq!(dir, Some(&OsString::from("/run/user/10000")));
    }
}
