//! Boot: every profile gets its slot back, up or down as its operator left it.
//!
//! ```text
//!   survey ─► for each profile, under its lock:  observe ─► plan (pure) ─► apply
//!          ─► sweep leftovers ─► one rescan ─► one log line a profile
//! ```
//!
//! Profiles are independent: a failure of one is its own line in the log. On a live system a second pass finds
//! everything as it should be and changes nothing.

mod apply;
mod observe;
mod plan;
mod sweep;

use std::collections::BTreeSet;
use std::time::Duration;

pub use plan::{Action, ProfilePlan, ServiceRequest, SlotChange};

use super::home::{self, SurveyEntry};
use super::{OpsContext, timestamp};
use crate::error::HostError;
use crate::host::Host;
use crate::name::Profile;
use crate::record::intent::Intent;
use crate::record::lock::LockError;
use crate::record::{boot_log, file, lock};
use crate::supervisor::{Goal, Registrar};

/// When the supervisor learns of new slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RescanTiming {
    /// Now: it runs already.
    Now,
    /// Later: it starts after us, and scans by itself.
    Later,
}

/// The result of a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// One plan a profile, `default` first.
    pub plans: Vec<ProfilePlan>,
    /// Failures besides those in the plans.
    pub failures: Vec<String>,
    /// Leftovers that were removed.
    pub swept: Vec<String>,
}

impl Pass {
    /// Did every profile and every sweep end as planned?
    pub fn has_succeeded(&self) -> bool {
        self.failures.is_empty() && self.plans.iter().all(|plan| plan.failure.is_none())
    }

    /// Those of these names that have no plan.
    fn ownerless(&self, profiles: Vec<Profile>) -> Vec<Profile> {
        let planned: BTreeSet<_> =
            self.plans.iter().filter_map(|plan| plan.profile.as_ref()).collect();
        profiles.into_iter().filter(|profile| !planned.contains(profile)).collect()
    }
}

impl RescanTiming {
    /// How long a pass waits for another command on a profile.
    ///
    /// Before the supervisor starts, such a command waits for the supervisor itself: waiting for it would be a
    /// deadlock, and it finishes the profile's slot as soon as the supervisor listens.
    fn patience(self) -> Duration {
        match self {
            Self::Now => Duration::from_secs(5),
            Self::Later => Duration::from_millis(200),
        }
    }
}

const SUPERVISED_TIMEOUT: Duration = Duration::from_secs(10);

/// Reports what a pass would do. Changes nothing.
pub async fn dry_run<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    bootstrap: Option<Intent>,
) -> Pass {
    let mut pass = Pass { plans: Vec::new(), failures: Vec::new(), swept: Vec::new() };
    for candidate in candidates(context, &mut pass).await {
        pass.plans.push(match candidate {
            Candidate::Profile(profile) => {
                plan::plan(observe::observe(context, &profile, bootstrap).await)
            }
            Candidate::Skipped(plan) => *plan,
        });
    }
    sweep::predict(context, &mut pass).await;
    pass
}

/// One pass.
pub async fn run<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    bootstrap: Option<Intent>,
    scan: RescanTiming,
) -> Pass {
    let mut pass = Pass { plans: Vec::new(), failures: Vec::new(), swept: Vec::new() };
    sweep::sweep_unfinished(context, scan, &mut pass).await;
    for candidate in candidates(context, &mut pass).await {
        pass.plans.push(match candidate {
            Candidate::Profile(profile) => {
                reconcile_profile(context, &profile, bootstrap, scan).await
            }
            Candidate::Skipped(plan) => *plan,
        });
        if planted!(WarningAborts) && pass.plans.iter().any(|plan| !plan.reasons.is_empty()) {
            break;
        }
    }
    sweep::sweep_ownerless(context, scan, &mut pass).await;
    sweep::sweep_locks(context, &mut pass).await;
    if scan == RescanTiming::Now {
        await_supervised(context, &mut pass).await;
    }
    if let Err(error) = write_log(context, &pass).await {
        pass.failures.push(error.to_string());
    }
    pass
}

