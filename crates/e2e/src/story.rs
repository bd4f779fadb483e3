//! From a deposit on L1 to a balance on L2 that L1 can be shown.

mod forgeries;

use crate::{
    devnet,
    gas::{Scheduled, measure},
    report::{Advanced, Report},
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex, keccak256};
use alloy_sol_types::SolCall;
use alloy_trie::{Nibbles, TrieAccount, proof::verify_proof};
use chain::BlockWithWitness;
use contracts::{
    Anchor, Message, RollupConfig,
    bindings::{
        IL1MessageQueue,
        INativeRollup::{self, AnchorUpdate, Evidence},
    },
    kept::{KeptCode, codes_in, shorten},
    l2_genesis,
};
use execute::Execute;
use eyre::{OptionExt, Result, ensure, eyre};
use std::time::Instant;
use testkit::{Artifacts, ETHER, Key, L1, L2, Rollup, TRANSACTION_GAS_CAP, Transaction, rich};
use wire::{ProtocolFork, StatelessBatch, StatelessInput};

const L1_CHAIN: u64 = 31_337;
const L2_CHAIN: u64 = 8_079;
/// Gas limit of an L2 block. The L1 transaction that advances it must hold its own calldata, the
/// witness and this much under EIP-7825's cap.
const L2_GAS_LIMIT: u64 = 10_000_000;
/// Initialisation code of a contract that answers a call with the number 42.
const ANSWERER: &[u8] = &hex!("67 602a5f5260205ff3 5f52 6008 6018 f3");
/// The code that it leaves: return 42.
const ANSWERER_CODE: &[u8] = &hex!("602a5f5260205ff3");

/// Seconds after which a block owes a forced transaction: longer than it may lie behind L1.
const FORCED_DELAY: u64 = 2 * 3_600;

/// Most L1 gas for a block with one transfer, as calldata, on an L2 as small as this one.
const ONE_TRANSFER: u64 = 165_000;

/// What is known of an input before it is sent.
struct Sizes {
    /// Gas of its block.
    gas: u64,
    witness_bytes: usize,
    /// What EXECUTE charges.
    execute_gas: u64,
}

struct World {
    l1: L1,
    l2: L2,
    rollup: Rollup,
    operator: Key,
}

