//! Listens at the sockets of one machine's gate, and injects faults by its answers.
//!
//! A socket stands for the tasks that get its path: a command by its name in the scenario, a container by `cN`. Each
//! connection is one process. Each has a thread, because processes ask at the same time and some must wait.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the gate is asked by real processes: sockets and threads are its subject"
)]

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hermes::host::Effect;
use hermes::host::os::gate::{GateAnswer, GateQuestion};

use crate::execution::matches_effect;
use crate::observe::process::{gateway_of, logger_of};
use crate::scenario::{ContainerName, EffectKind, FaultKind, FaultSpec, ProfileName, TaskAddress};

/// No task is held for longer.
const HELD_MAX: Duration = Duration::from_secs(60);

/// An effect that a task asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedEffect {
    /// The task.
    pub task: TaskAddress,
    /// The effect.
    pub effect: Effect,
}

/// What a task does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskProgress {
    /// It performs effects.
    Acts,
    /// It waits for time to pass.
    Waits,
    /// It is held at the fault with this index.
    Held(usize),
    /// Its last process has ended.
    Over,
}

/// The faults, and what has happened so far.
#[derive(Debug, Default)]
struct GateState {
    faults: Vec<FaultSpec>,
    /// For each fault, the number of effects so far that match its address without the occurrence number.
    counts: Vec<u32>,
    /// For each fault, whether it was injected.
    injected: Vec<bool>,
    /// For each fault, whether it no longer holds its task.
    released: Vec<bool>,
    /// The command that a `begin-step` began, by the fault's index: it has the turn.
    turns: BTreeMap<usize, TaskAddress>,
    /// The faults that held a task for too long.
    overdue: Vec<usize>,
    requests: Vec<RequestedEffect>,
    progress: BTreeMap<String, TaskProgress>,
    is_over: bool,
}

#[derive(Debug, Default)]
struct SharedGate {
    state: Mutex<GateState>,
    changed: Condvar,
}

