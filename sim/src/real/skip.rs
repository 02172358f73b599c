//! Which scenarios a real machine cannot run, and reason. Pure.
//!
//! `runs_on` is not used: the steps of a scenario show what it needs, and every scenario that can run does run.

use std::time::Duration;

use crate::scenario::step::ContainerAction;
use crate::scenario::{MachineKind, Scenario, Step};

/// A scenario that lets more time pass in one step does not run.
const PASS_MAX: Duration = Duration::from_secs(30);

/// Why a scenario cannot run here; `None` if it can.
pub fn skip_reason(scenario: &Scenario, machine: MachineKind) -> Option<String> {
    if let Some(fault) = scenario.faults.first() {
        let effect = fault.at.effect;
        return Some(format!("a fault at an address ({effect:?}) needs a gate in the program"));
    }
    if let Some(kind) = scenario.world.tree.host() {
        return Some(format!("{kind:?} is no s6"));
    }
    if let Some((name, _)) = scenario.world.environment.iter().find(|(_, value)| value.is_empty()) {
        return Some(format!("an empty {name} would be the harness' own, too"));
    }
    scenario.all_steps().find_map(|step| unsupported(step, machine))
}

fn unsupported(step: &Step, machine: MachineKind) -> Option<String> {
    let reason = match step {
        Step::Power(_) => "the power cannot be cut",
        Step::Disk(_) => "the disk cannot be made full or read-only",
        Step::Clock(_) => "the clock belongs to the whole machine",
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
    Some(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load;

    fn reason(rest: &str, machine: MachineKind) -> Option<String> {
        let text = format!(r#"{{"name": "x", "summary": "x.", "runs_on": ["simulated"], {rest}}}"#);
        skip_reason(&load("x.json", &text).expect("a scenario"), machine)
    }

    #[test]
    fn a_step_that_only_a_simulated_machine_can_do_is_a_reason_to_skip() {
        let (s6, container) = (MachineKind::S6, MachineKind::Container);
        assert_eq!(reason(r#""steps": [{"settle": "1s"}, {"pass": "1s"}]"#, s6), None);
        assert_eq!(reason(r#""steps": [{"container": "kill"}, {"container": "start"}]"#, s6), None);
        assert_eq!(reason(r#""steps": [{"container": "pause"}]"#, container), None);
        for (step, machine, word) in [
            (r#"{"power": "cut"}"#, s6, "power"),
            (r#"{"power": "cut"}"#, container, "power"),
            (r#"{"disk": "full"}"#, container, "disk"),
            (r#"{"clock": "+1h"}"#, container, "clock"),
            (r#"{"suspend": "1h"}"#, container, "sleep"),
            (r#"{"container": "pause"}"#, s6, "freeze"),
            (r#"{"pass": "10m"}"#, container, "would pass"),
        ] {
            let text = reason(&format!(r#""steps": [{step}]"#), machine).unwrap_or_default();
            assert!(text.contains(word), "{step}: {text:?}");
        }
        let fault = r#"{"at": {"task": "init", "effect": "mkdir", "nth": 1}, "inject": "kill"}"#;
        let rest = format!(r#""steps": [{{"settle": "1s"}}], "faults": [{fault}]"#);
        assert!(reason(&rest, container).is_some_and(|text| text.contains("gate")));
        let rest = r#""world": {"environment": {"PATH": ""}}, "steps": [{"settle": "1s"}]"#;
        assert!(reason(rest, s6).is_some_and(|text| text.contains("empty PATH")));
    }
}
