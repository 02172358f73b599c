//! The trace of an execution, one event a line: its number, the virtual time, the process, what it does in the words of
//! system calls, and the outcome. A `!` marks a fault. The same execution gives the same text, byte for byte.
//!
//! Makes lines and nothing else: it executes and prints nothing.

mod syscalls;

use std::collections::{BTreeMap, VecDeque};

use hermes::host::effect::Effect;
use hermes::host::{Answer, Outcome};

use crate::execution::{Execution, Fault, Transition};
use crate::machine::StepOutcome;
use crate::machine::process::ProcessBody;
use crate::machine::world::ProcessId;
use crate::replay::Request;

/// A trace in the making: [`Trace::record_transition`] gets every transition before it is taken.
#[derive(Clone, Debug)]
pub struct Trace {
    lines: VecDeque<String>,
    lines_max: usize,
    dropped: u64,
    /// The line of the last transition, whose outcome is not known yet.
    pending: Option<PendingLine>,
    /// The path that each handle of a process was opened on, by the process' serial.
    names: BTreeMap<(u64, u32), String>,
    /// How many of the recorded outcomes are in the lines.
    recorded_count: usize,
}

#[derive(Clone, Debug)]
struct PendingLine {
    head: String,
    description: String,
}

impl Trace {
    /// Keeps at most this number of last lines; `None` means all.
    pub fn new(lines_max: Option<usize>) -> Self {
        let lines_max = lines_max.unwrap_or(usize::MAX);
        let (lines, names) = (VecDeque::new(), BTreeMap::new());
        Self { lines, lines_max, dropped: 0, pending: None, names, recorded_count: 0 }
    }

    /// Records a transition that is about to be taken. The execution must record its outcomes ([`Execution::recorded`]).
    pub fn record_transition(&mut self, execution: &Execution, next: &Transition) {
        self.record_outcome(execution);
        let who = actor(next);
        let serial = who
            .and_then(|who| execution.machine.world.process(who))
            .map_or(0, |process| process.serial);
        let clock = execution.machine.world.clock.boot;
        let mark = if is_fault(next) { '!' } else { ' ' };
        let name = who.map_or_else(|| "-".to_owned(), |who| process_name(execution, who));
        let (seconds, millis) = (clock.as_secs(), clock.subsec_millis());
        let head = format!(
            "{:>6} {seconds:>5}.{millis:03} {mark} {name:<18}",
            execution.transition_count + 1
        );
        let description = self.describe(execution, next, serial);
        self.pending = Some(PendingLine { head, description });
    }

    /// Records the outcome of the last transition. Must be called once more when the execution is over.
    pub fn record_outcome(&mut self, execution: &Execution) {
        let recorded = execution.recorded.as_deref().unwrap_or_default();
        let step = recorded.get(self.recorded_count..).unwrap_or_default().last();
        self.recorded_count = recorded.len();
        let Some(PendingLine { head, description }) = self.pending.take() else { return };
        let mut line = format!("{head} {description}");
        if let Some(StepOutcome::Performed { who, effect, outcome }) = step {
            let serial = execution.machine.world.process(*who).map_or(0, |process| process.serial);
            self.record_handle(serial, effect, outcome.as_ref());
            let outcome =
                outcome.as_ref().map_or_else(|| "replaced by it".to_owned(), syscalls::outcome);
            line.push_str(&format!(" = {outcome}"));
        }
        self.push(line);
    }

    /// Adds a remark as a line of its own.
    pub fn record_note(&mut self, text: &str) {
        self.push(format!("{:>6} {:>9} - {text}", "", ""));
    }

    fn push(&mut self, line: String) {
        self.lines.push_back(line);
        if self.lines.len() > self.lines_max {
            self.lines.pop_front();
            self.dropped += 1;
        }
    }

