//! start, stop, restart, status: what they do, print and return.

use super::{machine, machine_with};
use crate::support::machine::{User, expect_that, wait_until};

#[test]
fn start_and_stop_are_true_and_status_returns_0_3_and_4() {
    let machine = machine_with(&["coder"]);
    machine.hermes("-p coder gateway status").expect(3);
    let started = machine.hermes_ok("-p coder gateway start");
    let pid = machine.gateway("coder").pid;
    assert_eq!(started.out, format!("✓ Started gateway 'coder' (pid {pid})\n"));
    let status = machine.hermes_ok("-p coder gateway status");
    assert!(status.out.contains("s6 (container supervisor)"), "{status}");
    machine.hermes_ok("-p coder gateway stop");
    assert_eq!(machine.gateways("coder"), []);
    machine.hermes("-p coder gateway status").expect(3);
    machine.run(User::Hermes, &[], &["s6-svc", "-u", "/run/service/gateway-coder"]);
    wait_until("status tells of a start behind our back", || {
        let status = machine.hermes("-p coder gateway status");
        expect_that(status.code == Some(4), || status.to_string())
    });
}

#[test]
fn start_and_stop_twice_are_the_same_as_once() {
    let machine = machine_with(&["coder"]);
    machine.hermes_ok("-p coder gateway stop");
    machine.hermes_ok("-p coder gateway start");
    let before = machine.gateway("coder");
    let again = machine.hermes_ok("-p coder gateway start");
    assert!(again.out.contains("running already"), "{again}");
    assert_eq!(machine.gateway("coder"), before);
    machine.hermes_ok("-p coder gateway stop");
    let again = machine.hermes_ok("-p coder gateway stop");
    assert!(again.out.contains("stopped already"), "{again}");
}

#[test]
fn restart_puts_one_new_gateway_in_the_place_of_the_old() {
    let machine = machine_with(&["coder"]);
    machine.hermes_ok("-p coder gateway start");
    let before = machine.gateway("coder");
    machine.hermes_ok("-p coder gateway restart");
    assert_ne!(machine.gateway("coder").pid, before.pid);
    assert!(!before.lives());
    assert_eq!(machine.status("coder")["intent"], "running");
}

#[test]
fn h12_restart_of_a_gateway_that_is_down_starts_it() {
    let machine = machine_with(&["coder"]);
    machine.hermes_ok("-p coder gateway restart");
    machine.hermes_ok("-p coder gateway status");
    machine.hermes_ok("-p coder gateway stop");
    machine.hermes_ok("-p coder gateway restart");
    machine.hermes_ok("-p coder gateway status");
}

#[test]
fn h12_restart_after_a_permanent_failure_says_why_not_and_then_starts() {
    let machine = machine_with(&["coder"]);
    machine.put("profiles/coder/gateway.toml", "prot = 1\n");
    machine.hermes("-p coder gateway start").expect(78);
    machine.hermes("-p coder gateway restart").expect(78).says(&["line 1, column 1"]);
    machine.hermes("-p coder gateway status").expect(4);
    machine.put("profiles/coder/gateway.toml", "port = 9999\n");
    machine.hermes_ok("-p coder gateway restart");
    assert_eq!(
        machine.hermes_ok("--json -p coder gateway status").json()["gateways"][0]["port"],
        9999
    );
}

#[test]
fn r3_a_mistyped_name_is_the_named_error() {
    let machine = machine();
    for verb in ["start", "stop", "restart", "status"] {
        let outcome = machine.hermes(&format!("-p typo gateway {verb}")).expect(1);
        assert_eq!(
            outcome.err,
            "✗ no such gateway 'typo': register it with `hermes profile create typo` first, or pass \
             an existing profile name via `-p <name>`\n"
        );
    }
}

#[test]
fn r12_a_bare_start_starts_default_which_is_always_there() {
    let machine = machine();
    machine.hermes_ok("gateway start");
    machine.hermes_ok("gateway status");
    assert_eq!(
        machine.gateway("default").line,
        "/run/image/hermes gateway run --slot --notify-fd 3"
    );
}

#[test]
fn h47_all_that_half_fails_counts_and_exits_1() {
    let machine = machine_with(&["coder", "writer"]);
    machine.put("profiles/writer/gateway.toml", "prot = 1\n");
    let outcome = machine.hermes("gateway start --all").expect(1).says(&["'writer'"]);
    assert_eq!(outcome.out, "✓ Started 2 of 3 gateways\n");
    machine.hermes_ok("-p coder gateway status");
    machine.hermes("gateway status --all").expect(4);
    let outcome = machine.hermes_ok("gateway stop --all");
    assert_eq!(outcome.out, "✓ Stopped 3 gateways\n");
    machine.hermes_ok("gateway status --all");
}

#[test]
fn logs_show_what_the_gateway_wrote() {
    let machine = machine_with(&["coder"]);
    machine.put(
        "profiles/coder/gateway.toml",
        "command = ['sh', '-c', 'echo hello; echo trouble >&2; exec sleep 999']\n",
    );
    machine.hermes_ok("-p coder gateway start");
    wait_until("both lines are in the log", || {
        let logs = machine.hermes("-p coder gateway logs");
        let are_there = ["hello\n", "trouble\n"].iter().all(|line| logs.out.contains(line));
        expect_that(logs.code == Some(0) && are_there, || logs.to_string())
    });
}

#[test]
fn the_built_in_gateway_answers_health_on_its_port() {
    let machine = machine_with(&["coder"]);
    machine.hermes_ok("-p coder gateway start");
    let port = machine.status("coder")["port"].clone();
    assert_eq!(port, 9570);
    let ask = "require IO::Socket::INET; my $s = IO::Socket::INET->new('127.0.0.1:9570') or die $!; \
               print $s \"GET /health HTTP/1.0\\r\\n\\r\\n\"; print <$s>";
    let answer = machine.run(User::Hermes, &[], &["perl", "-e", ask]).expect(0);
    assert!(answer.out.starts_with("HTTP/1.1 200"), "{answer}");
}
