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

/// The scenario of one profile.
struct ProfileScenario {
    profile: &'static str,
    summary: &'static str,
    /// The commands to run.
    commands: &'static [&'static str],
    config: Option<&'static str>,
    /// Its gateway gets SIGKILL.
    killed: bool,
    /// What its status must be at the end.
    intended: fn(&Value) -> bool,
}

const SCENARIOS: [ProfileScenario; 4] = [
    ProfileScenario {
        profile: "coder",
        summary: "start",
        commands: &["gateway start"],
        config: None,
        killed: false,
        intended: is_up,
    },
    ProfileScenario {
        profile: "writer",
        summary: "start, stop",
        commands: &["gateway start", "gateway stop"],
        config: None,
        killed: false,
        intended: is_down,
    },
    ProfileScenario {
        profile: "tester",
        summary: "start (gateway.toml is wrong)",
        commands: &["gateway start"],
        config: Some("port = 9300\nprot = 9301\n"),
        killed: false,
        intended: is_refused,
    },
    ProfileScenario {
        profile: "helper",
        summary: "start (then SIGKILL)",
        commands: &["gateway start"],
        config: None,
        killed: true,
        intended: is_up,
    },
];

/// Longer than any step takes.
const PATIENCE: Duration = Duration::from_secs(15);

fn is_up(status: &Value) -> bool {
    status["verdict"] == "up" && status["ready"] == true && status["intent"] == "running"
}

fn is_down(status: &Value) -> bool {
    status["verdict"] == "down" && status["intent"] == "stopped"
}

/// It should run and cannot: the status says so, and it is not restarted again and again.
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
    let before: Vec<Value> =
        SCENARIOS.iter().map(|scenario| run_scenario(&machine, scenario)).collect();
    println!("\nThe machine is restarted: SIGTERM to PID 1, as `docker restart` does.");
    let took = machine.restart(End::Term).as_millis();
    println!(
        "It was down after {took} ms; on the new one `hermes boot reconcile` has made its pass.\n"
    );
    let heads = ["profile", "told", "before", "at the restart", "now", "as intended"];
    let mut rows = vec![heads.map(str::to_owned)];
    let mut all = true;
    for (scenario, before) in SCENARIOS.iter().zip(&before) {
        let now = settled(&machine, scenario);
        let lives = usize::from(now["fact"] == "up");
        let intended =
            (scenario.intended)(&now) && machine.gateways(scenario.profile).len() == lives;
        all &= intended;
        rows.push([
            scenario.profile.to_owned(),
            scenario.summary.to_owned(),
            words(before),
            at_the_restart(&machine, scenario.profile),
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

/// The program that was built beside this one, if this machine has all that the demonstration needs.
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

/// Runs the scenario's commands, prints them, and returns the status.
fn run_scenario(machine: &Machine, scenario: &ProfileScenario) -> Value {
    let profile = scenario.profile;
    show(machine, &format!("profile create {profile}"));
    if let Some(config) = scenario.config {
        println!("$ cat ~/profiles/{profile}/gateway.toml");
        config.lines().for_each(|line| println!("  {line}"));
        machine.put(format!("profiles/{profile}/gateway.toml"), config);
    }
    for command in scenario.commands {
        show(machine, &format!("-p {profile} {command}"));
    }
    if scenario.killed {
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

/// The status once it is as intended, or when the time is over.
fn settled(machine: &Machine, scenario: &ProfileScenario) -> Value {
    let intended = poll_within(PATIENCE, || {
        let status = machine.status(scenario.profile);
        expect_that((scenario.intended)(&status), String::new).map(|()| status)
    });
    intended.unwrap_or_else(|_| machine.status(scenario.profile))
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
