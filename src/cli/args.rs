//! The words of the command line, and the help. Parses; decides nothing.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::name::Profile;
use crate::record::users::Ids;

/// Brings every chat gateway back exactly as its operator left it.
#[derive(Debug, Parser)]
#[command(
    name = "hermes",
    version,
    after_help = "Examples:\n  hermes profile create coder        make a profile and its slot\n  hermes -p coder gateway start      start its gateway, now and after every restart\n  hermes gateway status --all        what is so, beside what was asked\n  hermes gateway stop --all          stop every gateway, and keep them stopped\n  hermes doctor                      what is wrong here, and what to do\n\nExit codes: 0 done · 1 failed, stderr says why · 2 usage · 3 status: down as intended ·\n4 status: not as intended · 75 restart asked · 78 the profile's configuration is wrong",
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// Profile to act on; `default` is the home itself
    #[arg(short, long, global = true, value_name = "NAME", value_parser = parse_profile)]
    pub profile: Option<Profile>,

    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub json: bool,

    /// Under systemd: the machine's own units, not the user's
    #[arg(long, global = true)]
    pub system: bool,

    /// What to do.
    #[command(subcommand)]
    pub command: CliCommand,
}

fn parse_profile(name: &str) -> Result<Profile, String> {
    Profile::parse(name).map_err(|error| error.to_string())
}

/// The first word.
#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// Make, remove, show and rename profiles
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// Run, start, stop and look at gateways
    #[command(subcommand)]
    Gateway(GatewayCommand),
    /// What a container does when it starts
    #[command(subcommand)]
    Boot(BootCommand),
    /// Check this machine and home, and say what to do
    #[command(after_help = "Exit code 1 if any check fails. Changes nothing.")]
    Doctor,
    /// Print a completion script
    #[command(after_help = "Example:\n  hermes completions bash > /etc/bash_completion.d/hermes")]
    Completions(CompletionsArgs),
    /// Write the manual pages into a directory
    #[command(after_help = "Example:\n  hermes man /usr/local/share/man/man1")]
    Man(ManArgs),
}

/// `hermes profile …`
#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// Make a profile and its slot; the gateway stays down until it is started
    #[command(
        after_help = "Example:\n  hermes profile create coder\n\nA name has a-z, 0-9, `_` and `-`, and begins with a letter or digit.\nWhere a crash cut an earlier create short, the same command finishes it."
    )]
    Create(NameArgs),
    /// Stop the gateway and remove the profile with its slot, files and logs
    #[command(
        after_help = "Example:\n  hermes profile delete coder -y\n\nA gateway that does not end in time keeps its profile."
    )]
    Delete(DeleteArgs),
    /// List all profiles
    List,
    /// Show one profile: files, port, intent
    Show(NameArgs),
    /// Give a profile another name; gateway, slot and logs follow
    #[command(after_help = "Example:\n  hermes profile rename coder writer")]
    Rename(RenameArgs),
}

/// A profile by its name.
#[derive(Debug, Args)]
pub struct NameArgs {
    /// The profile
    #[arg(value_name = "NAME", value_parser = parse_profile)]
    pub name: Profile,
}

/// `hermes profile delete`
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// The profile
    #[arg(value_name = "NAME", value_parser = parse_profile)]
    pub name: Profile,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Wait this long for the gateway to end
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

/// `hermes profile rename`
#[derive(Debug, Args)]
pub struct RenameArgs {
    /// The name it has
    #[arg(value_name = "OLD", value_parser = parse_profile)]
    pub old: Profile,
    /// The name it gets
    #[arg(value_name = "NEW", value_parser = parse_profile)]
    pub new: Profile,
}

/// `hermes gateway …`
#[derive(Debug, Subcommand)]
pub enum GatewayCommand {
    /// Be the gateway, in the foreground
    #[command(
        after_help = "Under a supervisor this is what a slot runs. As a container's command it starts the\nslot of `default` where nobody has said otherwise yet, and stays as the container's\nheartbeat.\n\nExit codes: 0 after a planned stop · 75 restart asked · 78 the configuration is wrong ·\n143 ended by a SIGTERM that nobody planned · else the command's own code"
    )]
    Run(RunArgs),
    /// Start the gateway, now and after every restart of the container
    #[command(
        after_help = "Examples:\n  hermes -p coder gateway start\n  hermes gateway start --all --timeout 30s"
    )]
    Start(LifecycleArgs),
    /// Stop the gateway, and keep it stopped
    #[command(
        after_help = "Examples:\n  hermes -p coder gateway stop\n  hermes gateway stop --all"
    )]
    Stop(LifecycleArgs),
    /// Restart the gateway; one that is down is started
    #[command(after_help = "Example:\n  hermes -p coder gateway restart")]
    Restart(LifecycleArgs),
    /// Say what is so, beside what was asked
    #[command(
        after_help = "Exit codes: 0 up as intended (with --all: all as intended) · 3 down as intended ·\n4 not as intended"
    )]
    Status(StatusArgs),
    /// List all gateways
    List,
    /// Print the gateway's log
    Logs(LogsArgs),
    /// Have the machine's supervisor look after the gateway
    #[command(
        after_help = "Writes the gateway's unit and has systemd know it; one whose operator wants it to run is\nstarted. Repeated, it brings the unit up to date. Under s6 the profile's slot comes with\nthe profile: there is nothing to install, and it says so.\n\nExamples:\n  hermes -p coder gateway install\n  hermes gateway install --all\n  sudo hermes --system -p coder gateway install"
    )]
    Install(InstallArgs),
    /// Stop the gateway, and take it out of the machine's supervisor
    #[command(after_help = "Example:\n  hermes -p coder gateway uninstall")]
    Uninstall(InstallArgs),
    /// Does the operator want the gateway to run? Exit code 0 if so, 1 if not
    #[command(hide = true)]
    Intended,
    /// Be the logger of a slot: a slot's `log/run`
    #[command(hide = true)]
    Log,
    /// Say whether a gateway that ended so is started again: a slot's `finish`
    #[command(hide = true)]
    Finish(FinishArgs),
}

