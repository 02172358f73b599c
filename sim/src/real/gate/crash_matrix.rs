//! The cells of a crash matrix, from what a calm run of the real program asked for. Pure.
//!
//! "After an effect" is before the next one, as in the simulator's own matrix; after the last one is a cell of its own.
//! Nothing befalls where nobody could tell, nor where a wait only looks again.

use hermes::host::Effect;

use super::controller::RequestedEffect;
use super::effect_diff;
use crate::check::report::replayable::{program, stable_part};
use crate::check::search::effect_faults;
use crate::execution::{effect_objects, matches_effect};
use crate::scenario::{EffectAddress, EffectKind, FaultKind, FaultSpec, TaskAddress};

/// Everything that is tried of a task, in order, for each effect first the kill. What was asked before the effect of this
/// number counts for ordinals, and is left alone.
pub fn crash_points(
    asked: &[RequestedEffect],
    task: &TaskAddress,
    from: usize,
) -> Vec<Vec<FaultSpec>> {
    let own: Vec<(usize, &Effect)> = asked
        .iter()
        .enumerate()
        .filter(|(_, asked)| asked.task == *task)
        .map(|(at, asked)| (at, &asked.effect))
        .collect();
    let effects: Vec<Effect> = own.iter().map(|(_, effect)| Effect::clone(effect)).collect();
    let repeats = effect_diff::repeated_polls(&effects);
    let mut cells = Vec::new();
    for (index, (at, effect)) in own.iter().enumerate() {
        if *at < from || repeats[index] || effect_faults::is_invisible_to_crash(effect) {
            continue;
        }
        let at = address(task, effect, &effects[..index]);
        let cell = |deed| FaultSpec {
            at: at.clone(),
            kind: deed,
            sticky: false,
            next: None,
            duration: None,
            outcome: None,
        };
        let mut here = vec![cell(FaultKind::Kill)];
        here.extend(
            effect_faults::errnos(effect).iter().map(|errno| cell(FaultKind::Errno(*errno))),
        );
        cells.push(here);
    }
    // Right before the exit; nobody comes back from an `exec`.
    let last = own
        .iter()
        .rposition(|(at, effect)| *at >= from && EffectKind::of(effect) != EffectKind::Exec);
    if let Some(index) = last.filter(|index| index + 1 == own.len()) {
        let at = address(task, own[index].1, &effects[..index]);
        let kind = FaultKind::KillAfter;
        cells.push(vec![FaultSpec {
            at,
            kind,
            sticky: false,
            next: None,
            duration: None,
            outcome: None,
        }]);
    }
    cells
}

/// Of the cells of each effect the kill, and one of the errnos.
pub fn one_errno_each(cells: Vec<Vec<FaultSpec>>, seed: usize) -> Vec<Vec<FaultSpec>> {
    let one = |(index, mut here): (usize, Vec<FaultSpec>)| {
        if here.len() > 2 {
            let chosen = 1 + (index + seed) % (here.len() - 1);
            here.swap(1, chosen);
            here.truncate(2);
        }
        here
    };
    cells.into_iter().enumerate().map(one).collect()
}

/// Does this address come up in another calm run, too? Waits look more or less often.
pub fn recurs(at: &EffectAddress, asked: &[RequestedEffect]) -> bool {
    let is_there = |it: &&RequestedEffect| {
        it.task == at.task && matches_effect(&it.effect, at.effect, at.object.as_deref())
    };
    asked.iter().filter(is_there).count() >= usize::try_from(at.nth).unwrap_or(usize::MAX)
}

/// Where an effect is, by what came before it.
fn address(task: &TaskAddress, effect: &Effect, before: &[Effect]) -> EffectAddress {
    let kind = EffectKind::of(effect);
    let touches = match kind {
        // Bytes may hold anything.
        EffectKind::Write | EffectKind::Print => None,
        EffectKind::Run | EffectKind::Spawn | EffectKind::Exec => {
            effect_objects(effect).first().map(|it| program(it))
        }
        _ => effect_objects(effect).last().map(|path| stable_name(path)),
    };
    let touches = touches.filter(|text| !text.is_empty());
    let earlier = before.iter().filter(|it| matches_effect(it, kind, touches.as_deref())).count();
    let nth = u32::try_from(earlier).map_or(u32::MAX, |count| count + 1);
    EffectAddress { task: task.clone(), effect: kind, object: touches, nth }
}

/// What of a file's name is the same in each run.
fn stable_name(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    match effect_diff::stable_part(name) {
        same if same.len() < name.len() => same.to_owned(),
        _ => stable_part(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hermes::host::effect::{LinkPolicy, OpenMode, Place};

    fn asked(task: &str, path: &str) -> RequestedEffect {
        let effect = Effect::Open {
            place: Place::from(path),
            how: OpenMode::Read,
            links: LinkPolicy::Follow,
        };
        RequestedEffect { task: TaskAddress::Run(task.to_owned()), effect }
    }

    #[test]
    fn each_effect_is_addressed_by_what_it_touches_and_its_ordinal() {
        let all = [asked("A", "/x/a"), asked("B", "/x/a"), asked("A", "/y/b"), asked("A", "/x/a")];
        let cells = crash_points(&all, &TaskAddress::Run("A".to_owned()), 0).concat();
        let kills = cells.iter().filter(|cell| cell.kind == FaultKind::Kill);
        let told: Vec<_> = kills.map(|it| (it.at.object.as_deref(), it.at.nth)).collect();
        assert_eq!(told, [(Some("a"), 1), (Some("b"), 1), (Some("a"), 2)]);
        assert_eq!(cells.iter().filter(|cell| cell.kind == FaultKind::KillAfter).count(), 1);
        assert_eq!(cells.len(), 3 + 3 * 3 + 1, "an open may fail in three ways");
    }

    #[test]
    fn each_errno_has_its_turn_with_another_seed() {
        let all = [asked("A", "/x/a")];
        let chosen = |seed| {
            let cells = crash_points(&all, &TaskAddress::Run("A".to_owned()), 0);
            one_errno_each(cells, seed).concat()[1].kind
        };
        let three = [chosen(0), chosen(1), chosen(2)];
        assert!(three[0] != three[1] && three[1] != three[2] && three[0] != three[2], "{three:?}");
    }

    #[test]
    fn an_address_comes_up_as_often_as_it_was_asked_for() {
        let all = [asked("A", "/x/a"), asked("B", "/x/a"), asked("A", "/x/a")];
        let cells = crash_points(&all, &TaskAddress::Run("A".to_owned()), 0).concat();
        assert!(cells.iter().all(|cell| recurs(&cell.at, &all)));
        assert!(!recurs(&cells.last().expect("some").at, &all[..2]));
    }

    #[test]
    fn a_stage_is_addressed_without_what_makes_its_name_unique() {
        assert_eq!(stable_name("/run/service/.gateway-coder.qw5"), ".gateway-coder.");
        assert_eq!(stable_name("/opt/data/profiles/.new.coder.b4c"), ".new.coder.");
        assert_eq!(stable_name("/run/service/.gateway-coder.qw5/run"), "run");
        assert_eq!(stable_name(".supervisor.lock"), ".supervisor.lock");
    }

    #[test]
    fn what_came_before_the_story_only_counts() {
        let all = [asked("A", "/x/a"), asked("A", "/x/a")];
        let cells = crash_points(&all, &TaskAddress::Run("A".to_owned()), 1).concat();
        assert!(cells.iter().all(|cell| cell.at.nth == 2), "{cells:?}");
    }
}
