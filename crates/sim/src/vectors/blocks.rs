//! Single blocks, and rejected neighbours of them.

use super::{
    subject::Subjects,
    vector_chain::{Content, INTERVAL, TIME, VectorChain},
};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{B256, Bytes, U256};
use codec::Encode as _;
use eyre::{OptionExt as _, Result};
use testkit::{CHAIN_ID, FORKS, Key};
use wire::{ByteLists, ProtocolFork, Records, StatelessInput};

pub(super) const WITHDRAWALS: &[[u8; 44]] = &[[1; 44]];
const HASHES: &[[u8; 32]] = &[[1; 32]];
/// Consolidation requests for a payload that does not cause any.
const CONSOLIDATIONS: &[[u8; 116]] = &[[1; 116]];

/// Returns all single blocks.
pub(super) fn subjects() -> Result<Subjects> {
    let mut all = Subjects::default();
    for fork in FORKS {
        of_fork(&mut all, fork)?;
    }
    let mut chain = VectorChain::new(ProtocolFork::Osaka)?;
    let block = chain.block(Content::Transfers(2))?;
    encodings(&mut all, &block)?;
    headers(&mut all, &block)?;
    rules(&mut all, &block)?;
    transactions(&mut all, &block)?;
    let name = "osaka block, 2 transfers";
    witnesses(&mut all, name, &block)?;
    schedules(&mut all)?;
    Ok(all)
}

fn resealed<'a>(block: &'a [u8], change: impl FnOnce(&mut StatelessInput<'a>)) -> Result<Vec<u8>> {
    testkit::resealed(block, change).ok_or_eyre("a block without a header")
}

fn changed<'a>(block: &'a [u8], change: impl FnOnce(&mut StatelessInput<'a>)) -> Result<Vec<u8>> {
    let mut input = StatelessInput::decode(block)?;
    change(&mut input);
    Ok(input.encode())
}

/// Adds blocks with each content at a fork, and neighbours that every fork rejects.
fn of_fork(all: &mut Subjects, fork: ProtocolFork) -> Result<()> {
    let mut chain = VectorChain::new(fork)?;
    let mut add = |all: &mut Subjects, content, what: &str| -> Result<_> {
        let (name, input) = (format!("{fork} block, {what}"), chain.block(content)?);
        all.valid(&name, &fork.to_string(), input.clone());
        Ok((name, input))
    };
    let (name, transfers) = add(all, Content::Transfers(2), "2 transfers")?;
    add(all, Content::Transfers(0), "empty")?;
    let (log, call) = add(all, Content::Log, "a call that reads and logs")?;
    let (ancestor, archive) = add(all, Content::Ancestor, "a call that stores an ancestor's hash")?;

    let hash = changed(&transfers, |block| block.request.payload.block_hash = B256::ZERO)?;
    all.refused("another block hash", &name, "blockHash", hash)?;
    let root = resealed(&transfers, |block| block.request.payload.state_root = B256::ZERO)?;
    all.refused("another state root", &name, "commitment", root)?;
    let codes = changed(&call, |block| block.witness.codes = ByteLists::EMPTY)?;
    all.refused("no codes", &log, "missingCode", codes)?;
    let headers = StatelessInput::decode(&archive)?.witness.headers;
    let parent: Vec<_> = headers.iter().last().map(Bytes::copy_from_slice).into_iter().collect();
    let parent = changed(&archive, |block| block.witness.headers = (&parent).into())?;
    all.refused("no header of the ancestor", &ancestor, "missingAncestor", parent)
}