impl SharedGate {
    fn state(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The simulator's side of a gate. When it is dropped, every waiting question is answered by `go`.
#[derive(Debug)]
pub struct GateController {
    shared: Arc<SharedGate>,
    dir: PathBuf,
    listeners: Vec<(String, JoinHandle<()>)>,
}

impl GateController {
    /// Creates this directory and listens there at a socket for each of these names.
    pub fn open(dir: &Path, names: &[String], faults: &[FaultSpec]) -> Result<Self, String> {
        std::fs::create_dir_all(dir)
            .map_err(|error| format!("failed to make `{}`: {error}", dir.display()))?;
        let count = faults.len();
        let state = GateState {
            faults: faults.to_vec(),
            counts: vec![0; count],
            injected: vec![false; count],
            released: vec![false; count],
            ..GateState::default()
        };
        let shared = Arc::new(SharedGate { state: Mutex::new(state), changed: Condvar::new() });
        let mut controller = Self { shared, dir: dir.to_owned(), listeners: Vec::new() };
        for name in names {
            controller.listen(name)?;
        }
        Ok(controller)
    }

    fn listen(&mut self, name: &str) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("no socket for `{name}`: {error}");
        let listener = UnixListener::bind(self.address(name)?.1).map_err(failed)?;
        let mode = Permissions::from_mode(0o777);
        std::fs::set_permissions(self.dir.join(name), mode).map_err(failed)?;
        let (shared, own) = (Arc::clone(&self.shared), name.to_owned());
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if shared.state().is_over {
                    return;
                }
                let (shared, own) = (Arc::clone(&shared), own.clone());
                std::thread::spawn(move || serve_connection(&shared, &own, &stream));
            }
        });
        self.listeners.push((name.to_owned(), thread));
        Ok(())
    }

    /// The path of a socket. It may have about a hundred bytes only; therefore the directory is named by a descriptor, which
    /// must stay open while the path is used.
    fn address(&self, name: &str) -> Result<(File, PathBuf), String> {
        let dir = File::open(&self.dir)
            .map_err(|error| format!("failed to open `{}`: {error}", self.dir.display()))?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()));
        Ok((dir, path))
    }

    /// The requested effects so far, in order.
    pub fn requested_effects(&self) -> Vec<RequestedEffect> {
        self.shared.state().requests.clone()
    }

    /// Was the fault with this index injected?
    pub fn was_injected(&self, index: usize) -> bool {
        self.shared.state().injected.get(index).copied().unwrap_or_default()
    }

    /// Was the task that the fault with this index holds released, or its turn handed on?
    pub fn was_released(&self, index: usize) -> bool {
        let state = self.shared.state();
        state.released.get(index).copied().unwrap_or_default() || state.turns.contains_key(&index)
    }

    /// Waits until the fault with this index is injected, at most this long.
    pub fn wait_for_fault(&self, index: usize, duration_max: Duration) -> bool {
        let end = Instant::now() + duration_max;
        let mut state = self.shared.state();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if state.injected[index] || left.is_zero() {
                return state.injected[index];
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The first fault that was not injected, or that held a task while no other task went on.
    pub fn first_unmet_fault(&self) -> Option<usize> {
        let state = self.shared.state();
        let never = state.injected.iter().position(|is_injected| !is_injected);
        never.or_else(|| state.overdue.first().copied())
    }

    /// Hands the turn of the held task to a command that begins: the task goes on once that has ended or waits.
    pub fn hand_turn(&self, index: usize, next: TaskAddress) {
        self.shared.state().turns.insert(index, next);
        self.shared.changed.notify_all();
    }

    /// Releases the task that the fault with this index holds.
    pub fn release(&self, index: usize) {
        if let Some(is_released) = self.shared.state().released.get_mut(index) {
            *is_released = true;
        }
        self.shared.changed.notify_all();
    }
}

impl Drop for GateController {
    fn drop(&mut self) {
        self.shared.state().is_over = true;
        self.shared.changed.notify_all();
        for (name, thread) in std::mem::take(&mut self.listeners) {
            // A connection wakes the listener. If the directory is gone, no connection is possible, and the thread is left.
            let woken = self.address(&name).map(|(_dir, path)| UnixStream::connect(path));
            if matches!(woken, Ok(Ok(_))) {
                let _ = thread.join(); // it returns nothing
            }
        }
    }
}

/// Answers one process, from its first question to its end.
fn serve_connection(shared: &SharedGate, name: &str, stream: &UnixStream) {
    let mut lines = BufReader::new(stream);
    let mut task = None;
    let mut refused: Vec<usize> = Vec::new();
    let mut line = String::new();
    // A process that is killed in the middle of a question gets no answer.
    while lines.read_line(&mut line).is_ok() && line.ends_with('\n') {
        let question: GateQuestion =
            serde_json::from_str(&line).expect("a gated build asks in this format");
        let task = task.get_or_insert_with(|| task_of(name, &question));
        let answer = decide(shared, task, &question.effect, &mut refused);
        let mut text = serde_json::to_string(&answer).expect("an answer is JSON");
        text.push('\n');
        let mut writer = stream;
        if writer.write_all(text.as_bytes()).is_err() {
            break;
        }
        line.clear();
    }
    if let Some(task) = task {
        shared.state().progress.insert(task.to_string(), TaskProgress::Over);
        shared.changed.notify_all();
    }
}

/// The address of the task that asks at this socket.
fn task_of(name: &str, question: &GateQuestion) -> TaskAddress {
    let Some(container) = name.strip_prefix('c').and_then(|number| number.parse().ok()) else {
        return TaskAddress::Run(name.to_owned());
    };
    let has = |word: &str| question.argv.iter().any(|arg| arg == word);
    let words: Vec<_> = question.argv.iter().map(Into::into).collect();
    match gateway_of(&words) {
        Some(profile) => TaskAddress::Gateway(ProfileName(profile)),
        None if has("boot") && has("main") => TaskAddress::Main(ContainerName(container)),
        None if has("boot") && has("stop") => TaskAddress::Stop(ContainerName(container)),
        None if logger_of(&words).is_some() => logger_of(&words).map_or_else(
            || TaskAddress::Run(name.to_owned()),
            |profile| TaskAddress::Log(ProfileName(profile)),
        ),
        None if has("boot") && has("init") => TaskAddress::Init(ContainerName(container)),
        None if has("boot") && has("tree") => TaskAddress::Tree(ContainerName(container)),
        None => TaskAddress::Run(name.to_owned()),
    }
}

fn decide(
    shared: &SharedGate,
    task: &TaskAddress,
    effect: &Effect,
    refused: &mut Vec<usize>,
) -> GateAnswer {
    let mut state = await_turn(shared, task);
    if state.is_over {
        return GateAnswer::Go;
    }
    state.requests.push(RequestedEffect { task: task.clone(), effect: effect.clone() });
    let due = state.count_effect(task, effect);
    let lets_time_pass = matches!(EffectKind::of(effect), EffectKind::Sleep | EffectKind::Wait);
    let progress = if lets_time_pass { TaskProgress::Waits } else { TaskProgress::Acts };
    let mut answer = GateAnswer::Go;
    for index in due {
        state.injected[index] = true;
        if state.faults[index].sticky {
            refused.push(index);
        }
        match state.faults[index].kind {
            FaultKind::Kill => answer = GateAnswer::Die,
            FaultKind::KillAfter => answer = GateAnswer::DieAfter,
            FaultKind::Errno(errno) => answer = GateAnswer::Errno(errno.0),
            _ => state = hold_task(shared, state, task, index),
        }
    }
    for &index in refused.iter() {
        if let (FaultSpec { at, kind: FaultKind::Errno(errno), .. }, GateAnswer::Go) =
            (&state.faults[index], answer)
        {
            if matches_effect(effect, at.effect, at.object.as_deref()) {
                answer = GateAnswer::Errno(errno.0);
            }
        }
    }
    state.progress.insert(task.to_string(), progress);
    shared.changed.notify_all();
    answer
}

/// Holds a task that would be too early, until the fault at which it goes on is injected.
fn await_turn<'a>(shared: &'a SharedGate, task: &TaskAddress) -> MutexGuard<'a, GateState> {
    let end = Instant::now() + HELD_MAX;
    let mut state = shared.state();
    while let Some(index) = state.fault_to_await(task) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        state.progress.insert(task.to_string(), TaskProgress::Held(index));
        let waited = shared.changed.wait_timeout(state, left);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    state
}

