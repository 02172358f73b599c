//! What the gateway itself has recorded about its progress, for supervisors that cannot know it. This is hearsay: the
//! caller must know from elsewhere that a process runs.

use crate::host::Host;
use crate::host::effect::Pid;
use crate::layout::Layout;
use crate::name::Profile;
use crate::record::intent;
use crate::record::json::{self, Reading};

/// The process that wrote it, and the gateway state it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SelfReport {
    pub(super) pid: Pid,
    pub(super) gateway_state: String,
}

impl SelfReport {
    pub(super) fn has_state(&self, gateway_state: &str) -> bool {
        self.gateway_state == gateway_state
    }
}

/// `None` if there is no report, if it cannot be read just now, or if its process has reported that it ends.
pub(super) async fn read(
    host: &impl Host,
    layout: &Layout,
    profile: &Profile,
) -> Option<SelfReport> {
    let reading = json::read(host, &layout.state(profile)).await;
    let state = reading.whole()?;
    let pid = state.get("pid").and_then(|number| number.as_i64()).and_then(Pid::new)?;
    let gateway_state = state.get("gateway_state")?.as_str()?.to_owned();
    Some(SelfReport { pid, gateway_state })
}

/// Has a gateway recorded since the operator's last request that it could not start? An older record says nothing about
/// a start that was just requested.
pub(super) async fn reports_startup_failure(
    host: &impl Host,
    layout: &Layout,
    profile: &Profile,
) -> bool {
    let asked = match intent::read(host, &layout.intent(profile)).await {
        Reading::Whole(record) => record.sequence,
        Reading::Missing => 0,
        Reading::Unusable(_) => return false,
    };
    let reading = json::read(host, &layout.state(profile)).await;
    let Some(reading) = reading.whole() else { return false };
    let number = |key: &str| reading.get(key).and_then(|value| value.as_u64()).unwrap_or(0);
    let gateway_state =
        reading.get("gateway_state").and_then(|gateway_state| gateway_state.as_str());
    let is_its_answer = number("intent_sequence") == asked || planted!(OldReportCounts);
    gateway_state == Some("startup_failed") && is_its_answer
}
