//! Start, stop and restart above a mocked supervisor: the order of steps, and what stays when one fails.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use hermes::host::effect::{Answer, Clock, Effect, Pid};
use hermes::host::os::run_ready;
use hermes::name::Profile;
use hermes::ops::lifecycle::{self, LifecycleOutcome, Verb};
use hermes::ops::{OpsError, Patience};
use hermes::supervisor::{Cause, Goal, Presence, Published, Service, SupervisorError, TargetState};
use rstest::rstest;

use crate::support::answering::Answering;
use crate::support::home::Home;
use crate::support::supervisor::{down, registrar, up};

fn forbidden() -> SupervisorError {
    SupervisorError::Command {
        tool: "s6-svc",
        action: "stop",
        service: "gateway-coder".to_owned(),
        code: 111,
        stderr: "Permission denied".to_owned(),
        cause: Cause::Forbidden,
    }
}

#[test]
fn stop_stores_the_intent_and_the_marker_before_it_tells_the_supervisor() {
    let home = Home::new();
    let coder = home.profile("coder");
    let (intent, marker) = (home.layout.intent(&coder), home.layout.marker(&coder));
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(up(std::process::id())));
    let seen = marker.clone();
    supervisor.expect_stop().once().returning(move |_| {
        let intent = std::fs::read_to_string(&intent).expect("the intent comes first");
        assert!(intent.contains("\"stopped\""), "{intent}");
        let marker = std::fs::read_to_string(&seen).expect("the marker comes before the signal");
        let target = format!("\"target_pid\": {}", std::process::id());
        assert!(marker.contains(&target), "{marker}");
        Ok(())
    });
    supervisor.expect_wait().once().returning(|_, _, _| Ok(down()));
    let context = home.context(&supervisor);
    let done = run_ready(lifecycle::run(&context, &coder, Verb::Stop, Patience::Usual));
    assert_eq!(done, Ok((LifecycleOutcome::Stopped, vec![])));
    assert!(!marker.exists(), "an unconsumed marker is withdrawn");
}

#[test]
fn a_stop_that_fails_withdraws_the_marker_and_keeps_the_operators_word() {
    let home = Home::new();
    let coder = home.profile("coder");
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(up(std::process::id())));
    supervisor.expect_stop().once().returning(|_| Err(forbidden()));
    let context = home.context(&supervisor);
    let done = run_ready(lifecycle::run(&context, &coder, Verb::Stop, Patience::Usual));
    assert_eq!(done, Err(OpsError::Supervisor(forbidden())));
    assert!(!home.layout.marker(&coder).exists());
    assert_eq!(home.intent(&coder), "stopped");
}

#[test]
fn start_of_a_profile_that_does_not_exist_touches_nothing() {
    let home = Home::new();
    let typo = hermes::name::Profile::parse("typo").expect("legal");
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(Service::unregistered()));
    let context = home.context(&supervisor);
    let done = run_ready(lifecycle::run(&context, &typo, Verb::Start, Patience::Usual));
    assert_eq!(done, Err(OpsError::Supervisor(SupervisorError::NotRegistered(typo))));
    assert_eq!(home.names(), Vec::<String>::new());
}

#[test]
fn start_of_a_running_gateway_says_so() {
    let home = Home::new();
    let coder = home.profile("coder");
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(up(77)));
    supervisor.expect_publish().once().returning(|_, _| Ok(Published::Unchanged));
    supervisor.expect_start().once().returning(|_| Ok(()));
    supervisor.expect_wait().once().returning(|_, _, _| Ok(up(77)));
    let context = home.context(&supervisor);
    let done = run_ready(lifecycle::run(&context, &coder, Verb::Start, Patience::Usual));
    assert!(matches!(done, Ok((LifecycleOutcome::AlreadyRunning(_), _))), "{done:?}");
}

#[test]
fn stop_of_a_gateway_that_is_down_says_so() {
    let home = Home::new();
    let coder = home.profile("coder");
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(down()));
    supervisor.expect_stop().once().returning(|_| Ok(()));
    supervisor.expect_wait().once().returning(|_, _, _| Ok(down()));
    let context = home.context(&supervisor);
    let done = run_ready(lifecycle::run(&context, &coder, Verb::Stop, Patience::Usual));
    assert_eq!(done, Ok((LifecycleOutcome::AlreadyStopped, vec![])));
}

