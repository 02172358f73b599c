//! The rows of the table of hazards that are for a real container, and who shows them.

use std::collections::BTreeSet;

/// Each of them is to be seen in a container.
const CONTAINER_HAZARDS: [&str; 36] = [
    "R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15",
    "H1", "H2", "H12", "H14", "H16", "H17", "H18", "H20", "H24", "H25", "H30", "H32", "H34", "H35",
    "H36", "H42", "H43", "H44", "H48", "H49", "H50",
];

/// What a story cannot say is a test of its own.
const TESTED_ELSEWHERE: [(&str, &str); 2] =
    [("H25", "safety::hermes_cannot_make_root_run_anything"), ("R15", "machine::eventually")];

/// What is asked of the image, and of no row: `docker run` with other words.
const IMAGE_FACTS: [(&str, &str); 5] = [
    ("--read-only", "run::a_read_only_container_works"),
    ("--init", "run::under_an_init_of_the_engines_it_says_what_is_wrong"),
    ("--user", "command::a_container_started_as_hermes_works_too"),
    ("a bind mount of somebody else's", "run::a_home_of_somebody_elses_is_handed_over"),
    ("killed at its memory limit", "run::a_gateway_killed_at_the_memory_limit_comes_back"),
];

/// In words, for the end of a run of all stories: `played` are the rows of those that were played.
pub fn render_coverage(played: &BTreeSet<&str>) -> String {
    let by_test = |row: &str| TESTED_ELSEWHERE.iter().any(|(it, _)| *it == row);
    let by_story = CONTAINER_HAZARDS.iter().filter(|row| played.contains(*row)).count();
    let lacking: Vec<&str> = CONTAINER_HAZARDS
        .into_iter()
        .filter(|row| !played.contains(row) && !by_test(row))
        .collect();
    let mut text =
        format!("Rows for a container: {}; {by_story} have a story here", CONTAINER_HAZARDS.len());
    text += &format!("; nothing shows {}\n", or_none(&lacking));
    text += "In tests/docker:\n";
    for (what, test) in TESTED_ELSEWHERE.iter().chain(&IMAGE_FACTS) {
        text += &format!("  {what}: {test}\n");
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
        for (what, test) in TESTED_ELSEWHERE.iter().chain(&IMAGE_FACTS) {
            let (file, name) = test.split_once("::").expect("a file and a name");
            let text = std::fs::read_to_string(format!("{folder}/{file}.rs")).expect("the file");
            assert!(text.contains(&format!("fn {name}(")), "{what}: no {test}");
        }
    }

    #[test]
    fn a_row_that_nothing_shows_is_named() {
        let all = BTreeSet::from(CONTAINER_HAZARDS);
        assert!(render_coverage(&all).contains("36 have a story here; nothing shows none"));
        let some = all.iter().copied().filter(|row| *row != "H25" && *row != "H43").collect();
        assert!(render_coverage(&some).contains("34 have a story here; nothing shows H43"));
    }
}
