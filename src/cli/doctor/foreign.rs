//! The risks of gateways under a foreign s6 tree: one named warning each.

use super::Finding;

/// Guarantees that our own image gives, and a scan directory of another user's s6 does not.
const COSTS: [(&str, &str); 5] = [
    (
        "scripts",
        "the slots are hermes' files, and their scripts start as that user: whoever is hermes here can be that user",
    ),
    (
        "control",
        "the one FIFO that tells of new slots stops every service, too: hermes can end the container",
    ),
    (
        "stop",
        "that s6 stops gateways in its own order and time: HERMES_STOP_GRACE is not heeded, and a drain may be cut short",
    ),
    (
        "owners",
        "no boot mends the owners of files below the home: what root leaves there, hermes cannot read",
    ),
    (
        "deleted slots",
        "what the supervisors of a deleted profile leave is not ours to remove: it stays, hidden, until the container starts anew",
    ),
];

/// The findings about a tree of this user's.
pub(super) fn findings(about: &str, owner: u32) -> Vec<Finding> {
    let message = format!("its s6-svscan runs as uid {owner}, and listens to us");
    let costs = COSTS.map(|(name, cost)| Finding::warning(format!("foreign tree, {name}"), cost));
    std::iter::once(Finding::warning(about, message)).chain(costs).collect()
}
