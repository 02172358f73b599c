//! Listens at the sockets of one machine's gate, and answers each question by the surprises that were told to it.
//!
//! A socket stands for whoever is handed its path: a command by its name in the story, a container by `cN`. Each
//! connection is one process. Threads are here because processes ask at the same time and some must wait.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the gate's other side is a real one: sockets and threads are what it is about"
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

/// Nobody is held for longer.
const HELD_MAX: Duration = Duration::from_secs(60);

/// What was asked, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedEffect {
    /// Whose effect.
    pub task: TaskAddress,
    /// Which.
    pub effect: Effect,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskProgress {
    /// It acts.
    Acts,
    /// It lets time pass.
    Waits,
    /// It is held at a surprise of this number.
    Held(usize),
    /// Its last process has ended.
    Over,
}

/// What is known and what is to come.
#[derive(Debug, Default)]
struct GateState {
    surprises: Vec<FaultSpec>,
    /// How often the address of each came up.
    counts: Vec<u32>,
    /// Which of them befell.
    injected: Vec<bool>,
    /// Which of them let go whom they hold.
    released: Vec<bool>,
    /// Those that held somebody for too long.
    overdue: Vec<usize>,
    asked: Vec<RequestedEffect>,
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

/// The other side of a gate. It ends with its last question answered by `go`.
#[derive(Debug)]
pub struct GateController {
    shared: Arc<SharedGate>,
    dir: PathBuf,
    listeners: Vec<(String, JoinHandle<()>)>,
}

impl GateController {
    /// Listens in this directory, which is made, at a socket for each of these names.
    pub fn open(dir: &Path, names: &[String], surprises: &[FaultSpec]) -> Result<Self, String> {
        std::fs::create_dir_all(dir)
            .map_err(|error| format!("failed to make `{}`: {error}", dir.display()))?;
        let count = surprises.len();
        let state = GateState {
            surprises: surprises.to_vec(),
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

    /// A socket's path has room for a hundred bytes: the directory is named by a descriptor, open as long as this lives.
    fn address(&self, name: &str) -> Result<(File, PathBuf), String> {
        let dir = File::open(&self.dir)
            .map_err(|error| format!("failed to open `{}`: {error}", self.dir.display()))?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()));
        Ok((dir, path))
    }

    /// What was asked so far.
    pub fn requested_effects(&self) -> Vec<RequestedEffect> {
        self.shared.state().asked.clone()
    }

    /// Did the surprise of this number befall?
    pub fn was_injected(&self, index: usize) -> bool {
        self.shared.state().injected.get(index).copied().unwrap_or_default()
    }

    /// Was whom the surprise of this number holds told to go on?
    pub fn was_released(&self, index: usize) -> bool {
        self.shared.state().released.get(index).copied().unwrap_or_default()
    }

