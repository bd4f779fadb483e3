//! Maximum duties of a block, the transactions that fulfil them, and the evidence.

use super::rollup::{DevnetRollup, NO_ANCHOR, SENDERS};
use alloy_consensus::TxEip1559;
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall, SolEvent};
use enshrine_contracts::{
    Anchor, L2_MESSENGER, Message,
    bindings::{
        IForcedInbox, IL1MessageQueue, IL2Messenger,
        INativeRollup::{
            AnchorUpdate, Checkpoint, Discharge, Evidence, ForcedBatch, ForcedTransaction, Outcome,
            RelayProof,
        },
    },
    capacity, extend, pack,
};
use eyre::{OptionExt, Result};
use testkit::{FORCED_FEE, FORCED_GAS, Key, L2, Transaction};

const DAY: u64 = 86_400;
/// Fee cap that is above every base fee in these tests.
const GENEROUS: u128 = 100_000_000_000;
/// The point evaluation precompile, which fails on empty input, so that the delivery of every
/// message fails.
const REFUSING: Address = Address::with_last_byte(10);

/// The maximum duty of one kind.
pub(crate) enum Duty {
    /// The maximum number of messages that a block must relay, out of the maximum number that an
    /// anchor can cover.
    Relays(Box<Relays>),
    /// Forced transactions, all with the same outcome.
    Forced { transactions: Vec<Transaction>, entries: Vec<ForcedTransaction>, outcome: Outcome },
}

pub(crate) struct Relays {
    messages: Vec<Message>,
    anchor: Anchor,
    update: AnchorUpdate,
    /// Checkpoints before and after the count of relayed messages at the end of the block.
    around: [Checkpoint; 2],
}

impl Duty {
    /// Sends as many messages as an anchor can cover, all of which are overdue and fail.
    pub(crate) fn relays(rollup: &mut DevnetRollup) -> Result<Self> {
        let relays = capacity::RELAYS as usize;
        let (alice, message_queue) = (Key::named(SENDERS[0]), rollup.rollup.message_queue);
        let (mut messages, mut around) = (Vec::new(), Vec::new());
        for number in 0..capacity::AHEAD {
            if number as usize == relays || number as usize == relays + 1 {
                let now = rollup.l1.read(message_queue, &IL1MessageQueue::checkpointCall {})?;
                around.push(Checkpoint::from(now));
            }
            let send = IL1MessageQueue::sendCall {
                to: REFUSING,
                refundTo: alice.address(),
                gasLimit: 0,
                fee: 0,
                data: Bytes::new(),
            };
            let sent = rollup.l1.send(
                &alice,
                message_queue.into(),
                U256::ONE,
                send.abi_encode().into(),
                1_000_000,
            )?;
            messages.extend(rollup.rollup.messages_in(&sent.block));
        }
        assert_eq!(messages.len() as u64, capacity::AHEAD);
        rollup.pass(DAY)?;
        let (anchor, update) = rollup.rollup.newest_anchor(&rollup.l1, 0)?;
        let around = around.try_into().map_err(|_| eyre::eyre!("two checkpoints"))?;
        Ok(Self::Relays(Box::new(Relays { messages, anchor, update, around })))
    }

    /// Submits calls to the messenger that use up the bytes and the gas of the duty budget.
    pub(crate) fn forced(rollup: &mut DevnetRollup) -> Result<Self> {
        let (mut transactions, mut entries) = (Vec::new(), Vec::new());
        for name in SENDERS {
            let key = Key::named(name);
            let call = IL2Messenger::sendCall {
                to: key.address(),
                refundTo: key.address(),
                gasLimit: 0,
                fee: 0,
                data: vec![0xff; 3_380].into(),
            };
            let transaction = key.sign(TxEip1559 {
                chain_id: rollup.l2.chain().config().spec.chain_id(),
                gas_limit: capacity::DUTY_GAS / SENDERS.len() as u64,
                max_fee_per_gas: GENEROUS,
                to: L2_MESSENGER.into(),
                value: U256::ONE,
                input: call.abi_encode().into(),
                ..Default::default()
            });
            entries.push(submit(rollup, &transaction)?);
            transactions.push(transaction);
        }
        let footprint: u64 = entries.iter().map(|entry| entry.footprint).sum();
        assert!((capacity::DUTY_BYTES - 1_000..=capacity::DUTY_BYTES).contains(&footprint));
        rollup.pass(DAY)?;
        Ok(Self::Forced { transactions, entries, outcome: Outcome::Included })
    }

