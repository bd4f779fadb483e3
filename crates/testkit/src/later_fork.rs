//! A fictitious fork after Amsterdam.
//!
//! Headers have two more items, transactions cost twice the base of Prague and calldata four times
//! the floor, payloads have a field in the middle of their fixed part, and requests have their fields
//! in another order. Otherwise its rules are those of Amsterdam.

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_rlp::{Encodable as _, Header as RlpHeader};
use chain::{BatchWithWitness, ExecutedBlock};
use codec::Encode as _;
use execute::{Answer, Dialect, ExecuteError, Executed, PrecompileCall, Refused};
use executor::EvmOverrides;
use eyre::{OptionExt as _, Result};
use revm::{context::CfgEnv, context_interface::cfg::GasId};
use stateless::header_of;
use std::{borrow::Cow, sync::Arc};
use wire::{
    Input, NewPayloadRequest, ProtocolFork, SchemaId, StatelessBatch, StatelessInput,
    StatelessResult,
    layout::{input, payload, request},
    list::{OFFSET, array_at, offset_at, u64_at},
};

/// First byte of the schema ids of the fork: the one after Amsterdam's.
const FORK: u8 = 0x16;
/// First byte of the schema ids of Amsterdam.
const AMSTERDAM: u8 = 0x15;
/// Number of items that the fork appends to headers.
const ITEMS: usize = 2;
/// Position in the payload of the field that the fork inserts: after the state root.
const INSERTED: usize = payload::RECEIPTS_ROOT;
/// Bytes of the field: a commitment to the state root.
const COMMITMENT: usize = 32;
/// Gas of a transaction besides its calldata and execution.
const BASE: u64 = 42_000;

/// Rules of the fork.
#[derive(Debug, Clone, Copy, Default)]
pub struct LaterRules;

impl LaterRules {
    /// Returns the hash of a header.
    pub fn hash(header: &Header) -> B256 {
        keccak256(Self.encode_header(header))
    }
}

impl EvmOverrides for LaterRules {
    fn limits(&self, cfg: &mut CfgEnv) {
        let floor = cfg.gas_params.tx_floor_cost_per_token();
        // One price for all transactions, as before EIP-2780.
        cfg.enable_amsterdam_eip2780 = false;
        cfg.gas_params.override_gas([
            (GasId::tx_base_stipend(), BASE),
            (GasId::tx_floor_cost_base_gas(), BASE),
            (GasId::tx_floor_cost_per_token(), 4 * floor),
        ]);
    }

    /// Appends the commitment to the state root, and a list of gas limit and gas used.
    fn encode_header(&self, header: &Header) -> Vec<u8> {
        let plain = alloy_rlp::encode(header);
        let mut items = RlpHeader::decode_bytes(&mut &plain[..], true).unwrap_or_default().to_vec();
        commitment(header.state_root).encode(&mut items);
        vec![header.gas_limit, header.gas_used].encode(&mut items);
        list(&items)
    }

    fn decode_header(&self, bytes: &[u8]) -> alloy_rlp::Result<Header> {
        // The parent of the first block of the fork.
        if let Ok(header) = alloy_rlp::decode_exact(bytes) {
            return Ok(header);
        }
        let items = RlpHeader::decode_bytes(&mut &*bytes, true)?;
        let (mut rest, mut ends) = (items, Vec::new());
        while !rest.is_empty() {
            ends.push(items.len() - rest.len());
            let item = RlpHeader::decode(&mut rest)?;
            rest = rest.get(item.payload_length..).ok_or(alloy_rlp::Error::InputTooShort)?;
        }
        let end = ends.len().checked_sub(ITEMS).map_or(0, |index| ends[index]);
        let header: Header = alloy_rlp::decode_exact(list(&items[..end]))?;
        if self.encode_header(&header) != bytes {
            return Err(alloy_rlp::Error::Custom("the items of the fork do not match the header"));
        }
        Ok(header)
    }
}

/// EXECUTE on an L1 that has the fork from a timestamp, for the calls of another dialect. It
/// rejects blocks of the fork before the timestamp and blocks of Amsterdam after it.
#[derive(Debug, Clone)]
pub struct LaterFork {
    form: Arc<dyn Dialect>,
    since: u64,
}

impl LaterFork {
    /// Creates the dialect for the calls of `form`.
    pub fn new(form: Arc<dyn Dialect>, since: u64) -> Self {
        Self { form, since }
    }

