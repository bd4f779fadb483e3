//! Traffic between the two chains other than ether deposits: a token in both directions, claims of
//! withdrawals, and forced transactions.
//!
//! Expected values are derived from the current state of both chains, because an L1 reorg reverts
//! earlier actions.

use super::{logs, plan::Step};
use alloy_primitives::{Address, Bytes, TxKind, U64, U256};
use alloy_rpc_types_eth::TransactionReceipt;
use alloy_sol_types::{SolCall as _, SolEvent as _, SolValue as _};
use client::Client;
use contracts::{
    L2_MESSENGER, Message,
    bindings::{
        IForcedInbox::{ForcedSubmitted, submitCall},
        IL1MessageQueue::MessageClaimed,
        IL2Messenger::MessageSent,
    },
    code_reference::PROXY,
};
use eyre::{Result, ensure};
use rpc_types::{ForcedOutcome, ForcedTransaction};
use serde_json::json;
use std::collections::BTreeSet;
use testkit::localnet::{
    bridge::{Token, interfaces::IL1TokenBridge, token_balance},
    processes::{L1_CHAIN, L2_CHAIN, Rollup, claim},
    requests::{balance, nonce, receipt, send, signed, until},
};
use testkit::{Artifacts, ETHER, FORCED_FEE, FORCED_GAS, Key};

/// Total supply of the token.
const TOKENS: u64 = 1 << 50;
/// Units of the token that each user gets on the L2 before the first fault.
const PURSE: u64 = 1 << 40;
/// Maximum number of claims per step.
const CLAIMS: usize = 3;
/// Gas limit for deploying a contract.
const CREATION: u64 = 6_000_000;

/// Accounts and contracts of the traffic between the chains.
#[derive(Debug, Clone)]
pub(super) struct Crossing {
    token: Token,
    /// Sender of the L1 transactions.
    payer: Key,
    /// Sends only forced transactions.
    censored: Key,
    forced: Address,
}

/// An L2→L1 message in an L2 block.
struct Outgoing {
    index: u64,
    wei: U256,
    units: U256,
}

impl Crossing {
    /// Deploys bridge and token, and gives users units to withdraw.
    pub(super) fn begin(rollup: &Rollup, l2: &Client, users: &[Key]) -> Result<Self> {
        let (payer, censored) = (Key::named("alice"), Key::named("frank"));
        for account in [payer.address(), censored.address()] {
            rollup.deposit(&payer, account, 10 * ETHER)?;
            until("a deposit", || Ok(balance(l2, account)? >= U256::from(10 * ETHER)))?;
        }
        let l1 = rollup.l1.client();
        let place = |node, later| {
            Ok::<_, eyre::Error>(payer.address().create(nonce(node, payer.address())? + later))
        };
        // On the L2, the token's code is deployed before the bridge.
        let (l1_bridge, l2_bridge) = (place(l1, 0)?, place(l2, 1)?);
        let artifacts = Artifacts::load(&toolchain::progress_to_stderr)?;
        let l1_arguments = (rollup.deployment.message_queue, l2_bridge).abi_encode_params();
        let (create, by_proxy) = ((TxKind::Create, &[][..]), (PROXY.into(), &[0; 32][..]));
        let parts = [
            (l1, L1_CHAIN, create, "L1TokenBridge", l1_arguments),
            (l2, L2_CHAIN, by_proxy, "BridgedToken", (l2_bridge,).abi_encode_params()),
            (l2, L2_CHAIN, create, "L2TokenBridge", (l1_bridge,).abi_encode_params()),
        ];
        for (node, chain, (to, salt), name, arguments) in parts {
            let code = [salt, &artifacts.get(name)?.init_code, &arguments].concat();
            let hash = send(node, chain, &payer, to, 0, code.into(), CREATION)?;
            ensure!(receipt(node, hash)?.status(), "{name} was not deployed");
        }
        let sides = (l1_bridge, l2_bridge);
        let token = Token::create(rollup, sides, l2, &payer, U256::from(TOKENS), &|| Ok(()))?;
        for user in users {
            token.deposit(l1, &payer, user.address(), U256::from(PURSE))?;
        }
        for user in users {
            until("tokens", || {
                Ok(token_balance(l2, token.on_l2, user.address())? == U256::from(PURSE))
            })?;
        }
        Ok(Self { token, payer, censored, forced: rollup.deployment.forced })
    }

    /// Returns target and calldata of a withdrawal of units of the token.
    pub(super) fn withdrawal(&self, to: Address, units: u128) -> (Address, Bytes) {
        (self.token.l2_bridge, self.token.withdrawal(to, U256::from(units)))
    }

