//! The registry of bonds of a rollup.

use super::Common;
use crate::rollup::Node;
use alloy_primitives::{Address, B256, Bytes};
use contracts::{
    Deployment,
    bindings::IPreconfBonds::{self, hashOfCall},
};
use eyre::{Result, WrapErr as _, ensure};
use preconf::{Domain, Preconfirmation};
use wire::ProtocolFork;

/// The registry of bonds of a rollup, after its checks.
pub(super) struct Registry {
    pub(super) l1: Node,
    pub(super) deployment: Deployment,
    pub(super) bonds: Address,
}

/// Reason why the contract in the deployment file is not a registry of bonds. Ether sent to it
/// could be lost.
#[derive(Debug, thiserror::Error)]
enum RegistryError {
    /// L1 executes nothing at the address, so a transfer to it succeeds.
    #[error(
        "the registry of bonds {registry} has no code on chain {chain_id}, expected a contract PreconfBonds: correct \
         preconfBonds in the deployment file; nothing was sent"
    )]
    NoCode { registry: Address, chain_id: u64 },
    /// The contract hashes messages differently from a registry.
    #[error(
        "{registry} on chain {chain_id} hashes a preconfirmation to {got}, expected {expected}: it is not a contract \
         PreconfBonds; correct preconfBonds in the deployment file; nothing was sent"
    )]
    Hash { registry: Address, chain_id: u64, got: B256, expected: B256 },
}

impl Registry {
    /// Connects to L1, and checks the registry before anything is sent to it.
    pub(super) fn connect(common: &Common) -> Result<Self> {
        let deployment = Deployment::read(&common.deployment)?;
        let bonds = deployment.preconf_bonds;
        ensure!(
            !bonds.is_zero(),
            "{} has no registry of bonds (preconfBonds): the policy of this rollup requires no bond",
            common.deployment.display()
        );
        let l1 = Node::connect("L1", &common.l1, Some(deployment.l1_chain_id))?;
        let registry = Self { l1, deployment, bonds };
        registry.check()?;
        Ok(registry)
    }

    /// Returns the domain of the messages and consents that the registry accepts.
    pub(super) const fn domain(&self) -> Domain {
        Domain { l1_chain_id: self.deployment.l1_chain_id, contract: self.bonds }
    }

    /// Checks that the contract hashes a message like a registry. The hash depends on the name of
    /// the domain, the chain and the address, so a contract of another kind returns a different
    /// one.
    fn check(&self) -> Result<()> {
        let Self { l1, deployment, bonds: registry } = self;
        let (registry, chain_id) = (*registry, deployment.l1_chain_id);
        let code: Bytes = l1.request("eth_getCode", (registry, "latest"))?;
        ensure!(!code.is_empty(), RegistryError::NoCode { registry, chain_id });
        let message = Preconfirmation {
            rollup: deployment.rollup,
            block_hash: deployment.genesis_hash,
            schema: ProtocolFork::Osaka.schema(),
            is_sealed: true,
            l1_block: 0,
            l1_hash: B256::ZERO,
        };
        let expected = message.digest(&self.domain());
        let message = IPreconfBonds::Preconfirmation {
            rollup: message.rollup,
            blockHash: message.block_hash,
            schema: message.schema.get(),
            isSealed: message.is_sealed,
            l1Block: message.l1_block,
            l1Hash: message.l1_hash,
        };
        let got = l1
            .call(registry, &hashOfCall { message })
            .wrap_err("the contract is not a registry of bonds, nothing was sent")?;
        ensure!(got == expected, RegistryError::Hash { registry, chain_id, got, expected });
        Ok(())
    }
}
