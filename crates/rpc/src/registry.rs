//! Registry of RPC methods by name.

use crate::{
    Args, Client, ErrorStyle, LogLimit, RpcError, Telemetry,
    call_tree::revert_words,
    error::{REFUSED, REVERTED, codes},
    namespace::namespace_of,
    telemetry::Answers,
    workers::{Caller, WorkerPool, Workers},
};
use alloy_primitives::Bytes;
use jsonrpsee::{
    Extensions, MethodResponse, Methods, ResponsePayload,
    core::server::MethodCallback,
    types::{ErrorObjectOwned, Id},
};
use rpc_types::methods::Method;
use serde::Serialize;
use std::{
    borrow::Cow,
    fmt,
    future::ready,
    io,
    sync::{Arc, OnceLock},
    time::Instant,
};
use tokio::{runtime::Handle, sync::oneshot};

/// Parameters longer than this, in bytes, are not parsed on the threads that serve connections.
const SHORT: usize = 4 << 10;

static FAULTS: LogLimit = LogLimit::new();

/// State shared by all RPC methods.
pub trait Context: Send + Sync + 'static {
    /// Returns `true` if a read may block on a writer or on another node.
    fn reads_may_wait(&self) -> bool;

    /// Metrics and console output of requests, if the node has any.
    fn telemetry(&self) -> Option<&Telemetry> {
        None
    }
}

/// Namespaces whose methods [`rpc_types::methods`] declares.
const DECLARED: [&str; 3] = ["admin", "enshrine", "rollup"];

/// A method's name, which fixes the type of its answers if [`rpc_types::methods`] declares it.
pub trait MethodName<T> {
    /// Returns the name.
    ///
    /// # Panics
    ///
    /// If the name is only text, and its namespace is one of those whose methods are declared: such
    /// a method would be absent from the OpenRPC document.
    fn name(self) -> &'static str;
}

impl<T> MethodName<T> for &'static str {
    fn name(self) -> &'static str {
        let is_declared = DECLARED.contains(&namespace_of(self));
        assert!(!is_declared, "{self} is not declared in rpc_types::methods");
        self
    }
}

impl<T> MethodName<T> for Method<T> {
    fn name(self) -> &'static str {
        self.name
    }
}

/// RPC methods with their shared context.
pub struct Registry<C> {
    context: Arc<C>,
    workers: Arc<Workers>,
    methods: Methods,
    wording: ErrorStyle,
}

impl<C> fmt::Debug for Registry<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("methods", &self.methods).finish_non_exhaustive()
    }
}

impl<C: Context> Registry<C> {
    /// Creates an empty registry. `wording` is the style of errors about parameters.
    pub fn new(context: Arc<C>, workers: Arc<Workers>, wording: ErrorStyle) -> Self {
        Self { context, workers, methods: Methods::new(), wording }
    }

    /// Adds a method that reads a few values in memory.
    pub fn inline<T, F>(&mut self, name: impl MethodName<T>, method: F)
    where
        T: Serialize + Clone + Send + 'static,
        F: Fn(&C, &mut Args) -> Result<T, RpcError> + Send + Sync + 'static,
    {
        self.add(WorkerPool::Inline, name, method);
    }

    /// Adds a method that reads some values of the state, or a block.
    pub fn read<T, F>(&mut self, name: impl MethodName<T>, method: F)
    where
        T: Serialize + Clone + Send + 'static,
        F: Fn(&C, &mut Args) -> Result<T, RpcError> + Send + Sync + 'static,
    {
        self.add(WorkerPool::Read, name, method);
    }

    /// Adds a method that executes code, or reads an amount of data that the caller chooses.
    pub fn execute<T, F>(&mut self, name: impl MethodName<T>, method: F)
    where
        T: Serialize + Clone + Send + 'static,
        F: Fn(&C, &mut Args) -> Result<T, RpcError> + Send + Sync + 'static,
    {
        self.add(WorkerPool::Execute, name, method);
    }

    /// Adds a method that executes and records each step.
    pub fn trace<T, F>(&mut self, name: impl MethodName<T>, method: F)
    where
        T: Serialize + Clone + Send + 'static,
        F: Fn(&C, &mut Args) -> Result<T, RpcError> + Send + Sync + 'static,
    {
        self.add(WorkerPool::Trace, name, method);
    }

