//! Every planted bug: which protection it takes out, what breaks, and where it should be found.
//!
//! Data only; running them and filling the report is not done here.

use hermes::probe::Bug;

/// One planted bug, and what the search should make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planted {
    /// The switch.
    pub bug: Bug,
    /// The hazard that its protection answers.
    pub hazard: &'static str,
    /// The protection, as a fact that no longer holds.
    pub takes_out: &'static str,
    /// The promises that mean it: one of these breaks.
    pub breaks: &'static [&'static str],
    /// A scenario that should show it.
    pub scenario: &'static str,
    /// The cheapest search that should find it: calm, matrix, surprises or closed.
    pub search: &'static str,
}

/// One line a bug: hazard, protection, promises, scenario, search.
macro_rules! table {
    ($($bug:ident: $hazard:literal, $takes_out:literal, $breaks:tt, $scenario:literal, $search:literal;)+) => {
        &[$(Planted {
            bug: Bug::$bug,
            hazard: $hazard,
            takes_out: $takes_out,
            breaks: &$breaks,
            scenario: $scenario,
            search: $search,
        }),+]
    };
}

/// All of them, in the order of [`Bug::ALL`].
pub const TABLE: &[Planted] = table! {
    FileNotSynced: "H10", "the sync of a file before it takes its name", ["S1", "S2"], "h10-power-cut-after-stop", "matrix";
    DirectoryNotSynced: "H10", "the sync of the directory after the rename", ["S1"], "h10-power-cut-after-stop", "matrix";
    TemporaryShared: "H9", "unique temporary names, made exclusively", ["S2"], "h9-shared-temporary", "matrix";
    OldRemovedFirst: "H6", "the replacing rename: old or new, never none", ["S2", "S4"], "h6-stop-killed", "matrix";
    StateKeysLost: "H11", "the keys of others in the state file", ["S3"], "h11-unknown-keys", "calm";
    FailedReadIsDamage: "H11", "a passing read error as a failure, not as damage", ["S3", "S12"], "h45-stop-every-errno", "matrix";
    StateBeatsIntent: "H8", "the intent over the gateway's own last word", ["S3", "L1"], "h8-state-file-rewritten", "calm";
    DrainingStaysDown: "H38", "draining and degraded as words of a running gateway", ["S3", "L1"], "h38-drained-at-power-cut", "calm";
    StartingRuns: "R10", "no crash loop across restarts after a failed start", ["S3", "L1"], "r10-startup-failed", "calm";
    UnknownWordRuns: "H33", "only `running` starts a gateway", ["S3", "L1"], "h33-unknown-word", "calm";
    IntentAfterTheAct: "H6", "intent first, then the act", ["S7", "L1"], "h6-stop-killed", "matrix";
    ProfileLockNotTaken: "H7", "commands on one profile come one after the other", ["S14", "S7", "L1"], "h7-start-against-stop", "surprises";
    LockNotLookedAtAgain: "H7", "a locked file still has its name", ["S14"], "h7-delete-against-create", "surprises";
    MarkerForAnybody: "H4", "only the named process takes the marker", ["S3", "L3"], "h4-marker-of-another", "calm";
    MarkerByPidAlone: "H14", "start time and boot in the marker", ["S3"], "h14-same-pid-after-restart", "matrix";
    MarkerInCallersHome: "H3", "the marker lies in the target's home", ["L3"], "h3-stop-from-another-profile", "calm";
    MarkerNotWithdrawn: "H5", "a marker is taken back when the stop fails", ["L3"], "h5-down-command-fails", "matrix";
    BootIgnored: "R8", "the boot in a process' identity", ["S8", "L3"], "r8-pid-file-of-another-namespace", "calm";
    StartTimeIgnored: "H41", "the start time in a process' identity", ["S8"], "h41-pid-reused", "surprises";
    SlotShownUnfilled: "H27", "a slot is built whole before it is shown", ["S6"], "h27-create-under-rescans", "matrix";
    StageWithoutDot: "H27", "stages are hidden from s6-svscan", ["S6", "L2"], "h27-create-under-rescans", "surprises";
    StopWithoutDown: "H18", "`down` says the same as the intent after a stop", ["S7"], "h18-supervise-killed-after-stop", "calm";
    StartLeavesDown: "H18", "`down` says the same as the intent after a start", ["S7", "L1"], "h18-supervise-killed-after-start", "calm";
    DirectoryDeletedFirst: "H20", "`-an` and free locks before a slot is deleted", ["L3"], "h20-delete-then-create", "calm";
    PermanentFailureRetried: "H42", "exit code 78 ends in 125: no further try", ["L5"], "h42-configuration-wrong", "calm";
    NeverKilled: "H16", "`timeout-kill` ends what ignores SIGTERM", ["L4"], "h16-term-ignored", "calm";
    RestartLeavesDown: "H12", "`restart` starts a gateway that is down", ["L1"], "h12-restart-of-a-stopped-one", "calm";
    NothingAwaited: "H16", "a command ends when what it asked is so", ["L4"], "h16-term-ignored", "calm";
    HalfFailureIsSuccess: "H47", "a failure of one is a failure of `--all`", ["S1", "S12"], "h47-all-half-fails", "matrix";
    OrphanLeft: "H19", "a stop ends the gateway outside its slot, too", ["L4", "S5"], "h19-stop-beside-an-orphan", "surprises";
    LockFileUnlinked: "H40", "readers only read", ["S11", "S5"], "h40-status-of-a-live-gateway", "calm";
    RescanFailureSwallowed: "R6", "a refused rescan fails `profile create`", ["S1", "L2"], "r6-rescan-refused", "matrix";
    NotRolledBack: "R6", "a slot that cannot be made live is taken back out", ["L2", "L3"], "r6-rescan-refused", "matrix";
    ProfilesNotSynced: "H23", "a rename in the directory of profiles is durable", ["S1", "L6"], "h23-power-cut-after-create", "matrix";
    DeletedUnderLiveGateway: "H21", "the gateway ends before its directory is hidden", ["L6", "L3"], "h21-delete-while-draining", "calm";
    DeleteLeavesSlot: "H22", "the slot goes with its profile", ["L2", "L3"], "h22-delete", "calm";
    DeletedInPlace: "H22", "one rename decides that a profile is deleted", ["L6"], "h22-delete-killed", "matrix";
    RenamedStaysDown: "H24", "the operator's word follows a rename", ["S7", "L1"], "h24-rename-of-a-running-one", "calm";
    OddProfileAborts: "H32", "each profile stands alone at boot", ["S9", "S13", "L2"], "h32-odd-profiles", "calm";
    SecondDefault: "H34", "the same rule for names at boot and in commands", ["S13", "S9"], "h34-reserved-names", "calm";
    StalePidFilesKept: "R8", "files of a boot that is over are swept", ["L3"], "r8-pid-file-of-another-namespace", "calm";
    UnfinishedNotSwept: "H23", "the boot undoes what was half made or half deleted", ["L3", "L6"], "h23-create-killed", "matrix";
    OwnerlessNotSwept: "H36", "the boot takes away stages and slots of nobody", ["L2", "L3"], "h36-stale-slots", "calm";
    LogNotEscaped: "H32", "one line a profile, whatever the words are", ["S13"], "h32-odd-profiles", "calm";
    TornLineContinued: "H37", "a line that a crash tore is closed", ["S13"], "h37-boot-killed", "matrix";
    RoleLockNotTaken: "H35", "one container supervises a home", ["S5"], "h35-two-containers", "calm";
    SecondContainerGoesOn: "H35", "a second container waits for the first one's end", ["S5"], "h35-two-containers", "calm";
    RootKept: "H25", "nothing that hermes can change runs as root", ["S10"], "h25-boot", "calm";
    HardLinkGivenAway: "H25", "root's files are not given away by a second name", ["S10"], "h25-planted-hard-link", "calm";
    UmaskKept: "H52", "what root prepares can be read by hermes", ["L1"], "h52-umask-077", "calm";
    GatewayLockNotTaken: "H19", "one live gateway a profile", ["S5"], "h19-start-beside-an-orphan", "surprises";
    SecondSignalDecides: "H2", "the first signal says how a gateway ends", ["S3", "L7"], "h2-second-term-while-draining", "calm";
    UnplannedTermStops: "R1", "a SIGTERM without a marker is no stop", ["S3", "L1"], "r1-container-restart", "calm";
    TallyForgotten: "H42", "the count of failures survives every restart", ["L5"], "h42-fails-for-ever", "calm";
};

