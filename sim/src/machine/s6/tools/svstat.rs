//! `s6-svstat` and `s6-svok`: the lock first, then the record, then `down`.

use std::ffi::OsString;
use std::path::Path;

use hermes::error::Errno;
use hermes::host::effect::{Finished, OpenMode};

use super::finished;
use crate::machine::syscalls;
use crate::machine::world::{ProcessId, S6Version, World};

const TAI_EPOCH: u64 = (1 << 62) + 37;
const FIELDS_MAX: usize = 16;
const NAMES: [(u16, &str); 15] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (6, "SIGABRT"),
    (9, "SIGKILL"),
    (10, "SIGUSR1"),
    (11, "SIGSEGV"),
    (12, "SIGUSR2"),
    (13, "SIGPIPE"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
    (17, "SIGCHLD"),
    (18, "SIGCONT"),
    (19, "SIGSTOP"),
    (28, "SIGWINCH"),
];

/// The fields of `-o` and their letters; the last one only since 2.13.
const FIELDS: [(&str, char); 14] = [
    ("up", 'u'),
    ("wantedup", 'w'),
    ("normallyup", 'N'),
    ("ready", 'r'),
    ("paused", '-'),
    ("pid", 'p'),
    ("exitcode", 'e'),
    ("signal", 's'),
    ("signum", '-'),
    ("updownsince", '-'),
    ("readysince", '-'),
    ("updownfor", 't'),
    ("readyfor", '-'),
    ("pgid", 'g'),
];

/// What a record says.
pub(super) struct SvstatRecord {
    stamp: [u8; 12],
    ready_stamp: [u8; 12],
    pid: u64,
    group: u64,
    wait_status: u16,
    paused: bool,
    finishing: bool,
    want_up: bool,
    pub(super) ready: bool,
}

impl SvstatRecord {
    /// As this version reads it: a file that is longer is read as if it were not.
    pub(super) fn read(version: S6Version, bytes: &[u8]) -> Option<Self> {
        let tail = if version == S6Version::V2_13 { 40 } else { 32 };
        let number = |at: usize| Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let flags = *bytes.get(tail + 2)?;
        let pid = number(24)?;
        Some(Self {
            stamp: bytes.get(..12)?.try_into().ok()?,
            ready_stamp: bytes.get(12..24)?.try_into().ok()?,
            pid,
            group: if version == S6Version::V2_13 { number(32)? } else { pid },
            wait_status: u16::from_be_bytes([bytes[tail], bytes[tail + 1]]),
            paused: flags & 1 != 0,
            finishing: flags & 2 != 0,
            want_up: flags & 4 != 0,
            ready: flags & 8 != 0,
        })
    }

    pub(super) fn is_up(&self) -> bool {
        self.pid != 0 && !self.finishing
    }

    /// Told since 2.13.2 (V4).
    fn never_started(&self, version: S6Version) -> bool {
        version == S6Version::V2_15 && self.pid == 0 && !self.finishing && self.paused
    }

    fn signal(&self) -> u16 {
        self.wait_status & 0x7f
    }
}

/// What is told of a service.
struct SvstatReport {
    version: S6Version,
    record: SvstatRecord,
    normally_up: bool,
    wall_seconds: u64,
}

impl SvstatReport {
    /// How long ago; a stamp that is to come is now.
    fn seconds(&self, stamp: [u8; 12]) -> u64 {
        let label = stamp[..8].iter().fold(0, |label, byte| label << 8 | u64::from(*byte));
        (self.wall_seconds + TAI_EPOCH).saturating_sub(label)
    }

    fn sentence(&self) -> String {
        let (record, up) = (&self.record, self.record.is_up());
        let fresh = record.never_started(self.version);
        let mut text = match (up, record.signal()) {
            (true, _) if self.version == S6Version::V2_11 => format!("up (pid {})", record.pid),
            (true, _) => format!("up (pid {} pgid {})", record.pid, record.group),
            (false, _) if fresh => "down (not started yet) ".to_owned(),
            (false, 0) => format!("down (exitcode {})", record.wait_status >> 8),
            (false, signal) => format!("down (signal {})", signal_name(signal)),
        };
        if !fresh {
            text.push_str(&format!(" {} seconds", self.seconds(record.stamp)));
        }
        let notes = [
            (up && !self.normally_up, ", normally down"),
            (!up && self.normally_up, ", normally up"),
            (up && record.paused, ", paused"),
            (!up && record.want_up, ", want up"),
            (up && !record.want_up, ", want down"),
        ];
        for (_, note) in notes.iter().filter(|(is_so, _)| *is_so) {
            text.push_str(note);
        }
        if record.ready && !fresh {
            text.push_str(&format!(", ready {} seconds", self.seconds(record.ready_stamp)));
        }
        text
    }

    fn field(&self, name: &str) -> String {
        let (record, up) = (&self.record, self.record.is_up());
        let ended = !up && !record.never_started(self.version);
        let signalled = ended && record.signal() != 0;
        let minus_one = || "-1".to_owned();
        match name {
            "up" => up.to_string(),
            "wantedup" => record.want_up.to_string(),
            "normallyup" => self.normally_up.to_string(),
            "ready" => (record.pid != 0 && record.ready).to_string(),
            "paused" => {
                let has_process = self.version != S6Version::V2_15 || record.pid != 0;
                (record.paused && has_process).to_string()
            }
            "pid" if up => record.pid.to_string(),
            "pgid" if up => record.group.to_string(),
            "exitcode" if ended && !signalled => (record.wait_status >> 8).to_string(),
            "signal" if signalled => signal_name(record.signal()),
            "signal" => "NA".to_owned(),
            "signum" if signalled => record.signal().to_string(),
            "updownsince" => label(record.stamp),
            "readysince" => label(record.ready_stamp),
            "updownfor" => self.seconds(record.stamp).to_string(),
            "readyfor" => self.seconds(record.ready_stamp).to_string(),
            _ => minus_one(),
        }
    }
}

