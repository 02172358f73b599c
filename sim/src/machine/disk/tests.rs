//! Tables of the permissions of Linux, and of the states that a power cut may leave.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hermes::error::Errno;
use hermes::host::effect::{LinkPolicy, OnExisting, OpenMode};
use rstest::rstest;

use super::{Credentials, Disk, NodeId, View, errno};
use crate::hash;

const USER: u32 = 1000;

struct World {
    disk: Disk,
    root: NodeId,
    mounts: BTreeMap<NodeId, NodeId>,
}

impl World {
    fn new() -> Self {
        let mut disk = Disk::new();
        let root = disk.add_device(1);
        Self { disk, root, mounts: BTreeMap::new() }
    }

    /// Acts as a user with a supplementary group 50.
    fn by<T>(&mut self, uid: u32, act: impl FnOnce(&mut Disk, &View<'_>) -> T) -> T {
        let who = Credentials { uid, gid: uid, groups: vec![50], umask: 0o022 };
        let (root, mounts) = (self.root, &self.mounts);
        act(&mut self.disk, &View { root, cwd: root, mounts, credentials: &who })
    }

    fn open(&mut self, uid: u32, path: &str, how: OpenMode) -> Result<NodeId, Errno> {
        self.by(uid, |disk, view| disk.open(view, None, path.as_ref(), how, LinkPolicy::Follow))
    }

    fn rename(&mut self, uid: u32, from: &str, to: &str) -> Result<Option<NodeId>, Errno> {
        self.by(uid, |disk, view| {
            disk.rename(view, (None, from.as_ref()), (None, to.as_ref()), OnExisting::Replace)
        })
    }

    fn text(disk: &Disk, root: NodeId, path: &str) -> String {
        match disk.peek(root, &BTreeMap::new(), path.as_ref()) {
            None => "-".to_owned(),
            Some(id) => {
                let bytes = disk.contents(id).unwrap_or_default();
                String::from_utf8_lossy(bytes).into_owned()
            }
        }
    }

    /// The possible contents of the paths after a power cut; `-` is absent.
    fn after_cuts(&self, paths: &[&str]) -> BTreeSet<String> {
        let left = |choice| {
            let mut disk = self.disk.clone();
            disk.power_cut(1, choice);
            let texts: Vec<_> = paths.iter().map(|it| Self::text(&disk, self.root, it)).collect();
            texts.join(" ")
        };
        (0..self.disk.cut_count(1)).map(left).collect()
    }
}

fn set<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
    texts.into_iter().map(str::to_owned).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Synced {
    Nothing,
    File,
    FileThenDirectory,
    Directory,
}

#[rstest]
#[case::nothing(Synced::Nothing, set(["old", "", "ne", "newer"]))]
#[case::file(Synced::File, set(["old", "newer"]))]
#[case::both(Synced::FileThenDirectory, set(["newer"]))]
#[case::directory_only(Synced::Directory, set(["", "ne", "newer"]))]
fn a_replaced_file_survives_a_power_cut_as(
    #[case] synced: Synced,
    #[case] expected: BTreeSet<String>,
) {
    let mut world = World::new();
    world.disk.put_file(world.root, "f".as_ref(), b"old", 0o644, 0, 0);
    let id = world.open(0, "t", OpenMode::Create { mode: 0o644 }).expect("made");
    assert_eq!(world.disk.write(id, None, b"newer"), Ok(5));
    if matches!(synced, Synced::File | Synced::FileThenDirectory) {
        assert_eq!(world.disk.sync(id), Ok(()));
    }
    let replaced = world.rename(0, "t", "f").expect("renamed").expect("it was taken");
    world.disk.release_node(replaced);
    if matches!(synced, Synced::Directory | Synced::FileThenDirectory) {
        assert_eq!(world.disk.sync(world.root), Ok(()));
    }
    assert_eq!(world.after_cuts(&["f"]), expected);
}

#[test]
fn a_moved_file_can_be_in_both_or_neither_until_both_directories_are_synced() {
    let mut world = World::new();
    world.disk.put_file(world.root, "a/f".as_ref(), b"x", 0o644, 0, 0);
    let to = world.disk.put_dir(world.root, "b".as_ref(), 0o755, 0, 0);
    world.rename(0, "a/f", "b/f").expect("moved");
    let (from, paths) = (
        world.by(0, |disk, view| disk.resolve(view, None, Path::new("a"), LinkPolicy::Follow)),
        ["a/f", "b/f"],
    );
    assert_eq!(world.after_cuts(&paths), set(["x -", "- x", "x x", "- -"]));
    world.disk.sync(to).expect("synced");
    assert_eq!(world.after_cuts(&paths), set(["- x", "x x"]));
    world.disk.sync(from.expect("there")).expect("synced");
    assert_eq!(world.after_cuts(&paths), set(["- x"]));
    assert_eq!(world.disk.cut_count(1), 1);
}

#[test]
fn a_directory_keeps_a_prefix_of_its_steps() {
    let mut world = World::new();
    for name in ["a", "b"] {
        world.open(0, name, OpenMode::Create { mode: 0o644 }).expect("made");
    }
    assert_eq!(world.after_cuts(&["a", "b"]), set(["- -", " -", " "]));
}

#[test]
fn appended_data_is_lost_or_torn_but_what_was_synced_is_not() {
    let mut world = World::new();
    let id = world.disk.put_file(world.root, "f".as_ref(), b"abc", 0o644, 0, 0);
    world.disk.write(id, None, b"defg").expect("written");
    assert_eq!(world.after_cuts(&["f"]), set(["abc", "abcde", "abcdefg"]));
}

#[test]
fn histories_that_end_in_the_same_synced_state_are_equal() {
    let mut one = World::new();
    let mut two = World::new();
    let id = one.open(0, "f", OpenMode::Create { mode: 0o644 }).expect("made");
    one.disk.write(id, None, b"x").expect("written");
    let before = hash::digest(&one.disk);
    one.disk.sync(id).expect("synced");
    assert_ne!(hash::digest(&one.disk), before, "the durable layer counts");
    one.disk.sync(one.root).expect("synced");
    let id = two.open(0, "f", OpenMode::Create { mode: 0o644 }).expect("made");
    two.rename(0, "f", "g").expect("renamed");
    two.disk.write(id, None, b"x").expect("written");
    two.rename(0, "g", "f").expect("renamed");
    for id in [id, two.root] {
        two.disk.sync(id).expect("synced");
    }
    assert_eq!(one.disk, two.disk);
    assert_eq!(hash::digest(&one.disk), hash::digest(&two.disk));
}

#[test]
fn a_removed_directory_knows_no_name_however_long() {
    let mut world = World::new();
    let dir = world.disk.put_dir(world.root, Path::new("d"), 0o755, 0, 0);
    let long = "n".repeat(256);
    let make = |world: &mut World| {
        world.by(0, |disk, view| disk.make_dir(view, Some(dir), Path::new(&long), 0o755))
    };
    assert_eq!(make(&mut world), Err(errno::NAMETOOLONG));
    world.by(0, |disk, view| disk.remove_dir(view, None, Path::new("d"))).expect("removed");
    assert_eq!(make(&mut world), Err(errno::NOENT));
}

#[test]
fn what_nothing_can_bring_back_goes() {
    let mut world = World::new();
    let id = world.disk.put_file(world.root, "f".as_ref(), b"", 0o644, 0, 0);
    let gone = world.by(0, |disk, view| disk.unlink(view, None, Path::new("f")));
    assert_eq!(gone, Ok(id));
    world.disk.release_node(id);
    assert!(world.disk.node(id).is_some(), "a power cut may bring it back");
    world.disk.sync(world.root).expect("synced");
    assert!(world.disk.node(id).is_none());
}

/// A file's owner, group and mode, the user, and whether the user may read and write it.
#[rstest]
#[case::owner(USER, 9, 0o600, USER, true, true)]
#[case::owner_class_hides_others(USER, 9, 0o077, USER, false, false)]
#[case::group(0, USER, 0o640, USER, true, false)]
#[case::supplementary_group(0, 50, 0o060, USER, true, true)]
#[case::group_class_hides_others(0, 50, 0o607, USER, false, false)]
#[case::others(0, 0, 0o604, USER, true, false)]
#[case::root(USER, USER, 0o000, 0, true, true)]
fn a_file_opens_for(
    #[case] uid: u32,
    #[case] gid: u32,
    #[case] mode: u32,
    #[case] who: u32,
    #[case] reads: bool,
    #[case] writes: bool,
) {
    let mut world = World::new();
    let id = world.disk.put_file(world.root, "f".as_ref(), b"", mode, uid, gid);
    let expected = |may| if may { Ok(id) } else { Err(errno::ACCES) };
    assert_eq!(world.open(who, "f", OpenMode::Read), expected(reads));
    assert_eq!(world.open(who, "f", OpenMode::Write), expected(writes));
}

/// A directory's owner and mode, its file's owner, and the answer to user 1000 who unlinks it.
#[rstest]
#[case::open(0, 0o777, 0, Ok(()))]
#[case::sticky_of_others(0, 0o1777, 0, Err(errno::PERM))]
#[case::sticky_own_file(0, 0o1777, USER, Ok(()))]
#[case::sticky_own_directory(USER, 0o1777, 0, Ok(()))]
#[case::closed(0, 0o755, USER, Err(errno::ACCES))]
#[case::no_search(USER, 0o600, USER, Err(errno::ACCES))]
fn a_name_goes(
    #[case] dir_owner: u32,
    #[case] mode: u32,
    #[case] owner: u32,
    #[case] expected: Result<(), Errno>,
) {
    let mut world = World::new();
    world.disk.put_dir(world.root, "d".as_ref(), mode, dir_owner, 0);
    world.disk.put_file(world.root, "d/f".as_ref(), b"", 0o644, owner, 0);
    let answer = world.by(USER, |disk, view| disk.unlink(view, None, Path::new("d/f")));
    assert_eq!(answer.map(|_| ()), expected);
}

/// The user who gives a file of this owner, group and mode 06755 to another; its mode afterwards.
#[rstest]
#[case::root_gives(0, USER, 50, 7, 7, Ok(0o755))]
#[case::owner_gives_away(USER, USER, 50, 7, 50, Err(errno::PERM))]
#[case::owner_to_own_group(USER, USER, 9, USER, 50, Ok(0o755))]
#[case::owner_to_strange_group(USER, USER, 50, USER, 7, Err(errno::PERM))]
#[case::stranger(USER, 7, 50, 7, 50, Err(errno::PERM))]
fn ownership_passes(
    #[case] who: u32,
    #[case] uid: u32,
    #[case] gid: u32,
    #[case] new_uid: u32,
    #[case] new_gid: u32,
    #[case] expected: Result<u32, Errno>,
) {
    let mut world = World::new();
    let id = world.disk.put_file(world.root, "f".as_ref(), b"", 0o6755, uid, gid);
    let answer =
        world.by(who, |disk, view| disk.set_owner(view, None, Path::new("f"), new_uid, new_gid));
    assert_eq!(answer.map(|()| world.disk.meta(id).mode), expected);
}

#[test]
fn a_setgid_directory_gives_its_group_and_its_bit_to_directories() {
    let mut world = World::new();
    world.disk.put_dir(world.root, "d".as_ref(), 0o2777, 0, 77);
    let file = world.open(USER, "d/f", OpenMode::Create { mode: 0o2775 }).expect("made");
    let dir = world.by(USER, |disk, view| disk.make_dir(view, None, Path::new("d/s"), 0o777));
    let (file, dir) = (world.disk.meta(file), world.disk.meta(dir.expect("made")));
    assert_eq!((file.mode, file.gid), (0o755, 77));
    assert_eq!((dir.mode, dir.gid), (0o2755, 77));
}

#[test]
fn a_mount_covers_its_directory_and_cannot_be_moved_or_crossed_by_a_rename() {
    let mut world = World::new();
    let run = world.disk.put_dir(world.root, "run".as_ref(), 0o755, 0, 0);
    let other = world.disk.add_device(2);
    let file = world.disk.put_file(other, "f".as_ref(), b"", 0o644, 0, 0);
    world.mounts.insert(run, other);
    assert_eq!(world.open(0, "/run/../run/f", OpenMode::Read), Ok(file));
    assert_eq!(world.rename(0, "run/f", "f"), Err(errno::XDEV));
    assert_eq!(world.rename(0, "run", "r"), Err(errno::BUSY));
    let removed = world.by(0, |disk, view| disk.remove_dir(view, None, Path::new("run")));
    assert_eq!(removed, Err(errno::BUSY));
}

#[test]
fn a_full_or_read_only_device_says_so() {
    let mut world = World::new();
    let id = world.disk.put_file(world.root, "f".as_ref(), b"abc", 0o644, 0, 0);
    world.disk.set_full(1, true);
    assert_eq!(world.open(0, "g", OpenMode::Create { mode: 0o644 }), Err(errno::NOSPC));
    assert_eq!(world.disk.write(id, None, b"d"), Err(errno::NOSPC));
    assert_eq!(world.disk.write(id, Some(0), b"x"), Ok(1));
    world.disk.set_full(1, false);
    world.disk.set_read_only(1, true);
    assert_eq!(world.open(0, "g", OpenMode::Create { mode: 0o644 }), Err(errno::ROFS));
    assert_eq!(world.open(0, "f", OpenMode::Write), Err(errno::ROFS));
    assert_eq!(world.open(0, "f", OpenMode::Read), Ok(id));
    assert_eq!(world.rename(0, "absent", "g"), Err(errno::ROFS));
}

/// Forty links are followed in one walk, and not one more.
#[rstest]
#[case(40, None)]
#[case(41, Some(errno::LOOP))]
fn links_end(#[case] count: u32, #[case] expected: Option<Errno>) {
    let mut world = World::new();
    world.disk.put_file(world.root, "0".as_ref(), b"", 0o644, 0, 0);
    for link in 1..=count {
        let target = format!("/{}", link - 1);
        world.disk.put_link(world.root, link.to_string().as_ref(), target, 0, 0);
    }
    assert_eq!(world.open(0, &count.to_string(), OpenMode::Read).err(), expected);
}
