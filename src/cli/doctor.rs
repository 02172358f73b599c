//! `hermes doctor`: one line a check, and advice for each that fails. Changes nothing.

mod foreign;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::exit::Exit;
use super::output::Output;
use super::session::Session;
use crate::detect::Manager;
use crate::error::{Errno, HostError, if_present};
use crate::host::effect::OpenMode;
use crate::host::{Host, fs};
use crate::name::Profile;
use crate::ops::home::{self, SurveyEntry};
use crate::ops::{profiles, status};
use crate::record::config;
use crate::role;
use crate::supervisor::Supervisor as _;

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Fine,
    Warning,
    Failure,
}

/// One check.
struct Finding {
    level: Level,
    subject: String,
    message: String,
}

/// Makes all checks.
pub(super) async fn run<H: Host>(session: &Session<'_, H>, output: &Output<'_, H>) -> Exit {
    let mut findings = vec![check_manager(session)];
    if session.manager == Manager::S6 {
        findings.push(check_tools(session).await);
        findings.extend(check_scan_dir(session).await);
        findings.push(check_role(session).await);
    }
    let caveats = session.backend.caveats().await;
    findings.extend(caveats.into_iter().map(|message| Finding::warning("reboot", message)));
    findings.push(check_home(session).await);
    findings.extend(check_profiles(session).await);
    let failed = findings.iter().any(|finding| finding.level == Level::Failure);
    let text: String = findings.iter().map(Finding::line).collect();
    let objects: Vec<Value> = findings.iter().map(Finding::to_json).collect();
    match output.print_report(json!({ "ok": !failed, "checks": objects }), &text).await {
        Exit::Done if failed => Exit::Failed,
        printed => printed,
    }
}

impl Finding {
    fn fine(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level: Level::Fine, subject: subject.into(), message: message.into() }
    }

    fn warning(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level: Level::Warning, subject: subject.into(), message: message.into() }
    }

    fn failure(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level: Level::Failure, subject: subject.into(), message: message.into() }
    }

    fn line(&self) -> String {
        let mark = match self.level {
            Level::Fine => '✓',
            Level::Warning => '!',
            Level::Failure => '✗',
        };
        format!("{mark} {}: {}\n", self.subject, self.message)
    }

    fn to_json(&self) -> Value {
        let level = match self.level {
            Level::Fine => "ok",
            Level::Warning => "warning",
            Level::Failure => "failure",
        };
        json!({ "level": level, "about": self.subject, "says": self.message })
    }
}

fn check_manager<H>(session: &Session<'_, H>) -> Finding {
    match session.manager {
        Manager::S6 | Manager::Systemd(_) | Manager::Launchd | Manager::Windows => {
            Finding::fine("supervisor", session.manager.label())
        }
        Manager::Foreground => Finding::warning(
            "supervisor",
            "PID 1 is not s6-svscan: the container's command is the gateway",
        ),
        Manager::None => {
            Finding::warning("supervisor", "none: gateways run in the foreground only")
        }
    }
}

async fn check_tools<H: Host>(session: &Session<'_, H>) -> Finding {
    let bin_dir = session.invocation.var("HERMES_S6_BIN_DIR").map(Into::into);
    let tools = crate::backend::s6::Tools::find(session.host, bin_dir).await;
    for tool in ["s6-svc", "s6-svscanctl", "s6-svstat", "s6-log"] {
        let there = match tools.path(tool) {
            Ok(path) => fs::meta(session.host, &path).await.is_ok(),
            Err(_) => false,
        };
        if !there {
            return Finding::failure("s6 tools", tools.missing(tool).to_string());
        }
    }
    Finding::fine("s6 tools", tools.dir_for_scripts().display().to_string())
}

/// Which user owns the tree, and does its s6-svscan listen to us?
async fn check_scan_dir<H: Host>(session: &Session<'_, H>) -> Vec<Finding> {
    let subject = format!("scan directory {}", session.scan_dir.display());
    vec![match control_fifo_meta(session).await {
        Ok(control) if control.uid == session.operator.uid => {
            Finding::fine(subject, "ours, and s6-svscan listens")
        }
        Ok(control) => return foreign::findings(&subject, control.uid),
        Err(error) if error.errno == Errno::NXIO => {
            Finding::failure(subject, "no s6-svscan listens: restart the container")
        }
        Err(error) if error.errno == Errno::ACCESS => Finding::failure(
            subject,
            format!("{error}: it belongs to another user's s6, whose boot hook must hand it over"),
        ),
        Err(error) => Finding::failure(subject, error.to_string()),
    }]
}

