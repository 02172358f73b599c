//! What a signal means. The first one is classified, and that is final.
//!
//! A marker that names this very process says what was planned, whatever the signal. Without a marker, SIGINT is a
//! deliberate Ctrl-C at a terminal, and SIGTERM or SIGHUP is unplanned: a container's stop or a raw `kill` ends us, and
//! the intent decides whether we come back.

use super::state_file::GatewayState;
use super::{Core, TurnContext};
use crate::host::Host;
use crate::host::effect::Signal;
use crate::record::marker::{self, StopPlan};

/// The meaning of the first signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum SignalMeaning {
    /// Stay down.
    Planned,
    /// Come back at once.
    Restart,
    /// Unplanned: no command of ours asked for it.
    Unplanned(Signal),
}

impl SignalMeaning {
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Self::Planned => 0,
            Self::Restart => 75,
            Self::Unplanned(signal) => signal_code(signal),
        }
    }

    /// The final gateway state. Only a planned stop writes `stopped`: if no intent was ever written, a boot follows
    /// this state, and must bring back a gateway that was not stopped on purpose.
    pub(super) fn final_state(self) -> GatewayState {
        match self {
            Self::Planned => GatewayState::Stopped,
            Self::Restart | Self::Unplanned(_) => GatewayState::Running,
        }
    }

    pub(super) fn reason(self) -> String {
        match self {
            Self::Planned => "a stop was asked for".to_owned(),
            Self::Restart => "a restart was asked for".to_owned(),
            Self::Unplanned(signal) => format!("an unplanned {} came", signal_name(signal)),
        }
    }
}

/// The exit code that shells give a process ended by a signal.
pub(super) fn signal_code(signal: Signal) -> u8 {
    u8::try_from(signal.0).unwrap_or(0).saturating_add(128)
}

/// A signal's name.
pub(super) fn signal_name(signal: Signal) -> String {
    match signal {
        Signal::HUP => "SIGHUP".to_owned(),
        Signal::INT => "SIGINT".to_owned(),
        Signal::KILL => "SIGKILL".to_owned(),
        Signal::TERM => "SIGTERM".to_owned(),
        Signal(number) => format!("signal {number}"),
    }
}

/// Classifies the first signal, and removes the marker if it names us.
pub(super) async fn classify<H: Host>(
    context: &mut TurnContext<'_, H>,
    core: &Core,
    signal: Signal,
) -> SignalMeaning {
    let path = context.setup.layout.marker(&context.setup.profile);
    let reading = marker::read(context.host, &path).await;
    if let Some(warning) = reading.warning() {
        context.add_note(warning);
    }
    let ours = reading.whole().filter(|marker| marker.names(&core.own_process));
    let plan = ours.map(|marker| marker.plan);
    if plan.is_some() {
        // The plan holds even if the marker cannot be removed: it names only us.
        let consumed = marker::consume(context.host, &path, &core.own_process).await;
        context.record_failure(consumed);
    }
    decide(signal, plan)
}

fn decide(signal: Signal, plan: Option<StopPlan>) -> SignalMeaning {
    match plan {
        Some(StopPlan::Stop) => SignalMeaning::Planned,
        Some(StopPlan::Restart) => SignalMeaning::Restart,
        None if signal == Signal::INT || planted!(UnplannedTermStops) => SignalMeaning::Planned,
        None => {
            mark!("R1");
            SignalMeaning::Unplanned(signal)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Signal::TERM, Some(StopPlan::Stop), SignalMeaning::Planned, 0, "stopped")]
    #[case(Signal::TERM, Some(StopPlan::Restart), SignalMeaning::Restart, 75, "running")]
    #[case(Signal::TERM, None, SignalMeaning::Unplanned(Signal::TERM), 143, "running")]
    #[case(Signal::HUP, None, SignalMeaning::Unplanned(Signal::HUP), 129, "running")]
    #[case(Signal::INT, None, SignalMeaning::Planned, 0, "stopped")]
    #[case(Signal::INT, Some(StopPlan::Restart), SignalMeaning::Restart, 75, "running")]
    fn the_marker_and_the_signal_say_how_it_ends(
        #[case] signal: Signal,
        #[case] plan: Option<StopPlan>,
        #[case] expected: SignalMeaning,
        #[case] code: u8,
        #[case] final_state: &str,
    ) {
        let stop = decide(signal, plan);
        assert_eq!(
            (stop, stop.exit_code(), stop.final_state().as_str()),
            (expected, code, final_state)
        );
    }
}
