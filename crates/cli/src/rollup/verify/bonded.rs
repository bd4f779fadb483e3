//! The policy of a rollup whose sequencer signs preconfirmations.

use super::Node;
use alloy_primitives::{Address, Bytes, U256, keccak256};
use contracts::{
    Deployment, PRECONF_BONDS_CODE_HASH,
    bindings::{
        IHybridSequencing::{BONDSCall, MIN_BONDCall, POST_DELAYCall, TIMEOUTCall},
        INativeRollup::{MAX_LAGCall, OPEN_AFTERCall, policyCall},
    },
};
use eyre::{Result, WrapErr as _};

/// The current policy, if it requires a bond or lets any account post signed blocks.
#[derive(Debug)]
pub(super) struct BondedPolicy {
    /// Address of the policy.
    pub(super) policy: Address,
    /// Registry of bonds, or zero.
    pub(super) bonds: Address,
    /// Minimum bond in wei.
    pub(super) min_bond: U256,
    /// Age in seconds from which any account may post a signed block, if the policy has `post`.
    pub(super) post_delay: Option<u64>,
    /// Reasons why its preconfirmations are worth less than they seem.
    pub(super) findings: Vec<String>,
}

impl BondedPolicy {
    /// Reads the policy. Returns `None` if it neither requires a bond nor has `post`.
    pub(super) fn read(l1: &Node, deployment: &Deployment) -> Result<Option<Self>> {
        let rollup = deployment.rollup;
        let policy = l1.call(rollup, &policyCall {})?;
        if policy.is_zero() {
            return Ok(None);
        }
        // Other policies lack these functions and revert.
        let bonds = l1.call(policy, &BONDSCall {});
        let expected = deployment.preconf_bonds;
        let bonds = match bonds {
            Ok(bonds) => bonds,
            Err(_) if expected.is_zero() => return Ok(None),
            Err(error) => {
                return Err(error).wrap_err_with(|| {
                    format!("the deployment file has the registry of bonds {expected}")
                });
            }
        };
        let mut findings = Vec::new();
        if bonds != expected {
            findings.push(format!(
                "the policy {policy} has the registry of bonds {bonds}, but the deployment file has {expected}: \
                 nodes would sign preconfirmations in another domain; set --preconf-bonds, or correct the file"
            ));
        }
        if !bonds.is_zero() {
            let code: Bytes = l1.request("eth_getCode", (bonds, "latest"))?;
            let hash = keccak256(&code);
            if code.is_empty() {
                findings.push(format!("the registry of bonds {bonds} has no code"));
            } else if hash != PRECONF_BONDS_CODE_HASH {
                findings.push(format!(
                    "the registry of bonds {bonds} has code with the hash {hash}, expected \
                     {PRECONF_BONDS_CODE_HASH} of PreconfBonds: it may burn no bond, or pay it out"
                ));
            }
        }
        let timeout = l1.call(policy, &TIMEOUTCall {})?;
        let max_lag = l1.call(rollup, &MAX_LAGCall {})?;
        let open_after = l1.call(rollup, &OPEN_AFTERCall {})?;
        // `script/SequencingChecks.sol` has the same bounds.
        let least = max_lag.saturating_mul(7).div_ceil(4);
        if timeout < least || timeout > open_after {
            findings.push(format!(
                "the timeout of the policy {policy} is {timeout} s, expected {least} to {open_after}: a block of \
                 another account could break a promise of the sequencer"
            ));
        }
        Ok(Some(Self {
            policy,
            bonds,
            min_bond: l1.call(policy, &MIN_BONDCall {})?,
            post_delay: l1.call(policy, &POST_DELAYCall {}).ok(),
            findings,
        }))
    }
}