/// Adds malformed inputs.
fn encodings(all: &mut Subjects, block: &[u8]) -> Result<()> {
    let name = "osaka block, 2 transfers";
    let mut add = |what: &str, reason, input: Vec<u8>| all.refused(what, name, reason, input);
    let with = |at: usize, value: &[u8]| {
        let mut bytes = block.to_vec();
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    add("nothing", "decode", vec![])?;
    add("the schema id alone", "decode", block[..2].to_vec())?;
    add("without the last byte", "brokenAncestry", block[..block.len() - 1].to_vec())?;
    add("half of it", "decode", block[..block.len() / 2].to_vec())?;
    add("one byte more", "brokenAncestry", [block, &[0]].concat())?;
    add("schema id of no fork", "decode", with(0, &[0x0d]))?;
    add("schema id of no revision", "decode", with(1, &[0x02]))?;
    add("schema id of a batch", "decode", with(1, &[0xba]))?;
    add("schema id of an earlier fork", "forkAt", with(0, &[0x11]))?;
    add("schema id of a later fork", "forkAt", with(0, &[0x13]))?;
    add("a gap behind the fixed part", "decode", with(2, &[17]))?;
    add("a witness before the request", "decode", with(6, &[15, 0, 0, 0]))?;
    add("a witness beyond the end", "decode", with(6, &[0xff; 4]))
}

/// Adds blocks whose headers violate a rule or do not match the execution.
fn headers(all: &mut Subjects, block: &[u8]) -> Result<()> {
    let name = "osaka block, 2 transfers";
    // Fields that the builder chooses freely are accepted, as a control for the rejections below.
    let randao = resealed(block, |block| block.request.payload.prev_randao = B256::repeat_byte(7))?;
    all.valid("osaka block, another prevRandao", "osaka", randao);
    let later = resealed(block, |block| block.request.payload.extra_data = &[7; 32])?;
    all.valid("osaka block, 32 bytes of extra data", "osaka", later);
    let mut add = |what: &str, reason, change: fn(&mut StatelessInput<'_>)| {
        all.refused(what, name, reason, resealed(block, |block| change(block))?)
    };
    add("33 bytes of extra data", "decode", |block| block.request.payload.extra_data = &[7; 33])?;
    add("another receipts root", "commitment", |block| {
        block.request.payload.receipts_root = B256::ZERO;
    })?;
    add("another bloom", "logsBloom", |block| block.request.payload.logs_bloom = &[1; 256])?;
    add("a gas used of one more", "amount", |block| block.request.payload.gas_used += 1)?;
    add("a gas used of one less", "gasBeyondClaim", |block| block.request.payload.gas_used -= 1)?;
    add("another parent hash", "brokenAncestry", |block| {
        block.request.payload.parent_hash = B256::ZERO;
    })?;
    add("the next number", "header", |block| block.request.payload.block_number += 1)?;
    add("the parent's timestamp", "headerRange", |block| {
        block.request.payload.timestamp -= INTERVAL;
    })?;
    add("one wei more of base fee", "header", |block| {
        block.request.payload.base_fee_per_gas += U256::ONE;
    })?;
    add("twice the gas limit", "headerRange", |block| block.request.payload.gas_limit *= 2)?;
    add("another fee recipient", "commitment", |block| {
        block.request.payload.fee_recipient = Key::named("alice").address();
    })?;
    add("another parent beacon block root", "commitment", |block| {
        block.request.parent_beacon_block_root = B256::ZERO;
    })?;
    add("a request that it does not cause", "commitment", |block| {
        block.request.execution_requests.consolidations = Records::new(CONSOLIDATIONS);
    })
}

/// Adds blocks that may be valid by consensus but violate the L2 rules.
fn rules(all: &mut Subjects, block: &[u8]) -> Result<()> {
    let name = "osaka block, 2 transfers";
    let mut add = |what: &str, reason, change: fn(&mut StatelessInput<'_>)| {
        all.refused(what, name, reason, resealed(block, |block| change(block))?)
    };
    add("gas for a blob", "blobField", |block| block.request.payload.blob_gas_used = 131_072)?;
    add("excess blob gas", "blobField", |block| block.request.payload.excess_blob_gas = 1)?;
    add("a versioned hash", "versionedHashes", |block| {
        block.request.versioned_hashes = Records::new(HASHES);
    })?;
    add("a withdrawal", "withdrawals", |block| {
        block.request.payload.withdrawals = Records::new(WITHDRAWALS);
    })
}

/// Adds blocks with invalid transactions.
fn transactions(all: &mut Subjects, block: &[u8]) -> Result<()> {
    let name = "osaka block, 2 transfers";
    let decoded = StatelessInput::decode(block)?.request.payload.transactions;
    let own: Vec<_> = decoded.iter().map(Bytes::copy_from_slice).collect();
    let [first, second] = [own[0].clone(), own[1].clone()];
    let next = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce: 1,
        gas_limit: 25_000,
        max_fee_per_gas: 100_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: Key::named("bob").address().into(),
        value: U256::ONE,
        ..Default::default()
    };
    let signed = |tx: TxEip1559| Bytes::from(Key::named("alice").sign(tx).encoded_2718());
    let mut typed = second.to_vec();
    typed[0] = 0x05;
    let mut add = |what: &str, reason, transactions: Vec<Bytes>| {
        let changed =
            changed(block, |block| block.request.payload.transactions = (&transactions).into());
        all.refused(what, name, reason, resealed(&changed?, |_| {})?)
    };
    add("the first transaction alone", "amount", vec![first.clone()])?;
    add("the second transaction alone", "transaction", vec![second.clone()])?;
    add("the transactions in another order", "transaction", vec![second.clone(), first.clone()])?;
    add("a transaction twice", "transaction", vec![first.clone(), first.clone()])?;
    let mut pair = |what: &str, reason, second| add(what, reason, vec![first.clone(), second]);
    pair("a transaction of no type", "malformedTransaction", typed.into())?;
    pair("an empty transaction", "malformedTransaction", Bytes::new())?;
    let half = second.slice(..second.len() / 2);
    pair("half a transaction", "malformedTransaction", half)?;
    let other = TxEip1559 { chain_id: CHAIN_ID + 1, ..next.clone() };
    pair("a transaction of another chain", "transaction", signed(other))?;
    let low = TxEip1559 { gas_limit: 20_999, ..next.clone() };
    pair("a transaction below its intrinsic gas", "transactionGas", signed(low))?;
    let poor = TxEip1559 { value: U256::MAX, ..next.clone() };
    pair("a transaction beyond the balance", "transaction", signed(poor))?;
    let cheap = TxEip1559 { max_fee_per_gas: 1, max_priority_fee_per_gas: 1, ..next };
    pair("a transaction below the base fee", "transaction", signed(cheap))
}