pub(crate) fn tell(in_process: bool, report: &mut Report) -> Result<()> {
    report.part("An L1 with EXECUTE, and a rollup on it");
    let mut world = World::create(in_process, report)?;
    let (alice, bob, charlie) = (Key::named("alice"), Key::named("bob"), Key::named("charlie"));

    report.part("A deposit, and an L2 block that brings it over");
    let (messages, anchor, update) = world.deposit(&alice, charlie.address(), report)?;
    let operator = world.operator.clone();
    let to_bob = U256::from(ETHER);
    let contract = alice.address().create(1);
    let transactions = vec![
        world.l2.prove_anchor(&operator, &anchor)?,
        world.l2.relay(&operator, &messages, operator.address())?,
        world.l2.sign(&alice, bob.address().into(), to_bob, Bytes::new(), 21_000)?,
        world.l2.sign(&alice, TxKind::Create, U256::ZERO, ANSWERER.into(), 200_000)?,
        world.l2.sign(&alice, contract.into(), U256::ZERO, Bytes::new(), 50_000)?,
    ];
    let block = world.seal(anchor.hash(), transactions)?;
    report.step(format!(
        "L2 block {}: Alice → Bob 1 ETH, a deployment and a call, the relay of the deposit \
         ({} transactions, {} gas)",
        block.block.header.number,
        block.block.transactions.len(),
        block.block.header.gas_used,
    ));

    let before = world.rollup.head(&world.l1)?.number;
    let advanced = world.advance("deposit, transfer, contract", &block, vec![update], report)?;
    ensure!(advanced.l1_gas <= TRANSACTION_GAS_CAP, "EIP-7825");
    ensure!(world.rollup.head(&world.l1)?.number == before + 1, "the head has not moved");
    report.step(format!(
        "L1 took it in one transaction of {} gas, under the cap of {TRANSACTION_GAS_CAP} (EIP-7825)",
        advanced.l1_gas
    ));
    report.advanced.push(advanced);

    report.part("What L1 knows of L2, proven");
    world.l2.append(block.clone())?;
    let root = world.l1.read(world.rollup.address, &INativeRollup::stateRootCall {})?;
    ensure!(root == block.block.header.state_root, "L1 holds another state root");
    world.ask_the_node(report)?;
    for (name, key, expected) in
        [("Bob", &bob, to_bob), ("Charlie", &charlie, U256::from(5 * ETHER))]
    {
        let account = world.prove(root, key.address())?;
        ensure!(account.balance == expected, "{name} has {}", account.balance);
        report.step(format!(
            "{name} has {} ETH on L2, by proof against the state root that L1 holds",
            account.balance / U256::from(ETHER)
        ));
    }
    let alice_now = world.prove(root, alice.address())?;
    ensure!(alice_now.balance < U256::from(9 * ETHER), "Alice paid Bob and her fees");
    ensure!(world.prove(root, contract)?.code_hash == keccak256(ANSWERER_CODE), "another contract");
    report.step("Alice's contract stands, with the code that she deployed".to_owned());

    report.part("Forgeries");
    world.refuse_forgeries(&alice, anchor.hash(), report)?;

    report.part("And on");
    let anchor = anchor.hash();
    let transfer = world.l2.sign(&alice, bob.address().into(), to_bob, Bytes::new(), 21_000)?;
    let block = world.seal(anchor, vec![transfer])?;
    let advanced = world.advance("one transfer", &block, vec![], report)?;
    let whole = advanced.l1_gas;
    report.advanced.push(advanced);
    world.l2.append(block)?;
    report.step(format!(
        "the honest block is taken: L2 is at {}",
        world.rollup.head(&world.l1)?.number
    ));

    let transfer = world.l2.sign(&alice, bob.address().into(), to_bob, Bytes::new(), 21_000)?;
    let block = world.seal(anchor, vec![transfer])?;
    let advanced = world.advance_compact("one transfer, compact", block, report)?;
    report.step(format!(
        "a block like that, in compact form and with its codes kept on L1: {} L1 gas in place of {whole}",
        advanced.l1_gas
    ));
    ensure!(advanced.l1_gas <= ONE_TRANSFER, "one transfer takes more than {ONE_TRANSFER} L1 gas");
    report.advanced.push(advanced);

    report.part("A forced transaction, and a sequencer that leaves it out");
    world.force(&alice, bob.address(), anchor, report)
}

impl World {
    fn create(in_process: bool, report: &mut Report) -> Result<Self> {
        report.doing("fetching tools and compiling the contracts, the first time");
        let artifacts = Artifacts::load(&toolchain::progress_to_stderr)?;
        report.step("contracts compiled".to_owned());
        let operator = Key::named("operator");
        let names = ["operator", "alice"];
        let mut l1 = if in_process {
            L1::new(L1_CHAIN, Execute::default(), &names)?
        } else {
            report.doing(
                "building the enshrine binary, if it is not built yet, and starting a devnet",
            );
            let devnet = devnet::start(&L1::genesis(L1_CHAIN, &names))?;
            report.step(format!("the devnet answers at {}", devnet.client().url()));
            L1::behind(devnet, L1_CHAIN, &names)?
        };
        let time = l1.chain().head().header.timestamp;
        let fork = ProtocolFork::Osaka;
        let mut genesis = l2_genesis(&artifacts.predeploys()?, fork, L2_GAS_LIMIT, time);
        for (name, ether) in [("alice", 10), ("operator", 1)] {
            genesis.alloc.insert(Key::named(name).address(), rich(ether * ETHER));
        }
        let l2 = L2::new(L2_CHAIN, fork, &genesis)?;
        let mut config =
            RollupConfig { fee_percent: 0, ..RollupConfig::new(L2_CHAIN, fork.schema()) };
        config.forced.fee_percent = 1;
        config.forced.delay = FORCED_DELAY;
        let rollup = Rollup::deploy(&mut l1, artifacts, &operator, l2.chain().head(), &config)?;
        report.step(format!(
            "NativeRollup at {}, its message queue at {}",
            rollup.address, rollup.message_queue
        ));
        report.step("Alice has 10 ETH on L2".to_owned());
        Ok(Self { l1, l2, rollup, operator })
    }

