//! Checks that types cannot make: names that must be known, steps that do not go together. Each problem has the path of
//! its value.

use std::collections::BTreeSet;

use super::fault::{FaultKind, TaskAddress, is_run_name};
use super::values::{ContainerName, ProfileName};
use super::world::{ActionSpec, FileContent, FileSpec, ProgramSpec, WorldSpec};
use super::{MachineKind, RunStep, Scenario, Step};

/// What is wrong, and the path of the value.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) path: String,
    pub(super) message: String,
}

type Checked = Result<(), Problem>;

fn problem(path: impl Into<String>, message: impl Into<String>) -> Checked {
    Err(Problem { path: path.into(), message: message.into() })
}

/// Finds the first problem.
pub(super) fn check(scenario: &Scenario) -> Checked {
    check_head(scenario)?;
    check_world(&scenario.world)?;
    let mut names = BTreeSet::new();
    check_steps(scenario, &scenario.steps, "/steps", &mut names)?;
    check_faults(scenario, &names)?;
    check_search(scenario, &names)
}

fn check_head(scenario: &Scenario) -> Checked {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if scenario.name.is_empty() || !scenario.name.bytes().all(plain) {
        return problem("/name", "a name has a-z, 0-9 and `-`, like the file without `.json`");
    }
    if scenario.hazard.as_deref().is_some_and(|hazard| !is_hazard(hazard)) {
        return problem("/hazard", "a hazard is R and 1 to 15, or H and 1 to 111, as in \"H7\"");
    }
    if scenario.summary.trim().is_empty() {
        return problem("/summary", "an empty summary: say what was seen and what must hold");
    }
    if scenario.found_by.as_ref().is_some_and(|found| !is_date(&found.date)) {
        return problem("/found_by/date", "a date is year, month and day, as in \"2026-11-21\"");
    }
    if scenario.runs_on.is_empty() {
        return problem("/runs_on", "no machine: some of simulated, s6, container");
    }
    let is_host = scenario.world.tree.host().is_some();
    if is_host && scenario.runs_on != BTreeSet::from([MachineKind::Simulated]) {
        return problem("/runs_on", "only the simulated machine can be a host");
    }
    if scenario.steps.is_empty() {
        return problem("/steps", "no steps");
    }
    Ok(())
}

fn is_hazard(hazard: &str) -> bool {
    let number = |letter| hazard.strip_prefix(letter).and_then(|number| number.parse::<u8>().ok());
    let known =
        |number: Option<u8>, last| number.is_some_and(|number| (1..=last).contains(&number));
    known(number('R'), 15) || known(number('H'), 111)
}

