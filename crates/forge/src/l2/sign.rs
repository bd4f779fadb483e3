//! Signing of transactions that Solidity describes, with named keys.

use super::{
    abi::IL2::{Kind, Transaction as Described, nextNonceCall, signCall},
    store::load,
};
use crate::{ForgeError, Workspace};
use alloy_consensus::{
    EthereumTypedTransaction, SignableTransaction as _, Transaction as _, TxEip4844,
    constants::KECCAK_EMPTY,
};
use alloy_eips::{
    eip2718::Encodable2718,
    eip2930::{AccessList, AccessListItem},
    eip7702::Authorization,
};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256, map::AddressMap};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use chain::Chain;
use executor::{Transaction, decode_transaction, recover_sender};
use wire::ProtocolFork;

type Unsigned = EthereumTypedTransaction<TxEip4844>;

/// Nonce value that stands for the sender's next nonce.
const NEXT: u64 = u64::MAX;
/// Maximum gas limit of a transaction (EIP-7825).
const GAS_CAP: u64 = 1 << 24;

/// Signer of a block's transactions, in order.
pub(super) struct Signer<'c> {
    chain: &'c Chain,
    fork: ProtocolFork,
    nonces: AddressMap<u64>,
}

impl<'c> Signer<'c> {
    pub(super) fn new(chain: &'c Chain, fork: ProtocolFork) -> Self {
        Self { chain, fork, nonces: AddressMap::default() }
    }

    /// Signs or decodes the transaction at `index`.
    pub(super) fn sign(
        &mut self,
        index: usize,
        described: &Described,
    ) -> Result<Transaction, ForgeError> {
        let transaction = match described.kind {
            Kind::Raw => decode_transaction(&described.data).map_err(|reason| {
                ForgeError::Refused(format!(
                    "transaction {index}: the bytes are no transaction ({reason}); to put bytes \
                     into an input that no block can hold, change the input"
                ))
            })?,
            _ => self.sign_described(index, described)?,
        };
        if let Some(sender) = recover_sender(&transaction) {
            self.nonces.insert(sender, transaction.nonce().saturating_add(1));
        }
        Ok(transaction)
    }

    fn sign_described(
        &mut self,
        index: usize,
        described: &Described,
    ) -> Result<Transaction, ForgeError> {
        let key = named(&described.from);
        let nonce = match described.nonce {
            NEXT => self.next_nonce(key.address())?,
            chosen => chosen,
        };
        let own_id = self.chain.config().spec.chain_id();
        let chain_id = if described.chainId == 0 { own_id } else { described.chainId };
        let gas_limit = match described.gasLimit {
            0 => self.default_gas(described)?,
            chosen => chosen,
        };
        let to = if described.create { TxKind::Create } else { TxKind::Call(described.to) };
        let access_list = described
            .accessList
            .iter()
            .map(|item| AccessListItem { address: item.account, storage_keys: item.slots.clone() });
        let authorizations = described.authorizations.iter().map(|authorization| {
            let signer = named(&authorization.signer);
            let nonce = match authorization.nonce {
                // The sender's nonce has been incremented when authorizations are processed.
                NEXT if signer.address() == key.address() => nonce + 1,
                NEXT => self.next_nonce(signer.address())?,
                chosen => chosen,
            };
            let unsigned = Authorization {
                chain_id: U256::from(authorization.chainId),
                address: authorization.code,
                nonce,
            };
            let signature = sign_digest(&signer, &unsigned.signature_hash());
            Ok::<_, ForgeError>(unsigned.into_signed(signature))
        });
        let request = TransactionRequest {
            chain_id: Some(chain_id),
            nonce: Some(nonce),
            gas: Some(gas_limit),
            gas_price: Some(described.maxFeePerGas),
            max_fee_per_gas: Some(described.maxFeePerGas),
            max_priority_fee_per_gas: Some(described.maxPriorityFeePerGas),
            to: Some(to),
            value: Some(described.value),
            input: described.data.clone().into(),
            access_list: Some(AccessList(access_list.collect())),
            authorization_list: Some(authorizations.collect::<Result<_, _>>()?),
            ..Default::default()
        };
        let built = match described.kind {
            Kind::Legacy => request.build_legacy().map(Unsigned::from),
            Kind::AccessList => request.build_2930().map(Into::into),
            Kind::SetCode => request.build_7702().map(Into::into),
            _ => request.build_1559().map(Into::into),
        };
        // All other fields are set, so only the missing recipient can be the reason.
        let unsigned = built.map_err(|_| {
            ForgeError::Refused(format!(
                "transaction {index}: a set-code transaction (EIP-7702) cannot create"
            ))
        })?;
        let signature = sign_digest(&key, &unsigned.signature_hash());
        Ok(unsigned.into_envelope(signature))
    }

    fn next_nonce(&self, address: Address) -> Result<u64, ForgeError> {
        match self.nonces.get(&address) {
            Some(nonce) => Ok(*nonce),
            None => Ok(self.chain.nonce(address)?),
        }
    }

    /// Returns the default gas limit, which suffices for most transactions. It is not much larger,
    /// because EXECUTE reserves it.
    fn default_gas(&self, described: &Described) -> Result<u64, ForgeError> {
        // Since Amsterdam, new state is charged per byte (EIP-8037); a new account costs 130,000.
        let state = if self.fork >= ProtocolFork::Amsterdam { 8 } else { 1 };
        let per_byte = 40 * described.data.len() as u64;
        let plain = described.data.is_empty()
            && described.authorizations.is_empty()
            && described.accessList.is_empty();
        let gas = if described.create {
            200_000 + per_byte + state * (100_000 + 250 * described.data.len() as u64)
        } else if plain && !self.has_code(described.to)? {
            if state == 1 { 21_000 } else { 250_000 }
        } else {
            100_000 + per_byte + state * 200_000
        };
        Ok(gas.min(GAS_CAP).min(self.chain.head().header.gas_limit))
    }

    fn has_code(&self, address: Address) -> Result<bool, ForgeError> {
        let account = self.chain.account(address)?;
        Ok(account.is_some_and(|account| account.code_hash != KECCAK_EMPTY))
    }
}

/// Returns the key for a name: Keccak-256 of the name, like forge's `makeAddrAndKey`.
fn named(name: &str) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&keccak256(name))
        .expect("a Keccak digest is a valid secret, but for 1 in 2^128")
}

fn sign_digest(key: &PrivateKeySigner, digest: &B256) -> Signature {
    key.sign_hash_sync(digest).expect("a local key signs every digest")
}

/// Signs a transaction without adding it to a block.
pub(super) fn sign(workspace: &Workspace, call: &signCall) -> Result<Bytes, ForgeError> {
    let loaded = load(workspace, call.blockHash, None)?;
    let mut signer = Signer::new(&loaded.chain, super::fork_of(loaded.schema)?);
    for (index, described) in call.queue.iter().enumerate() {
        signer.sign(index, described)?;
    }
    let transaction = signer.sign(call.queue.len(), &call.transaction)?;
    Ok(transaction.encoded_2718().into())
}

/// Returns the next nonce of an account.
pub(super) fn next_nonce(workspace: &Workspace, call: &nextNonceCall) -> Result<u64, ForgeError> {
    let loaded = load(workspace, call.blockHash, None)?;
    let mut signer = Signer::new(&loaded.chain, super::fork_of(loaded.schema)?);
    for (index, described) in call.queue.iter().enumerate() {
        signer.sign(index, described)?;
    }
    signer.next_nonce(call.account)
}
