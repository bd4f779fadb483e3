//! The thread that follows L1 and makes or takes blocks, in the one role or the other.

use crate::{
    Follower, RollupError, Rules, Sequencer, SequencerConfig, Submitter,
    admin::{Asked, Order, RoleError, sequencer_at},
    metrics::Levels,
    pool_log::{self, Offered, PoolLog},
    rpc_methods::Shared,
    status::BlockId,
    sync::{self, Sync},
    unsafe_feed::Feed,
};
use alloy_primitives::{Address, Bytes};
use chain::RecoveredTransaction;
use node::{Node, SetPoolJournal};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

/// The pause when there is nothing to do.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest pause after faults in a row.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What both roles are made from.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) rules: Rules,
    pub(crate) node: Arc<Node>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) data_dir: Option<PathBuf>,
    /// How it makes blocks, if it can.
    pub(crate) sequencing: Option<Box<SequencerConfig>>,
    /// WebSocket URL of the node that makes the blocks if this one does not.
    pub(crate) peer: Option<String>,
    /// Whether callers of the Engine API bring blocks.
    pub(crate) has_callers: bool,
    pub(crate) feed: Feed,
    pub(crate) runtime: tokio::runtime::Handle,
}

/// Either role.
enum Acting {
    Sequencer(Box<Sequencer>),
    Follower(Box<Follower>),
}

/// A node at work.
pub(crate) struct Worker {
    start: Start,
    /// Always there, but for the moment in which it changes.
    acting: Option<Acting>,
    pool_log: Option<Arc<PoolLog>>,
    /// Transactions that wait for their place in a block, and not in the pool, until the next role takes them over.
    kept: Vec<RecoveredTransaction>,
}

impl Worker {
    /// Begins in a role. Who is to make blocks while its peer makes them follows that.
    pub(crate) async fn start(
        start: Start,
        sync: Sync,
        is_sequencer: bool,
    ) -> Result<Self, RollupError> {
        let mut worker = Self { start, acting: None, pool_log: None, kept: Vec::new() };
        // In either role: what was acknowledged goes into a block once this node makes them.
        if let Some(folder) = &worker.start.data_dir {
            let operator = worker.start.sequencing.as_ref().map(|it| it.operator_key.address());
            let KeptPool { log, refused } = keep_pool(&worker.start.node, folder, operator)?;
            (worker.pool_log, worker.kept) = (Some(log), refused);
        }
        let other = match (is_sequencer, &worker.start.peer) {
            (true, Some(peer)) => sequencer_at(peer).await,
            _ => None,
        };
        if let Some(head) = other {
            tracing::warn!(
                head,
                peer = worker.start.peer,
                "another makes the blocks: following it"
            );
        }
        match is_sequencer && other.is_none() {
            true => worker.lead(sync),
            false => worker.follow(sync),
        }
        Ok(worker)
    }

    /// Makes blocks from now on.
    fn lead(&mut self, sync: Sync) {
        let Start { rules, sequencing, .. } = &self.start;
        let Some(config) = sequencing.as_deref().cloned() else {
            self.follow(sync);
            return;
        };
        let mut sequencer = Sequencer::new(sync, *rules, config, self.pool_log.clone());
        sequencer.keep(core::mem::take(&mut self.kept));
        self.start.feed.follow(None);
        self.start.shared.makes_blocks.store(true, Ordering::Relaxed);
        self.acting = Some(Acting::Sequencer(Box::new(sequencer)));
    }

    /// Makes no blocks from now on, and listens to whoever does.
    fn follow(&mut self, sync: Sync) {
        let peer = self.start.peer.clone();
        let has_feed = peer.is_some() || self.start.has_callers;
        self.start.shared.makes_blocks.store(false, Ordering::Relaxed);
        self.start.feed.follow(peer);
        let kept = core::mem::take(&mut self.kept);
        let follower = Follower::new(sync, has_feed, kept, self.pool_log.clone());
        self.acting = Some(Acting::Follower(Box::new(follower)));
    }

