//! `docker exec` gives root; the gateways' tree belongs to hermes. A command typed as root becomes hermes before it asks
//! for anything that hermes could have planted, so that no file it leaves belongs to root.

use super::args::{BootCommand, CliCommand, GatewayCommand, RunArgs};
use super::invocation::Invocation;
use crate::error::HostError;
use crate::host::Host;
use crate::ops::identity;
use crate::record::users::Ids;

/// The same invocation as hermes; a user who is not root stays as it is, and so does root that was told to.
pub(super) async fn drop_root(
    host: &impl Host,
    invocation: &Invocation,
) -> Result<Invocation, HostError> {
    if invocation.uid != 0 || invocation.is_on("HERMES_DOCKER_EXEC_AS_ROOT") {
        return Ok(invocation.clone());
    }
    let hermes = match planted!(IdentityFromTheDisk) {
        true => owner_of_the_scan_dir(host).await?,
        false => identity::of_typed_command(host).await?,
    };
    let Some(Ids { uid, gid }) = hermes else { return Ok(invocation.clone()) };
    identity::become_hermes(host, Ids { uid, gid }).await?;
    Ok(Invocation { uid, gid, ..invocation.clone() })
}

/// Does a container start this itself, as root, and has it become hermes at its own time?
pub(super) fn drops_root_itself(command: &CliCommand) -> bool {
    match command {
        CliCommand::Boot(BootCommand::Reconcile(_) | BootCommand::Stop(_)) => false,
        CliCommand::Boot(_) => true,
        CliCommand::Gateway(command) => matches!(
            command,
            GatewayCommand::Run(RunArgs { slot: true, .. })
                | GatewayCommand::Log
                | GatewayCommand::Finish(_)
        ),
        CliCommand::Profile(_)
        | CliCommand::Doctor
        | CliCommand::Completions(_)
        | CliCommand::Man(_) => false,
    }
}

/// What [`crate::probe::Bug::IdentityFromTheDisk`] goes by.
async fn owner_of_the_scan_dir(host: &impl Host) -> Result<Option<Ids>, HostError> {
    let found = crate::error::if_present(crate::host::fs::meta(host, "/run/service").await)?;
    Ok(found.map(|it| Ids { uid: it.uid, gid: it.gid }).filter(|ids| ids.uid != 0))
}
