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
use hermes::host::os::gate::{Question, Word};

use crate::observe::process::{gateway_of, logger_of};
use crate::play::is_about;
use crate::scenario::{Container, Deed, Kind, Name, Surprise, Task};

/// Nobody is held for longer.
const HELD_MAX: Duration = Duration::from_secs(60);

/// What was asked, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Whose effect.
    pub task: Task,
    /// Which.
    pub effect: Effect,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
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
struct State {
    surprises: Vec<Surprise>,
    /// How often the address of each came up.
    counts: Vec<u32>,
    /// Which of them befell.
    befell: Vec<bool>,
    /// Which of them let go whom they hold.
    let_go: Vec<bool>,
    /// Those that held somebody for too long.
    overdue: Vec<usize>,
    asked: Vec<Asked>,
    stands: BTreeMap<String, Stand>,
    is_over: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The other side of a gate. It ends with its last question answered by `go`.
#[derive(Debug)]
pub struct Controller {
    shared: Arc<Shared>,
    dir: PathBuf,
    listeners: Vec<(String, JoinHandle<()>)>,
}

impl Controller {
    /// Listens in this directory, which is made, at a socket for each of these names.
    pub fn open(dir: &Path, names: &[String], surprises: &[Surprise]) -> Result<Self, String> {
        std::fs::create_dir_all(dir)
            .map_err(|error| format!("failed to make `{}`: {error}", dir.display()))?;
        let count = surprises.len();
        let state = State {
            surprises: surprises.to_vec(),
            counts: vec![0; count],
            befell: vec![false; count],
            let_go: vec![false; count],
            ..State::default()
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
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
                std::thread::spawn(move || converse(&shared, &own, &stream));
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
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.state().asked.clone()
    }

    /// Did the surprise of this number befall?
    pub fn befell(&self, index: usize) -> bool {
        self.shared.state().befell.get(index).copied().unwrap_or_default()
    }

    /// Was whom the surprise of this number holds told to go on?
    pub fn was_let_go(&self, index: usize) -> bool {
        self.shared.state().let_go.get(index).copied().unwrap_or_default()
    }

    /// Waits until the surprise of this number befalls, at most so long.
    pub fn wait_for(&self, index: usize, at_most: Duration) -> bool {
        let end = Instant::now() + at_most;
        let mut state = self.shared.state();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if state.befell[index] || left.is_zero() {
                return state.befell[index];
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The first surprise that did not come up, or that held somebody while nobody else went on.
    pub fn unmet(&self) -> Option<usize> {
        let state = self.shared.state();
        let never = state.befell.iter().position(|befell| !befell);
        never.or_else(|| state.overdue.first().copied())
    }

    /// Lets whom the surprise of this number holds go on.
    pub fn let_go(&self, index: usize) {
        if let Some(let_go) = self.shared.state().let_go.get_mut(index) {
            *let_go = true;
        }
        self.shared.changed.notify_all();
    }
}

impl Drop for Controller {
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
fn converse(shared: &Shared, name: &str, stream: &UnixStream) {
    let mut lines = BufReader::new(stream);
    let mut task = None;
    let mut refused: Vec<usize> = Vec::new();
    let mut line = String::new();
    // Whoever is killed in the middle of a question waits for no answer.
    while lines.read_line(&mut line).is_ok() && line.ends_with('\n') {
        let question: Question =
            serde_json::from_str(&line).expect("a test build asks what it was built to ask");
        let of = task.get_or_insert_with(|| task_of(name, &question));
        let word = answer(shared, of, &question.effect, &mut refused);
        let mut text = serde_json::to_string(&word).expect("a word is JSON");
        text.push('\n');
        let mut writer = stream;
        if writer.write_all(text.as_bytes()).is_err() {
            break;
        }
        line.clear();
    }
    if let Some(task) = task {
        shared.state().stands.insert(task.to_string(), Stand::Over);
        shared.changed.notify_all();
    }
}

/// What the story calls whoever came to this socket.
fn task_of(name: &str, question: &Question) -> Task {
    let Some(container) = name.strip_prefix('c').and_then(|number| number.parse().ok()) else {
        return Task::Run(name.to_owned());
    };
    let has = |word: &str| question.argv.iter().any(|it| it == word);
    let words: Vec<_> = question.argv.iter().map(Into::into).collect();
    match gateway_of(&words) {
        Some(profile) => Task::Gateway(Name(profile)),
        None if has("boot") && has("main") => Task::Main(Container(container)),
        None if has("boot") && has("stop") => Task::Stop(Container(container)),
        None if logger_of(&words).is_some() => {
            logger_of(&words).map_or_else(|| Task::Run(name.to_owned()), |it| Task::Log(Name(it)))
        }
        None if has("boot") && has("init") => Task::Init(Container(container)),
        None if has("boot") && has("tree") => Task::Tree(Container(container)),
        None => Task::Run(name.to_owned()),
    }
}

fn answer(shared: &Shared, task: &Task, effect: &Effect, refused: &mut Vec<usize>) -> Word {
    let mut state = hold_back(shared, task);
    if state.is_over {
        return Word::Go;
    }
    state.asked.push(Asked { task: task.clone(), effect: effect.clone() });
    let due = state.meet(task, effect);
    let lets_time_pass = matches!(Kind::of(effect), Kind::Sleep | Kind::Wait);
    let stand = if lets_time_pass { Stand::Waits } else { Stand::Acts };
    let mut word = Word::Go;
    for index in due {
        state.befell[index] = true;
        if state.surprises[index].sticky {
            refused.push(index);
        }
        match state.surprises[index].deed {
            Deed::Kill => word = Word::Die,
            Deed::KillAfter => word = Word::DieAfter,
            Deed::Fail(errno) => word = Word::Errno(errno.0),
            _ => state = hold(shared, state, task, index),
        }
    }
    for &index in refused.iter() {
        if let (Surprise { at, deed: Deed::Fail(errno), .. }, Word::Go) =
            (&state.surprises[index], word)
        {
            if is_about(effect, at.effect, at.touches.as_deref()) {
                word = Word::Errno(errno.0);
            }
        }
    }
    state.stands.insert(task.to_string(), stand);
    shared.changed.notify_all();
    word
}

/// Until the surprise befalls at which it is to go on, if it would be too early.
fn hold_back<'a>(shared: &'a Shared, task: &Task) -> MutexGuard<'a, State> {
    let end = Instant::now() + HELD_MAX;
    let mut state = shared.state();
    while let Some(index) = state.too_early_for(task) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        state.stands.insert(task.to_string(), Stand::Held(index));
        let waited = shared.changed.wait_timeout(state, left);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    state
}

/// Until somebody lets it go, or whoever was to go on instead has ended or lets time pass.
fn hold<'a>(
    shared: &'a Shared,
    mut state: MutexGuard<'a, State>,
    task: &Task,
    index: usize,
) -> MutexGuard<'a, State> {
    let end = Instant::now() + HELD_MAX;
    state.stands.insert(task.to_string(), Stand::Held(index));
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

impl State {
    /// A gateway that is to go on at one surprise does nothing after the one before: real s6 has told it to end by then,
    /// and it would be gone.
    fn too_early_for(&self, task: &Task) -> Option<usize> {
        let goes_on = |it: &Surprise| it.deed == Deed::Preempt && it.to.as_ref() == Some(task);
        let is_gateway = matches!(task, Task::Gateway(_)) && !self.is_over;
        let next = self.surprises.iter().position(goes_on).filter(|_| is_gateway)?;
        let is_between = self.befell[..next].contains(&true) && !self.befell[next];
        is_between.then_some(next)
    }