#[test]
fn a_start_that_another_command_overtakes_says_so() {
    let home = Home::new();
    let coder = home.profile("coder");
    let intent = home.layout.intent(&coder);
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(down()));
    supervisor.expect_publish().once().returning(|_, _| Ok(Published::Unchanged));
    supervisor.expect_start().once().returning(|_| Ok(()));
    let other = coder.clone();
    supervisor.expect_wait().once().returning(move |_, _, waited| {
        std::fs::write(&intent, r#"{"intent":"stopped"}"#).expect("written");
        let (profile, last) = (other.clone(), Box::new(down()));
        Err(SupervisorError::TimedOut { profile, unmet_goal: "was not ready", waited, last })
    });
    let context = home.context(&supervisor);
    let done = run_ready(lifecycle::run(&context, &coder, Verb::Start, Patience::Usual));
    assert_eq!(
        done,
        Err(OpsError::Overtaken { profile: coder, word_in_force: "stopped".to_owned() })
    );
}

#[test]
fn a_start_that_nobody_overtakes_says_why_it_failed() {
    let home = Home::new();
    let coder = home.profile("coder");
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(down()));
    supervisor.expect_publish().once().returning(|_, _| Ok(Published::Unchanged));
    supervisor.expect_start().once().returning(|_| Ok(()));
    supervisor.expect_wait().once().returning(move |profile, _, waited| {
        let (profile, last) = (profile.clone(), Box::new(down()));
        Err(SupervisorError::TimedOut { profile, unmet_goal: "was not ready", waited, last })
    });
    let context = home.context(&supervisor);
    let done = run_ready(lifecycle::run(&context, &coder, Verb::Start, Patience::Usual));
    let timed_out = matches!(done, Err(OpsError::Supervisor(SupervisorError::TimedOut { .. })));
    assert!(timed_out, "{done:?}");
}

#[test]
fn who_still_holds_a_lock_is_named_if_that_is_known() {
    let profile = Profile::parse("coder").expect("legal");
    let said = |pid| {
        let lock = "/opt/data/profiles/coder/.gateway.lock".into();
        OpsError::StillHeld { profile: profile.clone(), lock, pid }.to_string()
    };
    let holds = "a gateway of profile 'coder' still holds `/opt/data/profiles/coder/.gateway.lock`";
    assert_eq!(said(None), holds);
    assert_eq!(said(Some(77)), format!("{holds} (last noted: process 77)"));
}

#[test]
fn without_waiting_nothing_is_waited_for() {
    let home = Home::new();
    let coder = home.profile("coder");
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(down()));
    supervisor.expect_publish().once().returning(|_, _| Ok(Published::Unchanged));
    supervisor.expect_start().once().returning(|_| Ok(()));
    let context = home.context(&supervisor);
    let done = run_ready(lifecycle::run(&context, &coder, Verb::Start, Patience::NoWait));
    assert_eq!(done, Ok((LifecycleOutcome::Requested, vec![])));
}

#[test]
fn all_tells_everybody_and_one_failure_is_one_failure() {
    let home = Home::new();
    let profiles: BTreeSet<_> = ["a", "b", "c"].map(|name| home.profile(name)).into();
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(up(std::process::id())));
    supervisor.expect_stop().times(3).returning(|profile| match profile.as_str() {
        "b" => Err(forbidden()),
        _ => Ok(()),
    });
    supervisor.expect_wait().times(2).returning(|_, _, _| Ok(down()));
    let context = home.context(&supervisor);
    let shares = run_ready(lifecycle::run_all(&context, &profiles, Verb::Stop, Patience::Usual));
    let failed: Vec<_> = shares.iter().filter(|share| share.result.is_err()).collect();
    assert_eq!(failed.iter().map(|share| share.profile.as_str()).collect::<Vec<_>>(), ["b"]);
    assert!(profiles.iter().all(|profile| home.intent(profile) == "stopped"));
}

#[test]
fn all_of_a_group_have_the_same_deadline() {
    let home = Home::new();
    let profiles: BTreeSet<_> = ["a", "b"].map(|name| home.profile(name)).into();
    // A second passes between any two looks at the clock.
    let seconds = Cell::new(0);
    let host = Answering::new(|effect| match effect {
        Effect::Now { clock: Clock::Boot } => {
            seconds.set(seconds.get() + 1);
            Some(Ok(Answer::Time(Duration::from_secs(seconds.get()))))
        }
        _ => None,
    });
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(up(std::process::id())));
    supervisor.expect_stop().returning(|_| Ok(()));
    let waited = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&waited);
    supervisor.expect_wait().returning_st(move |_, _, timeout| {
        seen.borrow_mut().push(timeout);
        Ok(down())
    });
    let context = home.context_on(&host, &supervisor);
    let patience = Patience::For(Duration::from_secs(100));
    run_ready(lifecycle::run_all(&context, &profiles, Verb::Stop, patience));
    let waited = waited.borrow();
    assert_eq!(waited.len(), 2);
    assert!(waited[1] < waited[0] && waited[0] < Duration::from_secs(100), "{waited:?}");
}

