//! What this machine cannot play, by name. Pure.
//!
//! `runs_on` is not asked: what a story wants is in its steps, and whatever can be played is.

use std::time::Duration;

use crate::scenario::step::RuntimeAct;
use crate::scenario::{Scenario, Step};

/// A story that lets more time pass than this is not waited for.
const PASS_MAX: Duration = Duration::from_secs(10);

/// Why a story is not played here; `None` if it can be.
pub fn why_not(scenario: &Scenario) -> Option<String> {
    if let Some(surprise) = scenario.surprises.first() {
        let effect = surprise.at.effect;
        return Some(format!("a surprise at an address ({effect:?}) needs a gate in the program"));
    }
    scenario.steps().find_map(cannot)
}

fn cannot(step: &Step) -> Option<String> {
    let why = match step {
        Step::Power(_) => "the power cannot be cut",
        Step::Disk(_) => "the disk cannot be made full or read-only",
        Step::Clock(_) => "the clock is everybody's",
        Step::Suspend(_) => "the machine cannot sleep",
        Step::Container(it) => match it.container {
            RuntimeAct::Pause | RuntimeAct::Unpause => "no cgroup to freeze",
            _ => return None,
        },
        Step::Pass(it) if it.pass.0 > PASS_MAX => return Some(format!("{} would pass", it.pass)),
        _ => return None,
    };
    Some(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load;

    fn told(rest: &str) -> Option<String> {
        let text = format!(r#"{{"name": "x", "fact": "x.", "runs_on": ["simulated"], {rest}}}"#);
        why_not(&load("x.json", &text).expect("a scenario"))
    }

    #[test]
    fn what_only_a_simulated_machine_can_do_is_said() {
        assert_eq!(told(r#""story": [{"settle": "1s"}, {"pass": "1s"}]"#), None);
        assert_eq!(told(r#""story": [{"container": "kill"}, {"container": "start"}]"#), None);
        for (story, word) in [
            (r#"{"power": "cut"}"#, "power"),
            (r#"{"disk": "full"}"#, "disk"),
            (r#"{"clock": "+1h"}"#, "clock"),
            (r#"{"suspend": "1h"}"#, "sleep"),
            (r#"{"container": "pause"}"#, "freeze"),
            (r#"{"pass": "10m"}"#, "would pass"),
        ] {
            let why = told(&format!(r#""story": [{story}]"#)).unwrap_or_default();
            assert!(why.contains(word), "{story}: {why:?}");
        }
        let surprise = r#"{"at": {"task": "init", "effect": "mkdir", "nth": 1}, "do": "kill"}"#;
        let why = told(&format!(r#""story": [{{"settle": "1s"}}], "surprises": [{surprise}]"#));
        assert!(why.is_some_and(|why| why.contains("gate")));
    }
}
