//! A gateway's report as text and as JSON. Pure.

use serde_json::{Value, json};

use crate::detect::Manager;
use crate::host::effect::Status;
use crate::ops::status::{Drift, StatusReport, Verdict};
use crate::supervisor::{Presence, ProcessState, TargetState, describe_exit};

/// One line.
pub(super) fn line(report: &StatusReport, manager: Manager) -> String {
    let mark = match report.verdict() {
        Verdict::Up => '●',
        Verdict::Down => '○',
        Verdict::Drift => '✗',
    };
    let mut line = format!(
        "{mark} {}  {}, intent {}",
        report.profile,
        process_words(report, manager),
        report.inferred_intent.intent
    );
    for drift in &report.drifts {
        line.push_str(", ");
        line.push_str(&drift_words(drift, manager));
    }
    line.push('\n');
    line
}

/// Several lines.
pub(super) fn paragraph(report: &StatusReport, manager: Manager) -> String {
    let mut text = line(report, manager);
    let mut row = |name: &str, value: String| text.push_str(&format!("    {name:<9}{value}\n"));
    row("Manager:", manager.label().to_owned());
    let asked = report.asked_at.as_ref().map_or(String::new(), |at| format!(", asked {at}"));
    row(
        "Intent:",
        format!(
            "{} (from {}){asked}",
            report.inferred_intent.intent,
            report.inferred_intent.source.as_str()
        ),
    );
    row(
        "Want:",
        format!(
            "{}, at start {}",
            target_word(report.service.target_state),
            target_word(report.service.at_start)
        ),
    );
    row("Gateway:", format!("{}, port {}", process_words(report, manager), report.port));
    if let Some(state) = &report.state.gateway_state {
        let reason = report.state.exit_reason.as_ref().map_or(String::new(), |r| format!(": {r}"));
        row("Noted:", format!("{state}{reason}"));
    }
    for drift in &report.drifts {
        row("Drift:", drift_words(drift, manager));
    }
    text
}

fn process_words(report: &StatusReport, manager: Manager) -> String {
    let service = &report.service;
    let seconds =
        report.state_age.map_or(String::new(), |for_| format!(" for {} s", for_.as_secs()));
    match (service.presence, service.process_state) {
        (Presence::Unregistered, _) if manager == Manager::S6 => "no slot".to_owned(),
        (Presence::Unregistered, _) => "not installed".to_owned(),
        (Presence::Unsupervised, _) => "nobody supervises it".to_owned(),
        (Presence::Foreground, _) => match report.orphan_pid {
            Some(Some(pid)) => format!("up in the foreground (process {pid})"),
            Some(None) => "up in the foreground".to_owned(),
            None => "down".to_owned(),
        },
        (_, ProcessState::Up { pid, ready: true }) => format!("up (pid {}){seconds}", pid.raw()),
        (_, ProcessState::Up { pid, ready: false }) => {
            format!("up (pid {}), not ready{seconds}", pid.raw())
        }
        (_, ProcessState::Finishing) => "ending".to_owned(),
        (_, ProcessState::Down { last: Some(last) }) => {
            format!("down ({}){seconds}", describe_exit(last))
        }
        (_, ProcessState::Down { last: None }) => "down, never started".to_owned(),
    }
}

