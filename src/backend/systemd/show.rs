//! Parses what `systemctl show` says of a unit. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::host::effect::{Pid, Signal, Status};
use crate::supervisor::{Presence, ProcessState, Service, TargetState};

/// The properties that are asked for.
pub(super) const PROPERTIES: &str = "--property=LoadState,ActiveState,SubState,UnitFileState,FragmentPath,MainPID,ExecMainCode,ExecMainStatus,StateChangeTimestamp,Job";

/// A unit as its systemd sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// The service, in the types of the seam.
    pub service: Service,
    /// The path of the mask, if an operator has masked it.
    pub masked: Option<PathBuf>,
}

/// Parses it; the error says what cannot be understood.
pub(super) fn parse(text: &str) -> Result<Shown, String> {
    let properties: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.split_once('=')).collect();
    let property = |name: &str| {
        properties.get(name).copied().ok_or_else(|| format!("systemctl does not tell its {name}"))
    };
    let number = |name: &str| {
        let value = property(name)?;
        value.parse::<i64>().map_err(|_| format!("its {name} is {value:?}"))
    };
    let load = property("LoadState")?;
    let (active, sub) = (property("ActiveState")?, property("SubState")?);
    let pid = Pid::new(number("MainPID")?);
    let last = parse_exit(number("ExecMainCode")?, number("ExecMainStatus")?);
    let has_job = !matches!(property("Job")?, "" | "0");
    let (target_state, process_state) = parse_state(active, sub, pid, last, has_job)?;
    let enabled = matches!(property("UnitFileState")?, "enabled" | "enabled-runtime");
    let service = Service {
        presence: match (load, process_state) {
            ("loaded" | "masked", _) | (_, ProcessState::Up { .. }) => Presence::Supervised,
            ("not-found", _) => Presence::Unregistered,
            _ => Presence::Unsupervised,
        },
        target_state,
        at_start: if enabled { TargetState::Up } else { TargetState::Down },
        process_state,
        since: stamp(property("StateChangeTimestamp")?)?,
        paused: false,
        is_reported: true,
    };
    let masked = (load == "masked").then(|| property("FragmentPath").map(PathBuf::from));
    Ok(Shown { service, masked: masked.transpose()? })
}

/// Target state and process state. systemd stores no target state: its pending job implies it.
fn parse_state(
    active: &str,
    sub: &str,
    pid: Option<Pid>,
    last: Option<Status>,
    has_job: bool,
) -> Result<(TargetState, ProcessState), String> {
    Ok(match (active, pid) {
        ("active" | "reloading" | "refreshing", Some(pid)) => {
            (TargetState::Up, ProcessState::Up { pid, ready: true })
        }
        ("active" | "reloading" | "refreshing", None) => (TargetState::Up, ProcessState::Finishing),
        ("activating", Some(pid)) if sub != "auto-restart" => {
            (TargetState::Up, ProcessState::Up { pid, ready: false })
        }
        ("activating", _) if sub.starts_with("auto-restart") => {
            (TargetState::Up, ProcessState::Down { last })
        }
        // Its condition is running: no process has ended yet.
        ("activating", _) => (TargetState::Up, ProcessState::Down { last: None }),
        ("deactivating", Some(pid)) => (TargetState::Down, ProcessState::Up { pid, ready: true }),
        ("deactivating", None) => (TargetState::Down, ProcessState::Finishing),
        // A job of a unit that is down can only be a start.
        ("inactive" | "failed", _) if has_job => (TargetState::Up, ProcessState::Down { last }),
        ("inactive" | "failed", _) => (TargetState::Down, ProcessState::Down { last }),
        _ => return Err(format!("its state is {active:?} ({sub})")),
    })
}

/// How it ended: the codes of `waitid(2)`.
fn parse_exit(code: i64, status: i64) -> Option<Status> {
    const EXITED: i64 = 1;
    const KILLED: i64 = 2;
    const DUMPED: i64 = 3;
    match code {
        EXITED => u8::try_from(status).ok().map(Status::Exited),
        KILLED | DUMPED => i32::try_from(status).ok().map(Signal).map(Status::Signalled),
        _ => None,
    }
}

