//! Driver that keeps another execution client at the head of this node's chain.

use super::{EngineClient, EngineError, ForkchoiceState, JwtSecret, NewPayload};
use alloy_primitives::B256;
use chain::{Block, ChainError, ChainReader};
use client::{Excerpt, RedactedUrl};
use codec::{PayloadStatus, PayloadVerdict};
use node::{Forkchoice, Node};
use parking_lot::Mutex;
use serde::Serialize;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::runtime::Runtime;
use wire::ProtocolFork;

/// Interval at which the node's head is polled.
const PAUSE: Duration = Duration::from_millis(20);
/// Pause after the first fault; it doubles with each consecutive fault.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Maximum pause after consecutive faults.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Progress of a driven client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Driven {
    /// URL of the client's Engine API, without credentials.
    pub url: RedactedUrl,
    /// Number of the newest block that the client confirmed as its head with `VALID`.
    pub number: u64,
    /// Hash of that block.
    pub hash: B256,
    /// Error of the last update, or `None` if it succeeded.
    pub fault: Option<String>,
}

/// Reason for which an update of the client failed.
#[derive(Debug, thiserror::Error)]
enum DriveError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The client's chain has another first block.
    #[error("the client's first block is {got:?}, expected {expected}")]
    OtherGenesis { got: Option<B256>, expected: B256 },
    /// The client returned a status other than `VALID` for a block.
    #[error("the client returned {status:?} for block {number} ({hash}): {reason}")]
    NotValid { number: u64, hash: B256, status: PayloadVerdict, reason: String },
}

/// Sends each block of a node to another client (`engine_newPayload`), and sets the client's head,
/// safe and finalized blocks (`engine_forkchoiceUpdated`).
///
/// A client may ignore a forkchoice update to an ancestor of its head. It still follows with the
/// next block, which is a sibling of the replaced one and not an ancestor.
#[derive(Debug)]
pub struct Driver {
    node: Arc<Node>,
    client: EngineClient,
    /// The newest block that the client confirmed as its head; `None` initially and after a fault.
    at: Option<Arc<Block>>,
    /// Head and forkchoice of the last complete update; `None` at the start and after a fault.
    last_update: Option<(B256, Option<Forkchoice>)>,
}

/// Handle to a driver thread, which runs until it is stopped or the handle is dropped.
#[derive(Debug)]
pub struct RunningDriver {
    stop: Arc<AtomicBool>,
    driven: Arc<Mutex<Driven>>,
    thread: Option<JoinHandle<()>>,
}

impl Driver {
    /// Creates a driver for the client whose Engine API is at this URL.
    ///
    /// # Errors
    ///
    /// [`EngineError`], if the URL is invalid or the HTTP client cannot be set up.
    pub fn new(node: Arc<Node>, url: &str, secret: JwtSecret) -> Result<Self, EngineError> {
        let client = EngineClient::new(url, secret)?;
        Ok(Self { node, client, at: None, last_update: None })
    }

    /// Starts the driver in its own thread.
    ///
    /// # Errors
    ///
    /// Error of the operating system if it cannot start a thread.
    pub fn start(self) -> io::Result<RunningDriver> {
        self.start_within(|work| work(), || {})
    }

