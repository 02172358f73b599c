//! A sequence of operations as data, and its strict reader. Performs nothing.

use serde::{Deserialize, Serialize};

/// A sequence of operations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// What it is about, in a few words.
    pub name: String,
    /// The difference that the sequence comes from, if any: what the fake did, and what the real ones do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// The steps, in order.
    pub steps: Vec<SequenceStep>,
}

/// The operations before the worlds are compared at rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SequenceStep {
    /// One operation.
    One(SequenceAct),
    /// Several, right after each other.
    Several(Vec<SequenceAct>),
}

impl SequenceStep {
    /// Its operations.
    pub fn acts(&self) -> &[SequenceAct] {
        match self {
            Self::One(act) => std::slice::from_ref(act),
            Self::Several(acts) => acts,
        }
    }

    /// The step as JSON, for messages.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// One operation. Names of files are relative to the scan directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SequenceAct {
    /// A complete service directory appears under this name.
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
    /// A file, or a directory with everything below it, is removed.
    Remove(String),
    /// A file gets another name.
    Rename(String, String),
    /// A file gets these permission bits.
    Chmod(String, u32),
    /// s6-svscan starts as PID 1.
    Boot,
    /// One of the tools of s6 runs, as root.
    Tool(Vec<String>),
    /// The same as user 10000.
    ToolAsHermes(Vec<String>),
    /// A signal, by its name without SIG, to this process.
    Signal(String, SignalTarget),
}

/// A process that gets a signal.
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

/// The scan directory of all sequences.
pub const SCAN_DIR: &str = "/run/service";

/// The programs of services, in the format of scenarios.
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

/// Reads a sequence; anything outside the format is an error with its line.
pub fn load(path: &str, text: &str) -> Result<Sequence, String> {
    let read: Result<Sequence, _> = serde_json::from_str(text);
    let sequence = read.map_err(|error| format!("{path}: {error}"))?;
    let acts = || sequence.steps.iter().flat_map(SequenceStep::acts);
    for act in acts() {
        let error = match act {
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
        if let Some(error) = error {
            return Err(format!("{path}: {error}"));
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
    let mut all = vec![("run".to_owned(), script(program), 0o755)];
    if *down {
        all.push(("down".to_owned(), String::new(), 0o644));
    }
    if *log {
        all.push(("log/run".to_owned(), "#!/bin/sh\nexec /usr/bin/s6-log 1\n".to_owned(), 0o755));
    }
    all.extend(files.iter().map(|(name, text)| (name.clone(), text.clone(), mode_of(text))));
    all
}

/// The mode of a file with this text: a script is executable.
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
