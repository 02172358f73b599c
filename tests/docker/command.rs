//! The container's command: how it is found, which user it runs as, and how its exit code is used.

use rstest::rstest;
use testcontainers::ImageExt;

use super::machine::{DockerMachine, image};

#[rstest]
#[case::zero("exit 0", 0)]
#[case::five("exit 5", 5)]
#[case::killed("kill -9 $$", 137)]
#[tokio::test]
async fn a_commands_exit_code_is_the_containers(#[case] line: &str, #[case] expected: i32) {
    let machine = DockerMachine::start(image().with_cmd(["sh", "-c", line])).await;
    assert_eq!(machine.exit_code(), expected);
}

#[rstest]
#[case::ours("profile list", 0)]
#[case::an_option("--version", 0)]
#[case::neither("no-such-word", 2)]
#[tokio::test]
async fn what_is_no_program_goes_to_hermes(#[case] words: &str, #[case] expected: i32) {
    let machine = DockerMachine::start(image().with_cmd(words.split(' '))).await;
    assert_eq!(machine.exit_code(), expected);
}

#[tokio::test]
async fn a_command_is_hermes_with_the_containers_environment_and_directory() {
    let line = "id -u; id -g; id -G; pwd; echo \"$HOME $HERMES_ROLE $ODD\"; command -v s6-svc";
    let request = image()
        .with_cmd(["sh", "-c", line])
        .with_env_var("ODD", "it's  a\n\"test\" $x")
        .with_working_dir("/var/tmp");
    let machine = DockerMachine::start(request).await;
    assert_eq!(machine.exit_code(), 0);
    let expected =
        "10000\n10000\n10000\n/var/tmp\n/opt/data guest it's  a\n\"test\" $x\n/command/s6-svc\n";
    assert!(machine.logs().contains(expected), "{}", machine.logs());
}

#[tokio::test]
async fn every_slot_is_there_and_the_scanner_listens_before_the_command_starts() {
    // Each supervisor then needs a moment of its own: verbs of `hermes` wait for it, `s6-svstat` does not.
    let line = "test -e /run/service/gateway-default/down && s6-svscanctl -z /run/service";
    let request = image().with_env_var("HERMES_ROLE", "supervisor").with_cmd(["sh", "-c", line]);
    let machine = DockerMachine::start(request).await;
    assert_eq!(machine.exit_code(), 0);
}

#[tokio::test]
async fn hermes_gets_the_ids_asked_for_and_its_home_with_them() {
    let request = image()
        .with_env_var("PUID", "1234")
        .with_env_var("HERMES_GID", "1235")
        .with_cmd(["sh", "-c", "id; find . ! -uid 1234 -o ! -gid 1235"]);
    let machine = DockerMachine::start(request).await;
    assert_eq!(machine.exit_code(), 0);
    // Files of other users, which `find` would have named, come on the same stream, after the ids.
    let id = "uid=1234(hermes) gid=1235(hermes) groups=1235(hermes)\n";
    assert_eq!(machine.printed(), id);
}

#[rstest]
#[case("HERMES_UID", "0", "✗ HERMES_UID=\"0\" is not a number from 1 to 65534")]
#[case("PGID", "staff", "✗ PGID=\"staff\" is not a number from 1 to 65534")]
#[case("HERMES_ROLE", "boss", "✗ HERMES_ROLE=\"boss\" is not one of supervisor, guest")]
#[case(
    "HERMES_GATEWAY_BOOTSTRAP_STATE",
    "Running",
    "✗ HERMES_GATEWAY_BOOTSTRAP_STATE=\"Running\" is not \"running\""
)]
#[case(
    "HERMES_HOME",
    "/etc",
    "✗ HERMES_HOME=\"/etc\" is a directory of the system's and cannot be a home"
)]
#[tokio::test]
async fn a_container_that_cannot_start_says_why(
    #[case] variable: &str,
    #[case] value: &str,
    #[case] expected: &str,
) {
    let machine = DockerMachine::start(image().with_env_var(variable, value)).await;
    assert_eq!(machine.exit_code(), 1);
    assert_eq!(machine.logs(), format!("{expected}\n"));
}

#[tokio::test]
async fn a_container_started_as_hermes_works_too() {
    let machine = DockerMachine::start(image().with_user("10000:10000")).await;
    machine.wait_until_ready();
    machine.must("hermes gateway start");
    machine.restart();
    machine.eventually("the gateway up again", |machine| machine.pid("default") > 1);
}

#[tokio::test]
async fn orphans_are_reaped() {
    let machine = DockerMachine::supervising().await;
    let orphan: i64 = machine.must("sh -c 'sleep 0.2 & echo $!'").trim().parse().expect("a pid");
    machine.eventually("the orphan's end, without a zombie", |machine| {
        machine.hermes(&format!("test -e /proc/{orphan}")).code != 0
    });
}
