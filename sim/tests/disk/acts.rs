//! The steps of a test, and how they are generated.

use hermes::host::effect::{LinkPolicy, OnExisting, OpenMode};
use proptest::prelude::*;

use super::OTHER_USER;

/// One step; `dir` and `handle` choose among the handles that are open then.
#[derive(Clone, Debug)]
pub enum DiskAct {
    Open { dir: usize, path: String, how: OpenMode, links: LinkPolicy },
    Close { handle: usize },
    Write { handle: usize, bytes: Vec<u8> },
    Read { handle: usize },
    Sync { handle: usize },
    HandleMeta { handle: usize },
    List { handle: usize },
    Meta { dir: usize, path: String, links: LinkPolicy },
    ReadLink { dir: usize, path: String },
    MakeDir { dir: usize, path: String, mode: u32 },
    MakeFifo { dir: usize, path: String, mode: u32 },
    Rename { from: (usize, String), to: (usize, String), over: OnExisting },
    Unlink { dir: usize, path: String },
    RemoveDir { dir: usize, path: String },
    SetMode { handle: usize, mode: u32 },
    SetOwner { dir: usize, path: String, uid: u32, gid: u32 },
}

fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "c", "own", "root", "shared"]),
        2 => prop::sample::select(vec!["link", "dangling", "loop", "up", "slashed", "."]),
        1 => prop::sample::select(vec![".."]),
    ];
    let parts = prop::collection::vec(part, 1..=3);
    let long = "n".repeat(256);
    prop_oneof![
        60 => (parts, prop::bool::weighted(0.1)).prop_map(|(parts, slash)| {
            parts.join("/") + if slash { "/" } else { "" }
        }),
        1 => Just(String::new()),
        1 => Just(long.clone()),
        1 => Just(format!("absent/{long}")),
        1 => Just("a/".repeat(2048)),
    ]
}

fn mode() -> impl Strategy<Value = u32> {
    let modes = vec![0o644, 0o600, 0o755, 0o777, 0o700, 0o070, 0o007, 0o300, 0o500];
    let special = vec![0o2775, 0o1777, 0o6755, 0o2664, 0o4711, 0o000];
    prop_oneof![3 => prop::sample::select(modes), 1 => prop::sample::select(special)]
}

fn links() -> impl Strategy<Value = LinkPolicy> {
    prop::sample::select(vec![LinkPolicy::Follow, LinkPolicy::Refuse])
}

fn how() -> impl Strategy<Value = OpenMode> {
    prop_oneof![
        2 => Just(OpenMode::Read),
        4 => Just(OpenMode::Directory),
        3 => mode().prop_map(|mode| OpenMode::Create { mode }),
        2 => mode().prop_map(|mode| OpenMode::Append { mode }),
        2 => mode().prop_map(|mode| OpenMode::Lock { mode }),
        1 => Just(OpenMode::Write),
    ]
}

pub fn act() -> impl Strategy<Value = DiskAct> {
    let id = || prop::sample::select(vec![0, OTHER_USER, 7, u32::MAX]);
    let (dir, handle) = (|| 0..6_usize, || 0..6_usize);
    prop_oneof![
        8 => (dir(), path(), how(), links())
            .prop_map(|(dir, path, how, links)| DiskAct::Open { dir, path, how, links }),
        1 => handle().prop_map(|handle| DiskAct::Close { handle }),
        2 => (handle(), prop::collection::vec(97..100_u8, 0..4))
            .prop_map(|(handle, bytes)| DiskAct::Write { handle, bytes }),
        1 => handle().prop_map(|handle| DiskAct::Read { handle }),
        1 => handle().prop_map(|handle| DiskAct::Sync { handle }),
        1 => handle().prop_map(|handle| DiskAct::HandleMeta { handle }),
        1 => handle().prop_map(|handle| DiskAct::List { handle }),
        2 => (dir(), path(), links()).prop_map(|(dir, path, links)| DiskAct::Meta { dir, path, links }),
        1 => (dir(), path()).prop_map(|(dir, path)| DiskAct::ReadLink { dir, path }),
        4 => (dir(), path(), mode()).prop_map(|(dir, path, mode)| DiskAct::MakeDir { dir, path, mode }),
        2 => (dir(), path(), mode()).prop_map(|(dir, path, mode)| DiskAct::MakeFifo { dir, path, mode }),
        6 => ((dir(), path()), (dir(), path()), prop::sample::select(vec![OnExisting::Replace, OnExisting::Refuse]))
            .prop_map(|(from, to, over)| DiskAct::Rename { from, to, over }),
        3 => (dir(), path()).prop_map(|(dir, path)| DiskAct::Unlink { dir, path }),
        3 => (dir(), path()).prop_map(|(dir, path)| DiskAct::RemoveDir { dir, path }),
        2 => (handle(), mode()).prop_map(|(handle, mode)| DiskAct::SetMode { handle, mode }),
        2 => (dir(), path(), id(), id())
            .prop_map(|(dir, path, uid, gid)| DiskAct::SetOwner { dir, path, uid, gid }),
    ]
}
