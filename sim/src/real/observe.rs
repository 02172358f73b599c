//! The state of a real machine, read from its files and processes: slots, records, gateways, logs. Changes nothing.

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

/// The names in a directory of a container, sorted; empty if there is no such directory.
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

/// The intent in `gateway_intent.json`.
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

/// The output of a profile's gateway: standard output from the files of its logger, and standard error from the output of
/// the container.
pub(super) fn log(machine: &RealMachine, profile: &Profile) -> String {
    let dir = format!("{}/logs/gateways/{profile}", machine.home());
    let files = names(machine, FIRST, &dir);
    let logged: String = files.iter().map(|name| text(machine, &format!("{dir}/{name}"))).collect();
    let prefix = format!("gateway '{profile}': ");
    let consoles: String = machine.all().map(|container| machine.console(container)).collect();
    let printed = consoles.lines().filter(|line| line.contains(&prefix));
    logged + &printed.map(|line| format!("{line}\n")).collect::<String>()
}

/// The containers in which an s6-svscan supervises the scan directory.
pub(super) fn supervised_containers(machine: &RealMachine) -> Vec<ContainerName> {
    let dir = machine.scan_dir();
    let is_scanner = |process: &HostProcess| {
        process.program() == "s6-svscan" && process.argv.last() == Some(&dir)
    };
    let is_supervised = |it: &ContainerName| machine.processes(*it).iter().any(is_scanner);
    machine.all().filter(is_supervised).collect()
}

/// The names of slots in the scan directories of these containers.
pub(super) fn slot_names(machine: &RealMachine, scanned: &[ContainerName]) -> Vec<String> {
    let names = scanned.iter().flat_map(|it| names(machine, *it, &machine.scan_dir()));
    names.filter(|name| name.starts_with("gateway-")).collect()
}

/// A slot that is visible to a scanner, with the record of its supervisor.
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

/// The record of a service's supervisor.
fn record(machine: &RealMachine, container: ContainerName, dir: &str) -> Option<SupervisorRecord> {
    let status = bytes(machine, container, &format!("{dir}/supervise/status"))?;
    SupervisorRecord::read(&status)
}

/// Is this process the s6-supervise of this service?
pub(super) fn supervises(process: &HostProcess, service: &str) -> bool {
    process.program() == "s6-supervise" && process.argv.last().is_some_and(|word| word == service)
}

/// The processes that are the gateway of a profile, or wait to become it.
pub(super) fn gateways(all: &[HostProcess], profile: &Profile) -> Vec<HostProcess> {
    let is_gateway = |process: &&HostProcess| {
        let argv: Vec<_> = process.argv.iter().map(Into::into).collect();
        gateway_of(&argv).as_ref() == Some(profile)
    };
    all.iter().filter(is_gateway).cloned().collect()
}

/// The number of gateways of a profile that work: that hold the profile's lock, or have a child.
pub(super) fn count_live_gateways(machine: &RealMachine, profile: &Profile) -> usize {
    let lock = format!("{}/.gateway.lock", profile_dir(machine, profile));
    let lock = machine.observe_file(FIRST, &lock).map(|it| it.inode);
    let count = |container| {
        let handle = machine.container(container).ok();
        let holders =
            handle.zip(lock).map(|(handle, inode)| handle.lock_holders(inode)).unwrap_or_default();
        let all = machine.processes(container);
        let works = |gateway: &&HostProcess| {
            holders.contains(&gateway.host_pid)
                || all.iter().any(|child| child.parent == gateway.host_pid)
        };
        gateways(&all, profile).iter().filter(works).count()
    };
    machine.all().map(count).sum()
}

/// The number of processes that match, over all containers.
pub(super) fn count(machine: &RealMachine, matches: impl Fn(&HostProcess) -> bool) -> usize {
    let all = machine.all().flat_map(|container| machine.processes(container));
    all.filter(|process| matches(process)).count()
}

/// The number of gateways of a profile that its supervisor started in `c1`: those that died, and the one that is alive.
///
/// The supervisor counts from its own start; the count of a killed supervisor is lost.
pub(super) fn count_starts(machine: &RealMachine, profile: &Profile) -> usize {
    let Some(found) = slot(machine, profile) else { return 0 };
    let tally = format!("{}/gateway-{profile}/supervise/death_tally", machine.scan_dir());
    // Twelve bytes of time, the exit code, the signal.
    let died = bytes(machine, found.container, &tally).unwrap_or_default().len() / 14;
    let is_alive = found.record.is_some_and(|record| record.pid > 0 && !record.is_finishing);
    died + usize::from(is_alive)
}

/// Everything that changes when something happens: processes, and the records of all slots.
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

/// The marker file of a container that waits until another one releases the home.
const WAITING: &str = "/run/hermes/state/waiting";

/// Is every gateway in the state that its supervisor wants?
pub(super) fn is_at_rest(machine: &RealMachine) -> bool {
    let scanned = supervised_containers(machine);
    let profiles = slot_names(machine, &scanned)
        .into_iter()
        .filter_map(|name| Profile::parse(name.trim_start_matches("gateway-")).ok());
    let rests = |profile: &Profile| match slot(machine, profile).and_then(|slot| slot.record) {
        Some(record) => match record.wants_up {
            true => record.pid > 0 && record.is_ready && !record.is_finishing,
            false => record.pid == 0,
        },
        None => false,
    };
    let boots = |process: &HostProcess| process.argv.iter().any(|arg| arg == "boot");
    // A process of `hermes boot` means that the container still boots, unless it waits for the end of another container.
    let is_booting = |container: ContainerName| {
        machine.processes(container).iter().any(boots)
            && machine.observe_file(container, WAITING).is_none()
    };
    profiles.collect::<Vec<_>>().iter().all(rests) && !machine.all().any(is_booting)
}

/// A machine is at rest if nothing has changed for this long; in a shorter time a process may only wait for the processor.
const QUIET: Duration = Duration::from_millis(400);

/// Waits until the machine is at rest, at most this long. A machine that is not at rest then is no error here: the next step
/// reports what is wrong.
pub(super) fn settle(machine: &RealMachine, duration_max: Duration) {
    wait_until_quiet(machine, duration_max, is_at_rest);
}

/// Waits until nothing changes, even if gateways are not in the state that their supervisors want.
pub(super) fn wait_for_quiet(machine: &RealMachine) {
    wait_until_quiet(machine, wait::PATIENCE, |_| true);
}

fn wait_until_quiet(
    machine: &RealMachine,
    duration_max: Duration,
    rests: impl Fn(&RealMachine) -> bool,
) {
    let mut last = take_snapshot(machine);
    let mut since = std::time::Instant::now();
    // A machine that still changes at the deadline is no error here, nor on the simulated machine.
    let _ = wait::poll_within(duration_max, || {
        let now = take_snapshot(machine);
        if now != last || !rests(machine) {
            last = now;
            since = std::time::Instant::now();
        }
        if since.elapsed() >= QUIET { Ok(()) } else { Err(String::new()) }
    });
}

/// The records of a container's supervisors, as evidence.
pub(super) fn describe_slots(machine: &RealMachine, container: ContainerName) -> String {
    let dir = machine.scan_dir();
    let mut text = String::new();
    for name in names(machine, container, &dir) {
        let record = record(machine, container, &format!("{dir}/{name}"));
        text.push_str(&format!("{name}: {record:?}\n"));
    }
    text
}
