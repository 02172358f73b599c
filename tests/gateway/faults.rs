//! A gateway that gets an error, or is killed, at each of its effects in turn. The machine is real except for one
//! answer.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use hermes::error::Errno;
use hermes::gateway::{self, Next, Setup};
use hermes::host::Host;
use hermes::host::effect::{Answer, DirEntry, Effect, Event, OpenMode, Outcome, Signal};
use hermes::host::os::{OsHost, run_waiting};
use rstest::rstest;

use super::GatewayHome;

const BUILT_IN: &str = "drain_timeout = \"100ms\"";
const COMMAND: &str = "command = [\"/bin/sleep\", \"60\"]\ndrain_timeout = \"100ms\"";

/// What happens at the effect with this number.
#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    Fails(usize, Errno),
    Kills(usize),
    /// No file can be made before the first wait, and then there is room again.
    FullDisk,
}

/// Passes on all effects except the faulty one and signals: the first wait answers SIGTERM.
#[derive(Default)]
struct Faulty {
    inner: OsHost,
    effects: Cell<usize>,
    signalled: Cell<bool>,
    has_room: Cell<bool>,
    dead: Cell<bool>,
    last: RefCell<String>,
}

struct Armed<'a>(&'a Faulty, Fault);

impl Host for Armed<'_> {
    async fn perform(&self, effect: Effect) -> Outcome {
        let Self(faulty, fault) = self;
        let number = faulty.effects.replace(faulty.effects.get() + 1);
        match fault {
            Fault::Fails(at, errno) if *at == number => {
                *faulty.last.borrow_mut() = format!("{effect:?}");
                return Err(*errno);
            }
            Fault::Kills(at) if *at == number => {
                faulty.dead.set(true);
                pending::<()>().await;
            }
            Fault::FullDisk if !faulty.has_room.get() => match &effect {
                Effect::Open { how: OpenMode::Create { .. }, .. } => return Err(Errno::NOSPC),
                Effect::Wait { .. } => {
                    faulty.has_room.set(true);
                    return Ok(Answer::Event(Event::Deadline));
                }
                _ => {}
            },
            Fault::None | Fault::Fails(..) | Fault::Kills(_) | Fault::FullDisk => {}
        }
        match effect {
            Effect::Trap { .. } => Ok(Answer::Done),
            Effect::Wait { .. } if !faulty.signalled.replace(true) => {
                Ok(Answer::Event(Event::Signal(Signal::TERM)))
            }
            Effect::List { handle } => match faulty.inner.perform(Effect::List { handle }).await {
                Ok(Answer::Entries(entries)) => Ok(Answer::Entries(only_us(entries))),
                other => other,
            },
            effect => faulty.inner.perform(effect).await,
        }
    }
}

/// Only this process is visible in `/proc`: otherwise each run would have another number of effects.
fn only_us(mut entries: Vec<DirEntry>) -> Vec<DirEntry> {
    let us = std::process::id().to_string();
    entries.retain(|entry| entry.name == us.as_str());
    entries
}

/// With a state file that has keys of another writer.
fn home(config: &str) -> GatewayHome {
    let home = GatewayHome::new(config);
    let state = r#"{"theirs":[1],"gateway_state":"running"}"#;
    std::fs::write(home.path("gateway_state.json"), state).expect("a state file");
    home
}

/// How a run ended: the exit code (none if it was killed), the notes, the effects, and the one that failed.
struct Run {
    code: Option<u8>,
    notes: String,
    effects: usize,
    failed: String,
}

/// Runs a gateway on a thread of its own: when that ends, the kernel kills the command as it would with the process.
fn run(home: &GatewayHome, fault: Fault) -> Run {
    let setup = Setup {
        layout: home.layout.clone(),
        profile: home.profile.clone(),
        env: BTreeMap::new(),
        pid: std::process::id(),
        notify: None,
        supervised: false,
    };
    let runs = move || {
        let faulty = Faulty::default();
        let armed = Armed(&faulty, fault);
        let (code, notes) = run_waiting(until_dead(&armed, &setup));
        let effects = faulty.effects.get();
        Run { code, notes, effects, failed: faulty.last.take() }
    };
    std::thread::spawn(runs).join().expect("no fault makes it panic")
}

