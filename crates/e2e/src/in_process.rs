//! A rollup in process: from a deposit on L1 to an L2 balance that is proven against the state root
//! on L1.

mod dialects;
pub(crate) mod forgeries;

use self::{
    dialects::advance_in_drakes_form,
    forgeries::{force, refuse_forgeries},
};
use crate::gas::{Scheduled, measure};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex, keccak256};
use alloy_sol_types::SolCall;
use alloy_trie::{Nibbles, TrieAccount, proof::verify_proof};
use chain::ExecutedBlock;
use contracts::{
    Anchor, Message,
    bindings::{
        IL1MessageQueue,
        INativeRollup::{self, AnchorUpdate, Evidence},
    },
    code_reference::{CodeReference, codes_in, shorten},
};
use execute::{Execute, ExecutionSpecs};
use eyre::{OptionExt, Result, ensure, eyre};
use std::{sync::Arc, thread, time::Instant};
use testkit::localnet::{
    devnet,
    report::{Advanced, Report},
    scripts::Scripts,
    units::grouped,
};
use testkit::{
    Artifacts, ETHER, InProcessRollup, Key, RollupFixture, TRANSACTION_GAS_CAP, Transaction,
};
use variants::{DialectName, Dialects, Drake};
use wire::{ProtocolFork, StatelessBatch, StatelessInput};

const L1_CHAIN: u64 = 31_337;
const L2_CHAIN: u64 = 8_079;
/// Gas limit of an L2 block. The L1 transaction needs this much for EXECUTE, and gas for its
/// calldata with the witness, under the cap of EIP-7825.
const L2_GAS_LIMIT: u64 = 10_000_000;
/// Init code of a contract that returns 42 for any call.
const ANSWERER: &[u8] = &hex!("67 602a5f5260205ff3 5f52 6008 6018 f3");
/// Runtime code that [`ANSWERER`] deploys.
const ANSWERER_CODE: &[u8] = &hex!("602a5f5260205ff3");

/// Delay in seconds after which a block must include a forced transaction. It exceeds the maximum
/// lag of a block.
const FORCED_DELAY: u64 = 2 * 3_600;

/// Maximum L1 gas of a block with one transfer in calldata, on an L2 with a few accounts.
const ONE_TRANSFER: u64 = 165_000;

/// Sizes and charges of an input, computed before it is sent to L1.
struct Sizes {
    /// Gas used by the L2 block.
    gas: u64,
    witness_bytes: usize,
    /// Gas that EXECUTE charges by its schedule.
    execute_gas: u64,
}

pub(crate) fn run(in_process: bool, report: &mut Report) -> Result<()> {
    report.part("An L1 with EXECUTE and a rollup");
    let mut rollup = create(in_process, report)?;
    let (alice, bob, charlie) = (Key::named("alice"), Key::named("bob"), Key::named("charlie"));

    report.part("A deposit and the L2 block that relays it");
    let (messages, anchor, update) = deposit(&mut rollup, &alice, charlie.address(), report)?;
    let operator = rollup.operator.clone();
    let to_bob = U256::from(ETHER);
    let contract = alice.address().create(1);
    let transactions = vec![
        rollup.l2.prove_anchor(&operator, &anchor)?,
        rollup.l2.relay(&operator, &messages, operator.address())?,
        rollup.l2.sign(&alice, bob.address().into(), to_bob, Bytes::new(), 21_000)?,
        rollup.l2.sign(&alice, TxKind::Create, U256::ZERO, ANSWERER.into(), 200_000)?,
        rollup.l2.sign(&alice, contract.into(), U256::ZERO, Bytes::new(), 50_000)?,
    ];
    let block = seal(&rollup, anchor.hash(), transactions)?;
    report.built(format!(
        "L2 block {} has {} transactions and {} gas: it relays the deposit, Alice pays Bob 1 ETH, \
         deploys a contract and calls it",
        block.block.header.number,
        block.block.transactions.len(),
        grouped(block.block.header.gas_used),
    ));

    let before = rollup.contracts.head(&rollup.l1)?.number;
    let advanced =
        advance(&mut rollup, "deposit, transfer, contract", &block, vec![update], report)?;
    ensure!(advanced.l1_gas <= TRANSACTION_GAS_CAP, "EIP-7825");
    ensure!(rollup.contracts.head(&rollup.l1)?.number == before + 1, "the head has not moved");
    report.shown(format!(
        "L1 verified the block in one transaction of {} gas, under the cap of {} (EIP-7825)",
        grouped(advanced.l1_gas),
        grouped(TRANSACTION_GAS_CAP),
    ));
    report.advanced.push(advanced);

    report.part("L2 state proven against L1");
    rollup.l2.append(block.clone())?;
    let root = rollup.l1.read(rollup.contracts.address, &INativeRollup::stateRootCall {})?;
    ensure!(root == block.block.header.state_root, "L1 has another state root");
    ask_the_node(&rollup, report)?;
    for (name, key, expected) in
        [("Bob", &bob, to_bob), ("Charlie", &charlie, U256::from(5 * ETHER))]
    {
        let account = prove(&rollup, root, key.address())?;
        ensure!(account.balance == expected, "{name} has {}", account.balance);
        report.shown(format!(
            "{name} has {} ETH on L2, proven against the state root on L1",
            account.balance / U256::from(ETHER)
        ));
    }
    let alice_now = prove(&rollup, root, alice.address())?;
    ensure!(alice_now.balance < U256::from(9 * ETHER), "Alice paid Bob and her fees");
    ensure!(
        prove(&rollup, root, contract)?.code_hash == keccak256(ANSWERER_CODE),
        "another contract"
    );
    report.shown("Alice's contract has the code that she deployed, by proof".to_owned());

    report.part("Forged blocks");
    refuse_forgeries(&mut rollup, &alice, anchor.hash(), report)?;

    report.part("The next blocks");
    let anchor = anchor.hash();
    let transfer = rollup.l2.sign(&alice, bob.address().into(), to_bob, Bytes::new(), 21_000)?;
    let block = seal(&rollup, anchor, vec![transfer])?;
    let advanced = advance(&mut rollup, "one transfer", &block, vec![], report)?;
    let whole = advanced.l1_gas;
    report.advanced.push(advanced);
    advance_in_drakes_form(&mut rollup, root, &block, whole, report)?;
    rollup.l2.append(block)?;
    report.shown(format!(
        "L1 accepts the honest block: the rollup's head is block {}",
        rollup.contracts.head(&rollup.l1)?.number
    ));

    let transfer = rollup.l2.sign(&alice, bob.address().into(), to_bob, Bytes::new(), 21_000)?;
    let block = seal(&rollup, anchor, vec![transfer])?;
    let advanced = advance_compact(&mut rollup, "one transfer, compact", block, report)?;
    report.shown(format!(
        "a block with one transfer costs {} L1 gas instead of {} with a compact witness and contract codes \
         stored on L1",
        grouped(advanced.l1_gas),
        grouped(whole),
    ));
    ensure!(advanced.l1_gas <= ONE_TRANSFER, "one transfer takes more than {ONE_TRANSFER} L1 gas");
    report.advanced.push(advanced);

    report.part("A forced transaction and a block that omits it");
    force(&mut rollup, &alice, bob.address(), anchor, report)
}