    /// Submits the maximum number of forced transactions that a block discharges, from as many
    /// accounts as the budget has proofs for.
    pub(crate) fn evidence(rollup: &mut DevnetRollup) -> Result<Self> {
        let proofs = PROVEN;
        let mut entries = Vec::new();
        for number in 0..capacity::MAX_DISCHARGES {
            let transfer = Key::named(&format!("stranger {}", number % proofs)).sign(TxEip1559 {
                chain_id: rollup.l2.chain().config().spec.chain_id(),
                nonce: (number / proofs) as u64,
                gas_limit: FORCED_GAS,
                max_fee_per_gas: GENEROUS,
                to: Key::named("bob").address().into(),
                ..Default::default()
            });
            entries.push(submit(rollup, &transfer)?);
        }
        rollup.pass(DAY)?;
        Ok(Self::Forced { transactions: vec![], entries, outcome: Outcome::Invalid })
    }

    /// Returns the block's transactions.
    pub(crate) fn transactions(&self, l2: &mut L2, operator: &Key) -> Result<Vec<Transaction>> {
        let Relays { messages, anchor, .. } = match self {
            Self::Relays(relays) => &**relays,
            Self::Forced { transactions, .. } => return Ok(transactions.clone()),
        };
        let (now, later) = messages.split_at(capacity::RELAYS as usize);
        let root = now.iter().fold(B256::ZERO, |root, message| extend(root, message.hash()));
        let waypoint = IL2Messenger::addWaypointCall {
            from: messages.len() as u64,
            root,
            hashes: later.iter().map(Message::hash).collect(),
        };
        let relay =
            IL2Messenger::relayCall { messages: pack(now), feeRecipient: operator.address() };
        let messenger = L2_MESSENGER.into();
        Ok(vec![
            l2.prove_anchor(operator, anchor)?,
            l2.sign(operator, messenger, U256::ZERO, waypoint.abi_encode().into(), 2_000_000)?,
            l2.sign(operator, messenger, U256::ZERO, relay.abi_encode().into(), 3_000_000)?,
        ])
    }

    /// Returns the block's anchor.
    pub(crate) fn anchor(&self) -> B256 {
        match self {
            Self::Relays(relays) => relays.anchor.hash(),
            Self::Forced { .. } => NO_ANCHOR,
        }
    }

    /// Returns the evidence for the block, which is the head of `l2`.
    pub(crate) fn evidence_after(&self, l2: &L2) -> Result<Evidence> {
        let chain = l2.chain();
        match self {
            Self::Relays(relays) => {
                let proof = chain.prove(chain.head(), L2_MESSENGER, &[U256::ZERO])?;
                let [before, next] = relays.around.clone();
                let relay = RelayProof {
                    index: 0,
                    accountProof: proof.nodes,
                    storageProof: proof.slots[0].nodes.clone(),
                    before,
                    next,
                };
                let updates = vec![relays.update.clone()];
                Ok(Evidence { updates, relays: vec![relay], ..Default::default() })
            }
            Self::Forced { entries, outcome, .. } => {
                let discharge = |(number, entry): (usize, &ForcedTransaction)| {
                    let (mut position, mut account_proof) = (number as u64, vec![]);
                    if *outcome == Outcome::Invalid {
                        position = (number % PROVEN) as u64;
                        if number < PROVEN {
                            account_proof = chain.prove(chain.head(), entry.sender, &[])?.nodes;
                        }
                    }
                    Ok(Discharge {
                        transaction: entry.clone(),
                        outcome: *outcome,
                        position,
                        accountProof: account_proof,
                        code: Bytes::new(),
                    })
                };
                let discharges =
                    entries.iter().enumerate().map(discharge).collect::<Result<_>>()?;
                let batch = ForcedBatch { index: 0, discharges, next: vec![] };
                Ok(Evidence { forced: vec![batch], ..Default::default() })
            }
        }
    }
}

/// Maximum number of accounts with a proof in the evidence of a block: a ninth would exceed the
/// budget of bytes.
const PROVEN: usize = 8;

fn submit(rollup: &mut DevnetRollup, transaction: &Transaction) -> Result<ForcedTransaction> {
    let call = IForcedInbox::submitCall { raw: transaction.encoded_2718().into() };
    let alice = Key::named(SENDERS[0]);
    let data = call.abi_encode().into();
    let forced = rollup.rollup.forced;
    let sent = rollup.l1.send(&alice, forced.into(), U256::from(FORCED_FEE), data, 1_000_000)?;
    // From Amsterdam on, ETH transfers also emit logs (EIP-7708).
    let mut logs = sent.receipt.logs.iter();
    let submitted = logs.find_map(|log| IForcedInbox::ForcedSubmitted::decode_log(log).ok());
    Ok((&submitted.ok_or_eyre("not submitted")?.transaction).into())
}
