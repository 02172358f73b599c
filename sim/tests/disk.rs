//! The simulated disk answers like the real machine: the same effects on both, step by step.
//!
//! Time, locks and power cuts are not tested here.

mod acts;
mod trees;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hermes::error::Errno;
use hermes::host::effect::{Handle, LinkPolicy, Meta, OpenMode, Place};
use hermes::host::os::{OsHost, run_ready};
use hermes::host::{Answer, Effect, Host, Outcome};
use hermes_sim::hash;
use hermes_sim::machine::disk::{Credentials, Disk, NodeId};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use acts::{DiskAct, act};
use trees::{START, plant_real, plant_simulated, real_tree, simulated_tree, view};

const SEQUENCES: u32 = 512;
const OTHER_USER: u32 = 1000;
const UMASK: u32 = 0o027;

/// A handle on both machines.
struct PairedHandle {
    real: Handle,
    node: NodeId,
    how: OpenMode,
    offset: u64,
}

struct PairedDisks {
    real: OsHost,
    disk: Disk,
    root: NodeId,
    credentials: Credentials,
    open: Vec<PairedHandle>,
}

/// An answer without what may differ.
#[derive(Debug, PartialEq)]
enum ComparableAnswer {
    Done,
    Meta(Meta),
    Bytes(Vec<u8>),
    Names(Vec<String>),
    Path(PathBuf),
}

fn same_meta(mut meta: Meta) -> ComparableAnswer {
    meta.identity = (0, 0);
    if meta.kind == hermes::host::effect::FileKind::Directory {
        meta.size = 0;
    }
    ComparableAnswer::Meta(meta)
}

fn comparable(outcome: Outcome) -> Result<ComparableAnswer, Errno> {
    Ok(match outcome? {
        Answer::Meta(meta) => same_meta(meta),
        Answer::Bytes(bytes) => ComparableAnswer::Bytes(bytes),
        Answer::Path(path) => ComparableAnswer::Path(path),
        Answer::Entries(entries) => names(entries),
        _ => ComparableAnswer::Done,
    })
}

fn names(entries: Vec<hermes::host::effect::DirEntry>) -> ComparableAnswer {
    let mut names: Vec<_> =
        entries.into_iter().map(|entry| entry.name.to_string_lossy().into_owned()).collect();
    names.sort();
    ComparableAnswer::Names(names)
}

impl PairedDisks {
    fn perform(&self, effect: Effect) -> Outcome {
        run_ready(self.real.perform(effect))
    }

    fn pick(&self, choice: usize) -> &PairedHandle {
        &self.open[choice % self.open.len()]
    }

    fn place(&self, dir: usize, path: &str) -> Place {
        Place::at(self.pick(dir).real, path)
    }

    fn is_open(&self, node: NodeId) -> bool {
        self.open.iter().any(|open| open.node == node)
    }

    /// Tells the disk that a node which lost its name is not open.
    fn forget(&mut self, node: NodeId) {
        if !self.is_open(node) {
            self.disk.release_node(node);
        }
    }

    fn step(
        &mut self,
        act: &DiskAct,
    ) -> Option<(Result<ComparableAnswer, Errno>, Result<ComparableAnswer, Errno>)> {
        match act {
            DiskAct::Open { .. } | DiskAct::Close { .. } => self.handles(act),
            DiskAct::Write { .. } | DiskAct::Read { .. } => self.data(act),
            DiskAct::Sync { handle } => {
                // A real sync is slow, and has no visible effect without a power cut.
                let node = self.pick(*handle).node;
                let _ = self.disk.sync(node); // a FIFO cannot be synced
                None
            }
            DiskAct::HandleMeta { handle } => {
                let open = self.pick(*handle);
                let real = comparable(self.perform(Effect::HandleMeta { handle: open.real }));
                Some((real, Ok(same_meta(self.disk.meta(open.node)))))
            }
            DiskAct::List { handle } => {
                let index = handle % self.open.len();
                self.open[index].offset = 0; // a listing starts from the beginning, even if it fails
                let open = self.pick(*handle);
                let real = comparable(self.perform(Effect::List { handle: open.real }));
                Some((real, self.disk.list(open.node).map(names)))
            }
            DiskAct::SetMode { handle, mode } => {
                let (real, node) = (self.pick(*handle).real, self.pick(*handle).node);
                let real = comparable(self.perform(Effect::SetMode { handle: real, mode: *mode }));
                let simulated = self.disk.set_mode(&self.credentials, node, *mode);
                Some((real, simulated.map(|()| ComparableAnswer::Done)))
            }
            _ => Some(self.name(act)),
        }
    }

