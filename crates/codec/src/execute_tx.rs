//! The L1 transaction of type `0x05`, which carries the witness for its EXECUTE call outside the
//! calldata.
//!
//! The format comes from a fork of geth. Its versions differ in the number of RLP items:
//!
//! ```text
//! 0x05 ‖ rlp([chain_id, nonce, max_priority_fee_per_gas, max_fee_per_gas, gas_limit, to, value,
//! input,
//!             pre_state_root, witness_size, withdrawals_size, {anchor_size},
//!             coinbase, block_number, timestamp, witness, withdrawals, {anchor},
//!             blob_hashes, {{max_fee_per_execute_gas, execute_gas_limit}}, y_parity, r, s])
//! ```
//!
//! Version 1 has 20 items. Version 2 also has the items in single braces, and its list of blob
//! hashes is empty. Version 3, an extension of this project, adds the items in double braces: the
//! allowance of EXECUTE gas that the sender buys on the EXECUTE gas market.

use alloy_consensus::crypto::{RecoveryError, secp256k1::recover_signer};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, address, keccak256};
use alloy_rlp::{Decodable, Encodable, Header};

/// Number of items in version 3, the longest.
const MAX_ITEMS: usize = 24;

/// A transaction of type `0x05` without its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecuteTx {
    /// Chain id of L1.
    pub chain_id: u64,
    /// Nonce of the sender.
    pub nonce: u64,
    /// Maximum priority fee, in wei per gas.
    pub max_priority_fee_per_gas: u128,
    /// Maximum fee, in wei per gas.
    pub max_fee_per_gas: u128,
    /// Gas limit of the transaction.
    pub gas_limit: u64,
    /// Target of the call; `Create` calls the precompile directly.
    pub to: TxKind,
    /// Value of the call, in wei.
    pub value: U256,
    /// Calldata of the call.
    pub input: Bytes,
    /// State root of the L2 block's parent.
    pub pre_state_root: B256,
    /// Fee recipient of the L2 block.
    pub coinbase: Address,
    /// Number of the L2 block.
    pub block_number: u64,
    /// Timestamp of the L2 block, in seconds.
    pub timestamp: u64,
    /// Witness of the L2 block.
    pub witness: Bytes,
    /// Withdrawals of the L2 block.
    pub withdrawals: Bytes,
    /// Items that exist only in some versions.
    pub version: ExecuteTxVersion,
}

/// Items of an [`ExecuteTx`] that only some versions have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecuteTxVersion {
    /// Version 1, of 20 items.
    V1 {
        /// Versioned hashes of the transaction's blobs.
        blob_hashes: Vec<B256>,
    },
    /// Version 2, of 22 items.
    V2 {
        /// Parent beacon block root of the L2 block, if present.
        anchor: Option<B256>,
    },
    /// Version 3, of 24 items.
    V3 {
        /// Parent beacon block root of the L2 block, if present.
        anchor: Option<B256>,
        /// Maximum price of EXECUTE gas, in wei per unit.
        max_fee_per_execute_gas: u128,
        /// EXECUTE gas to buy before the call.
        execute_gas_limit: u64,
    },
}

/// EXECUTE gas that a transaction buys on a market before its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Maximum price of a unit, in wei.
    pub max_fee: u128,
    /// Units of EXECUTE gas.
    pub gas: u64,
}

impl Allowance {
    /// Returns the maximum cost of the allowance, in wei.
    pub fn max_cost(&self) -> U256 {
        U256::from(self.max_fee) * U256::from(self.gas)
    }
}

/// A transaction of type `0x05` with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedExecuteTx {
    /// The transaction.
    pub tx: ExecuteTx,
    /// Signature over [`ExecuteTx::signing_hash`].
    pub signature: Signature,
}

