//! Transactions from requests, and signatures on them.

use crate::RpcError;
use alloy_consensus::{
    EthereumTypedTransaction, SignableTransaction, Signed, TxEip1559, TxEip2930, TxEip4844,
    TxEip7702, TxLegacy, TxType, transaction::RlpEcdsaEncodableTx,
};
use alloy_primitives::{B256, Signature, TxKind, U256};
use alloy_rpc_types_eth::TransactionRequest;
use executor::Transaction;

/// A transaction without a signature.
pub type Unsigned = EthereumTypedTransaction<TxEip4844>;

/// The transaction of a type that a request describes. What it leaves out is zero or empty.
///
/// # Errors
///
/// [`RpcError::params`] where it has no receiver and the type needs one.
pub fn typed(request: TransactionRequest, kind: TxType) -> Result<Unsigned, RpcError> {
    let to = request.to.unwrap_or(TxKind::Create);
    let called = || match to {
        TxKind::Call(to) => Ok(to),
        TxKind::Create => Err(RpcError::params("this type of transaction needs a 'to'")),
    };
    let chain_id = request.chain_id.unwrap_or_default();
    let nonce = request.nonce.unwrap_or_default();
    let gas_limit = request.gas.unwrap_or_default();
    let gas_price = request.gas_price.unwrap_or_default();
    let max_fee_per_gas = request.max_fee_per_gas.unwrap_or_default();
    let max_priority_fee_per_gas = request.max_priority_fee_per_gas.unwrap_or_default();
    let value = request.value.unwrap_or_default();
    let input = request.input.into_input().unwrap_or_default();
    let access_list = request.access_list.unwrap_or_default();
    Ok(match kind {
        TxType::Legacy => {
            let chain_id = request.chain_id;
            TxLegacy { chain_id, nonce, gas_price, gas_limit, to, value, input }.into()
        }
        TxType::Eip2930 => {
            TxEip2930 { chain_id, nonce, gas_price, gas_limit, to, value, access_list, input }
                .into()
        }
        TxType::Eip1559 => TxEip1559 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas,
            to,
            value,
            access_list,
            input,
        }
        .into(),
        TxType::Eip4844 => TxEip4844 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas,
            to: called()?,
            value,
            access_list,
            blob_versioned_hashes: request.blob_versioned_hashes.unwrap_or_default(),
            max_fee_per_blob_gas: request.max_fee_per_blob_gas.unwrap_or_default(),
            input,
        }
        .into(),
        TxType::Eip7702 => TxEip7702 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas,
            to: called()?,
            value,
            access_list,
            authorization_list: request.authorization_list.unwrap_or_default(),
            input,
        }
        .into(),
    })
}

/// Puts a signature to a transaction; with `hash` if it does not hash as others do.
pub fn with_signature(
    transaction: Unsigned,
    signature: Signature,
    hash: Option<B256>,
) -> Transaction {
    fn put<T>(transaction: T, signature: Signature, hash: Option<B256>) -> Transaction
    where
        T: SignableTransaction<Signature> + RlpEcdsaEncodableTx,
        Signed<T>: Into<Transaction>,
    {
        match hash {
            Some(hash) => Signed::new_unchecked(transaction, signature, hash).into(),
            None => transaction.into_signed(signature).into(),
        }
    }
    match transaction {
        Unsigned::Legacy(transaction) => put(transaction, signature, hash),
        Unsigned::Eip2930(transaction) => put(transaction, signature, hash),
        Unsigned::Eip1559(transaction) => put(transaction, signature, hash),
        Unsigned::Eip4844(transaction) => put(transaction, signature, hash),
        Unsigned::Eip7702(transaction) => put(transaction, signature, hash),
    }
}

/// A transaction that nobody has signed.
pub fn nobody(transaction: Unsigned) -> Transaction {
    with_signature(transaction, Signature::new(U256::ZERO, U256::ZERO, false), None)
}
