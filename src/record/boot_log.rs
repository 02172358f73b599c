//! `container-boot.log`: one line a profile a boot. Appended whole, rotated at 256 KiB, read by people with grep.

use std::fmt::Write as _;
use std::path::Path;

use super::file;
use crate::error::{Errno, HostError};
use crate::host::effect::{OnExisting, OpenMode};
use crate::host::{Host, fs};

/// The log is rotated to `.1` when it has grown to this size.
pub const BYTES_MAX: usize = 256 << 10;

/// One line: `<ts> key=value …`. Values are escaped so that an entry stays one line and a value stays one word.
pub fn line(timestamp: &str, fields: &[(&str, &str)]) -> String {
    let mut line = timestamp.to_owned();
    for (key, value) in fields {
        // Writing to a String cannot fail.
        let _ = write!(line, " {key}={}", escape(value));
    }
    line.push('\n');
    line
}

/// A value in a line: bare if it is one plain word, else quoted with escapes.
pub fn escape(value: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-+:/@%,".contains(letter);
    if planted!(LogNotEscaped) || (!value.is_empty() && value.chars().all(plain)) {
        return value.to_owned();
    }
    format!("\"{}\"", value.escape_default())
}

/// Appends lines, rotating first if the log is full, and closing a line that a crash tore.
pub async fn append(host: &impl Host, path: &Path, lines: &str) -> Result<(), HostError> {
    let before = match file::read(host, path, BYTES_MAX).await {
        Ok(contents) => contents,
        Err(error) if error.errno == Errno::FBIG => vec![b'\n'; BYTES_MAX],
        Err(error) if error.is_absent() => Vec::new(),
        Err(error) => return Err(error),
    };
    let full = before.len() >= BYTES_MAX;
    if full {
        let mut rotated = path.as_os_str().to_owned();
        rotated.push(".1");
        fs::rename(host, path, Path::new(&rotated), OnExisting::Replace).await?;
    }
    let torn =
        !full && !planted!(TornLineContinued) && before.last().is_some_and(|&last| last != b'\n');
    if torn {
        mark!("H37");
    }
    let text = if torn { format!("\n{lines}") } else { lines.to_owned() };
    let log = fs::open_no_link(host, path, OpenMode::Append { mode: 0o644 }).await?;
    let written = match file::write_all(host, &log, text.as_bytes()).await {
        Ok(()) => fs::sync(host, &log).await,
        Err(error) => Err(error),
    };
    fs::close(host, log).await?;
    written?;
    if full || before.is_empty() {
        file::sync_dir(host, file::parent(path)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("running", "running")]
    #[case("", "\"\"")]
    #[case("a b", "\"a b\"")]
    #[case("x\nprofile=evil", "\"x\\nprofile=evil\"")]
    #[case("say \"hi\"", "\"say \\\"hi\\\"\"")]
    #[case("naïve", "\"na\\u{ef}ve\"")]
    fn a_value_stays_one_word_on_one_line(#[case] value: &str, #[case] expected: &str) {
        assert_eq!(escape(value), expected);
    }
}
