//! Agent that requests the lease from etcd while the node is a candidate.

use super::{
    CandidateId, Leader, LeaseConfig, LeaseError, LeaseName, TTL_SECONDS,
    gateway::{Gateway, TimePoint, TimedResponse},
    messages::{self, Committed, Election, Requests},
    state::{MAX_BAR, State},
};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};
use tokio::{runtime::Handle, task::JoinHandle};

/// Maximum length of a candidate's URL in bytes.
const MAX_URL_BYTES: usize = 256;
/// Interval between two renewals. A renewal is valid for multiple intervals, so that a single
/// failure has no effect.
const ROUND_INTERVAL: Duration = Duration::from_millis(1_000);
/// Interval between two attempts of a candidate to become the leader.
const CANDIDATE_INTERVAL: Duration = Duration::from_millis(500);
/// Maximum time for a request of a round over all endpoints: long enough for timeouts of three
/// members, and shorter than `HOLD`, so that a leader can still renew after a failed round.
const ROUND_LIMIT: Duration = Duration::from_millis(3_000);
/// Maximum time for a check of the fencing token over all endpoints, enough to try a second member.
/// Sealing waits for it.
const CHECK_LIMIT: Duration = Duration::from_millis(2_000);

const GRANT: &str = "/v3/lease/grant";
const KEEP_ALIVE: &str = "/v3/lease/keepalive";
const REVOKE: &str = "/v3/lease/revoke";
const TXN: &str = "/v3/kv/txn";
const RANGE: &str = "/v3/kv/range";
const PUT: &str = "/v3/kv/put";

/// Handle of a node's candidate for the lease. Clones share the state.
#[derive(Debug, Clone)]
pub struct Lease(Arc<Inner>);

/// Running task of a candidate, which is [aborted](Self::abort) when this value is dropped.
#[derive(Debug)]
pub struct LeaseTask {
    lease: Lease,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    requests: Requests,
    gateway: Gateway,
    wants: AtomicBool,
    work_timeout: Duration,
    started: Instant,
    runtime: OnceLock<Handle>,
    state: Mutex<State>,
}

impl Lease {
    /// Creates a candidate for the lease of a rollup, which does not request it yet.
    ///
    /// # Errors
    ///
    /// [`LeaseError`] if the configuration is invalid.
    pub fn new(name: LeaseName, config: LeaseConfig) -> Result<Self, LeaseError> {
        let gateway = Gateway::new(&config)?;
        let LeaseConfig { url, work_timeout, .. } = config;
        if url.len() > MAX_URL_BYTES {
            return Err(LeaseError::UrlTooLong { got: url.len(), limit: MAX_URL_BYTES });
        }
        Ok(Self(Arc::new(Inner {
            requests: Requests { name, own: Leader { id: CandidateId::random(), url } },
            gateway,
            wants: AtomicBool::new(false),
            work_timeout,
            started: Instant::now(),
            runtime: OnceLock::new(),
            state: Mutex::default(),
        })))
    }

    /// Starts the task that requests the lease while the node [wants](Self::want) it. Must be
    /// called inside a Tokio runtime.
    pub fn start(&self) -> LeaseTask {
        self.0.runtime.get_or_init(Handle::current);
        let lease = self.clone();
        let task = tokio::spawn(async move {
            loop {
                let pause = lease.0.round().await;
                tokio::time::sleep(pause).await;
            }
        });
        LeaseTask { lease: self.clone(), task }
    }

    /// Sets whether the node is ready to lead. A leader that is no longer ready resigns in the next
    /// round, so it must have stopped building blocks before this call.
    pub fn want(&self, wants: bool) {
        self.0.wants.store(wants, Ordering::SeqCst);
        if !wants {
            self.0.state.lock().confirmed = None;
        }
    }

    /// Records that the leader was working `ago`: it seals, posts, and receives responses from L1.
    /// A leader without such a report for [`LeaseConfig::work_timeout`], e.g. because its threads
    /// hang, resigns if another candidate requests the lease.
    pub fn has_worked(&self, ago: Duration) {
        let worked = self.0.started.elapsed().saturating_sub(ago);
        let mut state = self.0.state.lock();
        state.worked = state.worked.max(worked);
    }

    /// Returns `true` if the node requests or renews the lease.
    pub fn is_wanted(&self) -> bool {
        self.0.wants.load(Ordering::SeqCst)
    }