fn create(in_process: bool, report: &mut Report) -> Result<InProcessRollup> {
    // cargo does not need the tools, and takes longer than their installation.
    let binary = (!in_process).then(|| thread::spawn(devnet::build));
    report.doing("fetching tools and compiling the contracts, the first time");
    Artifacts::load(&toolchain::progress_to_stderr)?;
    report.built("contracts compiled".to_owned());
    if let Some(binary) = binary {
        // cargo's last steps do not use all cores.
        report.doing("compiling the scripts that deploy a rollup, the first time");
        Scripts::compile(&["Deploy", "Operate"])?;
        report.doing("building the enshrine binary, if it is not built yet");
        binary.join().map_err(|_| eyre!("the build of the enshrine binary panicked"))??;
    }
    let operator = Key::named("operator");
    let names = ["operator", "alice"];
    let execute =
        Execute { dialects: vec![Arc::new(ExecutionSpecs), Arc::new(Drake)], ..Execute::default() };
    let dialects = Dialects::usual(&[DialectName::Specs, DialectName::Drake]);
    let l1 = devnet::l1(in_process, L1_CHAIN, execute, &dialects, &names)?;
    if let Some(devnet) = l1.node() {
        report.built(format!("devnet listens at {}", devnet.client().url()));
    }
    let time = l1.chain().head().header.timestamp;
    let fixture = RollupFixture::new(L2_CHAIN, ProtocolFork::Osaka, time)?
        .gas_limit(L2_GAS_LIMIT)
        .rich(["alice"], 10 * ETHER)
        .rich(["operator"], ETHER)
        .with(|config| config.forced.delay = FORCED_DELAY);
    let rollup = fixture.deploy_on(l1, operator)?;
    report.built(format!(
        "NativeRollup deployed at {}, its message queue at {}",
        rollup.contracts.address, rollup.contracts.message_queue
    ));
    report.built("Alice has 10 ETH on L2 from genesis".to_owned());
    Ok(rollup)
}

/// Deposits 5 ETH from Alice on L1 for Charlie on L2.
fn deposit(
    rollup: &mut InProcessRollup,
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
        rollup.l1.transact(alice, rollup.contracts.message_queue, U256::from(5 * ETHER), &send)?;
    let gas = grouped(sent.gas_used);
    report.built(format!("Alice deposits 5 ETH on L1 for Charlie on L2, for {gas} L1 gas"));
    let messages = rollup.contracts.messages_in(&sent.block);
    ensure!(messages.len() == 1, "{} messages", messages.len());
    let (anchor, update) = rollup.contracts.newest_anchor(&rollup.l1, 0)?;
    report.built(format!(
        "anchor {} commits to L1 block {} and {} message",
        anchor.hash(),
        anchor.l1_block_number,
        anchor.message_count
    ));
    Ok((messages, anchor, update))
}

