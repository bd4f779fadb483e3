//! Thread that polls L1, so that other threads do not wait for its responses.

use crate::{
    Duties, L1Error, RollupRules,
    l1::{
        L1Client, L1Clock, L1Header, L1Provider as _, L1Reader, L1Update, L1View, Quorum,
        execute_rate::ExecuteRate,
        profile,
        promise_terms::{self, PromiseTerms, Promiser},
        rollup_contracts::{self, Admission},
        sync_state::FailedPoll,
    },
    l2::contracts::relayed_after,
    service::{node_handle::NodeHandle, supervisor::Actor},
    threads,
};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256};
use chain::{ChainReader, next_gas_limit};
use contracts::{L2_MESSENGER, kept_slot};
use futures_util::TryFutureExt as _;
use node::Node;
use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use variants::market::Rate;

/// Maximum pause after consecutive errors.
pub(crate) const MAX_RETRY_INTERVAL: Duration = Duration::from_secs(10);
/// Maximum number of relayed messages that a poll drops. Each requires a read of the L2 state, to
/// check whether the messenger stores the message for a retry.
const MAX_FORGOTTEN: usize = 1_024;
/// Maximum sleep between checks of the stop flag.
const STOP_POLL: Duration = Duration::from_millis(20);

/// State of the contracts at the head of a view. Unverified: a false state makes a sequencer build
/// blocks that L1 rejects.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Terms {
    pub(crate) duties: Duties,
    pub(crate) admission: Admission,
    /// Target of the blocks' gas limit.
    pub(crate) gas_target: u64,
    /// Conditions of promises; `None` if the node makes none, or could not read them.
    pub(crate) promises: Option<PromiseTerms>,
}

impl Terms {
    /// Returns `true` if a block has the gas limit that L1 requires after this parent, and the fee
    /// recipient of the policy.
    pub(crate) fn allow(&self, parent: &Header, header: &Header) -> bool {
        let gas_limit = next_gas_limit(parent.gas_limit, Some(self.gas_target));
        let recipient = self.admission.required_recipient();
        header.gas_limit == gas_limit
            && recipient.is_none_or(|recipient| recipient == header.beneficiary)
    }
}

/// Immutable snapshot of L1 for the sequencer.
#[derive(Debug, Clone)]
pub(crate) struct L1Snapshot {
    pub(crate) view: Arc<L1View>,
    /// `None` for a node that is not a sequencer, and until L1 has been read up to its head.
    pub(crate) terms: Option<Arc<Terms>>,
    pub(crate) clock: L1Clock,
}

#[derive(Debug)]
pub(crate) struct L1Poll {
    pub(crate) update: L1Update,
    pub(crate) snapshot: L1Snapshot,
}

/// Account whose admission is requested while the node is a sequencer.
#[derive(Debug, Clone)]
pub(crate) struct Sequencing {
    pub(crate) account: Option<Address>,
    pub(crate) rules: RollupRules,
    /// `Some` if the sequencer signs prefixes.
    pub(crate) promiser: Option<Promiser>,
}

#[derive(Debug)]
pub(crate) struct L1Poller {
    reader: L1Reader,
    node: Arc<Node>,
    sequencing: Sequencing,
    clock: L1Clock,
    /// Price of EXECUTE gas, updated by this thread.
    rate: ExecuteRate,
    /// Latest terms, with the hash of their L1 block.
    terms: Option<(B256, Arc<Terms>)>,
    /// Numbers of the latest L1 blocks, with the number of messages that the L2 had relayed at
    /// each.
    relayed: VecDeque<(u64, u64)>,
    /// Number of messages stored for a retry after the last check of all of them.
    kept_checked: usize,
}

/// Receiver of polls, and the thread. The thread ends soon after [`L1Polls::end`], or after its
/// pending request to L1.
#[derive(Debug)]
pub(crate) struct L1Polls {
    polls: Receiver<Result<L1Poll, FailedPoll>>,
    thread: JoinHandle<()>,
}

impl L1Poller {
    pub(crate) const fn new(
        reader: L1Reader,
        node: Arc<Node>,
        sequencing: Sequencing,
        rate: ExecuteRate,
    ) -> Self {
        Self {
            reader,
            node,
            sequencing,
            clock: L1Clock::new(),
            rate,
            terms: None,
            relayed: VecDeque::new(),
            kept_checked: 0,
        }
    }

