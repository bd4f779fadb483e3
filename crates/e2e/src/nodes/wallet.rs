//! A multisig on L1 that acts on the L2 through its alias account, and exits without the
//! sequencer's cooperation.

use alloy_primitives::{Address, Bytes, TxKind, U256};
use alloy_sol_types::{SolCall, SolEvent as _, SolValue as _};
use client::Client;
use contracts::{
    L2_ACCOUNTS, L2_MESSENGER, Message, alias_account,
    bindings::{
        IForcedInbox,
        IL1MessageQueue::{self, MessageSent},
        IL2Accounts::{Call, executeCall, forceCall},
        IL2Messenger,
    },
};
use eyre::{OptionExt as _, Result, ensure};
use serde_json::Value;
use testkit::localnet::{
    bridge::{Token, interfaces::IToken, token_balance},
    processes::{L1_CHAIN, L2_CHAIN, Rollup, claim},
    report::Report,
    requests::{ask, balance, message_fee, nonce, receipt, send, signed, status, until},
};
use testkit::{Artifacts, ETHER, FORCED_FEE, Key};

alloy_sol_types::sol! {
    interface IMultisig {
        function confirm(address to, uint256 value, bytes data) external;
    }
}

/// Units of the token that the account receives.
const RECEIVED: u64 = 100;
/// Units of the token that the account transfers.
const GIVEN: u64 = 40;

/// Gas limit with which a message is delivered.
const ENOUGH_GAS: u64 = 400_000;
/// Gas limit with which the delivery of a message fails.
const LITTLE_GAS: u64 = 30_000;

/// A multisig of Alice and Bob, and its account on the L2.
struct Wallet<'a> {
    rollup: &'a Rollup,
    alice: &'a Key,
    bob: Key,
    on_l1: Address,
    on_l2: Address,
}

impl<'a> Wallet<'a> {
    /// Deploys the multisig.
    fn create(rollup: &'a Rollup, alice: &'a Key) -> Result<Self> {
        let l1 = rollup.l1.client();
        let made = Artifacts::compile_files(rollup.scripts.tools(), &["test/utils/Multisig.sol"])?;
        let bob = Key::named("bob");
        let owners = (alice.address(), bob.address()).abi_encode_params();
        let code = [&made.get("Multisig")?.init_code[..], &owners].concat();
        let on_l1 = alice.address().create(nonce(l1, alice.address())?);
        let hash = send(l1, L1_CHAIN, alice, TxKind::Create, 0, code.into(), 2_000_000)?;
        ensure!(receipt(l1, hash)?.status(), "the multisig was not deployed");
        // Bob needs gas for his confirmations on L1.
        let hash = send(l1, L1_CHAIN, alice, bob.address().into(), ETHER, Bytes::new(), 21_000)?;
        ensure!(receipt(l1, hash)?.status(), "Bob has nothing for gas");
        Ok(Self { rollup, alice, bob, on_l1, on_l2: alias_account(on_l1) })
    }

    /// Has both owners confirm a message, whose value Alice pays. Returns the message.
    fn send(&self, to: Address, value: u128, gas_limit: u64, data: Bytes) -> Result<Message> {
        let l1 = self.rollup.l1.client();
        let queue = self.rollup.deployment.message_queue;
        let fee = message_fee(l1, queue)?;
        let paid = value + fee;
        if paid != 0 {
            let hash =
                send(l1, L1_CHAIN, self.alice, self.on_l1.into(), paid, Bytes::new(), 30_000)?;
            ensure!(receipt(l1, hash)?.status(), "funding the multisig failed");
        }
        let message =
            IL1MessageQueue::sendCall { to, refundTo: self.on_l2, gasLimit: gas_limit, fee, data };
        let confirm = IMultisig::confirmCall {
            to: queue,
            value: U256::from(paid),
            data: message.abi_encode().into(),
        };
        let confirm = Bytes::from(confirm.abi_encode());
        let mut logs = Vec::new();
        for key in [self.alice, &self.bob] {
            let hash = send(l1, L1_CHAIN, key, self.on_l1.into(), 0, confirm.clone(), 500_000)?;
            let receipt = receipt(l1, hash)?;
            ensure!(receipt.status(), "a confirmation has failed");
            logs.extend(receipt.inner.logs().to_vec());
        }
        let sent = logs.iter().find_map(|log| MessageSent::decode_log(&log.inner).ok());
        sent.as_ref()
            .and_then(|event| Message::from_event(event))
            .ok_or_eyre("the multisig has sent no message")
    }

    /// Has the account on the L2 make a call.
    fn act(&self, to: Address, value: u128, gas_limit: u64, data: Bytes) -> Result<Message> {
        let call = Call { to, value: U256::from(value), data };
        let data = executeCall { calls: vec![call] }.abi_encode();
        self.send(L2_ACCOUNTS, 0, gas_limit, data.into())
    }

