//! Real processes: who one is, whether it still lives, and that a handle means nobody else.

use std::process::{Child, Command};

use hermes::error::Errno;
use hermes::host::effect::Effect;
use hermes::host::os::{OsHost, run_ready};
use hermes::record::identity::{self, Boot, Process};

use crate::support::answering::Answering;

/// A child that ends with its test.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Self(Command::new("/bin/sleep").arg("60").spawn().expect("a child"))
    }

    fn process(&self) -> Process {
        let found = run_ready(identity::of_pid(&OsHost::new(), &boot(), self.0.id()));
        found.expect("/proc is readable").expect("it lives")
    }

    fn end(&mut self) {
        self.0.kill().expect("it is ours");
        self.0.wait().expect("it is ours");
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        // One that was ended before cannot be ended again.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn boot() -> Boot {
    run_ready(identity::boot(&OsHost::new())).expect("a machine has booted")
}

/// Field 22 of the line that the kernel shows, counted from behind the name.
fn start_time(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    fields.split_whitespace().nth(19).expect("field 22").parse().expect("a number")
}

#[test]
fn a_process_is_known_by_its_number_and_its_start() {
    let mut sleeper = Sleeper::new();
    let process = sleeper.process();
    assert_eq!((process.pid, process.start_time), (sleeper.0.id(), start_time(sleeper.0.id())));
    let host = OsHost::new();
    assert_eq!(run_ready(identity::is_alive(&host, &boot(), &process)), Ok(true));
    let another = Process { start_time: process.start_time + 1, ..process.clone() };
    assert_eq!(run_ready(identity::is_alive(&host, &boot(), &another)), Ok(false));
    sleeper.end();
    assert_eq!(run_ready(identity::is_alive(&host, &boot(), &process)), Ok(false));
}

#[test]
fn a_handle_is_of_that_very_process_or_of_none() {
    let mut sleeper = Sleeper::new();
    let (host, process) = (OsHost::new(), sleeper.process());
    let opened = run_ready(identity::open(&host, &boot(), &process)).expect("it may be opened");
    assert!(opened.is_some());
    let another = Process { start_time: process.start_time + 1, ..process.clone() };
    let opened = run_ready(identity::open(&host, &boot(), &another)).expect("it may be opened");
    assert!(opened.is_none(), "{opened:?}");
    sleeper.end();
    let opened = run_ready(identity::open(&host, &boot(), &process)).expect("nobody is no error");
    assert!(opened.is_none(), "{opened:?}");
}

#[test]
fn a_handle_that_the_machine_refuses_is_an_error() {
    let sleeper = Sleeper::new();
    let host = Answering::new(|effect| {
        matches!(effect, Effect::OpenProcess { .. }).then_some(Err(Errno::PERM))
    });
    let refused = run_ready(identity::open(&host, &boot(), &sleeper.process()));
    assert_eq!(refused.map_err(|error| error.errno).err(), Some(Errno::PERM));
}
