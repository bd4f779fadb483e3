//! JSON of transactions. Ethereum's types have the form of the execution API; type `0x05` has the
//! same form, with its own fields in an object `execute`.

use super::Transaction;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U64, U128, U256};
use codec::{ExecuteTx, ExecuteTxVersion, SignedExecuteTx};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A transaction of type `0x05`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecuteForm {
    r#type: U64,
    chain_id: U64,
    nonce: U64,
    gas: U64,
    max_fee_per_gas: U128,
    max_priority_fee_per_gas: U128,
    to: Option<Address>,
    value: U256,
    input: Bytes,
    execute: ExecuteFields,
    r: U256,
    s: U256,
    y_parity: U64,
    #[serde(default)]
    v: U64,
    hash: B256,
}

/// JSON of the fields that only transactions of type `0x05` have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecuteFields {
    version: u8,
    pre_state_root: B256,
    coinbase: Address,
    block_number: U64,
    timestamp: U64,
    witness: Bytes,
    withdrawals: Bytes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    anchor: Option<B256>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    blob_versioned_hashes: Vec<B256>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_fee_per_execute_gas: Option<U128>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    execute_gas_limit: Option<U64>,
}

impl ExecuteForm {
    fn of(transaction: &SignedExecuteTx, hash: B256) -> Self {
        let SignedExecuteTx { tx, signature } = transaction;
        let (version, blob_hashes, fee, limit) = match &tx.version {
            ExecuteTxVersion::V1 { blob_hashes } => (1, blob_hashes.clone(), None, None),
            ExecuteTxVersion::V2 { .. } => (2, Vec::new(), None, None),
            ExecuteTxVersion::V3 { max_fee_per_execute_gas, execute_gas_limit, .. } => {
                (3, Vec::new(), Some(*max_fee_per_execute_gas), Some(*execute_gas_limit))
            }
        };
        let parity = U64::from(signature.v());
        Self {
            r#type: U64::from(ExecuteTx::TYPE),
            chain_id: U64::from(tx.chain_id),
            nonce: U64::from(tx.nonce),
            gas: U64::from(tx.gas_limit),
            max_fee_per_gas: U128::from(tx.max_fee_per_gas),
            max_priority_fee_per_gas: U128::from(tx.max_priority_fee_per_gas),
            to: tx.to.into_to(),
            value: tx.value,
            input: tx.input.clone(),
            execute: ExecuteFields {
                version,
                pre_state_root: tx.pre_state_root,
                coinbase: tx.coinbase,
                block_number: U64::from(tx.block_number),
                timestamp: U64::from(tx.timestamp),
                witness: tx.witness.clone(),
                withdrawals: tx.withdrawals.clone(),
                anchor: tx.anchor(),
                blob_versioned_hashes: blob_hashes,
                max_fee_per_execute_gas: fee.map(U128::from),
                execute_gas_limit: limit.map(U64::from),
            },
            r: signature.r(),
            s: signature.s(),
            y_parity: parity,
            v: parity,
            hash,
        }
    }

    fn transaction(self) -> Result<SignedExecuteTx, &'static str> {
        let tx = ExecuteTx {
            chain_id: self.chain_id.to(),
            nonce: self.nonce.to(),
            max_priority_fee_per_gas: self.max_priority_fee_per_gas.to(),
            max_fee_per_gas: self.max_fee_per_gas.to(),
            gas_limit: self.gas.to(),
            to: self.to.map_or(TxKind::Create, TxKind::Call),
            value: self.value,
            input: self.input,
            ..self.execute.into_tx()?
        };
        let signature = Signature::new(self.r, self.s, !self.y_parity.is_zero());
        Ok(SignedExecuteTx { tx, signature })
    }
}

impl ExecuteFields {
    /// Returns a transaction with these fields; all others are zero or empty.
    ///
    /// # Errors
    ///
    /// The reason if the fields do not match the version.
    pub fn into_tx(self) -> Result<ExecuteTx, &'static str> {
        let version = match (self.version, self.max_fee_per_execute_gas, self.execute_gas_limit) {
            (1, None, None) => ExecuteTxVersion::V1 { blob_hashes: self.blob_versioned_hashes },
            (2, None, None) => ExecuteTxVersion::V2 { anchor: self.anchor },
            (3, Some(fee), Some(limit)) => ExecuteTxVersion::V3 {
                anchor: self.anchor,
                max_fee_per_execute_gas: fee.to(),
                execute_gas_limit: limit.to(),
            },
            _ => return Err("version of an ExecuteTx: got fields of another, expected 1, 2 or 3"),
        };
        Ok(ExecuteTx {
            chain_id: 0,
            nonce: 0,
            max_priority_fee_per_gas: 0,
            max_fee_per_gas: 0,
            gas_limit: 0,
            to: TxKind::Create,
            value: U256::ZERO,
            input: Bytes::new(),
            pre_state_root: self.pre_state_root,
            coinbase: self.coinbase,
            block_number: self.block_number.to(),
            timestamp: self.timestamp.to(),
            witness: self.witness,
            withdrawals: self.withdrawals,
            version,
        })
    }
}

impl Serialize for Transaction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Ethereum(transaction) => transaction.serialize(serializer),
            Self::Execute(transaction) => {
                ExecuteForm::of(transaction.inner(), transaction.hash()).serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Transaction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Only type `0x05` has the object `execute`.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Execute(Box<ExecuteForm>),
            Ethereum(Box<executor::Transaction>),
        }
        match Form::deserialize(deserializer)? {
            Form::Execute(form) => form.transaction().map(Self::from).map_err(D::Error::custom),
            Form::Ethereum(transaction) => Ok(Self::Ethereum(*transaction)),
        }
    }
}
