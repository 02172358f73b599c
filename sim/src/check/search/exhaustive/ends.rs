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

fn explorer(name: &str) -> Explorer {
    let path = format!("{}/../fixtures/scenarios/{name}.json", env!("CARGO_MANIFEST_DIR"));
    #[expect(clippy::disallowed_methods, reason = "reads a fixture")]
    let text = std::fs::read_to_string(&path).expect("a fixture");
    let scenario = Arc::new(load(name, &text).expect("a scenario"));
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
#[case("h27-rescan-meets-a-stage")]
#[case("h28-start-right-after-create")]
fn no_walk_ends_in_a_state_that_the_search_does_not_reach(#[case] name: &str) {
    let mut explorer = explorer(name);
    let searched = searched_ends(&mut explorer);
    let walked: BTreeSet<u128> = (0..WALKS).map(|walk| walked_end(&mut explorer, walk)).collect();
    assert!(
        walked.is_subset(&searched),
        "{} of {}",
        walked.difference(&searched).count(),
        walked.len()
    );
}
