//! What people get when a promise is broken: which one and why it was made, the scenario that breaks it again, made as
//! small as it goes, the command that plays it, the line of the program, and what happened, event by event.
//!
//! Prints nothing and writes no file.

pub mod invariant_texts;
pub mod replayable;
mod source;

use std::sync::Arc;

use crate::check::retrace::{self, ReplayOutcome};
use crate::check::search::Finding;
use crate::check::shrink;
use crate::check::trace::Trace;
use crate::execution::{Failure, Transition};
use crate::scenario::{self, FoundBy, Scenario, load};

/// What was found, and by whom.
#[derive(Clone, Debug)]
pub struct ReportInput<'a> {
    /// The scenario that was searched.
    pub scenario: &'a Scenario,
    /// Which search found it; none: the calm run.
    pub found_by: Option<FoundBy>,
    /// With which seed.
    pub seed: u64,
    /// On which day.
    pub date: &'a str,
    /// What.
    pub finding: &'a Finding,
}

/// How much a report may cost and say.
#[derive(Clone, Copy, Debug)]
pub struct ReportLimits {
    /// Runs for shrinking.
    pub runs: u64,
    /// Lines of the trace; `None` all.
    pub trace_lines_max: Option<usize>,
}

/// All that there is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was broken.
    pub failure: Failure,
    /// The scenario that breaks it by itself, or why none does.
    pub minimal: Result<Scenario, String>,
    /// How many runs it took to make it small.
    pub runs: u64,
    /// The lines of the program that asked for the effect that mattered, innermost first.
    pub source: Vec<String>,
    /// What happened.
    pub trace: String,
    /// The command that plays it again.
    pub command: String,
}

/// Shrinks what was found, and plays it once more to tell of it.
pub fn report(case: &ReportInput<'_>, effort: ReportLimits) -> Report {
    let found = &case.finding.failure;
    let scenario = case.finding.changed_scenario.as_deref().unwrap_or(case.scenario);
    let told = replayable::to_scenario(scenario, case.finding, case.found_by);
    let shrunk = told.and_then(|told| {
        let told = as_regression(case, told);
        let shrunk = shrink::shrink(&told, found, effort.runs);
        let shrunk = shrunk.ok_or("told by its addresses it does not break")?;
        verify(&shrunk.scenario, found)?;
        Ok(shrunk)
    });
    let scenario = Arc::new(scenario.clone());
    let mut trace = Trace::new(effort.trace_lines_max);
    match shrunk {
        Ok(shrunk) => {
            let minimal = Arc::new(shrunk.scenario.clone());
            let (_, source) = retrace_with_source(&minimal, &mut trace);
            Report {
                failure: shrunk.failure,
                runs: shrunk.runs,
                source,
                trace: trace.text(),
                command: replay_command(case, &shrunk.scenario),
                minimal: Ok(shrunk.scenario),
            }
        }
        Err(why) => {
            // That it breaks is known.
            let _ = retrace::retrace_finding(
                &scenario,
                case.finding,
                case.found_by,
                &mut |play, next| {
                    trace.record_transition(play, next);
                },
            );
            Report {
                failure: case.finding.failure.clone(),
                runs: 0,
                source: Vec::new(),
                trace: trace.text(),
                command: explore_command(case),
                minimal: Err(why),
            }
        }
    }
}

/// Plays a scenario with its own surprises, and notes everything: how it ended, and the lines of the program that asked for
/// the effect that mattered.
pub fn retrace_with_source(
    scenario: &Arc<Scenario>,
    trace: &mut Trace,
) -> (ReplayOutcome, Vec<String>) {
    let mut telling = None;
    let mut surprised = false;
    let see = &mut |play: &crate::execution::Execution, next: &Transition| {
        trace.record_transition(play, next);
        let matters = match next {
            Transition::InjectScripted(..) => true,
            Transition::Process(who) => !surprised && play.next_effect(*who).is_some(),
            _ => false,
        };
        if matters {
            telling = Some(play.transition_count);
        }
        surprised |= matches!(next, Transition::InjectScripted(..));
    };
    let mut rest = Vec::new();
    let ended = retrace::retrace_scenario(scenario, see, &mut |play| rest.push(play.clone()));
    for play in &rest {
        trace.record_outcome(play);
    }
    let source = match (&ended, telling) {
        (ReplayOutcome::Violated(_), Some(moves)) => source::requesting_lines(scenario, moves),
        _ => Vec::new(),
    };
    (ended, source)
}

