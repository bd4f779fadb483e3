//! Agent of a candidate: requests the lease from the witnesses as long as the node wants to lead.

use crate::{
    Answer, Candidate, CandidateId, Leader, LeaseName, MAX_URL_BYTES,
    server::{ASK, LEADER, RELEASE},
};
use client::RedactedUrl;
use futures_util::future::join_all;
use parking_lot::Mutex;
use rpc::engine::{EngineClient, EngineError, JwtSecret};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};
use tokio::task::JoinHandle;

/// Interval between two rounds of requests. A grant lasts for several rounds, so that a single
/// failed round does not matter.
const ROUND_INTERVAL: Duration = Duration::from_millis(1_000);
/// Timeout of a request to a witness.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(1_000);
/// Time for which a leader that could not work does not request the lease, the first time.
const FIRST_BAR: Duration = Duration::from_secs(10);
/// Maximum of this time, which doubles each time.
const MAX_BAR: Duration = Duration::from_secs(600);
/// Maximum random pause of a candidate that got too few grants, so that another candidate can get a
/// majority.
const MAX_BACKOFF: Duration = Duration::from_millis(3_000);

/// Configuration of a candidate.
#[derive(Debug, Clone)]
pub struct LeaseConfig {
    /// URLs of all witnesses. Use an odd number: one more witness than that does not tolerate more
    /// failures.
    pub witnesses: Vec<String>,
    /// Secret shared by the witnesses and the candidates.
    pub secret: JwtSecret,
    /// WebSocket URL at which other nodes follow this one while it leads.
    pub url: String,
    /// Time after which a leader that cannot work releases the lease, if another candidate requests
    /// it.
    pub work_timeout: Duration,
}

/// Reason why a node cannot be a candidate.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// There are no witnesses.
    #[error("the lease has no witnesses")]
    NoWitnesses,
    /// A witness is listed twice, and would count twice.
    #[error("the witness {0} is listed twice")]
    Twice(RedactedUrl),
    /// The URL is longer than witnesses accept.
    #[error("the URL for followers has {got} bytes, expected at most {MAX_URL_BYTES}")]
    UrlTooLong {
        /// Length of the URL in bytes.
        got: usize,
    },
    /// The client of a witness cannot be set up.
    #[error("witness {url}: {source}")]
    Witness {
        /// URL of the witness.
        url: RedactedUrl,
        /// Error of the client.
        source: EngineError,
    },
}

/// Handle of a node's candidate for the lease. Clones share the state.
#[derive(Debug, Clone)]
pub struct Lease(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: LeaseName,
    own: Leader,
    witnesses: Vec<EngineClient>,
    wants: AtomicBool,
    work_timeout: Duration,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    candidate: Candidate,
    /// Number of the next round.
    round: u64,
    /// Monotonic and calendar time at the start of the newest round with a majority of grants.
    confirmed: Option<(Duration, SystemTime)>,
    /// Monotonic time at which the leader last worked.
    worked: Duration,
    /// Monotonic time until which this node does not request the lease because it could not work,
    /// and the number of times in a row that this has happened.
    barred: (Duration, u32),
}

impl Lease {
    /// Creates a candidate for the lease of a rollup, which does not request it yet.
    ///
    /// # Errors
    ///
    /// [`LeaseError`] if the configuration is invalid.
    pub fn new(name: LeaseName, config: LeaseConfig) -> Result<Self, LeaseError> {
        let LeaseConfig { witnesses: urls, secret, url, work_timeout } = config;
        if urls.is_empty() {
            return Err(LeaseError::NoWitnesses);
        }
        if url.len() > MAX_URL_BYTES {
            return Err(LeaseError::UrlTooLong { got: url.len() });
        }
        let mut witnesses = Vec::<EngineClient>::new();
        for url in urls {
            let client = EngineClient::new(&url, secret.clone())
                .map_err(|source| LeaseError::Witness { url: RedactedUrl::new(&url), source })?;
            if witnesses.iter().any(|known| known.address() == client.address()) {
                return Err(LeaseError::Twice(client.address()));
            }
            witnesses.push(client);
        }
        let candidate = Candidate::new(witnesses.len());
        Ok(Self(Arc::new(Inner {
            name,
            own: Leader { id: CandidateId::random(), url },
            witnesses,
            wants: AtomicBool::new(false),
            work_timeout,
            started: Instant::now(),
            state: Mutex::new(State {
                candidate,
                round: 0,
                confirmed: None,
                worked: Duration::ZERO,
                barred: (Duration::ZERO, 0),
            }),
        })))
    }

