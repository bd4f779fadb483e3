//! The chain with the blocks of the vectors.

use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, U256, address, hex};
use chain::{ChainConfig, ExecutedBlock};
use execute::Execute;
use executor::ChainSpec;
use eyre::{Result, ensure};
use std::sync::Arc;
use testkit::{CHAIN_ID, ETHER, Key, L2, LOGGER, Transaction, logger, rich_genesis};
use variants::{ExecuteExtension, Nested};
use wire::ProtocolFork;

/// Timestamp of the first block after genesis.
pub(super) const TIME: u64 = 1_800_000_012;
/// Seconds between blocks.
pub(super) const INTERVAL: u64 = 12;
/// A contract that stores BLOCKHASH(NUMBER - 3) in slot 0. The parent's header contains the hash of
/// its parent, so the hash of an older block needs another header.
const ARCHIVE: Address = address!("0x2000000000000000000000000000000000000020");
const ARCHIVE_CODE: [u8; 8] = hex!("60034303405f5500");
/// A contract that calls EXECUTE with its calldata, and stores in slot 0 the success flag plus the
/// number of returned bytes: 44 if EXECUTE accepts, 0 if it rejects, 1 if there is no EXECUTE.
const CALLER: Address = address!("0x2000000000000000000000000000000000000021");
const CALLER_CODE: [u8; 18] = hex!("365f5f37 5f5f365f6101015afa 3d01 5f55 00");
/// A contract that calls BLAKE2F with its calldata after the first word, which is the gas of the
/// call, and stores in slot 0 whether the call has succeeded.
const HASHER: Address = address!("0x2000000000000000000000000000000000000022");
const HASHER_CODE: [u8; 21] = hex!("6020 36 03 80 6020 5f 37 5f 5f 82 5f 6009 5f 35 fa 5f 55 00");
/// Gas limit of a call of it.
const HASHER_GAS: u64 = 300_000;
/// Gas limit of a transfer.
const TRANSFER_GAS: u64 = 25_000;
/// Gas limit of a call.
const CALL_GAS: u64 = 100_000;
/// Gas limit of a call of EXECUTE.
const EXECUTE_GAS: u64 = 2_000_000;

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

/// A chain at one fork, where Alice is rich and two contracts are deployed.
pub(crate) struct VectorChain {
    l2: L2,
    blocks: Vec<ExecutedBlock>,
}

impl VectorChain {
    pub(crate) fn new(fork: ProtocolFork) -> Result<Self> {
        Self::of(fork, None, |config| config)
    }

    /// Starts a chain with EXECUTE, as on L2s of the dialect `nested`, and a contract that calls
    /// it.
    pub(crate) fn with_execute(fork: ProtocolFork) -> Result<Self> {
        let l1 = Execute::following(ChainSpec::constant(CHAIN_ID, fork));
        let extension = Arc::new(ExecuteExtension::new(Nested::execute_of_l2(&l1)));
        Self::of(fork, Some((CALLER, &CALLER_CODE)), |config| config.with_extension(extension))
    }

    /// Starts a chain with a contract that calls a precompile.
    pub(super) fn with_caller_of_precompile(fork: ProtocolFork) -> Result<Self> {
        Self::of(fork, Some((HASHER, &HASHER_CODE)), |config| config)
    }

    /// Starts a chain with a changed configuration and optionally a further contract.
    fn of(
        fork: ProtocolFork,
        contract: Option<(Address, &'static [u8])>,
        change: impl FnOnce(ChainConfig) -> ChainConfig,
    ) -> Result<Self> {
        let mut genesis = rich_genesis(fork, ["alice"], 1_000 * ETHER);
        genesis.timestamp = TIME - INTERVAL;
        genesis.config.chain_id = CHAIN_ID;
        let with_code = |code| GenesisAccount {
            nonce: Some(1),
            code: Some(Bytes::from_static(code)),
            ..Default::default()
        };
        genesis.alloc.extend([(LOGGER, logger()), (ARCHIVE, with_code(&ARCHIVE_CODE))]);
        genesis.alloc.extend(contract.map(|(address, code)| (address, with_code(code))));
        let config = change(ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork)));
        Ok(Self { l2: L2::configured(&genesis, config)?, blocks: Vec::new() })
    }

    /// Appends a block and returns its input.
    pub(crate) fn block(&mut self, content: Content) -> Result<Vec<u8>> {
        let transactions = match content {
            Content::Transfers(count) => (0..count)
                .map(|_| self.sign(Key::named("bob").address(), U256::ONE, &[], TRANSFER_GAS))
                .collect::<Result<_>>()?,
            Content::Log => vec![self.sign(LOGGER, U256::ZERO, &[], CALL_GAS)?],
            Content::Ancestor => vec![self.sign(ARCHIVE, U256::ZERO, &[], CALL_GAS)?],
        };
        self.seal(transactions)
    }

    /// Appends a block in which a contract calls EXECUTE. Returns its input and what the contract
    /// has stored.
    pub(crate) fn execute(&mut self, input: &[u8]) -> Result<(Vec<u8>, U256)> {
        let call = self.sign(CALLER, U256::ZERO, input, EXECUTE_GAS)?;
        let block = self.seal(vec![call])?;
        Ok((block, self.l2.chain().storage(CALLER, U256::ZERO)?))
    }

    /// Appends a block in which a contract gives this gas to a call of BLAKE2F with so many rounds.
    /// Returns its input and what the contract has stored.
    pub(super) fn blake2f(&mut self, rounds: u32, gas: u32) -> Result<(Vec<u8>, U256)> {
        // EIP-152: rounds, state, message, offsets, and a flag for the last block.
        let mut calldata = U256::from(gas).to_be_bytes::<32>().to_vec();
        calldata.extend(rounds.to_be_bytes());
        calldata.extend([0; 208]);
        calldata.push(1);
        let call = self.sign(HASHER, U256::ZERO, &calldata, HASHER_GAS)?;
        let block = self.seal(vec![call])?;
        Ok((block, self.l2.chain().storage(HASHER, U256::ZERO)?))
    }

    /// Appends a block of these transactions and returns its input.
    fn seal(&mut self, transactions: Vec<Transaction>) -> Result<Vec<u8>> {
        let time = self.l2.chain().head().header.timestamp + INTERVAL;
        let (new, rejected) = self.l2.seal(time, B256::repeat_byte(0xa5), transactions)?;
        ensure!(rejected.is_empty(), "the block does not include {rejected:?}");
        let input = new.input()?;
        self.blocks.push(new.clone());
        self.l2.append(new)?;
        Ok(input)
    }

    /// Returns the input of a batch of the last blocks.
    pub(crate) fn batch(&self, blocks: usize) -> Result<Vec<u8>> {
        let last = &self.blocks[self.blocks.len() - blocks..];
        let known = |new: &ExecutedBlock| self.l2.chain().block(&new.block.hash);
        let blocks: Vec<Arc<_>> = last.iter().map(known).collect::<Result<_, _>>()?;
        Ok(self.l2.chain().batch(blocks)?.input()?)
    }

    /// Signs a transaction from Alice.
    fn sign(&mut self, to: Address, value: U256, input: &[u8], gas: u64) -> Result<Transaction> {
        let input = Bytes::copy_from_slice(input);
        Ok(self.l2.sign(&Key::named("alice"), to.into(), value, input, gas)?)
    }
}
