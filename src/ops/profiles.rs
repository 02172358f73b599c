//! Creates, deletes and renames profiles, and their slots with them.
//!
//! Each operation has one commit point, a rename in the profiles' directory: before it the old state is valid, after it
//! the new one. Leftovers of a crash on either side (`.new.*`, `.gone.*`, a slot without a profile) are removed at the
//! next boot, and the same command, repeated, goes on where it was interrupted.

mod create;
mod delete;
mod rename;

pub use create::{Created, create};
pub use delete::delete;
pub use rename::rename;

use super::{OpsContext, OpsError, home, lifecycle};
use crate::error::{HostError, if_present};
use crate::host::Host;
use crate::name::Profile;
use crate::port;
use crate::record::{config, file};
use crate::supervisor::{Published, Registrar, TargetState};

use std::path::PathBuf;
use std::time::Duration;

/// A slot that was published is supervised within this time.
const SUPERVISED_TIMEOUT: Duration = Duration::from_secs(10);

/// The port a profile's gateway will have: the configured one, else the one derived from its name.
pub async fn port_of<H: Host>(host: &H, layout: &crate::layout::Layout, profile: &Profile) -> u16 {
    let configured = config::read(host, &layout.config(profile)).await.ok().and_then(|c| c.port);
    configured.map_or_else(|| port::default_port(profile), |port| port.0)
}

/// Other profiles whose gateways have the same port.
pub async fn port_rivals<H: Host>(
    host: &H,
    layout: &crate::layout::Layout,
    profile: &Profile,
) -> Result<Vec<Profile>, HostError> {
    let ours = port_of(host, layout, profile).await;
    let mut rivals = Vec::new();
    for other in home::profiles(host, layout).await? {
        if other != *profile && port_of(host, layout, &other).await == ours {
            rivals.push(other);
        }
    }
    Ok(rivals)
}

/// Publishes a slot and waits until it is supervised. A slot that cannot be made live is taken out again.
async fn register<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    at_start: TargetState,
) -> Result<(), OpsError> {
    let spec = home::spec_or_defaults(context, profile).await;
    let published = context.supervisor.publish(&spec, at_start).await?;
    let live = lifecycle::make_live(context.supervisor, profile).await;
    if planted!(RescanFailureSwallowed) {
        return Ok(());
    }
    if live.is_err() && published == Published::New {
        take_back(context, profile).await;
    }
    live?;
    Ok(())
}

/// The cause is reported to the operator; a slot that stays is taken out at the next boot.
async fn take_back<H: Host, S: Registrar>(context: &OpsContext<'_, H, S>, profile: &Profile) {
    if planted!(NotRolledBack) {
        return;
    }
    mark!("R6");
    let _ = context.supervisor.unregister(profile, SUPERVISED_TIMEOUT).await;
}

/// A free hidden name in the profiles' directory.
async fn hidden_name<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    prefix: &str,
    profile: &Profile,
) -> Result<PathBuf, HostError> {
    let unique = crate::host::time::random(context.host).await? % 0xfff;
    Ok(context.layout.profiles().join(format!("{prefix}{profile}.{unique:03x}")))
}

async fn sync_profiles<H: Host, S>(context: &OpsContext<'_, H, S>) -> Result<(), HostError> {
    if planted!(ProfilesNotSynced) {
        return Ok(());
    }
    // If there is no such directory, nothing in it can come back.
    if_present(file::sync_dir(context.host, &context.layout.profiles()).await).map(drop)
}
