//! The index of logs finds the blocks that a scan finds, after reorganisations, reopening and
//! damage.

use crate::twin::{config, genesis, options};
use alloy_consensus::TxEip1559;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, hex};
use chain::{
    BlockAttributes, Chain,
    store::{BloomQuery, BloomSection, SECTION},
};
use enshrine_disk::open_chain_with;
use std::{fs, path::Path};
use testkit::{Key, eip1559};

/// Runtime code: emits a log with the topic `calldata[0]`.
const EMITTER: [u8; 5] = hex!("5f35 5f 5f a1");
const CONTRACT: Address = Address::repeat_byte(0x1c);

fn with_emitter() -> Genesis {
    let mut genesis = genesis();
    let code = Some(Bytes::from_static(&EMITTER));
    genesis.alloc.insert(CONTRACT, GenesisAccount { code, ..Default::default() });
    genesis
}

fn open(folder: &Path) -> Chain {
    open_chain_with(folder, &with_emitter(), config(), options()).unwrap()
}

/// Appends a block with a log of each topic.
fn append(chain: &mut Chain, topics: &[u8]) {
    let nonce = chain.nonce(Key::named("alice").address()).unwrap();
    let transactions = (nonce..).zip(topics).map(|(nonce, topic)| {
        Key::named("alice").sign(TxEip1559 {
            input: B256::repeat_byte(*topic).into(),
            ..eip1559(nonce, CONTRACT, 100_000)
        })
    });
    let timestamp = chain.head().header.timestamp + 12;
    let attributes = BlockAttributes { timestamp, ..Default::default() };
    let (block, rejected) = chain.build(&attributes, transactions.collect()).unwrap();
    assert!(rejected.is_empty(), "{rejected:?}");
    chain.append(block).unwrap();
}

/// Returns the candidates of the first section for the contract's logs with one of these topics.
fn candidates(chain: &Chain, topics: &[u8]) -> Vec<u64> {
    let topics: Vec<_> = topics.iter().map(|topic| B256::repeat_byte(*topic)).collect();
    let topics = topics.iter().map(|topic| topic.as_slice()).collect();
    let query = BloomQuery::new([vec![CONTRACT.as_slice()], topics]);
    assert_eq!(chain.log_candidates(1, &query), Ok(None), "the section is not complete");
    // As `eth_getLogs` does.
    let found = chain.log_candidates(0, &query).unwrap();
    found.unwrap_or_else(|| {
        let mut left = SECTION - 1;
        let is_over = || {
            left -= 1;
            left == 0
        };
        chain.index_logs(0, is_over).unwrap();
        assert_eq!(chain.log_candidates(0, &query), Ok(None), "indexing was over");
        chain.index_logs(0, || false).unwrap();
        chain.log_candidates(0, &query).unwrap().unwrap()
    })
}

#[test]
fn index_finds_blocks_with_logs() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = open(folder.path());
    for number in 1..SECTION - 1 {
        match number {
            7 => append(&mut chain, &[1]),
            8 => append(&mut chain, &[1, 2]),
            2_000 => append(&mut chain, &[3]),
            _ => append(&mut chain, &[]),
        }
    }
    let query = BloomQuery::new([vec![CONTRACT.as_slice()]]);
    assert_eq!(chain.log_candidates(0, &query), Ok(None), "the section is not complete");
    append(&mut chain, &[4]);
    let check = |chain: &Chain, last: &[u64]| {
        assert_eq!(candidates(chain, &[]), [&[7, 8, 2_000], last].concat());
        assert_eq!(candidates(chain, &[1]), [7, 8]);
        assert_eq!(candidates(chain, &[2, 3]), [8, 2_000]);
        assert_eq!(candidates(chain, &[4]), last);
        assert_eq!(candidates(chain, &[9]), [0; 0]);
    };
    check(&chain, &[SECTION - 1]);

    // Another last block replaces the index of the section, and the first one is found again.
    let first = chain.head().hash;
    let parent = chain.head().header.parent_hash;
    chain.set_head(&parent).unwrap();
    append(&mut chain, &[]);
    append(&mut chain, &[5]);
    check(&chain, &[]);
    chain.set_head(&first).unwrap();
    check(&chain, &[SECTION - 1]);
    drop(chain);

    // The file is read after reopening: with blooms of other blocks, the answers are theirs.
    let chain = open(folder.path());
    check(&chain, &[SECTION - 1]);
    let index = chain.store().log_index().unwrap();
    index.write(0, &first, &BloomSection::default());
    assert_eq!(candidates(&chain, &[1]), [0; 0]);
    drop(chain);

    // Without the file, with less of it, or with flipped bits, the section is indexed again.
    let path = folder.path().join("log-index");
    fs::remove_file(&path).unwrap();
    let chain = open(folder.path());
    check(&chain, &[SECTION - 1]);
    drop(chain);
    let whole = fs::read(&path).unwrap();
    let written: Vec<_> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    assert!(written.len() > 100, "{}", written.len());
    for at in written.iter().step_by(written.len() / 4) {
        let mut damaged = whole.clone();
        damaged[*at] ^= 0x10;
        fs::write(&path, &damaged).unwrap();
        check(&open(folder.path()), &[SECTION - 1]);
        // A page that was lost is a hole.
        let page = at - at % 4_096;
        let end = (page + 4_096).min(whole.len());
        damaged[page..end].fill(0);
        fs::write(&path, &damaged).unwrap();
        check(&open(folder.path()), &[SECTION - 1]);
        fs::write(&path, &whole[..*at]).unwrap();
        check(&open(folder.path()), &[SECTION - 1]);
    }
}
