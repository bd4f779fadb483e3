//! Small chains whose blocks the properties mutate.

use crate::{cached_execute::CachedExecute, memo::Memo, signatures::KnownSenders};
use alloy_consensus::TxEip1559;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use chain::{Block, Chain, ChainConfig, ExecutedBlock};
use codec::{OwnedWitness, compact::compact_reachable};
use execute::{Answer, Execute, ExecuteError, ForkRule, Rules};
use stateless::ChainSpec;
use std::sync::{Arc, LazyLock};
use testkit::{CHAIN_ID, DraftL2, ETHER, Key, L2, LOGGER, Transaction, logger, rich_genesis};
use variants::{DraftBlock, Flat};
use wire::{ExecutionWitness, ProtocolFork};

/// Forks of the chains.
const FORKS: [ProtocolFork; 3] =
    [ProtocolFork::Osaka, ProtocolFork::Amsterdam, ProtocolFork::Prague];
/// Contract that stores the second word of its calldata in the slot given by the first word.
pub(crate) const STORER: Address = Address::repeat_byte(0x20);
/// Code of [`STORER`]: CALLDATALOAD of both words, SSTORE.
const STORER_CODE: &[u8] = &[0x60, 0x20, 0x35, 0x5f, 0x35, 0x55];
/// Code that deploys one byte of code, STOP.
const DEPLOYER: &[u8] = &[0x60, 0x01, 0x5f, 0xf3];
/// Gas limit of each transaction, enough for the most expensive one under any fork.
const GAS_LIMIT: u64 = 400_000;

/// A block of a forked chain.
#[derive(Debug)]
pub(crate) struct ForkedBlock {
    /// The block.
    pub(crate) block: Arc<Block>,
    /// The EXECUTE calldata for this block.
    pub(crate) input: Vec<u8>,
    /// Nonces of Alice and Bob before the block.
    pub(crate) nonces: [u64; 2],
    /// RLP of the parent header.
    pub(crate) parent_header: Bytes,
}

/// Returns the calldata for a block of the EIP-8079 draft that emits a log and writes storage.
fn draft_call(genesis: Genesis, fork: ProtocolFork) -> Vec<u8> {
    let l2 = DraftL2::new(genesis, CHAIN_ID, fork).expect("a genesis with all system contracts");
    let transactions = (0..).zip([LOGGER, STORER]).map(|(nonce, to)| {
        Key::named("alice").sign(TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: GAS_LIMIT,
            max_fee_per_gas: 100_000_000_000,
            to: to.into(),
            ..Default::default()
        })
    });
    let values = DraftBlock { anchor: B256::repeat_byte(0xa5), burned_fees: 0 };
    l2.build(values, transactions.collect()).expect("valid transactions").calldata
}

/// A chain with two branches, and the inputs of its blocks.
#[derive(Debug)]
pub(crate) struct ForkedChain {
    /// The fork of all blocks.
    pub(crate) fork: ProtocolFork,
    /// The chain, with the blocks of both branches.
    pub(crate) chain: Chain,
    /// The blocks of the first branch in order, then those of the second.
    pub(crate) blocks: Vec<ForkedBlock>,
    /// Batches of blocks of the first branch.
    pub(crate) batches: Vec<Vec<u8>>,
    /// Calldata in the form of the EIP-8079 draft for a block on the same genesis.
    pub(crate) draft: Vec<u8>,
    /// The union of the witnesses of all blocks, without headers.
    pub(crate) witness: OwnedWitness,
    /// EXECUTE by the rules of an L1 with the fork of the chain.
    pub(crate) strict: CachedExecute,
    /// EXECUTE that accepts valid blocks of all forks, including those of L1.
    pub(crate) open: CachedExecute,
    /// EXECUTE of the fork with prices at which blocks of any length are affordable.
    pub(crate) priced: CachedExecute,
    /// Inputs that were compared with the chain; `true` if EXECUTE accepts them.
    pub(crate) judged: Memo<bool>,
    /// Answers to calls at the prices of `priced`.
    pub(crate) answers: Memo<Result<Answer, ExecuteError>>,
    /// States in compact form.
    compacted: Memo<Option<Arc<[u8]>>>,
}

static CHAINS: LazyLock<Vec<ForkedChain>> = LazyLock::new(|| FORKS.map(ForkedChain::new).into());

