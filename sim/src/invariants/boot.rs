//! S13: the boot log. One line a profile a boot, each whole, each true.

use hermes::name::Profile;
use hermes::record::boot_log::escape;
use hermes::record::intent::Intent;

use super::Violation;
use super::violation::violation;
use crate::machine::world::World;
use crate::observe::volume;
use crate::scenario::Invariant;

/// S13: only the log tells an operator why a gateway did not come back.
pub fn check_boot_log(world: &World) -> Result<(), Violation> {
    let log = volume::boot_log(world);
    let mut expected: Vec<String> =
        volume::profiles(world).iter().map(|profile| profile.to_string()).collect();
    expected.extend(volume::misnamed_profiles(world).iter().map(|name| misnamed(&escape(name))));
    expected.sort();
    if !log.ends_with('\n') {
        return violation(Invariant::S13, "the boot log does not end with a whole line");
    }
    let lines: Vec<&str> = log.lines().collect();
    let Some(of_this_boot) = lines.len().checked_sub(expected.len()).map(|from| &lines[from..])
    else {
        return violation(
            Invariant::S13,
            format!("{} lines for {} profiles", lines.len(), expected.len()),
        );
    };
    let mut found = Vec::new();
    for line in of_this_boot {
        let Some((name, is_legal)) = check_log_line(world, line)? else {
            return violation(Invariant::S13, format!("not a line of a boot log: {line:?}"));
        };
        found.push(if is_legal { name.to_owned() } else { misnamed(name) });
    }
    found.sort();
    match found == expected {
        true => Ok(()),
        false => violation(Invariant::S13, format!("lines for {found:?}, expected {expected:?}")),
    }
}

/// The name of a directory that is not a profile, even if it is called `default`.
fn misnamed(name: &str) -> String {
    format!("profiles/{name}")
}

/// Is the text a sequence of ` key=value`, each value one plain word or quoted? Any other word could pass for a key.
fn are_pairs(mut rest: &str) -> bool {
    while !rest.is_empty() {
        let pair = rest.strip_prefix(' ').and_then(|pair| pair.split_once('='));
        let Some((key, value)) = pair else { return false };
        let is_key =
            !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let end = match value.strip_prefix('"') {
            Some(quoted) => end_of_quoted(quoted).map(|end| end + 1),
            None => Some(value.find(' ').unwrap_or(value.len())),
        };
        let Some(end) = end.filter(|_| is_key) else { return false };
        rest = &value[end..];
    }
    true
}

/// The length of the quoted text with its closing quote.
fn end_of_quoted(quoted: &str) -> Option<usize> {
    let mut is_escaped = false;
    let end = quoted.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    end.map(|end| end + 1)
}

/// The name in a line, and whether it is that of a profile; `None` if this is no line of a boot log. What the line says
/// of a new slot must agree with the files.
fn check_log_line<'a>(world: &World, line: &'a str) -> Result<Option<(&'a str, bool)>, Violation> {
    let Some((stamp, rest)) = line.split_once(" profile=") else { return Ok(None) };
    let shape = "0000-00-00T00:00:00+0000";
    let fits = |(byte, expected): (u8, u8)| match expected {
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    };
    if stamp.len() != shape.len() || !stamp.bytes().zip(shape.bytes()).all(fits) {
        return Ok(None);
    }
    if !are_pairs(&format!(" profile={rest}")) {
        return Ok(None);
    }
    let Some((name, rest)) = rest.split_once(" prior_state=") else { return Ok(None) };
    let Some((_, rest)) = rest.split_once(" action=") else { return Ok(None) };
    let action = rest.split(' ').next().unwrap_or_default();
    let is_skipped = action == "skipped";
    let profile = match Profile::parse(name) {
        Ok(profile) if !(is_skipped && rest.contains(" reason=")) => profile,
        _ => return Ok(is_skipped.then_some((name, false))),
    };
    let runs = volume::effective_intent(world, &profile) == Intent::Running;
    let is_new = rest.contains(" slot=new");
    let is_true = match action {
        "started" => runs,
        "registered" => !(is_new && runs),
        "skipped" => rest.contains(" error="),
        _ => return Ok(None),
    };
    match is_true {
        true => Ok(Some((name, true))),
        false => violation(Invariant::S13, format!("not true: {line:?}")),
    }
}
