//! The adversary's view of both chains: hashes of L1, and an L2 executed in this process.

use super::collector::raw_block;
use alloy_eips::BlockId;
use alloy_primitives::{B256, Bytes, U256};
use alloy_provider::Provider as _;
use alloy_rpc_types_eth::{Block, TransactionRequest};
use alloy_sol_types::{SolCall as _, sol};
use chain::{BlockAttributes, ChainConfig, spec_of};
use client::Client;
use codec::RawBlock;
use contracts::{
    Deployment,
    bindings::INativeRollup::{self, Evidence},
};
use eyre::{OptionExt as _, Result, eyre};
use std::{collections::BTreeMap, sync::Arc};
use testkit::{
    Key, L2,
    localnet::{
        processes::L1_CHAIN,
        requests::{ask, receipt, send},
    },
};

sol! {
    /// Time from which a policy with a timeout lets any account advance.
    function opensAt(uint64 headTimestamp) external view returns (uint256);
}

/// Gas limit of a transaction on L1 (EIP-7825).
pub(super) const L1_GAS: u64 = 1 << 24;

/// An L1 block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Head {
    pub(super) number: u64,
    pub(super) hash: B256,
    pub(super) timestamp: u64,
}

/// Hashes of L1's canonical chain, and the number of reorgs.
#[derive(Debug, Default)]
pub(super) struct L1Chain {
    hashes: BTreeMap<u64, B256>,
    pub(super) head: Head,
    pub(super) reorgs: u64,
    /// Maximum depth of a reorg, in blocks.
    pub(super) deepest: u64,
}

impl L1Chain {
    /// Reads L1's head and its unknown ancestors. Returns `false` if the head is unchanged, or was
    /// reorged out meanwhile.
    pub(super) fn follow(&mut self, l1: &Client) -> Result<bool> {
        let block: Block = l1.request("eth_getBlockByNumber", ("latest", false))?;
        let (number, hash) = (block.header.number, block.header.hash);
        if self.head.hash == hash {
            return Ok(false);
        }
        let (mut new, mut cursor) = (vec![(number, hash)], (number, block.header.parent_hash));
        while let Some(below) = cursor.0.checked_sub(1)
            && self.hashes.get(&below) != Some(&cursor.1)
        {
            let parent: Option<Block> = l1.request("eth_getBlockByHash", (cursor.1, false))?;
            let Some(parent) = parent else { return Ok(false) };
            new.push((below, cursor.1));
            cursor = (below, parent.header.parent_hash);
        }
        let old = self.hashes.split_off(&cursor.0);
        let removed = old.into_iter().filter(|block| !new.contains(block)).count() as u64;
        self.reorgs += u64::from(removed > 0);
        self.deepest = self.deepest.max(removed);
        self.hashes.extend(new);
        self.head = Head { number, hash, timestamp: block.header.timestamp };
        Ok(true)
    }

    /// Returns the hash that a contract reads in a call at the head, i.e. of blocks below the head.
    pub(super) fn hash(&self, number: u64) -> Option<B256> {
        self.hashes.get(&number).filter(|_| number < self.head.number).copied()
    }
}

/// Calls a contract at an L1 block. The inner error is the revert data.
pub(super) fn call_at(
    l1: &Client,
    at: B256,
    request: TransactionRequest,
) -> Result<Result<Bytes, Bytes>> {
    let provider = l1.provider().clone();
    let called = l1.wait(async move { provider.call(request).block(BlockId::hash(at)).await });
    match called {
        Ok(output) => Ok(Ok(output)),
        Err(error) => {
            let data = error.as_error_resp().and_then(|answer| answer.as_revert_data());
            data.map(Err).ok_or_else(|| eyre!("no answer of the contract: {error}"))
        }
    }
}

/// An L2 in this process, with every block that was ever on L1.
#[derive(Debug)]
pub(super) struct OwnL2 {
    l1: Client,
    deployment: Deployment,
    chain: chain::Chain,
    pub(super) max_lag: u64,
}

impl OwnL2 {
    pub(super) fn new(l1: &Client, deployment: &Deployment, max_lag: u64) -> Result<Self> {
        let config = ChainConfig::new(spec_of(&deployment.genesis.config));
        let chain = L2::configured(&deployment.genesis, config)?.into_chain();
        let l1 = Client::new(l1.url(), client::ClientOptions::default())?;
        Ok(Self { l1, deployment: deployment.clone(), chain, max_lag })
    }

    pub(super) const fn chain(&self) -> &chain::Chain {
        &self.chain
    }

    /// Sets the head to that of the rollup at an L1 block, and executes the blocks up to it.
    pub(super) fn follow(&mut self, at: B256, urls: &[String]) -> Result<()> {
        let input = INativeRollup::blockHashCall {}.abi_encode();
        let request = TransactionRequest::default().to(self.deployment.rollup);
        let answer = call_at(&self.l1, at, request.input(Bytes::from(input).into()))?;
        let answer = answer.map_err(|data| eyre!("the rollup has no head: {data}"))?;
        let head = INativeRollup::blockHashCall::abi_decode_returns(&answer)?;
        let (mut missing, mut next) = (Vec::new(), head);
        while self.chain.find_block(&next)?.is_none() {
            let (raw, ommers) = RawBlock::decode_with_ommers(&raw_block(urls, next)?)?;
            next = raw.header.parent_hash;
            missing.push((raw, ommers));
        }
        for (raw, ommers) in missing.into_iter().rev() {
            let executed = self.chain.import_with_ommers(&raw, &ommers)?;
            self.chain.insert(executed)?;
        }
        if self.chain.head().hash != head {
            self.chain.set_head(&head)?;
        }
        Ok(())
    }

    /// Posts a child of the rollup's head from another account, with the lowest timestamp that the
    /// rollup accepts. Advances L1's time until the policy allows it. Returns `false` if L1 rejects
    /// the block.
    pub(super) fn post_backdated(&mut self, key: &Key, urls: &[String]) -> Result<bool> {
        let block: Block = self.l1.request("eth_getBlockByNumber", ("latest", false))?;
        self.follow(block.header.hash, urls)?;
        let parent = Arc::clone(self.chain.head());
        let call = opensAtCall { headTimestamp: parent.header.timestamp };
        let opens: U256 = ask(&self.l1, self.deployment.policy, &call)?;
        let now = opens.saturating_to::<u64>().max(block.header.timestamp + 1);
        let attributes = BlockAttributes {
            timestamp: (now - self.max_lag).max(parent.header.timestamp + 1),
            parent_beacon_block_root: parent.header.parent_beacon_block_root.unwrap_or_default(),
            fee_recipient: key.address(),
            ..BlockAttributes::default()
        };
        let (built, _) = self.chain.build(&attributes, Vec::new())?;
        let advance = INativeRollup::advanceCall {
            inputs: vec![built.input()?.into()],
            evidence: Evidence::default(),
        };
        self.l1.request::<_, serde_json::Value>("evm_setNextBlockTimestamp", (now,))?;
        let (rollup, data) = (self.deployment.rollup.into(), advance.abi_encode().into());
        let sent = send(&self.l1, L1_CHAIN, key, rollup, 0, data, L1_GAS)?;
        let is_accepted = receipt(&self.l1, sent)?.status();
        self.chain.insert(built)?;
        Ok(is_accepted)
    }

    /// Returns the block of the rollup with this number.
    pub(super) fn block(&self, number: u64) -> Result<Arc<chain::Block>> {
        self.chain.canonical_block(number)?.ok_or_eyre("the rollup has no such block")
    }
}
