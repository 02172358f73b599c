//! Files, directories, links and FIFOs.

use std::os::unix::fs::{MetadataExt, symlink};

use hermes::error::Errno;
use hermes::host::Answer;
use hermes::host::effect::{
    DirEntry, Effect, FileKind, Handle, LinkPolicy, Meta, OnExisting, OpenMode, Place, Program,
};
use hermes::host::os::OsHost;
use rstest::rstest;
use tempfile::tempdir;

use super::{BADF, bytes, close, handle, name, now, open, opened, read, write};

fn meta(host: &OsHost, place: impl Into<Place>, links: LinkPolicy) -> Meta {
    match now(host, Effect::Meta { place: place.into(), links }) {
        Ok(Answer::Meta(meta)) => meta,
        other => panic!("not a meta: {other:?}"),
    }
}

#[test]
fn a_file_is_created_written_synced_and_read_back() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let path = dir.path().join("file");
    let file = opened(&host, &path, OpenMode::Create { mode: 0o600 });
    assert_eq!(write(&host, file, b"one"), Ok(Answer::Count(3)));
    assert_eq!(now(&host, Effect::Sync { handle: file }), Ok(Answer::Done));
    close(&host, file);
    let file = opened(&host, &path, OpenMode::Append { mode: 0o600 });
    assert_eq!(write(&host, file, b" two"), Ok(Answer::Count(4)));
    let file = opened(&host, &path, OpenMode::Read);
    assert_eq!(now(&host, Effect::Read { handle: file, max: 4 }), bytes("one "));
    assert_eq!(read(&host, file), bytes("two"));
    assert_eq!(read(&host, file), bytes(""));
}

#[test]
fn read_takes_any_maximum() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let path = dir.path().join("file");
    std::fs::write(&path, "text").unwrap();
    let file = opened(&host, &path, OpenMode::Read);
    assert_eq!(now(&host, Effect::Read { handle: file, max: 0 }), bytes(""));
    assert_eq!(now(&host, Effect::Read { handle: file, max: usize::MAX }), bytes("text"));
}

#[test]
fn create_refuses_a_taken_name() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let path = dir.path().join("file");
    opened(&host, &path, OpenMode::Create { mode: 0o600 });
    let again = open(&host, &path, OpenMode::Create { mode: 0o600 }, LinkPolicy::Follow);
    assert_eq!(again, Err(Errno::EXIST));
}

#[rstest]
#[case(OpenMode::Read, Errno::LOOP)]
#[case(OpenMode::Write, Errno::LOOP)]
#[case(OpenMode::Append { mode: 0o600 }, Errno::LOOP)]
#[case(OpenMode::Lock { mode: 0o600 }, Errno::LOOP)]
#[case(OpenMode::Create { mode: 0o600 }, Errno::EXIST)]
#[case(OpenMode::Directory, Errno::NOTDIR)]
fn open_refuses_a_link(#[case] how: OpenMode, #[case] errno: Errno) {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let link = dir.path().join("link");
    symlink(dir.path(), &link).unwrap();
    assert_eq!(open(&host, &link, how, LinkPolicy::Refuse), Err(errno));
}

#[test]
fn open_follows_a_link_when_asked_to() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let link = dir.path().join("link");
    symlink(dir.path(), &link).unwrap();
    assert!(open(&host, &link, OpenMode::Directory, LinkPolicy::Follow).is_ok());
}

#[test]
fn open_of_a_fifo_never_waits_for_its_other_end() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let path = dir.path().join("fifo");
    let make = Effect::MakeFifo { place: (&path).into(), mode: 0o600 };
    assert_eq!(now(&host, make.clone()), Ok(Answer::Done));
    assert_eq!(now(&host, make), Err(Errno::EXIST));
    assert_eq!(meta(&host, &path, LinkPolicy::Refuse).kind, FileKind::Fifo);
    assert_eq!(open(&host, &path, OpenMode::Write, LinkPolicy::Refuse), Err(Errno::NXIO));
    let reader = opened(&host, &path, OpenMode::Read);
    assert_eq!(read(&host, reader), bytes(""));
    let writer = opened(&host, &path, OpenMode::Write);
    assert_eq!(read(&host, reader), Err(Errno::AGAIN));
    assert_eq!(write(&host, writer, b"u"), Ok(Answer::Count(1)));
    assert_eq!(read(&host, reader), bytes("u"));
}

#[test]
fn a_place_is_relative_to_its_directory_even_after_that_was_renamed() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    let make = Effect::MakeDir { place: (&old).into(), mode: 0o700 };
    assert_eq!(now(&host, make), Ok(Answer::Done));
    let start = opened(&host, &old, OpenMode::Directory);
    let rename =
        Effect::Rename { from: (&old).into(), to: (&new).into(), over: OnExisting::Refuse };
    assert_eq!(now(&host, rename), Ok(Answer::Done));
    handle(open(
        &host,
        Place::at(start, "file"),
        OpenMode::Create { mode: 0o600 },
        LinkPolicy::Refuse,
    ));
    assert!(new.join("file").exists());
}

#[test]
fn list_gives_every_name_each_time_and_no_dots() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let mut expected: Vec<DirEntry> = (0..2000)
        .map(|number| format!("name-{number}").into())
        .map(|name| DirEntry { name })
        .collect();
    expected.push(DirEntry { name: name(b"\xff not text\n") });
    for entry in &expected {
        std::fs::write(dir.path().join(&entry.name), "").unwrap();
    }
    expected.sort();
    let handle = opened(&host, dir.path(), OpenMode::Directory);
    for _ in 0..2 {
        match now(&host, Effect::List { handle }) {
            Ok(Answer::Entries(mut entries)) => {
                entries.sort();
                assert_eq!(entries, expected);
            }
            other => panic!("not entries: {other:?}"),
        }
    }
}

