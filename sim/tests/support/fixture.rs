//! Reads the scenarios of `fixtures`.

use std::path::Path;
use std::sync::Arc;

use hermes_sim::scenario::{Scenario, load};

/// A scenario of `fixtures/scenarios`, by name.
pub(crate) fn scenario(name: &str) -> Arc<Scenario> {
    let path = format!("{}/../fixtures/scenarios/{name}.json", env!("CARGO_MANIFEST_DIR"));
    Arc::new(read(Path::new(&path)).0)
}

/// A scenario file: the scenario, and its text.
pub(crate) fn read(path: &Path) -> (Scenario, String) {
    let text = std::fs::read_to_string(path).expect("a readable fixture");
    let scenario =
        load(&path.display().to_string(), &text).unwrap_or_else(|error| panic!("{error}"));
    (scenario, text)
}
