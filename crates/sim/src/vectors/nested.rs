//! Blocks of an L2 that has EXECUTE itself.

use super::{
    blocks::FORKS,
    forms::{Cases, Expected},
    world::{Content, World},
};
use alloy_primitives::{B256, U256};
use codec::Encode as _;
use eyre::{Result, ensure};
use variants::{DialectCall, DialectName};
use wire::{ByteLists, StatelessInput};

/// Adds blocks with a call of EXECUTE that succeeds, and with calls that fail there: these blocks are valid too.
pub(super) fn add(cases: &mut Cases) -> Result<()> {
    for fork in FORKS {
        let l3 = World::new(fork)?.block(Content::Transfers(24))?;
        let mut forged = StatelessInput::decode(&l3)?;
        forged.request.payload.block_hash = B256::ZERO;
        let forged = forged.encode();
        let fourth = DialectName::Nested.encode(&l3)?.calldata;
        for (what, input, stored) in [
            ("a call with a block of an L3", &l3, 44),
            ("a call with a forged block of an L3", &forged, 0),
            ("a call with a block of an L3 that has EXECUTE", &fourth, 0),
        ] {
            let (block, got) = World::with_execute(fork)?.execute(input)?;
            let stored = U256::from(stored);
            ensure!(got == stored, "{fork}, {what}: got {got} in the slot, expected {stored}");
            let name = format!("{fork} block, {what}");
            let call = DialectName::Nested.encode(&block)?;
            cases.accepted(&name, &fork.to_string(), "default", &call)?;
            // The address is that of an empty account on an L2 without EXECUTE, and the call takes other gas.
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