#[test]
fn meta_tells_a_link_from_what_it_points_to() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let (file, link) = (dir.path().join("file"), dir.path().join("link"));
    std::fs::write(&file, "12345").unwrap();
    symlink("file", &link).unwrap();
    assert_eq!(meta(&host, &link, LinkPolicy::Refuse).kind, FileKind::Link);
    let followed = meta(&host, &link, LinkPolicy::Follow);
    assert_eq!((followed.kind, followed.size, followed.links), (FileKind::File, 5, 1));
    assert_eq!(followed, meta(&host, &file, LinkPolicy::Refuse));
    let handle = opened(&host, &file, OpenMode::Read);
    assert_eq!(now(&host, Effect::HandleMeta { handle }), Ok(Answer::Meta(followed)));
    let target = now(&host, Effect::ReadLink { place: (&link).into() });
    assert_eq!(target, Ok(Answer::Path("file".into())));
    let absent =
        Effect::Meta { place: (&dir.path().join("absent")).into(), links: LinkPolicy::Follow };
    assert_eq!(now(&host, absent), Err(Errno::NOENT));
}

#[test]
fn set_mode_sets_every_bit_whatever_the_umask() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let handle = opened(&host, dir.path(), OpenMode::Directory);
    let before = meta(&host, dir.path(), LinkPolicy::Follow);
    assert_eq!(now(&host, Effect::SetMode { handle, mode: 0o3770 }), Ok(Answer::Done));
    let after = meta(&host, dir.path(), LinkPolicy::Follow);
    assert_eq!(after, Meta { mode: 0o3770, ..before });
}

#[test]
fn set_owner_of_a_link_leaves_its_target_alone() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let (file, link) = (dir.path().join("file"), dir.path().join("link"));
    std::fs::write(&file, "").unwrap();
    symlink("file", &link).unwrap();
    let owner = std::fs::metadata(&file).unwrap();
    let set = |uid, gid| now(&host, Effect::SetOwner { place: (&link).into(), uid, gid });
    assert_eq!(set(u32::MAX, owner.gid()), Err(Errno::INVAL));
    // Only root may give files away; any user may give a file to itself.
    let uid = if owner.uid() == 0 { 12345 } else { owner.uid() };
    assert_eq!(set(uid, owner.gid()), Ok(Answer::Done));
    assert_eq!(meta(&host, &link, LinkPolicy::Refuse).uid, uid);
    assert_eq!(meta(&host, &file, LinkPolicy::Refuse).uid, owner.uid());
}

#[test]
fn rename_replaces_or_refuses_a_taken_name() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    std::fs::write(&one, "1").unwrap();
    std::fs::write(&two, "2").unwrap();
    let rename = |over| Effect::Rename { from: (&one).into(), to: (&two).into(), over };
    assert_eq!(now(&host, rename(OnExisting::Refuse)), Err(Errno::EXIST));
    assert_eq!(std::fs::read(&two).unwrap(), b"2");
    assert_eq!(now(&host, rename(OnExisting::Replace)), Ok(Answer::Done));
    assert_eq!(std::fs::read(&two).unwrap(), b"1");
    assert_eq!(now(&host, rename(OnExisting::Replace)), Err(Errno::NOENT));
}

#[test]
fn unlink_removes_files_and_remove_dir_empty_directories() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let (sub, file) = (dir.path().join("sub"), dir.path().join("sub/file"));
    std::fs::create_dir(&sub).unwrap();
    std::fs::write(&file, "").unwrap();
    let unlink = |place: &std::path::Path| now(&host, Effect::Unlink { place: place.into() });
    let remove_dir =
        |place: &std::path::Path| now(&host, Effect::RemoveDir { place: place.into() });
    assert_eq!(unlink(&sub), Err(Errno::ISDIR));
    assert_eq!(remove_dir(&sub), Err(Errno::NOTEMPTY));
    assert_eq!(remove_dir(&file), Err(Errno::NOTDIR));
    assert_eq!(unlink(&file), Ok(Answer::Done));
    assert_eq!(remove_dir(&sub), Ok(Answer::Done));
    assert!(!sub.exists());
}

#[test]
fn a_closed_or_unknown_handle_is_ebadf_to_every_effect() {
    let (host, dir) = (OsHost::new(), tempdir().unwrap());
    let closed = opened(&host, dir.path(), OpenMode::Directory);
    close(&host, closed);
    // Another file does not get the number of the closed one.
    let other = opened(&host, dir.path(), OpenMode::Directory);
    assert_ne!(other, closed);
    for handle in [closed, Handle(u32::MAX)] {
        let inherit =
            Program { path: "/bin/true".into(), inherit: vec![(handle, 3)], ..Program::default() };
        let effects = [
            Effect::Read { handle, max: 1 },
            Effect::Write { handle, bytes: vec![1] },
            Effect::Sync { handle },
            Effect::Close { handle },
            Effect::HandleMeta { handle },
            Effect::List { handle },
            Effect::SetMode { handle, mode: 0 },
            Effect::Lock { handle },
            Effect::LockRecord { handle },
            Effect::IsLocked { handle },
            Effect::Accept { listener: handle },
            Effect::Unlink { place: Place::at(handle, "name") },
            Effect::Spawn { program: inherit },
        ];
        for effect in effects {
            assert_eq!(now(&host, effect.clone()), Err(BADF), "{effect:?}");
        }
    }
}
