//! A systemd that does not answer or refuses: named errors, each with advice.

use super::machine::SystemdMachine;
use super::machine_with;
use crate::support::machine::{expect_that, wait_until};

#[test]
fn without_a_systemd_of_ones_own_the_error_says_what_to_do() {
    let machine = SystemdMachine::booted();
    let line = "export HOME=/tmp/nobody HERMES_HOME=/tmp/nobody/.hermes; mkdir -p $HOME; ";
    let hermes = |words: &str| machine.sh_as("nobody", &format!("{line}hermes {words}"));
    hermes("profile create bot").expect(0);
    hermes("-p bot gateway status").expect(3);
    for verb in ["install", "start", "restart"] {
        let said = hermes(&format!("-p bot gateway {verb}")).expect(1);
        assert!(
            said.err
                .starts_with("✗ systemctl show on 'systemd' failed (rc=1): Failed to connect to"),
            "{said:?}"
        );
        assert!(said.err.contains("loginctl enable-linger"), "{said:?}");
    }
    hermes("-p bot gateway status").expect(3);
    hermes("profile delete bot -y").expect(0);
}

#[test]
fn the_machines_own_units_are_roots() {
    let machine = machine_with(&["bot"]);
    let said = machine.hermes("--system -p bot gateway install").expect(1);
    assert!(said.err.contains("permission denied"), "{said:?}");
    assert!(said.err.contains("use sudo"), "{said:?}");
}

#[test]
fn root_installs_the_machines_unit_and_the_gateway_runs_as_the_homes_owner() {
    let machine = SystemdMachine::booted();
    machine.ok("profile create bot");
    let root = |words: &str| {
        machine.sh_as(
            "root",
            &format!("HERMES_HOME=/home/hermes/.hermes hermes --system -p bot gateway {words}"),
        )
    };
    root("install").expect(0);
    root("start").expect(0);
    let said = root("status").expect(0);
    assert!(said.out.contains("Manager: systemd (system)"), "{said:?}");
    let pid = machine.sh_as("root", "systemctl show --property=MainPID --value hermes-gateway-bot");
    let owner = machine.sh_as("root", &format!("stat -c %u /proc/{}", pid.out.trim()));
    assert_eq!(owner.out.trim(), "10000");
    let said = root("logs").expect(0);
    assert!(said.out.contains("gateway 'bot': running on port "), "{said:?}");
    machine.reboot();
    wait_until("it is back", || {
        let said = root("status");
        expect_that(said.code == 0, || format!("{said:?}"))
    });
    root("stop").expect(0);
    root("status").expect(3);
    root("uninstall").expect(0);
}

#[test]
fn a_home_that_became_a_link_is_refused_and_its_unit_keeps_its_owner() {
    let machine = SystemdMachine::booted();
    machine.ok("profile create bot");
    let root = |words: &str| {
        machine.sh_as(
            "root",
            &format!("HERMES_HOME=/home/hermes/.hermes hermes --system -p bot gateway {words}"),
        )
    };
    root("install").expect(0);
    machine.sh("mv ~/.hermes ~/old && ln -s /srv/planted ~/.hermes").expect(0);
    let plant = "mkdir -p /srv/planted/profiles/bot && touch /srv/planted/profiles/bot/SOUL.md";
    machine.sh_as("root", plant).expect(0);
    for verb in ["start", "restart", "install"] {
        let said = root(verb).expect(1);
        assert!(said.err.contains("hermes (10000)") && said.err.contains("root (0)"), "{said:?}");
    }
    let unit = "grep User= /etc/systemd/system/hermes-gateway-bot.service; ls -A /srv/planted";
    assert_eq!(machine.sh_as("root", unit).out, "User=10000\nprofiles\n");
}

#[test]
fn a_masked_unit_and_a_unit_of_another_home_are_left_alone() {
    let machine = machine_with(&["bot"]);
    let said = machine.sh("HERMES_HOME=~/other hermes profile create bot && HERMES_HOME=~/other hermes -p bot gateway start");
    assert!(said.err.contains("hermes-gateway-bot.service` serves another: "), "{said:?}");
    assert!(said.err.contains("HERMES_HOME=/home/hermes/.hermes"), "{said:?}");
    machine.sh("HERMES_HOME=~/other hermes -p bot gateway status").expect(3);
    let unit = "~/.config/systemd/user/hermes-gateway-bot.service";
    machine
        .sh(&format!("rm {unit}; systemctl --user mask --quiet hermes-gateway-bot.service"))
        .expect(0);
    let said = machine.hermes("-p bot gateway start").expect(1);
    assert!(said.err.contains("is masked by"), "{said:?}");
    assert!(said.err.contains("systemctl unmask"), "{said:?}");
    assert_eq!(machine.sh(&format!("readlink {unit}")).out, "/dev/null\n");
}

#[test]
fn a_machine_that_systemd_does_not_run_is_nobodys_and_the_error_says_what_could_be() {
    let machine = SystemdMachine::booted();
    // systemd is installed here, and the sign that it runs is there: it just does not answer.
    let script = "rm -f /.dockerenv; hermes profile create bot; hermes -p bot gateway start";
    let line = format!(
        "unshare --mount sh -c 'mount -t tmpfs none /run && mkdir -p /run/systemd/system && HERMES_HOME=/tmp/h && export HERMES_HOME && {script}'"
    );
    let said = machine.sh_as("root", &line).expect(1);
    assert!(said.out.contains("nobody supervises gateways here"), "{said:?}");
    assert!(said.err.contains("✗ nobody supervises gateways here (none)"), "{said:?}");
    for word in ["systemd", "launchd", "s6", "gateway run"] {
        assert!(said.err.contains(word), "no {word} in {said:?}");
    }
}
