//! Requests to all L1 nodes for data that no header proves.
//!
//! With `2f + 1` nodes, any response that more than half of them agree on is also the response of
//! an honest node, so `f` nodes with well-formed false responses change nothing.

use super::L1Client;
use crate::l1::{L1Error, Silence};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::U64;
use alloy_provider::{Provider as _, RootProvider, transport::TransportError};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use parking_lot::Mutex;
use serde::Deserialize;
use std::time::{Duration, Instant};

/// First backoff of a node that did not respond; it doubles each time. No request waits for a node
/// in backoff.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(60);
/// Maximum difference in seconds of pending-block timestamps that count as equal. The sequencer
/// tolerates as much in a block that is ahead of L1's time.
const SPREAD: u64 = 2;
/// Maximum difference in seconds of a node's time before the client switches to another node. Some
/// nodes report the current time and others that of the next slot, and a node may lag behind.
const WRONG_TIME: u64 = 60;
/// Number of blocks by which the node in use may lag behind most of the others.
const MAX_BEHIND: u64 = 2;

/// Number of equal responses that decides a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quorum {
    /// More than half of all nodes. Used for a block that other nodes may not have yet, where a
    /// node that is ahead would otherwise decide alone.
    All,
    /// More than half of the nodes that respond.
    Responding,
}

/// Responses to a request so far, with the indexes of the nodes.
#[derive(Debug)]
struct Responses<T> {
    received: Vec<(usize, T)>,
    nodes: usize,
    /// `true` if all other nodes are in backoff.
    is_complete: bool,
}

impl<T> Responses<T> {
    /// Returns the index of a response on which a majority by this quorum agrees, or else the size
    /// of the largest group of equal responses.
    fn majority(&self, quorum: Quorum, same: impl Fn(&T, &T) -> bool) -> Result<usize, usize> {
        let needed = match quorum {
            Quorum::Responding if self.is_complete => self.received.len(),
            _ => self.nodes,
        };
        let count = |own: &T| self.received.iter().filter(|(_, other)| same(own, other)).count();
        let largest = (0..self.received.len()).map(|at| (at, count(&self.received[at].1)));
        match largest.max_by_key(|(_, count)| *count) {
            Some((at, count)) if 2 * count > needed => Ok(at),
            largest => Err(largest.map_or(0, |(_, count)| count)),
        }
    }
}

/// Nodes that have not responded recently. Requests are still sent to them, but callers do not wait
/// for their responses.
#[derive(Debug, Default)]
pub(super) struct UnresponsiveNodes(Mutex<Vec<(u32, Option<Instant>)>>);

impl UnresponsiveNodes {
    pub(super) fn of(nodes: usize) -> Self {
        Self(Mutex::new(vec![(0, None); nodes]))
    }

    /// Returns whether to wait for each node. If more than half of the nodes are in backoff, waits
    /// for all, since a minority would decide otherwise.
    fn is_waited_for(&self, now: Instant) -> Vec<bool> {
        let all = self.0.lock();
        let is_awake = |until: &Option<Instant>| until.is_none_or(|until| until <= now);
        let awake: Vec<_> = all.iter().map(|(_, until)| is_awake(until)).collect();
        let is_minority = 2 * awake.iter().filter(|awake| **awake).count() < awake.len();
        if is_minority { vec![true; awake.len()] } else { awake }
    }

    fn note(&self, node: usize, has_responded: bool, now: Instant) {
        let mut all = self.0.lock();
        let Some((count, until)) = all.get_mut(node) else { return };
        if has_responded {
            (*count, *until) = (0, None);
        } else if until.is_none_or(|until| until <= now) {
            let backoff =
                FIRST_BACKOFF.saturating_mul(1_u32.checked_shl(*count).unwrap_or(u32::MAX));
            *count = count.saturating_add(1).min(31);
            *until = Some(now + backoff.min(MAX_BACKOFF));
        }
    }
}

