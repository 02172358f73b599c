//! `profile create`: the directory is built under a hidden name, `SOUL.md` last, shown by one rename; then the slot.

use std::path::Path;

use super::{hidden_name, port_rivals, register, sync_profiles};
use crate::error::{Errno, HostError};
use crate::host::{Host, fs};
use crate::name::Profile;
use crate::ops::{OpsContext, OpsError, Patience, home};
use crate::record::intent::{self, Intent};
use crate::record::{file, lock, state, tree};
use crate::supervisor::{Presence, Registrar, Registration, TargetState};

/// What creating a profile found and made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The profile was there; only its slot was missing.
    pub finished: bool,
    /// Its directory was there, without `SOUL.md`; what it holds was kept.
    pub adopted: bool,
    /// Its files say that it should run, and it was started.
    pub starts: bool,
    /// Other profiles with the same port.
    pub port_rivals: Vec<Profile>,
}

/// What was done with the profile's directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DirOrigin {
    New,
    Adopted,
    There,
}

/// Makes a profile and its slot, which is down until it is started.
pub async fn create<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
) -> Result<Created, OpsError> {
    let timeout = Patience::Usual.for_lock();
    let held = lock::acquire(context.host, context.layout, profile, timeout).await?;
    let created = create_locked(context, profile).await;
    lock::release(context.host, held).await?;
    created
}

async fn create_locked<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
) -> Result<Created, OpsError> {
    let made = match home::exists(context.host, context.layout, profile).await? {
        true => DirOrigin::There,
        false => make_dir(context, profile).await?,
    };
    if made == DirOrigin::There {
        if context.supervisor.registration() == Registration::OnRequest {
            return Err(OpsError::ProfileExists(profile.clone()));
        }
        let presence = context.supervisor.status(profile).await?.presence;
        if matches!(presence, Presence::Supervised | Presence::Foreground) {
            return Err(OpsError::ProfileExists(profile.clone()));
        }
    }
    let port_rivals = port_rivals(context.host, context.layout, profile).await?;
    let at_start = inferred_at_start(context, profile).await;
    if let Err(error) = sync_and_register(context, profile, at_start).await {
        mark!("R13");
        // A profile that could not be completed is removed; if that fails too, the next boot removes it.
        let _ = remove_made(context, profile, made).await;
        return Err(error);
    }
    Ok(Created {
        finished: made == DirOrigin::There,
        adopted: made == DirOrigin::Adopted,
        starts: at_start == TargetState::Up
            && context.supervisor.registration() == Registration::WithProfile,
        port_rivals,
    })
}

/// Makes the profile's name durable, whether or not this command made it, and its slot live.
async fn sync_and_register<H: Host, S: Registrar>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    at_start: TargetState,
) -> Result<(), OpsError> {
    sync_profiles(context).await?;
    match context.supervisor.registration() {
        Registration::WithProfile => register(context, profile, at_start).await,
        Registration::OnRequest => Ok(()),
    }
}

/// Down, unless the profile's files say otherwise: it was copied in, or a rename was interrupted.
async fn inferred_at_start<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
) -> TargetState {
    let record = intent::read(context.host, &context.layout.intent(profile)).await;
    let state = state::read(context.host, &context.layout.state(profile)).await;
    match intent::infer(&record, &state, None).intent {
        Intent::Running => {
            mark!("H24");
            TargetState::Up
        }
        Intent::Stopped => TargetState::Down,
    }
}

async fn make_dir<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
) -> Result<DirOrigin, HostError> {
    file::make_dirs(context.host, &context.layout.profiles(), 0o755).await?;
    // The command that made the directory may have been killed before its name was durable, or may still be at work.
    file::sync_dir(context.host, context.layout.root()).await?;
    let stage = loop {
        let stage = hidden_name(context, home::NEW_PREFIX, profile).await?;
        match fs::make_dir(context.host, &stage, 0o755).await {
            Ok(()) => break stage,
            Err(error) if error.errno == Errno::EXIST => {}
            Err(error) => return Err(error),
        }
    };
    let placed = fill_and_place(context, profile, &stage).await;
    if !matches!(placed, Ok(DirOrigin::New)) {
        // A stage that stays is hidden, and removed at the next boot.
        let _ = tree::remove(context.host, &stage).await;
    }
    placed
}

async fn fill_and_place<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    stage: &Path,
) -> Result<DirOrigin, HostError> {
    let soul = soul(profile);
    file::replace(context.host, &stage.join("SOUL.md"), soul.as_bytes(), 0o644).await?;
    let dir = context.layout.profile(profile);
    match file::rename_new(context.host, stage, &dir).await {
        Ok(()) => Ok(DirOrigin::New),
        // A directory without SOUL.md was prepared by the operator. It becomes the profile as it is.
        Err(error) if error.errno == Errno::EXIST => {
            let path = context.layout.soul_file(profile);
            file::replace(context.host, &path, soul.as_bytes(), 0o644).await?;
            Ok(DirOrigin::Adopted)
        }
        Err(error) => Err(error),
    }
}

fn soul(profile: &Profile) -> String {
    format!("# {profile}\n\nWho this profile is. Its gateway's set-up is in `gateway.toml`.\n")
}

async fn remove_made<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
    made: DirOrigin,
) -> Result<(), HostError> {
    match made {
        DirOrigin::There => Ok(()),
        DirOrigin::Adopted => {
            file::remove(context.host, &context.layout.soul_file(profile)).await.map(drop)
        }
        DirOrigin::New => super::delete::remove_dir(context, profile).await,
    }
}
