//! Observes what a pass must know of one profile before it decides. Only reads; a failure to read is an observation,
//! too.

use crate::host::Host;
use crate::host::effect::FileKind;
use crate::host::fs;
use crate::name::Profile;
use crate::ops::{OpsContext, orphan};
use crate::record::identity;
use crate::record::intent::{self, InferredIntent, Intent};
use crate::record::json::Reading;
use crate::record::{config, file, marker, state};
use crate::supervisor::{Registrar, Service};

/// All facts about one profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Observation {
    pub profile: Profile,
    pub inferred_intent: InferredIntent,
    /// The intent may be different: it could not be read just now.
    pub unreadable_intent: Option<String>,
    /// Read warnings about its files.
    pub warnings: Vec<String>,
    /// The service's status, or why it cannot be read.
    pub service: Result<Service, String>,
    /// A gateway of the profile holds its lock.
    pub is_locked: bool,
    /// Names below the profile that mean nothing once no gateway lives.
    pub stale_files: Vec<StaleFile>,
}

/// A file of an earlier boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StaleFile {
    pub name: std::ffi::OsString,
    /// Not a file: it is left in place and reported.
    pub is_directory: bool,
}

pub(super) async fn observe<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    bootstrap: Option<Intent>,
) -> Observation {
    let (host, layout) = (context.host, context.layout);
    let record = intent::read(host, &layout.intent(profile)).await;
    let state = state::read(host, &layout.state(profile)).await;
    let bootstrap = bootstrap.filter(|_| profile.is_default());
    let inferred = intent::infer(&record, &state, bootstrap);
    let mut warnings: Vec<String> =
        intent::read_warnings(&record, &state).iter().map(ToString::to_string).collect();
    if inferred.is_unknown {
        mark!("H33");
        warnings.push(format!("unknown word {:?} in {}", inferred.value, inferred.source.as_str()));
    }
    let config_error = config::read(host, &layout.config(profile)).await.err();
    warnings.extend(config_error.map(|error| error.to_string()));
    let held = match orphan::is_gateway_locked(host, layout, profile).await {
        Ok(held) => held,
        Err(error) => {
            warnings.push(error.to_string());
            false
        }
    };
    let service = context.supervisor.status(profile).await.map_err(|error| error.to_string());
    let lives = held || matches!(&service, Ok(service) if service.pid().is_some());
    let leftovers = find_stale_files(context, profile, lives, &mut warnings).await;
    let unread = intent::transient_warning(&record, &state).map(ToString::to_string);
    warnings.retain(|warning| Some(warning) != unread.as_ref());
    Observation {
        profile: profile.clone(),
        inferred_intent: inferred,
        unreadable_intent: unread,
        warnings,
        service,
        is_locked: held,
        stale_files: leftovers,
    }
}

/// While a gateway lives, its files belong to it; only a marker that names another process is stale even then.
async fn find_stale_files<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    lives: bool,
    warnings: &mut Vec<String>,
) -> Vec<StaleFile> {
    let (host, layout) = (context.host, context.layout);
    let dir = layout.profile(profile);
    let names = match file::list_names(host, &dir).await {
        Ok(names) => names,
        Err(error) => {
            warnings.push(error.to_string());
            return Vec::new();
        }
    };
    let pid_bound = [layout.pidfile(profile), layout.processes(profile)];
    let marker = layout.marker(profile);
    let mut leftovers = Vec::new();
    for name in names {
        let path = dir.join(&name);
        let stale = if path == marker {
            is_stale_marker(host, &path).await
        } else {
            let is_kept = lives || planted!(StalePidFilesKept);
            !is_kept && (pid_bound.contains(&path) || file::is_temporary(&name))
        };
        if stale {
            mark!("R8");
            let kind = fs::link_meta(host, &path).await.map(|meta| meta.kind);
            leftovers
                .push(StaleFile { name, is_directory: matches!(kind, Ok(FileKind::Directory)) });
        }
    }
    leftovers
}

async fn is_stale_marker(host: &impl Host, path: &std::path::Path) -> bool {
    let Reading::Whole(marker) = marker::read(host, path).await else { return true };
    let Ok(boot) = identity::current_boot(host).await else { return false };
    let stale = matches!(identity::is_alive(host, &boot, &marker.target).await, Ok(false));
    if stale {
        mark!("H14");
    }
    stale
}
