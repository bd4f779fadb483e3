//! EXECUTE calls in raw transactions of type `0x05`.

use super::fields::Fields;
use alloy_primitives::Bytes;
use codec::{ExecuteTx, ExecuteTxVersion, SignedExecuteTx};
use contracts::advance_inputs;
use eyre::{OptionExt as _, Result, WrapErr as _};
use serde_json::json;
use variants::ExecuteTail;

/// A raw transaction, and the EXECUTE input that its calldata and its witness form.
#[derive(Debug)]
pub(super) struct Carrier {
    pub(super) signed: SignedExecuteTx,
    /// Head of the input: the calldata of the precompile.
    pub(super) head: Bytes,
    pub(super) input: Vec<u8>,
}

impl Carrier {
    /// Decodes a raw transaction; `None` if the bytes do not begin with its type byte, with which
    /// no input begins.
    pub(super) fn read(raw: &[u8]) -> Result<Option<Self>> {
        if raw.first() != Some(&ExecuteTx::TYPE) {
            return Ok(None);
        }
        let signed = SignedExecuteTx::decode(raw)?;
        let witness = ExecuteTail::witness(&signed.tx.witness)?;
        let input_of = |head: Bytes| {
            let input = [&head[..], &witness].concat();
            (ExecuteTail::split_at(&input) == Some(head.len())).then_some((head, input))
        };
        let data = &signed.tx.input;
        let of_advance = || advance_inputs(data)?.into_iter().find_map(input_of);
        let (head, input) = input_of(data.clone()).or_else(of_advance).ok_or_eyre(
            "the calldata is neither the head of an input nor a call of NativeRollup.advance with one",
        )?;
        Ok(Some(Self { signed, head, input }))
    }

    /// Checks that the fields of the transaction match its block.
    pub(super) fn check(&self) -> Result<(), execute::ExecuteError> {
        ExecuteTail::check(&self.signed.tx, self.head.len(), &self.input)
    }

    /// Returns the fields of the transaction for output.
    pub(super) fn describe(&self) -> Result<Fields> {
        let (tx, sender) = (&self.signed.tx, self.signed.recover_signer());
        let sender = sender.wrap_err("the transaction has no valid signature")?;
        let (version, limit) = match &tx.version {
            ExecuteTxVersion::V1 { .. } => (1, None),
            ExecuteTxVersion::V2 { .. } => (2, None),
            ExecuteTxVersion::V3 { execute_gas_limit, .. } => (3, Some(*execute_gas_limit)),
        };
        let mut fields = Fields::default()
            .with("transaction hash", json!(self.signed.hash()), "")
            .with("version", version, "")
            .with("sender", json!(sender), "")
            .with("to", json!(tx.target()), "")
            .with("chain id", tx.chain_id, "")
            .with("nonce", tx.nonce, "")
            .with("gas limit", tx.gas_limit, "gas")
            .with("max fee per gas", tx.max_fee_per_gas.to_string(), "wei")
            .with("max priority fee per gas", tx.max_priority_fee_per_gas.to_string(), "wei")
            .with("value", tx.value.to_string(), "wei")
            .with("calldata bytes", tx.input.len(), "bytes")
            .with("head bytes", self.head.len(), "bytes")
            .with("witness bytes", tx.witness.len(), "bytes")
            .with("pre-state root", json!(tx.pre_state_root), "")
            .with("coinbase", json!(tx.coinbase), "")
            .with("block number", tx.block_number, "")
            .with("timestamp", tx.timestamp, "seconds since 1970");
        if let Some(anchor) = tx.anchor() {
            fields = fields.with("anchor", json!(anchor), "");
        }
        if let Some(limit) = limit {
            fields = fields.with("execute gas limit", limit, "gas");
        }
        let refusal = self.check().err().map(|refused| refused.to_string());
        Ok(fields.with("refusal", refusal, ""))
    }
}