    fn may_go(&self, index: usize) -> bool {
        let surprise = &self.surprises[index];
        let other = surprise.to.as_ref().filter(|_| surprise.deed == Deed::Preempt);
        let stand = other.and_then(|other| self.stands.get(&other.to_string()));
        let went_on = matches!(stand, Some(Stand::Waits | Stand::Over));
        went_on || self.let_go[index] || self.is_over
    }

    /// Counts an effect that is about to be performed; which surprises befall it.
    fn meet(&mut self, task: &Task, effect: &Effect) -> Vec<usize> {
        let mut due = Vec::new();
        for (index, Surprise { at, .. }) in self.surprises.iter().enumerate() {
            if at.task == *task && is_about(effect, at.effect, at.touches.as_deref()) {
                self.counts[index] += 1;
                if self.counts[index] == at.nth && !self.befell[index] {
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
    use crate::scenario::At;
    use rstest::rstest;

    fn surprise(deed: Deed, to: Option<&Task>) -> Surprise {
        let task = Task::Run("A".to_owned());
        let at = At { task, effect: Kind::Open, touches: None, nth: 1 };
        Surprise { at, deed, sticky: false, to: to.cloned(), lasts: None, keeps: None }
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
        let gateway = Task::Gateway(Name(coder));
        let surprises = vec![surprise(Deed::Begin, None), surprise(Deed::Preempt, Some(&gateway))];
        let state = State { surprises, befell: befell.to_vec(), ..State::default() };
        assert_eq!(state.too_early_for(&gateway), expected);
        assert_eq!(state.too_early_for(&Task::Run("A".to_owned())), None);
    }
}
