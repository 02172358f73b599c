//! The end of s6-svscan: sequences 23 to 33.

use hermes::host::effect::Signal;
use hermes_sim::machine::world::{ContainerPhase, ProcessId, S6Version};
use rstest::rstest;

use super::harness::{S6Machine, V2_11, V2_13, V2_15};

fn first(machine: &S6Machine) -> ProcessId {
    ProcessId { container: machine.me.container, pid: 1 }
}

#[rstest]
fn seq_24_an_unknown_letter_is_ignored(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::with(version, &[("a", "agent")]);
    machine.scanctl("-z");
    assert!(machine.is_up("a"));
}

#[rstest]
fn seq_26_it_ends_after_all_services(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::new(version);
    machine.logged("a", "agent");
    machine.service("b", "agent");
    machine.boot(&[]);
    let first = first(&machine);
    machine.kill(first, Signal::TERM);
    assert_eq!(machine.phase(), ContainerPhase::Exited(0));
}

#[rstest]
fn seq_27_a_service_that_ignores_sigterm(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    for (limit, expected) in
        [(None, ContainerPhase::Running), (Some("500"), ContainerPhase::Exited(0))]
    {
        let mut machine = S6Machine::new(version);
        machine.service("a", "stubborn");
        if let Some(limit) = limit {
            machine.file("a/timeout-kill", limit);
        }
        machine.boot(&[]);
        machine.scanctl("-t");
        machine.pass(3000);
        assert_eq!(machine.phase(), expected);
    }
}

#[rstest]
fn seq_29_the_finish_script_decides_the_exit_code(
    #[values(V2_11, V2_13, V2_15)] version: S6Version,
) {
    let mut machine = S6Machine::new(version);
    machine.service("a", "agent");
    machine.file(".s6-svscan/finish", "#!/bin/sh\nexit 7\n");
    machine.boot(&[]);
    machine.scanctl("-t");
    assert_eq!(machine.phase(), ContainerPhase::Exited(7));
}

#[rstest]
#[case::of_term(Signal::TERM, "SIGTERM")]
#[case::of_int(Signal::INT, "SIGINT")]
#[case::of_quit(Signal::QUIT, "SIGQUIT")]
#[case::of_hup(Signal::HUP, "SIGHUP")]
fn a_script_stands_in_for_a_signal_and_never_for_a_letter(
    #[values(V2_11, V2_13, V2_15)] version: S6Version,
    #[case] signal: Signal,
    #[case] name: &str,
) {
    let mut machine = S6Machine::new(version);
    machine.service("a", "agent");
    machine.file(&format!(".s6-svscan/{name}"), "#!/bin/sh\nexec /usr/bin/hang \"$PPID\"\n");
    machine.boot(&[]);
    let (first, before) = (first(&machine), machine.pid("a"));
    machine.kill(first, signal);
    assert_eq!(machine.words_of("hang"), "1");
    assert_eq!((machine.phase(), machine.pid("a")), (ContainerPhase::Running, before));
    machine.scanctl("-t");
    assert_eq!(machine.phase(), ContainerPhase::Exited(0));
}

#[rstest]
fn a_script_that_cannot_be_executed_leaves_the_signal(
    #[values(V2_11, V2_13, V2_15)] version: S6Version,
) {
    let mut machine = S6Machine::new(version);
    machine.service("a", "agent");
    let script = machine.path(".s6-svscan/SIGTERM");
    machine.world.disk.put_file(machine.root(), &script, b"#!/bin/sh\nexit 0\n", 0o644, 0, 0);
    machine.boot(&[]);
    let first = first(&machine);
    machine.kill(first, Signal::TERM);
    assert_eq!(machine.phase(), ContainerPhase::Exited(0));
}

#[rstest]
fn a_script_that_has_ended_is_reaped(#[values(V2_11, V2_13, V2_15)] version: S6Version) {
    let mut machine = S6Machine::new(version);
    machine.service("a", "agent");
    machine.file(".s6-svscan/SIGTERM", "#!/bin/sh\nexit 0\n");
    machine.boot(&[]);
    let before = machine.world.processes().count();
    let first = first(&machine);
    machine.kill(first, Signal::TERM);
    assert_eq!(
        (machine.phase(), machine.world.processes().count()),
        (ContainerPhase::Running, before)
    );
}

#[rstest]
fn seq_30_31_at_once_and_with_loggers(
    #[values(V2_11, V2_13, V2_15)] version: S6Version,
    #[values("-b", "-q")] letters: &str,
) {
    let mut machine = S6Machine::new(version);
    machine.logged("a", "agent");
    machine.boot(&[]);
    machine.scanctl(letters);
    assert_eq!(machine.phase(), ContainerPhase::Exited(0));
}

#[rstest]
#[case(V2_11, ContainerPhase::Exited(0))]
#[case(V2_13, ContainerPhase::Running)]
#[case(V2_15, ContainerPhase::Running)]
fn seq_32_a_scan_and_a_stop_in_one_write(
    #[case] version: S6Version,
    #[case] expected: ContainerPhase,
) {
    let mut machine = S6Machine::with(version, &[("a", "agent")]);
    machine.scanctl("-at");
    machine.pass(60_000);
    assert_eq!(machine.phase(), expected);
}
