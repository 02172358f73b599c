//! What a pass must know of one profile before it decides. Only reads; a failure to read is a fact.

use crate::host::Host;
use crate::host::effect::Kind;
use crate::host::fs;
use crate::name::Profile;
use crate::ops::{Context, orphan};
use crate::record::identity;
use crate::record::intent::{self, Intent, Prior};
use crate::record::json::Reading;
use crate::record::{config, file, marker, state};
use crate::supervisor::{Registrar, Service};

/// All facts about one profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub profile: Profile,
    pub prior: Prior,
    /// The operator's word may be another: the machine could not read it just now.
    pub unread: Option<String>,
    /// What must be said about its files.
    pub oddities: Vec<String>,
    /// What its supervisor says, or why it cannot be asked.
    pub service: Result<Service, String>,
    /// A gateway of the profile holds its lock.
    pub held: bool,
    /// Names below the profile that mean nothing once no gateway lives.
    pub leftovers: Vec<Leftover>,
}

/// A file that belongs to a boot that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leftover {
    pub name: std::ffi::OsString,
    /// Not a file: it is left where it is, and said.
    pub odd: bool,
}

pub(super) async fn observe<H: Host, S: Registrar>(
    context: &Context<'_, H, S>,
    profile: &Profile,
    bootstrap: Option<Intent>,
) -> Facts {
    let (host, layout) = (context.host, context.layout);
    let record = intent::read(host, &layout.intent(profile)).await;
    let state = state::read(host, &layout.state(profile)).await;
    let bootstrap = bootstrap.filter(|_| profile.is_default());
    let prior = intent::at_boot(&record, &state, bootstrap);
    let mut oddities: Vec<String> =
        intent::oddities(&record, &state).iter().map(ToString::to_string).collect();
    if prior.unknown {
        mark!("H33");
        oddities.push(format!("unknown word {:?} in {}", prior.word, prior.source.word()));
    }
    let config_error = config::read(host, &layout.config(profile)).await.err();
    oddities.extend(config_error.map(|error| error.to_string()));
    let held = match orphan::is_held(host, layout, profile).await {
        Ok(held) => held,
        Err(error) => {
            oddities.push(error.to_string());
            false
        }
    };
    let service = context.supervisor.status(profile).await.map_err(|error| error.to_string());
    let lives = held || matches!(&service, Ok(service) if service.pid().is_some());
    let leftovers = leftovers(context, profile, lives, &mut oddities).await;
    let unread = intent::unread(&record, &state).map(ToString::to_string);
    oddities.retain(|oddity| Some(oddity) != unread.as_ref());
    Facts { profile: profile.clone(), prior, unread, oddities, service, held, leftovers }
}

/// While a gateway lives, its files are its own; only a marker that names another process is stale even then.
async fn leftovers<H: Host, S>(
    context: &Context<'_, H, S>,
    profile: &Profile,
    lives: bool,
    oddities: &mut Vec<String>,
) -> Vec<Leftover> {
    let (host, layout) = (context.host, context.layout);
    let dir = layout.profile(profile);
    let names = match file::names(host, &dir).await {
        Ok(names) => names,
        Err(error) => {
            oddities.push(error.to_string());
            return Vec::new();
        }
    };
    let pid_bound = [layout.pid(profile), layout.processes(profile)];
    let marker = layout.marker(profile);
    let mut leftovers = Vec::new();
    for name in names {
        let path = dir.join(&name);
        let stale = if path == marker {
            is_stale_marker(host, &path).await
        } else {
            let kept = lives || planted!(StalePidFilesKept);
            !kept && (pid_bound.contains(&path) || file::is_temporary(&name))
        };
        if stale {
            mark!("R8");
            let kind = fs::link_meta(host, &path).await.map(|meta| meta.kind);
            leftovers.push(Leftover { name, odd: matches!(kind, Ok(Kind::Directory)) });
        }
    }
    leftovers
}

async fn is_stale_marker(host: &impl Host, path: &std::path::Path) -> bool {
    let Reading::Whole(marker) = marker::read(host, path).await else { return true };
    let Ok(boot) = identity::boot(host).await else { return false };
    let stale = matches!(identity::is_alive(host, &boot, &marker.target).await, Ok(false));
    if stale {
        mark!("H14");
    }
    stale
}
