//! The rollup advances by transactions of type 0x05, which carry the witness outside the calldata.

use super::support::{ETHER, L2_CHAIN};
use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolCall as _;
use chain::{Block, BlockBuilder, ExecutedBlock, Replay, try_alone};
use codec::ExecuteTx;
use enshrine_contracts::{
    bindings::INativeRollup,
    code_reference::{CodeReference, codes_in, shorten},
};
use execute::{EXECUTE_ADDRESS, Execute};
use eyre::{OptionExt as _, Result, ensure};
use revm::{Inspector, interpreter::Interpreter};
use std::{cell::Cell, rc::Rc};
use testkit::{Key, L1, L2, Rollup, RollupFixture, Sent, TRANSACTION_GAS_CAP, execute_tx_calling};
use variants::{BLOB_EXECUTE_ADDRESS, DialectName, Dialects, ExecuteExtension};
use wire::ProtocolFork;

const DOCUMENT: &str = include_str!("../../../../../docs/dialects.md");

/// An L1 with all forms of EXECUTE that `NativeRollup` can call, and an L2 with a rollup for each
/// way to advance it.
struct RollupPerWay {
    l1: L1,
    l2: L2,
    rollups: [Rollup; 4],
    operator: Key,
}

/// A way to advance a rollup, and the index of its rollup in [`RollupPerWay`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The whole input in calldata.
    Calldata,
    /// A batch of one block in calldata, with a compact witness and references to code on L1.
    KeptCodes,
    /// The head of the input in the calldata of a transaction of type `0x05`, and the rest in its
    /// witness.
    Transaction,
    /// The head of the input in calldata, and the rest in blobs.
    Blobs,
}

impl Way {
    const ALL: [Self; 4] = [Self::Calldata, Self::KeptCodes, Self::Transaction, Self::Blobs];
}

fn dialects() -> Dialects {
    Dialects::usual(&[DialectName::Specs, DialectName::Blobs, DialectName::ExecuteTx])
}

impl RollupPerWay {
    fn new() -> Result<Self> {
        let operator = Key::named("operator");
        let fork = ProtocolFork::Osaka;
        let execute = Execute::on(fork);
        let mut l1 = L1::new(31_337, execute.clone(), &["operator", "alice"])?
            .with_dialects(execute, &dialects());
        let time = l1.chain().head().header.timestamp;
        let fixture = RollupFixture::new(L2_CHAIN, fork, time)?
            .gas_limit(10_000_000)
            .rich(["operator", "alice"], 10 * ETHER);
        let mut deploy = |way: Way| {
            let address = match way {
                Way::Transaction => ExecuteTx::PRECOMPILE,
                Way::Calldata | Way::KeptCodes | Way::Blobs => EXECUTE_ADDRESS,
            };
            fixture.clone().calling(address).deploy_in(&mut l1, &operator)
        };
        let [(l2, calldata), (_, kept), (_, transaction), (_, blobs)] = [
            deploy(Way::Calldata)?,
            deploy(Way::KeptCodes)?,
            deploy(Way::Transaction)?,
            deploy(Way::Blobs)?,
        ];
        Ok(Self { l1, l2, rollups: [calldata, kept, transaction, blobs], operator })
    }

    const fn rollup(&self, way: Way) -> Rollup {
        self.rollups[way as usize]
    }

    /// Appends a block with this many transfers, each of one wei to a new account.
    fn block_of(&mut self, transfers: u64) -> Result<ExecutedBlock> {
        let block = block_of(&self.l2, transfers)?;
        self.l2.append(block.clone())?;
        self.l1.skip(100);
        Ok(block)
    }

    /// Creates the transaction of type `0x05` that advances a rollup by a block.
    fn execute_tx(&self, block: &ExecutedBlock) -> Result<ExecuteTx> {
        execute_tx_calling(block, self.rollup(Way::Transaction).address.into(), advance)
    }

