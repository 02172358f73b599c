//! `surprises`: replays faults at their addresses on real machines, through the gate, and prints the counts.

use std::path::PathBuf;
use std::time::Instant;

use hermes_sim::real::{crash_points, wait};
use hermes_sim::scenario::MachineKind;

use super::parallel::run_parallel;
use super::testbeds::{self, Testbeds};
use super::{UsageError, Verdict, files};

/// Replays scenarios with faults on real s6, or in real containers: kills, failing system calls and interleavings, each at
/// its address.
///
/// The program is built with the feature `gate`. Scenarios that cannot be replayed are skipped by name and counted.
#[derive(Debug, clap::Args)]
pub struct FaultReplayArgs {
    /// Scenario files; all of fixtures/scenarios and fixtures/regressions if none is given
    files: Vec<PathBuf>,
    #[command(flatten)]
    testbed_args: testbeds::TestbedArgs,
}

/// Runs it.
pub fn run(args: &FaultReplayArgs) -> Result<Verdict, UsageError> {
    let start = Instant::now();
    let scenarios = files::read_all(&args.files)?;
    let with_faults = scenarios.iter().filter(|scenario| !scenario.faults.is_empty());
    let testbeds = Testbeds::prepare(&args.testbed_args, "surprises")?;
    let machine = if testbeds.are_containers() { MachineKind::Container } else { MachineKind::S6 };
    let (mut units, mut skipped) = (Vec::new(), 0);
    for scenario in with_faults {
        match crash_points::skip_reason(scenario, machine) {
            None => units.extend(testbeds.all.iter().map(|testbed| (testbed, scenario))),
            Some(reason) => {
                skipped += 1;
                println!("skipped {}: {reason}", scenario.name);
            }
        }
    }
    let broken = run_parallel(&units, args.testbed_args.jobs, |(testbed, scenario)| {
        if wait::is_interrupted() {
            return None;
        }
        let name = format!("{testbed} {}", scenario.name);
        let own_testbed = testbed.with_scratch(&name.replace(' ', "-"));
        let held = crash_points::replay_faults(&own_testbed, scenario);
        testbeds::remove_leftovers(&own_testbed);
        match held {
            Ok(()) => println!("{name}: held"),
            Err(ref failure) => println!("\n{name}: BROKEN: {failure}\n"),
        }
        Some(held.is_err())
    });
    let broken = broken.into_iter().filter(|is_broken| *is_broken).count();
    println!(
        "\nsurprises: {} replayed, {} held, {broken} broken; {skipped} scenarios skipped; {:.0} s",
        units.len(),
        units.len() - broken,
        start.elapsed().as_secs_f64()
    );
    if units.is_empty() {
        return Err(UsageError("none of these scenarios can be replayed here".to_owned()));
    }
    testbeds.finish(if broken == 0 { Verdict::Held } else { Verdict::Broken })
}
