//! Prints text and JSON: results go to stdout, errors and notes to stderr.

use std::time::Duration;

use serde_json::{Value, json};

use super::errors::CliError;
use super::exit::Exit;
use crate::error::Errno;
use crate::host::effect::Stream;
use crate::host::{Host, proc};

/// How long a line that may be lost waits for its reader.
const PATIENCE: Duration = Duration::from_millis(200);

/// Where a command's output goes.
#[derive(Debug)]
pub(super) struct Output<'a, H> {
    pub host: &'a H,
    pub json: bool,
}

impl<H: Host> Output<'_, H> {
    /// Prints to stdout. A reader that went away is no failure; a full disk is.
    pub async fn print(&self, text: &str) -> Exit {
        match self.write(Stream::Out, text, None).await {
            Ok(()) => Exit::Done,
            Err(error) if error.errno == Errno::PIPE => Exit::Done,
            Err(error) => {
                self.print_error(&format!("✗ {error}\n")).await;
                Exit::Failed
            }
        }
    }

    /// Prints to stderr.
    pub async fn print_error(&self, text: &str) {
        // A failure to write stderr cannot be reported anywhere.
        let _ = self.write(Stream::Err, text, None).await;
    }

    /// Prints to stderr what may be lost: a caller with other work must not block because no process reads.
    pub async fn print_error_or_drop(&self, text: &str) {
        let _ = self.write(Stream::Err, text, Some(PATIENCE)).await;
    }

    /// Prints notes to stderr, one a line.
    pub async fn print_notes(&self, notes: &[String]) {
        for note in notes {
            self.print_error(&format!("! {note}\n")).await;
        }
    }

    /// Prints the one JSON document, or else the text.
    pub async fn print_report(&self, document: Value, text: &str) -> Exit {
        match self.json {
            true => self.print_document(document).await,
            false => self.print(text).await,
        }
    }

    /// Prints a JSON document of schema 1.
    pub async fn print_document(&self, document: Value) -> Exit {
        let mut with_schema = serde_json::Map::new();
        with_schema.insert("schema".to_owned(), json!(1));
        if let Value::Object(keys) = document {
            with_schema.extend(keys);
        }
        let text =
            serde_json::to_string_pretty(&Value::Object(with_schema)).expect("string keys only");
        self.print(&format!("{text}\n")).await
    }

    /// Prints why a command failed; the error has its own exit code.
    pub async fn print_failure(&self, error: &CliError) -> Exit {
        if self.json {
            self.print_document(json!({ "error": error.to_json() })).await;
        }
        self.print_error(&error.to_text()).await;
        error.exit()
    }

    async fn write(
        &self,
        stream: Stream,
        text: &str,
        patience: Option<Duration>,
    ) -> Result<(), crate::error::HostError> {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let taken = proc::print(self.host, stream, rest, patience).await?;
            rest = &rest[taken.clamp(1, rest.len())..];
        }
        Ok(())
    }
}
