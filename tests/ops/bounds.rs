//! Work on trees that somebody made as deep as the disk allows: with the stack and the descriptors of a small machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hermes::host::os::run_ready;
use hermes::ops::reconcile::{self, RescanTiming};
use hermes::supervisor::{Listing, Published};

use crate::support::home::Home;
use crate::support::supervisor::{down, registrar};

/// So deep that a recursion has no stack of any usual size for it.
const DEPTH: usize = 12_000;

/// What is not optimised needs more stack for its arguments alone.
const STACK_KIB: usize = if cfg!(debug_assertions) { 512 } else { 256 };

/// A directory with `DEPTH` directories below each other. It is made from the inside: no path is long.
fn make_deep(dir: &Path) {
    let (inner, outer) = (dir.with_extension("inner"), dir.with_extension("outer"));
    fs::create_dir(&inner).expect("a directory");
    fs::write(inner.join("file"), "").expect("a file");
    for _ in 0..DEPTH {
        fs::create_dir(&outer).expect("a directory");
        fs::rename(&inner, outer.join("d")).expect("moved");
        fs::rename(&outer, &inner).expect("moved");
    }
    fs::rename(&inner, dir).expect("moved");
}

/// A temporary directory in memory, where there is one: on a disk this number of directories takes minutes.
fn temporary_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory")
}

/// A command where nobody supervises, with small limits: stack, descriptors, memory.
fn hermes(home: &Path, words: &str) -> Output {
    let limits =
        format!("ulimit -s {STACK_KIB}; ulimit -n 24; ulimit -v 131072; exec \"$0\" \"$@\"");
    Command::new("sh")
        .args(["-c", &limits, env!("CARGO_BIN_EXE_hermes")])
        .args(words.split(' '))
        .env_clear()
        .env("HERMES_HOME", home)
        .env("HERMES_SUPERVISOR", "none")
        .output()
        .expect("hermes runs")
}

#[test]
fn h66_a_profile_with_12000_nested_directories_is_deleted() {
    let home = temporary_dir();
    let words = |words: &str| {
        let ended = hermes(home.path(), words);
        assert!(ended.status.success(), "{words}: {ended:?}");
    };
    words("profile create coder");
    let profile = home.path().join("profiles/coder");
    make_deep(&profile.join("workspace"));
    words("profile delete coder -y");
    let left: Vec<PathBuf> = fs::read_dir(home.path().join("profiles"))
        .expect("the profiles")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

/// The pass itself, on the stack of a small thread.
#[test]
fn h66_a_pass_removes_a_deep_leftover_and_brings_the_others_back() {
    let small = std::thread::Builder::new().stack_size(STACK_KIB << 10);
    small.spawn(pass_over_a_deep_leftover).expect("a thread").join().expect("it held");
}

fn pass_over_a_deep_leftover() {
    let home = Home::in_dir(temporary_dir());
    let others = ["coder", "writer"].map(|name| home.profile(name));
    let gone = home.layout.profiles().join(".gone.old.abc");
    make_deep(&gone);
    let mut supervisor = registrar();
    supervisor.expect_list().returning(|| Ok(Listing::default()));
    supervisor.expect_status().returning(|_| Ok(down()));
    supervisor.expect_publish().returning(|_, _| Ok(Published::Unchanged));
    let context = home.context(&supervisor);
    let pass = run_ready(reconcile::run(&context, None, RescanTiming::Later));
    assert_eq!((&pass.failures, &pass.swept), (&vec![], &vec![".gone.old.abc".to_owned()]));
    assert!(!gone.exists());
    assert_eq!(pass.plans.len(), 1 + others.len());
}
