//! The intent that a profile's files hold, read by the production readers through a host that has one file.
//!
//! Knows neither disk nor profiles.

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

/// What is at a record's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contents<'a> {
    /// Nothing.
    Missing,
    /// A file that holds this.
    Bytes(&'a [u8]),
    /// Something that is no file.
    NotAFile,
}

/// The operator's intent for a profile, as its files show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObservedIntent {
    /// There is no such profile.
    NoProfile,
    /// No intent was recorded yet: the gateway stays down.
    Unset,
    /// It shall run.
    Running,
    /// It shall not run.
    Stopped,
    /// A word that hermes does not know: the gateway stays down.
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
            Self::Unset => "not set",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Unknown => "an unknown word",
            Self::Unreadable => "a broken file",
        })
    }
}

thread_local! {
    /// What was read before: equal files have equal meanings, and they are read after every transition.
    static INFERRED_INTENTS: RefCell<BTreeMap<u128, InferredIntent>> = const { RefCell::new(BTreeMap::new()) };
    static OBSERVED_INTENTS: RefCell<BTreeMap<u128, ObservedIntent>> = const { RefCell::new(BTreeMap::new()) };
    static STATES: RefCell<BTreeMap<u128, state::StateRecord>> = const { RefCell::new(BTreeMap::new()) };
}

/// The size of each cache; a full one is emptied.
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

/// The intent that a boot would infer.
pub fn inferred_intent(
    record: Contents<'_>,
    state: Contents<'_>,
    bootstrap: Option<Intent>,
) -> InferredIntent {
    let key = hash::digest(&(record, state, bootstrap));
    cached(&INFERRED_INTENTS, key, || read_inferred_intent(record, state, bootstrap))
}

fn read_inferred_intent(
    record: Contents<'_>,
    state: Contents<'_>,
    bootstrap: Option<Intent>,
) -> InferredIntent {
    let path = Path::new("/record");
    let record = poll_ready(intent::read(&OneFileHost::new(record), path));
    let state = poll_ready(state::read(&OneFileHost::new(state), path));
    probe::without_planted_bug(|| intent::infer(&record, &state, bootstrap))
}

/// The same as one value; a broken intent file is [`ObservedIntent::Unreadable`], whatever the state file says.
pub fn observed_intent(
    record: Contents<'_>,
    state: Contents<'_>,
    bootstrap: Option<Intent>,
) -> ObservedIntent {
    cached(&OBSERVED_INTENTS, hash::digest(&(record, state, bootstrap)), || {
        let path = Path::new("/record");
        if matches!(poll_ready(intent::read(&OneFileHost::new(record), path)), Reading::Unusable(_))
        {
            return ObservedIntent::Unreadable;
        }
        from_inferred(&inferred_intent(record, state, bootstrap))
    })
}

/// An inferred intent as one value.
pub fn from_inferred(inferred: &InferredIntent) -> ObservedIntent {
    match (inferred.source, inferred.is_unknown, inferred.intent) {
        (Source::Nothing, ..) => ObservedIntent::Unset,
        (_, true, _) => ObservedIntent::Unknown,
        (_, _, Intent::Running) => ObservedIntent::Running,
        (_, _, Intent::Stopped) => ObservedIntent::Stopped,
    }
}

/// What a gateway recorded of itself; an unusable file is an empty record.
pub fn gateway_state(contents: Contents<'_>) -> state::StateRecord {
    cached(&STATES, hash::digest(&contents), || {
        let read = poll_ready(state::read(&OneFileHost::new(contents), Path::new("/record")));
        read.whole().cloned().unwrap_or_default()
    })
}

/// The process that a marker names.
pub fn marker(contents: Contents<'_>) -> Option<marker::Marker> {
    poll_ready(marker::read(&OneFileHost::new(contents), Path::new("/record"))).whole().cloned()
}

/// The process that a pid file names.
pub fn pidfile(contents: Contents<'_>) -> Option<pidfile::PidRecord> {
    poll_ready(pidfile::read(&OneFileHost::new(contents), Path::new("/record"))).whole().cloned()
}

/// Polls a future once. A future that uses only this module's host is ready at once.
pub(super) fn poll_ready<T>(future: impl Future<Output = T>) -> T {
    match probe::without_planted_bug(|| pin!(future).poll(&mut Context::from_waker(Waker::noop())))
    {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a future of a host that answers at once was pending"),
    }
}

/// A host that has one file, at every path.
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
