//! Floor 3: which container supervises a home. One does; others on the same volume are guests.
//!
//! A container's command decides which role it asks for; a lock on the home decides which role it gets. The lock
//! belongs to one process and survives its `exec`, so it is held as long as that container's gateways are supervised.

use std::ffi::OsString;

use crate::error::{Errno, HostError, if_present};
use crate::host::Host;
use crate::host::effect::OpenMode;
use crate::host::fs::{self, File};
use crate::layout::Layout;

/// The role of a container for the home it mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It supervises the home's gateways.
    Supervisor,
    /// It only uses the home: a dashboard, a shell.
    Guest,
}

/// `HERMES_ROLE` has an unknown value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("HERMES_ROLE={0:?} is not one of supervisor, guest")]
pub struct RoleError(pub String);

/// The role a container asks for: `HERMES_ROLE` if set, else `supervisor` for no command or `gateway run`, `guest` for
/// any other command.
pub fn requested_role(requested: Option<&str>, command: &[OsString]) -> Result<Role, RoleError> {
    match requested {
        Some("supervisor") => Ok(Role::Supervisor),
        Some("guest") => Ok(Role::Guest),
        Some(other) => Err(RoleError(other.to_owned())),
        None if command.is_empty() || is_gateway_run(command) => Ok(Role::Supervisor),
        None => Ok(Role::Guest),
    }
}

/// `gateway run`, with or without a leading `hermes` and options in between.
fn is_gateway_run(command: &[OsString]) -> bool {
    let arguments: Vec<&str> = command.iter().filter_map(|argument| argument.to_str()).collect();
    let arguments = arguments.strip_prefix(&["hermes"]).unwrap_or(&arguments);
    arguments.windows(2).any(|pair| pair == ["gateway", "run"])
        && !arguments.first().is_some_and(|first| first.contains('/'))
}

/// Takes the home for the lifetime of this process, also across `exec`; `None` if another process has it.
pub async fn claim(host: &impl Host, layout: &Layout) -> Result<Option<File>, HostError> {
    let lock = fs::open_no_link(host, &layout.role_lock(), OpenMode::Lock { mode: 0o644 }).await?;
    if planted!(RoleLockNotTaken) {
        return Ok(Some(lock));
    }
    match fs::lock_record(host, &lock).await {
        Ok(()) => Ok(Some(lock)),
        Err(error) => {
            fs::close(host, lock).await?;
            if error.errno != Errno::AGAIN {
                return Err(error);
            }
            mark!("H35");
            Ok(None)
        }
    }
}

/// Does some container supervise this home?
pub async fn is_claimed(host: &impl Host, layout: &Layout) -> Result<bool, HostError> {
    let Some(lock) = if_present(fs::open_no_link(host, &layout.role_lock(), OpenMode::Read).await)?
    else {
        return Ok(false);
    };
    let claimed = fs::is_locked(host, &lock).await;
    fs::close(host, lock).await?;
    claimed
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(None, "", Role::Supervisor)]
    #[case(None, "gateway run", Role::Supervisor)]
    #[case(None, "hermes -p coder gateway run", Role::Supervisor)]
    #[case(None, "dashboard", Role::Guest)]
    #[case(None, "sh -c true", Role::Guest)]
    #[case(Some("supervisor"), "sh -c true", Role::Supervisor)]
    #[case(Some("guest"), "", Role::Guest)]
    fn the_command_or_the_variable_asks_for_a_role(
        #[case] requested: Option<&str>,
        #[case] command: &str,
        #[case] expected: Role,
    ) {
        let command: Vec<OsString> = command.split_whitespace().map(OsString::from).collect();
        assert_eq!(requested_role(requested, &command), Ok(expected));
    }

    #[test]
    fn another_word_is_refused() {
        assert_eq!(requested_role(Some("boss"), &[]), Err(RoleError("boss".to_owned())));
    }
}
