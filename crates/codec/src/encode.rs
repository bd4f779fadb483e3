//! SSZ encodings of EXECUTE inputs and their parts.

use alloy_eips::eip4895::Withdrawal;
use wire::{
    BatchWitness, ByteLists, DecodeError, ExecutionPayload, ExecutionRequests, ExecutionWitness,
    NewPayloadRequest, PayloadShape, ProtocolFork, Records, SchemaId, StatelessBatch,
    StatelessInput, layout, list::OFFSET,
};

const REQUESTS: &str = "requests of the batch";

/// An input that can be encoded as EXECUTE calldata.
pub trait Encode {
    /// Encodes schema id and body.
    fn encode(&self) -> Vec<u8>;
}

impl Encode for StatelessInput<'_> {
    fn encode(&self) -> Vec<u8> {
        use layout::input as at;
        let request_len = self.request.encoded_len(self.fork);
        let len = self.encoded_len();
        let mut out = Vec::with_capacity(len);
        out.extend_from_slice(&self.schema().to_be_bytes());
        put_offset(&mut out, at::FIXED);
        put_offset(&mut out, at::FIXED + request_len);
        out.extend_from_slice(&self.chain_id.to_le_bytes());
        request(&self.request, self.fork, &mut out);
        witness(&self.witness, &mut out);
        debug_assert_eq!(out.len(), len);
        out
    }
}

impl Encode for StatelessBatch<'_> {
    // Lengths first: every offset of the list must be known before the first request is written.
    fn encode(&self) -> Vec<u8> {
        use layout::batch as at;
        let lengths: Vec<_> =
            self.requests.iter().map(|request| request.encoded_len(self.fork)).collect();
        let requests_len = lengths.len() * OFFSET + lengths.iter().sum::<usize>();
        let len = SchemaId::LEN + at::FIXED + requests_len + self.witness.encoded_len();
        let mut out = Vec::with_capacity(len);
        out.extend_from_slice(&self.schema().to_be_bytes());
        put_offset(&mut out, at::FIXED);
        put_offset(&mut out, at::FIXED + requests_len);
        out.extend_from_slice(&self.chain_id.to_le_bytes());
        let mut offset = lengths.len() * OFFSET;
        for length in lengths {
            put_offset(&mut out, offset);
            offset += length;
        }
        for of_block in &self.requests {
            request(of_block, self.fork, &mut out);
        }
        batch_witness(&self.witness, &mut out);
        debug_assert_eq!(out.len(), len);
        out
    }
}

/// Combines the blocks of `inputs`, in their order, with one witness for all of them.
///
/// # Errors
///
/// [`DecodeError`] if there is no input, if there are too many, or if the inputs differ in chain or
/// fork. The caller checks that each block follows the one before it.
pub fn batch_of<'a>(
    inputs: &[StatelessInput<'a>],
    witness: BatchWitness<'a>,
) -> Result<StatelessBatch<'a>, DecodeError> {
    // Fork and chain id are encoded once for the whole batch, so the first input decides both.
    let [StatelessInput { fork, chain_id, .. }, ..] = *inputs else {
        return Err(DecodeError::Empty { what: REQUESTS });
    };
    if inputs.len() > StatelessBatch::MAX_BLOCKS {
        let (got, limit) = (inputs.len(), StatelessBatch::MAX_BLOCKS);
        return Err(DecodeError::TooMany { what: REQUESTS, got, limit });
    }
    for input in inputs {
        let (got, expected) = ((input.fork, input.chain_id), (fork, chain_id));
        if got != expected {
            return Err(DecodeError::Mismatch {
                what: "fork and chain id of a block in the batch",
                got: format!("{}, {}", got.0, got.1),
                expected: format!("{}, {}", expected.0, expected.1),
            });
        }
    }
    let requests = inputs.iter().map(|input| input.request.clone()).collect();
    Ok(StatelessBatch { fork, requests, witness, chain_id })
}

/// Sorts EIP-7685 request data (type byte, then records) into lists by type.
///
/// Types must ascend, as in EIP-7685, which also excludes duplicates.
pub fn requests_from_typed<T: AsRef<[u8]>>(
    requests: &[T],
) -> Result<ExecutionRequests<'_>, DecodeError> {
    let mut lists = ExecutionRequests::default();
    let mut last = None;
    for request in requests {
        // An empty item has no type byte; EIP-7685 leaves out types without records.
        let Some((kind, data)) = request.as_ref().split_first() else { continue };
        // Descending or repeated types would give one list of requests multiple encodings, but only
        // one hash.
        if let Some(last) = last.replace(*kind)
            && last >= *kind
        {
            return Err(DecodeError::Mismatch {
                what: "request type",
                got: kind.to_string(),
                expected: format!("more than {last}, the type before it"),
            });
        }
        match kind {
            0 => lists.deposits = Records::from_bytes("deposit requests", data)?,
            1 => lists.withdrawals = Records::from_bytes("withdrawal requests", data)?,
            2 => lists.consolidations = Records::from_bytes("consolidation requests", data)?,
            3 => {
                lists.builder_deposits = Records::from_bytes("builder deposit requests", data)?;
            }
            4 => lists.builder_exits = Records::from_bytes("builder exit requests", data)?,
            other => {
                return Err(DecodeError::Mismatch {
                    what: "request type",
                    got: other.to_string(),
                    expected: "0 to 4".to_owned(),
                });
            }
        }
    }
    Ok(lists)
}

