//! Results of checks of a configuration.

use core::fmt;
use serde::Serialize;

/// Result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckOutcome {
    /// The check passed.
    Passed,
    /// The node starts, but cannot do all of its work until this is fixed.
    Warning,
    /// The node does not start.
    Refused,
}

/// A check with its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Name of the check.
    pub name: &'static str,
    /// Outcome of the check.
    pub verdict: CheckOutcome,
    /// Found value.
    pub got: String,
    /// Expected value.
    pub expected: String,
    /// Advice for the operator, unless the check passed.
    pub advice: Option<&'static str>,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, got, expected, .. } = self;
        write!(f, "{name}: {got}, expected {expected}")?;
        self.advice.map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

impl Check {
    pub(crate) fn passed(name: &'static str, got: String, expected: impl Into<String>) -> Self {
        Self { name, verdict: CheckOutcome::Passed, got, expected: expected.into(), advice: None }
    }

    pub(crate) fn with(self, verdict: CheckOutcome, advice: &'static str) -> Self {
        Self { verdict, advice: Some(advice), ..self }
    }
}
