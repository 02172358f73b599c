//! Checks that this machine has what `native`, `conformance`, `cells` and `surprises` need, before anything starts.

use std::fs::File;
use std::path::{Path, PathBuf};

use hermes_sim::real::{MachinePaths, version_name};
use hermes_sim::scenario::world::S6Spec;
use rustix::fs::{FlockOperation, flock};

use super::UsageError;

/// Which versions of real s6, and where their files are.
#[derive(Clone, Debug, clap::Args)]
pub struct RealS6Args {
    /// Run only on this version of s6; may be given several times
    #[arg(long = "s6", value_name = "VERSION", value_parser = version)]
    pub versions: Vec<S6Spec>,
    /// Directory of the root file systems that tests/roots.sh builds
    #[arg(long, default_value = "target/roots")]
    pub roots: PathBuf,
    /// The hermes program, linked statically; by default the one that the recipe of the justfile builds
    #[arg(long)]
    pub program: Option<PathBuf>,
}

fn version(text: &str) -> Result<S6Spec, String> {
    ALL.into_iter()
        .find(|it| version_name(*it) == text)
        .ok_or_else(|| "2.11, 2.13 or 2.15".to_owned())
}

const ALL: [S6Spec; 3] = [S6Spec::V2_11, S6Spec::V2_13, S6Spec::V2_15];

/// Programs that create and enter namespaces.
const PROGRAMS: [&str; 5] = ["setpriv", "unshare", "nsenter", "mount", "perl"];

/// A program built with the feature `planted` prints this text at every start.
const PLANTED: &[u8] = b"built with planted bugs";

/// A program built with the feature `gate` contains this text.
const GATE: &[u8] = b"hermes: built with a gate";

/// Which build of the program is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramBuild {
    /// The build that is shipped.
    Shipped,
    /// The same, with the feature `gate`.
    Gated,
}

fn default_program(build: ProgramBuild) -> PathBuf {
    let folder = match build {
        ProgramBuild::Shipped => "static",
        ProgramBuild::Gated => "gate",
    };
    let arch = std::env::consts::ARCH;
    PathBuf::from(format!("target/{folder}/{arch}-unknown-linux-gnu/debug/hermes"))
}

/// The files of real machines, checked and locked for this run.
pub struct RealMachineLease {
    pub parts: MachinePaths,
    pub versions: Vec<S6Spec>,
    /// Held to the end: two runs at once would empty each other's scratch directory.
    _lock: File,
}

impl RealMachineLease {
    /// The versions, for messages.
    pub fn version_names(&self) -> String {
        self.versions.iter().map(|it| version_name(*it)).collect::<Vec<_>>().join(", ")
    }
}

/// Locks and empties the directory of this name below `target`, for the shipped build of the program.
pub fn prepare_shipped(args: &RealS6Args, name: &str) -> Result<RealMachineLease, UsageError> {
    prepare(ProgramBuild::Shipped, args, name)
}

/// The same, for this build of the program.
pub fn prepare(
    build: ProgramBuild,
    args: &RealS6Args,
    name: &str,
) -> Result<RealMachineLease, UsageError> {
    let search = std::env::var_os("PATH").unwrap_or_default();
    for program in PROGRAMS {
        if !std::env::split_paths(&search).any(|dir| dir.join(program).is_file()) {
            return Err(UsageError(format!(
                "no {program} here (Debian: util-linux, mount, perl-base)"
            )));
        }
    }
    let lease = prepare_without_roots(build, args, name)?;
    let mut roots = lease.versions.iter().map(|it| lease.parts.root(*it));
    match roots.find(|it| !it.is_dir()) {
        Some(missing) => {
            let missing = missing.display();
            Err(UsageError(format!("no `{missing}`: tests/roots.sh builds it (./x {name})")))
        }
        None => Ok(lease),
    }
}

/// The same, where no root file system is needed.
pub fn prepare_without_roots(
    build: ProgramBuild,
    args: &RealS6Args,
    name: &str,
) -> Result<RealMachineLease, UsageError> {
    if !rustix::process::geteuid().is_root() {
        return Err(UsageError(
            "needs root, to create namespaces and to read their processes".to_owned(),
        ));
    }
    let versions = if args.versions.is_empty() { ALL.to_vec() } else { args.versions.clone() };
    let absolute = |path: &PathBuf| {
        std::path::absolute(path)
            .map_err(|error| UsageError(format!("{}: {error}", path.display())))
    };
    let parts = MachinePaths {
        roots: absolute(&args.roots)?,
        program: absolute(&args.program.clone().unwrap_or_else(|| default_program(build)))?,
        scratch: absolute(&PathBuf::from("target").join(name))?,
    };
    if !parts.program.is_file() {
        let missing = parts.program.display();
        return Err(UsageError(format!("no program `{missing}` (./x {name} builds it)")));
    }
    check_build(&parts.program, build)?;
    let lock = empty(&parts)?;
    Ok(RealMachineLease { parts, versions, _lock: lock })
}

/// Refuses a program of another build.
fn check_build(program: &Path, build: ProgramBuild) -> Result<(), UsageError> {
    let text = std::fs::read(program).map_err(|error| UsageError(error.to_string()))?;
    let holds = |witness: &[u8]| text.windows(witness.len()).any(|it| it == witness);
    let reason = match (holds(PLANTED), holds(GATE), build) {
        (true, ..) => "was built with planted bugs: it is not the shipped one",
        (_, true, ProgramBuild::Shipped) => "was built with a gate: it is not the shipped one",
        (_, false, ProgramBuild::Gated) => "was built without a gate: it asks no controller",
        _ => return Ok(()),
    };
    Err(UsageError(format!("the program {reason}")))
}

/// Empties the scratch directory, under a lock that is held as long as the file is open.
fn empty(parts: &MachinePaths) -> Result<File, UsageError> {
    let scratch = &parts.scratch;
    let usage = |error: std::io::Error| UsageError(format!("`{}`: {error}", scratch.display()));
    std::fs::create_dir_all(scratch).map_err(usage)?;
    let lock = File::create(scratch.with_extension("lock")).map_err(usage)?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| UsageError(format!("another run uses `{}`", scratch.display())))?;
    std::fs::remove_dir_all(scratch).map_err(usage)?;
    std::fs::create_dir_all(scratch).map_err(usage)?;
    Ok(lock)
}
