//! Fixed amounts of gas in the contracts, compared with their most expensive uses under each fork.
//! From Amsterdam on, new state is charged per byte (EIP-8037): a slot costs 97,920 gas more than
//! before, an account 183,600.

use super::support::TestRollup;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use alloy_sol_types::{SolCall, SolEvent as _, SolValue as _};
use chain::ExecutedBlock;
use enshrine_contracts::{
    L2_ACCOUNTS, Message, alias_account,
    bindings::{
        IL1MessageQueue,
        IL2Accounts::{Call, executeCall, forceCall},
        IL2Messenger::{self, MessageSent},
        INativeRollup::{Discharge, Evidence, ForcedBatch, Outcome},
    },
    code_reference::PROXY,
};
use eyre::{OptionExt as _, Result, ensure};
use interfaces::{IL1TokenBridge, IL2TokenBridge, IToken};
use testkit::{Artifacts, Key, Transaction};
use wire::ProtocolFork;

#[allow(clippy::all, reason = "generated code")]
mod interfaces {
    alloy_sol_types::sol!("../../contracts/interfaces/IL1TokenBridge.sol");
    alloy_sol_types::sol!("../../contracts/interfaces/IL2TokenBridge.sol");
    alloy_sol_types::sol! {
        interface IToken {
            function give(address to, uint256 amount) external;
            function approve(address spender, uint256 amount) external returns (bool);
            function balanceOf(address account) external view returns (uint256);
        }
    }
}

/// Forks whose gas schedules differ.
const FORKS: [ProtocolFork; 3] =
    [ProtocolFork::Prague, ProtocolFork::Osaka, ProtocolFork::Amsterdam];

/// Gas limit with which the delivery of a message fails, so that the messenger keeps it.
const LITTLE_GAS: u64 = 30_000;

/// `Messages.RELAY_BASE`.
const RELAY_BASE: u64 = 1_000_000;

/// Gas limit of the message with which the L1 bridge releases tokens.
const RELEASE_GAS: u64 = 200_000;

/// Maximum gas of a forced call to the messenger or the bridge (`RollupConfig::new`).
const BOUNDED_GAS: u64 = 1_000_000;

/// Maximum gas of each of the two transactions that deploy the bridge: forge sets the gas limit to
/// 1.3 times its estimate, and a block has 10,000,000 gas by default, of which the system's
/// transactions use a part.
const DEPLOYING_GAS: u64 = 7_500_000;

/// A rollup with a token bridge, and a token with the longest name that the bridge copies.
struct Bridged {
    harness: TestRollup,
    l1_bridge: Address,
    l2_bridge: Address,
    token: Address,
}

impl Bridged {
    fn new(fork: ProtocolFork) -> Result<Self> {
        let alice = Key::named("alice");
        // The transaction before it deploys the code of the tokens.
        let l2_bridge = alice.address().create(1);
        let mut harness = TestRollup::with_bounded_target(fork, l2_bridge)?;
        let artifacts = Artifacts::load(&toolchain::progress_to_stderr)?;
        let with = |name: &str, arguments: Vec<u8>| -> Result<Bytes> {
            Ok([&artifacts.get(name)?.init_code[..], &arguments].concat().into())
        };
        let arguments = (harness.rollup.message_queue, l2_bridge).abi_encode_params();
        let l1_bridge = harness.l1.deploy(&alice, with("L1TokenBridge", arguments)?)?;
        let tools = toolchain::Toolchain::ensure(&toolchain::progress_to_stderr)?;
        let made = Artifacts::compile_files(&tools, &["test/utils/Tokens.sol"])?;
        let token = harness.l1.deploy(&alice, made.get("WordyToken")?.init_code.clone())?;

        let token_code = with("BridgedToken", l2_bridge.abi_encode())?;
        let token_code = [&[0; 32][..], &token_code].concat().into();
        let code = with("L2TokenBridge", l1_bridge.abi_encode())?;
        let mut bridged = Self { harness, l1_bridge, l2_bridge, token };
        for (to, data) in [(PROXY.into(), token_code), (TxKind::Create, code)] {
            let l2 = &mut bridged.harness.l2;
            let transaction = l2.sign(&alice, to, U256::ZERO, data, DEPLOYING_GAS)?;
            let block = bridged.block(vec![transaction], Evidence::default())?;
            let gas = block.block.executed.receipts[0].cumulative_gas_used;
            println!("{fork:?}: deploying takes {gas}");
            // The estimate of a node with the margin of forge.
            ensure!(
                gas * 13 / 10 < 9_900_000,
                "{fork:?}: {gas} gas exceed a block with the margin"
            );
        }
        Ok(bridged)
    }

