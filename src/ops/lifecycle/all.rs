//! Applies a verb to every profile: all are told before any is waited for.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{LifecycleOutcome, Verb, begin, finish};
use crate::error::HostError;
use crate::host::{Host, time};
use crate::name::Profile;
use crate::ops::{OpsContext, OpsError, Patience};
use crate::supervisor::Registrar;

/// One gateway's share of `--all`.
#[derive(Debug)]
pub struct ProfileResult {
    /// The profile.
    pub profile: Profile,
    /// Its outcome.
    pub result: Result<(LifecycleOutcome, Vec<String>), OpsError>,
}

/// The maximum of locks held at once; a process may have 1024 open files.
const GROUP_SIZE_MAX: usize = 200;

/// Applies the verb to every profile: all are told before any is waited for.
pub async fn run_all<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profiles: &BTreeSet<Profile>,
    verb: Verb,
    patience: Patience,
) -> Vec<ProfileResult> {
    let mut shares = Vec::new();
    let profiles: Vec<&Profile> = profiles.iter().collect();
    for group in profiles.chunks(GROUP_SIZE_MAX) {
        let mut begun = Vec::new();
        for &profile in group {
            begun.push((profile, begin(context, profile, verb, patience).await));
        }
        let told_at = time::boot(context.host).await;
        for (profile, pending) in begun {
            let result = match pending {
                Ok(pending) => {
                    let spent = spent_since(context.host, &told_at).await;
                    finish(context, pending, patience, spent).await
                }
                Err(error) => Err(error),
            };
            shares.push(ProfileResult { profile: profile.clone(), result });
        }
    }
    shares
}

/// All gateways of a group have the same deadline. A clock that cannot be read gives each its own.
async fn spent_since(host: &impl Host, told_at: &Result<Duration, HostError>) -> Duration {
    match (told_at, time::boot(host).await) {
        (Ok(told_at), Ok(now)) => now.saturating_sub(*told_at),
        _ => Duration::ZERO,
    }
}