    /// Returns `true` if this node holds the lease now.
    pub fn is_held(&self) -> bool {
        self.token().is_some()
    }

    /// Returns the fencing token if this node holds the lease now.
    pub fn token(&self) -> Option<i64> {
        let state = self.0.state.lock();
        let (_, _, token) = state.tenure.period()?;
        (!state.remaining(self.0.started.elapsed(), token).is_zero()).then_some(token)
    }

    /// Returns `true` if this node holds the lease with this fencing token for at least this time,
    /// even without another renewal.
    pub fn holds(&self, token: i64, time: Duration) -> bool {
        self.0.state.lock().remaining(self.0.started.elapsed(), token) > time
    }

    /// Returns the leader according to etcd, unless this node leads.
    pub fn leader(&self) -> Option<Leader> {
        self.0.state.lock().leader.clone()
    }

    /// Returns the error of the last round of requests to etcd, if it failed.
    pub fn error(&self) -> Option<String> {
        self.0.state.lock().error.clone()
    }

    /// Returns the identity and URL of this node.
    pub fn own(&self) -> &Leader {
        &self.0.requests.own
    }

    pub(super) fn requests(&self) -> &Requests {
        &self.0.requests
    }

    /// Sends a request in the term with this fencing token, and waits for the response.
    pub(super) fn post(
        &self,
        token: i64,
        path: &'static str,
        body: &Value,
        limit: Duration,
    ) -> Result<Value, LeaseError> {
        let runtime = self.0.runtime.get().ok_or(LeaseError::NotHeld { token })?;
        Ok(runtime.block_on(self.0.gateway.post(path, body, limit))?.body)
    }

    /// Returns the error for a malformed response of etcd.
    pub(super) fn malformed(&self, path: &'static str, body: &Value) -> LeaseError {
        self.0.gateway.malformed(path, body)
    }

    /// Ends the term with this fencing token, since etcd no longer has its key, and returns the
    /// error.
    pub(super) fn lost(&self, token: i64) -> LeaseError {
        self.0.lose(token);
        LeaseError::Lost { token }
    }

    /// Checks in etcd that the term with this fencing token has not ended.
    pub(super) fn check(&self, token: i64) -> Result<(), LeaseError> {
        let runtime = self.0.runtime.get().ok_or(LeaseError::NotHeld { token })?;
        runtime.block_on(self.0.check(token))
    }
}

impl LeaseTask {
    /// Aborts the task. The term ends without a resignation, as in a killed process.
    pub fn abort(&self) {
        self.task.abort();
    }

    /// Ends the task, and resigns immediately, so that the next leader need not wait until the
    /// election key is deleted. The node must have stopped building blocks.
    pub fn resign(mut self) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.lease.want(false);
            self.abort();
            // A round that is still running could request the lease again after the resignation.
            let _ = (&mut self.task).await;
            self.lease.0.release().await;
        })
    }
}

impl Drop for LeaseTask {
    fn drop(&mut self) {
        self.abort();
    }
}

impl Inner {
    /// Sends the requests of a round, and returns the pause before the next one.
    async fn round(&self) -> Duration {
        let is_barred = self.started.elapsed() < self.state.lock().barred.0;
        let outcome = match is_barred || !self.wants.load(Ordering::SeqCst) {
            true => {
                self.release().await;
                self.read().await.map(|election| {
                    let now = self.started.elapsed();
                    self.state.lock().observe(now, self.requests.own.id, election);
                    ROUND_INTERVAL
                })
            }
            false => self.campaign().await,
        };
        let mut state = self.state.lock();
        match outcome {
            Ok(pause) => {
                state.error = None;
                pause
            }
            Err(error) => {
                let text = error.to_string();
                if state.error.as_ref() != Some(&text) {
                    tracing::warn!(error = text, "etcd request failed, retrying");
                }
                state.error = Some(text);
                CANDIDATE_INTERVAL
            }
        }
    }