async fn until_dead(host: &Armed<'_>, setup: &Setup) -> (Option<u8>, String) {
    let notes = RefCell::new(String::new());
    let mut gateway = pin!(async {
        let mut turn = gateway::begin(host, setup).await;
        for _ in 0..200 {
            notes.borrow_mut().extend(turn.notes.iter().map(|note| format!("{note}\n")));
            match turn.next {
                Next::Exit(code) => return code,
                Next::Continue(state) => turn = gateway::turn(host, setup, *state).await,
            }
        }
        panic!("it goes round and round: {}", notes.borrow())
    });
    let code = poll_fn(|context| match gateway.as_mut().poll(context) {
        Poll::Ready(code) => Poll::Ready(Some(code)),
        Poll::Pending if host.0.dead.get() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    let code = code.await;
    (code, notes.take())
}

#[rstest]
#[case::built_in(BUILT_IN)]
#[case::command(COMMAND)]
fn any_effect_may_fail_and_the_failure_is_reported(#[case] config: &str) {
    let baseline = run(&home(config), Fault::None);
    assert_eq!(baseline.code, Some(143), "{}", baseline.notes);
    for number in 0..baseline.effects {
        for errno in [Errno::IO, Errno::NOSPC, Errno::ACCESS, Errno::NOENT] {
            let home = home(config);
            let run = run(&home, Fault::Fails(number, errno));
            let what = format!("{errno} at {number}, {}: {}", run.failed, run.notes);
            assert!(matches!(run.code, Some(143 | 1 | 78)), "{:?} after {what}", run.code);
            // Absence and refusal can be legitimate answers; these errors never are.
            let must_be_said = matches!(errno, Errno::IO | Errno::NOSPC);
            assert!(!must_be_said || run.notes.contains(&errno.to_string()), "silent: {what}");
            // A file that seems absent is made anew; no other error may lose other writers' keys.
            let kept = home.state()["theirs"] == serde_json::json!([1]);
            assert!(kept || errno == Errno::NOENT, "others' keys are lost: {what}");
            assert!(!run.notes.contains("Errno"), "a debug print after {what}");
        }
    }
}

#[test]
fn a_full_disk_is_reported_once_and_the_state_is_written_when_there_is_room() {
    let home = home(BUILT_IN);
    let run = run(&home, Fault::FullDisk);
    let times = |text: &str| run.notes.matches(text).count();
    assert_eq!(run.code, Some(143), "{}", run.notes);
    assert_eq!(times("goes on without writing its state"), 1, "{}", run.notes);
    assert_eq!(times("is written again"), 1, "{}", run.notes);
    let (again, draining) = (run.notes.find("is written again"), run.notes.find("draining"));
    assert!(again < draining, "{}", run.notes);
    assert_eq!((home.gateway_state().as_str(), &home.state()["theirs"][0]), ("running", &1.into()));
}

#[rstest]
#[case::built_in(BUILT_IN)]
#[case::command(COMMAND)]
fn killed_anywhere_it_starts_again_and_nothing_is_lost(#[case] config: &str) {
    let baseline = run(&home(config), Fault::None);
    for number in 0..baseline.effects {
        let home = home(config);
        assert_eq!(run(&home, Fault::Kills(number)).code, None);
        assert_eq!(home.state()["theirs"], serde_json::json!([1]), "killed at {number}");
        home.write_intent(1);
        let again = run(&home, Fault::None);
        assert_eq!(again.code, Some(143), "killed at {number}: {}", again.notes);
        assert!(again.notes.contains("running on port"), "killed at {number}: {}", again.notes);
        assert_eq!(home.gateway_state(), "running", "killed at {number}");
        assert_eq!(home.state()["theirs"], serde_json::json!([1]), "killed at {number}");
        assert!(!home.path("gateway.pid").exists(), "killed at {number}");
    }
}
