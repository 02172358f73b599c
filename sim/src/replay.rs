//! One run of the production program. A future cannot be cloned or compared, but it depends on its answers alone: the
//! task is the list of them, and the future is rebuilt by giving them again.
//!
//! ```text
//!   Task { invocation, from, answers, wants } ──replay──► Live (the future, waiting for one more answer)
//! ```
//!
//! A gateway is cut between its turns: its list starts anew from the [`Running`] of the turn. What waits is where it was
//! before, however often it has looked (`rounds`).

mod memo;
mod rounds;

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use hermes::cli::invocation::Invocation;
use hermes::cli::{self, Progress, Running};
use hermes::host::{Effect, Host, Outcome};
use hermes::probe::{self, Round};

use crate::hash;

pub use memo::forget;
use rounds::Waits;

/// What a task wants next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wants {
    /// An answer to this.
    Effect(Effect),
    /// Nothing more: it exits with this code.
    Exit(u8),
    /// It panicked, saying this.
    Panic(String),
}

/// One run of the production program, up to now.
#[derive(Clone, Debug)]
pub struct Task {
    invocation: Arc<Invocation>,
    from: Option<Arc<Running>>,
    answers: Answers,
    wants: Arc<Wants>,
    /// The waits that it is in.
    waits: Waits,
    /// Of all that decides what it does next.
    digest: u128,
}

/// The answers so far, newest first, shared with every clone.
#[derive(Clone, Debug, Default)]
struct Answers(Option<Arc<Answered>>);

#[derive(Debug)]
struct Answered {
    outcome: Outcome,
    before: Answers,
}

impl Drop for Answers {
    /// A long list must not be dropped by recursion.
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(node) = next {
            match Arc::try_unwrap(node) {
                Ok(mut node) => next = node.before.0.take(),
                Err(_) => break,
            }
        }
    }
}

impl PartialEq for Task {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Task {}

impl std::hash::Hash for Task {
    fn hash<S: std::hash::Hasher>(&self, state: &mut S) {
        self.digest.hash(state);
    }
}

/// The future of a task, at the point where it wants its next answer.
pub struct Live {
    door: Rc<Door>,
    future: Pin<Box<dyn Future<Output = Progress>>>,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Live")
    }
}

thread_local! {
    /// Is it noted where effects are asked for? Decides nothing.
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    /// Where the last one was.
    static ASKED_AT: Cell<Option<Backtrace>> = const { Cell::new(None) };
}

/// The door of one task: keeps what was asked until it is answered.
#[derive(Debug, Default)]
struct Door {
    asked: RefCell<Option<Effect>>,
    answer: RefCell<Option<Outcome>>,
}

impl Host for Door {
    async fn perform(&self, effect: Effect) -> Outcome {
        *self.asked.borrow_mut() = Some(effect);
        if WATCHED.get() {
            ASKED_AT.set(Some(Backtrace::force_capture()));
        }
        poll_fn(|_| match self.answer.borrow_mut().take() {
            Some(outcome) => Poll::Ready(outcome),
            None => Poll::Pending,
        })
        .await
    }
}

/// What polling led to.
enum Polled {
    Wants(Wants),
    /// A turn is over.
    Cut(Box<Running>),
}

impl Live {
    fn start(invocation: &Arc<Invocation>, from: Option<&Arc<Running>>) -> Self {
        let door = Rc::new(Door::default());
        let (host, invocation) = (Rc::clone(&door), Arc::clone(invocation));
        let from = from.map(|running| Running::clone(running));
        let future = Box::pin(async move {
            match from {
                None => cli::begin(&*host, &invocation).await,
                Some(running) => cli::go_on(&*host, running).await,
            }
        });
        Self { door, future }
    }

    /// Goes on to the next effect, and says what rounds began on the way.
    fn poll(&mut self) -> (Polled, Vec<Round>) {
        drop(probe::take_rounds());
        let polled = self.poll_future();
        (polled, probe::take_rounds())
    }

    fn poll_future(&mut self) -> Polled {
        let mut context = Context::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| self.future.as_mut().poll(&mut context)));
        match polled {
            Ok(Poll::Pending) => {
                let asked = self.door.asked.borrow_mut().take();
                Polled::Wants(Wants::Effect(asked.expect("a pending task has asked for something")))
            }
            Ok(Poll::Ready(Progress::Exit(code))) => Polled::Wants(Wants::Exit(code)),
            Ok(Poll::Ready(Progress::Gateway(running))) => Polled::Cut(running),
            Err(panic) => Polled::Wants(Wants::Panic(message(panic.as_ref()))),
        }
    }

    fn answer(&mut self, outcome: Outcome) -> (Polled, Vec<Round>) {
        *self.door.answer.borrow_mut() = Some(outcome);
        self.poll()
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}

