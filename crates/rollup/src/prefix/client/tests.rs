use super::*;
use crate::{l1::L1View, prefix::L1Condition};
use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, B256, U256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use chain::{Block, BlockAttributes, Chain, ChainConfig, ExecutedBlock};
use executor::ChainSpec;
use node::{Clock, Settings};
use preconf::SignatureError;
use testkit::{CHAIN_ID, ETHER, Key, bare_deployment, rich_genesis};
use wire::{ProtocolFork, SchemaId};

const FORK: ProtocolFork = ProtocolFork::Osaka;
const TO: Address = Address::repeat_byte(0xb0);

/// A follower, and the key of the sequencer that it trusts.
struct Fixture {
    client: PrefixClient,
    key: PrivateKeySigner,
    rollup: Address,
}

impl Fixture {
    fn new() -> Self {
        let spec = ChainSpec::scheduled(CHAIN_ID, FORK, &[]);
        let genesis = rich_genesis(FORK, ["alice"], ETHER);
        let chain = Chain::new(&genesis, ChainConfig::new(spec)).unwrap();
        let node = Node::new(chain, Clock::default(), Settings::default());
        let deployment = bare_deployment(Address::repeat_byte(1), Address::repeat_byte(2));
        let (rollup, shared) = (deployment.rollup, Arc::<NodeHandle>::default());
        let domain = Domain { l1_chain_id: deployment.l1_chain_id, contract: rollup };
        *shared.view.lock() = Some(Arc::new(L1View::new(deployment)));
        let key = PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap();
        let trust = Arc::new(FeedTrust::Accounts(vec![key.address()]));
        let client = PrefixClient { node, shared, trust, domain, watch: None };
        Self { client, key, rollup }
    }

    /// Builds a block with the first `count` transfers of alice.
    fn build(&self, count: u64) -> ExecutedBlock {
        let head = self.client.node.read(|node| Arc::clone(node.chain.head()));
        let timestamp = head.header.timestamp + 1;
        let attributes = BlockAttributes { timestamp, ..BlockAttributes::default() };
        let transfers = (0..count).map(|nonce| {
            Key::named("alice").sign(TxEip1559 {
                chain_id: CHAIN_ID,
                nonce,
                gas_limit: 21_000,
                max_fee_per_gas: 10_000_000_000,
                to: TO.into(),
                value: U256::from(1),
                ..TxEip1559::default()
            })
        });
        let transfers = transfers.collect();
        let built = self.client.node.read(|node| node.chain.build(&attributes, transfers));
        let (new, rejected) = built.unwrap();
        assert!(rejected.is_empty(), "{rejected:?}");
        new
    }

    fn update(&self, block: &Block, first: usize) -> PrefixUpdate {
        self.update_on(block, first, L1Condition::default())
    }

    /// Returns the update of a block, signed by the sequencer.
    fn update_on(&self, block: &Block, first: usize, condition: L1Condition) -> PrefixUpdate {
        let prefix = Prefix::of(block, self.rollup, FORK.schema(), false, condition).unwrap();
        self.signed(PrefixUpdate {
            message: prefix.promised.message,
            signature: Default::default(),
            header: prefix.header,
            first: first as u32,
            transactions: prefix.transactions[first..].to_vec(),
            tip: 0,
            floor: 0,
        })
    }

    fn signed(&self, update: PrefixUpdate) -> PrefixUpdate {
        let digest = update.message.digest(&self.client.domain);
        let signature = self.key.sign_hash_sync(&digest).unwrap().as_bytes().into();
        PrefixUpdate { signature, ..update }
    }

    fn apply(&self, update: &PrefixUpdate) -> Result<(), PrefixRejection> {
        self.client.apply(&PrefixItem { ssz: update.encode().unwrap().into() })
    }

    /// Returns the balance of the recipient after the pending block.
    fn pending(&self) -> U256 {
        self.client.node.pending().unwrap().state.balance(TO).unwrap()
    }
}

#[test]
fn prefixes_are_executed_and_shown() {
    let fixture = Fixture::new();
    fixture.apply(&fixture.update(&fixture.build(1).block, 0)).unwrap();
    assert_eq!(fixture.pending(), U256::from(1));
    fixture.apply(&fixture.update(&fixture.build(3).block, 1)).unwrap();
    assert_eq!(fixture.pending(), U256::from(3));
    let newest = fixture.client.shared.prefixes.newest().unwrap();
    assert_eq!(newest.prefix.transactions.len(), 3);
}

