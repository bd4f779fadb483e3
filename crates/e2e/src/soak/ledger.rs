//! What was sent, what of it was acknowledged, and where it is.

use super::{
    crossing::Crossing,
    plan::{Kind, Step},
};
use crate::processes::{L2_CHAIN, send_deposit, signed};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rpc_types_eth::TransactionReceipt;
use alloy_sol_types::SolCall as _;
use client::{Client, Options};
use contracts::{L2_MESSENGER, bindings::IL2Messenger};
use eyre::{Result, ensure};
use testkit::{GWEI, Key};

/// Transactions before the newest ones that are looked at again when L1 has got another history.
const RECENT: usize = 256;

/// A transaction of the L2 that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    hash: B256,
    /// Wei that it takes back to L1.
    withdraws: u128,
    pub(super) acknowledged: bool,
    included: bool,
}

/// The traffic of a step.
pub(super) struct Traffic {
    pub(super) transactions: Vec<Sent>,
    /// Why something was not taken.
    pub(super) refusal: Option<String>,
}

/// Where traffic goes, and from whom.
pub(super) struct Ways {
    /// URLs of the two chains' nodes.
    pub(super) l2: String,
    pub(super) l1: String,
    pub(super) message_queue: Address,
    pub(super) users: Vec<Key>,
    pub(super) crossing: Crossing,
}

/// Transfers, withdrawals, and what goes through L1, as far as they are taken.
pub(super) fn send_all(ways: &Ways, step: &Step) -> Traffic {
    let mut traffic = Traffic { transactions: Vec::new(), refusal: None };
    if let Err(refusal) = try_send_all(ways, step, &mut traffic.transactions) {
        traffic.refusal = Some(format!("{refusal:#}"));
    }
    traffic
}

fn try_send_all(ways: &Ways, step: &Step, sent: &mut Vec<Sent>) -> Result<()> {
    let Ways { l2, l1, message_queue, users, crossing } = ways;
    let client = Client::new(l2, Options::default())?;
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
            // It may be taken even if nobody says so.
            sent.push(Sent { hash, withdraws, acknowledged: false, included: false });
            let told: B256 = client.request("eth_sendRawTransaction", (raw,))?;
            ensure!(told == hash, "{hash} was acknowledged as {told}");
            if let Some(last) = sent.last_mut() {
                last.acknowledged = true;
            }
        }
    }
    let l1 = Client::new(l1, Options::default())?;
    if let Some(gwei) = step.deposit {
        send_deposit(&l1, *message_queue, &Key::named("alice"), users[0].address(), gwei * GWEI)?;
    }
    crossing.send(&l1, &client, users, step)
}

/// All transactions that were sent.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    all: Vec<Sent>,
    /// Of those up to here, all that were acknowledged are in blocks.
    settled: usize,
    /// Those that nobody has acknowledged, and that stand in no block.
    doubtful: Vec<Sent>,
    /// Wei that transactions in blocks take back to L1.
    withdrawn: u128,
}

impl Ledger {
    pub(super) fn add(&mut self, sent: Vec<Sent>) {
        let (told, doubtful): (Vec<_>, Vec<_>) = sent.into_iter().partition(|it| it.acknowledged);
        self.all.extend(told);
        self.doubtful.extend(doubtful);
    }

    pub(super) const fn acknowledged(&self) -> usize {
        self.all.len()
    }

    /// Whether all that was acknowledged stands in blocks by now.
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

    /// What is missed, in words.
    pub(super) fn missing(&self) -> String {
        let new = &self.all[self.settled..];
        let missing: Vec<_> = new.iter().filter(|sent| !sent.included).map(|it| it.hash).collect();
        format!("{} of {} are in no block: {missing:?}", missing.len(), new.len())
    }

    /// What was in a block some time ago and is not now, if there is anything. It may come back: a node that
    /// hears late of a reorganisation of L1 makes its newest blocks again.
    pub(super) fn look_back(&self, node: &Client) -> Result<Option<B256>> {
        for sent in &self.all[self.settled.saturating_sub(RECENT)..self.settled] {
            if find(node, sent.hash)?.is_none() {
                return Ok(Some(sent.hash));
            }
        }
        Ok(None)
    }

    /// That everything that was ever acknowledged is in blocks of a node.
    pub(super) fn check_all(&self, node: &Client) -> Result<()> {
        for sent in &self.all {
            ensure!(find(node, sent.hash)?.is_some(), "{} is lost", sent.hash);
        }
        Ok(())
    }

    /// Wei that all transactions in blocks take back to L1.
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
