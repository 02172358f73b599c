//! One run of the production program. A future cannot be cloned or compared, but it depends on its answers alone: the
//! task is the list of them, and the future is rebuilt by giving them again.
//!
//! ```text
//!   Task { invocation, from, answers, wants } ──replay──► Live (the future, waiting for one more answer)
//! ```
//!
//! A gateway is cut between its turns: its list starts anew from the [`Running`] of the turn. What waits is where it was
//! before, however often it has looked (`rounds`).

mod loop_heads;
mod replay_cache;

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use hermes::cli::invocation::Invocation;
use hermes::cli::{self, GatewayRun, Progress};
use hermes::host::{Effect, Host, Outcome};
use hermes::probe::{self, LoopEvent};

use crate::hash;

use loop_heads::WaitStack;
pub use replay_cache::clear_replay_cache;

/// What a task wants next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
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
    resumed_from: Option<Arc<GatewayRun>>,
    answers: Answers,
    request: Arc<Request>,
    /// The waits that it is in.
    waits: WaitStack,
    /// Of all that decides what it does next.
    digest: u128,
}

/// The answers so far, newest first, shared with every clone.
#[derive(Clone, Debug, Default)]
struct Answers(Option<Arc<AnswerNode>>);

#[derive(Debug)]
struct AnswerNode {
    outcome: Outcome,
    earlier: Answers,
}

