//! What `boot tree` becomes, on a machine whose s6-svscan and descriptors the test chose.

use std::cell::RefCell;

use rstest::rstest;

use super::*;
use crate::host::answering::Answering;
use crate::host::effect::{Answer, Effect, Finished, Handle, Status};
use crate::host::os::{OsHost, run_ready};

// What the three say, read off Debian's packages.
const USAGE_2_11: &str = "s6-svscan: usage: s6-svscan [ -c maxservices ] [ -t timeout ] [ -d notif ] [ -X consoleholder ] [ dir ]";
const USAGE_2_13: &str = "s6-svscan: usage: s6-svscan [ -c services_max | -C services_max ] [ -L name_max ] [ -t timeout ] [ -d notif ] [ -X consoleholder ] [ dir ]";
const USAGE_2_15: &str = "s6-svscan: fatal: unrecognized boolean option: --help";

#[rstest]
#[case(USAGE_2_11, "-c")]
#[case(USAGE_2_13, "-C")]
#[case(USAGE_2_15, "-C")]
fn the_limit_is_given_in_the_scanners_own_letter(#[case] help: &str, #[case] expected: &str) {
    assert_eq!(limit_letter(help), expected);
}

fn facts() -> TreeInputs {
    TreeInputs {
        uid: 10_000,
        env: BTreeMap::from([("PATH".into(), "/command".into())]),
        program: "/usr/local/bin/hermes".into(),
        pid: 7,
        argv: Vec::new(),
        notification_fd: 3,
    }
}

/// On a machine whose s6-svscan says how it is used, and whose descriptor is there, or not for this reason; also what
/// was run.
fn becomes(notification: Result<Handle, Errno>) -> (Result<Program, HostError>, Vec<Program>) {
    let asked = RefCell::new(Vec::new());
    let machine = Answering::new(|effect| match effect {
        Effect::Inherited { .. } => Some(notification.map(Answer::Handle)),
        Effect::Run { program, .. } => {
            asked.borrow_mut().push(program.clone());
            let (status, stdout) = (Status::Exited(100), Vec::new());
            Some(Ok(Answer::Finished(Finished { status, stdout, stderr: USAGE_2_11.into() })))
        }
        other => panic!("nobody needs {other:?}"),
    });
    let settings = Settings::read(&BTreeMap::new()).expect("the defaults are legal");
    let path = PathBuf::from("/command/s6-svscan");
    let program = run_ready(scanner(&machine, path, &settings, &facts()));
    drop(machine);
    (program, asked.into_inner())
}

#[test]
fn the_scanner_is_asked_for_its_letter_and_tells_who_waits_for_it() {
    let (program, asked) = becomes(Ok(Handle(9)));
    let program = program.expect("it can be run");
    assert_eq!(program.args, ["-c", "20000", "-d", "3", "--", "/run/service"]);
    assert_eq!((program.env, program.inherit), (facts().env, vec![(Handle(9), 3)]));
    let [asked] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((asked.path.as_path(), &asked.env), (program.path.as_path(), &facts().env));
    assert_eq!(asked.args, ["--help"]);
}

#[test]
fn where_nobody_waits_nobody_is_told() {
    let (program, _) = becomes(Err(Errno::BADF));
    let program = program.expect("it can be run");
    assert_eq!(program.args, ["-c", "20000", "--", "/run/service"]);
    assert_eq!(program.inherit, []);
}

#[test]
fn a_descriptor_that_cannot_be_had_is_an_error() {
    let (program, _) = becomes(Err(Errno::IO));
    assert_eq!(program.map_err(|error| error.errno).err(), Some(Errno::IO));
}

#[rstest]
#[case::it_just_fits("8s", false)]
#[case::too_long("8100ms", true)]
fn a_drain_that_the_container_would_cut_short_is_said(#[case] drain: &str, #[case] said: bool) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let env = BTreeMap::from([("HERMES_HOME".into(), home.path().as_os_str().to_owned())]);
    let settings = Settings::read(&env).expect("legal");
    let (host, profile) = (OsHost::new(), Profile::default_profile());
    let config = settings.layout.config(&profile);
    let text = format!("drain_timeout = \"{drain}\"\n");
    run_ready(file::replace(&host, &config, text.as_bytes(), 0o644)).expect("a file");
    let note = run_ready(too_long_a_drain(&host, &settings, &profile));
    assert_eq!(note.is_some(), said, "{note:?}");
}
