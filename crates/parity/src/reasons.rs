//! Reasons that differences are known to have.

use crate::{Difference, Record};

/// A known difference: where it may appear, and why it is there.
#[derive(Debug, Clone, Copy)]
pub struct Reason {
    /// Methods that it concerns; a trailing `*` stands for any end.
    pub methods: &'static [&'static str],
    /// Paths in the answer, with the same rule.
    pub paths: &'static [&'static str],
    /// A further condition on the difference.
    pub when: fn(&Record, &Difference) -> bool,
    /// Why, for a reader who knows Ethereum and not this code.
    pub why: &'static str,
}

/// All of them. The first that fits explains a difference.
pub const REASONS: &[Reason] = &[];

/// The reason of a difference, if it has one.
pub fn reason(record: &Record, difference: &Difference) -> Option<&'static Reason> {
    REASONS.iter().find(|reason| {
        reason.methods.iter().any(|pattern| fits(pattern, &record.method))
            && reason.paths.iter().any(|pattern| fits(pattern, &difference.path))
            && (reason.when)(record, difference)
    })
}

fn fits(pattern: &str, text: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == text, |start| text.starts_with(start))
}
