//! A token, and the bridge between L1 and the L2.

use crate::localnet::processes::{L1_CHAIN, Rollup};
use crate::localnet::requests::{ask, message_fee, nonce, receipt, send, until};
use crate::{Artifacts, Key};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use alloy_sol_types::SolCall;
use client::Client;
use eyre::{Result, ensure};
use interfaces::{IL1TokenBridge, IL2TokenBridge, IToken};

/// Interfaces of the bridge, generated from the contracts, and of a token.
#[allow(clippy::all, reason = "generated code")]
pub mod interfaces {
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

/// Gas limit for deploying a token, sufficient at any fork.
const TOKEN_CREATION: u64 = 6_000_000;

/// A token, its representation on the L2, and both contracts of the bridge.
#[derive(Debug, Clone, Copy)]
pub struct Token {
    /// Address of the token on L1.
    pub on_l1: Address,
    /// Address of its representation on the L2.
    pub on_l2: Address,
    /// Address of the bridge contract on L1.
    pub l1_bridge: Address,
    /// Address of the bridge contract on the L2.
    pub l2_bridge: Address,
}

impl Token {
    /// Deploys a token on L1, gives `amount` units to its owner, approves the bridge for them, and
    /// registers the token on the L2.
    ///
    /// `confirm` mines as many L1 blocks as the L2 requires as confirmations.
    pub fn create(
        rollup: &Rollup,
        (l1_bridge, l2_bridge): (Address, Address),
        l2: &Client,
        owner: &Key,
        amount: U256,
        confirm: &dyn Fn() -> Result<()>,
    ) -> Result<Self> {
        let l1 = rollup.l1.client();
        let made = Artifacts::compile_files(rollup.scripts.tools(), &["test/utils/Tokens.sol"])?;
        let code = made.get("Token")?.init_code.clone();
        let on_l1 = owner.address().create(nonce(l1, owner.address())?);
        let hash = send(l1, L1_CHAIN, owner, TxKind::Create, 0, code, TOKEN_CREATION)?;
        ensure!(receipt(l1, hash)?.status(), "the token was not deployed");
        let on_l2 = ask(l1, l1_bridge, &IL1TokenBridge::l2TokenOfCall { l1Token: on_l1 })?;
        let token = Self { on_l1, on_l2, l1_bridge, l2_bridge };
        transact(l1, owner, on_l1, 0, &IToken::giveCall { to: owner.address(), amount })?;
        transact(l1, owner, on_l1, 0, &IToken::approveCall { spender: l1_bridge, amount })?;
        let gas = ask(l1, l1_bridge, &IL1TokenBridge::REGISTER_GASCall {})?;
        let register = IL1TokenBridge::registerCall { l1Token: on_l1, gasLimit: gas };
        let fee = bridge_fee(l1, l1_bridge)?;
        transact(l1, owner, l1_bridge, fee, &register)?;
        confirm()?;
        until("the token on the L2", || {
            let code: Bytes = l2.request("eth_getCode", (on_l2, "latest"))?;
            Ok(!code.is_empty())
        })?;
        Ok(token)
    }

    /// Deposits units of the owner to an account on the L2.
    pub fn deposit(&self, l1: &Client, owner: &Key, to: Address, amount: U256) -> Result<()> {
        let deposit = IL1TokenBridge::depositCall {
            l1Token: self.on_l1,
            to,
            refundTo: to,
            amount,
            gasLimit: ask(l1, self.l1_bridge, &IL1TokenBridge::DEPOSIT_GASCall {})?,
        };
        transact(l1, owner, self.l1_bridge, bridge_fee(l1, self.l1_bridge)?, &deposit)
    }

    /// Returns the calldata of a withdrawal from the L2 bridge to an account on L1.
    pub fn withdrawal(&self, to: Address, amount: U256) -> Bytes {
        let call = IL2TokenBridge::withdrawCall {
            l1Token: self.on_l1,
            to,
            refundTo: to,
            amount,
            gasLimit: 200_000,
        };
        call.abi_encode().into()
    }

    /// Returns the units that the bridge holds on L1, and those that it owes.
    pub fn escrow(&self, l1: &Client) -> Result<(U256, U256)> {
        let owed = IL1TokenBridge::owedCall { l1Token: self.on_l1 };
        Ok((token_balance(l1, self.on_l1, self.l1_bridge)?, ask(l1, self.l1_bridge, &owed)?))
    }

    /// Returns the total supply on the L2.
    pub fn supply(&self, l2: &Client) -> Result<U256> {
        ask(l2, self.on_l2, &IToken::totalSupplyCall {})
    }
}

/// Returns an account's balance of a token.
pub fn token_balance(node: &Client, token: Address, account: Address) -> Result<U256> {
    ask(node, token, &IToken::balanceOfCall { account })
}

/// Returns the fee of a message from the bridge, in wei.
fn bridge_fee(l1: &Client, l1_bridge: Address) -> Result<u128> {
    message_fee(l1, ask(l1, l1_bridge, &IL1TokenBridge::MESSAGE_QUEUECall {})?)
}

fn transact<C: SolCall>(l1: &Client, from: &Key, to: Address, value: u128, call: &C) -> Result<()> {
    let hash = send(l1, L1_CHAIN, from, to.into(), value, call.abi_encode().into(), 1_000_000)?;
    ensure!(receipt(l1, hash)?.status(), "{} has failed on L1", C::SIGNATURE);
    Ok(())
}
