//! A pass above a mocked supervisor: what it waits for, and whom it tells.

use std::cell::Cell;

use hermes::error::Errno;
use hermes::host::effect::Effect;
use hermes::host::os::run_ready;
use hermes::ops::reconcile::{self, Scan};
use hermes::supervisor::{Listing, Published, Want};
use rstest::rstest;

use crate::support::answering::Answering;
use crate::support::home::Home;
use crate::support::supervisor::{MockRegistrar, down, registrar};

/// A supervisor that looks after `default` and knows of nothing else.
fn supervising(published: Published) -> MockRegistrar {
    let mut supervisor = registrar();
    supervisor.expect_list().returning(|| Ok(Listing::default()));
    supervisor.expect_status().returning(|_| Ok(down()));
    supervisor
        .expect_publish()
        .withf(|_, at_start| *at_start == Want::Down)
        .returning(move |_, _| Ok(published));
    supervisor
}

#[rstest]
#[case::before_the_scanner_starts(Scan::Later)]
#[case::while_it_runs(Scan::Now)]
fn a_command_at_work_on_a_profile_is_waited_for(#[case] scan: Scan) {
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
    // What it is not expected to be asked ends the test: a rescan, and a wait.
    let supervisor = supervising(Published::Updated);
    let pass = run_ready(reconcile::run(&home.context(&supervisor), None, Scan::Now));
    assert!(pass.failures.is_empty() && pass.plans.len() == 1, "{pass:?}");
}
