//! Blocks with transactions of type 0x05, which L2 verifiers do not support.

use crate::{
    killing::{Appender, FOLDER, acknowledge},
    twin::{self, Twin, account, options, random},
};
use alloy_consensus::TxEip1559;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{B256, Bytes, TxKind, U256};
use chain::store::Transaction;
use chain::{
    BlockAttributes, BlockBuilder, Chain, ChainConfig, ChainReader, ExecuteDraw, ExecuteMarket,
    ExecuteTxPrecompile, ExecutedBlock, RecoveredTransaction,
};
use codec::{ExecuteTx, ExecuteTxVersion, OwnedWitness, SignedExecuteTx};
use enshrine_disk::open_chain_with;
use execute::Execute;
use std::{
    env, fs,
    path::Path,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};
use tempfile::tempdir;
use testkit::{Blobs, CHAIN_ID, ETHER, Key, L2, execute_tx_calling, rich_genesis};
use variants::{
    BlobSource, DialectName, Dialects, ExecuteExtension,
    market::{LIMIT, MARKET_ADDRESS, MARKET_CODE, excess_at, price_on},
};
use wire::ProtocolFork;

/// Chain id of the L2 whose block the transactions carry.
const L2_CHAIN: u64 = 80_790;
/// EXECUTE gas allowance of the transactions that have one.
const ALLOWANCE: u64 = 700_000;
/// Number of kills.
const KILLS: u64 = 6;

/// A genesis whose chain sells EXECUTE gas.
fn genesis() -> Genesis {
    let mut genesis = twin::genesis();
    let excess = U256::from(excess_at(1_000_000_000));
    let market = GenesisAccount {
        code: Some(Bytes::from_static(MARKET_CODE)),
        storage: Some([(B256::ZERO, excess.into())].into()),
        ..GenesisAccount::default()
    };
    genesis.alloc.insert(MARKET_ADDRESS, market);
    genesis
}

fn config() -> ChainConfig {
    let dialects = Dialects::usual(&[DialectName::Specs, DialectName::ExecuteTx]);
    let blobs: Arc<dyn BlobSource> = Arc::new(Blobs::default());
    let execute = dialects.of(Execute::default(), &blobs);
    let extension = Arc::new(ExecuteExtension::with_market(execute));
    let address = extension.execute_tx_address().unwrap();
    let mut config = twin::config();
    config.set_extension(Arc::<ExecuteExtension>::clone(&extension));
    let market = Some(ExecuteMarket { limit: LIMIT, price: price_on });
    config.execute_tx =
        Some(ExecuteTxPrecompile::new(address, market, move |transaction, precompiles, tally| {
            extension.install_execute_tx(transaction, precompiles, tally);
        }));
    config
}

fn open(folder: &Path) -> Chain {
    open_chain_with(folder, &genesis(), config(), options()).unwrap()
}

fn twin() -> Twin {
    Twin { chain: Chain::new(&genesis(), config()).unwrap(), witnesses: Vec::new() }
}

/// A transaction that carries the witness of an L2 block.
fn execute_tx() -> &'static ExecuteTx {
    static MADE: OnceLock<ExecuteTx> = OnceLock::new();
    MADE.get_or_init(|| {
        let fork = ProtocolFork::Osaka;
        let l2 = L2::new(L2_CHAIN, fork, &rich_genesis(fork, ["bob"], ETHER)).unwrap();
        let time = l2.chain().head().header.timestamp + 1;
        let (block, _) = l2.seal(time, B256::repeat_byte(0xa5), Vec::new()).unwrap();
        let call = |head: &[u8]| head.to_vec().into();
        execute_tx_calling(&block, TxKind::Create, call).unwrap()
    })
}

/// Builds a child of the head with a payment and transactions of type 0x05 of all versions, of
/// which the second fails. Every other block is appended with its witness.
fn child(chain: &ChainReader) -> ExecutedBlock {
    let alice = Key::named("alice");
    let first = chain.nonce(alice.address()).unwrap();
    let (gas_limit, max_fee_per_gas) = (1_000_000, 10_000_000_000);
    let payment = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce: first,
        gas_limit: 21_000,
        max_fee_per_gas,
        to: account(random(first) % 40).into(),
        value: U256::from(first + 1),
        ..TxEip1559::default()
    };
    let execute = |nonce, timestamp, version| {
        let tx = execute_tx().clone();
        let chain_id = CHAIN_ID;
        let tx =
            ExecuteTx { chain_id, nonce, gas_limit, max_fee_per_gas, timestamp, version, ..tx };
        let signature = alice.sign_digest(&tx.signing_hash());
        Transaction::from(SignedExecuteTx { tx, signature })
    };
    let good = execute_tx();
    let with_allowance = ExecuteTxVersion::V3 {
        anchor: good.anchor(),
        max_fee_per_execute_gas: max_fee_per_gas,
        execute_gas_limit: ALLOWANCE,
    };
    let transactions = [
        alice.sign(payment).into(),
        execute(first + 1, good.timestamp, good.version.clone()),
        execute(first + 2, 7, ExecuteTxVersion::V1 { blob_hashes: Vec::new() }),
        execute(first + 3, good.timestamp, with_allowance.clone()),
        // This call fails, but still draws EXECUTE gas.
        execute(first + 4, 7, with_allowance),
    ];
    let offered = transactions.map(|transaction| RecoveredTransaction {
        transaction,
        sender: alice.address(),
        signed: true,
    });
    let timestamp = chain.head().header.timestamp + 12;
    let attributes = BlockAttributes { timestamp, ..BlockAttributes::default() };
    let header = chain.state().open_header(&attributes).unwrap();
    let built = BlockBuilder::new(&chain.state()).build_recorded(&header, &[], &offered).unwrap();
    assert!(built.rejected.is_empty(), "{:?}", built.rejected);
    let receipts = &built.executed.block.executed.receipts;
    let succeeded: Vec<_> = receipts.iter().map(|receipt| receipt.success).collect();
    assert_eq!(succeeded, [true, true, false, true, false]);
    let draws = &built.executed.block.execute_draws;
    assert_eq!(draws.iter().map(|draw| draw.index).collect::<Vec<_>>(), [3, 4]);
    assert!(draws.iter().all(|draw| (1..=ALLOWANCE).contains(&draw.gas)), "{draws:?}");
    if header.number.is_multiple_of(2) {
        return built.executed;
    }
    ExecutedBlock { witness: OwnedWitness::default(), ..built.executed }
}

