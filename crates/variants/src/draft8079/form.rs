//! Conversion between stateless inputs and inputs in the form of the draft.
//!
//! Both forms have the same fields in the same order except for the anchor and the burned fees, so
//! that the offsets of all later fields differ by constants.

use super::{DRAFT_REVISION, Draft8079, DraftBlock};
use alloy_consensus::Header;
use alloy_primitives::{B256, U256};
use execute::ExecuteError;
use executor::ExecutionOutcome;
use wire::{
    DecodeError, PayloadShape, ProtocolFork, SchemaId, StatelessInput,
    layout::{REQUEST_IN_CALLDATA, input, payload, request},
};

/// Length of the anchor.
const ANCHOR: usize = 32;
/// Length of the burned fees.
const BURNED: usize = 8;
/// Position of the revision in an input.
const REVISION_AT: usize = 1;
/// Position of the anchor: after the fixed part of a stateless input.
const ANCHOR_AT: usize = SchemaId::LEN + input::FIXED;

/// Positions in the inputs of a fork.
#[derive(Debug, Clone, Copy)]
struct Places {
    fork: ProtocolFork,
    /// The payload in a stateless input.
    payload: usize,
}

impl Places {
    /// Returns the positions for a fork whose blocks EXECUTE verifies.
    fn of(fork: ProtocolFork) -> Option<Self> {
        (fork >= ProtocolFork::Cancun)
            .then(|| Self { fork, payload: REQUEST_IN_CALLDATA + Self::request(fork) })
    }

    /// Returns the positions for an input in the form of the draft.
    fn of_draft(schema: SchemaId) -> Option<Self> {
        let fork = ProtocolFork::ALL.into_iter().find(|fork| Draft8079::schema(*fork) == schema)?;
        Self::of(fork)
    }

    /// Returns the length of the fixed part of a request.
    fn request(fork: ProtocolFork) -> usize {
        if fork >= ProtocolFork::Prague { request::FIXED } else { request::FIXED_CANCUN }
    }

    /// Returns the end of the payload's fixed part in a stateless input.
    const fn payload_end(self) -> usize {
        self.payload + PayloadShape::of(self.fork).fixed_len()
    }

    /// Returns the position of the burned fees in the form of the draft.
    const fn burned(self) -> usize {
        self.payload_end() + ANCHOR
    }

    /// Returns the positions of the offsets that differ, in a stateless input, each with the
    /// difference.
    fn offsets(self) -> impl Iterator<Item = (usize, u32)> {
        const HEAD: u32 = ANCHOR as u32;
        const PAYLOAD: u32 = BURNED as u32;
        let since = |fork, place| (self.fork >= fork).then_some((place, PAYLOAD));
        [
            Some((SchemaId::LEN + input::REQUEST, HEAD)),
            Some((SchemaId::LEN + input::WITNESS, HEAD + PAYLOAD)),
            Some((REQUEST_IN_CALLDATA + request::VERSIONED_HASHES, PAYLOAD)),
            since(ProtocolFork::Prague, REQUEST_IN_CALLDATA + request::EXECUTION_REQUESTS),
            Some((self.payload + payload::EXTRA_DATA, PAYLOAD)),
            Some((self.payload + payload::TRANSACTIONS, PAYLOAD)),
            Some((self.payload + payload::WITHDRAWALS, PAYLOAD)),
            since(ProtocolFork::Amsterdam, self.payload + payload::BLOCK_ACCESS_LIST),
        ]
        .into_iter()
        .flatten()
    }
}

/// Changes the little-endian offset at `place`; `None` if `change` returns none.
fn shift(bytes: &mut [u8], place: usize, change: impl FnOnce(u32) -> Option<u32>) -> Option<()> {
    let offset = bytes.get_mut(place..)?.first_chunk_mut()?;
    *offset = change(u32::from_le_bytes(*offset))?.to_le_bytes();
    Some(())
}

impl DraftBlock {
    /// Returns the calldata for this stateless input and these values. It is not checked whether
    /// the values come from the block.
    ///
    /// Returns `None` if the bytes are not a stateless input of a single block since Cancun, or if
    /// an offset overflows.
    pub fn encode(&self, input: &[u8]) -> Option<Vec<u8>> {
        let places = Places::of(StatelessInput::decode(input).ok()?.fork)?;
        let mut input = input.to_vec();
        for (place, difference) in places.offsets() {
            shift(&mut input, place, |offset| offset.checked_add(difference))?;
        }
        input[REVISION_AT] = DRAFT_REVISION;
        let (head, rest) = input.split_at(ANCHOR_AT);
        let (fixed, rest) = rest.split_at(places.payload_end() - ANCHOR_AT);
        let burned = self.burned_fees.to_le_bytes();
        Some([head, self.anchor.as_slice(), fixed, &burned, rest].concat())
    }

    /// Returns the stateless input of a call, and its other values.
    ///
    /// Each calldata yields a different input or different values. Nothing else is checked: the
    /// decoder of the input rejects offsets that do not point to the constant positions.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`] if the schema id is a different one, or if the calldata ends within the
    /// fixed parts.
    pub fn decode(calldata: &[u8]) -> Result<(Vec<u8>, Self), ExecuteError> {
        let schema = SchemaId::of(calldata)?;
        let places = Places::of_draft(schema).ok_or(ExecuteError::Schema(schema))?;
        let block = Self::peek(calldata).ok_or(DecodeError::TooShort {
            what: "fixed parts of the input and its payload",
            got: calldata.len(),
            expected: places.burned() + BURNED,
        })?;
        let (fixed, rest) = calldata.split_at(places.burned());
        let (head, fixed) = fixed.split_at(ANCHOR_AT);
        let mut input = [head, &fixed[ANCHOR..], &rest[BURNED..]].concat();
        let (dialect, what) = (Draft8079::NAME, "an offset points into a fixed part");
        for (place, difference) in places.offsets() {
            shift(&mut input, place, |offset| offset.checked_sub(difference))
                .ok_or(ExecuteError::Calldata { dialect, what })?;
        }
        input[REVISION_AT] = SchemaId::REVISION as u8;
        Ok((input, block))
    }

    /// Returns the values of a call from their constant positions; `None` if it is too short or has
    /// another form. It takes the same time for any call.
    pub(super) fn peek(calldata: &[u8]) -> Option<Self> {
        let places = Places::of_draft(SchemaId::of(calldata).ok()?)?;
        let anchor: [u8; ANCHOR] = *calldata.get(ANCHOR_AT..)?.first_chunk()?;
        let burned_fees = u64::from_le_bytes(*calldata.get(places.burned()..)?.first_chunk()?);
        Some(Self { anchor: B256::new(anchor), burned_fees })
    }

    /// Returns the base fees that the transactions of a block have paid, in wei.
    ///
    /// This counts the gas that senders pay for, which since Amsterdam differs from the gas used in
    /// the header (EIP-7778).
    pub fn burned(header: &Header, outcome: &ExecutionOutcome) -> U256 {
        let paid = outcome.receipts.last().map_or(0, |receipt| receipt.cumulative_gas_used);
        U256::from(header.base_fee_per_gas.unwrap_or_default()) * U256::from(paid)
    }
}
