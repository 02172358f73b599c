//! `profile create`: the directory is built under a hidden name, `SOUL.md` last, shown by one rename; then the slot.

use std::path::Path;

use super::{hidden_name, port_rivals, register, sync_profiles};
use crate::error::{Errno, HostError};
use crate::host::{Host, fs};
use crate::name::Profile;
use crate::ops::{Context, OpsError, Patience, home};
use crate::record::intent::{self, Intent};
use crate::record::{file, lock, state};
use crate::supervisor::{Presence, Registrar, Registration, Want};

/// What creating found and made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The profile was there; only its slot was missing.
    pub finished: bool,
    /// Its directory was there, without `SOUL.md`; what it holds was kept.
    pub adopted: bool,
    /// Its files say that it should run, and so it does.
    pub starts: bool,
    /// Other profiles with the same port.
    pub port_rivals: Vec<Profile>,
}

/// What was made of the profile's directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    New,
    Adopted,
    There,
}

/// Makes a profile and its slot, which is down until somebody starts it.
pub async fn create<H: Host, S: Registrar>(
    context: &Context<'_, H, S>,
    profile: &Profile,
) -> Result<Created, OpsError> {
    let timeout = Patience::Usual.for_lock();
    let held = lock::acquire(context.host, context.layout, profile, timeout).await?;
    let created = create_locked(context, profile).await;
    lock::release(context.host, held).await?;
    created
}

async fn create_locked<H: Host, S: Registrar>(
    context: &Context<'_, H, S>,
    profile: &Profile,
) -> Result<Created, OpsError> {
    let made = match home::exists(context.host, context.layout, profile).await? {
        true => Made::There,
        false => make(context, profile).await?,
    };
    if made == Made::There {
        if context.supervisor.registration() == Registration::OnRequest {
            return Err(OpsError::ProfileExists(profile.clone()));
        }
        let presence = context.supervisor.status(profile).await?.presence;
        if matches!(presence, Presence::Supervised | Presence::Foreground) {
            return Err(OpsError::ProfileExists(profile.clone()));
        }
    }
    let port_rivals = port_rivals(context.host, context.layout, profile).await?;
    let at_start = at_start(context, profile).await;
    if let Err(error) = settle(context, profile, at_start).await {
        mark!("R13");
        // Nothing is left of a profile that could not be made whole; what cannot be undone, the next boot finishes.
        let _ = unmake(context, profile, made).await;
        return Err(error);
    }
    Ok(Created {
        finished: made == Made::There,
        adopted: made == Made::Adopted,
        starts: at_start == Want::Up
            && context.supervisor.registration() == Registration::WithProfile,
        port_rivals,
    })
}

/// Makes the profile's name durable, whoever gave it, and its slot live.
async fn settle<H: Host, S: Registrar>(
    context: &Context<'_, H, S>,
    profile: &Profile,
    at_start: Want,
) -> Result<(), OpsError> {
    sync_profiles(context).await?;
    match context.supervisor.registration() {
        Registration::WithProfile => register(context, profile, at_start).await,
        Registration::OnRequest => Ok(()),
    }
}

/// Down, unless the profile's files say otherwise: it was copied in, or a rename was cut short.
async fn at_start<H: Host, S>(context: &Context<'_, H, S>, profile: &Profile) -> Want {
    let record = intent::read(context.host, &context.layout.intent(profile)).await;
    let state = state::read(context.host, &context.layout.state(profile)).await;
    match intent::at_boot(&record, &state, None).intent {
        Intent::Running => {
            mark!("H24");
            Want::Up
        }
        Intent::Stopped => Want::Down,
    }
}

async fn make<H: Host, S>(
    context: &Context<'_, H, S>,
    profile: &Profile,
) -> Result<Made, HostError> {
    file::make_dirs(context.host, &context.layout.profiles(), 0o755).await?;
    // Whoever made the directory may have been killed, or be on the way, before its name was durable.
    file::sync_dir(context.host, context.layout.root()).await?;
    let stage = loop {
        let stage = hidden_name(context, home::NEW, profile).await?;
        match fs::make_dir(context.host, &stage, 0o755).await {
            Ok(()) => break stage,
            Err(error) if error.errno == Errno::EXIST => {}
            Err(error) => return Err(error),
        }
    };
    let shown = fill_and_show(context, profile, &stage).await;
    if !matches!(shown, Ok(Made::New)) {
        // A stage that stays is hidden, and taken away at the next boot.
        let _ = file::remove_tree(context.host, &stage).await;
    }
    shown
}

async fn fill_and_show<H: Host, S>(
    context: &Context<'_, H, S>,
    profile: &Profile,
    stage: &Path,
) -> Result<Made, HostError> {
    let soul = soul(profile);
    file::replace(context.host, &stage.join("SOUL.md"), soul.as_bytes(), 0o644).await?;
    let dir = context.layout.profile(profile);
    match file::rename_new(context.host, stage, &dir).await {
        Ok(()) => Ok(Made::New),
        // A directory without SOUL.md: somebody prepared it. It becomes the profile as it is.
        Err(error) if error.errno == Errno::EXIST => {
            let path = context.layout.soul(profile);
            file::replace(context.host, &path, soul.as_bytes(), 0o644).await?;
            Ok(Made::Adopted)
        }
        Err(error) => Err(error),
    }
}

fn soul(profile: &Profile) -> String {
    format!("# {profile}\n\nWho this profile is. Its gateway's set-up is in `gateway.toml`.\n")
}

async fn unmake<H: Host, S>(
    context: &Context<'_, H, S>,
    profile: &Profile,
    made: Made,
) -> Result<(), HostError> {
    match made {
        Made::There => Ok(()),
        Made::Adopted => file::remove(context.host, &context.layout.soul(profile)).await.map(drop),
        Made::New => super::delete::remove_dir(context, profile).await,
    }
}
