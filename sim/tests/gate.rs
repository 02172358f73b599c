//! The gate on this machine: the asking process and the answering controller. `./x cells` tests the answer `die`.

use std::ffi::OsString;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use hermes::error::Errno;
use hermes::host::effect::{Effect, Place};
use hermes::host::os::gate::Gated;
use hermes::host::os::{OsHost, run_ready};
use hermes::host::{Host, Outcome};
use hermes_sim::real::gate::GateController;
use hermes_sim::scenario::{EffectAddress, EffectKind, FaultKind, FaultSpec, TaskAddress};

const PATIENCE: Duration = Duration::from_secs(20);

fn task(name: &str) -> TaskAddress {
    TaskAddress::Run(name.to_owned())
}

fn fault(name: &str, object: &str, kind: FaultKind) -> FaultSpec {
    let at = EffectAddress {
        task: task(name),
        effect: EffectKind::Mkdir,
        object: Some(object.to_owned()),
        nth: 1,
    };
    FaultSpec { at, kind, sticky: false, next: None, duration: None, outcome: None }
}

fn open(dir: &Path, names: &[&str], faults: &[FaultSpec]) -> GateController {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    GateController::open(&dir.join("gate"), &names, faults).expect("it listens")
}

/// A process behind the gate: creates these directories one after the other.
fn make(dir: &Path, name: &str, names: &[&str]) -> Vec<Outcome> {
    let socket = dir.join("gate").join(name);
    let argv = [OsString::from("hermes")];
    let host = Gated::new(OsHost::new(), Some(socket.as_os_str()), &argv);
    let one = |name: &&str| {
        let effect = Effect::MakeDir { place: Place::from(&dir.join(name)), mode: 0o755 };
        run_ready(host.perform(effect))
    };
    names.iter().map(one).collect()
}

#[test]
fn an_effect_with_an_injected_errno_fails_and_is_not_performed() {
    let dir = tempfile::tempdir().expect("a folder");
    let gate = open(dir.path(), &["A"], &[fault("A", "two", FaultKind::Errno(Errno::NOSPC))]);
    let outcomes = make(dir.path(), "A", &["one", "two", "three"]);
    assert_eq!(outcomes[1], Err(Errno::NOSPC));
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
    let is_there = |name| dir.path().join(name).is_dir();
    assert!(is_there("one") && !is_there("two") && is_there("three"));
    let requests: Vec<_> = gate
        .requested_effects()
        .into_iter()
        .map(|request| (request.task, EffectKind::of(&request.effect)))
        .collect();
    assert_eq!(requests, vec![(task("A"), EffectKind::Mkdir); 3]);
    assert_eq!(gate.first_unmet_fault(), None);
}

#[test]
fn a_sticky_errno_is_injected_again_whatever_the_occurrence_number() {
    let dir = tempfile::tempdir().expect("a folder");
    let sticky =
        FaultSpec { sticky: true, ..fault("A", "refused-", FaultKind::Errno(Errno::ACCESS)) };
    let _gate = open(dir.path(), &["A"], &[sticky]);
    let outcomes = make(dir.path(), "A", &["refused-1", "let-go", "refused-2"]);
    assert_eq!(outcomes[0], Err(Errno::ACCESS));
    assert!(outcomes[1].is_ok());
    assert_eq!(outcomes[2], Err(Errno::ACCESS));
}

#[test]
fn a_held_task_waits_until_it_is_released() {
    let dir = tempfile::tempdir().expect("a folder");
    let gate = open(dir.path(), &["A"], &[fault("A", "held", FaultKind::BeginStep)]);
    let (path, (send, received)) = (dir.path().to_owned(), mpsc::channel());
    let held = thread::spawn(move || send.send(make(&path, "A", &["held"])));
    assert!(gate.wait_for_fault(0, PATIENCE), "it reaches the gate");
    assert!(received.try_recv().is_err() && !dir.path().join("held").is_dir(), "it is held");
    gate.release(0);
    assert!(received.recv_timeout(PATIENCE).expect("it goes on")[0].is_ok());
    drop(held.join());
}

#[test]
fn a_preempted_task_goes_on_when_the_other_has_ended() {
    let dir = tempfile::tempdir().expect("a folder");
    let preempt = FaultSpec { next: Some(task("B")), ..fault("A", "first", FaultKind::Preempt) };
    let gate = open(dir.path(), &["A", "B"], &[preempt]);
    let path = dir.path().to_owned();
    let held = thread::spawn(move || make(&path, "A", &["first"]));
    assert!(gate.wait_for_fault(0, PATIENCE), "it reaches the gate");
    // The second task creates the directory that the first was about to create.
    assert!(make(dir.path(), "B", &["first"])[0].is_ok());
    assert_eq!(held.join().expect("it goes on"), [Err(Errno::EXIST)]);
    assert_eq!(gate.first_unmet_fault(), None);
}

#[test]
fn a_fault_that_was_not_reached_is_reported() {
    let dir = tempfile::tempdir().expect("a folder");
    let gate = open(dir.path(), &["A"], &[fault("A", "elsewhere", FaultKind::Kill)]);
    assert!(make(dir.path(), "A", &["one"])[0].is_ok());
    assert_eq!(gate.first_unmet_fault(), Some(0));
}

#[test]
fn every_effect_passes_once_the_controller_is_gone() {
    let dir = tempfile::tempdir().expect("a folder");
    let gate = open(dir.path(), &["A"], &[fault("A", "one", FaultKind::Errno(Errno::IO))]);
    let socket = dir.path().join("gate/A");
    let host = Gated::new(OsHost::new(), Some(socket.as_os_str()), &[]);
    drop(gate);
    let place = Place::from(&dir.path().join("one"));
    assert!(run_ready(host.perform(Effect::MakeDir { place, mode: 0o755 })).is_ok());
}

#[test]
#[should_panic(expected = "the controller listens on the socket it names")]
fn a_gate_that_cannot_be_reached_ends_the_process() {
    let dir = tempfile::tempdir().expect("a folder");
    make(dir.path(), "A", &["one"]);
}
