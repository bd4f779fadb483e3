//! Pages of lists, newest first.

use super::error::evidence;
use alloy_primitives::Address;
use rpc::{Number, RpcError};
use serde::Deserialize;
use std::time::{Duration, Instant};

/// Maximum number of entries of a page.
const MAX_LIMIT: u64 = 100;
/// Number of entries of a page by default.
const LIMIT: u64 = 25;
/// Maximum number of records that a request looks at.
const MAX_SCANNED: u64 = 100_000;
/// Maximum time for which a request looks at records.
const SCAN_TIME: Duration = Duration::from_millis(10);

/// Parameters of a page, as they arrive.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Filter {
    account: Option<Address>,
    sender: Option<Address>,
    before: Option<Number>,
    limit: Option<Number>,
}

/// Parameters of a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// Account that the entries concern.
    pub(super) account: Option<Address>,
    before: u64,
    limit: u64,
}

impl Page {
    /// Checks the parameters. The account is in the field `account` or `sender`, as `by_sender`
    /// says.
    pub(super) fn new(filter: Filter, by_sender: bool) -> Result<Self, RpcError> {
        let Filter { account, sender, before, limit } = filter;
        let (account, other, name) = match by_sender {
            true => (sender, account, "account"),
            false => (account, sender, "sender"),
        };
        if other.is_some() {
            return Err(RpcError::params(format!("unknown field `{name}`")));
        }
        let limit = limit.map_or(Ok(LIMIT), Number::u64)?;
        if !(1..=MAX_LIMIT).contains(&limit) {
            let error = RpcError::params(format!("limit {limit} is not from 1 to {MAX_LIMIT}"));
            return Err(evidence(error, limit, MAX_LIMIT));
        }
        let before = before.map_or(Ok(u64::MAX), Number::u64)?;
        Ok(Self { account, before, limit })
    }

    /// Walks back over the indexes from `first` to below `len`, and returns the listed ones of the
    /// page with the cursor of the next page.
    pub(super) fn walk(
        &self,
        first: u64,
        len: u64,
        mut is_listed: impl FnMut(u64) -> bool,
    ) -> (Vec<u64>, Option<u64>) {
        let begun = Instant::now();
        let (mut found, mut at) = (Vec::new(), self.before.min(len));
        let mut scanned = 0;
        while at > first {
            let is_full = found.len() as u64 == self.limit || scanned == MAX_SCANNED;
            // The clock is read rarely: reading it takes longer than looking at a record.
            if is_full || (scanned % 1_024 == 1_023 && begun.elapsed() > SCAN_TIME) {
                return (found, Some(at));
            }
            at -= 1;
            scanned += 1;
            if is_listed(at) {
                found.push(at);
            }
        }
        (found, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Result<Page, RpcError> {
        Page::new(serde_json::from_str(text).unwrap(), false)
    }

    #[test]
    fn pages_list_each_entry_once() {
        for limit in [1, 3, 7, 100] {
            let (mut all, mut before) = (Vec::new(), u64::MAX);
            loop {
                let page = page(&format!(r#"{{"before": "{before:#x}", "limit": "{limit:#x}"}}"#))
                    .unwrap();
                let (found, next) = page.walk(2, 20, |index| index % 3 == 0);
                assert!(found.len() as u64 <= limit);
                all.extend(found);
                let Some(next) = next else { break };
                assert!(next < before);
                before = next;
            }
            assert_eq!(all, [18, 15, 12, 9, 6, 3], "{limit}");
        }
    }

    #[test]
    fn long_scan_ends_with_cursor() {
        let page = page("{}").unwrap();
        let (found, next) = page.walk(0, u64::MAX, |_| false);
        assert!(found.is_empty());
        let next = next.unwrap();
        assert!((u64::MAX - MAX_SCANNED..u64::MAX).contains(&next), "{next}");
        assert_eq!(page.walk(0, 0, |_| true), (vec![], None));
    }

    #[test]
    fn limits_out_of_range_are_rejected() {
        for limit in ["0x0", "0x65", "0xffffffffffffffff"] {
            let error = page(&format!(r#"{{"limit": "{limit}"}}"#)).unwrap_err();
            assert_eq!((error.code, error.data.unwrap()["got"].as_str()), (-32_602, Some(limit)));
        }
        page(r#"{"limit": "0x64"}"#).unwrap();
        page(r#"{"limit": "0x1"}"#).unwrap();
        let sender = r#"{"sender": "0x0000000000000000000000000000000000000000"}"#;
        assert!(page(sender).is_err());
        assert!(Page::new(serde_json::from_str(sender).unwrap(), true).is_ok());
        assert!(page(r#"{"before": "0x10000000000000000"}"#).is_err());
    }
}
