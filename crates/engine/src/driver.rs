//! Driver that keeps another client at the head of a node.

use crate::{EngineClient, EngineError, ForkchoiceState, JwtSecret, NewPayload};
use alloy_primitives::B256;
use chain::{Block, ChainError, ChainReader};
use client::RedactedUrl;
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

/// The pause between two looks at the node.
const PAUSE: Duration = Duration::from_millis(20);
/// The pause after a first fault; each one after is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause after faults in a row.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Progress of a driven client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Driven {
    /// URL of its Engine API.
    pub url: RedactedUrl,
    /// Number of the newest block that it has called valid as its head.
    pub number: u64,
    /// The block's hash.
    pub hash: B256,
    /// Error of its last update, if any.
    pub fault: Option<String>,
}

/// Reason for which a client is not at the intended head.
#[derive(Debug, thiserror::Error)]
enum DriveError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The client is on another chain.
    #[error("the client's first block is {got:?}, expected {expected}")]
    OtherGenesis { got: Option<B256>, expected: B256 },
    /// The client does not accept a block.
    #[error("the client calls block {number} ({hash}) {status:?}: {reason}")]
    NotValid { number: u64, hash: B256, status: PayloadVerdict, reason: String },
}

/// Gives every block of a node to another client, and tells it which are the head, safe and final.
///
/// A client may pay no heed to a forkchoice that names an ancestor of its head. It comes along all
/// the same, with the next block: that is a sibling of the one that has to go, and no ancestor.
#[derive(Debug)]
pub struct Driver {
    node: Arc<Node>,
    client: EngineClient,
    /// The newest block that the client has as its head, as far as is known.
    at: Option<Arc<Block>>,
    /// Head and forkchoice that it was last told and has accepted.
    told: Option<(B256, Option<Forkchoice>)>,
}

/// A driver that works until it is stopped or dropped.
#[derive(Debug)]
pub struct RunningDriver {
    stop: Arc<AtomicBool>,
    driven: Arc<Mutex<Driven>>,
    thread: Option<JoinHandle<()>>,
}

impl Driver {
    /// A driver of the client whose Engine API is at this URL.
    ///
    /// # Errors
    ///
    /// [`EngineError::Url`].
    pub fn new(node: Arc<Node>, url: &str, secret: JwtSecret) -> Result<Self, EngineError> {
        let client = EngineClient::new(url, secret)?;
        Ok(Self { node, client, at: None, told: None })
    }

    /// Works in a thread of its own.
    ///
    /// # Errors
    ///
    /// Error of the operating system if it cannot start a thread.
    pub fn start(self) -> io::Result<RunningDriver> {
        self.start_within(|work| work(), || {})
    }

    /// Works in a thread of its own, on which `run` runs the work; `turn` is called at each turn of
    /// it. So a supervisor can notice a panic, and that it hangs.
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
        let (stopped, told) = (Arc::clone(&stop), Arc::clone(&driven));
        let thread = thread::Builder::new()
            .name("engine-driver".to_owned())
            .spawn(move || run(&mut || self.work(&runtime, &stopped, &told, &turn)))?;
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
                // It may have been started anew, and know less than before.
                Some(Err(error)) => {
                    (self.at, self.told) = (None, None);
                    Some(error.to_string())
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

    /// Brings the client to where the node is now.
    async fn step(&mut self) -> Result<(), DriveError> {
        let (chain, forkchoice) =
            self.node.read(|node| (node.chain.reader().clone(), node.forkchoice));
        let head = Arc::clone(chain.head());
        if self.told == Some((head.hash, forkchoice)) {
            return Ok(());
        }
        let common = match &self.at {
            Some(at) => canonical_below(&chain, Arc::clone(at))?,
            None => self.find_common(&chain).await?,
        };
        let first = common.header.number + 1;
        for number in first..=head.header.number {
            // The chain may move meanwhile; then this goes on with the next step.
            let Some(block) = chain.canonical_block(number)? else { return Ok(()) };
            let fork = fork_of(&chain, &block);
            let status = self.client.new_payload(&NewPayload::of(&block), fork).await?;
            // One that is not executed at once may be once it is the head.
            if status.status == PayloadVerdict::Invalid {
                return Err(not_valid(&block, status));
            }
            // Each of them: there are clients that keep the receipts of a head alone.
            self.tell(&chain, &block, forkchoice).await?;
        }
        if first > head.header.number {
            self.tell(&chain, &head, forkchoice).await?;
        }
        self.told = Some((head.hash, forkchoice));
        Ok(())
    }

    /// Tells the client of a head that it has executed.
    async fn tell(
        &mut self,
        chain: &ChainReader,
        head: &Arc<Block>,
        forkchoice: Option<Forkchoice>,
    ) -> Result<(), DriveError> {
        let hash = |number: u64| -> Result<B256, ChainError> {
            // The first block need not be announced.
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

    /// The newest block that the client and the node have in common.
    async fn find_common(&self, chain: &ChainReader) -> Result<Arc<Block>, DriveError> {
        let latest = self.client.block("latest").await?;
        let theirs = latest.map_or(0, |block| block.number.to());
        let (mut low, mut high) = (chain.first_number(), theirs.min(chain.head().header.number));
        let ours = |number| chain.canonical_block(number);
        let mut common = None;
        // The first block, then the newest, then those between.
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

/// The newest canonical block on the branch of another.
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
    /// Returns the progress of the client.
    pub fn driven(&self) -> Driven {
        self.driven.lock().clone()
    }

    /// Returns a handle that reports the progress of the client.
    pub fn share(&self) -> Arc<Mutex<Driven>> {
        Arc::clone(&self.driven)
    }

    /// Tells the driver to end soon, and does not wait.
    pub fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Ends it, and waits until it has.
    pub fn stop(mut self) {
        self.end();
        if let Some(thread) = self.thread.take() {
            // A panic of it was logged.
            let _ = thread.join();
        }
    }
}

impl Drop for RunningDriver {
    fn drop(&mut self) {
        self.end();
    }
}
