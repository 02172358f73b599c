//! The reduction keeps every end state: walks at random end in no state in which the exhaustive search does not end.

use std::collections::BTreeSet;
use std::sync::Arc;

use rstest::rstest;

use super::{Branch, Explorer, PartialOrderReduction, Schedule, all_transitions};
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

fn start(explorer: &Explorer) -> Branch {
    Branch { execution: explorer.initial.clone(), schedule: Schedule::default(), crashes_left: 0 }
}

/// The end states of the search, which is begun again until it has learned nothing new.
fn searched_ends(explorer: &mut Explorer) -> BTreeSet<u128> {
    let mut reduction = PartialOrderReduction::default();
    loop {
        reduction.clear_cache();
        let (mut ends, mut visited) = (BTreeSet::new(), BTreeSet::new());
        let mut branches = vec![start(explorer)];
        while let Some(mut branch) = branches.pop() {
            if !visited.insert(branch.execution.state_hash()) {
                continue;
            }
            loop {
                let transitions = all_transitions(&branch.execution);
                if transitions.is_empty() || branch.execution.is_finished() {
                    ends.insert(branch.execution.machine.state_digest());
                    break;
                }
                match explorer.try_transitions(&branch, &transitions, &mut branches, &mut reduction)
                {
                    Some(next) => branch = next,
                    None => break,
                }
            }
        }
        if reduction.learned_count() == 0 {
            return ends;
        }
    }
}

/// The end state of one walk. Its steps begin as early as in the search, so that their commands have the same PIDs.
fn walked_end(explorer: &mut Explorer, walk: u64) -> u128 {
    let mut branch = start(explorer);
    loop {
        let transitions = all_transitions(&branch.execution);
        if transitions.is_empty() || branch.execution.is_finished() {
            return branch.execution.machine.state_digest();
        }
        let any =
            hash::digest(&(walk, branch.execution.transition_count)) % transitions.len() as u128;
        let any = usize::try_from(any).expect("less than their number");
        let begins = transitions.iter().rposition(|next| matches!(next, Transition::BeginStep(_)));
        let (after, _) =
            explorer.step_with_invisible(&branch, &transitions[begins.unwrap_or(any)], true);
        branch = after.expect("no violation");
    }
}

#[rstest]
#[case(RENAME_AND_DELETE)]
#[case(CREATE_AND_START)]
fn no_walk_ends_in_a_state_that_the_search_does_not_reach(#[case] text: &str) {
    let mut explorer = explorer(text);
    let searched = searched_ends(&mut explorer);
    let walked: BTreeSet<u128> = (0..WALKS).map(|walk| walked_end(&mut explorer, walk)).collect();
    assert!(walked.len() > 1, "they race");
    let (all, others) = (searched.len(), walked.difference(&searched).count());
    assert_eq!(others, 0, "{} walks ended at {}, the search at {all}", WALKS, walked.len());
}
