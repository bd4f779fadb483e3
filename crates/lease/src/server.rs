//! JSON-RPC server of a witness.

use crate::{Answer, CandidateId, Leader, LeaseName, MAX_URL_BYTES, Witness};
use client::RedactedUrl;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rpc::engine::{AuthenticatedServer, EngineServerError, JwtSecret};
use rpc::{Args, Context, ErrorStyle, Registry, RpcError, WorkerOptions, Workers};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// Method that requests a lease. Parameters: lease name, candidate, round.
pub(crate) const ASK: &str = "lease_ask";
/// Method that releases a lease. Parameters: lease name, candidate id, round.
pub(crate) const RELEASE: &str = "lease_release";
/// Method that returns the holder of a lease. Parameter: lease name.
pub(crate) const LEADER: &str = "lease_leader";

/// Maximum length of a request and of a response, in bytes.
const MAX_BYTES: u32 = 4 << 10;

/// A witness that serves requests until it is stopped or dropped.
#[derive(Debug)]
pub struct WitnessServer(AuthenticatedServer);

#[derive(Debug)]
struct State {
    started: Instant,
    witness: Mutex<Witness>,
}

impl Context for State {
    fn reads_may_wait(&self) -> bool {
        false
    }
}

impl WitnessServer {
    /// Starts a witness that grants leases for `ttl` to candidates with the secret. Must be called
    /// inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`EngineServerError`] if the server cannot listen on the address.
    pub fn start(
        address: SocketAddr,
        secret: JwtSecret,
        ttl: Duration,
    ) -> BoxFuture<'static, Result<Self, EngineServerError>> {
        Box::pin(async move {
            let witness = Mutex::new(Witness::new(ttl, Duration::ZERO));
            let state = Arc::new(State { started: Instant::now(), witness });
            let workers = Arc::new(Workers::new(&WorkerOptions::default()));
            let mut methods = Registry::new(state, workers, ErrorStyle::Geth);
            methods.inline(ASK, |state: &State, args| state.ask(args));
            methods.inline(RELEASE, |state: &State, args| {
                let (name, id): (LeaseName, CandidateId) = (args.required()?, args.required()?);
                state.witness.lock().release(name, id, args.required()?);
                Ok(true)
            });
            methods.inline(LEADER, |state: &State, args| {
                let name = args.required()?;
                Ok(state.witness.lock().leader(state.started.elapsed(), name).cloned())
            });
            let methods = methods.into_methods();
            AuthenticatedServer::start(address, secret, methods, MAX_BYTES).await.map(Self)
        })
    }

    /// Returns the address on which the witness listens.
    pub const fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Stops the witness, and waits until its connections are closed.
    pub fn stop(self) -> BoxFuture<'static, ()> {
        self.0.stop()
    }
}

impl State {
    fn ask(&self, args: &mut Args) -> Result<Answer, RpcError> {
        let (name, candidate): (LeaseName, Leader) = (args.required()?, args.required()?);
        let round = args.required()?;
        if candidate.url.len() > MAX_URL_BYTES {
            let got = candidate.url.len();
            let reason =
                format!("the candidate's URL has {got} bytes, expected at most {MAX_URL_BYTES}");
            return Err(RpcError::params(reason));
        }
        let mut witness = self.witness.lock();
        let before = witness.leader(self.started.elapsed(), name).cloned();
        let answer = witness.ask(self.started.elapsed(), name, candidate.clone(), round);
        drop(witness);
        if matches!(answer, Answer::Granted { .. })
            && before.is_none_or(|before| before.id != candidate.id)
        {
            tracing::info!(lease = %name.0, leader = %RedactedUrl::new(&candidate.url), id = %candidate.id.0, "granted lease");
        }
        Ok(answer)
    }
}
