//! Transactions of a chain.

mod json;

pub use json::ExecuteFields;

use alloy_consensus::{
    Transaction as TransactionTrait,
    crypto::RecoveryError,
    transaction::{SignerRecoverable, TxHashRef},
};
use alloy_eips::{
    Decodable2718, Encodable2718, Typed2718,
    eip2718::{Eip2718Error, Eip2718Result},
    eip2930::AccessList,
    eip7702::SignedAuthorization,
};
use alloy_primitives::{Address, B256, Bytes, Sealed, TxKind, U256};
use alloy_rlp::BufMut;
use codec::{ExecuteTx, SignedExecuteTx};
use std::sync::Arc;

/// A transaction of a chain: one of Ethereum's types, or an `ExecuteTx`, which carries the witness
/// for its EXECUTE call.
///
/// Blocks of an L2 contain only Ethereum's types: the verifier accepts no others.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all are Ethereum's, and a box would cost each of them an allocation"
)]
pub enum Transaction {
    /// A transaction of one of Ethereum's types.
    Ethereum(executor::Transaction),
    /// A transaction of type `0x05` with its hash, on an L1 that has such transactions.
    Execute(Arc<Sealed<SignedExecuteTx>>),
}

impl Transaction {
    /// Decodes a transaction from its whole EIP-2718 encoding.
    ///
    /// # Errors
    ///
    /// A message with the reason if the bytes are not a transaction, or if bytes follow it.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        if bytes.first() != Some(&ExecuteTx::TYPE) {
            return executor::decode_transaction(bytes).map(Self::Ethereum);
        }
        SignedExecuteTx::decode(bytes).map(Self::from).map_err(|error| error.to_string())
    }

    /// Returns the transaction hash.
    pub fn hash(&self) -> &B256 {
        match self {
            Self::Ethereum(transaction) => transaction.hash(),
            Self::Execute(transaction) => transaction.hash_ref(),
        }
    }

    /// Returns the transaction if it has one of Ethereum's types.
    pub const fn as_ethereum(&self) -> Option<&executor::Transaction> {
        match self {
            Self::Ethereum(transaction) => Some(transaction),
            Self::Execute(_) => None,
        }
    }

    /// Returns these transactions if all have Ethereum's types.
    pub fn all_ethereum(transactions: &[Self]) -> Option<Vec<executor::Transaction>> {
        transactions.iter().map(|transaction| transaction.as_ethereum().cloned()).collect()
    }

    /// Returns the transaction, if it is one of type `0x05`.
    pub const fn as_execute(&self) -> Option<&Arc<Sealed<SignedExecuteTx>>> {
        match self {
            Self::Ethereum(_) => None,
            Self::Execute(transaction) => Some(transaction),
        }
    }

    /// Recovers the sender; accepts low-s signatures only (EIP-2).
    pub fn sender(&self) -> Option<Address> {
        self.recover_signer().ok()
    }

    /// Returns the Ethereum transaction, or the fields of one of type `0x05` as the error.
    fn parts(&self) -> Result<&executor::Transaction, &ExecuteTx> {
        match self {
            Self::Ethereum(transaction) => Ok(transaction),
            Self::Execute(transaction) => Err(&transaction.inner().tx),
        }
    }
}

impl From<executor::Transaction> for Transaction {
    fn from(transaction: executor::Transaction) -> Self {
        Self::Ethereum(transaction)
    }
}

impl From<SignedExecuteTx> for Transaction {
    fn from(transaction: SignedExecuteTx) -> Self {
        let hash = transaction.hash();
        Self::Execute(Arc::new(Sealed::new_unchecked(transaction, hash)))
    }
}

impl TxHashRef for Transaction {
    fn tx_hash(&self) -> &B256 {
        self.hash()
    }
}

impl Typed2718 for Transaction {
    fn ty(&self) -> u8 {
        self.parts().map_or(ExecuteTx::TYPE, Typed2718::ty)
    }
}

impl Encodable2718 for Transaction {
    fn encode_2718_len(&self) -> usize {
        match self {
            Self::Ethereum(transaction) => transaction.encode_2718_len(),
            Self::Execute(transaction) => transaction.encode().len(),
        }
    }

    fn encode_2718(&self, out: &mut dyn BufMut) {
        match self {
            Self::Ethereum(transaction) => transaction.encode_2718(out),
            Self::Execute(transaction) => out.put_slice(&transaction.encode()),
        }
    }

