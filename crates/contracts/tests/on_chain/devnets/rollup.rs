//! A devnet node as L1, a rollup on it, and an L2 with many accounts.

use super::duty::Duty;
use alloy_consensus::TxEip1559;
use alloy_eips::Encodable2718;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::SolCall;
use chain::ExecutedBlock;
use enshrine_contracts::{bindings::INativeRollup, capacity};
use execute::Execute;
use eyre::{Result, ensure};
use std::{fs, process::Command};
use testkit::{
    ETHER, HarnessError, Key, L1, L2, NodeProcess, Rollup, RollupFixture, TRANSACTION_GAS_CAP,
    Transaction, enshrine, rich,
};
use variants::GasSchedule;
use wire::{ProtocolFork, StatelessInput};

const L1_CHAIN: u64 = 31_337;
const L2_CHAIN: u64 = 8_079;
const L2_GAS_LIMIT: u64 = 12_000_000;
/// Number of accounts of the L2 besides those that send transactions; trie paths have five nodes.
const ACCOUNTS: u64 = 20_000;
/// Maximum size of a transaction in public pools, in bytes.
const POOL_BYTES: usize = 128 * 1024;
/// Code sizes of contracts whose calls fill up a block, because the witness contains their code.
const BALLAST: [usize; 9] = [16_384, 16_384, 16_384, 16_384, 16_384, 8_192, 4_096, 2_048, 1_024];

/// Names of accounts with ether on both chains.
pub(crate) const SENDERS: [&str; 3] = ["alice", "carol", "dave"];

/// Both chains and the rollup.
pub(crate) struct DevnetRollup {
    fork: ProtocolFork,
    pub(crate) l1: L1,
    pub(crate) l2: L2,
    pub(crate) rollup: Rollup,
    pub(crate) operator: Key,
}

impl DevnetRollup {
    /// Starts a devnet with default flags, and a rollup whose L2 has the fork of its L1.
    pub(crate) fn new(fork: ProtocolFork) -> Result<Self> {
        let names = [&["operator"][..], &SENDERS].concat();
        let file = tempfile::NamedTempFile::new()?;
        let genesis = L1::genesis(fork, L1_CHAIN, &names);
        fs::write(file.path(), serde_json::to_vec(&genesis)?)?;
        let mut command = Command::new(enshrine()?);
        command
            .args(["devnet", "--silent", "--mainnet", "--accounts", "0", "--init"])
            .arg(file.path());
        let node = NodeProcess::start(&mut command)?;
        let mut l1 = L1::behind(fork, node, L1_CHAIN, Execute::on(fork), &names)?;

        let time = l1.chain().head().header.timestamp;
        let people =
            (0..ACCOUNTS).map(|index: u64| Address::from_word(keccak256(index.to_be_bytes())));
        let ballast = BALLAST.into_iter().enumerate();
        let fixture = RollupFixture::new(L2_CHAIN, fork, time)?
            .gas_limit(L2_GAS_LIMIT)
            .rich(names, 1_000 * ETHER)
            .accounts(people.map(|address| (address, rich(1))))
            .accounts(ballast.map(|(place, length)| (self::ballast(place), filler(place, length))))
            .with(|config| {
                config.forced.max_gas = capacity::DUTY_GAS;
                config.forced.max_bounded_gas = capacity::DUTY_GAS;
            });
        let operator = Key::named("operator");
        let (l2, rollup) = fixture.deploy_in(&mut l1, &operator)?;
        Ok(Self { fork, l1, l2, rollup, operator })
    }

    /// Advances L1's time and mines a block.
    pub(crate) fn pass(&mut self, seconds: u64) -> Result<()> {
        self.l1.skip(seconds);
        let operator = self.operator.clone();
        self.l1.send(&operator, operator.address().into(), U256::ZERO, Bytes::new(), 21_000)?;
        Ok(())
    }

