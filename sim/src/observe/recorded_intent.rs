//! An operator's word as files hold it, read by the production readers through a door that has one file.
//!
//! Knows no disk and no profiles.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread::LocalKey;

use hermes::error::Errno;
use hermes::host::effect::{Effect, FileKind, Handle, Meta};
use hermes::host::{Answer, Host, Outcome};
use hermes::probe;
use hermes::record::intent::{self, InferredIntent, Intent, Source};
use hermes::record::json::Reading;
use hermes::record::{marker, pidfile, state};

use crate::hash;

/// What lies at a record's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contents<'a> {
    /// Nothing.
    Missing,
    /// A file that holds this.
    Bytes(&'a [u8]),
    /// Something that is no file.
    NotAFile,
}

/// What is so with the operator's word on a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObservedIntent {
    /// There is no such profile.
    NoProfile,
    /// Nobody has said anything yet: it stays down.
    Unset,
    /// It shall run.
    Running,
    /// It shall not run.
    Stopped,
    /// A word that is none of ours: it stays down.
    Unknown,
    /// The intent file is there and cannot be read.
    Unreadable,
}

impl ObservedIntent {
    /// All, in order.
    pub const ALL: [Self; 6] = [
        Self::NoProfile,
        Self::Unset,
        Self::Running,
        Self::Stopped,
        Self::Unknown,
        Self::Unreadable,
    ];
}

impl fmt::Display for ObservedIntent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoProfile => "no such profile",
            Self::Unset => "nothing said",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Unknown => "an unknown word",
            Self::Unreadable => "a broken file",
        })
    }
}

thread_local! {
    /// What was read before: the same files say the same, and they are looked at after every move.
    static INFERRED_INTENTS: RefCell<BTreeMap<u128, InferredIntent>> = const { RefCell::new(BTreeMap::new()) };
    static OBSERVED_INTENTS: RefCell<BTreeMap<u128, ObservedIntent>> = const { RefCell::new(BTreeMap::new()) };
    static STATES: RefCell<BTreeMap<u128, state::StateRecord>> = const { RefCell::new(BTreeMap::new()) };
}

/// So much is remembered of each.
const CACHE_ENTRIES_MAX: usize = 4096;

fn cached<T: Clone>(
    before: &'static LocalKey<RefCell<BTreeMap<u128, T>>>,
    key: u128,
    read: impl FnOnce() -> T,
) -> T {
    if let Some(known) = before.with_borrow(|before| before.get(&key).cloned()) {
        return known;
    }
    let now = read();
    before.with_borrow_mut(|before| {
        if before.len() >= CACHE_ENTRIES_MAX {
            before.clear();
        }
        before.insert(key, now.clone());
    });
    now
}

/// What a boot would take for the operator's word.
pub fn inferred_intent(
    record: Contents<'_>,
    noted: Contents<'_>,
    bootstrap: Option<Intent>,
) -> InferredIntent {
    let key = hash::digest(&(record, noted, bootstrap));
    cached(&INFERRED_INTENTS, key, || read_inferred_intent(record, noted, bootstrap))
}

fn read_inferred_intent(
    record: Contents<'_>,
    noted: Contents<'_>,
    bootstrap: Option<Intent>,
) -> InferredIntent {
    let path = Path::new("/record");
    let record = poll_ready(intent::read(&OneFileHost::new(record), path));
    let noted = poll_ready(state::read(&OneFileHost::new(noted), path));
    probe::without_planted_bug(|| intent::infer(&record, &noted, bootstrap))
}

/// The same in one word; a broken intent file is one, whatever the state file says.
pub fn observed_intent(
    record: Contents<'_>,
    noted: Contents<'_>,
    bootstrap: Option<Intent>,
) -> ObservedIntent {
    cached(&OBSERVED_INTENTS, hash::digest(&(record, noted, bootstrap)), || {
        let path = Path::new("/record");
        if matches!(poll_ready(intent::read(&OneFileHost::new(record), path)), Reading::Unusable(_))
        {
            return ObservedIntent::Unreadable;
        }
        from_inferred(&inferred_intent(record, noted, bootstrap))
    })
}

/// A prior in one word.
pub fn from_inferred(prior: &InferredIntent) -> ObservedIntent {
    match (prior.source, prior.is_unknown, prior.intent) {
        (Source::Nothing, ..) => ObservedIntent::Unset,
        (_, true, _) => ObservedIntent::Unknown,
        (_, _, Intent::Running) => ObservedIntent::Running,
        (_, _, Intent::Stopped) => ObservedIntent::Stopped,
    }
}

/// What a gateway noted of itself; nothing that can be used is nothing.
pub fn gateway_state(contents: Contents<'_>) -> state::StateRecord {
    cached(&STATES, hash::digest(&contents), || {
        let read = poll_ready(state::read(&OneFileHost::new(contents), Path::new("/record")));
        read.whole().cloned().unwrap_or_default()
    })
}

/// Who a marker names.
pub fn marker(contents: Contents<'_>) -> Option<marker::Marker> {
    poll_ready(marker::read(&OneFileHost::new(contents), Path::new("/record"))).whole().cloned()
}

/// Who a pid file names.
pub fn pidfile(contents: Contents<'_>) -> Option<pidfile::PidRecord> {
    poll_ready(pidfile::read(&OneFileHost::new(contents), Path::new("/record"))).whole().cloned()
}

/// A future that asks this module's doors alone is ready at once.
pub(super) fn poll_ready<T>(future: impl Future<Output = T>) -> T {
    match probe::without_planted_bug(|| pin!(future).poll(&mut Context::from_waker(Waker::noop())))
    {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a door that answers at once was waited for"),
    }
}

/// A machine that has one file, whatever its name.
pub(super) struct OneFileHost<'a> {
    contents: Contents<'a>,
    offset: Cell<usize>,
}

impl<'a> OneFileHost<'a> {
    pub(super) fn new(contents: Contents<'a>) -> Self {
        Self { contents, offset: Cell::new(0) }
    }
}

impl Host for OneFileHost<'_> {
    async fn perform(&self, effect: Effect) -> Outcome {
        let bytes = match self.contents {
            Contents::Missing => return Err(Errno::NOENT),
            Contents::Bytes(bytes) => bytes,
            Contents::NotAFile => &[],
        };
        Ok(match effect {
            Effect::Open { .. } => Answer::Handle(Handle(0)),
            Effect::Close { .. } => Answer::Done,
            Effect::HandleMeta { .. } => Answer::Meta(Meta {
                kind: if self.contents == Contents::NotAFile {
                    FileKind::Other
                } else {
                    FileKind::File
                },
                mode: 0o644,
                uid: 0,
                gid: 0,
                size: bytes.len() as u64,
                identity: (0, 0),
                links: 1,
            }),
            Effect::Read { max, .. } => {
                let from = self.offset.get().min(bytes.len());
                let to = from.saturating_add(max).min(bytes.len());
                self.offset.set(to);
                Answer::Bytes(bytes[from..to].to_vec())
            }
            _ => return Err(Errno::NOENT),
        })
    }
}
