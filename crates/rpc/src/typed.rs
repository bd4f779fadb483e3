//! Builds transactions from requests, for the chain and for the EVM, and adds signatures.

use crate::RpcError;
use alloy_consensus::{
    EthereumTypedTransaction, SignableTransaction, Signed, TxEip4844, TxType,
    transaction::RlpEcdsaEncodableTx,
};
use alloy_primitives::{Address, B256, Signature, TxKind, U256};
use alloy_rpc_types_eth::TransactionRequest;
use executor::Transaction;
use revm::context::{TxEnv, either::Either};

/// Unsigned Ethereum transaction.
pub type Unsigned = EthereumTypedTransaction<TxEip4844>;

/// Returns the transaction type that supports all fields of a request.
pub fn tx_type(request: &TransactionRequest) -> TxType {
    if request.authorization_list.as_ref().is_some_and(|list| !list.is_empty()) {
        TxType::Eip7702
    } else if request.blob_versioned_hashes.is_some() {
        TxType::Eip4844
    } else if request.max_fee_per_gas.is_some() || request.max_priority_fee_per_gas.is_some() {
        TxType::Eip1559
    } else if request.access_list.is_some() {
        TxType::Eip2930
    } else {
        TxType::Legacy
    }
}

/// Checks that a request is consistent in itself and with the chain id.
pub(crate) fn check(request: &TransactionRequest, chain_id: u64) -> Result<(), RpcError> {
    if let Some(got) = request.chain_id.filter(|got| *got != chain_id) {
        return Err(RpcError::params(format!(
            "chainId does not match node's (have={got}, want={chain_id})"
        )));
    }
    if request.gas_price.is_some()
        && (request.max_fee_per_gas.is_some() || request.max_priority_fee_per_gas.is_some())
    {
        return Err(RpcError::params(
            "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified",
        ));
    }
    Ok(())
}

/// A request whose transaction fields are all resolved.
pub(crate) struct Filled<'r> {
    pub(crate) request: &'r TransactionRequest,
    pub(crate) kind: TxType,
    pub(crate) sender: Address,
    pub(crate) nonce: u64,
    pub(crate) gas: u64,
    /// Maximum price that the transaction pays, in wei per gas.
    pub(crate) gas_price: u128,
    pub(crate) chain_id: u64,
}

impl Filled<'_> {
    /// Converts to a transaction without a signature.
    pub(crate) fn transaction(&self) -> Result<Transaction, RpcError> {
        let (nonce, gas) = (Some(self.nonce), Some(self.gas));
        // Only the signature binds a legacy transaction to a chain.
        let chain_id = (self.kind != TxType::Legacy).then_some(self.chain_id);
        let request = TransactionRequest { nonce, gas, chain_id, ..self.request.clone() };
        Ok(without_signature(typed(request, self.kind)?))
    }

    /// Converts to the EVM's transaction environment.
    pub(crate) fn env(&self) -> TxEnv {
        let request = self.request;
        let priced = matches!(self.kind, TxType::Legacy | TxType::Eip2930);
        let authorizations = request.authorization_list.clone().unwrap_or_default();
        TxEnv {
            tx_type: self.kind.into(),
            caller: self.sender,
            gas_limit: self.gas,
            gas_price: self.gas_price,
            kind: request.to.unwrap_or(TxKind::Create),
            value: request.value.unwrap_or_default(),
            data: request.input.input().cloned().unwrap_or_default(),
            nonce: self.nonce,
            chain_id: Some(self.chain_id),
            access_list: request.access_list.clone().unwrap_or_default(),
            gas_priority_fee: (!priced)
                .then(|| request.max_priority_fee_per_gas.unwrap_or_default()),
            blob_hashes: request.blob_versioned_hashes.clone().unwrap_or_default(),
            max_fee_per_blob_gas: request.max_fee_per_blob_gas.unwrap_or_default(),
            authorization_list: authorizations.into_iter().map(Either::Left).collect(),
        }
    }
}

/// Builds the transaction of the given type from a request. Omitted fields are zero or empty.
///
/// # Errors
///
/// [`RpcError::params`] if the request has no receiver but the type requires one.
pub fn typed(mut request: TransactionRequest, kind: TxType) -> Result<Unsigned, RpcError> {
    request.to.get_or_insert(TxKind::Create);
    request.nonce.get_or_insert(0);
    request.gas.get_or_insert(0);
    request.gas_price.get_or_insert(0);
    request.max_fee_per_gas.get_or_insert(0);
    request.max_priority_fee_per_gas.get_or_insert(0);
    request.max_fee_per_blob_gas.get_or_insert(0);
    request.blob_versioned_hashes.get_or_insert_default();
    if kind != TxType::Legacy {
        request.chain_id.get_or_insert(0);
    }
    let built = match kind {
        TxType::Legacy => request.build_legacy().map(Into::into),
        TxType::Eip2930 => request.build_2930().map(Into::into),
        TxType::Eip1559 => request.build_1559().map(Into::into),
        TxType::Eip4844 => request.build_4844_without_sidecar().map(Into::into),
        TxType::Eip7702 => request.build_7702().map(Into::into),
    };
    // All other fields are set, so only the receiver can be missing.
    built.map_err(|_| RpcError::params("this type of transaction needs a 'to'"))
}

/// Adds a signature to a transaction. `hash` overrides the computed transaction hash.
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

/// Adds an all-zero signature, as a placeholder.
pub fn without_signature(transaction: Unsigned) -> Transaction {
    with_signature(transaction, Signature::new(U256::ZERO, U256::ZERO, false), None)
}
