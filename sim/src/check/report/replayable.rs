//! Turns a schedule into a scenario. A schedule names transitions by number, and a changed program takes other transitions.
//! Here each of its faults gets the address that a scenario uses: the task, the kind of effect, its object, its ordinal.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::check::retrace;
use crate::check::search::Finding;
use crate::execution::{Execution, Failure, FailureKind, Fault, Transition, effect_objects};
use crate::machine::world::ProcessId;
use crate::scenario::{
    EffectAddress, EffectKind, FaultKind, FaultSpec, FoundBy, MachineKind, Scenario, SearchSpec,
    Span, Step, TaskAddress,
};

/// The scenario that reproduces a finding with scripted faults, or why there is none.
pub fn to_scenario(
    scenario: &Scenario,
    finding: &Finding,
    found_by: Option<FoundBy>,
) -> Result<Scenario, String> {
    let named = with_names(scenario);
    let (drafts, last_step) = draft_faults(&named, finding, found_by)?;
    let faults = with_occurrences(&named, finding, found_by, drafts);
    let mut replayable = named;
    replayable.faults.extend(faults);
    replayable.search = SearchSpec { faults_max: 0, ..SearchSpec::default() };
    replayable.runs_on = [MachineKind::Simulated].into();
    // The crash matrix skips the steps after its crash. A command that the recovery search repeated is the last step.
    if let (Some(FoundBy::CrashMatrix), Some(last_step), None) =
        (found_by, last_step, &finding.changed_scenario)
    {
        replayable.steps.truncate(last_step + 1);
    }
    let has_fault =
        finding.schedule.0.iter().any(|(_, next)| matches!(next, Transition::Inject(..)));
    forget_expectations(&mut replayable, &finding.failure, has_fault);
    Ok(replayable)
}

/// The scenario with a name for every command, by which it can be addressed.
fn with_names(scenario: &Scenario) -> Scenario {
    let mut named = scenario.clone();
    let taken: Vec<String> = scenario.run_steps().filter_map(|run| run.name.clone()).collect();
    let mut free = (1..).map(|number| format!("R{number}")).filter(|name| !taken.contains(name));
    let mut name = |step: &mut Step| {
        if let Step::Run(run) = step {
            run.name = run.name.take().or_else(|| free.next());
        }
    };
    for step in &mut named.steps {
        match step {
            Step::Together(group) => group.steps.iter_mut().for_each(&mut name),
            other => name(other),
        }
    }
    named
}

/// Removes the expectations that a fault may break. Without a fault they stay: the execution waits for them.
fn forget_expectations(scenario: &mut Scenario, failure: &Failure, has_fault: bool) {
    let is_expectation = failure.kind == FailureKind::Expectation;
    if !has_fault {
        return;
    }
    for step in &mut scenario.steps {
        match step {
            Step::Run(run) => run.expect = Default::default(),
            Step::Together(group) => {
                for inner in &mut group.steps {
                    if let Step::Run(run) = inner {
                        run.expect = Default::default();
                    }
                }
            }
            _ => {}
        }
    }
    let keeps = |step: &Step| match step {
        Step::Expect(step) => is_expectation && step.expect.always,
        _ => true,
    };
    if scenario.steps.iter().any(keeps) {
        scenario.steps.retain(keeps);
    }
}

/// The faults of a finding with addresses whose ordinals are not known yet, and the step of the last one.
fn draft_faults(
    scenario: &Scenario,
    finding: &Finding,
    found_by: Option<FoundBy>,
) -> Result<(Vec<FaultSpec>, Option<usize>), String> {
    let mut drafts = Vec::new();
    let mut last_step = None;
    let mut last_effects: BTreeMap<ProcessId, EffectAddress> = BTreeMap::new();
    // The failure is known; the addresses are read off on the way.
    let _ = retrace::retrace_finding(
        &Arc::new(scenario.clone()),
        finding,
        found_by,
        &mut |execution, next| {
            if is_due(finding, drafts.len(), execution, next) {
                // A fault during the settle check comes after the steps.
                let step = Some(execution.step_index()).filter(|&at| at < scenario.steps.len());
                last_step = step.or(last_step);
                drafts.push(addressed_fault(execution, next, &last_effects));
            }
            if let Transition::Process(who) = next {
                if let Some(at) = address(execution, *who) {
                    last_effects.insert(*who, at);
                }
            }
        },
    );
    let drafts = drafts.into_iter().collect::<Result<Vec<FaultSpec>, String>>()?;
    match drafts.len() == finding.schedule.0.len() {
        true => Ok((drafts, last_step)),
        false => Err("not every fault came up when it was executed again".to_owned()),
    }
}

fn is_due(finding: &Finding, index: usize, execution: &Execution, next: &Transition) -> bool {
    finding
        .schedule
        .0
        .get(index)
        .is_some_and(|(at, due)| *at == execution.transition_count && due == next)
}

/// Executes the finding once more with all addresses in the scenario, each with an ordinal that never comes, and reads off
/// how often each address came up.
fn with_occurrences(
    scenario: &Scenario,
    finding: &Finding,
    found_by: Option<FoundBy>,
    mut drafts: Vec<FaultSpec>,
) -> Vec<FaultSpec> {
    let mut counting = scenario.clone();
    let scripted = counting.faults.len();
    let never = |draft: &FaultSpec| {
        let mut never = draft.clone();
        never.at.nth = u32::MAX;
        never
    };
    counting.faults.extend(drafts.iter().map(never));
    let mut index = 0;
    // The failure is known; the ordinals are read off on the way.
    let _ =
        retrace::retrace_finding(&Arc::new(counting), finding, found_by, &mut |execution, next| {
            if is_due(finding, index, execution, next) {
                let before = execution.occurrences_of(scripted + index);
                let is_after = drafts[index].kind == FaultKind::KillAfter;
                drafts[index].at.nth = if is_after { before.max(1) } else { before + 1 };
                index += 1;
            }
        });
    drafts
}

