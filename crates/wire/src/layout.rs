//! Offsets of fixed-size fields, in bytes from the start of their container.
//!
//! Contracts read governed fields in place at these offsets, so they are constants of the protocol
//! and not an implementation detail. A test compares them with the constants in Solidity.

/// Offsets inside the SSZ body of a `StatelessInput` (after the schema id).
pub mod input {
    /// Offset of `new_payload_request`.
    pub const REQUEST: usize = 0;
    /// Offset of `witness`.
    pub const WITNESS: usize = 4;
    /// `chain_id`, eight bytes little-endian.
    pub const CHAIN_ID: usize = 8;
    /// Length of the fixed part, hence the canonical value of the first offset.
    pub const FIXED: usize = 16;
}

/// Offsets inside the SSZ body of a `StatelessBatch` (after the schema id): those of a
/// `StatelessInput`, with a list of requests in place of one request.
pub mod batch {
    /// Offset of the list of requests.
    pub const REQUESTS: usize = crate::layout::input::REQUEST;
    /// Offset of `witness`.
    pub const WITNESS: usize = crate::layout::input::WITNESS;
    /// `chain_id`, eight bytes little-endian.
    pub const CHAIN_ID: usize = crate::layout::input::CHAIN_ID;
    /// Length of the fixed part, hence the canonical value of the first offset.
    pub const FIXED: usize = crate::layout::input::FIXED;
}

/// Offsets inside a `NewPayloadRequest` of Cancun and later.
pub mod request {
    /// Offset of `execution_payload`.
    pub const PAYLOAD: usize = 0;
    /// Offset of `versioned_hashes`.
    pub const VERSIONED_HASHES: usize = 4;
    /// `parent_beacon_block_root`, 32 bytes: the anchor of a rollup.
    pub const PARENT_BEACON_BLOCK_ROOT: usize = 8;
    /// Offset of `execution_requests` (Prague and later).
    pub const EXECUTION_REQUESTS: usize = 40;
    /// Length of the fixed part before Cancun: the payload's offset alone.
    pub const FIXED_PARIS: usize = 4;
    /// Length of the fixed part in Cancun.
    pub const FIXED_CANCUN: usize = 40;
    /// Length of the fixed part since Prague.
    pub const FIXED: usize = 44;
}

/// Offsets inside an `ExecutionPayload`; each shape extends the one before it.
pub mod payload {
    /// `parent_hash`, 32 bytes.
    pub const PARENT_HASH: usize = 0;
    /// `fee_recipient`, 20 bytes.
    pub const FEE_RECIPIENT: usize = 32;
    /// `state_root`, 32 bytes.
    pub const STATE_ROOT: usize = 52;
    /// `receipts_root`, 32 bytes.
    pub const RECEIPTS_ROOT: usize = 84;
    /// `logs_bloom`, 256 bytes.
    pub const LOGS_BLOOM: usize = 116;
    /// `prev_randao`, 32 bytes.
    pub const PREV_RANDAO: usize = 372;
    /// `block_number`, eight bytes little-endian.
    pub const BLOCK_NUMBER: usize = 404;
    /// `gas_limit`, eight bytes little-endian.
    pub const GAS_LIMIT: usize = 412;
    /// `gas_used`, eight bytes little-endian.
    pub const GAS_USED: usize = 420;
    /// `timestamp`, eight bytes little-endian, in seconds.
    pub const TIMESTAMP: usize = 428;
    /// Offset of `extra_data`.
    pub const EXTRA_DATA: usize = 436;
    /// `base_fee_per_gas`, 32 bytes little-endian, in wei.
    pub const BASE_FEE_PER_GAS: usize = 440;
    /// `block_hash`, 32 bytes.
    pub const BLOCK_HASH: usize = 472;
    /// Offset of `transactions`.
    pub const TRANSACTIONS: usize = 504;
    /// Offset of `withdrawals` (Shanghai and later).
    pub const WITHDRAWALS: usize = 508;
    /// `blob_gas_used`, eight bytes little-endian (Cancun and later).
    pub const BLOB_GAS_USED: usize = 512;
    /// `excess_blob_gas`, eight bytes little-endian (Cancun and later).
    pub const EXCESS_BLOB_GAS: usize = 520;
    /// Offset of `block_access_list` (Amsterdam).
    pub const BLOCK_ACCESS_LIST: usize = 528;
    /// `slot_number`, eight bytes little-endian (Amsterdam).
    pub const SLOT_NUMBER: usize = 532;
    /// Length of the fixed part of V1.
    pub const FIXED_V1: usize = 508;
    /// Length of the fixed part of V2.
    pub const FIXED_V2: usize = 512;
    /// Length of the fixed part of V3.
    pub const FIXED_V3: usize = 528;
    /// Length of the fixed part of V4.
    pub const FIXED_V4: usize = 540;
}

/// Offset of the payload in the EXECUTE calldata (Prague and later): schema id, fixed part of the
/// input, fixed part of the request.
pub const PAYLOAD_IN_CALLDATA: usize = crate::SchemaId::LEN + input::FIXED + request::FIXED;

/// Offset of the request in the EXECUTE calldata. In a batch, offset of the list of requests, which
/// begins with four bytes for each request: its offset from the start of the list.
pub const REQUEST_IN_CALLDATA: usize = crate::SchemaId::LEN + input::FIXED;
