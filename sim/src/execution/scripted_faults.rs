//! The scripted faults of a scenario: each waits until its address comes up, and is injected there.

use std::path::Path;

use hermes::host::effect::{Effect, Place, Signal};

use super::{Execution, Failure, Fault, Transition, expectations};
use crate::machine::world::ProcessId;
use crate::scenario::{EffectAddress, EffectKind, FaultKind, FaultSpec};

/// The progress of the scripted faults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ScriptedFaultProgress {
    /// How often each address came up.
    occurrences: Vec<u32>,
    /// Which of them were injected.
    injected: Vec<bool>,
}

impl ScriptedFaultProgress {
    pub(super) fn new(faults: &[FaultSpec]) -> Self {
        Self { occurrences: vec![0; faults.len()], injected: vec![false; faults.len()] }
    }
}

impl Execution {
    /// The scripted fault that is due at the next effect of this task.
    pub(super) fn due_fault(&self, who: ProcessId) -> Option<usize> {
        let effect = self.next_effect(who)?;
        let task = self.task_address(who)?;
        let all = self.scenario.faults.iter().enumerate();
        let mut due = all.filter(|(index, fault)| {
            let count = self.fault_progress.occurrences[*index] + 1;
            !self.fault_progress.injected[*index]
                && fault.at.task == task
                && matches_address(&fault.at, effect)
                && count == fault.at.nth
        });
        due.next().map(|(index, _)| index)
    }

    /// Counts an effect that is about to be performed.
    pub(super) fn count_occurrence(&mut self, who: ProcessId) {
        let (Some(effect), Some(task)) = (self.next_effect(who).cloned(), self.task_address(who))
        else {
            return;
        };
        for (index, fault) in self.scenario.faults.iter().enumerate() {
            if fault.at.task == task && matches_address(&fault.at, &effect) {
                self.fault_progress.occurrences[index] += 1;
            }
        }
    }

    /// Injects a scripted fault.
    pub(super) fn inject_scripted(&mut self, who: ProcessId, index: usize) -> Result<(), Failure> {
        self.fault_progress.injected[index] = true;
        let fault = self.scenario.faults[index].clone();
        let was_clean = self.is_fault_free;
        let outcome = match fault.kind {
            FaultKind::Kill => self.inject(who, &Fault::Kill),
            FaultKind::KillAfter => {
                self.step_process(who)?;
                self.machine.send_signal(who, Signal::KILL);
                Ok(())
            }
            FaultKind::Preempt => return self.preempt(who, &fault),
            FaultKind::BeginStep => {
                let begins = self.startable_steps().next();
                return match begins {
                    Some(index) => self.begin_step(index),
                    None => Err(expectations::expectation_failure(
                        "a scripted fault",
                        "no step can begin at a scripted fault",
                    )),
                };
            }
            FaultKind::AdvanceTime => {
                return match self.next_moment() {
                    Some(moment) => {
                        self.machine.advance_to(moment);
                        Ok(())
                    }
                    None => Err(expectations::expectation_failure(
                        "a scripted fault",
                        "nothing waits for time at a scripted fault",
                    )),
                };
            }
            FaultKind::ContainerKill => self.inject(who, &Fault::ContainerKill),
            FaultKind::ContainerRestart => self.inject(who, &Fault::ContainerRestart),
            FaultKind::PowerCut => self.inject(who, &Fault::PowerCut(fault.outcome.unwrap_or(0))),
            FaultKind::Suspend => {
                let duration = fault.duration.map(|span| span.0).unwrap_or_default();
                self.inject(who, &Fault::Suspend(duration))
            }
            FaultKind::Errno(errno) if fault.sticky => {
                let outcome = self.inject(who, &Fault::FailEffectForGood(errno));
                if let Some(sticky) = &mut self.sticky_error {
                    sticky.object = fault.at.object;
                }
                outcome
            }
            FaultKind::Errno(errno) => self.inject(who, &Fault::FailEffect(errno)),
        };
        self.is_fault_free = was_clean;
        outcome
    }

    /// Another process goes on: the one that is named, else the next that can.
    fn preempt(&mut self, who: ProcessId, fault: &FaultSpec) -> Result<(), Failure> {
        let others: Vec<ProcessId> =
            self.machine.ready_processes().into_iter().filter(|other| *other != who).collect();
        let named =
            |other: &ProcessId| self.task_address(*other) == fault.next && fault.next.is_some();
        let next = others.iter().find(|other| named(other)).or_else(|| match fault.next {
            None => others.first(),
            Some(_) => None,
        });
        let begins = self.startable_steps().next();
        match (next, begins) {
            (Some(&other), _) => self.step_process(other),
            (None, Some(index)) => self.begin_step(index),
            (None, None) => Err(expectations::expectation_failure(
                "a scripted fault",
                "no other process can go on at a preemption",
            )),
        }
    }

    /// How often the address of the scripted fault with this number came up.
    pub fn occurrences_of(&self, index: usize) -> u32 {
        self.fault_progress.occurrences.get(index).copied().unwrap_or_default()
    }

    /// The first scripted fault whose address never came up: an execution without it proves nothing.
    pub fn unreached_fault(&self) -> Option<Failure> {
        let index = self.fault_progress.injected.iter().position(|used| !used)?;
        let EffectAddress { task, effect, object, nth } = &self.scenario.faults[index].at;
        let object = object.as_deref().unwrap_or("anything");
        Some(expectations::expectation_failure(
            "a scripted fault",
            format!(
                "scripted fault {index} never came up: {task} made no {effect:?} number {nth} of {object}"
            ),
        ))
    }

    /// The baseline transition, or the scripted fault that is due instead.
    pub(super) fn with_scripted_fault(&self, baseline: Transition) -> Transition {
        match baseline {
            Transition::Process(who) => self
                .due_fault(who)
                .map_or(Transition::Process(who), |index| Transition::InjectScripted(who, index)),
            other => other,
        }
    }
}

/// Is this effect at the address, whatever its ordinal?
fn matches_address(at: &EffectAddress, effect: &Effect) -> bool {
    matches_effect(effect, at.effect, at.object.as_deref())
}

/// Is this effect of the kind, with an object that contains the text?
pub fn matches_effect(effect: &Effect, kind: EffectKind, text: Option<&str>) -> bool {
    EffectKind::of(effect) == kind
        && text.is_none_or(|text| effect_objects(effect).iter().any(|object| object.contains(text)))
}

/// The objects of an effect, as text: paths, programs with their arguments, printed words.
pub fn effect_objects(effect: &Effect) -> Vec<String> {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let path_of = |place: &Place| path(&place.path);
    match effect {
        Effect::Open { place, .. }
        | Effect::Meta { place, .. }
        | Effect::ReadLink { place }
        | Effect::MakeDir { place, .. }
        | Effect::MakeFifo { place, .. }
        | Effect::Unlink { place }
        | Effect::RemoveDir { place }
        | Effect::SetOwner { place, .. } => vec![path_of(place)],
        Effect::Rename { from, to, .. } => vec![path_of(from), path_of(to)],
        Effect::Run { program, .. } | Effect::Spawn { program } | Effect::Exec { program } => {
            let mut line = path(&program.path);
            for word in &program.args {
                line.push(' ');
                line.push_str(&word.to_string_lossy());
            }
            vec![line]
        }
        Effect::Print { bytes, .. } | Effect::Write { bytes, .. } => {
            vec![String::from_utf8_lossy(bytes).into_owned()]
        }
        _ => Vec::new(),
    }
}
