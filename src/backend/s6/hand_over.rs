//! The hand-over in root's tree: only root can let hermes speak to supervisors there.
//!
//! Root keeps what it follows by name: hermes may look and send, and make event FIFOs. Each directory that such things
//! lie in is opened without following a link and must be root's, and what lies in it is given through that handle; so
//! nothing that hermes could have planted is followed. A directory comes after its contents: a process that can read it
//! can send.

use std::path::Path;
use std::time::Duration;

use crate::error::{Errno, HostError};
use crate::host::Host;
use crate::host::effect::OpenMode;
use crate::host::fs::{self, File};
use crate::record::file;
use crate::record::users::Ids;

/// A supervisor that has just started makes its files within milliseconds.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Root's supervisors follow what lies in `supervise/`: hermes gets the group, and never the directory.
const ROOT: u32 = 0;

/// Hands a slot and its logger over. Says whether both could be, within a few seconds.
pub async fn slot(host: &impl Host, slot: &Path, log: &Path, gid: u32) -> Result<bool, HostError> {
    let handed = file::poll(host, TIMEOUT, async || {
        let both = match service(host, slot, gid).await {
            Ok(()) => service(host, log, gid).await,
            Err(error) => Err(error),
        };
        // Whatever is not there yet may come.
        Ok::<_, HostError>(both.ok())
    });
    Ok(handed.await?.is_some())
}

async fn service(host: &impl Host, dir: &Path, gid: u32) -> Result<(), HostError> {
    let supervise =
        open_own(host, fs::open_no_link(host, &dir.join("supervise"), DIR).await?).await?;
    let given = service_files(host, dir, &supervise, gid).await;
    fs::close(host, supervise).await?;
    given
}

const DIR: OpenMode = OpenMode::Directory;

async fn service_files(
    host: &impl Host,
    dir: &Path,
    supervise: &File,
    gid: u32,
) -> Result<(), HostError> {
    control(host, supervise, gid).await?;
    let event = open_own(host, fs::open_no_link(host, &dir.join("event"), DIR).await?).await?;
    let given = give_dir(host, &event, gid, 0o3730).await;
    fs::close(host, event).await?;
    given?;
    give_dir(host, supervise, gid, 0o710).await
}

/// The scan directory and its s6-svscan, last of all the directory: until then no other user can change a name in it.
pub async fn scan_dir(host: &impl Host, scan_dir: &Path, user: Ids) -> Result<(), HostError> {
    let dir = fs::open_no_link(host, scan_dir, DIR).await?;
    let given = async {
        let own = fs::open_no_link(host, dir.entry(".s6-svscan"), DIR).await?;
        let own = open_own(host, own).await?;
        let given = async {
            control(host, &own, user.gid).await?;
            give_dir(host, &own, user.gid, 0o710).await
        };
        let given = given.await;
        fs::close(host, own).await?;
        given?;
        fs::set_owner(host, dir.entry("."), user.uid, user.gid).await
    };
    let given = given.await;
    fs::close(host, dir).await?;
    given
}

/// The directory if it is root's.
async fn open_own(host: &impl Host, dir: File) -> Result<File, HostError> {
    let refused = match fs::handle_meta(host, &dir).await {
        Ok(meta) if meta.uid == ROOT => return Ok(dir),
        Ok(_) => HostError::new("hand over", &dir.path, Errno::PERM),
        Err(error) => error,
    };
    fs::close(host, dir).await?;
    Err(refused)
}

async fn give_dir(host: &impl Host, dir: &File, gid: u32, mode: u32) -> Result<(), HostError> {
    fs::set_owner(host, dir.entry("."), ROOT, gid).await?;
    fs::set_mode(host, dir, mode).await
}

/// The FIFO on which a program of s6's listens: opening it for writing fails as long as it does not.
async fn control(host: &impl Host, dir: &File, gid: u32) -> Result<(), HostError> {
    let control = fs::open_no_link(host, dir.entry("control"), OpenMode::Write).await?;
    let given = async {
        fs::set_owner(host, dir.entry("control"), ROOT, gid).await?;
        fs::set_mode(host, &control, 0o620).await
    };
    let given = given.await;
    fs::close(host, control).await?;
    given
}

#[cfg(all(test, unix))]
mod tests {
    use std::cell::RefCell;

    use rstest::rstest;

    use super::*;
    use crate::host::answering::Answering;
    use crate::host::effect::{Answer, Effect, FileKind, Handle, LinkPolicy, Meta};
    use crate::host::os::run_ready;

    /// What was changed on a machine whose directories belong to this user, and what came of it.
    fn given(owner: u32) -> (Vec<String>, Result<(), Errno>) {
        let changed = RefCell::new(Vec::new());
        let opened = RefCell::new(Vec::new());
        let host = Answering::new(|effect| {
            Some(Ok(match effect {
                Effect::Open { place, links, .. } => {
                    assert_eq!(*links, LinkPolicy::Refuse, "{place:?}");
                    let mut opened = opened.borrow_mut();
                    opened.push(place.path.display().to_string());
                    Answer::Handle(Handle(u32::try_from(opened.len()).expect("few")))
                }
                Effect::HandleMeta { .. } => Answer::Meta(Meta {
                    kind: FileKind::Directory,
                    mode: 0o700,
                    uid: owner,
                    gid: 0,
                    size: 0,
                    identity: (1, 2),
                    links: 1,
                }),
                Effect::SetOwner { place, uid, gid } => {
                    let dir = place.dir.expect("through a handle").0 as usize;
                    let below = &opened.borrow()[dir - 1];
                    changed
                        .borrow_mut()
                        .push(format!("{below}/{} {uid}:{gid}", place.path.display()));
                    Answer::Done
                }
                Effect::SetMode { handle, mode } => {
                    let name = &opened.borrow()[handle.0 as usize - 1];
                    changed.borrow_mut().push(format!("{name} {mode:04o}"));
                    Answer::Done
                }
                _ => Answer::Done,
            }))
        });
        let result = run_ready(service(&host, Path::new("s"), 8)).map_err(|error| error.errno);
        drop(host);
        (changed.into_inner(), result)
    }

    #[test]
    fn what_a_directory_holds_is_given_before_it() {
        let expected = [
            "s/supervise/control 0:8",
            "control 0620",
            "s/event/. 0:8",
            "s/event 3730",
            "s/supervise/. 0:8",
            "s/supervise 0710",
        ];
        assert_eq!(given(0), (expected.map(str::to_owned).to_vec(), Ok(())));
    }

    #[rstest]
    #[case::hermes_planted_it(10_000)]
    fn a_directory_that_is_not_roots_is_left_alone(#[case] owner: u32) {
        assert_eq!(given(owner), (Vec::new(), Err(Errno::PERM)));
    }
}