    async fn campaign(&self) -> Result<Duration, LeaseError> {
        let Some(lease) = self.keep_lease().await? else { return Ok(Duration::ZERO) };
        let token = self.state.lock().tenure.token();
        if let Some(token) = token {
            return self.renew(token).await;
        }
        let election = self.read().await?;
        let own = self.requests.own.id;
        let (leader, is_announced) = {
            let mut state = self.state.lock();
            let leader = election.leader.clone();
            state.observe(self.started.elapsed(), own, election);
            (leader, state.is_announced)
        };
        if !is_announced {
            self.post(PUT, &self.requests.wait(lease)).await?;
            self.state.lock().is_announced = true;
        }
        match leader {
            None => self.win(lease).await,
            // The key was created, but the response was lost.
            Some((leader, token)) if leader.id == own => self.adopt(token).await,
            Some((_, token)) => self.depose(token).await,
        }
    }

    /// Deletes the election key of another candidate whose term has ended. etcd itself may keep the
    /// key for longer, because a new etcd leader extends all leases.
    async fn depose(&self, token: i64) -> Result<Duration, LeaseError> {
        let overdue = self.state.lock().tenure.overdue(self.started.elapsed());
        let Some(renewal) = overdue else { return Ok(CANDIDATE_INTERVAL) };
        let (committed, _) = self.commit(&self.requests.depose(token, renewal)).await?;
        Ok(if committed.succeeded { Duration::ZERO } else { CANDIDATE_INTERVAL })
    }

    /// Continues the term with this token, or repeats the resignation from it.
    async fn adopt(&self, token: i64) -> Result<Duration, LeaseError> {
        let is_adopted = self.state.lock().tenure.adopt(self.started.elapsed(), token);
        if is_adopted {
            return self.renew(token).await;
        }
        self.post(TXN, &self.requests.resign(token, false)).await?;
        Ok(CANDIDATE_INTERVAL)
    }

    /// Keeps the etcd lease alive, or requests one. Returns `None` if etcd has ended it.
    async fn keep_lease(&self) -> Result<Option<i64>, LeaseError> {
        let (current, has_key) = {
            let state = self.state.lock();
            (state.lease, state.tenure.token().is_some())
        };
        let Some(lease) = current else {
            let response = self.post(GRANT, &json!({ "TTL": TTL_SECONDS.to_string() })).await?;
            let lease = messages::granted(response.body.clone());
            let lease = lease.ok_or_else(|| self.gateway.malformed(GRANT, &response.body))?;
            let mut state = self.state.lock();
            (state.lease, state.is_announced) = (Some(lease), false);
            return Ok(Some(lease));
        };
        let renewed = self.post(KEEP_ALIVE, &json!({ "ID": lease.to_string() })).await;
        match renewed {
            Ok(response) if messages::is_alive(&response.body) => Ok(Some(lease)),
            Ok(_) => {
                let mut state = self.state.lock();
                state.lease = None;
                if let Some(token) = state.tenure.token() {
                    drop(state);
                    self.lose(token);
                }
                Ok(None)
            }
            // The renewal may succeed nevertheless.
            Err(_) if has_key => Ok(Some(lease)),
            Err(error) => Err(error),
        }
    }

    /// Creates the election key, unless another candidate has done so meanwhile.
    async fn win(&self, lease: i64) -> Result<Duration, LeaseError> {
        let (committed, sent) = self.commit(&self.requests.win(lease)).await?;
        let Committed { succeeded, revision: token, election } = committed;
        let now = self.started.elapsed();
        let mut state = self.state.lock();
        if !succeeded {
            state.observe(now, self.requests.own.id, election);
            return Ok(CANDIDATE_INTERVAL);
        }
        state.tenure.win(sent.0, now, token, election.renewal);
        (state.worked, state.leader) = (now, None);
        if self.wants.load(Ordering::SeqCst) {
            state.confirmed = Some(sent);
        }
        let wait = state.tenure.period().map_or(Duration::ZERO, |(from, ..)| from);
        let wait_ms = wait.saturating_sub(now).as_millis();
        tracing::info!(token, wait_ms, "created the election key");
        Ok(ROUND_INTERVAL)
    }

