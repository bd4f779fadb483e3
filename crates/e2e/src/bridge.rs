//! Deposit, transfer and withdrawal of a token.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolCall as _;
use client::Client;
use eyre::{Result, ensure};
use testkit::Key;
use testkit::localnet::{
    bridge::{Token, interfaces::IToken, token_balance},
    processes::{L2_CHAIN, Rollup},
    report::Report,
    requests::{receipt, send, until},
};

/// Units that Alice deposits.
const DEPOSITED: u64 = 600;
/// Units that Alice transfers to Bob on the L2.
const GIVEN: u64 = 100;
/// Units that Alice withdraws to Dave.
const WITHDRAWN: u64 = 250;

/// Deploys the L2 side of the bridge, and deposits and transfers a new token.
///
/// `confirm` mines as many L1 blocks as the L2 requires as confirmations.
pub(crate) fn deposit(
    rollup: &Rollup,
    l2: &Client,
    alice: &Key,
    confirm: &dyn Fn() -> Result<()>,
    report: &mut Report,
) -> Result<Token> {
    let file = rollup.place().join("deployment.json").display().to_string();
    rollup.scripts.run("Operate", "deployL2Bridge(string)", &[&file], l2.url(), alice)?;
    report.built("forge script deploys the L2 side of the token bridge".to_owned());
    let sides = (rollup.deployment.l1_bridge, rollup.deployment.l2_bridge);
    let amount = U256::from(DEPOSITED);
    let token = Token::create(rollup, sides, l2, alice, amount, confirm)?;
    token.deposit(rollup.l1.client(), alice, alice.address(), amount)?;
    confirm()?;
    until("the tokens", || Ok(token_balance(l2, token.on_l2, alice.address())? == amount))?;
    let bob = Key::named("bob").address();
    let transfer = IToken::transferCall { to: bob, amount: U256::from(GIVEN) };
    transact_on_l2(l2, alice, token.on_l2, transfer.abi_encode().into())?;
    ensure!(
        token_balance(l2, token.on_l2, bob)? == U256::from(GIVEN),
        "Bob has another balance of the token"
    );
    report.shown(format!(
        "Alice deposits {DEPOSITED} units of a token and pays Bob {GIVEN} of them on the L2"
    ));
    Ok(token)
}

/// Withdraws units from Alice to Dave on L1, which must then be claimed. Returns the number of the
/// L2 block.
pub(crate) fn withdraw(token: &Token, l2: &Client, alice: &Key) -> Result<u64> {
    let call = token.withdrawal(Key::named("dave").address(), U256::from(WITHDRAWN));
    transact_on_l2(l2, alice, token.l2_bridge, call)
}

/// Checks Dave's tokens, and that the bridge's escrow equals the supply on the L2.
pub(crate) fn check(
    token: &Token,
    rollup: &Rollup,
    l2: &Client,
    report: &mut Report,
) -> Result<()> {
    let l1 = rollup.l1.client();
    let dave = token_balance(l1, token.on_l1, Key::named("dave").address())?;
    ensure!(dave == U256::from(WITHDRAWN), "Dave has {dave} units");
    let ((escrow, owed), supply) = (token.escrow(l1)?, token.supply(l2)?);
    ensure!(escrow == owed && owed == supply, "{escrow} held, {owed} owed, {supply} on the L2");
    report.shown(format!(
        "L1 holds {escrow} units of the token in escrow, and the L2 has issued as many"
    ));
    Ok(())
}

/// Sends a transaction on the L2, which must succeed. Returns its block number.
fn transact_on_l2(l2: &Client, from: &Key, to: Address, input: Bytes) -> Result<u64> {
    let hash = send(l2, L2_CHAIN, from, to.into(), 0, input, 1_000_000)?;
    let receipt = receipt(l2, hash)?;
    ensure!(receipt.status(), "{hash} has failed on the L2");
    Ok(receipt.block_number.unwrap_or_default())
}
