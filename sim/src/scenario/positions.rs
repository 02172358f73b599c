//! Where each value of a JSON text begins, by its path: so that an error about a value can name its line.
//!
//! The text has been parsed before, so it is JSON. A path is a JSON pointer without escapes: `/steps/3/run`.

use std::collections::BTreeMap;

/// Where each value begins.
#[derive(Debug, Default)]
pub(super) struct Positions {
    starts: BTreeMap<String, usize>,
    /// The first key that occurs twice in one object, and where.
    pub(super) duplicate_key: Option<(String, usize)>,
}

impl Positions {
    /// Reads a whole text.
    pub(super) fn read(text: &str) -> Self {
        let mut scanner = Scanner { bytes: text.as_bytes(), at: 0, positions: Self::default() };
        scanner.value("");
        scanner.positions
    }

    /// Where the value begins, or else the nearest one around it.
    pub(super) fn start(&self, path: &str) -> usize {
        let mut path = path;
        loop {
            match (self.starts.get(path), path.rsplit_once('/')) {
                (Some(start), _) => return *start,
                (None, Some((around, _))) => path = around,
                (None, None) => return 0,
            }
        }
    }
}

/// Line and column of a byte, both counted from 1.
pub(super) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[line_start..].chars().count() + 1)
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    positions: Positions,
}

impl Scanner<'_> {
    fn value(&mut self, path: &str) {
        self.skip(|byte| byte.is_ascii_whitespace());
        self.positions.starts.insert(path.to_owned(), self.at);
        match self.bytes.get(self.at) {
            Some(b'{') => self.object(path),
            Some(b'[') => self.list(path),
            Some(b'"') => drop(self.string()),
            _ => self.skip(|byte| !byte.is_ascii_whitespace() && !b",]}".contains(&byte)),
        }
    }

    fn object(&mut self, path: &str) {
        while self.more(b'}') {
            let key_at = self.at;
            let path = format!("{path}/{}", self.string());
            if self.positions.starts.contains_key(&path) && self.positions.duplicate_key.is_none() {
                self.positions.duplicate_key = Some((path.clone(), key_at));
            }
            self.skip(|byte| byte.is_ascii_whitespace());
            self.at += 1;
            self.value(&path);
        }
    }

    fn list(&mut self, path: &str) {
        let mut index = 0;
        while self.more(b']') {
            self.value(&format!("{path}/{index}"));
            index += 1;
        }
    }

    /// Steps over the opening bracket or a comma; false at the closing one, which it steps over too.
    fn more(&mut self, close: u8) -> bool {
        self.skip(|byte| byte.is_ascii_whitespace());
        if self.bytes.get(self.at).is_none_or(|byte| *byte == close) {
            self.at += 1;
            return false;
        }
        self.at += 1;
        self.skip(|byte| byte.is_ascii_whitespace());
        if self.bytes.get(self.at) == Some(&close) {
            self.at += 1;
            return false;
        }
        true
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let text = self.bytes.get(start..self.at).unwrap_or_default();
        serde_json::from_slice(text).unwrap_or_default()
    }

    fn skip(&mut self, is_skipped: impl Fn(u8) -> bool) {
        while self.bytes.get(self.at).is_some_and(|byte| is_skipped(*byte)) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const TEXT: &str =
        "{\n  \"a\": [1, {\"b\\\"\": true}],\n  \"c\": {}, \"d\": [ ],\n  \"e\": \"x\"\n}";

    #[rstest]
    #[case("", (1, 1))]
    #[case("/a", (2, 8))]
    #[case("/a/0", (2, 9))]
    #[case("/a/1/b\"", (2, 20))]
    #[case("/c", (3, 8))]
    #[case("/d", (3, 17))]
    #[case("/e", (4, 8))]
    #[case("/e/no/such", (4, 8))]
    fn a_value_is_found_by_its_path(#[case] path: &str, #[case] expected: (usize, usize)) {
        let positions = Positions::read(TEXT);
        assert_eq!(line_and_column(TEXT, positions.start(path)), expected);
        assert_eq!(positions.duplicate_key, None);
    }

    #[test]
    fn a_key_that_stands_twice_is_seen() {
        let positions = Positions::read("{\"a\": {\"x\": 1, \"x\": 2}}");
        assert_eq!(positions.duplicate_key, Some(("/a/x".to_owned(), 15)));
    }
}
