//! Reading of the records that earlier leaders have left in etcd.

use crate::{
    batcher::BatcherError,
    lease::{Lease, LeaseError, Record, SharedRecords},
    prefix::{PrefixError, Records},
    probe::{Probe, Unanswered},
    rpc::error::RoleError,
};
use parking_lot::Mutex;

/// Records that another thread reads in the current term: the node follows L1 meanwhile, however
/// slow etcd is.
#[derive(Debug)]
pub(super) struct PendingRecords {
    records: SharedRecords,
    probe: Probe<Result<Vec<Record>, LeaseError>>,
}

/// Records of earlier leaders, and those of this one.
#[derive(Debug)]
pub(super) struct TermRecords {
    records: SharedRecords,
    /// Those of earlier leaders, until the journal takes them.
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
        let asked = records.clone();
        let probe = Probe::ask(move || asked.read(0)).map_err(BatcherError::NoThread)?;
        Ok(Self { records, probe })
    }

    /// Returns `true` if they are read in the current term of this lease.
    pub(super) fn is_of(&self, lease: &Lease) -> bool {
        self.records.is_of(lease)
    }

    /// Returns the records once they have been read, and itself before.
    pub(super) fn read(self) -> Result<Result<TermRecords, RoleError>, Self> {
        let Some(answer) = self.probe.answer() else { return Err(self) };
        let records = self.records;
        Ok(match answer {
            Ok(Ok(read)) => Ok(TermRecords { records, read: Mutex::new(Some(read)) }),
            Ok(Err(error)) => Err(PrefixError::NotShared(error).into()),
            Err(Unanswered) => Err(RoleError::Silent),
        })
    }
}

impl TermRecords {
    /// Returns `true` if the term in which they were read lasts.
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
