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
/// Maximum number of records that a request scans.
const MAX_SCANNED: u64 = 100_000;
/// Maximum time for which a request scans records.
const SCAN_TIME: Duration = Duration::from_millis(10);

/// Unchecked parameters of a page.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Filter {
    account: Option<Address>,
    sender: Option<Address>,
    before: Option<Number>,
    limit: Option<Number>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// Account that the entries concern.
    pub(super) account: Option<Address>,
    before: u64,
    limit: u64,
}

/// Remaining scan budget of a request.
#[derive(Debug)]
pub(super) struct Budget {
    begun: Instant,
    time: Duration,
    scanned: u64,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), time: SCAN_TIME, scanned: 0 }
    }

    fn is_spent(&self) -> bool {
        self.scanned >= MAX_SCANNED || self.begun.elapsed() > self.time
    }

    /// Counts a record. Returns `false` if the budget is exhausted.
    fn scan(&mut self) -> bool {
        // The clock is read rarely, because that takes longer than scanning a record.
        let reads_clock = self.scanned % 1_024 == 1_023;
        if self.scanned >= MAX_SCANNED || (reads_clock && self.is_spent()) {
            return false;
        }
        self.scanned += 1;
        true
    }
}

impl Page {
    /// Checks the parameters. The account is in the field `sender` if `by_sender`, or else in
    /// `account`.
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

    /// Scans the indexes in `first..len` backwards, and returns those of the page and the cursor of
    /// the next page.
    pub(super) fn walk(
        &self,
        first: u64,
        len: u64,
        budget: &mut Budget,
        mut is_listed: impl FnMut(u64) -> bool,
    ) -> (Vec<u64>, Option<u64>) {
        let (mut found, mut at) = (Vec::new(), self.before.min(len));
        while at > first {
            if found.len() as u64 == self.limit || !budget.scan() {
                return (found, Some(at));
            }
            at -= 1;
            if is_listed(at) {
                found.push(at);
            }
        }
        (found, None)
    }

    /// Fills the page with entries of successive parts. `read` returns the entries of a part, which
    /// may be fewer than the [walk](Self::walk) has found, and the cursor of the next part.
    pub(super) fn fill<T>(
        &self,
        mut budget: Budget,
        mut read: impl FnMut(&Self, &mut Budget) -> Result<(Vec<T>, Option<u64>), RpcError>,
    ) -> Result<(Vec<T>, Option<u64>), RpcError> {
        let (mut all, mut rest) = (Vec::new(), *self);
        loop {
            let (found, next) = read(&rest, &mut budget)?;
            all.extend(found);
            rest.limit = self.limit.saturating_sub(all.len() as u64);
            match next {
                Some(before) if rest.limit > 0 && !budget.is_spent() => rest.before = before,
                _ => return Ok((all, next)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Result<Page, RpcError> {
        Page::new(serde_json::from_str(text).unwrap(), false)
    }

    fn unbounded_budget() -> Budget {
        Budget { time: Duration::MAX, ..Budget::new() }
    }

    #[test]
    fn pages_list_each_entry_once() {
        for limit in [1, 3, 7, 100] {
            let (mut all, mut before) = (Vec::new(), u64::MAX);
            loop {
                let page = page(&format!(r#"{{"before": "{before:#x}", "limit": "{limit:#x}"}}"#))
                    .unwrap();
                let (found, next) = page.walk(2, 20, &mut Budget::new(), |index| index % 3 == 0);
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
        let (found, next) = page.walk(0, u64::MAX, &mut Budget::new(), |_| false);
        assert!(found.is_empty());
        let next = next.unwrap();
        assert!((u64::MAX - MAX_SCANNED..u64::MAX).contains(&next), "{next}");
        assert_eq!(page.walk(0, 0, &mut Budget::new(), |_| true), (vec![], None));
    }

    /// Most entries that a walk finds may belong to other accounts.
    #[test]
    fn pages_are_full_despite_foreign_entries() {
        for (limit, expected) in [
            (1, (vec![90], Some(90))),
            (2, (vec![90, 80], Some(80))),
            (9, ((1..10).map(|index| 100 - 10 * index).collect(), Some(10))),
            (10, ((0..10).map(|index| 90 - 10 * index).collect(), None)),
            (100, ((0..10).map(|index| 90 - 10 * index).collect(), None)),
        ] {
            let page = page(&format!(r#"{{"limit": "{limit:#x}"}}"#)).unwrap();
            let filled = page.fill(unbounded_budget(), |page, budget| {
                let (mut found, next) = page.walk(0, 100, budget, |_| true);
                assert!(found.len() <= limit);
                found.retain(|index| index % 10 == 0);
                Ok((found, next))
            });
            assert_eq!(filled.unwrap(), expected, "{limit}");
        }
        // The walk ends even if all entries are foreign.
        let (found, next) = page("{}")
            .unwrap()
            .fill(unbounded_budget(), |page, budget| {
                let (_, next) = page.walk(0, u64::MAX, budget, |_| true);
                Ok((Vec::<()>::new(), next))
            })
            .unwrap();
        assert_eq!((found.len(), next), (0, Some(u64::MAX - MAX_SCANNED)));
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
