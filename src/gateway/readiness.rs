//! Watches a started command until it reports readiness, ends, or takes too long.
//!
//! `ready = "fd"`: a newline on its descriptor 3. `ready = "http"`: `GET /health` on its port answers 200. One turn
//! deals with one event; nothing here waits for the command alone.

use std::time::Duration;

use super::exit_reason::{self, ExitReason};
use super::state_file::GatewayState;
use super::{Core, Phase, Step, TurnContext, Work, drain, http, running, stop};
use crate::error::HostError;
use crate::host::effect::{Event, Handle, Interests, Pid};
use crate::host::fs::{self, File};
use crate::host::{Host, net, proc, time};

/// Pause between two health requests.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);
/// Time limit for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Enough for a status line.
const ANSWER_BYTES_MAX: usize = 4 << 10;

/// The progress of a readiness check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum ReadinessProbe {
    /// The read end of the pipe; none once the command has closed it, and then only the time can end the start.
    Pipe(Option<File>),
    /// The next request is sent then.
    Pausing(Duration),
    /// A request was sent; these are the received bytes of the answer.
    Asked { connection: File, answer: Vec<u8>, until: Duration },
}

impl Default for ReadinessProbe {
    fn default() -> Self {
        Self::Pausing(Duration::ZERO)
    }
}

impl ReadinessProbe {
    fn handle(&self) -> Option<Handle> {
        match self {
            Self::Pipe(pipe) => pipe.as_ref().map(|pipe| pipe.handle),
            Self::Pausing(_) => None,
            Self::Asked { connection, .. } => Some(connection.handle),
        }
    }

    fn until(&self) -> Option<Duration> {
        match self {
            Self::Pipe(_) => None,
            Self::Pausing(until) | Self::Asked { until, .. } => Some(*until),
        }
    }

    async fn close(self, host: &impl Host) {
        if let Self::Pipe(Some(file)) | Self::Asked { connection: file, .. } = self {
            // The handle is gone even if `close` fails, and no written data could be lost.
            drop(fs::close(host, file).await);
        }
    }
}

pub(super) async fn turn<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &mut Core,
    child: Pid,
    probe: ReadinessProbe,
    until: Duration,
) -> Result<Step, HostError> {
    let interests = Interests {
        readable: probe.handle().into_iter().collect(),
        child: Some(child),
        until: Some(probe.until().map_or(until, |soon| soon.min(until))),
    };
    let event = proc::wait(context.host, interests).await?;
    let now = time::boot(context.host).await?;
    match event {
        Event::Child(status) => {
            probe.close(context.host).await;
            let ending = ExitReason::from_command_status(status, GatewayState::StartupFailed);
            return drain::drain_remaining(context, core, Work::Command(child), ending).await;
        }
        Event::Signal(signal) => {
            mark!("H15");
            probe.close(context.host).await;
            let stop = stop::classify(context, core, signal).await;
            return drain::begin(
                context,
                core,
                Work::Command(child),
                ExitReason::Asked(stop),
                signal,
            )
            .await;
        }
        Event::Readable(_) | Event::Deadline => {}
    }
    let readable = matches!(event, Event::Readable(_));
    match advance_probe(context.host, core.port, probe, readable, now).await {
        None => running::enter(context, core, Work::Command(child)).await,
        Some(probe) if now < until => {
            Ok(Step::To(Phase::AwaitingReadiness { child, probe, until }))
        }
        Some(probe) => {
            probe.close(context.host).await;
            let timeout = core.config.ready_timeout.0.as_secs_f32();
            let reason = format!("the command was not ready within {timeout} s");
            let ending =
                ExitReason::failed(GatewayState::StartupFailed, exit_reason::FAILURE_CODE, reason);
            drain::begin(context, core, Work::Command(child), ending, drain::OWN_SIGNAL).await
        }
    }
}

/// One step of the check; `None` means that the command is ready.
async fn advance_probe(
    host: &impl Host,
    port: u16,
    probe: ReadinessProbe,
    readable: bool,
    now: Duration,
) -> Option<ReadinessProbe> {
    match probe {
        ReadinessProbe::Pipe(Some(pipe)) if readable => read_pipe(host, pipe).await,
        ReadinessProbe::Pausing(at) if now >= at => {
            Some(send_health_request(host, port, now).await)
        }
        ReadinessProbe::Asked { connection, answer, until } if readable => {
            read_answer(host, connection, answer, until, now).await
        }
        ReadinessProbe::Asked { connection, until, .. } if now >= until => {
            Some(give_up(host, connection, now).await)
        }
        probe => Some(probe),
    }
}

async fn read_pipe(host: &impl Host, pipe: File) -> Option<ReadinessProbe> {
    match fs::read(host, &pipe, 512).await {
        Ok(bytes) if bytes.contains(&b'\n') => {
            ReadinessProbe::Pipe(Some(pipe)).close(host).await;
            None
        }
        Ok(bytes) if !bytes.is_empty() => Some(ReadinessProbe::Pipe(Some(pipe))),
        Err(error) if error.errno == crate::error::Errno::AGAIN => {
            Some(ReadinessProbe::Pipe(Some(pipe)))
        }
        Ok(_) | Err(_) => {
            ReadinessProbe::Pipe(Some(pipe)).close(host).await;
            Some(ReadinessProbe::Pipe(None))
        }
    }
}

async fn send_health_request(host: &impl Host, port: u16, now: Duration) -> ReadinessProbe {
    let Ok(connection) = net::connect(host, port).await else {
        return ReadinessProbe::Pausing(now + PROBE_INTERVAL);
    };
    match fs::write(host, &connection, http::HEALTH_REQUEST).await {
        Ok(taken) if taken == http::HEALTH_REQUEST.len() => {
            ReadinessProbe::Asked { connection, answer: Vec::new(), until: now + ANSWER_TIMEOUT }
        }
        _ => give_up(host, connection, now).await,
    }
}

async fn read_answer(
    host: &impl Host,
    connection: File,
    mut answer: Vec<u8>,
    until: Duration,
    now: Duration,
) -> Option<ReadinessProbe> {
    match fs::read(host, &connection, ANSWER_BYTES_MAX).await {
        Ok(bytes) if !bytes.is_empty() => answer.extend_from_slice(&bytes),
        Err(error) if error.errno == crate::error::Errno::AGAIN => {}
        Ok(_) | Err(_) => return Some(give_up(host, connection, now).await),
    }
    match http::parse_status(&answer) {
        Some(200) => {
            ReadinessProbe::Asked { connection, answer, until }.close(host).await;
            None
        }
        None if answer.len() < ANSWER_BYTES_MAX && now < until => {
            Some(ReadinessProbe::Asked { connection, answer, until })
        }
        Some(_) | None => Some(give_up(host, connection, now).await),
    }
}

async fn give_up(host: &impl Host, connection: File, now: Duration) -> ReadinessProbe {
    // The handle is gone even if `close` fails.
    drop(fs::close(host, connection).await);
    ReadinessProbe::Pausing(now + PROBE_INTERVAL)
}
