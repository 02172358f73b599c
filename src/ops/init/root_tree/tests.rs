//! The rendered scripts, read by those who will read them: `sh` and shellcheck.

use rstest::rstest;

use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::*;
use crate::host::answering::Answering;
use crate::host::os::{OsHost, run_ready};

fn plan_entries(role: Role, user: Option<Ids>, command: &[&str]) -> Vec<TreeFile> {
    let settings = Settings::read(&BTreeMap::new()).expect("the defaults are legal");
    let words: Vec<OsString> = command.iter().map(OsString::from).collect();
    let main = (!words.is_empty()).then(|| Main { words, cwd: "/a dir".into() });
    let program = Path::new("/usr/local/bin/hermes");
    entries(&RootTreeSpec { settings: &settings, program, user, role, main })
}

fn contents(entries: &[TreeFile], path: &str) -> String {
    let entry = entries.iter().find(|entry| entry.path == path).expect("rendered");
    String::from_utf8_lossy(&entry.contents).into_owned()
}

#[test]
fn the_command_runs_as_hermes_in_its_directory() {
    let user = Some(Ids { uid: 7, gid: 8 });
    let run = contents(&plan_entries(Role::Guest, user, &["sh", "-c", "it's $x"]), "main/run");
    let last =
        r"exec /usr/local/bin/hermes boot main --cwd '/a dir' --user 7:8 -- sh -c 'it'\''s $x'";
    assert_eq!(run.lines().last(), Some(last));
}

#[test]
fn a_command_waits_for_the_gateways_where_there_are_any() {
    let waits =
        |role| contents(&plan_entries(role, None, &["true"]), "main/run").contains("--wait");
    assert_eq!((waits(Role::Supervisor), waits(Role::Guest)), (true, false));
}

#[test]
fn every_script_is_one_line_that_becomes_a_command_of_ours() {
    for entry in plan_entries(Role::Supervisor, None, &["true"]) {
        let text = String::from_utf8(entry.contents).expect("text");
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        match entry.mode {
            0o755 => {
                let [line] = lines.as_slice() else { panic!("{}: {lines:?}", entry.path) };
                assert!(line.starts_with("exec /usr/local/bin/hermes boot "), "{line}");
            }
            _ => assert_eq!(lines.len(), 1, "{}", entry.path),
        }
    }
}

#[test]
fn a_guest_has_no_service_for_gateways() {
    let guest = plan_entries(Role::Guest, None, &["true"]);
    assert!(guest.iter().all(|entry| !entry.path.starts_with("gateways/")));
}

#[test]
fn the_trees_end_before_docker_kills_them() {
    let entries = plan_entries(Role::Supervisor, None, &["true"]);
    assert_eq!(contents(&entries, "gateways/timeout-kill"), "9000\n");
    assert_eq!(contents(&entries, "main/timeout-kill"), "9000\n");
}

#[rstest]
#[case("plain/word-1", "plain/word-1")]
#[case("", "''")]
#[case("a b", "'a b'")]
#[case("it's", r"'it'\''s'")]
#[case("a=b", "'a=b'")]
#[case("$(rm)", "'$(rm)'")]
fn a_word_is_quoted_when_the_shell_would_change_it(#[case] word: &str, #[case] expected: &str) {
    assert_eq!(quote(OsStr::new(word)), expected.as_bytes());
}

#[test]
fn bytes_that_are_no_text_are_kept() {
    assert_eq!(quote(OsStr::from_bytes(b"\xff '")), b"'\xff '\\'''");
    assert_eq!(OsString::from_vec(quote(OsStr::new("x"))), OsString::from("x"));
}

#[rstest]
#[case("gateway", true)]
#[case("-p", true)]
#[case("--version", true)]
#[case("gateways", false)]
#[case("hermes", false)]
fn our_own_words_are_known(#[case] word: &str, #[case] expected: bool) {
    assert_eq!(is_ours(OsStr::new(word)), expected);
}

#[test]
fn a_directory_that_somebody_made_is_refused() {
    let above = tempfile::tempdir().expect("a temporary directory");
    let host = OsHost::new();
    let entries = plan_entries(Role::Supervisor, None, &["true"]);
    let dir = above.path().join("init");
    run_ready(file::make_dirs(&host, &dir.join("evil"), 0o755)).expect("planted");
    let written = run_ready(write(&host, &dir, &entries));
    assert_eq!(written.map_err(|error| error.errno), Err(Errno::EXIST));
}

#[rstest]
#[case::of_the_path(&["sh", "-c", "true"], &["sh", "-c", "true"])]
#[case::by_its_own_path(&["/bin/sh"], &["/bin/sh"])]
#[case::ours(&["gateway", "list"], &["/hermes", "gateway", "list"])]
#[case::nobodys(&["no-such-program"], &["/hermes", "no-such-program"])]
#[case::no_program(&["/etc/passwd"], &["/hermes", "/etc/passwd"])]
#[case::a_directory(&["/etc"], &["/hermes", "/etc"])]
fn a_command_that_is_no_program_is_ours(#[case] given: &[&str], #[case] expected: &[&str]) {
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let env = BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]);
    let (command, program) = (words(given), "/hermes".into());
    let facts = InitInputs { uid: 0, pid: 1, env: env.clone(), command, program };
    let main = run_ready(Main::of(&OsHost::new(), &facts, &env)).expect("it has a directory");
    assert_eq!(main.map(|main| main.words), Some(words(expected)));
}

#[rstest]
#[case::nothing_can_be_executed(Errno::ACCESS, true)]
#[case::the_machine_is_busy(Errno::TIMEDOUT, false)]
#[case::there_is_no_shell(Errno::NOENT, false)]
fn only_a_place_that_executes_nothing_is_refused(#[case] errno: Errno, #[case] refused: bool) {
    let tried = run_ready(try_script(&Answering::new(|_| Some(Err(errno)))));
    assert_eq!(tried.is_err(), refused, "{tried:?}");
}

#[test]
fn the_scanner_gets_the_path_and_nothing_else_of_the_environment() {
    let path = (OsString::from("PATH"), OsString::from("/command:/bin"));
    let env = BTreeMap::from([path.clone(), ("TOKEN".into(), "secret".into())]);
    let program = svscan("/command/s6-svscan".into(), &env);
    assert_eq!(program.args, ["--", DIR]);
    assert_eq!(program.env, BTreeMap::from([path]));
}
