//! `hermes profile create NAME`.

use serde_json::json;

use crate::cli::args::NameArgs;
use crate::cli::errors::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::detect::Manager;
use crate::host::Host;
use crate::ops::profiles;

/// Makes a profile and its slot.
pub(super) async fn run<H: Host>(
    session: &Session<'_, H>,
    output: &Output<'_, H>,
    args: &NameArgs,
) -> Result<Exit, CliError> {
    let name = &args.name;
    let created = profiles::create(&session.context(), name).await?;
    let mut notes = Vec::new();
    if created.adopted {
        notes.push(format!(
            "`{}` was there already and was kept",
            session.layout.profile(name).display()
        ));
    }
    for rival in &created.port_rivals {
        notes.push(format!(
            "profiles '{name}' and '{rival}' have the same port: set `port` in one's gateway.toml"
        ));
    }
    output.print_notes(&notes).await;
    let text = match (session.manager, created.finished) {
        (Manager::S6, false) if created.starts => {
            format!("✓ Created profile '{name}'; its gateway starts, as its files ask\n")
        }
        (Manager::S6, false) => format!(
            "✓ Created profile '{name}'; its gateway is down: start it with `hermes -p {name} gateway start`\n"
        ),
        (Manager::S6, true) => format!("✓ Profile '{name}' was there; made its missing slot\n"),
        (Manager::Systemd(_) | Manager::Launchd | Manager::Windows, _) => format!(
            "✓ Created profile '{name}'; `hermes -p {name} gateway install` has {} look after its gateway\n",
            session.manager
        ),
        _ => format!("✓ Created profile '{name}'; nobody supervises gateways here\n"),
    };
    let document = json!({
        "profile": name.as_str(),
        "outcome": if created.finished { "finished" } else { "created" },
        "notes": notes,
    });
    Ok(output.print_report(document, &text).await)
}