/// Responses to a request whose error responses count as well, e.g. whether a transaction is
/// accepted.
#[derive(Debug)]
pub(crate) struct Verdicts<T> {
    /// Values and error responses of the nodes that responded.
    pub(crate) all: Vec<Result<T, TransportError>>,
    /// Index of a response that more than half of them share.
    majority: Option<usize>,
}

impl<T> Verdicts<T> {
    /// Returns the response that more than half of the nodes share.
    pub(crate) fn majority(&self) -> Option<&Result<T, TransportError>> {
        self.all.get(self.majority?)
    }
}

/// L1's pending block, as reported by a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Pending {
    /// Some nodes report none.
    number: Option<U64>,
    timestamp: U64,
}

/// Requests the pending block from a node. Decoded here, since the provider panics if the response
/// is a string.
pub(super) async fn pending(provider: RootProvider) -> Result<Option<Pending>, L1Error> {
    let (method, pending) = ("eth_getBlockByNumber".into(), BlockNumberOrTag::Pending);
    Ok(provider.raw_request(method, (pending, false)).await?)
}

impl Pending {
    /// Returns `true` if the node is more than [`MAX_BEHIND`] blocks ahead of one with this head.
    fn is_ahead(&self, head: Option<u64>) -> bool {
        let number = self.number.unwrap_or_default().to::<u64>();
        head.is_some_and(|head| head.saturating_add(1 + MAX_BEHIND) < number)
    }

    pub(super) fn timestamp(&self) -> u64 {
        self.timestamp.to::<u64>()
    }
}

impl Responses<Option<Pending>> {
    fn reported(&self) -> impl Iterator<Item = Pending> {
        self.received.iter().filter_map(|(_, pending)| *pending)
    }
}

/// L1's next block, according to all nodes.
#[derive(Debug, Clone, Copy)]
struct NextBlock {
    timestamp: u64,
    /// `true` if the timestamps of most nodes are equal, and no node is ahead of the one in use.
    is_equal: bool,
    /// `true` if most nodes are ahead of the one in use.
    is_behind: bool,
}