/// Reason why bytes are not a transaction of type `0x05`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecuteTxError {
    /// The first byte is not the transaction type `0x05`.
    #[error("transaction type: got {got:?}, expected 5")]
    Type {
        /// The first byte, if there is one.
        got: Option<u8>,
    },
    /// An item is not the canonical RLP of its type.
    #[error("{item} of an ExecuteTx: {source}")]
    Item {
        /// Name of the item.
        item: &'static str,
        /// Error of the decoder.
        source: alloy_rlp::Error,
    },
    /// No version has this number of items.
    #[error("an ExecuteTx of {got} items, expected 20, 22 or 24")]
    Items {
        /// Number of items in the list; counting stops at one above the maximum.
        got: usize,
    },
    /// A size item does not match the length of its bytes.
    #[error("{item}_size of an ExecuteTx: got {got}, expected the {expected} bytes of the {item}")]
    Size {
        /// Name of the item with the bytes.
        item: &'static str,
        /// Value of the size item.
        got: u64,
        /// Length of the bytes.
        expected: usize,
    },
    /// The anchor is neither empty nor a word.
    #[error("anchor of an ExecuteTx: got {got} bytes, expected 0 or 32")]
    Anchor {
        /// Length of the anchor in bytes.
        got: usize,
    },
    /// A transaction of version 2 or 3, which cannot carry blobs, lists blob hashes.
    #[error("an ExecuteTx of version 2 or 3 with {got} blob hashes, expected none")]
    Blobs {
        /// Number of hashes.
        got: usize,
    },
    /// The parity of the signature is neither 0 nor 1.
    #[error("signature of an ExecuteTx: got a parity of {got}, expected 0 or 1")]
    Parity {
        /// Value found.
        got: u64,
    },
    /// Bytes follow the RLP list.
    #[error("{got} bytes behind an ExecuteTx")]
    Surplus {
        /// Number of trailing bytes.
        got: usize,
    },
}

impl ExecuteTx {
    /// EIP-2718 type of the transaction, unless another is configured.
    pub const TYPE: u8 = 0x05;

    /// Address of the precompile that reads the transaction; also the target if `to` is empty.
    pub const PRECOMPILE: Address = address!("0x0000000000000000000000000000000000000012");

    /// Returns the target of the call: `to`, or the precompile if `to` is empty.
    pub fn target(&self) -> Address {
        self.to.into_to().unwrap_or(Self::PRECOMPILE)
    }

    /// Returns the parent beacon block root of the L2 block, if the transaction has one.
    pub const fn anchor(&self) -> Option<B256> {
        match self.version {
            ExecuteTxVersion::V1 { .. } => None,
            ExecuteTxVersion::V2 { anchor } | ExecuteTxVersion::V3 { anchor, .. } => anchor,
        }
    }

    /// Returns the allowance of EXECUTE gas that the transaction buys, if it buys one.
    pub const fn allowance(&self) -> Option<Allowance> {
        match self.version {
            ExecuteTxVersion::V3 { max_fee_per_execute_gas, execute_gas_limit, .. } => {
                Some(Allowance { max_fee: max_fee_per_execute_gas, gas: execute_gas_limit })
            }
            _ => None,
        }
    }

    /// Returns the maximum cost for the sender, in wei: the value, plus gas and allowance at their
    /// fee caps. `None` if the sum overflows 256 bits.
    pub fn max_cost(&self) -> Option<U256> {
        let gas = U256::from(self.max_fee_per_gas) * U256::from(self.gas_limit);
        let allowance = self.allowance().map_or(U256::ZERO, |allowance| allowance.max_cost());
        gas.checked_add(allowance)?.checked_add(self.value)
    }

    /// Returns the hash that the sender signs: it covers the type and all items before the
    /// signature.
    pub fn signing_hash(&self) -> B256 {
        keccak256(envelope(&self.items()))
    }