    /// Starts the driver in its own thread. `run` wraps the loop and `turn` is called on each
    /// iteration, so that a supervisor can detect a panic or a hang.
    ///
    /// # Errors
    ///
    /// Error of the operating system if it cannot start a thread.
    pub fn start_within(
        mut self,
        run: impl FnOnce(&mut dyn FnMut()) + Send + 'static,
        turn: impl Fn() + Send + 'static,
    ) -> io::Result<RunningDriver> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let stop = Arc::<AtomicBool>::default();
        let url = self.client.address();
        let driven = Arc::new(Mutex::new(Driven { url, ..Driven::default() }));
        let (stopped, progress) = (Arc::clone(&stop), Arc::clone(&driven));
        let thread = thread::Builder::new()
            .name("engine-driver".to_owned())
            .spawn(move || run(&mut || self.work(&runtime, &stopped, &progress, &turn)))?;
        Ok(RunningDriver { stop, driven, thread: Some(thread) })
    }

    fn work(
        &mut self,
        runtime: &Runtime,
        stop: &AtomicBool,
        driven: &Mutex<Driven>,
        turn: &dyn Fn(),
    ) {
        let mut pause = FIRST_PAUSE;
        while !stop.load(Ordering::Relaxed) {
            turn();
            let stopped = async {
                while !stop.load(Ordering::Relaxed) {
                    tokio::time::sleep(PAUSE).await;
                }
            };
            let step = runtime.block_on(async {
                tokio::select! {
                    step = self.step() => Some(step),
                    () = stopped => None,
                }
            });
            let fault = match step {
                None => break,
                Some(Ok(())) => None,
                // The client may have restarted and lost blocks, so find the common block again.
                Some(Err(error)) => {
                    (self.at, self.last_update) = (None, None);
                    // The client determines parts of the text.
                    Some(Excerpt::new(error).to_string())
                }
            };
            let mut driven = driven.lock();
            if let Some(at) = &self.at {
                (driven.number, driven.hash) = (at.header.number, at.hash);
            }
            if fault.is_some() && driven.fault != fault {
                tracing::error!(
                    fault,
                    url = %driven.url,
                    "failed to update driven client, retrying"
                );
            }
            let wait = if fault.is_some() { pause } else { PAUSE };
            pause = if fault.is_some() { (pause * 2).min(LONGEST_PAUSE) } else { FIRST_PAUSE };
            driven.fault = fault;
            drop(driven);
            let mut waited = Duration::ZERO;
            while waited < wait && !stop.load(Ordering::Relaxed) {
                thread::sleep(PAUSE);
                waited += PAUSE;
            }
        }
    }

    /// Brings the client to the node's current head.
    async fn step(&mut self) -> Result<(), DriveError> {
        let (chain, forkchoice) =
            self.node.read(|node| (node.chain.reader().clone(), node.forkchoice));
        let head = Arc::clone(chain.head());
        if self.last_update == Some((head.hash, forkchoice)) {
            return Ok(());
        }
        let common = match &self.at {
            Some(at) => canonical_below(&chain, Arc::clone(at))?,
            None => self.find_common(&chain).await?,
        };
        let first = common.header.number + 1;
        for number in first..=head.header.number {
            // The node reorganised meanwhile; the next step continues from its new head.
            let Some(block) = chain.canonical_block(number)? else { return Ok(()) };
            let fork = fork_of(&chain, &block);
            let status = self.client.new_payload(&NewPayload::of(&block), fork).await?;
            // A client that returns SYNCING or ACCEPTED may execute the block once it is the head.
            if status.status == PayloadVerdict::Invalid {
                return Err(not_valid(&block, status));
            }
            // Each block becomes the head once: some clients keep receipts of heads only.
            self.set_head(&chain, &block, forkchoice).await?;
        }
        if first > head.header.number {
            self.set_head(&chain, &head, forkchoice).await?;
        }
        self.last_update = Some((head.hash, forkchoice));
        Ok(())
    }

    /// Sets the client's head to a block that it has executed.
    async fn set_head(
        &mut self,
        chain: &ChainReader,
        head: &Arc<Block>,
        forkchoice: Option<Forkchoice>,
    ) -> Result<(), DriveError> {
        let hash = |number: u64| -> Result<B256, ChainError> {
            // Every client has the genesis block, for which the zero hash is sent.
            match number.min(head.header.number) {
                number if number <= chain.first_number() => Ok(B256::ZERO),
                number => Ok(chain.canonical_hash(number)?.unwrap_or_default()),
            }
        };
        let Forkchoice { safe, finalized } = forkchoice.unwrap_or_default();
        let state = ForkchoiceState {
            head_block_hash: head.hash,
            safe_block_hash: hash(safe)?,
            finalized_block_hash: hash(finalized)?,
        };
        let fork = fork_of(chain, head);
        let updated = self.client.forkchoice_updated(state, None, fork).await?;
        let status = updated.payload_status;
        if status.status != PayloadVerdict::Valid {
            return Err(not_valid(head, status));
        }
        self.at = Some(Arc::clone(head));
        Ok(())
    }

    /// Returns the newest block that the client and the node have in common, by binary search.
    async fn find_common(&self, chain: &ChainReader) -> Result<Arc<Block>, DriveError> {
        let latest = self.client.block("latest").await?;
        let theirs = latest.map_or(0, |block| block.number);
        let (mut low, mut high) = (chain.first_number(), theirs.min(chain.head().header.number));
        let ours = |number| chain.canonical_block(number);
        let mut common = None;
        // Compare the first block, then the newest, then bisect between them.
        let mut number = low;
        while low <= high || common.is_none() {
            let expected = ours(number)?;
            let got = self.client.block(&format!("{number:#x}")).await?.map(|block| block.hash);
            match expected {
                Some(block) if got == Some(block.hash) => {
                    low = number + 1;
                    common = Some(block);
                }
                Some(block) if common.is_none() => {
                    return Err(DriveError::OtherGenesis { got, expected: block.hash });
                }
                _ => high = number.saturating_sub(1),
            }
            number = if number == chain.first_number() { high } else { low.midpoint(high) };
        }
        common.ok_or_else(|| ChainError::UnknownBlock(B256::ZERO).into())
    }
}

/// Returns the newest canonical ancestor of a block, or the block itself if it is canonical.
fn canonical_below(chain: &ChainReader, mut block: Arc<Block>) -> Result<Arc<Block>, ChainError> {
    while chain.canonical_hash(block.header.number)? != Some(block.hash) {
        block = chain.block(&block.header.parent_hash)?;
    }
    Ok(block)
}

fn fork_of(chain: &ChainReader, block: &Block) -> ProtocolFork {
    chain.config().spec.fork_at(block.header.timestamp).unwrap_or(ProtocolFork::Paris)
}

fn not_valid(block: &Block, status: PayloadStatus) -> DriveError {
    let PayloadStatus { status, validation_error, .. } = status;
    let (number, hash) = (block.header.number, block.hash);
    DriveError::NotValid { number, hash, status, reason: validation_error.unwrap_or_default() }
}

impl RunningDriver {
    /// Returns a snapshot of the client's progress.
    pub fn driven(&self) -> Driven {
        self.driven.lock().clone()
    }

    /// Returns a shared handle to the client's progress.
    pub fn share(&self) -> Arc<Mutex<Driven>> {
        Arc::clone(&self.driven)
    }

    /// Signals the driver to stop, without waiting for it.
    pub fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Stops the driver and waits until its thread has ended.
    pub fn stop(mut self) {
        self.end();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already logged.
            let _ = thread.join();
        }
    }
}

impl Drop for RunningDriver {
    fn drop(&mut self) {
        self.end();
    }
}
