//! Decides what to do for one profile. Pure: observations in, plan out; applying the plan makes no decisions.

use std::ffi::OsString;

use super::observe::Observation;
use crate::name::Profile;
use crate::record::boot_log;
use crate::record::intent::{Intent, Source};
use crate::supervisor::{Presence, ProcessState, Service, TargetState};

/// The action in the boot log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It has a slot, and this pass starts it.
    Started,
    /// It has a slot; this pass does not start it.
    Registered,
    /// It gets no slot.
    Skipped,
}

impl Action {
    /// The name in logs and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Registered => "registered",
            Self::Skipped => "skipped",
        }
    }
}

/// What happens to the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotChange {
    /// It was not there.
    New,
    /// It was there; its files were brought up to date, if they were not.
    Kept,
    /// There is none.
    None,
}

impl SlotChange {
    /// The name in logs and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Kept => "kept",
            Self::None => "none",
        }
    }
}

/// What a live service is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceRequest {
    /// Nothing: it follows the intent.
    Nothing,
    /// Up: it should run and was told otherwise, not by hermes.
    Start,
    /// Down: it should not run and was told otherwise, not by hermes.
    Stop,
}

/// What shall be done for one profile, and afterwards what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfilePlan {
    /// The name as it stands on the disk.
    pub name: String,
    /// The profile, if the name is legal.
    pub profile: Option<Profile>,
    /// The text that decided the intent.
    pub prior_state: String,
    /// The intent.
    pub intent: Intent,
    /// The action, for the log.
    pub action: Action,
    /// What happens to the slot.
    pub slot: SlotChange,
    /// The slot is not supervised yet: the supervisor must be told of it.
    pub is_unsupervised: bool,
    /// What a live service is told.
    pub request: ServiceRequest,
    /// The intent was inferred from the file that the gateway is about to rewrite: it is stored as the operator's
    /// intent first.
    pub stores_intent: bool,
    /// Names below the profile to remove.
    pub sweep: Vec<OsString>,
    /// Reasons, if the plan is not the obvious one.
    pub reasons: Vec<String>,
    /// The failure, if a step failed.
    pub failure: Option<String>,
}

impl ProfilePlan {
    /// No slot, for this reason.
    pub(super) fn skipped(name: String, reason: String) -> Self {
        Self {
            name,
            profile: None,
            prior_state: "none".to_owned(),
            intent: Intent::Stopped,
            action: Action::Skipped,
            slot: SlotChange::None,
            is_unsupervised: false,
            request: ServiceRequest::Nothing,
            stores_intent: false,
            sweep: Vec::new(),
            reasons: vec![reason],
            failure: None,
        }
    }

    /// The only reason is a failure of this pass, not a property of the profile.
    pub(super) fn failed(mut self) -> Self {
        self.failure = self.reasons.pop();
        self
    }

    /// The line in the boot log.
    pub(super) fn log_line(&self, stamp: &str) -> String {
        let mut fields = vec![
            ("profile", self.name.as_str()),
            ("prior_state", self.prior_state.as_str()),
            ("action", self.action.as_str()),
            ("slot", self.slot.as_str()),
        ];
        let reasons = self.reasons.join("; ");
        if !reasons.is_empty() {
            fields.push(("reason", reasons.as_str()));
        }
        if let Some(failure) = &self.failure {
            fields.push(("error", failure.as_str()));
        }
        boot_log::line(stamp, &fields)
    }
}