    /// Sends the L1 transactions of a step.
    pub(super) fn send(&self, l1: &Client, l2: &Client, users: &[Key], step: &Step) -> Result<()> {
        if let Some(units) = step.token_deposit {
            self.token.deposit(l1, &self.payer, users[0].address(), U256::from(units))?;
        }
        if step.forces {
            // The transaction is determined by its nonce, so that it is the same if an L1 reorg
            // removes it and it is submitted again.
            let next = nonce(l2, self.censored.address())?;
            let (to, value) = (Address::repeat_byte(0x5f), u128::from(next) + 1);
            let raw =
                signed(L2_CHAIN, &self.censored, next, to.into(), value, Bytes::new(), FORCED_GAS);
            let input = submitCall { raw }.abi_encode().into();
            send(l1, L1_CHAIN, &self.payer, self.forced.into(), FORCED_FEE, input, 1_000_000)?;
        }
        Ok(())
    }

    /// Claims some of the open withdrawals, and returns their number.
    pub(super) fn claim_some(&self, rollup: &Rollup, l2: &Client) -> Result<u64> {
        let claimed = claimed(rollup)?;
        let open =
            self.outgoing(l2)?.into_iter().filter(|message| !claimed.contains(&message.index));
        let mut count = 0;
        for message in open.take(CLAIMS) {
            claim(rollup, l2, &self.payer, message.index)?;
            count += 1;
        }
        Ok(count)
    }

    /// Returns the wei claimed on L1.
    pub(super) fn claimed_wei(&self, rollup: &Rollup, l2: &Client) -> Result<U256> {
        let claimed = claimed(rollup)?;
        let paid =
            self.outgoing(l2)?.into_iter().filter(|message| claimed.contains(&message.index));
        Ok(paid.map(|message| message.wei).sum())
    }

    /// Waits until the units in escrow equal those owed, and those on the L2 plus unclaimed
    /// withdrawals.
    pub(super) fn check_tokens(&self, rollup: &Rollup, l2: &Client) -> Result<()> {
        let mut found = (U256::ZERO, U256::ZERO, U256::ZERO);
        let covered = until("tokens to be covered", || {
            let claimed = claimed(rollup)?;
            let open =
                self.outgoing(l2)?.into_iter().filter(|message| !claimed.contains(&message.index));
            let units: U256 = open.map(|message| message.units).sum();
            let (escrow, owed) = self.token.escrow(rollup.l1.client())?;
            found = (escrow, owed, self.token.supply(l2)? + units);
            Ok(found.0 == found.1 && found.1 == found.2)
        });
        covered.map_err(|error| {
            let (escrow, owed, there) = found;
            error.wrap_err(format!(
                "{escrow} units held, {owed} owed, {there} on the L2 or not yet claimed"
            ))
        })
    }

    /// Waits until each forced transaction on L1 is included, successful and discharged. Returns
    /// their number.
    pub(super) fn check_forced(&self, rollup: &Rollup, l2: &Client) -> Result<u64> {
        let mut count = 0;
        let mut left = None;
        let done = until("forced transactions", || {
            left = None;
            let logs = logs(rollup.l1.client(), json!({ "address": self.forced }))?;
            let submitted =
                logs.iter().filter_map(|log| ForcedSubmitted::decode_log(&log.inner).ok());
            count = submitted.count() as u64;
            for index in 0..count {
                let known: Option<ForcedTransaction> =
                    l2.request("rollup_getForced", (U64::from(index),))?;
                let is_done = match &known {
                    Some(record) if record.outcome == ForcedOutcome::Included => {
                        let receipt: Option<TransactionReceipt> =
                            l2.request("eth_getTransactionReceipt", (record.hash,))?;
                        receipt.is_some_and(|receipt| receipt.status())
                    }
                    _ => false,
                };
                if !is_done {
                    left = Some(format!("forced transaction {index}: {known:?}"));
                    return Ok(false);
                }
            }
            Ok(true)
        });
        done.map_err(|error| error.wrap_err(left.unwrap_or_default()))?;
        Ok(count)
    }

    /// Returns all L2→L1 messages from the logs of the L2.
    fn outgoing(&self, l2: &Client) -> Result<Vec<Outgoing>> {
        let topic = MessageSent::SIGNATURE_HASH;
        let logs = logs(l2, json!({ "address": L2_MESSENGER, "topics": [topic] }))?;
        let sent = logs.iter().filter_map(|log| MessageSent::decode_log(&log.inner).ok());
        let messages = sent.filter_map(|sent| Message::from_l2_event(&sent));
        Ok(messages
            .map(|message| {
                let is_ours = message.sender == self.token.l2_bridge;
                let release = IL1TokenBridge::releaseCall::abi_decode(&message.data).ok();
                let units = release.filter(|_| is_ours).map_or(U256::ZERO, |call| call.amount);
                Outgoing { index: message.index, wei: U256::from(message.value), units }
            })
            .collect())
    }
}

/// Returns the indices of claimed L2→L1 messages.
fn claimed(rollup: &Rollup) -> Result<BTreeSet<u64>> {
    let filter = json!({
        "address": rollup.deployment.message_queue,
        "topics": [MessageClaimed::SIGNATURE_HASH],
    });
    let logs = logs(rollup.l1.client(), filter)?;
    let claims = logs.iter().filter_map(|log| MessageClaimed::decode_log(&log.inner).ok());
    Ok(claims.map(|claim| claim.index).collect())
}
