//! Runs a program in a running container, as `docker exec` does, and collects its output.

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

/// Pause between two questions whether the engine has noticed the end of a program.
const STEP: Duration = Duration::from_millis(5);

/// A program to run: its user, environment and arguments.
pub(super) struct ExecRequest<'a> {
    pub(super) user: User,
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) argv: &'a [&'a str],
}

/// The output of a running program, and its standard input.
pub(super) struct ExecStreams {
    id: String,
    pub(super) output: Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>,
    pub(super) input: Pin<Box<dyn AsyncWrite + Send>>,
}

/// Starts a program.
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
            unreachable!("only `detach` starts a program without its streams")
        }
    }
}

/// The result of a program, as bytes.
pub(super) struct RawExecOutput {
    /// `None`: SIGKILL ended the program, for example because its container ended.
    pub(super) code: Option<i32>,
    pub(super) out: Vec<u8>,
    pub(super) err: Vec<u8>,
    elapsed: Duration,
}

impl RawExecOutput {
    /// The same as text.
    pub(super) fn into_text(self) -> ExecOutput {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let Self { code, out, err, elapsed } = self;
        ExecOutput { code, out: text(out), err: text(err), elapsed }
    }
}

/// Starts a program with this standard input; the returned function waits for its end.
pub(super) fn begin(
    engine: &Engine,
    container: &str,
    program: &ExecRequest<'_>,
    stdin: &[u8],
) -> Result<impl FnOnce() -> Result<RawExecOutput, String> + use<>, String> {
    let mut streams = engine.block_on(start(&engine.docker, container, program))?;
    let (docker, stdin, start) = (engine.docker.clone(), stdin.to_vec(), Instant::now());
    let output = engine.runtime.spawn(async move {
        // A program that does not read has ended; its exit code tells.
        let _ = streams.input.write_all(&stdin).await;
        let _ = streams.input.shutdown().await;
        collect_output(&docker, streams, start).await
    });
    let runtime = engine.runtime.handle().clone();
    Ok(move || {
        let output = runtime.block_on(async { tokio::time::timeout(COMMAND_MAX, output).await });
        let output =
            output.map_err(|_| format!("a command elapsed longer than {COMMAND_MAX:?}"))?;
        let output = output.map_err(|error| format!("lost the output of a command: {error}"))?;
        output.map_err(|error| engine_error(&error))
    })
}

async fn collect_output(
    docker: &Docker,
    streams: ExecStreams,
    start: Instant,
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
        // The streams end before the engine notices the end of the program, and no event tells when it does.
        tokio::time::sleep(STEP).await;
    };
    let code = code.and_then(|code| i32::try_from(code).ok()).filter(|code| *code != 137);
    Ok(RawExecOutput { code, out, err, elapsed: start.elapsed() })
}
