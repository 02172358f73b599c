//! Reads a scenario strictly: a value that is not in the format, or makes no sense in it, is an error with its line.

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
    /// What is wrong, and what is allowed there.
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
    let positions = Positions::read(text);
    let error_at = |start: usize, message: String| {
        let (line, column) = positions::line_and_column(text, start);
        LoadError { path: path.to_owned(), line, column, message }
    };
    if let Some((key, start)) = &positions.duplicate_key {
        return Err(error_at(*start, format!("`{key}` stands here twice")));
    }
    check::check(&scenario)
        .map_err(|problem| error_at(positions.start(&problem.path), problem.message))?;
    Ok(scenario)
}

/// The error's text without the position that serde_json appends: ours stands before it already.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}
