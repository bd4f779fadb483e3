//! Parameters of `eth_simulateV1`.

use super::code;
use crate::RpcError;
use alloy_consensus::Header;
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::U256;
use alloy_rpc_types_eth::{BlockOverrides, TransactionRequest, state::StateOverride};
use serde::Deserialize;

/// Maximum number of blocks per simulation, including those that fill gaps.
const MAX_BLOCKS: u64 = 256;
/// Default interval between simulated blocks, in seconds.
const SLOT: u64 = 12;

/// The parameter of `eth_simulateV1`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SimulatePayload {
    pub(super) block_state_calls: Vec<SimBlock>,
    /// `true` to report ether transfers as logs.
    pub(super) trace_transfers: bool,
    /// `true` to validate calls as transactions.
    pub(super) validation: bool,
    pub(super) return_full_transactions: bool,
}

/// A requested block.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SimBlock {
    #[serde(deserialize_with = "or_default")]
    pub(super) block_overrides: WantedHeader,
    #[serde(deserialize_with = "or_default")]
    pub(super) state_overrides: StateOverride,
    pub(super) calls: Vec<TransactionRequest>,
}

/// Header fields and withdrawals that the request overrides.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WantedHeader {
    #[serde(flatten)]
    pub(super) block: BlockOverrides,
    #[serde(deserialize_with = "or_default")]
    pub(super) withdrawals: Vec<Withdrawal>,
}

/// Deserialises null like an absent field.
fn or_default<'de, T, D>(value: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

/// Assigns numbers and timestamps to all blocks, and inserts empty blocks for gaps between the
/// requested numbers.
pub(super) fn complete(blocks: Vec<SimBlock>, base: &Header) -> Result<Vec<SimBlock>, RpcError> {
    let too_many = || RpcError::new(code::TOO_MUCH, "too many blocks");
    if blocks.len() as u64 > MAX_BLOCKS {
        return Err(too_many());
    }
    let (mut number, mut time) = (base.number, base.timestamp);
    let mut all: Vec<SimBlock> = Vec::new();
    for mut block in blocks {
        let overrides = &mut block.block_overrides.block;
        let wanted = match overrides.number {
            None => number.checked_add(1).ok_or_else(too_many)?,
            Some(wanted) => u64::try_from(wanted).map_err(|_| too_many())?,
        };
        if wanted <= number {
            return Err(RpcError::new(
                code::NUMBER,
                format!("block numbers must be in order: {wanted} <= {number}"),
            ));
        }
        if wanted - base.number > MAX_BLOCKS {
            return Err(too_many());
        }
        for between in number + 1..wanted {
            time = time.saturating_add(SLOT);
            let mut empty = SimBlock::default();
            empty.block_overrides.block.number = Some(U256::from(between));
            empty.block_overrides.block.time = Some(time);
            all.push(empty);
        }
        number = wanted;
        let at = overrides.time.unwrap_or_else(|| time.saturating_add(SLOT));
        if at <= time {
            return Err(RpcError::new(
                code::TIMESTAMP,
                format!("block timestamps must be in order: {at} <= {time}"),
            ));
        }
        time = at;
        overrides.number = Some(U256::from(number));
        overrides.time = Some(time);
        all.push(block);
    }
    Ok(all)
}
