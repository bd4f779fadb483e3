//! Blocks of an L2 that has EXECUTE.

use crate::ExecuteExtension;
use alloy_primitives::{Address, Bytes};
use core::num::NonZeroUsize;
use execute::{
    Answer, Dialect, EXECUTE_ADDRESS, Execute, ExecuteError, Executed, ExecutionSpecs,
    PrecompileCall, Refused,
};
use executor::{EvmOverrides, SystemCode};
use std::{borrow::Cow, sync::Arc};
use wire::{ProtocolFork, SchemaId, StatelessResult};

/// Revision in the schema id of an input whose block is executed with EXECUTE at its default
/// address.
pub const NESTED_REVISION: u8 = 0x02;
/// Position of the revision in an input.
const REVISION_AT: usize = 1;

/// EXECUTE in the execution-specs dialect, and with an additional revision of each schema id
/// ([`NESTED_REVISION`]) for single blocks of an L2 that has EXECUTE at `0x…0101`, so that rollups
/// can run on that L2.
///
/// The two revisions of a block differ in the second byte of input and result. They belong to
/// different chains: in one of them the address is an empty account. A rollup contract must fix the
/// revision, or else the caller chooses it.
///
/// EXECUTE on the L2 accepts only the execution-specs dialect, with the prices, forks and rules of
/// L1, on one thread, without blobs, without a market, and without EXECUTE in its own blocks: the
/// depth is two. Its calls are paid for with gas of the L2's transactions, which is part of the
/// reserve that the call on L1 holds.
#[derive(Debug, Clone)]
pub struct Nested {
    l2: ExecuteExtension,
}

impl Nested {
    /// Creates the dialect for an L1 with this EXECUTE.
    pub fn new(l1: &Execute) -> Self {
        Self { l2: ExecuteExtension::new(Self::execute_of_l2(l1)) }
    }

    /// Returns the schema id for inputs of a fork on an L2 that has EXECUTE.
    pub const fn schema(fork: ProtocolFork) -> SchemaId {
        SchemaId::new(fork.schema().get() - SchemaId::REVISION + NESTED_REVISION as u16)
    }

    /// Returns the EXECUTE of an L2 under an L1 with this EXECUTE.
    pub fn execute_of_l2(l1: &Execute) -> Execute {
        Execute {
            dialects: vec![Arc::new(ExecutionSpecs)],
            system_code: SystemCode::Canonical,
            threads: NonZeroUsize::MIN,
            observer: Arc::new(()),
            ..l1.clone()
        }
    }

    /// Returns the input under the revision of the execution-specs, or `None` if it does not have
    /// this dialect's revision.
    pub(crate) fn to_specs(input: &[u8]) -> Option<Vec<u8>> {
        is_nested(input).then(|| with_revision(input, SchemaId::REVISION as u8))
    }

    /// Returns the input of a single block under this dialect's revision, or `None` if it does not
    /// have the revision of the execution-specs.
    pub(crate) fn from_specs(input: &[u8]) -> Option<Vec<u8>> {
        (input.get(REVISION_AT).copied().map(u16::from) == Some(SchemaId::REVISION))
            .then(|| with_revision(input, NESTED_REVISION))
    }
}

fn is_nested(input: &[u8]) -> bool {
    input.get(REVISION_AT) == Some(&NESTED_REVISION)
}

fn with_revision(input: &[u8], revision: u8) -> Vec<u8> {
    let mut input = input.to_vec();
    input[REVISION_AT] = revision;
    input
}

impl Dialect for Nested {
    fn name(&self) -> &'static str {
        "EXECUTE (nested)"
    }

    fn address(&self) -> Address {
        EXECUTE_ADDRESS
    }

    fn input<'c>(&self, call: &PrecompileCall<'c>) -> Result<Cow<'c, [u8]>, ExecuteError> {
        // The copy is paid for: the price per byte covers decoding, which copies more.
        Ok(Self::to_specs(call.calldata).map_or(Cow::Borrowed(call.calldata), Cow::Owned))
    }

    fn evm(&self, call: &PrecompileCall<'_>) -> Box<dyn EvmOverrides> {
        if is_nested(call.calldata) { Box::new(self.l2.clone()) } else { Box::new(()) }
    }

    fn answer(
        &self,
        calldata: &[u8],
        outcome: Result<Executed, Refused>,
    ) -> Result<Answer, ExecuteError> {
        let mut answer = ExecutionSpecs.answer(calldata, outcome)?;
        if is_nested(calldata) {
            let mut output = answer.output.to_vec();
            // Little-endian: the revision is the first byte.
            output[StatelessResult::SCHEMA] = NESTED_REVISION;
            answer.output = Bytes::from(output);
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other system code could use 30 million gas in each L2 block that is not paid for on L1.
    #[test]
    fn execute_of_l2_demands_canonical_system_code() {
        for system_code in [SystemCode::Any, SystemCode::Canonical] {
            let threads = NonZeroUsize::new(8).unwrap();
            let l2 = Nested::execute_of_l2(&Execute { system_code, threads, ..Execute::default() });
            assert_eq!((l2.system_code, l2.threads.get()), (SystemCode::Canonical, 1));
            let [dialect] = &l2.dialects[..] else { panic!("{} dialects", l2.dialects.len()) };
            assert_eq!(dialect.name(), ExecutionSpecs.name());
        }
    }
}
