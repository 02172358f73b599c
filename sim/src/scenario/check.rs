//! What types cannot say: names that must be known, steps that do not go together. Each fault has the path of its value.

use std::collections::BTreeSet;

use super::surprise::{Deed, Task, is_run_name};
use super::words::{Container, Name};
use super::world::{Act, Content, Node, Program, World};
use super::{Machine, Run, Scenario, Step};

/// What is wrong, and the path of the value.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) path: String,
    pub(super) what: String,
}

type Checked = Result<(), Fault>;

fn fault(path: impl Into<String>, what: impl Into<String>) -> Checked {
    Err(Fault { path: path.into(), what: what.into() })
}

/// Finds the first fault.
pub(super) fn check(scenario: &Scenario) -> Checked {
    head(scenario)?;
    world(&scenario.world)?;
    let mut names = BTreeSet::new();
    steps(scenario, &scenario.story, "/story", &mut names)?;
    surprises(scenario, &names)?;
    search(scenario, &names)
}

fn head(scenario: &Scenario) -> Checked {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if scenario.name.is_empty() || !scenario.name.bytes().all(plain) {
        return fault("/name", "a name has a-z, 0-9 and `-`, like the file without `.json`");
    }
    if scenario.hazard.as_deref().is_some_and(|hazard| !is_hazard(hazard)) {
        return fault("/hazard", "a hazard is R and 1 to 15, or H and 1 to 52, as in \"H7\"");
    }
    if scenario.fact.trim().is_empty() {
        return fault("/fact", "an empty fact: say what was seen and what must hold");
    }
    if scenario.found.as_ref().is_some_and(|found| !is_date(&found.date)) {
        return fault("/found/date", "a date is year, month and day, as in \"2026-11-21\"");
    }
    if scenario.runs_on.is_empty() {
        return fault("/runs_on", "no machine: some of simulated, s6, container");
    }
    let is_host = scenario.world.tree.host().is_some();
    if is_host && scenario.runs_on != BTreeSet::from([Machine::Simulated]) {
        return fault("/runs_on", "a host is played by the simulated machine alone");
    }
    if scenario.story.is_empty() {
        return fault("/story", "an empty story");
    }
    Ok(())
}

fn is_hazard(hazard: &str) -> bool {
    let number = |letter| hazard.strip_prefix(letter).and_then(|number| number.parse::<u8>().ok());
    let known =
        |number: Option<u8>, last| number.is_some_and(|number| (1..=last).contains(&number));
    known(number('R'), 15) || known(number('H'), 52)
}

