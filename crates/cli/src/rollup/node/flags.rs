//! Checks of the values of flags.

use eyre::{Report, Result, ensure, eyre};
use std::{ops::RangeInclusive, time::Duration};

pub(super) fn missing(flag: &str) -> Report {
    eyre!("{flag} is missing, and it has no default")
}

/// Returns a required value, or the error that it is missing.
pub(super) fn required<T>(flag: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| missing(flag))
}

/// Splits a comma-separated list.
pub(super) fn urls(list: &str) -> Vec<String> {
    list.split(',').map(|url| url.trim().to_owned()).collect()
}

/// Rejects a number outside its range; the error contains the reason for the range.
pub(super) fn within(
    flag: &str,
    value: Option<u64>,
    range: RangeInclusive<u64>,
    reason: &str,
) -> Result<()> {
    let (got, least, most) = (required(flag, value)?, range.start(), range.end());
    ensure!(range.contains(&got), "{flag}: {got}, expected {least} to {most}: {reason}");
    Ok(())
}

pub(super) fn milliseconds(flag: &str, value: Option<u64>) -> Result<Duration> {
    required(flag, value).map(Duration::from_millis)
}