#[cfg(test)]
mod tests {
    use super::*;
    use hermes::probe;

    #[test]
    fn every_bug_has_one_row_in_order() {
        let rows: Vec<Bug> = TABLE.iter().map(|row| row.bug).collect();
        assert_eq!(rows, Bug::ALL);
    }

    #[test]
    fn every_row_speaks_the_words_of_the_others() {
        for row in TABLE {
            assert!(!row.breaks.is_empty(), "{row:?}");
            assert!(row.breaks.iter().all(|promise| promise.starts_with(['S', 'L'])), "{row:?}");
            assert!(["calm", "matrix", "surprises", "closed"].contains(&row.search), "{row:?}");
            let story = row.scenario.split('-').next().map(str::to_uppercase);
            assert!(story.is_some_and(|id| id.starts_with(['R', 'H'])), "{row:?}");
        }
    }

    #[test]
    fn a_bug_is_planted_until_another_is() {
        assert!(TABLE.iter().all(|row| !probe::is_planted(row.bug)));
        probe::plant(Some(Bug::FileNotSynced));
        assert!(probe::is_planted(Bug::FileNotSynced) && !probe::is_planted(Bug::RootKept));
        probe::plant(None);
        assert!(!probe::is_planted(Bug::FileNotSynced));
    }

    #[test]
    fn marks_are_kept_until_they_are_cleared() {
        probe::clear_marks();
        probe::reach("H18");
        assert_eq!(probe::marks().into_iter().collect::<Vec<_>>(), ["H18"]);
        probe::clear_marks();
        assert!(probe::marks().is_empty());
    }
}
