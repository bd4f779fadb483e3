//! Calldata in the fixed layout of the precompile `0x12`, which no dialect accepts, and its fields.

use super::vector_chain::{Content, VectorChain};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Bytes, U256};
use codec::OwnedWitness;
use eyre::{OptionExt as _, Result, WrapErr as _, ensure};
use serde::{Deserialize, Serialize};
use testkit::Key;
use variants::LegacyExecuteCall;
use wire::{ProtocolFork, StatelessInput};

/// Content of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Layouts {
    /// Version of the file format.
    pub(super) format: u32,
    pub(super) layouts: Vec<Layout>,
}

/// Calldata, and its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Layout {
    /// Name, unique among the cases of all files.
    pub(super) name: String,
    pub(super) calldata: Bytes,
    /// Decoded fields; absent if the calldata is malformed.
    pub(super) fields: Option<Fields>,
    /// Name of the accepted case that differs only in what is rejected here.
    pub(super) neighbour: Option<String>,
}

/// Fields of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Fields {
    chain_id: U256,
    pre_state_root: B256,
    gas_limit: u64,
    coinbase: Address,
    block_number: u64,
    gas_price: u64,
    timestamp: u64,
    witness: Bytes,
    withdrawals: Bytes,
    to: Address,
    value: U256,
    data: Bytes,
}

impl From<LegacyExecuteCall> for Fields {
    fn from(call: LegacyExecuteCall) -> Self {
        Self {
            chain_id: call.chain_id,
            pre_state_root: call.pre_state_root,
            gas_limit: call.gas_limit,
            coinbase: call.coinbase,
            block_number: call.block_number,
            gas_price: call.gas_price,
            timestamp: call.timestamp,
            witness: call.witness,
            withdrawals: call.withdrawals,
            to: call.to,
            value: call.value,
            data: call.data,
        }
    }
}

impl Layout {
    /// Compares the case with this project's decoder.
    ///
    /// # Errors
    ///
    /// If they differ.
    pub(super) fn check(&self) -> Result<()> {
        let got = LegacyExecuteCall::decode(&self.calldata).ok().map(Fields::from);
        ensure!(got == self.fields, "{}: got {got:?}, expected {:?}", self.name, self.fields);
        Ok(())
    }
}

/// Returns calls of different sizes, and rejected neighbours.
pub(super) fn layouts() -> Result<Vec<Layout>> {
    let transfer = transfer()?;
    let longest = Bytes::from(vec![0xab; LegacyExecuteCall::MAX_SIZE]);
    let calls = [
        ("a transfer over its witness", transfer.clone()),
        (
            "calldata for a contract",
            LegacyExecuteCall { data: vec![7; 300].into(), ..transfer.clone() },
        ),
        ("the longest witness", LegacyExecuteCall { witness: longest, ..transfer }),
        ("nothing but zeros", LegacyExecuteCall::default()),
    ];
    let mut layouts = Vec::new();
    for (name, call) in calls {
        let name = format!("legacy-0x12: {name}");
        let calldata = Bytes::from(call.encode().wrap_err_with(|| name.clone())?);
        for (what, bad) in [
            ("without the last byte", calldata.slice(..calldata.len() - 1)),
            ("a byte more", [&calldata[..], &[0]].concat().into()),
            ("another size of the witness", with(&calldata, 72)),
            ("another size of the withdrawals", with(&calldata, 74)),
        ] {
            let neighbour = Some(name.clone());
            let name = format!("{name}, {what}");
            layouts.push(Layout { name, calldata: bad, fields: None, neighbour });
        }
        layouts.push(Layout { name, calldata, fields: Some(call.into()), neighbour: None });
    }
    layouts.iter().try_for_each(Layout::check)?;
    Ok(layouts)
}

/// Flips a bit of the byte at `at`.
fn with(calldata: &[u8], at: usize) -> Bytes {
    let mut bytes = calldata.to_vec();
    bytes[at] ^= 1;
    bytes.into()
}

/// Returns a transfer as a message, with the witness of a block that includes it.
fn transfer() -> Result<LegacyExecuteCall> {
    let input = VectorChain::new(ProtocolFork::Osaka)?.block(Content::Transfers(1))?;
    let input = StatelessInput::decode(&input)?;
    let parent = input.witness.headers.iter().last().ok_or_eyre("a header of the parent")?;
    let parent: Header = alloy_rlp::decode_exact(parent)?;
    let payload = &input.request.payload;
    Ok(LegacyExecuteCall {
        chain_id: U256::from(input.chain_id),
        pre_state_root: parent.state_root,
        gas_limit: payload.gas_used,
        coinbase: payload.fee_recipient,
        block_number: payload.block_number,
        gas_price: payload.base_fee_per_gas.saturating_to(),
        timestamp: payload.timestamp,
        witness: OwnedWitness::of(&input.witness).to_geth_rlp(),
        withdrawals: Bytes::new(),
        to: Key::named("bob").address(),
        // The last byte exceeds the number of following bytes: if the layout is shifted by one
        // byte, it is read as the length of the data, so decoding fails.
        value: U256::from(0x0203),
        data: Bytes::new(),
    })
}