/// Appends an SSZ offset.
///
/// # Panics
///
/// If the offset does not fit in 32 bits, i.e. if a caller encodes a block of more than 4 GiB.
pub(crate) fn put_offset(out: &mut Vec<u8>, offset: usize) {
    let offset = u32::try_from(offset).expect("an SSZ container is smaller than 4 GiB");
    out.extend_from_slice(&offset.to_le_bytes());
}

/// Appends the SSZ encoding of a list of byte lists.
pub(crate) fn lists(lists: ByteLists<'_>, out: &mut Vec<u8>) {
    let mut offset = lists.len() * OFFSET;
    for item in lists.iter() {
        put_offset(out, offset);
        offset += item.len();
    }
    for item in lists.iter() {
        out.extend_from_slice(item);
    }
}

/// Appends the SSZ encoding of a payload.
pub(crate) fn payload(payload: &ExecutionPayload<'_>, out: &mut Vec<u8>) {
    let mut offset = payload.shape.fixed_len();
    // Fields are in the order of the container; offsets are written where the variable fields have
    // their slots.
    out.extend_from_slice(payload.parent_hash.as_slice());
    out.extend_from_slice(payload.fee_recipient.as_slice());
    out.extend_from_slice(payload.state_root.as_slice());
    out.extend_from_slice(payload.receipts_root.as_slice());
    out.extend_from_slice(payload.logs_bloom);
    out.extend_from_slice(payload.prev_randao.as_slice());
    for number in [payload.block_number, payload.gas_limit, payload.gas_used, payload.timestamp] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    put_offset(out, offset);
    offset += payload.extra_data.len();
    out.extend_from_slice(&payload.base_fee_per_gas.to_le_bytes::<32>());
    out.extend_from_slice(payload.block_hash.as_slice());
    put_offset(out, offset);
    offset += payload.transactions.encoded_len();
    if payload.shape >= PayloadShape::V2 {
        put_offset(out, offset);
        offset += payload.withdrawals.as_bytes().len();
    }
    if payload.shape >= PayloadShape::V3 {
        out.extend_from_slice(&payload.blob_gas_used.to_le_bytes());
        out.extend_from_slice(&payload.excess_blob_gas.to_le_bytes());
    }
    if payload.shape >= PayloadShape::V4 {
        put_offset(out, offset);
        out.extend_from_slice(&payload.slot_number.to_le_bytes());
    }
    out.extend_from_slice(payload.extra_data);
    lists(payload.transactions, out);
    if payload.shape >= PayloadShape::V2 {
        out.extend_from_slice(payload.withdrawals.as_bytes());
    }
    if payload.shape >= PayloadShape::V4 {
        out.extend_from_slice(payload.block_access_list);
    }
}

/// Appends the SSZ encoding of a request of `fork`.
fn request(request: &NewPayloadRequest<'_>, fork: ProtocolFork, out: &mut Vec<u8>) {
    let mut offset = NewPayloadRequest::fixed_len(fork);
    put_offset(out, offset);
    offset += request.payload.encoded_len();
    if fork >= ProtocolFork::Cancun {
        put_offset(out, offset);
        offset += request.versioned_hashes.as_bytes().len();
        out.extend_from_slice(request.parent_beacon_block_root.as_slice());
    }
    if fork >= ProtocolFork::Prague {
        put_offset(out, offset);
    }
    payload(&request.payload, out);
    if fork >= ProtocolFork::Cancun {
        out.extend_from_slice(request.versioned_hashes.as_bytes());
    }
    if fork >= ProtocolFork::Prague {
        execution_requests(&request.execution_requests, fork, out);
    }
}

fn execution_requests(requests: &ExecutionRequests<'_>, fork: ProtocolFork, out: &mut Vec<u8>) {
    let lists = &requests.typed()[..ExecutionRequests::lists_of(fork)];
    let mut offset = lists.len() * 4;
    for (_, data) in lists {
        put_offset(out, offset);
        offset += data.len();
    }
    for (_, data) in lists {
        out.extend_from_slice(data);
    }
}

/// Appends the SSZ encoding of a witness.
pub(crate) fn witness(witness: &ExecutionWitness<'_>, out: &mut Vec<u8>) {
    let fields = [witness.state, witness.codes, witness.headers];
    let mut offset = fields.len() * OFFSET;
    for list in fields {
        put_offset(out, offset);
        offset += list.encoded_len();
    }
    for list in fields {
        lists(list, out);
    }
}

pub(crate) fn batch_witness(witness: &BatchWitness<'_>, out: &mut Vec<u8>) {
    let mut offset = 3 * OFFSET;
    let lengths = [witness.state.encoded_len(), witness.codes.encoded_len()];
    for length in lengths.into_iter().chain([0]) {
        put_offset(out, offset);
        offset += length;
    }
    put_offset(out, witness.state.len());
    out.extend_from_slice(witness.state.stream());
    lists(witness.codes, out);
    lists(witness.headers, out);
}

/// Returns a withdrawal as an SSZ record.
pub fn withdrawal_record(withdrawal: Withdrawal) -> [u8; wire::Withdrawal::LEN] {
    let mut record = [0; wire::Withdrawal::LEN];
    record[0..8].copy_from_slice(&withdrawal.index.to_le_bytes());
    record[8..16].copy_from_slice(&withdrawal.validator_index.to_le_bytes());
    record[16..36].copy_from_slice(withdrawal.address.as_slice());
    record[36..44].copy_from_slice(&withdrawal.amount.to_le_bytes());
    record
}
