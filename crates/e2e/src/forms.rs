//! More forms of EXECUTE: a witness in a separate field of the transaction, return data with
//! headers, and blocks as in the EIP-8079 draft.

use alloy_consensus::{Header, TxEip1559};
use alloy_primitives::{B256, Bytes, U256, keccak256};
use alloy_sol_types::SolCall as _;
use chain::ExecutedBlock;
use codec::ExecuteTx;
use contracts::bindings::INativeRollup::{self, Evidence};
use execute::Execute;
use eyre::{OptionExt as _, Result, bail, ensure};
use testkit::localnet::{
    devnet,
    report::Report,
    units::{bytes, grouped},
};
use testkit::{
    DraftL2, ETHER, Key, L1, L2, Rollup, RollupFixture, TRANSACTION_GAS_CAP, draft_resealed,
    execute_tx_calling, resealed, rich_genesis,
};
use variants::{DialectName, Dialects, Draft8079, DraftBlock, Headers};
use wire::ProtocolFork;

const L1_CHAIN: u64 = 31_337;
const L2_CHAIN: u64 = 8_079;
/// Chain whose blocks follow the draft.
const DRAFT_CHAIN: u64 = 80_790;
/// Number of transfers in the L2 block.
const TRANSFERS: u64 = 20;
/// Number of transfers in the draft block.
const DRAFT_TRANSFERS: u64 = 3;

/// An L2 with two rollup contracts on L1.
struct TwoRollups {
    l1: L1,
    l2: L2,
    /// Rollup contract that calls EXECUTE with the whole input.
    by_calldata: Rollup,
    /// Rollup contract that calls EXECUTE at its address for transactions of type `0x05`.
    by_transaction: Rollup,
    operator: Key,
}

/// Runs this part.
pub(crate) fn run(in_process: bool, report: &mut Report) -> Result<()> {
    report.part("More forms of EXECUTE");
    let mut rollups = TwoRollups::create(in_process, report)?;
    rollups.advance_by_transaction(report)?;
    rollups.return_headers(report)?;
    rollups.verify_draft_block(report)
}

impl TwoRollups {
    fn create(in_process: bool, report: &mut Report) -> Result<Self> {
        let operator = Key::named("operator");
        let names = ["operator"];
        let execute = Execute::default();
        let dialects = Dialects::usual(&[
            DialectName::Specs,
            DialectName::Draft8079,
            DialectName::ExecuteTx,
            DialectName::Headers,
        ]);
        let l1 = devnet::l1(in_process, L1_CHAIN, execute.clone(), &dialects, &names)?;
        let mut l1 = l1.with_dialects(execute, &dialects);
        let time = l1.chain().head().header.timestamp;
        let fixture = RollupFixture::new(L2_CHAIN, ProtocolFork::Osaka, time)?
            .gas_limit(10_000_000)
            .rich(names, ETHER);
        let (l2, by_calldata) = fixture.clone().deploy_in(&mut l1, &operator)?;
        let other = fixture.calling(ExecuteTx::PRECOMPILE);
        let (_, by_transaction) = other.deploy_in(&mut l1, &operator)?;
        report.built(format!(
            "an L1 with EXECUTE as {dialects}, and two NativeRollups of one L2: {} calls EXECUTE at 0x0101, {} at 0x12",
            by_calldata.address, by_transaction.address,
        ));
        Ok(Self { l1, l2, by_calldata, by_transaction, operator })
    }

    /// Advances both rollups by the same block: one by calldata, and the other by a transaction of
    /// type `0x05`, after one whose fields do not match the block is rejected.
    fn advance_by_transaction(&mut self, report: &mut Report) -> Result<()> {
        let block = self.block()?;
        let by_calldata = {
            let to = self.by_calldata.address.into();
            let call = advance(&block.input()?);
            self.l1.send(&self.operator, to, U256::ZERO, call, TRANSACTION_GAS_CAP)?
        };
        ensure!(by_calldata.receipt.success, "L1 rejects the block in calldata");

        let to = self.by_transaction.address.into();
        let tx = execute_tx_calling(&block, to, advance)?;
        let witness = bytes(tx.witness.len());
        let forged = ExecuteTx { pre_state_root: B256::repeat_byte(0xee), ..tx.clone() };
        let sent = self.l1.send_execute_tx(&self.operator, forged)?;
        ensure!(!sent.receipt.success, "L1 accepts a transaction with another state root");
        ensure!(self.by_transaction.head(&self.l1)?.number == 0, "the head has moved");
        report.refused("a transaction of type 0x05 that names another state root".to_owned());
        let sent = self.l1.send_execute_tx(&self.operator, tx)?;
        ensure!(sent.receipt.success, "L1 rejects the block in a transaction of type 0x05");
        for rollup in [&self.by_calldata, &self.by_transaction] {
            let head = rollup.head(&self.l1)?.number;
            ensure!(head == block.block.header.number, "a rollup is at block {head}");
        }
        self.l2.append(block)?;
        report.shown(format!(
            "a block of {TRANSFERS} transfers advances NativeRollup by a transaction of type 0x05 for {} L1 gas, and by \
             calldata for {}: the witness of {witness} is in the transaction, and not in the contract's memory",
            grouped(sent.gas_used),
            grouped(by_calldata.gas_used),
        ));
        Ok(())
    }

    /// Returns a block of transfers to new accounts.
    fn block(&mut self) -> Result<ExecutedBlock> {
        let transfers = (0..TRANSFERS).map(|index| {
            let to = Key::named(&format!("payee {index}")).address();
            self.l2.sign(&self.operator, to.into(), U256::ONE, Bytes::new(), 21_000)
        });
        let transfers = transfers.collect::<Result<Vec<_>, _>>()?;
        Ok(self.l2.seal_all(self.l2.next_timestamp(), B256::ZERO, transfers)?)
    }

