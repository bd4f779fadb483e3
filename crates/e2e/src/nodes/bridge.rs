//! A token on both chains.

use crate::{
    processes::{L1_CHAIN, L2_CHAIN, Rollup, ask, nonce, receipt, send, until},
    report::Report,
};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use alloy_sol_types::SolCall;
use client::Client;
use eyre::{Result, ensure};
use interfaces::{IL1TokenBridge, IL2TokenBridge, IToken};
use testkit::{Artifacts, Key};

/// The interfaces of the bridge, as the contracts have them, and of a token.
#[allow(clippy::all, reason = "generated code")]
mod interfaces {
    alloy_sol_types::sol!("../../contracts/interfaces/IL1TokenBridge.sol");
    alloy_sol_types::sol!("../../contracts/interfaces/IL2TokenBridge.sol");
    alloy_sol_types::sol! {
        interface IToken {
            function give(address to, uint256 amount) external;
            function approve(address spender, uint256 amount) external returns (bool);
            function transfer(address to, uint256 amount) external returns (bool);
            function balanceOf(address account) external view returns (uint256);
            function totalSupply() external view returns (uint256);
        }
    }
}

/// Tokens that Alice deposits, gives to Bob on the L2, and sends back.
const DEPOSITED: u64 = 600;
const GIVEN: u64 = 100;
const WITHDRAWN: u64 = 250;

/// A token, and what stands for it on the L2.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    on_l1: Address,
    on_l2: Address,
}

/// The token comes to the L2, and changes hands there.
pub(super) fn deposit(
    rollup: &Rollup,
    l2: &Client,
    alice: &Key,
    report: &mut Report,
) -> Result<Token> {
    let l1 = rollup.l1.client();
    let (bridge, file) = (rollup.deployment.l1_bridge, rollup.place().join("deployment.json"));
    let file = file.display().to_string();
    rollup.scripts.run("Operate", "deployL2Bridge(string)", &[&file], l2.url(), alice)?;
    report.step("the other side of the token bridge is on the L2, by forge script".to_owned());

    let made = Artifacts::compile_files(rollup.scripts.tools(), &["test/utils/Tokens.sol"])?;
    let code = made.get("Token")?.init_code.clone();
    let on_l1 = alice.address().create(nonce(l1, alice.address())?);
    let hash = send(l1, L1_CHAIN, alice, TxKind::Create, 0, code, 3_000_000)?;
    ensure!(receipt(l1, hash)?.status(), "the token is not made");
    let on_l2 = ask(l1, bridge, &IL1TokenBridge::l2TokenOfCall { l1Token: on_l1 })?;

    let amount = U256::from(DEPOSITED);
    transact(l1, alice, on_l1, &IToken::giveCall { to: alice.address(), amount })?;
    transact(l1, alice, on_l1, &IToken::approveCall { spender: bridge, amount })?;
    let gas = ask(l1, bridge, &IL1TokenBridge::REGISTER_GASCall {})?;
    transact(l1, alice, bridge, &IL1TokenBridge::registerCall { l1Token: on_l1, gasLimit: gas })?;
    let deposit = IL1TokenBridge::depositCall {
        l1Token: on_l1,
        to: alice.address(),
        refundTo: alice.address(),
        amount,
        gasLimit: ask(l1, bridge, &IL1TokenBridge::DEPOSIT_GASCall {})?,
    };
    transact(l1, alice, bridge, &deposit)?;
    until("the tokens", || {
        let code: Bytes = l2.request("eth_getCode", (on_l2, "latest"))?;
        Ok(!code.is_empty() && balance(l2, on_l2, alice.address())? == amount)
    })?;
    let bob = Key::named("bob").address();
    let given = IToken::transferCall { to: bob, amount: U256::from(GIVEN) };
    transact_on_l2(l2, alice, on_l2, &given)?;
    ensure!(balance(l2, on_l2, bob)? == U256::from(GIVEN), "Bob has other tokens");
    report.step(format!(
        "{DEPOSITED} units of a token are deposited, and {GIVEN} of them Bob's on the L2"
    ));
    Ok(Token { on_l1, on_l2 })
}

impl Token {
    /// Alice sends some to Dave on L1; to be called before what is claimed.
    pub(super) fn withdraw(&self, rollup: &Rollup, l2: &Client, alice: &Key) -> Result<u64> {
        let to = Key::named("dave").address();
        let call = IL2TokenBridge::withdrawCall {
            l1Token: self.on_l1,
            to,
            refundTo: to,
            amount: U256::from(WITHDRAWN),
            gasLimit: 200_000,
        };
        transact_on_l2(l2, alice, rollup.deployment.l2_bridge, &call)
    }

    /// That Dave has what he was sent, and that the bridge holds what the L2 has.
    pub(super) fn check(&self, rollup: &Rollup, l2: &Client, report: &mut Report) -> Result<()> {
        let (l1, bridge) = (rollup.l1.client(), rollup.deployment.l1_bridge);
        let dave = balance(l1, self.on_l1, Key::named("dave").address())?;
        ensure!(dave == U256::from(WITHDRAWN), "Dave has {dave} units");
        let held = balance(l1, self.on_l1, bridge)?;
        let owed = ask(l1, bridge, &IL1TokenBridge::owedCall { l1Token: self.on_l1 })?;
        let supply = ask(l2, self.on_l2, &IToken::totalSupplyCall {})?;
        ensure!(held == owed && owed == supply, "{held} held, {owed} owed, {supply} on the L2");
        report
            .step(format!("{held} units of the token are locked up on L1, and as many on the L2"));
        Ok(())
    }
}

fn balance(node: &Client, token: Address, account: Address) -> Result<U256> {
    ask(node, token, &IToken::balanceOfCall { account })
}

fn transact<C: SolCall>(l1: &Client, from: &Key, to: Address, call: &C) -> Result<()> {
    let hash = send(l1, L1_CHAIN, from, to.into(), 0, call.abi_encode().into(), 1_000_000)?;
    ensure!(receipt(l1, hash)?.status(), "{} has failed on L1", C::SIGNATURE);
    Ok(())
}

/// The number of the block that has it.
fn transact_on_l2<C: SolCall>(l2: &Client, from: &Key, to: Address, call: &C) -> Result<u64> {
    let hash = send(l2, L2_CHAIN, from, to.into(), 0, call.abi_encode().into(), 1_000_000)?;
    let receipt = receipt(l2, hash)?;
    ensure!(receipt.status(), "{} has failed on the L2", C::SIGNATURE);
    Ok(receipt.block_number.unwrap_or_default())
}
