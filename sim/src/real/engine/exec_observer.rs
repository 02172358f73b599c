//! A program in a container that observes its files and processes: one `docker exec` for many questions.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::errors::Error;
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use super::Engine;
use super::exec::{self, ExecRequest, ExecStreams};
use crate::real::container::ObservedFile;
use crate::real::processes::HostProcess;
use crate::scenario::expect::FileKindSpec;
use crate::scenario::values::User;

const PROGRAM: &str = include_str!("observer.pl");

/// An observer that does not answer within this time is in a container that is frozen or ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running observer. It ends with the container's PID 1.
pub(super) struct ExecObserver {
    streams: ExecStreams,
    received: Vec<u8>,
}

impl ExecObserver {
    /// Starts an observer in a running container.
    pub(super) fn begin(engine: &Engine, container: &str) -> Result<Self, String> {
        let env = BTreeMap::new();
        let argv = ["perl", "-e", PROGRAM];
        let program = ExecRequest { user: User::Root, env: &env, argv: &argv };
        let streams = engine.block_on(exec::start(&engine.docker, container, &program))?;
        Ok(Self { streams, received: Vec::new() })
    }

    /// Asks a question and returns the items of the answer. After an error the observer cannot be used any more.
    fn ask(&mut self, engine: &Engine, question: &str) -> Result<Vec<Vec<u8>>, String> {
        let exchange = async {
            let answer = async {
                self.streams.input.write_all(format!("{question}\n").as_bytes()).await?;
                self.receive().await
            };
            tokio::time::timeout(PATIENCE, answer).await
        };
        match engine.runtime.block_on(exchange) {
            Ok(Ok(answer)) => items(&answer).ok_or(format!("an odd answer: {answer:?}")),
            Ok(Err(error)) => Err(super::engine_error(&error)),
            Err(_) => Err(format!("no answer to `{question}` in {PATIENCE:?}")),
        }
    }

    async fn receive(&mut self) -> Result<Vec<u8>, Error> {
        loop {
            if let Some(answer) = take_answer(&mut self.received) {
                return Ok(answer);
            }
            match self.streams.output.next().await {
                Some(part) => self.received.extend_from_slice(part?.as_ref()),
                None => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            }
        }
    }

    /// Observes a file; `None` if there is none.
    pub(super) fn observe_file(
        &mut self,
        engine: &Engine,
        path: &str,
    ) -> Result<Option<ObservedFile>, String> {
        let items = self.ask(engine, &format!("file {path}"))?;
        let [kind, uid, inode, bytes, names @ ..] = items.as_slice() else { return Ok(None) };
        let kind = match kind.as_slice() {
            b"dir" => FileKindSpec::Dir,
            b"link" => FileKindSpec::Link,
            _ => FileKindSpec::File,
        };
        Ok(Some(ObservedFile {
            kind,
            uid: number(uid)?,
            inode: number(inode)?,
            bytes: bytes.clone(),
            names: names.iter().map(|name| text(name)).collect(),
        }))
    }

    /// `Ok` if a process has this FIFO open for reading.
    pub(super) fn check_fifo_reader(&mut self, engine: &Engine, fifo: &str) -> Result<(), String> {
        let items = self.ask(engine, &format!("fifo-reader {fifo}"))?;
        match items.first().map(|error| text(error)) {
            Some(error) if !error.is_empty() => Err(error),
            _ => Ok(()),
        }
    }

    /// The live processes of the container, without the observer.
    pub(super) fn processes(&mut self, engine: &Engine) -> Result<Vec<HostProcess>, String> {
        let items = self.ask(engine, "processes")?;
        let process = |fields: &[Vec<u8>]| {
            let line = text(&fields[3]);
            let argv = line.trim_end_matches('\0').split('\0').map(str::to_owned).collect();
            let is_stopped = fields[2] == b"T";
            Ok(HostProcess::inside(number(&fields[0])?, number(&fields[1])?, is_stopped, argv))
        };
        items.chunks_exact(4).map(process).collect()
    }

    /// Sends a signal to one of them.
    pub(super) fn signal(&mut self, engine: &Engine, pid: u32, name: &str) -> Result<(), String> {
        // The process may have ended meanwhile; then it needs no signal.
        self.ask(engine, &format!("signal {name} {pid}")).map(drop)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn number<T: std::str::FromStr>(bytes: &[u8]) -> Result<T, String> {
    text(bytes).parse().map_err(|_| format!("{:?} is no number", text(bytes)))
}

/// Takes one complete answer out of the received bytes, without its length.
fn take_answer(received: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = received.iter().position(|byte| *byte == b'\n')?;
    let length: usize = number(&received[..end]).ok()?;
    let all = end + 1 + length;
    (received.len() >= all).then(|| received.drain(..all).skip(end + 1).collect())
}

/// The items of an answer: `3:abc0:` is `abc` and the empty item.
fn items(mut answer: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut items = Vec::new();
    while !answer.is_empty() {
        let colon = answer.iter().position(|byte| *byte == b':')?;
        let length: usize = number(&answer[..colon]).ok()?;
        let rest = &answer[colon + 1..];
        items.push(rest.get(..length)?.to_vec());
        answer = &rest[length..];
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_once_it_is_complete() {
        let mut received = b"9\n3:a:b0:1".to_vec();
        assert_eq!(take_answer(&mut received), None);
        received.extend_from_slice(b":c2");
        let answer = take_answer(&mut received).expect("complete");
        assert_eq!(items(&answer), None, "the last item is cut");
        let mut received = b"10\n3:a:b0:1:c0\n".to_vec();
        let answer = take_answer(&mut received).expect("complete");
        assert_eq!(items(&answer), Some(vec![b"a:b".to_vec(), vec![], b"c".to_vec()]));
        assert_eq!(take_answer(&mut received), Some(vec![]));
        assert!(received.is_empty());
    }
}
