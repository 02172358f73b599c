//! The gate, from the process that asks to the controller that answers, on this machine: `die` is tried by `./x cells`.

#![expect(
    clippy::disallowed_methods,
    reason = "a gate is a real socket, and whoever is held must be another thread"
)]

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

fn surprise(of: &str, touches: &str, deed: FaultKind) -> FaultSpec {
    let at = EffectAddress {
        task: task(of),
        effect: EffectKind::Mkdir,
        object: Some(touches.to_owned()),
        nth: 1,
    };
    FaultSpec { at, kind: deed, sticky: false, next: None, duration: None, outcome: None }
}

fn open(dir: &Path, names: &[&str], surprises: &[FaultSpec]) -> GateController {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    GateController::open(&dir.join("gate"), &names, surprises).expect("it listens")
}

/// A process behind the gate: makes these directories one after the other.
fn make(dir: &Path, name: &str, made: &[&str]) -> Vec<Outcome> {
    let socket = dir.join("gate").join(name);
    let argv = [OsString::from("hermes")];
    let host = Gated::new(OsHost::new(), Some(socket.as_os_str()), &argv);
    let one = |name: &&str| {
        let effect = Effect::MakeDir { place: Place::from(&dir.join(name)), mode: 0o755 };
        run_ready(host.perform(effect))
    };
    made.iter().map(one).collect()
}

#[test]
fn a_refused_effect_fails_so_and_is_not_performed() {
    let dir = tempfile::tempdir().expect("a folder");
    let gate = open(dir.path(), &["A"], &[surprise("A", "two", FaultKind::Errno(Errno::NOSPC))]);
    let outcomes = make(dir.path(), "A", &["one", "two", "three"]);
    assert_eq!(outcomes[1], Err(Errno::NOSPC));
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
    let is_there = |name| dir.path().join(name).is_dir();
    assert!(is_there("one") && !is_there("two") && is_there("three"));
    let asked: Vec<_> = gate
        .requested_effects()
        .into_iter()
        .map(|it| (it.task, EffectKind::of(&it.effect)))
        .collect();
    assert_eq!(asked, vec![(task("A"), EffectKind::Mkdir); 3]);
    assert_eq!(gate.first_unmet_fault(), None);
}

#[test]
fn a_sticky_refusal_is_given_again_whatever_the_ordinal() {
    let dir = tempfile::tempdir().expect("a folder");
    let sticky =
        FaultSpec { sticky: true, ..surprise("A", "refused-", FaultKind::Errno(Errno::ACCESS)) };
    let _gate = open(dir.path(), &["A"], &[sticky]);
    let outcomes = make(dir.path(), "A", &["refused-1", "let-go", "refused-2"]);
    assert_eq!(outcomes[0], Err(Errno::ACCESS));
    assert!(outcomes[1].is_ok());
    assert_eq!(outcomes[2], Err(Errno::ACCESS));
}

#[test]
fn whoever_is_held_waits_until_it_is_let_go() {
    let dir = tempfile::tempdir().expect("a folder");
    let gate = open(dir.path(), &["A"], &[surprise("A", "held", FaultKind::BeginStep)]);
    let (path, (tell, told)) = (dir.path().to_owned(), mpsc::channel());
    let held = thread::spawn(move || tell.send(make(&path, "A", &["held"])));
    assert!(gate.wait_for_fault(0, PATIENCE), "it comes to the gate");
    assert!(told.try_recv().is_err() && !dir.path().join("held").is_dir(), "it is held");
    gate.release(0);
    assert!(told.recv_timeout(PATIENCE).expect("it goes on")[0].is_ok());
    drop(held.join());
}

#[test]
fn a_preempted_task_goes_on_when_the_other_has_ended() {
    let dir = tempfile::tempdir().expect("a folder");
    let preempt = FaultSpec { next: Some(task("B")), ..surprise("A", "first", FaultKind::Preempt) };
    let gate = open(dir.path(), &["A", "B"], &[preempt]);
    let path = dir.path().to_owned();
    let held = thread::spawn(move || make(&path, "A", &["first"]));
    assert!(gate.wait_for_fault(0, PATIENCE), "it comes to the gate");
    // Whoever comes second makes what the first was about to.
    assert!(make(dir.path(), "B", &["first"])[0].is_ok());
    assert_eq!(held.join().expect("it goes on"), [Err(Errno::EXIST)]);
    assert_eq!(gate.first_unmet_fault(), None);
}

#[test]
fn what_never_came_up_is_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let gate = open(dir.path(), &["A"], &[surprise("A", "elsewhere", FaultKind::Kill)]);
    assert!(make(dir.path(), "A", &["one"])[0].is_ok());
    assert_eq!(gate.first_unmet_fault(), Some(0));
}

#[test]
fn once_nobody_listens_any_more_everything_goes() {
    let dir = tempfile::tempdir().expect("a folder");
    let gate = open(dir.path(), &["A"], &[surprise("A", "one", FaultKind::Errno(Errno::IO))]);
    let socket = dir.path().join("gate/A");
    let host = Gated::new(OsHost::new(), Some(socket.as_os_str()), &[]);
    drop(gate);
    let place = Place::from(&dir.path().join("one"));
    assert!(run_ready(host.perform(Effect::MakeDir { place, mode: 0o755 })).is_ok());
}

#[test]
#[should_panic(expected = "whoever names a gate listens there")]
fn a_gate_that_cannot_be_reached_ends_the_process() {
    let dir = tempfile::tempdir().expect("a folder");
    make(dir.path(), "A", &["one"]);
}
