//! `hermes gateway logs [-f | --all]`: the end of one gateway's log and what follows, or the end of each gateway's log.
//!
//! s6-log rotates `current` by renaming it; the follower notices that the name refers to another file, and opens it.

use std::path::Path;
use std::time::Duration;

use crate::backend::any::AnyBackend;
use crate::cli::args::LogsArgs;
use crate::cli::errors::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::error::{HostError, if_present};
use crate::host::effect::{OpenMode, Program};
use crate::host::fs::{self, File};
use crate::host::{Host, proc, time};
use crate::name::Profile;
use crate::ops::home;
use crate::supervisor::SupervisorError;

const CHUNK_BYTES: usize = 64 << 10;

/// Poll interval for a log that does not grow.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Prints the log.
pub(super) async fn run<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    args: &LogsArgs,
) -> Exit {
    let profiles = match args.all {
        true => home::profiles(session.host, &session.layout).await,
        false => Ok(vec![session.profile.clone()]),
    };
    let profiles = match profiles {
        Ok(profiles) => profiles,
        Err(error) => return output.print_failure(&error.into()).await,
    };
    match journal(session, args, &profiles).await {
        Ok(None) => {}
        Ok(Some(program)) => {
            // Returns only if it could not become journalctl.
            let error = proc::exec(session.host, program).await;
            return output.print_failure(&error.into()).await;
        }
        Err(error) => return output.print_failure(&error).await,
    }
    let mut exit = Exit::Done;
    for profile in &profiles {
        let current = session.layout.gateway_log(profile).join("current");
        let head = if args.all { format!("==> {profile} <==\n") } else { String::new() };
        let printed = match print(session.host, output, args, &current, &head).await {
            Ok(exit) => exit,
            Err(error) if error.is_absent() && args.all => Exit::Done,
            Err(error) if error.is_absent() => output.print_failure(&no_log(session).await).await,
            Err(error) => output.print_failure(&error.into()).await,
        };
        if printed != Exit::Done {
            exit = printed;
        }
    }
    exit
}

/// The machine's own units write to the journal.
async fn journal<H: Host>(
    session: &Session<'_, H>,
    args: &LogsArgs,
    profiles: &[Profile],
) -> Result<Option<Program>, CliError> {
    let AnyBackend::Systemd(systemd) = &session.backend else { return Ok(None) };
    for profile in profiles {
        if !home::exists(session.host, &session.layout, profile).await? {
            return Err(SupervisorError::NotRegistered(profile.clone()).into());
        }
    }
    Ok(systemd.journal(profiles, args.lines, args.follow).await?)
}

/// No log yet, or no such gateway.
async fn no_log<H: Host>(session: &Session<'_, H>) -> CliError {
    match home::exists(session.host, &session.layout, &session.profile).await {
        Ok(true) => CliError::NoLog(session.profile.to_string()),
        Ok(false) => SupervisorError::NotRegistered(session.profile.clone()).into(),
        Err(error) => error.into(),
    }
}

async fn print<H: Host>(
    host: &H,
    output: &Output<'_, H>,
    args: &LogsArgs,
    current: &Path,
    head: &str,
) -> Result<Exit, HostError> {
    let mut log = fs::open(host, current, OpenMode::Read).await?;
    let text = read_on(host, &log).await?;
    let mut exit = output.print(&format!("{head}{}", last_lines(&text, args.lines))).await;
    while args.follow && exit == Exit::Done {
        let text = read_on(host, &log).await?;
        if !text.is_empty() {
            exit = output.print(&text).await;
        } else if let Some(next) = rotated(host, &log, current).await? {
            // Lines written between the last read and the rotation are in the old file.
            let last = read_on(host, &log).await?;
            exit = output.print(&last).await;
            fs::close(host, std::mem::replace(&mut log, next)).await?;
        } else {
            time::sleep(host, POLL_INTERVAL).await?;
        }
    }
    fs::close(host, log).await?;
    Ok(exit)
}

async fn read_on<H: Host>(host: &H, log: &File) -> Result<String, HostError> {
    let mut bytes = Vec::new();
    loop {
        let chunk = fs::read(host, log, CHUNK_BYTES).await?;
        if chunk.is_empty() {
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
        bytes.extend_from_slice(&chunk);
    }
}

/// The file that has the name now, if it is another one.
async fn rotated<H: Host>(host: &H, log: &File, current: &Path) -> Result<Option<File>, HostError> {
    let ours = fs::handle_meta(host, log).await?.identity;
    match if_present(fs::meta(host, current).await)? {
        Some(meta) if meta.identity != ours => {
            if_present(fs::open(host, current, OpenMode::Read).await)
        }
        _ => Ok(None),
    }
}

fn last_lines(text: &str, count: usize) -> &str {
    let body = text.strip_suffix('\n').unwrap_or(text);
    match count.checked_sub(1) {
        None => "",
        Some(before) => match body.rmatch_indices('\n').nth(before) {
            Some((at, _)) => &text[at + 1..],
            None => text,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a\nb\nc\n", 2, "b\nc\n")]
    #[case("a\nb\nc", 1, "c")]
    #[case("a\nb\n", 9, "a\nb\n")]
    #[case("a\nb\n", 0, "")]
    #[case("", 5, "")]
    fn only_the_last_lines_are_shown(#[case] text: &str, #[case] n: usize, #[case] expected: &str) {
        assert_eq!(last_lines(text, n), expected);
    }
}