    /// The lines, and before them the number of dropped ones.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if self.dropped > 0 {
            text.push_str(&format!("       … {} earlier events\n", self.dropped));
        }
        for line in &self.lines {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn describe(&self, execution: &Execution, next: &Transition, serial: u64) -> String {
        match next {
            Transition::Process(who) => self.describe_wanted(execution, *who, serial),
            Transition::BeginStep(index) => {
                let step = execution.current_step(*index).map(serde_json::to_string);
                format!("step: {}", step.and_then(Result::ok).unwrap_or_default())
            }
            Transition::AdvanceTime => {
                let until = execution.next_moment().unwrap_or_default();
                format!("time passes until {}.{:03}", until.as_secs(), until.subsec_millis())
            }
            Transition::Inject(who, fault) => {
                format!(
                    "{} at {}",
                    describe_fault(fault),
                    self.describe_wanted(execution, *who, serial)
                )
            }
            Transition::InjectScripted(who, index) => {
                let fault = execution.scenario().faults.get(*index);
                let kind = fault.map(|fault| fault.kind.to_string()).unwrap_or_default();
                format!("{kind} (scripted) at {}", self.describe_wanted(execution, *who, serial))
            }
        }
    }

    fn describe_wanted(&self, execution: &Execution, who: ProcessId, serial: u64) -> String {
        match execution.machine.request(who) {
            Some(Request::Effect(effect)) => {
                let name = |handle: u32| self.names.get(&(serial, handle)).cloned();
                syscalls::effect(effect, &name)
            }
            Some(Request::Exit(code)) => format!("exit {code}"),
            Some(Request::Panic(message)) => format!("panic {message:?}"),
            None => "moves".to_owned(),
        }
    }

    fn record_handle(&mut self, serial: u64, effect: &Effect, outcome: Option<&Outcome>) {
        let (Effect::Open { place, .. }, Some(Ok(Answer::Handle(handle)))) = (effect, outcome)
        else {
            return;
        };
        let above = place.dir.and_then(|dir| self.names.get(&(serial, dir.0)));
        let path = place.path.to_string_lossy();
        let full = match above {
            Some(above) if place.path.is_relative() => format!("{above}/{path}"),
            _ => path.into_owned(),
        };
        self.names.insert((serial, handle.0), full);
    }
}

/// The process that moves, or has the fault.
fn actor(next: &Transition) -> Option<ProcessId> {
    match next {
        Transition::Process(who)
        | Transition::Inject(who, _)
        | Transition::InjectScripted(who, _) => Some(*who),
        Transition::BeginStep(_) | Transition::AdvanceTime => None,
    }
}

fn is_fault(next: &Transition) -> bool {
    matches!(next, Transition::Inject(..) | Transition::InjectScripted(..))
}

/// The name of a process for people: the scenario's name of a task, else the program and its number.
pub fn process_name(execution: &Execution, who: ProcessId) -> String {
    if let Some(task) = execution.task_address(who) {
        return format!("{task} [c{}:{}]", who.container.0, who.pid);
    }
    let process = execution.machine.world.process(who);
    let name = process.map_or_else(
        || "?".to_owned(),
        |process| {
            let last =
                process.argv.last().filter(|_| matches!(process.body, ProcessBody::Supervise(_)));
            match last {
                Some(slot) => format!("{} {}", process.comm, slot.to_string_lossy()),
                None => process.comm.clone(),
            }
        },
    );
    format!("{name} [c{}:{}]", who.container.0, who.pid)
}

/// A fault in words.
pub fn describe_fault(fault: &Fault) -> String {
    match fault {
        Fault::Kill => "killed".to_owned(),
        Fault::ContainerKill => "container killed".to_owned(),
        Fault::ContainerRestart => "container restarted".to_owned(),
        Fault::PowerCut(choice) => format!("power cut (outcome {choice})"),
        Fault::Suspend(time) => format!("suspended for {} s", time.as_secs()),
        Fault::FailEffect(errno) => format!("refused ({errno})"),
        Fault::FailEffectForGood(errno) => format!("refused from now on ({errno})"),
    }
}
