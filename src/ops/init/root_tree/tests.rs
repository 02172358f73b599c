//! The rendered scripts, read by those who will read them: `sh` and shellcheck.

use rstest::rstest;

use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::*;
use crate::host::answering::Answering;
use crate::host::effect::Status;
use crate::host::os::{OsHost, run_ready};

fn plan_entries(role: Role, user: Option<Ids>, command: &[&str]) -> Vec<TreeFile> {
    let settings = Settings::read(&BTreeMap::new()).expect("the defaults are legal");
    let tools = Tools::at("/command");
    let words: Vec<OsString> = command.iter().map(OsString::from).collect();
    let main = (!words.is_empty()).then(|| Main { words, cwd: "/a dir".into() });
    let program = Path::new("/usr/local/bin/hermes");
    entries(&RootTreeSpec { settings: &settings, tools: &tools, program, user, role, main })
}

fn contents(entries: &[TreeFile], path: &str) -> String {
    let entry = entries.iter().find(|entry| entry.path == path).expect("rendered");
    String::from_utf8_lossy(&entry.contents).into_owned()
}

#[test]
fn the_command_runs_as_hermes_with_the_containers_environment() {
    let user = Some(Ids { uid: 7, gid: 8 });
    let run = contents(&plan_entries(Role::Guest, user, &["sh", "-c", "it's $x"]), "main/run");
    let last = r"exec /command/s6-envdir -Lf -- /run/s6/container_environment /command/s6-applyuidgid -u 7 -g 8 -G 8 -- sh -c 'it'\''s $x'";
    assert_eq!(run.lines().last(), Some(last));
}

#[test]
fn a_command_waits_for_the_gateways_where_there_are_any() {
    let waits = |role| {
        contents(&plan_entries(role, None, &["true"]), "main/run").contains("/command/s6-svwait")
    };
    assert_eq!((waits(Role::Supervisor), waits(Role::Guest)), (true, false));
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
#[case::it_waited_its_second(99, "")]
#[case::it_ended_at_once(111, "nap")]
fn each_look_at_the_gateways_takes_a_second(#[case] code: u8, #[case] nap: &str) {
    let wait = wait_for_gateways("svwait", "nap");
    let script =
        format!("svwait() {{ return {code}; }}; nap() {{ printf nap; }}; {{ {wait} }} 2>/dev/null");
    let program = Program {
        path: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        ..Program::default()
    };
    let host = OsHost::new();
    let run = proc::run(&host, program, Duration::from_secs(20));
    let finished = run_ready(run).expect("it ends");
    let looks = READY_SECONDS_MAX as usize - 1;
    assert_eq!(String::from_utf8_lossy(&finished.stdout), nap.repeat(looks));
}

/// Runs a rendered script, with a path of the container replaced; how it ends.
fn exit_code(script: &str, path: &str, replaced: &Path, argument: &str) -> Status {
    assert!(script.contains(path), "{script}");
    let script = script.replace(path, &replaced.to_string_lossy());
    let program = Program {
        path: "/bin/sh".into(),
        args: vec!["-c".into(), script.into(), "finish".into(), argument.into()],
        ..Program::default()
    };
    let run = run_ready(proc::run(&OsHost::new(), program, Duration::from_secs(20)));
    run.expect("it ends").status
}

#[test]
fn the_container_ends_with_its_commands_code() {
    let above = tempfile::tempdir().expect("a temporary directory");
    let noted = above.path().join("exitcode");
    let script = contents(&plan_entries(Role::Supervisor, None, &["true"]), FINISH);
    assert_eq!(exit_code(&script, EXIT_CODE, &noted, ""), Status::Exited(0));
    run_ready(file::replace(&OsHost::new(), &noted, b"7\n", 0o644)).expect("noted");
    assert_eq!(exit_code(&script, EXIT_CODE, &noted, ""), Status::Exited(7));
}

#[test]
fn a_tree_that_is_a_guest_stays_down_and_any_other_end_is_none() {
    let above = tempfile::tempdir().expect("a temporary directory");
    let mark = above.path().join("guest");
    let script = contents(&plan_entries(Role::Supervisor, None, &[]), "gateways/finish");
    let path = runtime::GUEST_FLAG;
    assert_eq!(exit_code(&script, path, &mark, "1"), Status::Exited(0));
    assert!(run_ready(fs::link_meta(&OsHost::new(), &mark)).is_err());
    let guest = GUEST_EXIT_CODE.to_string();
    assert_eq!(exit_code(&script, path, &mark, &guest), Status::Exited(125));
    assert!(run_ready(fs::link_meta(&OsHost::new(), &mark)).is_ok());
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