/// Appends `blocks` blocks to both chains.
fn grow(twin: &mut Twin, chain: &mut Chain, blocks: u64) {
    for _ in 0..blocks {
        let (block, own) = (child(chain), child(&twin.chain));
        assert_eq!(own.block.hash, block.block.hash);
        chain.append(block).unwrap();
        twin.chain.append(own).unwrap();
    }
}

/// Asserts that the chain on disk has all transactions of type 0x05 and their receipts unchanged.
fn assert_holds_them(disk: &ChainReader, blocks: u64) {
    for number in 1..=blocks {
        let block = disk.canonical_block(number).unwrap().unwrap();
        let receipts = block.raw_receipts();
        let types: Vec<_> = receipts.iter().map(|receipt| receipt[0]).collect();
        assert_eq!(types, [2, 5, 5, 5, 5]);
        let sent = block.transactions[1].as_execute().unwrap();
        assert_eq!(sent.inner().tx.witness, execute_tx().witness);
        let (found, index) = disk.transaction(&sent.hash()).unwrap().unwrap();
        assert_eq!((found.hash, index), (block.hash, 1));
        let of_the_first = block.execute_draw(3);
        assert!(of_the_first.is_some_and(|ExecuteDraw { gas, .. }| gas > 0), "{of_the_first:?}");
        assert_eq!(block.execute_draw(1), None);
    }
}

#[test]
fn chain_with_execute_transactions_survives_reopening() {
    let folder = tempdir().unwrap();
    let mut twin = twin();
    let mut all = 0;
    for blocks in [1, 4] {
        let mut chain = open(folder.path());
        grow(&mut twin, &mut chain, blocks);
        all += blocks;
        chain.close().unwrap();
        let chain = open(folder.path());
        twin.assert_same(&chain, 0);
        assert_holds_them(&chain, all);
    }
    // And without the store of states, from the log of blocks alone.
    fs::remove_dir_all(folder.path().join("state")).unwrap();
    let chain = open(folder.path());
    twin.assert_same(&chain, 0);
    assert_holds_them(&chain, all);
}

/// Not a test by itself: the body of the process that is killed.
#[test]
fn appends_until_it_is_killed() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let mut chain = open(folder.as_ref());
    acknowledge(&chain);
    loop {
        chain.append(child(&chain)).unwrap();
        acknowledge(&chain);
    }
}

#[test]
fn acknowledged_execute_transactions_survive_kill_9() {
    let folder = tempdir().unwrap();
    let mut twin = twin();
    let follow = |twin: &mut Twin, hash| {
        let block = child(&twin.chain);
        let is_next = block.block.hash == hash;
        if is_next {
            twin.chain.append(block).unwrap();
        }
        is_next
    };
    for kill in 0..KILLS {
        let mut appender = Appender::start(folder.path(), "execute_tx::appends_until_it_is_killed");
        assert_eq!(appender.next(), Some(twin.chain.head().hash), "kill {kill}");
        for _ in 0..=random(kill) % 4 {
            let hash = appender.next().expect("the appender runs until it is killed");
            assert!(follow(&mut twin, hash), "kill {kill}: {hash} is not the next block");
        }
        thread::sleep(Duration::from_micros(random(1_000_000 + kill) % 6_000));
        for hash in appender.kill() {
            assert!(follow(&mut twin, hash), "kill {kill}: {hash} is not the next block");
        }
        let chain = open(folder.path());
        // One block may have been stored but not acknowledged.
        let head = chain.head().hash;
        assert!(head == twin.chain.head().hash || follow(&mut twin, head), "kill {kill}: {head}");
        twin.assert_same(&chain, 0);
        assert_holds_them(&chain, head_number(&chain));
    }
}

fn head_number(chain: &ChainReader) -> u64 {
    chain.head().header.number
}