    /// Changes the role, or says why not; the head at which it has.
    fn change_role(
        &mut self,
        order: Order,
        is_synced: bool,
        fault: Option<&String>,
    ) -> Result<BlockId, RoleError> {
        match order {
            Order::Promote { force } => self.promote(force, is_synced, fault)?,
            Order::Demote { sequencer } => {
                if !matches!(self.acting, Some(Acting::Sequencer(_))) {
                    return Err(RoleError::Already { got: self.role() });
                }
                self.start.peer = sequencer.or_else(|| self.start.peer.take());
                self.step_down();
            }
        }
        let head = self.start.node.read(|node| Arc::clone(node.chain.head()));
        tracing::warn!(role = self.role(), head = head.header.number, "the role has changed");
        Ok(BlockId { number: head.header.number, hash: head.hash })
    }

    fn promote(
        &mut self,
        force: bool,
        is_synced: bool,
        fault: Option<&String>,
    ) -> Result<(), RoleError> {
        let Some(Acting::Follower(follower)) = &self.acting else {
            return Err(RoleError::Already { got: self.role() });
        };
        let config = self.start.sequencing.as_ref().ok_or(RoleError::NoKeys)?;
        let view = &follower.sync().view;
        let got = view.head().map_or(0, |head| head.number);
        if !is_synced || fault.is_some() {
            let (expected, fault) = (view.latest(), fault.cloned());
            return Err(RoleError::NotSynced { got, expected, fault });
        }
        if let Some(url) = &self.start.peer
            && let Some(head) = self.start.runtime.block_on(sequencer_at(url))
        {
            return Err(RoleError::SequencerLives { url: url.clone(), head });
        }
        let account = config.advance_key.address();
        let (used, with_waiting) = Submitter::is_ready(view, account)?;
        if used != with_waiting && !force {
            return Err(RoleError::Nonce { got: used, expected: with_waiting });
        }
        let time = view.head().map_or(0, |head| head.timestamp);
        let (client, rollup) = (view.client(), view.deployment().rollup);
        sync::fee_recipient(client, rollup, account, &self.start.rules, time)?;
        if let Some(Acting::Follower(follower)) = self.acting.take() {
            let (sync, kept) = follower.into_parts();
            self.kept = kept;
            self.lead(sync);
        }
        Ok(())
    }

    fn step_down(&mut self) {
        match self.acting.take() {
            Some(Acting::Sequencer(sequencer)) => {
                let (sync, kept) = sequencer.into_parts();
                self.kept = kept;
                self.follow(sync);
            }
            acting => self.acting = acting,
        }
    }

    /// A sequencer in whose blocks' places L1 has taken others, which its peer makes, gives way to that.
    fn yield_to_another(&mut self) {
        let Some(Acting::Sequencer(sequencer)) = &mut self.acting else { return };
        if !core::mem::take(&mut sequencer.is_overtaken) {
            return;
        }
        let Some(url) = &self.start.peer else { return };
        if let Some(head) = self.start.runtime.block_on(sequencer_at(url)) {
            tracing::error!(url, head, "another makes the blocks: this node follows it");
            self.step_down();
        }
    }

    const fn role(&self) -> &'static str {
        match self.acting {
            Some(Acting::Sequencer(_)) => "sequencer",
            _ => "follower",
        }
    }
}

/// The pool's file in the folder of the chain, and what was in it, in the pool again.
fn keep_pool(
    node: &Node,
    folder: &Path,
    operator: Option<Address>,
) -> Result<KeptPool, RollupError> {
    let path = folder.join("pool");
    let opened = PoolLog::open(&path);
    let (log, kept) = opened.map_err(|source| RollupError::Pool { path, source })?;
    let Offered { taken, refused } = pool_log::offer(node, &kept, operator);
    if taken + refused.len() > 0 {
        let not_yet = refused.len();
        tracing::info!(taken, not_yet, "transactions wait since before the restart");
    }
    let log = Arc::new(log);
    node.execute(SetPoolJournal(Arc::clone(&log) as _));
    Ok(KeptPool { log, refused })
}

/// The pool's file, and what was in it that the pool does not take now.
struct KeptPool {
    log: Arc<PoolLog>,
    refused: Vec<RecoveredTransaction>,
}

