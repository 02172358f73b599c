//! What each invariant states, and why it must hold, in words for people. Each text is written here and nowhere else.

use crate::scenario::Invariant;

impl Invariant {
    /// What must hold.
    pub fn statement(self) -> &'static str {
        match self {
            Self::S1 => {
                "a command that exited 0 stays true: its intent is in force after any crash, until another command changes it"
            }
            Self::S2 => {
                "intent is read whole or not at all: some command's value or the one before, never empty, torn or mixed"
            }
            Self::S3 => {
                "only the operator's commands change intent: no crash, signal, gateway exit, boot or reader does"
            }
            Self::S4 => {
                "a command that exited non-zero left the old or the new intent, whole, and said what and why"
            }
            Self::S5 => {
                "at most one live gateway a profile, also across containers that share the home"
            }
            Self::S6 => "a slot that s6-svscan can see is complete, at every instant",
            Self::S7 => {
                "while no command runs on it, a slot's `down` file says the same as the intent"
            }
            Self::S8 => {
                "a signal goes only to the process it was meant for, and never to a pid of 1 or less"
            }
            Self::S9 => "what one profile contains, or how it fails, changes nothing for another",
            Self::S10 => {
                "root never runs, reads as program, follows or writes what the user hermes could have planted"
            }
            Self::S11 => "read-only commands change nothing",
            Self::S12 => {
                "every injected errno ends in a named error or in success, never in a panic or a debug print"
            }
            Self::S13 => "each boot writes one whole and true audit line a profile",
            Self::S14 => {
                "commands on one profile are linearizable; on different profiles they commute; each one twice is the same as once"
            }
            Self::S18 => {
                "the files that a process holds open have a limit, however much lies on the disk"
            }
            Self::L1 => {
                "the target state is up exactly if the intent is running, or a visible exception says why; another boot changes nothing"
            }
            Self::L2 => {
                "each real profile with a legal name has exactly one slot, and no other name has one"
            }
            Self::L3 => "no stage, marker, lock, supervisor, logger or process without an owner",
            Self::L4 => {
                "a gateway told to stop is gone in bounded time even if it ignores TERM, and stays gone"
            }
            Self::L5 => {
                "a gateway that keeps failing is started ever more slowly, its neighbours do not notice, and it comes back once the cause is gone"
            }
            Self::L6 => {
                "create, delete and rename reach their end after any crash, by boot or by being repeated; nothing deleted comes back to life"
            }
            Self::L7 => "`status` shows the true state, and names each drift",
        }
    }

    /// Why it must hold.
    pub fn reason(self) -> &'static str {
        match self {
            Self::S1 => "an operator who saw success does not look again",
            Self::S2 => {
                "a half-written intent would start or stop a gateway against its operator's intent"
            }
            Self::S3 => {
                "gateways stayed down after a restart because their own exit was recorded as an intent"
            }
            Self::S4 => "an operator who reads an error must know what to do next",
            Self::S5 => "two gateways answer the same chat twice and write over each other",
            Self::S6 => "s6 starts what it sees, also a half-made slot",
            Self::S7 => {
                "s6 reads the file, people read the intent: a difference shows at the next boot"
            }
            Self::S8 => "pids are used again, and -1 means every process",
            Self::S9 => "one odd profile once kept every other one down",
            Self::S10 => "the volume belongs to hermes: if root trusts it, hermes becomes root",
            Self::S11 => "people run `status` on machines that must not be touched",
            Self::S12 => "full disks and wrong permissions are everyday events, not bugs",
            Self::S13 => "only the log can explain later what happened",
            Self::S14 => "operators and scripts do not take turns",
            Self::S18 => {
                "one deep directory ended every boot of a volume, and no gateway came back"
            }
            Self::L1 => "this is the whole point: every gateway comes back as its operator left it",
            Self::L2 => {
                "a missing slot is a gateway that never comes back, a surplus slot one without an operator"
            }
            Self::L3 => "what has no owner is in the way of the next command",
            Self::L4 => "an operator answers a stop that hangs with something worse",
            Self::L5 => "a crash loop must neither exhaust the machine nor outlive its cause",
            Self::L6 => "a profile that is half there is worse than one that is not",
            Self::L7 => "people act on what it shows",
        }
    }
}