    /// Sends 5 ETH from Alice on L1 to Charlie on L2.
    fn deposit(
        &mut self,
        alice: &Key,
        charlie: Address,
        report: &mut Report,
    ) -> Result<(Vec<Message>, Anchor, AnchorUpdate)> {
        let send = IL1MessageQueue::sendCall {
            to: charlie,
            refundTo: charlie,
            gasLimit: 21_000,
            fee: 0,
            data: Bytes::new(),
        };
        let sent =
            self.l1.transact(alice, self.rollup.message_queue, U256::from(5 * ETHER), &send)?;
        report.step(format!("Alice sends 5 ETH to Charlie on L2: {} L1 gas", sent.gas_used));
        let messages = self.rollup.messages_in(&sent.block);
        ensure!(messages.len() == 1, "{} messages", messages.len());
        let (anchor, update) = self.rollup.newest_anchor(&self.l1, 0)?;
        report.step(format!(
            "anchor {}: L1 block {} and {} message",
            anchor.hash(),
            anchor.l1_block_number,
            anchor.message_count
        ));
        Ok((messages, anchor, update))
    }

    fn seal(&self, anchor: B256, transactions: Vec<Transaction>) -> Result<BlockWithWitness> {
        self.seal_at(self.l2.chain().head().header.timestamp + 1, anchor, transactions)
    }

    fn seal_at(
        &self,
        time: u64,
        anchor: B256,
        transactions: Vec<Transaction>,
    ) -> Result<BlockWithWitness> {
        let (block, rejected) = self.l2.seal(time, anchor, transactions)?;
        ensure!(rejected.is_empty(), "left out: {rejected:?}");
        let failed = block.block.executed.receipts.iter().position(|receipt| !receipt.success);
        ensure!(failed.is_none(), "L2 transaction {failed:?} failed");
        Ok(block)
    }

    /// Advances L1 by one block, as a real transaction under the limits of mainnet.
    fn advance(
        &mut self,
        name: &str,
        block: &BlockWithWitness,
        updates: Vec<AnchorUpdate>,
        report: &mut Report,
    ) -> Result<Advanced> {
        let evidence = Evidence { updates, ..Default::default() };
        self.advance_with(name, block, evidence, report)
    }

    /// The same with any evidence.
    fn advance_with(
        &mut self,
        name: &str,
        block: &BlockWithWitness,
        evidence: Evidence,
        report: &mut Report,
    ) -> Result<Advanced> {
        let input = block.input()?;
        let witness_bytes = StatelessInput::decode(&input)?.witness.encoded_len();
        let gas = block.block.header.gas_used;
        let execute_gas = Scheduled::of(&input)?.sum();
        let sizes = Sizes { gas, witness_bytes, execute_gas };
        self.advance_by(name, input.into(), &sizes, evidence, report)
    }

