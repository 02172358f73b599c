//! The search ends wherever some order of moves ends, those left out included: walks at random find no other end.

use std::collections::BTreeSet;
use std::sync::Arc;

use rstest::rstest;

use super::{Explorer, Fork, PartialOrderReduction, Schedule, all_transitions};
use crate::check::search::Budget;
use crate::execution::Transition;
use crate::hash;
use crate::scenario::load;

const WALKS: u64 = 60;

/// Both want the same profile, and one comes too late: no supervisor moves.
const RENAME_AND_DELETE: &str = r#"{
  "name": "rename-and-delete", "summary": "A test.", "runs_on": ["simulated"],
  "world": { "tree": "none", "profiles": { "coder": { "intent": "stopped" } } },
  "steps": [{ "together": [
    { "run": "hermes profile rename coder b", "name": "A" },
    { "run": "hermes profile delete coder -y", "name": "B" }
  ] }]
}"#;

/// A slot's supervisors, its logger and its gateway come to be.
const CREATE_AND_START: &str = r#"{
  "name": "create-and-start", "summary": "A test.", "runs_on": ["simulated"],
  "steps": [
    { "run": "hermes profile create coder", "name": "A" },
    { "run": "hermes -p coder gateway start", "name": "B" }
  ]
}"#;

fn explorer(text: &str) -> Explorer {
    let scenario = Arc::new(load("test", text).expect("a scenario"));
    let budget = Budget { runs: 0, states: 0, faults_max: 0, seed: 0 };
    let mut explorer = Explorer::new(&scenario, budget).expect("it boots");
    explorer.initial.machine.world.disk.ignore_power_cuts();
    explorer
}

fn start(explorer: &Explorer) -> Fork {
    Fork { play: explorer.initial.clone(), schedule: Schedule::default(), crashes_left: 0 }
}

/// Where the search ends, begun again until it has learned nothing new.
fn searched_ends(explorer: &mut Explorer) -> BTreeSet<u128> {
    let mut ahead = PartialOrderReduction::default();
    loop {
        ahead.clear_cache();
        let (mut ends, mut visited) = (BTreeSet::new(), BTreeSet::new());
        let mut forks = vec![start(explorer)];
        while let Some(mut fork) = forks.pop() {
            if !visited.insert(fork.play.state_hash()) {
                continue;
            }
            loop {
                let moves = all_transitions(&fork.play);
                if moves.is_empty() || fork.play.is_finished() {
                    ends.insert(fork.play.machine.state_digest());
                    break;
                }
                match explorer.try_transitions(&fork, &moves, &mut forks, &mut ahead) {
                    Some(next) => fork = next,
                    None => break,
                }
            }
        }
        if ahead.learned_count() == 0 {
            return ends;
        }
    }
}

/// Where one walk ends. Its steps begin as early as in the search, so that their commands have the same PIDs.
fn walked_end(explorer: &mut Explorer, walk: u64) -> u128 {
    let mut fork = start(explorer);
    loop {
        let moves = all_transitions(&fork.play);
        if moves.is_empty() || fork.play.is_finished() {
            return fork.play.machine.state_digest();
        }
        let any = hash::digest(&(walk, fork.play.transition_count)) % moves.len() as u128;
        let any = usize::try_from(any).expect("less than their number");
        let begins = moves.iter().rposition(|next| matches!(next, Transition::BeginStep(_)));
        let (after, _) = explorer.step_with_invisible(&fork, &moves[begins.unwrap_or(any)], true);
        fork = after.expect("nothing breaks");
    }
}

#[rstest]
#[case(RENAME_AND_DELETE)]
#[case(CREATE_AND_START)]
fn no_order_of_moves_ends_where_the_search_does_not(#[case] text: &str) {
    let mut explorer = explorer(text);
    let searched = searched_ends(&mut explorer);
    let walked: BTreeSet<u128> = (0..WALKS).map(|walk| walked_end(&mut explorer, walk)).collect();
    assert!(walked.len() > 1, "they race");
    let (all, others) = (searched.len(), walked.difference(&searched).count());
    assert_eq!(others, 0, "{} walks ended at {}, the search at {all}", WALKS, walked.len());
}
