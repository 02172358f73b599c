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
#[case("h27-rescan-meets-a-stage")]
#[case("h28-start-right-after-create")]
fn no_order_of_moves_ends_where_the_search_does_not(#[case] name: &str) {
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