    /// Advances the rollup for this way by a block.
    fn advance(&mut self, way: Way, block: &ExecutedBlock) -> Result<Sent> {
        let (to, operator) = (self.rollup(way).address, self.operator.clone());
        let by_calldata = |l1: &mut L1, input: &[u8]| {
            l1.send(&operator, to.into(), U256::ZERO, advance(input), TRANSACTION_GAS_CAP)
        };
        let sent = match way {
            Way::Calldata => by_calldata(&mut self.l1, &block.input()?)?,
            Way::KeptCodes => {
                let known = self.l2.chain().block(&block.block.hash)?;
                let input = self.l2.chain().batch(vec![known])?.input()?;
                let codes = Bytes::copy_from_slice(codes_in(&input));
                let codes = CodeReference::new(codes).ok_or_eyre("codes are not long")?;
                self.l1.keep(&operator, &codes)?;
                let short = shorten(&input, &[codes]).ok_or_eyre("they are in the input")?;
                by_calldata(&mut self.l1, &short.bytes)?
            }
            Way::Transaction => {
                let tx = self.execute_tx(block)?;
                self.l1.send_execute_tx(&operator, tx)?
            }
            Way::Blobs => {
                let call = DialectName::Blobs.encode(&block.input()?)?;
                let (data, gas) = (advance(&call.calldata), TRANSACTION_GAS_CAP);
                self.l1.send_with_blobs(&operator, to, data, &call.blobs, gas)?
            }
        };
        let (head, number) = (self.rollup(way).head(&self.l1)?.number, block.block.header.number);
        ensure!(sent.receipt.success, "{way:?}: the rollup did not advance to block {number}");
        ensure!(head == number, "{way:?}: the head is block {head}, expected {number}");
        Ok(sent)
    }
}

/// Builds a block with this many transfers, each of one wei to a new account.
fn block_of(l2: &L2, transfers: u64) -> Result<ExecutedBlock> {
    let alice = Key::named("alice");
    let nonce = l2.chain().nonce(alice.address())?;
    let transfer = |index: u64| {
        alice.sign(TxEip1559 {
            chain_id: L2_CHAIN,
            nonce: nonce + index,
            gas_limit: 21_000,
            max_fee_per_gas: 100_000_000_000,
            to: Address::from_word(B256::from(U256::from(0x1_0000 + index))).into(),
            value: U256::ONE,
            ..TxEip1559::default()
        })
    };
    let transfers = (0..transfers).map(transfer).collect();
    Ok(l2.seal_all(l2.next_timestamp(), B256::ZERO, transfers)?)
}

/// Returns the calldata that advances the rollup by an input.
fn advance(input: &[u8]) -> Bytes {
    let inputs = vec![Bytes::copy_from_slice(input)];
    INativeRollup::advanceCall { inputs, evidence: Default::default() }.abi_encode().into()
}

/// Inspector that records the largest memory of any frame, in bytes.
#[derive(Debug, Clone, Default)]
struct Memory(Rc<Cell<usize>>);

impl<CTX> Inspector<CTX> for Memory {
    fn step_end(&mut self, interpreter: &mut Interpreter, _: &mut CTX) {
        self.0.set(self.0.get().max(interpreter.memory.len()));
    }
}

/// Returns the largest memory of any frame in the only transaction of a block, in bytes.
fn memory_of(l1: &L1, block: &Block) -> Result<usize> {
    let before = l1.chain().state_before(block)?.ok_or_eyre("it has a parent")?;
    let (mut state, memory) = (before.open(), Memory::default());
    let mut replay = Replay::new(&before, &mut state, block, memory.clone())?;
    let ran = replay.inspect(|_, _, _, _| Ok::<_, eyre::Report>(()))?;
    ran.ok_or_eyre("it has a transaction")?;
    Ok(memory.0.get())
}

/// Executes the transaction like the pool does on arrival, and builds the L1 block with it, which
/// must reuse the cached verdict.
fn assert_the_block_finds_the_verdict(devnet: &RollupPerWay, block: &ExecutedBlock) -> Result<()> {
    let offered = devnet.l1.execute_tx(&devnet.operator, devnet.execute_tx(block)?)?;
    let (state, header) = (devnet.l1.chain().state(), devnet.l1.next_header()?);
    let counts = || {
        let execute = devnet.l1.chain().config().extension::<ExecuteExtension>();
        execute.map(|execute| execute.verdicts.counts()).ok_or_eyre("there is EXECUTE")
    };
    let before = counts()?;
    try_alone(&state, &header, &offered.transaction, offered.sender)??;
    let admitted = counts()?;
    assert_eq!((admitted.misses, admitted.hits), (before.misses + 1, before.hits));
    let built = BlockBuilder::new(&state).build(&header, &[], [&offered])?;
    ensure!(built.rejected.is_empty(), "{:?}", built.rejected);
    assert_eq!((counts()?.misses, counts()?.hits), (admitted.misses, admitted.hits + 1));
    Ok(())
}

