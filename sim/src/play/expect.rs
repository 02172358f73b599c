//! Is what the story expects so? Read off the world; asks nobody in it.

use super::{Command, Failure};
use crate::machine::{Machine, Printed};
use crate::scenario::{Expect, Run};

/// A failure of the story's own expectations.
pub(super) fn failure(what: impl Into<String>) -> Failure {
    Failure { promise: "expect".to_owned(), what: what.into() }
}

/// How a command ended.
pub(super) fn command(
    run: &Run,
    command: &Command,
    printed: Option<&Printed>,
) -> Result<(), Failure> {
    let text = |bytes: Option<&Vec<u8>>| {
        bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    };
    let out = text(printed.map(|printed| &printed.out));
    let err = text(printed.map(|printed| &printed.err));
    let Some(exit) = command.exit else {
        return Err(failure(format!("`{}` was cut short", run.run)));
    };
    if !run.expect.exit.is_empty() && !run.expect.exit.0.contains(&exit) {
        return Err(failure(format!(
            "`{}` exited {exit}, not {:?}; stdout: {out:?}; stderr: {err:?}",
            run.run, run.expect.exit.0
        )));
    }
    for (stream, said, expected) in
        [("stdout", &out, &run.expect.stdout), ("stderr", &err, &run.expect.stderr)]
    {
        for wanted in expected.0.iter().filter(|wanted| !said.contains(wanted.as_str())) {
            let what = format!("`{}`: {stream} lacks {wanted:?}: {said:?}", run.run);
            return Err(failure(what));
        }
    }
    Ok(())
}

/// Does all of it hold now?
pub(super) fn holds(_machine: &Machine, _expect: &Expect) -> Result<(), String> {
    Ok(())
}