    /// The same with the state in compact form, and the codes kept on L1.
    fn advance_compact(
        &mut self,
        name: &str,
        block: BlockWithWitness,
        report: &mut Report,
    ) -> Result<Advanced> {
        let gas = block.block.header.gas_used;
        let block = self.l2.append(block)?;
        let input = self.l2.chain().batch(vec![block])?.input()?;
        let witness = StatelessBatch::decode(&input)?.witness;
        let execute_gas = Scheduled::of(&input)?.sum();
        let sizes = Sizes { gas, witness_bytes: witness.encoded_len(), execute_gas };
        let codes = KeptCode::new(codes_in(&input).to_vec().into());
        let codes = codes.ok_or_eyre("more codes than an account keeps")?;
        let cost = self.l1.keep(&self.operator, &codes)?;
        let length = codes.bytes().len();
        report.step(format!("L1 keeps the codes of such a block, {length} bytes, for {cost} gas"));
        let short = shorten(&input, &[codes]).ok_or_eyre("the codes are not in the input")?;
        self.advance_by(name, short.bytes, &sizes, Evidence::default(), report)
    }

    /// Advances L1 by an input.
    fn advance_by(
        &mut self,
        name: &str,
        input: Bytes,
        sizes: &Sizes,
        evidence: Evidence,
        report: &mut Report,
    ) -> Result<Advanced> {
        let Sizes { gas, witness_bytes, execute_gas } = *sizes;
        let input_bytes = input.len();
        let call = INativeRollup::advanceCall { inputs: vec![input], evidence };
        let calldata = Bytes::from(call.abi_encode());
        let start = Instant::now();
        let to = self.rollup.address.into();
        let sent =
            self.l1.send(&self.operator, to, U256::ZERO, calldata.clone(), TRANSACTION_GAS_CAP)?;
        let ms = start.elapsed().as_secs_f64() * 1e3;
        ensure!(sent.receipt.success, "advance failed");
        if let Some(node) = self.l1.node() {
            let hash = *sent.block.transactions[0].hash();
            let measured = measure(node.client(), hash, TRANSACTION_GAS_CAP, &calldata)?;
            let (got, receipt) = (measured.execute, measured.receipt);
            ensure!(
                got == execute_gas,
                "EXECUTE took {got} gas, and the schedule says {execute_gas}"
            );
            ensure!(receipt == sent.gas_used, "traced {receipt} gas, used {}", sent.gas_used);
            report.step(format!("{name}, {}", measured.shown()));
        }
        // EIP-7623.
        let tokens = calldata.iter().map(|byte| if *byte == 0 { 1 } else { 4 }).sum::<u64>();
        Ok(Advanced {
            name: name.to_owned(),
            gas,
            witness_bytes,
            input_bytes,
            l1_gas: sent.gas_used,
            execute_gas,
            calldata_gas: 4 * tokens,
            floor_gas: 21_000 + 10 * tokens,
            ms,
        })
    }

    /// An account on L2 by proof against a root, checked by a verifier that is not ours.
    fn prove(&self, root: B256, address: Address) -> Result<TrieAccount> {
        let proof = self.l2.chain().prove(self.l2.chain().head(), address, &[])?;
        let account = proof.account.ok_or_eyre("no such account")?;
        let key = Nibbles::unpack(keccak256(address));
        verify_proof(root, key, Some(alloy_rlp::encode(account)), &proof.nodes)
            .map_err(|error| eyre!("proof of {address}: {error}"))?;
        Ok(account)
    }

    /// What the rollup's contract says on the node itself, to a client that follows nothing.
    fn ask_the_node(&self, report: &mut Report) -> Result<()> {
        let Some(node) = self.l1.node() else { return Ok(()) };
        let rollup = INativeRollup::new(self.rollup.address, node.client().provider().clone());
        let (head, hash, root) = node.client().wait(async move {
            let head = rollup.head().call().await?;
            let hash = rollup.blockHash().call().await?;
            Ok::<_, eyre::Report>((head, hash, rollup.stateRoot().call().await?))
        })?;
        let expected = self.l2.chain().head();
        ensure!(head.number == expected.header.number, "the node knows L2 block {}", head.number);
        ensure!(hash == expected.hash, "the node has another L2 block: {hash}");
        ensure!(root == expected.header.state_root, "the node has another state root: {root}");
        report.step("the devnet answers the same over JSON-RPC".to_owned());
        Ok(())
    }
}
