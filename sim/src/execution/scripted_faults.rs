//! The story's own surprises: each waits for its address to come up, and then befalls.

use std::path::Path;

use hermes::host::effect::{Effect, Place, Signal};

use super::{Execution, Failure, Fault, Transition, expectations};
use crate::machine::world::ProcessId;
use crate::scenario::{EffectAddress, EffectKind, FaultKind as Told, FaultSpec};

/// How far the surprises of the story are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ScriptedFaultProgress {
    /// How often each address came up.
    occurrences: Vec<u32>,
    /// Which of them befell.
    injected: Vec<bool>,
}

impl ScriptedFaultProgress {
    pub(super) fn new(surprises: &[FaultSpec]) -> Self {
        Self { occurrences: vec![0; surprises.len()], injected: vec![false; surprises.len()] }
    }
}

impl Execution {
    /// What the story has befall this task at what it is about to do.
    pub(super) fn due_fault(&self, who: ProcessId) -> Option<usize> {
        let effect = self.next_effect(who)?;
        let task = self.task_address(who)?;
        let all = self.scenario.faults.iter().enumerate();
        let mut due = all.filter(|(index, surprise)| {
            let count = self.fault_progress.occurrences[*index] + 1;
            !self.fault_progress.injected[*index]
                && surprise.at.task == task
                && matches_address(&surprise.at, effect)
                && count == surprise.at.nth
        });
        due.next().map(|(index, _)| index)
    }

    /// Counts an effect that is about to be performed.
    pub(super) fn count_occurrence(&mut self, who: ProcessId) {
        let (Some(effect), Some(task)) = (self.next_effect(who).cloned(), self.task_address(who))
        else {
            return;
        };
        for (index, surprise) in self.scenario.faults.iter().enumerate() {
            if surprise.at.task == task && matches_address(&surprise.at, &effect) {
                self.fault_progress.occurrences[index] += 1;
            }
        }
    }

    /// Has it befall.
    pub(super) fn inject_scripted(&mut self, who: ProcessId, index: usize) -> Result<(), Failure> {
        self.fault_progress.injected[index] = true;
        let surprise = self.scenario.faults[index].clone();
        let was_clean = self.is_fault_free;
        let befell = match surprise.kind {
            Told::Kill => self.inject(who, &Fault::Kill),
            Told::KillAfter => {
                self.step_process(who)?;
                self.machine.send_signal(who, Signal::KILL);
                Ok(())
            }
            Told::Preempt => return self.preempt(who, &surprise),
            Told::BeginStep => {
                let begins = self.startable_steps().next();
                return match begins {
                    Some(index) => self.begin_step(index),
                    None => Err(expectations::expectation_failure(
                        "a surprise",
                        "nothing of the story can begin at a surprise",
                    )),
                };
            }
            Told::AdvanceTime => {
                return match self.next_moment() {
                    Some(moment) => {
                        self.machine.advance_to(moment);
                        Ok(())
                    }
                    None => Err(expectations::expectation_failure(
                        "a surprise",
                        "nobody waits for time at a surprise",
                    )),
                };
            }
            Told::ContainerKill => self.inject(who, &Fault::ContainerKill),
            Told::ContainerRestart => self.inject(who, &Fault::ContainerRestart),
            Told::PowerCut => self.inject(who, &Fault::PowerCut(surprise.outcome.unwrap_or(0))),
            Told::Suspend => {
                let lasts = surprise.duration.map(|span| span.0).unwrap_or_default();
                self.inject(who, &Fault::Suspend(lasts))
            }
            Told::Errno(errno) if surprise.sticky => {
                let befell = self.inject(who, &Fault::FailEffectForGood(errno));
                if let Some(sticky) = &mut self.sticky_error {
                    sticky.touches = surprise.at.object;
                }
                befell
            }
            Told::Errno(errno) => self.inject(who, &Fault::FailEffect(errno)),
        };
        self.is_fault_free = was_clean;
        befell
    }

    /// Somebody else goes on: the one who is named, else the next who can.
    fn preempt(&mut self, who: ProcessId, surprise: &FaultSpec) -> Result<(), Failure> {
        let others: Vec<ProcessId> =
            self.machine.ready_processes().into_iter().filter(|other| *other != who).collect();
        let named = |other: &ProcessId| {
            self.task_address(*other) == surprise.next && surprise.next.is_some()
        };
        let next = others.iter().find(|other| named(other)).or_else(|| match surprise.next {
            None => others.first(),
            Some(_) => None,
        });
        let begins = self.startable_steps().next();
        match (next, begins) {
            (Some(&other), _) => self.step_process(other),
            (None, Some(index)) => self.begin_step(index),
            (None, None) => Err(expectations::expectation_failure(
                "a surprise",
                "nobody else can go on at a preemption",
            )),
        }
    }

    /// How often the address of the story's surprise of this number came up.
    pub fn occurrences_of(&self, index: usize) -> u32 {
        self.fault_progress.occurrences.get(index).copied().unwrap_or_default()
    }

    /// The story's surprises whose address never came up: a replay that leaves one out is none.
    pub fn unreached_fault(&self) -> Option<Failure> {
        let index = self.fault_progress.injected.iter().position(|used| !used)?;
        let EffectAddress { task, effect, object: touches, nth } = &self.scenario.faults[index].at;
        let place = touches.as_deref().unwrap_or("anything");
        Some(expectations::expectation_failure(
            "a surprise",
            format!(
                "surprise {index} never came up: {task} made no {effect:?} number {nth} of {place}"
            ),
        ))
    }

    /// The calm move, or what the story has befall instead.
    pub(super) fn with_scripted_fault(&self, calm: Transition) -> Transition {
        match calm {
            Transition::Process(who) => self
                .due_fault(who)
                .map_or(Transition::Process(who), |it| Transition::InjectScripted(who, it)),
            other => other,
        }
    }
}

/// Is this effect at the address, its ordinal aside?
fn matches_address(at: &EffectAddress, effect: &Effect) -> bool {
    matches_effect(effect, at.effect, at.object.as_deref())
}

/// Is this effect of the kind, and about something that has the text in it?
pub fn matches_effect(effect: &Effect, kind: EffectKind, text: Option<&str>) -> bool {
    EffectKind::of(effect) == kind
        && text.is_none_or(|text| effect_objects(effect).iter().any(|it| it.contains(text)))
}

/// What an effect is about, as text: paths, programs with their arguments, printed words.
pub fn effect_objects(effect: &Effect) -> Vec<String> {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let place = |place: &Place| path(&place.path);
    match effect {
        Effect::Open { place: it, .. }
        | Effect::Meta { place: it, .. }
        | Effect::ReadLink { place: it }
        | Effect::MakeDir { place: it, .. }
        | Effect::MakeFifo { place: it, .. }
        | Effect::Unlink { place: it }
        | Effect::RemoveDir { place: it }
        | Effect::SetOwner { place: it, .. } => vec![place(it)],
        Effect::Rename { from, to, .. } => vec![place(from), place(to)],
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
