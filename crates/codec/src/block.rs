//! A raw block (`debug_getRawBlock`) as a payload.

use crate::{
    Encode as _, ExecuteTx, OwnedWitness, SignedExecuteTx,
    encode::{requests_from_typed, withdrawal_record},
};
use alloy_consensus::{EthereumTxEnvelope, Header, Transaction, TxEip4844};
use alloy_eips::{
    eip2718::{Decodable2718, Eip2718Error},
    eip4895,
};
use alloy_primitives::{B256, Bytes, U256, keccak256};
use alloy_rlp::{Decodable, Header as RlpHeader, PayloadView};
use wire::{
    ByteLists, DecodeError, ExecutionPayload, NewPayloadRequest, PayloadShape, ProtocolFork,
    Records, StatelessInput, Withdrawal,
};

const WHAT: &str = "raw block";

/// A block from its RLP, with transactions kept as bytes.
///
/// A block does not carry everything that a request does: its header only commits to execution
/// requests and the block access list, so [`Self::as_request`] takes them as parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawBlock {
    /// The header.
    pub header: Header,
    /// Keccak-256 of the header's RLP in the block.
    pub hash: B256,
    /// EIP-2718 encodings.
    pub transactions: Vec<Bytes>,
    /// Withdrawals as SSZ records; `None` before Shanghai.
    pub withdrawals: Option<Vec<[u8; Withdrawal::LEN]>>,
    /// Blob versioned hashes of all transactions in order.
    pub versioned_hashes: Vec<[u8; 32]>,
}

impl RawBlock {
    /// Decodes `rlp([header, transactions, ommers, withdrawals?])`; ommers must be empty.
    pub fn decode(rlp: &[u8]) -> Result<Self, DecodeError> {
        let (block, ommers) = Self::decode_with_ommers(rlp)?;
        match ommers.len() {
            0 => Ok(block),
            got => Err(DecodeError::TooMany { what: "ommers", got, limit: 0 }),
        }
    }

    /// Decodes a block that may precede the merge, and returns its ommers with it.
    pub fn decode_with_ommers(rlp: &[u8]) -> Result<(Self, Vec<Header>), DecodeError> {
        let error = |reason| DecodeError::Rlp { what: WHAT, reason };
        let mut rest = rlp;
        let fields = list(&mut rest).map_err(error)?;
        if !rest.is_empty() {
            return Err(error(alloy_rlp::Error::UnexpectedLength));
        }
        if fields.len() != 3 && fields.len() != 4 {
            return Err(error(alloy_rlp::Error::ListLengthMismatch {
                expected: 4,
                got: fields.len(),
            }));
        }
        let header: Header = alloy_rlp::decode_exact(fields[0]).map_err(error)?;
        let ommers = list(&mut { fields[2] }).map_err(error)?;
        let ommers = ommers
            .into_iter()
            .map(alloy_rlp::decode_exact)
            .collect::<Result<Vec<Header>, _>>()
            .map_err(error)?;
        let mut versioned_hashes = Vec::new();
        let transactions = list(&mut { fields[1] })
            .map_err(error)?
            .into_iter()
            .map(|item| {
                let bytes = transaction_bytes(item)?;
                // Version 1 can list blobs, but no chain accepts version 1, so a block contains
                // none of them.
                if bytes.first() == Some(&ExecuteTx::TYPE) {
                    return match SignedExecuteTx::decode(&bytes) {
                        Ok(_) => Ok(bytes),
                        Err(_) => Err(alloy_rlp::Error::Custom("malformed ExecuteTx")),
                    };
                }
                let transaction = EthereumTxEnvelope::<TxEip4844>::decode_2718_exact(&bytes)
                    .map_err(|error| match error {
                        Eip2718Error::RlpError(error) => error,
                        _ => alloy_rlp::Error::Custom("unknown transaction type"),
                    })?;
                let hashes = transaction.blob_versioned_hashes().unwrap_or_default();
                versioned_hashes.extend(hashes.iter().map(|hash| hash.0));
                Ok(bytes)
            })
            .collect::<Result<Vec<_>, alloy_rlp::Error>>()
            .map_err(error)?;
        let withdrawals = fields
            .get(3)
            .map(|field| {
                let items = list(&mut { *field })?.into_iter();
                let record = |item| alloy_rlp::decode_exact(item).map(withdrawal_record);
                items.map(record).collect::<Result<_, _>>()
            })
            .transpose()
            .map_err(error)?;
        let hash = keccak256(fields[0]);
        Ok((Self { hash, header, transactions, withdrawals, versioned_hashes }, ommers))
    }

