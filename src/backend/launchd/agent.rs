//! A profile's launch agent, rendered from facts as a property list. Pure.
//!
//! launchd has no exit code that forbids a restart, and no growing pause: it restarts every agent that ends in failure.
//! So the gateway's exit code says whether it shall come back (`gateway run` under `HERMES_SUPERVISOR=launchd`), and
//! the gateway itself waits after failures.

use std::path::Path;
use std::time::Duration;

use crate::name::Profile;
use crate::supervisor::ServiceSpec;

/// The name by which launchd knows the gateway.
pub(super) fn label(profile: &Profile) -> String {
    format!("hermes.gateway.{profile}")
}

/// The whole property list.
pub fn render(spec: &ServiceSpec) -> String {
    let mut arguments = vec![spec.program.to_string_lossy().into_owned()];
    if !spec.profile.is_default() {
        arguments.extend(["-p".to_owned(), spec.profile.to_string()]);
    }
    arguments.extend(["gateway".to_owned(), "run".to_owned()]);
    let arguments: String = arguments
        .iter()
        .map(|argument| format!("\t\t<string>{}</string>\n", escape(argument)))
        .collect();
    let home = home_lines(&spec.home);
    let log = escape(&spec.log_dir.join("current").to_string_lossy());
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Made by hermes: `hermes gateway install` makes it anew. -->
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>{label}</string>
	<key>ProgramArguments</key>
	<array>
{arguments}	</array>
	<key>EnvironmentVariables</key>
	<dict>
{home}		<key>HERMES_SUPERVISOR</key>
		<string>launchd</string>
		<key>HERMES_SUPERVISED_CHILD</key>
		<string>1</string>
	</dict>
	<key>RunAtLoad</key>
	<true/>
	<key>KeepAlive</key>
	<dict>
		<key>SuccessfulExit</key>
		<false/>
	</dict>
	<key>ThrottleInterval</key>
	<integer>{throttle}</integer>
	<key>ExitTimeOut</key>
	<integer>{drain}</integer>
	<key>StandardOutPath</key>
	<string>{log}</string>
	<key>StandardErrorPath</key>
	<string>{log}</string>
</dict>
</plist>
"#,
        label = label(&spec.profile),
        throttle = seconds(spec.restart.delay.0),
        drain = seconds(spec.kill_after),
    )
}

/// The lines that say which home the agent serves: two homes may have profiles of the same name.
pub(super) fn home_lines(home: &Path) -> String {
    let home = escape(&home.to_string_lossy());
    format!("\t\t<key>HERMES_HOME</key>\n\t\t<string>{home}</string>\n")
}

/// Can a property list name this path? XML has no control characters.
pub(super) fn is_expressible(path: &Path) -> bool {
    path.to_str().is_some_and(|text| !text.contains(|c: char| c.is_control()))
}

/// Whole seconds, rounded up, and never 0: for launchd 0 means its own default, or for ever.
fn seconds(duration: Duration) -> u64 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    seconds.max(1)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, 1)]
    #[case(500, 1)]
    #[case(9_000, 9)]
    #[case(9_001, 10)]
    fn seconds_are_whole_and_never_too_few(#[case] millis: u64, #[case] expected: u64) {
        assert_eq!(seconds(Duration::from_millis(millis)), expected);
    }
}
