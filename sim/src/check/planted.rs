//! Every planted bug: the protection that it removes, what then fails, and the search that should find it.
//!
//! Data only; nothing here runs them or fills the report.

use hermes::probe::Bug;

use crate::check::search::SearchKind;
use crate::execution::FailureKind;
use crate::scenario::Invariant;

/// One planted bug, and how it should be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlantedBug {
    /// The switch.
    pub bug: Bug,
    /// The hazard that its protection answers.
    pub hazard: &'static str,
    /// The protection, as a fact that no longer holds.
    pub removed_protection: &'static str,
    /// The kinds of failure that show it: one of these must occur. An expectation counts only if it is one of the named
    /// scenario, which is about nothing else than this hazard.
    pub violates: &'static [FailureKind],
    /// A scenario that should show it.
    pub scenario: &'static str,
    /// The cheapest search that should find it.
    pub search: SearchKind,
}

/// `expect`, or an invariant by its number.
macro_rules! failure_kind {
    (expect) => {
        FailureKind::Expectation
    };
    ($invariant:ident) => {
        FailureKind::Invariant(Invariant::$invariant)
    };
}

/// One line a bug: hazard, protection, failures, scenario, search.
macro_rules! table {
    ($($bug:ident: $hazard:literal, $protection:literal, [$($violates:ident),+], $scenario:literal, $search:ident;)+) => {
        &[$(PlantedBug {
            bug: Bug::$bug,
            hazard: $hazard,
            removed_protection: $protection,
            violates: &[$(failure_kind!($violates)),+],
            scenario: $scenario,
            search: SearchKind::$search,
        }),+]
    };
}

