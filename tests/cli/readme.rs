//! The README's command lines are tests: its `console` block runs as it stands, against a home of its own.

#[test]
fn the_readmes_tour_prints_what_it_says() {
    let home = tempfile::tempdir().expect("a temporary directory");
    trycmd::TestCases::new()
        .register_bin("hermes", snapbox::cmd::cargo_bin!("hermes"))
        .env("HERMES_HOME", home.path().to_str().expect("UTF-8"))
        .env("HERMES_SUPERVISOR", "none")
        .case(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
}
