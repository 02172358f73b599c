//! The speed of the simulated machine on one core: effects, whole runs and states per second, and the size of the worlds.
//! `just bench-sim` prints one table. Nothing here asserts: a busy machine would fail a correct build.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a bench reads scenarios, measures with real clocks, and prints the results"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hermes_sim::check::search::{Budget, Explorer, SearchResult};
use hermes_sim::execution::Execution;
use hermes_sim::scenario::{Scenario, load};

const SCENARIOS: [&str; 3] = ["r1-container-restart", "verb-stop", "exhaustive-start-stop-crash"];

/// Each number is measured for this long.
const MEASURED: Duration = Duration::from_secs(3);

/// States of one exhaustive search.
const STATES: u64 = 50_000;

fn main() {
    // `cargo test --benches` and similar commands ask for a list of tests: there is none.
    if std::env::args().any(|arg| arg == "--list" || arg == "--test") {
        return;
    }
    println!(
        "{:<26} {:>6} {:>9} {:>14} {:>10} {:>10}",
        "scenario", "nodes", "processes", "effects/s", "runs/s", "states/s"
    );
    for name in SCENARIOS {
        bench(&read(name));
    }
}

fn read(name: &str) -> Arc<Scenario> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/scenarios"));
    let path = folder.join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).expect("a fixture of this repository");
    Arc::new(load(name, &text).expect("a scenario that loads"))
}

fn bench(scenario: &Arc<Scenario>) {
    let (nodes, processes) = match Execution::new(scenario) {
        Ok(execution) => {
            let world = &execution.machine.world;
            (world.disk.node_count().to_string(), world.processes().count().to_string())
        }
        Err(failure) => (format!("({})", failure.kind), "-".to_owned()),
    };
    let budget = Budget { runs: 1, states: STATES, faults_max: 1, seed: 0 };
    let baseline = rates(scenario, budget, Explorer::baseline);
    let states = match scenario.search.exhaustive {
        true => format!("{:.0}", rates(scenario, budget, Explorer::exhaustive).states),
        false => "-".to_owned(),
    };
    println!(
        "{:<26} {nodes:>6} {processes:>9} {:>14.0} {:>10.0} {states:>10}",
        scenario.name, baseline.effects, baseline.runs
    );
}

struct Rates {
    effects: f64,
    runs: f64,
    states: f64,
}

/// Runs whole searches, each with its boot, one after the other.
fn rates(scenario: &Arc<Scenario>, budget: Budget, search: fn(Explorer) -> SearchResult) -> Rates {
    let start = Instant::now();
    let (mut effects, mut runs, mut states) = (0, 0, 0);
    while start.elapsed() < MEASURED {
        let Ok(result) = Explorer::new(scenario, budget).map(search) else { break };
        effects += result.effects;
        runs += result.runs;
        states += result.states;
    }
    let seconds = start.elapsed().as_secs_f64();
    let rate = |count: u64| u32::try_from(count).map_or(f64::INFINITY, f64::from) / seconds;
    Rates { effects: rate(effects), runs: rate(runs), states: rate(states) }
}