    /// Starts the thread, which polls L1 at this interval until `stop` is set. It requests the
    /// terms of block production while the node is a sequencer, according to `shared`.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if the operating system cannot create a thread.
    pub(crate) fn start(
        mut self,
        poll: Duration,
        stop: Arc<AtomicBool>,
        shared: Arc<NodeHandle>,
    ) -> io::Result<L1Polls> {
        // At most one poll waits in the channel, so that inputs do not fill the memory of a
        // follower that is still executing earlier ones.
        let (sender, polls) = sync_channel(1);
        shared.supervisor.start(Actor::L1);
        let thread = thread::Builder::new().name(Actor::L1.name().to_owned()).spawn(move || {
            let work = || self.run(poll, &stop, &shared, &sender);
            shared.supervisor.run(Actor::L1, work);
        })?;
        Ok(L1Polls { polls, thread })
    }

    fn run(
        &mut self,
        poll: Duration,
        stop: &AtomicBool,
        shared: &NodeHandle,
        polls: &SyncSender<Result<L1Poll, FailedPoll>>,
    ) {
        let mut pause = poll;
        while !stop.load(Ordering::Relaxed) {
            shared.supervisor.advanced(Actor::L1);
            let polled = self.poll(shared.makes_blocks.load(Ordering::Relaxed)).map_err(|error| {
                let view = self.reader.view();
                let read = view.head().map_or(0, |head| head.number);
                FailedPoll::new(&error, read, view.latest())
            });
            pause = match &polled {
                Ok(polled) if polled.update.more => Duration::ZERO,
                Ok(_) => poll,
                // Doubled, since an outage of L1 may last for hours.
                Err(_) => (pause * 2).clamp(poll, MAX_RETRY_INTERVAL.max(poll)),
            };
            if polls.send(polled).is_err() {
                return;
            }
            let until = Instant::now() + pause;
            while !stop.load(Ordering::Relaxed)
                && let Some(remaining) = until.checked_duration_since(Instant::now())
            {
                thread::sleep(remaining.min(STOP_POLL));
                shared.supervisor.advanced(Actor::L1);
            }
        }
    }

    fn poll(&mut self, is_leading: bool) -> Result<L1Poll, L1Error> {
        let chain = self.node.read(|node| node.chain.reader().clone());
        let is_known = |hash: &B256| chain.find_block(hash).is_ok_and(|found| found.is_some());
        let client = Arc::clone(self.reader.client());
        let turn = client.turn();
        let newest = client.newest()?;
        let used_node = (turn, newest.0.as_ref().map(|read| read.header.number));
        // Requested concurrently with the blocks up to the head: at a latency of one second, each
        // sequential request would make the snapshot a second older.
        let head = newest.0.as_ref().map(|read| read.header.clone()).filter(|_| is_leading);
        let request = head.and_then(|head| self.terms_request(head));
        let (read, requested, next) = thread::scope(|scope| {
            let next = threads::spawn(scope, || {
                let requested = Instant::now();
                client.agreed_timestamp(used_node).map(|next| (requested, Instant::now(), next))
            });
            let requested = request.map(|request| {
                // Other nodes may not have the block yet, so the response of those that have it is
                // not enough.
                let head = request.head.hash;
                let client = &client;
                let run = move || Self::request_terms(client, &request, Quorum::All);
                (head, threads::spawn(scope, run))
            });
            let read = self.reader.read_up_to(newest, &is_known);
            let requested = requested.map(|(head, requested)| {
                (head, requested.join().unwrap_or_else(|_| Err(L1Error::Thread)))
            });
            (read, requested, next.join().unwrap_or(Err(L1Error::Thread)))
        });
        if let Some(common) = self.reader.reverted_to() {
            let count = self.relayed.partition_point(|(at, _)| *at <= common);
            self.relayed.truncate(count);
        }
        let more = read?;
        // Only a sequencer needs the terms, and only at the head.
        let terms = match is_leading && !more {
            true => self.terms(requested)?,
            false => None,
        };
        if let Some(head) = self.reader.view().head().map(|head| head.timestamp) {
            // L1 would reject a block with a later timestamp until its own time has reached it.
            let (requested, responded, next) = next?;
            self.clock.set(
                requested,
                responded,
                head,
                next.unwrap_or(head).max(head.saturating_add(1)),
            );
        }
        if !more {
            self.forget_relayed(&chain)?;
        }
        // Nothing after this can fail, so the result is returned exactly once.
        let update = L1Update { more, ..self.reader.take_update() };
        let view = Arc::clone(self.reader.view());
        Ok(L1Poll { update, snapshot: L1Snapshot { view, terms, clock: self.clock } })
    }

