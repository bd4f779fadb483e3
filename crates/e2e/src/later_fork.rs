//! A rollup without an owner follows L1 from Prague to Amsterdam and to a fork that was invented
//! after its contracts were compiled.
//!
//! [`LaterFork`] has another layout of inputs, two more items in headers and another gas rule. The
//! bytecode of the contracts is pinned, so that no change of the contracts can help.

use alloy_consensus::{Transaction as _, TxEip1559};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall as _, SolError, SolEvent as _};
use chain::ExecutedBlock;
use codec::blob_tail::{Trailer, cut, to_blobs};
use contracts::{
    L2_MESSENGER, Message,
    bindings::{
        IForcedInbox,
        IL1MessageQueue::{self, claimCall},
        IL2Messenger,
        INativeRollup::{
            Discharge, Evidence, ForcedBatch, ForkWentBack, Outcome, SchemaNotSupported,
            advanceCall, dutiesCall, ownerCall, stateRootCall,
        },
    },
    capacity::minimum_forced_gas,
    code_reference::PROXY,
    prove_transaction,
};
use execute::{Execute, ExecutionSpecs};
use executor::{ChainSpec, EvmOverrides as _};
use eyre::{OptionExt as _, Result, ensure};
use std::sync::Arc;
use testkit::localnet::{
    report::Report,
    units::{bytes, grouped},
};
use testkit::{
    ETHER, FORCED_FEE, Key, L1, L2, LaterFork, LaterRules, Rollup, RollupFixture, Sent,
    TRANSACTION_GAS_CAP, Transaction, pinned_code,
};
use variants::{BlobTail, Headers};
use wire::ProtocolFork;

const L1_CHAIN: u64 = 31_337;
const L2_CHAIN: u64 = 8_079;
/// Seconds from the start of the rollup to Amsterdam, and to the invented fork.
const FORKS: [u64; 2] = [3_000, 6_000];
/// Delay of forced transactions, in seconds. It exceeds the time to the last fork.
const FORCED_DELAY: u64 = 2 * 3_600;
/// Schema ids of the oldest and the newest fork that the contracts support, and of the invented
/// one.
const PRAGUE: u16 = 0x1101;
const AMSTERDAM: u16 = 0x1501;
const LATER: u16 = 0x1601;
/// Zero bytes of calldata in the transaction that shows the gas rule, enough for the floor to be
/// more than the transaction's gas.
const CALLDATA: usize = 2_000;
/// Bytes of data of the forced transfer.
const FORCED_DATA: usize = 100;
/// Wei of the deposit, the forced transfer and each withdrawal.
const PAID: u128 = ETHER / 4;

struct ForkingRollup {
    l1: L1,
    l2: L2,
    rollup: Rollup,
    operator: Key,
    alice: Key,
    /// Timestamps of the forks.
    forks: [u64; 2],
    /// Anchor of the L2's latest block.
    anchor: B256,
}

/// What was promised before the fork.
struct Promises {
    deposit: Vec<Message>,
    forced: Transaction,
    submitted: IForcedInbox::ForcedSubmitted,
}

/// Runs this part.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    report.part("A fork that the contracts do not know");
    let mut rollup = ForkingRollup::create(report)?;
    let promises = rollup.before_fork(report)?;
    let first = rollup.cross(promises, report)?;
    rollup.after_fork(first, report)
}