/// Its name, and who found it.
fn as_regression(case: &ReportInput<'_>, mut told: Scenario) -> Scenario {
    let Some(by) = case.found_by else { return told };
    let promise = case.finding.failure.invariant.to_lowercase();
    let finder = search_name(by);
    told.name = format!("{}-{promise}-{finder}", case.scenario.name);
    told.found_by = Some(scenario::Provenance {
        search: by,
        seed: Some(case.seed),
        date: case.date.to_owned(),
    });
    told
}

/// A search by its name.
pub fn search_name(by: FoundBy) -> &'static str {
    match by {
        FoundBy::CrashMatrix => "crash-matrix",
        FoundBy::Bounded => "bounded",
        FoundBy::Exhaustive => "exhaustive",
        FoundBy::Relations => "relations",
        FoundBy::Random => "random",
        FoundBy::Conformance => "conformance",
    }
}

/// It is read back from its text, fails like that, and does so the same way twice.
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
        false => Err("it does not play the same way twice".to_owned()),
    }
}

fn replay_command(case: &ReportInput<'_>, minimal: &Scenario) -> String {
    let folder = match (&minimal.found_by, &case.scenario.found_by) {
        (Some(_), _) | (None, Some(_)) => "regressions",
        (None, None) => "scenarios",
    };
    format!("cargo run -p hermes-sim -- replay fixtures/{folder}/{}.json", minimal.name)
}

/// Is it of the crashes inside the recovery?
fn is_double_crash(found: &Finding) -> bool {
    found.changed_scenario.is_some() || found.schedule.0.len() > 1
}

fn explore_command(case: &ReportInput<'_>) -> String {
    let search = match case.found_by {
        None => "baseline",
        Some(FoundBy::CrashMatrix) if is_double_crash(case.finding) => "recovery",
        Some(FoundBy::CrashMatrix) => "crash-matrix",
        Some(by) => search_name(by),
    };
    let folder = if case.scenario.found_by.is_some() { "regressions" } else { "scenarios" };
    let name = &case.scenario.name;
    format!(
        "cargo run -p hermes-sim -- explore fixtures/{folder}/{name}.json --search {search} --seed {}",
        case.seed
    )
}

impl Report {
    /// As text for a terminal.
    pub fn text(&self) -> String {
        let (promise, reason) = invariant_texts::by_name(&self.failure.invariant);
        let mut text = format!(
            "{}: {promise}\n   because {reason}\n   broken: {}\n",
            self.failure.invariant, self.failure.detail
        );
        for (index, line) in self.source.iter().enumerate() {
            let head = if index == 0 { "   at:     " } else { "           " };
            text.push_str(&format!("{head}{line}\n"));
        }
        text.push_str(&format!("   replay: {}\n", self.command));
        match &self.minimal {
            Ok(scenario) => {
                let (steps, surprises) = (scenario.steps.len(), scenario.faults.len());
                text.push_str(&format!(
                    "\nThe scenario ({steps} steps, {surprises} surprises, after {} runs), to be saved there:\n\n{}",
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
        let (promise, reason) = invariant_texts::by_name(&self.failure.invariant);
        serde_json::json!({
            "promise": self.failure.invariant,
            "text": promise,
            "reason": reason,
            "what": self.failure.detail,
            "source": self.source,
            "replay": self.command,
            "scenario": self.minimal.as_ref().ok(),
            "why_no_scenario": self.minimal.as_ref().err(),
            "runs": self.runs,
            "trace": self.trace.lines().collect::<Vec<_>>(),
        })
    }
}
