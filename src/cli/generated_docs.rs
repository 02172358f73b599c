//! `hermes completions SHELL` and `hermes man DIR`: both are generated from the same definitions as the help.

use clap::CommandFactory as _;
use serde_json::json;

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::exit::Exit;
use super::output::Output;
use crate::host::Host;
use crate::record::file;

/// Prints a completion script.
pub(super) async fn completions<H: Host>(output: &Output<'_, H>, args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hermes", &mut script);
    let script = String::from_utf8_lossy(&script);
    output.print_report(json!({ "script": script }), &script).await
}

/// Writes one page a command: `hermes.1`, `hermes-gateway-start.1`, ….
pub(super) async fn man<H: Host>(output: &Output<'_, H>, args: &ManArgs) -> Exit {
    let mut command = Cli::command();
    command.build();
    let mut pages = Vec::new();
    collect(&command, "hermes", &mut pages);
    for (name, page) in &pages {
        let path = args.dir.join(name);
        if let Err(error) = file::replace(output.host, &path, page, 0o644).await {
            return output.print_failure(&error.into()).await;
        }
    }
    let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
    let text = format!("✓ Wrote {} pages to `{}`\n", pages.len(), args.dir.display());
    output.print_report(json!({ "pages": names }), &text).await
}

fn collect(command: &clap::Command, name: &str, pages: &mut Vec<(String, Vec<u8>)>) {
    let mut page = Vec::new();
    // Rendering into memory cannot fail.
    let _ = clap_mangen::Man::new(command.clone().name(name.to_owned())).render(&mut page);
    pages.push((format!("{name}.1"), page));
    for below in
        command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
    {
        collect(below, &format!("{name}-{}", below.get_name()), pages);
    }
}
