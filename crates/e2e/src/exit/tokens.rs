//! A holder of a bridged token, who leaves a dead rollup.

use super::World;
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
use testkit::{Artifacts, Key, Transaction};
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
    pub(super) fn create(world: &mut World, key: Key) -> Result<Self> {
        // The first transaction of the account deploys the code of the tokens.
        let l2_bridge = key.address().create(1);
        let queue = world.rollup.message_queue;
        let l1_bridge = world
            .l1
            .deploy(&key, code("L1TokenBridge", &(queue, l2_bridge).abi_encode_params())?)?;
        let tools = Toolchain::ensure(&progress_to_stderr)?;
        let made = Artifacts::compile_files(&tools, &["test/utils/Tokens.sol"])?;
        let l1_token = world.l1.deploy(&key, made.get("Token")?.init_code.clone())?;
        let (to, amount) = (key.address(), U256::from(UNITS + LATE));
        world.l1.transact(&key, l1_token, U256::ZERO, &IToken::giveCall { to, amount })?;
        let approve = IToken::approveCall { spender: l1_bridge, amount };
        world.l1.transact(&key, l1_token, U256::ZERO, &approve)?;
        let gas = world.l1.read(l1_bridge, &IL1TokenBridge::REGISTER_GASCall {})?;
        let register = IL1TokenBridge::registerCall { l1Token: l1_token, gasLimit: gas };
        world.send(&key, l1_bridge, U256::ZERO, &register)?;
        let holder = Self { key, l1_bridge, l2_bridge, l1_token };
        holder.send(world, UNITS)?;
        Ok(holder)
    }

    /// Deposits more units.
    pub(super) fn deposit(&self, world: &mut World) -> Result<()> {
        self.send(world, LATE)
    }

    fn send(&self, world: &mut World, units: u64) -> Result<()> {
        let (to, l1_bridge) = (self.key.address(), self.l1_bridge);
        let gas = world.l1.read(l1_bridge, &IL1TokenBridge::DEPOSIT_GASCall {})?;
        let deposit = IL1TokenBridge::depositCall {
            l1Token: self.l1_token,
            to,
            refundTo: to,
            amount: U256::from(units),
            gasLimit: gas,
        };
        world.send(&self.key, l1_bridge, U256::ZERO, &deposit)
    }

    /// Returns the transactions that deploy the bridge on the L2.
    pub(super) fn deployment(&self, world: &mut World) -> Result<Vec<Transaction>> {
        let token = code("BridgedToken", &self.l2_bridge.abi_encode())?;
        let token = [&[0; 32][..], &token].concat().into();
        let bridge = code("L2TokenBridge", &self.l1_bridge.abi_encode())?;
        [(PROXY.into(), token), (TxKind::Create, bridge)]
            .into_iter()
            .map(|(to, data)| Ok(world.l2.sign(&self.key, to, U256::ZERO, data, DEPLOYING)?))
            .collect()
    }

    /// Has the tokens of the holder paid by another account.
    pub(super) fn leave(&self, world: &mut World, caller: &Key, report: &mut Report) -> Result<()> {
        let account = self.key.address();
        let call = ITokenExit::l2TokenOfCall { l1Token: self.l1_token };
        let token = world.l1.read(self.l1_bridge, &call)?;
        let proofs = TokenProofs {
            account: world.l2.prove(account, &[])?,
            token: world.l2.prove(token, &[balance_slot(account)])?,
        };
        let tokens = (self.l1_token, token);
        let exit = TokenExit::new(world.l2.state_root(), tokens, account, None, &[], proofs)?;
        let gas = world.call(caller, self.l1_bridge, &exit.calldata)?;
        let units = world.l1.read(self.l1_token, &IToken::balanceOfCall { account })?;
        ensure!(units == U256::from(UNITS) && exit.amount == units, "{account} has {units} units");
        let again = world.try_call(caller, self.l1_bridge, &exit.calldata)?;
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
        world: &mut World,
        index: u64,
        report: &mut Report,
    ) -> Result<()> {
        let account = self.key.address();
        let found = world.search(index)?.finish()?;
        let proof = world.l2.prove(L2_MESSENGER, &messenger_slots(&found.message))?;
        let code = world.l2.chain().code(self.l2_bridge)?;
        let bridge = (world.l2.prove(self.l2_bridge, &[])?, code);
        let bridges = (self.l1_bridge, self.l2_bridge);
        let returned = DepositReturn::new(world.l2.state_root(), bridges, &found, &proof, bridge)?;
        ensure!(returned.amount == U256::from(LATE), "another amount: {}", returned.amount);
        let balance = IToken::balanceOfCall { account };
        let before = world.l1.read(self.l1_token, &balance)?;
        let stranger = world.try_call(&Key::named("carol"), self.l1_bridge, &returned.calldata)?;
        ensure!(!stranger.success, "anyone can have the deposit returned");
        let gas = world.call(&self.key, self.l1_bridge, &returned.calldata)?;
        let after = world.l1.read(self.l1_token, &balance)?;
        ensure!(after == before + returned.amount, "{account} has {after} units");
        let again = world.try_call(&self.key, self.l1_bridge, &returned.calldata)?;
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
