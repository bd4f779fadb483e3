//! Synthetic blocks that are heavy in one respect, and batches.

use crate::RealBlock;
use alloy_consensus::TxEip1559;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, U256, address, hex};
use chain::{Block, BlockAttributes, Chain, ChainConfig};
use executor::ChainSpec;
use eyre::{Result, ensure};
use std::sync::Arc;
use testkit::{
    ETHER, Key, Random,
    points::{BLS12_G1, BLS12_G2, BN254_G1, BN254_G2, P256_SIGNED},
    rich,
};
use wire::ProtocolFork;

/// A chain id of no public network, for which verifiers use the rules of the schema id's fork.
const CHAIN_ID: u64 = 80_790;
/// Contract that a heavy block calls.
const HEAVY: Address = address!("0x1000000000000000000000000000000000000001");
/// Address of the first contract with long code; the others have consecutive addresses.
const CODES: u64 = 0x1000_0000;
const LONG_CODES: u64 = 200;
/// Number of storage slots.
const SLOTS: u64 = 50_000;
/// Gas limit of the only transaction of a heavy block, below the cap of EIP-7825.
const GAS: u64 = 16_000_000;
/// Gas at which a loop stops: more than one iteration uses.
const LEFT: u32 = 1_000_000;

/// Consecutive blocks as one input, and each block as a separate input.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Name of the batch.
    pub name: String,
    /// Calldata of the batch, whose witness is in compact form.
    pub calldata: Bytes,
    /// Calldata of each block.
    pub blocks: Vec<Bytes>,
}

/// Returns a block for each expensive precompile, one that reads a deep storage trie, and one that
/// loads codes.
///
/// # Errors
///
/// If a block cannot be built, or a precompile rejects its input.
pub fn heavy_blocks() -> Result<Vec<RealBlock>> {
    let mut blocks = Vec::new();
    for (name, number, input, output) in precompiles() {
        let code = calls(Address::from_word(U256::from(number).into()));
        let (chain, calldata) = block(&code, input.into(), GAS, &[])?;
        let result = |slot| chain.storage(HEAVY, U256::from(slot));
        ensure!(result(0)? == U256::ONE, "the precompile of {name} refuses its input");
        ensure!(result(1)? == U256::from(output), "{name}: {} bytes", result(1)?);
        blocks.push(RealBlock { name: format!("{name}, 16 Mgas"), calldata });
    }
    let reads = [&hex!("5f5b80545060010162")[..], &LEFT.to_be_bytes()[1..], &hex!("5a1160015700")];
    let (_, calldata) = block(&reads.concat(), Bytes::new(), GAS, &[])?;
    blocks.push(RealBlock { name: "deep storage, 16 Mgas".to_owned(), calldata });

    // Adds a counter to the first address, and stops after the last one.
    let first = u32::try_from(CODES)?.to_be_bytes();
    let loads = [
        &hex!("5f5b8063")[..],
        &first,
        &hex!("013b5060010180"),
        &[0x60, LONG_CODES as u8],
        &hex!("1160015700"),
    ];
    let mut rng = Random::new(1);
    // Random bytes, so that the jump destination analysis has work in each code.
    let codes: Vec<_> = (0..LONG_CODES).map(|_| rng.bytes(24_576)).collect();
    let (_, calldata) = block(&loads.concat(), Bytes::new(), GAS, &codes)?;
    blocks.push(RealBlock { name: format!("{LONG_CODES} codes of 24 kB"), calldata });
    Ok(blocks)
}

/// Returns batches of 10 and of 256 blocks of ten transfers each.
///
/// # Errors
///
/// If a block cannot be built.
pub fn batches() -> Result<Vec<Batch>> {
    let sender = Key::named("sender");
    let mut chain = chain_with(&[(sender.address(), rich(1_000 * ETHER))])?;
    let mut rng = Random::new(2);
    let (mut blocks, mut inputs) = (Vec::new(), Vec::new());
    for number in 0..256 {
        let transfers = (0..10).map(|index| {
            let to = Address::from_word(B256::from(U256::from(rng.next() % 2_000 + 0x1_0000)));
            sender.sign(transaction(number * 10 + index, to, 21_000, Bytes::new(), U256::ONE))
        });
        let (block, input) = append(&mut chain, transfers.collect())?;
        blocks.push(block);
        inputs.push(input);
    }
    [10, 256]
        .into_iter()
        .map(|count| {
            let calldata = chain.batch(blocks[..count].to_vec())?.input()?.into();
            let name = format!("batch of {count} blocks, 10 transfers each");
            Ok(Batch { name, calldata, blocks: inputs[..count].to_vec() })
        })
        .collect()
}

