//! The lines of the program that requested an effect: the scenario is executed up to it, and the task's future is rebuilt to
//! take a backtrace at the request.

use std::sync::Arc;

use crate::check::retrace;
use crate::execution::Transition;
use crate::machine::process::ProcessBody;
use crate::scenario::Scenario;

/// The number of lines that are shown.
const LINES_MAX: usize = 4;

/// The lines of the task that moves, or has a scripted fault, at this number of transitions.
pub(super) fn requesting_lines(scenario: &Arc<Scenario>, number: u64) -> Vec<String> {
    let mut lines = Vec::new();
    let observe = &mut |execution: &crate::execution::Execution, next: &Transition| {
        let (Transition::Process(who) | Transition::InjectScripted(who, _)) = next else { return };
        if execution.transition_count != number {
            return;
        }
        if let Some(ProcessBody::Task(task)) =
            execution.machine.world.process(*who).map(|process| &process.body)
        {
            lines = frames(&task.request_backtrace().to_string());
        }
    };
    retrace::retrace_scenario(scenario, observe, &mut |_| {});
    lines
}

/// The frames of the production program above its `Host`, from a backtrace's text.
fn frames(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut function: Option<&str> = None;
    for line in text.lines().map(str::trim) {
        if let Some(place) = line.strip_prefix("at ") {
            if let Some(function) = function.take() {
                let place = short(place);
                let frame = format!("{place} ({function})");
                if !found.contains(&frame) {
                    found.push(frame);
                }
            }
        } else {
            let name = line.split_once(": ").map_or(line, |(_, name)| name);
            let is_ours = name.trim_start_matches('<').starts_with("hermes::");
            let is_host = name.contains("hermes::host");
            function = (is_ours && !is_host).then(|| name.trim_end_matches("::{{closure}}"));
        }
    }
    found.truncate(LINES_MAX);
    found
}

/// The path below the workspace, without the column.
fn short(place: &str) -> &str {
    let start = place.rfind("/src/").map_or(0, |at| at + 1);
    let place = &place[start..];
    let is_column = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match place.rsplit_once(':') {
        Some((line, column)) if is_column(column) && line.contains(':') => line,
        _ => place,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frames_of_a_report_are_the_programs_own() {
        let text = "   0: hermes_sim::replay::perform\n             at /w/sim/src/task.rs:90:5\n   \
                    1: hermes::host::fs::open::{{closure}}\n             at ./src/host/fs.rs:3:1\n   \
                    2: hermes::ops::lifecycle::stop::{{closure}}\n             at /w/src/ops/lifecycle.rs:12:9\n";
        assert_eq!(frames(text), ["src/ops/lifecycle.rs:12 (hermes::ops::lifecycle::stop)"]);
    }
}
