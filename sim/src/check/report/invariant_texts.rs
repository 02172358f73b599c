//! What is promised, and why, in words for people.

use crate::scenario::Invariant;

/// The promise, and the reason for it.
pub fn explain(promise: Invariant) -> (&'static str, &'static str) {
    match promise {
        Invariant::S1 => (
            "a command that exited 0 stays true: its intent is in force after any crash, until another command changes it",
            "an operator who saw success does not look again",
        ),
        Invariant::S2 => (
            "intent is read whole or not at all: some command's value or the one before, never empty, torn or mixed",
            "a half-written intent would start or stop what nobody asked for",
        ),
        Invariant::S3 => (
            "only the operator's commands change intent: no crash, signal, gateway exit, boot or reader does",
            "gateways stayed down after a restart because their own exit was recorded as a wish",
        ),
        Invariant::S4 => (
            "a command that exited non-zero left the old or the new intent, whole, and said what and why",
            "whoever reads an error must know what to do next",
        ),
        Invariant::S5 => (
            "at most one live gateway a profile, also across containers that share the home",
            "two gateways answer the same chat twice and write over each other",
        ),
        Invariant::S6 => (
            "a slot that s6-svscan can see is complete, at every instant",
            "s6 starts what it sees, also half of it",
        ),
        Invariant::S7 => (
            "while no command is at work on it, a slot's `down` file says the same as the intent",
            "s6 reads the file, people read the intent: a difference comes out at the next boot",
        ),
        Invariant::S8 => (
            "a signal goes only to the process it was meant for, and never to a pid of 1 or less",
            "pids are used again, and -1 means everybody",
        ),
        Invariant::S9 => (
            "what one profile contains, or how it fails, changes nothing for another",
            "one odd profile once kept every other one down",
        ),
        Invariant::S10 => (
            "root never runs, reads as program, follows or writes what hermes could have planted",
            "the volume belongs to hermes: root that trusts it gives itself away",
        ),
        Invariant::S11 => (
            "commands that only look change nothing",
            "people run `status` on machines that must not be touched",
        ),
        Invariant::S12 => (
            "every injected errno ends in a named error or in success, never in a panic or a debug print",
            "disks fill up and permissions are wrong: that is weather, not a bug",
        ),
        Invariant::S13 => (
            "one audit line a profile a boot, whole and true",
            "the log is what is left to explain a night",
        ),
        Invariant::S14 => (
            "commands on one profile are linearizable; on different profiles they commute; each one twice is the same as once",
            "operators and scripts do not take turns",
        ),
        Invariant::S18 => (
            "what a process holds open has a limit, whatever lies on the disk",
            "one deep directory ended every boot of a volume, and nobody's gateway came back",
        ),
        Invariant::L1 => (
            "wanted up exactly if the intent is running, or a named visible exception; another boot changes nothing",
            "this is the whole point: every gateway comes back as its operator left it",
        ),
        Invariant::L2 => (
            "exactly one slot for each real profile with a legal name, none else",
            "a slot too few is a gateway that never comes back, one too many a ghost",
        ),
        Invariant::L3 => (
            "no stage, marker, lock, supervisor, logger or process without an owner",
            "what nobody owns is in the way of the next command",
        ),
        Invariant::L4 => (
            "a gateway told to stop is gone in bounded time even if it ignores TERM, and stays gone",
            "a stop that hangs is answered with worse",
        ),
        Invariant::L5 => (
            "a gateway that keeps failing is started ever more slowly, its neighbours do not notice, and it comes back once the cause is gone",
            "a crash loop must cost neither the machine nor the morning after",
        ),
        Invariant::L6 => (
            "create, delete and rename reach their end after any crash, by boot or by being repeated; nothing deleted comes back to life",
            "a profile that is half there is worse than one that is not",
        ),
        Invariant::L7 => {
            ("`status` says what is so, and names each drift", "people act on what it says")
        }
    }
}

/// The same by name; `expect` is the story's own expectation.
pub fn by_name(name: &str) -> (&'static str, &'static str) {
    let promise = Invariant::ALL.into_iter().find(|promise| promise.to_string() == name);
    match promise {
        Some(promise) => explain(promise),
        None => ("what the story expects is so", "the scenario says what must come of it"),
    }
}