/// Holds a task until it is released, or until the task that goes on instead has ended or waits for time to pass.
fn hold_task<'a>(
    shared: &'a SharedGate,
    mut state: MutexGuard<'a, GateState>,
    task: &TaskAddress,
    index: usize,
) -> MutexGuard<'a, GateState> {
    let end = Instant::now() + HELD_MAX;
    state.progress.insert(task.to_string(), TaskProgress::Held(index));
    shared.changed.notify_all();
    while !state.may_go(index) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            state.overdue.push(index);
            break;
        }
        let waited = shared.changed.wait_timeout(state, left);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    state
}

impl GateState {
    /// A gateway that goes on at one fault is held from the previous fault on: real s6 has already told it to end, and it
    /// would be gone otherwise.
    fn fault_to_await(&self, task: &TaskAddress) -> Option<usize> {
        let goes_on = |fault: &FaultSpec| {
            fault.kind == FaultKind::Preempt && fault.next.as_ref() == Some(task)
        };
        let is_gateway = matches!(task, TaskAddress::Gateway(_)) && !self.is_over;
        let next = self.faults.iter().position(goes_on).filter(|_| is_gateway)?;
        let is_between = self.injected[..next].contains(&true) && !self.injected[next];
        is_between.then_some(next)
    }

    fn may_go(&self, index: usize) -> bool {
        let fault = &self.faults[index];
        let preempting = fault.next.as_ref().filter(|_| fault.kind == FaultKind::Preempt);
        let other = preempting.or_else(|| self.turns.get(&index));
        let progress = other.and_then(|other| self.progress.get(&other.to_string()));
        let went_on = matches!(progress, Some(TaskProgress::Waits | TaskProgress::Over));
        went_on || self.released[index] || self.is_over
    }

    /// Counts an effect that is about to be performed; returns the faults to inject at it.
    fn count_effect(&mut self, task: &TaskAddress, effect: &Effect) -> Vec<usize> {
        let mut due = Vec::new();
        for (index, FaultSpec { at, .. }) in self.faults.iter().enumerate() {
            if at.task == *task && matches_effect(effect, at.effect, at.object.as_deref()) {
                self.counts[index] += 1;
                if self.counts[index] == at.nth && !self.injected[index] {
                    due.push(index);
                }
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::EffectAddress;
    use rstest::rstest;

    fn fault(kind: FaultKind, next: Option<&TaskAddress>) -> FaultSpec {
        let task = TaskAddress::Run("A".to_owned());
        let at = EffectAddress { task, effect: EffectKind::Open, object: None, nth: 1 };
        FaultSpec { at, kind, sticky: false, next: next.cloned(), duration: None, outcome: None }
    }

    #[rstest]
    #[case::before_both_faults([false, false], None)]
    #[case::between_the_faults([true, false], Some(1))]
    #[case::after_both_faults([true, true], None)]
    fn a_gateway_that_goes_on_at_a_later_fault_is_held(
        #[case] injected: [bool; 2],
        #[case] expected: Option<usize>,
    ) {
        let coder = hermes::name::Profile::parse("coder").expect("legal");
        let gateway = TaskAddress::Gateway(ProfileName(coder));
        let faults =
            vec![fault(FaultKind::BeginStep, None), fault(FaultKind::Preempt, Some(&gateway))];
        let state = GateState { faults, injected: injected.to_vec(), ..GateState::default() };
        assert_eq!(state.fault_to_await(&gateway), expected);
        assert_eq!(state.fault_to_await(&TaskAddress::Run("A".to_owned())), None);
    }
}
