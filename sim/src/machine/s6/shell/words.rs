//! A line as words: quotes, and the few expansions that the scripts use.

use crate::machine::image::HERMES_UID;
use crate::machine::state::shell::Script;

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    /// `&&`, `||`, `;`, `>`, `<`, `>&2`, `2>&1`, `2>/dev/null`.
    Operator(&'static str),
}

/// Longest first.
const OPERATORS: [&str; 8] = ["2>/dev/null", "2>&1", ">&2", "&&", "||", ">", "<", ";"];

/// What is being read.
#[derive(Default)]
struct Reading {
    tokens: Vec<Token>,
    word: Option<String>,
}

impl Reading {
    fn push(&mut self, text: &str) {
        self.word.get_or_insert_default().push_str(text);
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take() {
            self.tokens.push(Token::Word(word));
        }
    }

    /// An unquoted expansion: several words, but not in an assignment.
    fn push_split(&mut self, text: &str) {
        if self.word.as_deref().is_some_and(is_assignment) {
            return self.push(text);
        }
        for (index, part) in text.split_whitespace().enumerate() {
            if index > 0 {
                self.end_word();
            }
            self.push(part);
        }
    }
}

/// Begins with `NAME=`.
pub(super) fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map_or("", |(name, _)| name);
    let starts = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
    starts && name.chars().all(is_name)
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

impl Script {
    /// The words and operators of a line, expanded.
    pub(super) fn words(&self, uid: u32, line: &str) -> Vec<Token> {
        let mut reading = Reading::default();
        let mut rest = line;
        while let Some(letter) = rest.chars().next() {
            let between = reading.word.is_none();
            let operator = OPERATORS.iter().find(|it| rest.starts_with(**it));
            if let Some(operator) = operator.filter(|it| between || !it.starts_with('2')) {
                reading.end_word();
                reading.tokens.push(Token::Operator(operator));
                rest = &rest[operator.len()..];
                continue;
            }
            match letter {
                ' ' | '\t' => reading.end_word(),
                '#' if between => break,
                '\'' => {
                    let (text, after) = rest[1..].split_once('\'').unwrap_or_else(|| self.odd());
                    reading.push(text);
                    rest = after;
                    continue;
                }
                '"' => {
                    rest = self.quoted(uid, &rest[1..], &mut reading);
                    continue;
                }
                '\\' => {
                    let escaped = rest[1..].chars().next().unwrap_or_else(|| self.odd());
                    reading.push(&escaped.to_string());
                    rest = &rest[1 + escaped.len_utf8()..];
                    continue;
                }
                '$' => {
                    let (text, after) = self.expansion(uid, &rest[1..]);
                    reading.push_split(&text);
                    rest = after;
                    continue;
                }
                _ => reading.push(&letter.to_string()),
            }
            rest = &rest[letter.len_utf8()..];
        }
        reading.end_word();
        reading.tokens
    }

    /// Up to the closing double quote; gives what follows it.
    fn quoted<'line>(&self, uid: u32, mut rest: &'line str, reading: &mut Reading) -> &'line str {
        reading.push("");
        loop {
            let letter = rest.chars().next().unwrap_or_else(|| self.odd());
            let after = &rest[letter.len_utf8()..];
            match letter {
                '"' => return after,
                '$' => {
                    let (text, after) = self.expansion(uid, after);
                    reading.push(&text);
                    rest = after;
                }
                _ => {
                    reading.push(&letter.to_string());
                    rest = after;
                }
            }
        }
    }

    /// What follows a `$`, and the rest of the line.
    fn expansion<'line>(&self, uid: u32, rest: &'line str) -> (String, &'line str) {
        if let Some(after) = rest.strip_prefix("((") {
            let (sum, after) = after.split_once("))").unwrap_or_else(|| self.odd());
            return (self.sum(uid, sum), after);
        }
        if let Some(after) = rest.strip_prefix("(id -u)") {
            return (uid.to_string(), after);
        }
        if let Some(after) = rest.strip_prefix("(id -g hermes)") {
            // Nobody changes the numbers of an image that is somebody else's; in ours this is not asked.
            return (HERMES_UID.to_string(), after);
        }
        if let Some(after) = rest.strip_prefix('{') {
            let (inside, after) = after.split_once('}').unwrap_or_else(|| self.odd());
            return (self.braces(inside), after);
        }
        let end = rest.find(|letter| !is_name(letter)).unwrap_or(rest.len());
        if end == 0 {
            self.odd();
        }
        // `$1x` is the first argument and an x.
        let end = if rest.starts_with(|it: char| it.is_ascii_digit()) { 1 } else { end };
        (self.value(&rest[..end]).unwrap_or_default(), &rest[end..])
    }

    /// `name`, `name:?`, `name%/*`, `name##*/`.
    fn braces(&self, inside: &str) -> String {
        let end = inside.find(|letter| !is_name(letter)).unwrap_or(inside.len());
        let (name, how) = inside.split_at(end);
        let value = self.value(name).unwrap_or_default();
        match how {
            "" => value,
            ":?" if value.is_empty() => panic!("{}: {name} is not set", self.path.display()),
            ":?" => value,
            "%/*" => value.rsplit_once('/').map_or(value.clone(), |(before, _)| before.to_owned()),
            "##*/" => value.rsplit('/').next().unwrap_or_default().to_owned(),
            _ => self.odd(),
        }
    }

    /// `128 + $2`.
    fn sum(&self, uid: u32, sum: &str) -> String {
        let terms = sum.split('+').map(|term| {
            let term = term.trim();
            let text = match term.strip_prefix('$') {
                Some(name) => self.expansion(uid, name).0,
                None if term.starts_with(|it: char| it.is_ascii_digit()) => term.to_owned(),
                None => self.value(term).unwrap_or_default(),
            };
            text.parse::<i64>().unwrap_or_else(|_| self.odd())
        });
        terms.sum::<i64>().to_string()
    }

    /// A variable or an argument.
    fn value(&self, name: &str) -> Option<String> {
        if let Some(value) = self.variables.get(name) {
            return Some(value.clone());
        }
        if let Ok(number) = name.parse::<usize>() {
            return number.checked_sub(1).and_then(|index| self.args.get(index).cloned());
        }
        self.env.get(std::ffi::OsStr::new(name)).map(|it| it.to_string_lossy().into_owned())
    }
}
