//! Watches a command that has been started until it says that it is ready, ends, or takes too long.
//!
//! `ready = "fd"`: a newline on its descriptor 3. `ready = "http"`: `GET /health` on its port answers 200. One turn
//! deals with one event; nothing here waits for the command alone.

use std::time::Duration;

use super::diary::Word;
use super::ending::{self, Ending};
use super::{Context, Core, Phase, Step, Work, drain, http, running, stop};
use crate::error::HostError;
use crate::host::effect::{Event, Handle, Interests, Pid};
use crate::host::fs::{self, File};
use crate::host::{Host, net, proc, time};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(100);
/// For one answer.
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// A status line fits.
const ANSWER_BYTES_MAX: usize = 4 << 10;

/// How far we are with asking.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Probe {
    /// The read end of the pipe; none once the command has closed it, and then only the time can end the start.
    Pipe(Option<File>),
    /// The next question is asked then.
    Pausing(Duration),
    /// Asked; so much of the answer has come.
    Asked { connection: File, answer: Vec<u8>, until: Duration },
}

impl Default for Probe {
    fn default() -> Self {
        Self::Pausing(Duration::ZERO)
    }
}

impl Probe {
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
            // Whatever the answer, the handle is gone, and nothing was written to it that could be lost.
            drop(fs::close(host, file).await);
        }
    }
}

pub(super) async fn turn<H: Host>(
    context: &mut Context<'_, H>,
    core: &mut Core,
    child: Pid,
    probe: Probe,
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
            let ending = Ending::of_command(status, Word::StartupFailed);
            return drain::rest(context, core, Work::Command(child), ending).await;
        }
        Event::Signal(signal) => {
            mark!("H15");
            probe.close(context.host).await;
            let stop = stop::classify(context, core, signal).await;
            return drain::begin(context, core, Work::Command(child), Ending::Asked(stop), signal)
                .await;
        }
        Event::Readable(_) | Event::Deadline => {}
    }
    let readable = matches!(event, Event::Readable(_));
    match advance(context.host, core.port, probe, readable, now).await {
        None => running::enter(context, core, Work::Command(child)).await,
        Some(probe) if now < until => Ok(Step::To(Phase::Warming { child, probe, until })),
        Some(probe) => {
            probe.close(context.host).await;
            let timeout = core.config.ready_timeout.0.as_secs_f32();
            let reason = format!("the command was not ready within {timeout} s");
            let ending = Ending::failed(Word::StartupFailed, ending::FAILED, reason);
            drain::begin(context, core, Work::Command(child), ending, drain::BY_US).await
        }
    }
}

/// One step of asking; `None` means that the command is ready.
async fn advance(
    host: &impl Host,
    port: u16,
    probe: Probe,
    readable: bool,
    now: Duration,
) -> Option<Probe> {
    match probe {
        Probe::Pipe(Some(pipe)) if readable => read_pipe(host, pipe).await,
        Probe::Pausing(at) if now >= at => Some(ask(host, port, now).await),
        Probe::Asked { connection, answer, until } if readable => {
            read_answer(host, connection, answer, until, now).await
        }
        Probe::Asked { connection, until, .. } if now >= until => {
            Some(give_up(host, connection, now).await)
        }
        probe => Some(probe),
    }
}

async fn read_pipe(host: &impl Host, pipe: File) -> Option<Probe> {
    match fs::read(host, &pipe, 512).await {
        Ok(bytes) if bytes.contains(&b'\n') => {
            Probe::Pipe(Some(pipe)).close(host).await;
            None
        }
        Ok(bytes) if !bytes.is_empty() => Some(Probe::Pipe(Some(pipe))),
        Err(error) if error.errno == crate::error::Errno::AGAIN => Some(Probe::Pipe(Some(pipe))),
        Ok(_) | Err(_) => {
            Probe::Pipe(Some(pipe)).close(host).await;
            Some(Probe::Pipe(None))
        }
    }
}

async fn ask(host: &impl Host, port: u16, now: Duration) -> Probe {
    let Ok(connection) = net::connect(host, port).await else {
        return Probe::Pausing(now + PAUSE);
    };
    match fs::write(host, &connection, http::HEALTH_REQUEST).await {
        Ok(taken) if taken == http::HEALTH_REQUEST.len() => {
            Probe::Asked { connection, answer: Vec::new(), until: now + ANSWER_TIME }
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
) -> Option<Probe> {
    match fs::read(host, &connection, ANSWER_BYTES_MAX).await {
        Ok(bytes) if !bytes.is_empty() => answer.extend_from_slice(&bytes),
        Err(error) if error.errno == crate::error::Errno::AGAIN => {}
        Ok(_) | Err(_) => return Some(give_up(host, connection, now).await),
    }
    match http::status(&answer) {
        Some(200) => {
            Probe::Asked { connection, answer, until }.close(host).await;
            None
        }
        None if answer.len() < ANSWER_BYTES_MAX && now < until => {
            Some(Probe::Asked { connection, answer, until })
        }
        Some(_) | None => Some(give_up(host, connection, now).await),
    }
}

async fn give_up(host: &impl Host, connection: File, now: Duration) -> Probe {
    // Whatever the answer, the handle is gone.
    drop(fs::close(host, connection).await);
    Probe::Pausing(now + PAUSE)
}
