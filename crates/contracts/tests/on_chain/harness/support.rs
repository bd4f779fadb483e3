//! A rollup on an L1 with EXECUTE, and the L2 whose blocks advance it.

use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall, SolError, SolEvent};
use chain::{Block, ExecutedBlock, empty_genesis, witness_of};
use enshrine_contracts::{
    L2_MESSENGER,
    advance_plan::{AdvanceInput, AdvancePlan, Cost},
    bindings::{
        IForcedInbox, IL1MessageQueue,
        INativeRollup::{self, AnchorUpdate, Checkpoint, Evidence, ForcedTransaction, RelayProof},
    },
    code_reference::{CodeReference, PROXY},
};
use execute::Execute;
use eyre::{OptionExt, Result, ensure};
use std::sync::Arc;
use testkit::{
    FORCED_FEE, HarnessError, Key, L1, L2, Rollup, RollupFixture, Sent, TRANSACTION_GAS_CAP,
    Transaction,
};
use wire::ProtocolFork;

pub(crate) const FORK: ProtocolFork = ProtocolFork::Osaka;

pub(crate) const L2_CHAIN: u64 = 8_079;
pub(crate) use testkit::ETHER;

/// A rollup, and everything needed to advance it.
pub(crate) struct TestRollup {
    pub(crate) l1: L1,
    pub(crate) l2: L2,
    pub(crate) rollup: Rollup,
    pub(crate) operator: Key,
    pub(crate) alice: Key,
    pub(crate) anchor: B256,
}

impl TestRollup {
    /// Creates an L2 with this fork on an L1 at Osaka.
    pub(crate) fn new(fork: ProtocolFork) -> Result<Self> {
        Self::of_both(ProtocolFork::Osaka, fork, 10_000_000, Address::ZERO)
    }

    /// Creates an L2 at Osaka on an L1 with this fork.
    pub(crate) fn on_l1(fork: ProtocolFork) -> Result<Self> {
        Self::of_both(fork, ProtocolFork::Osaka, 10_000_000, Address::ZERO)
    }

    /// Creates an L2 and an L1 with this fork. The block gas limit of the L2 suffices for deploying
    /// a token bridge, and forced transactions may call the bounded target.
    pub(crate) fn with_bounded_target(fork: ProtocolFork, target: Address) -> Result<Self> {
        Self::of_both(fork, fork, 30_000_000, target)
    }

    fn of_both(
        l1_fork: ProtocolFork,
        fork: ProtocolFork,
        gas_limit: u64,
        bounded_target: Address,
    ) -> Result<Self> {
        let operator = Key::named("operator");
        let alice = Key::named("alice");
        let execute = Execute::on(fork);
        let mut l1 = L1::with_blobs(l1_fork, 31_337, execute, &["operator", "alice"])?;
        let time = l1.chain().head().header.timestamp;
        // Almost all chains have the CREATE2 proxy, and from Amsterdam on all do (EIP-7997).
        let proxy = empty_genesis(ProtocolFork::Amsterdam).alloc.remove(&PROXY);
        let fixture = RollupFixture::new(L2_CHAIN, fork, time)?
            .accounts(proxy.map(|proxy| (PROXY, proxy)))
            .gas_limit(gas_limit)
            .rich(["operator", "alice"], 10 * ETHER)
            .with(|config| config.forced.bounded_target = bounded_target);
        let (l2, rollup) = fixture.deploy_in(&mut l1, &operator)?;
        Ok(Self { l1, l2, rollup, operator, alice, anchor: B256::ZERO })
    }

    pub(crate) fn l1_fork(&self) -> ProtocolFork {
        let chain = self.l1.chain();
        chain.config().spec.fork_at(chain.head().header.timestamp).expect("it has one")
    }

    pub(crate) fn transfer(&mut self) -> Result<Transaction> {
        let bob = Key::named("bob").address();
        Ok(self.l2.sign(&self.alice, bob.into(), U256::ONE, Bytes::new(), 21_000)?)
    }

    /// Seals a block of one transfer, appends it to the L2 and returns it.
    pub(crate) fn next_block(&mut self) -> Result<ExecutedBlock> {
        let transfer = self.transfer()?;
        let block = self.seal(self.l2.next_timestamp(), vec![transfer])?;
        self.l2.append(block.clone())?;
        Ok(block)
    }

