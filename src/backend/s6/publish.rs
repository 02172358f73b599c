//! Publishes slots: a new slot is built completely under a hidden name and shown by one rename; a live slot is updated
//! in place.
//!
//! Nothing is synced: a scan directory lives as long as its boot.

use std::path::Path;

use super::S6;
use super::slot::{DOWN, SlotFile, render};
use crate::error::{Errno, HostError, if_present};
use crate::host::effect::{FileKind, OpenMode};
use crate::host::{Host, fs, time};
use crate::name::{Profile, Slot, SlotName};
use crate::record::{file, tree};
use crate::supervisor::{
    Leftover, LeftoverKind, Listing, Published, ServiceSpec, SupervisorError, TargetState,
};

/// Ensures that the slot is there, complete.
pub(super) async fn publish<H: Host>(
    s6: &S6<'_, H>,
    spec: &ServiceSpec,
    at_start: TargetState,
) -> Result<Published, SupervisorError> {
    let dir = s6.slot_dir(&spec.profile);
    let files = render(spec, at_start, &s6.tools);
    match if_present(fs::link_meta(s6.host, &dir).await)?.map(|meta| meta.kind) {
        Some(FileKind::Directory) => Ok(refresh(s6, &dir, &files, at_start).await?),
        Some(_) => Err(HostError::new("publish", dir, Errno::NOTDIR).into()),
        None => {
            build_and_rename(s6, &Slot::for_profile(&spec.profile), &files).await?;
            Ok(Published::New)
        }
    }
}

async fn build_and_rename<H: Host>(
    s6: &S6<'_, H>,
    slot: &Slot,
    files: &[SlotFile],
) -> Result<(), HostError> {
    let stage = make_stage(s6, slot).await?;
    let dir = s6.scan_dir.join(slot.as_str());
    if planted!(SlotShownUnfilled) {
        file::rename_new(s6.host, &stage, &dir).await?;
        return fill(s6.host, &dir, files).await;
    }
    let placed = match fill(s6.host, &stage, files).await {
        Ok(()) => file::rename_new(s6.host, &stage, &dir).await,
        Err(error) => Err(error),
    };
    if placed.is_err() {
        // The first failure is reported to the caller; a stage that stays is hidden, and swept at boot.
        let _ = tree::remove(s6.host, &stage).await;
    }
    placed
}

async fn make_stage<H: Host>(s6: &S6<'_, H>, slot: &Slot) -> Result<std::path::PathBuf, HostError> {
    loop {
        let stage = s6.scan_dir.join(slot.hidden(&unique_suffix(s6.host).await?));
        match fs::make_dir(s6.host, &stage, 0o755).await {
            Ok(()) => return Ok(stage),
            Err(error) if error.errno == Errno::EXIST => {}
            Err(error) => return Err(error),
        }
    }
}

/// Three letters keep two stages apart. More would not fit beside the longest name; on `EEXIST` other letters are
/// tried.
pub(super) async fn unique_suffix(host: &impl Host) -> Result<String, HostError> {
    const LETTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut number = time::random(host).await?;
    let mut suffix = String::new();
    for _ in 0..3 {
        let index = usize::try_from(number % 36).expect("below 36");
        suffix.push(char::from(LETTERS[index]));
        number /= 36;
    }
    Ok(suffix)
}

async fn fill(host: &impl Host, stage: &Path, files: &[SlotFile]) -> Result<(), HostError> {
    fs::make_dir(host, &stage.join("log"), 0o755).await?;
    for slot_file in files {
        write_new(host, &stage.join(slot_file.path), slot_file).await?;
    }
    Ok(())
}

async fn write_new(host: &impl Host, path: &Path, slot_file: &SlotFile) -> Result<(), HostError> {
    let file = fs::open_no_link(host, path, OpenMode::Create { mode: slot_file.mode }).await?;
    let written = file::write_all(host, &file, slot_file.contents.as_bytes()).await;
    fs::close(host, file).await?;
    written
}