    /// Returns the RLP of all items before the signature, without a list header.
    fn items(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.input.len() + self.witness.len() + 512);
        let anchor = self.anchor().map_or_else(Bytes::new, |anchor| anchor.0.into());
        let has_anchor = !matches!(self.version, ExecuteTxVersion::V1 { .. });
        self.chain_id.encode(&mut out);
        self.nonce.encode(&mut out);
        self.max_priority_fee_per_gas.encode(&mut out);
        self.max_fee_per_gas.encode(&mut out);
        self.gas_limit.encode(&mut out);
        self.to.encode(&mut out);
        self.value.encode(&mut out);
        self.input.encode(&mut out);
        self.pre_state_root.encode(&mut out);
        self.witness.len().encode(&mut out);
        self.withdrawals.len().encode(&mut out);
        if has_anchor {
            anchor.len().encode(&mut out);
        }
        self.coinbase.encode(&mut out);
        self.block_number.encode(&mut out);
        self.timestamp.encode(&mut out);
        self.witness.encode(&mut out);
        self.withdrawals.encode(&mut out);
        if has_anchor {
            anchor.encode(&mut out);
        }
        match &self.version {
            ExecuteTxVersion::V1 { blob_hashes } => blob_hashes.encode(&mut out),
            ExecuteTxVersion::V2 { .. } => Vec::<B256>::new().encode(&mut out),
            ExecuteTxVersion::V3 { max_fee_per_execute_gas, execute_gas_limit, .. } => {
                Vec::<B256>::new().encode(&mut out);
                max_fee_per_execute_gas.encode(&mut out);
                execute_gas_limit.encode(&mut out);
            }
        }
        out
    }
}

impl SignedExecuteTx {
    /// Encodes the EIP-2718 form: type byte, then RLP list.
    pub fn encode(&self) -> Vec<u8> {
        let mut items = self.tx.items();
        self.signature.v().encode(&mut items);
        self.signature.r().encode(&mut items);
        self.signature.s().encode(&mut items);
        envelope(&items)
    }

    /// Returns the transaction hash.
    pub fn hash(&self) -> B256 {
        keccak256(self.encode())
    }

    /// Recovers the sender.
    ///
    /// # Errors
    ///
    /// [`RecoveryError`] if no key can be recovered from the signature, or if `s` is high (EIP-2).
    pub fn recover_signer(&self) -> Result<Address, RecoveryError> {
        recover_signer(&self.signature, self.tx.signing_hash())
    }

    /// Decodes the EIP-2718 form. Each transaction has a single encoding, so [`Self::encode`]
    /// returns the same bytes.
    ///
    /// # Errors
    ///
    /// [`ExecuteTxError`] for bytes that are not the canonical form of a version.
    pub fn decode(bytes: &[u8]) -> Result<Self, ExecuteTxError> {
        let (got, mut rest) = bytes.split_first().ok_or(ExecuteTxError::Type { got: None })?;
        if *got != ExecuteTx::TYPE {
            return Err(ExecuteTxError::Type { got: Some(*got) });
        }
        let list = Header::decode_bytes(&mut rest, true)
            .map_err(|source| ExecuteTxError::Item { item: "list", source })?;
        if !rest.is_empty() {
            return Err(ExecuteTxError::Surplus { got: rest.len() });
        }
        let items = Items { rest: list };
        match items.count()? {
            20 => items.transaction(1),
            22 => items.transaction(2),
            24 => items.transaction(3),
            got => Err(ExecuteTxError::Items { got }),
        }
    }
}

/// Returns the type byte followed by the RLP list of these items.
fn envelope(items: &[u8]) -> Vec<u8> {
    let header = Header { list: true, payload_length: items.len() };
    let mut out = Vec::with_capacity(1 + header.length() + items.len());
    out.push(ExecuteTx::TYPE);
    header.encode(&mut out);
    out.extend_from_slice(items);
    out
}

/// The items of a list that have not been read yet.
struct Items<'a> {
    rest: &'a [u8],
}

