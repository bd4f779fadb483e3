//! Record of sent transactions and whether they were acknowledged and included.

use super::{
    crossing::Crossing,
    plan::{Kind, Step},
};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rpc_types_eth::TransactionReceipt;
use alloy_sol_types::SolCall as _;
use client::{Client, ClientOptions};
use contracts::{L2_MESSENGER, bindings::IL2Messenger};
use eyre::{Result, ensure};
use testkit::localnet::{
    processes::{L1_CHAIN, L2_CHAIN},
    requests::{send_deposit, signed},
};
use testkit::{GWEI, Key};

/// Number of recent transactions that are checked again after an L1 reorg.
const RECENT: usize = 256;

/// A sent L2 transaction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    hash: B256,
    /// Wei that the transaction withdraws to L1.
    withdraws: u128,
    pub(super) acknowledged: bool,
    included: bool,
}

/// The traffic of a step.
pub(super) struct Traffic {
    pub(super) transactions: Vec<Sent>,
    /// Reason why a transaction was rejected, if one was.
    pub(super) refusal: Option<String>,
}

/// Endpoints and senders of the traffic.
pub(super) struct Endpoints {
    /// URL of the L2 node.
    pub(super) l2: String,
    /// URL of the L1 node.
    pub(super) l1: String,
    pub(super) message_queue: Address,
    pub(super) users: Vec<Key>,
    pub(super) crossing: Crossing,
}

/// Sends the transactions of a step until one is rejected.
pub(super) fn send_all(ways: &Endpoints, step: &Step) -> Traffic {
    let mut traffic = Traffic { transactions: Vec::new(), refusal: None };
    if let Err(refusal) = try_send_all(ways, step, &mut traffic.transactions) {
        traffic.refusal = Some(format!("{refusal:#}"));
    }
    traffic
}

fn try_send_all(ways: &Endpoints, step: &Step, sent: &mut Vec<Sent>) -> Result<()> {
    let Endpoints { l2, l1, message_queue, users, crossing } = ways;
    let client = Client::new(l2, ClientOptions::default())?;
    for burst in &step.bursts {
        let user = &users[burst.user];
        let next = pending_nonce(&client, user.address())?;
        for (nonce, value) in (next..).zip(burst.values.iter().copied()) {
            let ((to, input), value, gas, withdraws) = match burst.kind {
                Kind::Transfer => ((Address::repeat_byte(0x5e), Bytes::new()), value, 21_000, 0),
                Kind::Withdrawal => {
                    ((L2_MESSENGER, withdrawal(user.address())), value, 200_000, value)
                }
                Kind::TokenWithdrawal => {
                    (crossing.withdrawal(user.address(), value), 0, 300_000, 0)
                }
            };
            let raw = signed(L2_CHAIN, user, nonce, to.into(), value, input, gas);
            let hash = keccak256(&raw);
            // The node may accept the transaction although its response is lost.
            sent.push(Sent { hash, withdraws, acknowledged: false, included: false });
            let response: B256 = client.request("eth_sendRawTransaction", (raw,))?;
            ensure!(response == hash, "{hash} was acknowledged as {response}");
            if let Some(last) = sent.last_mut() {
                last.acknowledged = true;
            }
        }
    }
    let l1 = Client::new(l1, ClientOptions::default())?;
    if let Some(gwei) = step.deposit {
        send_deposit(
            &l1,
            L1_CHAIN,
            *message_queue,
            &Key::named("alice"),
            users[0].address(),
            gwei * GWEI,
        )?;
    }
    crossing.send(&l1, &client, users, step)
}

/// Record of all sent transactions.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    all: Vec<Sent>,
    /// Index up to which all acknowledged transactions are included.
    settled: usize,
    /// Sent transactions that are neither acknowledged nor included.
    doubtful: Vec<Sent>,
    /// Wei that included transactions withdraw to L1.
    withdrawn: u128,
}

impl Ledger {
    pub(super) fn add(&mut self, sent: Vec<Sent>) {
        let (acknowledged, doubtful): (Vec<_>, Vec<_>) =
            sent.into_iter().partition(|tx| tx.acknowledged);
        self.all.extend(acknowledged);
        self.doubtful.extend(doubtful);
    }

    pub(super) const fn acknowledged(&self) -> usize {
        self.all.len()
    }

    /// Returns `true` if all acknowledged transactions are included.
    pub(super) fn all_included(&mut self, node: &Client) -> Result<bool> {
        for sent in &mut self.all[self.settled..] {
            if !sent.included {
                let Some(receipt) = find(node, sent.hash)? else { return Ok(false) };
                ensure!(receipt.status(), "{} has failed", sent.hash);
                sent.included = true;
                self.withdrawn += sent.withdraws;
            }
        }
        self.settled = self.all.len();
        Ok(true)
    }

    /// Describes the missing transactions.
    pub(super) fn missing(&self) -> String {
        let new = &self.all[self.settled..];
        let missing: Vec<_> = new.iter().filter(|sent| !sent.included).map(|tx| tx.hash).collect();
        format!("{} of {} are in no block: {missing:?}", missing.len(), new.len())
    }

    /// Returns the hash of a recent transaction that is no longer included, if there is one. It may
    /// be included again, since a node that learns late of an L1 reorg rebuilds its newest blocks.
    pub(super) fn look_back(&self, node: &Client) -> Result<Option<B256>> {
        for sent in &self.all[self.settled.saturating_sub(RECENT)..self.settled] {
            if find(node, sent.hash)?.is_none() {
                return Ok(Some(sent.hash));
            }
        }
        Ok(None)
    }

    /// Checks that a node's blocks contain every acknowledged transaction.
    pub(super) fn check_all(&self, node: &Client) -> Result<()> {
        for sent in &self.all {
            ensure!(find(node, sent.hash)?.is_some(), "{} is lost", sent.hash);
        }
        Ok(())
    }

    /// Returns the wei that all included transactions withdraw to L1.
    pub(super) fn withdrawn(&mut self, node: &Client) -> Result<U256> {
        let mut doubtful = Vec::new();
        for sent in core::mem::take(&mut self.doubtful) {
            match find(node, sent.hash)? {
                Some(receipt) => {
                    ensure!(receipt.status(), "{} has failed", sent.hash);
                    self.withdrawn += sent.withdraws;
                    self.all.insert(self.settled, Sent { included: true, ..sent });
                    self.settled += 1;
                }
                None => doubtful.push(sent),
            }
        }
        self.doubtful = doubtful;
        Ok(U256::from(self.withdrawn))
    }
}

fn find(node: &Client, hash: B256) -> Result<Option<TransactionReceipt>> {
    Ok(node.request("eth_getTransactionReceipt", (hash,))?)
}

fn withdrawal(to: Address) -> Bytes {
    let call = IL2Messenger::sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data: Bytes::new() };
    call.abi_encode().into()
}

fn pending_nonce(node: &Client, account: Address) -> Result<u64> {
    let nonce: U256 = node.request("eth_getTransactionCount", (account, "pending"))?;
    Ok(nonce.try_into()?)
}