/// Updates the files of an existing slot, each by one rename, and nothing else: the running gateway is not disturbed.
async fn refresh<H: Host>(
    s6: &S6<'_, H>,
    dir: &Path,
    files: &[SlotFile],
    at_start: TargetState,
) -> Result<Published, HostError> {
    file::make_dirs(s6.host, &dir.join("log"), 0o755).await?;
    let mut published = Published::Unchanged;
    for slot_file in files.iter().filter(|slot_file| slot_file.path != DOWN) {
        let path = dir.join(slot_file.path);
        if !is_current(s6.host, &path, slot_file).await? {
            let contents = slot_file.contents.as_bytes();
            file::replace_unsynced(s6.host, &path, contents, slot_file.mode).await?;
            published = Published::Updated;
        }
    }
    let changed = set_down_file(s6.host, dir, at_start).await?;
    if changed {
        published = Published::Updated;
    }
    if published == Published::Unchanged {
        mark!("H30");
    }
    Ok(published)
}

async fn is_current(
    host: &impl Host,
    path: &Path,
    slot_file: &SlotFile,
) -> Result<bool, HostError> {
    let Some(meta) = if_present(fs::link_meta(host, path).await)? else { return Ok(false) };
    if meta.kind != FileKind::File || meta.mode & 0o777 != slot_file.mode {
        return Ok(false);
    }
    Ok(file::read(host, path, file::RECORD_BYTES_MAX).await? == slot_file.contents.as_bytes())
}

/// Keeps the `down` file equal to the last request.
pub(super) async fn set_at_start<H: Host>(
    s6: &S6<'_, H>,
    profile: &Profile,
    at_start: TargetState,
) -> Result<(), SupervisorError> {
    match set_down_file(s6.host, &s6.slot_dir(profile), at_start).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_absent() => Err(SupervisorError::NotRegistered(profile.clone())),
        Err(error) => Err(error.into()),
    }
}

/// Makes or removes the `down` file; returns whether that changed anything.
async fn set_down_file(
    host: &impl Host,
    dir: &Path,
    at_start: TargetState,
) -> Result<bool, HostError> {
    match at_start {
        TargetState::Down => make_down_file(host, dir).await,
        TargetState::Up => remove_down_file(host, dir).await,
    }
}

async fn make_down_file(host: &impl Host, dir: &Path) -> Result<bool, HostError> {
    if planted!(StopWithoutDown) {
        return Ok(false);
    }
    match fs::open_no_link(host, &dir.join(DOWN), OpenMode::Create { mode: 0o644 }).await {
        Ok(file) => fs::close(host, file).await.map(|()| true),
        Err(error) if error.errno == Errno::EXIST => Ok(false),
        Err(error) => Err(error),
    }
}

async fn remove_down_file(host: &impl Host, dir: &Path) -> Result<bool, HostError> {
    if planted!(StartLeavesDown) {
        return Ok(false);
    }
    // An absent slot must not look like a slot that may start.
    fs::link_meta(host, dir).await?;
    let removed = file::remove(host, &dir.join(DOWN)).await?;
    if removed {
        mark!("H18");
    }
    Ok(removed)
}

/// Lists the scan directory.
pub(super) async fn list<H: Host>(s6: &S6<'_, H>) -> Result<Listing, SupervisorError> {
    let mut listing = Listing::default();
    for name in file::list_names(s6.host, &s6.scan_dir).await? {
        let name = name.to_string_lossy().into_owned();
        match SlotName::parse_entry(&name) {
            SlotName::Slot(profile) => listing.profiles.push(profile),
            SlotName::Hidden(of) => {
                mark!("H27");
                let (owner, kind) = (Profile::parse(&of).ok(), LeftoverKind::Unfinished);
                listing.leftovers.push(Leftover { name, owner, kind });
            }
            SlotName::Illegal(_) => {
                listing.leftovers.push(Leftover {
                    name,
                    owner: None,
                    kind: LeftoverKind::IllegalName,
                });
            }
            SlotName::Foreign => {}
        }
    }
    Ok(listing)
}
