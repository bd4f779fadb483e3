//! Sending transactions: `eth_sendRawTransaction`, and its forms with the receipt as the response
//! (EIP-7966) and with conditions on the state (ERC-7796).

use crate::{
    Api, Args, Number, Registry, RpcError, blobs, codes, convert::RpcReceipt, receipt,
    workers::WorkerPool,
};
use alloy_consensus::{TxEip4844Variant, TxEnvelope, transaction::SignerRecoverable};
use alloy_eips::{eip2718::Decodable2718, eip7594::BlobTransactionSidecarVariant};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use chain::{AccountProof, ChainError, RecoveredTransaction, State};
use codec::ExecuteTx;
use executor::Transaction;
use node::{Event, PoolTransaction, Rejected};
use serde::Deserialize;
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, sync::broadcast::error::RecvError, time::timeout};

/// Maximum number of values in the conditions of a transaction, as in op-geth.
const MAX_CONDITIONS: usize = 1_000;

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.send("eth_sendRawTransaction", |api, args| send_raw(api, &args.required()?));
    methods.add(WorkerPool::Wait, "eth_sendRawTransactionSync", send_sync);
    methods.write("eth_sendRawTransactionConditional", send_conditional);
}

/// Adds a transaction to the pool and, if the node seals a block per transaction, builds one.
/// Errors contain advice for the sender.
pub fn submit(api: &Api, new: PoolTransaction) -> Result<B256, RpcError> {
    let options = api.options();
    if let Some(elsewhere) = &options.elsewhere
        && let Some(answer) = elsewhere.send(&new.raw)
    {
        if answer.is_ok() {
            // Keep a copy, so that transactions sent through this node survive a failure of the
            // other one.
            let _ = api.node().submit(new);
        }
        return answer;
    }
    let new = if options.old_sidecars { blobs::renewed(api, new)? } else { new };
    api.node().submit(new).map_err(|reason| {
        let is_capped = matches!(reason, Rejected::GasCap { .. });
        let mut error = options.failure_style.pool_error(reason);
        if let Some(flag) = options.gas_cap_flag.filter(|_| is_capped) {
            error.message = format!("{}; {flag} lifts the cap", error.message);
        }
        error
    })
}

/// Decodes a transaction in its network form, with its blobs if it has any, and adds it to the
/// pool.
fn send_raw(api: &Api, raw: &Bytes) -> Result<B256, RpcError> {
    submit(api, decode_pooled(raw)?)
}

/// Decodes a transaction in its network form.
pub fn decode_pooled(raw: &Bytes) -> Result<PoolTransaction, RpcError> {
    if raw.is_empty() {
        return Err(RpcError::params("empty transaction data: give a signed transaction"));
    }
    if raw.first() == Some(&ExecuteTx::TYPE) {
        let transaction = chain::Transaction::decode(raw).map_err(|error| {
            RpcError::params(format!("failed to decode signed transaction: {error}"))
        })?;
        let sender = transaction.sender().ok_or(Rejected::Signature)?;
        let recovered = RecoveredTransaction { transaction, sender, signed: true };
        return Ok(PoolTransaction::new(recovered, None, raw.clone()));
    }
    let decoded = TxEnvelope::decode_2718_exact(raw).map_err(|error| {
        RpcError::params(format!("failed to decode signed transaction: {error}"))
    })?;
    let (transaction, sidecar) = split(decoded);
    let sender = transaction.recover_signer().map_err(|_| Rejected::Signature)?;
    if let (Some(sidecar), Transaction::Eip4844(signed)) = (&sidecar, &transaction) {
        blobs::check(sidecar, &signed.tx().blob_versioned_hashes)?;
    }
    let recovered = RecoveredTransaction { transaction: transaction.into(), sender, signed: true };
    Ok(PoolTransaction::new(recovered, sidecar.map(Arc::new), raw.clone()))
}

