//! Cheats, and the commands that apply them.

use crate::{DevnetConfig, Origin, console, signatures::Signatures};
use alloy_consensus::Header;
use alloy_eips::eip7702::SignedAuthorization;
use alloy_evm::precompiles::PrecompilesMap;
use alloy_primitives::{Address, B256, Bytes, U256, map::AddressSet};
use chain::{ChainError, EditState as _, State};
use executor::{BlockTally, EvmOverrides, ReadError};
use node::{Command, HeaderPolicy, NodeState};
use parking_lot::Mutex;
use revm::context::CfgEnv;
use std::sync::Arc;

/// Cheats that affect execution in the EVM.
#[derive(Debug, Clone, Default)]
pub(crate) struct EvmCheats {
    /// Signatures that are attributed to other accounts than their signers.
    pub(crate) signatures: Arc<Signatures>,
}

impl EvmOverrides for EvmCheats {
    fn limits(&self, cfg: &mut CfgEnv) {
        // Impersonated accounts may have code, which EIP-3607 forbids for senders. Signed
        // transactions are still checked when they enter the pool.
        cfg.disable_eip3607 = true;
    }

    fn precompiles(&self, precompiles: &mut PrecompilesMap, _: &Arc<BlockTally>) {
        console::install(precompiles);
        if !self.signatures.0.is_empty() {
            self.signatures.install(precompiles);
        }
    }

    fn authority(&self, authorization: &SignedAuthorization) -> Option<Address> {
        self.signatures.of_authorization(authorization)
    }

    fn is_verifiable(&self) -> bool {
        self.signatures.0.is_empty()
    }
}

/// Accounts that may send transactions without a signature.
#[derive(Debug, Clone, Default)]
pub(crate) struct Impersonation {
    pub(crate) accounts: AddressSet,
    /// `true` if every account may.
    pub(crate) all: bool,
}

impl Impersonation {
    pub(crate) fn allows(&self, sender: &Address) -> bool {
        self.all || self.accounts.contains(sender)
    }
}

/// Header fields that override the protocol's rules.
#[derive(Debug, Default)]
pub(crate) struct ForcedHeader(Mutex<ForcedFields>);

/// Overridden header fields. Those whose names begin with `next` apply to one block only.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ForcedFields {
    /// Gas limit of every block.
    pub(crate) gas_limit: Option<u64>,
    /// Base fee of the next block, in wei.
    pub(crate) next_base_fee: Option<u64>,
    /// `prevRandao` of the next block.
    pub(crate) next_prev_randao: Option<B256>,
}

impl ForcedFields {
    /// Returns the initial overrides: on a fork, the block fields that flags set.
    pub(crate) fn at_start(config: &DevnetConfig) -> Self {
        match &config.origin {
            Origin::Fork(fork) => Self {
                gas_limit: fork.gas_limit,
                next_base_fee: fork.base_fee,
                next_prev_randao: None,
            },
            Origin::Own | Origin::Genesis { .. } => Self::default(),
        }
    }
}

impl ForcedHeader {
    /// Creates the overrides that a devnet starts with.
    pub(crate) fn at_start(config: &DevnetConfig) -> Self {
        Self(Mutex::new(ForcedFields::at_start(config)))
    }

    /// Returns a copy of the fields.
    pub(crate) fn fields(&self) -> ForcedFields {
        *self.0.lock()
    }

    /// Modifies the fields.
    pub(crate) fn change(&self, change: impl FnOnce(&mut ForcedFields)) {
        change(&mut self.0.lock());
    }
}

impl HeaderPolicy for ForcedHeader {
    fn apply(&self, header: &mut Header) {
        let forced = self.fields();
        header.gas_limit = forced.gas_limit.unwrap_or(header.gas_limit);
        header.mix_hash = forced.next_prev_randao.unwrap_or(header.mix_hash);
        if let Some(base_fee) = forced.next_base_fee
            && header.base_fee_per_gas.is_some()
        {
            header.base_fee_per_gas = Some(base_fee);
        }
    }

    fn on_block(&self, _: &Header) {
        let mut forced = self.0.lock();
        forced.next_base_fee = None;
        forced.next_prev_randao = None;
    }
}

/// Sets a header field of the next blocks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ForceHeader {
    GasLimit(Option<u64>),
    NextBaseFee(u64),
    NextPrevRandao(B256),
}

impl ForceHeader {
    pub(crate) fn apply(self, forced: &ForcedHeader) {
        forced.change(|fields| match self {
            Self::GasLimit(limit) => fields.gas_limit = limit,
            Self::NextBaseFee(fee) => fields.next_base_fee = Some(fee),
            Self::NextPrevRandao(randao) => fields.next_prev_randao = Some(randao),
        });
    }
}

/// Cheat that changes the state after the head.
#[derive(Debug, Clone)]
pub(crate) enum EditState {
    Balance(Address, U256),
    /// Adds to a balance, saturating at the maximum.
    AddBalance(Address, U256),
    Nonce(Address, u64),
    Code(Address, Bytes),
    Slot(Address, U256, U256),
}

