//! Requests about the submitter's account and transactions. Headers do not prove the responses, so
//! the requests are sent to all L1 nodes, and the majority decides.
//!
//! With a single L1 node, its responses are trusted.

use super::{TxCandidate, refusal::is_execution_failure};
use crate::{
    L1Error, SubmitterError,
    l1::{L1Client, Verdicts},
    lease::Fence,
    threads,
};
use alloy_eips::BlockId;
use alloy_primitives::{Address, Bytes, U256};
use alloy_provider::{Provider as _, RootProvider, transport::TransportError};
use alloy_rpc_types_eth::TransactionRequest;
use std::thread;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    /// Account nonce, i.e. the number of its included transactions.
    pub(super) used: u64,
    pub(super) balance: U256,
    /// Number of L1's latest block.
    pub(super) latest: u64,
}

/// Returns an account at a block, and its pending nonce if `asks_for_earlier`. This is the highest
/// that a node reports, since the pools of nodes differ.
///
/// # Errors
///
/// [`L1Error::Client`] if L1 does not respond, and [`L1Error::Undecided`] if no majority of the
/// nodes agrees on the account.
pub(super) fn account_at(
    client: &L1Client,
    account: Address,
    block: BlockId,
    asks_for_earlier: bool,
) -> Result<(Account, Option<u64>), L1Error> {
    let ask = |provider: RootProvider| async move {
        let used = provider.get_transaction_count(account).block_id(block);
        let balance = provider.get_balance(account).block_id(block);
        let latest = provider.get_block_number();
        let pending = async {
            if !asks_for_earlier {
                return Ok::<_, TransportError>(None);
            }
            provider.get_transaction_count(account).pending().await.map(Some)
        };
        tokio::try_join!(used.into_future(), balance.into_future(), latest.into_future(), pending)
    };
    // Honest nodes may differ in their latest block and their pool.
    let responses = client.verdicts(ask, |a, b| (a.0, a.1) == (b.0, b.1))?;
    let Some(Ok((used, balance, ..))) = responses.majority() else {
        return Err(undecided(responses));
    };
    let (used, balance) = (*used, *balance);
    let mut numbers: Vec<_> = values(&responses).map(|(_, _, latest, _)| *latest).collect();
    let latest = upper_median(&mut numbers).unwrap_or_default();
    let pending = values(&responses).filter_map(|(.., pending)| *pending).max();
    Ok((Account { used, balance, latest }, pending))
}

/// Requests the sender of a transaction, and estimates or simulates the transaction, in concurrent
/// requests. Returns the account and the gas.
pub(super) fn account_and_gas(
    client: &L1Client,
    request: TransactionRequest,
    candidate: &TxCandidate,
) -> Result<(Account, u64), SubmitterError> {
    let TxCandidate { gas_limit, for_fork, can_simulate, .. } = *candidate;
    let account = request.from.unwrap_or_default();
    let (account_request, gas) = thread::scope(|scope| {
        let request_account = move || account_at(client, account, BlockId::latest(), false);
        let account_request = threads::spawn(scope, request_account);
        let gas = match gas_limit {
            // A simulation needs one execution, an estimate several.
            Some(limit) if can_simulate => {
                simulate(client, &request.gas_limit(limit)).map(|()| limit)
            }
            Some(limit) => Ok(limit),
            None => estimate(client, &request).map(|gas| gas.saturating_add(for_fork)),
        };
        (account_request.join().unwrap_or(Err(L1Error::Thread)), gas)
    });
    let ((account, _), gas) = (account_request?, gas?);
    Ok((account, gas))
}

/// Sends a transaction to all L1 nodes, and waits until most of their pools have responded. Checks
/// immediately before that this node still leads.
///
/// # Errors
///
/// [`SubmitterError::Lease`] if it does not, or if etcd does not respond, in which case the
/// transaction was not sent. The error response if most pools reject the transaction, and
/// [`L1Error::Client`] if none responds.
pub(super) fn send(client: &L1Client, fence: &Fence, raw: &Bytes) -> Result<(), SubmitterError> {
    fence.check()?;
    let ask = |provider: RootProvider| {
        let raw = raw.clone();
        async move {
            match provider.send_raw_transaction(&raw).await {
                // It is in the pool or already included. The next poll of L1 shows which.
                Err(error) if is_known(&error.to_string()) => Ok(()),
                sent => sent.map(drop),
            }
        }
    };
    let responses = client.verdicts(ask, |(), ()| true)?;
    // One pool is sufficient, because it gossips the transaction.
    match 2 * values(&responses).count() >= responses.all.len() {
        true => Ok(()),
        false => Err(undecided(responses).into()),
    }
}