    pub(crate) fn seal(&self, time: u64, transactions: Vec<Transaction>) -> Result<ExecutedBlock> {
        Ok(self.l2.seal_all(time, self.anchor, transactions)?)
    }

    pub(crate) fn advance(
        &mut self,
        inputs: Vec<Vec<u8>>,
        updates: Vec<AnchorUpdate>,
    ) -> Result<Sent, HarnessError> {
        self.advance_with(inputs, Evidence { updates, ..Default::default() })
    }

    pub(crate) fn advance_with(
        &mut self,
        inputs: Vec<Vec<u8>>,
        evidence: Evidence,
    ) -> Result<Sent, HarnessError> {
        let inputs = inputs.into_iter().map(Bytes::from).collect();
        let call = INativeRollup::advanceCall { inputs, evidence };
        self.l1.transact(&self.operator, self.rollup.address, U256::ZERO, &call)
    }

    /// Asserts that advancing by this input reverts with this error and does not change the head.
    pub(crate) fn assert_refused<E: SolError>(&mut self, input: Vec<u8>) -> Result<E> {
        let before = self.state()?;
        let output = match self.advance(vec![input.clone()], vec![]) {
            Err(HarnessError::Reverted { output, .. }) => output,
            other => panic!("expected {}: {other:?}", E::SIGNATURE),
        };
        let error = E::abi_decode(&output)
            .unwrap_or_else(|_| panic!("expected {}, got {output}", E::SIGNATURE));
        // As a transaction, it fails as well, and the state does not change.
        let (inputs, evidence) = (vec![input.into()], Evidence::default());
        let call = INativeRollup::advanceCall { inputs, evidence };
        let sent = self.l1.send(
            &self.operator,
            self.rollup.address.into(),
            U256::ZERO,
            call.abi_encode().into(),
            TRANSACTION_GAS_CAP,
        )?;
        assert!(!sent.receipt.success);
        assert_eq!(self.state()?, before);
        Ok(error)
    }

    /// Returns everything that `NativeRollup` exposes about its head.
    pub(crate) fn state(&self) -> Result<(u64, u64, u64, u64, B256, B256, B256)> {
        let at = self.rollup.address;
        let head = self.rollup.head(&self.l1)?;
        Ok((
            head.number,
            head.timestamp,
            head.anchorNumber,
            head.messageCount,
            self.l1.read(at, &INativeRollup::blockHashCall {})?,
            self.l1.read(at, &INativeRollup::stateRootCall {})?,
            self.l1.read(at, &INativeRollup::anchorCall {})?,
        ))
    }

    /// Advances L1's time and mines a block.
    pub(crate) fn pass(&mut self, seconds: u64) -> Result<()> {
        self.l1.skip(seconds);
        let alice = self.alice.clone();
        self.l1.send(&alice, alice.address().into(), U256::ZERO, Bytes::new(), 21_000)?;
        Ok(())
    }

    /// Seals the next block with L1's timestamp, and appends it.
    pub(crate) fn block_now(&mut self, transactions: Vec<Transaction>) -> Result<ExecutedBlock> {
        let block = self.seal(self.l1.chain().head().header.timestamp, transactions)?;
        self.l2.append(block.clone())?;
        Ok(block)
    }

    pub(crate) fn submit(&mut self, transaction: &Transaction) -> Result<ForcedTransaction> {
        let call = IForcedInbox::submitCall { raw: transaction.encoded_2718().into() };
        let alice = self.alice.clone();
        let sent = self.l1.transact(&alice, self.rollup.forced, U256::from(FORCED_FEE), &call)?;
        // From Amsterdam on, ETH transfers also emit logs (EIP-7708).
        let mut logs = sent.receipt.logs.iter();
        let event = logs.find_map(|log| IForcedInbox::ForcedSubmitted::decode_log(log).ok());
        Ok((&event.ok_or_eyre("not submitted")?.transaction).into())
    }

