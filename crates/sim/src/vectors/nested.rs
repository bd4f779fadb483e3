//! Blocks of an L2 that itself has EXECUTE.

use super::{
    forms::{Cases, Expected},
    vector_chain::{Content, VectorChain},
};
use alloy_primitives::{B256, U256};
use codec::Encode as _;
use eyre::{Result, ensure};
use testkit::FORKS;
use variants::{DialectCall, DialectName};
use wire::{ByteLists, ProtocolFork, StatelessInput};

/// Returns L2 blocks with a successful and with a failed call of EXECUTE.
pub(crate) fn blocks(fork: ProtocolFork) -> Result<Vec<Vec<u8>>> {
    let l3 = VectorChain::new(fork)?.block(Content::Transfers(2))?;
    let forged = forged(&l3)?;
    let block = |input: &Vec<u8>| Ok(VectorChain::with_execute(fork)?.execute(input)?.0);
    [l3, forged].iter().map(block).collect()
}

/// Returns an input whose payload has another block hash.
fn forged(input: &[u8]) -> Result<Vec<u8>> {
    let mut forged = StatelessInput::decode(input)?;
    forged.request.payload.block_hash = B256::ZERO;
    Ok(forged.encode())
}

/// Adds blocks with a successful call of EXECUTE, and valid blocks with failed calls.
pub(super) fn add(cases: &mut Cases) -> Result<()> {
    for fork in FORKS {
        let l3 = VectorChain::new(fork)?.block(Content::Transfers(24))?;
        let forged = forged(&l3)?;
        let fourth = DialectName::Nested.encode(&l3)?.calldata;
        for (what, input, stored) in [
            ("a call with a block of an L3", &l3, 44),
            ("a call with a forged block of an L3", &forged, 0),
            ("a call with a block of an L3 that has EXECUTE", &fourth, 0),
        ] {
            let (block, got) = VectorChain::with_execute(fork)?.execute(input)?;
            let stored = U256::from(stored);
            ensure!(got == stored, "{fork}, {what}: got {got} in the slot, expected {stored}");
            let name = format!("{fork} block, {what}");
            let call = DialectName::Nested.encode(&block)?;
            cases.accepted(&name, &fork.to_string(), "default", &call)?;
            // On an L2 without EXECUTE the address is an empty account, and the call uses other
            // gas.
            let plain = DialectCall { calldata: block.clone(), blobs: Vec::new() };
            let expected = Expected::Failed("amount");
            cases.refused("of an L2 without EXECUTE", &name, expected, &plain)?;
            let mut bare = StatelessInput::decode(&block)?;
            bare.witness.state = ByteLists::EMPTY;
            let call = DialectName::Nested.encode(&bare.encode())?;
            cases.refused("no nodes", &name, Expected::Failed("missingNode"), &call)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Bytes;
    use execute::{Execute, ExecuteError, PrecompileCall};
    use std::sync::Arc;
    use testkit::Blobs;
    use variants::{BlobSource, Dialects};

    /// Makes a call in a dialect on an L1 that also has the dialects `beside`. Returns the answer
    /// and the charge.
    fn answer(
        fork: ProtocolFork,
        beside: &[DialectName],
        dialect: DialectName,
        call: &DialectCall,
    ) -> Result<(Bytes, u64), ExecuteError> {
        let held = Blobs::default();
        let hashes = call.blobs.iter().map(|blob| held.keep(blob).unwrap());
        let blob_hashes: Vec<_> = hashes.collect();
        let source: Arc<dyn BlobSource> = Arc::new(held);
        let execute = Dialects::usual(beside).of(Execute::on(fork), &source);
        let own =
            execute.dialects.iter().find(|known| known.address() == dialect.address()).unwrap();
        let call = PrecompileCall { calldata: &call.calldata, blob_hashes: &blob_hashes };
        execute
            .answer(&**own, call, super::super::forms::PLENTY)
            .map(|answer| (answer.output, answer.gas))
    }

    #[test]
    fn blob_and_calldata_inputs_get_equal_answers() -> Result<()> {
        let (fork, both) = (ProtocolFork::Osaka, [DialectName::Nested, DialectName::Blobs]);
        let answer = |beside: &[_], dialect, call: &_| answer(fork, beside, dialect, call);
        let l3 = VectorChain::new(fork)?.block(Content::Transfers(24))?;
        let (block, _) = VectorChain::with_execute(fork)?.execute(&l3)?;
        let nested = DialectName::Nested.encode(&block)?;
        let in_blobs = DialectName::Blobs.encode(&nested.calldata)?;
        assert!(!in_blobs.blobs.is_empty() && in_blobs.calldata.len() < nested.calldata.len());
        assert_eq!(DialectName::Blobs.decode(&in_blobs.calldata, &in_blobs.blobs)?, block);

        let (expected, _) = answer(&both, DialectName::Nested, &nested)?;
        let (got, _) = answer(&both, DialectName::Blobs, &in_blobs)?;
        assert_eq!(got, expected);
        let alone = answer(&[DialectName::Blobs], DialectName::Blobs, &in_blobs);
        assert_eq!(alone.unwrap_err().kind(), "decode");

        // With the other revision in its schema id, it is a block of an L2 without EXECUTE.
        let plain = DialectName::Blobs.encode(&block)?;
        assert_eq!(answer(&both, DialectName::Blobs, &plain).unwrap_err().kind(), "amount");
        let l3 = DialectName::Blobs.encode(&l3)?;
        let alone = answer(&[DialectName::Blobs], DialectName::Blobs, &l3)?;
        assert_eq!(answer(&both, DialectName::Blobs, &l3)?, alone);
        Ok(())
    }
}