/// Splits a decoded transaction into the transaction and its sidecar.
fn split(decoded: TxEnvelope) -> (Transaction, Option<BlobTransactionSidecarVariant>) {
    match decoded {
        TxEnvelope::Legacy(signed) => (signed.into(), None),
        TxEnvelope::Eip2930(signed) => (signed.into(), None),
        TxEnvelope::Eip1559(signed) => (signed.into(), None),
        TxEnvelope::Eip7702(signed) => (signed.into(), None),
        TxEnvelope::Eip4844(signed) => {
            let (transaction, signature, hash) = signed.into_parts();
            let (inner, sidecar) = match transaction {
                TxEip4844Variant::TxEip4844(inner) => (inner, None),
                TxEip4844Variant::TxEip4844WithSidecar(with) => (with.tx, Some(with.sidecar)),
            };
            let signed = alloy_consensus::Signed::new_unchecked(inner, signature, hash);
            (Transaction::Eip4844(signed), sidecar)
        }
    }
}

/// Sends a transaction and waits for its receipt, for the requested milliseconds but at most the
/// node's limit.
fn send_sync(api: &Api, args: &mut Args) -> Result<RpcReceipt, RpcError> {
    let raw: Bytes = args.required()?;
    let longest = api.options().limits.sync_time;
    // An invalid timeout counts as absent: the node's limit applies.
    let wanted: Option<Number> = args.optional()?;
    let wanted = wanted.and_then(|wanted| wanted.u64().ok()).filter(|wanted| *wanted > 0);
    let wait = wanted.map_or(longest, |wanted| Duration::from_millis(wanted).min(longest));
    let pooled = decode_pooled(&raw)?;
    let (sender, nonce) = (pooled.sender(), pooled.nonce());
    let hash = submit(api, pooled)?;
    let next = api.node().read(|node| {
        let next = node.chain.nonce(sender)?;
        Ok::<_, ChainError>(node.pool.next_nonce(sender, next))
    })?;
    if nonce > next {
        let message = format!(
            "transaction {hash} waits in the pool for others of {sender}: nonce {nonce}, expected {next}"
        );
        let data = Some(json!(U256::from(next)));
        return Err(RpcError { data, ..RpcError::new(codes::UNREADY, message) });
    }
    wait_for_receipt(api, hash, wait)
}

/// Waits for a transaction's receipt. Must be called inside a Tokio runtime, on a thread that may
/// block.
///
/// # Errors
///
/// [`RpcError`] with code 4 and the hash if no block includes the transaction in time.
pub fn wait_for_receipt(api: &Api, hash: B256, wait: Duration) -> Result<RpcReceipt, RpcError> {
    let mut events = api.node().subscribe();
    let begun = Instant::now();
    loop {
        if let Some(receipt) = receipt(api, hash)? {
            return Ok(receipt);
        }
        let left = wait.saturating_sub(begun.elapsed());
        let head_moves = timeout(left, async {
            loop {
                match events.recv().await {
                    // The missed events may include the block with the transaction.
                    Ok(Event::Head { .. }) | Err(RecvError::Lagged(_)) => return true,
                    Ok(Event::Pooled(_)) => {}
                    Err(RecvError::Closed) => return false,
                }
            }
        });
        if Handle::current().block_on(head_moves) != Ok(true) {
            let message = format!(
                "transaction {hash} is in the pool, and was in no block within {} ms",
                wait.as_millis()
            );
            let data = Some(json!(hash));
            return Err(RpcError { data, ..RpcError::new(codes::TIMEOUT, message) });
        }
    }
}

/// Conditions under which a transaction may be included, in addition to the protocol's.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Conditions {
    known_accounts: BTreeMap<Address, Known>,
    block_number_min: Option<Number>,
    block_number_max: Option<Number>,
    timestamp_min: Option<Number>,
    timestamp_max: Option<Number>,
}

/// Expected state of an account.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Known {
    /// Expected storage root.
    Root(B256),
    /// Expected values by slot, or by one of the names `balance`, `nonce` and `code`.
    Values(BTreeMap<String, String>),
}

impl Known {
    /// Returns the number of state reads that the comparison needs.
    fn cost(&self) -> usize {
        match self {
            Self::Root(_) => 1,
            Self::Values(values) => values.len().max(1),
        }
    }
}