    /// Returns the withdrawals; none if the block has no list of them.
    pub fn withdrawals(&self) -> Vec<eip4895::Withdrawal> {
        let records = self.withdrawals.as_deref().unwrap_or_default();
        let withdrawal = |record| {
            let Withdrawal { index, validator_index, address, amount } =
                Withdrawal::from_record(record);
            eip4895::Withdrawal { index, validator_index, address, amount }
        };
        records.iter().map(withdrawal).collect()
    }

    /// Returns the request of this block as one of `fork`. It borrows all parts that the block has.
    ///
    /// `requests` are the block's EIP-7685 requests, type byte first; `block_access_list` is the
    /// RLP of its access list (EIP-7928), empty before Amsterdam. The header commits to both, and
    /// the verifier checks them.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] for requests that EIP-7685 does not allow.
    pub fn as_request<'a>(
        &'a self,
        fork: ProtocolFork,
        requests: &'a [Bytes],
        block_access_list: &'a [u8],
    ) -> Result<NewPayloadRequest<'a>, DecodeError> {
        let header = &self.header;
        Ok(NewPayloadRequest {
            payload: ExecutionPayload {
                shape: PayloadShape::of(fork),
                parent_hash: header.parent_hash,
                fee_recipient: header.beneficiary,
                state_root: header.state_root,
                receipts_root: header.receipts_root,
                logs_bloom: header.logs_bloom.0.as_ref(),
                prev_randao: header.mix_hash,
                block_number: header.number,
                gas_limit: header.gas_limit,
                gas_used: header.gas_used,
                timestamp: header.timestamp,
                extra_data: &header.extra_data,
                base_fee_per_gas: U256::from(header.base_fee_per_gas.unwrap_or_default()),
                block_hash: self.hash,
                transactions: ByteLists::from(&self.transactions),
                withdrawals: Records::new(self.withdrawals.as_deref().unwrap_or_default()),
                blob_gas_used: header.blob_gas_used.unwrap_or_default(),
                excess_blob_gas: header.excess_blob_gas.unwrap_or_default(),
                block_access_list,
                slot_number: header.slot_number.unwrap_or_default(),
            },
            versioned_hashes: Records::new(&self.versioned_hashes),
            parent_beacon_block_root: header.parent_beacon_block_root.unwrap_or_default(),
            execution_requests: requests_from_typed(requests)?,
        })
    }

    /// Encodes the stateless input of this block, with the parameters of [`Self::as_request`].
    ///
    /// # Errors
    ///
    /// As [`Self::as_request`].
    pub fn to_input(
        &self,
        fork: ProtocolFork,
        chain_id: u64,
        witness: &OwnedWitness,
        requests: &[Bytes],
        block_access_list: &[u8],
    ) -> Result<Vec<u8>, DecodeError> {
        let request = self.as_request(fork, requests, block_access_list)?;
        Ok(StatelessInput { fork, request, witness: witness.view(), chain_id }.encode())
    }
}

/// Splits an RLP list into its items, each with its own header.
fn list<'a>(bytes: &mut &'a [u8]) -> alloy_rlp::Result<Vec<&'a [u8]>> {
    match RlpHeader::decode_raw(bytes)? {
        PayloadView::List(items) => Ok(items),
        PayloadView::String(_) => Err(alloy_rlp::Error::UnexpectedString),
    }
}

/// Returns the EIP-2718 encoding of an item in a block's list of transactions: a legacy transaction
/// is a list there, and a typed one is wrapped in a string.
fn transaction_bytes(item: &[u8]) -> alloy_rlp::Result<Bytes> {
    let is_list = |bytes: &[u8]| bytes.first().is_some_and(|&byte| byte >= 0xc0);
    if is_list(item) {
        return Ok(Bytes::copy_from_slice(item));
    }
    let bytes = Bytes::decode(&mut { item })?;
    // An unwrapped legacy transaction would read the same, and one block would have multiple
    // encodings.
    if is_list(&bytes) {
        return Err(alloy_rlp::Error::Custom("legacy transaction wrapped in a string"));
    }
    Ok(bytes)
}
