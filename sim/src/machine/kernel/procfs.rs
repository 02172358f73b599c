//! The few files of `/proc` that are read here, generated when they are opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hermes::error::Errno;
use hermes::host::effect::{FileKind, Meta, OpenMode};

use crate::machine::process::{OpenKind, Process};
use crate::machine::process_footprint;
use crate::machine::world::{ProcessId, World};

/// The id of a boot of the machine, as in `/proc/sys/kernel/random/boot_id`.
fn boot_id(world: &World) -> String {
    format!("00000000-0000-4000-8000-{:012x}\n", world.boot_count)
}

pub(super) fn open(
    world: &World,
    who: ProcessId,
    below: &Path,
    how: OpenMode,
) -> Result<OpenKind, Errno> {
    match how {
        OpenMode::Directory if below.as_os_str().is_empty() => Ok(OpenKind::Proc),
        OpenMode::Directory => Err(Errno::NOTDIR),
        OpenMode::Read => Ok(OpenKind::Text(file_text(world, who, below)?)),
        _ => Err(Errno::ACCESS),
    }
}

fn file_text(world: &World, who: ProcessId, below: &Path) -> Result<Arc<[u8]>, Errno> {
    if below == Path::new("sys/kernel/random/boot_id") {
        return Ok(Arc::from(boot_id(world).as_bytes()));
    }
    let mut parts = below.iter().map(|part| part.to_str().unwrap_or_default());
    let process = process_named(world, who, parts.next().unwrap_or_default())?;
    let text = match parts.next() {
        Some("comm") => format!("{}\n", process.1.comm).into_bytes(),
        Some("cmdline") => command_line(process.1),
        Some("stat") => stat(process.0, process.1).into_bytes(),
        _ => return Err(Errno::NOENT),
    };
    Ok(Arc::from(text))
}

fn process_named<'a>(
    world: &'a World,
    who: ProcessId,
    name: &str,
) -> Result<(i32, &'a Process), Errno> {
    let pid = match name {
        "self" => who.pid,
        number => number.parse().map_err(|_| Errno::NOENT)?,
    };
    let target = ProcessId { container: who.container, pid };
    process_footprint::record_lookup(world, target);
    Ok((pid, world.process(target).ok_or(Errno::NOENT)?))
}

fn command_line(process: &Process) -> Vec<u8> {
    let mut line = Vec::new();
    for word in process.argv.iter() {
        line.extend_from_slice(word.as_encoded_bytes());
        line.push(0);
    }
    line
}

/// The line of `proc_pid_stat(5)`; fields that are not read are 0.
fn stat(pid: i32, process: &Process) -> String {
    let state = if process.is_alive() { 'S' } else { 'Z' };
    let zeros = "0 ".repeat(15);
    let start_time = ticks(process.started_at);
    format!(
        "{pid} ({}) {state} {} {} {} {zeros}{start_time} 0 0\n",
        process.comm, process.parent, process.group, process.group
    )
}

/// Hundredths of a second.
fn ticks(started: Duration) -> u128 {
    started.as_millis() / 10
}

pub(super) fn meta(world: &World, who: ProcessId, below: &Path) -> Result<Meta, Errno> {
    let kind = if below.as_os_str().is_empty() { FileKind::Directory } else { FileKind::File };
    if kind == FileKind::File {
        file_text(world, who, below)?;
    }
    Ok(Meta { kind, mode: 0o444, uid: 0, gid: 0, size: 0, identity: (0, 0), links: 1 })
}

pub(super) fn read_link(world: &World, who: ProcessId, below: &Path) -> Result<PathBuf, Errno> {
    match below.to_str() {
        Some("self/ns/pid") => {
            let namespace = world.container(who.container).namespace;
            Ok(PathBuf::from(format!("pid:[{}]", 4_026_531_836 + namespace)))
        }
        Some("self/cwd") => Ok(PathBuf::from("/")),
        _ => Err(Errno::NOENT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_a_hundredth_of_a_second() {
        assert_eq!(ticks(Duration::from_millis(1234)), 123);
    }
}