/// Sends a transaction if the next block and the state at the head meet its conditions.
fn send_conditional(api: &Api, args: &mut Args) -> Result<B256, RpcError> {
    let (raw, conditions): (Bytes, Conditions) = (args.required()?, args.or_default()?);
    let cost: usize = conditions.known_accounts.values().map(Known::cost).sum();
    if cost > MAX_CONDITIONS {
        return Err(RpcError::exceeded(
            "the conditions name too many values",
            cost as u128,
            MAX_CONDITIONS as u128,
            "name fewer slots, or a storage root",
        ));
    }
    let pooled = decode_pooled(&raw)?;
    conditions.check_block(api)?;
    let state = api.state(Default::default())?;
    for (address, known) in &conditions.known_accounts {
        known.check(*address, &state)?;
    }
    submit(api, pooled)
}

impl Conditions {
    fn check_block(&self, api: &Api) -> Result<(), RpcError> {
        let (number, time) = api.node().read(|node| {
            let head = &node.chain.head().header;
            (head.number + 1, node.clock.peek(head.timestamp))
        });
        for (what, got, min, max) in [
            ("block number", number, self.block_number_min, self.block_number_max),
            ("block timestamp", time, self.timestamp_min, self.timestamp_max),
        ] {
            let got = U256::from(got);
            if let Some(Number(min)) = min.filter(|Number(min)| got < *min) {
                return Err(unmet(
                    &format!("{what} of the next block"),
                    &got,
                    &format!("at least {min}"),
                ));
            }
            if let Some(Number(max)) = max.filter(|Number(max)| got > *max) {
                return Err(unmet(
                    &format!("{what} of the next block"),
                    &got,
                    &format!("at most {max}"),
                ));
            }
        }
        Ok(())
    }
}

impl Known {
    fn check(&self, address: Address, state: &State) -> Result<(), RpcError> {
        let values = match self {
            Self::Root(expected) => {
                let account = AccountProof::new(state, address, &[])?.account;
                let got = account.map_or(alloy_consensus::constants::EMPTY_ROOT_HASH, |account| {
                    account.storage_root
                });
                return same(&format!("storage root of {address}"), &got, expected);
            }
            Self::Values(values) => values,
        };
        for (name, expected) in values {
            let number = || {
                let parsed = expected.parse::<U256>();
                parsed
                    .map_err(|_| RpcError::params(format!("{expected:?} is not a 256-bit number")))
            };
            match name.as_str() {
                "balance" => {
                    same(&format!("balance of {address}"), &state.balance(address)?, &number()?)?;
                }
                "nonce" => same(
                    &format!("nonce of {address}"),
                    &U256::from(state.nonce(address)?),
                    &number()?,
                )?,
                "code" => {
                    let expected: Bytes = match expected.as_str() {
                        "" => Bytes::new(),
                        text => text.parse().map_err(|_| {
                            RpcError::params(format!("the code of {address} is not in hexadecimal"))
                        })?,
                    };
                    // Compare hashes, because an error would contain the code in full.
                    let hash = |code: &Bytes| match code.is_empty() {
                        true => KECCAK256_EMPTY,
                        false => keccak256(code),
                    };
                    let got = state.code(address)?;
                    same(&format!("hash of the code of {address}"), &hash(&got), &hash(&expected))?;
                }
                slot => {
                    let slot: U256 = slot.parse().map_err(|_| {
                        RpcError::params(format!(
                            "{slot:?} is not a slot: expected 32 bytes, balance, nonce or code"
                        ))
                    })?;
                    same(
                        &format!("slot {slot:#x} of {address}"),
                        &state.storage(address, slot)?,
                        &number()?,
                    )?;
                }
            }
        }
        Ok(())
    }
}

/// Returns an error if a value differs from the expected one.
fn same<T: PartialEq + std::fmt::Display>(
    what: &str,
    got: &T,
    expected: &T,
) -> Result<(), RpcError> {
    if got == expected { Ok(()) } else { Err(unmet(what, got, &expected.to_string())) }
}

/// Returns the error for a condition that does not hold.
fn unmet(what: &str, got: &impl std::fmt::Display, expected: &str) -> RpcError {
    let message = format!("condition not met: {what} is {got}, expected {expected}");
    let data = json!({ "got": got.to_string(), "expected": expected });
    RpcError { data: Some(data), ..RpcError::new(codes::REJECTED, message) }
}
