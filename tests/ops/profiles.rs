//! Create, delete and rename above a mocked supervisor: what is undone, and what is refused.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use hermes::error::Errno;
use hermes::host::effect::{Effect, OnExisting, OpenMode, Place};
use hermes::host::os::run_ready;
use hermes::name::Profile;
use hermes::ops::{OpsError, Patience, profiles};
use hermes::supervisor::{Goal, Published, Service, SupervisorError};
use rstest::rstest;

use crate::support::answering::Answering;
use crate::support::home::Home;
use crate::support::supervisor::{down, obliging, registrar, registrar_of_a_host, up};

fn named(name: &str) -> Profile {
    Profile::parse(name).expect("legal")
}

fn not_listening() -> SupervisorError {
    SupervisorError::NotListening("gateway-coder".to_owned())
}

#[test]
fn a_create_whose_rescan_is_refused_leaves_nothing() {
    let home = Home::new();
    let mut supervisor = registrar();
    supervisor.expect_publish().once().returning(|_, _| Ok(Published::New));
    supervisor.expect_rescan().once().returning(|| Err(not_listening()));
    supervisor.expect_unregister().once().returning(|_, _| Ok(()));
    let context = home.context(&supervisor);
    let created = run_ready(profiles::create(&context, &named("coder")));
    assert_eq!(created, Err(OpsError::Supervisor(not_listening())));
    assert_eq!(home.names(), ["profiles"]);
}

#[test]
fn create_keeps_what_somebody_prepared() {
    let home = Home::new();
    let coder = named("coder");
    std::fs::create_dir_all(home.layout.profile(&coder)).expect("a directory");
    std::fs::write(home.layout.config(&coder), "port = 9999\n").expect("a file");
    let mut supervisor = registrar();
    supervisor.expect_publish().once().returning(|_, _| Ok(Published::New));
    supervisor.expect_rescan().once().returning(|| Ok(()));
    supervisor.expect_wait().once().returning(|_, _, _| Ok(down()));
    let context = home.context(&supervisor);
    let created = run_ready(profiles::create(&context, &coder)).expect("made");
    assert!(created.adopted);
    assert_eq!(
        home.names(),
        ["profiles", "profiles/coder", "profiles/coder/SOUL.md", "profiles/coder/gateway.toml"]
    );
}

#[test]
fn create_names_the_profiles_with_the_same_port() {
    let home = Home::new();
    let other = home.profile("other");
    std::fs::write(home.layout.config(&other), "port = 9570\n").expect("a file");
    let mut supervisor = registrar();
    supervisor.expect_publish().once().returning(|_, _| Ok(Published::New));
    supervisor.expect_rescan().once().returning(|| Ok(()));
    supervisor.expect_wait().once().returning(|_, _, _| Ok(down()));
    let context = home.context(&supervisor);
    // 9570 follows from the name `coder`.
    let created = run_ready(profiles::create(&context, &named("coder"))).expect("made");
    assert_eq!(created.port_rivals, [other]);
}

#[test]
fn create_of_a_whole_profile_is_refused_and_of_half_a_one_finished() {
    let home = Home::new();
    let coder = home.profile("coder");
    let mut whole = registrar();
    whole.expect_status().returning(|_| Ok(down()));
    let refused = run_ready(profiles::create(&home.context(&whole), &coder));
    assert_eq!(refused, Err(OpsError::ProfileExists(coder.clone())));

    let mut half = registrar();
    half.expect_status().returning(|_| Ok(Service::unregistered()));
    half.expect_publish().once().returning(|_, _| Ok(Published::New));
    half.expect_rescan().once().returning(|| Ok(()));
    half.expect_wait().once().returning(|_, _, _| Ok(down()));
    let finished = run_ready(profiles::create(&home.context(&half), &coder));
    assert!(finished.expect("finished").finished);
}

#[test]
fn a_profile_is_not_deleted_under_a_live_gateway() {
    let home = Home::new();
    let coder = home.profile("coder");
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(up(std::process::id())));
    supervisor.expect_stop().once().returning(|_| Ok(()));
    supervisor.expect_wait().once().returning(|profile, _, waited| {
        let (profile, last) = (profile.clone(), Box::new(up(std::process::id())));
        Err(SupervisorError::TimedOut { profile, unmet_goal: "was not down", waited, last })
    });
    let context = home.context(&supervisor);
    let patience = Patience::For(Duration::from_millis(1));
    let deleted = run_ready(profiles::delete(&context, &coder, patience));
    let timed_out = matches!(deleted, Err(OpsError::Supervisor(SupervisorError::TimedOut { .. })));
    assert!(timed_out, "{deleted:?}");
    assert!(home.layout.soul_file(&coder).exists());
}