impl ForkingRollup {
    fn create(report: &mut Report) -> Result<Self> {
        let (operator, alice) = (Key::named("operator"), Key::named("alice"));
        let names = ["operator", "alice"];
        let l1 = L1::new(L1_CHAIN, Execute::default(), &names)?;
        let time = l1.chain().head().header.timestamp;
        let [amsterdam, later] = FORKS.map(|after| time + after);
        let spec = [(ProtocolFork::Amsterdam, amsterdam)];
        let execute = Execute::following(ChainSpec::scheduled(0, ProtocolFork::Prague, &spec));
        let mut l1 = l1.with_execute(|source| {
            let tails = Arc::new(BlobTail::new(source));
            let calldata = LaterFork::new(Arc::new(ExecutionSpecs), later);
            let blobs = LaterFork::new(Arc::<BlobTail>::clone(&tails), later);
            let headers = [calldata, blobs].map(|form| Headers::of(Arc::new(form)));
            let [calldata, blobs] = headers.map(Arc::new);
            Execute { dialects: vec![Arc::new(ExecutionSpecs), tails, calldata, blobs], ..execute }
        });
        let fixture = RollupFixture::forking(L2_CHAIN, ProtocolFork::Prague, &spec, time)?
            .gas_limit(10_000_000)
            .rich(names, 10 * ETHER)
            .with(|config| config.forced.delay = FORCED_DELAY)
            .pinned();
        let (l2, rollup) = fixture.deploy_in(&mut l1, &operator)?;
        // The ether of the genesis.
        let (queue, back) = (rollup.message_queue, IL1MessageQueue::backCall {});
        l1.transact(&operator, queue, U256::from(20 * ETHER), &back)?;
        let owner = l1.read(rollup.address, &ownerCall {})?;
        ensure!(owner.is_zero(), "the rollup has the owner {owner}");
        report.built(format!(
            "an L1 with EXECUTE, and a NativeRollup at Prague without an owner, of pinned bytecode ({})",
            rollup.address
        ));
        let forks = [amsterdam, later];
        Ok(Self { l1, l2, rollup, operator, alice, forks, anchor: B256::ZERO })
    }

    /// Moves L1 to the first second of a fork.
    fn skip_to(&mut self, time: u64) {
        self.l1.skip(time.saturating_sub(self.l1.next_timestamp()));
    }

    fn sign(&mut self, to: Address, value: u128, data: Bytes, gas: u64) -> Result<Transaction> {
        Ok(self.l2.sign(&self.alice, to.into(), U256::from(value), data, gas)?)
    }

