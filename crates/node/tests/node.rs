//! A node's pool, blocks and events, and verification of its blocks.

use alloy_consensus::{TxEip1559, TxEip2930, TxEip7702, TxLegacy};
use alloy_eips::{eip2718::Encodable2718, eip7702::Authorization};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex};
use chain::{Chain, ChainConfig, ChainError, EditState as _, RecoveredTransaction, empty_genesis};
use enshrine_node::{
    Clock, Command, Event, MineRequest, Mining, Node, NodeError, NodeState, Order, PoolTransaction,
    Rejected, Restore, SetClock, SetMining, Settings, Unverified,
};
use execute::{ExecuteError, RuleViolation, Rules};
use executor::ChainSpec;
use std::sync::Arc;
use testkit::{CHAIN_ID, ETHER, GWEI, Key, Transaction, rich_genesis};
use wire::ProtocolFork;

const BOB: Address = Address::repeat_byte(0xb0);

fn node_at(fork: ProtocolFork, settings: Settings) -> Arc<Node> {
    node_with(fork, empty_genesis(fork).gas_limit, settings)
}

fn node_with(fork: ProtocolFork, gas_limit: u64, settings: Settings) -> Arc<Node> {
    let mut genesis = rich_genesis(fork, ["alice", "carol"], 100 * ETHER);
    genesis.gas_limit = gas_limit;
    // From Amsterdam on, a transfer to a nonexistent account costs more.
    genesis.alloc.insert(BOB, GenesisAccount { nonce: Some(1), ..Default::default() });
    let config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork));
    Node::new(Chain::new(&genesis, config).unwrap(), Clock::starting_at(1_000), settings)
}

fn node(mining: Mining) -> Arc<Node> {
    node_at(
        ProtocolFork::Osaka,
        Settings { mining, verify_blocks: Some(Rules::L1), ..Default::default() },
    )
}

/// A command that edits the state.
#[derive(Debug)]
struct SetBalance(Address, U256);

impl Command for SetBalance {
    type Output = Result<(), ChainError>;

    fn apply(self, node: &mut NodeState) -> Self::Output {
        node.chain.edit(|state| state.set_balance(self.0, self.1))
    }
}

fn pooled(transaction: Transaction, name: &str) -> PoolTransaction {
    let raw: Bytes = transaction.encoded_2718().into();
    let sender = Key::named(name).address();
    PoolTransaction::new(
        RecoveredTransaction { transaction: transaction.into(), sender, signed: true },
        None,
        raw,
    )
}

fn transfer(name: &str, nonce: u64, tip: u128) -> PoolTransaction {
    let transaction = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 20 * GWEI,
        max_priority_fee_per_gas: tip,
        to: TxKind::Call(BOB),
        value: U256::ONE,
        ..Default::default()
    };
    pooled(Key::named(name).sign(transaction), name)
}

#[test]
fn auto_mining_waits_for_missing_nonce() {
    let node = node(Mining::Auto);
    let early = transfer("alice", 1, 1);
    let hash = *early.hash();
    node.submit(early).unwrap();
    assert_eq!(node.read(|node| node.chain.head().header.number), 0);
    node.submit(transfer("alice", 0, 1)).unwrap();
    node.read(|node| {
        let head = node.chain.head();
        assert_eq!((head.header.number, head.transactions.len()), (1, 2));
        let found = node.chain.transaction(&hash).unwrap();
        assert_eq!(found.map(|(_, index)| index), Some(1));
        assert!(node.pool.is_empty());
        assert_eq!(node.chain.balance(BOB).unwrap(), U256::from(2));
    });
}

#[test]
fn filled_gap_mines_all_successors_in_several_blocks() {
    let settings = Settings { mining: Mining::Auto, ..Settings::default() };
    let room = 5;
    let node = node_with(ProtocolFork::Osaka, room * 21_000, settings);
    for nonce in 1..=2 * room {
        node.submit(transfer("alice", nonce, 1)).unwrap();
    }
    assert_eq!(node.read(|node| node.chain.head().header.number), 0);
    node.submit(transfer("alice", 0, 1)).unwrap();
    node.read(|node| {
        assert!(node.pool.is_empty(), "{} wait", node.pool.len());
        assert_eq!(node.chain.head().header.number, 3);
        assert_eq!(node.chain.balance(BOB).unwrap(), U256::from(2 * room + 1));
    });
    // A transaction that stays gapped does not trigger a block.
    node.submit(transfer("alice", 2 * room + 2, 1)).unwrap();
    assert_eq!(node.read(|node| node.chain.head().header.number), 3);
}

