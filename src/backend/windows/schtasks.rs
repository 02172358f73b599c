//! Runs `schtasks` and parses its answers: the XML of a task, and columns by their position. Its texts are in the
//! machine's language, and it has one exit code for every failure; so neither is interpreted.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::super::tool::{self, ToolCall};
use crate::host::effect::{Program, Signal, Status};
use crate::host::{Host, fs};
use crate::supervisor::{Cause, SupervisorError, TargetState};

/// Variables of ours without which a program of Windows does not start.
const PASSED: [&str; 5] = ["HOME", "SystemRoot", "USERDOMAIN", "USERNAME", "USERPROFILE"];

/// The program, and the user it is run for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schtasks {
    dir: PathBuf,
    env: BTreeMap<OsString, OsString>,
}

impl Schtasks {
    pub(super) fn new(env: &BTreeMap<OsString, OsString>, bin_dir: Option<PathBuf>) -> Self {
        let root = env.get(OsStr::new("SystemRoot")).map_or(OsStr::new(r"C:\Windows"), |root| root);
        let dir = bin_dir.unwrap_or_else(|| Path::new(root).join("System32"));
        let passed = |name: &&str| Some((name.into(), env.get(OsStr::new(*name))?.clone()));
        Self { dir, env: PASSED.iter().filter_map(passed).collect() }
    }

    /// `schtasks ARGS…`: what it printed.
    pub(super) async fn run_action<H: Host>(
        &self,
        host: &H,
        action: &'static str,
        task: &str,
        args: &[&str],
    ) -> Result<String, SupervisorError> {
        let tool = "schtasks";
        // Windows finds a program without its suffix; a file must be named with it.
        for name in ["schtasks.exe", tool] {
            let path = self.dir.join(name);
            if fs::meta(host, &path).await.is_ok() {
                let args = std::iter::once(action).chain(args.iter().copied());
                let args = args.map(OsString::from).collect();
                let program = Program { path, args, env: self.env.clone(), ..Program::default() };
                let act = ToolCall { tool, action, service: task, timeout: tool::TIMEOUT };
                let finished = tool::run(host, act, program, |_, _| Cause::Unknown).await?;
                return Ok(String::from_utf8_lossy(&finished.stdout).into_owned());
            }
        }
        Err(SupervisorError::NoTool { tool, looked_in: vec![self.dir.clone()] })
    }
}

/// The names in `/Query /FO CSV /NH`: the first of three columns. A line that names no task is text for people.
pub(super) fn parse_names(list: &str) -> impl Iterator<Item = &str> {
    list.lines().filter_map(|line| line.strip_prefix('"')?.split('"').next())
}

/// Whether a task runs, and how its last run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TaskRun {
    pub(super) is_running: bool,
    pub(super) last: Option<Status>,
}

/// `SCHED_S_TASK_RUNNING`, `SCHED_S_TASK_HAS_NOT_RUN` and `SCHED_S_TASK_TERMINATED` (Task Scheduler error and success
/// constants), as the column `Last Result` has them.
const RUNNING: i64 = 0x41301;
const HAS_NOT_RUN: i64 = 0x41303;
const TERMINATED: i64 = 0x41306;

/// From `/Query /V /FO CSV /NH`, one line a trigger: the seventh column is `Last Result`.
pub(super) fn parse_run(verbose: &str) -> Result<TaskRun, String> {
    let line = verbose.lines().find(|line| line.starts_with('"'));
    let line = line.ok_or("schtasks does not tell its last result")?;
    let field = line.trim_matches('"').split("\",\"").nth(6).unwrap_or_default();
    let code: i64 = field.parse().map_err(|_| format!("its last result is {field:?}"))?;
    let last = match code {
        RUNNING | HAS_NOT_RUN => None,
        TERMINATED => Some(Status::Signalled(Signal::KILL)),
        code => u8::try_from(code).ok().map(Status::Exited),
    };
    Ok(TaskRun { is_running: code == RUNNING, last })
}

/// A task is enabled unless its settings say otherwise; triggers have an element of the same name.
pub(super) fn parse_at_start(task: &str) -> TargetState {
    let settings = task.split_once("<Settings>").map_or("", |(_, rest)| rest);
    let settings = settings.split("</Settings>").next().unwrap_or_default();
    match settings.contains("<Enabled>false</Enabled>") {
        true => TargetState::Down,
        false => TargetState::Up,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn the_names_of_tasks_are_read_and_what_is_for_people_is_not() {
        let list = "\r\nFolder: \\hermes\r\n\"\\hermes\\gateway-a\",\"N/A\",\"Ready\"\r\n\"\\x\",\"21.11.2026 10:00:00\",\"Wird ausgeführt\"\r\n";
        assert_eq!(parse_names(list).collect::<Vec<_>>(), [r"\hermes\gateway-a", r"\x"]);
    }

    #[rstest]
    #[case("267009", true, None)]
    #[case("267011", false, None)]
    #[case("267014", false, Some(Status::Signalled(Signal::KILL)))]
    #[case("78", false, Some(Status::Exited(78)))]
    #[case("-1073741510", false, None)]
    fn the_last_result_says_whether_it_runs(
        #[case] code: &str,
        #[case] is_running: bool,
        #[case] last: Option<Status>,
    ) {
        let line = format!(
            "\r\n\"PC\",\"\\hermes\\gateway-a\",\"N/A\",\"Laeuft\",\"Nur interaktiv\",\"21.11.2026 10:00:00\",\"{code}\",\"N/A\",\"cmd.exe \"/d\" x\"\r\n"
        );
        assert_eq!(parse_run(&line), Ok(TaskRun { is_running, last }));
    }

    #[rstest]
    #[case("", "schtasks does not tell its last result")]
    #[case("\"PC\",\"x\"", "its last result is \"\"")]
    fn what_cannot_be_understood_is_named(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(parse_run(text), Err(expected.to_owned()));
    }

    #[rstest]
    #[case("<Triggers><Enabled>false</Enabled></Triggers><Settings></Settings>", TargetState::Up)]
    #[case("<Settings><Enabled>true</Enabled></Settings>", TargetState::Up)]
    #[case("<Settings><Enabled>false</Enabled></Settings>", TargetState::Down)]
    fn a_disabled_task_is_known(#[case] task: &str, #[case] expected: TargetState) {
        assert_eq!(parse_at_start(task), expected);
    }
}