    /// Advances by a block that fulfils the duty and is filled up to the size limit of the pool,
    /// and checks that the pool rejects a slightly larger one.
    pub(crate) fn advance_by_the_largest(&mut self, duty: &Duty) -> Result<()> {
        let (_, call) = self.block(duty, &[], 0)?;
        let minimum = self.transaction(&call)?.encode_2718_len();
        let (mut chosen, mut length) = (Vec::new(), minimum);
        for place in 0..BALLAST.len() {
            chosen.push(place);
            let (_, larger) = self.block(duty, &chosen, 0)?;
            let larger = self.transaction(&larger)?.encode_2718_len();
            if larger < POOL_BYTES {
                length = larger;
            } else {
                chosen.pop();
            }
        }
        let (block, call) = self.block(duty, &chosen, POOL_BYTES.saturating_sub(length + 64))?;
        let length = self.transaction(&call)?.encode_2718_len();
        ensure!(
            (POOL_BYTES - 200..=POOL_BYTES).contains(&length),
            "{length} bytes are not the most that a pool takes"
        );
        self.assert_nothing_is_dear(&block)?;

        let mut longer = call.clone();
        longer.inputs.push(vec![0xff; POOL_BYTES - length].into());
        let refused = self.send(&longer);
        assert!(matches!(refused, Err(HarnessError::Client(_))), "{refused:?}");

        let gas_used = self.send(&call)?;
        let (number, gas) = (block.block.header.number, block.block.header.gas_used);
        assert_eq!(self.rollup.head(&self.l1)?.number, number);
        println!(
            "{:?}: {length} bytes, {minimum} without ballast, {gas} L2 gas: {gas_used} L1 gas",
            self.fork
        );
        Ok(())
    }

    /// Builds a block that fulfils a duty, calls some of the ballast contracts and has this many
    /// bytes of further calldata, and returns it with the call that advances by it.
    fn block(
        &mut self,
        duty: &Duty,
        chosen: &[usize],
        more: usize,
    ) -> Result<(ExecutedBlock, INativeRollup::advanceCall)> {
        self.l2.forget_pending();
        let operator = self.operator.clone();
        let mut transactions = duty.transactions(&mut self.l2, &operator)?;
        for place in chosen {
            let to = ballast(*place).into();
            transactions.push(self.l2.sign(&operator, to, U256::ZERO, Bytes::new(), 40_000)?);
        }
        let (to, data) = (operator.address().into(), vec![0xff; more].into());
        transactions.push(self.l2.sign(&operator, to, U256::ZERO, data, 300_000)?);
        let time = self.l1.chain().head().header.timestamp;
        let block = self.l2.seal_successes(time, duty.anchor(), transactions)?;
        let mut after = self.l2.detached();
        after.append(block.clone())?;
        let evidence = duty.evidence_after(&after)?;
        let inputs = vec![block.input()?.into()];
        Ok((block, INativeRollup::advanceCall { inputs, evidence }))
    }

    /// Signs the transaction that makes the call.
    fn transaction(&self, call: &INativeRollup::advanceCall) -> Result<Transaction> {
        Ok(self.operator.sign(TxEip1559 {
            chain_id: L1_CHAIN,
            nonce: self.l1.chain().nonce(self.operator.address())?,
            gas_limit: TRANSACTION_GAS_CAP,
            max_fee_per_gas: 100_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            to: self.rollup.address.into(),
            input: call.abi_encode().into(),
            ..Default::default()
        }))
    }

    /// Includes the call in a block through the node's pool, and returns the gas used. The call has
    /// to succeed.
    fn send(&mut self, call: &INativeRollup::advanceCall) -> Result<u64, HarnessError> {
        let (operator, to) = (self.operator.clone(), self.rollup.address);
        let data = call.abi_encode().into();
        let sent = self.l1.send(&operator, to.into(), U256::ZERO, data, TRANSACTION_GAS_CAP)?;
        assert!(sent.receipt.success, "{} gas used", sent.gas_used);
        Ok(sent.gas_used)
    }

    /// Checks that EXECUTE charges a duty only for its share of the input and for its L2 gas.
    fn assert_nothing_is_dear(&self, block: &ExecutedBlock) -> Result<()> {
        let calldata = block.input()?;
        let input = StatelessInput::decode(&calldata)?;
        let declared = variants::declared_of_input(calldata.len(), &input);
        let executed = Execute::on(self.fork).run(&calldata, u64::MAX)?;
        let used = input.request.payload.gas_used;
        assert_eq!(executed.gas, GasSchedule::DEFAULT.charge(&declared, used));
        Ok(())
    }
}

fn ballast(place: usize) -> Address {
    Address::with_last_byte(place as u8).create(8_079)
}

/// Returns a contract of `length` bytes that stops immediately: only its first byte is zero. No two
/// such contracts are equal.
fn filler(place: usize, length: usize) -> GenesisAccount {
    let word =
        |number: u64| keccak256([(place as u64).to_be_bytes(), number.to_be_bytes()].concat());
    let noise = (0..).flat_map(|number| word(number).0);
    let mut code: Vec<u8> = noise.map(|byte| byte | 1).take(length).collect();
    code[0] = 0;
    GenesisAccount { nonce: Some(1), code: Some(code.into()), ..Default::default() }
}

/// The anchor of the genesis, which refers to no L1 block.
pub(crate) const NO_ANCHOR: B256 = B256::ZERO;
