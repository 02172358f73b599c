//! Finds the profiles of a home. A directory is a profile if it holds `SOUL.md`; `default` always is one.
//!
//! Only reads.

use std::ffi::OsStr;

use super::OpsContext;
use crate::error::HostError;
use crate::host::effect::FileKind;
use crate::host::{Host, fs};
use crate::layout::Layout;
use crate::name::{NameError, Profile};
use crate::record::{config, file};
use crate::supervisor::ServiceSpec;

/// Prefix of a profile under construction.
pub(super) const NEW_PREFIX: &str = ".new.";
/// Prefix of a profile under deletion.
pub(super) const GONE_PREFIX: &str = ".gone.";

/// The meaning of an entry of the profiles' directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SurveyEntry {
    /// A real profile.
    Profile(Profile),
    /// It holds `SOUL.md`, but its name is not legal.
    Misnamed(String, NameError),
    /// It could not be read.
    Unreadable(String, HostError),
    /// An unfinished creation or deletion, with the name of its profile.
    Unfinished(String, Profile),
}

/// All entries of the profiles' directory that concern us, sorted; `default` is not among them.
pub async fn survey(host: &impl Host, layout: &Layout) -> Result<Vec<SurveyEntry>, HostError> {
    let mut found = Vec::new();
    // A transient failure must keep no gateway down, so this is tried twice.
    let names = match file::list_names(host, &layout.profiles()).await {
        Err(_) => file::list_names(host, &layout.profiles()).await?,
        Ok(names) => names,
    };
    for name in names {
        found.extend(classify_entry(host, layout, &name).await);
    }
    Ok(found)
}

async fn classify_entry(host: &impl Host, layout: &Layout, name: &OsStr) -> Option<SurveyEntry> {
    let shown = name.to_string_lossy().into_owned();
    if shown.starts_with('.') {
        let owner = unfinished_owner(&shown)?;
        return Some(SurveyEntry::Unfinished(shown, owner));
    }
    let dir = layout.profiles().join(name);
    // Tried twice, as above.
    let looked = match is_profile_dir(host, &dir).await {
        Err(_) => is_profile_dir(host, &dir).await,
        looked => looked,
    };
    match looked {
        Ok(false) => {
            mark!("R7");
            None
        }
        Ok(true) => Some(match Profile::parse(&shown) {
            Ok(profile) if profile.is_default() && !planted!(SecondDefault) => {
                mark!("H34");
                SurveyEntry::Misnamed(shown.clone(), NameError::Reserved(shown))
            }
            Ok(profile) => SurveyEntry::Profile(profile),
            Err(error) => SurveyEntry::Misnamed(shown, error),
        }),
        Err(error) => Some(SurveyEntry::Unreadable(shown, error)),
    }
}

async fn is_profile_dir(host: &impl Host, dir: &std::path::Path) -> Result<bool, HostError> {
    match fs::meta(host, &dir.join("SOUL.md")).await {
        Ok(meta) => Ok(meta.kind == FileKind::File),
        Err(error) if error.is_absent() || error.errno == crate::error::Errno::NOTDIR => Ok(false),
        Err(error) => Err(error),
    }
}

/// The profile that `.new.NAME.XXX` or `.gone.NAME.XXX` was or would be.
fn unfinished_owner(name: &str) -> Option<Profile> {
    let rest = name.strip_prefix(NEW_PREFIX).or_else(|| name.strip_prefix(GONE_PREFIX))?;
    Profile::parse(rest.split('.').next()?).ok()
}

/// Is this a real profile?
pub async fn exists(
    host: &impl Host,
    layout: &Layout,
    profile: &Profile,
) -> Result<bool, HostError> {
    if profile.is_default() {
        return Ok(true);
    }
    is_profile_dir(host, &layout.profile(profile)).await
}

/// All real profiles, `default` first.
pub async fn profiles(host: &impl Host, layout: &Layout) -> Result<Vec<Profile>, HostError> {
    let mut profiles = vec![Profile::default_profile()];
    for found in survey(host, layout).await? {
        if let SurveyEntry::Profile(profile) = found {
            profiles.push(profile);
        }
    }
    Ok(profiles)
}

/// What the supervisor must know of a profile's gateway. A configuration that is wrong or cannot be read counts as the
/// default one: the slot is needed in any case, and the gateway itself reports the error when it starts.
pub(super) async fn spec_or_defaults<H: Host, S>(
    context: &OpsContext<'_, H, S>,
    profile: &Profile,
) -> ServiceSpec {
    let layout = context.layout;
    let config = config::read(context.host, &layout.config(profile)).await.unwrap_or_default();
    ServiceSpec {
        profile: profile.clone(),
        program: context.program.to_owned(),
        home: layout.root().to_owned(),
        log_dir: layout.gateway_log(profile),
        restart: config.restart.clone(),
        kill_after: config.kill_after(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(".new.coder.x1z", Some("coder"))]
    #[case(".gone.coder.x1z", Some("coder"))]
    #[case(".git", None)]
    #[case(".new.Not Legal.x", None)]
    fn unfinished_profiles_tell_whose_they_are(#[case] name: &str, #[case] owner: Option<&str>) {
        assert_eq!(unfinished_owner(name).map(|profile| profile.to_string()).as_deref(), owner);
    }
}