fn is_date(date: &str) -> bool {
    let parts: Vec<&str> = date.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [4, 2, 2] && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn check_world(world: &WorldSpec) -> Checked {
    if !(1..=3).contains(&world.containers) {
        return problem("/world/containers", "1 to 3 containers");
    }
    for name in world.environment.keys() {
        if name.is_empty() || name.contains('=') {
            return problem(format!("/world/environment/{name}"), "not the name of a variable");
        }
    }
    for (name, profile) in &world.profiles {
        let above = format!("/world/profiles/{name}/files");
        for (path, file) in &profile.files {
            relative(&above, path)?;
            node(&format!("{above}/{path}"), file)?;
        }
    }
    for (path, file) in &world.files {
        let at = format!("/world/files/{path}");
        address(&at, path)?;
        match &file.content {
            FileContent::HardLink(other) => other_name(world, &at, other)?,
            _ => node(&at, file)?,
        }
    }
    for (path, lines) in &world.programs {
        let at = format!("/world/programs/{path}");
        if !path.starts_with('/') {
            return problem(at, "a program has an absolute path");
        }
        program(&at, lines)?;
    }
    Ok(())
}

/// An absolute path, or one below the home, without ways out.
fn address(at: &str, path: &str) -> Checked {
    let below = path.strip_prefix('/').unwrap_or(path);
    let odd = |part: &str| part.is_empty() || part == "." || part == "..";
    if below.split('/').any(odd) {
        return problem(
            at,
            format!("{path:?} is no address: absolute or below the home, without `..`"),
        );
    }
    Ok(())
}

fn relative(above: &str, path: &str) -> Checked {
    let at = format!("{above}/{path}");
    if path.starts_with('/') {
        return problem(at, format!("{path:?} must lie below the profile"));
    }
    address(&at, path)
}

/// A hard link names a file of `/world/files`, and both names are on the volume.
fn other_name(world: &WorldSpec, at: &str, other: &str) -> Checked {
    let is_file = |node: &FileSpec| matches!(node.content, FileContent::File(_));
    let on_volume = |path: &str| !path.starts_with('/');
    let is_there = world.files.get(other).is_some_and(is_file);
    let link = at.trim_start_matches("/world/files/");
    match is_there && on_volume(other) && on_volume(link) {
        true => Ok(()),
        false => problem(
            format!("{at}/hard-link"),
            format!(
                "{other:?} is no file of `/world/files` below the home, or its name here is not"
            ),
        ),
    }
}

fn node(at: &str, node: &FileSpec) -> Checked {
    match &node.content {
        FileContent::HardLink(_) => problem(
            format!("{at}/hard-link"),
            "only an entry of `/world/files` can be another name",
        ),
        FileContent::Program(lines) => program(&format!("{at}/program"), lines),
        _ => Ok(()),
    }
}

fn program(at: &str, lines: &ProgramSpec) -> Checked {
    for (index, line) in lines.iter().enumerate() {
        if line.act == ActionSpec::Ignore && line.on.is_none() {
            return problem(format!("{at}/{index}"), "`ignore` needs `on`: which signal");
        }
    }
    Ok(())
}

fn check_steps(
    scenario: &Scenario,
    list: &[Step],
    above: &str,
    names: &mut BTreeSet<String>,
) -> Checked {
    for (index, step) in list.iter().enumerate() {
        let at = format!("{above}/{index}");
        containers(scenario, step, &at)?;
        addresses(step, &at)?;
        match step {
            Step::Run(run) => check_run(run, &at, names)?,
            Step::Together(group) => {
                check_group(&group.steps, &at)?;
                check_steps(scenario, &group.steps, &format!("{at}/together"), names)?;
            }
            Step::Write(write) => node(&format!("{at}/file"), &write.file)?,
            _ => {}
        }
    }
    Ok(())
}

fn containers(scenario: &Scenario, step: &Step, at: &str) -> Checked {
    for (key, container) in step.containers() {
        if container.0 > scenario.world.containers {
            let count = scenario.world.containers;
            return problem(
                format!("{at}/{key}"),
                format!("no container {container}: the world has {count}"),
            );
        }
    }
    Ok(())
}

fn addresses(step: &Step, at: &str) -> Checked {
    match step {
        Step::Write(step) => address(&format!("{at}/write"), &step.write),
        Step::Remove(step) => address(&format!("{at}/remove"), &step.remove),
        Step::Move(step) => address(&format!("{at}/move"), &step.from)
            .and_then(|()| address(&format!("{at}/to"), &step.to)),
        Step::Copy(step) => address(&format!("{at}/copy"), &step.copy)
            .and_then(|()| address(&format!("{at}/to"), &step.to)),
        Step::Chmod(step) => address(&format!("{at}/chmod"), &step.chmod),
        Step::Chown(step) => address(&format!("{at}/chown"), &step.chown),
        Step::Expect(step) => step
            .expect
            .file
            .keys()
            .try_for_each(|path| address(&format!("{at}/expect/file/{path}"), path)),
        _ => Ok(()),
    }
}

fn check_run(run: &RunStep, at: &str, names: &mut BTreeSet<String>) -> Checked {
    if run.words().first().map(String::as_str) != Some("hermes") {
        return problem(format!("{at}/run"), "a command begins with `hermes`");
    }
    if run.run.matches('\'').count() % 2 == 1
        || run.run.contains(|letter| "\"\\|;&$<>`".contains(letter))
    {
        return problem(format!("{at}/run"), "words and single quotes only: no shell reads it");
    }
    let Some(name) = &run.name else { return Ok(()) };
    if !is_run_name(name) {
        return problem(
            format!("{at}/name"),
            "a name is a capital letter, then letters and digits",
        );
    }
    if !names.insert(name.clone()) {
        return problem(format!("{at}/name"), format!("another run is called {name} already"));
    }
    Ok(())
}

fn check_group(list: &[Step], at: &str) -> Checked {
    if list.len() < 2 {
        return problem(format!("{at}/together"), "at least two steps can be together");
    }
    for (index, step) in list.iter().enumerate() {
        if matches!(step, Step::Together(_) | Step::Settle(_) | Step::Pass(_) | Step::Expect(_)) {
            let message = format!("`{}` cannot be together with others", step.key());
            return problem(format!("{at}/together/{index}"), message);
        }
    }
    Ok(())
}

fn check_faults(scenario: &Scenario, names: &BTreeSet<String>) -> Checked {
    for (index, fault) in scenario.faults.iter().enumerate() {
        let at = format!("/faults/{index}");
        check_task_address(scenario, &format!("{at}/at/task"), &fault.at.task, names)?;
        if fault.at.nth == 0 {
            return problem(format!("{at}/at/nth"), "`nth` counts from 1");
        }
        if fault.sticky && !matches!(fault.kind, FaultKind::Errno(_)) {
            return problem(format!("{at}/sticky"), "only an errno can be sticky");
        }
        if fault.duration.is_some() != (fault.kind == FaultKind::Suspend) {
            return problem(
                format!("{at}/duration"),
                "`duration` goes with `suspend`, and only with it",
            );
        }
        if fault.outcome.is_some() && fault.kind != FaultKind::PowerCut {
            return problem(format!("{at}/outcome"), "`outcome` goes with `power-cut` only");
        }
        if let Some(next) = &fault.next {
            if fault.kind != FaultKind::Preempt {
                return problem(format!("{at}/next"), "`next` goes with `preempt` only");
            }
            check_task_address(scenario, &format!("{at}/next"), next, names)?;
        }
    }
    Ok(())
}

fn check_search(scenario: &Scenario, names: &BTreeSet<String>) -> Checked {
    let search = &scenario.search;
    for (index, name) in search.crash_matrix.iter().enumerate() {
        check_task_address(scenario, &format!("/search/crash_matrix/{index}"), name, names)?;
    }
    if search.exhaustive_crashes > 0 && !search.exhaustive {
        return problem(
            "/search/exhaustive_crashes",
            "`exhaustive_crashes` goes with `exhaustive`",
        );
    }
    let searched = search.exhaustive || !search.crash_matrix.is_empty();
    if searched && !scenario.runs_on.contains(&MachineKind::Simulated) {
        return problem("/search", "only the simulated machine is searched: `runs_on` lacks it");
    }
    Ok(())
}

fn check_task_address(
    scenario: &Scenario,
    at: &str,
    task: &TaskAddress,
    names: &BTreeSet<String>,
) -> Checked {
    match task {
        TaskAddress::Run(name) if !names.contains(name) => {
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            problem(at, format!("no run is called {name}: there are [{}]", known.join(", ")))
        }
        TaskAddress::Init(container)
        | TaskAddress::Tree(container)
        | TaskAddress::Stop(container)
        | TaskAddress::Main(container) => {
            let count = scenario.world.containers;
            match container.0 <= count {
                true => Ok(()),
                false => problem(at, format!("no container {container}: the world has {count}")),
            }
        }
        TaskAddress::Run(_)
        | TaskAddress::Gateway(ProfileName(_))
        | TaskAddress::Log(ProfileName(_)) => Ok(()),
    }
}

impl Step {
    /// The containers that it names, each with its key.
    pub fn containers(&self) -> Vec<(&'static str, ContainerName)> {
        match self {
            Self::Boot(step) => vec![("boot", step.boot)],
            Self::Run(step) => vec![("in", step.container)],
            Self::Container(step) => vec![("in", step.container)],
            Self::Signal(step) => vec![("in", step.container)],
            Self::S6Svc(step) => vec![("in", step.container)],
            Self::S6Svscanctl(step) => vec![("in", step.container)],
            Self::HostStop(step) => vec![("in", step.container)],
            Self::Expect(step) => {
                let running =
                    step.expect.running.iter().map(|container| ("expect/running", *container));
                let ended = step.expect.ended.iter().map(|container| ("expect/ended", *container));
                let console = step.expect.console_has.keys();
                let printed = console.map(|container| ("expect/console_has", *container));
                running.chain(ended).chain(printed).collect()
            }
            _ => Vec::new(),
        }
    }
}
