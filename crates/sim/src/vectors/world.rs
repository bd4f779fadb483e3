//! The chain whose blocks the vectors are made of.

use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, U256, address, hex};
use chain::BlockWithWitness;
use eyre::{Result, ensure};
use std::sync::Arc;
use testkit::{CHAIN_ID, ETHER, Key, L2, LOGGER, Transaction, logger, rich_genesis};
use wire::ProtocolFork;

/// Timestamp of the first block after genesis.
pub(super) const TIME: u64 = 1_800_000_012;
/// Seconds between blocks.
pub(super) const INTERVAL: u64 = 12;
/// A contract that stores BLOCKHASH(NUMBER - 3) in slot 0. The parent's header has the hash of the block before it, so an
/// older one takes a further header.
const ARCHIVE: Address = address!("0x2000000000000000000000000000000000000020");
const ARCHIVE_CODE: [u8; 8] = hex!("60034303405f5500");
/// Gas limits of a transfer and of a call.
const TRANSFER_GAS: u64 = 25_000;
const CALL_GAS: u64 = 100_000;

/// Content of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Transfers of one wei.
    Transfers(u64),
    /// A call that reads a slot and emits a log.
    Log,
    /// A call that stores the hash of an ancestor.
    Ancestor,
}

/// A chain of one fork, on which Alice is rich and two contracts stand.
pub(crate) struct World {
    l2: L2,
    blocks: Vec<BlockWithWitness>,
}

impl World {
    pub(crate) fn new(fork: ProtocolFork) -> Result<Self> {
        let mut genesis = rich_genesis(fork, ["alice"], 1_000 * ETHER);
        genesis.timestamp = TIME - INTERVAL;
        genesis.config.chain_id = CHAIN_ID;
        let code = Some(Bytes::from_static(&ARCHIVE_CODE));
        let archive = GenesisAccount { nonce: Some(1), code, ..Default::default() };
        genesis.alloc.extend([(LOGGER, logger()), (ARCHIVE, archive)]);
        Ok(Self { l2: L2::new(CHAIN_ID, fork, &genesis)?, blocks: Vec::new() })
    }

    /// Appends a block and returns its input.
    pub(crate) fn block(&mut self, content: Content) -> Result<Vec<u8>> {
        let transactions = match content {
            Content::Transfers(count) => (0..count)
                .map(|_| self.sign(Key::named("bob").address(), U256::ONE, TRANSFER_GAS))
                .collect::<Result<_>>()?,
            Content::Log => vec![self.sign(LOGGER, U256::ZERO, CALL_GAS)?],
            Content::Ancestor => vec![self.sign(ARCHIVE, U256::ZERO, CALL_GAS)?],
        };
        let time = self.l2.chain().head().header.timestamp + INTERVAL;
        let (new, rejected) = self.l2.seal(time, B256::repeat_byte(0xa5), transactions)?;
        ensure!(rejected.is_empty(), "the block leaves out {rejected:?}");
        let input = new.input()?;
        self.blocks.push(new.clone());
        self.l2.append(new)?;
        Ok(input)
    }

    /// Returns the input of the last blocks together.
    pub(crate) fn batch(&self, blocks: usize) -> Result<Vec<u8>> {
        let last = &self.blocks[self.blocks.len() - blocks..];
        let known = |new: &BlockWithWitness| self.l2.chain().block(&new.block.hash);
        let blocks: Vec<Arc<_>> = last.iter().map(known).collect::<Result<_, _>>()?;
        Ok(self.l2.chain().batch(blocks)?.input()?)
    }

    /// Signs a transaction of Alice.
    fn sign(&mut self, to: Address, value: U256, gas: u64) -> Result<Transaction> {
        Ok(self.l2.sign(&Key::named("alice"), to.into(), value, Bytes::new(), gas)?)
    }
}