/// Executes a transaction on L1's head without sending it.
///
/// # Errors
///
/// The error response unless it succeeds on most nodes, and [`L1Error::Client`] if none responds.
fn simulate(client: &L1Client, request: &TransactionRequest) -> Result<(), L1Error> {
    let ask = |provider: RootProvider| {
        let request = request.clone();
        async move { provider.call(request).await.map(drop) }
    };
    let responses = client.verdicts(ask, |(), ()| true)?;
    match responses.majority() {
        Some(Ok(())) => Ok(()),
        _ => Err(undecided(responses)),
    }
}

/// Returns the gas that a transaction needs.
///
/// # Errors
///
/// The error response unless most nodes have an estimate, and [`L1Error::Client`] if none responds.
pub(super) fn estimate(client: &L1Client, request: &TransactionRequest) -> Result<u64, L1Error> {
    let ask = |provider: RootProvider| {
        let request = request.clone();
        async move { provider.estimate_gas(request).await }
    };
    let responses = client.verdicts(ask, |a, b| is_close(*a, *b))?;
    let mut estimates: Vec<_> = values(&responses).copied().collect();
    if 2 * estimates.len() <= responses.all.len() {
        return Err(undecided(responses));
    }
    estimate_of(&mut estimates).ok_or_else(|| undecided(responses))
}

/// Returns the highest estimate that is close to the median, if there is any. The estimates of
/// clients differ by a few percent; the median lies between those of honest nodes if most are.
fn estimate_of(estimates: &mut [u64]) -> Option<u64> {
    let median = upper_median(estimates)?;
    estimates.iter().copied().filter(|estimate| is_close(*estimate, median)).max()
}

/// Returns the gas limit for an estimate: earlier transactions in the same L1 block may increase
/// the gas. The result is bounded by L1's limits only afterwards, so a response must not overflow
/// it.
pub(super) const fn with_margin(estimate: u64) -> u64 {
    estimate.saturating_add(estimate / 8)
}

/// Returns `true` if estimates differ by at most an eighth of the lower one, which is added to
/// estimates.
fn is_close(a: u64, b: u64) -> bool {
    a.abs_diff(b) <= a.min(b) / 8
}

fn upper_median(values: &mut [u64]) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

fn values<T>(responses: &Verdicts<T>) -> impl Iterator<Item = &T> {
    responses.all.iter().filter_map(|response| response.as_ref().ok())
}

/// Returns the reason why the nodes have no majority value: the most frequent error, or
/// [`L1Error::Undecided`] if errors are the minority.
///
/// A failure of EXECUTE makes the sequencer replace a block and drop transactions, so it is
/// reported only if more than half of the nodes do.
fn undecided<T>(responses: Verdicts<T>) -> L1Error {
    let nodes = responses.all.len();
    let errors: Vec<L1Error> = responses
        .all
        .into_iter()
        .filter_map(|response| response.err().map(L1Error::from))
        .collect();
    let same = errors.len();
    if 2 * same < nodes {
        return L1Error::Undecided { same: nodes - same, nodes };
    }
    let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
    let failures = errors.iter().filter(|error| is_execution_failure(error)).count();
    let is_failure = 2 * failures > nodes;
    let ranked = errors.into_iter().enumerate().filter_map(|(at, error)| {
        let count = texts.iter().filter(|text| **text == texts[at]).count();
        (is_execution_failure(&error) == is_failure).then_some((count, error))
    });
    let reason = ranked.max_by_key(|(count, _)| *count);
    reason.map_or(L1Error::Undecided { same, nodes }, |(_, error)| error)
}

fn is_known(message: &str) -> bool {
    ["already known", "already imported", "nonce too low"].iter().any(|text| message.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::Random;

    #[test]
    fn minority_of_liars_never_sets_estimate() {
        let mut random = Random::new(8_079);
        for _ in 0..2_000 {
            let liars = random.index(4);
            let honest: Vec<_> = (0..=liars).map(|_| 1_000_000 + random.below(60_000)).collect();
            let lie = |random: &mut Random| match random.index(3) {
                0 => random.below(2_000_000),
                1 => u64::MAX,
                _ => 0,
            };
            let mut all: Vec<_> = (0..liars).map(|_| lie(&mut random)).collect();
            all.extend(&honest);
            let (min, max) = (honest.iter().min().unwrap(), honest.iter().max().unwrap());
            let estimate = estimate_of(&mut all).unwrap();
            assert!((*min..=max + max / 8).contains(&estimate), "{estimate} of {all:?}");
        }
    }
}
