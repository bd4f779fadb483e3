//! The ways to post L2 blocks to L1, and the cost of each.
//!
//! An [`AdvancePlan`] is the content of one `advance` call: EXECUTE inputs as plain calldata, with
//! references to code stored on L1 ([`crate::code_reference`]), or in blobs except for their heads.
//! [`AdvancePlan::cost`] returns its exact gas on L1 by the rules of L1's fork, for a call without
//! duties and evidence: apart from the price of their bytes as calldata, duties cost the same in
//! every plan. [`cheapest`] chooses between plans.

use crate::{
    bindings::INativeRollup::{Evidence, advanceCall},
    capacity::{CONTRACT_GAS, ENVELOPE_BYTES, TRANSACTION_BYTES},
    code_reference::{CodeReference, INIT_HEAD, Shortened, WORTH_A_REFERENCE, shorten},
};
use alloy_primitives::{Address, Bytes};
use alloy_sol_types::SolCall as _;
use codec::blob_tail::{Trailer, blobs_for, cut, to_blobs};
use core::{iter, ops::Range};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use wire::{ProtocolFork, SchemaId, StatelessBatch};

/// Maximum number of blobs in a transaction (EIP-7594).
pub const MAX_BLOBS: usize = 6;
/// Blob gas per blob (EIP-4844), priced separately from gas.
pub const BLOB_GAS: u64 = 131_072;
/// Maximum gas limit of a transaction (EIP-7825).
pub const TRANSACTION_GAS_CAP: u64 = 1 << 24;
/// Number of slots in the ring buffer of state roots (`RollupState.STATE_ROOTS`).
pub const STATE_ROOTS: u64 = 8_191;

/// Words of memory that `advance` uses below the inputs.
const MEMORY_BELOW: u64 = 30;

/// Gas of `advance` that does not depend on the length of the inputs. A test that sends each form
/// compares it with the gas that the contract uses.
#[derive(Debug)]
struct ContractGas {
    /// Intrinsic gas of a transaction that calls the contract, without calldata.
    transaction: u64,
    /// Gas of a call with one input of one block: storage, loops and events, without memory for the
    /// input.
    call: u64,
    /// Gas of each input after the first.
    further_input: u64,
    /// Gas of each block of a batch after the first.
    further_block: u64,
    /// Gas of each block in blobs after the first, whose position the contract does not read from
    /// the batch.
    further_block_in_blobs: u64,
    /// Additional gas for a batch, independent of its number of blocks.
    batch: u64,
    /// Additional gas for a batch in blobs.
    batch_in_blobs: u64,
    /// Additional gas for a slot of the ring buffer that was empty before.
    fresh_slot: u64,
    /// Gas per blob, for counting it for the `Advanced` event.
    blob: u64,
    /// Additional gas for each input without blobs, which uses the EXECUTE precompile for plain
    /// calldata.
    without_blobs: u64,
    /// Additional gas for each input that is longer than all before it, in the search for the
    /// longest input.
    longer: u64,
    /// Additional gas for an input with references.
    with_references: u64,
    /// Gas of each reference, independent of the length of the code.
    reference: u64,
    /// Additional gas for the first reference to an account in a transaction (EIP-2929).
    cold_account: u64,
    /// Safety margin in the gas limit, because earlier L1 transactions can make some slots more
    /// expensive.
    margin: u64,
}

/// Gas up to Osaka and its blob-parameter forks.
const OSAKA: ContractGas = ContractGas {
    transaction: 21_000,
    call: 31_949,
    further_input: 11_255,
    further_block: 10_440,
    further_block_in_blobs: 9_775,
    batch: 1_280,
    batch_in_blobs: 1_260,
    fresh_slot: 17_100,
    blob: 102,
    without_blobs: 10,
    longer: 8,
    with_references: 673,
    reference: 1_065,
    cold_account: 2_500,
    margin: 50_000,
};

/// Gas under Amsterdam: lower intrinsic gas (EIP-2780), more expensive writes (EIP-8038), and state
/// gas for new slots (EIP-8037).
const AMSTERDAM: ContractGas = ContractGas {
    transaction: 15_000,
    call: 53_549,
    further_input: 18_355,
    further_block: 17_540,
    further_block_in_blobs: 16_875,
    fresh_slot: 97_920,
    reference: 1_265,
    cold_account: 2_900,
    margin: 250_000,
    ..OSAKA
};

