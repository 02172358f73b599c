//! The report of a failure for people: what should have held and why, the smallest scenario that reproduces it, the command
//! that replays it, the line of the program, and what happened, event by event.
//!
//! Prints nothing and writes no file.

pub mod replayable;
mod source;

use std::sync::Arc;

use crate::check::retrace::{self, ReplayOutcome};
use crate::check::search::Finding;
use crate::check::shrink;
use crate::check::trace::Trace;
use crate::execution::{Failure, Transition};
use crate::scenario::{FoundBy, Provenance, Scenario, load};

/// A finding, with the search that made it.
#[derive(Clone, Debug)]
pub struct ReportInput<'a> {
    /// The scenario that was searched.
    pub scenario: &'a Scenario,
    /// The search that found it; none: the baseline.
    pub found_by: Option<FoundBy>,
    /// The seed of the search.
    pub seed: u64,
    /// The day: year, month, day.
    pub date: &'a str,
    /// The finding.
    pub finding: &'a Finding,
}

/// The limits of a report: effort and length.
#[derive(Clone, Copy, Debug)]
pub struct ReportLimits {
    /// How many runs shrinking may take.
    pub runs: u64,
    /// How many lines the trace may have; `None` means all.
    pub trace_lines_max: Option<usize>,
}

/// The report of one failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The failure.
    pub failure: Failure,
    /// The scenario that reproduces it, or why there is none.
    pub minimal: Result<Scenario, String>,
    /// How many runs shrinking took.
    pub runs: u64,
    /// The lines of the program that requested the decisive effect, innermost first.
    pub source: Vec<String>,
    /// The trace of the execution.
    pub trace: String,
    /// The command that replays it.
    pub command: String,
}

/// Shrinks a finding, and executes it once more to trace it.
pub fn report(input: &ReportInput<'_>, limits: ReportLimits) -> Report {
    let found = &input.finding.failure;
    let scenario = input.finding.changed_scenario.as_deref().unwrap_or(input.scenario);
    let replayable = replayable::to_scenario(scenario, input.finding, input.found_by);
    let shrunk = replayable.and_then(|replayable| {
        let regression = as_regression(input, replayable);
        let shrunk = shrink::shrink(&regression, found, limits.runs);
        let shrunk = shrunk.ok_or("with its faults at their addresses it does not fail")?;
        verify(&shrunk.scenario, found)?;
        Ok(shrunk)
    });
    let scenario = Arc::new(scenario.clone());
    let mut trace = Trace::new(limits.trace_lines_max);
    match shrunk {
        Ok(shrunk) => {
            let minimal = Arc::new(shrunk.scenario.clone());
            let (_, source) = retrace_with_source(&minimal, &mut trace);
            Report {
                failure: shrunk.failure,
                runs: shrunk.runs,
                source,
                trace: trace.text(),
                command: replay_command(input, &shrunk.scenario),
                minimal: Ok(shrunk.scenario),
            }
        }
        Err(why) => {
            // The failure is known.
            let _ = retrace::retrace_finding(
                &scenario,
                input.finding,
                input.found_by,
                &mut |execution, next| {
                    trace.record_transition(execution, next);
                },
            );
            Report {
                failure: input.finding.failure.clone(),
                runs: 0,
                source: Vec::new(),
                trace: trace.text(),
                command: explore_command(input),
                minimal: Err(why),
            }
        }
    }
}

/// Executes a scenario with its scripted faults, and traces it. Returns how it ended, and the lines of the program that
/// requested the decisive effect: the last one with a scripted fault, or else the last one.
pub fn retrace_with_source(
    scenario: &Arc<Scenario>,
    trace: &mut Trace,
) -> (ReplayOutcome, Vec<String>) {
    let mut decisive = None;
    let mut has_fault = false;
    let observe = &mut |execution: &crate::execution::Execution, next: &Transition| {
        trace.record_transition(execution, next);
        let is_decisive = match next {
            Transition::InjectScripted(..) => true,
            Transition::Process(who) => !has_fault && execution.next_effect(*who).is_some(),
            _ => false,
        };
        if is_decisive {
            decisive = Some(execution.transition_count);
        }
        has_fault |= matches!(next, Transition::InjectScripted(..));
    };
    let mut finished = Vec::new();
    let ended = retrace::retrace_scenario(scenario, observe, &mut |execution| {
        finished.push(execution.clone())
    });
    for execution in &finished {
        trace.record_outcome(execution);
    }
    let source = match (&ended, decisive) {
        (ReplayOutcome::Violated(_), Some(number)) => source::requesting_lines(scenario, number),
        _ => Vec::new(),
    };
    (ended, source)
}

