//! What is so on a machine, read off its files and processes: slots, records, gateways, logs. Changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use hermes::name::Profile;

use super::machine::RealMachine;
use super::processes::HostProcess;
use super::wait;
use crate::observe::process::gateway_of;
use crate::observe::recorded_intent::{self, Contents, ObservedIntent};
use crate::observe::slot::SupervisorRecord;
use crate::scenario::ContainerName;
use crate::scenario::expect::FileKindSpec;

/// Names in a directory of a container, sorted; none if there is no such directory.
fn names(machine: &RealMachine, container: ContainerName, dir: &str) -> Vec<String> {
    machine.observe_file(container, dir).map(|it| it.names).unwrap_or_default()
}

/// A file's contents, if there is one.
fn bytes(machine: &RealMachine, container: ContainerName, path: &str) -> Option<Vec<u8>> {
    machine
        .observe_file(container, path)
        .filter(|it| it.kind == FileKindSpec::File)
        .map(|it| it.bytes)
}

fn text(machine: &RealMachine, path: &str) -> String {
    machine.observe_file(FIRST, path).map(|it| it.text()).unwrap_or_default()
}

/// A profile's directory, inside.
fn profile_dir(machine: &RealMachine, profile: &Profile) -> String {
    match profile.is_default() {
        true => machine.home(),
        false => format!("{}/profiles/{profile}", machine.home()),
    }
}

const FIRST: ContainerName = ContainerName(1);

/// What `gateway_intent.json` says.
pub(super) fn intent(machine: &RealMachine, profile: &Profile) -> ObservedIntent {
    let path = format!("{}/gateway_intent.json", profile_dir(machine, profile));
    let read = bytes(machine, FIRST, &path);
    let contents = read.as_deref().map_or(Contents::Missing, Contents::Bytes);
    recorded_intent::observed_intent(contents, Contents::Missing, None)
}

/// The audit lines of all boots.
pub(super) fn boot_log(machine: &RealMachine) -> String {
    let path = format!("{}/logs/container-boot.log", machine.home());
    text(machine, &path)
}

/// What a profile's gateway printed: its standard output as its logger kept it, and its standard error, which is the
/// container's own.
pub(super) fn log(machine: &RealMachine, profile: &Profile) -> String {
    let dir = format!("{}/logs/gateways/{profile}", machine.home());
    let files = names(machine, FIRST, &dir);
    let kept: String = files.iter().map(|name| text(machine, &format!("{dir}/{name}"))).collect();
    let mine = format!("gateway '{profile}': ");
    let consoles: String = machine.all().map(|it| machine.console(it)).collect();
    let said = consoles.lines().filter(|line| line.contains(&mine)).map(|line| format!("{line}\n"));
    kept + &said.collect::<String>()
}

/// The containers in which an s6-svscan looks after the scan directory.
pub(super) fn supervised_containers(machine: &RealMachine) -> Vec<ContainerName> {
    let dir = machine.scan_dir();
    let is_it = |it: &HostProcess| it.program() == "s6-svscan" && it.argv.last() == Some(&dir);
    machine.all().filter(|it| machine.processes(*it).iter().any(is_it)).collect()
}

/// Names like slots in the scan directories of these containers.
pub(super) fn slot_names(machine: &RealMachine, scanned: &[ContainerName]) -> Vec<String> {
    let names = scanned.iter().flat_map(|it| names(machine, *it, &machine.scan_dir()));
    names.filter(|name| name.starts_with("gateway-")).collect()
}

/// A slot that a scanner can see, with what its supervisor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ObservedSlot {
    pub(super) container: ContainerName,
    pub(super) record: Option<SupervisorRecord>,
    pub(super) is_supervised: bool,
}

/// The slot of a profile.
pub(super) fn slot(machine: &RealMachine, profile: &Profile) -> Option<ObservedSlot> {
    let name = format!("gateway-{profile}");
    supervised_containers(machine).into_iter().find_map(|container| {
        let dir = format!("{}/{name}", machine.scan_dir());
        machine.observe_file(container, &dir)?;
        let record = record(machine, container, &dir);
        let is_supervised = machine.processes(container).iter().any(|it| supervises(it, &name));
        Some(ObservedSlot { container, record, is_supervised })
    })
}

/// What the supervisor of a service says.
fn record(machine: &RealMachine, container: ContainerName, dir: &str) -> Option<SupervisorRecord> {
    let status = bytes(machine, container, &format!("{dir}/supervise/status"))?;
    SupervisorRecord::read(&status)
}

/// Is it the s6-supervise of this service?
pub(super) fn supervises(process: &HostProcess, service: &str) -> bool {
    process.program() == "s6-supervise" && process.argv.last().is_some_and(|word| word == service)
}

/// The processes that are a profile's gateway, or wait to be it.
pub(super) fn gateways(all: &[HostProcess], of: &Profile) -> Vec<HostProcess> {
    let is_it = |it: &HostProcess| {
        let words: Vec<_> = it.argv.iter().map(Into::into).collect();
        gateway_of(&words).as_ref() == Some(of)
    };
    all.iter().filter(|it| is_it(it)).cloned().collect()
}