impl ContractGas {
    const fn on(fork: ProtocolFork) -> &'static Self {
        if fork as u8 >= ProtocolFork::Amsterdam as u8 { &AMSTERDAM } else { &OSAKA }
    }
}

/// Bytes that are always reserved for evidence and ABI encoding, in addition to the inputs.
/// Outcomes of forced transactions may need more.
pub const EVIDENCE_BYTES: usize = 6_000;
/// Calldata floor in gas per byte, the highest of all forks (EIP-7976).
const DEAREST_FLOOR: u64 = 64;

/// Limits of a transaction on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct L1Limits {
    /// Maximum gas limit.
    pub gas: u64,
    /// Maximum size in bytes, without blobs.
    pub bytes: usize,
}

impl Default for L1Limits {
    /// Returns the limits of mainnet: EIP-7825, and the size limit of its public pools.
    fn default() -> Self {
        Self { gas: TRANSACTION_GAS_CAP, bytes: TRANSACTION_BYTES }
    }
}

impl L1Limits {
    /// Returns the maximum total length of the inputs of one `advance`: what the size limit leaves
    /// besides envelope and evidence, and what the gas limit pays for at the floor price.
    pub const fn input_bytes(&self) -> usize {
        let by_size = self.beside_evidence();
        let by_price = (self.gas.saturating_sub(21_000) / DEAREST_FLOOR) as usize;
        let by_price = by_price.saturating_sub(EVIDENCE_BYTES);
        if by_size < by_price { by_size } else { by_price }
    }

    /// Returns the bytes that the size limit leaves besides envelope and evidence, at any price.
    const fn beside_evidence(&self) -> usize {
        self.bytes.saturating_sub(ENVELOPE_BYTES + EVIDENCE_BYTES)
    }

    /// Returns the maximum gas that EXECUTE may charge for an input of any length: 63/64 of what is
    /// left after its bytes as calldata and in memory, and after the contract's own gas.
    pub const fn execute_gas(&self) -> u64 {
        let length = words(self.bytes);
        // The inputs are copied and hashed once.
        let memory = 9 * length + memory_gas(MEMORY_BELOW + length);
        let overhead = 16 * self.bytes as u64 + memory + CONTRACT_GAS;
        self.gas.saturating_sub(overhead) / 64 * 63
    }
}

/// Properties of an input that are known before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvanceInput {
    /// The input itself, of a block or a batch.
    pub bytes: Bytes,
    /// Number of blocks in it.
    pub blocks: u64,
    /// Charge of EXECUTE for it.
    pub charge: u64,
    /// Gas that must be available to the EXECUTE call; the unused part is returned.
    pub reserve: u64,
    /// Charge of EXECUTE for the bytes of a trailer.
    pub trailer: u64,
}

/// Content of one `advance` call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvancePlan {
    /// The `inputs` argument of the call.
    pub inputs: Vec<Bytes>,
    /// The transaction's blobs, in order.
    pub blobs: Vec<Vec<u8>>,
    /// Number of L2 blocks in all inputs.
    pub blocks: u64,
    /// Number of blocks of each input.
    counts: Vec<u64>,
    /// Number of inputs that are batches, including batches of one block.
    batches: u64,
    /// Loading of each input into memory.
    loads: Vec<Load>,
    /// Charge of EXECUTE for all inputs.
    charge: u64,
    /// Gas that EXECUTE needs beyond its charge, for the most demanding input.
    surplus: u64,
}

/// Loading of an input into memory.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Load {
    /// Length in memory, in bytes.
    length: usize,
    /// Gas for copying it.
    gas: u64,
    /// The accounts whose code is copied into it.
    accounts: Vec<Address>,
}

impl Load {
    /// Creates the load of an input in plain calldata.
    const fn plain(length: usize) -> Self {
        Self { length, gas: 3 * words(length), accounts: Vec::new() }
    }