impl Worker {
    pub(crate) fn work(
        mut self,
        stop: &AtomicBool,
        shared: &Shared,
        levels: &Levels,
        inputs: &Receiver<Vec<Bytes>>,
        asked: &Receiver<Asked>,
        poll: Duration,
    ) {
        let (mut looked, mut pause, mut is_synced) = (None::<Instant>, poll, false);
        // Stays until L1 was looked at again.
        let mut unread = None;
        while !stop.load(Ordering::Relaxed) {
            if looked.is_none_or(|at| at.elapsed() >= pause) {
                let read = self.follow_l1();
                looked = Some(Instant::now());
                match read {
                    Ok(more) => {
                        is_synced = !more;
                        unread = None;
                        pause = if more { Duration::ZERO } else { poll };
                    }
                    Err(error) => {
                        // L1 may be gone for an hour: what is there already is served meanwhile.
                        pause = (pause * 2).clamp(poll, LONGEST_PAUSE);
                        unread = Some(error.to_string());
                    }
                }
            }
            let (mut outcome, mut not_submitted) = (Ok(()), None);
            if is_synced
                && unread.is_none()
                && let Some(Acting::Sequencer(sequencer)) = &mut self.acting
            {
                let made = sequencer.make_block().map(drop);
                let submitted = sequencer.submit();
                outcome = made.and(submitted);
                not_submitted = sequencer.not_submitted().cloned();
            }
            while let Ok(asked) = asked.try_recv() {
                asked.carry_out(|order| self.change_role(order, is_synced, unread.as_ref()));
            }
            self.yield_to_another();
            let mut taken = Ok(());
            match inputs.recv_timeout(PAUSE.min(poll)) {
                Ok(inputs) => taken = self.take_unsafe(&inputs),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => thread::sleep(PAUSE.min(poll)),
            }
            let failed = outcome.and(taken).err().map(|error| error.to_string());
            let fault = unread.clone().or(failed).or(not_submitted);
            if let Some(error) = &fault
                && shared.status.lock().fault.as_ref() != Some(error)
            {
                tracing::error!(error, "not done, and tried again");
            }
            self.tell(shared, is_synced, fault);
            levels.show(&shared.status(&self.sync().node));
        }
    }

    fn sync(&self) -> &Sync {
        match &self.acting {
            Some(Acting::Sequencer(sequencer)) => sequencer.sync(),
            Some(Acting::Follower(follower)) => follower.sync(),
            None => unreachable!("a role is given up for another at once"),
        }
    }

    /// Whether there is more to be read.
    fn follow_l1(&mut self) -> Result<bool, RollupError> {
        match &mut self.acting {
            Some(Acting::Sequencer(sequencer)) => sequencer.follow_l1().map(|()| false),
            Some(Acting::Follower(follower)) => follower.follow_l1(),
            None => Ok(false),
        }
    }

    fn take_unsafe(&mut self, inputs: &[Bytes]) -> Result<(), RollupError> {
        let Some(Acting::Follower(follower)) = &mut self.acting else { return Ok(()) };
        inputs.iter().try_for_each(|input| follower.take_unsafe(input).map(drop))
    }

    fn tell(&self, shared: &Shared, is_synced: bool, fault: Option<String>) {
        let Sync { node, view, .. } = self.sync();
        let head = node.read(|node| Arc::clone(node.chain.head()));
        let genesis = (0, view.deployment().genesis_hash);
        let id = |(number, hash)| BlockId { number, hash };
        let mut status = shared.status.lock();
        status.role = self.role();
        status.l1_head = view.head().map(|head| id((head.number, head.hash)));
        status.l1_timestamp = view.head().map_or(0, |head| head.timestamp);
        status.l1_finalized = view.finalized();
        status.unsafe_head = id((head.header.number, head.hash));
        status.safe_head = id(view.advanced_head().unwrap_or(genesis));
        status.finalized_head = id(view.finalized_head().unwrap_or(genesis));
        status.synced = is_synced;
        status.fault = fault;
        status.submitter = match &self.acting {
            Some(Acting::Sequencer(sequencer)) => Some(sequencer.submitter_status()),
            _ => None,
        };
        drop(status);
        let mut messages = shared.messages.lock();
        let count = view.messages().len();
        if messages.len() as u64 != count
            || messages.last().copied()
                != view
                    .messages()
                    .range(count.saturating_sub(1), count)
                    .next()
                    .map(contracts::Message::hash)
        {
            *messages = view.messages().range(0, count).map(contracts::Message::hash).collect();
        }
        drop(messages);
        let entries = view.forced_from(0);
        let mut forced = shared.forced.lock();
        if forced.len() != entries.len()
            || forced.last().map(|(hash, _)| *hash) != entries.last().map(|it| it.transaction.hash)
        {
            *forced = entries.iter().map(|it| (it.transaction.hash, it.l1_block)).collect();
        }
        *shared.forced_next.lock() = view.forced_next();
    }
}