    fn handles(
        &mut self,
        act: &DiskAct,
    ) -> Option<(Result<ComparableAnswer, Errno>, Result<ComparableAnswer, Errno>)> {
        match act {
            DiskAct::Open { dir, path, how, links } => {
                let (place, dir) = (self.place(*dir, path), self.pick(*dir).node);
                let real = self.perform(Effect::Open { place, how: *how, links: *links });
                let mounts = BTreeMap::new();
                let view = view(self.root, &mounts, &self.credentials);
                let node = self.disk.open(&view, Some(dir), path.as_ref(), *how, *links);
                if let (Err(Errno::NXIO), Ok(_)) = (&real, &node) {
                    return None; // the disk does not know whether a FIFO has readers
                }
                if let (Ok(Answer::Handle(real)), Ok(node)) = (&real, &node) {
                    self.open.push(PairedHandle { real: *real, node: *node, how: *how, offset: 0 });
                }
                Some((comparable(real), node.map(|_| ComparableAnswer::Done)))
            }
            DiskAct::Close { handle } if handle % self.open.len() > 0 => {
                let open = self.open.remove(handle % self.open.len());
                let real = comparable(self.perform(Effect::Close { handle: open.real }));
                self.forget(open.node);
                Some((real, Ok(ComparableAnswer::Done)))
            }
            _ => None,
        }
    }

    fn data(
        &mut self,
        act: &DiskAct,
    ) -> Option<(Result<ComparableAnswer, Errno>, Result<ComparableAnswer, Errno>)> {
        let (DiskAct::Write { handle, .. } | DiskAct::Read { handle }) = act else { return None };
        let index = handle % self.open.len();
        let PairedHandle { real, node, how, offset } = self.open[index];
        self.disk.contents(node)?;
        match act {
            DiskAct::Write { bytes, .. }
                if !matches!(how, OpenMode::Read | OpenMode::Directory) =>
            {
                if self.credentials.uid != 0 && self.disk.meta(node).mode & 0o6000 != 0 {
                    return None; // would clear these bits
                }
                let effect = Effect::Write { handle: real, bytes: bytes.clone() };
                let real = comparable(self.perform(effect));
                let at = if matches!(how, OpenMode::Append { .. }) { None } else { Some(offset) };
                let after = self.disk.write(node, at, bytes);
                self.open[index].offset = after.unwrap_or(offset);
                Some((real, after.map(|_| ComparableAnswer::Done)))
            }
            DiskAct::Read { .. } if matches!(how, OpenMode::Read | OpenMode::Lock { .. }) => {
                let real = comparable(self.perform(Effect::Read { handle: real, max: 3 }));
                let bytes = self.disk.read(node, offset, 3);
                self.open[index].offset += bytes.len() as u64;
                Some((real, Ok(ComparableAnswer::Bytes(bytes))))
            }
            _ => None,
        }
    }

