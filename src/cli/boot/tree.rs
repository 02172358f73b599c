//! `hermes boot tree`: a service of PID 1's. Becomes hermes, brings the slots up to date, becomes s6-svscan.

use std::path::Path;

use crate::cli::args::TreeArgs;
use crate::cli::errors::CliError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::output::Output;
use crate::cli::slot;
use crate::host::{Host, proc};
use crate::ops::tree;
use crate::role::Role;

const GUEST: &str = "this container is a guest: its gateways stay down";
const WAITING: &str = "another container supervises this home: waiting for it to end";

/// Returns to say why gateways cannot be supervised, or that this container is a guest.
pub(super) async fn run<H: Host>(
    host: &H,
    invocation: &Invocation,
    output: &Output<'_, H>,
    args: &TreeArgs,
) -> Result<Exit, CliError> {
    // First of all: what a container keeps as its environment may be hermes' own, when somebody types this as root.
    let hermes = match planted!(RootKept) {
        true => invocation.clone(),
        false => slot::as_hermes(host, invocation.clone()).await?,
    };
    let invocation = &slot::in_container(host, &hermes).await?;
    let facts = tree::TreeInputs {
        uid: invocation.uid,
        pid: invocation.pid,
        env: invocation.env.clone(),
        argv: invocation.argv.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        program: invocation.program.clone(),
        notification_fd: args.notify_fd,
    };
    let mark = Path::new(tree::WAITING_FLAG);
    let plain = |error: tree::TreeError| CliError::Message(error.to_string());
    let seat = tree::enter(host, &facts).await.map_err(plain)?;
    if seat.role == Role::Guest {
        output.print_notes(&[GUEST.to_owned()]).await;
        // What `tree::GUEST_EXIT_CODE` promises to the service's `finish`.
        return Ok(Exit::DownAsIntended);
    }
    if !tree::claim(host, &seat).await.map_err(plain)? {
        output.print_notes(&[WAITING.to_owned()]).await;
        tree::wait_for_claim(host, &seat, mark).await.map_err(plain)?;
    }
    let ready = tree::run(host, &facts, &seat, mark).await.map_err(plain)?;
    output.print_notes(&ready.notes).await;
    Err(proc::exec(host, ready.exec).await.into())
}
