//! Measures `eth_getLogs` over a long chain on disk: the time until all sections are indexed, then
//! the time of queries for an address that occurs in ten blocks, for one that occurs in every tenth
//! block, and of a scan for comparison. The blocks have no transactions, but the bloom filters of
//! busy ones.
//!
//! `cargo run --profile checks -p enshrine-disk --example log_index [BLOCKS]`

use alloy_consensus::Header;
use alloy_genesis::Genesis;
use alloy_primitives::{Address, Bloom, BloomInput, keccak256};
use chain::{
    Block, Chain, ChainConfig,
    store::{BloomQuery, CanonicalChange, Changes, SECTION},
};
use enshrine_disk::open_chain;
use executor::ChainSpec;
use std::{
    env,
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};
use wire::ProtocolFork;

/// Addresses and topics in the logs of a block.
const ITEMS: u64 = 20;
/// Number of addresses that are searched, each in as many blocks.
const ADDRESSES: u64 = 200;
const OCCURRENCES: u64 = 10;
/// An address that occurs in every tenth block, as the messenger of a busy rollup does.
const BUSY: Address = Address::repeat_byte(0xbb);
const DISTANCE: u64 = 10;
/// Number of blocks of a commit.
const BATCH: u64 = 1_000;
/// Number of blocks that are scanned without the index.
const SCANNED: u64 = 100_000;

fn address(number: u64) -> Address {
    Address::from_word(keccak256(number.to_be_bytes()))
}

/// The bloom filter of a block with the address of each that occurs in it.
fn bloom(number: u64, blocks: u64) -> Bloom {
    let mut bloom = Bloom::ZERO;
    for item in 0..ITEMS {
        let item = keccak256([number.to_be_bytes(), item.to_be_bytes()].concat());
        bloom.accrue(BloomInput::Raw(&item[..20]));
    }
    let distance = blocks / OCCURRENCES;
    if number % distance < ADDRESSES {
        bloom.accrue(BloomInput::Raw(address(number % distance).as_slice()));
    }
    if number.is_multiple_of(DISTANCE) {
        bloom.accrue(BloomInput::Raw(BUSY.as_slice()));
    }
    bloom
}

fn grow(chain: &Chain, blocks: u64) -> Result<(), Box<dyn Error>> {
    let mut parent = Arc::clone(chain.head());
    while parent.header.number < blocks {
        let mut batch = Vec::new();
        for _ in 0..BATCH {
            let number = parent.header.number + 1;
            let header = Header {
                parent_hash: parent.hash,
                number,
                timestamp: parent.header.timestamp + 1,
                logs_bloom: bloom(number, blocks),
                ..parent.header.clone()
            };
            parent = Arc::new(Block::from_header(header));
            batch.push(Arc::clone(&parent));
        }
        let from = batch.first().map_or(0, |block| block.header.number);
        let canonical = Some(CanonicalChange { from, blocks: batch.clone() });
        chain.store().commit(Changes { blocks: batch, canonical, ..Changes::default() })?;
    }
    Ok(())
}

/// Finds the blocks with logs of an address, and reads them.
fn find(chain: &Chain, address: Address) -> Result<usize, Box<dyn Error>> {
    let query = BloomQuery::new([vec![address.as_slice()]]);
    let mut found = 0;
    for section in 0..chain.head().header.number / SECTION {
        let candidates = match chain.log_candidates(section, &query)? {
            Some(candidates) => candidates,
            None => {
                chain.index_logs(section, || false)?;
                chain.log_candidates(section, &query)?.ok_or("not indexed")?
            }
        };
        for number in candidates {
            let block = chain.canonical_block(number)?.ok_or("no block")?;
            let has_it = block.header.logs_bloom.contains_input(BloomInput::Raw(&address[..]));
            found += usize::from(has_it);
        }
    }
    Ok(found)
}

fn main() -> Result<(), Box<dyn Error>> {
    let blocks: u64 = env::args().nth(1).map_or(Ok(1_000_000), |blocks| blocks.parse())?;
    let folder = tempfile::tempdir()?;
    let config = ChainConfig::new(ChainSpec::constant(1, ProtocolFork::Shanghai));
    let open = || open_chain(folder.path(), &Genesis::default(), config.clone());
    let chain = open()?;
    grow(&chain, blocks)?;
    drop(chain);
    let chain = open()?;
    println!("{} blocks", chain.head().header.number);

    let begun = Instant::now();
    find(&chain, address(0))?;
    println!("first query, which indexes all sections: {:.2?}", begun.elapsed());
    let mut times = Vec::new();
    for number in 0..ADDRESSES {
        let begun = Instant::now();
        let found = find(&chain, address(number))?;
        times.push(begun.elapsed());
        assert!(found as u64 >= OCCURRENCES - 1, "{found}");
    }
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("queries: median {:.2?}, p99 {:.2?}", at(50), at(99));
    let begun = Instant::now();
    let found = find(&chain, BUSY)?;
    println!("address in {found} blocks: {:.2?}", begun.elapsed());
    let begun = Instant::now();
    let scanned = SCANNED.min(blocks);
    for number in 0..scanned {
        chain.canonical_block(number)?.ok_or("no block")?;
    }
    let each: Duration = begun.elapsed() / u32::try_from(scanned)?;
    println!("scan: {each:.2?} per block, {:.2?} for all", each * u32::try_from(blocks)?);
    Ok(())
}
