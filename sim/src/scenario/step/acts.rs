//! The steps with little to say: s6's tools, files, the disk, the clocks, and what is expected.

use super::*;

step! {
    /// `s6-svc` on a slot, as the user who owns the tree.
    Svc {
        /// Its options, as in `-d`.
        #[serde(rename = "s6-svc")]
        options: String,
        /// Whose slot.
        profile: Name,
        /// In which container.
        #[serde(default, rename = "in", skip_serializing_if = "is_default")]
        container: Container,
    }
}

step! {
    /// `s6-svscanctl` on the scan directory, as the user who owns the tree.
    Svscanctl {
        /// Its options, as in `-an`.
        #[serde(rename = "s6-svscanctl")]
        options: String,
        /// In which container.
        #[serde(default, rename = "in", skip_serializing_if = "is_default")]
        container: Container,
    }
}

step! {
    /// The host's own tool, as the user whose gateway it is.
    HostStop {
        /// Whose gateway it ends and keeps down.
        #[serde(rename = "host-stop")]
        profile: Name,
        /// On which host.
        #[serde(default, rename = "in", skip_serializing_if = "is_default")]
        container: Container,
    }
}

step! {
    /// A file is made or replaced, with the directories above it.
    Write {
        /// Where: absolute, or below the home.
        write: String,
        /// What.
        file: Node,
    }
}

step! {
    /// A file goes, or a directory with all below it.
    Remove {
        /// Which.
        remove: String,
    }
}

step! {
    /// A file or directory gets another name.
    Move {
        /// The name it has.
        #[serde(rename = "move")]
        from: String,
        /// The name it gets.
        to: String,
    }
}

step! {
    /// A file or directory is copied, with its owners and modes.
    Copy {
        /// Which.
        copy: String,
        /// Under which name.
        to: String,
    }
}

step! {
    /// Permission bits change.
    Chmod {
        /// Of what.
        chmod: String,
        /// To which.
        mode: Mode,
    }
}

step! {
    /// A file changes hands.
    Chown {
        /// Which.
        chown: String,
        /// Whose it is now.
        owner: User,
    }
}

step! {
    /// The volume changes its mood.
    Disk {
        /// To which.
        disk: Mood,
    }
}

/// How the volume answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mood {
    /// As it should.
    #[default]
    Well,
    /// `ENOSPC` for whatever needs room.
    Full,
    /// `EROFS` for whatever changes it.
    ReadOnly,
}

step! {
    /// The wall clock is put forward or back; the monotonic one goes on as before.
    Clock {
        /// By how much.
        clock: Shift,
    }
}

step! {
    /// The machine sleeps so long by the wall clock.
    Suspend {
        /// How long.
        suspend: Span,
    }
}

step! {
    /// So much time passes, whatever moves in it.
    Pass {
        /// How much.
        pass: Span,
    }
}

step! {
    /// Time passes fairly until nothing moves; it is an error if something still does in the end.
    Settle {
        /// At most so long.
        settle: Span,
    }
}

step! {
    /// What is so now, or becomes so in time.
    ExpectStep {
        /// What.
        expect: Box<Expect>,
    }
}
