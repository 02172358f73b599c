//! A pass above a mocked supervisor: what it waits for, and which services it tells.

use std::cell::Cell;

use hermes::error::Errno;
use hermes::host::effect::{Answer, Effect};
use hermes::host::os::{OsHost, run_ready};
use hermes::ops::reconcile::{self, RescanTiming};
use hermes::record::identity::{self, Process};
use hermes::record::marker::{self, Marker};
use hermes::supervisor::{Listing, Published, Service, TargetState};
use rstest::rstest;

use crate::support::answering::Answering;
use crate::support::home::Home;
use crate::support::supervisor::{MockRegistrar, down, obliging, registrar, up};

/// A supervisor that supervises `default` and nothing else.
fn supervising(published: Published) -> MockRegistrar {
    let mut supervisor = registrar();
    supervisor.expect_list().returning(|| Ok(Listing::default()));
    supervisor.expect_status().returning(|_| Ok(down()));
    supervisor
        .expect_publish()
        .withf(|_, at_start| *at_start == TargetState::Down)
        .returning(move |_, _| Ok(published));
    supervisor
}

#[rstest]
#[case::before_the_scanner_starts(RescanTiming::Later)]
#[case::while_it_runs(RescanTiming::Now)]
fn a_command_at_work_on_a_profile_is_waited_for(#[case] scan: RescanTiming) {
    let home = Home::new();
    let busy = Cell::new(2);
    let host = Answering::new(|effect| match effect {
        Effect::Lock { .. } if busy.get() > 0 => {
            busy.set(busy.get() - 1);
            Some(Err(Errno::AGAIN))
        }
        _ => None,
    });
    let supervisor = supervising(Published::Unchanged);
    let pass = run_ready(reconcile::run(&home.context_on(&host, &supervisor), None, scan));
    let [plan] = pass.plans.as_slice() else { panic!("{pass:?}") };
    assert_eq!((&plan.failure, &pass.failures, busy.get()), (&None, &vec![], 0));
}

#[test]
fn a_supervisor_that_looks_after_all_is_not_told_to_look() {
    let home = Home::new();
    // A call without an expectation fails the test: a rescan, and a wait.
    let supervisor = supervising(Published::Updated);
    let pass = run_ready(reconcile::run(&home.context(&supervisor), None, RescanTiming::Now));
    assert!(pass.failures.is_empty() && pass.plans.len() == 1, "{pass:?}");
}

/// This test's own process, or one that started that many ticks later with the same pid.
fn process(ticks_later: u64) -> Process {
    let host = OsHost::new();
    let boot = run_ready(identity::current_boot(&host)).expect("a machine has booted");
    let own = run_ready(identity::find_process(&host, &boot, std::process::id()));
    let own = own.expect("/proc is readable").expect("it lives");
    Process { start_time: own.start_time + ticks_later, ..own }
}

const OF_A_GATEWAY: [&str; 3] = ["gateway.pid", "processes.json", ".state.json.1.hermes-tmp"];

#[rstest]
#[case::it_runs(up(std::process::id()), false, true)]
#[case::it_lives_outside_its_slot(down(), true, true)]
#[case::it_is_gone(down(), false, false)]
fn a_live_gateways_files_are_its_own(
    #[case] found: Service,
    #[case] held: bool,
    #[case] are_kept: bool,
) {
    let home = Home::new();
    let coder = home.profile("coder");
    let dir = home.layout.profile(&coder);
    for name in OF_A_GATEWAY {
        std::fs::write(dir.join(name), "").expect("a file");
    }
    std::fs::write(home.layout.gateway_lock(&coder), "").expect("a file");
    std::fs::write(home.layout.intent(&coder), r#"{"intent":"running"}"#).expect("a file");
    let host = Answering::new(|effect| {
        matches!(effect, Effect::IsLocked { .. }).then_some(Ok(Answer::Flag(held)))
    });
    let mut supervisor = obliging(&found);
    supervisor.expect_list().returning(|| Ok(Listing::default()));
    supervisor.expect_start().returning(|_| Ok(()));
    let pass =
        run_ready(reconcile::run(&home.context_on(&host, &supervisor), None, RescanTiming::Later));
    assert!(pass.has_succeeded(), "{pass:?}");
    assert_eq!(OF_A_GATEWAY.map(|name| dir.join(name).exists()), [are_kept; 3]);
}

#[rstest]
#[case::of_a_stop_at_work(0, true)]
#[case::of_another_process(1, false)]
fn a_marker_is_stale_when_it_names_nobody_who_lives(
    #[case] ticks_later: u64,
    #[case] is_kept: bool,
) {
    let home = Home::new();
    let coder = home.profile("coder");
    let path = home.layout.marker(&coder);
    let note = Marker { target: process(ticks_later), plan: marker::StopPlan::Stop };
    run_ready(marker::write(&home.host, &path, &note, 1, "now")).expect("written");
    let mut supervisor = obliging(&down());
    supervisor.expect_list().returning(|| Ok(Listing::default()));
    let pass = run_ready(reconcile::run(&home.context(&supervisor), None, RescanTiming::Later));
    assert!(pass.has_succeeded(), "{pass:?}");
    assert_eq!(path.exists(), is_kept);
}

#[rstest]
#[case::a_profile_half_made(".new.coder.1", false, None, true)]
#[case::a_profile_half_deleted(".gone.coder.1", false, None, false)]
#[case::half_deleted_and_made_again(".gone.coder.1", true, None, true)]
#[case::what_is_left_of_it_stays(".gone.coder.1", false, Some(Errno::ROFS), true)]
fn the_logs_go_with_the_last_of_a_deleted_profile(
    #[case] unfinished: &str,
    #[case] exists: bool,
    #[case] refused: Option<Errno>,
    #[case] are_kept: bool,
) {
    let home = Home::new();
    let coder = home.profile("coder");
    if !exists {
        std::fs::remove_dir_all(home.layout.profile(&coder)).expect("it was there");
    }
    let unfinished = home.layout.profiles().join(unfinished);
    let logs = home.layout.gateway_log(&coder);
    for dir in [&unfinished, &logs] {
        std::fs::create_dir_all(dir).expect("a directory");
    }
    let host = Answering::new(|effect| match effect {
        Effect::RemoveDir { place } if *place.path == *unfinished => refused.map(Err),
        _ => None,
    });
    let mut supervisor = obliging(&down());
    supervisor.expect_list().returning(|| Ok(Listing::default()));
    let pass =
        run_ready(reconcile::run(&home.context_on(&host, &supervisor), None, RescanTiming::Later));
    assert_eq!(pass.failures.len(), usize::from(refused.is_some()), "{pass:?}");
    assert_eq!((logs.exists(), unfinished.exists()), (are_kept, refused.is_some()));
}