fn is_date(date: &str) -> bool {
    let parts: Vec<&str> = date.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [4, 2, 2] && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn world(world: &World) -> Checked {
    if !(1..=3).contains(&world.containers) {
        return fault("/world/containers", "1 to 3 containers");
    }
    for name in world.environment.keys() {
        if name.is_empty() || name.contains('=') {
            return fault(format!("/world/environment/{name}"), "no name of a variable");
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
            Content::HardLink(other) => other_name(world, &at, other)?,
            _ => node(&at, file)?,
        }
    }
    for (path, lines) in &world.programs {
        let at = format!("/world/programs/{path}");
        if !path.starts_with('/') {
            return fault(at, "a program has an absolute path");
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
        return fault(
            at,
            format!("{path:?} is no address: absolute or below the home, without `..`"),
        );
    }
    Ok(())
}

fn relative(above: &str, path: &str) -> Checked {
    let at = format!("{above}/{path}");
    if path.starts_with('/') {
        return fault(at, format!("{path:?} must lie below the profile"));
    }
    address(&at, path)
}

/// Another name is that of a file which is there, on the volume as its other name.
fn other_name(world: &World, at: &str, other: &str) -> Checked {
    let is_file = |node: &Node| matches!(node.content, Content::File(_));
    let on_volume = |path: &str| !path.starts_with('/');
    let is_there = world.files.get(other).is_some_and(is_file);
    let link = at.trim_start_matches("/world/files/");
    match is_there && on_volume(other) && on_volume(link) {
        true => Ok(()),
        false => fault(
            format!("{at}/hard-link"),
            format!(
                "{other:?} is no file of `/world/files` below the home, or its name here is not"
            ),
        ),
    }
}

fn node(at: &str, node: &Node) -> Checked {
    match &node.content {
        Content::HardLink(_) => {
            fault(format!("{at}/hard-link"), "only an entry of `/world/files` can be another name")
        }
        Content::Program(lines) => program(&format!("{at}/program"), lines),
        _ => Ok(()),
    }
}

fn program(at: &str, lines: &Program) -> Checked {
    for (index, line) in lines.iter().enumerate() {
        if line.act == Act::Ignore && line.on.is_none() {
            return fault(format!("{at}/{index}"), "`ignore` needs `on`: which signal");
        }
    }
    Ok(())
}

fn steps(scenario: &Scenario, list: &[Step], above: &str, names: &mut BTreeSet<String>) -> Checked {
    for (index, step) in list.iter().enumerate() {
        let at = format!("{above}/{index}");
        containers(scenario, step, &at)?;
        addresses(step, &at)?;
        match step {
            Step::Run(run) => command(run, &at, names)?,
            Step::Together(group) => {
                together(&group.together, &at)?;
                steps(scenario, &group.together, &format!("{at}/together"), names)?;
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
            return fault(
                format!("{at}/{key}"),
                format!("no container {container}: the world has {count}"),
            );
        }
    }
    Ok(())
}

fn addresses(step: &Step, at: &str) -> Checked {
    match step {
        Step::Write(it) => address(&format!("{at}/write"), &it.write),
        Step::Remove(it) => address(&format!("{at}/remove"), &it.remove),
        Step::Move(it) => address(&format!("{at}/move"), &it.from)
            .and_then(|()| address(&format!("{at}/to"), &it.to)),
        Step::Copy(it) => address(&format!("{at}/copy"), &it.copy)
            .and_then(|()| address(&format!("{at}/to"), &it.to)),
        Step::Chmod(it) => address(&format!("{at}/chmod"), &it.chmod),
        Step::Chown(it) => address(&format!("{at}/chown"), &it.chown),
        Step::Expect(it) => it
            .expect
            .file
            .keys()
            .try_for_each(|path| address(&format!("{at}/expect/file/{path}"), path)),
        _ => Ok(()),
    }
}

fn command(run: &Run, at: &str, names: &mut BTreeSet<String>) -> Checked {
    if run.words().first().map(String::as_str) != Some("hermes") {
        return fault(format!("{at}/run"), "a command begins with `hermes`");
    }
    if run.run.matches('\'').count() % 2 == 1
        || run.run.contains(|letter| "\"\\|;&$<>`".contains(letter))
    {
        return fault(format!("{at}/run"), "words and single quotes only: no shell reads it");
    }
    let Some(name) = &run.name else { return Ok(()) };
    if !is_run_name(name) {
        return fault(format!("{at}/name"), "a name is a capital letter, then letters and digits");
    }
    if !names.insert(name.clone()) {
        return fault(format!("{at}/name"), format!("another run is called {name} already"));
    }
    Ok(())
}

fn together(list: &[Step], at: &str) -> Checked {
    if list.len() < 2 {
        return fault(format!("{at}/together"), "at least two steps can be together");
    }
    for (index, step) in list.iter().enumerate() {
        if matches!(step, Step::Together(_) | Step::Settle(_) | Step::Pass(_) | Step::Expect(_)) {
            let what = format!("`{}` cannot be together with others", step.key());
            return fault(format!("{at}/together/{index}"), what);
        }
    }
    Ok(())
}

fn surprises(scenario: &Scenario, names: &BTreeSet<String>) -> Checked {
    for (index, surprise) in scenario.surprises.iter().enumerate() {
        let at = format!("/surprises/{index}");
        task(scenario, &format!("{at}/at/task"), &surprise.at.task, names)?;
        if surprise.at.nth == 0 {
            return fault(format!("{at}/at/nth"), "`nth` counts from 1");
        }
        if surprise.sticky && !matches!(surprise.deed, Deed::Fail(_)) {
            return fault(format!("{at}/sticky"), "only an errno can be sticky");
        }
        if surprise.lasts.is_some() != (surprise.deed == Deed::Suspend) {
            return fault(format!("{at}/lasts"), "`lasts` goes with `suspend`, and only with it");
        }
        if surprise.keeps.is_some() && surprise.deed != Deed::PowerCut {
            return fault(format!("{at}/keeps"), "`keeps` goes with `power-cut` only");
        }
        if let Some(to) = &surprise.to {
            if surprise.deed != Deed::Preempt {
                return fault(format!("{at}/to"), "`to` goes with `preempt` only");
            }
            task(scenario, &format!("{at}/to"), to, names)?;
        }
    }
    Ok(())
}

fn search(scenario: &Scenario, names: &BTreeSet<String>) -> Checked {
    let search = &scenario.search;
    for (index, name) in search.crash.iter().enumerate() {
        task(scenario, &format!("/search/crash/{index}"), name, names)?;
    }
    if search.closed_crashes > 0 && !search.closed {
        return fault("/search/closed_crashes", "`closed_crashes` goes with `closed`");
    }
    let searched = search.closed || !search.crash.is_empty();
    if searched && !scenario.runs_on.contains(&Machine::Simulated) {
        return fault("/search", "only the simulated machine is searched: `runs_on` lacks it");
    }
    Ok(())
}

fn task(scenario: &Scenario, at: &str, task: &Task, names: &BTreeSet<String>) -> Checked {
    match task {
        Task::Run(name) if !names.contains(name) => {
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            fault(at, format!("no run is called {name}: there are [{}]", known.join(", ")))
        }
        Task::Init(container)
        | Task::Tree(container)
        | Task::Stop(container)
        | Task::Main(container) => {
            let count = scenario.world.containers;
            match container.0 <= count {
                true => Ok(()),
                false => fault(at, format!("no container {container}: the world has {count}")),
            }
        }
        Task::Run(_) | Task::Gateway(Name(_)) | Task::Log(Name(_)) => Ok(()),
    }
}

impl Step {
    /// The containers that it names, each with its key.
    pub fn containers(&self) -> Vec<(&'static str, Container)> {
        match self {
            Self::Boot(it) => vec![("boot", it.boot)],
            Self::Run(it) => vec![("in", it.container)],
            Self::Container(it) => vec![("of", it.of)],
            Self::Signal(it) => vec![("in", it.container)],
            Self::S6Svc(it) => vec![("in", it.container)],
            Self::S6Svscanctl(it) => vec![("in", it.container)],
            Self::HostStop(it) => vec![("in", it.container)],
            Self::Expect(it) => {
                let named =
                    it.expect.running.iter().map(|container| ("expect/running", *container));
                let ended = it.expect.ended.iter().map(|container| ("expect/ended", *container));
                let console = it.expect.console_has.keys();
                let printed = console.map(|container| ("expect/console_has", *container));
                named.chain(ended).chain(printed).collect()
            }
            _ => Vec::new(),
        }
    }
}
