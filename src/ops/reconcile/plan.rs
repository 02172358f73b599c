//! What shall be done for one profile. Pure: facts in, plan out; applying it makes no choices.

use std::ffi::OsString;

use super::observe::Facts;
use crate::name::Profile;
use crate::record::boot_log;
use crate::record::intent::{Intent, Source};
use crate::supervisor::{Fact, Presence, Service, Want};

/// The word in the boot log.
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
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Registered => "registered",
            Self::Skipped => "skipped",
        }
    }
}

/// What becomes of the slot.
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
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Kept => "kept",
            Self::None => "none",
        }
    }
}

/// What a live service is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: it does what was asked.
    Nothing,
    /// It should run and was told otherwise behind our back.
    Start,
    /// It should not run and was told otherwise behind our back.
    Stop,
}

/// What shall be done for one profile, and afterwards what was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The name as it stands on the disk.
    pub name: String,
    /// The profile, if the name is legal.
    pub profile: Option<Profile>,
    /// The word that decided.
    pub prior_state: String,
    /// What it means.
    pub intent: Intent,
    /// For the log.
    pub action: Action,
    /// What becomes of the slot.
    pub slot: SlotChange,
    /// Nobody looks after the slot yet: its supervisor must be told of it.
    pub is_unsupervised: bool,
    /// What a live service is told.
    pub change: Change,
    /// The word stands where the gateway is about to write its own: it is noted as the operator's first.
    pub keeps_word: bool,
    /// Names below the profile to remove.
    pub sweep: Vec<OsString>,
    /// Why it is as it is, where that is not plain.
    pub reasons: Vec<String>,
    /// What could not be done.
    pub failure: Option<String>,
}