    /// Makes a block that was built with [`LaterRules`] one of the fork, by its hash.
    #[must_use]
    pub fn seal(mut block: ExecutedBlock) -> ExecutedBlock {
        block.block.hash = LaterRules::hash(&block.block.header);
        block
    }

    /// Returns the input of a block of the fork; `first` is the number of the first such block.
    ///
    /// # Errors
    ///
    /// If the block has no input under Amsterdam.
    pub fn input(block: &ExecutedBlock, first: u64) -> Result<Vec<u8>> {
        let plain = block.input()?;
        let mut input = StatelessInput::decode(&plain)?;
        let headers = extended(input.witness.headers.iter(), first)?;
        input.witness.headers = headers.as_slice().into();
        rehash(&mut input.request)?;
        to_later(&input.encode()).ok_or_eyre("an input of Amsterdam")
    }

    /// Returns the input of multiple blocks of the fork.
    ///
    /// # Errors
    ///
    /// If the blocks have no input under Amsterdam.
    pub fn batch(blocks: &BatchWithWitness, first: u64) -> Result<Vec<u8>> {
        let plain = blocks.input()?;
        let mut batch = StatelessBatch::decode(&plain)?;
        let headers = extended(batch.witness.headers.iter(), first)?;
        batch.witness.headers = headers.as_slice().into();
        batch.requests.iter_mut().try_for_each(rehash)?;
        to_later(&batch.encode()).ok_or_eyre("a batch of Amsterdam")
    }

    /// Checks that the fork is the one of L1 at the time of each block.
    fn check(&self, input: &[u8], is_later: bool) -> Result<(), ExecuteError> {
        let input = Input::decode(input)?;
        let mut times = input.requests().iter().map(|request| request.payload.timestamp);
        match times.find(|time| (*time >= self.since) != is_later) {
            None => Ok(()),
            Some(time) => Err(ExecuteError::Variant {
                kind: "forkAt",
                reason: format!("another fork at {time}, L1 forks at {}", self.since),
            }),
        }
    }
}

impl Dialect for LaterFork {
    fn name(&self) -> &'static str {
        "EXECUTE (later fork)"
    }

    fn address(&self) -> Address {
        self.form.address()
    }

    fn bytes(&self, call: &PrecompileCall<'_>) -> Result<usize, ExecuteError> {
        self.form.bytes(call)
    }

    fn input<'c>(&self, call: &PrecompileCall<'c>) -> Result<Cow<'c, [u8]>, ExecuteError> {
        let input = self.form.input(call)?;
        if !is_later(call.calldata) {
            self.check(&input, false)?;
            return Ok(input);
        }
        let plain = from_later(&input).ok_or_else(|| ExecuteError::Variant {
            kind: "layout",
            reason: "the input does not have the layout of the fork".to_owned(),
        })?;
        self.check(&plain, true)?;
        Ok(Cow::Owned(plain))
    }

    fn evm(&self, call: &PrecompileCall<'_>) -> Box<dyn EvmOverrides> {
        if is_later(call.calldata) { Box::new(LaterRules) } else { self.form.evm(call) }
    }

    fn answer(
        &self,
        calldata: &[u8],
        outcome: Result<Executed, Refused>,
    ) -> Result<Answer, ExecuteError> {
        let mut answer = self.form.answer(calldata, outcome)?;
        if is_later(calldata) {
            let mut output = answer.output.to_vec();
            // Little-endian: the fork is the last byte of the result.
            output[StatelessResult::LEN - 1] = FORK;
            answer.output = Bytes::from(output);
        }
        Ok(answer)
    }
}

fn is_later(calldata: &[u8]) -> bool {
    calldata.first() == Some(&FORK)
}

fn commitment(state_root: B256) -> B256 {
    keccak256(state_root)
}

/// Returns the RLP list of these encoded items.
fn list(items: &[u8]) -> Vec<u8> {
    let head = RlpHeader { list: true, payload_length: items.len() };
    let mut list = Vec::with_capacity(head.length() + items.len());
    head.encode(&mut list);
    list.extend_from_slice(items);
    list
}

/// Returns the headers of ancestors, with the items of the fork starting with block `first`.
fn extended<'a>(plain: impl Iterator<Item = &'a [u8]>, first: u64) -> Result<Vec<Bytes>> {
    plain
        .map(|bytes| {
            let header: Header = alloy_rlp::decode_exact(bytes)?;
            let is_later = header.number >= first;
            Ok(if is_later { LaterRules.encode_header(&header) } else { bytes.to_vec() }.into())
        })
        .collect()
}