#[test]
fn delete_finishes_what_a_crash_left_and_then_finds_nothing() {
    let home = Home::new();
    let coder = named("coder");
    let mut slot_left = registrar();
    slot_left.expect_status().returning(|_| Ok(down()));
    slot_left.expect_unregister().once().returning(|_, _| Ok(()));
    let deleted = run_ready(profiles::delete(&home.context(&slot_left), &coder, Patience::Usual));
    assert_eq!(deleted, Ok(vec![]));

    let mut nothing = registrar();
    nothing.expect_status().returning(|_| Ok(Service::unregistered()));
    let again = run_ready(profiles::delete(&home.context(&nothing), &coder, Patience::Usual));
    assert_eq!(again, Err(OpsError::NoSuchProfile(coder)));
}

#[test]
fn default_can_be_neither_deleted_nor_renamed() {
    let home = Home::new();
    let supervisor = registrar();
    let context = home.context(&supervisor);
    let default = Profile::default_profile();
    let deleted = run_ready(profiles::delete(&context, &default, Patience::Usual));
    assert_eq!(deleted, Err(OpsError::DefaultIsFixed("deleted")));
    let renamed = run_ready(profiles::rename(&context, &default, &named("x"), Patience::Usual));
    assert_eq!(renamed, Err(OpsError::DefaultIsFixed("renamed")));
}

#[test]
fn rename_keeps_an_older_installs_word() {
    let home = Home::new();
    let coder = home.profile("coder");
    std::fs::write(home.layout.state(&coder), r#"{"gateway_state":"running"}"#).expect("a file");
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(down()));
    supervisor.expect_stop().once().returning(|_| Ok(()));
    supervisor.expect_unregister().once().returning(|_, _| Ok(()));
    supervisor
        .expect_publish()
        .withf(|_, at_start| *at_start == hermes::supervisor::TargetState::Up)
        .once()
        .returning(|_, _| Ok(Published::New));
    supervisor.expect_rescan().once().returning(|| Ok(()));
    supervisor.expect_wait().returning(|_, _, _| Ok(down()));
    let context = home.context(&supervisor);
    let writer = named("writer");
    let renamed = run_ready(profiles::rename(&context, &coder, &writer, Patience::Usual));
    assert_eq!(renamed, Ok(vec![]));
    assert_eq!(home.intent(&writer), "running");
}

#[test]
fn rename_onto_a_taken_name_does_not_touch_the_gateway() {
    let home = Home::new();
    let coder = home.profile("coder");
    let writer = named("writer");
    std::fs::create_dir_all(home.layout.profile(&writer)).expect("a directory");
    let supervisor = registrar();
    let context = home.context(&supervisor);
    let renamed = run_ready(profiles::rename(&context, &coder, &writer, Patience::Usual));
    assert_eq!(renamed, Err(OpsError::ProfileExists(writer)));
}

#[test]
fn a_rename_that_fails_starts_the_gateway_again() {
    let home = Home::new();
    let coder = home.profile("coder");
    std::fs::write(home.layout.intent(&coder), r#"{"intent":"running"}"#).expect("a file");
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(up(std::process::id())));
    supervisor.expect_stop().once().returning(|_| Ok(()));
    supervisor.expect_wait().once().returning(|profile, _, waited| {
        let (profile, last) = (profile.clone(), Box::new(up(std::process::id())));
        Err(SupervisorError::TimedOut { profile, unmet_goal: "was not down", waited, last })
    });
    supervisor.expect_start().once().returning(|_| Ok(()));
    let context = home.context(&supervisor);
    let renamed = run_ready(profiles::rename(&context, &coder, &named("writer"), Patience::Usual));
    assert!(renamed.is_err());
    assert_eq!(home.intent(&coder), "running");
}