    /// Waits until the surprise of this number befalls, at most so long.
    pub fn wait_for_fault(&self, index: usize, at_most: Duration) -> bool {
        let end = Instant::now() + at_most;
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

    /// The first surprise that did not come up, or that held somebody while nobody else went on.
    pub fn first_unmet_fault(&self) -> Option<usize> {
        let state = self.shared.state();
        let never = state.injected.iter().position(|befell| !befell);
        never.or_else(|| state.overdue.first().copied())
    }

    /// Lets whom the surprise of this number holds go on.
    pub fn release(&self, index: usize) {
        if let Some(let_go) = self.shared.state().released.get_mut(index) {
            *let_go = true;
        }
        self.shared.changed.notify_all();
    }
}

impl Drop for GateController {
    fn drop(&mut self) {
        self.shared.state().is_over = true;
        self.shared.changed.notify_all();
        for (name, thread) in std::mem::take(&mut self.listeners) {
            // Whoever listens is woken by somebody who comes; the directory may be gone, and then nobody can come.
            let woken = self.address(&name).map(|(_dir, path)| UnixStream::connect(path));
            if matches!(woken, Ok(Ok(_))) {
                let _ = thread.join(); // it has nothing to say
            }
        }
    }
}

/// One process, from its first question to its end.
fn serve_connection(shared: &SharedGate, name: &str, stream: &UnixStream) {
    let mut lines = BufReader::new(stream);
    let mut task = None;
    let mut refused: Vec<usize> = Vec::new();
    let mut line = String::new();
    // Whoever is killed in the middle of a question waits for no answer.
    while lines.read_line(&mut line).is_ok() && line.ends_with('\n') {
        let question: GateQuestion =
            serde_json::from_str(&line).expect("a test build asks what it was built to ask");
        let of = task.get_or_insert_with(|| task_of(name, &question));
        let word = decide(shared, of, &question.effect, &mut refused);
        let mut text = serde_json::to_string(&word).expect("a word is JSON");
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

/// What the story calls whoever came to this socket.
fn task_of(name: &str, question: &GateQuestion) -> TaskAddress {
    let Some(container) = name.strip_prefix('c').and_then(|number| number.parse().ok()) else {
        return TaskAddress::Run(name.to_owned());
    };
    let has = |word: &str| question.argv.iter().any(|it| it == word);
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
    state.asked.push(RequestedEffect { task: task.clone(), effect: effect.clone() });
    let due = state.count_effect(task, effect);
    let lets_time_pass = matches!(EffectKind::of(effect), EffectKind::Sleep | EffectKind::Wait);
    let stand = if lets_time_pass { TaskProgress::Waits } else { TaskProgress::Acts };
    let mut word = GateAnswer::Go;
    for index in due {
        state.injected[index] = true;
        if state.surprises[index].sticky {
            refused.push(index);
        }
        match state.surprises[index].kind {
            FaultKind::Kill => word = GateAnswer::Die,
            FaultKind::KillAfter => word = GateAnswer::DieAfter,
            FaultKind::Errno(errno) => word = GateAnswer::Errno(errno.0),
            _ => state = hold_task(shared, state, task, index),
        }
    }
    for &index in refused.iter() {
        if let (FaultSpec { at, kind: FaultKind::Errno(errno), .. }, GateAnswer::Go) =
            (&state.surprises[index], word)
        {
            if matches_effect(effect, at.effect, at.object.as_deref()) {
                word = GateAnswer::Errno(errno.0);
            }
        }
    }
    state.progress.insert(task.to_string(), stand);
    shared.changed.notify_all();
    word
}

/// Until the surprise befalls at which it is to go on, if it would be too early.
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

/// Until somebody lets it go, or whoever was to go on instead has ended or lets time pass.
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
    /// A gateway that is to go on at one surprise does nothing after the one before: real s6 has told it to end by then,
    /// and it would be gone.
    fn fault_to_await(&self, task: &TaskAddress) -> Option<usize> {
        let goes_on =
            |it: &FaultSpec| it.kind == FaultKind::Preempt && it.next.as_ref() == Some(task);
        let is_gateway = matches!(task, TaskAddress::Gateway(_)) && !self.is_over;
        let next = self.surprises.iter().position(goes_on).filter(|_| is_gateway)?;
        let is_between = self.injected[..next].contains(&true) && !self.injected[next];
        is_between.then_some(next)
    }

    fn may_go(&self, index: usize) -> bool {
        let surprise = &self.surprises[index];
        let other = surprise.next.as_ref().filter(|_| surprise.kind == FaultKind::Preempt);
        let stand = other.and_then(|other| self.progress.get(&other.to_string()));
        let went_on = matches!(stand, Some(TaskProgress::Waits | TaskProgress::Over));
        went_on || self.released[index] || self.is_over
    }

    /// Counts an effect that is about to be performed; which surprises befall it.
    fn count_effect(&mut self, task: &TaskAddress, effect: &Effect) -> Vec<usize> {
        let mut due = Vec::new();
        for (index, FaultSpec { at, .. }) in self.surprises.iter().enumerate() {
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

    fn surprise(deed: FaultKind, to: Option<&TaskAddress>) -> FaultSpec {
        let task = TaskAddress::Run("A".to_owned());
        let at = EffectAddress { task, effect: EffectKind::Open, object: None, nth: 1 };
        FaultSpec {
            at,
            kind: deed,
            sticky: false,
            next: to.cloned(),
            duration: None,
            outcome: None,
        }
    }

    #[rstest]
    #[case::nothing_befell([false, false], None)]
    #[case::between_the_two([true, false], Some(1))]
    #[case::it_is_to_go_on([true, true], None)]
    fn a_gateway_that_is_to_go_on_later_is_held_back(
        #[case] befell: [bool; 2],
        #[case] expected: Option<usize>,
    ) {
        let coder = hermes::name::Profile::parse("coder").expect("legal");
        let gateway = TaskAddress::Gateway(ProfileName(coder));
        let surprises = vec![
            surprise(FaultKind::BeginStep, None),
            surprise(FaultKind::Preempt, Some(&gateway)),
        ];
        let state = GateState { surprises, injected: befell.to_vec(), ..GateState::default() };
        assert_eq!(state.fault_to_await(&gateway), expected);
        assert_eq!(state.fault_to_await(&TaskAddress::Run("A".to_owned())), None);
    }
}
