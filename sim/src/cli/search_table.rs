//! What a run prints: the table, the totals as counts, the failures. The same results give the same text, seconds aside.

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
    "known",
    "states",
    "transitions",
    "complete",
    "seconds",
];

/// The table and the totals.
pub fn render(made: &[UnitResult], others: usize) -> String {
    let rows: Vec<Vec<String>> = made.iter().map(row).collect();
    let mut text = align(&HEAD, &rows);
    text.push('\n');
    for line in totals(made, others) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn row(made: &UnitResult) -> Vec<String> {
    let tally = &made.tally;
    let complete = match (made.holds(), tally.is_complete) {
        (false, _) => "BROKEN",
        (true, true) => "yes",
        (true, false) => "no",
    };
    vec![
        made.unit.scenario.name.clone(),
        made.unit.kind.name().to_owned(),
        made.unit.scenario.run_steps().count().to_string(),
        tally.effects.to_string(),
        tally.runs.to_string(),
        tally.deduplicated.to_string(),
        tally.states.to_string(),
        tally.transitions.to_string(),
        complete.to_owned(),
        format!("{:.2}", made.elapsed.as_secs_f64()),
    ]
}

/// Rows below a head: the first two columns to the left, the others to the right.
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
fn totals(made: &[UnitResult], others: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (kind, what) in [
        (SearchKind::CrashMatrix, "crash matrix"),
        (SearchKind::Recovery, "crashes inside the recovery"),
    ] {
        let verbs = made.iter().filter(|made| made.unit.kind == kind);
        for verb in verbs.filter(|made| made.unit.scenario.name.starts_with("verb-")) {
            let (name, cells) = (&verb.unit.scenario.name, verb.tally.runs);
            let state = match verb.tally.findings.len() {
                0 => "all green".to_owned(),
                broken => format!("{broken} promises broken"),
            };
            lines.push(format!("{what} of {name}: {cells} cells tried, {state}"));
        }
    }
    lines.extend(relation_rows(made));
    let sum = |of: fn(&UnitResult) -> u64| made.iter().map(of).sum::<u64>();
    let green = made.iter().filter(|made| made.holds()).count();
    let scenarios: BTreeSet<&str> =
        made.iter().map(|made| made.unit.scenario.name.as_str()).collect();
    let complete = made.iter().filter(|made| made.tally.is_complete).count();
    lines.push(format!(
        "{} scenarios, {} searches: {green} held, {} broken, {complete} complete",
        scenarios.len(),
        made.len(),
        made.len() - green
    ));
    lines.push(format!(
        "{} runs, {} effects, {} states, {} transitions",
        sum(|made| made.tally.runs),
        sum(|made| made.tally.effects),
        sum(|made| made.tally.states),
        sum(|made| made.tally.transitions)
    ));
    if others > 0 {
        lines.push(format!("{others} scenarios are for other machines, and were left out"));
    }
    lines
}

/// How often each promise about several runs was looked at, and in how many scenarios.
fn relation_rows(made: &[UnitResult]) -> Vec<String> {
    let asked =
        |promise: &Invariant, made: &UnitResult| made.tally.relations_checked.get(promise).copied();
    let told = [
        (Invariant::S9, "without one profile the others are the same"),
        (Invariant::S14, "in every order, and twice, it ends the same"),
        (Invariant::L5, "from start to start, and with the cause gone"),
        (Invariant::L7, "what status says is so"),
    ];
    let lines = told.iter().filter_map(|(promise, what)| {
        let counts: Vec<u64> = made.iter().filter_map(|made| asked(promise, made)).collect();
        let (times, scenarios) = (counts.iter().sum::<u64>(), counts.len());
        (times > 0)
            .then(|| format!("{promise}, {what}: looked at {times} times in {scenarios} scenarios"))
    });
    lines.collect()
}

/// How many protections were reached, and which never.
pub fn marks(total: usize, never: &[&str]) -> String {
    let names = if never.is_empty() { "none".to_owned() } else { never.join(" ") };
    format!("marks: {} of {total} reached; never: {names}", total - never.len())
}

/// Every failure: the first ones in full, the others in a line.
pub fn failures(made: &[UnitResult], reports: &[(usize, Report)]) -> String {
    let mut text = String::new();
    for (index, report) in reports {
        let unit = &made[*index].unit;
        text.push_str(&format!("\n─── {} {}\n", unit.scenario.name, unit.kind.name()));
        text.push_str(&report.text());
    }
    let all =
        made.iter().flat_map(|made| made.tally.findings.iter().map(move |found| (made, found)));
    for (index, (made, found)) in all.skip(reports.len()).enumerate() {
        if index == 0 {
            text.push_str("\nAlso broken (see --reports):\n");
        }
        let (name, search) = (&made.unit.scenario.name, made.unit.kind.name());
        text.push_str(&format!(
            "  {name} {search}: {}: {}\n",
            found.failure.kind, found.failure.detail
        ));
    }
    text
}

/// All of it as one JSON object.
pub fn json(made: &[UnitResult], reports: &[(usize, Report)], others: usize) -> Value {
    let units: Vec<Value> = made.iter().map(unit).collect();
    let told: Vec<Value> = reports
        .iter()
        .map(|(index, report)| {
            let unit = &made[*index].unit;
            json!({ "scenario": unit.scenario.name, "search": unit.kind.name(), "report": report.json() })
        })
        .collect();
    json!({ "units": units, "failures": told, "left_out": others })
}

fn unit(made: &UnitResult) -> Value {
    let tally = &made.tally;
    let broken = tally.findings.iter().map(|found| {
        json!({ "promise": found.failure.kind, "what": found.failure.detail, "concluding": found.is_during_settle })
    });
    json!({
        "scenario": made.unit.scenario.name,
        "search": made.unit.kind.name(),
        "tasks": made.unit.scenario.run_steps().count(),
        "effects": tally.effects,
        "runs": tally.runs,
        "known": tally.deduplicated,
        "states": tally.states,
        "transitions": tally.transitions,
        "compared": tally.relations_checked,
        "complete": tally.is_complete,
        "digest": format!("{:032x}", tally.digest),
        "seconds": made.elapsed.as_secs_f64(),
        "broken": broken.collect::<Vec<_>>(),
    })
}
