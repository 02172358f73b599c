//! What a real machine cannot play, by name. Pure.
//!
//! `runs_on` is not asked: what a story wants is in its steps, and whatever can be played is.

use std::time::Duration;

use crate::scenario::step::ContainerAction;
use crate::scenario::{MachineKind, Scenario, Step};

/// A story that lets more time pass than this is not waited for.
const PASS_MAX: Duration = Duration::from_secs(30);

/// Why a story is not played here; `None` if it can be.
pub fn skip_reason(scenario: &Scenario, machine: MachineKind) -> Option<String> {
    if let Some(surprise) = scenario.faults.first() {
        let effect = surprise.at.effect;
        return Some(format!("a surprise at an address ({effect:?}) needs a gate in the program"));
    }
    if let Some(kind) = scenario.world.tree.host() {
        return Some(format!("{kind:?} is no s6"));
    }
    scenario.all_steps().find_map(|step| cannot(step, machine))
}

fn cannot(step: &Step, machine: MachineKind) -> Option<String> {
    let why = match step {
        Step::Power(_) => "the power cannot be cut",
        Step::Disk(_) => "the disk cannot be made full or read-only",
        Step::Clock(_) => "the clock is everybody's",
        Step::Suspend(_) => "the machine cannot sleep",
        Step::Container(it) => match it.action {
            ContainerAction::Pause | ContainerAction::Unpause if machine == MachineKind::S6 => {
                "no cgroup to freeze"
            }
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

    fn told(rest: &str, machine: MachineKind) -> Option<String> {
        let text = format!(r#"{{"name": "x", "summary": "x.", "runs_on": ["simulated"], {rest}}}"#);
        skip_reason(&load("x.json", &text).expect("a scenario"), machine)
    }

    #[test]
    fn what_only_a_simulated_machine_can_do_is_said() {
        let (s6, container) = (MachineKind::S6, MachineKind::Container);
        assert_eq!(told(r#""steps": [{"settle": "1s"}, {"pass": "1s"}]"#, s6), None);
        assert_eq!(told(r#""steps": [{"container": "kill"}, {"container": "start"}]"#, s6), None);
        assert_eq!(told(r#""steps": [{"container": "pause"}]"#, container), None);
        for (story, machine, word) in [
            (r#"{"power": "cut"}"#, s6, "power"),
            (r#"{"power": "cut"}"#, container, "power"),
            (r#"{"disk": "full"}"#, container, "disk"),
            (r#"{"clock": "+1h"}"#, container, "clock"),
            (r#"{"suspend": "1h"}"#, container, "sleep"),
            (r#"{"container": "pause"}"#, s6, "freeze"),
            (r#"{"pass": "10m"}"#, container, "would pass"),
        ] {
            let why = told(&format!(r#""steps": [{story}]"#), machine).unwrap_or_default();
            assert!(why.contains(word), "{story}: {why:?}");
        }
        let surprise = r#"{"at": {"task": "init", "effect": "mkdir", "nth": 1}, "inject": "kill"}"#;
        let story = format!(r#""steps": [{{"settle": "1s"}}], "faults": [{surprise}]"#);
        assert!(told(&story, container).is_some_and(|why| why.contains("gate")));
    }
}