/// All of them, in the order of [`Bug::ALL`].
pub const PLANTED_BUGS: &[PlantedBug] = table! {
    FileNotSynced: "H10", "the sync of a file before it takes its name", [S1, S2], "h10-power-cut-after-exit-0", CrashMatrix;
    DirectoryNotSynced: "H10", "the sync of the directory after the rename", [S1], "h10-power-cut-after-exit-0", CrashMatrix;
    TemporaryShared: "H9", "unique temporary names, made exclusively", [S2], "h9-left-temporary", Baseline;
    OldRemovedFirst: "H6", "the replacing rename: old or new, never none", [S2, S3, S4], "h6-killed-at-any-instant", Baseline;
    StateKeysLost: "H11", "the keys of others in the state file", [expect], "h11-unreadable-state-is-kept", Baseline;
    FailedReadIsDamage: "H11", "a passing read error as a failure, not as damage", [expect], "h11-unreadable-state-is-kept", Baseline;
    StateBeatsIntent: "H8", "the intent over the state that the gateway recorded", [S3, S7, L1], "h8-intent-over-the-last-word", Baseline;
    DrainingStaysDown: "H38", "draining and degraded as states of a running gateway", [S3, S7, L1], "h38-drained-when-the-power-went", Baseline;
    StartingRuns: "R10", "no crash loop across restarts after a failed start", [S3, S7, L1], "r10-startup-failed-stays-down", Baseline;
    UnknownIntentRuns: "H33", "only `running` starts a gateway", [S3, S7, L1], "h33-unknown-words", Baseline;
    IntentAfterRequest: "H6", "the intent is written before the request", [expect], "h5-down-command-fails", Baseline;
    ProfileLockNotTaken: "H7", "commands on one profile come one after the other", [S14, S7, L1], "h7-stop-between-word-and-act", Baseline;
    LockNotRechecked: "H7", "a locked file still has its name", [S14], "h7-lock-of-a-swept-name", Baseline;
    MarkerForAnybody: "H4", "only the named process takes the marker", [S3], "h4-marker-of-another", Baseline;
    MarkerByPidAlone: "H14", "start time and boot in the marker", [S3], "h14-marker-of-the-same-number", Baseline;
    MarkerInCallersHome: "H3", "the marker lies in the target's home", [L3], "h3-stop-all-from-another-profile", Baseline;
    MarkerNotWithdrawn: "H5", "a marker is taken back when the stop fails", [L3, expect], "h5-down-command-fails", Baseline;
    MarkerOutlivesTheStop: "H5", "a start takes back the marker of a stop that was killed", [S3], "host-systemd-leaving", Bounded;
    BootIgnored: "R8", "the boot in a process' identity", [S8, L3], "r8-same-number-and-time", Baseline;
    StartTimeIgnored: "H41", "the start time in a process' identity", [S8], "h41-stranger-of-this-boot", Baseline;
    SlotShownUnfilled: "H27", "a slot is built whole before it is shown", [S6], "h27-rescan-meets-a-stage", CrashMatrix;
    StageWithoutDot: "H27", "stages are hidden from s6-svscan", [S6], "h20-two-of-nothing", Baseline;
    StopWithoutDown: "H18", "`down` says the same as the intent after a stop", [S7], "verb-stop", Baseline;
    StartLeavesDown: "H18", "`down` says the same as the intent after a start", [S7, L1], "h18-supervisor-killed", Baseline;
    DirectoryDeletedFirst: "H20", "`-an` and free locks before a slot is deleted", [L3], "h20-two-of-nothing", Baseline;
    PermanentFailureRetried: "H42", "exit code 78 ends in 125: no further try", [L5], "h42-permanent-cause", Baseline;
    NeverKilled: "H16", "`timeout-kill` ends what ignores SIGTERM", [L4], "h16-gateway-frozen", Baseline;
    RestartLeavesDown: "H12", "`restart` starts a gateway that is down", [L1, expect], "h12-restart-of-a-stopped-one", Baseline;
    NothingAwaited: "H16", "a command ends when the state it asked for is reached", [L4], "h16-gateway-ignores-term", Baseline;
    HalfFailureIsSuccess: "H47", "a failure of one is a failure of `--all`", [S1, L4], "h47-all-half-fails", Baseline;
    OrphanLeft: "H19", "a stop ends the gateway outside its slot, too", [S5, L4], "h19-stop-loses-its-supervisor", Baseline;
    PidfileReadOnce: "H19", "a lock holder that is recorded nowhere is awaited", [expect], "stop-meets-an-orphan-at-its-end", Baseline;
    LockFileUnlinked: "H40", "readers only read", [S11], "h48-gateway-beside-its-slot", Baseline;
    RescanFailureSwallowed: "R6", "a refused rescan fails `profile create`", [L1, L2], "r6-rescan-refused", Baseline;
    NotRolledBack: "R6", "a slot that cannot be made live is taken back out", [L2, expect], "r6-rescan-refused", Baseline;
    ProfilesNotSynced: "H23", "a rename in the directory of profiles is durable", [S1, L6], "verb-create", CrashMatrix;
    DeletedUnderLiveGateway: "H21", "the gateway ends before its directory is hidden", [L3], "h21-delete-while-draining", Baseline;
    DeleteLeavesSlot: "H22", "the slot goes with its profile", [L2], "h21-delete-while-draining", Baseline;
    DeletedInPlace: "H22", "one rename decides that a profile is deleted", [S1, L6], "h22-killed-in-delete", Baseline;
    DeleteAgainNotSynced: "H22", "a repeated delete syncs what the first one hid", [S1], "h22-delete-repeated", Recovery;
    RenamedStaysDown: "H24", "the operator's intent follows a rename", [S7, L1], "verb-rename", Baseline;
    WarningAborts: "H32", "each profile stands alone at boot", [S9, S13, L2], "h32-one-odd-profile", Baseline;
    SecondDefault: "H34", "the same rule for names at boot and in commands", [S13, L2], "h34-second-default", Baseline;
    StalePidFilesKept: "R8", "files of a boot that is over are swept", [L3], "r8-pids-of-another-boot", Baseline;
    UnfinishedNotSwept: "H23", "the boot undoes what was half made or half deleted", [L6], "h23-killed-in-create", CrashMatrix;
    OwnerlessNotSwept: "H36", "the boot removes stages and slots that belong to no profile", [L2, L3], "h24-directory-renamed-live", Baseline;
    LogNotEscaped: "H32", "one line a profile, whatever its values are", [S13], "h32-odd-name-in-the-log", Baseline;
    TornLineContinued: "H37", "a line that a crash tore is closed", [S13], "h37-torn-boot-log", Baseline;
    RoleLockNotTaken: "H35", "one container supervises a home", [S5, L2], "h35-second-container", Baseline;
    SecondContainerGoesOn: "H35", "a second container waits for the first one's end", [S5, L2], "h35-second-container", Baseline;
    RootKept: "H25", "nothing that hermes can change runs as root", [S10], "verb-boot", Baseline;
    IdentityFromTheDisk: "H63", "root becomes whom root wrote at boot", [S10], "h63-root-while-the-container-boots", Bounded;
    RecordOfAnybody: "H63", "the boot's record counts if it is root's alone", [expect], "h63-record-of-somebody-else", Baseline;
    HardLinkGivenAway: "H25", "root's files are not given away by a second name", [S10], "h25-second-name", Baseline;
    WalkKeepsEveryLevelOpen: "H66", "the walk over the home goes back by `..`", [S18], "h66-deep-profile-is-deleted", Baseline;
    RemovalOpensEveryLevel: "H66", "what lies deep is moved up before it is removed", [S18], "h66-deep-profile-is-deleted", Baseline;
    EmptyVariableCounts: "H88", "a variable that is set and empty is absent", [L1, expect], "h88-empty-path-is-the-usual-path", Baseline;
    AnyWordIsOn: "H98", "only 1, true and yes keep root", [expect, S10], "h98-only-three-words-keep-root", Baseline;
    UmaskKept: "H52", "what root prepares can be read by hermes", [L1, L2, expect], "h52-umask-of-the-init", Baseline;
    PendingScanForgotten: "H49", "supervisors that a pending scan kept s6-svscan from telling are told", [expect], "h49-stop-while-a-scan-is-pending", Baseline;
    OrphansLoggerForgotten: "H50", "a logger whose pipe an orphan holds is told to end", [expect], "h50-orphan-of-a-service-holds-its-log", Baseline;
    NoexecNotTried: "H29", "a `/run` that executes nothing is named", [expect], "h29-run-executes-nothing", Baseline;
    GatewayLockNotTaken: "H19", "one live gateway a profile", [S5], "h19-two-commands", Bounded;
    SecondSignalDecides: "H2", "the first signal says how a gateway ends", [expect], "h2-second-term-while-draining", Baseline;
    UnplannedTermStops: "R1", "a SIGTERM without a marker is no stop", [S3], "r1-container-restart", Baseline;
    TallyForgotten: "H42", "the count of failures survives every restart", [L5, expect], "h42-fails-for-ever", Baseline;
    EnabledAfterIntent: "H6", "a host's supervisor knows of a start before the intent is durable", [L1, S7], "host-systemd-start", CrashMatrix;
    IntentNotCheckedAtStart: "H6", "a gateway that a host's supervisor starts reads the intent first", [L1, S3], "host-systemd-start-again", CrashMatrix;
    UnitLosesItsOwner: "H62", "a unit of the machine's keeps its owner", [S10], "h62-home-becomes-a-link", Baseline;
    StopLeavesEnabled: "H6", "a host's supervisor does not start a stopped gateway at boot", [S7, L7], "host-systemd-stop", Baseline;
    UnitTriesAgain: "H42", "exit code 78 prevents a restart by systemd", [L5, expect], "host-systemd-78", Baseline;
    AgentTriesAgain: "H42", "a permanent failure is a success to launchd", [L5, expect], "host-launchd-78", Baseline;
    TaskTriesAgain: "H42", "a permanent failure disables its own task", [L5, expect], "host-windows-78", Baseline;
    SuccessIsFinal: "H42", "a command that ends well is a failure to launchd", [expect], "host-launchd-ends", Baseline;
    OldReportCounts: "H12", "a failure from before the operator's command is not the answer to it", [expect], "host-launchd-78", Baseline;
    StopLeavesLoaded: "H16", "a stop unloads the agent", [expect], "host-launchd-verbs", Baseline;
    LeavingAgentNotAwaited: "H12", "launchd takes back an agent once it is unloaded", [expect], "host-launchd-leaving", Baseline;
    LeavingTaskNotAwaited: "H12", "a task that drains is run once it has ended", [expect], "host-windows-leaving", Baseline;
    RunBeforeTheEnd: "H12", "a restarted task is run once it has ended", [expect], "host-windows-verbs", Baseline;
};