/// Builds a block with one call to a contract with this code, and returns the chain after it and
/// its input.
fn block(code: &[u8], input: Bytes, gas: u64, codes: &[Vec<u8>]) -> Result<(Chain, Bytes)> {
    let sender = Key::named("sender");
    let storage = (0..SLOTS).map(|slot| (B256::from(U256::from(slot)), B256::repeat_byte(1)));
    let contract = |code: &[u8]| GenesisAccount {
        nonce: Some(1),
        code: Some(Bytes::copy_from_slice(code)),
        ..Default::default()
    };
    let heavy = GenesisAccount { storage: Some(storage.collect()), ..contract(code) };
    let mut accounts = vec![(sender.address(), rich(1_000 * ETHER)), (HEAVY, heavy)];
    accounts.extend(
        codes
            .iter()
            .zip(CODES..)
            .map(|(code, at)| (Address::from_word(U256::from(at).into()), contract(code))),
    );
    let mut chain = chain_with(&accounts)?;
    let call = sender.sign(transaction(0, HEAVY, gas, input, U256::ZERO));
    let (block, input) = append(&mut chain, vec![call])?;
    ensure!(block.executed.receipts[0].success, "the call fails");
    Ok((chain, input))
}

fn chain_with(accounts: &[(Address, GenesisAccount)]) -> Result<Chain> {
    let fork = ProtocolFork::Osaka;
    let mut genesis = Genesis { gas_limit: 60_000_000, ..chain::empty_genesis(fork) };
    genesis.alloc.extend(accounts.iter().cloned());
    Ok(Chain::new(&genesis, ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork)))?)
}

fn append(
    chain: &mut Chain,
    transactions: Vec<testkit::Transaction>,
) -> Result<(Arc<Block>, Bytes)> {
    let timestamp = chain.head().header.timestamp + 1;
    let attributes = BlockAttributes { timestamp, ..Default::default() };
    let (new, left_out) = chain.build(&attributes, transactions)?;
    ensure!(left_out.is_empty(), "{left_out:?}");
    let input = new.input()?.into();
    Ok((chain.append(new)?, input))
}

fn transaction(nonce: u64, to: Address, gas_limit: u64, input: Bytes, value: U256) -> TxEip1559 {
    let (chain_id, max_fee_per_gas) = (CHAIN_ID, 10_000_000_000);
    TxEip1559 {
        chain_id,
        nonce,
        gas_limit,
        max_fee_per_gas,
        to: to.into(),
        input,
        value,
        ..Default::default()
    }
}

/// Returns code that calls a precompile with its own calldata until the gas is used up, and stores
/// the success of the last call and the length of its return data.
fn calls(precompile: Address) -> Vec<u8> {
    [
        // Copies the input to memory, and pushes the value that the loop pops first.
        &hex!("365f5f37 6001 5b50 5f5f365f73")[..],
        precompile.as_slice(),
        &hex!("5afa 62"),
        &LEFT.to_be_bytes()[1..],
        &hex!("5a11 6006 57 5f55 3d600155 00"),
    ]
    .concat()
}

/// Returns precompiles with their numbers, a valid input, and the length of the output.
fn precompiles() -> Vec<(&'static str, u16, Vec<u8>, u64)> {
    /// Versioned hash of the commitment to the zero polynomial.
    const ZERO_POLYNOMIAL: B256 = alloy_primitives::b256!(
        "0x010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014"
    );
    let infinity = [&[0xc0][..], &[0; 47]].concat();
    let mut rng = Random::new(3);
    let mut scalar = || [&[0][..], &rng.bytes(31)].concat();
    let modexp = {
        let lengths = [128_u64, 32, 128].map(|length| U256::from(length).to_be_bytes::<32>());
        let modulus = [&[0xff][..], &[7; 126], &[1]].concat();
        [lengths.concat(), vec![3; 128], vec![0xff; 32], modulus].concat()
    };
    let multiples: Vec<u8> = (0..16).flat_map(|_| [&BLS12_G1[..], &scalar()].concat()).collect();
    vec![
        ("modexp", 0x05, modexp, 128),
        ("bn254 multiplication", 0x07, [&BN254_G1[..], &scalar()].concat(), 64),
        ("bn254 pairing", 0x08, [&BN254_G1[..], &BN254_G2].concat().repeat(2), 32),
        ("BLAKE2", 0x09, [&100_000_u32.to_be_bytes()[..], &[7; 208], &[1]].concat(), 64),
        (
            "point evaluation",
            0x0a,
            [ZERO_POLYNOMIAL.as_slice(), &[0; 64], &infinity, &infinity].concat(),
            64,
        ),
        ("BLS12-381 sum of products", 0x0c, multiples, 128),
        ("BLS12-381 pairing", 0x0f, [&BLS12_G1[..], &BLS12_G2].concat().repeat(2), 32),
        ("P-256", 0x100, P256_SIGNED.to_vec(), 32),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethrex;
    use execute::Execute;

    #[test]
    fn both_verifiers_accept_heavy_blocks_and_batches() -> Result<()> {
        let execute = Execute::l1();
        for RealBlock { name, calldata } in heavy_blocks()? {
            let gas = execute.run(&calldata, u64::MAX)?.gas_used();
            assert!(gas > GAS / 30, "{name}: {gas}");
            ethrex::verify(&calldata)?;
        }
        for Batch { name, calldata, blocks } in batches()? {
            let together = execute.run(&calldata, u64::MAX)?;
            assert_eq!(together.verdicts().count(), blocks.len(), "{name}");
            let last = execute.run(blocks.last().expect("a block"), u64::MAX)?;
            assert_eq!(last.verdict.block_hash, together.verdict.block_hash, "{name}");
        }
        Ok(())
    }
}
