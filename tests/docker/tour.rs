//! The README's tour, typed as it is written there. Only names are replaced by this test's, and the image by the one
//! under test.

use std::process::Command;
use std::time::{Duration, Instant};

use super::image;
use super::machine::docker;

const PATIENCE: Duration = Duration::from_secs(20);

/// The lines of the tour, with the exit code that the remark states.
fn tour() -> Vec<(String, i32)> {
    let readme = include_str!("../../README.md");
    let tour = readme.split("## A tour of five minutes").nth(1).expect("the README has a tour");
    let block = tour.split("```sh").nth(1).and_then(|rest| rest.split("```").next());
    let lines = block.expect("the tour has its lines").lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (words, remark) = line.split_once('#').unwrap_or((line, ""));
            let code = remark.split("exit code ").nth(1).and_then(|code| code.trim().parse().ok());
            (words.trim().to_owned(), code.unwrap_or(0))
        })
        .collect()
}

/// The container and the volume, which have the same name; removed with the test, pass or fail.
struct Tour(String);

impl Drop for Tour {
    fn drop(&mut self) {
        docker(&["rm", "-f", &self.0]);
        docker(&["volume", "rm", &self.0]);
    }
}

#[test]
fn the_readmes_tour_is_true() {
    let tag = image::tag();
    let container = Tour(format!("hermes-tour-{}", std::process::id()));
    let own = &container.0;
    let mut typed = 0;
    for (line, code) in tour() {
        // The image was built by `image::tag`, by the same two steps.
        if line.starts_with("./x image") {
            continue;
        }
        let line = line
            .replace("bots", own)
            .replace("hermes-data", own)
            .replace(":/opt/data hermes", &format!(":/opt/data hermes-test:{tag}"))
            .replace("docker run", "docker run --label hermes.test=1");
        eventually(&line, code);
        typed += 1;
    }
    assert!(typed >= 8, "the tour has {typed} lines");
}

/// Types the line; a read-only one is repeated until it has the stated exit code: a restart takes a moment.
fn eventually(line: &str, code: i32) {
    let began = Instant::now();
    loop {
        let output = Command::new("sh").args(["-c", line]).output().expect("sh runs");
        if output.status.code() == Some(code) {
            return;
        }
        let only_looks = line.contains(" status");
        assert!(only_looks && began.elapsed() < PATIENCE, "`{line}`: {code} expected, {output:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
