//! A program in a container that looks for us: one `docker exec` for many questions.

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

const PROGRAM: &str = include_str!("watcher.pl");

/// One that does not answer in this time is with a container that is frozen, or at its end.
const PATIENCE: Duration = Duration::from_secs(5);

/// It lives as long as the container's PID 1.
pub(super) struct ExecObserver {
    streams: ExecStreams,
    heard: Vec<u8>,
}

impl ExecObserver {
    /// In a running container.
    pub(super) fn begin(engine: &Engine, container: &str) -> Result<Self, String> {
        let env = BTreeMap::new();
        let argv = ["perl", "-e", PROGRAM];
        let program = ExecRequest { user: User::Root, env: &env, argv: &argv };
        let streams = engine.block_on(exec::start(&engine.docker, container, &program))?;
        Ok(Self { streams, heard: Vec::new() })
    }

    /// Asks, and hears the answer's items. After an error it is of no more use.
    fn ask(&mut self, engine: &Engine, question: &str) -> Result<Vec<Vec<u8>>, String> {
        let asked = async {
            let answer = async {
                self.streams.input.write_all(format!("{question}\n").as_bytes()).await?;
                self.hear().await
            };
            tokio::time::timeout(PATIENCE, answer).await
        };
        match engine.runtime.block_on(asked) {
            Ok(Ok(answer)) => items(&answer).ok_or(format!("an odd answer: {answer:?}")),
            Ok(Err(error)) => Err(super::engine_error(&error)),
            Err(_) => Err(format!("no answer to `{question}` in {PATIENCE:?}")),
        }
    }

    async fn hear(&mut self) -> Result<Vec<u8>, Error> {
        loop {
            if let Some(answer) = whole(&mut self.heard) {
                return Ok(answer);
            }
            match self.streams.output.next().await {
                Some(part) => self.heard.extend_from_slice(part?.as_ref()),
                None => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            }
        }
    }

    /// What a name is; `None`: nothing.
    pub(super) fn observe_file(
        &mut self,
        engine: &Engine,
        path: &str,
    ) -> Result<Option<ObservedFile>, String> {
        let items = self.ask(engine, &format!("see {path}"))?;
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

    /// Does somebody read from this FIFO?
    pub(super) fn check_fifo_reader(&mut self, engine: &Engine, fifo: &str) -> Result<(), String> {
        let items = self.ask(engine, &format!("listen {fifo}"))?;
        match items.first().map(|why| text(why)) {
            Some(why) if !why.is_empty() => Err(why),
            _ => Ok(()),
        }
    }

    /// What lives beside it.
    pub(super) fn processes(&mut self, engine: &Engine) -> Result<Vec<HostProcess>, String> {
        let items = self.ask(engine, "processes")?;
        let one = |four: &[Vec<u8>]| {
            let line = text(&four[3]);
            let words = line.trim_end_matches('\0').split('\0').map(str::to_owned).collect();
            let is_stopped = four[2] == b"T";
            Ok(HostProcess::inside(number(&four[0])?, number(&four[1])?, is_stopped, words))
        };
        items.chunks_exact(4).map(one).collect()
    }

    /// A signal for one of them.
    pub(super) fn signal(&mut self, engine: &Engine, pid: u32, name: &str) -> Result<(), String> {
        // It may have ended meanwhile, and then it needs no signal.
        self.ask(engine, &format!("signal {name} {pid}")).map(drop)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn number<T: std::str::FromStr>(bytes: &[u8]) -> Result<T, String> {
    text(bytes).parse().map_err(|_| format!("{:?} is no number", text(bytes)))
}

/// Takes one whole answer out of what was heard, without its length.
fn whole(heard: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = heard.iter().position(|byte| *byte == b'\n')?;
    let length: usize = number(&heard[..end]).ok()?;
    let all = end + 1 + length;
    (heard.len() >= all).then(|| heard.drain(..all).skip(end + 1).collect())
}

/// `3:abc0:` is `abc` and nothing.
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
    fn an_answer_is_taken_once_it_is_whole() {
        let mut heard = b"9\n3:a:b0:1".to_vec();
        assert_eq!(whole(&mut heard), None);
        heard.extend_from_slice(b":c2");
        let answer = whole(&mut heard).expect("whole");
        assert_eq!(items(&answer), None, "the last item is cut");
        let mut heard = b"10\n3:a:b0:1:c0\n".to_vec();
        let answer = whole(&mut heard).expect("whole");
        assert_eq!(items(&answer), Some(vec![b"a:b".to_vec(), vec![], b"c".to_vec()]));
        assert_eq!(whole(&mut heard), Some(vec![]));
        assert!(heard.is_empty());
    }
}
