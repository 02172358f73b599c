//! S13: the boot log. One line a profile a boot, each whole, each true.

use std::collections::BTreeSet;

use hermes::name::Profile;
use hermes::record::boot_log::escape;
use hermes::record::intent::Intent;

use super::name::breach;
use super::{Breach, Name};
use crate::observe::volume;
use crate::world::World;

/// S13: the log is all that tells an operator why a gateway did not come back.
pub fn is_logged(world: &World) -> Result<(), Breach> {
    let log = volume::boot_log(world);
    let mut expected: BTreeSet<String> =
        volume::profiles(world).iter().map(|profile| profile.to_string()).collect();
    expected.extend(volume::misnamed(world).iter().map(|name| escape(name)));
    if !log.ends_with('\n') {
        return breach(Name::S13, "the boot log does not end with a whole line");
    }
    let lines: Vec<&str> = log.lines().collect();
    let Some(of_this_boot) = lines.len().checked_sub(expected.len()).map(|from| &lines[from..])
    else {
        return breach(Name::S13, format!("{} lines for {} profiles", lines.len(), expected.len()));
    };
    let mut found = BTreeSet::new();
    for line in of_this_boot {
        let Some(name) = is_true(world, line)? else {
            return breach(Name::S13, format!("no line of a boot log: {line:?}"));
        };
        if !found.insert(name.to_owned()) {
            return breach(Name::S13, format!("{name} has two lines"));
        }
    }
    match expected.difference(&found).next() {
        Some(name) => breach(Name::S13, format!("{name} has no line")),
        None => Ok(()),
    }
}

/// Whose line it is; `None` if it is none. What it tells of a new slot is what the files say.
fn is_true<'a>(world: &World, line: &'a str) -> Result<Option<&'a str>, Breach> {
    let Some((stamp, rest)) = line.split_once(" profile=") else { return Ok(None) };
    let shape = "0000-00-00T00:00:00+0000";
    let fits = |(byte, expected): (u8, u8)| match expected {
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    };
    if stamp.len() != shape.len() || !stamp.bytes().zip(shape.bytes()).all(fits) {
        return Ok(None);
    }
    let Some((name, rest)) = rest.split_once(" prior_state=") else { return Ok(None) };
    let Some((_, rest)) = rest.split_once(" action=") else { return Ok(None) };
    let action = rest.split(' ').next().unwrap_or_default();
    let Ok(profile) = Profile::parse(name) else {
        return Ok((action == "skipped").then_some(name));
    };
    let runs = volume::effective(world, &profile) == Intent::Running;
    let is_new = rest.contains(" slot=new");
    let is_so = match action {
        "started" => runs,
        "registered" => !(is_new && runs),
        "skipped" => rest.contains(" reason=") || rest.contains(" error="),
        _ => return Ok(None),
    };
    match is_so {
        true => Ok(Some(name)),
        false => breach(Name::S13, format!("not true: {line:?}")),
    }
}
