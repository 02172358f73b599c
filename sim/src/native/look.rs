//! What is so on a machine, read off its files and processes: slots, records, gateways, logs. Changes nothing.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use hermes::name::Profile;

use super::machine::Machine;
use super::processes::Process;
use super::wait;
use crate::observe::process::gateway_of;
use crate::observe::slot::Record;
use crate::observe::word::{self, Contents, Word};
use crate::scenario::Container;

/// Names in a directory, sorted; none if there is no such directory.
pub(super) fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}

fn text(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// A profile's directory, inside.
fn profile_dir(machine: &Machine, profile: &Profile) -> String {
    match profile.is_default() {
        true => machine.home(),
        false => format!("{}/profiles/{profile}", machine.home()),
    }
}

const FIRST: Container = Container(1);

fn from_first(machine: &Machine, inside: &str) -> Option<std::path::PathBuf> {
    machine.path(FIRST, inside).ok()
}

/// What `gateway_intent.json` says.
pub(super) fn intent(machine: &Machine, profile: &Profile) -> Word {
    let path = format!("{}/gateway_intent.json", profile_dir(machine, profile));
    let read = from_first(machine, &path).and_then(|path| std::fs::read(path).ok());
    let contents = read.as_deref().map_or(Contents::Missing, Contents::Bytes);
    word::word(contents, Contents::Missing, None)
}

/// The audit lines of all boots.
pub(super) fn boot_log(machine: &Machine) -> String {
    let path = format!("{}/logs/container-boot.log", machine.home());
    from_first(machine, &path).map(|path| text(&path)).unwrap_or_default()
}

/// What a profile's gateway printed: its standard output as its logger kept it, and its standard error, which is the
/// container's own.
pub(super) fn log(machine: &Machine, profile: &Profile) -> String {
    let dir = format!("{}/logs/gateways/{profile}", machine.home());
    let kept = from_first(machine, &dir)
        .map(|dir| names(&dir).iter().map(|name| text(&dir.join(name))).collect::<String>());
    let mine = format!("gateway '{profile}': ");
    let consoles: String = machine.all().map(|it| machine.console(it)).collect();
    let said = consoles.lines().filter(|line| line.contains(&mine)).map(|line| format!("{line}\n"));
    kept.unwrap_or_default() + &said.collect::<String>()
}

/// The containers in which an s6-svscan looks after the scan directory.
pub(super) fn scanned(machine: &Machine) -> Vec<Container> {
    let dir = machine.scan_dir();
    let is_it = |it: &Process| it.program() == "s6-svscan" && it.words.last() == Some(&dir);
    machine.all().filter(|it| machine.processes(*it).iter().any(is_it)).collect()
}

/// Names like slots in the scan directories of these containers.
pub(super) fn slot_names(machine: &Machine, scanned: &[Container]) -> Vec<String> {
    let dirs = scanned.iter().filter_map(|it| machine.path(*it, &machine.scan_dir()).ok());
    dirs.flat_map(|dir| names(&dir)).filter(|name| name.starts_with("gateway-")).collect()
}

/// A slot that a scanner can see, with what its supervisor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) container: Container,
    pub(super) record: Option<Record>,
    pub(super) is_supervised: bool,
}

/// The slot of a profile.
pub(super) fn slot(machine: &Machine, profile: &Profile) -> Option<Found> {
    let name = format!("gateway-{profile}");
    scanned(machine).into_iter().find_map(|container| {
        let dir = machine.path(container, &format!("{}/{name}", machine.scan_dir())).ok()?;
        std::fs::symlink_metadata(&dir).ok()?;
        let status = std::fs::read(dir.join("supervise/status")).ok();
        let record = status.and_then(|bytes| Record::read(&bytes));
        let is_supervised = machine.processes(container).iter().any(|it| supervises(it, &name));
        Some(Found { container, record, is_supervised })
    })
}

/// Is it the s6-supervise of this service?
pub(super) fn supervises(process: &Process, service: &str) -> bool {
    process.program() == "s6-supervise" && process.words.last().is_some_and(|word| word == service)
}

/// The processes that are a profile's gateway, or wait to be it.
pub(super) fn gateways(machine: &Machine, container: Container, of: &Profile) -> Vec<Process> {
    let is_it = |it: &Process| {
        let words: Vec<_> = it.words.iter().map(Into::into).collect();
        gateway_of(&words).as_ref() == Some(of)
    };
    machine.processes(container).into_iter().filter(is_it).collect()
}

/// How many of them do a gateway's work: hold the profile's lock, or have a child.
pub(super) fn live(machine: &Machine, profile: &Profile) -> usize {
    let lock = format!("{}/.gateway.lock", profile_dir(machine, profile));
    let lock = from_first(machine, &lock).and_then(|path| std::fs::symlink_metadata(path).ok());
    let holders = lock.map(|meta| holders(meta.ino())).unwrap_or_default();
    let works = |it: &Process, all: &[Process]| {
        holders.contains(&it.outer) || all.iter().any(|child| child.parent == it.outer)
    };
    let in_one = |container| {
        let all = machine.processes(container);
        gateways(machine, container, profile).iter().filter(|it| works(it, &all)).count()
    };
    machine.all().map(in_one).sum()
}

