//! s6's tools: `s6-svc`, `s6-svscanctl`, `s6-svstat`, `s6-svok`, each one step, with the texts and exit codes of its version.
//!
//! Source: `s6.md` 1.6, 3 and 4. Not here: `s6-svc -w`, `s6-svwait`, `s6-svperms`.

mod control;
mod svstat;

use std::ffi::OsString;

use hermes::host::effect::{Finished, Status};

use crate::machine::world::{ProcessId, S6Version, World};

/// Runs a tool for a process; `None` for one that this world does not have.
pub fn run(world: &mut World, who: ProcessId, name: &str, args: &[OsString]) -> Option<Finished> {
    match name {
        "s6-svc" => control::svc(world, who, args),
        "s6-svscanctl" => Some(control::svscanctl(world, who, args)),
        "s6-svstat" => Some(svstat::svstat(world, who, args)),
        "s6-svok" => Some(svstat::svok(world, who, args)),
        "s6-svscan" => Some(finished(100, "", svscan_usage(world.s6_version))),
        _ => None,
    }
}

/// What `s6-svscan --help` says.
fn svscan_usage(version: S6Version) -> &'static str {
    match version {
        S6Version::V2_11 => {
            "s6-svscan: usage: s6-svscan [ -c maxservices ] [ -t timeout ] [ -d notif ] [ -X consoleholder ] [ dir ]"
        }
        S6Version::V2_13 => {
            "s6-svscan: usage: s6-svscan [ -c services_max | -C services_max ] [ -L name_max ] [ -t timeout ] [ -d notif ] [ -X consoleholder ] [ dir ]"
        }
        S6Version::V2_15 => "s6-svscan: fatal: unrecognized boolean option: --help",
    }
}

fn finished(code: u8, stdout: &str, stderr: &str) -> Finished {
    let line = |text: &str| match text {
        "" => Vec::new(),
        text => format!("{text}\n").into_bytes(),
    };
    Finished { status: Status::Exited(code), stdout: line(stdout), stderr: line(stderr) }
}
