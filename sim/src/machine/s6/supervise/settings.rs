//! The small files of a service directory: each read when it is needed, one that cannot be read is as one that is absent.

use std::path::Path;
use std::time::Duration;

use hermes::host::effect::Signal;

use super::SuperviseTurn;
use crate::machine::syscalls;

const DEATHS_MAX_DEFAULT: u32 = 100;
const DEATHS_MAX: u32 = 4096;
const FINISH_MS_DEFAULT: u32 = 5000;

/// The signals that `s6-svc` and `down-signal` know by name.
const NAMES: [(&str, i32); 15] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ABRT", 6),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("WINCH", 28),
];

impl SuperviseTurn<'_> {
    fn line(&mut self, name: &str) -> Option<String> {
        let bytes = syscalls::read(self.world, self.who, Path::new(name)).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        Some(text.lines().next().unwrap_or_default().trim().to_owned())
    }

    fn number(&mut self, name: &str) -> Option<u32> {
        self.line(name)?.parse().ok()
    }

    /// 0 and 1 and 2 are taken.
    pub(super) fn notification_descriptor(&mut self) -> Option<i32> {
        let number = self.number("notification-fd")?;
        i32::try_from(number).ok().filter(|&number| number > 2)
    }

    /// How long after the down-signal SIGKILL follows; never by default.
    pub(super) fn kill_after(&mut self) -> Option<Duration> {
        self.number("timeout-kill").and_then(milliseconds)
    }

    /// How long a finish script may take.
    pub(super) fn finish_within(&mut self) -> Option<Duration> {
        milliseconds(self.number("timeout-finish").unwrap_or(FINISH_MS_DEFAULT))
    }

    pub(super) fn deaths_max(&mut self) -> usize {
        let max = self.number("max-death-tally").unwrap_or(DEATHS_MAX_DEFAULT).min(DEATHS_MAX);
        usize::try_from(max).unwrap_or_default()
    }

    pub(super) fn down_signal(&mut self) -> Signal {
        self.signal_file("down-signal").unwrap_or(Signal::TERM)
    }

    pub(super) fn reload_signal(&mut self) -> Signal {
        self.signal_file("reload-signal").unwrap_or(Signal::HUP)
    }

    fn signal_file(&mut self, name: &str) -> Option<Signal> {
        let line = self.line(name)?;
        if let Ok(number) = line.parse() {
            return Some(Signal(number)).filter(|signal| (1..=64).contains(&signal.0));
        }
        let name = line.strip_prefix("SIG").unwrap_or(&line);
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| Signal(*number))
    }
}

/// 0 is for ever.
fn milliseconds(number: u32) -> Option<Duration> {
    (number != 0).then(|| Duration::from_millis(number.into()))
}