/// `Sat 2026-11-21 09:52:37.310112 UTC`, with or without the fraction; empty for never.
fn stamp(text: &str) -> Result<Duration, String> {
    if text.is_empty() {
        return Ok(Duration::ZERO);
    }
    let odd = || format!("its StateChangeTimestamp is {text:?}");
    let mut parts = text.split(' ').skip(1);
    let (Some(date), Some(time), Some("UTC")) = (parts.next(), parts.next(), parts.next()) else {
        return Err(odd());
    };
    let stamp: jiff::Timestamp = format!("{date}T{time}Z").parse().map_err(|_| odd())?;
    Duration::try_from(stamp.as_duration()).map_err(|_| odd())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// From `ActiveState SubState MainPID ExecMainCode ExecMainStatus Job`.
    fn shown(unit: &str) -> Service {
        let mut parts = unit.split(' ');
        let mut word = || parts.next().expect("six words");
        let (active, sub, pid, code, status, job) =
            (word(), word(), word(), word(), word(), word());
        let text = format!(
            "MainPID={pid}\nExecMainCode={code}\nExecMainStatus={status}\nLoadState=loaded\nActiveState={active}\nSubState={sub}\nFragmentPath=/x\nUnitFileState=enabled\nStateChangeTimestamp=Sat 2026-11-21 09:52:37.310112 UTC\nJob={job}\n"
        );
        parse(&text).expect("all there").service
    }

    const fn exited(code: u8) -> ProcessState {
        ProcessState::Down { last: Some(Status::Exited(code)) }
    }

    fn up(ready: bool) -> ProcessState {
        ProcessState::Up { pid: Pid::new(9).expect("above 1"), ready }
    }

    const NEVER: ProcessState = ProcessState::Down { last: None };
    const KILLED: ProcessState = ProcessState::Down { last: Some(Status::Signalled(Signal::KILL)) };

    #[rstest]
    #[case("active running 9 0 0 0", TargetState::Up, up(true))]
    #[case("activating start 9 0 0 7", TargetState::Up, up(false))]
    #[case("activating condition 0 1 3 7", TargetState::Up, NEVER)]
    #[case("activating auto-restart 0 1 3 0", TargetState::Up, exited(3))]
    #[case("deactivating stop-sigterm 9 0 0 8", TargetState::Down, up(true))]
    #[case("deactivating final-sigkill 0 1 0 8", TargetState::Down, ProcessState::Finishing)]
    #[case("inactive dead 0 1 143 0", TargetState::Down, exited(143))]
    #[case("inactive dead 0 0 0 0", TargetState::Down, NEVER)]
    #[case::about_to_start("inactive dead 0 1 0 9", TargetState::Up, exited(0))]
    #[case("failed failed 0 1 78 0", TargetState::Down, exited(78))]
    #[case("failed failed 0 2 9 0", TargetState::Down, KILLED)]
    fn a_unit_is_read(
        #[case] unit: &str,
        #[case] target_state: TargetState,
        #[case] process_state: ProcessState,
    ) {
        let service = shown(unit);
        assert_eq!((service.target_state, service.process_state), (target_state, process_state));
        assert_eq!(service.since, Duration::from_micros(1_795_254_757_310_112));
    }

    #[test]
    fn a_unit_that_is_not_there_and_one_that_is_masked_are_known() {
        let rest = "ActiveState=inactive\nSubState=dead\nMainPID=0\nExecMainCode=0\nExecMainStatus=0\nUnitFileState=\nFragmentPath=/m\nStateChangeTimestamp=\nJob=\n";
        let absent = parse(&format!("LoadState=not-found\n{rest}")).expect("all there");
        assert_eq!(absent.service.presence, Presence::Unregistered);
        let masked = parse(&format!("LoadState=masked\n{rest}")).expect("all there");
        assert_eq!(masked.masked, Some(PathBuf::from("/m")));
    }

    #[rstest]
    #[case("", "systemctl does not tell its LoadState")]
    #[case(
        "LoadState=loaded\nActiveState=active\nSubState=x\nMainPID=many",
        "its MainPID is \"many\""
    )]
    fn what_cannot_be_understood_is_named(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(parse(text), Err(expected.to_owned()));
    }
}
