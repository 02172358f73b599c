//! The tree that both machines start with, and both trees as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::Path;

use hermes::host::effect::Meta;
use hermes_sim::machine::disk::{Credentials, Disk, NodeId, View};

use super::OTHER_USER;

/// The tree before the first step: path, kind and contents, mode, owner and group.
const PLANTED: &[(&str, &str, u32, u32)] = &[
    ("own", "/", 0o755, OTHER_USER),
    ("own/a", "=mine", 0o640, OTHER_USER),
    ("root", "/", 0o755, 0),
    ("root/a", "=root", 0o640, 0),
    ("root/b", "/", 0o777, 0),
    ("shared", "/", 0o1777, 0),
    ("shared/a", "=root", 0o666, 0),
    ("shared/b", "/", 0o2777, 7),
    ("link", ">own", 0o777, 0),
    ("dangling", ">c", 0o777, 0),
    ("loop", ">loop", 0o777, OTHER_USER),
    ("up", ">..", 0o777, 0),
    ("slashed", ">own/a/", 0o777, 0),
];

/// The directory from which the steps start, deep enough that no path of a step leaves the tree.
pub const START: &str = "1/2/3/4/5/6/7";

pub fn plant_real(top: &Path) {
    let start = top.join(START);
    fs::create_dir_all(&start).expect("made");
    for part in start.ancestors().take(8) {
        fs::set_permissions(part, fs::Permissions::from_mode(0o755)).expect("set");
    }
    for &(name, content, mode, owner) in PLANTED {
        let path = start.join(name);
        match content.split_at(1) {
            ("/", _) => fs::create_dir(&path).expect("made"),
            ("=", contents) => fs::write(&path, contents).expect("written"),
            (_, target) => symlink(target, &path).expect("linked"),
        }
        lchown(&path, Some(owner), Some(owner)).expect("given");
        if !content.starts_with('>') {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        }
    }
    chown(&start, Some(OTHER_USER), Some(OTHER_USER)).expect("given");
}

pub fn plant_simulated(disk: &mut Disk) -> (NodeId, NodeId) {
    let top = disk.add_device(1);
    let start = disk.put_dir(top, START.as_ref(), 0o755, 0, 0);
    for &(name, content, mode, owner) in PLANTED {
        match content.split_at(1) {
            ("/", _) => disk.put_dir(start, name.as_ref(), mode, owner, owner),
            ("=", text) => disk.put_file(start, name.as_ref(), text.as_bytes(), mode, owner, owner),
            (_, target) => disk.put_link(start, name.as_ref(), target, owner, owner),
        };
    }
    disk.put_dir(top, START.as_ref(), 0o755, OTHER_USER, OTHER_USER);
    (top, start)
}

pub fn view<'a>(
    root: NodeId,
    mounts: &'a BTreeMap<NodeId, NodeId>,
    credentials: &'a Credentials,
) -> View<'a> {
    View { root, cwd: root, mounts, credentials }
}

pub fn real_tree(dir: &Path, prefix: &str, lines: &mut String) {
    let mut entries: Vec<_> =
        fs::read_dir(dir).expect("listed").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let meta = path.symlink_metadata().expect("there");
        let name = format!("{prefix}/{}", path.file_name().expect("named").to_string_lossy());
        let (mode, uid, gid) = (meta.mode() & 0o7777, meta.uid(), meta.gid());
        let links = if meta.is_dir() { 1 } else { meta.nlink() };
        let _ = writeln!(lines, "{name} {mode:o} {uid}:{gid} {links}"); // a string takes all
        if meta.is_dir() {
            real_tree(&path, &name, lines);
        } else if meta.is_file() {
            let _ = writeln!(lines, "  {:?}", fs::read(&path).expect("read")); // as above
        }
    }
}

pub fn simulated_tree(disk: &Disk, dir: NodeId, prefix: &str, lines: &mut String) {
    for entry in disk.list(dir).expect("a directory") {
        let name = format!("{prefix}/{}", entry.name.to_string_lossy());
        let node = disk.peek(dir, &BTreeMap::new(), entry.name.as_ref()).expect("there");
        let Meta { mode, uid, gid, links, .. } = disk.meta(node);
        let _ = writeln!(lines, "{name} {mode:o} {uid}:{gid} {links}"); // a string takes all
        if let Some(contents) = disk.contents(node) {
            let _ = writeln!(lines, "  {contents:?}"); // as above
        } else if disk.list(node).is_ok() {
            simulated_tree(disk, node, &name, lines);
        }
    }
}
