//! A process's identity: its pid, its start time, and the boot it belongs to. A pid alone means nothing, because it is
//! reused.
//!
//! Reads `/proc` through the effect interface. Sends no signals.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::file;
use crate::error::{Errno, HostError, if_present};
use crate::host::effect::Pid;
use crate::host::{Host, fs};

/// One run of one machine or container: kernel boot, PID namespace, and when its PID 1 started.
///
/// A container that restarts keeps the kernel's boot id and may get the same namespace number, but not all three.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BootId(pub String);

/// A process that was alive in that boot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// Its number in its own PID namespace.
    pub pid: u32,
    /// Clock ticks after the machine's start (`/proc/PID/stat`, field 22).
    pub start_time: u64,
    /// The run it belongs to.
    pub boot: BootId,
}

/// The boot we are in.
pub async fn current_boot(host: &impl Host) -> Result<BootId, HostError> {
    let kernel = file::read(host, Path::new("/proc/sys/kernel/random/boot_id"), 64).await?;
    let kernel = String::from_utf8_lossy(&kernel).trim().to_owned();
    let namespace = fs::read_link(host, "/proc/self/ns/pid").await?;
    let namespace: String =
        namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    let init = start_time(host, 1).await?.unwrap_or_default();
    Ok(BootId(format!("{kernel}.{namespace}.{init}")))
}

/// What we use of `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// It is more than a zombie.
    pub is_alive: bool,
    /// Its process group (field 5).
    pub group: i32,
    /// Clock ticks after the machine's start (field 22).
    pub start_time: u64,
}

/// When the process with this number started; `None` if there is none, or only its zombie.
pub async fn start_time(host: &impl Host, pid: u32) -> Result<Option<u64>, HostError> {
    Ok(read_stat(host, pid).await?.filter(|stat| stat.is_alive).map(|stat| stat.start_time))
}

/// The process with this number, alive or a zombie; `None` if there is none.
pub async fn read_stat(host: &impl Host, pid: u32) -> Result<Option<Stat>, HostError> {
    let path = PathBuf::from(format!("/proc/{pid}/stat"));
    let read = file::read(host, &path, 4096).await;
    let gone = matches!(&read, Err(error) if error.errno == Errno::SRCH);
    if gone {
        return Ok(None);
    }
    match if_present(read)? {
        None => Ok(None),
        Some(stat) => match parse_stat(&stat) {
            Some(stat) => Ok(Some(stat)),
            None => Err(HostError::new("understand", path, Errno::INVAL)),
        },
    }
}

/// The name in parentheses may itself hold parentheses and spaces: fields count from the last one.
fn parse_stat(stat: &[u8]) -> Option<Stat> {
    let end_of_name = stat.iter().rposition(|&byte| byte == b')')?;
    let fields = std::str::from_utf8(&stat[end_of_name + 1..]).ok()?;
    let mut fields = fields.split_ascii_whitespace();
    // Field 3 is the state, field 5 the group, field 22 the start time.
    let is_alive = !fields.next()?.starts_with(['Z', 'X']);
    let group = fields.nth(1)?.parse().ok()?;
    let start_time = fields.nth(16)?.parse().ok()?;
    Some(Stat { is_alive, group, start_time })
}

/// The process of this boot with this number, if it is alive.
pub async fn find_process(
    host: &impl Host,
    boot: &BootId,
    pid: u32,
) -> Result<Option<Process>, HostError> {
    Ok(start_time(host, pid).await?.map(|start_time| Process {
        pid,
        start_time,
        boot: boot.clone(),
    }))
}

/// Is this very process alive now, in this very boot?
pub async fn is_alive(
    host: &impl Host,
    boot: &BootId,
    process: &Process,
) -> Result<bool, HostError> {
    if process.boot != *boot && !planted!(BootIgnored) {
        return Ok(false);
    }
    let started = start_time(host, process.pid).await?;
    Ok(started == Some(process.start_time) || (planted!(StartTimeIgnored) && started.is_some()))
}

/// A handle for signals to this very process, and to no other that may have got its pid; `None` if it is gone.
///
/// The pid is checked again after the handle is open: from then on the handle cannot mean another process.
pub async fn open(
    host: &impl Host,
    boot: &BootId,
    process: &Process,
) -> Result<Option<fs::File>, HostError> {
    let Some(pid) = Pid::new(i64::from(process.pid)) else { return Ok(None) };
    let opened = match crate::host::proc::open(host, pid).await {
        Err(error) if error.errno == Errno::SRCH => return Ok(None),
        other => other?,
    };
    let same = is_alive(host, boot, process).await;
    if matches!(same, Ok(true)) {
        return Ok(Some(opened));
    }
    mark!("H41");
    fs::close(host, opened).await?;
    same.map(|_| None)
}

impl Process {
    /// Writes the identity under these three keys.
    pub fn write(&self, object: &mut Map<String, Value>, prefix: &str) {
        object.insert(format!("{prefix}pid"), self.pid.into());
        object.insert(format!("{prefix}start_time"), self.start_time.into());
        object.insert("boot_id".to_owned(), self.boot.0.clone().into());
    }

    /// Reads what [`Process::write`] wrote; `None` if a key is missing or of another type.
    pub fn read(object: &Map<String, Value>, prefix: &str) -> Option<Self> {
        Some(Self {
            pid: u32::try_from(object.get(&format!("{prefix}pid"))?.as_u64()?).ok()?,
            start_time: object.get(&format!("{prefix}start_time"))?.as_u64()?,
            boot: BootId(object.get("boot_id")?.as_str()?.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("7 (sh) S 1 6 5 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 5123 9 9", Some((true, 6, 5123)))]
    #[case("7 (a) b) (c)) R 1 7 7 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 77 9 9", Some((true, 7, 77)))]
    #[case("7 (sh) Z 1 6 5 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 5123 9 9", Some((false, 6, 5123)))]
    #[case("7 (sh) X 1 -1 -1 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 8 9 9", Some((false, -1, 8)))]
    #[case("7 (sh) S 1", None)]
    #[case("", None)]
    fn state_group_and_start_time_are_found_behind_any_name(
        #[case] stat: &str,
        #[case] expected: Option<(bool, i32, u64)>,
    ) {
        let expected =
            expected.map(|(is_alive, group, start_time)| Stat { is_alive, group, start_time });
        assert_eq!(parse_stat(stat.as_bytes()), expected);
    }

    #[test]
    fn an_identity_survives_being_written() {
        let process = Process { pid: 42, start_time: 7, boot: BootId("b".into()) };
        let mut object = Map::new();
        process.write(&mut object, "target_");
        assert_eq!(Process::read(&object, "target_"), Some(process));
        object.remove("target_start_time");
        assert_eq!(Process::read(&object, "target_"), None);
    }
}
