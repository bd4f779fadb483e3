//! Block attributes that a builder chooses, and the header derived from them.

use crate::{ChainError, State, header::base_fee_after};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header, proofs};
use alloy_eips::eip4895::Withdrawal;
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Address, B256, Bytes};
use stateless::next_excess_blob_gas;

/// Block attributes that a builder chooses.
#[derive(Debug, Clone, Default)]
pub struct BlockAttributes {
    /// Unix timestamp in seconds; greater than the parent's.
    pub timestamp: u64,
    /// Recipient of the tips.
    pub fee_recipient: Address,
    /// Randomness of the beacon chain (EIP-4399).
    pub prev_randao: B256,
    /// Root of the parent beacon block (EIP-4788); the anchor of an L2.
    pub parent_beacon_block_root: B256,
    /// Target gas limit, approached as far as one block allows; `None` keeps the parent's.
    pub gas_limit: Option<u64>,
    /// Extra data, at most 32 bytes.
    pub extra_data: Bytes,
    /// Withdrawals; an L2 has none.
    pub withdrawals: Vec<Withdrawal>,
    /// Slot number (EIP-7843); Amsterdam and later.
    pub slot_number: u64,
}

impl State {
    /// Returns the header of a child, with the fields known before execution.
    pub fn open_header(&self, attributes: &BlockAttributes) -> Result<Header, ChainError> {
        let parent = &self.block.header;
        let spec = &self.config.spec;
        let (number, timestamp) = (parent.number + 1, attributes.timestamp);
        let fork = spec.hardfork_at(number, timestamp);
        let since = |first: EthereumHardfork| fork >= first;
        let excess_blob_gas = spec
            .fork_at(timestamp)
            .zip(spec.blob_params_at(timestamp))
            .map(|(fork, params)| next_excess_blob_gas(parent, fork, &params))
            .transpose()?;
        let base_fee = base_fee_after(parent)?;
        Ok(Header {
            parent_hash: self.block.hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: attributes.fee_recipient,
            number,
            gas_limit: next_gas_limit(parent.gas_limit, attributes.gas_limit),
            timestamp,
            extra_data: attributes.extra_data.clone(),
            mix_hash: attributes.prev_randao,
            base_fee_per_gas: since(EthereumHardfork::London).then_some(base_fee),
            withdrawals_root: since(EthereumHardfork::Shanghai)
                .then(|| proofs::calculate_withdrawals_root(&attributes.withdrawals)),
            excess_blob_gas,
            parent_beacon_block_root: since(EthereumHardfork::Cancun)
                .then_some(attributes.parent_beacon_block_root),
            slot_number: since(EthereumHardfork::Amsterdam).then_some(attributes.slot_number),
            ..Default::default()
        })
    }
}

/// Returns the gas limit of the next block: as close to the target as one block may get.
fn next_gas_limit(parent: u64, target: Option<u64>) -> u64 {
    let step = (parent / 1024).saturating_sub(1);
    let target = target.unwrap_or(parent).max(5_000);
    target.clamp(parent.saturating_sub(step), parent.saturating_add(step))
}
