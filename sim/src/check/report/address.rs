//! A schedule names moves by number, and a changed program makes other moves. Here each of its surprises gets the address
//! that a scenario gives: whose effect, of which kind, on what, the how manieth.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::retrace;
use crate::check::search::Found;
use crate::execution::{Deed, Failure, Move, Play, objects};
use crate::machine::world::ProcessId;
use crate::scenario::{
    At, Deed as Told, Finder, Kind, Machine, Scenario, Search, Span, Step, Surprise, Task,
};

/// The scenario that plays by itself what a search found, or why there is none.
pub fn tell(scenario: &Scenario, found: &Found, by: Option<Finder>) -> Result<Scenario, String> {
    let named = with_names(scenario);
    let (sketches, place) = sketch(&named, found, by)?;
    let counted = count(&named, found, by, sketches);
    let mut told = named;
    told.surprises.extend(counted);
    told.search = Search { surprises: 0, ..Search::default() };
    told.runs_on = [Machine::Simulated].into();
    // What the search had somebody repeat stands last.
    if let (Some(Finder::CrashMatrix), Some(place), None) = (by, place, &found.repeated) {
        told.story.truncate(place + 1);
    }
    let has_fault = found.schedule.0.iter().any(|(_, next)| matches!(next, Move::Befall(..)));
    forget_expectations(&mut told, &found.failure, has_fault);
    Ok(told)
}

/// Every command has a name, by which it can be addressed.
fn with_names(scenario: &Scenario) -> Scenario {
    let mut named = scenario.clone();
    let taken: Vec<String> = scenario.runs().filter_map(|run| run.name.clone()).collect();
    let mut free = (1..).map(|number| format!("R{number}")).filter(|name| !taken.contains(name));
    let mut give = |step: &mut Step| {
        if let Step::Run(run) = step {
            run.name = run.name.take().or_else(|| free.next());
        }
    };
    for step in &mut named.story {
        match step {
            Step::Together(group) => group.together.iter_mut().for_each(&mut give),
            other => give(other),
        }
    }
    named
}

/// What a fault may do to a story is no longer what the story expects. Without one they stay: a story waits for them.
fn forget_expectations(told: &mut Scenario, failure: &Failure, has_fault: bool) {
    let is_about_them = failure.promise == "expect";
    if !has_fault {
        return;
    }
    for step in &mut told.story {
        match step {
            Step::Run(run) => run.expect = Default::default(),
            Step::Together(group) => {
                for inner in &mut group.together {
                    if let Step::Run(run) = inner {
                        run.expect = Default::default();
                    }
                }
            }
            _ => {}
        }
    }
    let keeps = |step: &Step| match step {
        Step::Expect(step) => is_about_them && step.expect.always,
        _ => true,
    };
    if told.story.iter().any(keeps) {
        told.story.retain(keeps);
    }
}

/// Surprises whose ordinals are not known yet, and where in the story the last one came.
fn sketch(
    scenario: &Scenario,
    found: &Found,
    by: Option<Finder>,
) -> Result<(Vec<Surprise>, Option<usize>), String> {
    let mut sketches = Vec::new();
    let mut place = None;
    let mut last: BTreeMap<ProcessId, At> = BTreeMap::new();
    // That it breaks is known; where it went is what is looked at.
    let _ = retrace::found(&Arc::new(scenario.clone()), found, by, &mut |play, next| {
        if is_due(found, sketches.len(), play, next) {
            // One that befalls while the run is concluded comes after the story.
            place = Some(play.place()).filter(|&at| at < scenario.story.len()).or(place);
            sketches.push(surprise(play, next, &last));
        }
        if let Move::Step(who) = next {
            if let Some(at) = address(play, *who) {
                last.insert(*who, at);
            }
        }
    });
    let told: Result<Vec<Surprise>, String> = sketches.into_iter().collect();
    let told = told?;
    match told.len() == found.schedule.0.len() {
        true => Ok((told, place)),
        false => Err("not every surprise came up when it was played again".to_owned()),
    }
}

fn is_due(found: &Found, index: usize, play: &Play, next: &Move) -> bool {
    found.schedule.0.get(index).is_some_and(|(at, due)| *at == play.moves && due == next)
}

/// Plays once more with all addresses in the story, each to come up never, and reads off how often they did.
fn count(
    scenario: &Scenario,
    found: &Found,
    by: Option<Finder>,
    mut sketches: Vec<Surprise>,
) -> Vec<Surprise> {
    let mut watched = scenario.clone();
    let own = watched.surprises.len();
    let never = |sketch: &Surprise| {
        let mut never = sketch.clone();
        never.at.nth = u32::MAX;
        never
    };
    watched.surprises.extend(sketches.iter().map(never));
    let mut index = 0;
    // As above.
    let _ = retrace::found(&Arc::new(watched), found, by, &mut |play, next| {
        if is_due(found, index, play, next) {
            let before = play.came_up(own + index);
            let is_after = sketches[index].deed == Told::KillAfter;
            sketches[index].at.nth = if is_after { before.max(1) } else { before + 1 };
            index += 1;
        }
    });
    sketches
}

