//! Why an execution failed: its kind, and what was observed.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::invariants::Violation;
use crate::scenario::Invariant;

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// An invariant is violated.
    Invariant(Invariant),
    /// An expectation of the scenario itself does not hold.
    Expectation,
    /// The same choices did not give the same execution twice.
    Determinism,
    /// The simulator itself panicked.
    Simulator,
}

impl FailureKind {
    /// What should have held.
    pub fn statement(self) -> &'static str {
        match self {
            Self::Invariant(invariant) => invariant.statement(),
            Self::Expectation => "every expectation of the scenario holds",
            Self::Determinism => "the same choices give the same execution",
            Self::Simulator => "the simulator itself does not panic",
        }
    }

    /// Why it should hold.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Invariant(invariant) => invariant.reason(),
            Self::Expectation => "the scenario says what must come of it",
            Self::Determinism => "a failure that cannot be replayed cannot be understood",
            Self::Simulator => "a search that panics has checked nothing",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invariant(invariant) => invariant.fmt(formatter),
            Self::Expectation => formatter.write_str("expect"),
            Self::Determinism => formatter.write_str("determinism"),
            Self::Simulator => formatter.write_str("simulator"),
        }
    }
}

impl Serialize for FailureKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The failure of an execution.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Failure {
    /// What failed.
    pub kind: FailureKind,
    /// The expectation of the scenario that failed: its step, and the part of it. Empty for the other kinds.
    pub expectation: String,
    /// What was observed.
    pub detail: String,
}

impl Failure {
    /// A failure that is no failed expectation.
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self { kind, expectation: String::new(), detail: detail.into() }
    }

    /// A violated invariant.
    pub fn violation(invariant: Invariant, detail: impl Into<String>) -> Self {
        Self::new(FailureKind::Invariant(invariant), detail)
    }

    /// Is it the same invariant, or the same expectation? The detail may differ.
    pub fn is_same_failure(&self, other: &Self) -> bool {
        self.kind == other.kind && self.expectation == other.expectation
    }
}

impl From<Violation> for Failure {
    fn from(violation: Violation) -> Self {
        Self::violation(violation.invariant, violation.detail)
    }
}