impl<'a> Items<'a> {
    /// Counts the items. Counting stops at one more than any version has, so that a list of a
    /// million single bytes is rejected early.
    fn count(&self) -> Result<usize, ExecuteTxError> {
        let mut rest = self.rest;
        let mut count = 0;
        while !rest.is_empty() && count <= MAX_ITEMS {
            let skipped = Header::decode(&mut rest).and_then(|header| {
                rest.split_at_checked(header.payload_length).ok_or(alloy_rlp::Error::InputTooShort)
            });
            (_, rest) = skipped.map_err(|source| ExecuteTxError::Item { item: "list", source })?;
            count += 1;
        }
        Ok(count)
    }

    /// Reads the next item.
    fn next<T: Decodable>(&mut self, item: &'static str) -> Result<T, ExecuteTxError> {
        T::decode(&mut self.rest).map_err(|source| ExecuteTxError::Item { item, source })
    }

    /// Reads bytes whose size item had this value.
    fn sized(&mut self, item: &'static str, size: u64) -> Result<Bytes, ExecuteTxError> {
        let bytes: Bytes = self.next(item)?;
        if usize::try_from(size) != Ok(bytes.len()) {
            return Err(ExecuteTxError::Size { item, got: size, expected: bytes.len() });
        }
        Ok(bytes)
    }

    /// Reads the transaction as this version, which the number of items determined.
    fn transaction(mut self, version: u8) -> Result<SignedExecuteTx, ExecuteTxError> {
        let chain_id = self.next("chain_id")?;
        let nonce = self.next("nonce")?;
        let max_priority_fee_per_gas = self.next("max_priority_fee_per_gas")?;
        let max_fee_per_gas = self.next("max_fee_per_gas")?;
        let gas_limit = self.next("gas_limit")?;
        let to = self.next("to")?;
        let value = self.next("value")?;
        let input = self.next("input")?;
        let pre_state_root = self.next("pre_state_root")?;
        let witness_size = self.next("witness_size")?;
        let withdrawals_size = self.next("withdrawals_size")?;
        let anchor_size = if version > 1 { self.next("anchor_size")? } else { 0 };
        let coinbase = self.next("coinbase")?;
        let block_number = self.next("block_number")?;
        let timestamp = self.next("timestamp")?;
        let witness = self.sized("witness", witness_size)?;
        let withdrawals = self.sized("withdrawals", withdrawals_size)?;
        let anchor = if version > 1 { self.anchor(anchor_size)? } else { None };
        let blob_hashes: Vec<B256> = self.next("blob_hashes")?;
        if version > 1 && !blob_hashes.is_empty() {
            return Err(ExecuteTxError::Blobs { got: blob_hashes.len() });
        }
        let version = match version {
            1 => ExecuteTxVersion::V1 { blob_hashes },
            2 => ExecuteTxVersion::V2 { anchor },
            _ => ExecuteTxVersion::V3 {
                anchor,
                max_fee_per_execute_gas: self.next("max_fee_per_execute_gas")?,
                execute_gas_limit: self.next("execute_gas_limit")?,
            },
        };
        let y_parity = match self.next("y_parity")? {
            0 => false,
            1 => true,
            got => return Err(ExecuteTxError::Parity { got }),
        };
        let (r, s) = (self.next("r")?, self.next("s")?);
        let tx = ExecuteTx {
            chain_id,
            nonce,
            max_priority_fee_per_gas,
            max_fee_per_gas,
            gas_limit,
            to,
            value,
            input,
            pre_state_root,
            coinbase,
            block_number,
            timestamp,
            witness,
            withdrawals,
            version,
        };
        Ok(SignedExecuteTx { tx, signature: Signature::new(r, s, y_parity) })
    }

    /// Reads the anchor whose size item had this value.
    fn anchor(&mut self, size: u64) -> Result<Option<B256>, ExecuteTxError> {
        let bytes = self.sized("anchor", size)?;
        match bytes.len() {
            0 => Ok(None),
            32 => Ok(Some(B256::from_slice(&bytes))),
            got => Err(ExecuteTxError::Anchor { got }),
        }
    }
}
