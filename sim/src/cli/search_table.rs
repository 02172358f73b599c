//! The output of a run: the table, the totals, the failures. The same results give the same text, except for the seconds.

use std::collections::BTreeSet;

use hermes_sim::check::report::Report;
use hermes_sim::scenario::Invariant;
use serde_json::{Value, json};

use super::search_unit::UnitResult;
use hermes_sim::check::search::SearchKind;

const HEAD: [&str; 10] = [
    "scenario",
    "search",
    "tasks",
    "effects",
    "runs",
    "deduplicated",
    "states",
    "transitions",
    "complete",
    "seconds",
];

/// The table and the totals.
pub fn render(results: &[UnitResult], others: usize) -> String {
    let rows: Vec<Vec<String>> = results.iter().map(row).collect();
    let mut text = align(&HEAD, &rows);
    text.push('\n');
    for line in totals(results, others) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn row(result: &UnitResult) -> Vec<String> {
    let tally = &result.tally;
    let complete = match (result.holds(), tally.is_complete) {
        (false, _) => "BROKEN",
        (true, true) => "yes",
        (true, false) => "no",
    };
    vec![
        result.unit.scenario.name.clone(),
        result.unit.kind.name().to_owned(),
        result.unit.scenario.run_steps().count().to_string(),
        tally.effects.to_string(),
        tally.runs.to_string(),
        tally.deduplicated.to_string(),
        tally.states.to_string(),
        tally.transitions.to_string(),
        complete.to_owned(),
        format!("{:.2}", result.elapsed.as_secs_f64()),
    ]
}

/// Rows below a head: the first two columns are aligned to the left, the others to the right.
pub fn align(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|word| word.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let head: Vec<String> = head.iter().map(|word| (*word).to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let cells = row.iter().zip(&widths).enumerate().map(|(index, (cell, width))| match index {
            0 | 1 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The crash matrix of each verb, then all together.
fn totals(results: &[UnitResult], others: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (kind, title) in [
        (SearchKind::CrashMatrix, "crash matrix"),
        (SearchKind::Recovery, "crashes inside the recovery"),
    ] {
        let searches = results.iter().filter(|result| result.unit.kind == kind);
        for verb in searches.filter(|result| result.unit.scenario.name.starts_with("verb-")) {
            let (name, runs) = (&verb.unit.scenario.name, verb.tally.runs);
            let state = match verb.tally.findings.len() {
                0 => "all held".to_owned(),
                1 => "1 violation".to_owned(),
                violations => format!("{violations} violations"),
            };
            lines.push(format!("{title} of {name}: {runs} crash points run, {state}"));
        }
    }
    lines.extend(relation_rows(results));
    let sum = |of: fn(&UnitResult) -> u64| results.iter().map(of).sum::<u64>();
    let held = results.iter().filter(|result| result.holds()).count();
    let scenarios: BTreeSet<&str> =
        results.iter().map(|result| result.unit.scenario.name.as_str()).collect();
    let complete = results.iter().filter(|result| result.tally.is_complete).count();
    lines.push(format!(
        "{} scenarios, {} searches: {held} held, {} broken, {complete} complete",
        scenarios.len(),
        results.len(),
        results.len() - held
    ));
    lines.push(format!(
        "{} runs, {} effects, {} states, {} transitions",
        sum(|result| result.tally.runs),
        sum(|result| result.tally.effects),
        sum(|result| result.tally.states),
        sum(|result| result.tally.transitions)
    ));
    if others > 0 {
        lines.push(format!("{others} scenarios are for other machines, and were left out"));
    }
    lines
}

/// How often each relation between runs was checked, and in how many scenarios.
fn relation_rows(results: &[UnitResult]) -> Vec<String> {
    let relations = [
        (Invariant::S9, "without one profile the others are the same"),
        (Invariant::S14, "every order, and a repetition, ends in the same state"),
        (Invariant::L5, "from start to start, and with the cause gone"),
        (Invariant::L7, "status tells the truth"),
    ];
    let lines = relations.iter().filter_map(|(invariant, relation)| {
        let checked = |result: &UnitResult| result.tally.relations_checked.get(invariant).copied();
        let counts: Vec<u64> = results.iter().filter_map(checked).collect();
        let (times, scenarios) = (counts.iter().sum::<u64>(), counts.len());
        (times > 0).then(|| {
            format!("{invariant}, {relation}: checked {times} times in {scenarios} scenarios")
        })
    });
    lines.collect()
}

/// How many coverage marks of protections were reached, and which were never.
pub fn marks(total: usize, never: &[&str]) -> String {
    let names = if never.is_empty() { "none".to_owned() } else { never.join(" ") };
    format!("marks: {} of {total} reached; never: {names}", total - never.len())
}

/// Every failure: the first ones in full, the others in one line each.
pub fn failures(results: &[UnitResult], reports: &[(usize, Report)]) -> String {
    let mut text = String::new();
    for (index, report) in reports {
        let unit = &results[*index].unit;
        text.push_str(&format!("\n─── {} {}\n", unit.scenario.name, unit.kind.name()));
        text.push_str(&report.text());
    }
    let all = results
        .iter()
        .flat_map(|result| result.tally.findings.iter().map(move |finding| (result, finding)));
    for (index, (result, finding)) in all.skip(reports.len()).enumerate() {
        if index == 0 {
            text.push_str("\nAlso broken (see --reports):\n");
        }
        let (name, search) = (&result.unit.scenario.name, result.unit.kind.name());
        text.push_str(&format!(
            "  {name} {search}: {}: {}\n",
            finding.failure.kind, finding.failure.detail
        ));
    }
    text
}

/// All of it as one JSON object.
pub fn json(results: &[UnitResult], reports: &[(usize, Report)], others: usize) -> Value {
    let units: Vec<Value> = results.iter().map(unit).collect();
    let failures: Vec<Value> = reports
        .iter()
        .map(|(index, report)| {
            let unit = &results[*index].unit;
            json!({ "scenario": unit.scenario.name, "search": unit.kind.name(), "report": report.json() })
        })
        .collect();
    json!({ "units": units, "failures": failures, "left_out": others })
}

fn unit(result: &UnitResult) -> Value {
    let tally = &result.tally;
    let violations = tally.findings.iter().map(|finding| {
        json!({
            "invariant": finding.failure.kind,
            "detail": finding.failure.detail,
            "during_settle": finding.is_during_settle,
        })
    });
    json!({
        "scenario": result.unit.scenario.name,
        "search": result.unit.kind.name(),
        "tasks": result.unit.scenario.run_steps().count(),
        "effects": tally.effects,
        "runs": tally.runs,
        "deduplicated": tally.deduplicated,
        "states": tally.states,
        "transitions": tally.transitions,
        "relations_checked": tally.relations_checked,
        "complete": tally.is_complete,
        "digest": format!("{:032x}", tally.digest),
        "seconds": result.elapsed.as_secs_f64(),
        "violations": violations.collect::<Vec<_>>(),
    })
}