    fn name(
        &mut self,
        act: &DiskAct,
    ) -> (Result<ComparableAnswer, Errno>, Result<ComparableAnswer, Errno>) {
        let real = comparable(self.perform(self.effect(act)));
        let mounts = BTreeMap::new();
        let credentials = self.credentials.clone();
        let view = view(self.root, &mounts, &credentials);
        let at = |dir: &usize| Some(self.pick(*dir).node);
        let mut freed = None;
        let simulated = match act {
            DiskAct::Meta { dir, path, links } => {
                let node = self.disk.resolve(&view, at(dir), path.as_ref(), *links);
                node.map(|node| same_meta(self.disk.meta(node)))
            }
            DiskAct::ReadLink { dir, path } => {
                self.disk.read_link(&view, at(dir), path.as_ref()).map(ComparableAnswer::Path)
            }
            DiskAct::MakeDir { dir, path, mode } => {
                let dir = at(dir);
                let made = self.disk.make_dir(&view, dir, path.as_ref(), *mode);
                made.map(|_| ComparableAnswer::Done)
            }
            DiskAct::MakeFifo { dir, path, mode } => {
                let dir = at(dir);
                let made = self.disk.make_fifo(&view, dir, path.as_ref(), *mode);
                made.map(|_| ComparableAnswer::Done)
            }
            DiskAct::Rename { from, to, over } => {
                let (from, to) = ((at(&from.0), from.1.as_ref()), (at(&to.0), to.1.as_ref()));
                self.disk
                    .rename(&view, from, to, *over)
                    .map(|node| freed = node)
                    .map(|()| ComparableAnswer::Done)
            }
            DiskAct::Unlink { dir, path } => {
                let dir = at(dir);
                let gone = self.disk.unlink(&view, dir, path.as_ref());
                gone.map(|node| freed = Some(node)).map(|()| ComparableAnswer::Done)
            }
            DiskAct::RemoveDir { dir, path } => {
                let dir = at(dir);
                let gone = self.disk.remove_dir(&view, dir, path.as_ref());
                gone.map(|node| freed = Some(node)).map(|()| ComparableAnswer::Done)
            }
            DiskAct::SetOwner { dir, path, uid, gid } => {
                let dir = at(dir);
                let given = self.disk.set_owner(&view, dir, path.as_ref(), *uid, *gid);
                given.map(|()| ComparableAnswer::Done)
            }
            _ => unreachable!("acts on handles are answered elsewhere"),
        };
        if let Some(node) = freed {
            self.forget(node);
        }
        (real, simulated)
    }

    fn effect(&self, act: &DiskAct) -> Effect {
        match act.clone() {
            DiskAct::Meta { dir, path, links } => {
                Effect::Meta { place: self.place(dir, &path), links }
            }
            DiskAct::ReadLink { dir, path } => Effect::ReadLink { place: self.place(dir, &path) },
            DiskAct::MakeDir { dir, path, mode } => {
                Effect::MakeDir { place: self.place(dir, &path), mode }
            }
            DiskAct::MakeFifo { dir, path, mode } => {
                Effect::MakeFifo { place: self.place(dir, &path), mode }
            }
            DiskAct::Rename { from, to, over } => Effect::Rename {
                from: self.place(from.0, &from.1),
                to: self.place(to.0, &to.1),
                over,
            },
            DiskAct::Unlink { dir, path } => Effect::Unlink { place: self.place(dir, &path) },
            DiskAct::RemoveDir { dir, path } => Effect::RemoveDir { place: self.place(dir, &path) },
            DiskAct::SetOwner { dir, path, uid, gid } => {
                Effect::SetOwner { place: self.place(dir, &path), uid, gid }
            }
            _ => unreachable!("acts on handles are performed elsewhere"),
        }
    }
}