#[test]
fn block_advances_by_each_way_with_documented_gas() -> Result<()> {
    let document = DOCUMENT.replace(',', "");
    let mut missing = Vec::new();
    for transfers in [1, 50, 200] {
        let mut devnet = RollupPerWay::new()?;
        // The first block of a rollup initialises storage slots, which costs extra.
        let first = devnet.block_of(1)?;
        for way in Way::ALL {
            devnet.advance(way, &first)?;
        }
        let block = devnet.block_of(transfers)?;
        assert_the_block_finds_the_verdict(&devnet, &block)?;
        let (mut gas, mut memory) = ([0; 4], [0; 4]);
        for way in Way::ALL {
            let sent = devnet.advance(way, &block)?;
            gas[way as usize] = sent.gas_used;
            memory[way as usize] = memory_of(&devnet.l1, &sent.block)?;
        }
        let [calldata, kept, transaction, blobs] = gas;
        let name = if transfers == 1 { "1 transfer" } else { &format!("{transfers} transfers") };
        let shown = |figures: [u64; 4]| figures.map(|figure| figure.to_string()).join(" | ");
        for row in [
            format!("| {name} | {} |", shown(gas)),
            format!("| {name} | {} |", shown(memory.map(|bytes| bytes as u64))),
        ] {
            println!("{row}");
            if !document.contains(&row) {
                missing.push(row);
            }
        }
        assert!(transaction < calldata && kept < calldata && blobs < calldata, "{gas:?}");
        assert!(memory[Way::Transaction as usize] < memory[Way::Calldata as usize], "{memory:?}");
    }
    assert!(missing.is_empty(), "not in docs/dialects.md: {missing:#?}");
    Ok(())
}

#[test]
fn rollup_calls_configured_execute_address() -> Result<()> {
    let artifacts = testkit::Artifacts::load(&toolchain::progress_to_stderr)?;
    let rollup = artifacts.get("NativeRollup")?;
    assert_eq!(rollup.calling(EXECUTE_ADDRESS).as_ref(), Some(&rollup.init_code));
    let other = rollup.calling(ExecuteTx::PRECOMPILE).ok_or_eyre("it names EXECUTE once")?;
    let differing = other.iter().zip(&rollup.init_code).filter(|(a, b)| a != b).count();
    assert_eq!((other.len(), differing), (rollup.init_code.len(), 2));
    assert_eq!(rollup.calling(Address::repeat_byte(1)), None, "an address of 20 bytes");
    assert_eq!(artifacts.get("StateRootRollup")?.calling(BLOB_EXECUTE_ADDRESS), None);
    Ok(())
}

#[test]
fn attack_witness_of_another_block_is_rejected() -> Result<()> {
    let mut devnet = RollupPerWay::new()?;
    let block = devnet.block_of(1)?;
    let other = block_of(&devnet.l2, 1)?;
    let good = devnet.execute_tx(&block)?;
    let bad = ExecuteTx { witness: devnet.execute_tx(&other)?.witness, ..good.clone() };
    assert_ne!(bad.witness, good.witness);
    let operator = devnet.operator.clone();
    let sent = devnet.l1.send_execute_tx(&operator, bad)?;
    assert!(!sent.receipt.success);
    // The whole input in calldata is rejected too, outside a transaction of this type.
    let input = advance(&block.input()?);
    let (to, gas) = (devnet.rollup(Way::Transaction).address.into(), TRANSACTION_GAS_CAP);
    let sent = devnet.l1.send(&operator, to, U256::ZERO, input, gas)?;
    assert!(!sent.receipt.success);
    devnet.advance(Way::Transaction, &block)?;
    Ok(())
}
