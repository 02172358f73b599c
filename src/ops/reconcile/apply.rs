//! Carries a plan out, step by step, without decisions of its own. The profile's lock is held by the caller.

use super::plan::{Action, ProfilePlan, ServiceRequest, SlotChange};
use crate::host::Host;
use crate::name::Profile;
use crate::ops::{OpsContext, OpsError, home, planned_stop, timestamp};
use crate::record::file;
use crate::record::intent::{self, Intent};
use crate::record::marker;
use crate::supervisor::{Registrar, TargetState};

/// Applies the plan; failures are recorded in it.
pub(super) async fn apply<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    plan: &mut ProfilePlan,
) {
    if plan.action == Action::Skipped {
        return;
    }
    let dir = context.layout.profile(profile);
    for name in &plan.sweep {
        if let Err(error) = file::remove(context.host, &dir.join(name)).await {
            plan.reasons.push(error.to_string());
        }
    }
    if let Err(error) = register(context, profile, plan).await {
        plan.failure = Some(error.to_string());
        plan.action = Action::Skipped;
        plan.slot = SlotChange::None;
    }
}

async fn register<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    plan: &mut ProfilePlan,
) -> Result<(), OpsError> {
    let spec = home::spec_or_defaults(context, profile).await;
    if plan.stores_intent {
        let at = timestamp(context.host).await?;
        let path = context.layout.intent(profile);
        intent::store(context.host, &path, plan.intent, context.operator, &at).await?;
    }
    let at_start = match plan.intent {
        Intent::Running => TargetState::Up,
        Intent::Stopped => TargetState::Down,
    };
    context.supervisor.publish(&spec, at_start).await?;
    match plan.request {
        ServiceRequest::Nothing => Ok(()),
        ServiceRequest::Start => Ok(context.supervisor.start(profile).await?),
        ServiceRequest::Stop => {
            let before = context.supervisor.status(profile).await?;
            let notes = &mut plan.reasons;
            let stop = marker::StopPlan::Stop;
            let target = planned_stop::mark(context, profile, stop, &before, notes).await?;
            if let Err(error) = context.supervisor.stop(profile).await {
                planned_stop::cancel(context, profile, target.as_ref(), notes).await;
                return Err(error.into());
            }
            Ok(())
        }
    }
}
