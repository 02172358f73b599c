//! `hermes boot reconcile [--dry-run]`: one line a profile, as in the boot log.

use serde_json::{Value, json};

use crate::cli::args::ReconcileArgs;
use crate::cli::errors::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session::{self, Session};
use crate::host::Host;
use crate::ops::reconcile::{self, Pass, ProfilePlan, RescanTiming};
use crate::supervisor::{Registration, Supervisor as _};

/// Makes a pass, or shows the plan of one.
pub(super) async fn run<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    args: &ReconcileArgs,
) -> Result<Exit, CliError> {
    session.must_be_supervised("docker restart").await?;
    if session.backend.registration() == Registration::OnRequest {
        return Err(CliError::NoBoot(session.manager));
    }
    let bootstrap = session::bootstrap(session.invocation)?;
    let context = session.context();
    let pass = match args.dry_run {
        true => reconcile::dry_run(&context, bootstrap).await,
        false => reconcile::run(&context, bootstrap, RescanTiming::Now).await,
    };
    let printed = output.print_report(document(&pass, args.dry_run), &text(&pass)).await;
    for failure in &pass.failures {
        output.print_error(&format!("✗ {failure}\n")).await;
    }
    Ok(if pass.has_succeeded() { printed } else { Exit::Failed })
}

/// The pass as lines for people.
pub(super) fn text(pass: &Pass) -> String {
    let mut text = String::new();
    for plan in &pass.plans {
        let mark = if plan.failure.is_some() { '✗' } else { '✓' };
        text.push_str(&format!("{mark} {}  {}", plan.name, plan.action.as_str()));
        text.push_str(&format!(", was {}, slot {}", plan.prior_state, plan.slot.as_str()));
        for reason in plan.reasons.iter().chain(&plan.failure) {
            text.push_str(&format!(", {reason}"));
        }
        text.push('\n');
    }
    for name in &pass.swept {
        text.push_str(&format!("✓ {name}  swept\n"));
    }
    text
}

fn document(pass: &Pass, dry_run: bool) -> Value {
    json!({
        "dry_run": dry_run,
        "plans": pass.plans.iter().map(object).collect::<Vec<_>>(),
        "swept": pass.swept,
        "failures": pass.failures,
    })
}

fn object(plan: &ProfilePlan) -> Value {
    json!({
        "profile": plan.name,
        "prior_state": plan.prior_state,
        "intent": plan.intent.as_str(),
        "action": plan.action.as_str(),
        "slot": plan.slot.as_str(),
        "sweep": plan.sweep.iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>(),
        "reasons": plan.reasons,
        "error": plan.failure,
    })
}