/// Sets the block hash to the hash of the extended header.
fn rehash(request: &mut NewPayloadRequest<'_>) -> Result<()> {
    let header = header_of(request, ProtocolFork::Amsterdam).ok_or_eyre("no header")?;
    request.payload.block_hash = LaterRules::hash(&header);
    Ok(())
}

/// Converts an input of Amsterdam: schema id, chain id, length of the witness and witness, then the
/// length of each request and the request.
fn to_later(plain: &[u8]) -> Option<Vec<u8>> {
    let (schema, body) = plain.split_at_checked(SchemaId::LEN)?;
    let [fork, revision] = *schema else { return None };
    if fork != AMSTERDAM {
        return None;
    }
    let witness_at = offset_at(body, input::WITNESS);
    let (requests, witness) = (body.get(input::FIXED..witness_at)?, body.get(witness_at..)?);
    let mut later = vec![FORK, revision];
    later.extend(u64_at(body, input::CHAIN_ID).to_be_bytes());
    put(&mut later, witness);
    if SchemaId::of(plain).ok()?.batch_fork().is_none() {
        put(&mut later, &request_to_later(requests)?);
        return Some(later);
    }
    let count = offset_at(requests, 0) / OFFSET;
    for index in 0..count {
        let start = offset_at(requests, OFFSET * index);
        let end = if index + 1 < count {
            offset_at(requests, OFFSET * (index + 1))
        } else {
            requests.len()
        };
        put(&mut later, &request_to_later(requests.get(start..end)?)?);
    }
    Some(later)
}

/// The reverse of [`to_later`].
fn from_later(later: &[u8]) -> Option<Vec<u8>> {
    let (schema, rest) = later.split_at_checked(SchemaId::LEN)?;
    let (chain_id, mut rest) = rest.split_first_chunk::<8>()?;
    let witness = take(&mut rest)?;
    let mut requests = Vec::new();
    while !rest.is_empty() {
        requests.push(request_from_later(take(&mut rest)?)?);
    }
    let mut plain = vec![AMSTERDAM, schema[1]];
    let is_batch = SchemaId::of(&plain).ok()?.batch_fork().is_some();
    let mut part = Vec::new();
    if is_batch {
        let mut offset = OFFSET * requests.len();
        for request in &requests {
            part.extend(u32::try_from(offset).ok()?.to_le_bytes());
            offset += request.len();
        }
    } else if requests.len() != 1 {
        return None;
    }
    part.extend(requests.concat());
    for offset in [input::FIXED, input::FIXED + part.len()] {
        plain.extend(u32::try_from(offset).ok()?.to_le_bytes());
    }
    plain.extend(u64::from_be_bytes(*chain_id).to_le_bytes());
    plain.extend(part);
    plain.extend_from_slice(witness);
    Some(plain)
}

/// Moves the parent beacon block root to the end, and inserts the commitment into the payload.
fn request_to_later(plain: &[u8]) -> Option<Vec<u8>> {
    let root_at = request::PARENT_BEACON_BLOCK_ROOT;
    let inserted = request::FIXED + INSERTED;
    let root: [u8; 32] = *plain.get(root_at..)?.first_chunk()?;
    let state_root = array_at(plain.get(..inserted)?, request::FIXED + payload::STATE_ROOT);
    let head = [&plain[..root_at], &plain[root_at + root.len()..inserted]].concat();
    let commitment = commitment(B256::new(state_root));
    Some([&head, commitment.as_slice(), &plain[inserted..], &root].concat())
}

fn request_from_later(later: &[u8]) -> Option<Vec<u8>> {
    let (rest, root) = later.split_last_chunk::<32>()?;
    let (head, rest) = rest.split_at_checked(request::FIXED - root.len() + INSERTED)?;
    let (got, rest) = rest.split_first_chunk::<COMMITMENT>()?;
    let state_root: [u8; 32] = array_at(head, request::FIXED - root.len() + payload::STATE_ROOT);
    if *got != commitment(B256::new(state_root)) {
        return None;
    }
    let (before, after) = head.split_at(request::PARENT_BEACON_BLOCK_ROOT);
    Some([before, root, after, rest].concat())
}

/// Appends the length of these bytes, and the bytes.
fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend((bytes.len() as u32).to_be_bytes());
    to.extend_from_slice(bytes);
}

/// Removes what [`put`] has written from the start.
fn take<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = from.split_first_chunk::<4>()?;
    let (taken, rest) =
        rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *from = rest;
    Some(taken)
}
