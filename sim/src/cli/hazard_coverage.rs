//! The hazards that a real container must show, and the scenarios and tests that show them.

use std::collections::BTreeSet;

/// Hazards that must be shown in a container.
const CONTAINER_HAZARDS: [&str; 36] = [
    "R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15",
    "H1", "H2", "H12", "H14", "H16", "H17", "H18", "H20", "H24", "H25", "H30", "H32", "H34", "H35",
    "H36", "H42", "H43", "H44", "H48", "H49", "H50",
];

/// Hazards that a scenario cannot express; each has a test.
const TESTED_ELSEWHERE: [(&str, &str); 2] =
    [("H25", "safety::hermes_cannot_make_root_run_anything"), ("R15", "machine::eventually")];

/// Properties of the image that belong to no hazard: `docker run` with other options.
const IMAGE_FACTS: [(&str, &str); 5] = [
    ("--read-only", "run::a_read_only_container_works"),
    ("--init", "run::under_an_init_of_the_engines_it_says_what_is_wrong"),
    ("--user", "command::a_container_started_as_hermes_works_too"),
    ("a bind mount of somebody else's", "run::a_home_of_somebody_elses_is_handed_over"),
    ("killed at its memory limit", "run::a_gateway_killed_at_the_memory_limit_comes_back"),
];

/// The text for the end of a run of all scenarios: `covered` are the hazards of those that ran.
pub fn render_coverage(covered: &BTreeSet<&str>) -> String {
    let by_test = |hazard: &str| TESTED_ELSEWHERE.iter().any(|(name, _)| *name == hazard);
    let by_scenario = CONTAINER_HAZARDS.iter().filter(|hazard| covered.contains(*hazard)).count();
    let missing: Vec<&str> = CONTAINER_HAZARDS
        .into_iter()
        .filter(|hazard| !covered.contains(hazard) && !by_test(hazard))
        .collect();
    let mut text = format!(
        "Hazards of a container: {}; {by_scenario} have a scenario",
        CONTAINER_HAZARDS.len()
    );
    text += &format!("; nothing shows {}\n", or_none(&missing));
    text += "In tests/docker:\n";
    for (subject, test) in TESTED_ELSEWHERE.iter().chain(&IMAGE_FACTS) {
        text += &format!("  {subject}: {test}\n");
    }
    text
}

fn or_none(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_that_is_named_exists() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/docker");
        for (subject, test) in TESTED_ELSEWHERE.iter().chain(&IMAGE_FACTS) {
            let (file, name) = test.split_once("::").expect("a file and a name");
            let text = std::fs::read_to_string(format!("{folder}/{file}.rs")).expect("the file");
            assert!(text.contains(&format!("fn {name}(")), "{subject}: no {test}");
        }
    }

    #[test]
    fn a_hazard_that_nothing_shows_is_named() {
        let all = BTreeSet::from(CONTAINER_HAZARDS);
        assert!(render_coverage(&all).contains("36 have a scenario; nothing shows none"));
        let some =
            all.iter().copied().filter(|hazard| *hazard != "H25" && *hazard != "H43").collect();
        assert!(render_coverage(&some).contains("34 have a scenario; nothing shows H43"));
    }
}