/// Adds blocks with surplus, missing and changed parts of the witness.
fn witnesses(all: &mut Subjects, name: &str, block: &[u8]) -> Result<()> {
    let witness = StatelessInput::decode(block)?.witness;
    let owned = |list: ByteLists<'_>| list.iter().map(Bytes::copy_from_slice).collect::<Vec<_>>();
    let (nodes, codes) = (owned(witness.state), owned(witness.codes));
    let surplus = Bytes::from_static(&[0xc1, 0x80]);

    let reversed: Vec<_> = nodes.iter().rev().cloned().collect();
    let input = changed(block, |block| block.witness.state = (&reversed).into())?;
    all.valid("osaka block, the nodes in another order", "osaka", input);
    let more = [&nodes[..], core::slice::from_ref(&surplus)].concat();
    let input = changed(block, |block| block.witness.state = (&more).into())?;
    all.valid("osaka block, a surplus node", "osaka", input);
    let more = [&codes[..], &[surplus]].concat();
    let input = changed(block, |block| block.witness.codes = (&more).into())?;
    all.valid("osaka block, a surplus code", "osaka", input);

    let input = changed(block, |block| block.witness.state = (&nodes[1..]).into())?;
    all.refused("without its first node", name, "missingNode", input)?;
    let mut other = nodes;
    let mut bytes = other[0].to_vec();
    bytes[0] ^= 1;
    other[0] = bytes.into();
    let input = changed(block, |block| block.witness.state = (&other).into())?;
    all.refused("another first node", name, "missingNode", input)?;
    let input = changed(block, |block| block.witness.state = ByteLists::EMPTY)?;
    all.refused("no nodes", name, "missingNode", input)?;
    let input = changed(block, |block| block.witness.headers = ByteLists::EMPTY)?;
    all.refused("no headers", name, "noParent", input)
}

/// Adds blocks before and after a fork of L1.
fn schedules(all: &mut Subjects) -> Result<()> {
    let (mut prague, mut osaka) =
        (VectorChain::new(ProtocolFork::Prague)?, VectorChain::new(ProtocolFork::Osaka)?);
    let (prague, osaka) =
        (prague.block(Content::Transfers(1))?, osaka.block(Content::Transfers(1))?);
    let at = |time: u64| format!("prague,osaka@{time}");
    let (before, after) = ("prague block, before L1's fork", "osaka block, after L1's fork");
    all.valid(before, &at(TIME + 1), prague.clone());
    all.refused_by(&at(TIME), "at the fork", before, "forkAt", prague);
    all.valid(after, &at(TIME), osaka.clone());
    all.refused_by(&at(TIME + 1), "a second before it", after, "forkAt", osaka);
    Ok(())
}
