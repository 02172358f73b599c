//! The cells of a crash matrix, from what a calm run of the real program asked for. Pure.
//!
//! "After an effect" is before the next one, as in the simulator's own matrix; after the last one is a cell of its own.
//! Nothing befalls where nobody could tell, nor where a wait only looks again.

use hermes::host::Effect;

use super::controller::Asked;
use super::trace;
use crate::check::report::address::{program, telling};
use crate::check::search::faults;
use crate::execution::{is_about, objects};
use crate::scenario::{At, Deed, Kind, Surprise, Task};

/// Everything that is tried of a task, in order, for each effect first the kill. What was asked before the effect of this
/// number counts for ordinals, and is left alone.
pub fn cells(asked: &[Asked], task: &Task, from: usize) -> Vec<Vec<Surprise>> {
    let own: Vec<(usize, &Effect)> = asked
        .iter()
        .enumerate()
        .filter(|(_, asked)| asked.task == *task)
        .map(|(at, asked)| (at, &asked.effect))
        .collect();
    let effects: Vec<Effect> = own.iter().map(|(_, effect)| Effect::clone(effect)).collect();
    let repeats = trace::repeats(&effects);
    let mut cells = Vec::new();
    for (index, (at, effect)) in own.iter().enumerate() {
        if *at < from || repeats[index] || faults::is_private(effect) {
            continue;
        }
        let at = address(task, effect, &effects[..index]);
        let cell = |deed| Surprise {
            at: at.clone(),
            deed,
            sticky: false,
            to: None,
            lasts: None,
            keeps: None,
        };
        let mut here = vec![cell(Deed::Kill)];
        here.extend(faults::errnos(effect).iter().map(|errno| cell(Deed::Fail(*errno))));
        cells.push(here);
    }
    // Right before the exit; nobody comes back from an `exec`.
    let last = own.iter().rposition(|(at, effect)| *at >= from && Kind::of(effect) != Kind::Exec);
    if let Some(index) = last.filter(|index| index + 1 == own.len()) {
        let at = address(task, own[index].1, &effects[..index]);
        let deed = Deed::KillAfter;
        cells.push(vec![Surprise { at, deed, sticky: false, to: None, lasts: None, keeps: None }]);
    }
    cells
}

/// Of the cells of each effect the kill, and one of the errnos.
pub fn once_each(cells: Vec<Vec<Surprise>>, seed: usize) -> Vec<Vec<Surprise>> {
    let one = |(index, mut here): (usize, Vec<Surprise>)| {
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
pub fn comes_up(at: &At, asked: &[Asked]) -> bool {
    let is_there =
        |it: &&Asked| it.task == at.task && is_about(&it.effect, at.effect, at.touches.as_deref());
    asked.iter().filter(is_there).count() >= usize::try_from(at.nth).unwrap_or(usize::MAX)
}

/// Where an effect is, by what came before it.
fn address(task: &Task, effect: &Effect, before: &[Effect]) -> At {
    let kind = Kind::of(effect);
    let touches = match kind {
        // Bytes may hold anything.
        Kind::Write | Kind::Print => None,
        Kind::Run | Kind::Spawn | Kind::Exec => objects(effect).first().map(|it| program(it)),
        _ => objects(effect).last().map(|path| stays(path)),
    };
    let touches = touches.filter(|text| !text.is_empty());
    let earlier = before.iter().filter(|it| is_about(it, kind, touches.as_deref())).count();
    let nth = u32::try_from(earlier).map_or(u32::MAX, |count| count + 1);
    At { task: task.clone(), effect: kind, touches, nth }
}

/// What of a file's name is the same in each run.
fn stays(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    match trace::same_each_time(name) {
        same if same.len() < name.len() => same.to_owned(),
        _ => telling(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hermes::host::effect::{How, Links, Place};

    fn asked(task: &str, path: &str) -> Asked {
        let effect =
            Effect::Open { place: Place::from(path), how: How::Read, links: Links::Follow };
        Asked { task: Task::Run(task.to_owned()), effect }
    }

    #[test]
    fn each_effect_is_addressed_by_what_it_touches_and_its_ordinal() {
        let all = [asked("A", "/x/a"), asked("B", "/x/a"), asked("A", "/y/b"), asked("A", "/x/a")];
        let cells = cells(&all, &Task::Run("A".to_owned()), 0).concat();
        let kills = cells.iter().filter(|cell| cell.deed == Deed::Kill);
        let told: Vec<_> = kills.map(|it| (it.at.touches.as_deref(), it.at.nth)).collect();
        assert_eq!(told, [(Some("a"), 1), (Some("b"), 1), (Some("a"), 2)]);
        assert_eq!(cells.iter().filter(|cell| cell.deed == Deed::KillAfter).count(), 1);
        assert_eq!(cells.len(), 3 + 3 * 3 + 1, "an open may fail in three ways");
    }

    #[test]
    fn each_errno_has_its_turn_with_another_seed() {
        let all = [asked("A", "/x/a")];
        let chosen = |seed| {
            let cells = cells(&all, &Task::Run("A".to_owned()), 0);
            once_each(cells, seed).concat()[1].deed
        };
        let three = [chosen(0), chosen(1), chosen(2)];
        assert!(three[0] != three[1] && three[1] != three[2] && three[0] != three[2], "{three:?}");
    }

    #[test]
    fn an_address_comes_up_as_often_as_it_was_asked_for() {
        let all = [asked("A", "/x/a"), asked("B", "/x/a"), asked("A", "/x/a")];
        let cells = cells(&all, &Task::Run("A".to_owned()), 0).concat();
        assert!(cells.iter().all(|cell| comes_up(&cell.at, &all)));
        assert!(!comes_up(&cells.last().expect("some").at, &all[..2]));
    }

    #[test]
    fn a_stage_is_addressed_without_what_makes_its_name_unique() {
        assert_eq!(stays("/run/service/.gateway-coder.qw5"), ".gateway-coder.");
        assert_eq!(stays("/opt/data/profiles/.new.coder.b4c"), ".new.coder.");
        assert_eq!(stays("/run/service/.gateway-coder.qw5/run"), "run");
        assert_eq!(stays(".supervisor.lock"), ".supervisor.lock");
    }

    #[test]
    fn what_came_before_the_story_only_counts() {
        let all = [asked("A", "/x/a"), asked("A", "/x/a")];
        let cells = cells(&all, &Task::Run("A".to_owned()), 1).concat();
        assert!(cells.iter().all(|cell| cell.at.nth == 2), "{cells:?}");
    }
}