#[cfg(test)]
mod tests {
    use super::*;
    use hermes::probe;

    #[test]
    fn every_bug_has_one_row_in_order() {
        let rows: Vec<Bug> = PLANTED_BUGS.iter().map(|row| row.bug).collect();
        assert_eq!(rows, Bug::ALL);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "looks for the scenarios that the table names")]
    fn every_row_names_failures_and_a_scenario_that_exists() {
        for row in PLANTED_BUGS {
            assert!(!row.violates.is_empty(), "{row:?}");
            let fixtures =
                std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures"));
            let file = format!("{}.json", row.scenario);
            let is_in = |folder: &str| fixtures.join(folder).join(&file).is_file();
            assert!(is_in("scenarios") || is_in("regressions"), "{row:?}");
        }
    }

    #[test]
    fn a_bug_is_planted_until_another_is() {
        assert!(PLANTED_BUGS.iter().all(|row| !probe::is_planted(row.bug)));
        probe::plant(Some(Bug::FileNotSynced));
        assert!(probe::is_planted(Bug::FileNotSynced) && !probe::is_planted(Bug::RootKept));
        probe::plant(None);
        assert!(!probe::is_planted(Bug::FileNotSynced));
    }

    #[test]
    fn marks_are_kept_until_they_are_cleared() {
        probe::clear_marks();
        probe::reach_mark("H18");
        assert_eq!(probe::reached_marks().into_iter().collect::<Vec<_>>(), ["H18"]);
        probe::clear_marks();
        assert!(probe::reached_marks().is_empty());
    }
}
