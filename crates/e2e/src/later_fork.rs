//! A rollup without an owner follows L1 through a fork whose inputs have a layout that its contract
//! does not know.
//!
//! The fork is invented: `test/utils/LaterFork.sol`, in place of EXECUTE with headers, accepts the
//! inputs of Amsterdam with each bit after the schema id inverted, and passes them to the real
//! EXECUTE. The contracts are those of every other rollup.

use alloy_primitives::{Address, B256, Bytes, U256, address};
use alloy_sol_types::{SolCall as _, SolError};
use chain::{EditState as _, ExecutedBlock};
use contracts::{
    bindings::INativeRollup::{
        Evidence, ForkWentBack, SchemaNotSupported, advanceCall, schemaAtCall,
    },
    code_reference::PROXY,
};
use execute::Execute;
use eyre::{Result, ensure};
use localnet::{
    report::Report,
    units::{bytes, grouped},
};
use testkit::{Artifacts, ETHER, Key, L1, L2, Rollup, RollupFixture, Sent, TRANSACTION_GAS_CAP};
use toolchain::{Toolchain, progress_to_stderr};
use variants::{Dialects, Headers};
use wire::ProtocolFork;

const L1_CHAIN: u64 = 31_337;
const L2_CHAIN: u64 = 8_079;
/// Address of the real EXECUTE with headers (`LaterFork.REAL`).
const REAL: Address = address!("000000000000000000000000000000000000e105");
/// Schema ids of the known forks.
const PRAGUE: u16 = 0x1101;
const AMSTERDAM: u16 = 0x1501;
/// Schema id of the invented fork: the one after Amsterdam.
const LATER: u16 = 0x1601;

/// An L1 that has the invented fork, and an L2 without an owner.
struct World {
    l1: L1,
    l2: L2,
    rollup: Rollup,
    operator: Key,
}

/// Runs this part.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    report.part("A fork that the contracts do not know");
    let mut world = World::create(report)?;
    world.advance_in_place(report)?;
    world.cross(report)
}

impl World {
    fn create(report: &mut Report) -> Result<Self> {
        let operator = Key::named("operator");
        let names = ["operator"];
        let fork = ProtocolFork::Amsterdam;
        let execute = Execute::on(fork);
        let dialects: Dialects = format!("specs,headers@{REAL}").parse()?;
        let l1 = L1::on(fork, L1_CHAIN, execute.clone(), &names)?;
        let mut l1 = l1.with_dialects(execute, &dialects);
        let time = l1.chain().head().header.timestamp;
        let fixture = RollupFixture::new(L2_CHAIN, fork, time)?;
        let fixture = fixture.gas_limit(10_000_000).rich(names, ETHER);
        let (l2, rollup) = fixture.deploy_in(&mut l1, &operator)?;
        let schema = l1.read(rollup.address, &schemaAtCall { timestamp: time })?;
        ensure!(schema == AMSTERDAM, "it starts at {schema:#06x}");
        report.built(format!(
            "an L1 with EXECUTE, and a NativeRollup at Amsterdam without an owner ({})",
            rollup.address
        ));
        Ok(Self { l1, l2, rollup, operator })
    }

    fn block(&mut self) -> Result<ExecutedBlock> {
        let payee = Key::named("payee").address();
        let transfer =
            self.l2.sign(&self.operator, payee.into(), U256::ONE, Bytes::new(), 21_000)?;
        let time = self.l2.chain().head().header.timestamp + 1;
        let (block, rejected) = self.l2.seal(time, B256::ZERO, vec![transfer])?;
        ensure!(rejected.is_empty(), "not included: {rejected:?}");
        Ok(block)
    }

    fn advance(&mut self, input: Vec<u8>) -> Result<Sent> {
        let (to, data) = (self.rollup.address.into(), advance(input));
        Ok(self.l1.send(&self.operator, to, U256::ZERO, data, TRANSACTION_GAS_CAP)?)
    }

    /// Checks that L1 rejects an input with this error.
    fn refuse(&self, what: &str, input: Vec<u8>, expected: &impl SolError) -> Result<()> {
        let (from, to) = (self.operator.address(), self.rollup.address);
        let answer = self.l1.try_call(from, to, U256::ZERO, advance(input))?;
        ensure!(!answer.success, "{what}: accepted");
        ensure!(answer.output == expected.abi_encode(), "{what}: {}", answer.output);
        Ok(())
    }

    /// Advances by a block of Amsterdam.
    fn advance_in_place(&mut self, report: &mut Report) -> Result<()> {
        let block = self.block()?;
        let sent = self.advance(block.input()?)?;
        ensure!(sent.receipt.success, "L1 rejects a block of Amsterdam");
        report.shown(format!(
            "a block of Amsterdam, read in place, for {} L1 gas",
            grouped(sent.gas_used)
        ));
        self.l2.append(block)?;
        Ok(())
    }

    /// Has L1 fork, and advances by blocks of the fork. None is accepted before.
    fn cross(&mut self, report: &mut Report) -> Result<()> {
        let block = self.block()?;
        let input = later(&block.input()?);
        let what = "a block of the fork, before L1 has it";
        let expected = SchemaNotSupported { got: LATER, earliest: PRAGUE, latest: AMSTERDAM };
        self.refuse(what, input.clone(), &expected)?;
        report.refused(what.to_owned());

        self.fork()?;
        let sent = self.advance(input.clone())?;
        ensure!(sent.receipt.success, "L1 rejects a block of the fork");
        let number = self.rollup.head(&self.l1)?.number;
        ensure!(number == block.block.header.number, "the head is block {number}");
        self.l2.append(block)?;
        report.survived(format!(
            "L1 forks to a layout in which no field is where the contract would read it; the next block ({}) advances \
             the rollup for {} L1 gas, most of it for the contract in place of the fork, and nobody has changed the rollup",
            bytes(input.len()),
            grouped(sent.gas_used),
        ));

        let block = self.block()?;
        let what = "a block by the rules of Amsterdam, after one of the fork";
        self.refuse(what, block.input()?, &ForkWentBack { got: AMSTERDAM, current: LATER })?;
        report.refused(what.to_owned());
        let sent = self.advance(later(&block.input()?))?;
        ensure!(sent.receipt.success, "L1 rejects the second block of the fork");
        self.l2.append(block)?;
        Ok(())
    }

    /// Installs the fork, and deploys the reader of headers as anyone can.
    fn fork(&mut self) -> Result<()> {
        let toolchain = Toolchain::ensure(&progress_to_stderr)?;
        let files = Artifacts::compile_files(&toolchain, &["test/utils/LaterFork.sol"])?;
        let code = files.get("LaterFork")?.runtime_code.clone();
        self.l1.edit(|state| state.set_code(Headers::ADDRESS, code))?;
        let artifacts = Artifacts::load(&progress_to_stderr)?;
        let reader = &artifacts.get("HeaderReader")?.init_code;
        let data = [B256::ZERO.as_slice(), reader].concat().into();
        let sent =
            self.l1.send(&self.operator, PROXY.into(), U256::ZERO, data, TRANSACTION_GAS_CAP)?;
        ensure!(sent.receipt.success, "the reader of headers cannot be deployed");
        Ok(())
    }
}

fn advance(input: Vec<u8>) -> Bytes {
    advanceCall { inputs: vec![input.into()], evidence: Evidence::default() }.abi_encode().into()
}

/// Returns the input of the invented fork for one of Amsterdam.
fn later(input: &[u8]) -> Vec<u8> {
    let inverted = input[2..].iter().map(|byte| !byte);
    LATER.to_be_bytes().into_iter().chain(inverted).collect()
}