impl L1Client {
    /// Sends a request to all nodes concurrently, and returns the majority response. If the node in
    /// use returns a different one, the client switches to the next node. A single node is trusted.
    ///
    /// Nodes that return an error or do not respond within the timeout have no vote; the latter are
    /// then in backoff. Returns as soon as the remaining responses cannot change the result.
    ///
    /// # Errors
    ///
    /// [`L1Error::Undecided`] if the responses differ and no quorum agrees; the error of a node if
    /// none responds.
    pub(crate) fn majority<T, E, F>(
        &self,
        quorum: Quorum,
        request: impl Fn(RootProvider) -> F,
    ) -> Result<T, E>
    where
        T: PartialEq + Send + 'static,
        E: Silence + From<L1Error> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        if self.nodes.is_empty() {
            return self.wait(request(self.client.provider().clone()));
        }
        let turn = self.client.turn();
        let (mut responses, error) = self.request_all(request, move |responses| {
            // No better result is expected soon, and the caller will retry.
            let is_over = quorum == Quorum::All && responses.is_complete;
            is_over || responses.majority(quorum, T::eq).is_ok()
        });
        if let (true, Some(error)) = (responses.received.is_empty(), error) {
            return Err(error);
        }
        match responses.majority(quorum, T::eq) {
            Ok(at) => {
                let right = &responses.received[at].1;
                let is_wrong = |(node, response): &(usize, T)| {
                    *node == turn % self.nodes.len() && response != right
                };
                if responses.received.iter().any(is_wrong) {
                    tracing::warn!("L1 node contradicts the others, trying the next one");
                    self.client.leave_address(turn);
                }
                Ok(responses.received.swap_remove(at).1)
            }
            Err(same) => {
                // The node in use may be the wrong one, which cannot be detected. With a quorum of
                // all nodes it may just have a block that the others lack.
                if quorum == Quorum::Responding {
                    self.client.leave_address(turn);
                }
                Err(L1Error::Undecided { same, nodes: responses.received.len() }.into())
            }
        }
    }

    /// Sends a request to all nodes concurrently, and returns their responses once more than half
    /// of the nodes agree, or all have responded. Error responses count as equal. If the node in
    /// use disagrees with the majority, the client switches to the next one.
    ///
    /// # Errors
    ///
    /// The error of a node if none responds.
    pub(crate) fn verdicts<T, F>(
        &self,
        request: impl Fn(RootProvider) -> F,
        same: impl Fn(&T, &T) -> bool + Copy + Send + 'static,
    ) -> Result<Verdicts<T>, L1Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, TransportError>> + Send + 'static,
    {
        let request = |provider| {
            let response = request(provider);
            async move {
                match response.await {
                    Err(error) if !error.is_error_resp() => Err(L1Error::from(error)),
                    response => Ok(response),
                }
            }
        };
        if self.nodes.is_empty() {
            let response = self.wait(request(self.client.provider().clone()))?;
            return Ok(Verdicts { all: vec![response], majority: Some(0) });
        }
        let same = move |a: &Result<T, _>, b: &Result<T, _>| match (a, b) {
            (Ok(a), Ok(b)) => same(a, b),
            (a, b) => a.is_err() && b.is_err(),
        };
        let turn = self.client.turn();
        let (responses, error) = self.request_all(request, move |responses| {
            responses.majority(Quorum::Responding, same).is_ok()
        });
        if let (true, Some(error)) = (responses.received.is_empty(), error) {
            return Err(error);
        }
        let majority = responses.majority(Quorum::Responding, same).ok();
        let is_wrong = |(node, response): &(usize, _)| {
            let majority = majority.and_then(|at| responses.received.get(at));
            *node == turn % self.nodes.len()
                && majority.is_none_or(|(_, majority)| !same(majority, response))
        };
        if responses.received.iter().any(is_wrong) {
            tracing::warn!("L1 node contradicts the others, trying the next one");
            self.client.leave_address(turn);
        }
        Ok(Verdicts {
            all: responses.received.into_iter().map(|(_, response)| response).collect(),
            majority,
        })
    }

    /// Returns the timestamp of the pending block. With multiple nodes, this is the time on which
    /// more than half of them agree within [`SPREAD`], or else the median. `None` if no node
    /// reports one.
    ///
    /// The client switches to the next node if the time of the node in use differs by more than a
    /// minute, or if its `head` is more than two blocks behind the majority.
    ///
    /// # Errors
    ///
    /// [`L1Error::Client`] if L1 does not respond.
    pub(crate) fn agreed_timestamp(
        &self,
        (turn, head): (usize, Option<u64>),
    ) -> Result<Option<u64>, L1Error> {
        if self.nodes.is_empty() {
            return self.next_timestamp();
        }
        let (responses, error) =
            self.request_all(pending, move |responses| NextBlock::is_decided(responses, head));
        if let (true, Some(error)) = (responses.received.is_empty(), error) {
            return Err(error);
        }
        let Some(next) = NextBlock::of(&responses, head) else { return Ok(None) };
        let is_wrong = |(node, pending): &(usize, Option<Pending>)| {
            *node == turn % self.nodes.len()
                && pending
                    .is_some_and(|block| block.timestamp().abs_diff(next.timestamp) > WRONG_TIME)
        };
        if next.is_behind || responses.received.iter().any(is_wrong) {
            let is_behind = next.is_behind;
            tracing::warn!(is_behind, "L1 node contradicts the others, trying the next one");
            self.client.leave_address(turn);
        }
        Ok(Some(next.timestamp))
    }

    /// Sends a request to all nodes, and returns their responses once they are decided or complete,
    /// and the error of a node that failed. Cancels pending requests.
    fn request_all<T, E, F>(
        &self,
        request: impl Fn(RootProvider) -> F,
        is_decided: impl Fn(&Responses<T>) -> bool + Send + 'static,
    ) -> (Responses<T>, Option<E>)
    where
        T: Send + 'static,
        E: Silence + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let nodes = self.nodes.len();
        let mut requests: FuturesUnordered<_> = self
            .nodes
            .iter()
            .map(|node| request(node.provider().clone()))
            .enumerate()
            .map(|(node, response)| async move { (node, response.await) })
            .collect();
        let mut waits_for = self.silent.is_waited_for(Instant::now());
        let (responses, responded, error) = self.client.wait(async move {
            let mut responses = Responses { received: Vec::new(), nodes, is_complete: false };
            let (mut responded, mut reason) = (Vec::new(), None);
            while let Some((node, response)) = requests.next().await {
                if let Some(waits) = waits_for.get_mut(node) {
                    *waits = false;
                }
                responded.push((node, !response.as_ref().is_err_and(Silence::is_silence)));
                match response {
                    Ok(response) => responses.received.push((node, response)),
                    // Prefer the error of a node over the timeout of another.
                    Err(error) if reason.as_ref().is_none_or(Silence::is_silence) => {
                        reason = Some(error);
                    }
                    Err(_) => {}
                }
                responses.is_complete = !waits_for.contains(&true);
                if is_decided(&responses) {
                    break;
                }
            }
            responses.is_complete = true;
            (responses, responded, reason)
        });
        let now = Instant::now();
        for (node, has_responded) in responded {
            self.silent.note(node, has_responded, now);
            if has_responded {
                self.answered.note(now);
            }
        }
        (responses, error)
    }
}