#[test]
fn transactions_are_ordered_by_fee_or_arrival() {
    for (order, expected) in
        [(Order::Fees, ["carol", "alice"]), (Order::Arrival, ["alice", "carol"])]
    {
        let settings = Settings { mining: Mining::Manual, order, ..Settings::default() };
        let node = node_at(ProtocolFork::Osaka, settings);
        node.submit(transfer("alice", 0, 1)).unwrap();
        node.submit(transfer("alice", 1, 9 * GWEI)).unwrap();
        node.submit(transfer("carol", 0, 2 * GWEI)).unwrap();
        let block = node.mine(&MineRequest::default()).unwrap();
        let first: Vec<_> = expected.iter().map(|name| Key::named(name).address()).collect();
        let mut senders = block.senders.clone();
        senders.dedup();
        assert!(senders.starts_with(&first), "{order:?}: {senders:?}");
        assert_eq!(block.transactions.len(), 3);
    }
}

#[test]
fn replacement_must_pay_ten_percent_more() {
    let node = node(Mining::Manual);
    let priced = |fee: u128| {
        let transaction = TxLegacy {
            chain_id: Some(CHAIN_ID),
            gas_price: fee,
            gas_limit: 21_000,
            to: TxKind::Call(BOB),
            ..Default::default()
        };
        pooled(Key::named("alice").sign(transaction), "alice")
    };
    let hash = node.submit(priced(10 * GWEI)).unwrap();
    assert_eq!(node.submit(priced(10 * GWEI)), Err(Rejected::Known(hash)));
    assert_eq!(
        node.submit(priced(10 * GWEI + 1)),
        Err(Rejected::Underpriced { existing: hash, bump: 10 })
    );
    let better = node.submit(priced(11 * GWEI)).unwrap();
    node.read(|node| {
        assert!(node.pool.get(&hash).is_none() && node.pool.get(&better).is_some());
    });
}

#[test]
fn amsterdam_accepts_gas_limit_above_transaction_cap() {
    // Code of 20 kB, at more than a thousand gas per byte (EIP-8037).
    let code = |byte: u8| [[0x61, 0x50, byte, 0x5f, 0xf3].as_slice(), &[0; 3]].concat();
    let create = TxEip1559 {
        chain_id: CHAIN_ID,
        gas_limit: 40_000_000,
        max_fee_per_gas: 20 * GWEI,
        to: TxKind::Create,
        input: code(0).into(),
        ..Default::default()
    };
    let settings = Settings { mining: Mining::Auto, ..Settings::default() };
    for (fork, is_taken) in [(ProtocolFork::Bpo2, false), (ProtocolFork::Amsterdam, true)] {
        let node = node_with(fork, 60_000_000, settings.clone());
        let alice = Key::named("alice");
        let submitted = node.submit(pooled(alice.sign(create.clone()), "alice"));
        assert_eq!(submitted.is_ok(), is_taken, "{fork:?}: {submitted:?}");
        if is_taken {
            let address = alice.address().create(0);
            let state = node.read(|node| node.chain.state());
            assert_eq!(state.code(address).unwrap().len(), 0x5000);
        }
    }
}