/// Decides what to do.
pub(super) fn plan(observation: Observation) -> ProfilePlan {
    let mut reasons = observation.warnings;
    let sweep = observation.stale_files.iter().filter(|file| !file.is_directory);
    let directories = observation.stale_files.iter().filter(|file| file.is_directory);
    reasons.extend(
        directories.map(|file| format!("`{}` is a directory: left", file.name.to_string_lossy())),
    );
    let mut plan = ProfilePlan {
        name: observation.profile.to_string(),
        profile: Some(observation.profile),
        prior_state: observation.inferred_intent.value,
        intent: observation.inferred_intent.intent,
        action: Action::Registered,
        slot: SlotChange::Kept,
        is_unsupervised: false,
        request: ServiceRequest::Nothing,
        // An intent that could not be read just now may be different: it is not overwritten.
        stores_intent: observation.unreadable_intent.is_none()
            && observation.inferred_intent.intent == Intent::Running
            && matches!(
                observation.inferred_intent.source,
                Source::GatewayState | Source::Bootstrap
            ),
        sweep: sweep.map(|leftover| leftover.name.clone()).collect(),
        reasons,
        failure: None,
    };
    let service = match observation.service {
        Ok(service) => service,
        Err(error) => {
            plan.action = Action::Skipped;
            plan.slot = SlotChange::None;
            plan.failure = Some(error);
            return plan;
        }
    };
    plan.failure = observation.unreadable_intent;
    if plan.failure.is_some() && service.presence == Presence::Supervised {
        // A live service keeps its target state.
        plan.action = Action::Skipped;
        return plan;
    }
    if service.presence == Presence::Unregistered {
        plan.slot = SlotChange::New;
    }
    plan.is_unsupervised =
        matches!(service.presence, Presence::Unregistered | Presence::Unsupervised);
    plan.request = service_request(plan.intent, &service);
    let starts = match service.presence {
        Presence::Unregistered | Presence::Unsupervised => plan.intent == Intent::Running,
        Presence::Supervised => plan.request == ServiceRequest::Start,
        Presence::Foreground => false,
    };
    if starts {
        plan.action = Action::Started;
    }
    if observation.is_locked && service.pid().is_none() {
        plan.reasons.push("a gateway of this profile lives outside its slot".to_owned());
    }
    plan
}