    /// Drops messages that the L2 had relayed as of the oldest remembered header. Deeper reorgs are
    /// not followed.
    fn forget_relayed(&mut self, chain: &ChainReader) -> Result<(), L1Error> {
        let view = self.reader.view();
        let (Some(oldest), Some(head)) = (view.oldest(), view.head()) else { return Ok(()) };
        let (oldest, head) = (oldest.number, head.number);
        // Uses the state of the safe block: unsafe blocks may be replaced, and their messages
        // relayed again.
        let safe = match view.advanced_head() {
            Some(head) => chain.find_block(&head.hash)?,
            None => None,
        };
        let Some(safe) = safe else { return Ok(()) };
        let is_new = self.relayed.back().is_none_or(|(at, _)| *at < head);
        if is_new {
            self.relayed.push_back((head, relayed_after(chain, &safe)?));
        }
        let settled = self.relayed.iter().take_while(|(at, _)| *at <= oldest).count();
        let Some(&(_, relayed)) = settled.checked_sub(1).and_then(|last| self.relayed.get(last))
        else {
            return Ok(());
        };
        self.relayed.drain(..settled - 1);
        let state = chain.state_after(&safe);
        let is_kept =
            |hash| Ok::<_, L1Error>(!state.storage(L2_MESSENGER, kept_slot(hash))?.is_zero());
        let (mut end, mut kept) = (None, Vec::new());
        for message in view.messages().settled(relayed, MAX_FORGOTTEN) {
            let hash = message.hash();
            if is_kept(hash)? {
                kept.push((message.index, hash));
            }
            end = Some(message.index + 1);
        }
        // Stored messages that were retried or refunded since are settled too. All are checked when
        // their number has doubled, so that the work is proportional to the number of new ones.
        let mut given_up = Vec::new();
        if view.messages().kept().len() > 2 * self.kept_checked + MAX_FORGOTTEN {
            for (index, hash) in view.messages().kept() {
                if !is_kept(*hash)? {
                    given_up.push(*index);
                }
            }
            self.kept_checked = view.messages().kept().len() - given_up.len();
        }
        if let Some(end) = end {
            self.reader.forget_messages(end, kept);
        }
        if !given_up.is_empty() {
            self.reader.forget_retryable(&given_up);
        }
        Ok(())
    }

    /// Returns the request for the terms at an L1 block, if they are not known.
    fn terms_request(&self, head: L1Header) -> Option<TermsRequest> {
        let account = self.sequencing.account?;
        let is_known = self.terms.as_ref().is_some_and(|(at, _)| *at == head.hash);
        let rollup = self.reader.view().deployment().rollup;
        let Sequencing { rules, promiser, .. } = self.sequencing;
        (!is_known).then_some(TermsRequest { head, rollup, account, rules, promiser })
    }

    /// Requests the terms at a block and the price of EXECUTE gas there from all nodes,
    /// concurrently.
    fn request_terms(
        client: &L1Client,
        request: &TermsRequest,
        quorum: Quorum,
    ) -> Result<PolledContracts, L1Error> {
        let &TermsRequest { ref head, rollup, account, rules, promiser } = request;
        let (hash, base_fee) = (head.hash, head.base_fee);
        thread::scope(|scope| {
            // Decided separately: a node that does not respond to these requests, or lies, must not
            // stop the production of blocks.
            let promises = promiser.map(|promiser| {
                threads::spawn(scope, move || {
                    Self::request_promise_terms(client, promiser, head, quorum)
                })
            });
            let (duties, admission, gas_target, rate) =
                client.majority(quorum, |provider| async move {
                    let at = hash.into();
                    let duties = rollup_contracts::duties(provider.clone(), rollup, hash);
                    let admission =
                        rollup_contracts::admission(provider.clone(), rollup, account, rules, at);
                    let gas_target = rollup_contracts::gas_target(provider.clone(), rollup, at);
                    let rate = profile::rate_by(provider, at, base_fee).map_err(Into::into);
                    tokio::try_join!(duties, admission, gas_target, rate)
                })?;
            let promises = promises.and_then(|thread| thread.join().unwrap_or_default());
            Ok((Terms { duties, admission, gas_target, promises }, rate))
        })
    }

