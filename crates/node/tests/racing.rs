//! Changes of the node between the check of a transaction and its insertion into the pool.

use alloy_consensus::{Header, TxEip1559};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, TxKind, U256};
use chain::{Chain, ChainConfig, ChainError, EditState as _, RecoveredTransaction};
use enshrine_node::{
    Clock, Command, HeaderPolicy, MineRequest, Mining, Node, NodeState, PoolTransaction, Rejected,
    Settings,
};
use executor::ChainSpec;
use parking_lot::Mutex;
use std::{
    sync::{
        Arc, OnceLock, Weak,
        mpsc::{Sender, channel},
    },
    thread,
};
use testkit::{CHAIN_ID, ETHER, GWEI, Key, rich_genesis};
use wire::ProtocolFork;

/// A header policy that interrupts a check: its first call signals another thread to change the
/// node, and returns once that thread waits for the lock.
#[derive(Debug, Default)]
struct Interruption {
    node: OnceLock<Weak<Node>>,
    other: Mutex<Option<Sender<()>>>,
}

impl HeaderPolicy for Interruption {
    fn apply(&self, _: &mut Header) {
        let Some(other) = self.other.lock().take() else { return };
        let node = self.node.get().and_then(Weak::upgrade).unwrap();
        other.send(()).unwrap();
        while !node.is_being_changed() {
            thread::yield_now();
        }
    }

    fn on_block(&self, _: &Header) {}
}

/// Returns the result of submitting a transfer that is checked just before `change`.
fn submitted_before(change: impl FnOnce(&Node) + Send) -> Result<(), Rejected> {
    let fork = ProtocolFork::Osaka;
    let genesis = rich_genesis(fork, ["alice", "carol"], ETHER);
    let chain =
        Chain::new(&genesis, ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork))).unwrap();
    let settings = Settings { mining: Mining::Manual, ..Settings::default() };
    let policy = Arc::new(Interruption::default());
    let clock = Clock::starting_at(1_000);
    let node = Node::with_header_policy(chain, clock, settings, Arc::clone(&policy) as _);
    policy.node.set(Arc::downgrade(&node)).unwrap();
    let (other, arrived) = channel();
    *policy.other.lock() = Some(other);
    thread::scope(|scope| {
        let changing = &node;
        scope.spawn(move || {
            arrived.recv().unwrap();
            change(changing);
        });
        node.submit(transfer("alice", 1)).map(drop)
    })
}

fn transfer(name: &str, value: u64) -> PoolTransaction {
    let transaction = Key::named(name).sign(TxEip1559 {
        chain_id: CHAIN_ID,
        gas_limit: 21_000,
        max_fee_per_gas: 2 * GWEI,
        to: TxKind::Call(Address::repeat_byte(0xb0)),
        value: U256::from(value),
        ..Default::default()
    });
    let (raw, sender) = (transaction.encoded_2718().into(), Key::named(name).address());
    PoolTransaction::new(
        RecoveredTransaction { transaction: transaction.into(), sender, signed: true },
        None,
        raw,
    )
}

#[derive(Debug)]
struct SetBalance(&'static str, u64);

impl Command for SetBalance {
    type Output = Result<(), ChainError>;

    fn apply(self, node: &mut NodeState) -> Self::Output {
        let account = Key::named(self.0).address();
        node.chain.edit(|state| state.set_balance(account, U256::from(self.1)))
    }
}

fn block_with(transaction: PoolTransaction) -> impl FnOnce(&Node) + Send {
    let transactions = vec![transaction.recovered];
    move |node| {
        let request = MineRequest { transactions, ..MineRequest::default() };
        assert_eq!(node.mine(&request).unwrap().transactions.len(), 1);
    }
}

#[test]
fn balance_removed_during_check_rejects_transaction() {
    let alice = Key::named("alice").address();
    let refused = submitted_before(|node| node.execute(SetBalance("alice", 0)).unwrap());
    assert!(
        matches!(refused, Err(Rejected::Funds { sender, .. }) if sender == alice),
        "{refused:?}"
    );
    let submitted = submitted_before(|node| node.execute(SetBalance("carol", 0)).unwrap());
    assert_eq!(submitted, Ok(()));
}

#[test]
fn nonce_used_during_check_rejects_transaction() {
    let (sender, other) = (Key::named("alice").address(), transfer("alice", 2));
    let refused = submitted_before(block_with(other));
    assert_eq!(refused, Err(Rejected::NonceTooLow { sender, got: 0, expected: 1 }));
    assert_eq!(submitted_before(block_with(transfer("carol", 2))), Ok(()));
}
