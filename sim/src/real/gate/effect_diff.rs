//! Compares the effects of one command on the real machine with those on the simulated one. Pure, except for the execution.
//!
//! Everything that differs from run to run is left out: numbers in names, bytes, times, and how often a wait polls.

use std::collections::BTreeSet;
use std::sync::Arc;

use hermes::host::Effect;

use crate::check::search::Schedule;
use crate::execution::{Execution, Failure, Transition, effect_objects};
use crate::scenario::{EffectKind, Scenario, TaskAddress};

/// The effects that a task asks for in the baseline run on the simulated machine.
pub fn simulated_effects(
    scenario: &Arc<Scenario>,
    task: &TaskAddress,
) -> Result<Vec<Effect>, Failure> {
    let mut effects = Vec::new();
    let mut execution = Execution::new(scenario)?;
    Schedule::default().run(&mut execution, false, &mut |execution, next| {
        let Transition::Process(who) = next else { return };
        if execution.task_address(*who).as_ref() == Some(task) {
            effects.extend(execution.next_effect(*who).cloned());
        }
    })?;
    Ok(effects)
}

/// An effect as a line that is the same in each run.
pub fn effect_line(effect: &Effect) -> String {
    let kind = format!("{:?}", EffectKind::of(effect)).to_lowercase();
    let objects = match EffectKind::of(effect) {
        EffectKind::Write | EffectKind::Print => Vec::new(),
        _ => effect_objects(effect),
    };
    let objects: Vec<String> = objects
        .iter()
        .map(|text| text.split('/').map(stable_part).collect::<Vec<_>>().join("/"))
        .map(|text| without_numbers(&text))
        .collect();
    format!("{kind} {}", objects.join(" -> ")).trim_end().to_owned()
}

/// A name without the three random letters of a slot under construction.
pub(super) fn stable_part(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((before, unique)) if before.starts_with('.') && unique.len() == 3 => {
            &name[..=before.len()]
        }
        _ => name,
    }
}

/// Replaces the decimal or hexadecimal numbers in a path or a command line by `#`.
fn without_numbers(text: &str) -> String {
    let is_number = |word: &str| {
        let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
        let is_hex = word.bytes().all(|byte| byte.is_ascii_hexdigit());
        has_digit && is_hex && (word.len() >= 4 || word.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let splits = ['/', '.', '-', ' ', '_'];
    text.split_inclusive(splits)
        .map(|piece| {
            let word = piece.trim_end_matches(splits);
            match is_number(word) && word != "1" {
                true => format!("#{}", &piece[word.len()..]),
                false => piece.to_owned(),
            }
        })
        .collect()
}

/// Which effects only repeat those before the previous pause: a wait that polls again.
pub fn repeated_polls(effects: &[Effect]) -> Vec<bool> {
    let lines: Vec<String> = effects.iter().map(effect_line).collect();
    let pauses = lines.iter().enumerate().filter(|(_, line)| *line == "sleep");
    let pauses: Vec<usize> = pauses.map(|(at, _)| at).collect();
    let mut repeats = vec![false; lines.len()];
    for three in pauses.windows(3) {
        let [before, from, to] = [three[0], three[1], three[2]];
        if lines[before..from] == lines[from..to] {
            repeats[from..to].fill(true);
        }
    }
    repeats
}

/// The effects that only one of the two asks for; if there are none, the first difference in their order.
pub fn differences(real: &[Effect], simulated: &[Effect]) -> Vec<String> {
    let (real, simulated) = (first_occurrences(real), first_occurrences(simulated));
    let only = |one: &[String], other: &[String], place: &str| -> Vec<String> {
        let others: BTreeSet<&String> = other.iter().collect();
        let only = one.iter().filter(|line| !others.contains(line));
        only.map(|line| format!("only {place}: {line}")).collect()
    };
    let mut found = only(&real, &simulated, "on the real machine");
    found.extend(only(&simulated, &real, "on the simulated one"));
    if found.is_empty() {
        let pairs = real.iter().zip(&simulated);
        let first = pairs.filter(|(one, other)| one != other).take(1);
        found.extend(first.map(|(one, other)| {
            format!(
                "in another order: `{one}` on the real machine where the simulated has `{other}`"
            )
        }));
    }
    found
}

/// Each line where it comes first.
fn first_occurrences(effects: &[Effect]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    effects.iter().map(effect_line).filter(|line| seen.insert(line.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hermes::host::effect::{LinkPolicy, OpenMode, Place};
    use std::time::Duration;

    fn open(path: &str) -> Effect {
        Effect::Open { place: Place::from(path), how: OpenMode::Read, links: LinkPolicy::Follow }
    }

    fn pause() -> Effect {
        Effect::Sleep { duration: Duration::from_millis(5) }
    }

    #[test]
    fn numbers_in_names_are_no_difference() {
        assert_eq!(
            effect_line(&open("/run/.x.00ab34cd.tmp")),
            effect_line(&open("/run/.x.99ab34cd.tmp"))
        );
        assert_eq!(effect_line(&open("/run/.gateway-a.qw5/log")), "open /run/.gateway-a./log");
        assert_eq!(effect_line(&open("/proc/812/stat")), "open /proc/#/stat");
        assert_eq!(effect_line(&open("/proc/1/comm")), "open /proc/1/comm");
        assert_ne!(effect_line(&open("/face/a")), effect_line(&open("/cafe/a")));
    }

    #[test]
    fn a_wait_that_polls_again_repeats_itself() {
        let effects = [pause(), open("a"), pause(), open("a"), pause(), open("b"), pause()];
        assert_eq!(repeated_polls(&effects), [false, false, true, true, false, false, false]);
    }

    #[test]
    fn an_effect_of_only_one_side_is_named() {
        let (a, b) = (open("a"), open("b"));
        assert!(
            differences(&[a.clone(), a.clone(), b.clone()], &[a.clone(), b.clone()]).is_empty()
        );
        let one = std::slice::from_ref(&a);
        assert_eq!(differences(one, &[]), ["only on the real machine: open a"]);
        assert_eq!(differences(&[], one), ["only on the simulated one: open a"]);
        let found = differences(&[a.clone(), b.clone()], &[b, a]);
        assert!(found[0].starts_with("in another order: `open a`"), "{found:?}");
    }
}
