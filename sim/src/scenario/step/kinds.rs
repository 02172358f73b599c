//! The steps with few keys: s6's tools, files, the disk, the clocks, and expectations.

use super::*;

step! {
    /// `s6-svc` on a slot, as the user who owns the tree.
    SvcStep {
        /// Its options, as in `-d`.
        #[serde(rename = "s6-svc")]
        options: String,
        /// Whose slot.
        profile: ProfileName,
        /// In which container.
        #[serde(default, rename = "in", skip_serializing_if = "is_default")]
        container: ContainerName,
    }
}

step! {
    /// `s6-svscanctl` on the scan directory, as the user who owns the tree.
    SvscanctlStep {
        /// Its options, as in `-an`.
        #[serde(rename = "s6-svscanctl")]
        options: String,
        /// In which container.
        #[serde(default, rename = "in", skip_serializing_if = "is_default")]
        container: ContainerName,
    }
}

step! {
    /// The host's own tool, as the user who owns the gateway.
    HostStopStep {
        /// Whose gateway it ends and keeps down.
        #[serde(rename = "host-stop")]
        profile: ProfileName,
        /// On which host.
        #[serde(default, rename = "in", skip_serializing_if = "is_default")]
        container: ContainerName,
    }
}

step! {
    /// A file is made or replaced, with the directories above it.
    WriteStep {
        /// Where: absolute, or below the home.
        write: String,
        /// What.
        file: FileSpec,
    }
}

step! {
    /// A file goes, or a directory with all below it.
    RemoveStep {
        /// Which.
        remove: String,
    }
}

step! {
    /// A file or directory gets another name.
    MoveStep {
        /// The name it has.
        #[serde(rename = "move")]
        from: String,
        /// The name it gets.
        to: String,
    }
}

step! {
    /// A file or directory is copied, with its owners and modes.
    CopyStep {
        /// Which.
        copy: String,
        /// Under which name.
        to: String,
    }
}

step! {
    /// Permission bits change.
    ChmodStep {
        /// Of what.
        chmod: String,
        /// To which.
        mode: Mode,
    }
}

step! {
    /// A file gets another owner.
    ChownStep {
        /// Which.
        chown: String,
        /// Its new owner.
        owner: User,
    }
}

step! {
    /// The condition of the volume changes.
    DiskStep {
        /// To which.
        disk: DiskCondition,
    }
}

/// How the volume answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskCondition {
    /// As it should.
    #[default]
    Healthy,
    /// `ENOSPC` for every effect that needs room.
    Full,
    /// `EROFS` for every effect that changes the volume.
    ReadOnly,
}

step! {
    /// The wall clock is set forward or back; the monotonic clock goes on as before.
    ClockStep {
        /// By how much.
        clock: ClockShift,
    }
}

step! {
    /// The machine sleeps for this time by the wall clock.
    SuspendStep {
        /// How long.
        suspend: Span,
    }
}

step! {
    /// A given time passes, whatever moves in it.
    PassStep {
        /// How much.
        pass: Span,
    }
}

step! {
    /// Time passes fairly until nothing moves; it is an error if something still moves at the end.
    SettleStep {
        /// For how long at most.
        settle: Span,
    }
}

step! {
    /// A condition is true now, or becomes true in time.
    ExpectStep {
        /// What.
        expect: Box<Expect>,
    }
}
