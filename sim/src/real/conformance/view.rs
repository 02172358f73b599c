//! What is compared: answers, and the world at rest, in a form that both sides have.

use std::collections::BTreeMap;

/// The answer of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ActOutcome {
    /// It was done, or the kernel refused it with this errno.
    Done(Result<(), i32>),
    /// The exit code and the output of a tool.
    Tool { code: i32, out: String, err: String },
    /// There was no process to be signalled.
    NoProcess,
}

/// A world at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ComparedWorld {
    /// The exit code of PID 1, if it has ended.
    pub(super) ended: Option<i32>,
    /// Descriptions of everything in the scan directory, by path.
    pub(super) tree: BTreeMap<String, String>,
    /// The number of live processes of each role.
    pub(super) processes: BTreeMap<String, usize>,
}

/// A node, before its description.
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
    /// The text that is compared. Of contents it has status records and death tallies, decoded, and the targets of links.
    pub(super) fn describe(&self, path: &str, is_alive: impl Fn(u64) -> bool) -> String {
        let Self { kind, mode, uid, gid, bytes } = self;
        let status = match *kind {
            "link" => return format!("link to {}", String::from_utf8_lossy(bytes)),
            "file" if path.ends_with("supervise/status") => record(bytes, is_alive),
            "file" if path.ends_with("supervise/death_tally") => {
                // Twelve bytes of time, the exit code, the signal.
                let ends: Vec<_> =
                    bytes.chunks(14).map(|entry| entry.get(12..).unwrap_or(entry)).collect();
                format!("ends {ends:?}")
            }
            _ => String::new(),
        };
        format!("{kind} {mode:04o} {uid}:{gid} {status}")
    }
}

/// A status record without its time stamps.
fn record(bytes: &[u8], is_alive: impl Fn(u64) -> bool) -> String {
    let (wait, flags) = match bytes.len() {
        35 => (32, 34),
        43 => (40, 42),
        other => return format!("a record of {other} bytes"),
    };
    let number =
        |at: usize| bytes[at..at + 8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let pid = match number(24) {
        0 => "no process",
        pid if is_alive(pid) => "a live process",
        _ => "a dead process",
    };
    let ended = u16::from_be_bytes([bytes[wait], bytes[wait + 1]]);
    let letters = [(1, 'P'), (2, 'F'), (4, 'W'), (8, 'R')];
    let letter = |(bit, letter): &(u8, char)| if bytes[flags] & bit == 0 { '-' } else { *letter };
    let flags: String = letters.iter().map(letter).collect();
    format!("{} bytes, {flags}, {pid}, last end {ended:#06x}", bytes.len())
}

impl ComparedWorld {
    /// The differences from another world, one a line.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.ended != other.ended {
            lines.push(format!("PID 1 ended: {:?} / {:?}", self.ended, other.ended));
        }
        let nothing = || "nothing".to_owned();
        for path in
            self.tree.keys().chain(other.tree.keys().filter(|path| !self.tree.contains_key(*path)))
        {
            let (mine, theirs) = (self.tree.get(path), other.tree.get(path));
            if mine != theirs {
                let text = |node: Option<&String>| node.cloned().unwrap_or_else(nothing);
                lines.push(format!("{path}: {} / {}", text(mine), text(theirs)));
            }
        }
        if self.processes != other.processes {
            lines.push(format!("processes: {:?} / {:?}", self.processes, other.processes));
        }
        lines
    }
}

/// The role of a process, from its arguments: supervisors with their directory, other programs by name.
pub(super) fn role(argv: &[String], is_stopped: bool) -> String {
    let base = |arg: &String| arg.rsplit('/').next().unwrap_or_default().to_owned();
    let first = argv.first().map(base).unwrap_or_default();
    let role = match first.as_str() {
        "s6-supervise" => format!("s6-supervise {}", argv.last().cloned().unwrap_or_default()),
        "s6-svscan" | "s6-log" => first,
        "perl" => argv.get(1).map(base).unwrap_or_default(),
        _ => [&[first], argv.get(1..).unwrap_or_default()].concat().join(" "),
    };
    if is_stopped { format!("{role} (stopped)") } else { role }
}
