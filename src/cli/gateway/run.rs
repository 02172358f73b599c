//! `hermes gateway run`: runs as the gateway; or, as the command of a container that s6 supervises, as its heartbeat.

use super::restart_code;
use crate::cli::Progress;
use crate::cli::args::RunArgs;
use crate::cli::errors::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::detect::Manager;
use crate::gateway::{self, Next, Setup, Turn};
use crate::host::effect::{Event, Interests, Signal};
use crate::host::{Host, proc};
use crate::ops::lifecycle::{self, Verb};
use crate::ops::{OpsError, Patience};
use crate::record::intent::{self, Intent, Source};
use crate::record::{file, state};

/// A gateway between two turns: the whole state of its process, apart from what the kernel holds for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GatewayRun {
    setup: Setup,
    turn: Turn,
}

/// Begins to run as the gateway; as a container's heartbeat, stays until the container ends.
pub(super) async fn begin<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    args: &RunArgs,
) -> Progress {
    let invocation = session.invocation;
    let supervised = invocation.is_on("HERMES_S6_SUPERVISED_CHILD")
        || invocation.is_on("HERMES_SUPERVISED_CHILD");
    let alone = args.no_supervise || invocation.is_on("HERMES_GATEWAY_NO_SUPERVISE");
    if session.manager == Manager::S6 && !supervised && !alone {
        return Progress::Exit(heartbeat(session, output).await);
    }
    if let Err(error) = ensure_profile_home(session).await {
        return Progress::Exit(output.print_failure(&error).await.code());
    }
    let setup = Setup {
        layout: session.layout.clone(),
        profile: session.profile.clone(),
        env: invocation.env.clone(),
        pid: invocation.pid,
        notify: args.notify_fd,
        supervised,
    };
    if let Some(code) = restart_code::code_if_stopped(session.host, &setup).await {
        return Progress::Exit(code);
    }
    let turn = gateway::begin(session.host, &setup).await;
    Progress::Gateway(Box::new(GatewayRun { setup, turn }))
}

/// Prints the notes of the last turn, and runs the next.
pub(in crate::cli) async fn next_turn<H: Host>(host: &H, running: GatewayRun) -> Progress {
    let GatewayRun { setup, turn } = running;
    let output = Output { host, json: false };
    // A logger that does not read (it cannot write, or was stopped) must not block the gateway.
    for note in &turn.notes {
        output.print_error_or_drop(&format!("{note}\n")).await;
    }
    match turn.next {
        Next::Exit(code) => {
            Progress::Exit(restart_code::translate_code(&output, &setup, code).await)
        }
        Next::Continue(state) => {
            let turn = gateway::turn(host, &setup, *state).await;
            Progress::Gateway(Box::new(GatewayRun { setup, turn }))
        }
    }
}

/// A gateway needs a profile; the home of `default` is made if it does not exist yet.
async fn ensure_profile_home<H: Host>(session: &Session<'_, H>) -> Result<(), CliError> {
    if session.profile.is_default() {
        file::make_dirs(session.host, session.layout.root(), 0o755).await?;
        return Ok(());
    }
    match crate::ops::home::exists(session.host, &session.layout, &session.profile).await? {
        true => Ok(()),
        false => Err(OpsError::NoSuchProfile(session.profile.clone()).into()),
    }
}

/// Starts the slot if there is no intent yet, and stays until the container ends.
async fn heartbeat<H: Host>(session: &Session<'_, H>, output: &Output<'_, H>) -> u8 {
    match stay_as_heartbeat(session, output).await {
        Ok(()) => Exit::Done.code(),
        Err(error) => output.print_failure(&error).await.code(),
    }
}

async fn stay_as_heartbeat<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
) -> Result<(), CliError> {
    let host = session.host;
    proc::trap(host, &[Signal::TERM, Signal::INT, Signal::HUP]).await?;
    let name = &session.profile;
    output
        .print_error(&format!(
            "hermes: s6 supervises gateway '{name}' here; this command stays as the container's heartbeat.\n\
             hermes: to be the gateway itself instead: `hermes gateway run --no-supervise`\n"
        ))
        .await;
    let record = intent::read(host, &session.layout.intent(name)).await;
    let state = state::read(host, &session.layout.state(name)).await;
    let inferred = intent::infer(&record, &state, None);
    match (inferred.source, inferred.intent) {
        (Source::Nothing, _) => {
            let started =
                lifecycle::run(&session.context(), name, Verb::Start, Patience::Usual).await;
            match started {
                Ok((_, notes)) => output.print_notes(&notes).await,
                // The container stays, so that an operator can inspect and repair it.
                Err(error) => drop(output.print_failure(&error.into()).await),
            }
        }
        (_, Intent::Stopped) => {
            output
                .print_error(&format!(
                    "hermes: gateway '{name}' was stopped by its operator and stays so: `hermes -p {name} gateway start`\n"
                ))
                .await;
        }
        (_, Intent::Running) => {}
    }
    loop {
        if let Event::Signal(_) = proc::wait(host, Interests::default()).await? {
            return Ok(());
        }
    }
}