    /// Creates the load of an input with references, whose codes are copied and hashed.
    fn assembled(length: usize, shortened: &Shortened) -> Self {
        let code_gas = |(_, length): &(Address, usize)| {
            3 * words(*length) + 6 * words(INIT_HEAD.len() + length)
        };
        let copied: u64 = shortened.pieces.iter().map(|length| 3 * words(*length)).sum();
        let codes: u64 = shortened.kept.iter().map(code_gas).sum();
        let accounts = shortened.kept.iter().map(|(account, _)| *account).collect();
        Self { length, gas: copied + codes, accounts }
    }
}

/// Cost of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Gas used.
    pub gas: u64,
    /// Required gas limit.
    pub limit: u64,
    /// Blob gas.
    pub blob_gas: u64,
}

/// Current prices of L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct L1Prices {
    /// L1 fork.
    pub fork: ProtocolFork,
    /// Gas price in wei.
    pub gas: u128,
    /// Blob gas price in wei; `None` if EXECUTE does not accept inputs in blobs.
    pub blob_gas: Option<u128>,
}

impl Cost {
    /// Returns the cost in wei.
    pub fn wei(&self, prices: &L1Prices) -> u128 {
        let blobs = u128::from(self.blob_gas).saturating_mul(prices.blob_gas.unwrap_or(u128::MAX));
        u128::from(self.gas).saturating_mul(prices.gas).saturating_add(if self.blob_gas == 0 {
            0
        } else {
            blobs
        })
    }
}

impl AdvancePlan {
    /// Creates the plan with all bytes of the inputs as calldata.
    pub fn in_calldata(inputs: &[AdvanceInput]) -> Self {
        Self::of(inputs, inputs.iter().map(|input| input.bytes.clone()).collect(), Vec::new())
    }

    /// Creates the plan with the inputs as calldata and with references to the bytes in `kept`;
    /// `None` if no input contains any of them.
    pub fn with_kept(inputs: &[AdvanceInput], kept: &[CodeReference]) -> Option<Self> {
        let shortened: Vec<_> = inputs.iter().map(|input| shorten(&input.bytes, kept)).collect();
        shortened.iter().any(Option::is_some).then_some(())?;
        let (calldata, loads) = inputs
            .iter()
            .zip(shortened)
            .map(|(input, shortened)| match shortened {
                None => (input.bytes.clone(), Load::plain(input.bytes.len())),
                Some(shortened) => {
                    let load = Load::assembled(input.bytes.len(), &shortened);
                    (shortened.bytes, load)
                }
            })
            .unzip();
        Some(Self { loads, ..Self::of(inputs, calldata, Vec::new()) })
    }

    /// Returns the plans for these inputs as calldata: plain, with references to all codes in
    /// `kept`, and with references only to codes that are long enough to save gas in every case.
    pub fn ways_in_calldata(inputs: &[AdvanceInput], kept: &[CodeReference]) -> Vec<Self> {
        let long: Vec<_> =
            kept.iter().filter(|code| code.bytes().len() >= WORTH_A_REFERENCE).cloned().collect();
        let mut ways = vec![Self::in_calldata(inputs)];
        ways.extend(Self::with_kept(inputs, kept));
        ways.extend(Self::with_kept(inputs, &long).filter(|_| long.len() < kept.len()));
        ways
    }

    /// Creates the plan with as much as possible of each input in blobs; `None` if the inputs need
    /// more blobs than a transaction can have, or if an input is too short.
    pub fn in_blobs(inputs: &[AdvanceInput]) -> Option<Self> {
        let (mut calldata, mut blobs) = (Vec::new(), Vec::new());
        for input in inputs {
            let (head, tail) = cut(&input.bytes)?;
            if blobs.len() + blobs_for(tail.len()) > MAX_BLOBS {
                return None;
            }
            let trailer = Trailer::new(tail.len(), u8::try_from(blobs.len()).ok()?)?;
            calldata.push([&head[..], &trailer.encode()].concat().into());
            blobs.extend(to_blobs(&tail));
        }
        // The contract reads trailers only in a transaction with blobs.
        let trailers = sum(inputs.iter().map(|input| input.trailer));
        let posting = (!blobs.is_empty()).then(|| Self::of(inputs, calldata, blobs))?;
        Some(Self { charge: posting.charge.saturating_add(trailers), ..posting })
    }

