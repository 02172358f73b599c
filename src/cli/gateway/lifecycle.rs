//! `hermes gateway start | stop | restart [--all]`: one line says what happened.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cli::args::LifecycleArgs;
use crate::cli::errors::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::host::Host;
use crate::name::Profile;
use crate::ops::lifecycle::{self, LifecycleOutcome, ProfileResult, Verb};
use crate::ops::{OpsError, Patience, home};
use crate::supervisor::Registrar;

/// Applies the verb to one gateway or to all.
pub(super) async fn run<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    verb: Verb,
    args: &LifecycleArgs,
) -> Exit {
    let docker = match verb {
        Verb::Start => "docker start",
        Verb::Stop => "docker stop",
        Verb::Restart => "docker restart",
    };
    if let Err(error) = session.must_be_supervised(docker).await {
        return output.print_failure(&error).await;
    }
    let patience = match (args.no_wait, args.timeout) {
        (true, _) => Patience::NoWait,
        (false, Some(timeout)) => Patience::For(timeout),
        (false, None) => Patience::Usual,
    };
    match args.all {
        true => run_all(session, output, verb, patience).await,
        false => run_one(session, output, verb, patience).await,
    }
}

async fn run_one<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    verb: Verb,
    patience: Patience,
) -> Exit {
    match lifecycle::run(&session.context(), &session.profile, verb, patience).await {
        Ok((done, notes)) => {
            output.print_notes(&notes).await;
            let text = format!("✓ {}\n", sentence(&session.profile, verb, &done));
            let result = result_json(&session.profile, &done, &notes);
            output.print_report(json!({ "results": [result] }), &text).await
        }
        Err(error) => output.print_failure(&error.into()).await,
    }
}

async fn run_all<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    verb: Verb,
    patience: Patience,
) -> Exit {
    let profiles = match profiles_and_slots(session).await {
        Ok(profiles) => profiles,
        Err(error) => return output.print_failure(&error.into()).await,
    };
    let shares = lifecycle::run_all(&session.context(), &profiles, verb, patience).await;
    let total = shares.len();
    let mut done_count = 0;
    let mut results = Vec::new();
    for ProfileResult { profile, result: share } in shares {
        match share {
            Ok((done, notes)) => {
                done_count += 1;
                output.print_notes(&notes).await;
                results.push(result_json(&profile, &done, &notes));
            }
            Err(error) => {
                let error = CliError::from(error);
                output.print_error(&error.to_text()).await;
                let profile = profile.as_str();
                results.push(json!({ "profile": profile, "error": error.to_json() }));
            }
        }
    }
    let text = summary(verb, patience, done_count, total);
    let printed = output.print_report(json!({ "results": results }), &text).await;
    if done_count == total || planted!(HalfFailureIsSuccess) {
        return printed;
    }
    mark!("H47");
    Exit::Failed
}

/// All real profiles, and all other slots: a slot whose profile is gone can still be stopped.
async fn profiles_and_slots<H: Host>(
    session: &Session<'_, H>,
) -> Result<BTreeSet<Profile>, OpsError> {
    let mut profiles: BTreeSet<Profile> =
        home::profiles(session.host, &session.layout).await?.into_iter().collect();
    profiles.extend(session.backend.list().await?.profiles);
    Ok(profiles)
}

fn summary(verb: Verb, patience: Patience, done: usize, total: usize) -> String {
    let participle = match (verb, patience) {
        (_, Patience::NoWait) => "Told",
        (Verb::Start, _) => "Started",
        (Verb::Stop, _) => "Stopped",
        (Verb::Restart, _) => "Restarted",
    };
    let count = if done == total { total.to_string() } else { format!("{done} of {total}") };
    let mark = if done == 0 && total > 0 { '✗' } else { '✓' };
    let noun = if total == 1 { "gateway" } else { "gateways" };
    format!("{mark} {participle} {count} {noun}\n")
}

fn sentence(profile: &Profile, verb: Verb, done: &LifecycleOutcome) -> String {
    match done {
        LifecycleOutcome::Started(pid) => {
            format!("Started gateway '{profile}' (pid {})", pid.raw())
        }
        LifecycleOutcome::AlreadyRunning(pid) => {
            format!("Gateway '{profile}' is running already (pid {})", pid.raw())
        }
        LifecycleOutcome::Restarted(pid) => {
            format!("Restarted gateway '{profile}' (pid {})", pid.raw())
        }
        LifecycleOutcome::Stopped => format!("Stopped gateway '{profile}'"),
        LifecycleOutcome::AlreadyStopped => format!("Gateway '{profile}' is stopped already"),
        LifecycleOutcome::Requested => {
            let verb = match verb {
                Verb::Start => "start",
                Verb::Stop => "stop",
                Verb::Restart => "restart",
            };
            format!("Told gateway '{profile}' to {verb}; not waiting for it")
        }
    }
}

fn result_json(profile: &Profile, done: &LifecycleOutcome, notes: &[String]) -> Value {
    let (outcome, pid) = match done {
        LifecycleOutcome::Started(pid) => ("started", Some(pid)),
        LifecycleOutcome::AlreadyRunning(pid) => ("already-running", Some(pid)),
        LifecycleOutcome::Restarted(pid) => ("restarted", Some(pid)),
        LifecycleOutcome::Stopped => ("stopped", None),
        LifecycleOutcome::AlreadyStopped => ("already-stopped", None),
        LifecycleOutcome::Requested => ("requested", None),
    };
    json!({
        "profile": profile.as_str(),
        "outcome": outcome,
        "pid": pid.map(|pid| pid.raw()),
        "notes": notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(4, 4, "✓ Stopped 4 gateways\n")]
    #[case(3, 4, "✓ Stopped 3 of 4 gateways\n")]
    #[case(0, 4, "✗ Stopped 0 of 4 gateways\n")]
    #[case(1, 1, "✓ Stopped 1 gateway\n")]
    fn the_summary_counts(#[case] done: usize, #[case] total: usize, #[case] expected: &str) {
        assert_eq!(summary(Verb::Stop, Patience::Usual, done, total), expected);
    }
}
