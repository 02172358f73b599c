//! What happened, one event a line: its number, the virtual time, who, what in the words of system calls, how it ended.
//! A `!` marks what befell. The same run gives the same text, byte for byte.
//!
//! Writes lines and nothing else: who plays, and who prints, is another's business.

mod syscalls;

use std::collections::{BTreeMap, VecDeque};

use hermes::host::effect::Effect;
use hermes::host::{Answer, Outcome};

use crate::execution::{Execution, Fault, Transition};
use crate::machine::StepOutcome;
use crate::machine::process::ProcessBody;
use crate::machine::world::ProcessId;
use crate::replay::Request;

/// A trace in the making: give [`Trace::see`] every move before it is taken.
#[derive(Clone, Debug)]
pub struct Trace {
    lines: VecDeque<String>,
    lines_max: usize,
    dropped: u64,
    /// What has begun, and is not known to its end.
    begun: Option<PendingLine>,
    /// What each handle of a process was opened on, by serial.
    names: BTreeMap<(u64, u32), String>,
    /// How much of what the play heard is in the lines.
    recorded_count: usize,
}

#[derive(Clone, Debug)]
struct PendingLine {
    head: String,
    description: String,
}

impl Trace {
    /// Keeps the last so many lines; `None` all.
    pub fn new(keeps: Option<usize>) -> Self {
        let lines_max = keeps.unwrap_or(usize::MAX);
        let (lines, names) = (VecDeque::new(), BTreeMap::new());
        Self { lines, lines_max, dropped: 0, begun: None, names, recorded_count: 0 }
    }

    /// Notes a move that is about to be taken; `play` must listen (`heard`) for outcomes to be known.
    pub fn record_transition(&mut self, play: &Execution, next: &Transition) {
        self.record_outcome(play);
        let who = actor(next);
        let serial = who.and_then(|who| play.machine.world.process(who)).map_or(0, |it| it.serial);
        let clock = play.machine.world.clock.boot;
        let mark = if is_fault(next) { '!' } else { ' ' };
        let name = who.map_or_else(|| "-".to_owned(), |who| process_name(play, who));
        let (seconds, millis) = (clock.as_secs(), clock.subsec_millis());
        let head =
            format!("{:>6} {seconds:>5}.{millis:03} {mark} {name:<18}", play.transition_count + 1);
        let what = self.describe(play, next, serial);
        self.begun = Some(PendingLine { head, description: what });
    }

    /// Notes how the last move ended. Call it once more when the run is over.
    pub fn record_outcome(&mut self, play: &Execution) {
        let heard = play.recorded.as_deref().unwrap_or_default();
        let moved = heard.get(self.recorded_count..).unwrap_or_default().last();
        self.recorded_count = heard.len();
        let Some(PendingLine { head, description: what }) = self.begun.take() else { return };
        let mut line = format!("{head} {what}");
        if let Some(StepOutcome::Performed { who, effect, outcome }) = moved {
            let serial = play.machine.world.process(*who).map_or(0, |process| process.serial);
            self.record_handle(serial, effect, outcome.as_ref());
            let end = outcome.as_ref().map_or_else(|| "became it".to_owned(), syscalls::outcome);
            line.push_str(&format!(" = {end}"));
        }
        self.push(line);
    }

    /// A line of the trace's own.
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

    /// The lines, and before them how many were left out.
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

    fn describe(&self, play: &Execution, next: &Transition, serial: u64) -> String {
        match next {
            Transition::Process(who) => self.describe_wanted(play, *who, serial),
            Transition::BeginStep(index) => {
                let step = play.current_step(*index).map(serde_json::to_string);
                format!("story: {}", step.and_then(Result::ok).unwrap_or_default())
            }
            Transition::AdvanceTime => {
                let until = play.next_moment().unwrap_or_default();
                format!("time passes until {}.{:03}", until.as_secs(), until.subsec_millis())
            }
            Transition::Inject(who, deed) => {
                format!("{} at {}", describe_fault(deed), self.describe_wanted(play, *who, serial))
            }
            Transition::InjectScripted(who, index) => {
                let surprise = play.scenario().faults.get(*index);
                let deed = surprise.map(|it| it.kind.to_string()).unwrap_or_default();
                format!("{deed} (as told) at {}", self.describe_wanted(play, *who, serial))
            }
        }
    }

    fn describe_wanted(&self, play: &Execution, who: ProcessId, serial: u64) -> String {
        match play.machine.request(who) {
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

/// Who moves, or whom it befalls.
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

/// What people call a process: the story's word for a task, else the program and its number.
pub fn process_name(play: &Execution, who: ProcessId) -> String {
    if let Some(task) = play.task_address(who) {
        return format!("{task} [c{}:{}]", who.container.0, who.pid);
    }
    let process = play.machine.world.process(who);
    let called = process.map_or_else(
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
    format!("{called} [c{}:{}]", who.container.0, who.pid)
}

/// What befalls, in words.
pub fn describe_fault(deed: &Fault) -> String {
    match deed {
        Fault::Kill => "killed".to_owned(),
        Fault::ContainerKill => "container killed".to_owned(),
        Fault::ContainerRestart => "container restarted".to_owned(),
        Fault::PowerCut(choice) => format!("power cut (outcome {choice})"),
        Fault::Suspend(time) => format!("suspended for {} s", time.as_secs()),
        Fault::FailEffect(errno) => format!("refused ({errno})"),
        Fault::FailEffectForGood(errno) => format!("refused from now on ({errno})"),
    }
}
