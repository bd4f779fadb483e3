//! An L2 as in the EIP-8079 draft.

use crate::{HarnessError, Key, Transaction};
use alloy_consensus::Header;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{B256, Bytes, keccak256};
use chain::{
    BlockAttributes, BlockBuilder, Chain, ChainConfig, ExecutedBlock, RecoveredTransaction, State,
};
use codec::{Encode as _, OwnedWitness};
use executor::{ChainSpec, EvmOverrides as _, ExecutionOutcome, Invalid, recover_sender};
use stateless::header_of;
use std::sync::Arc;
use variants::{ANCHOR_ADDRESS, ANCHOR_CODE, DraftBlock};
use wire::{ProtocolFork, StatelessInput};

/// Seconds between blocks.
const INTERVAL: u64 = 12;

/// A chain whose headers contain burned fees and whose blocks get an anchor.
///
/// [`Chain`] has plain headers. This type builds on its states and stores each block under the hash
/// of its extended header. Therefore BLOCKHASH returns the hash on this chain for all ancestors
/// except the parent.
#[derive(Debug)]
pub struct DraftL2 {
    state: State,
    fork: ProtocolFork,
    /// Burned fees of each block since genesis.
    burned: Vec<u64>,
}

/// A block of a [`DraftL2`].
#[derive(Debug, Clone)]
pub struct DraftBuilt {
    /// Input in the encoding of the draft.
    pub calldata: Vec<u8>,
    /// Anchor and burned fees.
    pub values: DraftBlock,
    /// Header without the burned fees.
    pub header: Header,
    /// Results of execution.
    pub executed: ExecutionOutcome,
    block: ExecutedBlock,
}

impl DraftL2 {
    /// Returns the genesis account of the contract that stores the anchor.
    pub fn anchor_contract() -> GenesisAccount {
        let code = Some(Bytes::from_static(ANCHOR_CODE));
        GenesisAccount { nonce: Some(1), code, ..Default::default() }
    }

    /// Starts a chain at one fork. Adds the anchor contract to the genesis if its address is
    /// unused.
    pub fn new(
        mut genesis: Genesis,
        chain_id: u64,
        fork: ProtocolFork,
    ) -> Result<Self, HarnessError> {
        genesis.alloc.entry(ANCHOR_ADDRESS).or_insert_with(Self::anchor_contract);
        let config = ChainConfig::new(ChainSpec::constant(chain_id, fork));
        let state = Chain::new(&genesis, config)?.state().detached();
        let mut block = (**state.block()).clone();
        block.hash = hash_of(&block.header, DraftBlock::default());
        let first = ExecutedBlock::new(block, Default::default(), &state.config().spec);
        Ok(Self { state: state.advance(first)?, fork, burned: vec![0] })
    }

    /// Returns the state after the latest block.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Builds a child of the latest block with these transactions, all of which must be valid.
    pub fn build(
        &self,
        values: DraftBlock,
        transactions: Vec<Transaction>,
    ) -> Result<DraftBuilt, HarnessError> {
        let config = self.state.config().clone();
        let state = self.state.with_config(config.with_extension(Arc::new(values)));
        self.build_on(&state, values, transactions)
    }

    /// Builds a block without the system call that stores the anchor.
    pub fn build_without_anchor(
        &self,
        transactions: Vec<Transaction>,
    ) -> Result<DraftBuilt, HarnessError> {
        self.build_on(&self.state, DraftBlock::default(), transactions)
    }

    fn build_on(
        &self,
        state: &State,
        mut values: DraftBlock,
        transactions: Vec<Transaction>,
    ) -> Result<DraftBuilt, HarnessError> {
        let parent = state.block();
        let attributes = BlockAttributes {
            timestamp: parent.header.timestamp + INTERVAL,
            fee_recipient: Key::named("fees").address(),
            slot_number: parent.header.number + 1,
            ..Default::default()
        };
        let recovered = transactions.into_iter().enumerate().map(|(index, transaction)| {
            let sender = recover_sender(&transaction)
                .ok_or(HarnessError::NotIncluded(Invalid::Signature { index }))?;
            Ok(RecoveredTransaction { transaction: transaction.into(), sender, signed: true })
        });
        let recovered = recovered.collect::<Result<Vec<_>, HarnessError>>()?;
        let header = state.open_header(&attributes)?;
        let mut built = BlockBuilder::new(state).build_recorded(&header, &[], &recovered)?;
        if let Some((_, reason)) = built.rejected.pop() {
            return Err(HarnessError::NotIncluded(reason.into_invalid()));
        }
        let mut block = built.executed;
        let witness = core::mem::take(&mut block.witness);
        let (header, executed) = (block.block.header.clone(), block.block.executed.clone());
        values.burned_fees = DraftBlock::burned(&header, &executed).saturating_to();
        let headers = witness.headers.iter().map(|bytes| self.extended(bytes));
        let witness = OwnedWitness { headers: headers.collect::<Result<_, _>>()?, ..witness };
        let plain = block.block.input(self.fork, state.config().spec.chain_id(), &witness)?;
        block.block.hash = hash_of(&header, values);
        let mut input = StatelessInput::decode(&plain)?;
        input.request.payload.block_hash = block.block.hash;
        let calldata = values.encode(&input.encode()).unwrap_or_default();
        Ok(DraftBuilt { calldata, values, header, executed, block })
    }

    /// Appends a built block.
    pub fn append(&mut self, built: DraftBuilt) -> Result<(), HarnessError> {
        self.burned.push(built.values.burned_fees);
        self.state = self.state.advance(built.block)?;
        Ok(())
    }

    /// Returns the header of an ancestor with its burned fees.
    fn extended(&self, plain: &Bytes) -> Result<Bytes, HarnessError> {
        let header: Header = alloy_rlp::decode_exact(plain)
            .map_err(|reason| Invalid::MalformedHeader { index: 0, reason })
            .map_err(HarnessError::NotIncluded)?;
        let number = usize::try_from(header.number).unwrap_or(usize::MAX);
        let burned_fees = self.burned.get(number).copied().unwrap_or_default();
        Ok(DraftBlock { burned_fees, ..Default::default() }.encode_header(&header).into())
    }
}

/// Returns the hash of a header extended by the burned fees.
fn hash_of(header: &Header, values: DraftBlock) -> B256 {
    keccak256(values.encode_header(header))
}

/// Changes a call in the encoding of the draft, recomputes the block hash, and encodes it. Returns
/// `None` if the bytes are not such a call, or if the changed payload has no header.
pub fn draft_resealed(
    calldata: &[u8],
    change: impl FnOnce(&mut StatelessInput<'_>, &mut DraftBlock),
) -> Option<Vec<u8>> {
    let (input, mut values) = DraftBlock::decode(calldata).ok()?;
    let mut input = StatelessInput::decode(&input).ok()?;
    change(&mut input, &mut values);
    let header = header_of(&input.request, input.fork)?;
    input.request.payload.block_hash = hash_of(&header, values);
    values.encode(&input.encode())
}
