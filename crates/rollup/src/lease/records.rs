//! Records that the leaders of a rollup share in etcd.

use super::{
    Lease, LeaseError,
    messages::{self, Record, Requests},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use std::time::Duration;

/// Maximum length of a record in bytes. etcd limits a request to 1.5 MiB, and a record is encoded
/// as base64 in it.
pub const MAX_RECORD: usize = 512 << 10;
/// Number of records per request: first many, and if these are too long for a response, few.
const PAGES: [u64; 2] = [256, 4];
/// Maximum total length of the records that are read, in bytes, plus [`OVERHEAD`] for each. The
/// leader stops adding records at a lower limit.
const MAX_BYTES: usize = 128 << 20;
/// Memory of a record without content, in bytes.
const OVERHEAD: usize = 64;
/// Time limit of an addition or removal. Short because a signature waits for it; without the
/// signature, the block is built nevertheless.
const WRITE_LIMIT: Duration = Duration::from_millis(500);
/// Time limit of reading a page over all endpoints.
const LIMIT: Duration = Duration::from_millis(3_000);

const TXN: &str = "/v3/kv/txn";
const RANGE: &str = "/v3/kv/range";

/// Numbered records of a rollup's leaders. Only the holder of the lease can add or remove them:
/// each request compares the fencing token, so a former leader that resumes after a pause changes
/// nothing. Requests block the thread, which must not be one of the runtime.
#[derive(Debug, Clone)]
pub struct SharedRecords {
    lease: Lease,
    token: i64,
}

impl SharedRecords {
    /// Returns a handle for the current term of a lease.
    pub fn of(lease: &Lease) -> Self {
        Self { lease: lease.clone(), token: lease.token().unwrap_or_default() }
    }

    /// Returns `true` if the lease is still held in the same term.
    pub(crate) fn is_of(&self, lease: &Lease) -> bool {
        lease.token() == Some(self.token)
    }

    /// Reads the records from this number on. While the term lasts, they include all that earlier
    /// leaders have added.
    ///
    /// # Errors
    ///
    /// [`LeaseError`] if etcd does not respond, or if the records are malformed or too long.
    pub fn read(&self, from: u64) -> Result<Vec<Record>, LeaseError> {
        read_pages(from, |next, limit| self.page(next, limit))
    }

    /// Reads at most `limit` records from this number on.
    fn page(&self, from: u64, limit: u64) -> Result<Vec<Record>, LeaseError> {
        let response = self.post(RANGE, &self.range_request(from, limit), LIMIT)?;
        let page = messages::records(self.requests(), response.clone());
        page.filter(|page| is_ascending(page, from))
            .ok_or_else(|| self.lease.malformed(RANGE, &response))
    }

    /// Adds a record. If the response is lost, the record may still exist.
    ///
    /// # Errors
    ///
    /// [`LeaseError::RecordExists`] if there is a record with this number; [`LeaseError::Lost`] if
    /// the term has ended; [`LeaseError::RecordTooLong`]; or the error of the last etcd member.
    pub fn append(&self, number: u64, record: &[u8]) -> Result<(), LeaseError> {
        if record.len() > MAX_RECORD {
            return Err(LeaseError::RecordTooLong { got: record.len(), limit: MAX_RECORD });
        }
        let request = self.append_request(number, record);
        if self.commit(&request, WRITE_LIMIT)? {
            return Ok(());
        }
        Err(LeaseError::RecordExists { number })
    }

    /// Removes all records before this number.
    ///
    /// # Errors
    ///
    /// Same as [`Self::append`].
    pub fn remove_before(&self, number: u64) -> Result<(), LeaseError> {
        let request = self.remove_request(number);
        self.commit(&request, WRITE_LIMIT).map(|_| ())
    }

    /// Sends a transaction that compares the fencing token. Returns `false` if another comparison
    /// failed.
    fn commit(&self, request: &Value, limit: Duration) -> Result<bool, LeaseError> {
        let response = self.post(TXN, request, limit)?;
        let committed = messages::committed(self.requests(), response.clone());
        let committed = committed.ok_or_else(|| self.lease.malformed(TXN, &response))?;
        let holder = committed.election.leader.map(|(_, token)| token);
        if !committed.succeeded && holder != Some(self.token) {
            return Err(self.lease.lost(self.token));
        }
        Ok(committed.succeeded)
    }

    fn range_request(&self, from: u64, limit: u64) -> Value {
        let name = &self.requests().name;
        json!({
            "key": name.record(from),
            "range_end": name.records_end(),
            "limit": limit.to_string(),
            "sort_order": "ASCEND",
            "sort_target": "KEY",
        })
    }

    fn append_request(&self, number: u64, record: &[u8]) -> Value {
        let requests = self.requests();
        let key = requests.name.record(number);
        let is_new =
            json!({ "key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0" });
        json!({
            "compare": [requests.is_created_at(self.token), is_new],
            "success": [{ "request_put": { "key": key, "value": BASE64.encode(record) } }],
            "failure": [requests.holder()],
        })
    }

    fn remove_request(&self, before: u64) -> Value {
        let requests = self.requests();
        let Requests { name, .. } = requests;
        let range = json!({ "key": name.record(0), "range_end": name.record(before) });
        json!({
            "compare": [requests.is_created_at(self.token)],
            "success": [{ "request_delete_range": range }],
            "failure": [requests.holder()],
        })
    }

    fn requests(&self) -> &Requests {
        self.lease.requests()
    }

    fn post(&self, path: &'static str, body: &Value, limit: Duration) -> Result<Value, LeaseError> {
        self.lease.post(self.token, path, body, limit)
    }
}

/// Reads all records from this number on, in pages: `read(next, limit)` returns at most `limit`
/// records from `next` on. Only the time for each page is limited, because a limit for all pages
/// would prevent any node from leading once the journal takes longer.
fn read_pages(
    from: u64,
    mut read: impl FnMut(u64, u64) -> Result<Vec<Record>, LeaseError>,
) -> Result<Vec<Record>, LeaseError> {
    let (mut all, mut bytes, mut next) = (Vec::<Record>::new(), 0, from);
    let [many, few] = PAGES;
    let mut limit = many;
    loop {
        let page = match read(next, limit) {
            // The following records are probably as long.
            Err(error) if error.is_too_long() && limit > few => {
                limit = few;
                continue;
            }
            page => page?,
        };
        let Some(last) = page.last() else { return Ok(all) };
        let after = last.number.checked_add(1);
        bytes += page.iter().map(|record| record.bytes.len() + OVERHEAD).sum::<usize>();
        if bytes > MAX_BYTES {
            return Err(LeaseError::RecordsTooLong { got: bytes, limit: MAX_BYTES });
        }
        let is_last = (page.len() as u64) < limit;
        all.extend(page);
        match after {
            Some(after) if !is_last => next = after,
            _ => return Ok(all),
        }
    }
}

/// Returns `true` if the numbers ascend from `from` on, so that reading terminates.
fn is_ascending(page: &[Record], from: u64) -> bool {
    page.first().is_none_or(|first| first.number >= from)
        && page.is_sorted_by(|one, next| one.number < next.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_any_number_must_ascend() {
        for (numbers, is_valid) in [
            (&[][..], true),
            (&[7, 8, 20], true),
            (&[9, 10], true),
            (&[u64::MAX - 1, u64::MAX], true),
            (&[6, 8], false),
            (&[7, 7], false),
            (&[9, 8], false),
        ] {
            let record = |number: &u64| Record { number: *number, bytes: Default::default() };
            let page: Vec<_> = numbers.iter().map(record).collect();
            assert_eq!(is_ascending(&page, 7), is_valid, "{numbers:?}");
        }
        let last = Record { number: u64::MAX, bytes: Default::default() };
        assert!(is_ascending(&[last], u64::MAX), "no number after it");
    }

    /// Also if the records are empty.
    #[test]
    fn endless_records_are_bounded() {
        let records = |from: u64, count: u64, length: usize| -> Vec<Record> {
            let bytes = alloy_primitives::Bytes::from(vec![7; length]);
            (from..from + count).map(|number| Record { number, bytes: bytes.clone() }).collect()
        };
        for length in [0, 1_000, 200_000] {
            let mut count = 0;
            let read = read_pages(0, |from, limit| {
                assert!(count <= MAX_BYTES / OVERHEAD);
                count += limit as usize;
                Ok(records(from, limit, length))
            });
            let got = match read {
                Err(LeaseError::RecordsTooLong { got, limit: MAX_BYTES }) => got,
                other => panic!("{:?}", other.map(|page| page.len())),
            };
            let page = PAGES[0] as usize * (length + OVERHEAD);
            assert!(got <= MAX_BYTES + page, "{got} bytes of records with {length}");
            let read = read_pages(7, |from, limit| {
                Ok(records(from, if from < 519 { limit } else { 3 }, length))
            });
            assert_eq!(read.unwrap().len(), 515);
        }
    }

    /// Only the first page that is too long is requested twice.
    #[test]
    fn long_records_are_read_in_short_pages() {
        let mut requests = 0;
        let read = read_pages(0, |from, limit| {
            requests += 1;
            if limit > 4 {
                return Err(LeaseError::TooLong {
                    url: (&reqwest::Url::parse("http://etcd").unwrap()).into(),
                    limit: 1,
                });
            }
            let numbers = from..(from + limit).min(10);
            Ok(numbers.map(|number| Record { number, bytes: vec![7; 9].into() }).collect())
        });
        assert_eq!((read.unwrap().len(), requests), (10, 4));
        let too_long = || LeaseError::TooLong {
            url: (&reqwest::Url::parse("http://etcd").unwrap()).into(),
            limit: 1,
        };
        assert!(read_pages(0, |_, _| Err(too_long())).is_err_and(|error| error.is_too_long()));
    }
}
