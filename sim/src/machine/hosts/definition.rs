//! A unit, an agent or a task, as its manager parses it. Strict: an unknown line would be simulated wrongly.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::time::Duration;

use super::HostKind;
pub use crate::machine::state::manager::Definition;

/// Parses a definition; the error names what is not understood.
pub fn read(kind: HostKind, text: &str) -> Result<Definition, String> {
    match kind {
        HostKind::Systemd => unit(text),
        HostKind::Launchd => agent(text),
        HostKind::Windows => task(text),
    }
}

const EMPTY: Definition = Definition {
    command: Vec::new(),
    condition: None,
    env: BTreeMap::new(),
    kill_after: Duration::ZERO,
    restart_delay: Duration::ZERO,
    backoff: None,
    no_restart_codes: BTreeSet::new(),
    success_codes: BTreeSet::new(),
};

/// Lines of a unit that have no effect here; they must be exactly so.
const IGNORED_LINES: [&str; 9] = [
    "Type=notify",
    "Restart=always",
    "KillMode=mixed",
    "StartLimitIntervalSec=0",
    "TimeoutStartSec=infinity",
    "StandardError=inherit",
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "WantedBy=default.target",
];

fn unit(text: &str) -> Result<Definition, String> {
    let mut found = EMPTY;
    let (mut steps, mut longest) = (None, None);
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '['])) {
        let (key, value) = line.split_once('=').ok_or_else(|| format!("no assignment: {line}"))?;
        match key {
            "Environment" => found.env.extend(words(value).into_iter().filter_map(pair)),
            "ExecCondition" => found.condition = Some(command(value)),
            "ExecStart" => found.command = command(value),
            "RestartSec" => found.restart_delay = parse_duration(value)?,
            "RestartSteps" => steps = value.parse().ok(),
            "RestartMaxDelaySec" => longest = Some(parse_duration(value)?),
            "RestartPreventExitStatus" => found.no_restart_codes = codes(value)?,
            "SuccessExitStatus" => found.success_codes = codes(value)?,
            "TimeoutStopSec" => found.kill_after = parse_duration(value)?,
            "Description" | "StandardOutput" => {}
            "RestrictRealtime" | "RestrictSUIDSGID" if value == "yes" => {}
            _ if IGNORED_LINES.contains(&line) => {}
            _ => return Err(format!("a line that no manager here knows: {line}")),
        }
    }
    found.backoff = steps.zip(longest);
    require_command(found)
}

/// The words of a unit: separated by white space, grouped by double quotes; `%%` and `\x` stand for one letter.
fn words(text: &str) -> Vec<String> {
    let (mut all, mut word, mut is_quoted, mut is_word) = (Vec::new(), String::new(), false, false);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => (is_quoted, is_word) = (!is_quoted, true),
            ' ' if !is_quoted => {
                if std::mem::take(&mut is_word) {
                    all.push(std::mem::take(&mut word));
                }
            }
            '\\' | '%' => {
                is_word = true;
                word.extend(letters.next());
            }
            other => {
                is_word = true;
                word.push(other);
            }
        }
    }
    all.extend(is_word.then_some(word));
    all
}

fn command(value: &str) -> Vec<OsString> {
    words(value).into_iter().map(OsString::from).collect()
}

fn pair(word: String) -> Option<(OsString, OsString)> {
    let (name, value) = word.split_once('=')?;
    Some((name.into(), value.into()))
}

fn codes(value: &str) -> Result<BTreeSet<u8>, String> {
    let parsed = value.split(' ').map(|code| code.parse().map_err(|_| format!("no code: {code}")));
    parsed.collect()
}

fn parse_duration(value: &str) -> Result<Duration, String> {
    let parsed = match value.strip_suffix("ms") {
        Some(millis) => millis.parse().map(Duration::from_millis),
        None => value.trim_end_matches('s').parse().map(Duration::from_secs),
    };
    parsed.map_err(|_| format!("no time: {value}"))
}

fn require_command(found: Definition) -> Result<Definition, String> {
    match found.command.is_empty() {
        true => Err("it starts nothing".to_owned()),
        false => Ok(found),
    }
}

