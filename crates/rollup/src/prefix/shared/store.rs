//! An ideal store of records, for tests.

use super::*;
use crate::lease::MAX_RECORD;
use alloy_primitives::Bytes;
use client::RedactedUrl;
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Fate of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    /// The record is added, and the response is lost.
    Unanswered,
    Lost,
}

/// The records, to which only the leader of the current term may add.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) term: u64,
    records: BTreeMap<u64, Bytes>,
    pub(super) fate: Option<Fate>,
}

impl Store {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }
}

/// Handle of the leader of a term.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) store: Arc<Mutex<Store>>,
    pub(super) term: u64,
}

impl Records for Handle {
    fn read(&self, from: u64) -> Result<Vec<Record>, LeaseError> {
        let store = self.store.lock();
        let records = store.records.range(from..);
        Ok(records
            .map(|(number, bytes)| Record { number: *number, bytes: bytes.clone() })
            .collect())
    }

    fn append(&self, number: u64, record: &[u8]) -> Result<(), LeaseError> {
        if record.len() > MAX_RECORD {
            return Err(LeaseError::RecordTooLong { got: record.len(), limit: MAX_RECORD });
        }
        let mut store = self.store.lock();
        let fate = store.fate.take().unwrap_or(Fate::Answered);
        let silent = LeaseError::Timeout {
            url: RedactedUrl::new("http://127.0.0.1:2379"),
            limit: Duration::ZERO,
        };
        if fate == Fate::Lost {
            return Err(silent);
        }
        if store.term != self.term {
            return Err(LeaseError::Lost { token: 0 });
        }
        if store.records.contains_key(&number) {
            return Err(LeaseError::RecordExists { number });
        }
        store.records.insert(number, record.to_vec().into());
        if fate == Fate::Answered { Ok(()) } else { Err(silent) }
    }

    fn remove_before(&self, number: u64) -> Result<(), LeaseError> {
        let mut store = self.store.lock();
        store.records = store.records.split_off(&number);
        Ok(())
    }
}
