//! EXECUTE on one and on two threads, with cached verdicts.

use crate::{memo::Memo, signatures::KnownSenders};
use core::{fmt::Debug, num::NonZeroUsize};
use execute::{Execute, ExecuteError, Executed};
use std::sync::Arc;

/// Verdict of EXECUTE on a call.
pub(crate) type Verdict = Result<Executed, ExecuteError>;

/// EXECUTE with fixed parameters, and a cache of its verdicts.
#[derive(Debug)]
pub(crate) struct CachedExecute {
    /// EXECUTE on one thread.
    pub(crate) execute: Execute,
    /// EXECUTE on two threads.
    shared: Execute,
    verdicts: Memo<Arc<Verdict>>,
}

impl CachedExecute {
    /// Creates an instance with the parameters of `execute`.
    pub(crate) fn new(execute: Execute) -> Self {
        let execute = Execute { cryptography: &KnownSenders, ..execute };
        let shared = Execute { threads: NonZeroUsize::MIN.saturating_add(1), ..execute.clone() };
        Self { execute, shared, verdicts: Memo::new(1 << 11) }
    }

    /// Returns the verdict on a call with unlimited gas.
    ///
    /// # Panics
    ///
    /// If the call causes an internal error, or if the verdict depends on the number of threads.
    /// The latter is only checked for [a sample of the calls](is_in_sample).
    pub(crate) fn verdict(&self, calldata: &[u8]) -> Arc<Verdict> {
        self.verdicts.get_or(calldata, || {
            let alone = self.execute.run(calldata, u64::MAX);
            assert_no_fault(&alone);
            if is_in_sample(calldata) {
                let shared = self.shared.run(calldata, u64::MAX);
                assert_eq!(seen(&alone), seen(&shared), "one thread and two");
            }
            alone.into()
        })
    }
}

/// Returns `true` for one in eight calls, the same ones in every process. Only these get the checks
/// that take as long as all others together.
pub(crate) fn is_in_sample(calldata: &[u8]) -> bool {
    calldata.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)).is_multiple_of(8)
}

/// Returns the part of a verdict that callers and chains can observe.
fn seen(verdict: &Verdict) -> Result<impl PartialEq + Debug + use<'_>, &ExecuteError> {
    verdict.as_ref().map(|verdict| {
        (
            verdict.result,
            verdict.gas,
            verdict.reserve,
            verdict.work,
            &verdict.verdict,
            &verdict.earlier,
        )
    })
}

/// Panics if the outcome is an internal error instead of a verdict.
pub(crate) fn assert_no_fault<T>(outcome: &Result<T, ExecuteError>) {
    if let Err(fault @ (ExecuteError::Panic(_) | ExecuteError::Internal(_))) = outcome {
        panic!("internal error: {fault}");
    }
}