    /// Starts the task that requests the lease while the node [wants](Self::want) it. Must be
    /// called inside a Tokio runtime.
    pub fn start(&self) -> JoinHandle<()> {
        let lease = self.clone();
        tokio::spawn(async move {
            loop {
                let pause = lease.round().await;
                tokio::time::sleep(pause).await;
            }
        })
    }

    /// Sets whether the node is ready to lead. A leader that is not releases the lease in the next
    /// round, so it must have stopped making blocks before this call.
    pub fn want(&self, wants: bool) {
        self.0.wants.store(wants, Ordering::SeqCst);
        if !wants {
            let mut state = self.0.state.lock();
            state.confirmed = None;
        }
    }

    /// Records that the leader worked this time ago: it seals, posts, and gets answers from L1. A
    /// leader without such a report for [`LeaseConfig::work_timeout`], e.g. because its threads
    /// hang, releases the lease if another candidate requests it. Without another candidate it
    /// keeps the lease.
    pub fn has_worked(&self, ago: Duration) {
        let worked = self.0.started.elapsed().saturating_sub(ago);
        let mut state = self.0.state.lock();
        state.worked = state.worked.max(worked);
    }

    /// Releases the lease at once and notifies the witnesses, so that another node does not have to
    /// wait until the grants expire. The node must have stopped making blocks, and the task of
    /// [`Self::start`] must have ended.
    pub async fn resign(&self) {
        self.want(false);
        self.release().await;
    }

    /// Returns `true` if the node requests or keeps the lease.
    pub fn is_wanted(&self) -> bool {
        self.0.wants.load(Ordering::SeqCst)
    }

    /// Returns `true` if this node holds the lease now.
    pub fn is_held(&self) -> bool {
        self.lasts_for(Duration::ZERO)
    }

    /// Returns `true` if this node holds the lease for at least this time, even without another
    /// round.
    pub fn lasts_for(&self, time: Duration) -> bool {
        let state = self.0.state.lock();
        let Some((at, calendar)) = state.confirmed else { return false };
        let until = state.candidate.held_until().and_then(|until| until.checked_sub(time));
        let Some(until) = until else { return false };
        // While a machine is suspended, its monotonic clock may stop but its calendar clock
        // advances, so both are checked. A calendar clock that was set back counts as no time.
        let slept = SystemTime::now().duration_since(calendar).unwrap_or_default();
        self.0.started.elapsed() < until && at.saturating_add(slept) < until
    }

    /// The other node that leads, as reported by the witnesses.
    pub fn leader(&self) -> Option<Leader> {
        self.0.state.lock().candidate.leader().cloned()
    }

    /// Identity and URL of this node.
    pub fn own(&self) -> &Leader {
        &self.0.own
    }