    fn withdrawal(&mut self) -> Result<Transaction> {
        let to = payee();
        let call =
            IL2Messenger::sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data: Bytes::new() };
        self.sign(L2_MESSENGER, PAID, call.abi_encode().into(), 1_000_000)
    }

    /// Returns a transaction whose gas is the floor of its calldata.
    fn calldata(&mut self) -> Result<Transaction> {
        self.sign(payee(), 0, vec![0; CALLDATA].into(), 600_000)
    }

    /// Seals a block `before` seconds ahead of the next L1 block.
    fn seal(&self, before: u64, transactions: Vec<Transaction>) -> Result<ExecutedBlock> {
        let time = self.l1.next_timestamp() - before;
        Ok(self.l2.seal_successes(time, self.anchor, transactions)?)
    }

    fn advance(&mut self, input: Vec<u8>) -> Result<Sent> {
        Ok(self.rollup.advance(&mut self.l1, &self.operator, input, Evidence::default())?)
    }

    /// Checks that L1 rejects an input with this error.
    fn refuse(&self, what: &str, input: Vec<u8>, expected: &[u8]) -> Result<()> {
        let (from, to) = (self.operator.address(), self.rollup.address);
        let data = advance(input, Evidence::default()).abi_encode().into();
        let answer = self.l1.try_call(from, to, U256::ZERO, data)?;
        ensure!(!answer.success, "{what}: accepted");
        ensure!(answer.output[..] == *expected, "{what}: {}", answer.output);
        Ok(())
    }

    /// Checks that the rollup's head is the L2's.
    fn check_head(&self) -> Result<()> {
        let got = self.l1.read(self.rollup.address, &stateRootCall {})?;
        let head = self.l2.chain().head();
        let number = self.rollup.head(&self.l1)?.number;
        let (root, expected) = (head.header.state_root, head.header.number);
        ensure!((number, got) == (expected, root), "the rollup is at {number}, not {expected}");
        Ok(())
    }

    /// Has Alice deposit, withdraw and submit a forced transaction at Prague, and crosses the fork
    /// that the contracts support.
    fn before_fork(&mut self, report: &mut Report) -> Result<Promises> {
        let to = payee();
        let send = IL1MessageQueue::sendCall {
            to,
            refundTo: to,
            gasLimit: 21_000,
            fee: 0,
            data: Bytes::new(),
        };
        let queue = self.rollup.message_queue;
        let sent = self.l1.transact(&self.alice, queue, U256::from(PAID), &send)?;
        let deposit = self.rollup.messages_in(&sent.block);
        // It follows Alice's other transactions before the last fork.
        let own = [self.withdrawal()?, self.calldata()?];
        let forced =
            self.sign(to, PAID, vec![1; FORCED_DATA].into(), minimum_forced_gas(FORCED_DATA))?;
        let call = IForcedInbox::submitCall { raw: forced.encoded_2718().into() };
        let fee = U256::from(FORCED_FEE);
        let sent = self.l1.transact(&self.alice, self.rollup.forced, fee, &call)?;
        let mut logs = sent.receipt.logs.iter();
        let submitted = logs.find_map(|log| IForcedInbox::ForcedSubmitted::decode_log(log).ok());
        let submitted = submitted.ok_or_eyre("nothing was submitted")?.data;

        let [withdrawal, calldata] = own;
        let block = self.seal(0, vec![withdrawal])?;
        self.advance(block.input()?)?;
        self.l2.append(block)?;
        let [amsterdam, later] = self.forks;
        self.skip_to(amsterdam);
        let block = self.seal(0, vec![calldata])?;
        ensure!(block.fork == ProtocolFork::Amsterdam, "a block of {}", block.fork);
        let sent = self.advance(block.input()?)?;
        self.l2.append(block)?;
        self.check_head()?;
        report.shown(format!(
            "L1 forks from Prague to Amsterdam; a block of either is read in place, the second for {} L1 gas",
            grouped(sent.gas_used)
        ));
        ensure!(self.l1.next_timestamp() + 60 < later, "the fork is too early");
        Ok(Promises { deposit, forced, submitted })
    }

    /// Crosses the invented fork with a block in blobs that keeps what was promised before it.
    /// Returns the block number.
    fn cross(&mut self, promises: Promises, report: &mut Report) -> Result<u64> {
        let [_, later] = self.forks;
        let first = self.l2.chain().head().header.number + 1;
        self.l2.configure(|config| config.set_extension(Arc::new(LaterRules)));
        let early = LaterFork::seal(self.seal(0, vec![])?);
        let what = "a block of the fork, before anyone has deployed the reader of headers";
        let expected = SchemaNotSupported { got: LATER, earliest: PRAGUE, latest: AMSTERDAM };
        self.refuse(what, LaterFork::input(&early, first)?, &expected.abi_encode())?;
        report.refused(what.to_owned());
        self.deploy_reader()?;
        let what = "a block of the fork, before L1 has it";
        self.refuse(what, LaterFork::input(&early, first)?, &ExecuteFailed {}.abi_encode())?;
        report.refused(what.to_owned());

        let due = promises.submitted.transaction.submittedAt + FORCED_DELAY;
        self.skip_to(later.max(due));
        self.require_margin(&promises.forced)?;
        let (anchor, update) = self.rollup.newest_anchor(&self.l1, 0)?;
        self.anchor = anchor.hash();
        let operator = self.operator.clone();
        let transactions = vec![
            self.l2.prove_anchor(&operator, &anchor)?,
            self.l2.relay(&operator, &promises.deposit, operator.address())?,
            promises.forced,
        ];
        let block = LaterFork::seal(self.seal(0, transactions)?);
        let input = LaterFork::input(&block, first)?;
        let discharge = Discharge {
            transaction: (&promises.submitted.transaction).into(),
            outcome: Outcome::Included,
            position: 2,
            accountProof: prove_transaction(&block.block.raw_transactions(), 2),
            code: LaterRules.encode_header(&block.block.header).into(),
        };
        let batch = ForcedBatch { index: 0, discharges: vec![discharge], next: Vec::new() };
        let evidence = Evidence { updates: vec![update], forced: vec![batch], relays: Vec::new() };
        let (head, tail) = cut(&input).ok_or_eyre("the input is too short for blobs")?;
        let blobs = to_blobs(&tail);
        let trailer = Trailer::new(tail.len(), 0).ok_or_eyre("the tail is too long")?;
        let posted = [&head[..], &trailer.encode()].concat();
        let data = advance(posted, evidence).abi_encode().into();
        let (to, gas) = (self.rollup.address, TRANSACTION_GAS_CAP);
        let sent = self.l1.send_with_blobs(&operator, to, data, &blobs, gas)?;
        ensure!(sent.receipt.success, "L1 rejects the first block of the fork");
        self.l2.append(block)?;
        self.check_head()?;
        let duties = self.l1.read(to, &dutiesCall {})?;
        ensure!(duties.forcedNext == 1, "L1 still waits for the forced transaction");
        let got = self.l2.chain().balance(payee())?;
        ensure!(got == U256::from(2 * PAID), "the deposit and the forced transfer brought {got}");
        report.survived(format!(
            "L1 forks to another layout, longer headers, twice the base price of transactions and four times the \
             calldata floor; the next block ({}, in blobs) relays a deposit and includes a forced transaction from \
             before the fork, which has the minimum gas limit, for {} L1 gas, without a change of the rollup contract",
            bytes(input.len()),
            grouped(sent.gas_used),
        ));
        Ok(first)
    }

    /// Checks that the fork has no block for a forced transaction with one unit of gas less than the
    /// minimum, and has one for the same transaction with the minimum.
    fn require_margin(&self, forced: &Transaction) -> Result<()> {
        let minimum = forced.gas_limit();
        let time = self.l1.next_timestamp();
        for gas_limit in [minimum - 1, minimum] {
            let transaction = self.alice.sign(TxEip1559 {
                chain_id: L2_CHAIN,
                nonce: forced.nonce(),
                gas_limit,
                max_fee_per_gas: forced.max_fee_per_gas(),
                to: payee().into(),
                input: forced.input().clone(),
                ..Default::default()
            });
            let (_, rejected) = self.l2.seal(time, self.anchor, vec![transaction])?;
            let is_rejected = gas_limit < minimum;
            ensure!(rejected.is_empty() != is_rejected, "with {gas_limit} gas: {rejected:?}");
        }
        Ok(())
    }

    /// Advances by a batch of the fork, rejects blocks of Amsterdam, and claims the withdrawals
    /// from before and after the fork.
    fn after_fork(&mut self, first: u64, report: &mut Report) -> Result<()> {
        let before = self.l2.chain().canonical_block(first - 1)?.ok_or_eyre("no block")?;
        let what = "a block by the rules of Amsterdam, after one of the fork";
        let expected = ForkWentBack { got: AMSTERDAM, current: LATER };
        self.refuse(what, self.seal(0, vec![])?.input()?, &expected.abi_encode())?;
        report.refused(what.to_owned());

        let mut blocks = Vec::new();
        let (withdrawal, calldata) = (self.withdrawal()?, self.calldata()?);
        for (before, transactions) in [(2, vec![withdrawal]), (1, vec![calldata]), (0, vec![])] {
            let block = LaterFork::seal(self.seal(before, transactions)?);
            blocks.push(self.l2.append(block)?);
        }
        let used = blocks[1].header.gas_used;
        let earlier = before.header.gas_used;
        ensure!(
            used > earlier,
            "the same calldata costs {used} gas, and {earlier} before the fork"
        );
        let batch = LaterFork::batch(&self.l2.chain().batch(blocks)?, first)?;
        let sent = self.advance(batch)?;
        self.check_head()?;
        report.shown(format!(
            "a batch of three blocks of the fork advances the rollup for {} L1 gas; the transaction that used {} gas \
             at Amsterdam uses {}",
            grouped(sent.gas_used),
            grouped(earlier),
            grouped(used),
        ));

        for index in 0..2 {
            let proof = self.l2.message_proof(self.l2.chain().head(), index)?;
            let message = IL1MessageQueue::Message {
                sender: self.alice.address(),
                to: payee(),
                refundTo: payee(),
                value: PAID,
                fee: 0,
                gasLimit: 0,
                index,
                data: Bytes::new(),
            };
            let claim = claimCall { message, proof, feeRecipient: payee() };
            self.l1.transact(&self.operator, self.rollup.message_queue, U256::ZERO, &claim)?;
        }
        let got = self.l1.chain().balance(payee())?;
        ensure!(got == U256::from(2 * PAID), "the withdrawals have paid {got}");
        report.shown("withdrawals from before and after the fork are paid on L1".to_owned());
        Ok(())
    }

    /// Deploys the reader of headers as anyone can, from its pinned bytecode.
    fn deploy_reader(&mut self) -> Result<()> {
        let reader = pinned_code("HeaderReader").ok_or_eyre("no bytecode")?;
        let data = [B256::ZERO.as_slice(), &reader].concat().into();
        let stranger = self.alice.clone();
        let sent = self.l1.send(&stranger, PROXY.into(), U256::ZERO, data, TRANSACTION_GAS_CAP)?;
        ensure!(sent.receipt.success, "the reader of headers cannot be deployed");
        Ok(())
    }
}

alloy_sol_types::sol! {
    error ExecuteFailed();
}

/// Account that receives all payments.
fn payee() -> Address {
    Key::named("payee").address()
}

fn advance(input: Vec<u8>, evidence: Evidence) -> advanceCall {
    advanceCall { inputs: vec![input.into()], evidence }
}