impl Drop for Answers {
    /// A long list must not be dropped by recursion.
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(node) = next {
            match Arc::try_unwrap(node) {
                Ok(mut node) => next = node.earlier.0.take(),
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
pub struct LiveFuture {
    door: Rc<ReplayHost>,
    future: Pin<Box<dyn Future<Output = Progress>>>,
}

impl std::fmt::Debug for LiveFuture {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Live")
    }
}

thread_local! {
    /// Is it noted where effects are asked for? Decides nothing.
    static CAPTURES_BACKTRACE: Cell<bool> = const { Cell::new(false) };
    /// Where the last one was.
    static REQUEST_BACKTRACE: Cell<Option<Backtrace>> = const { Cell::new(None) };
}

/// The door of one task: keeps what was asked until it is answered.
#[derive(Debug, Default)]
struct ReplayHost {
    request: RefCell<Option<Effect>>,
    answer: RefCell<Option<Outcome>>,
}

impl Host for ReplayHost {
    async fn perform(&self, effect: Effect) -> Outcome {
        *self.request.borrow_mut() = Some(effect);
        if CAPTURES_BACKTRACE.get() {
            REQUEST_BACKTRACE.set(Some(Backtrace::force_capture()));
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
    Request(Request),
    /// A turn is over.
    TurnEnded(Box<GatewayRun>),
}

impl LiveFuture {
    fn start(invocation: &Arc<Invocation>, from: Option<&Arc<GatewayRun>>) -> Self {
        let door = Rc::new(ReplayHost::default());
        let (host, invocation) = (Rc::clone(&door), Arc::clone(invocation));
        let from = from.map(|running| GatewayRun::clone(running));
        let future = Box::pin(async move {
            match from {
                None => cli::begin(&*host, &invocation).await,
                Some(running) => cli::next_turn(&*host, running).await,
            }
        });
        Self { door, future }
    }

    /// Goes on to the next effect, and says what rounds began on the way.
    fn poll(&mut self) -> (Polled, Vec<LoopEvent>) {
        drop(probe::take_loop_events());
        let polled = self.poll_future();
        (polled, probe::take_loop_events())
    }

    fn poll_future(&mut self) -> Polled {
        let mut context = Context::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| self.future.as_mut().poll(&mut context)));
        match polled {
            Ok(Poll::Pending) => {
                let asked = self.door.request.borrow_mut().take();
                Polled::Request(Request::Effect(
                    asked.expect("a pending task has asked for something"),
                ))
            }
            Ok(Poll::Ready(Progress::Exit(code))) => Polled::Request(Request::Exit(code)),
            Ok(Poll::Ready(Progress::Gateway(running))) => Polled::TurnEnded(running),
            Err(panic) => Polled::Request(Request::Panic(message(panic.as_ref()))),
        }
    }

    fn answer(&mut self, outcome: Outcome) -> (Polled, Vec<LoopEvent>) {
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
        let digest =
            hash::digest(&(&invocation.argv, &invocation.env, invocation.pid, invocation.uid));
        let Invocation { program, gid, stdin_is_terminal, .. } = &*invocation;
        let key = hash::digest(&("begun", digest, program, gid, stdin_is_terminal));
        let wants = Arc::new(Request::Exit(0));
        let answers = Answers::default();
        let waits = WaitStack::default();
        let mut task = Self {
            invocation: Arc::clone(&invocation),
            resumed_from: None,
            answers,
            request: wants,
            waits,
            digest,
        };
        if let Some(known) = replay_cache::lookup(key) {
            task.request = known.request;
            task.apply_rounds(&known.rounds);
            return task;
        }
        let (_, said) = task.poll_fresh(LiveFuture::start(&invocation, None));
        if task.resumed_from.is_none() {
            let wants = Arc::clone(&task.request);
            replay_cache::store(
                key,
                replay_cache::CachedReaction {
                    request: wants,
                    turn_start: None,
                    rounds: said.into(),
                },
            );
        }
        task
    }

    /// What it wants next.
    pub fn request(&self) -> &Arc<Request> {
        &self.request
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
    pub fn answer(&mut self, live: Option<LiveFuture>, outcome: Outcome) -> Option<LiveFuture> {
        let key = hash::digest(&(self.digest, &outcome));
        if let Some(known) = replay_cache::lookup(key) {
            self.request = Arc::clone(&known.request);
            match &known.turn_start {
                None => self.push_answer(key, outcome),
                Some(running) => self.restart_from(Arc::clone(running)),
            }
            self.apply_rounds(&known.rounds);
            return None;
        }
        let mut live = live.unwrap_or_else(|| self.rebuild());
        self.push_answer(key, outcome.clone());
        let (polled, said) = live.answer(outcome);
        let (live, cut, said) = match polled {
            Polled::Request(wants) => {
                self.request = Arc::new(wants);
                self.apply_rounds(&said);
                (live, None, said)
            }
            Polled::TurnEnded(running) => {
                let (live, said) = self.begin_turn(*running);
                (live, self.resumed_from.clone(), said)
            }
        };
        let wants = Arc::clone(&self.request);
        replay_cache::store(
            key,
            replay_cache::CachedReaction { request: wants, turn_start: cut, rounds: said.into() },
        );
        Some(live)
    }

    fn push_answer(&mut self, digest: u128, outcome: Outcome) {
        self.digest = digest;
        let before = std::mem::take(&mut self.answers);
        self.answers = Answers(Some(Arc::new(AnswerNode { outcome, earlier: before })));
    }

    /// What it said on its way to what it wants now.
    fn apply_rounds(&mut self, said: &[LoopEvent]) {
        for round in said {
            self.waits.apply(*round, &mut self.digest, &mut self.answers);
        }
        if let Request::Exit(code) = *self.request {
            // Whatever led here, nothing else of it is left.
            self.digest = hash::digest(&("exit", code));
        }
    }

    /// The list starts anew: what the gateway is between two turns says it all.
    fn restart_from(&mut self, running: Arc<GatewayRun>) {
        self.digest = hash::digest(&(&self.invocation.argv, self.invocation.pid, &*running));
        self.resumed_from = Some(running);
        self.answers = Answers::default();
        self.waits = WaitStack::default();
    }

    fn begin_turn(&mut self, running: GatewayRun) -> (LiveFuture, Vec<LoopEvent>) {
        self.restart_from(Arc::new(running));
        let live = LiveFuture::start(&self.invocation, self.resumed_from.as_ref());
        self.poll_fresh(live)
    }

    /// Polls a future that has had no answer yet.
    fn poll_fresh(&mut self, mut live: LiveFuture) -> (LiveFuture, Vec<LoopEvent>) {
        match live.poll() {
            (Polled::Request(wants), said) => {
                self.request = Arc::new(wants);
                self.apply_rounds(&said);
                (live, said)
            }
            (Polled::TurnEnded(running), _) => self.begin_turn(*running),
        }
    }

    /// Where in the program it asks for what it wants: the future is rebuilt, watched. Slow; for reports.
    pub fn request_backtrace(&self) -> Backtrace {
        CAPTURES_BACKTRACE.set(true);
        drop(self.rebuild());
        CAPTURES_BACKTRACE.set(false);
        REQUEST_BACKTRACE.take().unwrap_or_else(Backtrace::disabled)
    }

    /// The future again, from the answers.
    ///
    /// # Panics
    ///
    /// If it asks for another effect than it did the first time: it depends on something that is no answer.
    fn rebuild(&self) -> LiveFuture {
        let mut outcomes = Vec::new();
        let mut next = self.answers.0.as_ref();
        while let Some(answered) = next {
            outcomes.push(answered.outcome.clone());
            next = answered.earlier.0.as_ref();
        }
        let mut live = LiveFuture::start(&self.invocation, self.resumed_from.as_ref());
        let (mut polled, _) = live.poll();
        for outcome in outcomes.into_iter().rev() {
            (polled, _) = live.answer(outcome);
        }
        match polled {
            Polled::Request(wants) if wants == *self.request => live,
            _ => panic!("{:?} is not deterministic", self.invocation.argv),
        }
    }
}
