//! `boot reconcile` of 1, 100 and 1 000 profiles, as at a container's start, against the bare program.
//!
//! It uses a memory file system if there is one: a disk's latency would hide ours.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hermes::backend::s6::S6;
use hermes::host::os::{OsHost, run_ready};
use hermes::host::{Effect, Host, Outcome};
use hermes::layout::Layout;
use hermes::ops::OpsContext;
use hermes::ops::reconcile::{self, RescanTiming};
use hermes::record::intent::Operator;

use crate::bare::{Recorder, replay};

const PAIRS: usize = 15;

/// Measures and prints.
pub(crate) fn run() {
    println!(
        "boot reconcile against a bare program with the same system calls (median of {PAIRS} pairs)"
    );
    println!("{:>8}  {:>8}  {:>10}  {:>10}  {:>6}", "profiles", "calls", "hermes", "bare", "ratio");
    for profiles in [1, 100, 1_000] {
        measure(profiles);
    }
}

fn measure(profiles: usize) {
    let dir = scratch();
    let world = World { root: dir.path().join("home"), scan_dir: dir.path().join("service") };
    let log = world.record(profiles);
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        world.prepare(profiles);
        let host = OsHost::new();
        let ours = timed(|| world.reconcile(&host));
        world.prepare(profiles);
        let bare = timed(|| replay(&log));
        pairs.push((ours, bare));
    }
    let mut ratios: Vec<f64> =
        pairs.iter().map(|(ours, bare)| ours.as_secs_f64() / bare.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    let (ours, bare) = pairs[PAIRS / 2];
    println!(
        "{profiles:>8}  {:>8}  {:>8.2}ms  {:>8.2}ms  {:>6.2}",
        log.len(),
        ours.as_secs_f64() * 1e3,
        bare.as_secs_f64() * 1e3,
        ratios[PAIRS / 2]
    );
}

fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::tempdir_in(parent).expect("a temporary directory")
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// A home and a scan directory, always at the same paths, so that a recorded pass can be repeated.
struct World {
    root: PathBuf,
    scan_dir: PathBuf,
}

impl World {
    fn prepare(&self, profiles: usize) {
        for dir in [&self.root, &self.scan_dir] {
            // Absent the first time.
            let _ = std::fs::remove_dir_all(dir);
            std::fs::create_dir_all(dir).expect("a directory");
        }
        for number in 0..profiles.saturating_sub(1) {
            let dir = self.root.join(format!("profiles/p{number:04}"));
            std::fs::create_dir_all(&dir).expect("a directory");
            std::fs::write(dir.join("SOUL.md"), "# soul\n").expect("a file");
            let word = if number % 2 == 0 { "running" } else { "stopped" };
            let intent = format!("{{\"intent\":\"{word}\",\"sequence\":1}}\n");
            std::fs::write(dir.join("gateway_intent.json"), intent).expect("a file");
            let state = format!("{{\"gateway_state\":\"{word}\",\"pid\":{}}}\n", number + 2);
            std::fs::write(dir.join("gateway_state.json"), state).expect("a file");
            std::fs::write(dir.join("gateway.pid"), "{}\n").expect("a file");
        }
    }

    fn record(&self, profiles: usize) -> Vec<(Effect, Outcome)> {
        self.prepare(profiles);
        let recorder = Recorder::new();
        self.reconcile(&recorder);
        recorder.log.into_inner()
    }

    fn reconcile<H: Host>(&self, host: &H) {
        let layout = Layout::from_home(&self.root);
        let operator = Operator { uid: 0, pid: std::process::id(), argv: vec!["bench".to_owned()] };
        let program = PathBuf::from("/usr/local/bin/hermes");
        let pass = run_ready(async {
            let supervisor = S6::open(host, self.scan_dir.clone(), None).await;
            let (layout, operator, program) = (&layout, &operator, &program);
            let context = OpsContext { host, layout, supervisor: &supervisor, operator, program };
            reconcile::run(&context, None, RescanTiming::Later).await
        });
        assert!(pass.has_succeeded(), "the pass did not end as planned");
    }
}
