//! Renders a profile's scheduled task as the XML that `schtasks /Create /XML` reads. Pure.
//!
//! A task has no environment and no log: `cmd.exe` sets the environment and opens the log. A task is not restarted
//! after it has ended: `RestartOnFailure` is for tasks that could not start ([MS-TSCH] 2.5.4.2). So a repeating trigger
//! starts the task whenever it does not run, and only one run at a time is allowed. No exit code forbids that, and no
//! pause grows: the gateway disables its own task when its configuration is wrong, and itself waits after failures.

use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::name::Profile;
use crate::supervisor::{ServiceSpec, TargetState};

/// The name by which Task Scheduler knows the gateway.
pub(super) fn task_name(profile: &Profile) -> String {
    format!("{FOLDER}{profile}")
}

/// The prefix of all our tasks' names.
pub(super) const FOLDER: &str = r"\hermes\gateway-";

/// The whole task, of the user with this name (`DOMAIN\NAME`).
pub fn render(spec: &ServiceSpec, user: &str, at_start: TargetState) -> String {
    let version = version(spec, user);
    let enabled = at_start == TargetState::Up;
    body(spec, user, &version, &enabled.to_string())
}

/// The version line: it tells whether a task equals the one that would be rendered, apart from being enabled. Task
/// Scheduler rewrites a task's XML, but keeps this line.
pub(super) fn version_line(spec: &ServiceSpec, user: &str) -> String {
    format!("<Version>{}</Version>", version(spec, user))
}

/// The prefix of the versions of all tasks of a home: two homes may have profiles of the same name.
pub(super) fn home_prefix(home: &Path) -> String {
    format!("<Version>{}.", digest(&home.to_string_lossy()))
}

fn version(spec: &ServiceSpec, user: &str) -> String {
    let home = digest(&spec.home.to_string_lossy());
    format!("{home}.{}", digest(&body(spec, user, "", "")))
}

/// Short, and in letters that survive every code page.
fn digest(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn body(spec: &ServiceSpec, user: &str, version: &str, enabled: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Version>{version}</Version>
    <Description>Gateway of profile {profile}. Made by hermes: `hermes -p {profile} gateway install` makes it anew.</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <UserId>{user}</UserId>
    </LogonTrigger>
    <TimeTrigger>
      <StartBoundary>2020-01-01T00:00:00</StartBoundary>
      <Repetition>
        <Interval>{interval}</Interval>
      </Repetition>
    </TimeTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>{user}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <AllowStartOnDemand>true</AllowStartOnDemand>
    <RestartOnFailure>
      <Interval>{interval}</Interval>
      <Count>255</Count>
    </RestartOnFailure>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <AllowHardTerminate>true</AllowHardTerminate>
    <StartWhenAvailable>true</StartWhenAvailable>
    <Enabled>{enabled}</Enabled>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>%SystemRoot%\System32\cmd.exe</Command>
      <Arguments>{arguments}</Arguments>
    </Exec>
  </Actions>
</Task>
"#,
        profile = spec.profile,
        user = escape(user),
        interval = minutes(spec.restart.delay.0),
        arguments = escape(&arguments(spec)),
    )
}

/// `/s` removes the outer quotes and leaves all others; inside quotes only `%` is special to `cmd.exe`.
fn arguments(spec: &ServiceSpec) -> String {
    let (program, home) = (spec.program.display(), spec.home.display());
    let log = spec.log_dir.join("current");
    let profile = match spec.profile.is_default() {
        true => String::new(),
        false => format!(" -p {}", spec.profile),
    };
    format!(
        r#"/d /v:off /s /c "set "HERMES_HOME={home}"&&set "HERMES_SUPERVISOR=windows"&&set "HERMES_SUPERVISED_CHILD=1"&&"{program}"{profile} gateway run >>"{log}" 2>&1""#,
        log = log.display()
    )
}

/// Can the command line of a task name this path?
pub(super) fn is_expressible(path: &Path) -> bool {
    path.to_str().is_some_and(|text| !text.contains(|c: char| c.is_control() || "\"%".contains(c)))
}

/// The longest pause that Task Scheduler accepts: 31 days.
const MINUTES_MAX: u64 = 31 * 24 * 60;

/// Whole minutes, rounded up, and never 0: Task Scheduler accepts no shorter pause.
fn minutes(duration: Duration) -> String {
    format!("PT{}M", duration.as_secs().div_ceil(60).clamp(1, MINUTES_MAX))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, "PT1M")]
    #[case(60, "PT1M")]
    #[case(61, "PT2M")]
    #[case(u64::MAX, "PT44640M")]
    fn pauses_are_whole_minutes_between_one_and_31_days(
        #[case] seconds: u64,
        #[case] expected: &str,
    ) {
        assert_eq!(minutes(Duration::from_secs(seconds)), expected);
    }

    #[rstest]
    #[case(r"C:\Users\a & b\.hermes", true)]
    #[case(r"C:\100%\hermes", false)]
    #[case("C:\\two\nlines", false)]
    fn a_path_that_no_command_line_can_name_is_known(#[case] path: &str, #[case] expected: bool) {
        assert_eq!(is_expressible(Path::new(path)), expected);
    }
}
