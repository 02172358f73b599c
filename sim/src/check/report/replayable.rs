//! A schedule names moves by number, and a changed program makes other moves. Here each of its surprises gets the address
//! that a scenario gives: whose effect, of which kind, on what, the how manieth.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::check::retrace;
use crate::check::search::Finding;
use crate::execution::{Execution, Failure, Fault, Transition, effect_objects};
use crate::machine::world::ProcessId;
use crate::scenario::{
    EffectAddress, EffectKind, FaultKind as Told, FaultSpec, FoundBy, MachineKind, Scenario,
    SearchSpec, Span, Step, TaskAddress,
};

/// The scenario that plays by itself what a search found, or why there is none.
pub fn to_scenario(
    scenario: &Scenario,
    found: &Finding,
    by: Option<FoundBy>,
) -> Result<Scenario, String> {
    let named = with_names(scenario);
    let (sketches, place) = draft_faults(&named, found, by)?;
    let counted = with_occurrences(&named, found, by, sketches);
    let mut told = named;
    told.faults.extend(counted);
    told.search = SearchSpec { faults_max: 0, ..SearchSpec::default() };
    told.runs_on = [MachineKind::Simulated].into();
    // What the search had somebody repeat stands last.
    if let (Some(FoundBy::CrashMatrix), Some(place), None) = (by, place, &found.changed_scenario) {
        told.steps.truncate(place + 1);
    }
    let has_fault = found.schedule.0.iter().any(|(_, next)| matches!(next, Transition::Inject(..)));
    forget_expectations(&mut told, &found.failure, has_fault);
    Ok(told)
}

/// Every command has a name, by which it can be addressed.
fn with_names(scenario: &Scenario) -> Scenario {
    let mut named = scenario.clone();
    let taken: Vec<String> = scenario.run_steps().filter_map(|run| run.name.clone()).collect();
    let mut free = (1..).map(|number| format!("R{number}")).filter(|name| !taken.contains(name));
    let mut give = |step: &mut Step| {
        if let Step::Run(run) = step {
            run.name = run.name.take().or_else(|| free.next());
        }
    };
    for step in &mut named.steps {
        match step {
            Step::Together(group) => group.steps.iter_mut().for_each(&mut give),
            other => give(other),
        }
    }
    named
}

/// What a fault may do to a story is no longer what the story expects. Without one they stay: a story waits for them.
fn forget_expectations(told: &mut Scenario, failure: &Failure, has_fault: bool) {
    let is_about_them = failure.invariant == "expect";
    if !has_fault {
        return;
    }
    for step in &mut told.steps {
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
        Step::Expect(step) => is_about_them && step.expect.always,
        _ => true,
    };
    if told.steps.iter().any(keeps) {
        told.steps.retain(keeps);
    }
}

/// Surprises whose ordinals are not known yet, and where in the story the last one came.
fn draft_faults(
    scenario: &Scenario,
    found: &Finding,
    by: Option<FoundBy>,
) -> Result<(Vec<FaultSpec>, Option<usize>), String> {
    let mut sketches = Vec::new();
    let mut place = None;
    let mut last: BTreeMap<ProcessId, EffectAddress> = BTreeMap::new();
    // That it breaks is known; where it went is what is looked at.
    let _ = retrace::retrace_finding(&Arc::new(scenario.clone()), found, by, &mut |play, next| {
        if is_due(found, sketches.len(), play, next) {
            // One that befalls while the run is concluded comes after the story.
            place = Some(play.step_index()).filter(|&at| at < scenario.steps.len()).or(place);
            sketches.push(addressed_fault(play, next, &last));
        }
        if let Transition::Process(who) = next {
            if let Some(at) = address(play, *who) {
                last.insert(*who, at);
            }
        }
    });
    let told: Result<Vec<FaultSpec>, String> = sketches.into_iter().collect();
    let told = told?;
    match told.len() == found.schedule.0.len() {
        true => Ok((told, place)),
        false => Err("not every surprise came up when it was played again".to_owned()),
    }
}

fn is_due(found: &Finding, index: usize, play: &Execution, next: &Transition) -> bool {
    found.schedule.0.get(index).is_some_and(|(at, due)| *at == play.transition_count && due == next)
}

