//! Floor 2: the door, our only interface to the machine (an effect interface at system-call level). An [`Effect`] goes
//! out, an [`Outcome`] comes back.
//!
//! ```text
//!   record · backend · ops · gateway · cli
//!                 │ fs::open(host, …) · proc::run(host, …) · time::now(host, …)     typed functions
//!                 ▼
//!        Host::perform(Effect) ──► Outcome = Result<Answer, Errno>
//!                 │
//!        ┌────────┴─────────┐
//!     os::OsHost      a simulated machine
//! ```
//!
//! One effect is one act of the kernel. Nothing composite lives here: replacing a file or removing a tree are `async
//! fn`s above the door, because only between effects can another process run, or a crash be injected. Nothing here
//! retries, chooses or remembers, and no effect hides in a `Drop`: a killed process is a dropped future.

#[cfg(all(test, unix))]
#[path = "../tests/support/answering.rs"]
pub(crate) mod answering;
pub mod effect;
pub mod fs;
pub mod net;
pub mod object;
#[cfg(unix)]
pub mod os;
pub mod proc;
pub mod process;
pub mod time;

pub use effect::{Answer, Effect, Outcome};

/// A machine that performs effects: the real one ([`os::OsHost`]) or a simulated one.
#[expect(async_fn_in_trait, reason = "one thread: no future of ours needs to be Send")]
pub trait Host {
    /// Performs one effect and returns its outcome.
    ///
    /// On the real machine the future is ready at once, except for [`Effect::Wait`].
    async fn perform(&self, effect: Effect) -> Outcome;
}