#[test]
fn start_during_a_drain_waits_for_another_process() {
    let home = Home::new();
    let coder = home.profile("coder");
    let mut supervisor = registrar();
    supervisor
        .expect_status()
        .returning(|_| Ok(Service { target_state: TargetState::Down, ..up(77) }));
    supervisor.expect_publish().returning(|_, _| Ok(Published::Unchanged));
    supervisor.expect_start().once().returning(|_| Ok(()));
    supervisor
        .expect_wait()
        .withf(|_, goal, _| matches!(goal, Goal::Ready { before, .. } if *before == Pid::new(77)))
        .once()
        .returning(|_, _, _| Ok(up(78)));
    let context = home.context(&supervisor);
    let done = run_ready(lifecycle::run(&context, &coder, Verb::Start, Patience::Usual));
    assert_eq!(done, Ok((LifecycleOutcome::Started(Pid::new(78).expect("above 1")), vec![])));
}

#[test]
fn stop_reaches_a_slot_whose_profile_is_gone() {
    let home = Home::new();
    let gone = Profile::parse("gone").expect("legal");
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(up(std::process::id())));
    supervisor.expect_stop().once().returning(|_| Ok(()));
    supervisor.expect_wait().once().returning(|_, _, _| Ok(down()));
    let context = home.context(&supervisor);
    let done = run_ready(lifecycle::run(&context, &gone, Verb::Stop, Patience::Usual));
    assert!(matches!(done, Ok((LifecycleOutcome::Stopped, _))), "{done:?}");
    assert_eq!(home.names(), Vec::<String>::new());
}

#[test]
fn a_slot_that_nobody_will_look_after_is_taken_back() {
    let home = Home::new();
    let coder = home.profile("coder");
    let deaf = || SupervisorError::NotListening("gateway-coder".to_owned());
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(Service::unregistered()));
    supervisor.expect_publish().once().returning(|_, _| Ok(Published::New));
    supervisor.expect_rescan().once().returning(move || Err(deaf()));
    supervisor.expect_unregister().once().returning(|_, _| Ok(()));
    let context = home.context(&supervisor);
    let done = run_ready(lifecycle::run(&context, &coder, Verb::Start, Patience::Usual));
    assert_eq!(done, Err(OpsError::Supervisor(deaf())));
}

#[test]
fn a_slot_that_was_there_before_stays_when_nobody_looks_after_it() {
    let home = Home::new();
    let coder = home.profile("coder");
    let deaf = || SupervisorError::NotListening("gateway-coder".to_owned());
    let mut supervisor = registrar();
    let presence = Presence::Unsupervised;
    supervisor.expect_status().returning(move |_| Ok(Service { presence, ..down() }));
    supervisor.expect_publish().once().returning(|_, _| Ok(Published::Updated));
    supervisor.expect_rescan().once().returning(move || Err(deaf()));
    let context = home.context(&supervisor);
    let done = run_ready(lifecycle::run(&context, &coder, Verb::Start, Patience::Usual));
    assert_eq!(done, Err(OpsError::Supervisor(deaf())));
}

#[test]
fn a_slot_whose_profile_is_gone_is_not_started() {
    let home = Home::new();
    let gone = Profile::parse("gone").expect("legal");
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(down()));
    let context = home.context(&supervisor);
    let done = run_ready(lifecycle::run(&context, &gone, Verb::Start, Patience::Usual));
    assert_eq!(done, Err(OpsError::Supervisor(SupervisorError::NotRegistered(gone))));
}

#[rstest]
#[case::start(Verb::Start, TargetState::Up)]
#[case::stop(Verb::Stop, TargetState::Down)]
fn a_slot_is_made_with_the_new_word_in_it(#[case] verb: Verb, #[case] expected: TargetState) {
    let home = Home::new();
    let coder = home.profile("coder");
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(Service::unregistered()));
    supervisor
        .expect_publish()
        .withf(move |_, at_start| *at_start == expected)
        .once()
        .returning(|_, _| Ok(Published::New));
    supervisor.expect_rescan().once().returning(|| Ok(()));
    supervisor.expect_wait().returning(|_, _, _| Ok(down()));
    supervisor.expect_start().returning(|_| Ok(()));
    supervisor.expect_stop().returning(|_| Ok(()));
    let context = home.context(&supervisor);
    let done = run_ready(lifecycle::run(&context, &coder, verb, Patience::NoWait));
    assert_eq!(done, Ok((LifecycleOutcome::Requested, vec![])));
}
