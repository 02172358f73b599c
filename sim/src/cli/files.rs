//! Finds and reads scenario files, and knows today's date.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hermes_sim::scenario::{MachineKind, Scenario, load};

use super::UsageError;

const FOLDERS: [&str; 2] = ["fixtures/scenarios", "fixtures/regressions"];

/// Reads these files, or every scenario and regression if none is given. Scenarios for other machines are left out; their
/// number is returned.
pub fn read_simulated(paths: &[PathBuf]) -> Result<(Vec<Arc<Scenario>>, usize), UsageError> {
    let (ours, others): (Vec<Scenario>, Vec<Scenario>) = read_all(paths)?
        .into_iter()
        .partition(|scenario| scenario.runs_on.contains(&MachineKind::Simulated));
    Ok((ours.into_iter().map(Arc::new).collect(), others.len()))
}

/// The same, for every machine.
pub fn read_all(paths: &[PathBuf]) -> Result<Vec<Scenario>, UsageError> {
    let paths = if paths.is_empty() { fixture_paths()? } else { paths.to_vec() };
    paths.iter().map(|path| read_scenario(path)).collect()
}

/// Reads one scenario file.
pub fn read_scenario(path: &Path) -> Result<Scenario, UsageError> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| UsageError(format!("failed to read `{shown}`: {error}")))?;
    load(&shown.to_string(), &text).map_err(|error| UsageError(error.to_string()))
}

/// Every fixture, sorted by name: below the current directory, or else in the source tree of this build.
fn fixture_paths() -> Result<Vec<PathBuf>, UsageError> {
    let built = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let here = Path::new("");
    let root = if Path::new(FOLDERS[0]).is_dir() { here } else { built };
    let mut paths = Vec::new();
    for folder in FOLDERS {
        let folder = root.join(folder);
        let entries = std::fs::read_dir(&folder).map_err(|error| {
            UsageError(format!("failed to list `{}`: {error}", folder.display()))
        })?;
        let mut found: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        found.sort();
        paths.extend(found);
    }
    Ok(paths)
}

/// Today's date, as a regression's `found_by` writes it.
pub fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    date(since.as_secs() / 86_400)
}

/// The date that is this number of days after 1970-01-01.
fn date(days: u64) -> String {
    let is_leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut year, mut left) = (1970, days);
    while left >= 365 + u64::from(is_leap(year)) {
        left -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    format!("{year:04}-{:02}-{:02}", month + 1, left + 1)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn a_date_is_year_month_and_day() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(date(20_454), "2026-01-01");
    }
}