/// What a live service must be told so that it follows the intent. One that failed permanently is left alone.
fn service_request(intent: Intent, service: &Service) -> ServiceRequest {
    if service.presence != Presence::Supervised {
        return ServiceRequest::Nothing;
    }
    match (intent, service.target_state, service.process_state) {
        (Intent::Running, TargetState::Down, _) if service.has_failed_permanently() => {
            ServiceRequest::Nothing
        }
        (Intent::Running, TargetState::Down, _) => ServiceRequest::Start,
        (Intent::Stopped, TargetState::Up, _) => ServiceRequest::Stop,
        (Intent::Stopped, TargetState::Down, ProcessState::Up { .. } | ProcessState::Finishing) => {
            ServiceRequest::Nothing
        }
        (Intent::Stopped, TargetState::Down, ProcessState::Down { .. })
        | (Intent::Running, TargetState::Up, _) => ServiceRequest::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::effect::{Pid, Status};
    use crate::record::intent::InferredIntent;
    use rstest::rstest;
    use std::time::Duration;

    fn facts(intent: Intent, service: Service) -> Observation {
        let inferred = InferredIntent {
            value: intent.as_str().into(),
            intent,
            source: Source::Intent,
            is_unknown: false,
        };
        let profile = Profile::parse("coder").expect("legal");
        let service = Ok(service);
        Observation {
            profile,
            inferred_intent: inferred,
            unreadable_intent: None,
            warnings: vec![],
            service,
            is_locked: false,
            stale_files: vec![],
        }
    }

    fn live(target_state: TargetState, process_state: ProcessState) -> Service {
        let presence = Presence::Supervised;
        Service {
            presence,
            target_state,
            at_start: target_state,
            process_state,
            since: Duration::ZERO,
            paused: false,
            is_reported: true,
        }
    }

    fn up() -> ProcessState {
        ProcessState::Up { pid: Pid::new(9).expect("above 1"), ready: true }
    }

    const DOWN: ProcessState = ProcessState::Down { last: None };
    const WRONG: ProcessState = ProcessState::Down { last: Some(Status::Exited(78)) };

    #[rstest]
    #[case::boot_up(
        Intent::Running,
        Service::unregistered(),
        Action::Started,
        ServiceRequest::Nothing
    )]
    #[case::boot_down(
        Intent::Stopped,
        Service::unregistered(),
        Action::Registered,
        ServiceRequest::Nothing
    )]
    #[case::live_up(
        Intent::Running,
        live(TargetState::Up, up()),
        Action::Registered,
        ServiceRequest::Nothing
    )]
    #[case::live_down(
        Intent::Stopped,
        live(TargetState::Down, DOWN),
        Action::Registered,
        ServiceRequest::Nothing
    )]
    #[case::drift_down(
        Intent::Running,
        live(TargetState::Down, DOWN),
        Action::Started,
        ServiceRequest::Start
    )]
    #[case::drift_up(
        Intent::Stopped,
        live(TargetState::Up, up()),
        Action::Registered,
        ServiceRequest::Stop
    )]
    #[case::draining(
        Intent::Stopped,
        live(TargetState::Down, up()),
        Action::Registered,
        ServiceRequest::Nothing
    )]
    #[case::failed(
        Intent::Running,
        live(TargetState::Down, WRONG),
        Action::Registered,
        ServiceRequest::Nothing
    )]
    fn the_plan_follows_the_intent(
        #[case] intent: Intent,
        #[case] service: Service,
        #[case] action: Action,
        #[case] change: ServiceRequest,
    ) {
        let plan = plan(facts(intent, service));
        assert_eq!((plan.action, plan.request), (action, change));
    }

    #[test]
    fn an_intent_that_could_not_be_read_just_now_stops_no_gateway() {
        let unread = Some("ignored `x`: input/output error".to_owned());
        let live = Observation {
            unreadable_intent: unread.clone(),
            ..facts(Intent::Stopped, live(TargetState::Up, up()))
        };
        let plan_of_live = plan(live);
        assert_eq!(plan_of_live.request, ServiceRequest::Nothing);
        assert_eq!((plan_of_live.action, plan_of_live.failure), (Action::Skipped, unread.clone()));
        let absent = Observation {
            unreadable_intent: unread,
            ..facts(Intent::Stopped, Service::unregistered())
        };
        let plan_of_absent = plan(absent);
        assert_eq!(plan_of_absent.action, Action::Registered);
        assert!(plan_of_absent.failure.is_some());
    }

    #[test]
    fn an_intent_that_could_not_be_read_just_now_is_not_overwritten() {
        let mut observation = facts(Intent::Running, Service::unregistered());
        observation.inferred_intent.source = Source::GatewayState;
        observation.unreadable_intent = Some("ignored `x`: permission denied".to_owned());
        assert!(!plan(observation).stores_intent);
    }

    #[rstest]
    #[case(Source::GatewayState, Intent::Running, true)]
    #[case(Source::Bootstrap, Intent::Running, true)]
    #[case(Source::GatewayState, Intent::Stopped, false)]
    #[case(Source::DesiredState, Intent::Running, false)]
    #[case(Source::Intent, Intent::Running, false)]
    fn an_intent_that_the_gateway_would_overwrite_is_stored(
        #[case] source: Source,
        #[case] intent: Intent,
        #[case] expected: bool,
    ) {
        let mut observation = facts(intent, Service::unregistered());
        observation.inferred_intent.source = source;
        assert_eq!(plan(observation).stores_intent, expected);
    }

    #[test]
    fn a_line_is_one_line_whatever_the_words_are() {
        let mut plan = plan(facts(Intent::Running, Service::unregistered()));
        plan.prior_state = "run\nprofile=x".to_owned();
        assert_eq!(
            plan.log_line("T"),
            "T profile=coder prior_state=\"run\\nprofile=x\" action=started slot=new\n"
        );
    }
}