    /// Builds a block with L1's timestamp and advances the rollup by it, after which all messages
    /// must have been relayed.
    fn block(
        &mut self,
        transactions: Vec<Transaction>,
        mut evidence: Evidence,
    ) -> Result<ExecutedBlock> {
        self.harness.pass(0)?;
        let block = self.harness.block_now(transactions)?;
        for receipt in &block.block.executed.receipts {
            ensure!(receipt.success, "a transaction of the L2 fails");
        }
        // All messages are relayed.
        let sent = self.harness.checkpoint()?;
        if sent.count != 0 {
            evidence.relays = vec![self.harness.relay_proof(sent)?];
        }
        self.harness.advance_with(vec![block.input()?], evidence)?;
        self.harness.assert_head_is(&block)?;
        Ok(block)
    }

    /// Sends a call from Alice on L1 that emits a message, and returns the message.
    fn send<C: SolCall>(&mut self, to: Address, call: &C) -> Result<Message> {
        let alice = self.harness.alice.clone();
        let sent = self.harness.l1.transact(&alice, to, U256::ZERO, call)?;
        self.harness.rollup.messages_in(&sent.block).pop().ok_or_eyre("no message")
    }

    /// Signs the transaction that forces the delivery of a message that the messenger keeps.
    fn forced(&mut self, key: &Key, message: &Message) -> Result<Transaction> {
        let force = forceCall { target: self.l2_bridge, message: message.into() }.abi_encode();
        Ok(self.harness.l2.sign(key, L2_ACCOUNTS.into(), U256::ZERO, force.into(), BOUNDED_GAS)?)
    }

    /// Relays a message; returns `true` if it is delivered, and `false` if the messenger keeps it.
    fn relay(&mut self, message: &Message) -> Result<bool> {
        Ok(self.relay_for(message, self.harness.operator.address())?.0)
    }

    /// Relays a message and pays its fee to this account; returns `true` if it is delivered, and
    /// the gas used.
    fn relay_for(&mut self, message: &Message, fee_recipient: Address) -> Result<(bool, u64)> {
        let operator = self.harness.operator.clone();
        let (anchor, update) = self.harness.rollup.newest_anchor(&self.harness.l1, 0)?;
        self.harness.anchor = anchor.hash();
        let transactions = vec![
            self.harness.l2.prove_anchor(&operator, &anchor)?,
            self.harness.l2.relay(&operator, core::slice::from_ref(message), fee_recipient)?,
        ];
        let evidence = Evidence { updates: vec![update], ..Default::default() };
        let block = self.block(transactions, evidence)?;
        let [anchored, relayed] = &block.block.executed.receipts[..] else {
            return Err(eyre::eyre!("not two receipts"));
        };
        let mut logs = relayed.logs.iter();
        let is_delivered = logs.any(|log| IL2Messenger::MessageDelivered::decode_log(log).is_ok());
        Ok((is_delivered, relayed.cumulative_gas_used - anchored.cumulative_gas_used))
    }

    /// Registers the token with this much gas on L2; returns `true` if it is created there.
    fn register(&mut self, gas: u64) -> Result<bool> {
        let call = IL1TokenBridge::registerCall { l1Token: self.token, gasLimit: gas };
        let message = self.send(self.l1_bridge, &call)?;
        self.relay(&message)
    }

    /// Deposits 100 units for an account with this much gas on L2; returns `true` if they are
    /// minted there.
    fn deposit(&mut self, to: Address, gas: u64) -> Result<bool> {
        let (alice, amount) = (self.harness.alice.clone(), U256::from(100));
        let give = IToken::giveCall { to: alice.address(), amount };
        self.harness.l1.transact(&alice, self.token, U256::ZERO, &give)?;
        let approve = IToken::approveCall { spender: self.l1_bridge, amount };
        self.harness.l1.transact(&alice, self.token, U256::ZERO, &approve)?;
        let call = IL1TokenBridge::depositCall {
            l1Token: self.token,
            to,
            refundTo: to,
            amount,
            gasLimit: gas,
        };
        let message = self.send(self.l1_bridge, &call)?;
        self.relay(&message)
    }

    /// Returns the gas that the bridge specifies for registrations and deposits.
    fn named(&self) -> Result<(u64, u64)> {
        let (l1, at) = (&self.harness.l1, self.l1_bridge);
        let register = l1.read(at, &IL1TokenBridge::REGISTER_GASCall {})?;
        Ok((register, l1.read(at, &IL1TokenBridge::DEPOSIT_GASCall {})?))
    }
}

