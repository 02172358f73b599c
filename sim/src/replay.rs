//! One run of the production program, as a value. A future cannot be cloned or compared, but it depends on its answers
//! alone: a task is the list of the answers, and the future is rebuilt by replaying them.
//!
//! ```text
//!   Task { invocation, resumed_from, answers, request } ──replay──► LiveFuture (waiting for one more answer)
//! ```
//!
//! A gateway is cut between its turns: its list of answers starts empty from the [`GatewayRun`] of the turn. A task that
//! polls in a wait loop returns to the same state at each loop head with the same carried values, however often it has
//! polled (`loop_heads`).

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
use replay_cache::CachedReaction;
pub use replay_cache::clear_replay_cache;

/// What a task asks for next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// The outcome of this effect.
    Effect(Effect),
    /// Nothing more: the program exits with this code.
    Exit(u8),
    /// Nothing more: the program panicked with this message.
    Panic(String),
}

/// One run of the production program, up to its current request.
#[derive(Clone, Debug)]
pub struct Task {
    invocation: Arc<Invocation>,
    resumed_from: Option<Arc<GatewayRun>>,
    answers: Answers,
    request: Arc<Request>,
    /// The wait loops that it is in.
    waits: WaitStack,
    /// The hash of everything that decides what it does next.
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
    /// Drops the list in a loop: the default drop of a long list would recurse once a node.
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

/// The future of a task, at its current request.
pub struct LiveFuture {
    host: Rc<ReplayHost>,
    future: Pin<Box<dyn Future<Output = Progress>>>,
}

impl std::fmt::Debug for LiveFuture {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("LiveFuture")
    }
}

thread_local! {
    /// Is a backtrace captured at each request? Only for reports: it changes no behaviour.
    static CAPTURES_BACKTRACE: Cell<bool> = const { Cell::new(false) };
    /// The backtrace of the last request.
    static REQUEST_BACKTRACE: Cell<Option<Backtrace>> = const { Cell::new(None) };
}

/// The [`Host`] of one task: keeps the request until it is answered.
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

/// The result of polling a future.
enum Polled {
    Request(Request),
    /// A turn of a gateway has ended.
    TurnEnded(Box<GatewayRun>),
}

impl LiveFuture {
    fn start(invocation: &Arc<Invocation>, from: Option<&Arc<GatewayRun>>) -> Self {
        let host = Rc::new(ReplayHost::default());
        let (task_host, invocation) = (Rc::clone(&host), Arc::clone(invocation));
        let from = from.map(|run| GatewayRun::clone(run));
        let future = Box::pin(async move {
            match from {
                None => cli::begin(&*task_host, &invocation).await,
                Some(run) => cli::next_turn(&*task_host, run).await,
            }
        });
        Self { host, future }
    }

    /// Runs to the next request; also returns the loop events on the way.
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
                let request = self.host.request.borrow_mut().take();
                Polled::Request(Request::Effect(request.expect("a pending task has a request")))
            }
            Ok(Poll::Ready(Progress::Exit(code))) => Polled::Request(Request::Exit(code)),
            Ok(Poll::Ready(Progress::Gateway(run))) => Polled::TurnEnded(run),
            Err(panic) => Polled::Request(Request::Panic(message(panic.as_ref()))),
        }
    }

    fn answer(&mut self, outcome: Outcome) -> (Polled, Vec<LoopEvent>) {
        *self.host.answer.borrow_mut() = Some(outcome);
        self.poll()
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}

impl Task {
    /// The program at its first request.
    pub fn new(invocation: Invocation) -> Self {
        let invocation = Arc::new(invocation);
        let digest =
            hash::digest(&(&invocation.argv, &invocation.env, invocation.pid, invocation.uid));
        let Invocation { program, gid, stdin_is_terminal, .. } = &*invocation;
        let key = hash::digest(&("begun", digest, program, gid, stdin_is_terminal));
        let mut task = Self {
            invocation: Arc::clone(&invocation),
            resumed_from: None,
            answers: Answers::default(),
            request: Arc::new(Request::Exit(0)), // replaced below
            waits: WaitStack::default(),
            digest,
        };
        if let Some(cached) = replay_cache::lookup(key) {
            task.request = cached.request;
            task.apply_loop_events(&cached.loop_events);
            return task;
        }
        let (_, loop_events) = task.poll_fresh(LiveFuture::start(&invocation, None));
        if task.resumed_from.is_none() {
            let reaction = CachedReaction {
                request: Arc::clone(&task.request),
                turn_start: None,
                loop_events: loop_events.into(),
            };
            replay_cache::store(key, reaction);
        }
        task
    }

