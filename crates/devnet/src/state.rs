//! State that all devnet methods share.

use crate::{
    Accounts, DevnetConfig,
    cheats::{EvmCheats, ForcedFields, ForcedHeader, Impersonation, SetEvmCheats},
    fork::Remote,
};
use alloy_primitives::{Address, B256, map::AddressMap};
use alloy_signer_local::PrivateKeySigner;
use node::{Node, Snapshot};
use parking_lot::{Mutex, RwLock};
use rpc::{Api, Telemetry};
use std::{collections::BTreeMap, sync::Arc};

/// A node and the state that only a devnet has.
#[derive(Debug)]
pub(crate) struct DevnetState {
    pub(crate) node: Arc<Node>,
    /// API of the common RPC methods.
    pub(crate) api: Api,
    pub(crate) config: DevnetConfig,
    pub(crate) accounts: Accounts,
    /// The forked node, if the chain is a fork.
    remote: RwLock<Option<Arc<Remote>>>,
    /// Addresses of the test accounts, in the banner's order.
    pub(crate) addresses: Vec<Address>,
    pub(crate) signers: AddressMap<PrivateKeySigner>,
    pub(crate) snapshots: Mutex<Snapshots>,
    /// Snapshot taken at startup, restored by a reset.
    pub(crate) start: Mutex<Snapshot>,
    evm_cheats: Mutex<EvmCheats>,
    pub(crate) impersonation: Mutex<Impersonation>,
    pub(crate) forced_header: Arc<ForcedHeader>,
    /// Held from choosing a sender's next nonce until the transaction is in the pool.
    pub(crate) nonces: Mutex<()>,
    /// Instance id, which changes with each reset.
    pub(crate) instance: Mutex<B256>,
    pub(crate) genesis_time: u64,
}

/// Snapshots by their number.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    next: u64,
    taken: BTreeMap<u64, SavedState>,
}

/// Snapshot of the chain and the overridden header fields.
#[derive(Debug, Clone)]
pub(crate) struct SavedState {
    pub(crate) chain: Snapshot,
    /// Overridden header fields of the next blocks.
    pub(crate) forced: ForcedFields,
}

impl Snapshots {
    /// Stores a snapshot and returns its number.
    pub(crate) fn put(&mut self, moment: SavedState) -> u64 {
        let number = self.next;
        self.next += 1;
        self.taken.insert(number, moment);
        number
    }

    /// Removes a snapshot and all later ones, and returns it.
    pub(crate) fn take(&mut self, number: u64) -> Option<SavedState> {
        if !self.taken.contains_key(&number) {
            return None;
        }
        let mut gone = self.taken.split_off(&number);
        gone.remove(&number)
    }

    /// Removes all snapshots without reusing their numbers.
    pub(crate) fn clear(&mut self) {
        self.taken.clear();
    }

    /// Iterates over all snapshots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&u64, &SavedState)> {
        self.taken.iter()
    }
}

impl DevnetState {
    /// Creates the state of a devnet at startup.
    pub(crate) fn new(
        api: Api,
        config: DevnetConfig,
        accounts: &Accounts,
        remote: Option<Arc<Remote>>,
        forced_header: Arc<ForcedHeader>,
    ) -> Self {
        let impersonation =
            Impersonation { all: config.auto_impersonate, ..Impersonation::default() };
        let signers = accounts.signers.iter().map(|signer| (signer.address(), signer.clone()));
        let node = Arc::clone(api.node());
        let (start, genesis_time) = node.read(|node| {
            let first = node.chain.canonical_block(node.chain.first_number()).ok().flatten();
            (node.snapshot(), first.map_or(0, |block| block.header.timestamp))
        });
        Self {
            node,
            api,
            config,
            accounts: accounts.clone(),
            remote: RwLock::new(remote),
            addresses: accounts.addresses().collect(),
            signers: signers.collect(),
            snapshots: Mutex::default(),
            start: Mutex::new(start),
            evm_cheats: Mutex::default(),
            impersonation: Mutex::new(impersonation),
            forced_header,
            nonces: Mutex::default(),
            instance: Mutex::new(B256::random()),
            genesis_time,
        }
    }

    /// Modifies the cheats in the EVM, starting with the next block.
    pub(crate) fn change_evm_cheats(&self, change: impl FnOnce(&mut EvmCheats)) {
        let mut cheats = self.evm_cheats.lock();
        change(&mut cheats);
        self.node.execute(SetEvmCheats(cheats.clone()));
    }

    /// Resets all cheats.
    pub(crate) fn clear_cheats(&self) {
        self.change_evm_cheats(|cheats| *cheats = EvmCheats::default());
        self.forced_header.change(|fields| *fields = ForcedFields::default());
        *self.impersonation.lock() =
            Impersonation { all: self.config.auto_impersonate, ..Impersonation::default() };
    }

    /// Returns the devnet's telemetry.
    pub(crate) fn telemetry(&self) -> &Arc<Telemetry> {
        &self.api.options().telemetry
    }

    /// Returns the forked node, if the chain is a fork.
    pub(crate) fn remote(&self) -> Option<Arc<Remote>> {
        self.remote.read().clone()
    }

    /// Turns the chain into a fork of this node, or into no fork.
    pub(crate) fn continue_another(&self, remote: Option<Arc<Remote>>) {
        *self.remote.write() = remote;
    }
}