/// The FIFO of an s6-svscan that listens to us. Its owner runs that s6-svscan, whatever user owns the directory.
async fn control_fifo_meta<H: Host>(
    session: &Session<'_, H>,
) -> Result<crate::host::effect::Meta, HostError> {
    let path = session.scan_dir.join(".s6-svscan/control");
    // Opened and closed without a write: s6-svscan reads nothing from that.
    let control = fs::open_no_link(session.host, &path, OpenMode::Write).await?;
    let meta = fs::handle_meta(session.host, &control).await;
    fs::close(session.host, control).await?;
    meta
}

async fn check_role<H: Host>(session: &Session<'_, H>) -> Finding {
    match role::is_claimed(session.host, &session.layout).await {
        Ok(true) => Finding::fine("role", "a container supervises this home"),
        Ok(false) => {
            Finding::warning("role", "no container of ours has claimed this home as its supervisor")
        }
        Err(error) => Finding::failure("role", error.to_string()),
    }
}

async fn check_home<H: Host>(session: &Session<'_, H>) -> Finding {
    let root = session.layout.root();
    let subject = format!("home {}", root.display());
    match if_present(fs::meta(session.host, root).await) {
        Ok(Some(meta)) if meta.uid == session.operator.uid || session.operator.uid == 0 => {
            Finding::fine(subject, "ours")
        }
        Ok(Some(meta)) => Finding::failure(
            subject,
            format!("it belongs to uid {}, we are {}", meta.uid, session.operator.uid),
        ),
        Ok(None) => Finding::warning(subject, "not there yet: the first profile makes it"),
        Err(error) => Finding::failure(subject, error.to_string()),
    }
}

async fn check_profiles<H: Host>(session: &Session<'_, H>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let survey = match home::survey(session.host, &session.layout).await {
        Ok(survey) => survey,
        Err(error) => return vec![Finding::failure("profiles", error.to_string())],
    };
    let mut profiles = vec![Profile::default_profile()];
    for found in survey {
        match found {
            SurveyEntry::Profile(profile) => profiles.push(profile),
            SurveyEntry::Misnamed(name, error) => {
                findings.push(Finding::warning(format!("directory {name}"), error.to_string()));
            }
            SurveyEntry::Unreadable(name, error) => {
                findings.push(Finding::failure(format!("directory {name}"), error.to_string()));
            }
            SurveyEntry::Unfinished(name, _) => findings.push(Finding::warning(
                format!("directory {name}"),
                "an unfinished create or delete: the next boot takes it away",
            )),
        }
    }
    findings.extend(check_ports(session, &profiles).await);
    for profile in &profiles {
        findings.extend(check_profile(session, profile).await);
    }
    findings
}

/// Two gateways cannot listen on one port.
async fn check_ports<H: Host>(session: &Session<'_, H>, profiles: &[Profile]) -> Vec<Finding> {
    let mut by_port: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for profile in profiles {
        let port = profiles::port_of(session.host, &session.layout, profile).await;
        by_port.entry(port).or_default().push(profile.as_str());
    }
    let shared = by_port.into_iter().filter(|(_, names)| names.len() > 1);
    let finding = |(port, names): (u16, Vec<&str>)| {
        let message = format!("is that of {}: set `port` in their gateway.toml", names.join(", "));
        Finding::warning(format!("port {port}"), message)
    };
    shared.map(finding).collect()
}

async fn check_profile<H: Host>(session: &Session<'_, H>, profile: &Profile) -> Vec<Finding> {
    let (host, layout) = (session.host, &session.layout);
    let subject = format!("profile '{profile}'");
    let mut findings = Vec::new();
    if let Err(error) = config::read(host, &layout.config(profile)).await {
        findings.push(Finding::failure(&subject, error.to_string()));
    }
    if matches!(session.manager, Manager::Foreground | Manager::None) {
        return findings;
    }
    match status::read_report(host, layout, &session.backend, profile).await {
        Ok(report) => {
            findings.extend(report.notes.iter().map(|note| Finding::warning(&subject, note)));
            let drifts: Vec<&str> = report.drifts.iter().map(status::Drift::as_str).collect();
            findings.push(match drifts.is_empty() {
                true => {
                    Finding::fine(&subject, format!("as asked: {}", report.inferred_intent.intent))
                }
                false => Finding::failure(&subject, format!("not as asked: {}", drifts.join(", "))),
            });
        }
        Err(error) => findings.push(Finding::failure(&subject, error.to_string())),
    }
    findings
}