    /// Sends a request to all witnesses, and returns the pause before the next round.
    async fn round(&self) -> Duration {
        let inner = &*self.0;
        let is_barred = inner.started.elapsed() < inner.state.lock().barred.0;
        if is_barred || !inner.wants.load(Ordering::SeqCst) {
            self.release().await;
            let told =
                join_all(inner.witnesses.iter().map(|witness| inner.ask_leader(witness))).await;
            // Its own grants were released or expire soon, so they are skipped.
            let other = told.into_iter().flatten().find(|leader| leader.id != inner.own.id);
            inner.state.lock().candidate.observe_leader(other);
            return ROUND_INTERVAL;
        }
        let (asked_at, calendar) = (inner.started.elapsed(), SystemTime::now());
        let round = {
            let mut state = inner.state.lock();
            state.round += 1;
            state.round
        };
        let answers =
            join_all(inner.witnesses.iter().map(|witness| inner.ask(witness, round))).await;
        let (leads, has_grants) = {
            let mut state = inner.state.lock();
            for (witness, answer) in answers.into_iter().enumerate() {
                state.candidate.take(witness, asked_at, answer);
            }
            let now = inner.started.elapsed();
            let leads = state.candidate.is_leading(now);
            if leads && inner.wants.load(Ordering::SeqCst) {
                if state.confirmed.is_none() {
                    state.worked = now;
                }
                state.confirmed = Some((asked_at, calendar));
            }
            let idle = now.saturating_sub(state.worked);
            if leads && state.candidate.is_contested() && idle > inner.work_timeout {
                state.bar(now);
                tracing::error!(
                    idle_ms = idle.as_millis(),
                    "leader cannot work, releasing the lease"
                );
            } else if leads && now.saturating_sub(state.barred.0) > MAX_BAR {
                state.barred.1 = 0;
            }
            (leads && state.barred.0 <= now, state.candidate.has_grants(now))
        };
        if leads || !has_grants {
            return ROUND_INTERVAL;
        }
        // Too few grants to lead: another candidate may have the others. This one releases its
        // grants and waits for a random time, so that one of the candidates gets a majority.
        self.release().await;
        ROUND_INTERVAL + MAX_BACKOFF.mul_f64(fraction())
    }

    /// Releases all grants and notifies the witnesses.
    async fn release(&self) {
        let inner = &*self.0;
        let (round, had_any) = {
            let mut state = inner.state.lock();
            let had_any = state.candidate.has_grants(inner.started.elapsed());
            state.candidate.give_up();
            state.confirmed = None;
            (state.round, had_any)
        };
        if had_any {
            join_all(inner.witnesses.iter().map(|witness| inner.send_release(witness, round)))
                .await;
        }
    }
}

impl State {
    /// Bars this node from requesting the lease, twice as long each time, since its standby may
    /// fail for the same reason.
    fn bar(&mut self, now: Duration) {
        let (_, times) = self.barred;
        let pause = FIRST_BAR.saturating_mul(1 << times.min(8)).min(MAX_BAR);
        self.barred = (now.saturating_add(pause), times + 1);
        self.confirmed = None;
    }
}

impl Inner {
    async fn ask(&self, witness: &EngineClient, round: u64) -> Option<Answer> {
        let asked = witness.call::<Answer>(ASK, json!([self.name, self.own, round]));
        match tokio::time::timeout(ANSWER_TIMEOUT, asked).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                tracing::debug!(witness = %witness.address(), %error, "witness request failed");
                None
            }
            Err(_) => {
                tracing::debug!(witness = %witness.address(), "witness did not answer in time");
                None
            }
        }
    }

    /// Returns the candidate to which a witness has granted the lease, if it answers and has
    /// granted it.
    async fn ask_leader(&self, witness: &EngineClient) -> Option<Leader> {
        let asked = witness.call::<Option<Leader>>(LEADER, json!([self.name]));
        tokio::time::timeout(ANSWER_TIMEOUT, asked).await.ok()?.ok()?
    }

    async fn send_release(&self, witness: &EngineClient, round: u64) {
        let told = witness.call::<bool>(RELEASE, json!([self.name, self.own.id, round]));
        // If the request fails, the grant expires on its own.
        let _ = tokio::time::timeout(ANSWER_TIMEOUT, told).await;
    }
}

/// Returns a random number from 0 to 1.
fn fraction() -> f64 {
    f64::from(alloy_primitives::FixedBytes::<1>::random().0[0]) / 255.0
}
