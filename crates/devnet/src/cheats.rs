//! What a devnet may do and no other node: the cheats, and the commands that set them.

use crate::signatures::Signatures;
use alloy_consensus::Header;
use alloy_evm::precompiles::PrecompilesMap;
use alloy_primitives::{Address, B256, Bytes, U256, map::AddressSet};
use chain::ChainError;
use executor::{EvmOverrides, ReadError};
use node::{Command, HeaderPolicy, NodeState};
use parking_lot::Mutex;
use revm::context::CfgEnv;
use std::sync::Arc;

/// The cheats that the EVM knows of.
#[derive(Debug, Clone, Default)]
pub(crate) struct EvmCheats {
    /// Signatures that are not whose they seem.
    pub(crate) signatures: Arc<Signatures>,
}

impl EvmOverrides for EvmCheats {
    fn limits(&self, cfg: &mut CfgEnv) {
        // Impersonated accounts may have code (EIP-3607). What is signed is checked on its way into
        // the pool.
        cfg.disable_eip3607 = true;
    }

    fn precompiles(&self, precompiles: &mut PrecompilesMap) {
        if !self.signatures.0.is_empty() {
            self.signatures.install(precompiles);
        }
    }

    fn is_verifiable(&self) -> bool {
        self.signatures.0.is_empty()
    }
}

/// Who may send without a signature.
#[derive(Debug, Clone, Default)]
pub(crate) struct Impersonation {
    pub(crate) accounts: AddressSet,
    /// Whether all accounts may.
    pub(crate) all: bool,
}

impl Impersonation {
    pub(crate) fn allows(&self, sender: &Address) -> bool {
        self.all || self.accounts.contains(sender)
    }
}

/// Header fields that blocks have whatever the rules say.
#[derive(Debug, Default)]
pub(crate) struct ForcedHeader(Mutex<ForcedFields>);

/// The fields; those called `next` are used up by the next block.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ForcedFields {
    /// Gas limit of each block.
    pub(crate) gas_limit: Option<u64>,
    /// Base fee of the next block, in wei.
    pub(crate) next_base_fee: Option<u64>,
    /// Randomness of the next block.
    pub(crate) next_prev_randao: Option<B256>,
}

impl ForcedHeader {
    /// Changes the fields.
    pub(crate) fn change(&self, change: impl FnOnce(&mut ForcedFields)) {
        change(&mut self.0.lock());
    }
}

impl HeaderPolicy for ForcedHeader {
    fn apply(&self, header: &mut Header) {
        let forced = *self.0.lock();
        header.gas_limit = forced.gas_limit.unwrap_or(header.gas_limit);
        header.mix_hash = forced.next_prev_randao.unwrap_or(header.mix_hash);
        if let Some(base_fee) = forced.next_base_fee
            && header.base_fee_per_gas.is_some()
        {
            header.base_fee_per_gas = Some(base_fee);
        }
    }

    fn made(&self, _: &Header) {
        let mut forced = self.0.lock();
        forced.next_base_fee = None;
        forced.next_prev_randao = None;
    }
}

/// Gives the next blocks header fields of their own.
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

/// Changes the state behind the head as no transaction can.
#[derive(Debug, Clone)]
pub(crate) enum EditState {
    Balance(Address, U256),
    /// Adds to a balance, up to the greatest there is.
    AddBalance(Address, U256),
    Nonce(Address, u64),
    Code(Address, Bytes),
    Slot(Address, U256, U256),
}

impl Command for EditState {
    type Output = Result<(), ChainError>;

    fn apply(self, node: &mut NodeState) -> Self::Output {
        let added = match &self {
            Self::AddBalance(address, amount) => {
                Some(node.chain.balance(*address)?.saturating_add(*amount))
            }
            _ => None,
        };
        node.chain.edit(|state| -> Result<(), ReadError> {
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

/// Changes what the EVM of the chain cheats in, from the next block on.
#[derive(Debug, Clone)]
pub(crate) struct SetEvmCheats(pub(crate) EvmCheats);

impl Command for SetEvmCheats {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.chain.configure(|config| config.extension = Some(Arc::new(self.0)));
    }
}

/// Gives the chain another id, from the next block on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SetChainId(pub(crate) u64);

impl Command for SetChainId {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.chain.configure(|config| config.spec = config.spec.clone().with_chain_id(self.0));
    }
}