    fn of(inputs: &[AdvanceInput], calldata: Vec<Bytes>, blobs: Vec<Vec<u8>>) -> Self {
        Self {
            loads: calldata.iter().map(|input| Load::plain(input.len())).collect(),
            inputs: calldata,
            blobs,
            blocks: inputs.iter().map(|input| input.blocks).sum(),
            counts: inputs.iter().map(|input| input.blocks).collect(),
            batches: inputs.iter().filter(|input| is_batch(&input.bytes)).count() as u64,
            charge: sum(inputs.iter().map(|input| input.charge)),
            surplus: inputs
                .iter()
                .map(|input| input.reserve.saturating_sub(input.charge))
                .max()
                .unwrap_or_default(),
        }
    }

    /// Returns the number of blocks of each input.
    pub fn blocks_of_inputs(&self) -> &[u64] {
        &self.counts
    }

    /// Returns the calldata of the transaction.
    pub fn calldata(&self, evidence: Evidence) -> Bytes {
        advanceCall { inputs: self.inputs.clone(), evidence }.abi_encode().into()
    }

    /// Returns the cost of the plan on an L1 of this fork, if its first block has number `first`
    /// and the rollup started at block `genesis`.
    pub fn cost(&self, fork: ProtocolFork, genesis: u64, first: u64) -> Cost {
        let data = self.calldata(Evidence::default());
        let fresh = (genesis + STATE_ROOTS).saturating_sub(first).min(self.blocks);
        let gas_of = ContractGas::on(fork);
        let longest = self.loads.iter().map(|load| load.length).max().unwrap_or_default();
        let copied: u64 = self.loads.iter().map(|load| load.gas).sum();
        // The `Advanced` event contains a hash of each input.
        let hashed: u64 = self.loads.iter().map(|load| 6 * words(load.length)).sum();
        let references = self.loads.iter().map(|load| &load.accounts);
        let accounts: BTreeSet<_> = references.clone().flatten().collect();
        let assembled = references.clone().filter(|accounts| !accounts.is_empty()).count() as u64;
        let references: usize = references.map(Vec::len).sum();
        let further = self.inputs.len().saturating_sub(1) as u64;
        let in_batches: u64 = self.counts.iter().map(|count| count - 1).sum();
        let (without_blobs, batch, further_block) = if self.blobs.is_empty() {
            (self.inputs.len() as u64, gas_of.batch, gas_of.further_block)
        } else {
            (0, gas_of.batch_in_blobs, gas_of.further_block_in_blobs)
        };
        let memory = memory_gas(MEMORY_BELOW + words(longest)) - memory_gas(MEMORY_BELOW);
        let contract = gas_of.call
            + further * gas_of.further_input
            + self.batches * batch
            + in_batches * further_block
            + fresh * gas_of.fresh_slot
            + self.blobs.len() as u64 * gas_of.blob
            + without_blobs * gas_of.without_blobs
            + self.longer() * gas_of.longer
            + assembled * gas_of.with_references
            + references as u64 * gas_of.reference
            + accounts.len() as u64 * gas_of.cold_account
            + copied
            + hashed
            + memory;
        let (intrinsic, floor) = transaction_gas(fork, &data);
        let used = self.charge.saturating_add(intrinsic + contract);
        let gas = used.max(floor);
        // A call forwards at most 63/64 of the remaining gas (EIP-150).
        let needed = used.saturating_add(self.surplus);
        let limit = needed.saturating_add(needed / 63).saturating_add(gas_of.margin).max(floor);
        Cost { gas, limit, blob_gas: self.blobs.len() as u64 * BLOB_GAS }
    }

    /// Returns the number of inputs after the first that are longer than all before them.
    fn longer(&self) -> u64 {
        let mut longest = self.loads.first().map_or(0, |load| load.length);
        let is_longer = |load: &&Load| {
            let is_longer = load.length > longest;
            longest = longest.max(load.length);
            is_longer
        };
        self.loads.iter().filter(is_longer).count() as u64
    }
}

/// Sums gas at L1's current price of EXECUTE, which is unbounded.
fn sum(gas: impl Iterator<Item = u64>) -> u64 {
    gas.fold(0, u64::saturating_add)
}

fn is_batch(input: &[u8]) -> bool {
    SchemaId::of(input).is_ok_and(|schema| schema.batch_fork().is_some())
}

