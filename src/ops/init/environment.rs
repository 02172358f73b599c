//! The container's environment, kept as one file a variable, as s6-overlay keeps it: value and a newline.
//!
//! `record/container.rs` and `with-contenv` read it back. The values may be secrets: hermes' group may read them,
//! others may not.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::settings::Settings;
use crate::backend::s6::Tools;
use crate::environment;
use crate::error::HostError;
use crate::host::Host;
use crate::host::effect::OpenMode;
use crate::host::fs;
use crate::record::file;
use crate::record::users::Ids;
use crate::role::Role;

/// A file name cannot be longer.
const NAME_BYTES_MAX: usize = 255;

/// The environment that the container's processes get: its own, with the paths, the home and the role settled.
pub(super) fn complete(
    env: &BTreeMap<OsString, OsString>,
    settings: &Settings,
    tools: &Tools,
    user: Option<Ids>,
    role: Role,
) -> BTreeMap<OsString, OsString> {
    let mut kept = env.clone();
    let home = settings.layout.root().as_os_str();
    kept.entry("HERMES_HOME".into()).or_insert_with(|| home.to_owned());
    if user.is_some() {
        // It is root's until here, and what follows runs as hermes.
        kept.insert("HOME".into(), home.to_owned());
    }
    let word = match role {
        Role::Supervisor => "supervisor",
        Role::Guest => "guest",
    };
    kept.insert("HERMES_ROLE".into(), word.into());
    let path = environment::search_path(&kept).to_owned();
    kept.insert("PATH".into(), with_tools(path, tools.dir_for_scripts()));
    kept
}

fn with_tools(path: OsString, tools: &Path) -> OsString {
    if std::env::split_paths(&path).any(|dir| dir == tools) {
        return path;
    }
    let mut extended = tools.as_os_str().to_owned();
    extended.push(":");
    extended.push(path);
    extended
}

/// Writes the files into a directory that only we can have made: another user's could hold values that root then obeys.
/// A variable whose name no file can have is left out, with a note.
pub(super) async fn keep(
    host: &impl Host,
    dir: &Path,
    env: &BTreeMap<OsString, OsString>,
    user: Option<Ids>,
    notes: &mut Vec<String>,
) -> Result<(), HostError> {
    fs::make_dir(host, dir, 0o755).await?;
    for (name, value) in env {
        if can_name_a_file(name) {
            write(host, &dir.join(name), value, user).await?;
        } else {
            notes
                .push(format!("the variable {name:?} is not passed on: no file can have its name"));
        }
    }
    Ok(())
}

fn can_name_a_file(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    !bytes.is_empty() && bytes.len() <= NAME_BYTES_MAX && bytes[0] != b'.' && !bytes.contains(&b'/')
}

async fn write(
    host: &impl Host,
    path: &Path,
    value: &OsStr,
    user: Option<Ids>,
) -> Result<(), HostError> {
    let mode = 0o640;
    let open = fs::open_no_link(host, path, OpenMode::Create { mode }).await?;
    let written = file::write_all(host, &open, &[value.as_encoded_bytes(), b"\n"].concat()).await;
    fs::close(host, open).await?;
    written?;
    match user {
        Some(user) => fs::set_owner(host, path, 0, user.gid).await,
        None => Ok(()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::error::Errno;
    use crate::host::os::{OsHost, run_ready};
    use rstest::rstest;

    #[rstest]
    #[case("PATH", true)]
    #[case("with space", true)]
    #[case("", false)]
    #[case(".hidden", false)]
    #[case("a/b", false)]
    fn only_a_file_name_is_kept(#[case] name: &str, #[case] expected: bool) {
        assert_eq!(can_name_a_file(OsStr::new(name)), expected);
    }

    #[test]
    fn a_directory_that_somebody_made_is_refused() {
        let above = tempfile::tempdir().expect("a temporary directory");
        let (host, dir) = (OsHost::new(), above.path().join("env"));
        let env = BTreeMap::new();
        assert_eq!(run_ready(keep(&host, &dir, &env, None, &mut Vec::new())), Ok(()));
        let again = run_ready(keep(&host, &dir, &env, None, &mut Vec::new()));
        assert_eq!(again.map_err(|error| error.errno), Err(Errno::EXIST));
    }

    #[rstest]
    #[case("/bin", "/command:/bin")]
    #[case("/bin:/command", "/bin:/command")]
    #[case("/commander", "/command:/commander")]
    fn the_tools_are_found_by_name(#[case] path: &str, #[case] expected: &str) {
        assert_eq!(with_tools(path.into(), Path::new("/command")), OsString::from(expected));
    }
}
