//! Reads a scenario, strictly: what is not in the format, or makes no sense in it, is an error with its line.

use super::Scenario;
use super::check;
use super::positions::{self, Positions};

/// What is wrong with a scenario, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}:{column}: {message}")]
pub struct LoadError {
    /// The file, as the caller calls it.
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1.
    pub column: usize,
    /// What is wrong, and what may stand there.
    pub message: String,
}

/// Reads a scenario from its text; `path` is for errors only.
pub fn load(path: &str, text: &str) -> Result<Scenario, LoadError> {
    let scenario: Scenario = serde_json::from_str(text).map_err(|error| LoadError {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
        message: without_position(&error),
    })?;
    let spans = Positions::read(text);
    let at = |start: usize, what: String| {
        let (line, column) = positions::line_and_column(text, start);
        LoadError { path: path.to_owned(), line, column, message: what }
    };
    if let Some((key, start)) = &spans.duplicate_key {
        return Err(at(*start, format!("`{key}` stands here twice")));
    }
    check::check(&scenario).map_err(|fault| at(spans.start(&fault.path), fault.message))?;
    Ok(scenario)
}

/// serde_json says the position in its words too, which already stands before them.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}
