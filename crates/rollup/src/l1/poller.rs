//! Thread that sends requests to L1 and waits for answers, so that other threads do not.

use crate::{
    Duties, L1Error, RollupError, RollupRules,
    execute_rate::ExecuteRate,
    l1::{L1Client, L1Clock, L1Header, L1Reader, L1Update, L1View},
    l1_sync::FailedPoll,
    l2_syncer::{self, Admission, relayed_after},
    profile,
    rpc_methods::Shared,
    service::supervisor::Room,
};
use alloy_primitives::{Address, B256};
use chain::ChainReader;
use contracts::{L2_MESSENGER, kept_slot};
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
/// Maximum number of relayed messages that a poll forgets. For each it reads from the L2 whether
/// the messenger keeps it for a retry.
const MAX_FORGOTTEN: usize = 1_024;
/// Maximum sleep without a check of the stop flag.
const STOP_POLL: Duration = Duration::from_millis(20);

/// State of the contracts at the head of a view, unverified: with a false one a sequencer makes
/// blocks that L1 refuses.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) duties: Duties,
    pub(crate) admission: Admission,
}

/// Immutable snapshot of L1 for the sequencer.
#[derive(Debug, Clone)]
pub(crate) struct L1Snapshot {
    pub(crate) view: Arc<L1View>,
    /// `None` for a node that makes no blocks, and until L1 has been read to its head.
    pub(crate) terms: Option<Arc<Terms>>,
    pub(crate) clock: L1Clock,
}

/// Result of polling L1.
#[derive(Debug)]
pub(crate) struct L1Poll {
    pub(crate) update: L1Update,
    pub(crate) snapshot: L1Snapshot,
}

/// Account whose admission is requested, while the node makes blocks.
#[derive(Debug, Clone)]
pub(crate) struct Sequencing {
    pub(crate) account: Option<Address>,
    pub(crate) rules: RollupRules,
}

/// The thread's state.
#[derive(Debug)]
pub(crate) struct L1Poller {
    reader: L1Reader,
    node: Arc<Node>,
    sequencing: Sequencing,
    clock: L1Clock,
    /// Price of EXECUTE, updated by this thread.
    rate: ExecuteRate,
    /// Terms at the L1 block with this hash.
    terms: Option<(B256, Arc<Terms>)>,
    /// Number of messages that the L2 had relayed, for each of the newest L1 blocks.
    relayed: VecDeque<(u64, u64)>,
    /// Messages kept for a retry that are still to be checked in this round.
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

    /// Starts the thread, which looks at L1 at this interval until `stop` is set. It requests the
    /// terms of block production while `shared` has the role of a sequencer.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if the system has no thread.
    pub(crate) fn start(
        mut self,
        poll: Duration,
        stop: Arc<AtomicBool>,
        shared: Arc<Shared>,
    ) -> io::Result<L1Polls> {
        // One waits while the next is taken: a follower that executes does not fill memory with
        // inputs.
        let (sender, polls) = sync_channel(1);
        shared.supervisor.start(Room::L1);
        let thread = thread::Builder::new().name(Room::L1.name().to_owned()).spawn(move || {
            let work = || self.run(poll, &stop, &shared, &sender);
            shared.supervisor.run(Room::L1, work);
        })?;
        Ok(L1Polls { polls, thread })
    }

    fn run(
        &mut self,
        poll: Duration,
        stop: &AtomicBool,
        shared: &Shared,
        polls: &SyncSender<Result<L1Poll, FailedPoll>>,
    ) {
        let mut pause = poll;
        while !stop.load(Ordering::Relaxed) {
            shared.supervisor.advanced(Room::L1);
            let polled = self.poll(shared.makes_blocks.load(Ordering::Relaxed)).map_err(|error| {
                let view = self.reader.view();
                let read = view.head().map_or(0, |head| head.number);
                FailedPoll { error, read, latest: view.latest() }
            });
            pause = match &polled {
                Ok(polled) if polled.update.more => Duration::ZERO,
                Ok(_) => poll,
                // L1 may be gone for an hour.
                Err(_) => (pause * 2).clamp(poll, MAX_RETRY_INTERVAL.max(poll)),
            };
            if polls.send(polled).is_err() {
                return;
            }
            let until = Instant::now() + pause;
            while !stop.load(Ordering::Relaxed)
                && let Some(left) = until.checked_duration_since(Instant::now())
            {
                thread::sleep(left.min(STOP_POLL));
                shared.supervisor.advanced(Room::L1);
            }
        }
    }

