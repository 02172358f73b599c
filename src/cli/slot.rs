//! What a slot's scripts begin with: the container's environment as it is now, and hermes in place of root.
//!
//! Nothing that hermes could have planted is followed before that. If no such environment is kept (a bare s6), that of
//! s6-supervise stands.

use super::invocation::Invocation;
use crate::error::HostError;
use crate::host::Host;
use crate::ops::identity;
use crate::record::container;
use crate::record::users::Ids;

/// The same invocation with the container's environment, if there is one.
pub(super) async fn in_container(
    host: &impl Host,
    invocation: &Invocation,
) -> Result<Invocation, HostError> {
    let kept = container::variables(host, &invocation.env).await?;
    Ok(Invocation { env: kept.unwrap_or_else(|| invocation.env.clone()), ..invocation.clone() })
}

/// As root, becomes hermes; any other user stays as it is.
pub(super) async fn as_hermes(
    host: &impl Host,
    invocation: Invocation,
) -> Result<Invocation, HostError> {
    if invocation.uid != 0 {
        return Ok(invocation);
    }
    let Ids { uid, gid } = identity::hermes(host).await?;
    identity::become_hermes(host, Ids { uid, gid }).await?;
    Ok(Invocation { uid, gid, ..invocation })
}

/// The gateway of a slot: its supervisor's child.
pub(super) async fn gateway(
    host: &impl Host,
    invocation: &Invocation,
) -> Result<Invocation, HostError> {
    let mut gateway = as_hermes(host, in_container(host, invocation).await?).await?;
    gateway.env.insert("HERMES_S6_SUPERVISED_CHILD".into(), "1".into());
    Ok(gateway)
}