    fn trie_hash(&self) -> B256 {
        *self.hash()
    }
}

impl Decodable2718 for Transaction {
    fn typed_decode(ty: u8, buf: &mut &[u8]) -> Eip2718Result<Self> {
        if ty != ExecuteTx::TYPE {
            return executor::Transaction::typed_decode(ty, buf).map(Self::Ethereum);
        }
        let bytes = [&[ty], *buf].concat();
        let decoded = SignedExecuteTx::decode(&bytes)
            .map_err(|_| Eip2718Error::RlpError(alloy_rlp::Error::Custom("malformed ExecuteTx")))?;
        *buf = &[];
        Ok(decoded.into())
    }

    fn fallback_decode(buf: &mut &[u8]) -> Eip2718Result<Self> {
        executor::Transaction::fallback_decode(buf).map(Self::Ethereum)
    }
}

impl SignerRecoverable for Transaction {
    fn recover_signer(&self) -> Result<Address, RecoveryError> {
        match self {
            Self::Ethereum(transaction) => transaction.recover_signer(),
            Self::Execute(transaction) => transaction.recover_signer(),
        }
    }

    fn recover_signer_unchecked(&self) -> Result<Address, RecoveryError> {
        match self {
            Self::Ethereum(transaction) => transaction.recover_signer_unchecked(),
            // Type `0x05` has required a low `s` (EIP-2) from the start.
            Self::Execute(transaction) => transaction.recover_signer(),
        }
    }
}

impl TransactionTrait for Transaction {
    fn chain_id(&self) -> Option<u64> {
        self.parts().map_or_else(|tx| Some(tx.chain_id), TransactionTrait::chain_id)
    }

    fn nonce(&self) -> u64 {
        self.parts().map_or_else(|tx| tx.nonce, TransactionTrait::nonce)
    }

    fn gas_limit(&self) -> u64 {
        self.parts().map_or_else(|tx| tx.gas_limit, TransactionTrait::gas_limit)
    }

    fn gas_price(&self) -> Option<u128> {
        self.parts().ok().and_then(TransactionTrait::gas_price)
    }

    fn max_fee_per_gas(&self) -> u128 {
        self.parts().map_or_else(|tx| tx.max_fee_per_gas, TransactionTrait::max_fee_per_gas)
    }

    fn max_priority_fee_per_gas(&self) -> Option<u128> {
        self.parts().map_or_else(
            |tx| Some(tx.max_priority_fee_per_gas),
            TransactionTrait::max_priority_fee_per_gas,
        )
    }

    fn max_fee_per_blob_gas(&self) -> Option<u128> {
        self.parts().ok().and_then(TransactionTrait::max_fee_per_blob_gas)
    }

    fn priority_fee_or_price(&self) -> u128 {
        self.parts()
            .map_or_else(|tx| tx.max_priority_fee_per_gas, TransactionTrait::priority_fee_or_price)
    }

    fn effective_gas_price(&self, base_fee: Option<u64>) -> u128 {
        match (self.parts(), base_fee) {
            (Ok(transaction), _) => transaction.effective_gas_price(base_fee),
            (Err(tx), None) => tx.max_fee_per_gas,
            (Err(tx), Some(base_fee)) => {
                let offer = tx.max_priority_fee_per_gas.saturating_add(base_fee.into());
                offer.min(tx.max_fee_per_gas)
            }
        }
    }

    fn is_dynamic_fee(&self) -> bool {
        self.parts().map_or(true, TransactionTrait::is_dynamic_fee)
    }

    fn kind(&self) -> TxKind {
        self.parts().map_or_else(|tx| tx.target().into(), TransactionTrait::kind)
    }

    fn is_create(&self) -> bool {
        self.parts().is_ok_and(TransactionTrait::is_create)
    }

    fn value(&self) -> U256 {
        self.parts().map_or_else(|tx| tx.value, TransactionTrait::value)
    }

    fn input(&self) -> &Bytes {
        self.parts().map_or_else(|tx| &tx.input, TransactionTrait::input)
    }

    fn access_list(&self) -> Option<&AccessList> {
        self.parts().ok().and_then(TransactionTrait::access_list)
    }

    fn blob_versioned_hashes(&self) -> Option<&[B256]> {
        self.parts().ok().and_then(TransactionTrait::blob_versioned_hashes)
    }

    fn authorization_list(&self) -> Option<&[SignedAuthorization]> {
        self.parts().ok().and_then(TransactionTrait::authorization_list)
    }
}
