//! A foreign image, to which hermes was added by the README's three lines: root's s6 supervises the gateways.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use testcontainers::{ContainerRequest, GenericImage, ImageExt};

use super::image;
use super::machine::DockerMachine;

const NAME: &str = "hermes-test-foreign";

/// The recipe below the README's heading, as it is typed into a Dockerfile.
fn recipe() -> &'static str {
    let readme = include_str!("../../README.md");
    let section = readme.split("## Adding it to an existing image").nth(1).expect("its heading");
    let block = section.split("```dockerfile\n").nth(1).and_then(|rest| rest.split("```").next());
    block.expect("the recipe")
}

/// The image's tag. The first call builds it: the foreign image, then ours on top, by the recipe and nothing else.
fn tag() -> &'static str {
    static BUILT: OnceLock<&'static str> = OnceLock::new();
    BUILT.get_or_init(|| {
        let suite = image::tag();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docker/foreign");
        let theirs = format!("{NAME}-base:{suite}");
        build(&[&format!("--build-arg=BASE=debian:{suite}-slim"), &tag_of(&theirs), folder], "");
        let recipe =
            recipe().replace("--from=hermes ", &format!("--from={}:{suite} ", image::NAME));
        build(&[&tag_of(&format!("{NAME}:{suite}")), "-"], &format!("FROM {theirs}\n{recipe}"));
        suite
    })
}

fn tag_of(name: &str) -> String {
    format!("--tag={name}")
}

/// `docker build`, with this for its standard input.
fn build(words: &[&str], stdin: &str) {
    let mut child = Command::new("docker")
        .args(["build", "--quiet", "--label=hermes.test=1"])
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the docker client");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(stdin.as_bytes()).expect("it reads");
    drop(pipe);
    assert!(child.wait().expect("it ends").success(), "docker build {words:?}");
}

fn foreign() -> ContainerRequest<GenericImage> {
    GenericImage::new(NAME, tag()).with_label("hermes.test", "1")
}

async fn booted() -> DockerMachine {
    let machine = DockerMachine::start(foreign()).await;
    machine.wait_until_ready();
    machine
}

#[test]
fn the_recipe_has_three_lines() {
    assert_eq!(recipe().lines().count(), 3, "{}", recipe());
}

#[tokio::test]
async fn the_verbs_work_as_hermes_and_a_restart_brings_each_gateway_back_as_it_was() {
    let machine = booted().await;
    assert_eq!(machine.must_as_root("stat -c %U /proc/1"), "root\n");
    machine.must("hermes profile create coder && hermes -p coder gateway start");
    machine.must("hermes profile create writer && hermes -p writer gateway start");
    machine.must("hermes -p writer gateway stop");
    let before = machine.pid("coder");
    machine.must("hermes -p coder gateway restart");
    assert_ne!(machine.pid("coder"), before);
    let users = machine.must("stat -c %U /proc/$(s6-svstat -o pid /run/service/gateway-coder)");
    assert_eq!(users, "hermes\n", "the gateway itself is no root");
    machine.restart();
    machine.eventually("gateway 'coder' up again", |machine| {
        machine.hermes("hermes -p coder gateway status").code == 0
    });
    assert_eq!(machine.hermes("hermes -p writer gateway status").code, 3);
    machine.must("hermes boot reconcile");
    assert!(machine.must("hermes gateway status --all || test $? = 3").contains("coder"));
    // A bare `docker exec` is root, and becomes hermes.
    machine.must_as_root("hermes -p writer gateway start");
    machine.must("hermes profile delete writer -y && hermes profile create writer");
    assert_eq!(machine.must("find /opt/data ! -user hermes"), "");
}

#[tokio::test]
async fn what_roots_supervisors_follow_stays_roots() {
    let machine = booted().await;
    machine.must("hermes profile create coder");
    for service in ["gateway-coder", "gateway-coder/log", "gateway-default"] {
        let dir = format!("/run/service/{service}");
        machine.eventually("the logger to hand its slot over", |machine| {
            machine.hermes(&format!("test -x {dir}/supervise")).code == 0
        });
        let stat = format!("cd {dir} && stat -c '%a %U:%G' supervise supervise/control event");
        assert_eq!(
            machine.must_as_root(&stat),
            "710 root:hermes\n620 root:hermes\n3730 root:hermes\n"
        );
    }
}

#[tokio::test]
async fn doctor_names_what_the_layout_costs() {
    let machine = booted().await;
    let said = machine.must("hermes doctor");
    let scanner = "! scan directory /run/service: its s6-svscan runs as uid 0, and listens to us";
    assert!(said.contains(scanner), "{said}");
    for cost in ["scripts", "control", "stop", "owners", "deleted slots"] {
        assert!(said.contains(&format!("! foreign tree, {cost}: ")), "{cost}: {said}");
    }
    assert!(said.contains("! role: no container of ours has claimed this home"), "{said}");
}

#[tokio::test]
async fn doctor_names_no_cost_where_the_tree_is_hermes() {
    let machine = DockerMachine::supervising().await;
    let said = machine.must("hermes doctor");
    assert!(said.contains("/run/service: ours, and s6-svscan listens"), "{said}");
    assert!(!said.contains("foreign tree"), "{said}");
}
