//! Which intents a command line may write, as the production parser reads it.

use std::collections::BTreeSet;

use clap::Parser as _;
use hermes::cli::args::{
    BootCommand, Cli, CliCommand as C, GatewayCommand as G, ProfileCommand as P,
};
use hermes::name::Profile;

use super::IntentSet;
use crate::machine::world::World;
use crate::observe::recorded_intent::{self, ObservedIntent};
use crate::observe::volume;

/// The profiles that a verb is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `--all`.
    All,
    /// One profile.
    One(Profile),
}

/// Does this command end only when the state it asks for is reached? With `--no-wait` it ends at once.
pub fn is_awaited(argv: &[String]) -> bool {
    !argv.iter().any(|word| word == "--no-wait")
}

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ParsedCommand {
    /// `start`, `restart`: running; `stop`: stopped.
    SetIntent(ObservedIntent, Scope),
    /// `profile create`.
    Create(Profile),
    /// `profile delete`.
    Delete(Profile),
    /// `profile rename`.
    Rename(Profile, Profile),
    /// `gateway install`.
    Install(Scope),
    /// `gateway uninstall`, which also stops what it removes.
    Uninstall(Scope),
    /// `boot …`, without `--dry-run`.
    Boot,
    /// `gateway run`.
    Run(Profile),
    /// A read-only command.
    ReadOnly,
    /// A command that concerns no intent: `man`, or a line that does not parse.
    Other,
}

impl ParsedCommand {
    /// Reads a command line, with the program's name or without.
    pub fn parse(argv: &[String]) -> Self {
        let is_program = |word: &String| word == "hermes" || word.ends_with("/hermes");
        let words = if argv.first().is_some_and(is_program) { &argv[1..] } else { argv };
        let program = "hermes".to_owned();
        match Cli::try_parse_from(std::iter::once(&program).chain(words)) {
            Ok(cli) => Self::from_cli(cli),
            Err(_) => Self::Other,
        }
    }

    fn from_cli(cli: Cli) -> Self {
        let profile = cli.profile.unwrap_or_else(Profile::default_profile);
        let scope = |all| if all { Scope::All } else { Scope::One(profile.clone()) };
        match cli.command {
            C::Gateway(G::Start(act) | G::Restart(act)) => {
                Self::SetIntent(ObservedIntent::Running, scope(act.all))
            }
            C::Gateway(G::Stop(act)) => Self::SetIntent(ObservedIntent::Stopped, scope(act.all)),
            C::Gateway(G::Run(_)) => Self::Run(profile),
            C::Gateway(G::Status(_) | G::List | G::Logs(_) | G::Intended) => Self::ReadOnly,
            C::Gateway(G::Install(act)) => Self::Install(scope(act.all)),
            C::Gateway(G::Uninstall(act)) => Self::Uninstall(scope(act.all)),
            C::Profile(P::Create(named)) => Self::Create(named.name),
            C::Profile(P::Delete(delete)) => Self::Delete(delete.name),
            C::Profile(P::Rename(rename)) => Self::Rename(rename.old, rename.new),
            C::Profile(P::List | P::Show(_)) | C::Doctor | C::Completions(_) => Self::ReadOnly,
            C::Boot(BootCommand::Reconcile(reconcile)) if reconcile.dry_run => Self::ReadOnly,
            C::Boot(
                BootCommand::Init(_)
                | BootCommand::Tree(_)
                | BootCommand::Reconcile(_)
                | BootCommand::HandOver,
            ) => Self::Boot,
            // The commands of scripts concern no operator's intent.
            C::Gateway(G::Log | G::Finish(_)) | C::Boot(_) | C::Man(_) => Self::Other,
        }
    }

    /// May it write an operator's intent?
    pub fn may_write_intent(&self) -> bool {
        !matches!(self, Self::ReadOnly | Self::Other)
    }

    /// Must it say why it failed? The exit code of `gateway run` is that of the gateway's own command.
    pub fn must_explain(&self, code: u8) -> bool {
        match self {
            Self::Run(_) => false,
            Self::ReadOnly => !matches!(code, 3 | 4),
            _ => true,
        }
    }

    /// The existing profiles whose intents, slots or gateways it may change.
    pub fn affected_profiles(&self, world: &World) -> BTreeSet<Profile> {
        match self {
            Self::SetIntent(_, Scope::All)
            | Self::Install(Scope::All)
            | Self::Uninstall(Scope::All)
            | Self::Boot => volume::profiles(world),
            Self::SetIntent(_, Scope::One(profile))
            | Self::Install(Scope::One(profile))
            | Self::Uninstall(Scope::One(profile))
            | Self::Create(profile)
            | Self::Delete(profile)
            | Self::Run(profile) => BTreeSet::from([profile.clone()]),
            Self::Rename(old, new) => BTreeSet::from([old.clone(), new.clone()]),
            Self::ReadOnly | Self::Other => BTreeSet::new(),
        }
    }

    /// May it change anything about this profile?
    pub fn concerns(&self, profile: &Profile) -> bool {
        match self {
            Self::SetIntent(_, Scope::All)
            | Self::Install(Scope::All)
            | Self::Uninstall(Scope::All)
            | Self::Boot => true,
            Self::SetIntent(_, Scope::One(one))
            | Self::Install(Scope::One(one))
            | Self::Uninstall(Scope::One(one))
            | Self::Create(one)
            | Self::Delete(one)
            | Self::Run(one) => one == profile,
            Self::Rename(old, new) => old == profile || new == profile,
            Self::ReadOnly | Self::Other => false,
        }
    }

    /// The intents that may be in force on a profile once the command has begun, beside those that may be in force before.
    pub fn allowed_intents(
        &self,
        world: &World,
        profile: &Profile,
        before: IntentSet,
    ) -> IntentSet {
        match self {
            Self::SetIntent(intent, _) if volume::profile_exists(world, profile) => {
                IntentSet::only(*intent)
            }
            // Another command may have made the profile meanwhile.
            Self::SetIntent(intent, _) if before != IntentSet::only(ObservedIntent::NoProfile) => {
                IntentSet::only(*intent)
            }
            Self::Create(_) => {
                let files =
                    recorded_intent::from_inferred(&volume::inferred_intent(world, profile));
                IntentSet::only(files).with(ObservedIntent::NoProfile)
            }
            Self::Uninstall(_) if volume::profile_exists(world, profile) => {
                IntentSet::only(ObservedIntent::Stopped)
            }
            Self::Delete(_) => {
                [ObservedIntent::Stopped, ObservedIntent::NoProfile].into_iter().collect()
            }
            Self::Rename(old, _) if old == profile => IntentSet::only(ObservedIntent::NoProfile),
            Self::Run(_) if before.has(ObservedIntent::Unset) => {
                [ObservedIntent::Running, ObservedIntent::Stopped].into_iter().collect()
            }
            _ => IntentSet::default(),
        }
    }
}