    async fn renew(&self, token: i64) -> Result<Duration, LeaseError> {
        let (committed, sent) = self.commit(&self.requests.renew(token)).await?;
        let now = self.started.elapsed();
        if !committed.succeeded {
            self.lose(token);
            self.state.lock().observe(now, self.requests.own.id, committed.election);
            return Ok(CANDIDATE_INTERVAL);
        }
        let is_contested = committed.election.is_contested;
        let is_barred = {
            let mut state = self.state.lock();
            let was_held = !state.remaining(now, token).is_zero();
            state.tenure.renew(sent.0, token);
            state.observe(now, self.requests.own.id, committed.election);
            if self.wants.load(Ordering::SeqCst) {
                state.confirm(sent);
            }
            if !was_held {
                state.worked = now;
            }
            let idle = now.saturating_sub(state.worked);
            let is_idle = is_contested && idle > self.work_timeout;
            if is_idle {
                state.bar(now);
                let idle_ms = idle.as_millis();
                tracing::error!(idle_ms, "leader is idle, releasing the lease");
            } else if now.saturating_sub(state.barred.0) > MAX_BAR {
                state.barred.1 = 0;
            }
            is_idle
        };
        if is_barred {
            self.release().await;
        }
        Ok(ROUND_INTERVAL)
    }

    async fn check(&self, token: i64) -> Result<(), LeaseError> {
        let remaining = || self.state.lock().remaining(self.started.elapsed(), token);
        let limit = remaining().min(CHECK_LIMIT);
        if limit.is_zero() {
            return Err(LeaseError::NotHeld { token });
        }
        let request = self.requests.check(token);
        let response = self.gateway.post(TXN, &request, limit).await?.body;
        let committed = messages::committed(&self.requests, response.clone());
        let committed = committed.ok_or_else(|| self.gateway.malformed(TXN, &response))?;
        if !committed.succeeded {
            self.lose(token);
            return Err(LeaseError::Lost { token });
        }
        if remaining().is_zero() { Err(LeaseError::NotHeld { token }) } else { Ok(()) }
    }

    /// Ends the term with this token, since etcd no longer has its key.
    fn lose(&self, token: i64) {
        let mut state = self.state.lock();
        if state.tenure.token() == Some(token) {
            state.tenure.end(token);
            state.confirmed = None;
            tracing::error!(token, "etcd no longer has the election key of this node");
        }
    }

    /// Resigns, and revokes the etcd lease.
    async fn release(&self) {
        let (lease, resignation) = {
            let mut state = self.state.lock();
            // Cleared first, because another node may lead as soon as etcd has executed the
            // requests.
            state.confirmed = None;
            state.is_announced = false;
            (state.lease.take(), state.tenure.resign(self.started.elapsed()))
        };
        // Errors are ignored, because the lease also expires.
        if let Some((token, is_clean)) = resignation {
            let _ = self.post(TXN, &self.requests.resign(token, is_clean)).await;
        }
        if let Some(lease) = lease {
            let _ = self.post(REVOKE, &json!({ "ID": lease.to_string() })).await;
        }
    }

    async fn read(&self) -> Result<Election, LeaseError> {
        let response = self.post(RANGE, &self.requests.read()).await?.body;
        let election = messages::election(&self.requests, response.clone());
        election.ok_or_else(|| self.gateway.malformed(RANGE, &response))
    }

    async fn commit(
        &self,
        request: &Value,
    ) -> Result<(Committed, (Duration, SystemTime)), LeaseError> {
        let TimedResponse { body, sent: TimePoint { instant, calendar } } =
            self.post(TXN, request).await?;
        let committed = messages::committed(&self.requests, body.clone());
        let committed = committed.ok_or_else(|| self.gateway.malformed(TXN, &body))?;
        Ok((committed, (instant.saturating_duration_since(self.started), calendar)))
    }

    async fn post(&self, path: &'static str, body: &Value) -> Result<TimedResponse, LeaseError> {
        self.gateway.post(path, body, ROUND_LIMIT).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// The runtime has one thread, so the aborted task cannot end unless it is awaited.
    #[tokio::test]
    async fn resignation_follows_end_of_task() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let lease = Lease::new(
            LeaseName::of_rollup(1, Default::default()),
            LeaseConfig {
                endpoints: vec![format!("http://{}", silent.local_addr().unwrap())],
                credentials: None,
                ca: None,
                identity: None,
                url: "ws://127.0.0.1:9545".to_owned(),
                work_timeout: Duration::from_secs(10),
            },
        )
        .unwrap();
        lease.want(true);
        let task = lease.start();
        assert_eq!(Arc::strong_count(&lease.0), 3);
        // Lets the task send its first request, which gets no response.
        tokio::task::yield_now().await;
        task.resign().await;
        assert_eq!(Arc::strong_count(&lease.0), 1);
        assert!(!lease.is_wanted() && !lease.is_held());
    }
}