#[test]
fn pool_rejects_each_kind_of_invalid_transaction() {
    let node = node(Mining::Manual);
    let base = TxEip1559 {
        chain_id: CHAIN_ID,
        gas_limit: 21_000,
        max_fee_per_gas: 20 * GWEI,
        to: TxKind::Call(BOB),
        ..Default::default()
    };
    let by = |name: &str, transaction: TxEip1559| {
        node.submit(pooled(Key::named(name).sign(transaction), name)).map(|_| ())
    };
    let changed = |change: &dyn Fn(&mut TxEip1559)| {
        let mut transaction = base.clone();
        change(&mut transaction);
        by("alice", transaction).unwrap_err()
    };
    assert!(matches!(changed(&|tx| tx.chain_id = 1), Rejected::ChainId { got: 1, .. }));
    assert!(matches!(changed(&|tx| tx.gas_limit = 20_999), Rejected::IntrinsicGas { .. }));
    assert!(matches!(changed(&|tx| tx.gas_limit = 1 << 40), Rejected::GasLimit { .. }));
    assert!(matches!(changed(&|tx| tx.gas_limit = (1 << 24) + 1), Rejected::GasCap { .. }));
    assert!(matches!(
        changed(&|tx| tx.max_priority_fee_per_gas = 21 * GWEI),
        Rejected::TipAboveFee { .. }
    ));
    assert!(matches!(changed(&|tx| tx.value = U256::from(200 * ETHER)), Rejected::Funds { .. }));
    assert!(matches!(changed(&|tx| tx.nonce = u64::MAX), Rejected::NonceMax));
    assert!(matches!(
        changed(&|tx| {
            tx.to = TxKind::Create;
            tx.gas_limit = 10_000_000;
            tx.input = vec![0; 49_153].into();
        }),
        Rejected::InitCode { .. }
    ));
    assert!(matches!(by("penniless", base.clone()), Err(Rejected::Funds { .. })));
    let set_code = TxEip7702 {
        chain_id: CHAIN_ID,
        gas_limit: 100_000,
        max_fee_per_gas: 20 * GWEI,
        to: BOB,
        ..Default::default()
    };
    let set_code = pooled(Key::named("alice").sign(set_code), "alice");
    assert_eq!(node.submit(set_code), Err(Rejected::NoAuthorization));

    assert_eq!(by("alice", base.clone()), Ok(()));
    node.mine(&MineRequest::default()).unwrap();
    let again = TxEip1559 { value: U256::ONE, ..base };
    assert!(matches!(by("alice", again), Err(Rejected::NonceTooLow { expected: 1, .. })));
}

#[test]
fn every_block_verifies_from_its_own_witness() {
    let forks = [
        ProtocolFork::Cancun,
        ProtocolFork::Prague,
        ProtocolFork::Osaka,
        ProtocolFork::Bpo2,
        ProtocolFork::Amsterdam,
    ];
    for fork in forks {
        let settings = Settings {
            mining: Mining::Manual,
            verify_blocks: Some(Rules::L1),
            ..Settings::default()
        };
        let node = node_at(fork, settings);
        let alice = Key::named("alice");
        let create = TxEip1559 {
            chain_id: CHAIN_ID,
            gas_limit: 1_000_000,
            max_fee_per_gas: 20 * GWEI,
            to: TxKind::Create,
            // Deploys code that stores the block's number at slot 0.
            input: hex!("6004600a5f3960045ff3 435f5500").to_vec().into(),
            ..Default::default()
        };
        let contract = alice.address().create(0);
        let call = TxEip2930 {
            chain_id: CHAIN_ID,
            nonce: 1,
            gas_price: 20 * GWEI,
            gas_limit: 200_000,
            to: TxKind::Call(contract),
            ..Default::default()
        };
        node.submit(pooled(alice.sign(create), "alice")).unwrap();
        node.submit(pooled(alice.sign(call), "alice")).unwrap();
        if fork >= ProtocolFork::Prague {
            let delegation =
                Authorization { chain_id: U256::from(CHAIN_ID), address: contract, nonce: 0 };
            let set_code = TxEip7702 {
                chain_id: CHAIN_ID,
                nonce: 2,
                gas_limit: 500_000,
                max_fee_per_gas: 20 * GWEI,
                to: Key::named("dave").address(),
                authorization_list: vec![Key::named("dave").authorize(delegation)],
                ..Default::default()
            };
            node.submit(pooled(alice.sign(set_code), "alice")).unwrap();
        }
        node.submit(transfer("carol", 0, GWEI)).unwrap();
        let block = node.mine(&MineRequest::default()).unwrap();
        assert!(block.provable, "{fork}");
        assert!(block.transactions.len() >= 3, "{fork}");
        let receipts = &block.executed.receipts;
        assert!(receipts.iter().all(|receipt| receipt.success), "{fork}: {receipts:?}");
        let empty = node.mine(&MineRequest::default()).unwrap();
        assert!(empty.provable && empty.header.number == 2);
    }
}