fn surprise(play: &Play, next: &Move, last: &BTreeMap<ProcessId, At>) -> Result<Surprise, String> {
    let who = victim(play, next)?;
    let mut deed = deed(play, next);
    let at = match (address(play, who), &deed.deed) {
        (Some(at), _) => at,
        // It was about to exit: right after its last effect is the same place.
        (None, Told::Kill) => {
            deed.deed = Told::KillAfter;
            last.get(&who).cloned().ok_or("a process without an effect was killed")?
        }
        (None, other) => return Err(format!("{other} at an exit has no address")),
    };
    Ok(Surprise { at, ..deed })
}

/// Whose effect the surprise is addressed by.
fn victim(play: &Play, next: &Move) -> Result<ProcessId, String> {
    if let Move::Befall(who, _) | Move::Told(who, _) = next {
        return Ok(*who);
    }
    match play.calm() {
        Some(Move::Step(who)) if play.task(who).is_some() => Ok(who),
        _ => Err("what would have come next is no effect of a task, and has no address".to_owned()),
    }
}

/// What befalls; the address is filled in later.
fn deed(play: &Play, next: &Move) -> Surprise {
    let told = match next {
        Move::Step(_) => Told::Preempt,
        Move::Begin(_) => Told::Begin,
        Move::Time | Move::Told(..) => Told::Time,
        Move::Befall(_, deed) => match deed {
            Deed::Kill => Told::Kill,
            Deed::ContainerKill => Told::ContainerKill,
            Deed::ContainerRestart => Told::ContainerRestart,
            Deed::PowerCut(_) => Told::PowerCut,
            Deed::Suspend(_) => Told::Suspend,
            Deed::Refuse(errno) | Deed::RefuseForGood(errno) => Told::Fail(*errno),
        },
    };
    let nowhere = At { task: Task::Run(String::new()), effect: Kind::Open, touches: None, nth: 1 };
    Surprise {
        at: nowhere,
        deed: told,
        sticky: matches!(next, Move::Befall(_, Deed::RefuseForGood(_))),
        to: match next {
            Move::Step(other) => play.task(*other),
            _ => None,
        },
        lasts: match next {
            Move::Befall(_, Deed::Suspend(time)) => Some(Span(*time)),
            _ => None,
        },
        keeps: match next {
            Move::Befall(_, Deed::PowerCut(choice)) => Some(*choice).filter(|&choice| choice > 0),
            _ => None,
        },
    }
}

/// Where a task stands: what it is about to do, its ordinal aside.
fn address(play: &Play, who: ProcessId) -> Option<At> {
    let effect = play.next_effect(who)?;
    let task = play.task(who)?;
    let kind = Kind::of(effect);
    let touches = match kind {
        // Bytes may hold anything.
        Kind::Write | Kind::Print => None,
        Kind::Run | Kind::Spawn | Kind::Exec => objects(effect).first().map(|line| program(line)),
        _ => objects(effect).last().map(|path| telling(path)),
    };
    Some(At { task, effect: kind, touches: touches.filter(|text| !text.is_empty()), nth: 1 })
}

/// The program's own name.
pub(crate) fn program(line: &str) -> String {
    let path = line.split(' ').next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The file's name; of a temporary one the longest part that is no number.
pub(crate) fn telling(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_number = |part: &str| {
        part.len() >= 4
            && part.bytes().all(|byte| byte.is_ascii_hexdigit())
            && part.bytes().any(|byte| byte.is_ascii_digit())
    };
    if !name.split(['.', '-']).any(is_number) {
        return name.to_owned();
    }
    let mut parts: Vec<String> = vec![String::new()];
    for piece in name.split_inclusive(['.', '-']) {
        match is_number(piece.trim_end_matches(['.', '-'])) {
            true => parts.push(String::new()),
            false => {
                if let Some(part) = parts.last_mut() {
                    part.push_str(piece);
                }
            }
        }
    }
    let longest = parts.into_iter().max_by_key(String::len).unwrap_or_default();
    longest.trim_matches(['.', '-']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_name_is_addressed_by_what_stays_the_same() {
        assert_eq!(telling("/a/gateway_intent.json"), "gateway_intent.json");
        assert_eq!(telling(".gateway_intent.json.00ab34cd00112233.tmp"), "gateway_intent.json");
        assert_eq!(telling("profiles/coder-2"), "coder-2");
        assert_eq!(program("/usr/bin/s6-svc -d /run/x"), "s6-svc");
    }
}
