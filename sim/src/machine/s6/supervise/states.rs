//! The state machine of `s6.md` 2.2: what each input does in each state.

use std::path::Path;
use std::time::Duration;

use hermes::host::effect::{Effect, Place, Signal, Status};

use super::{Stage, State, Turn, child_end, is_over_or_has_bytes, status};
use crate::machine::kernel::signals;
use crate::machine::s6::act;
use crate::machine::world::{Version, Who};

/// How long a SIGKILL may take before it is sent again.
const KILL_AGAIN: Duration = Duration::from_secs(5);

/// The least time between two starts.
const THROTTLE: Duration = Duration::from_secs(1);

const STOP: Signal = Signal(19);
const CONT: Signal = Signal(18);

/// How a finish script says that the service shall stay down.
const PERMANENT: Status = Status::Exited(125);

impl Turn<'_> {
    /// One wake-up: readiness, a child's end, a signal, all queued letters, or the deadline. Letters wait while a signal
    /// is there, and are lost if it ends the supervisor.
    pub(super) fn live(&mut self, state: State) {
        let readiness = self.own.notification;
        let readiness =
            readiness.filter(|&handle| is_over_or_has_bytes(self.world, self.who, handle));
        if let Some(handle) = readiness {
            self.hear_readiness(handle);
        } else if let Some(end) = child_end(self.world, self.who, &self.own) {
            self.child_ended(state, end);
        } else if let Some(signal) = act::process(self.world, self.who).pending.pop_first() {
            self.signal(state, signal);
        } else if act::has_bytes(self.world, self.who, self.own.control) {
            self.letters();
        } else if self.own.deadline.is_some_and(|at| at <= self.now()) {
            self.deadline(state);
        }
    }

    fn letters(&mut self) {
        for letter in act::take_bytes(self.world, self.who, self.own.control) {
            if let Stage::Lives(state) = self.own.stage {
                self.letter(state, letter);
            }
        }
    }

    fn hear_readiness(&mut self, handle: u32) {
        let said = act::take_bytes(self.world, self.who, handle);
        let is_over = said.is_empty();
        if said.contains(&b'\n') {
            self.own.record.ready_stamp = self.stamp();
            self.own.record.ready = true;
            self.own.ready_at = Some(self.now());
            self.announce();
        }
        if is_over || said.contains(&b'\n') {
            self.close_notification();
        }
    }

    fn child_ended(&mut self, state: State, end: Status) {
        self.reap(self.own.record.pid);
        match state {
            State::Up | State::LastUp => self.service_ended(state, end),
            State::Finish | State::LastFinish => {
                self.is_down(end);
                if state == State::LastFinish {
                    self.own.stage = Stage::Ends(0);
                }
            }
            State::Down => {}
        }
    }

    fn service_ended(&mut self, state: State, end: Status) {
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
        let last = state == State::LastUp;
        if self.start_finish(end) {
            self.own.stage = Stage::Lives(if last { State::LastFinish } else { State::Finish });
            self.announce();
        } else {
            self.is_down(Status::Exited(0));
            if last {
                self.own.stage = Stage::Ends(0);
            }
        }
    }

    /// Down and done; `finish` is how its script ended.
    fn is_down(&mut self, finish: Status) {
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
        self.own.stage = Stage::Lives(State::Down);
        self.announce();
    }

    fn deadline(&mut self, state: State) {
        self.own.deadline = None;
        match state {
            State::Down if self.own.record.want_up => self.start(),
            State::Up | State::LastUp if self.own.dying => self.end_child(),
            State::Finish | State::LastFinish => self.end_child(),
            _ => {}
        }
    }

    /// By force, until it is gone.
    fn end_child(&mut self) {
        self.tell(Signal::KILL);
        self.tell(CONT);
        self.own.deadline = Some(self.now() + KILL_AGAIN);
    }

    fn tell(&mut self, signal: Signal) {
        let child = Who { container: self.who.container, pid: self.own.record.pid };
        signals::deliver(self.world, child, signal);
    }

    fn tell_group(&mut self, signal: Signal) {
        for member in signals::group(self.world, self.who.container, self.own.group) {
            signals::deliver(self.world, member, signal);
        }
    }

    fn signal(&mut self, state: State, signal: Signal) {
        match (signal, state) {
            (Signal::QUIT, _) | (_, State::Down) => self.own.stage = Stage::Ends(0),
            (Signal::INT, _) => {
                self.own.group = self.own.record.pid;
                self.tell_group(Signal::INT);
                self.own.stage = Stage::Ends(0);
            }
            (Signal::TERM, State::Up | State::LastUp) => {
                self.bring_down();
                self.own.stage = Stage::Lives(State::LastUp);
            }
            (Signal::TERM, State::LastFinish) => {}
            (Signal::TERM | Signal::HUP, _) => self.leave_when_done(state),
            _ => {}
        }
    }

    /// No more starts, and no more output or input that others wait for the end of.
    fn leave_when_done(&mut self, state: State) {
        act::let_go_inherited(self.world, self.who, 0);
        act::let_go_inherited(self.world, self.who, 1);
        self.own.stage = Stage::Lives(match state {
            State::Up | State::LastUp => State::LastUp,
            _ => State::LastFinish,
        });
    }

    /// The down-signal, SIGCONT, and SIGKILL if that does not help.
    fn bring_down(&mut self) {
        self.own.record.want_up = false;
        self.announce();
        let signal = self.down_signal();
        self.tell(signal);
        self.tell(CONT);
        self.own.dying = true;
        let after = self.kill_after();
        self.own.deadline = after.map(|after| self.now() + after);
    }

    fn want(&mut self, up: bool) {
        self.own.record.want_up = up;
        self.announce();
    }

    fn letter(&mut self, state: State, letter: u8) {
        let is_up = matches!(state, State::Up | State::LastUp);
        match letter {
            b'u' | b'o' => {
                self.want(letter == b'u');
                if state == State::Down {
                    self.start();
                }
            }
            b'U' => {
                let place = Place::from(Path::new("down"));
                // One that is not there is as good.
                let _ = act::perform(self.world, self.who, &Effect::Unlink { place });
                self.letter(state, b'u');
            }
            b'D' => {
                self.make_down();
                self.letter(state, b'd');
            }
            // Forgotten by 2.15.1.0 (V13).
            b'Q' if self.version() == Version::V2_15 => {}
            b'Q' => {
                self.make_down();
                self.letter(state, b'O');
            }
            b'd' if is_up => self.bring_down(),
            b'd' | b'O' => {
                self.want(false);
                if state == State::Down {
                    self.own.deadline = None;
                }
            }
            b'x' if state == State::Down => self.own.stage = Stage::Ends(0),
            b'x' => self.leave_when_done(state),
            _ if is_up => self.letter_to_service(letter),
            _ => {}
        }
    }

    fn make_down(&mut self) {
        // What cannot be written is a warning to nobody.
        let _ = act::write(self.world, self.who, Path::new("down"), 0o666, b"");
    }

    fn letter_to_service(&mut self, letter: u8) {
        let knows_groups = self.version() != Version::V2_11;
        match letter {
            b'p' | b'c' => {
                self.tell(if letter == b'p' { STOP } else { CONT });
                self.own.record.paused = letter == b'p';
                self.announce();
            }
            b'r' => {
                let signal = self.down_signal();
                self.tell(signal);
            }
            b'l' if self.version() == Version::V2_15 => {
                let signal = self.reload_signal();
                self.tell(signal);
            }
            b'P' | b'C' if knows_groups => {
                self.tell_group(if letter == b'P' { STOP } else { CONT });
                self.own.record.paused = letter == b'P';
                self.announce();
            }
            b'K' if knows_groups => self.tell_group(Signal::KILL),
            _ => {
                if let Some((_, signal)) = KILLS.iter().find(|(known, _)| *known == letter) {
                    self.tell(*signal);
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
