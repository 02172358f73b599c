//! The planted bugs: one for each protection. What each should break, and how it is found, is in `sim/src/check/planted.rs`.

macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $bug:ident,)+) => {
        /// A protection that can be taken out.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Bug {
            $($(#[doc = $doc])+ $bug,)+
        }

        impl Bug {
            /// All of them, in the order of the floors.
            pub const ALL: &'static [Self] = &[$(Self::$bug),+];
        }
    };
}

bugs! {
    // Files.
    /// A replaced file's contents are not synced before it takes its name (H10).
    FileNotSynced,
    /// The directory of a replaced file is not synced (H10).
    DirectoryNotSynced,
    /// All temporary files of a record have the same name and are not made exclusively (H9).
    TemporaryShared,
    /// The old file is removed before the new one takes its name (H6).
    OldRemovedFirst,
    /// A rewritten state file loses the keys of others (H11).
    StateKeysLost,
    /// A record that could not be read just now counts as damaged (H11, H45).
    FailedReadIsDamage,

    // The intent.
    /// The gateway's final state decides at boot, not the intent (H8).
    StateBeatsIntent,
    /// `draining` and `degraded` do not count as running at boot (H38).
    DrainingStaysDown,
    /// `starting` and `startup_failed` count as running at boot (R10).
    StartingRuns,
    /// An unknown value of the intent counts as running (H33).
    UnknownIntentRuns,
    /// The supervisor is told before the intent is stored (H6).
    IntentAfterRequest,

    // The profile's lock.
    /// The profile's lock is opened and not taken (H7).
    ProfileLockNotTaken,
    /// A taken lock is not checked again: its file may have been removed meanwhile (H7).
    LockNotRechecked,

    // Marker and identity.
    /// Any process that gets a signal takes the marker for its own (H4).
    MarkerForAnybody,
    /// A marker names a process by its number alone (H14).
    MarkerByPidAlone,
    /// The marker is written into the home of `default`, whatever profile shall stop (H3).
    MarkerInCallersHome,
    /// A marker that was not consumed stays (H5).
    MarkerNotWithdrawn,
    /// A `start` leaves the marker of a stop that was killed before it was carried out (H5).
    MarkerOutlivesTheStop,
    /// A process of another boot or namespace counts as this boot's (R8, H14).
    BootIgnored,
    /// A process is known by its number alone, whenever it started (H41).
    StartTimeIgnored,

    // Slots.
    /// A slot is shown before its files are in it (H27).
    SlotShownUnfilled,
    /// A slot under construction has no leading dot (H27).
    StageWithoutDot,
    /// `stop` does not set the slot's `down` file (H18).
    StopWithoutDown,
    /// `start` leaves the slot's `down` file (H18).
    StartLeavesDown,
    /// A slot's directory is deleted before s6-svscan has forgotten it (H20).
    DirectoryDeletedFirst,
    /// `finish` does not turn exit code 78 into 125 (H12, H42).
    PermanentFailureRetried,
    /// The slot sets no `timeout-kill` (H16).
    NeverKilled,

    // Commands.
    /// `restart` of a gateway that is down does not tell the supervisor (H12).
    RestartLeavesDown,
    /// A command never waits for its outcome (H16).
    NothingAwaited,
    /// `--all` exits with 0 when half of it failed (H47).
    HalfFailureIsSuccess,
    /// `stop` leaves a gateway that lives outside its slot (H19).
    OrphanLeft,
    /// The gateway outside its slot is looked up only once, and may just be ending (H19).
    PidfileReadOnce,
    /// The check whether the gateway lives removes its lock file (H40).
    LockFileUnlinked,

    // Profiles.
    /// A failed rescan is no failure of `profile create` (R6).
    RescanFailureSwallowed,
    /// A slot that could not be made live is not taken out again (R6).
    NotRolledBack,
    /// The directory of profiles is not synced after a rename in it (H23).
    ProfilesNotSynced,
    /// `profile delete` hides the directory while its gateway lives (H21).
    DeletedUnderLiveGateway,
    /// `profile delete` leaves the slot (H22).
    DeleteLeavesSlot,
    /// `profile delete` removes the directory in place, file by file (H22).
    DeletedInPlace,
    /// A repeated `profile delete` does not sync what the first one hid (H22).
    DeleteAgainNotSynced,
    /// A renamed profile's slot is down, whatever the intent (H24).
    RenamedStaysDown,

    // Boot.
    /// The pass ends at the first profile with a warning (H32, R9).
    WarningAborts,
    /// A directory `profiles/default` gets the slot of the root home (H34).
    SecondDefault,
    /// `gateway.pid` and the like of a boot before are not swept (R8).
    StalePidFilesKept,
    /// Profiles half made or half deleted are not swept (H22, H23).
    UnfinishedNotSwept,
    /// Stages and slots without a profile are not swept (H36).
    OwnerlessNotSwept,
    /// Values in the boot log are not escaped (H32).
    LogNotEscaped,
    /// A torn last line of the boot log is continued (H37).
    TornLineContinued,
    /// The lock on the home is opened and not taken (H35).
    RoleLockNotTaken,
    /// A container that finds the home taken goes on anyway (H35).
    SecondContainerGoesOn,
    /// `boot tree` stays root (H25).
    RootKept,
    /// A command typed as root becomes the owner of the scan directory as it lies there just now (H63).
    IdentityFromTheDisk,
    /// The boot's record of the user hermes counts even if root did not write it (H63).
    RecordOfAnybody,
    /// The repair of owners gives away files with other names (H25).
    HardLinkGivenAway,
    /// The walk over the home keeps every directory open that it enters (H66).
    WalkKeepsEveryLevelOpen,
    /// A removal opens every directory below each other, however deep (H66).
    RemovalOpensEveryLevel,
    /// A variable that is set and empty counts as set (H88).
    EmptyVariableCounts,
    /// Any word in a switch's variable turns it on (H98).
    AnyWordIsOn,
    /// PID 1 keeps the umask that it was started with (H52).
    UmaskKept,
    /// The stop of a container tells no supervisor that s6-svscan told nothing, a scan being pending (H49).
    PendingScanForgotten,
    /// The stop of a container tells no logger whose pipe an orphan holds (H50).
    OrphansLoggerForgotten,
    /// PID 1 does not test whether a script can be executed below `/run` (H29).
    NoexecNotTried,

    // The gateway.
    /// The gateway's lock is opened and not taken (H19).
    GatewayLockNotTaken,
    /// A second signal decides anew how the gateway ends (H2).
    SecondSignalDecides,
    /// An unplanned SIGTERM counts as a planned stop (R1).
    UnplannedTermStops,
    /// The count of failures is lost at every start (H42).
    TallyForgotten,

    // Hosts.
    /// A host's supervisor is told of a start only after the intent is durable (H6).
    EnabledAfterIntent,
    /// A gateway that a host's supervisor starts does not check the intent first (H6).
    IntentNotCheckedAtStart,
    /// The machine's unit runs as the owner of what the home's name means just now; for root it says nothing (H62).
    UnitLosesItsOwner,
    /// `stop` leaves the service enabled (H6).
    StopLeavesEnabled,
    /// systemd restarts a gateway that exits with 78 (H42).
    UnitTriesAgain,
    /// A permanent failure is a failure for launchd, too (H42).
    AgentTriesAgain,
    /// A permanent failure leaves its task enabled (H42).
    TaskTriesAgain,
    /// A command that exits 0 is a success for launchd (H42).
    SuccessIsFinal,
    /// launchd: a failure recorded before the operator's last request counts as its outcome (H12).
    OldReportCounts,
    /// launchd: `stop` disables the agent and does not unload it (H16).
    StopLeavesLoaded,
    /// launchd: a start does not wait until the ending agent is unloaded (H12).
    LeavingAgentNotAwaited,
    /// Windows: a start takes a draining gateway for a running one (H12).
    LeavingTaskNotAwaited,
    /// Windows: `restart` runs the task before the old run has ended (H12).
    RunBeforeTheEnd,
}