/// Plays once more with all addresses in the story, each to come up never, and reads off how often they did.
fn with_occurrences(
    scenario: &Scenario,
    found: &Finding,
    by: Option<FoundBy>,
    mut sketches: Vec<FaultSpec>,
) -> Vec<FaultSpec> {
    let mut watched = scenario.clone();
    let own = watched.faults.len();
    let never = |sketch: &FaultSpec| {
        let mut never = sketch.clone();
        never.at.nth = u32::MAX;
        never
    };
    watched.faults.extend(sketches.iter().map(never));
    let mut index = 0;
    // As above.
    let _ = retrace::retrace_finding(&Arc::new(watched), found, by, &mut |play, next| {
        if is_due(found, index, play, next) {
            let before = play.occurrences_of(own + index);
            let is_after = sketches[index].kind == Told::KillAfter;
            sketches[index].at.nth = if is_after { before.max(1) } else { before + 1 };
            index += 1;
        }
    });
    sketches
}

fn addressed_fault(
    play: &Execution,
    next: &Transition,
    last: &BTreeMap<ProcessId, EffectAddress>,
) -> Result<FaultSpec, String> {
    let who = addressed_process(play, next)?;
    let mut deed = fault_spec(play, next);
    let at = match (address(play, who), &deed.kind) {
        (Some(at), _) => at,
        // It was about to exit: right after its last effect is the same place.
        (None, Told::Kill) => {
            deed.kind = Told::KillAfter;
            last.get(&who).cloned().ok_or("a process without an effect was killed")?
        }
        (None, other) => return Err(format!("{other} at an exit has no address")),
    };
    Ok(FaultSpec { at, ..deed })
}

/// Whose effect the surprise is addressed by.
fn addressed_process(play: &Execution, next: &Transition) -> Result<ProcessId, String> {
    if let Transition::Inject(who, _) | Transition::InjectScripted(who, _) = next {
        return Ok(*who);
    }
    match play.baseline_transition() {
        Some(Transition::Process(who)) if play.task_address(who).is_some() => Ok(who),
        _ => Err("what would have come next is no effect of a task, and has no address".to_owned()),
    }
}

/// What befalls; the address is filled in later.
fn fault_spec(play: &Execution, next: &Transition) -> FaultSpec {
    let told = match next {
        Transition::Process(_) => Told::Preempt,
        Transition::BeginStep(_) => Told::BeginStep,
        Transition::AdvanceTime | Transition::InjectScripted(..) => Told::AdvanceTime,
        Transition::Inject(_, deed) => match deed {
            Fault::Kill => Told::Kill,
            Fault::ContainerKill => Told::ContainerKill,
            Fault::ContainerRestart => Told::ContainerRestart,
            Fault::PowerCut(_) => Told::PowerCut,
            Fault::Suspend(_) => Told::Suspend,
            Fault::FailEffect(errno) | Fault::FailEffectForGood(errno) => Told::Errno(*errno),
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
        kind: told,
        sticky: matches!(next, Transition::Inject(_, Fault::FailEffectForGood(_))),
        next: match next {
            Transition::Process(other) => play.task_address(*other),
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

/// Where a task stands: what it is about to do, its ordinal aside.
fn address(play: &Execution, who: ProcessId) -> Option<EffectAddress> {
    let effect = play.next_effect(who)?;
    let task = play.task_address(who)?;
    let kind = EffectKind::of(effect);
    let touches = match kind {
        // Bytes may hold anything.
        EffectKind::Write | EffectKind::Print => None,
        EffectKind::Run | EffectKind::Spawn | EffectKind::Exec => {
            effect_objects(effect).first().map(|line| program(line))
        }
        _ => effect_objects(effect).last().map(|path| stable_part(path)),
    };
    Some(EffectAddress {
        task,
        effect: kind,
        object: touches.filter(|text| !text.is_empty()),
        nth: 1,
    })
}

/// The program's own name.
pub(crate) fn program(line: &str) -> String {
    let path = line.split(' ').next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The file's name; of a temporary one the longest part that is no number.
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
    fn a_temporary_name_is_addressed_by_what_stays_the_same() {
        assert_eq!(stable_part("/a/gateway_intent.json"), "gateway_intent.json");
        assert_eq!(stable_part(".gateway_intent.json.00ab34cd00112233.tmp"), "gateway_intent.json");
        assert_eq!(stable_part("profiles/coder-2"), "coder-2");
        assert_eq!(program("/usr/bin/s6-svc -d /run/x"), "s6-svc");
    }
}