impl Task {
    /// The program at its first effect.
    pub fn new(invocation: Invocation) -> Self {
        let invocation = Arc::new(invocation);
        let digest = hash::of(&(&invocation.argv, &invocation.env, invocation.pid, invocation.uid));
        let Invocation { program, gid, stdin_is_terminal, .. } = &*invocation;
        let key = hash::of(&("begun", digest, program, gid, stdin_is_terminal));
        let wants = Arc::new(Wants::Exit(0));
        let answers = Answers::default();
        let waits = Waits::default();
        let mut task =
            Self { invocation: Arc::clone(&invocation), from: None, answers, wants, waits, digest };
        if let Some(known) = memo::recall(key) {
            task.wants = known.wants;
            task.hear(&known.said);
            return task;
        }
        let (_, said) = task.settle(Live::start(&invocation, None));
        if task.from.is_none() {
            let wants = Arc::clone(&task.wants);
            memo::keep(key, memo::Known { wants, cut: None, said: said.into() });
        }
        task
    }

    /// What it wants next.
    pub fn wants(&self) -> &Arc<Wants> {
        &self.wants
    }

    /// Of all that decides what it does next.
    pub fn digest(&self) -> u128 {
        self.digest
    }

    /// What it was started with.
    pub fn invocation(&self) -> &Invocation {
        &self.invocation
    }

    /// Gives it the answer to what it wants. `live` is its future, if somebody kept it. What it did the last time that
    /// it had the same answers it does again: then no future is asked, and none is left.
    pub fn answer(&mut self, live: Option<Live>, outcome: Outcome) -> Option<Live> {
        let key = hash::of(&(self.digest, &outcome));
        if let Some(known) = memo::recall(key) {
            self.wants = Arc::clone(&known.wants);
            match &known.cut {
                None => self.note(key, outcome),
                Some(running) => self.cut(Arc::clone(running)),
            }
            self.hear(&known.said);
            return None;
        }
        let mut live = live.unwrap_or_else(|| self.rebuild());
        self.note(key, outcome.clone());
        let (polled, said) = live.answer(outcome);
        let (live, cut, said) = match polled {
            Polled::Wants(wants) => {
                self.wants = Arc::new(wants);
                self.hear(&said);
                (live, None, said)
            }
            Polled::Cut(running) => {
                let (live, said) = self.begin_turn(*running);
                (live, self.from.clone(), said)
            }
        };
        let wants = Arc::clone(&self.wants);
        memo::keep(key, memo::Known { wants, cut, said: said.into() });
        Some(live)
    }

    fn note(&mut self, digest: u128, outcome: Outcome) {
        self.digest = digest;
        let before = std::mem::take(&mut self.answers);
        self.answers = Answers(Some(Arc::new(Answered { outcome, before })));
    }

    /// What it said on its way to what it wants now.
    fn hear(&mut self, said: &[Round]) {
        for round in said {
            self.waits.hear(*round, &mut self.digest, &mut self.answers);
        }
        if let Wants::Exit(code) = *self.wants {
            // Whatever led here, nothing else of it is left.
            self.digest = hash::of(&("exit", code));
        }
    }

    /// The list starts anew: what the gateway is between two turns says it all.
    fn cut(&mut self, running: Arc<Running>) {
        self.digest = hash::of(&(&self.invocation.argv, self.invocation.pid, &*running));
        self.from = Some(running);
        self.answers = Answers::default();
        self.waits = Waits::default();
    }

    fn begin_turn(&mut self, running: Running) -> (Live, Vec<Round>) {
        self.cut(Arc::new(running));
        let live = Live::start(&self.invocation, self.from.as_ref());
        self.settle(live)
    }

    /// Polls a future that has had no answer yet.
    fn settle(&mut self, mut live: Live) -> (Live, Vec<Round>) {
        match live.poll() {
            (Polled::Wants(wants), said) => {
                self.wants = Arc::new(wants);
                self.hear(&said);
                (live, said)
            }
            (Polled::Cut(running), _) => self.begin_turn(*running),
        }
    }

    /// Where in the program it asks for what it wants: the future is rebuilt, watched. Slow; for reports.
    pub fn asked_at(&self) -> Backtrace {
        WATCHED.set(true);
        drop(self.rebuild());
        WATCHED.set(false);
        ASKED_AT.take().unwrap_or_else(Backtrace::disabled)
    }

    /// The future again, from the answers.
    ///
    /// # Panics
    ///
    /// If it asks for another effect than it did the first time: it depends on something that is no answer.
    fn rebuild(&self) -> Live {
        let mut outcomes = Vec::new();
        let mut next = self.answers.0.as_ref();
        while let Some(answered) = next {
            outcomes.push(answered.outcome.clone());
            next = answered.before.0.as_ref();
        }
        let mut live = Live::start(&self.invocation, self.from.as_ref());
        let (mut polled, _) = live.poll();
        for outcome in outcomes.into_iter().rev() {
            (polled, _) = live.answer(outcome);
        }
        match polled {
            Polled::Wants(wants) if wants == *self.wants => live,
            _ => panic!("{:?} is not deterministic", self.invocation.argv),
        }
    }
}