    fn poll(&mut self, is_leading: bool) -> Result<L1Poll, RollupError> {
        let chain = self.node.read(|node| node.chain.reader().clone());
        let known = |hash: &B256| chain.find_block(hash).is_ok_and(|found| found.is_some());
        let client = Arc::clone(self.reader.client());
        let newest = client.newest()?;
        // Asked while the blocks up to it are read: with an answer a second late, each question
        // after another makes the snapshot older.
        let head = newest.0.as_ref().map(|read| read.header.clone()).filter(|_| is_leading);
        let (asks, terms_of) = (head.and_then(|head| self.question(head)), Self::ask_terms);
        let (read, asked, next) = thread::scope(|scope| {
            let next = scope.spawn(|| {
                let asked = Instant::now();
                client.next_timestamp().map(|next| (asked, Instant::now(), next))
            });
            let asked = asks.map(|question| {
                let head = question.head.hash;
                (head, scope.spawn(|| terms_of(&client, question)))
            });
            let read = self.reader.read_up_to(newest, &known);
            let asked = asked.map(|(head, asked)| {
                (head, asked.join().unwrap_or_else(|_| Err(L1Error::Thread.into())))
            });
            (read, asked, next.join().unwrap_or(Err(L1Error::Thread)))
        });
        if let Some(stayed) = self.reader.reverted_to() {
            let kept = self.relayed.partition_point(|(at, _)| *at <= stayed);
            self.relayed.truncate(kept);
        }
        let more = read?;
        // Only a node that seals asks for them, and only at the head.
        let terms = match is_leading && !more {
            true => self.terms(asked)?,
            false => None,
        };
        if let Some(head) = self.reader.view().head().map(|head| head.timestamp) {
            // A block with a time beyond this would be refused by L1 until its time has come.
            let (asked, answered, next) = next?;
            self.clock.set(asked, answered, head, next.unwrap_or(head).max(head + 1));
        }
        if !more {
            self.forget_relayed(&chain)?;
        }
        // All that can fail has been done: what was read is handed over once.
        let update = L1Update { more, ..self.reader.hand_over() };
        let view = Arc::clone(self.reader.view());
        Ok(L1Poll { update, snapshot: L1Snapshot { view, terms, clock: self.clock } })
    }

    /// Forgets messages that the L2 had relayed as of the oldest remembered header, below which no
    /// reorganisation is followed.
    fn forget_relayed(&mut self, chain: &ChainReader) -> Result<(), RollupError> {
        let view = self.reader.view();
        let (Some(oldest), Some(head)) = (view.oldest(), view.head()) else { return Ok(()) };
        let (oldest, head) = (oldest.number, head.number);
        // By the L2 state that L1 has taken: what this node has sealed beyond that may be undone,
        // and its messages relayed again.
        let safe = match view.advanced_head() {
            Some((_, hash)) => chain.find_block(&hash)?,
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
            |hash| Ok::<_, RollupError>(!state.storage(L2_MESSENGER, kept_slot(hash))?.is_zero());
        let (mut end, mut kept) = (None, Vec::new());
        for message in view.messages().settled(relayed, MAX_FORGOTTEN) {
            let hash = message.hash();
            if is_kept(hash)? {
                kept.push((message.index, hash));
            }
            end = Some(message.index + 1);
        }
        // What was retried or refunded since is settled too. They are looked at when they have
        // doubled, so that the work is in proportion to what is kept.
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
            self.reader.forget_kept(&given_up);
        }
        Ok(())
    }

    /// The question after the terms at an L1 block, if they are not known.
    fn question(&self, head: L1Header) -> Option<Question> {
        let account = self.sequencing.account?;
        let is_known = self.terms.as_ref().is_some_and(|(at, _)| *at == head.hash);
        let (rollup, rules) = (self.reader.view().deployment().rollup, self.sequencing.rules);
        (!is_known).then_some(Question { head, rollup, account, rules })
    }

    /// Asks for the terms at a block, and for the price of EXECUTE there, all at once.
    fn ask_terms(client: &L1Client, question: Question) -> Result<Asked, RollupError> {
        let Question { head, rollup, account, rules } = question;
        let at = head.hash;
        thread::scope(|scope| {
            let duties = scope.spawn(|| l2_syncer::duties(client, rollup, at));
            let rate = scope.spawn(|| profile::rate(client, at.into(), head.base_fee));
            let admission = l2_syncer::admission(client, rollup, account, &rules, at.into());
            let duties = duties.join().unwrap_or_else(|_| Err(L1Error::Thread.into()));
            let rate = rate.join().unwrap_or(Err(L1Error::Thread));
            Ok((Terms { duties: duties?, admission: admission? }, rate?))
        })
    }

    /// Terms at the head of the view: asked once for each of L1's blocks, here if `asked` are those
    /// of another block.
    fn terms(
        &mut self,
        asked: Option<(B256, Result<Asked, RollupError>)>,
    ) -> Result<Option<Arc<Terms>>, RollupError> {
        let Some(head) = self.reader.view().head().cloned() else { return Ok(None) };
        if let Some((at, terms)) = &self.terms
            && *at == head.hash
        {
            return Ok(Some(Arc::clone(terms)));
        }
        let asked = match asked.filter(|(at, _)| *at == head.hash) {
            Some((_, asked)) => asked,
            None => match self.question(head.clone()) {
                Some(question) => Self::ask_terms(self.reader.client(), question),
                None => return Ok(None),
            },
        };
        let (terms, rate) = asked?;
        // Before the terms are handed out, so that no block is made by the price of an older L1
        // block.
        self.rate.set(rate);
        let terms = Arc::new(terms);
        self.terms = Some((head.hash, Arc::clone(&terms)));
        Ok(Some(terms))
    }
}

/// A question after the terms at an L1 block.
#[derive(Debug)]
struct Question {
    head: L1Header,
    rollup: Address,
    account: Address,
    rules: RollupRules,
}

/// Terms, and the price of EXECUTE.
type Asked = (Terms, Option<Rate>);

impl L1Polls {
    /// Returns the next poll, if there is one. Each failed poll returns its error once.
    pub(crate) fn next(&self) -> Option<Result<L1Poll, FailedPoll>> {
        match self.polls.try_recv() {
            Ok(polled) => Some(polled),
            Err(_) if self.thread.is_finished() => {
                Some(Err(FailedPoll { error: L1Error::Thread.into(), read: 0, latest: 0 }))
            }
            Err(_) => None,
        }
    }

    /// Waits for the end of the thread after its stop flag was set.
    pub(crate) fn end(self) {
        drop(self.polls);
        // A panic of it was logged.
        let _ = self.thread.join();
    }
}