impl EditState {
    /// Returns the changed state, written to the state's store.
    pub(crate) fn edit(self, state: &State) -> Result<State, ChainError> {
        let added = match &self {
            Self::AddBalance(address, amount) => {
                Some(state.balance(*address)?.saturating_add(*amount))
            }
            _ => None,
        };
        state.edit(|state| -> Result<(), ReadError> {
            match self {
                Self::Balance(address, balance) => state.set_balance(address, balance),
                Self::AddBalance(address, _) => {
                    state.set_balance(address, added.unwrap_or_default())
                }
                Self::Nonce(address, nonce) => state.set_nonce(address, nonce),
                Self::Code(address, code) => state.set_code(address, code),
                Self::Slot(address, slot, value) => state.set_slot(address, slot, value),
            }
        })
    }
}

impl Command for EditState {
    type Output = Result<(), ChainError>;

    fn apply(self, node: &mut NodeState) -> Self::Output {
        let edited = self.edit(&node.chain.state())?;
        node.chain.set_state(&edited)
    }
}

/// Replaces the cheats in the EVM, starting with the next block.
#[derive(Debug, Clone)]
pub(crate) struct SetEvmCheats(pub(crate) EvmCheats);

impl Command for SetEvmCheats {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.chain.configure(|config| config.set_extension(Arc::new(self.0)));
    }
}

/// Sets the chain id, starting with the next block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SetChainId(pub(crate) u64);

impl Command for SetChainId {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.chain.configure(|config| config.spec = config.spec.clone().with_chain_id(self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain::{Chain, ChainConfig, empty_genesis};
    use executor::ChainSpec;
    use node::{Clock, MineRequest, Node, SetClock, SetCoinbase, Settings};
    use wire::ProtocolFork;

    const ALICE: Address = Address::repeat_byte(0xa1);

    fn node() -> (Arc<Node>, Arc<ForcedHeader>) {
        let spec = ChainSpec::constant(8_079, ProtocolFork::Osaka);
        let config = ChainConfig::new(spec).with_extension(Arc::new(EvmCheats::default()));
        let chain = Chain::new(&empty_genesis(ProtocolFork::Osaka), config).unwrap();
        let forced = Arc::<ForcedHeader>::default();
        let policy: Arc<dyn HeaderPolicy> = Arc::<ForcedHeader>::clone(&forced);
        let node =
            Node::with_header_policy(chain, Clock::starting_at(1_000), Settings::default(), policy);
        (node, forced)
    }

    fn mine(node: &Node, timestamp: u64) -> Arc<chain::Block> {
        node.execute(SetClock::NextBlock(timestamp));
        node.mine(&MineRequest::default()).unwrap()
    }

    #[test]
    fn replayed_commands_rebuild_the_same_chain() {
        let journal = [
            EditState::Balance(ALICE, U256::from(5)),
            EditState::AddBalance(ALICE, U256::MAX),
            EditState::Nonce(ALICE, 7),
            EditState::Code(ALICE, Bytes::from_static(&[0x5f, 0x5f, 0xf3])),
            EditState::Slot(ALICE, U256::from(1), U256::from(2)),
        ];
        let play = || {
            let (node, _) = node();
            let coinbase = SetCoinbase(Address::repeat_byte(0xc0));
            node.execute(coinbase);
            let mut hashes = Vec::new();
            for (command, timestamp) in journal.iter().cloned().zip(2_000..) {
                node.execute(command).unwrap();
                hashes.push(mine(&node, timestamp).hash);
            }
            (hashes, node.state().root())
        };
        let (first, again) = (play(), play());
        assert_eq!(first, again);
        let (node, _) = node();
        let untouched = mine(&node, 2_000).hash;
        assert_ne!(first.0[0], untouched, "an edit changes the next block");
    }

    #[test]
    fn rebuilt_block_does_not_restore_undone_cheats() {
        let (node, _) = node();
        let start = node.read(node::NodeState::snapshot);
        let block = mine(&node, 2_000);
        node.execute(EditState::Balance(ALICE, U256::from(5))).unwrap();
        assert_eq!(node.state().balance(ALICE).unwrap(), U256::from(5));
        node.execute(node::Restore(start)).unwrap();
        let again = mine(&node, 2_000);
        assert_eq!(again.hash, block.hash, "the same block is rebuilt");
        assert_eq!(node.state().balance(ALICE).unwrap(), U256::ZERO);
    }

    #[test]
    fn forced_header_makes_one_block_unprovable() {
        let (node, forced) = node();
        assert!(mine(&node, 2_000).provable, "blocks without cheats are provable");
        ForceHeader::NextBaseFee(77).apply(&forced);
        let block = mine(&node, 2_001);
        assert_eq!(block.header.base_fee_per_gas, Some(77));
        assert!(!block.provable);
        assert_ne!(mine(&node, 2_002).header.base_fee_per_gas, Some(77));
    }

    #[test]
    fn blocks_with_forged_signatures_are_not_provable() {
        let (node, _) = node();
        let mut cheats = EvmCheats::default();
        Arc::make_mut(&mut cheats.signatures).0.insert([1; 65], ALICE);
        node.execute(SetEvmCheats(cheats));
        assert!(!mine(&node, 2_000).provable);
        node.execute(SetEvmCheats(EvmCheats::default()));
        assert!(mine(&node, 2_001).provable);
    }
}
