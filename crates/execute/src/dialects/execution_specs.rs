//! The execution-specs dialect.

use super::{Answer, Dialect, PrecompileCall};
use crate::{EXECUTE_ADDRESS, ExecuteError, Executed, Refused};
use alloc::borrow::Cow;
use alloy_primitives::{Address, Bytes};

/// EXECUTE for calldata that is the stateless input itself, or a batch. A valid block returns the
/// 43-byte result; for an invalid one the call fails.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExecutionSpecs;

impl Dialect for ExecutionSpecs {
    fn name(&self) -> &'static str {
        "EXECUTE"
    }

    fn address(&self) -> Address {
        EXECUTE_ADDRESS
    }

    fn input<'c>(&self, call: &PrecompileCall<'c>) -> Result<Cow<'c, [u8]>, ExecuteError> {
        Ok(Cow::Borrowed(call.calldata))
    }

    fn answer(&self, _: &[u8], outcome: Result<Executed, Refused>) -> Result<Answer, ExecuteError> {
        let executed = outcome.map_err(|refused| refused.reason)?;
        let output = Bytes::copy_from_slice(&executed.result.encode());
        Ok(Answer { gas: executed.gas, output })
    }
}