    /// Requests the conditions of promises at a block; `None` if they cannot be read.
    fn request_promise_terms(
        client: &L1Client,
        promiser: Promiser,
        head: &L1Header,
        quorum: Quorum,
    ) -> Option<PromiseTerms> {
        let at = (head.hash, head.timestamp);
        let request = |provider| promise_terms::promise_terms(provider, promiser, at);
        let promises = client.majority(quorum, request);
        promises
            .inspect_err(|error| {
                tracing::warn!(%error, "failed to read the conditions of preconfirmations");
            })
            .ok()
    }

    /// Compares the duties at the head of the view with its verified logs, and switches to the next
    /// L1 node if they differ. A single node is trusted.
    fn check_duties(&self, duties: &Duties) -> Result<(), L1Error> {
        let (client, expected) = (self.reader.client(), self.reader.view().forced_next());
        if duties.forced_next != expected && client.nodes() > 1 {
            client.leave_node();
            let got = duties.forced_next;
            return Err(L1Error::mismatch("the next forced transaction", got, expected));
        }
        Ok(())
    }

    /// Returns the terms at the head of the view. They are requested once for each L1 block; again
    /// here if `requested` belongs to another block.
    fn terms(
        &mut self,
        requested: Option<(B256, Result<PolledContracts, L1Error>)>,
    ) -> Result<Option<Arc<Terms>>, L1Error> {
        let Some(head) = self.reader.view().head().cloned() else { return Ok(None) };
        if let Some((at, terms)) = &self.terms
            && *at == head.hash
        {
            return Ok(Some(Arc::clone(terms)));
        }
        let client = self.reader.client();
        let requested =
            requested.filter(|(at, _)| *at == head.hash).map(|(_, requested)| requested);
        // By now most nodes have the block. Only failed requests are repeated, because the snapshot
        // waits for them.
        let (terms, rate) = match (requested, self.terms_request(head.clone())) {
            (Some(requested), _) if client.nodes() == 1 => requested?,
            (Some(Ok((mut terms, rate))), _) => {
                if let (None, Some(promiser)) = (&terms.promises, self.sequencing.promiser) {
                    terms.promises =
                        Self::request_promise_terms(client, promiser, &head, Quorum::Responding);
                }
                (terms, rate)
            }
            (_, Some(request)) => Self::request_terms(client, &request, Quorum::Responding)?,
            (_, None) => return Ok(None),
        };
        self.check_duties(&terms.duties)?;
        // Set before the terms are returned, so that no block is built with the price of an older
        // L1 block.
        self.rate.set(rate);
        let terms = Arc::new(terms);
        self.terms = Some((head.hash, Arc::clone(&terms)));
        Ok(Some(terms))
    }
}

/// A request for the terms at an L1 block.
#[derive(Debug)]
struct TermsRequest {
    head: L1Header,
    rollup: Address,
    account: Address,
    rules: RollupRules,
    promiser: Option<Promiser>,
}

/// Terms, and the price of EXECUTE gas.
type PolledContracts = (Terms, Option<Rate>);

impl L1Polls {
    /// Returns the next poll, if there is one. Each failed poll returns its error once.
    pub(crate) fn next(&self) -> Option<Result<L1Poll, FailedPoll>> {
        match self.polls.try_recv() {
            Ok(polled) => Some(polled),
            Err(_) if self.thread.is_finished() => {
                Some(Err(FailedPoll::new(&L1Error::Thread, 0, 0)))
            }
            Err(_) => None,
        }
    }

    /// Waits for the end of the thread after its stop flag was set.
    pub(crate) fn end(self) {
        drop(self.polls);
        // The supervisor has logged a panic of the thread.
        let _ = self.thread.join();
    }
}