    /// What it asks for next.
    pub fn request(&self) -> &Arc<Request> {
        &self.request
    }

    /// The hash of everything that decides what it does next.
    pub fn digest(&self) -> u128 {
        self.digest
    }

    /// How the program was started.
    pub fn invocation(&self) -> &Invocation {
        &self.invocation
    }

    /// Answers the current request. `live` is the future, if the caller has kept it. If the replay cache knows the reaction
    /// to the same answers, no future is polled, and none is returned.
    pub fn answer(&mut self, live: Option<LiveFuture>, outcome: Outcome) -> Option<LiveFuture> {
        let key = hash::digest(&(self.digest, &outcome));
        if let Some(cached) = replay_cache::lookup(key) {
            self.request = Arc::clone(&cached.request);
            match &cached.turn_start {
                None => self.push_answer(key, outcome),
                Some(run) => self.restart_from(Arc::clone(run)),
            }
            self.apply_loop_events(&cached.loop_events);
            return None;
        }
        let mut live = live.unwrap_or_else(|| self.rebuild());
        self.push_answer(key, outcome.clone());
        let (polled, loop_events) = live.answer(outcome);
        let (live, turn_start, loop_events) = match polled {
            Polled::Request(request) => {
                self.request = Arc::new(request);
                self.apply_loop_events(&loop_events);
                (live, None, loop_events)
            }
            Polled::TurnEnded(run) => {
                let (live, loop_events) = self.begin_turn(*run);
                (live, self.resumed_from.clone(), loop_events)
            }
        };
        let (request, loop_events) = (Arc::clone(&self.request), loop_events.into());
        replay_cache::store(key, CachedReaction { request, turn_start, loop_events });
        Some(live)
    }

    fn push_answer(&mut self, digest: u128, outcome: Outcome) {
        self.digest = digest;
        let earlier = std::mem::take(&mut self.answers);
        self.answers = Answers(Some(Arc::new(AnswerNode { outcome, earlier })));
    }

    /// Applies the loop events on the way to the current request.
    fn apply_loop_events(&mut self, loop_events: &[LoopEvent]) {
        for event in loop_events {
            self.waits.apply(*event, &mut self.digest, &mut self.answers);
        }
        if let Request::Exit(code) = *self.request {
            // After the exit only the code matters, not the answers that led to it.
            self.digest = hash::digest(&("exit", code));
        }
    }

    /// Empties the list of answers: between two turns the state of the gateway decides everything.
    fn restart_from(&mut self, run: Arc<GatewayRun>) {
        self.digest = hash::digest(&(&self.invocation.argv, self.invocation.pid, &*run));
        self.resumed_from = Some(run);
        self.answers = Answers::default();
        self.waits = WaitStack::default();
    }

    fn begin_turn(&mut self, run: GatewayRun) -> (LiveFuture, Vec<LoopEvent>) {
        self.restart_from(Arc::new(run));
        let live = LiveFuture::start(&self.invocation, self.resumed_from.as_ref());
        self.poll_fresh(live)
    }

    /// Polls a future that has no answer yet.
    fn poll_fresh(&mut self, mut live: LiveFuture) -> (LiveFuture, Vec<LoopEvent>) {
        match live.poll() {
            (Polled::Request(request), loop_events) => {
                self.request = Arc::new(request);
                self.apply_loop_events(&loop_events);
                (live, loop_events)
            }
            (Polled::TurnEnded(run), _) => self.begin_turn(*run),
        }
    }

    /// The backtrace of the current request: the future is rebuilt with backtraces captured. Slow; for reports.
    pub fn request_backtrace(&self) -> Backtrace {
        CAPTURES_BACKTRACE.set(true);
        drop(self.rebuild());
        CAPTURES_BACKTRACE.set(false);
        REQUEST_BACKTRACE.take().unwrap_or_else(Backtrace::disabled)
    }

    /// Rebuilds the future from the answers.
    ///
    /// # Panics
    ///
    /// If the future asks for another effect than the first time: then it depends on something besides its answers.
    fn rebuild(&self) -> LiveFuture {
        let mut outcomes = Vec::new();
        let mut next = self.answers.0.as_ref();
        while let Some(node) = next {
            outcomes.push(node.outcome.clone());
            next = node.earlier.0.as_ref();
        }
        let mut live = LiveFuture::start(&self.invocation, self.resumed_from.as_ref());
        let (mut polled, _) = live.poll();
        for outcome in outcomes.into_iter().rev() {
            (polled, _) = live.answer(outcome);
        }
        match polled {
            Polled::Request(request) if request == *self.request => live,
            _ => panic!("{:?} is not deterministic", self.invocation.argv),
        }
    }
}