impl ForkedChain {
    /// Returns all scenes, which are created on the first call.
    pub(crate) fn all() -> &'static [Self] {
        &CHAINS
    }

    fn new(fork: ProtocolFork) -> Self {
        let mut genesis = rich_genesis(fork, ["alice", "bob"], 1_000 * ETHER);
        let slots = (0..4_u64).map(|slot| (B256::from(U256::from(slot)), B256::with_last_byte(9)));
        let storer = GenesisAccount {
            nonce: Some(1),
            code: Some(Bytes::from_static(STORER_CODE)),
            storage: Some(slots.collect()),
            ..Default::default()
        };
        genesis.alloc.extend([(LOGGER, logger()), (STORER, storer)]);
        let config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork));
        let l2 = L2::configured(&genesis, config.with_cryptography(&KnownSenders));
        let l2 = l2.expect("a genesis with all system contracts");
        let mut branches = Branches { main: l2.detached(), side: l2, blocks: Vec::new() };
        branches.grow();
        let Branches { main, blocks, .. } = branches;
        let mut chain = main.into_chain();
        let known: Vec<_> = blocks.iter().map(|(new, _)| Arc::new(new.block.clone())).collect();
        for (index, (new, _)) in blocks.iter().enumerate() {
            if index >= MAIN {
                chain.insert(new.clone()).expect("a block that was built");
            }
        }
        let mut witness = OwnedWitness::default();
        for (new, _) in &blocks {
            witness.state.extend(new.witness.state.iter().cloned());
            witness.codes.extend(new.witness.codes.iter().cloned());
        }
        witness.canonicalize();
        let forked_block = |(new, nonces): &(ExecutedBlock, [u64; 2])| ForkedBlock {
            nonces: *nonces,
            block: Arc::new(new.block.clone()),
            input: new.input().expect("a block after Cancun"),
            parent_header: new.witness.headers.last().expect("the parent").clone(),
        };
        let batch = |range: &[Arc<Block>]| {
            chain.batch(range.to_vec()).expect("blocks in order").input().expect("their witness")
        };
        let strict = Execute::on(fork);
        let open = Execute { rules: Rules::L1, forks: ForkRule::every(), ..strict.clone() };
        let gas = Arc::new(Flat { base: 1_000, per_byte: 2 });
        let priced = Execute { gas, ..strict.clone() };
        let batches = [&known[..1], &known[..2], &known[1..4], &known[..MAIN]];
        Self {
            fork,
            draft: draft_call(genesis, fork),
            batches: batches.map(batch).into(),
            blocks: blocks.iter().map(forked_block).collect(),
            witness,
            chain,
            strict: CachedExecute::new(strict),
            open: CachedExecute::new(open),
            priced: CachedExecute::new(priced),
            judged: Memo::new(1 << 20),
            answers: Memo::new(1 << 12),
            compacted: Memo::new(1 << 10),
        }
    }

    /// Returns the compact form of the witness's nodes below this root; `None` if they have none.
    pub(crate) fn compacted(
        &self,
        root: B256,
        witness: &ExecutionWitness<'_>,
    ) -> Option<Arc<[u8]>> {
        let ExecutionWitness { state, codes, .. } = *witness;
        let [nodes, contracts] = [state, codes].map(|list| list.iter().collect::<Vec<_>>());
        self.compacted.get_or((root, nodes, contracts), || {
            compact_reachable(root, state, codes).ok().map(Arc::from)
        })
    }

    /// Returns the inputs of all blocks, then those of all batches.
    pub(crate) fn inputs(&self) -> Vec<&[u8]> {
        self.blocks
            .iter()
            .map(|block| &block.input)
            .chain(&self.batches)
            .map(Vec::as_slice)
            .collect()
    }
}

/// Number of blocks in the main branch.
const MAIN: usize = 4;

/// Builder of both branches.
struct Branches {
    main: L2,
    side: L2,
    /// The blocks, main branch first, each with the nonces of Alice and Bob before it.
    blocks: Vec<(ExecutedBlock, [u64; 2])>,
}

impl Branches {
    /// Builds the main branch, and a side branch on top of its first block.
    fn grow(&mut self) {
        let (alice, bob) = (Key::named("alice"), Key::named("bob"));
        let to = |address: Address| TxKind::Call(address);
        let words = |slot: u64, value: u64| {
            Bytes::from([slot, value].map(|word| U256::from(word).to_be_bytes::<32>()).concat())
        };
        let plan: [&[(&Key, TxKind, Bytes)]; MAIN] = [
            &[(&alice, to(bob.address()), Bytes::new()), (&bob, to(STORER), words(1, 0))],
            &[(&alice, TxKind::Create, DEPLOYER.into()), (&bob, to(LOGGER), words(7, 7))],
            &[],
            &[(&alice, to(STORER), words(2, 0)), (&bob, to(STORER), words(70, 3))],
        ];
        for (number, transactions) in plan.into_iter().enumerate() {
            let (block, nonces) = build(&mut self.main, transactions);
            self.main.append(block.clone()).expect("a block that was built");
            if number == 0 {
                self.side.append(block.clone()).expect("a block on the genesis");
            }
            self.blocks.push((block, nonces));
        }
        for value in [5, 0] {
            let (block, nonces) = build(&mut self.side, &[(&bob, to(STORER), words(3, value))]);
            self.side.append(block.clone()).expect("a block that was built");
            self.blocks.push((block, nonces));
        }
    }
}

/// Builds a block with these transactions, and returns it with the nonces of Alice and Bob before
/// it.
fn build(l2: &mut L2, transactions: &[(&Key, TxKind, Bytes)]) -> (ExecutedBlock, [u64; 2]) {
    let nonces = ["alice", "bob"].map(|name| {
        l2.chain().nonce(Key::named(name).address()).expect("an account of the genesis")
    });
    let mut sign = |(from, to, data): &(&Key, TxKind, Bytes)| -> Transaction {
        let value = if data.is_empty() { U256::ONE } else { U256::ZERO };
        l2.sign(from, *to, value, data.clone(), GAS_LIMIT).expect("an account of the genesis")
    };
    let transactions = transactions.iter().map(&mut sign).collect();
    let time = l2.chain().head().header.timestamp + 12;
    let (block, rejected) = l2.seal(time, B256::ZERO, transactions).expect("a block");
    assert!(rejected.is_empty(), "{rejected:?}");
    (block, nonces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn execute_accepts_all_short_scene_inputs() {
        for forked in ForkedChain::all() {
            for input in forked.inputs() {
                forked.strict.execute.run(input, u64::MAX).expect("a block that was built");
                assert!(input.len() < 10_000);
            }
        }
    }
}