#[test]
fn block_that_fails_verification_is_not_appended() {
    let withdrawal = MineRequest { withdrawals: vec![Default::default()], ..Default::default() };
    let node_by = |rules| {
        let settings =
            Settings { mining: Mining::Manual, verify_blocks: Some(rules), ..Settings::default() };
        node_at(ProtocolFork::Osaka, settings)
    };
    let l2 = node_by(Rules::default());
    let violation = RuleViolation::Withdrawals(1);
    let reason = Box::new(Unverified::Refused(ExecuteError::Rules(violation)));
    assert_eq!(l2.mine(&withdrawal).unwrap_err(), NodeError::Unverified { number: 1, reason },);
    assert_eq!(l2.read(|node| node.chain.head().header.number), 0);
    assert_eq!(l2.mine(&MineRequest::default()).unwrap().header.number, 1);
    assert_eq!(node_by(Rules::L1).mine(&withdrawal).unwrap().withdrawals.len(), 1);
}

#[test]
fn only_block_on_edited_state_is_not_provable() {
    let node = node(Mining::Manual);
    node.execute(SetBalance(BOB, U256::from(7))).unwrap();
    let block = node.mine(&MineRequest::default()).unwrap();
    assert!(!block.provable);
    assert_eq!(node.state().balance(BOB).unwrap(), U256::from(7));
    assert!(node.mine(&MineRequest::default()).unwrap().provable);
}

#[test]
fn restored_snapshot_invalidates_the_pending_block() {
    let node = node(Mining::Manual);
    let empty = node.read(|node| node.snapshot());
    node.execute(SetClock::NextBlock(5_000));
    let (first, second) = (transfer("alice", 0, 1), transfer("carol", 0, 1));
    let expected = [*first.hash(), *second.hash()];
    let waiting = || {
        let block = Arc::clone(node.pending().unwrap().state.block());
        block.transactions.iter().map(|transaction| *transaction.hash()).collect::<Vec<_>>()
    };
    node.submit(first).unwrap();
    assert_eq!(waiting(), expected[..1]);
    node.execute(Restore(empty)).unwrap();
    node.execute(SetClock::NextBlock(5_000));
    node.submit(second).unwrap();
    assert_eq!(waiting(), expected[1..]);
}

#[test]
fn restored_snapshot_reverts_node_and_notifies_subscribers() {
    let node = node(Mining::Auto);
    node.submit(transfer("alice", 0, 1)).unwrap();
    let snapshot = node.read(|node| node.snapshot());
    let mut events = node.subscribe();
    node.submit(transfer("alice", 1, 1)).unwrap();
    assert_eq!(node.execute(SetMining(Mining::Manual)), Mining::Auto);
    node.submit(transfer("carol", 0, 1)).unwrap();
    node.execute(Restore(snapshot)).unwrap();
    node.read(|node| {
        assert_eq!(node.chain.head().header.number, 1);
        assert_eq!(node.chain.balance(BOB).unwrap(), U256::ONE);
        assert!(node.pool.is_empty() && node.settings.mining == Mining::Auto);
        assert!(node.chain.canonical_block(2).unwrap().is_none());
    });
    let mut removed = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let Event::Head { removed: blocks, .. } = event {
            removed.extend(blocks.iter().map(|block| block.header.number));
        }
    }
    assert_eq!(removed, [2]);
    // The new branch can include the same transaction.
    node.submit(transfer("alice", 1, 1)).unwrap();
    assert_eq!(node.state().balance(BOB).unwrap(), U256::from(2));
}

#[test]
fn pending_block_equals_mined_block_without_trace() {
    let node = node(Mining::Manual);
    node.submit(transfer("alice", 0, 1)).unwrap();
    let pending = node.pending().unwrap();
    assert_eq!(pending.state.block().header.number, 1);
    assert_eq!(pending.state.balance(BOB).unwrap(), U256::ONE);
    assert_eq!(node.state().balance(BOB).unwrap(), U256::ZERO);
    assert!(node.read(|node| node.chain.block(&pending.state.block().hash).is_err()));
    let mined = node.mine(&MineRequest::default()).unwrap();
    assert_eq!(mined.transactions, pending.state.block().transactions);
}

