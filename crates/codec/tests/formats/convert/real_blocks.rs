//! Conversion of real blocks.

use super::geth::geth_rlp;
use alloy_primitives::keccak256;
use enshrine_codec::{Bundle, OwnedWitness, RawBlock};
use eyre::Result;
use wire::{ByteLists, ProtocolFork, StatelessInput};

#[test]
fn real_blocks_convert_with_their_header_hash() -> Result<()> {
    for testkit::vectors::Block { name, bundle } in
        testkit::vectors::blocks("blocks", "real blocks, converted")?
    {
        let block = RawBlock::decode(&bundle.block)?;
        assert_eq!(block.hash, keccak256(alloy_rlp::encode(&block.header)), "{name}");
        assert!(!block.transactions.is_empty(), "{name}");

        let bytes =
            block.to_input(ProtocolFork::Prague, bundle.chain_id, &bundle.witness, &[], &[])?;
        let input = StatelessInput::decode(&bytes)?;
        assert_eq!(input.request.payload.block_hash, block.hash, "{name}");
        assert_eq!(input.request.payload.transactions, ByteLists::from(&block.transactions));
        assert_eq!(input.witness, bundle.witness.view(), "{name}");
        assert_eq!(Bundle::from_json(bundle.to_json().as_bytes())?, bundle, "{name}");
    }
    Ok(())
}

#[test]
fn real_witnesses_survive_geth_rlp_roundtrip() -> Result<()> {
    for part in ["blocks", "negative"] {
        for testkit::vectors::Block { name, bundle } in
            testkit::vectors::blocks(part, "real witnesses, converted")?
        {
            let OwnedWitness { mut state, mut codes, mut headers } = bundle.witness.clone();
            headers.reverse();
            // Sorted by hash, which is as good as a random order.
            state.sort_by_key(|node| keccak256(node));
            codes.sort_by_key(|code| keccak256(code));
            let rlp = geth_rlp(&headers, &codes, &state);
            assert_eq!(OwnedWitness::from_geth_rlp(&rlp)?, bundle.witness, "{name}");
        }
    }
    Ok(())
}