/// Who holds a record lock on a file, by the outside's numbers.
fn holders(inode: u64) -> Vec<u32> {
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    let end = format!(":{inode}");
    let of = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // `1: POSIX  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`; one that waits has an arrow before its kind.
        let is_held = words.get(5).is_some_and(|file| file.ends_with(&end));
        is_held.then(|| words.get(4)?.parse().ok()).flatten()
    };
    locks.lines().filter_map(of).collect()
}

/// How many processes of all containers are so.
pub(super) fn count(machine: &Machine, is: impl Fn(&Process) -> bool) -> usize {
    machine.all().map(|it| machine.processes(it).iter().filter(|it| is(it)).count()).sum()
}

/// How many gateways of a profile its supervisor started in `c1`: those that died, and the one that lives.
///
/// It counts from its own start; one that was killed takes its count with it.
pub(super) fn starts(machine: &Machine, profile: &Profile) -> usize {
    let Some(found) = slot(machine, profile) else { return 0 };
    let tally = format!("{}/gateway-{profile}/supervise/death_tally", machine.scan_dir());
    let tally = machine.path(found.container, &tally).and_then(|path| {
        std::fs::metadata(path).map(|meta| meta.len()).map_err(|error| error.to_string())
    });
    // Twelve bytes of time, the exit code, the signal.
    let died = usize::try_from(tally.unwrap_or_default() / 14).unwrap_or(usize::MAX);
    let lives = found.record.is_some_and(|record| record.pid > 0 && !record.is_finishing);
    died + usize::from(lives)
}

/// Everything that moves when something does: processes, and the records of all slots.
type Picture = (Vec<(u32, String)>, BTreeMap<String, Vec<u8>>);

fn picture(machine: &Machine) -> Picture {
    let all = machine.all().flat_map(|it| machine.processes(it));
    let processes = all.map(|it| (it.outer, it.line())).collect();
    let mut records = BTreeMap::new();
    for container in machine.all() {
        let Ok(dir) = machine.path(container, &machine.scan_dir()) else { continue };
        for name in names(&dir) {
            let status = std::fs::read(dir.join(&name).join("supervise/status"));
            records.insert(format!("{container} {name}"), status.unwrap_or_default());
        }
    }
    (processes, records)
}

/// Is every gateway as its supervisor wants it?
fn is_at_rest(machine: &Machine) -> bool {
    let scanned = scanned(machine);
    let profiles = slot_names(machine, &scanned)
        .into_iter()
        .filter_map(|name| Profile::parse(name.trim_start_matches("gateway-")).ok());
    let rests = |profile: &Profile| match slot(machine, profile).and_then(|it| it.record) {
        Some(it) => match it.wants_up {
            true => it.pid > 0 && it.is_ready && !it.is_finishing,
            false => it.pid == 0,
        },
        None => false,
    };
    let boots = |it: &Process| it.words.iter().any(|word| word == "boot");
    // A container that runs has its scanner, unless nobody supervises there.
    profiles.collect::<Vec<_>>().iter().all(rests) && count(machine, boots) == 0
}

/// Waits until nothing moves, at most so long. What still moves then may go on: the next step says what is wrong with it.
pub(super) fn settle(machine: &Machine, at_most: std::time::Duration) {
    let quiet = std::time::Duration::from_millis(400);
    let mut last = picture(machine);
    let mut since = std::time::Instant::now();
    // What still moves at the deadline is no error here, nor on the simulated machine.
    let _ = wait::within(at_most, || {
        let now = picture(machine);
        if now != last || !is_at_rest(machine) {
            last = now;
            since = std::time::Instant::now();
        }
        if since.elapsed() >= quiet { Ok(()) } else { Err(String::new()) }
    });
}

/// Waits until the scan directory's s6-svscan listens.
pub(super) fn wait_for_svscan(machine: &Machine, container: Container) -> Result<(), String> {
    use rustix::fs::{Mode, OFlags, open};
    let control = machine.path(container, &format!("{}/.s6-svscan/control", machine.scan_dir()))?;
    wait::within(wait::PATIENCE, || {
        open(&control, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty())
            .map(drop)
            .map_err(|errno| format!("s6-svscan does not listen: {errno}"))
    })
}

/// For people: what the supervisors of a container say.
pub(super) fn tell(machine: &Machine, container: Container) -> String {
    let Ok(dir) = machine.path(container, &machine.scan_dir()) else { return String::new() };
    let mut told = String::new();
    for name in names(&dir) {
        let record = std::fs::read(dir.join(&name).join("supervise/status")).ok();
        let record = record.and_then(|bytes| Record::read(&bytes));
        told.push_str(&format!("{name}: {record:?}\n"));
    }
    told
}
