//! Calldata of the precompile `0x12` in the fixed layout of a native sequencer.

use alloy_primitives::{Address, B256, Bytes, U256};

/// An EXECUTE call in the first version of the precompile `0x12`: one message with a witness.
///
/// This format is for tools that encounter such calldata; no dialect of EXECUTE accepts it. It
/// contains less than the others: a size of two bytes limits the witness to 65,535 bytes, less than
/// a mainnet block needs, and neither the calldata nor the return data (gas and return data of the
/// message) contain the post-state root.
///
/// The layout follows the authors' description, which leaves the order of some bytes open. Here
/// numbers shorter than a word are little-endian, words are big-endian, and the size of the witness
/// precedes that of the withdrawals.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LegacyExecuteCall {
    /// Chain id of the message.
    pub chain_id: U256,
    /// State root that the witness proves.
    pub pre_state_root: B256,
    /// Gas limit of the message.
    pub gas_limit: u64,
    /// Fee recipient of the block.
    pub coinbase: Address,
    /// Block number.
    pub block_number: u64,
    /// Gas price of the message, in wei.
    pub gas_price: u64,
    /// Block timestamp.
    pub timestamp: u64,
    /// Witness as RLP, at most [`Self::MAX_SIZE`] bytes.
    pub witness: Bytes,
    /// Withdrawals, at most [`Self::MAX_SIZE`] bytes.
    pub withdrawals: Bytes,
    /// Recipient of the message.
    pub to: Address,
    /// Value of the message, in wei.
    pub value: U256,
    /// Calldata of the message.
    pub data: Bytes,
}

/// Reason why bytes are not a call in the fixed layout, or why a call cannot be encoded in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LegacyCallError {
    /// The bytes end within a field.
    #[error("the calldata ends within the {field}: got {got} bytes of it, expected {expected}")]
    TooShort {
        /// The field.
        field: &'static str,
        /// Bytes present.
        got: usize,
        /// Length of the field.
        expected: usize,
    },
    /// Bytes follow the last field.
    #[error("{got} bytes after the calldata of the message, expected none")]
    Surplus {
        /// Their number.
        got: usize,
    },
    /// A field is longer than its size field can express.
    #[error("{field} of {got} bytes, expected at most {limit}")]
    TooLong {
        /// The field.
        field: &'static str,
        /// Its length.
        got: usize,
        /// Maximum length that its size field can express.
        limit: usize,
    },
}

impl LegacyExecuteCall {
    /// Bytes before the witness.
    pub const HEAD: usize = 120;
    /// Maximum length of witness and withdrawals, whose size fields have two bytes.
    pub const MAX_SIZE: usize = u16::MAX as usize;
    /// Maximum length of the message's calldata, whose size field has four bytes.
    const MAX_DATA: usize = u32::MAX as usize;
    /// Bytes between the withdrawals and the message's calldata.
    const TARGET: usize = 56;

    /// Encodes the call.
    ///
    /// # Errors
    ///
    /// [`LegacyCallError::TooLong`] if witness, withdrawals or data are longer than the layout
    /// allows.
    pub fn encode(&self) -> Result<Vec<u8>, LegacyCallError> {
        let size = |field, bytes: &Bytes, limit: usize| match bytes.len() {
            got if got > limit => Err(LegacyCallError::TooLong { field, got, limit }),
            got => Ok((got as u64).to_le_bytes()),
        };
        let [w0, w1, ..] = size("witness", &self.witness, Self::MAX_SIZE)?;
        let [x0, x1, ..] = size("withdrawals", &self.withdrawals, Self::MAX_SIZE)?;
        let [d0, d1, d2, d3, ..] = size("data", &self.data, Self::MAX_DATA)?;
        let variable = self.witness.len() + self.withdrawals.len() + self.data.len();
        let mut out = Vec::with_capacity(Self::HEAD + Self::TARGET + variable);
        out.extend_from_slice(&self.chain_id.to_be_bytes::<32>());
        out.extend_from_slice(self.pre_state_root.as_slice());
        out.extend_from_slice(&self.gas_limit.to_le_bytes());
        out.extend_from_slice(&[w0, w1, x0, x1]);
        out.extend_from_slice(self.coinbase.as_slice());
        out.extend_from_slice(&self.block_number.to_le_bytes());
        out.extend_from_slice(&self.gas_price.to_le_bytes());
        out.extend_from_slice(&self.timestamp.to_le_bytes());
        out.extend_from_slice(&self.witness);
        out.extend_from_slice(&self.withdrawals);
        out.extend_from_slice(self.to.as_slice());
        out.extend_from_slice(&self.value.to_be_bytes::<32>());
        out.extend_from_slice(&[d0, d1, d2, d3]);
        out.extend_from_slice(&self.data);
        Ok(out)
    }

    /// Decodes a call. Each call has a single encoding, so [`Self::encode`] returns the same bytes.
    ///
    /// # Errors
    ///
    /// [`LegacyCallError`] if the bytes end within a field, or continue after the last one.
    pub fn decode(calldata: &[u8]) -> Result<Self, LegacyCallError> {
        let mut fields = Fields(calldata);
        let chain_id = fields.word("chain id")?;
        let pre_state_root = fields.array("pre-state root")?.into();
        let gas_limit = u64::from_le_bytes(fields.array("gas limit")?);
        let witness = u16::from_le_bytes(fields.array("size of the witness")?);
        let withdrawals = u16::from_le_bytes(fields.array("size of the withdrawals")?);
        let coinbase = Address::new(fields.array("coinbase")?);
        let block_number = u64::from_le_bytes(fields.array("block number")?);
        let gas_price = u64::from_le_bytes(fields.array("gas price")?);
        let timestamp = u64::from_le_bytes(fields.array("timestamp")?);
        let witness = fields.bytes("witness", witness.into())?;
        let withdrawals = fields.bytes("withdrawals", withdrawals.into())?;
        let to = Address::new(fields.array("recipient")?);
        let value = fields.word("value")?;
        let length = u32::from_le_bytes(fields.array("length of the data")?);
        let data = fields.bytes("data", length as usize)?;
        if !fields.0.is_empty() {
            return Err(LegacyCallError::Surplus { got: fields.0.len() });
        }
        Ok(Self {
            chain_id,
            pre_state_root,
            gas_limit,
            coinbase,
            block_number,
            gas_price,
            timestamp,
            witness: Bytes::copy_from_slice(witness),
            withdrawals: Bytes::copy_from_slice(withdrawals),
            to,
            value,
            data: Bytes::copy_from_slice(data),
        })
    }
}

/// Bytes of a call that have not been read yet.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Reads a field of this length. A length that is only declared allocates nothing.
    fn bytes(&mut self, field: &'static str, expected: usize) -> Result<&'a [u8], LegacyCallError> {
        let got = self.0.len();
        let (bytes, rest) = self.0.split_at_checked(expected).ok_or(LegacyCallError::TooShort {
            field,
            got,
            expected,
        })?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], LegacyCallError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(LegacyCallError::TooShort {
            field,
            got: self.0.len(),
            expected: N,
        })?;
        self.0 = rest;
        Ok(*array)
    }

    fn word(&mut self, field: &'static str) -> Result<U256, LegacyCallError> {
        self.array(field).map(U256::from_be_bytes::<32>)
    }
}
