//! What is compared: answers, and the world at rest, in words that both sides have.

use std::collections::BTreeMap;

/// What an act answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ActOutcome {
    /// It was done, or the kernel refused it with this errno.
    Done(Result<(), i32>),
    /// A tool ended so.
    Tool { code: i32, out: String, err: String },
    /// Nobody was there to be signalled.
    Nobody,
}

/// A world at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ComparedWorld {
    /// PID 1's end, if it has ended.
    pub(super) ended: Option<i32>,
    /// What lies in the scan directory, by path.
    pub(super) tree: BTreeMap<String, String>,
    /// Who lives, and how many of each.
    pub(super) processes: BTreeMap<String, usize>,
}

/// A node, in words.
#[derive(Clone, Debug)]
pub(super) struct ComparedNode {
    pub(super) kind: &'static str,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// A file's contents, a link's target.
    pub(super) bytes: Vec<u8>,
}

impl ComparedNode {
    /// What is compared of it. Status records are decoded; of other files only s6's own are told by their length.
    pub(super) fn describe(&self, path: &str, lives: impl Fn(u64) -> bool) -> String {
        let Self { kind, mode, uid, gid, bytes } = self;
        let status = match *kind {
            "link" => return format!("link to {}", String::from_utf8_lossy(bytes)),
            "file" if path.ends_with("supervise/status") => record(bytes, lives),
            "file" if path.ends_with("supervise/death_tally") => {
                // Twelve bytes of time, the exit code, the signal.
                let ends: Vec<_> = bytes.chunks(14).map(|it| it.get(12..).unwrap_or(it)).collect();
                format!("ends {ends:?}")
            }
            _ => String::new(),
        };
        format!("{kind} {mode:04o} {uid}:{gid} {status}")
    }
}

/// A status record without its stamps.
fn record(bytes: &[u8], lives: impl Fn(u64) -> bool) -> String {
    let (wait, flags) = match bytes.len() {
        35 => (32, 34),
        43 => (40, 42),
        other => return format!("a record of {other} bytes"),
    };
    let number =
        |at: usize| bytes[at..at + 8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let pid = match number(24) {
        0 => "no process",
        pid if lives(pid) => "a live process",
        _ => "a dead process",
    };
    let ended = u16::from_be_bytes([bytes[wait], bytes[wait + 1]]);
    let letters = [(1, 'P'), (2, 'F'), (4, 'W'), (8, 'R')];
    let flags: String =
        letters.iter().map(|(bit, it)| if bytes[flags] & bit == 0 { '-' } else { *it }).collect();
    format!("{} bytes, {flags}, {pid}, last end {ended:#06x}", bytes.len())
}

impl ComparedWorld {
    /// Each difference from another, in a line.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.ended != other.ended {
            lines.push(format!("PID 1 ended: {:?} / {:?}", self.ended, other.ended));
        }
        let nothing = || "nothing".to_owned();
        for path in
            self.tree.keys().chain(other.tree.keys().filter(|it| !self.tree.contains_key(*it)))
        {
            let (mine, theirs) = (self.tree.get(path), other.tree.get(path));
            if mine != theirs {
                let told = |it: Option<&String>| it.cloned().unwrap_or_else(nothing);
                lines.push(format!("{path}: {} / {}", told(mine), told(theirs)));
            }
        }
        if self.processes != other.processes {
            lines.push(format!("processes: {:?} / {:?}", self.processes, other.processes));
        }
        lines
    }
}

/// How a process is called, by its words: s6's with their directory, programs by name.
pub(super) fn role(words: &[String], is_stopped: bool) -> String {
    let base = |word: &String| word.rsplit('/').next().unwrap_or_default().to_owned();
    let first = words.first().map(base).unwrap_or_default();
    let role = match first.as_str() {
        "s6-supervise" => format!("s6-supervise {}", words.last().cloned().unwrap_or_default()),
        "s6-svscan" | "s6-log" => first,
        "perl" => words.get(1).map(base).unwrap_or_default(),
        _ => [&[first], words.get(1..).unwrap_or_default()].concat().join(" "),
    };
    if is_stopped { format!("{role} (stopped)") } else { role }
}