#[test]
fn full_block_leaves_the_rest_in_the_pool() {
    let settings = Settings { mining: Mining::Manual, ..Settings::default() };
    let node = node_with(ProtocolFork::Osaka, 50_000, settings);
    for nonce in 0..3 {
        node.submit(transfer("alice", nonce, 1)).unwrap();
    }
    assert_eq!(node.mine(&MineRequest::default()).unwrap().transactions.len(), 2);
    assert_eq!(node.read(|node| node.pool.len()), 1);
    assert_eq!(node.mine(&MineRequest::default()).unwrap().transactions.len(), 1);
}

#[test]
fn block_with_past_timestamp_is_not_provable() -> Result<(), NodeError> {
    let node = node(Mining::Manual);
    let first = node.mine(&MineRequest::default())?;
    let second = node.mine(&MineRequest::default())?;
    assert!(second.header.timestamp > first.header.timestamp);
    let past = MineRequest { timestamp: Some(first.header.timestamp), ..Default::default() };
    assert!(!node.mine(&past)?.provable);
    assert_ne!(second.header.mix_hash, B256::ZERO);
    Ok(())
}

#[test]
fn old_blocks_are_reduced_to_headers() {
    let settings = Settings { bodies: Some(2), ..Settings::default() };
    let node = node_at(ProtocolFork::Osaka, settings);
    let early = node.read(enshrine_node::NodeState::snapshot);
    let send = |nonce| node.submit(transfer("alice", nonce, 1)).unwrap();
    let sent: Vec<_> = (0..5).map(send).collect();
    let is_stored = |hash: &B256| node.read(|node| node.chain.transaction(hash).unwrap().is_some());
    assert_eq!(sent.iter().map(is_stored).collect::<Vec<_>>(), [false, false, false, true, true]);
    let block = |number| node.read(|node| node.chain.canonical_block(number).unwrap().unwrap());
    assert_eq!(block(3).header.gas_used, 21_000);
    assert!(block(3).transactions.is_empty() && block(3).executed.receipts.is_empty());
    assert_eq!(block(4).executed.receipts.len(), 1);

    // The limit also applies to the blocks that replace them.
    node.execute(Restore(early)).unwrap();
    let sent: Vec<_> = (0..3).map(send).collect();
    assert_eq!(sent.iter().map(is_stored).collect::<Vec<_>>(), [false, true, true]);
}

#[test]
fn node_with_short_history_prunes_old_states() {
    const BLOCKS: u64 = 600;
    let of = |history| {
        let settings = Settings { history, ..Settings::default() };
        let node = node_at(ProtocolFork::Osaka, settings);
        let early = node.read(enshrine_node::NodeState::snapshot);
        // From here on blocks are built faster than the clock advances, so that both nodes have the
        // same timestamps.
        node.execute(SetClock::NextBlock(2_000));
        for nonce in 0..BLOCKS {
            node.submit(transfer("alice", nonce, 1)).unwrap();
        }
        (node, early)
    };
    let ((small, early), (full, _)) = (of(Some(3)), of(None));
    let nodes =
        |node: &Node| node.read(|node| node.chain.store().everything().unwrap().nodes.len());
    assert!(nodes(&full) > 5_000, "{}", nodes(&full));
    assert!(nodes(&small) < 3_000, "{} of {}", nodes(&small), nodes(&full));

    // Both nodes have the same chain, all its blocks, and the states within the history.
    let head = |node: &Node| node.read(|node| node.chain.head().hash);
    assert_eq!(head(&small), head(&full));
    let state = |number: u64| {
        small.read(|node| node.state_after(&node.chain.canonical_block(number).unwrap().unwrap()))
    };
    let nonce_at = |number| state(number).map(|state| state.nonce(Key::named("alice").address()));
    assert_eq!(nonce_at(BLOCKS - 3), Ok(Ok(BLOCKS - 3)));
    assert_eq!(nonce_at(BLOCKS - 4), Err(chain::ChainError::Pruned(BLOCKS - 4)));
    assert!(
        full.read(|node| node.state_after(&node.chain.canonical_block(1).unwrap().unwrap()))
            .is_ok()
    );

    // An old snapshot can be restored, and the chain continues from there.
    small.execute(Restore(early)).unwrap();
    small.submit(transfer("alice", 0, 1)).unwrap();
    assert_eq!(small.state().nonce(Key::named("alice").address()), Ok(1));
}