    pub(crate) fn checkpoint(&self) -> Result<Checkpoint> {
        let c = self.l1.read(self.rollup.message_queue, &IL1MessageQueue::checkpointCall {})?;
        Ok(c.into())
    }

    /// Proves at the L2's head that all messages up to a checkpoint are relayed.
    pub(crate) fn relay_proof(&self, sent: Checkpoint) -> Result<RelayProof> {
        let chain = self.l2.chain();
        let proof = chain.prove(chain.head(), L2_MESSENGER, &[U256::ZERO])?;
        Ok(RelayProof {
            index: 0,
            accountProof: proof.nodes,
            storageProof: proof.slots[0].nodes.clone(),
            before: sent.clone(),
            next: sent,
        })
    }

    /// Builds blocks of one transfer each, which are not posted to L1 yet.
    pub(crate) fn blocks(&mut self, count: usize) -> Result<Vec<Arc<Block>>> {
        (0..count)
            .map(|_| {
                self.next_block()?;
                Ok(Arc::clone(self.l2.chain().head()))
            })
            .collect()
    }

    /// Creates the input for these blocks: a batch if there are multiple.
    pub(crate) fn input_of(&self, blocks: &[Arc<Block>]) -> Result<AdvanceInput> {
        let [block] = blocks else { return self.batch_of(blocks) };
        let state = self.l2.chain().state_before(block)?.expect("it has a parent");
        Self::measured(blocks, block.input(FORK, L2_CHAIN, &witness_of(&state, block)?)?)
    }

    /// Creates a batch of these blocks.
    pub(crate) fn batch_of(&self, blocks: &[Arc<Block>]) -> Result<AdvanceInput> {
        Self::measured(blocks, self.l2.chain().batch(blocks.to_vec())?.input()?)
    }

    /// Creates inputs for new blocks. `shape` has the number of blocks of each input, and zero
    /// stands for a batch of one block.
    pub(crate) fn inputs(&mut self, shape: &[usize]) -> Result<Vec<AdvanceInput>> {
        shape
            .iter()
            .map(|count| {
                let blocks = self.blocks((*count).max(1))?;
                if *count == 0 { self.batch_of(&blocks) } else { self.input_of(&blocks) }
            })
            .collect()
    }

    fn measured(blocks: &[Arc<Block>], bytes: Vec<u8>) -> Result<AdvanceInput> {
        let execute = Execute::on(FORK);
        let executed = execute.run(&bytes, u64::MAX)?;
        let (charge, reserve) = (executed.gas, executed.reserve);
        let trailer = variants::BlobTail::trailer_charge(&*execute.gas);
        Ok(AdvanceInput {
            bytes: bytes.into(),
            blocks: blocks.len() as u64,
            charge,
            reserve,
            trailer,
        })
    }

    /// Sends a plan with its predicted gas limit.
    pub(crate) fn post(&mut self, posting: &AdvancePlan) -> Result<(Sent, Cost)> {
        let head = self.rollup.head(&self.l1)?;
        let cost = posting.cost(self.l1_fork(), 0, head.number + 1);
        let (to, data) = (self.rollup.address, posting.calldata(Evidence::default()));
        let sent = if posting.blobs.is_empty() {
            self.l1.send(&self.operator, to.into(), Default::default(), data, cost.limit)?
        } else {
            self.l1.send_with_blobs(&self.operator, to, data, &posting.blobs, cost.limit)?
        };
        ensure!(sent.receipt.success, "L1 does not take it: {cost:?}");
        let number = self.rollup.head(&self.l1)?.number;
        ensure!(number == head.number + posting.blocks, "the rollup is at {number}");
        Ok((sent, cost))
    }

    pub(crate) fn keep(&mut self, codes: &[CodeReference]) -> Result<()> {
        codes.iter().try_for_each(|code| Ok(self.l1.keep(&self.operator, code).map(drop)?))
    }

    pub(crate) fn assert_head_is(&self, block: &ExecutedBlock) -> Result<()> {
        let (number, timestamp, _, _, hash, root, _) = self.state()?;
        let header = &block.block.header;
        assert_eq!((number, timestamp), (header.number, header.timestamp));
        assert_eq!((hash, root), (block.block.hash, header.state_root));
        Ok(())
    }
}
