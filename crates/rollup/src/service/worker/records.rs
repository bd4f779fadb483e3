//! Reading of the records of earlier leaders from etcd.

use crate::{
    batcher::BatcherError,
    lease::{Lease, LeaseError, Record, SharedRecords},
    prefix::{PrefixError, Records},
    probe::{Probe, ProbePanicked},
    rpc::error::RoleError,
};
use parking_lot::Mutex;

/// Records that another thread is reading in the current term, so that a slow etcd does not block
/// the node.
#[derive(Debug)]
pub(super) struct PendingRecords {
    records: SharedRecords,
    probe: Probe<Result<Vec<Record>, LeaseError>>,
}

/// Records of earlier leaders and of this one.
#[derive(Debug)]
pub(super) struct TermRecords {
    records: SharedRecords,
    /// Records of earlier leaders, until the journal has read them.
    read: Mutex<Option<Vec<Record>>>,
}

impl PendingRecords {
    /// Starts to read.
    ///
    /// # Errors
    ///
    /// [`RoleError::Unready`] if the operating system cannot create a thread.
    pub(super) fn start(lease: &Lease) -> Result<Self, RoleError> {
        let records = SharedRecords::of(lease);
        let log = records.clone();
        let probe = Probe::spawn(move || log.read(0)).map_err(BatcherError::NoThread)?;
        Ok(Self { records, probe })
    }

    /// Returns `true` if they belong to the current term of this lease.
    pub(super) fn is_of(&self, lease: &Lease) -> bool {
        self.records.is_of(lease)
    }

    /// Returns the records, or `self` while they are being read.
    pub(super) fn read(self) -> Result<Result<TermRecords, RoleError>, Self> {
        let Some(result) = self.probe.response() else { return Err(self) };
        let records = self.records;
        Ok(match result {
            Ok(Ok(read)) => Ok(TermRecords { records, read: Mutex::new(Some(read)) }),
            Ok(Err(error)) => Err(PrefixError::NotShared(error).into()),
            Err(ProbePanicked) => Err(RoleError::Silent),
        })
    }
}

impl TermRecords {
    /// Returns `true` if the term in which they were read has not ended.
    pub(super) fn is_of(&self, lease: &Lease) -> bool {
        self.records.is_of(lease)
    }
}

impl Records for TermRecords {
    fn read(&self, from: u64) -> Result<Vec<Record>, LeaseError> {
        match self.read.lock().take() {
            Some(read) if from == 0 => Ok(read),
            _ => self.records.read(from),
        }
    }

    fn append(&self, number: u64, record: &[u8]) -> Result<(), LeaseError> {
        self.records.append(number, record)
    }

    fn remove_before(&self, number: u64) -> Result<(), LeaseError> {
        self.records.remove_before(number)
    }
}
