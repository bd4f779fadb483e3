//! Bond of an account in a registry, compared with the requirements of the rollup's policy.

use super::{Registry, ether};
use crate::rollup::Node;
use alloy_primitives::{Address, B256, U64, U256};
use alloy_rpc_types_eth::FeeHistory;
use alloy_sol_types::SolEvent as _;
use contracts::bindings::{
    IHybridSequencing::{BONDSCall, MIN_BONDCall, sequencerCall},
    INativeRollup::policyCall,
    IPreconfBonds::{Bond, SignerSet, accountOfCall, bondOfCall, bondsCall},
};
use eyre::{Result, WrapErr as _};
use serde_json::{Value, json};
use std::fmt;

/// Maximum gas of a transaction on L1 (EIP-7825), which the evidence of a lie may need.
const EVIDENCE_GAS: u64 = 1 << 24;
/// The reward of a reporter is a tenth of the bond (`PreconfBonds.REWARD_DIVISOR`), and should pay
/// twice for the gas of the evidence.
const BOND_PER_COST: u64 = 10 * 2;
/// L1 blocks of a day.
const DAY_BLOCKS: u64 = 7_200;
/// Maximum number of blocks in a response of `eth_feeHistory`.
const HISTORY_BLOCKS: u64 = 1_024;

/// Bond of an account.
#[derive(Debug)]
pub(super) struct Status {
    account: Address,
    registry: Address,
    bond: Bond,
    /// Bond in wei that counts for the policy: zero once a withdrawal is requested.
    counted: U256,
    /// Account that is liable for this one: the account itself, unless it is a registered signer.
    liable: Address,
    /// Registered signers for which the account is liable.
    signers: Vec<Address>,
    policy: Address,
    /// Minimum bond of the policy in wei; zero if it requires none.
    min_bond: U256,
    /// Highest base fee of L1 in the last day, in wei.
    base_fee: u128,
}

/// Returns the sequencer of the policy.
pub(super) fn sequencer(registry: &Registry) -> Result<Address> {
    let Registry { l1, deployment, .. } = registry;
    let policy = l1.call(deployment.rollup, &policyCall {})?;
    l1.call(policy, &sequencerCall {})
        .wrap_err("the policy has no single sequencer: name the account of a member with --account")
}

impl Status {
    pub(super) fn read(registry: &Registry, account: Address) -> Result<Self> {
        let Registry { l1, deployment, bonds } = registry;
        let policy = l1.call(deployment.rollup, &policyCall {})?;
        // The owner may have replaced the policy, and a policy without a registry lacks this
        // function.
        let required = l1.call(policy, &BONDSCall {}).is_ok_and(|address| address == *bonds);
        let min_bond = if required { l1.call(policy, &MIN_BONDCall {})? } else { U256::ZERO };
        let mut signers = Vec::new();
        let topics = [SignerSet::SIGNATURE_HASH, account.into_word()];
        // The registry may be older than the rollup.
        l1.each_log(*bonds, &topics, 0, |log| {
            signers.push(SignerSet::decode_log(&log.inner).wrap_err("event SignerSet")?.signer);
            Ok(())
        })?;
        Ok(Self {
            account,
            registry: *bonds,
            bond: l1.call(*bonds, &bondsCall { account })?,
            counted: l1.call(*bonds, &bondOfCall { account })?,
            liable: l1.call(*bonds, &accountOfCall { signer: account })?,
            signers,
            policy,
            min_bond,
            base_fee: highest_base_fee(l1)?,
        })
    }

    /// Returns `true` if the bond suffices for the policy.
    pub(super) fn suffices(&self) -> bool {
        self.counted >= self.min_bond
    }

    /// Returns the bond in wei from which the reward pays twice for the most expensive evidence.
    fn advised(&self) -> U256 {
        U256::from(self.base_fee).saturating_mul(U256::from(BOND_PER_COST * EVIDENCE_GAS))
    }

    /// Returns what the operator should change.
    pub(super) fn warnings(&self) -> Vec<String> {
        let Self { account, counted, min_bond, policy, liable, .. } = self;
        let mut warnings = Vec::new();
        if liable != account {
            warnings.push(format!(
                "{account} is a registered signer of {liable}, whose bond is slashed for its signatures"
            ));
        }
        if !self.suffices() {
            warnings.push(format!(
                "a bond of {} counts, and the policy {policy} requires {}: the account may not advance the rollup",
                ether(*counted),
                ether(*min_bond)
            ));
        }
        if *counted < self.advised() {
            warnings.push(format!(
                "a bond of at least {} is advised: the reward of a reporter is a tenth of it, and should be twice the \
                 cost of {EVIDENCE_GAS} gas, at {} wei, the highest base fee of the last day",
                ether(self.advised()),
                self.base_fee
            ));
        }
        warnings
    }

    pub(super) fn to_json(&self, sent: Option<B256>) -> Value {
        let time = |seconds: u64| (seconds != 0).then_some(seconds);
        json!({
            "transactionHash": sent,
            "account": self.account,
            "liableAccount": self.liable,
            "registry": self.registry,
            "bondWei": self.bond.amount.to_string(),
            "countedWei": self.counted.to_string(),
            "withdrawableAt": time(self.bond.withdrawableAt),
            "lateUntil": time(self.bond.lateUntil),
            "signers": self.signers,
            "policy": self.policy,
            "minBondWei": self.min_bond.to_string(),
            "suffices": self.suffices(),
            "advisedWei": self.advised().to_string(),
            "highestBaseFeeWei": self.base_fee.to_string(),
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, registry, bond, counted, signers, policy, min_bond, .. } = self;
        writeln!(f, "account      {account}")?;
        writeln!(f, "registry     {registry}")?;
        writeln!(f, "bond         {}", ether(U256::from(bond.amount)))?;
        if bond.withdrawableAt != 0 {
            writeln!(f, "withdrawal   possible from timestamp {} on", bond.withdrawableAt)?;
        }
        if bond.lateUntil != 0 {
            writeln!(f, "late         no further penalty before timestamp {}", bond.lateUntil)?;
        }
        for signer in signers {
            writeln!(f, "signer       {signer}")?;
        }
        writeln!(f, "policy       {policy} requires {}", ether(*min_bond))?;
        writeln!(f, "counts       {}", ether(*counted))?;
        write!(f, "advised      {}", ether(self.advised()))
    }
}

/// Returns the highest base fee of L1 in about a day, in wei.
fn highest_base_fee(l1: &Node) -> Result<u128> {
    let mut newest = l1.request::<U64>("eth_blockNumber", ())?.to::<u64>();
    let mut highest = 0;
    for _ in 0..DAY_BLOCKS.div_ceil(HISTORY_BLOCKS) {
        let percentiles: [f64; 0] = [];
        let parameters = (U64::from(HISTORY_BLOCKS), U64::from(newest), percentiles);
        let history: FeeHistory = l1.request("eth_feeHistory", parameters)?;
        highest = history.base_fee_per_gas.into_iter().fold(highest, u128::max);
        match history.oldest_block.checked_sub(1) {
            Some(before) if before < newest => newest = before,
            _ => break,
        }
    }
    Ok(highest)
}
