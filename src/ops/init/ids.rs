//! Who hermes is in this container: the numbers asked for, else those of `/etc/passwd`.
//!
//! Where they differ, `/etc/passwd` and `/etc/group` are replaced; where those cannot be, the numbers hold all the same.

use std::path::Path;

use super::InitError;
use super::settings::Settings;
use crate::error::HostError;
use crate::host::Host;
use crate::record::file;
use crate::record::users::{self, Ids};

/// The user that everything of the gateways' runs as.
pub const HERMES: &str = "hermes";

/// What it is where `/etc/passwd` does not know it.
const UNNAMED: Ids = Ids { uid: 10_000, gid: 10_000 };

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
const FILE_BYTES_MAX: usize = 1 << 20;

/// Whom to become: the numbers asked for, else those of `/etc/passwd`.
pub async fn of_user(host: &impl Host, settings: &Settings) -> Result<Ids, HostError> {
    let passwd = file::read(host, Path::new(PASSWD), FILE_BYTES_MAX).await;
    let named = passwd.ok().and_then(|passwd| users::find(&passwd, HERMES)).unwrap_or(UNNAMED);
    Ok(Ids { uid: settings.uid.unwrap_or(named.uid), gid: settings.gid.unwrap_or(named.gid) })
}

/// Makes the user have the numbers asked for.
pub(super) async fn settle(
    host: &impl Host,
    settings: &Settings,
    notes: &mut Vec<String>,
) -> Result<Ids, InitError> {
    let ids = of_user(host, settings).await?;
    let home = settings.layout.root().to_string_lossy().into_owned();
    let passwd =
        rewrite(host, PASSWD, |passwd| {
            notes.extend(users::namesake(passwd, ids.uid, HERMES).map(|name| {
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

/// Without root nobody can be remapped; whoever asked is told.
pub(super) fn note_unused(settings: &Settings, uid: u32, notes: &mut Vec<String>) -> Option<Ids> {
    if settings.uid.is_some_and(|asked| asked != uid) {
        notes.push(format!(
            "HERMES_UID and PUID mean nothing in a container started as user {uid}, which stays user {uid}"
        ));
    }
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::collections::BTreeMap;

    #[rstest]
    #[case::nobody_else_was_asked_for(None, 0)]
    #[case::the_same(Some("10000"), 0)]
    #[case::another(Some("1500"), 1)]
    fn whoever_asked_for_a_user_that_cannot_be_is_told(
        #[case] asked: Option<&str>,
        #[case] notes: usize,
    ) {
        let env: BTreeMap<_, _> =
            asked.map(|asked| ("PUID".into(), asked.into())).into_iter().collect();
        let settings = Settings::read(&env).expect("legal");
        let mut told = Vec::new();
        assert_eq!(note_unused(&settings, 10_000, &mut told), None);
        assert_eq!(told.len(), notes, "{told:?}");
        assert!(told.iter().all(|note| note.contains("PUID") && note.contains("user 10000")));
    }
}
