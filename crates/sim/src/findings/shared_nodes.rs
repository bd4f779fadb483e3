//! Blocks that read slots of a storage in which every path consists of the same 65 nodes.

use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, U256, keccak256};
use execute::Execute;
use eyre::{Result, eyre};
use revm::bytecode::opcode as op;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use testkit::{ETHER, Forgery, Key, eip1559, rich_genesis, uniform_storage};
use wire::{ProtocolFork, StatelessInput};

/// Numbers of slots that a block reads.
const SLOTS: [u8; 7] = [1, 2, 4, 8, 16, 32, 64];
const FORK: ProtocolFork = ProtocolFork::Osaka;
const READER: Address = Address::repeat_byte(0x77);

/// Returns, by number of slots: positions of nodes on their paths, bytes and nodes of the input,
/// and what EXECUTE charges in all and for the repeated positions.
pub(super) fn figures() -> Result<Value> {
    let mut all = Map::new();
    for slots in SLOTS {
        let input = block(slots)?;
        let nodes = StatelessInput::decode(&input)?.witness.state.iter().count();
        let executed = Execute::on(FORK).run(&input, u64::MAX).map_err(|error| eyre!("{error}"))?;
        all.insert(
            slots.to_string(),
            json!({
                "positions": positions(slots),
                "nodes": nodes,
                "bytes": input.len(),
                "gas": executed.gas,
                "repeated_gas": executed.work.spent,
            }),
        );
    }
    Ok(all.into())
}

/// Returns the input of a block in which a contract reads the slots below this number.
fn block(slots: u8) -> Result<Vec<u8>> {
    let code: Vec<u8> = (0..slots).flat_map(|slot| [op::PUSH1, slot, op::SLOAD, op::POP]).collect();
    let mut genesis = rich_genesis(FORK, ["alice"], ETHER);
    let reader = GenesisAccount { nonce: Some(1), code: Some(code.into()), ..Default::default() };
    genesis.alloc.insert(READER, reader);
    let call = Key::named("alice").sign(eip1559(0, READER, 500_000));
    let (root, nodes) = uniform_storage();
    let storage_roots = BTreeMap::from([(READER, root)]);
    Forgery { genesis, fork: FORK, storage_roots, nodes, transactions: vec![call] }.input()
}

/// Returns the number of distinct positions of nodes on the paths to these slots: a root, 63
/// further branches and a leaf for each.
fn positions(slots: u8) -> usize {
    let mut positions = BTreeSet::new();
    for slot in 0..slots {
        let nibbles: Vec<u8> = keccak256(U256::from(slot).to_be_bytes::<32>())
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 0xf])
            .collect();
        positions.extend((0..=nibbles.len()).map(|depth| nibbles[..depth].to_vec()));
    }
    positions.len()
}