/// Returns plans that post as many of `count` blocks as possible in blobs with one call. The first
/// input of a plan has one block, two, four and so on, or all blocks; the plan continues with
/// smaller inputs when another input of that size exceeds L1's limits.
///
/// Larger inputs share more witness data, but a call must provide gas for the gas limits of all
/// transactions of an input, and the unused part is returned only after that input.
///
/// # Errors
///
/// Those of `input_of`, which creates the input of a range of blocks.
pub fn ways_in_blobs<E>(
    count: usize,
    admits: impl Fn(&AdvancePlan) -> bool,
    mut input_of: impl FnMut(Range<usize>) -> Result<AdvanceInput, E>,
) -> Result<Vec<AdvancePlan>, E> {
    let count = count.min(StatelessBatch::MAX_BLOCKS);
    let mut known = BTreeMap::new();
    let mut found = Vec::new();
    let sizes = iter::successors(Some(1), |size| Some(2 * size)).take_while(|size| *size < count);
    for size in sizes.chain((count > 0).then_some(count)) {
        let (mut inputs, mut best) = (Vec::new(), None);
        let (mut start, mut size) = (0, size);
        while start < count && size > 0 {
            let blocks = start..count.min(start + size);
            let input: &AdvanceInput = match known.entry((blocks.start, blocks.end)) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(input_of(blocks.clone())?),
            };
            inputs.push(input.clone());
            if let Some(posting) = AdvancePlan::in_blobs(&inputs).filter(&admits) {
                best = Some(posting);
                start = blocks.end;
            } else {
                inputs.pop();
                size = blocks.len() / 2;
            }
        }
        found.extend(best);
    }
    Ok(found)
}

/// Returns the plan with the lowest cost per L2 block, of those that L1 admits.
pub fn cheapest(
    candidates: impl IntoIterator<Item = AdvancePlan>,
    prices: &L1Prices,
    limits: &L1Limits,
    genesis: u64,
    first: u64,
) -> Option<(AdvancePlan, Cost)> {
    candidates
        .into_iter()
        .filter(|posting| posting.blobs.is_empty() || prices.blob_gas.is_some())
        .map(|posting| {
            let cost = posting.cost(prices.fork, genesis, first);
            (posting, cost)
        })
        .filter(|(posting, cost)| {
            let bytes: usize = posting.inputs.iter().map(|input| input.len()).sum();
            // The gas limit includes the cost of the bytes by the rules of this fork.
            cost.limit <= limits.gas && bytes <= limits.beside_evidence() && posting.blocks > 0
        })
        .min_by_key(|(posting, cost)| cost.wei(prices) / u128::from(posting.blocks))
}

/// Returns the intrinsic gas of a transaction that calls a contract with this calldata, and its
/// floor (EIP-7623).
///
/// Since Amsterdam, zero and nonzero bytes cost the same in the floor (EIP-7976).
pub fn transaction_gas(fork: ProtocolFork, data: &[u8]) -> (u64, u64) {
    let zeros = data.iter().filter(|byte| **byte == 0).count() as u64;
    let others = data.len() as u64 - zeros;
    let floor = if fork >= ProtocolFork::Amsterdam {
        DEAREST_FLOOR * (zeros + others)
    } else if fork >= ProtocolFork::Prague {
        10 * zeros + 40 * others
    } else {
        0
    };
    let base = ContractGas::on(fork).transaction;
    (base + 4 * zeros + 16 * others, base + floor)
}

const fn words(bytes: usize) -> u64 {
    bytes.div_ceil(32) as u64
}

/// Returns the gas for this many words of memory.
const fn memory_gas(words: u64) -> u64 {
    3 * words + words * words / 512
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unbounded_price_saturates_limit() {
        let cost = |charge: u64| {
            let bytes = Bytes::from(vec![1; 200]);
            let input = AdvanceInput { bytes, blocks: 1, charge, reserve: charge, trailer: 0 };
            AdvancePlan::in_calldata(&[input.clone(), input]).cost(ProtocolFork::Osaka, 0, 1)
        };
        assert_eq!((cost(u64::MAX).gas, cost(u64::MAX).limit), (u64::MAX, u64::MAX));
        let (one, two) = (cost(1_000_000), cost(2_000_000));
        assert_eq!(two.gas - one.gas, 2_000_000);
        assert!((2_000_000..2_100_000).contains(&(two.limit - one.limit)));
    }
}