fn seal(
    rollup: &InProcessRollup,
    anchor: B256,
    transactions: Vec<Transaction>,
) -> Result<ExecutedBlock> {
    Ok(rollup.l2.seal_successes(rollup.l2.next_timestamp(), anchor, transactions)?)
}

/// Advances the rollup by one block, in an L1 transaction under mainnet's limits.
fn advance(
    rollup: &mut InProcessRollup,
    name: &str,
    block: &ExecutedBlock,
    updates: Vec<AnchorUpdate>,
    report: &mut Report,
) -> Result<Advanced> {
    let evidence = Evidence { updates, ..Default::default() };
    advance_with(rollup, name, block, evidence, report)
}

/// Advances the rollup by one block with this evidence.
fn advance_with(
    rollup: &mut InProcessRollup,
    name: &str,
    block: &ExecutedBlock,
    evidence: Evidence,
    report: &mut Report,
) -> Result<Advanced> {
    let input = block.input()?;
    let witness_bytes = StatelessInput::decode(&input)?.witness.encoded_len();
    let gas = block.block.header.gas_used;
    let execute_gas = Scheduled::of(&input)?.sum();
    let sizes = Sizes { gas, witness_bytes, execute_gas };
    advance_by(rollup, name, input.into(), &sizes, evidence, report)
}

/// Advances the rollup by one block with a compact witness and contract codes stored on L1.
fn advance_compact(
    rollup: &mut InProcessRollup,
    name: &str,
    block: ExecutedBlock,
    report: &mut Report,
) -> Result<Advanced> {
    let gas = block.block.header.gas_used;
    let block = rollup.l2.append(block)?;
    let input = rollup.l2.chain().batch(vec![block])?.input()?;
    let witness = StatelessBatch::decode(&input)?.witness;
    let execute_gas = Scheduled::of(&input)?.sum();
    let sizes = Sizes { gas, witness_bytes: witness.encoded_len(), execute_gas };
    let codes = CodeReference::new(codes_in(&input).to_vec().into());
    let codes = codes.ok_or_eyre("more codes than fit into an account")?;
    let cost = rollup.l1.keep(&rollup.operator, &codes)?;
    let length = codes.bytes().len();
    report.built(format!(
        "L1 stores the contract codes of such a block, {} bytes, for {} gas",
        grouped(length as u64),
        grouped(cost)
    ));
    let short = shorten(&input, &[codes]).ok_or_eyre("the codes are not in the input")?;
    advance_by(rollup, name, short.bytes, &sizes, Evidence::default(), report)
}

/// Sends an EXECUTE input to the rollup and checks the transaction's gas.
fn advance_by(
    rollup: &mut InProcessRollup,
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
    let to = rollup.contracts.address.into();
    let sent =
        rollup.l1.send(&rollup.operator, to, U256::ZERO, calldata.clone(), TRANSACTION_GAS_CAP)?;
    let ms = start.elapsed().as_secs_f64() * 1e3;
    ensure!(sent.receipt.success, "advance failed");
    if let Some(node) = rollup.l1.node() {
        let hash = *sent.block.transactions[0].hash();
        let measured = measure(node.client(), hash, TRANSACTION_GAS_CAP, &calldata)?;
        let (got, receipt) = (measured.execute, measured.receipt);
        ensure!(
            got == execute_gas,
            "EXECUTE charged {got} gas, expected {execute_gas} by the schedule"
        );
        ensure!(receipt == sent.gas_used, "traced {receipt} gas, used {}", sent.gas_used);
        report.shown(format!("{name}: {}", measured.shown()));
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

/// Proves an L2 account against a state root, with alloy's verifier.
fn prove(rollup: &InProcessRollup, root: B256, address: Address) -> Result<TrieAccount> {
    let proof = rollup.l2.prove(address, &[])?;
    let account = proof.account.ok_or_eyre("no such account")?;
    let key = Nibbles::unpack(keccak256(address));
    verify_proof(root, key, Some(alloy_rlp::encode(account)), &proof.nodes)
        .map_err(|error| eyre!("proof of {address}: {error}"))?;
    Ok(account)
}

/// Checks that the devnet reports the same rollup head over JSON-RPC.
fn ask_the_node(rollup: &InProcessRollup, report: &mut Report) -> Result<()> {
    let Some(node) = rollup.l1.node() else { return Ok(()) };
    let contract = INativeRollup::new(rollup.contracts.address, node.client().provider().clone());
    let (head, hash, root) = node.client().wait(async move {
        let head = contract.head().call().await?;
        let hash = contract.blockHash().call().await?;
        Ok::<_, eyre::Report>((head, hash, contract.stateRoot().call().await?))
    })?;
    let expected = rollup.l2.chain().head();
    ensure!(head.number == expected.header.number, "the node knows L2 block {}", head.number);
    ensure!(hash == expected.hash, "the node has another L2 block: {hash}");
    ensure!(root == expected.header.state_root, "the node has another state root: {root}");
    report.shown("the devnet returns the same head over JSON-RPC".to_owned());
    Ok(())
}