/// Takes the same steps on both machines, and compares the resulting trees.
fn run(top: &Path, uid: u32, acts: &[DiskAct]) -> Result<(), TestCaseError> {
    plant_real(top);
    // A thread that has become another user cannot become root again: a new thread for each run.
    let steps = || {
        std::thread::scope(|scope| scope.spawn(|| take_steps(top, uid, acts)).join())
            .expect("the thread ends")
    };
    let (mut disk, root) = steps()?;
    let (mut real, mut simulated) = (String::new(), String::new());
    real_tree(top, "", &mut real);
    simulated_tree(&disk, root, "", &mut simulated);
    prop_assert_eq!(real, simulated);
    disk.power_cut(1, 1);
    let kept = hash::digest(&disk);
    disk.power_cut(1, 0);
    prop_assert_eq!(hash::digest(&disk), kept, "a power cut leaves synced data only");
    Ok(())
}

fn take_steps(top: &Path, uid: u32, acts: &[DiskAct]) -> Result<(Disk, NodeId), TestCaseError> {
    let mut disk = Disk::new();
    let (root, start) = plant_simulated(&mut disk);
    let credentials = Credentials { uid, gid: uid, groups: vec![], umask: UMASK };
    let mut both = PairedDisks { real: OsHost::new(), disk, root, credentials, open: vec![] };
    become_user(&both.real, uid);
    let place = Place::from(&top.join(START));
    let (how, links) = (OpenMode::Directory, LinkPolicy::Follow);
    let Ok(Answer::Handle(real)) = both.perform(Effect::Open { place, how, links }) else {
        panic!("the start could not be opened");
    };
    both.open.push(PairedHandle { real, node: start, how, offset: 0 });
    for (index, act) in acts.iter().enumerate() {
        if let Some((real, simulated)) = both.step(act) {
            if real != simulated {
                let text = format!("step {index} {act:?}: real {real:?}, simulated {simulated:?}");
                return Err(TestCaseError::fail(text));
            }
        }
    }
    Ok((both.disk, root))
}

/// Changes the credentials, which belong to this thread, and the umask, which belongs to the whole process: all tests of this
/// binary, and the programs that they start, run with [`UMASK`] from then on. None of them depends on the umask.
fn become_user(real: &OsHost, uid: u32) {
    for effect in [
        Effect::SetGroups { gids: vec![] },
        Effect::SetGid { gid: uid },
        Effect::SetUid { uid },
        Effect::SetUmask { mask: UMASK },
    ] {
        assert_eq!(run_ready(real.perform(effect)), Ok(Answer::Done));
    }
}

/// Why this process cannot change its user; `None` if it can.
fn cannot_run_here() -> Option<&'static str> {
    let own = fs::metadata("/proc/self").expect("a process has a directory").uid();
    let plain = ["symlinks", "regular", "fifos"].iter().all(|name| {
        let text = fs::read_to_string(format!("/proc/sys/fs/protected_{name}"));
        text.is_ok_and(|text| text.trim() == "0")
    });
    match (own, plain) {
        (0, true) => None,
        (0, false) => Some("fs.protected_* is on"),
        _ => Some("not root"),
    }
}

fn agrees_as(uid: u32) {
    if let Some(reason) = cannot_run_here() {
        #[expect(clippy::print_stderr, reason = "a test that cannot run must print why")]
        {
            eprintln!("SKIPPED: the disk was not compared with the real one: {reason}");
        }
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("set");
    let mut runner = TestRunner::new(Config {
        cases: SEQUENCES,
        failure_persistence: None,
        ..Config::default()
    });
    let result =
        runner.run(&prop::collection::vec(act(), 1..40), |acts| in_a_new_tree(&dir, uid, &acts));
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn in_a_new_tree(dir: &tempfile::TempDir, uid: u32, acts: &[DiskAct]) -> Result<(), TestCaseError> {
    let top = dir.path().join("top");
    let outcome = run(&top, uid, acts);
    fs::remove_dir_all(&top).expect("removed");
    outcome
}

#[test]
fn root_gets_the_answers_of_the_real_machine() {
    agrees_as(0);
}

#[test]
fn a_user_gets_the_answers_of_the_real_machine() {
    agrees_as(OTHER_USER);
}