impl Plan {
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
            change: Change::Nothing,
            keeps_word: false,
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
    pub(super) fn line(&self, stamp: &str) -> String {
        let mut fields = vec![
            ("profile", self.name.as_str()),
            ("prior_state", self.prior_state.as_str()),
            ("action", self.action.word()),
            ("slot", self.slot.word()),
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

/// Decides.
pub(super) fn plan(facts: Facts) -> Plan {
    let mut reasons = facts.oddities;
    let sweep = facts.leftovers.iter().filter(|leftover| !leftover.odd);
    let odd = facts.leftovers.iter().filter(|leftover| leftover.odd);
    reasons.extend(odd.map(|it| format!("`{}` is a directory: left", it.name.to_string_lossy())));
    let mut plan = Plan {
        name: facts.profile.to_string(),
        profile: Some(facts.profile),
        prior_state: facts.prior.word,
        intent: facts.prior.intent,
        action: Action::Registered,
        slot: SlotChange::Kept,
        is_unsupervised: false,
        change: Change::Nothing,
        // A word that could not be read just now may say otherwise: it is not written over.
        keeps_word: facts.unread.is_none()
            && facts.prior.intent == Intent::Running
            && matches!(facts.prior.source, Source::GatewayState | Source::Bootstrap),
        sweep: sweep.map(|leftover| leftover.name.clone()).collect(),
        reasons,
        failure: None,
    };
    let service = match facts.service {
        Ok(service) => service,
        Err(error) => {
            plan.action = Action::Skipped;
            plan.slot = SlotChange::None;
            plan.failure = Some(error);
            return plan;
        }
    };
    plan.failure = facts.unread;
    if plan.failure.is_some() && service.presence == Presence::Supervised {
        // What lives goes on as it was told last.
        plan.action = Action::Skipped;
        return plan;
    }
    if service.presence == Presence::Unregistered {
        plan.slot = SlotChange::New;
    }
    plan.is_unsupervised =
        matches!(service.presence, Presence::Unregistered | Presence::Unsupervised);
    plan.change = change(plan.intent, &service);
    let starts = match service.presence {
        Presence::Unregistered | Presence::Unsupervised => plan.intent == Intent::Running,
        Presence::Supervised => plan.change == Change::Start,
        Presence::Foreground => false,
    };
    if starts {
        plan.action = Action::Started;
    }
    if facts.held && service.pid().is_none() {
        plan.reasons.push("a gateway of this profile lives outside its slot".to_owned());
    }
    plan
}

/// What a live service must be told so that it does what was asked. One that failed for good is left in peace.
fn change(intent: Intent, service: &Service) -> Change {
    if service.presence != Presence::Supervised {
        return Change::Nothing;
    }
    match (intent, service.want, service.fact) {
        (Intent::Running, Want::Down, _) if service.has_failed_permanently() => Change::Nothing,
        (Intent::Running, Want::Down, _) => Change::Start,
        (Intent::Stopped, Want::Up, _) => Change::Stop,
        (Intent::Stopped, Want::Down, Fact::Up { .. } | Fact::Finishing) => Change::Nothing,
        (Intent::Stopped, Want::Down, Fact::Down { .. }) | (Intent::Running, Want::Up, _) => {
            Change::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::effect::{Pid, Status};
    use crate::record::intent::Prior;
    use rstest::rstest;
    use std::time::Duration;

    fn facts(intent: Intent, service: Service) -> Facts {
        let prior =
            Prior { word: intent.word().into(), intent, source: Source::Intent, unknown: false };
        let profile = Profile::parse("coder").expect("legal");
        let service = Ok(service);
        Facts {
            profile,
            prior,
            unread: None,
            oddities: vec![],
            service,
            held: false,
            leftovers: vec![],
        }
    }

    fn live(want: Want, fact: Fact) -> Service {
        let presence = Presence::Supervised;
        Service {
            presence,
            want,
            at_start: want,
            fact,
            since: Duration::ZERO,
            paused: false,
            is_reported: true,
        }
    }

    fn up() -> Fact {
        Fact::Up { pid: Pid::new(9).expect("above 1"), ready: true }
    }

    const DOWN: Fact = Fact::Down { last: None };
    const WRONG: Fact = Fact::Down { last: Some(Status::Exited(78)) };

    #[rstest]
    #[case::boot_up(Intent::Running, Service::unregistered(), Action::Started, Change::Nothing)]
    #[case::boot_down(
        Intent::Stopped,
        Service::unregistered(),
        Action::Registered,
        Change::Nothing
    )]
    #[case::live_up(Intent::Running, live(Want::Up, up()), Action::Registered, Change::Nothing)]
    #[case::live_down(Intent::Stopped, live(Want::Down, DOWN), Action::Registered, Change::Nothing)]
    #[case::drift_down(Intent::Running, live(Want::Down, DOWN), Action::Started, Change::Start)]
    #[case::drift_up(Intent::Stopped, live(Want::Up, up()), Action::Registered, Change::Stop)]
    #[case::draining(Intent::Stopped, live(Want::Down, up()), Action::Registered, Change::Nothing)]
    #[case::failed(Intent::Running, live(Want::Down, WRONG), Action::Registered, Change::Nothing)]
    fn the_plan_follows_the_intent(
        #[case] intent: Intent,
        #[case] service: Service,
        #[case] action: Action,
        #[case] change: Change,
    ) {
        let plan = plan(facts(intent, service));
        assert_eq!((plan.action, plan.change), (action, change));
    }

    #[test]
    fn a_word_that_could_not_be_read_just_now_stops_nobody() {
        let unread = Some("ignored `x`: input/output error".to_owned());
        let live = Facts { unread: unread.clone(), ..facts(Intent::Stopped, live(Want::Up, up())) };
        let plan_of_live = plan(live);
        assert_eq!(plan_of_live.change, Change::Nothing);
        assert_eq!((plan_of_live.action, plan_of_live.failure), (Action::Skipped, unread.clone()));
        let absent = Facts { unread, ..facts(Intent::Stopped, Service::unregistered()) };
        let plan_of_absent = plan(absent);
        assert_eq!(plan_of_absent.action, Action::Registered);
        assert!(plan_of_absent.failure.is_some());
    }

    #[test]
    fn a_word_that_could_not_be_read_just_now_is_not_written_over() {
        let mut facts = facts(Intent::Running, Service::unregistered());
        facts.prior.source = Source::GatewayState;
        facts.unread = Some("ignored `x`: permission denied".to_owned());
        assert!(!plan(facts).keeps_word);
    }

    #[rstest]
    #[case(Source::GatewayState, Intent::Running, true)]
    #[case(Source::Bootstrap, Intent::Running, true)]
    #[case(Source::GatewayState, Intent::Stopped, false)]
    #[case(Source::DesiredState, Intent::Running, false)]
    #[case(Source::Intent, Intent::Running, false)]
    fn a_word_that_the_gateway_would_overwrite_is_kept(
        #[case] source: Source,
        #[case] intent: Intent,
        #[case] expected: bool,
    ) {
        let mut facts = facts(intent, Service::unregistered());
        facts.prior.source = source;
        assert_eq!(plan(facts).keeps_word, expected);
    }

    #[test]
    fn a_line_is_one_line_whatever_the_words_are() {
        let mut plan = plan(facts(Intent::Running, Service::unregistered()));
        plan.prior_state = "run\nprofile=x".to_owned();
        assert_eq!(
            plan.line("T"),
            "T profile=coder prior_state=\"run\\nprofile=x\" action=started slot=new\n"
        );
    }
}
