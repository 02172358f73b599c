//! `surprises`: what befalls at addresses, replayed on real machines by way of the gate, and the counts.

use std::path::PathBuf;
use std::time::Instant;

use hermes_sim::real::{crash_points, wait};
use hermes_sim::scenario::MachineKind;

use super::parallel::run_parallel;
use super::testbeds::{self, Testbeds};
use super::{UsageError, Verdict, files};

/// Replays stories with surprises on real s6, or in real containers: kills, refusals and interleavings, each at its
/// address.
///
/// The program is built with the feature `gate`. What cannot be replayed is skipped by name and counted.
#[derive(Debug, clap::Args)]
pub struct FaultReplayArgs {
    /// Scenarios; every one in fixtures/scenarios and fixtures/regressions if none is named
    files: Vec<PathBuf>,
    #[command(flatten)]
    grounds: testbeds::TestbedArgs,
}

/// Runs it.
pub fn run(args: &FaultReplayArgs) -> Result<Verdict, UsageError> {
    let began = Instant::now();
    let scenarios = files::read_all(&args.files)?;
    let with = scenarios.iter().filter(|it| !it.faults.is_empty());
    let grounds = Testbeds::prepare(&args.grounds, "surprises")?;
    let machine = if grounds.are_containers() { MachineKind::Container } else { MachineKind::S6 };
    let (mut units, mut skipped) = (Vec::new(), 0);
    for scenario in with {
        match crash_points::skip_reason(scenario, machine) {
            None => units.extend(grounds.all.iter().map(|ground| (ground, scenario))),
            Some(why) => {
                skipped += 1;
                println!("skipped {}: {why}", scenario.name);
            }
        }
    }
    let broken = run_parallel(&units, args.grounds.jobs, |(ground, scenario)| {
        if wait::is_interrupted() {
            return None;
        }
        let name = format!("{ground} {}", scenario.name);
        let own = ground.with_scratch(&name.replace(' ', "-"));
        let held = crash_points::replay_faults(&own, scenario);
        testbeds::remove_leftovers(&own);
        match held {
            Ok(()) => println!("{name}: held"),
            Err(ref what) => println!("\n{name}: BROKEN: {what}\n"),
        }
        Some(held.is_err())
    });
    let broken = broken.into_iter().filter(|it| *it).count();
    println!(
        "\nsurprises: {} replayed, {} held, {broken} broken; {skipped} stories skipped; {:.0} s",
        units.len(),
        units.len() - broken,
        began.elapsed().as_secs_f64()
    );
    if units.is_empty() {
        return Err(UsageError("none of these stories can be replayed here".to_owned()));
    }
    grounds.finish(if broken == 0 { Verdict::Held } else { Verdict::Broken })
}
