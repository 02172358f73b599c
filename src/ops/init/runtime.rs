//! The directories below `/run`, made anew at every boot: what a boot before left there means nothing.
//!
//! Only PID 1 may call it: then no other process is alive that these directories could belong to.

use std::path::Path;

use super::root_tree;
use super::settings::Settings;
use crate::error::{Errno, HostError, if_present};
use crate::host::Host;
use crate::host::effect::{FileKind, OpenMode};
use crate::host::fs::{self, File};
use crate::record::tree;
use crate::record::users::Ids;

/// What tells that no gateway is supervised here.
pub const GUEST_FLAG: &str = "/run/hermes/guest";

/// Hermes' own directory among root's: root's scripts only ask whether something is there.
const STATE_DIR: &str = "/run/hermes/state";

/// What tells that `boot tree` waits for the container that supervises this home.
pub const WAITING_FLAG: &str = "/run/hermes/state/waiting";

/// Detection looks for this directory beside PID 1's name.
const BASE_DIR: &str = "/run/s6/basedir";

const RUN: &str = "/run";

/// Makes them; `user` gets the scan directory, and a place for its own mark.
pub(super) async fn prepare(
    host: &impl Host,
    settings: &Settings,
    user: Option<Ids>,
) -> Result<(), HostError> {
    // The image gives these to hermes, for containers that start as hermes; here they are root's alone.
    let root = user.map(|_| Ids { uid: 0, gid: 0 });
    make_anew(host, Path::new(root_tree::ABOVE), root, root).await?;
    make_anew(host, Path::new("/run/s6"), root, root).await?;
    fs::make_dir(host, BASE_DIR, 0o755).await?;
    make_anew(host, Path::new(STATE_DIR), root, user).await?;
    // A scan directory elsewhere may lie where hermes can plant links: hermes itself makes that one, in `boot tree`.
    if settings.scan_dir.parent() == Some(Path::new(RUN)) {
        make_anew(host, &settings.scan_dir, root, user).await?;
    }
    Ok(())
}

/// An empty directory of mode 0755 at this path, whatever was there; `owner` gets it.
///
/// It is taken before it is emptied: its former owner may still be alive, and would fill it again.
async fn make_anew(
    host: &impl Host,
    dir: &Path,
    taker: Option<Ids>,
    owner: Option<Ids>,
) -> Result<(), HostError> {
    let found = if_present(fs::link_meta(host, dir).await)?;
    if found.as_ref().is_some_and(|meta| meta.kind != FileKind::Directory) {
        fs::unlink(host, dir).await?;
    }
    match fs::make_dir(host, dir, 0o755).await {
        Err(error) if error.errno != Errno::EXIST => return Err(error),
        _ => {}
    }
    let open = fs::open_no_link(host, dir, OpenMode::Directory).await?;
    let made = make_open_anew(host, &open, taker, owner).await;
    fs::close(host, open).await?;
    made
}

/// All through one handle: the name may come to mean another directory.
async fn make_open_anew(
    host: &impl Host,
    dir: &File,
    taker: Option<Ids>,
    owner: Option<Ids>,
) -> Result<(), HostError> {
    give(host, dir, taker).await?;
    fs::set_mode(host, dir, 0o755).await?;
    tree::remove_contents(host, dir).await?;
    give(host, dir, owner).await
}

async fn give(host: &impl Host, dir: &File, owner: Option<Ids>) -> Result<(), HostError> {
    match owner {
        Some(owner) => fs::set_owner(host, dir.entry("."), owner.uid, owner.gid).await,
        None => Ok(()),
    }
}

/// Notes that no gateway is supervised here, for the health check.
pub(super) async fn write_guest_flag(host: &impl Host) -> Result<(), HostError> {
    let mark = fs::open_no_link(host, GUEST_FLAG, OpenMode::Create { mode: 0o644 }).await?;
    fs::close(host, mark).await
}

#[cfg(all(test, unix))]
mod tests {
    use std::cell::RefCell;

    use rstest::rstest;

    use super::*;
    use crate::host::answering::Answering;
    use crate::host::effect::Effect;
    use crate::host::os::{OsHost, run_ready};
    use crate::record::file;

    #[test]
    fn a_directory_is_taken_before_it_is_emptied() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path();
        run_ready(file::make_dirs(&OsHost::new(), &path.join("init/evil"), 0o755))
            .expect("planted");
        let meta = run_ready(fs::link_meta(&OsHost::new(), path)).expect("it is there");
        let own = Some(Ids { uid: meta.uid, gid: meta.gid });
        let asked = RefCell::new(Vec::new());
        let host = Answering::new(|effect| {
            asked.borrow_mut().push(effect.clone());
            None
        });
        assert_eq!(run_ready(make_anew(&host, path, own, own)), Ok(()));
        let asked = asked.borrow();
        let first = |is: fn(&Effect) -> bool| asked.iter().position(is).expect("asked for");
        let taken = first(|effect| matches!(effect, Effect::SetOwner { .. }));
        let closed = first(|effect| matches!(effect, Effect::SetMode { .. }));
        let emptied = first(|effect| matches!(effect, Effect::List { .. }));
        assert!(taken < closed && closed < emptied, "{asked:?}");
        assert_eq!(run_ready(file::list_names(&OsHost::new(), path)), Ok(vec![]));
    }

    #[rstest]
    #[case::somebody_made_it_meanwhile(Errno::EXIST, Ok(()))]
    #[case::it_cannot_be_made(Errno::ROFS, Err(("make directory", Errno::ROFS)))]
    fn a_directory_that_is_there_is_taken_and_one_that_cannot_be_is_said(
        #[case] answer: Errno,
        #[case] expected: Result<(), (&'static str, Errno)>,
    ) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let host = Answering::new(|effect| {
            matches!(effect, Effect::MakeDir { .. }).then_some(Err(answer))
        });
        let made = run_ready(make_anew(&host, dir.path(), None, None));
        assert_eq!(made.map_err(|error| (error.act, error.errno)), expected);
    }
}
