//! The container's environment as files: one a variable below one directory, as s6-overlay keeps it.
//!
//! Read when a process of the container's starts, so that a variable that was added arrives at the next start. Written
//! only by the boot (`ops/init/environment.rs`). Reads as `s6-envdir -Lf`
//! does, but that an empty variable is an absent one.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::environment;
use crate::error::{Errno, HostError, if_present};
use crate::host::Host;
use crate::host::effect::OpenMode;
use crate::host::fs::{self, File};

/// Where the files lie.
pub const ENVIRONMENT: &str = "/run/s6/container_environment";

/// No program can be started with a longer one (`MAX_ARG_STRLEN` of Linux).
const VALUE_BYTES_MAX: usize = 128 << 10;

/// The container's variables and the `PATH` of `own`, nothing else; `None` where nobody keeps such files.
pub async fn variables(
    host: &impl Host,
    own: &BTreeMap<OsString, OsString>,
) -> Result<Option<BTreeMap<OsString, OsString>>, HostError> {
    let opened = fs::open(host, ENVIRONMENT, OpenMode::Directory).await;
    let Some(dir) = if_present(opened)? else { return Ok(None) };
    let path = own.get_key_value(OsStr::new("PATH"));
    let mut env = path.map(|(name, value)| (name.clone(), value.clone())).into_iter().collect();
    let read = add_all(host, &dir, &mut env).await;
    fs::close(host, dir).await?;
    read.map(|()| Some(environment::present(env)))
}

async fn add_all(
    host: &impl Host,
    dir: &File,
    env: &mut BTreeMap<OsString, OsString>,
) -> Result<(), HostError> {
    let mut names: Vec<_> = fs::list(host, dir).await?.into_iter().map(|it| it.name).collect();
    names.sort();
    for name in names.into_iter().filter(|name| is_variable(name)) {
        let file = fs::open(host, dir.entry(&name), OpenMode::Read).await?;
        let bytes = read(host, &file).await;
        fs::close(host, file).await?;
        match value(bytes?) {
            Some(value) => env.insert(name, value),
            None => env.remove(&name),
        };
    }
    Ok(())
}

fn is_variable(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    !name.starts_with(b".") && !name.contains(&b'=')
}

/// One read is enough: it gives less than was asked for only at the file's end.
async fn read(host: &impl Host, file: &File) -> Result<Vec<u8>, HostError> {
    let bytes = fs::read(host, file, VALUE_BYTES_MAX + 1).await?;
    match bytes.len() > VALUE_BYTES_MAX {
        true => Err(HostError::new("read", &file.path, Errno::FBIG)),
        false => Ok(bytes),
    }
}

/// The value that a file stands for; an empty file stands for no variable. No variable can hold a NUL.
fn value(mut bytes: Vec<u8>) -> Option<OsString> {
    if bytes.is_empty() {
        return None;
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    for byte in &mut bytes {
        if *byte == 0 {
            *byte = b'\n';
        }
    }
    Some(os_string(bytes))
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::its_line_ends(b"x\n", Some("x"))]
    #[case::only_the_last_newline_goes(b"x \n\n", Some("x \n"))]
    #[case::it_has_no_newline(b"x", Some("x"))]
    #[case::the_variable_is_empty(b"\n", Some(""))]
    #[case::there_is_no_variable(b"", None)]
    #[case::nothing_can_hold_a_nul(b"a\0b\n", Some("a\nb"))]
    fn a_file_is_a_value_as_s6_envdir_reads_it(
        #[case] bytes: &[u8],
        #[case] expected: Option<&str>,
    ) {
        assert_eq!(value(bytes.to_vec()), expected.map(OsString::from));
    }

    #[rstest]
    #[case("HERMES_HOME", true)]
    #[case(".hidden", false)]
    #[case("a=b", false)]
    fn only_some_names_are_variables(#[case] name: &str, #[case] expected: bool) {
        assert_eq!(is_variable(OsStr::new(name)), expected);
    }
}
