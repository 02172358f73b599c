//! A sequence of acts as data, and its strict reader. Carries nothing out.

use serde::{Deserialize, Serialize};

/// A sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// What it is about, in a few words.
    pub name: String,
    /// Where it comes from, if a difference was found there: what the fake did, and what the real ones do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What is done.
    pub steps: Vec<SequenceStep>,
}

/// What is done before the worlds are compared at rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SequenceStep {
    /// One act.
    One(SequenceAct),
    /// Several, one right after the other.
    Several(Vec<SequenceAct>),
}

impl SequenceStep {
    /// Its acts.
    pub fn acts(&self) -> &[SequenceAct] {
        match self {
            Self::One(act) => std::slice::from_ref(act),
            Self::Several(acts) => acts,
        }
    }

    /// For people.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// One act. Names of files are below the scan directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SequenceAct {
    /// A service directory appears, whole, under this name.
    Service {
        /// Its name.
        name: String,
        /// What it runs: one of [`PROGRAMS`].
        program: String,
        /// With a file `down`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        down: bool,
        /// With a logger.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        log: bool,
        /// Other files, by name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        files: Vec<(String, String)>,
    },
    /// A directory, mode 0755.
    Mkdir(String),
    /// A file is written; a script if its text begins with `#!`.
    Write(String, String),
    /// A symbolic link: its name, its target.
    Link(String, String),
    /// A FIFO, mode 0600.
    Fifo(String),
    /// A file, or a directory with all below it, goes.
    Remove(String),
    /// A name becomes another.
    Rename(String, String),
    /// Permission bits.
    Chmod(String, u32),
    /// s6-svscan starts as PID 1.
    Boot,
    /// One of s6's tools, as root.
    Tool(Vec<String>),
    /// The same as user 10000.
    ToolAsHermes(Vec<String>),
    /// A signal, by its name without SIG, for one of [`Whom`].
    Signal(String, SignalTarget),
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SignalTarget {
    /// PID 1.
    Svscan,
    /// The oldest s6-supervise of this name.
    Supervisor(String),
    /// Its child.
    Child(String),
}

/// Where everything happens.
pub const SCAN_DIR: &str = "/run/service";

/// The programs of services, as the scenarios write programs.
pub const PROGRAMS: [(&str, &str); 5] = [
    ("agent", "[]"),
    ("stubborn", r#"[{"on": "TERM", "do": "ignore"}]"#),
    ("ready", r#"[{"after": "100ms", "do": "ready-fd"}]"#),
    ("three", r#"[{"after": "10ms", "do": "exit 3"}]"#),
    ("usr1", r#"[{"on": "USR1", "do": "exit 7"}]"#),
];

/// A signal's number.
pub fn signal_number(name: &str) -> Result<i32, String> {
    const SIGNALS: [(&str, i32); 9] = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("KILL", 9),
        ("USR1", 10),
        ("TERM", 15),
        ("CONT", 18),
        ("STOP", 19),
        ("ALRM", 14),
    ];
    let found = SIGNALS.iter().find(|(known, _)| *known == name);
    found.map(|(_, number)| *number).ok_or_else(|| format!("no signal {name}"))
}

/// Reads a sequence; what is not in the format is an error with its line.
pub fn load(path: &str, text: &str) -> Result<Sequence, String> {
    let read: Result<Sequence, _> = serde_json::from_str(text);
    let sequence = read.map_err(|error| format!("{path}: {error}"))?;
    let acts = || sequence.steps.iter().flat_map(SequenceStep::acts);
    for act in acts() {
        let fault = match act {
            SequenceAct::Service { program, .. } => {
                (!PROGRAMS.iter().any(|(name, _)| name == program))
                    .then(|| format!("no program {program:?}"))
            }
            SequenceAct::Signal(name, _) => signal_number(name).err(),
            SequenceAct::Tool(words) | SequenceAct::ToolAsHermes(words) => {
                words.is_empty().then(|| "a tool without a name".to_owned())
            }
            _ => None,
        };
        if let Some(fault) = fault {
            return Err(format!("{path}: {fault}"));
        }
    }
    if !acts().any(|act| *act == SequenceAct::Boot) {
        return Err(format!("{path}: nothing boots"));
    }
    Ok(sequence)
}

/// The files of a service directory: path below it, text, mode.
pub fn service_files(act: &SequenceAct) -> Vec<(String, String, u32)> {
    let SequenceAct::Service { program, down, log, files, .. } = act else { return Vec::new() };
    let script = |program: &str| format!("#!/bin/sh\nexec /usr/bin/{program}\n");
    let mut made = vec![("run".to_owned(), script(program), 0o755)];
    if *down {
        made.push(("down".to_owned(), String::new(), 0o644));
    }
    if *log {
        made.push(("log/run".to_owned(), "#!/bin/sh\nexec /usr/bin/s6-log 1\n".to_owned(), 0o755));
    }
    made.extend(files.iter().map(|(name, text)| (name.clone(), text.clone(), mode_of(text))));
    made
}

/// A script may be executed.
pub fn mode_of(text: &str) -> u32 {
    if text.starts_with("#!") { 0o755 } else { 0o644 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fixture_is_a_sequence() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/conformance");
        let files = std::fs::read_dir(folder).expect("the fixtures");
        let mut names = Vec::new();
        for file in files {
            let path = file.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("UTF-8");
            let sequence = load(&path.display().to_string(), &text).expect("a sequence");
            names.push(sequence.name);
        }
        assert!(names.len() >= 60, "{}", names.len());
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "two have one name");
    }

    #[test]
    fn a_sequence_is_read_strictly() {
        let text = r#"{"name": "x", "steps": [
            {"service": {"name": "a", "program": "agent"}}, "boot",
            [{"tool": ["s6-svc", "-d", "/run/service/a"]}, {"signal": ["KILL", {"supervisor": "a"}]}]
        ]}"#;
        let sequence = load("x.json", text).expect("a sequence");
        assert_eq!(sequence.steps.iter().map(|step| step.acts().len()).sum::<usize>(), 4);
        for odd in ["\"agent\"}", "\"boot\"", "\"KILL\"", "\"name\": \"x\""] {
            assert!(load("x.json", &text.replace(odd, "\"odd\"")).is_err(), "{odd}");
        }
    }
}
