//! A simulated machine and a model checker: the production program runs on it unmodified, and every crash point, fault
//! and interleaving of a scenario is tried.
//!
//! The rooms, lowest first; a file names its own room and lower ones (`tests/tidy/floors.rs` checks it):
//!
//! | floor | room | what |
//! |---|---|---|
//! | 0 | [`hash`] | one hash function for states, and values that keep theirs |
//! | 1 | [`replay`] | one run of the production program as the list of its answers |
//! | 2 | [`machine`] | the simulated machine: plain data, its kernel, its programs, one step of it |
//! | 3 | [`scenario`] | the JSON of a scenario, its words and its loader |
//! | 3 | [`observe`] | what is so in a world, seen without permissions or time |
//! | 4 | [`invariants`] | what must hold (S1–S14, S18, L1–L7), and when it is checked |
//! | 5 | [`execution`] | one execution of a scenario: steps, faults, expectations |
//! | 6 | [`check`] | searches, shrinking, reports, planted bugs |
//! | 7 | [`real`] | the same scenarios on real machines: namespaces, containers, the gate, conformance |
//! | 8 | `cli` | the command `hermes-sim`, one file a verb |
//! | 9 | `main.rs` | collects the arguments and returns a code |
//!
//! # Glossary
//!
//! Our word, and the standard term where ours is another. The words of the production program are in the `hermes` crate.
//!
//! | word | meaning |
//! |---|---|
//! | world | the state of the simulated machine: plain data that can be copied, hashed and compared |
//! | task | a process that runs the production program (its future is replayed) |
//! | replay | running a future again from its recorded answers, because a future cannot be copied. *Replay cache*: futures kept to shorten that. *Loop heads*: where a waiting task begins another round, so that the rounds before can be forgotten |
//! | scenario | a JSON file: a world, steps, faults, expectations |
//! | execution | one run of a scenario (a path through the state space); a *transition* is one move of it: a process's next effect, a step begun, time passing, a fault |
//! | schedule | the transitions that were chosen, as data; it replays an execution |
//! | fault, inject | a kill, refused effect, power cut or restart, injected before one effect. *Scripted*: at an address that the scenario names |
//! | address | task, kind of effect, object and occurrence number: finds an effect again after the code has changed |
//! | invariant, violation, monitor | what must hold: S1–S14 and S18 are safety, L1–L7 liveness properties; the monitor checks them at each effect (runtime verification) |
//! | settle and check | at the end: restart, run until quiescent, then check the liveness properties |
//! | baseline | the execution without faults or preemptions |
//! | relations | metamorphic relations: two executions must end alike |
//! | crash point, crash matrix | one effect with one fault; all of them along the baseline. *Recovery*: a second crash inside the recovery from the first |
//! | bounded | few faults or preemptions anywhere (delay-bounded, context-bounded search) |
//! | exhaustive | every interleaving to the end (stateful model checking), with partial-order reduction: if the transition of one process is independent of all that the others may still do, only it is explored (a persistent set of one) |
//! | footprint | what an effect reads and writes; two transitions with disjoint footprints are independent |
//! | shrink | test-case reduction: a smaller scenario with the same failure |
//! | planted bug | a known mutation of the program; the searches must find each one (mutation testing) |
//! | hazard | an incident or risk with a number, R1–R15 and H1–H111; a coverage mark says that its protection was reached |
//! | conformance | lockstep comparison of the simulated s6 and real ones |
//! | gate | the controller that decides about each effect of a test build on a real machine |
//! | testbed | a real machine for scenarios: namespaces or containers |
//!
//! # Determinism
//!
//! There is one source of choices; no real clock, no real randomness, no hash order. The same scenario and the same choices
//! give the same trace, byte for byte.

pub mod check;
pub mod execution;
pub mod hash;
pub mod invariants;
pub mod machine;
pub mod observe;
pub mod real;
pub mod replay;
pub mod scenario;