impl NextBlock {
    /// Returns L1's next block according to the responses so far; `None` if no node has reported
    /// one. `head` is the head of the node in use.
    fn of(responses: &Responses<Option<Pending>>, head: Option<u64>) -> Option<Self> {
        let mut times: Vec<_> = responses.reported().map(|pending| pending.timestamp()).collect();
        times.sort_unstable();
        let median = *times.get(times.len().checked_sub(1)? / 2)?;
        let ahead = responses.reported().filter(|pending| pending.is_ahead(head)).count();
        Some(Self {
            timestamp: cluster(&times, responses.nodes).unwrap_or(median),
            is_equal: cluster(&times, responses.nodes).is_some() && ahead == 0,
            is_behind: 2 * ahead > times.len(),
        })
    }

    /// Returns `true` if no further response is needed. All responses are needed to decide whether
    /// the node in use lags behind.
    fn is_decided(responses: &Responses<Option<Pending>>, head: Option<u64>) -> bool {
        Self::of(responses, head).is_some_and(|next| next.is_equal || responses.is_complete)
    }
}

/// Returns the lowest timestamp of a majority of nodes whose timestamps are equal within
/// [`SPREAD`]. If a majority of the nodes is honest, at least one of these timestamps is.
fn cluster(times: &[u64], nodes: usize) -> Option<u64> {
    let groups = times.windows(nodes / 2 + 1);
    groups
        .filter(|group| group[group.len() - 1] - group[0] <= SPREAD)
        .map(|group| group[0])
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::Random;

    fn reported(number: u64, timestamp: u64) -> Option<Pending> {
        Some(Pending { number: Some(U64::from(number)), timestamp: U64::from(timestamp) })
    }

    /// Adds responses in random order until the request is decided or complete.
    fn arrived<T: Copy>(
        random: &mut Random,
        mut open: Vec<T>,
        is_decided: impl Fn(&Responses<T>) -> bool,
    ) -> Responses<T> {
        let nodes = open.len();
        let mut responses = Responses { received: Vec::new(), nodes, is_complete: false };
        while !open.is_empty() && !is_decided(&responses) {
            let node = random.index(open.len());
            responses.received.push((node, open.swap_remove(node)));
            responses.is_complete = open.is_empty();
        }
        responses
    }

    #[test]
    fn minority_of_liars_never_decides() {
        let mut random = Random::new(8_079);
        for round in 0..2_000 {
            let liars = random.index(4);
            // All liars agree in half of the rounds.
            let lie = |random: &mut Random| if round % 2 == 0 { 1 } else { 1 + random.below(3) };
            let mut open: Vec<_> = (0..liars).map(|_| lie(&mut random)).collect();
            open.resize(2 * liars + 1, 0);
            for quorum in [Quorum::All, Quorum::Responding] {
                let responses = arrived(&mut random, open.clone(), |responses| {
                    responses.majority(quorum, u64::eq).is_ok()
                });
                let at = responses.majority(quorum, u64::eq).unwrap();
                assert_eq!(responses.received[at].1, 0, "{open:?}");
            }
        }
    }

    #[test]
    fn minority_of_liars_never_sets_time() {
        let mut random = Random::new(8_079);
        let (number, head) = (101, Some(100));
        for _ in 0..2_000 {
            let liars = random.index(4);
            let range = [2, 12][random.index(2)];
            let honest: Vec<_> = (0..=liars).map(|_| 1_000_000 + random.below(range)).collect();
            let lie = |random: &mut Random| match random.index(3) {
                0 => random.below(2_000_000),
                1 => u64::MAX - random.below(3),
                _ => honest[0] + random.below(30) - 15,
            };
            let mut open: Vec<_> = (0..liars).map(|_| lie(&mut random)).collect();
            open.extend(&honest);
            let mut open: Vec<_> = open.into_iter().map(|time| reported(number, time)).collect();
            // Liars that make the node in use look as if it lagged behind.
            for liar in open.iter_mut().take(random.index(liars + 1)).flatten() {
                liar.number = Some(U64::MAX);
            }
            let responses = arrived(&mut random, open.clone(), |responses| {
                NextBlock::is_decided(responses, head)
            });
            let next = NextBlock::of(&responses, head).unwrap();
            let (min, max) = (honest.iter().min().unwrap(), honest.iter().max().unwrap());
            let (min, max) = (min.saturating_sub(SPREAD), *max);
            assert!((min..=max).contains(&next.timestamp), "{next:?} of {open:?}");
            assert!(!next.is_behind, "{open:?}");
        }
    }

    #[test]
    fn node_behind_most_others_is_recognised() {
        let of = |numbers: [u64; 3], head| {
            let open = numbers.map(|number| reported(number, 1_000)).to_vec();
            let mut random = Random::new(1);
            let responses =
                arrived(&mut random, open, |block| NextBlock::is_decided(block, Some(head)));
            NextBlock::of(&responses, Some(head)).unwrap().is_behind
        };
        assert!(!of([101, 101, 101], 100) && !of([103, 103, 103], 100));
        assert!(of([104, 104, 101], 100) && !of([104, 101, 101], 100));
    }

    #[test]
    fn silent_nodes_are_waited_for_less_often() {
        let (silent, begun) = (UnresponsiveNodes::of(2), Instant::now());
        let mut now = begun;
        for count in 0..9 {
            assert_eq!(silent.is_waited_for(now), [true, true]);
            silent.note(1, false, now);
            // Counts once while it rests.
            silent.note(1, false, now);
            assert_eq!(silent.is_waited_for(now), [true, false]);
            now += FIRST_BACKOFF.saturating_mul(1 << count).min(MAX_BACKOFF);
        }
        silent.note(0, false, now);
        silent.note(1, false, now);
        assert_eq!(silent.is_waited_for(now), [true, true]);
        silent.note(0, true, now);
        assert_eq!(silent.is_waited_for(now), [true, false]);
        silent.note(1, true, now);
        assert_eq!(silent.is_waited_for(now), [true, true]);
    }
}