    /// Adds a method that submits a signed transaction to the pool.
    pub fn send<T, F>(&mut self, name: impl MethodName<T>, method: F)
    where
        T: Serialize + Clone + Send + 'static,
        F: Fn(&C, &mut Args) -> Result<T, RpcError> + Send + Sync + 'static,
    {
        self.add(WorkerPool::Send, name, method);
    }

    /// Adds a method that changes the node's state.
    pub fn write<T, F>(&mut self, name: impl MethodName<T>, method: F)
    where
        T: Serialize + Clone + Send + 'static,
        F: Fn(&C, &mut Args) -> Result<T, RpcError> + Send + Sync + 'static,
    {
        self.add(WorkerPool::Write, name, method);
    }

    /// Adds a method. Registering a name twice is a programming error; the second method is
    /// ignored.
    pub fn add<T, F>(&mut self, pool: WorkerPool, name: impl MethodName<T>, method: F)
    where
        T: Serialize + Clone + Send + 'static,
        F: Fn(&C, &mut Args) -> Result<T, RpcError> + Send + Sync + 'static,
    {
        self.insert(
            pool,
            name.name(),
            Box::new(move |context, args, id, limit| Ok(within(id, method(context, args)?, limit))),
        );
    }

    fn insert(&mut self, pool: WorkerPool, name: &'static str, call: Box<Call<C>>) {
        let answers = OnceLock::new();
        let method = Arc::new(Entry { name, wording: self.wording, answers, call });
        let (context, workers) = (Arc::clone(&self.context), Arc::clone(&self.workers));
        let callback = move |id: Id<'static>,
                             params: jsonrpsee::types::Params<'static>,
                             connection,
                             limit,
                             extensions: Extensions| {
            let arrived = Instant::now();
            if let Some(telemetry) = context.telemetry() {
                telemetry.count_request(name);
            }
            let text = params.as_str().unwrap_or_default();
            let pool = pool_of(pool, text);
            let inline =
                workers.is_inline(pool) && text.len() <= SHORT && !context.reads_may_wait();
            if inline {
                let answer = method.answer(&*context, params.as_str(), arrived, id, limit);
                return Box::pin(ready(answer.with_extensions(extensions))) as _;
            }
            let (method, context) = (Arc::clone(&method), Arc::clone(&context));
            let address = extensions.get::<Client>().map(Client::address);
            let caller = Caller { address, connection };
            let answer = on_worker(&workers, pool, caller, params, id, move |params, id| {
                method.answer(&*context, params, arrived, id, limit)
            });
            Box::pin(async move { answer.await.with_extensions(extensions) }) as _
        };
        let added = self.methods.verify_and_insert(name, MethodCallback::Async(Arc::new(callback)));
        debug_assert!(added.is_ok(), "{name} is registered twice");
    }

    /// Registers a second name for a method.
    pub fn alias(&mut self, alias: &'static str, name: &'static str) {
        let added = self
            .methods
            .method(name)
            .cloned()
            .is_some_and(|method| self.methods.verify_and_insert(alias, method).is_ok());
        debug_assert!(added, "{alias} is taken or {name} unknown");
    }

    /// Adds methods from another module, such as subscriptions.
    pub fn merge(&mut self, methods: impl Into<Methods>) {
        let added = self.methods.merge(methods);
        debug_assert!(added.is_ok(), "{added:?}");
    }

    /// Returns all methods, for the server.
    pub fn into_methods(self) -> Methods {
        self.methods
    }
}

/// Returns the methods of `first`, plus those of `others` whose names `first` does not have.
pub fn overlaid(first: Methods, others: &Methods) -> Methods {
    let mut all = first;
    for name in others.method_names() {
        if all.method(name).is_none()
            && let Some(method) = others.method(name)
        {
            let added = all.verify_and_insert(name, method.clone());
            debug_assert!(added.is_ok(), "{name} is registered twice");
        }
    }
    all
}

/// A read of the pending block must build it first, so it runs in the pool for executions.
fn pool_of(pool: WorkerPool, params: &str) -> WorkerPool {
    if pool == WorkerPool::Read && params.contains("\"pending\"") {
        WorkerPool::Execute
    } else {
        pool
    }
}

