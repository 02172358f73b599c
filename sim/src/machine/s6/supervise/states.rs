//! The state machine of `s6.md` 2.2: what each input does in each state.

use std::path::Path;
use std::time::Duration;

use hermes::host::effect::{Effect, Place, Signal, Status};

use super::{
    SuperviseStage, SuperviseState, SuperviseTurn, child_end, is_over_or_has_bytes, status,
};
use crate::machine::kernel::signals;
use crate::machine::syscalls;
use crate::machine::world::{ProcessId, S6Version};

/// How long a SIGKILL may take before it is sent again.
const KILL_AGAIN: Duration = Duration::from_secs(5);

/// The least time between two starts.
const THROTTLE: Duration = Duration::from_secs(1);

const STOP: Signal = Signal(19);
const CONT: Signal = Signal(18);

/// How a finish script says that the service shall stay down.
const PERMANENT: Status = Status::Exited(125);

impl SuperviseTurn<'_> {
    /// One wake-up: readiness, a child's end, a signal, all queued letters, or the deadline. Letters wait while a signal
    /// is there, and are lost if it ends the supervisor.
    pub(super) fn wake(&mut self, state: SuperviseState) {
        let readiness = self.own.notification;
        let readiness =
            readiness.filter(|&handle| is_over_or_has_bytes(self.world, self.who, handle));
        if let Some(handle) = readiness {
            self.read_readiness(handle);
        } else if let Some(end) = child_end(self.world, self.who, &self.own) {
            self.child_ended(state, end);
        } else if let Some(signal) = syscalls::process(self.world, self.who).pending.pop_first() {
            self.signal(state, signal);
        } else if syscalls::has_bytes(self.world, self.who, self.own.control) {
            self.letters();
        } else if self.own.deadline.is_some_and(|at| at <= self.now()) {
            self.deadline(state);
        }
    }

    fn letters(&mut self) {
        for letter in syscalls::take_bytes(self.world, self.who, self.own.control) {
            if let SuperviseStage::Lives(state) = self.own.stage {
                self.letter(state, letter);
            }
        }
    }

    fn read_readiness(&mut self, handle: u32) {
        let said = syscalls::take_bytes(self.world, self.who, handle);
        let is_over = said.is_empty();
        if said.contains(&b'\n') {
            self.own.record.ready_stamp = self.stamp();
            self.own.record.ready = true;
            self.own.ready_at = Some(self.now());
            self.write_record();
        }
        if is_over || said.contains(&b'\n') {
            self.close_notification();
        }
    }

    fn child_ended(&mut self, state: SuperviseState, end: Status) {
        self.reap(self.own.record.pid);
        match state {
            SuperviseState::Up | SuperviseState::LastUp => self.service_ended(state, end),
            SuperviseState::Finish | SuperviseState::LastFinish => {
                self.enter_down(end);
                if state == SuperviseState::LastFinish {
                    self.own.stage = SuperviseStage::Ends(0);
                }
            }
            SuperviseState::Down => {}
        }
    }

    fn service_ended(&mut self, state: SuperviseState, end: Status) {
        let stamp = self.stamp();
        let record = &mut self.own.record;
        (record.stamp, record.paused, record.ready) = (stamp, false, false);
        record.wait_status = status::wait_status(end);
        self.close_notification();
        self.own.dying = false;
        let deaths_max = self.deaths_max();
        if deaths_max > 0 {
            self.count_death(end, deaths_max);
        }
        let last = state == SuperviseState::LastUp;
        if self.start_finish(end) {
            self.own.stage = SuperviseStage::Lives(if last {
                SuperviseState::LastFinish
            } else {
                SuperviseState::Finish
            });
            self.write_record();
        } else {
            self.enter_down(Status::Exited(0));
            if last {
                self.own.stage = SuperviseStage::Ends(0);
            }
        }
    }

    /// Down and done; `finish` is how its script ended.
    fn enter_down(&mut self, finish: Status) {
        let ready_stamp = self.stamp();
        let record = &mut self.own.record;
        (record.pid, record.finishing, record.ready) = (0, false, true);
        record.ready_stamp = ready_stamp;
        if finish == PERMANENT {
            record.want_up = false;
        }
        let now = self.now();
        let again = self.own.ready_at.take().unwrap_or(now) + THROTTLE;
        self.own.deadline = self.own.record.want_up.then_some(again.max(now));
        self.own.stage = SuperviseStage::Lives(SuperviseState::Down);
        self.write_record();
    }

    fn deadline(&mut self, state: SuperviseState) {
        self.own.deadline = None;
        match state {
            SuperviseState::Down if self.own.record.want_up => self.start(),
            SuperviseState::Up | SuperviseState::LastUp if self.own.dying => self.end_child(),
            SuperviseState::Finish | SuperviseState::LastFinish => self.end_child(),
            _ => {}
        }
    }

    /// By force, until it is gone.
    fn end_child(&mut self) {
        self.signal_child(Signal::KILL);
        self.signal_child(CONT);
        self.own.deadline = Some(self.now() + KILL_AGAIN);
    }

    fn signal_child(&mut self, signal: Signal) {
        let child = ProcessId { container: self.who.container, pid: self.own.record.pid };
        signals::deliver(self.world, child, signal);
    }

    fn signal_child_group(&mut self, signal: Signal) {
        for member in signals::group_members(self.world, self.who.container, self.own.group) {
            signals::deliver(self.world, member, signal);
        }
    }

    fn signal(&mut self, state: SuperviseState, signal: Signal) {
        match (signal, state) {
            (Signal::QUIT, _) | (_, SuperviseState::Down) => {
                self.own.stage = SuperviseStage::Ends(0)
            }
            (Signal::INT, _) => {
                self.own.group = self.own.record.pid;
                self.signal_child_group(Signal::INT);
                self.own.stage = SuperviseStage::Ends(0);
            }
            (Signal::TERM, SuperviseState::Up | SuperviseState::LastUp) => {
                self.bring_down();
                self.own.stage = SuperviseStage::Lives(SuperviseState::LastUp);
            }
            (Signal::TERM, SuperviseState::LastFinish) => {}
            (Signal::TERM | Signal::HUP, _) => self.leave_when_done(state),
            _ => {}
        }
    }

    /// No more starts, and no more output or input that others wait for the end of.
    fn leave_when_done(&mut self, state: SuperviseState) {
        syscalls::close_inherited(self.world, self.who, 0);
        syscalls::close_inherited(self.world, self.who, 1);
        self.own.stage = SuperviseStage::Lives(match state {
            SuperviseState::Up | SuperviseState::LastUp => SuperviseState::LastUp,
            _ => SuperviseState::LastFinish,
        });
    }

    /// The down-signal, SIGCONT, and SIGKILL if that does not help.
    fn bring_down(&mut self) {
        self.own.record.want_up = false;
        self.write_record();
        let signal = self.down_signal();
        self.signal_child(signal);
        self.signal_child(CONT);
        self.own.dying = true;
        let after = self.kill_after();
        self.own.deadline = after.map(|after| self.now() + after);
    }

    fn set_want(&mut self, up: bool) {
        self.own.record.want_up = up;
        self.write_record();
    }

    fn letter(&mut self, state: SuperviseState, letter: u8) {
        let is_up = matches!(state, SuperviseState::Up | SuperviseState::LastUp);
        match letter {
            b'u' | b'o' => {
                self.set_want(letter == b'u');
                if state == SuperviseState::Down {
                    self.start();
                }
            }
            b'U' => {
                let place = Place::from(Path::new("down"));
                // One that is not there is as good.
                let _ = syscalls::perform(self.world, self.who, &Effect::Unlink { place });
                self.letter(state, b'u');
            }
            b'D' => {
                self.make_down();
                self.letter(state, b'd');
            }
            // Forgotten by 2.15.1.0 (V13).
            b'Q' if self.version() == S6Version::V2_15 => {}
            b'Q' => {
                self.make_down();
                self.letter(state, b'O');
            }
            b'd' if is_up => self.bring_down(),
            b'd' | b'O' => {
                self.set_want(false);
                if state == SuperviseState::Down {
                    self.own.deadline = None;
                }
            }
            b'x' if state == SuperviseState::Down => self.own.stage = SuperviseStage::Ends(0),
            b'x' => self.leave_when_done(state),
            _ if is_up => self.letter_to_service(letter),
            _ => {}
        }
    }

    fn make_down(&mut self) {
        // What cannot be written is a warning, which is not kept.
        let _ = syscalls::write(self.world, self.who, Path::new("down"), 0o666, b"");
    }

    fn letter_to_service(&mut self, letter: u8) {
        let knows_groups = self.version() != S6Version::V2_11;
        match letter {
            b'p' | b'c' => {
                self.signal_child(if letter == b'p' { STOP } else { CONT });
                self.own.record.paused = letter == b'p';
                self.write_record();
            }
            b'r' => {
                let signal = self.down_signal();
                self.signal_child(signal);
            }
            b'l' if self.version() == S6Version::V2_15 => {
                let signal = self.reload_signal();
                self.signal_child(signal);
            }
            b'P' | b'C' if knows_groups => {
                self.signal_child_group(if letter == b'P' { STOP } else { CONT });
                self.own.record.paused = letter == b'P';
                self.write_record();
            }
            b'K' if knows_groups => self.signal_child_group(Signal::KILL),
            _ => {
                if let Some((_, signal)) = KILLS.iter().find(|(known, _)| *known == letter) {
                    self.signal_child(*signal);
                }
            }
        }
    }
}

/// The letters that are signals.
const KILLS: [(u8, Signal); 10] = [
    (b'a', Signal(14)),
    (b'b', Signal(6)),
    (b'q', Signal::QUIT),
    (b'h', Signal::HUP),
    (b'k', Signal::KILL),
    (b't', Signal::TERM),
    (b'i', Signal::INT),
    (b'1', Signal::USR1),
    (b'2', Signal::USR2),
    (b'y', Signal(28)),
];
