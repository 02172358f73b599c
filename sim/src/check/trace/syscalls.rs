//! Effects and their outcomes in the words of system calls, for the trace.

use hermes::host::effect::{Effect, Event, Handle, Interests, OpenMode, Place, Status};
use hermes::host::{Answer, Outcome};

use crate::execution::effect_objects;
use crate::scenario::EffectKind;

/// Longer texts are cut.
const TEXT_MAX: usize = 72;

/// An effect. `name` gives the path that a handle was opened on.
pub(super) fn effect(effect: &Effect, name: &dyn Fn(u32) -> Option<String>) -> String {
    let verb = format!("{:?}", EffectKind::of(effect)).to_lowercase();
    let rest = object(effect, &|handle| name(handle.0).unwrap_or(format!("#{}", handle.0)));
    match rest.is_empty() {
        true => verb,
        false => format!("{verb} {rest}"),
    }
}

fn object(effect: &Effect, name: &dyn Fn(Handle) -> String) -> String {
    let at = |place: &Place| match place.dir {
        Some(dir) if place.path.is_relative() => {
            format!("{}/{}", name(dir), place.path.display())
        }
        _ => place.path.display().to_string(),
    };
    match effect {
        Effect::Open { place, how, .. } => format!("{} {}", at(place), describe_open_flags(*how)),
        Effect::Read { handle, .. }
        | Effect::Sync { handle }
        | Effect::Close { handle }
        | Effect::HandleMeta { handle }
        | Effect::List { handle }
        | Effect::Lock { handle }
        | Effect::LockRecord { handle }
        | Effect::IsLocked { handle }
        | Effect::ChangeDir { handle }
        | Effect::HasRoom { handle } => name(*handle),
        Effect::Write { handle, bytes } => format!("{} {}", name(*handle), quoted(bytes)),
        Effect::Meta { place, .. }
        | Effect::ReadLink { place }
        | Effect::Unlink { place }
        | Effect::RemoveDir { place } => at(place),
        Effect::MakeDir { place, mode } | Effect::MakeFifo { place, mode } => {
            format!("{} {mode:04o}", at(place))
        }
        Effect::Rename { from, to, .. } => format!("{} -> {}", at(from), at(to)),
        Effect::SetMode { handle, mode } => format!("{} {mode:04o}", name(*handle)),
        Effect::SetOwner { place, uid, gid } => format!("{} {uid}:{gid}", at(place)),
        Effect::Inherited { descriptor } => descriptor.to_string(),
        Effect::OpenProcess { pid } => pid.raw().to_string(),
        Effect::SignalProcess { process, signal } => format!("{} {}", name(*process), signal.0),
        Effect::SignalGroup { leader, signal } => format!("{} {}", leader.raw(), signal.0),
        Effect::Reap { child } => child.raw().to_string(),
        Effect::SetGroups { gids } => format!("{gids:?}"),
        Effect::SetGid { gid } => gid.to_string(),
        Effect::SetUid { uid } => uid.to_string(),
        Effect::SetUmask { mask } => format!("{mask:04o}"),
        Effect::Now { clock } => format!("{clock:?}").to_lowercase(),
        Effect::Sleep { duration } => format!("{} ms", duration.as_millis()),
        Effect::Print { stream, bytes, .. } => {
            format!("{} {}", format!("{stream:?}").to_lowercase(), quoted(bytes))
        }
        Effect::Trap { signals } => {
            format!("{:?}", signals.iter().map(|signal| signal.0).collect::<Vec<_>>())
        }
        Effect::Listen { port } | Effect::Connect { port } => port.to_string(),
        Effect::ConnectLocal { path } => path.display().to_string(),
        Effect::Accept { listener } => name(*listener),
        Effect::Wait { interests } => describe_wait(interests),
        Effect::Run { .. } | Effect::Spawn { .. } | Effect::Exec { .. } => {
            cut(&effect_objects(effect).join(" "))
        }
        Effect::Random | Effect::Pipe => String::new(),
    }
}

fn describe_open_flags(how: OpenMode) -> String {
    let text = match how {
        OpenMode::Create { mode } => format!("create {mode:04o}"),
        OpenMode::Append { mode } => format!("append {mode:04o}"),
        OpenMode::Lock { mode } => format!("lock {mode:04o}"),
        other => format!("{other:?}"),
    };
    text.to_lowercase()
}

fn describe_wait(interests: &Interests) -> String {
    let mut parts = Vec::new();
    parts.extend(interests.child.map(|child| format!("child {}", child.raw())));
    parts.extend(
        interests.until.map(|at| format!("until {}.{:03}", at.as_secs(), at.subsec_millis())),
    );
    if !interests.readable.is_empty() {
        parts.push(format!("{} readable", interests.readable.len()));
    }
    parts.join(", ")
}

fn quoted(bytes: &[u8]) -> String {
    cut(&format!("{:?}", String::from_utf8_lossy(bytes)))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= TEXT_MAX {
        return text.to_owned();
    }
    text.chars().take(TEXT_MAX).chain(['…']).collect()
}

/// The outcome of an effect.
pub(super) fn outcome(outcome: &Outcome) -> String {
    let answer = match outcome {
        Ok(answer) => answer,
        Err(errno) => return format!("-{} {errno}", errno.0),
    };
    match answer {
        Answer::Done => "0".to_owned(),
        Answer::Handle(handle) => format!("#{}", handle.0),
        Answer::Pair(read, write) => format!("#{} #{}", read.0, write.0),
        Answer::Bytes(bytes) => format!("{} {}", bytes.len(), quoted(bytes)),
        Answer::Count(count) => count.to_string(),
        Answer::Meta(meta) => {
            format!("{:?} {:04o} {}:{}", meta.kind, meta.mode, meta.uid, meta.gid)
        }
        Answer::Entries(entries) => {
            let names: Vec<_> = entries.iter().map(|entry| entry.name.to_string_lossy()).collect();
            cut(&format!("[{}]", names.join(" ")))
        }
        Answer::Path(path) => path.display().to_string(),
        Answer::Flag(flag) => flag.to_string(),
        Answer::Finished(finished) => {
            format!("{} {}", status(finished.status), quoted(&finished.stdout))
        }
        Answer::Pid(pid) => format!("pid {}", pid.raw()),
        Answer::Time(time) => format!("{}.{:03}", time.as_secs(), time.subsec_millis()),
        Answer::Number(number) => format!("{number:#x}"),
        Answer::Event(event) => match event {
            Event::Signal(signal) => format!("signal {}", signal.0),
            Event::Child(ended) => format!("child {}", status(*ended)),
            Event::Readable(handle) => format!("readable #{}", handle.0),
            Event::Deadline => "deadline".to_owned(),
        },
    }
}

fn status(status: Status) -> String {
    match status {
        Status::Exited(code) => format!("exited {code}"),
        Status::Signalled(signal) => format!("signalled {}", signal.0),
    }
}
