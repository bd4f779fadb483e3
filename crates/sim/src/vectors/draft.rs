//! Blocks of chains as in the EIP-8079 draft.

use super::{
    blocks::WITHDRAWALS,
    forms::{Cases, Expected},
    vector_chain::{INTERVAL, TIME},
};
use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, B256, Bytes, U256};
use eyre::{OptionExt as _, Result};
use testkit::{
    CHAIN_ID, DraftBuilt, DraftL2, ETHER, FORKS, Key, LOGGER, draft_resealed, logger, rich_genesis,
};
use variants::{DialectCall, DraftBlock};
use wire::{ByteLists, ProtocolFork, Records, StatelessInput};

/// Anchor of the blocks.
const ANCHOR: B256 = B256::repeat_byte(0xa5);

/// Returns a call with this calldata.
const fn call(calldata: Vec<u8>) -> DialectCall {
    DialectCall { calldata, blobs: Vec::new() }
}

/// Starts a chain at a fork, where Alice is rich and the logger is deployed.
fn chain(fork: ProtocolFork) -> Result<DraftL2> {
    let mut genesis = rich_genesis(fork, ["alice"], 1_000 * ETHER);
    genesis.timestamp = TIME - INTERVAL;
    genesis.alloc.insert(LOGGER, logger());
    Ok(DraftL2::new(genesis, CHAIN_ID, fork)?)
}

/// Builds and appends a block of calls from Alice.
fn block(l2: &mut DraftL2, to: &[Address]) -> Result<DraftBuilt> {
    let alice = Key::named("alice");
    let first = l2.state().nonce(alice.address())?;
    let transactions = (first..).zip(to).map(|(nonce, to)| {
        alice.sign(TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: 300_000,
            max_fee_per_gas: 100_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            to: (*to).into(),
            value: U256::ONE,
            input: Bytes::new(),
            ..Default::default()
        })
    });
    let values = DraftBlock { anchor: ANCHOR, burned_fees: 0 };
    let built = l2.build(values, transactions.collect())?;
    l2.append(built.clone())?;
    Ok(built)
}

/// Returns calls with two blocks of an Osaka chain, for mutations.
pub(crate) fn calls() -> Result<[Vec<u8>; 2]> {
    let mut l2 = chain(ProtocolFork::Osaka)?;
    let transfers = block(&mut l2, &[Key::named("bob").address(), Address::repeat_byte(7)])?;
    Ok([transfers.calldata, block(&mut l2, &[LOGGER])?.calldata])
}

/// Adds blocks of each fork, and rejected neighbours.
pub(super) fn add(cases: &mut Cases) -> Result<()> {
    for fork in FORKS {
        let mut l2 = chain(fork)?;
        for (what, to) in [
            ("empty", &[][..]),
            ("2 transfers", &[Key::named("bob").address(), Address::repeat_byte(7)]),
            ("a call that reads and logs", &[LOGGER]),
        ] {
            let built = block(&mut l2, to)?;
            let name = format!("{fork} block, {what}");
            cases.accepted(&name, &fork.to_string(), "default", &call(built.calldata.clone()))?;
            near(cases, fork, &name, &built.calldata)?;
        }
    }
    Ok(())
}

/// Adds calls that differ from an accepted one in one change.
fn near(cases: &mut Cases, fork: ProtocolFork, name: &str, good: &[u8]) -> Result<()> {
    let mut add = |what: &str, reason, calldata: Vec<u8>| {
        cases.refused(what, name, Expected::Failed(reason), &call(calldata))
    };
    let sealed = |change: &dyn Fn(&mut StatelessInput<'_>, &mut DraftBlock)| {
        draft_resealed(good, change).ok_or_eyre("the change leaves no header")
    };
    let more = sealed(&|_, values| values.burned_fees += 1)?;
    add("one wei more of burned fees", "amount", more)?;
    let anchor = B256::repeat_byte(0xa6);
    add("another anchor", "commitment", sealed(&|_, values| values.anchor = anchor)?)?;
    let root = sealed(&|input, _| input.request.payload.state_root = B256::ZERO)?;
    add("another state root", "commitment", root)?;
    let withdrawal = sealed(&|input, _| {
        input.request.payload.withdrawals = Records::new(WITHDRAWALS);
    })?;
    add("a withdrawal", "withdrawals", withdrawal)?;
    let nodes = sealed(&|input, _| input.witness.state = ByteLists::EMPTY)?;
    add("no nodes", "missingNode", nodes)?;

    let (input, values) = DraftBlock::decode(good)?;
    let other = DraftBlock { burned_fees: values.burned_fees + 1, ..values };
    let other = other.encode(&input).ok_or_eyre("it had a form")?;
    add("other burned fees under the same hash", "blockHash", other)?;
    add("as an input of the execution-specs", "schema", input)?;
    let with = |at: usize, value: u8| {
        let mut bytes = good.to_vec();
        bytes[at] = value;
        bytes
    };
    add("schema id of a batch", "schema", with(1, 0xba))?;
    add("a gap behind the fixed part", "decode", with(2, 49))?;
    add("a request within the fixed part", "calldata", with(2, 31))?;
    add("half of the fixed part", "decode", good[..24].to_vec())?;
    if fork == ProtocolFork::Osaka {
        add("schema id of an earlier fork", "forkAt", with(0, ProtocolFork::Prague as u8))?;
    }
    Ok(())
}
