//! The crash points of a crash matrix, from the requests of a baseline run of the real program. Pure.
//!
//! A crash after an effect is a crash before the next one, as in the simulator's own matrix; only the crash after the last
//! effect is a crash point of its own. There is no crash point where a crash makes no difference, nor where a wait only
//! polls again.

use hermes::host::Effect;

use super::controller::RequestedEffect;
use super::effect_diff;
use crate::check::report::replayable::{program, stable_part};
use crate::check::search::effect_faults;
use crate::execution::{effect_objects, matches_effect};
use crate::scenario::{EffectAddress, EffectKind, FaultKind, FaultSpec, TaskAddress};

/// All crash points of a task, in order; the kill is the first fault of each effect. Requests before index `from` count for
/// occurrence numbers only.
pub fn crash_points(
    requests: &[RequestedEffect],
    task: &TaskAddress,
    from: usize,
) -> Vec<Vec<FaultSpec>> {
    let own: Vec<(usize, &Effect)> = requests
        .iter()
        .enumerate()
        .filter(|(_, request)| request.task == *task)
        .map(|(at, request)| (at, &request.effect))
        .collect();
    let effects: Vec<Effect> = own.iter().map(|(_, effect)| Effect::clone(effect)).collect();
    let repeats = effect_diff::repeated_polls(&effects);
    let mut crash_points = Vec::new();
    for (index, (at, effect)) in own.iter().enumerate() {
        if *at < from || repeats[index] || effect_faults::is_invisible_to_crash(effect) {
            continue;
        }
        let at = address(task, effect, &effects[..index]);
        let errnos = effect_faults::errnos(effect).iter().map(|errno| FaultKind::Errno(*errno));
        let kinds = std::iter::once(FaultKind::Kill).chain(errnos);
        crash_points.push(kinds.map(|kind| fault(at.clone(), kind)).collect());
    }
    // Right before the exit; an `exec` does not return.
    let last = own
        .iter()
        .rposition(|(at, effect)| *at >= from && EffectKind::of(effect) != EffectKind::Exec);
    if let Some(index) = last.filter(|index| index + 1 == own.len()) {
        let at = address(task, own[index].1, &effects[..index]);
        crash_points.push(vec![fault(at, FaultKind::KillAfter)]);
    }
    crash_points
}

fn fault(at: EffectAddress, kind: FaultKind) -> FaultSpec {
    FaultSpec { at, kind, sticky: false, next: None, duration: None, outcome: None }
}

/// For each effect, the kill and one of the errnos.
pub fn one_errno_each(crash_points: Vec<Vec<FaultSpec>>, seed: usize) -> Vec<Vec<FaultSpec>> {
    let select = |(index, mut faults): (usize, Vec<FaultSpec>)| {
        if faults.len() > 2 {
            let chosen = 1 + (index + seed) % (faults.len() - 1);
            faults.swap(1, chosen);
            faults.truncate(2);
        }
        faults
    };
    crash_points.into_iter().enumerate().map(select).collect()
}

/// Does another baseline run reach this address, too? A wait may poll more or less often.
pub fn recurs(at: &EffectAddress, requests: &[RequestedEffect]) -> bool {
    let matches = |request: &&RequestedEffect| {
        request.task == at.task && matches_effect(&request.effect, at.effect, at.object.as_deref())
    };
    requests.iter().filter(matches).count() >= usize::try_from(at.nth).unwrap_or(usize::MAX)
}

/// The address of an effect, from the effects before it.
fn address(task: &TaskAddress, effect: &Effect, before: &[Effect]) -> EffectAddress {
    let kind = EffectKind::of(effect);
    let object = match kind {
        // Bytes may differ from run to run.
        EffectKind::Write | EffectKind::Print => None,
        EffectKind::Run | EffectKind::Spawn | EffectKind::Exec => {
            effect_objects(effect).first().map(|path| program(path))
        }
        _ => effect_objects(effect).last().map(|path| stable_name(path)),
    };
    let object = object.filter(|text| !text.is_empty());
    let matches = |effect: &&Effect| matches_effect(effect, kind, object.as_deref());
    let earlier = before.iter().filter(matches).count();
    let nth = u32::try_from(earlier).map_or(u32::MAX, |count| count + 1);
    EffectAddress { task: task.clone(), effect: kind, object, nth }
}

/// The part of a file's name that is the same in each run.
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

    fn request(task: &str, path: &str) -> RequestedEffect {
        let effect = Effect::Open {
            place: Place::from(path),
            how: OpenMode::Read,
            links: LinkPolicy::Follow,
        };
        RequestedEffect { task: TaskAddress::Run(task.to_owned()), effect }
    }

    #[test]
    fn each_effect_is_addressed_by_its_object_and_occurrence_number() {
        let all = [
            request("A", "/x/a"),
            request("B", "/x/a"),
            request("A", "/y/b"),
            request("A", "/x/a"),
        ];
        let faults = crash_points(&all, &TaskAddress::Run("A".to_owned()), 0).concat();
        let kills = faults.iter().filter(|fault| fault.kind == FaultKind::Kill);
        let addresses: Vec<_> =
            kills.map(|fault| (fault.at.object.as_deref(), fault.at.nth)).collect();
        assert_eq!(addresses, [(Some("a"), 1), (Some("b"), 1), (Some("a"), 2)]);
        assert_eq!(faults.iter().filter(|fault| fault.kind == FaultKind::KillAfter).count(), 1);
        assert_eq!(faults.len(), 3 + 3 * 3 + 1, "an open may fail in three ways");
    }

    #[test]
    fn each_errno_has_its_turn_with_another_seed() {
        let all = [request("A", "/x/a")];
        let chosen = |seed| {
            let faults = crash_points(&all, &TaskAddress::Run("A".to_owned()), 0);
            one_errno_each(faults, seed).concat()[1].kind
        };
        let three = [chosen(0), chosen(1), chosen(2)];
        assert!(three[0] != three[1] && three[1] != three[2] && three[0] != three[2], "{three:?}");
    }

    #[test]
    fn an_address_recurs_as_often_as_its_effect_was_requested() {
        let all = [request("A", "/x/a"), request("B", "/x/a"), request("A", "/x/a")];
        let faults = crash_points(&all, &TaskAddress::Run("A".to_owned()), 0).concat();
        assert!(faults.iter().all(|fault| recurs(&fault.at, &all)));
        assert!(!recurs(&faults.last().expect("some").at, &all[..2]));
    }

    #[test]
    fn a_slot_under_construction_is_addressed_without_its_unique_suffix() {
        assert_eq!(stable_name("/run/service/.gateway-coder.qw5"), ".gateway-coder.");
        assert_eq!(stable_name("/opt/data/profiles/.new.coder.b4c"), ".new.coder.");
        assert_eq!(stable_name("/run/service/.gateway-coder.qw5/run"), "run");
        assert_eq!(stable_name(".supervisor.lock"), ".supervisor.lock");
    }

    #[test]
    fn requests_before_the_scenario_count_for_occurrence_numbers_only() {
        let all = [request("A", "/x/a"), request("A", "/x/a")];
        let faults = crash_points(&all, &TaskAddress::Run("A".to_owned()), 1).concat();
        assert!(faults.iter().all(|fault| fault.at.nth == 2), "{faults:?}");
    }
}
