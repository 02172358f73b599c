//! Services that are one file each in a shared directory: units and agents. Knows their names, not their contents.

use std::path::Path;

use crate::error::HostError;
use crate::host::Host;
use crate::name::Profile;
use crate::record::file;
use crate::supervisor::{Listing, SupervisorError};

/// The profiles that have a file `BEFORE name AFTER` that is ours.
pub(super) async fn list<H: Host>(
    host: &H,
    dir: &Path,
    [before, after]: [&str; 2],
    mut is_ours: impl AsyncFnMut(&Profile) -> Result<bool, HostError>,
) -> Result<Listing, SupervisorError> {
    let mut listing = Listing::default();
    for name in file::list_names(host, dir).await? {
        let profile = name
            .to_str()
            .and_then(|name| Profile::parse(name.strip_prefix(before)?.strip_suffix(after)?).ok());
        let Some(profile) = profile else { continue };
        if is_ours(&profile).await? {
            listing.profiles.push(profile);
        }
    }
    listing.profiles.sort();
    Ok(listing)
}