/// How many of them do a gateway's work: hold the profile's lock, or have a child.
pub(super) fn count_live_gateways(machine: &RealMachine, profile: &Profile) -> usize {
    let lock = format!("{}/.gateway.lock", profile_dir(machine, profile));
    let lock = machine.observe_file(FIRST, &lock).map(|it| it.inode);
    let in_one = |container| {
        let vessel = machine.container(container).ok();
        let holders =
            vessel.zip(lock).map(|(it, inode)| it.lock_holders(inode)).unwrap_or_default();
        let all = machine.processes(container);
        let works = |it: &&HostProcess| {
            holders.contains(&it.host_pid) || all.iter().any(|child| child.parent == it.host_pid)
        };
        gateways(&all, profile).iter().filter(works).count()
    };
    machine.all().map(in_one).sum()
}

/// How many processes of all containers are so.
pub(super) fn count(machine: &RealMachine, is: impl Fn(&HostProcess) -> bool) -> usize {
    machine.all().map(|it| machine.processes(it).iter().filter(|it| is(it)).count()).sum()
}

/// How many gateways of a profile its supervisor started in `c1`: those that died, and the one that lives.
///
/// It counts from its own start; one that was killed takes its count with it.
pub(super) fn count_starts(machine: &RealMachine, profile: &Profile) -> usize {
    let Some(found) = slot(machine, profile) else { return 0 };
    let tally = format!("{}/gateway-{profile}/supervise/death_tally", machine.scan_dir());
    // Twelve bytes of time, the exit code, the signal.
    let died = bytes(machine, found.container, &tally).unwrap_or_default().len() / 14;
    let lives = found.record.is_some_and(|record| record.pid > 0 && !record.is_finishing);
    died + usize::from(lives)
}

/// Everything that moves when something does: processes, and the records of all slots.
pub(super) type MachineSnapshot = (Vec<(u32, String)>, BTreeMap<String, Vec<u8>>);

pub(super) fn take_snapshot(machine: &RealMachine) -> MachineSnapshot {
    let all = machine.all().flat_map(|it| machine.processes(it));
    let processes = all.map(|it| (it.host_pid, it.line())).collect();
    let mut records = BTreeMap::new();
    for container in machine.all() {
        let dir = machine.scan_dir();
        for name in names(machine, container, &dir) {
            let status = bytes(machine, container, &format!("{dir}/{name}/supervise/status"));
            records.insert(format!("{container} {name}"), status.unwrap_or_default());
        }
    }
    (processes, records)
}

/// The mark of a container that waits until another one lets go of the home.
const WAITING: &str = "/run/hermes/state/waiting";

/// Is every gateway as its supervisor wants it?
pub(super) fn is_at_rest(machine: &RealMachine) -> bool {
    let scanned = supervised_containers(machine);
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
    let boots = |it: &HostProcess| it.argv.iter().any(|word| word == "boot");
    // A container that runs has its scanner, unless nobody supervises there, or it waits for another one's end.
    let is_booting = |it: ContainerName| {
        machine.processes(it).iter().any(boots) && machine.observe_file(it, WAITING).is_none()
    };
    profiles.collect::<Vec<_>>().iter().all(rests) && !machine.all().any(is_booting)
}

/// So long nothing moves where something rests, and does not only wait for the processor.
const QUIET: Duration = Duration::from_millis(400);

/// Waits until nothing moves, at most so long. What still moves then may go on: the next step says what is wrong with it.
pub(super) fn settle(machine: &RealMachine, at_most: Duration) {
    wait_until_quiet(machine, at_most, is_at_rest);
}

/// Waits until nothing moves, whatever it waits for.
pub(super) fn wait_for_quiet(machine: &RealMachine) {
    wait_until_quiet(machine, wait::PATIENCE, |_| true);
}

fn wait_until_quiet(
    machine: &RealMachine,
    at_most: Duration,
    rests: impl Fn(&RealMachine) -> bool,
) {
    let mut last = take_snapshot(machine);
    let mut since = std::time::Instant::now();
    // What still moves at the deadline is no error here, nor on the simulated machine.
    let _ = wait::poll_within(at_most, || {
        let now = take_snapshot(machine);
        if now != last || !rests(machine) {
            last = now;
            since = std::time::Instant::now();
        }
        if since.elapsed() >= QUIET { Ok(()) } else { Err(String::new()) }
    });
}

/// For people: what the supervisors of a container say.
pub(super) fn describe_slots(machine: &RealMachine, container: ContainerName) -> String {
    let dir = machine.scan_dir();
    let mut told = String::new();
    for name in names(machine, container, &dir) {
        let record = record(machine, container, &format!("{dir}/{name}"));
        told.push_str(&format!("{name}: {record:?}\n"));
    }
    told
}
