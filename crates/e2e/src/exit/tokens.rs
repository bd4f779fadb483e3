//! A holder of a bridged token, who exits from a rollup that is no longer advanced.

use super::call;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use alloy_sol_types::SolValue as _;
use contracts::{
    L2_MESSENGER,
    code_reference::PROXY,
    exit::{DepositReturn, ITokenExit, TokenExit, TokenProofs, balance_slot, messenger_slots},
};
use eyre::{Result, ensure};
use testkit::localnet::{
    bridge::interfaces::{IL1TokenBridge, IToken},
    report::Report,
    units::grouped,
};
use testkit::{Artifacts, InProcessRollup, Key, Transaction};
use toolchain::{Toolchain, progress_to_stderr};

/// Units of the token that the holder deposits.
const UNITS: u64 = 600;
/// Units that the holder deposits after the last block.
const LATE: u64 = 70;
/// Gas limit for the deployment of a contract of the bridge.
const DEPLOYING: u64 = 5_000_000;

/// The holder, and the token with its bridge.
pub(super) struct Holder {
    key: Key,
    l1_bridge: Address,
    l2_bridge: Address,
    l1_token: Address,
}

impl Holder {
    /// Deploys bridge and token on L1, and sends the messages that register the token and deposit
    /// it.
    pub(super) fn create(rollup: &mut InProcessRollup, key: Key) -> Result<Self> {
        // The first transaction of the account deploys the code of the tokens.
        let l2_bridge = key.address().create(1);
        let queue = rollup.contracts.message_queue;
        let l1_bridge = rollup
            .l1
            .deploy(&key, code("L1TokenBridge", &(queue, l2_bridge).abi_encode_params())?)?;
        let tools = Toolchain::ensure(&progress_to_stderr)?;
        let made = Artifacts::compile_files(&tools, &["test/utils/Tokens.sol"])?;
        let l1_token = rollup.l1.deploy(&key, made.get("Token")?.init_code.clone())?;
        let (to, amount) = (key.address(), U256::from(UNITS + LATE));
        rollup.l1.transact(&key, l1_token, U256::ZERO, &IToken::giveCall { to, amount })?;
        let approve = IToken::approveCall { spender: l1_bridge, amount };
        rollup.l1.transact(&key, l1_token, U256::ZERO, &approve)?;
        let gas = rollup.l1.read(l1_bridge, &IL1TokenBridge::REGISTER_GASCall {})?;
        let register = IL1TokenBridge::registerCall { l1Token: l1_token, gasLimit: gas };
        rollup.send(&key, l1_bridge, U256::ZERO, &register)?;
        let holder = Self { key, l1_bridge, l2_bridge, l1_token };
        holder.send(rollup, UNITS)?;
        Ok(holder)
    }

    /// Deposits more units.
    pub(super) fn deposit(&self, rollup: &mut InProcessRollup) -> Result<()> {
        self.send(rollup, LATE)
    }

    fn send(&self, rollup: &mut InProcessRollup, units: u64) -> Result<()> {
        let (to, l1_bridge) = (self.key.address(), self.l1_bridge);
        let gas = rollup.l1.read(l1_bridge, &IL1TokenBridge::DEPOSIT_GASCall {})?;
        let deposit = IL1TokenBridge::depositCall {
            l1Token: self.l1_token,
            to,
            refundTo: to,
            amount: U256::from(units),
            gasLimit: gas,
        };
        Ok(rollup.send(&self.key, l1_bridge, U256::ZERO, &deposit)?)
    }

    /// Returns the transactions that deploy the bridge on the L2.
    pub(super) fn deployment(&self, rollup: &mut InProcessRollup) -> Result<Vec<Transaction>> {
        let token = code("BridgedToken", &self.l2_bridge.abi_encode())?;
        let token = [&[0; 32][..], &token].concat().into();
        let bridge = code("L2TokenBridge", &self.l1_bridge.abi_encode())?;
        [(PROXY.into(), token), (TxKind::Create, bridge)]
            .into_iter()
            .map(|(to, data)| Ok(rollup.l2.sign(&self.key, to, U256::ZERO, data, DEPLOYING)?))
            .collect()
    }

    /// Has the tokens of the holder paid by another account.
    pub(super) fn leave(
        &self,
        rollup: &mut InProcessRollup,
        caller: &Key,
        report: &mut Report,
    ) -> Result<()> {
        let account = self.key.address();
        let of = ITokenExit::l2TokenOfCall { l1Token: self.l1_token };
        let token = rollup.l1.read(self.l1_bridge, &of)?;
        let proofs = TokenProofs {
            account: rollup.l2.prove(account, &[])?,
            token: rollup.l2.prove(token, &[balance_slot(account)])?,
        };
        let tokens = (self.l1_token, token);
        let exit = TokenExit::new(rollup.l2.state_root(), tokens, account, None, &[], proofs)?;
        let gas = call(rollup, caller, self.l1_bridge, &exit.calldata)?;
        let units = rollup.l1.read(self.l1_token, &IToken::balanceOfCall { account })?;
        ensure!(units == U256::from(UNITS) && exit.amount == units, "{account} has {units} units");
        let again = rollup.l1.try_call(
            caller.address(),
            self.l1_bridge,
            U256::ZERO,
            exit.calldata.clone(),
        )?;
        ensure!(!again.success, "the tokens are paid twice");
        report.shown(format!(
            "a holder of a bridged token is paid {UNITS} units from the bridge's escrow, for {} L1 gas, and only once",
            grouped(gas)
        ));
        Ok(())
    }

    /// Has the deposit returned that no block has relayed, which only the holder can.
    pub(super) fn take_back(
        &self,
        rollup: &mut InProcessRollup,
        index: u64,
        report: &mut Report,
    ) -> Result<()> {
        let account = self.key.address();
        let found = rollup.search(index)?.finish()?;
        let proof = rollup.l2.prove(L2_MESSENGER, &messenger_slots(&found.message))?;
        let code = rollup.l2.chain().code(self.l2_bridge)?;
        let bridge = (rollup.l2.prove(self.l2_bridge, &[])?, code);
        let bridges = (self.l1_bridge, self.l2_bridge);
        let returned = DepositReturn::new(rollup.l2.state_root(), bridges, &found, &proof, bridge)?;
        ensure!(returned.amount == U256::from(LATE), "another amount: {}", returned.amount);
        let balance = IToken::balanceOfCall { account };
        let before = rollup.l1.read(self.l1_token, &balance)?;
        let stranger = rollup.l1.try_call(
            Key::named("carol").address(),
            self.l1_bridge,
            U256::ZERO,
            returned.calldata.clone(),
        )?;
        ensure!(!stranger.success, "anyone can have the deposit returned");
        let gas = call(rollup, &self.key, self.l1_bridge, &returned.calldata)?;
        let after = rollup.l1.read(self.l1_token, &balance)?;
        ensure!(after == before + returned.amount, "{account} has {after} units");
        let again = rollup.l1.try_call(
            self.key.address(),
            self.l1_bridge,
            U256::ZERO,
            returned.calldata.clone(),
        )?;
        ensure!(!again.success, "the deposit is returned twice");
        report.shown(format!(
            "the holder's deposit of {LATE} units, which no block has relayed, is returned for {} L1 gas",
            grouped(gas)
        ));
        Ok(())
    }
}

/// Returns the init code of a contract with these arguments.
fn code(name: &str, arguments: &[u8]) -> Result<Bytes> {
    let artifacts = Artifacts::load(&progress_to_stderr)?;
    Ok([&artifacts.get(name)?.init_code[..], arguments].concat().into())
}