fn signal_name(signal: u16) -> String {
    let known = NAMES.iter().find(|(number, _)| *number == signal);
    known.map_or_else(|| format!("SIG{signal}"), |(_, name)| (*name).to_owned())
}

fn label(stamp: [u8; 12]) -> String {
    let hex: String = stamp.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("@{hex}")
}

/// Does a supervisor hold the directory's lock?
fn is_supervised(world: &mut World, who: ProcessId, dir: &Path) -> Result<bool, Errno> {
    match syscalls::open(world, who, &dir.join("supervise/lock"), OpenMode::Read) {
        // A tool is a process of its own: a lock of its caller's counts.
        Ok(node) => Ok(world.processes().any(|(_, process)| process.record_locks.contains(&node))),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// `s6-svok`.
pub(super) fn svok(world: &mut World, who: ProcessId, args: &[OsString]) -> Finished {
    let [dir] = args else { return finished(100, "", "s6-svok: usage: s6-svok servicedir") };
    match is_supervised(world, who, Path::new(dir)) {
        Ok(supervised) => finished(u8::from(!supervised), "", ""),
        Err(errno) => {
            let (dir, errno) = (dir.to_string_lossy(), syscalls::strerror(errno));
            finished(111, "", &format!("s6-svok: fatal: unable to check {dir}: {errno}"))
        }
    }
}

/// `s6-svstat`.
pub(super) fn svstat(world: &mut World, who: ProcessId, args: &[OsString]) -> Finished {
    let version = world.s6_version;
    let (fields, dir) = match options(version, args) {
        Ok(options) => options,
        Err(text) => return finished(100, "", &format!("s6-svstat: {text}")),
    };
    match read_service(world, who, dir) {
        Err((code, text)) => finished(code, "", &format!("s6-svstat: fatal: {text}")),
        Ok(told) if fields.is_empty() => finished(0, &told.sentence(), ""),
        Ok(told) => {
            let values: Vec<String> = fields.iter().map(|name| told.field(name)).collect();
            finished(0, &values.join(" "), "")
        }
    }
}

type Options<'args> = (Vec<&'static str>, &'args Path);

fn options(version: S6Version, args: &[OsString]) -> Result<Options<'_>, String> {
    let usage = || usage(version);
    let mut fields = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let Some(letters) = arg.to_str().and_then(|arg| arg.strip_prefix('-')) else {
            return Ok((fields, Path::new(arg)));
        };
        if letters == "o" {
            let names = args.next().and_then(|names| names.to_str()).ok_or_else(usage)?;
            for name in names.split(',') {
                fields.push(field(version, name)?);
            }
        } else {
            for letter in letters.chars() {
                let known = FIELDS.iter().find(|it| it.1 == letter && letter != '-');
                fields.push(known.ok_or_else(usage)?.0);
            }
        }
        if fields.len() > FIELDS_MAX {
            return Err("fatal: too many option fields".to_owned());
        }
    }
    Err(usage())
}

fn usage(version: S6Version) -> String {
    let (letters, group) = match version {
        S6Version::V2_11 => ("uwNrpest", ""),
        _ => ("uwNrpgest", "pgid,"),
    };
    let ends = "exitcode,signal,signum,updownsince,readysince,updownfor,readyfor";
    format!(
        "usage: s6-svstat [ -{letters} | -o up,wantedup,normallyup,ready,paused,pid,{group}{ends} ] [ -n ] servicedir"
    )
}

/// 2.11 is content with a beginning (V5).
fn field(version: S6Version, name: &str) -> Result<&'static str, String> {
    let is_old = version == S6Version::V2_11;
    if is_old && name.is_empty() {
        return Err("fatal: invalid null option field".to_owned());
    }
    let known = FIELDS.iter().map(|(known, _)| *known).find(|known| match is_old {
        true => known.starts_with(name) && *known != "pgid",
        false => *known == name,
    });
    known.ok_or_else(|| format!("fatal: invalid option field: {name}"))
}

fn read_service(
    world: &mut World,
    who: ProcessId,
    dir: &Path,
) -> Result<SvstatReport, (u8, String)> {
    let (version, name) = (world.s6_version, dir.display());
    let stray = super::control::stray(version);
    match is_supervised(world, who, dir) {
        Ok(true) => {}
        Ok(false) => {
            let text = format!("{stray}unable to read status for {name}: s6-supervise not running");
            return Err((1, text));
        }
        Err(errno) => {
            return Err((111, format!("unable to check {name}: {}", syscalls::strerror(errno))));
        }
    }
    let read =
        |errno| (111, format!("unable to read status for {name}: {}", syscalls::strerror(errno)));
    let bytes = syscalls::read(world, who, &dir.join("supervise/status")).map_err(read)?;
    let record = SvstatRecord::read(version, &bytes).ok_or_else(|| read(Errno::PIPE))?;
    let normally_up = !syscalls::exists(world, who, &dir.join("down"));
    Ok(SvstatReport { version, record, normally_up, wall_seconds: world.clock.wall.as_secs() })
}