    /// Calls EXECUTE with a block and checks the header in its answer, after a forged block is
    /// rejected.
    fn return_headers(&mut self, report: &mut Report) -> Result<()> {
        let block = self.block()?;
        let input = block.input()?;
        let forged = resealed(&input, |block| block.request.payload.state_root = B256::ZERO);
        let forged = forged.ok_or_eyre("a forged block has a header")?;
        let (from, to) = (self.operator.address(), Headers::ADDRESS);
        let answer = self.l1.try_call(from, to, U256::ZERO, forged.into())?;
        ensure!(
            !answer.success && answer.output.is_empty(),
            "EXECUTE returns the header of a forged block"
        );
        let answer = self.l1.try_call(from, to, U256::ZERO, input.into())?;
        ensure!(answer.success, "EXECUTE at {to} rejects an honest block");
        let split = Headers::split(&answer.output);
        let (_, headers) = split.ok_or_eyre("EXECUTE returns no headers")?;
        let [rlp] = headers[..] else { bail!("EXECUTE returns {} headers", headers.len()) };
        ensure!(keccak256(rlp) == block.block.hash, "EXECUTE returns another header");
        let header: Header = alloy_rlp::decode_exact(rlp)?;
        ensure!(header == block.block.header, "the header has other fields");
        report.shown(format!(
            "EXECUTE at 0x0105 returns the header that it has verified, {} bytes that hash to block {}",
            rlp.len(),
            block.block.hash,
        ));
        self.l2.append(block)?;
        Ok(())
    }

    /// Calls EXECUTE with a draft block, after two forged ones are rejected.
    fn verify_draft_block(&mut self, report: &mut Report) -> Result<()> {
        let l1_head = self.l1.chain().head();
        let (anchor, number) = (l1_head.hash, l1_head.header.number);
        let built = draft_block(anchor)?;
        let calldata = &built.calldata;
        let more_burned = draft_resealed(calldata, |_, values| values.burned_fees += 1);
        let other_anchor = draft_resealed(calldata, |_, values| values.anchor = B256::ZERO);
        let execute = Execute::default();
        for (what, check, forged) in [
            ("burned fees of one wei too many", "burned fees", more_burned),
            ("an anchor that the state does not have", "state root", other_anchor),
        ] {
            let forged = forged.ok_or_eyre("a forged block has a header")?;
            let input = DialectName::Draft8079.decode::<Vec<u8>>(&forged, &[])?;
            let refused = DialectName::Draft8079.run(&execute, &forged, &input).err();
            let reason = refused.ok_or_eyre("EXECUTE accepts a forged block")?.to_string();
            ensure!(reason.contains(check), "{what}: refused by another check: {reason}");
            let sent = self.call_draft(forged)?;
            ensure!(!sent.receipt.success, "{what}: accepted");
            report.refused(format!("{what}, in a draft block: {reason}"));
        }

        let (from, to) = (self.operator.address(), Draft8079::ADDRESS);
        let answer = self.l1.try_call(from, to, U256::ZERO, calldata.clone().into())?;
        ensure!(answer.success, "EXECUTE rejects an honest draft block");
        let stated = answer.output.last_chunk().map(|burned| u64::from_le_bytes(*burned));
        ensure!(
            answer.output.len() == Draft8079::ANSWER_LEN
                && stated == Some(built.values.burned_fees),
            "EXECUTE answers {}",
            answer.output
        );
        let size = bytes(calldata.len());
        let sent = self.call_draft(built.calldata)?;
        ensure!(sent.receipt.success, "EXECUTE rejects an honest draft block");
        report.shown(format!(
            "EXECUTE at 0x0104 accepts a block of {DRAFT_TRANSFERS} transfers as in the EIP-8079 draft ({size}) for {} \
             L1 gas, and returns its {} wei of burned fees; its anchor is the hash of L1's block {number}",
            grouped(sent.gas_used),
            grouped(built.values.burned_fees),
        ));
        Ok(())
    }

    fn call_draft(&mut self, calldata: Vec<u8>) -> Result<testkit::Sent> {
        let (to, data) = (Draft8079::ADDRESS.into(), calldata.into());
        Ok(self.l1.send(&self.operator, to, U256::ZERO, data, TRANSACTION_GAS_CAP)?)
    }
}

/// Returns the calldata that advances a rollup by an input, or by the head of one.
fn advance(input: &[u8]) -> Bytes {
    let inputs = vec![Bytes::copy_from_slice(input)];
    INativeRollup::advanceCall { inputs, evidence: Evidence::default() }.abi_encode().into()
}

/// Builds the first block of a chain that follows the draft.
fn draft_block(anchor: B256) -> Result<testkit::DraftBuilt> {
    let fork = ProtocolFork::Osaka;
    let alice = Key::named("alice");
    let l2 = DraftL2::new(rich_genesis(fork, ["alice"], ETHER), DRAFT_CHAIN, fork)?;
    let transfers = (0..DRAFT_TRANSFERS).map(|nonce| {
        alice.sign(TxEip1559 {
            chain_id: DRAFT_CHAIN,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: 100_000_000_000,
            to: Key::named("bob").address().into(),
            value: U256::ONE,
            ..Default::default()
        })
    });
    Ok(l2.build(DraftBlock { anchor, burned_fees: 0 }, transfers.collect())?)
}
