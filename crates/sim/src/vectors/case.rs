//! A call of EXECUTE in a file, and its outcome with this project's EXECUTE.

use super::carrier;
use alloy_primitives::{B256, Bytes};
use chain::ForkTimes;
use codec::{SignedExecuteTx, blob_tail::BLOB_LEN};
use execute::{Execute, PrecompileCall};
use executor::ChainSpec;
use eyre::{OptionExt as _, Result, WrapErr as _, ensure};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use testkit::Blobs;
use variants::{BlobSource, DialectName, Dialects, GasSchedule};

/// Content of a file: cases of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Vectors {
    /// Version of the file format.
    pub(super) format: u32,
    pub(super) cases: Vec<Case>,
}

impl Vectors {
    /// Current version of the file format.
    pub(super) const FORMAT: u32 = 1;
}

/// A call, and the answer that every EXECUTE must give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Case {
    /// Name, unique among the cases of all files.
    pub(super) name: String,
    pub(super) dialect: String,
    /// Fork of L1, or its fork schedule.
    pub(super) fork: String,
    /// Gas schedule.
    pub(super) schedule: String,
    /// Gas limit of the call.
    pub(super) gas: u64,
    /// Calldata.
    pub(super) input: Bytes,
    /// Blobs of the transaction with the call.
    pub(super) blobs: Vec<CarriedBlob>,
    /// Transaction of type `0x05` with the call; absent in all other dialects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) transaction: Option<Bytes>,
    /// Return data; absent if the call fails.
    pub(super) answer: Option<Bytes>,
    pub(super) gas_charged: u64,
    /// Reason of the rejection as an identifier; absent if the input is valid and the claim true.
    pub(super) reason: Option<String>,
    /// Name of the accepted case that differs only in what is rejected here.
    pub(super) neighbour: Option<String>,
}

/// A blob of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CarriedBlob {
    pub(super) versioned_hash: B256,
    /// Bytes of the blob without trailing zeros.
    pub(super) data: Bytes,
}

impl CarriedBlob {
    pub(super) fn of(blob: &[u8]) -> Result<Self> {
        let versioned_hash = Blobs::default().keep(blob)?;
        let length = blob.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Ok(Self { versioned_hash, data: Bytes::copy_from_slice(&blob[..length]) })
    }

    /// Returns all bytes of the blob.
    fn whole(&self) -> Vec<u8> {
        let mut blob = self.data.to_vec();
        blob.resize(BLOB_LEN, 0);
        blob
    }
}

/// Outcome of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) answer: Option<Bytes>,
    pub(super) gas_charged: u64,
    pub(super) reason: Option<String>,
    /// Gas that the call must have.
    pub(super) reserve: u64,
}

impl Case {
    /// Makes the call.
    ///
    /// # Errors
    ///
    /// If the case contains an unknown dialect, fork or schedule, or if a blob has another hash.
    pub(super) fn run(&self) -> Result<Outcome> {
        let dialect: DialectName = self.dialect.parse()?;
        let schedule: GasSchedule = self.schedule.parse()?;
        let forks: ForkTimes = self.fork.parse()?;
        let l1 = ChainSpec::scheduled(0, forks.first, &forks.timestamps((0, 0), None)?);
        let execute = Execute { gas: schedule.into(), ..Execute::following(l1) };

        let store = Blobs::default();
        for blob in &self.blobs {
            let (got, expected) = (blob.versioned_hash, store.keep(&blob.whole())?);
            ensure!(got == expected, "versioned hash {got}, expected {expected}");
        }
        let source: Arc<dyn BlobSource> = Arc::new(store);
        let own = Dialects::usual(&[dialect]).of(execute.clone(), &source).dialects.pop();
        let mut own = own.ok_or_eyre("a dialect")?;
        if let Some(transaction) = &self.transaction {
            own = carrier::dialect_in(SignedExecuteTx::decode(transaction)?);
        }
        let blob_hashes: Vec<_> = self.blobs.iter().map(|blob| blob.versioned_hash).collect();
        let call = PrecompileCall { calldata: &self.input, blob_hashes: &blob_hashes };

        let answer = execute.answer(&*own, call, self.gas);
        // A dialect that returns an answer for a rejected input does not report the reason, so it
        // is determined separately.
        let (reason, reserve) = match execute.run_as(&*own, call, self.gas, |_| {}) {
            Ok(executed) => {
                let claim = dialect.check_claim(&self.input, &executed);
                (claim.err().map(|error| error.kind()), executed.reserve)
            }
            Err(refused) => (Some(refused.reason.kind()), refused.gas),
        };
        let (answer, gas_charged) = match answer {
            Ok(answer) => (Some(answer.output), answer.gas),
            // A failed precompile call uses all its gas.
            Err(_) => (None, self.gas),
        };
        Ok(Outcome { answer, gas_charged, reason: reason.map(str::to_owned), reserve })
    }

    /// Compares the case with the outcome of this project's EXECUTE.
    ///
    /// # Errors
    ///
    /// If they differ, or as [`Self::run`].
    pub(super) fn check(&self) -> Result<()> {
        let got = self.run().wrap_err_with(|| self.name.clone())?;
        ensure!(
            (&got.answer, got.gas_charged, &got.reason)
                == (&self.answer, self.gas_charged, &self.reason),
            "{}: got answer {:?}, {} gas, reason {:?}; expected answer {:?}, {} gas, reason {:?}",
            self.name,
            got.answer,
            got.gas_charged,
            got.reason,
            self.answer,
            self.gas_charged,
            self.reason
        );
        Ok(())
    }
}
