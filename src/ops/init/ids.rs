//! Who hermes is in this container: the numbers asked for, else those of `/etc/passwd`.
//!
//! Where they differ, `/etc/passwd` and `/etc/group` are replaced; where those cannot be, the numbers hold all the same.

use std::path::Path;

use super::InitError;
use super::settings::Settings;
use crate::error::HostError;
use crate::host::Host;
use crate::ops::identity::HERMES;
use crate::record::file;
use crate::record::users::{self, Ids};

/// What it is where `/etc/passwd` does not know it.
const UNNAMED: Ids = Ids { uid: 10_000, gid: 10_000 };

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
const FILE_BYTES_MAX: usize = 1 << 20;

/// Whom to become: the numbers asked for, else those of `/etc/passwd`.
pub async fn hermes_ids(host: &impl Host, settings: &Settings) -> Result<Ids, HostError> {
    let passwd = file::read(host, Path::new(PASSWD), FILE_BYTES_MAX).await;
    let named = passwd.ok().and_then(|passwd| users::find_user(&passwd, HERMES)).unwrap_or(UNNAMED);
    Ok(Ids { uid: settings.uid.unwrap_or(named.uid), gid: settings.gid.unwrap_or(named.gid) })
}

/// Makes the user have the numbers asked for.
pub(super) async fn settle(
    host: &impl Host,
    settings: &Settings,
    notes: &mut Vec<String>,
) -> Result<Ids, InitError> {
    let ids = hermes_ids(host, settings).await?;
    let home = settings.layout.root().to_string_lossy().into_owned();
    let passwd =
        rewrite(host, PASSWD, |passwd| {
            notes.extend(users::other_user_with(passwd, ids.uid, HERMES).map(|name| {
                format!("user {HERMES} shares the number {} with user {name}", ids.uid)
            }));
            users::with_user(passwd, HERMES, ids, &home)
        })
        .await;
    let group = rewrite(host, GROUP, |group| users::with_group(group, HERMES, ids.gid)).await;
    match (passwd, group) {
        (Ok(false), Ok(false)) => {}
        (Ok(_), Ok(_)) => notes.push(format!("user {HERMES} is {}:{}", ids.uid, ids.gid)),
        (Err(error), _) | (_, Err(error)) => {
            notes.push(format!("{error}; processes run as {}:{} all the same", ids.uid, ids.gid))
        }
    }
    Ok(ids)
}

/// Replaces a file if `edit` changes it; says whether it did.
async fn rewrite(
    host: &impl Host,
    path: &str,
    edit: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Result<bool, HostError> {
    let path = Path::new(path);
    let before = file::read(host, path, FILE_BYTES_MAX).await?;
    let after = edit(&before);
    if after == before {
        return Ok(false);
    }
    file::replace(host, path, &after, 0o644).await.map(|()| true)
}

/// Without root no user can be remapped; a note says so if it was asked for.
pub(super) fn record_unused_ids(
    settings: &Settings,
    uid: u32,
    notes: &mut Vec<String>,
) -> Option<Ids> {
    if settings.uid.is_some_and(|asked| asked != uid) {
        notes.push(format!(
            "HERMES_UID and PUID mean nothing in a container started as user {uid}, which stays user {uid}"
        ));
    }
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;
    use crate::error::Errno;
    use crate::host::answering::Answering;
    use crate::host::effect::{Answer, Effect, FileKind, Handle, Meta, OpenMode};
    use crate::host::os::run_ready;

    fn asking_for(ids: &[(&str, &str)]) -> Settings {
        let env: BTreeMap<_, _> =
            ids.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        Settings::read(&env).expect("legal")
    }

    const FILE: Meta = Meta {
        kind: FileKind::File,
        mode: 0o644,
        uid: 0,
        gid: 0,
        size: 0,
        identity: (1, 2),
        links: 1,
    };

    /// Settles on a machine whose two files know hermes as 10000, and which refuses new files for this reason; what was
    /// written, the notes, and the numbers.
    fn settled(ids: &[(&str, &str)], refused: Option<Errno>) -> (String, Vec<String>, Ids) {
        let written = RefCell::new(String::new());
        let unread = RefCell::new("");
        let host = Answering::new(|effect| {
            Some(Ok(match effect {
                Effect::Open { how: OpenMode::Create { .. }, .. } if refused.is_some() => {
                    return Some(Err(refused?));
                }
                Effect::Open { place, .. } => {
                    unread.replace(match place.path.to_str() {
                        Some(PASSWD) => {
                            "root:x:0:0::/root:/bin/sh\nhermes:x:10000:10000::/opt/data:\n"
                        }
                        Some(GROUP) => "hermes:x:10000:\n",
                        _ => "",
                    });
                    Answer::Handle(Handle(9))
                }
                Effect::Read { .. } => Answer::Bytes(unread.take().into()),
                Effect::Write { bytes, .. } => {
                    written.borrow_mut().push_str(&String::from_utf8_lossy(bytes));
                    Answer::Count(bytes.len())
                }
                Effect::HandleMeta { .. } | Effect::Meta { .. } => Answer::Meta(FILE),
                Effect::Random => Answer::Number(7),
                _ => Answer::Done,
            }))
        });
        let mut notes = Vec::new();
        let ids = run_ready(settle(&host, &asking_for(ids), &mut notes)).expect("readable");
        drop(host);
        (written.into_inner(), notes, ids)
    }

    #[test]
    fn who_hermes_is_already_is_neither_written_nor_said() {
        let (written, notes, ids) = settled(&[], None);
        assert_eq!((written.as_str(), notes, ids), ("", vec![], UNNAMED));
    }

    #[test]
    fn the_numbers_asked_for_are_written_and_said() {
        let (written, notes, ids) = settled(&[("PUID", "1500"), ("PGID", "1501")], None);
        assert_eq!(ids, Ids { uid: 1500, gid: 1501 });
        let expected =
            "root:x:0:0::/root:/bin/sh\nhermes:x:1500:1501::/opt/data:\nhermes:x:1501:\n";
        assert_eq!(
            (written.as_str(), notes),
            (expected, vec!["user hermes is 1500:1501".to_owned()])
        );
    }

    #[test]
    fn numbers_that_cannot_be_written_hold_all_the_same() {
        let (written, notes, ids) = settled(&[("PUID", "1500")], Some(Errno::ROFS));
        assert_eq!((written.as_str(), ids), ("", Ids { uid: 1500, gid: 10_000 }));
        let [note] = notes.as_slice() else { panic!("{notes:?}") };
        assert!(note.contains("/etc/."), "{note}");
        assert!(note.ends_with("; processes run as 1500:10000 all the same"), "{note}");
    }

    #[rstest]
    #[case::nobody_else_was_asked_for(None, 0)]
    #[case::the_same(Some("10000"), 0)]
    #[case::another(Some("1500"), 1)]
    fn a_user_that_cannot_be_remapped_is_noted(#[case] asked: Option<&str>, #[case] notes: usize) {
        let asked: Vec<_> = asked.map(|asked| ("PUID", asked)).into_iter().collect();
        let settings = asking_for(&asked);
        let mut told = Vec::new();
        assert_eq!(record_unused_ids(&settings, 10_000, &mut told), None);
        assert_eq!(told.len(), notes, "{told:?}");
        assert!(told.iter().all(|note| note.contains("PUID") && note.contains("user 10000")));
    }
}