#[test]
fn missing_transactions_are_asked_for() {
    let fixture = Fixture::new();
    let third = fixture.build(3).block;
    let refused = fixture.apply(&fixture.update(&third, 1));
    assert!(matches!(refused, Err(PrefixRejection::Gap { first: 1, known: 0 })), "{refused:?}");
    fixture.apply(&fixture.update(&third, 0)).unwrap();
    assert_eq!(fixture.pending(), U256::from(3));
}

/// A wrong header that the sequencer has signed is reported as a fault.
#[test]
fn signed_lie_is_not_shown() {
    let fixture = Fixture::new();
    let honest = fixture.build(1).block;
    type Change = fn(&mut Block);
    let lies: [Change; 4] = [
        |update| update.header.state_root = B256::repeat_byte(1),
        |update| update.header.receipts_root = B256::repeat_byte(1),
        |update| update.header.gas_used += 1,
        |update| update.header.transactions_root = B256::repeat_byte(1),
    ];
    for lie in lies {
        let mut block = honest.clone();
        lie(&mut block);
        block.hash = block.header.hash_slow();
        let refused = fixture.apply(&fixture.update(&block, 0)).unwrap_err();
        assert!(matches!(refused, PrefixRejection::Lie { number: 1, .. }), "{refused}");
        fixture.client.report(&refused);
        assert!(fixture.client.shared.prefixes.newest().is_none());
    }
    let fault = fixture.client.shared.feed_fault.lock().clone().unwrap_or_default();
    assert!(fault.contains("signed a false result of block 1"), "{fault}");
    fixture.apply(&fixture.update(&honest, 0)).unwrap();
}

#[test]
fn foreign_or_false_messages_are_ignored() {
    let fixture = Fixture::new();
    let block = fixture.build(1).block;
    let good = fixture.update(&block, 0);
    let other_key = Fixture { key: PrivateKeySigner::random(), ..Fixture::new() };
    let refused = fixture.apply(&other_key.signed(good.clone()));
    assert!(
        matches!(refused, Err(PrefixRejection::Signer(FeedError::WrongSigner { .. }))),
        "{refused:?}"
    );
    let unacceptable = |update: &PrefixUpdate| match fixture.apply(update) {
        Err(PrefixRejection::Unacceptable(reason)) => reason,
        other => panic!("{other:?}"),
    };
    let mut other = good.clone();
    other.message.rollup = TO;
    let got = unacceptable(&fixture.signed(other));
    assert_eq!(got, Unacceptable::Rollup { got: TO, expected: fixture.rollup });

    let mut other = good.clone();
    other.message.schema = SchemaId::AMSTERDAM;
    let got = unacceptable(&fixture.signed(other));
    assert!(matches!(got, Unacceptable::Schema { .. }), "{got}");

    let mut other = good.clone();
    other.message.block_hash = B256::ZERO;
    let got = unacceptable(&fixture.signed(other));
    assert!(matches!(got, Unacceptable::HeaderMismatch { .. }), "{got}");

    // Without a new signature, a changed message recovers to another account.
    let mut other = good.clone();
    other.message.is_sealed = true;
    assert!(matches!(fixture.apply(&other), Err(PrefixRejection::Signer(_))));
    let zeros = PrefixUpdate { signature: Default::default(), ..good.clone() };
    let got = unacceptable(&zeros);
    assert!(matches!(got, Unacceptable::Signature(SignatureError::Parity { got: 0 })), "{got}");

    // L1 has no such block.
    let condition = L1Condition { number: 5, hash: B256::repeat_byte(5) };
    let got = unacceptable(&fixture.update_on(&block, 0, condition));
    assert!(matches!(got, Unacceptable::Condition { number: 5, .. }), "{got}");

    let mut orphan = block;
    orphan.header.parent_hash = B256::repeat_byte(9);
    orphan.hash = orphan.header.hash_slow();
    let got = unacceptable(&fixture.update(&orphan, 0));
    assert!(matches!(got, Unacceptable::Parent { number: 1, .. }), "{got}");

    let malformed = fixture.client.apply(&PrefixItem { ssz: vec![0; 300].into() });
    assert!(matches!(malformed, Err(PrefixRejection::Malformed(_))));
    assert!(fixture.client.shared.prefixes.newest().is_none());
    fixture.apply(&good).unwrap();
}