fn agent(text: &str) -> Result<Definition, String> {
    let mut found = EMPTY;
    let value = |key: &str| {
        let rest = text.split_once(&format!("<key>{key}</key>"))?.1;
        let rest = rest.split_once('>')?.1;
        Some(unescape(rest.split('<').next()?))
    };
    let seconds = |key: &str| {
        let number = value(key).and_then(|value| value.parse().ok());
        number.map(Duration::from_secs).ok_or_else(|| format!("no {key}"))
    };
    for must in ["<key>RunAtLoad</key>\n\t<true/>", "<key>SuccessfulExit</key>\n\t\t<false/>"] {
        if !text.contains(must) {
            return Err(format!("played only with {must}"));
        }
    }
    let array = inside(text, "<array>", "</array>").unwrap_or_default();
    found.command = strings(array).map(OsString::from).collect();
    for name in ["HERMES_HOME", "HERMES_SUPERVISOR", "HERMES_SUPERVISED_CHILD"] {
        found.env.extend(value(name).map(|value| (name.into(), value.into())));
    }
    found.restart_delay = seconds("ThrottleInterval")?;
    found.kill_after = seconds("ExitTimeOut")?;
    found.no_restart_codes = BTreeSet::from([0]);
    require_command(found)
}

fn strings(array: &str) -> impl Iterator<Item = String> {
    array.split("<string>").skip(1).filter_map(|part| Some(unescape(part.split('<').next()?)))
}

/// The time that Task Scheduler waits between `WM_CLOSE` and `TerminateProcess` is undocumented.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

fn task(text: &str) -> Result<Definition, String> {
    let mut found = EMPTY;
    let no = |what: &str| format!("no {what} that is played here");
    if !text.contains("<MultipleInstancesPolicy>IgnoreNew<") {
        return Err(no("IgnoreNew"));
    }
    let arguments = inside(text, "<Arguments>", "</Arguments>").map(unescape).unwrap_or_default();
    let line = arguments.strip_prefix(r#"/d /v:off /s /c ""#).and_then(|it| it.strip_suffix('"'));
    for part in line.ok_or_else(|| no("command line"))?.split("&&") {
        match part.strip_prefix("set ") {
            Some(set) => found.env.extend(pair(set.trim_matches('"').to_owned())),
            None => {
                let run = part.split(" >>").next().unwrap_or_default();
                found.command = command(&run.replace('\\', r"\\").replace('%', "%%"));
            }
        }
    }
    let interval = inside(text, "<Repetition>", "</Repetition>").unwrap_or_default();
    let minutes = inside(interval, "<Interval>PT", "M<").and_then(|minutes| minutes.parse().ok());
    let minutes: u64 = minutes.ok_or_else(|| no("repetition"))?;
    found.restart_delay = Duration::from_secs(60 * minutes);
    found.kill_after = CLOSE_WITHIN;
    require_command(found)
}

pub(super) fn inside<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    text.split_once(from)?.1.split(to).next()
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: &str = include_str!("../../../../fixtures/render/user-257-odd.service");
    const AGENT: &str = include_str!("../../../../fixtures/render/agent-odd.plist");
    const TASK: &str = include_str!("../../../../fixtures/render/task.xml");

    #[test]
    fn each_kind_is_read_from_what_the_backend_writes() {
        let home = OsString::from("/srv/100% <mine> & $HOME/back\\slash");
        for (kind, text) in [(HostKind::Systemd, UNIT), (HostKind::Launchd, AGENT)] {
            let found = read(kind, text).expect("rendered by us");
            assert_eq!(found.command, ["/opt/new & 100%/hermes", "gateway", "run"]);
            assert_eq!(found.env[&OsString::from("HERMES_HOME")], home, "{kind:?}");
        }
        let found = read(HostKind::Windows, TASK).expect("rendered by us");
        assert_eq!(found.command[3..], ["gateway", "run"]);
        assert_eq!(found.env[&OsString::from("HERMES_SUPERVISOR")], "windows");
        assert_eq!(found.restart_delay, Duration::from_secs(60));
    }

    #[test]
    fn a_unit_has_its_times_and_codes() {
        let found = read(HostKind::Systemd, UNIT).expect("rendered by us");
        assert_eq!(
            (found.kill_after, found.restart_delay),
            (parse_duration("1500ms").expect("a time"), parse_duration("500ms").expect("a time"))
        );
        assert_eq!(found.backoff, Some((8, Duration::from_secs(120))));
        assert_eq!((found.no_restart_codes, found.success_codes), ([78].into(), [75, 143].into()));
    }

    #[test]
    fn a_line_that_is_not_known_is_an_error() {
        assert!(
            read(HostKind::Systemd, &UNIT.replace("KillMode=mixed", "KillMode=process")).is_err()
        );
        assert!(read(HostKind::Windows, &TASK.replace("IgnoreNew", "Parallel")).is_err());
        assert!(read(HostKind::Launchd, &AGENT.replace("SuccessfulExit", "Crashed")).is_err());
    }
}