/// The scenario as a regression: with its name, and the search that found it.
fn as_regression(input: &ReportInput<'_>, mut scenario: Scenario) -> Scenario {
    let Some(search) = input.found_by else { return scenario };
    let kind = input.finding.failure.kind.to_string().to_lowercase();
    scenario.name = format!("{}-{kind}-{}", input.scenario.name, search_name(search));
    scenario.found_by =
        Some(Provenance { search, seed: Some(input.seed), date: input.date.to_owned() });
    scenario
}

/// The name of a search.
pub fn search_name(search: FoundBy) -> &'static str {
    match search {
        FoundBy::CrashMatrix => "crash-matrix",
        FoundBy::Bounded => "bounded",
        FoundBy::Exhaustive => "exhaustive",
        FoundBy::Relations => "relations",
        FoundBy::Random => "random",
        FoundBy::Conformance => "conformance",
    }
}

/// Checks that the scenario reads back from its text, fails the same way, and has the same trace twice.
fn verify(scenario: &Scenario, found: &Failure) -> Result<(), String> {
    let text = scenario.to_json();
    let read = load(&scenario.name, &text).map_err(|error| error.to_string())?;
    if read != *scenario {
        return Err("its text reads back as another scenario".to_owned());
    }
    let read = Arc::new(read);
    let mut traces = Vec::new();
    for _ in 0..2 {
        let mut trace = Trace::new(None);
        let (ended, _) = retrace_with_source(&read, &mut trace);
        match ended {
            ReplayOutcome::Violated(failure) if failure.is_same_failure(found) => {
                traces.push(trace.text())
            }
            other => return Err(format!("read back, it ends otherwise: {other:?}")),
        }
    }
    match traces[0] == traces[1] {
        true => Ok(()),
        false => Err("it does not behave the same way twice".to_owned()),
    }
}

fn replay_command(input: &ReportInput<'_>, minimal: &Scenario) -> String {
    let folder = match (&minimal.found_by, &input.scenario.found_by) {
        (Some(_), _) | (None, Some(_)) => "regressions",
        (None, None) => "scenarios",
    };
    format!("cargo run -p hermes-sim -- replay fixtures/{folder}/{}.json", minimal.name)
}

/// Is it a finding of the recovery search: a crash inside the recovery?
fn is_double_crash(finding: &Finding) -> bool {
    finding.changed_scenario.is_some() || finding.schedule.0.len() > 1
}

fn explore_command(input: &ReportInput<'_>) -> String {
    let search = match input.found_by {
        None => "baseline",
        Some(FoundBy::CrashMatrix) if is_double_crash(input.finding) => "recovery",
        Some(FoundBy::CrashMatrix) => "crash-matrix",
        Some(search) => search_name(search),
    };
    let folder = if input.scenario.found_by.is_some() { "regressions" } else { "scenarios" };
    let name = &input.scenario.name;
    format!(
        "cargo run -p hermes-sim -- explore fixtures/{folder}/{name}.json --search {search} --seed {}",
        input.seed
    )
}

impl Report {
    /// As text for a terminal.
    pub fn text(&self) -> String {
        let kind = self.failure.kind;
        let mut text = format!(
            "{kind}: {}\n   because {}\n   detail: {}\n",
            kind.statement(),
            kind.reason(),
            self.failure.detail
        );
        for (index, line) in self.source.iter().enumerate() {
            let head = if index == 0 { "   at:     " } else { "           " };
            text.push_str(&format!("{head}{line}\n"));
        }
        text.push_str(&format!("   replay: {}\n", self.command));
        match &self.minimal {
            Ok(scenario) => {
                let (steps, faults) = (scenario.steps.len(), scenario.faults.len());
                text.push_str(&format!(
                    "\nThe scenario ({steps} steps, {faults} faults, after {} runs), to be saved there:\n\n{}",
                    self.runs,
                    scenario.to_json()
                ));
            }
            Err(why) => text.push_str(&format!("   no scenario of its own: {why}\n")),
        }
        text.push_str("\nWhat happened:\n\n");
        text.push_str(&self.trace);
        text
    }

    /// As JSON.
    pub fn json(&self) -> serde_json::Value {
        let kind = self.failure.kind;
        serde_json::json!({
            "invariant": kind,
            "text": kind.statement(),
            "reason": kind.reason(),
            "detail": self.failure.detail,
            "source": self.source,
            "replay": self.command,
            "scenario": self.minimal.as_ref().ok(),
            "why_no_scenario": self.minimal.as_ref().err(),
            "runs": self.runs,
            "trace": self.trace.lines().collect::<Vec<_>>(),
        })
    }
}
