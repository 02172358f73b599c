//! An image that is not ours, as s6-overlay makes them: PID 1 is root's s6-svscan on the gateways' scan directory, and a boot
//! hook hands over to hermes what it must control.
//!
//! ```text
//!   s6-svscan listens ─► `hermes boot hand-over`: hermes may use its FIFO and directory, and the slots are created
//! ```
//!
//! A killed hook does not start again before the next boot, as in the real image: until then slots may be missing.
//!
//! Source: `docker/hand-over` and `tests/docker/foreign`. Root's tree runs files in a directory that belongs to hermes:
//! S10 cannot hold here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hermes::error::Errno;
use hermes::host::effect::{Program, Status};

use crate::machine::footprint;
use crate::machine::image;
use crate::machine::kernel::processes::{NewProcess, make_process};
use crate::machine::kernel::{files, signals};
use crate::machine::loader::become_program;
use crate::machine::process::ProcessBody;
use crate::machine::syscalls;
use crate::machine::world::{ContainerId, ProcessId, World};

/// Makes the first process of a container root's s6-svscan, and starts the hook beside it.
pub fn boot_foreign(world: &mut World, first: ProcessId, program: &Program) -> Result<(), Errno> {
    let id = first.container;
    prepare_run_dir(world, id, program);
    let svscan = Program {
        path: "/usr/bin/s6-svscan".into(),
        args: vec![world.container(id).scan_path().into()],
        ..program.clone()
    };
    become_program(world, first, &svscan)?;
    let own = syscalls::process(world, first);
    let birth = NewProcess {
        parent: first.pid,
        serial: own.next_unique_number(),
        credentials: own.credentials.clone(),
        inherited: BTreeMap::new(),
        dies_with_parent: false,
    };
    let env = own.env.clone();
    let hook = make_process(world, id, birth, ProcessBody::BootHook);
    let own = syscalls::process(world, hook);
    own.comm = "sh".to_owned();
    own.argv = Arc::new(vec!["sh".into(), "/etc/cont-init.d/hermes".into()]);
    own.env = env;
    Ok(())
}

/// Recreates `/run/s6` and the scan directory; the environment is stored, and the scan directory belongs to root.
fn prepare_run_dir(world: &mut World, id: ContainerId, program: &Program) {
    let container = world.container(id);
    let (root, mounts) = (container.root, Arc::clone(&container.mounts));
    let scan_path = container.scan_path();
    let run = world.disk.peek(root, &mounts, Path::new("/run")).expect("every image has a /run");
    let below = |path: &Path| path.strip_prefix("/run").map(Path::to_owned);
    let scan_path = below(&scan_path).unwrap_or_else(|_| PathBuf::from("service"));
    for path in [Path::new("s6"), &scan_path] {
        for node in world.disk.remove(run, path) {
            world.disk.release_node(node);
        }
    }
    for dir in ["s6", "s6/basedir", "s6/container_environment"] {
        world.disk.put_dir(run, Path::new(dir), 0o755, 0, 0);
    }
    for (name, value) in &program.env {
        let path = Path::new("s6/container_environment").join(name);
        let text = [value.as_encoded_bytes(), b"\n"].concat();
        world.disk.put_file(run, &path, &text, 0o644, 0, 0);
    }
    world.disk.put_dir(run, &scan_path, 0o755, 0, 0);
}

/// Can the hook start?
pub fn is_ready(world: &World, who: ProcessId) -> bool {
    let scan_dir = world.scan_dir(who.container);
    let own = scan_dir.and_then(|dir| world.disk.named(dir, ".s6-svscan"));
    let control = own.and_then(|own| world.disk.named(own, "control"));
    control.is_some_and(|control| files::has_reader(world, control))
}

/// Ends the hook with the result of `docker/hand-over`.
pub fn step(world: &mut World, who: ProcessId) {
    footprint::record_everything();
    let program = Program {
        path: image::HERMES_PROGRAM.into(),
        args: vec!["boot".into(), "hand-over".into()],
        env: syscalls::process(world, who).env.as_ref().clone(),
        ..Program::default()
    };
    if become_program(world, who, &program).is_err() {
        signals::end_process(world, who, Status::Exited(1));
    }
}