#[test]
fn create_of_a_profile_that_should_run_starts_it() {
    let home = Home::new();
    let coder = home.profile("coder");
    std::fs::write(home.layout.intent(&coder), r#"{"intent":"running"}"#).expect("a file");
    let mut supervisor = registrar();
    supervisor.expect_status().returning(|_| Ok(Service::unregistered()));
    supervisor
        .expect_publish()
        .withf(|_, at_start| *at_start == hermes::supervisor::TargetState::Up)
        .once()
        .returning(|_, _| Ok(Published::New));
    supervisor.expect_rescan().once().returning(|| Ok(()));
    supervisor.expect_wait().once().returning(|_, _, _| Ok(down()));
    let created = run_ready(profiles::create(&home.context(&supervisor), &coder));
    assert!(created.expect("finished").starts);
}

#[test]
fn a_hidden_name_that_is_taken_is_not_used() {
    let home = Home::new();
    let (taken, lost) = (Cell::new(2), Cell::new(2));
    let is_hidden = |place: &Place| place.path.to_string_lossy().contains("/profiles/.");
    let host = Answering::new(|effect| match effect {
        Effect::MakeDir { place, .. } if is_hidden(place) && taken.get() > 0 => {
            taken.set(taken.get() - 1);
            Some(Err(Errno::EXIST))
        }
        Effect::Rename { to, .. }
            if to.path.to_string_lossy().contains(".gone.") && lost.get() > 0 =>
        {
            lost.set(lost.get() - 1);
            Some(Err(Errno::EXIST))
        }
        _ => None,
    });
    let coder = named("coder");
    let supervisor = obliging(&Service::unregistered());
    let context = home.context_on(&host, &supervisor);
    run_ready(profiles::create(&context, &coder)).expect("another name was free");
    let soul = std::fs::read_to_string(home.layout.soul_file(&coder)).expect("whole");
    assert!(soul.starts_with("# coder\n") && soul.contains("`gateway.toml`"), "{soul}");
    let deleted = run_ready(profiles::delete(&context, &coder, Patience::Usual));
    assert_eq!(deleted, Ok(vec![]));
    assert_eq!((taken.get(), lost.get()), (0, 0));
    assert_eq!(home.names(), ["profiles"]);
}

#[test]
fn two_renames_take_their_locks_in_the_same_order() {
    let order = |old: &str, new: &str| {
        let home = Home::new();
        home.profile("a");
        home.profile("b");
        let taken = RefCell::new(Vec::new());
        let host = Answering::new(|effect| {
            if let Effect::Open { place, how: OpenMode::Lock { .. }, .. } = effect {
                taken.borrow_mut().push(place.path.file_name().expect("a lock").to_owned());
            }
            None
        });
        let supervisor = registrar();
        let context = home.context_on(&host, &supervisor);
        let renamed =
            run_ready(profiles::rename(&context, &named(old), &named(new), Patience::Usual));
        assert_eq!(renamed, Err(OpsError::ProfileExists(named(new))));
        taken.into_inner()
    };
    assert_eq!(order("a", "b"), ["a", "b"]);
    assert_eq!(order("b", "a"), ["a", "b"]);
}

#[rstest]
#[case::no_room_for_it(Errno::NOSPC, "no space")]
#[case::it_cannot_be_shown(Errno::ROFS, "read-only")]
fn a_profile_that_cannot_be_made_leaves_nothing(#[case] errno: Errno, #[case] expected: &str) {
    let home = Home::new();
    let is_stage = |place: &Place| place.path.to_string_lossy().contains("/profiles/.new.");
    let host = Answering::new(|effect| match effect {
        Effect::MakeDir { place, .. } if is_stage(place) && errno == Errno::NOSPC => {
            Some(Err(errno))
        }
        Effect::Rename { over: OnExisting::Refuse, .. } => Some(Err(errno)),
        _ => None,
    });
    let supervisor = registrar();
    let context = home.context_on(&host, &supervisor);
    let created = run_ready(profiles::create(&context, &named("coder")));
    assert!(matches!(&created, Err(error) if error.to_string().contains(expected)), "{created:?}");
    assert_eq!(home.names(), ["profiles"]);
}

#[test]
fn on_a_host_a_created_profile_has_no_service_and_starts_nothing() {
    let home = Home::new();
    let coder = home.profile("coder");
    std::fs::remove_file(home.layout.soul_file(&coder)).expect("half a profile");
    std::fs::write(home.layout.intent(&coder), r#"{"intent":"running"}"#).expect("a file");
    let mut supervisor = registrar_of_a_host();
    supervisor.expect_status().returning(|_| Ok(Service::unregistered()));
    let created = run_ready(profiles::create(&home.context(&supervisor), &coder));
    let created = created.expect("made");
    assert!(created.adopted && !created.starts, "{created:?}");
}

#[rstest]
#[case::taken_meanwhile(Errno::EXIST, "/profiles/writer`: file exists")]
#[case::refused(Errno::ROFS, "/profiles/writer`: read-only")]
fn a_rename_says_which_name_is_in_the_way(#[case] errno: Errno, #[case] expected: &str) {
    let home = Home::new();
    let coder = home.profile("coder");
    let is_move = |to: &Place| to.path.ends_with("profiles/writer");
    let host = Answering::new(|effect| match effect {
        Effect::Rename { to, over: OnExisting::Refuse, .. } if is_move(to) => Some(Err(errno)),
        _ => None,
    });
    let supervisor = obliging(&down());
    let context = home.context_on(&host, &supervisor);
    let renamed = run_ready(profiles::rename(&context, &coder, &named("writer"), Patience::Usual));
    assert!(matches!(&renamed, Err(error) if error.to_string().contains(expected)), "{renamed:?}");
    assert!(home.layout.soul_file(&coder).exists());
}

#[test]
fn logs_follow_a_rename_and_where_they_cannot_it_is_said() {
    for refused in [false, true] {
        let home = Home::new();
        let coder = home.profile("coder");
        let log = home.layout.gateway_log(&coder);
        std::fs::create_dir_all(&log).expect("a directory");
        let is_log = |to: &Place| to.path.ends_with("gateways/writer");
        let host = Answering::new(|effect| match effect {
            Effect::Rename { to, .. } if is_log(to) && refused => Some(Err(Errno::ROFS)),
            _ => None,
        });
        let supervisor = obliging(&down());
        let context = home.context_on(&host, &supervisor);
        let writer = named("writer");
        let notes = run_ready(profiles::rename(&context, &coder, &writer, Patience::Usual));
        let notes = notes.expect("renamed");
        assert_eq!((log.exists(), notes.len()), (refused, usize::from(refused)), "{notes:?}");
        assert_eq!(home.layout.gateway_log(&writer).exists(), !refused);
    }
}

#[test]
fn on_a_host_a_rename_installs_nothing_that_was_not_installed() {
    let home = Home::new();
    let coder = home.profile("coder");
    std::fs::write(home.layout.intent(&coder), r#"{"intent":"running"}"#).expect("a file");
    let mut supervisor = registrar_of_a_host();
    supervisor.expect_status().returning(|_| Ok(Service::unregistered()));
    supervisor.expect_unregister().returning(|_, _| Ok(()));
    // A call without an expectation fails the test: a service, a start, a wait for readiness.
    let context = home.context(&supervisor);
    let writer = named("writer");
    let renamed = run_ready(profiles::rename(&context, &coder, &writer, Patience::Usual));
    assert_eq!(renamed, Ok(vec![]));
    assert_eq!(home.intent(&writer), "running");
}

#[test]
fn a_renamed_gateway_is_waited_for_and_what_it_did_not_reach_is_a_note() {
    let home = Home::new();
    let coder = home.profile("coder");
    std::fs::write(home.layout.intent(&coder), r#"{"intent":"running"}"#).expect("a file");
    let mut supervisor = obliging(&down());
    supervisor
        .expect_wait()
        .withf(|profile, goal, _| {
            *profile == named("writer") && matches!(goal, Goal::Ready { before: None, .. })
        })
        .once()
        .returning(|_, _, _| Err(not_listening()));
    let context = home.context(&supervisor);
    let renamed = run_ready(profiles::rename(&context, &coder, &named("writer"), Patience::Usual));
    assert_eq!(renamed, Ok(vec![not_listening().to_string()]));
}

#[test]
fn a_profile_that_cannot_be_hidden_is_not_deleted() {
    let home = Home::new();
    let coder = home.profile("coder");
    let refused = Cell::new(false);
    let host = Answering::new(|effect| match effect {
        Effect::Rename { .. } => (!refused.replace(true)).then_some(Err(Errno::ROFS)),
        _ => None,
    });
    let supervisor = obliging(&down());
    let context = home.context_on(&host, &supervisor);
    let deleted = run_ready(profiles::delete(&context, &coder, Patience::Usual));
    assert!(deleted.is_err() && home.layout.soul_file(&coder).exists(), "{deleted:?}");
}