enum Candidate {
    Profile(Profile),
    Skipped(Box<ProfilePlan>),
}

/// If the profiles' directory cannot be read, `default` still comes back, and the pass reports it.
async fn candidates<H: Host, S>(context: &OpsContext<'_, H, S>, pass: &mut Pass) -> Vec<Candidate> {
    let mut candidates = vec![Candidate::Profile(Profile::default_profile())];
    let survey = home::survey(context.host, context.layout).await.unwrap_or_else(|error| {
        pass.failures.push(error.to_string());
        Vec::new()
    });
    for found in survey {
        candidates.push(match found {
            SurveyEntry::Profile(profile) => Candidate::Profile(profile),
            SurveyEntry::Misnamed(name, error) => skipped(name, error.to_string()),
            SurveyEntry::Unreadable(name, error) => {
                let plan = ProfilePlan::skipped(name, error.to_string()).failed();
                Candidate::Skipped(Box::new(plan))
            }
            SurveyEntry::Unfinished(..) => continue,
        });
    }
    candidates
}

fn skipped(name: String, reason: String) -> Candidate {
    mark!("H32");
    Candidate::Skipped(Box::new(ProfilePlan::skipped(name, reason)))
}

/// A failed profile is tried once more: a transient failure must not keep a gateway down until the next boot.
async fn reconcile_profile<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    bootstrap: Option<Intent>,
    scan: RescanTiming,
) -> ProfilePlan {
    let plan = attempt(context, profile, bootstrap, scan).await;
    match plan {
        Ok(plan) if plan.failure.is_none() => plan,
        Err(LockError::Busy { .. }) => plan_or_lock_failure(profile, plan),
        _ => plan_or_lock_failure(profile, attempt(context, profile, bootstrap, scan).await),
    }
}

/// The plan, or why the profile's lock could not be had.
fn plan_or_lock_failure(profile: &Profile, plan: Result<ProfilePlan, LockError>) -> ProfilePlan {
    plan.unwrap_or_else(|error| {
        ProfilePlan::skipped(profile.to_string(), error.to_string()).failed()
    })
}

async fn attempt<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    bootstrap: Option<Intent>,
    scan: RescanTiming,
) -> Result<ProfilePlan, LockError> {
    let held = lock::acquire(context.host, context.layout, profile, scan.patience()).await?;
    let facts = observe::observe(context, profile, bootstrap).await;
    let mut plan = plan::plan(facts);
    apply::apply(context, profile, &mut plan).await;
    if let Err(error) = lock::release(context.host, held).await {
        plan.failure.get_or_insert(error.to_string());
    }
    Ok(plan)
}

/// Makes the supervisor scan, and waits until every new slot is supervised.
async fn await_supervised<H: Host, S: Registrar>(context: &OpsContext<'_, H, S>, pass: &mut Pass) {
    let unknown =
        |plan: &&mut ProfilePlan| plan.is_unsupervised && plan.slot != plan::SlotChange::None;
    if !pass.plans.iter_mut().any(|plan| unknown(&&mut *plan)) {
        return;
    }
    if let Err(error) = context.supervisor.rescan().await {
        pass.failures.push(error.to_string());
        return;
    }
    for plan in pass.plans.iter_mut().filter(unknown) {
        let Some(profile) = plan.profile.clone() else { continue };
        let live = context.supervisor.wait(&profile, Goal::Supervised, SUPERVISED_TIMEOUT).await;
        if let Err(error) = live {
            plan.failure = Some(error.to_string());
        }
    }
}

async fn write_log<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    pass: &Pass,
) -> Result<(), HostError> {
    let stamp = timestamp(context.host).await?;
    // `%Y-%m-%dT%H:%M:%S%z`, as upstream's readers expect it.
    let stamp = format!("{}+0000", stamp.split('.').next().unwrap_or_default());
    let lines: String = pass.plans.iter().map(|plan| plan.log_line(&stamp)).collect();
    file::make_dirs(context.host, &context.layout.logs(), 0o755).await?;
    boot_log::append(context.host, &context.layout.boot_log(), &lines).await
}