/// Runs a method and serialises its response, of at most the given number of bytes. The rest of the
/// request handling is not generic over the method, so that it is compiled only once.
type Call<C> =
    dyn Fn(&C, &mut Args, Id<'static>, usize) -> Result<MethodResponse, RpcError> + Send + Sync;

struct Entry<C> {
    name: &'static str,
    wording: ErrorStyle,
    /// Counters of the method, created with its first response.
    answers: OnceLock<Answers>,
    call: Box<Call<C>>,
}

impl<C: Context> Entry<C> {
    fn answer(
        &self,
        context: &C,
        params: Option<&str>,
        arrived: Instant,
        id: Id<'static>,
        limit: usize,
    ) -> MethodResponse {
        let _span = tracing::debug_span!("request", method = self.name).entered();
        let result = Args::new(params, self.wording)
            .and_then(|mut args| (self.call)(context, &mut args, id.clone(), limit));
        match &result {
            Ok(_) => tracing::trace!("answered"),
            Err(RpcError { message, is_fault: true, .. }) => {
                if let Some(left_out) = FAULTS.admit() {
                    tracing::error!(error = message, left_out, "internal error in RPC request");
                }
            }
            Err(RpcError { code, message, .. }) => {
                tracing::debug!(code, error = message, "refused request");
            }
        }
        let result = result.map_err(ErrorObjectOwned::from);
        if let Some(telemetry) = context.telemetry() {
            let answers = self.answers.get_or_init(|| telemetry.answers_of(self.name));
            answers.count(arrived.elapsed(), result.is_ok());
            if let Err(error) = &result {
                telemetry.failed(self.name, params.unwrap_or_default(), &words(error));
            }
        }
        result.unwrap_or_else(|error| MethodResponse::error(id, error))
    }
}

/// Serialises the response to a request, or an error if the response is too long.
fn within<T: Serialize + Clone>(id: Id<'static>, result: T, limit: usize) -> MethodResponse {
    let payload = ResponsePayload::success_borrowed(&result);
    let answer = MethodResponse::response(id.clone(), payload, limit);
    if answer.is_success() {
        return answer;
    }
    let mut length = Length(0);
    // Counting bytes cannot fail.
    let _ = serde_json::to_writer(&mut length, &result);
    let error = RpcError::exceeded(
        "the response is too large (bytes)",
        length.0 as u128,
        limit as u128,
        "request less data",
    );
    MethodResponse::error(id, ErrorObjectOwned::from(RpcError { code: codes::TOO_BIG, ..error }))
}

/// Writer that only counts bytes.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the message of an error for the console. A revert reason is shown without control
/// characters, because the contract chooses its bytes.
fn words(error: &ErrorObjectOwned) -> Cow<'_, str> {
    let message = error.message();
    let data = error.data().filter(|_| message.starts_with(REVERTED));
    match data.and_then(|data| serde_json::from_str::<Bytes>(data.get()).ok()) {
        Some(data) if !data.is_empty() => {
            let refused = message.find(REFUSED).map_or("", |at| &message[at..]);
            format!("{REVERTED}: {}{refused}", revert_words(&data)).into()
        }
        _ => message.into(),
    }
}

/// Runs a request on a worker thread.
fn on_worker(
    workers: &Workers,
    pool: WorkerPool,
    caller: Caller,
    params: jsonrpsee::types::Params<'static>,
    id: Id<'static>,
    answer: impl FnOnce(Option<&str>, Id<'static>) -> MethodResponse + Send + 'static,
) -> impl Future<Output = MethodResponse> + Send + 'static {
    let (sender, receiver) = oneshot::channel();
    let bytes = params.len_bytes();
    let own = id.clone();
    // Methods that wait need the timers of the runtime that serves the connection.
    let runtime = Handle::try_current();
    let queued = workers.run(pool, caller, bytes, move || {
        // The client has disconnected, so the response is not needed.
        if sender.is_closed() {
            return;
        }
        let _entered = runtime.as_ref().map(Handle::enter);
        drop(sender.send(answer(params.as_str(), own)));
    });
    async move {
        if let Err(overloaded) = queued {
            return MethodResponse::error(id, ErrorObjectOwned::from(RpcError::from(overloaded)));
        }
        // The sender was dropped without a response: the method panicked.
        receiver.await.unwrap_or_else(|_| {
            MethodResponse::error(id, ErrorObjectOwned::from(RpcError::internal("internal error")))
        })
    }
}