    /// Has the account withdraw ether to the multisig.
    fn withdraw(&self, value: u128, gas_limit: u64) -> Result<Message> {
        let call = IL2Messenger::sendCall {
            to: self.on_l1,
            refundTo: self.on_l1,
            gasLimit: 0,
            fee: 0,
            data: Bytes::new(),
        };
        self.act(L2_MESSENGER, value, gas_limit, call.abi_encode().into())
    }

    /// Waits until all present blocks are on L1, and claims the latest L2→L1 message.
    fn claim_last(&self, l2: &Client) -> Result<()> {
        let head = status(l2)?.unsafe_head.number;
        until("L1", || Ok(status(l2)?.safe_head.number >= head))?;
        let index = ask(l2, L2_MESSENGER, &IL2Messenger::sentCountCall {})? - 1;
        let before = balance(self.rollup.l1.client(), self.on_l1)?;
        claim(self.rollup, l2, self.alice, index)?;
        let got = balance(self.rollup.l1.client(), self.on_l1)? - before;
        ensure!(got == U256::from(ETHER), "the multisig has got {got} wei");
        Ok(())
    }
}

/// Has the multisig deposit, transfer, withdraw, and exit although its message was not delivered.
pub(super) fn run(
    rollup: &Rollup,
    l2: &Client,
    alice: &Key,
    token: &Token,
    report: &mut Report,
) -> Result<()> {
    let wallet = Wallet::create(rollup, alice)?;
    let account = wallet.on_l2;
    wallet.send(account, 3 * ETHER, 0, Bytes::new())?;
    until("the deposit", || Ok(balance(l2, account)? == U256::from(3 * ETHER)))?;
    let received = IToken::transferCall { to: account, amount: U256::from(RECEIVED) };
    let input = received.abi_encode().into();
    let hash = send(l2, L2_CHAIN, alice, token.on_l2.into(), 0, input, 200_000)?;
    ensure!(receipt(l2, hash)?.status(), "the token transfer to the account failed");

    let carol = Key::named("carol").address();
    let transfer = IToken::transferCall { to: carol, amount: U256::from(GIVEN) };
    wallet.act(token.on_l2, 0, ENOUGH_GAS, transfer.abi_encode().into())?;
    until("Carol's tokens", || Ok(token_balance(l2, token.on_l2, carol)? == U256::from(GIVEN)))?;
    let left = token_balance(l2, token.on_l2, account)?;
    ensure!(left == U256::from(RECEIVED - GIVEN), "the account has {left} units");
    report.shown(format!(
        "a multisig on L1 deposits ether to its account on the L2, and pays Carol {GIVEN} units of a token from it"
    ));

    wallet.withdraw(ETHER, ENOUGH_GAS)?;
    until("the withdrawal", || Ok(balance(l2, account)? == U256::from(2 * ETHER)))?;
    wallet.claim_last(l2)?;
    report.shown("the multisig withdraws an ether and claims it on L1".to_owned());

    // The messenger stores a failed message in the same way as a parked one.
    let failing = wallet.withdraw(ETHER, LITTLE_GAS)?;
    let hash = failing.hash();
    until("the message that fails", || {
        ask(l2, L2_MESSENGER, &IL2Messenger::isFailedCall { messageHash: hash })
    })?;
    ensure!(balance(l2, account)? == U256::from(2 * ETHER), "the message has not failed");
    force(&wallet, l2, &failing)?;
    until("the forced delivery", || Ok(balance(l2, account)? == U256::from(ETHER)))?;
    wallet.claim_last(l2)?;
    report.survived(
        "a message of the multisig that the sequencer has not delivered is delivered by a forced transaction of \
         Bob's key; the multisig claims its ether on L1"
            .to_owned(),
    );
    Ok(())
}

/// Forces a message's delivery, with Bob's key.
fn force(wallet: &Wallet<'_>, l2: &Client, message: &Message) -> Result<()> {
    let call = forceCall { target: L2_MESSENGER, message: message.into() };
    let bob = &wallet.bob;
    let nonce = nonce(l2, bob.address())?;
    let input = call.abi_encode().into();
    let raw = signed(L2_CHAIN, bob, nonce, L2_ACCOUNTS.into(), 0, input, 600_000);
    let submit = IForcedInbox::submitCall { raw }.abi_encode();
    let (l1, inbox) = (wallet.rollup.l1.client(), wallet.rollup.deployment.forced);
    let index = ask(l1, inbox, &IForcedInbox::countCall {})?;
    let hash =
        send(l1, L1_CHAIN, wallet.alice, inbox.into(), FORCED_FEE, submit.into(), 1_000_000)?;
    ensure!(receipt(l1, hash)?.status(), "submitting the forced transaction failed");
    until("the forced transaction", || {
        let status = l2
            .request::<_, Value>("rollup_getForced", (format!("{index:#x}"),))
            .unwrap_or_default();
        Ok(status["outcome"] == "included")
    })
}
