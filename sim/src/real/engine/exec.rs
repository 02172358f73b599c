//! A program in a running container, as `docker exec` runs it, and what came of it.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecResults};
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::real::exec::{ExecOutput, uid};
use crate::scenario::values::User;

use super::{Engine, engine_error};

/// A command that takes longer than this hangs.
const COMMAND_MAX: Duration = Duration::from_secs(120);

/// Between two looks whether the engine has noticed an end.
const STEP: Duration = Duration::from_millis(5);

/// Whose program it is, and what it is.
pub(super) struct ExecRequest<'a> {
    pub(super) user: User,
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) argv: &'a [&'a str],
}

/// What a program prints as it comes, and where it reads from.
pub(super) struct ExecStreams {
    id: String,
    pub(super) output: Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>,
    pub(super) input: Pin<Box<dyn AsyncWrite + Send>>,
}

/// Starts it.
pub(super) async fn start(
    docker: &Docker,
    container: &str,
    program: &ExecRequest<'_>,
) -> Result<ExecStreams, Error> {
    let env = program.env.iter().map(|(name, value)| format!("{name}={value}"));
    let options = CreateExecOptions {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        env: Some(env.collect()),
        cmd: Some(program.argv.iter().map(|&word| word.to_owned()).collect()),
        user: Some(uid(program.user).to_string()),
        ..Default::default()
    };
    let id = docker.create_exec(container, options).await?.id;
    match docker.start_exec(&id, None).await? {
        StartExecResults::Attached { output, input } => Ok(ExecStreams { id, output, input }),
        StartExecResults::Detached => {
            unreachable!("only `detach` starts a program that nobody listens to")
        }
    }
}

/// What it came to, byte by byte.
pub(super) struct RawExecOutput {
    /// `None`: SIGKILL, as when its container ends.
    pub(super) code: Option<i32>,
    pub(super) out: Vec<u8>,
    pub(super) err: Vec<u8>,
    took: Duration,
}

impl RawExecOutput {
    /// As text.
    pub(super) fn into_text(self) -> ExecOutput {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let Self { code, out, err, took } = self;
        ExecOutput { code, out: text(out), err: text(err), took }
    }
}

/// Begins a program that reads `stdin`, and no more; what is returned waits for its end.
pub(super) fn begin(
    engine: &Engine,
    container: &str,
    program: &ExecRequest<'_>,
    stdin: &[u8],
) -> Result<impl FnOnce() -> Result<RawExecOutput, String> + use<>, String> {
    let since = Instant::now();
    let mut streams = engine.block_on(start(&engine.docker, container, program))?;
    let (docker, stdin) = (engine.docker.clone(), stdin.to_vec());
    let ended = engine.runtime.spawn(async move {
        // One that does not read has ended; its code says how.
        let _ = streams.input.write_all(&stdin).await;
        let _ = streams.input.shutdown().await;
        end(&docker, streams, since).await
    });
    let runtime = engine.runtime.handle().clone();
    Ok(move || {
        let ended = runtime.block_on(async { tokio::time::timeout(COMMAND_MAX, ended).await });
        let ended = ended.map_err(|_| format!("a command took longer than {COMMAND_MAX:?}"))?;
        let ended =
            ended.map_err(|error| format!("a command was not heard to its end: {error}"))?;
        ended.map_err(|error| engine_error(&error))
    })
}

async fn end(
    docker: &Docker,
    streams: ExecStreams,
    since: Instant,
) -> Result<RawExecOutput, Error> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut output = streams.output;
    while let Some(Ok(part)) = output.next().await {
        match part {
            LogOutput::StdErr { message } => err.extend_from_slice(&message),
            other => out.extend_from_slice(other.as_ref()),
        }
    }
    let code = loop {
        let found = docker.inspect_exec(&streams.id).await?;
        if found.running != Some(true) {
            break found.exit_code;
        }
        // The streams end before the engine has noticed the end; nothing tells us when it does.
        tokio::time::sleep(STEP).await;
    };
    let code = code.and_then(|code| i32::try_from(code).ok()).filter(|code| *code != 137);
    Ok(RawExecOutput { code, out, err, took: since.elapsed() })
}
