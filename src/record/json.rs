//! One JSON object a file: every defect is a value when read, and keys of other writers survive a change.
//!
//! Nothing here knows what the keys mean.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::file;
use crate::error::{Errno, HostError};
use crate::host::Host;

/// The result of reading a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading<T> {
    /// The record, complete.
    Whole(T),
    /// No such file.
    Missing,
    /// A read warning: a file that cannot be used, and why. It counts as absent once a warning was given.
    Unusable(ReadWarning),
}

/// A read warning: a file that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ignored `{}`: {reason}", path.display())]
pub struct ReadWarning {
    /// The file.
    pub path: PathBuf,
    /// A phrase: `it is empty`, `permission denied`.
    pub reason: String,
    /// It could not be read just now: it may be intact.
    pub is_transient: bool,
}

impl ReadWarning {
    /// What the file holds is wrong, and stays so.
    fn damage(path: &Path, reason: String) -> Self {
        Self { path: path.to_owned(), reason, is_transient: false }
    }
}

impl<T> Reading<T> {
    /// The record if there is one that can be used.
    pub fn whole(&self) -> Option<&T> {
        match self {
            Self::Whole(value) => Some(value),
            Self::Missing | Self::Unusable(_) => None,
        }
    }

    /// The read warning, if there is one.
    pub fn warning(&self) -> Option<&ReadWarning> {
        match self {
            Self::Unusable(warning) => Some(warning),
            Self::Whole(_) | Self::Missing => None,
        }
    }

    /// Parses the record further; an error makes it unusable.
    pub fn and_then<U>(
        self,
        path: &Path,
        parse: impl FnOnce(T) -> Result<U, String>,
    ) -> Reading<U> {
        match self {
            Self::Whole(value) => match parse(value) {
                Ok(parsed) => Reading::Whole(parsed),
                Err(reason) => Reading::Unusable(ReadWarning::damage(path, reason)),
            },
            Self::Missing => Reading::Missing,
            Self::Unusable(warning) => Reading::Unusable(warning),
        }
    }
}

/// Reads a file that should hold one JSON object.
pub async fn read(host: &impl Host, path: &Path) -> Reading<Map<String, Value>> {
    interpret(path, file::read(host, path, file::RECORD_BYTES_MAX).await)
}

/// Reads a file in order to change it: a transient error is a failure, not damage. Otherwise a transient `EIO` or
/// `EACCES` would move an intact record aside, and all its keys would be lost.
pub async fn read_to_change(
    host: &impl Host,
    path: &Path,
) -> Result<Reading<Map<String, Value>>, HostError> {
    match file::read(host, path, file::RECORD_BYTES_MAX).await {
        Err(error) if !is_about_the_file(error.errno) && !planted!(FailedReadIsDamage) => {
            Err(error)
        }
        read => Ok(interpret(path, read)),
    }
}

/// Is this error about the file itself, and not about a transient failure of the machine?
fn is_about_the_file(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::NOENT | Errno::INVAL | Errno::ISDIR | Errno::NXIO | Errno::FBIG | Errno::LOOP
    )
}

fn interpret(path: &Path, read: Result<Vec<u8>, HostError>) -> Reading<Map<String, Value>> {
    match read {
        Ok(contents) => match parse(&contents) {
            Ok(object) => Reading::Whole(object),
            Err(reason) => {
                mark!("R9");
                Reading::Unusable(ReadWarning::damage(path, reason))
            }
        },
        Err(error) if error.is_absent() => Reading::Missing,
        Err(error) => Reading::Unusable(ReadWarning {
            path: path.to_owned(),
            reason: reason(&error),
            is_transient: !is_about_the_file(error.errno),
        }),
    }
}

fn reason(error: &HostError) -> String {
    match error.errno {
        Errno::FBIG => format!("it is longer than {} bytes", file::RECORD_BYTES_MAX),
        Errno::INVAL => "it is not a regular file".to_owned(),
        errno => errno.to_string(),
    }
}

fn parse(contents: &[u8]) -> Result<Map<String, Value>, String> {
    if contents.is_empty() {
        return Err("it is empty".to_owned());
    }
    let text = std::str::from_utf8(contents)
        .map_err(|error| format!("it is not UTF-8 from byte {}", error.valid_up_to()))?;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(format!("it holds a JSON {}, not an object", type_name(&other))),
        Err(error) => Err(format!("it is not whole JSON: {error}")),
    }
}

/// The JSON name of a value's type.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Replaces the file by this object.
pub async fn write(
    host: &impl Host,
    path: &Path,
    object: &Map<String, Value>,
) -> Result<(), HostError> {
    let mut contents = serde_json::to_vec_pretty(object).expect("string keys only");
    contents.push(b'\n');
    file::replace(host, path, &contents, 0o644).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(b"", "it is empty")]
    #[case(b"\xff{}", "it is not UTF-8 from byte 0")]
    #[case(b"[1]", "it holds a JSON array, not an object")]
    #[case(b"\"running\"", "it holds a JSON string, not an object")]
    #[case(b"{\"a\":", "it is not whole JSON: EOF while parsing a value at line 1 column 5")]
    fn what_is_not_one_object_is_refused_with_the_reason(
        #[case] contents: &[u8],
        #[case] reason: &str,
    ) {
        assert_eq!(parse(contents), Err(reason.to_owned()));
    }
}
