//! The main job, shown on a real s6 tree: four gateways, a restart of the machine, and each as its operator left it.
//!
//! `./x demo`. Needs root, s6 and namespaces; exits 0 only if all four are as intended.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a demonstration arranges a machine and talks to people"
)]

#[expect(dead_code, unused_imports, reason = "tests need more of it than this does")]
#[path = "../tests/support"]
mod support {
    pub(crate) mod machine;
}

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use support::machine::poll::poll_within;
use support::machine::{End, Machine, expect_that};

/// What one profile goes through.
struct Story {
    profile: &'static str,
    told: &'static str,
    /// The commands that tell it so.
    commands: &'static [&'static str],
    config: Option<&'static str>,
    /// Its gateway gets SIGKILL.
    killed: bool,
    /// How it must look at the end.
    intended: fn(&Value) -> bool,
}

const STORIES: [Story; 4] = [
    Story {
        profile: "coder",
        told: "start",
        commands: &["gateway start"],
        config: None,
        killed: false,
        intended: is_up,
    },
    Story {
        profile: "writer",
        told: "start, stop",
        commands: &["gateway start", "gateway stop"],
        config: None,
        killed: false,
        intended: is_down,
    },
    Story {
        profile: "tester",
        told: "start (gateway.toml is wrong)",
        commands: &["gateway start"],
        config: Some("port = 9300\nprot = 9301\n"),
        killed: false,
        intended: is_refused,
    },
    Story {
        profile: "helper",
        told: "start (then SIGKILL)",
        commands: &["gateway start"],
        config: None,
        killed: true,
        intended: is_up,
    },
];

/// Longer than any of it takes.
const PATIENCE: Duration = Duration::from_secs(15);

fn is_up(status: &Value) -> bool {
    status["verdict"] == "up" && status["ready"] == true && status["intent"] == "running"
}

fn is_down(status: &Value) -> bool {
    status["verdict"] == "down" && status["intent"] == "stopped"
}

/// It should run and cannot: that is said, and it is not tried again and again.
fn is_refused(status: &Value) -> bool {
    status["drifts"] == serde_json::json!(["failed-permanently"]) && status["intent"] == "running"
}

fn main() -> ExitCode {
    match program() {
        Ok(program) => demonstrate(&program),
        Err(missing) => {
            eprintln!("✗ the demonstration cannot run here: {missing}");
            ExitCode::FAILURE
        }
    }
}

fn demonstrate(program: &Path) -> ExitCode {
    let mut machine = Machine::new(program);
    println!(
        "A machine of its own: s6-svscan is PID 1, and it and all commands run as uid 10000.\n"
    );
    let before: Vec<Value> = STORIES.iter().map(|story| tell(&machine, story)).collect();
    println!("\nThe machine is restarted: SIGTERM to PID 1, as `docker restart` does.");
    let took = machine.restart(End::Term).as_millis();
    println!(
        "It was down after {took} ms; on the new one `hermes boot reconcile` has made its pass.\n"
    );
    let heads = ["profile", "told", "before", "at the restart", "now", "as intended"];
    let mut rows = vec![heads.map(str::to_owned)];
    let mut all = true;
    for (story, before) in STORIES.iter().zip(&before) {
        let now = settled(&machine, story);
        let lives = usize::from(now["fact"] == "up");
        let intended = (story.intended)(&now) && machine.gateways(story.profile).len() == lives;
        all &= intended;
        rows.push([
            story.profile.to_owned(),
            story.told.to_owned(),
            words(before),
            at_the_restart(&machine, story.profile),
            words(&now),
            if intended { "yes" } else { "NO" }.to_owned(),
        ]);
    }
    print_table(&rows);
    if all {
        println!("\n✓ each is as its operator left it");
        ExitCode::SUCCESS
    } else {
        println!("\n✗ not all are as intended");
        ExitCode::FAILURE
    }
}

/// The program that was built beside this one, if all is here that a demonstration takes.
fn program() -> Result<PathBuf, String> {
    let can = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/machine/can.sh");
    let looked = Command::new(can).output().map_err(|error| format!("{can}: {error}"))?;
    if !looked.status.success() {
        return Err(String::from_utf8_lossy(&looked.stdout).trim().to_owned());
    }
    let example = std::env::current_exe().map_err(|error| error.to_string())?;
    let program = example.parent().and_then(Path::parent).map(|dir| dir.join("hermes"));
    let missing = || "no `hermes` beside it: `cargo build` first".to_owned();
    program.filter(|program| program.is_file()).ok_or_else(missing)
}

/// Does what the story says, shows it, and looks.
fn tell(machine: &Machine, story: &Story) -> Value {
    let profile = story.profile;
    show(machine, &format!("profile create {profile}"));
    if let Some(config) = story.config {
        println!("$ cat ~/profiles/{profile}/gateway.toml");
        config.lines().for_each(|line| println!("  {line}"));
        machine.put(format!("profiles/{profile}/gateway.toml"), config);
    }
    for command in story.commands {
        show(machine, &format!("-p {profile} {command}"));
    }
    if story.killed {
        kill(machine, profile);
    }
    machine.status(profile)
}

fn show(machine: &Machine, line: &str) {
    let outcome = machine.hermes(line);
    println!("$ hermes {line}");
    for line in outcome.out.lines().chain(outcome.err.lines()) {
        println!("  {}", line.replace(&machine.home().display().to_string(), "~"));
    }
}

fn kill(machine: &Machine, profile: &str) {
    let old = machine.gateway(profile);
    println!("$ kill -KILL {}", old.pid);
    old.signal(Signal::KILL);
    let back = poll_within(PATIENCE, || {
        let status = machine.status(profile);
        expect_that(is_up(&status) && status["pid"] != old.pid, || status.to_string())
            .map(|()| status)
    });
    match back {
        Ok(status) => println!("  s6 started it again (pid {})", status["pid"]),
        Err(instead) => println!("  it did not come back: {instead}"),
    }
}

/// The status once it is as intended, or as it is when patience ends.
fn settled(machine: &Machine, story: &Story) -> Value {
    let intended = poll_within(PATIENCE, || {
        let status = machine.status(story.profile);
        expect_that((story.intended)(&status), String::new).map(|()| status)
    });
    intended.unwrap_or_else(|_| machine.status(story.profile))
}

/// What the boot log says of the last boot.
fn at_the_restart(machine: &Machine, profile: &str) -> String {
    let log = machine.boot_log();
    let line = log.lines().rfind(|line| line.contains(&format!(" profile={profile} ")));
    let field = |key: &str| {
        let mut words = line.unwrap_or_default().split(' ');
        words.find_map(|word| word.strip_prefix(key)).unwrap_or("?").to_owned()
    };
    format!("was {}: {}", field("prior_state="), field("action="))
}

fn words(status: &Value) -> String {
    let fact = match status["fact"].as_str() {
        Some("up") => format!("up (pid {})", status["pid"]),
        _ if is_refused(status) => "refused (exit 78)".to_owned(),
        fact => fact.unwrap_or("?").to_owned(),
    };
    format!("{fact}, intent {}", status["intent"].as_str().unwrap_or("?"))
}

fn print_table(rows: &[[String; 6]]) {
    let widths: [usize; 6] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
    });
    let print = |cells: Vec<String>| println!("{}", cells.join("  ").trim_end());
    let rule = || widths.iter().map(|&width| "─".repeat(width)).collect();
    for (number, row) in rows.iter().enumerate() {
        print(row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect());
        if number == 0 {
            print(rule());
        }
    }
}
