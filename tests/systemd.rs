//! The same guarantees on real systemd: a container whose PID 1 is systemd, where hermes (10000) has a systemd of their
//! own.
//!
//! `tests/run.sh` leaves these out, by name, where there is no engine or no cgroup hierarchy that systemd can have.

mod lockstep;
mod machine;
mod reboot;
mod refused;
mod stopping;
mod units;
mod verbs;

use machine::SystemdMachine;

/// A machine with these profiles, each installed and none of them started.
fn machine_with(profiles: &[&str]) -> SystemdMachine {
    let machine = SystemdMachine::booted();
    for profile in profiles {
        machine.ok(&format!("profile create {profile}"));
        machine.ok(&format!("-p {profile} gateway install"));
    }
    machine
}