fn drift_words(drift: &Drift, manager: Manager) -> String {
    if manager != Manager::S6 {
        if let Some(text) = host_drift_words(drift, manager) {
            return text;
        }
    }
    match drift {
        Drift::Unregistered => "it has no slot: `hermes boot reconcile` makes one".to_owned(),
        Drift::Unsupervised => {
            "s6-svscan does not know its slot: `hermes boot reconcile`".to_owned()
        }
        Drift::WantedDown => "s6 was told to keep it down, not by hermes".to_owned(),
        Drift::WantedUp => "s6 was told to keep it up, not by hermes".to_owned(),
        Drift::Down { last: Some(last) } => {
            format!("it ended ({}) and is started again", describe_exit(*last))
        }
        Drift::Down { last: None } => "it does not run".to_owned(),
        Drift::Up { pid } => format!("it still runs (pid {})", pid.raw()),
        Drift::NotReady { failures: 0, .. } => "it is starting".to_owned(),
        Drift::NotReady { failures, retry_in: Some(seconds) } => {
            format!("it failed {failures} times and tries again in {seconds} s")
        }
        Drift::NotReady { failures, retry_in: None } => {
            format!("it failed {failures} times, and is starting")
        }
        Drift::FailedPermanently => "its configuration is wrong: it is not tried again".to_owned(),
        Drift::AtStart => "the `down` file of its slot says the opposite of the intent".to_owned(),
        Drift::Paused => "a signal stopped it: it does not move".to_owned(),
        Drift::LogStuck => {
            "its log is stuck: the logger cannot write or does not move, and what the gateway says waits or is lost".to_owned()
        }
        Drift::Orphan { pid: Some(pid) } => format!("a gateway lives outside its slot (pid {pid})"),
        Drift::Orphan { pid: None } => "a gateway lives outside its slot".to_owned(),
    }
}

/// Texts of drifts that name s6 or a part of it, for other supervisors.
fn host_drift_words(drift: &Drift, manager: Manager) -> Option<String> {
    let name = manager.as_str();
    Some(match drift {
        Drift::Unregistered => "it is not installed: `hermes gateway install`".to_owned(),
        Drift::Unsupervised => format!("{name} cannot load it: `hermes gateway install` mends it"),
        Drift::WantedDown => format!("{name} was told to keep it down, not by hermes"),
        Drift::WantedUp => format!("{name} was told to keep it up, not by hermes"),
        Drift::AtStart => format!("{name} will do the opposite of the intent after a reboot"),
        Drift::Orphan { pid: Some(pid) } => {
            format!("a gateway lives that {name} does not know (pid {pid})")
        }
        Drift::Orphan { pid: None } => format!("a gateway lives that {name} does not know"),
        _ => return None,
    })
}

fn target_word(target_state: TargetState) -> &'static str {
    match target_state {
        TargetState::Up => "up",
        TargetState::Down => "down",
    }
}

/// The JSON object.
pub(super) fn report_json(report: &StatusReport) -> Value {
    let (fact, ready, last) = match report.service.process_state {
        ProcessState::Up { ready, .. } => ("up", ready, None),
        ProcessState::Finishing => ("finishing", false, None),
        ProcessState::Down { last } => ("down", false, last),
    };
    let verdict = match report.verdict() {
        Verdict::Up => "up",
        Verdict::Down => "down",
        Verdict::Drift => "drift",
    };
    json!({
        "profile": report.profile.as_str(),
        "verdict": verdict,
        "intent": report.inferred_intent.intent.as_str(),
        "intent_source": report.inferred_intent.source.as_str(),
        "intent_at": report.asked_at,
        "presence": match report.service.presence {
            Presence::Unregistered => "unregistered",
            Presence::Unsupervised => "unsupervised",
            Presence::Supervised => "supervised",
            Presence::Foreground => "foreground",
        },
        "want": target_word(report.service.target_state),
        "at_start": target_word(report.service.at_start),
        "fact": fact,
        "pid": report.service.pid().map(|pid| pid.raw()),
        "ready": ready,
        "paused": report.service.paused,
        "for_seconds": report.state_age.map(|for_| for_.as_secs()),
        "last_exit_code": match last { Some(Status::Exited(code)) => Some(code), _ => None },
        "last_signal": match last { Some(Status::Signalled(signal)) => Some(signal.0), _ => None },
        "gateway_state": report.state.gateway_state,
        "exit_reason": report.state.exit_reason,
        "failures": report.state.failures,
        "port": report.port,
        "drifts": report.drifts.iter().map(Drift::as_str).collect::<Vec<_>>(),
        "notes": report.notes,
    })
}