#[test]
fn bridge_gas_limits_suffice_for_any_token() -> Result<()> {
    for fork in FORKS {
        let mut bridged = Bridged::new(fork)?;
        let (register, deposit) = bridged.named()?;
        let to = Key::named("charlie").address();
        if fork == ProtocolFork::Amsterdam {
            assert!(!bridged.register(register * 4 / 5)?, "four fifths are too little");
        }
        assert!(bridged.register(register)?, "{fork:?}: {register} gas register no token");
        if fork == ProtocolFork::Amsterdam {
            assert!(!bridged.deposit(to, deposit * 3 / 4)?, "three quarters are too little");
        }
        assert!(bridged.deposit(to, deposit)?, "{fork:?}: {deposit} gas mint nothing");
    }
    Ok(())
}

#[test]
fn contract_wallet_withdraws_tokens_by_forced_delivery() -> Result<()> {
    for fork in FORKS {
        let mut bridged = Bridged::new(fork)?;
        let (alice, bob) = (bridged.harness.alice.clone(), Key::named("operator"));
        let (register, deposit) = bridged.named()?;
        assert!(bridged.register(register)?);
        let account = alias_account(alice.address());
        assert!(bridged.deposit(account, deposit)?);

        // The first message of the alias account also creates it.
        let charlie = Key::named("charlie").address();
        let amount = U256::from(100);
        let withdraw = IL2TokenBridge::withdrawCall {
            l1Token: bridged.token,
            to: charlie,
            refundTo: charlie,
            amount,
            gasLimit: RELEASE_GAS,
        };
        let (to, data) = (bridged.l2_bridge, withdraw.abi_encode().into());
        let calls = vec![Call { to, value: U256::ZERO, data }];
        let send = IL1MessageQueue::sendCall {
            to: L2_ACCOUNTS,
            refundTo: account,
            gasLimit: LITTLE_GAS,
            fee: 0,
            data: executeCall { calls }.abi_encode().into(),
        };
        let message = bridged.send(bridged.harness.rollup.message_queue, &send)?;
        assert!(!bridged.relay(&message)?, "the messenger keeps the message");

        let forced = bridged.forced(&bob, &message)?;
        let entry = bridged.harness.submit(&forced)?;
        bridged.harness.pass(86_400)?;
        let discharge = Discharge {
            transaction: entry,
            outcome: Outcome::Included,
            position: 0,
            accountProof: vec![],
            code: Bytes::new(),
        };
        let batch = ForcedBatch { index: 0, discharges: vec![discharge], next: vec![] };
        let evidence = Evidence { forced: vec![batch], ..Default::default() };
        let block = bridged.block(vec![forced], evidence)?;
        let receipts = &block.block.executed.receipts;
        println!("{fork:?}: the forced delivery takes {}", receipts[0].cumulative_gas_used);

        let event = receipts[0].logs.iter().find_map(|log| MessageSent::decode_log(log).ok());
        let event = event.ok_or_eyre("no message to L1")?.data;
        let message = IL1MessageQueue::Message {
            sender: event.sender,
            to: event.to,
            refundTo: event.refundTo,
            value: event.value,
            fee: event.fee,
            gasLimit: event.gasLimit,
            index: event.index,
            data: event.data,
        };
        let harness = &mut bridged.harness;
        let proof = harness.l2.message_proof(harness.l2.chain().head(), message.index)?;
        let claim = IL1MessageQueue::claimCall { message, proof, feeRecipient: bob.address() };
        harness.l1.transact(&bob, harness.rollup.message_queue, U256::ZERO, &claim)?;
        let balance_of = IToken::balanceOfCall { account: charlie };
        assert_eq!(harness.l1.read(bridged.token, &balance_of)?, amount);
    }
    Ok(())
}

/// The most expensive relay: the first message of a rollup, which creates both the target account
/// and the fee recipient.
#[test]
fn relay_overhead_stays_below_relay_base() -> Result<()> {
    for fork in FORKS {
        let mut bridged = Bridged::new(fork)?;
        let harness = &mut bridged.harness;
        let (alice, queue) = (harness.alice.clone(), harness.rollup.message_queue);
        let to = Key::named("charlie").address();
        let send =
            IL1MessageQueue::sendCall { to, refundTo: to, gasLimit: 0, fee: 1, data: Bytes::new() };
        let sent = harness.l1.transact(&alice, queue, U256::from(2), &send)?;
        let message = harness.rollup.messages_in(&sent.block).pop().ok_or_eyre("no message")?;
        let (is_delivered, gas) = bridged.relay_for(&message, Key::named("dora").address())?;
        assert!(is_delivered);
        println!("{fork:?}: the relay takes {gas}, and {} on L1", sent.gas_used);
        assert!(gas <= RELAY_BASE, "{fork:?}: {gas}");
    }
    Ok(())
}