/// `install` and `uninstall`
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// Every profile
    #[arg(long, conflicts_with = "profile")]
    pub all: bool,
}

/// `hermes gateway run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Be the gateway even where s6 could supervise it
    #[arg(long)]
    pub no_supervise: bool,
    /// Be a slot's child: take the container's environment, and as root become hermes
    #[arg(long, hide = true)]
    pub slot: bool,
    /// Write a newline to this descriptor when ready (s6's notification-fd)
    #[arg(long, value_name = "FD", value_parser = clap::value_parser!(i32).range(3..))]
    pub notify_fd: Option<i32>,
}

/// What s6-supervise tells a `finish`.
#[derive(Debug, Args)]
pub struct FinishArgs {
    /// The exit code; 256 if a signal ended the process
    pub code: u32,
    /// The signal, the service's name, and whatever later versions add
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub rest: Vec<OsString>,
}

/// `start`, `stop` and `restart`.
#[derive(Debug, Args)]
pub struct LifecycleArgs {
    /// Every profile
    #[arg(long, conflicts_with = "profile")]
    pub all: bool,
    /// Return as soon as the supervisor has been told
    #[arg(long, conflicts_with = "timeout")]
    pub no_wait: bool,
    /// Wait this long for the outcome (default 10s, or as long as a drain may take)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

/// `hermes gateway status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Every profile
    #[arg(long, conflicts_with = "profile")]
    pub all: bool,
}

/// `hermes gateway logs`
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Of all gateways that have a log, one after the other
    #[arg(long, conflicts_with_all = ["follow", "profile"])]
    pub all: bool,
    /// Go on as lines come
    #[arg(short, long)]
    pub follow: bool,
    /// So many lines from the end
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    pub lines: usize,
}

/// `hermes boot …`
#[derive(Debug, Subcommand)]
pub enum BootCommand {
    /// Give every profile its slot back, up or down as its operator left it
    #[command(
        after_help = "Run by the image at every start; on a live system it changes nothing that is as it\nshould be. One line a profile goes to logs/container-boot.log.\n\nExample:\n  hermes boot reconcile --dry-run --json"
    )]
    Reconcile(ReconcileArgs),
    /// Be the image's PID 1: prepare, then become s6-svscan
    Init(InitArgs),
    /// Become the s6-svscan that supervises gateways
    #[command(hide = true)]
    Tree(TreeArgs),
    /// Hand somebody else's scan directory over to hermes, and reconcile: a boot hook
    #[command(hide = true)]
    HandOver,
    /// Stop the gateways, then their loggers, then their s6-svscan
    #[command(hide = true)]
    Stop(BootStopArgs),
    /// Become the container's command
    #[command(hide = true)]
    Main(MainArgs),
    /// Have the container end as its command did
    #[command(hide = true)]
    MainFinish(FinishArgs),
    /// Say whether the gateways' tree is started again
    #[command(hide = true)]
    GatewaysFinish(FinishArgs),
    /// Exit as the container's command did: PID 1's last act
    #[command(hide = true)]
    ExitCode,
}

/// `hermes boot stop`
#[derive(Debug, Args)]
pub struct BootStopArgs {
    /// The scanner's process
    #[arg(value_name = "PID")]
    pub scanner: u32,
}

/// `hermes boot main`
#[derive(Debug, Args)]
pub struct MainArgs {
    /// Wait until the gateways are looked after
    #[arg(long)]
    pub wait: bool,
    /// Where the command starts
    #[arg(long, value_name = "DIR")]
    pub cwd: PathBuf,
    /// Whom it becomes
    #[arg(long, value_name = "UID:GID", value_parser = parse_ids)]
    pub user: Option<Ids>,
    /// The command
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// `hermes boot reconcile`
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// Only print the plan
    #[arg(long)]
    pub dry_run: bool,
}

/// `hermes boot init`
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The container's command
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// `hermes boot tree`
#[derive(Debug, Args)]
pub struct TreeArgs {
    /// Descriptor for s6-svscan's own readiness
    #[arg(long, value_name = "FD", default_value_t = 3)]
    pub notify_fd: i32,
}

/// `hermes completions`
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// For which shell
    pub shell: clap_complete::Shell,
}

/// `hermes man`
#[derive(Debug, Args)]
pub struct ManArgs {
    /// An existing directory
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

fn parse_ids(text: &str) -> Result<Ids, String> {
    let ids = text
        .split_once(':')
        .and_then(|(uid, gid)| Some(Ids { uid: uid.parse().ok()?, gid: gid.parse().ok()? }));
    ids.ok_or_else(|| "not two numbers: UID:GID".to_owned())
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => text
            .parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|duration| Duration::try_from(duration).ok()),
    };
    parsed
        .filter(|duration| *duration <= Duration::from_secs(24 * 60 * 60))
        .ok_or_else(|| "not a duration up to 24 h: write seconds, or text like 1m30s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_profile_may_stand_anywhere_before_the_dashes() {
        for line in
            ["hermes -p a gateway stop", "hermes gateway -p a stop", "hermes gateway stop -p a"]
        {
            let cli = Cli::try_parse_from(line.split(' ')).expect("legal");
            assert_eq!(cli.profile.map(|profile| profile.to_string()), Some("a".to_owned()));
        }
    }
}