fn addressed_fault(
    execution: &Execution,
    next: &Transition,
    last_effects: &BTreeMap<ProcessId, EffectAddress>,
) -> Result<FaultSpec, String> {
    let who = addressed_process(execution, next)?;
    let mut spec = fault_spec(execution, next);
    let at = match (address(execution, who), &spec.kind) {
        (Some(at), _) => at,
        // The process was about to exit: this is the same as right after its last effect.
        (None, FaultKind::Kill) => {
            spec.kind = FaultKind::KillAfter;
            last_effects.get(&who).cloned().ok_or("a process without an effect was killed")?
        }
        (None, other) => return Err(format!("{other} at an exit has no address")),
    };
    Ok(FaultSpec { at, ..spec })
}

/// The process by whose effect the fault is addressed.
fn addressed_process(execution: &Execution, next: &Transition) -> Result<ProcessId, String> {
    if let Transition::Inject(who, _) | Transition::InjectScripted(who, _) = next {
        return Ok(*who);
    }
    match execution.baseline_transition() {
        Some(Transition::Process(who)) if execution.task_address(who).is_some() => Ok(who),
        _ => {
            Err("the transition that it replaces is no effect of a task, and has no address"
                .to_owned())
        }
    }
}

/// The fault of a transition; the address is filled in later.
fn fault_spec(execution: &Execution, next: &Transition) -> FaultSpec {
    let kind = match next {
        Transition::Process(_) => FaultKind::Preempt,
        Transition::BeginStep(_) => FaultKind::BeginStep,
        Transition::AdvanceTime | Transition::InjectScripted(..) => FaultKind::AdvanceTime,
        Transition::Inject(_, fault) => match fault {
            Fault::Kill => FaultKind::Kill,
            Fault::ContainerKill => FaultKind::ContainerKill,
            Fault::ContainerRestart => FaultKind::ContainerRestart,
            Fault::PowerCut(_) => FaultKind::PowerCut,
            Fault::Suspend(_) => FaultKind::Suspend,
            Fault::FailEffect(errno) | Fault::FailEffectForGood(errno) => FaultKind::Errno(*errno),
        },
    };
    let nowhere = EffectAddress {
        task: TaskAddress::Run(String::new()),
        effect: EffectKind::Open,
        object: None,
        nth: 1,
    };
    FaultSpec {
        at: nowhere,
        kind,
        sticky: matches!(next, Transition::Inject(_, Fault::FailEffectForGood(_))),
        next: match next {
            Transition::Process(other) => execution.task_address(*other),
            _ => None,
        },
        duration: match next {
            Transition::Inject(_, Fault::Suspend(time)) => Some(Span(*time)),
            _ => None,
        },
        outcome: match next {
            Transition::Inject(_, Fault::PowerCut(choice)) => {
                Some(*choice).filter(|&choice| choice > 0)
            }
            _ => None,
        },
    }
}

/// The address of the next effect of a task, with ordinal 1.
fn address(execution: &Execution, who: ProcessId) -> Option<EffectAddress> {
    let effect = execution.next_effect(who)?;
    let task = execution.task_address(who)?;
    let kind = EffectKind::of(effect);
    let object = match kind {
        // Bytes may contain anything.
        EffectKind::Write | EffectKind::Print => None,
        EffectKind::Run | EffectKind::Spawn | EffectKind::Exec => {
            effect_objects(effect).first().map(|line| program(line))
        }
        _ => effect_objects(effect).last().map(|path| stable_part(path)),
    };
    Some(EffectAddress {
        task,
        effect: kind,
        object: object.filter(|text| !text.is_empty()),
        nth: 1,
    })
}

/// The name of the program of a command line.
pub(crate) fn program(line: &str) -> String {
    let path = line.split(' ').next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The name of a file; of a temporary one the longest part that is no number.
pub(crate) fn stable_part(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_number = |part: &str| {
        part.len() >= 4
            && part.bytes().all(|byte| byte.is_ascii_hexdigit())
            && part.bytes().any(|byte| byte.is_ascii_digit())
    };
    if !name.split(['.', '-']).any(is_number) {
        return name.to_owned();
    }
    let mut parts: Vec<String> = vec![String::new()];
    for piece in name.split_inclusive(['.', '-']) {
        match is_number(piece.trim_end_matches(['.', '-'])) {
            true => parts.push(String::new()),
            false => {
                if let Some(part) = parts.last_mut() {
                    part.push_str(piece);
                }
            }
        }
    }
    let longest = parts.into_iter().max_by_key(String::len).unwrap_or_default();
    longest.trim_matches(['.', '-']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_name_is_addressed_by_its_stable_part() {
        assert_eq!(stable_part("/a/gateway_intent.json"), "gateway_intent.json");
        assert_eq!(stable_part(".gateway_intent.json.00ab34cd00112233.tmp"), "gateway_intent.json");
        assert_eq!(stable_part("profiles/coder-2"), "coder-2");
        assert_eq!(program("/usr/bin/s6-svc -d /run/x"), "s6-svc");
    }
}
