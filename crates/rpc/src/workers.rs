//! Worker threads for RPC methods, so that no method blocks the threads that serve connections.
//!
//! Each [`WorkerPool`] has its own threads, so a method waits only for methods of its own class.
//! Within a pool, addresses take turns, and the connections of an address among themselves, so a
//! client with many requests only delays itself, however many connections it opens. A pool rejects
//! requests beyond its queue immediately.

use crate::LogLimit;
use jsonrpsee::ConnectionId;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    hash::Hash,
    io,
    net::IpAddr,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

/// Idle time after which a worker thread exits.
const IDLE: Duration = Duration::from_secs(10);

static REFUSED: LogLimit = LogLimit::new();

/// Class of a method by its use of threads, which determines the pool that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerPool {
    /// Reads a few values in memory, on the thread that serves the connection.
    Inline,
    /// Reads state values or a block. If the store is in memory, also runs on the thread that
    /// serves the connection ([`WorkerOptions::inline_reads`]).
    Read,
    /// Executes code, or reads an amount of data that the caller chooses.
    Execute,
    /// Executes and records each step. Has its own pool, because traces need more time and memory
    /// than any call.
    Trace,
    /// Submits a signed transaction to the pool. Runs on the thread that serves the connection if
    /// the node does not seal a block for it ([`WorkerOptions::inline_sends`]), otherwise like
    /// [`Self::Write`].
    Send,
    /// Changes the node: cheats, sends from managed accounts, block production. These mostly run
    /// one at a time.
    Write,
    /// Waits for an event, such as a block.
    Wait,
}

/// Client whose turn it is to run a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Address by which connections are counted; `None` for IPC.
    pub(crate) address: Option<IpAddr>,
    /// Connection of the request.
    pub(crate) connection: ConnectionId,
}

/// Limits of one worker pool.
#[derive(Debug, Clone, Copy)]
pub struct WorkerPoolLimits {
    /// Number of threads.
    pub threads: NonZeroUsize,
    /// Maximum number of queued requests.
    pub queue: usize,
}

/// Limits of all worker pools.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// `true` to run [`WorkerPool::Read`] on the threads that serve connections, for in-memory
    /// stores.
    pub inline_reads: bool,
    /// `true` to run [`WorkerPool::Send`] on the threads that serve connections, for nodes that do
    /// not seal a block per transaction.
    pub inline_sends: bool,
    /// Pool of [`WorkerPool::Read`].
    pub read: WorkerPoolLimits,
    /// Pool of [`WorkerPool::Execute`].
    pub execute: WorkerPoolLimits,
    /// Pool of [`WorkerPool::Trace`].
    pub trace: WorkerPoolLimits,
    /// Pool of [`WorkerPool::Write`].
    pub write: WorkerPoolLimits,
    /// Pool of [`WorkerPool::Wait`].
    pub wait: WorkerPoolLimits,
    /// Maximum total size of queued parameters per pool, in bytes.
    pub queued_bytes: usize,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let pool = |queue| WorkerPoolLimits { threads: cores, queue };
        Self {
            inline_reads: true,
            inline_sends: false,
            read: pool(32_768),
            execute: pool(4_096),
            // Each trace is held in memory, and half of the cores stay free for other work.
            trace: WorkerPoolLimits {
                threads: NonZeroUsize::new(cores.get() / 2).unwrap_or(NonZeroUsize::MIN),
                queue: 64,
            },
            write: pool(32_768),
            wait: WorkerPoolLimits { threads: NonZeroUsize::MIN.saturating_add(63), queue: 1_024 },
            queued_bytes: 64 << 20,
        }
    }
}

impl WorkerOptions {
    /// Options for a networked store, whose readers mostly wait.
    #[must_use]
    pub fn remote_reads(mut self) -> Self {
        self.inline_reads = false;
        for pool in [&mut self.read, &mut self.execute, &mut self.trace] {
            pool.threads = pool.threads.saturating_mul(NonZeroUsize::MIN.saturating_add(7));
        }
        self
    }
}

/// Error of a request to a pool whose queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is busy: {waiting} requests of this kind are already queued; retry later")]
pub struct Overloaded {
    /// Number of queued requests.
    pub waiting: usize,
}

/// All worker pools. Threads are started on demand and exit when idle.
#[derive(Debug)]
pub struct Workers {
    inline_reads: bool,
    inline_sends: bool,
    read: Pool,
    execute: Pool,
    trace: Pool,
    write: Pool,
    wait: Pool,
}

impl Workers {
    /// Creates the pools without starting any thread.
    pub fn new(options: &WorkerOptions) -> Self {
        let pool = |name, limits| Pool::new(name, limits, options.queued_bytes);
        Self {
            inline_reads: options.inline_reads,
            inline_sends: options.inline_sends,
            read: pool("rpc-read", options.read),
            execute: pool("rpc-execute", options.execute),
            trace: pool("rpc-trace", options.trace),
            write: pool("rpc-write", options.write),
            wait: pool("rpc-wait", options.wait),
        }
    }

    /// Returns `true` if requests of this class run on the thread that serves their connection.
    pub(crate) const fn is_inline(&self, pool: WorkerPool) -> bool {
        match pool {
            WorkerPool::Inline => true,
            WorkerPool::Read => self.inline_reads,
            WorkerPool::Send => self.inline_sends,
            WorkerPool::Execute | WorkerPool::Trace | WorkerPool::Write | WorkerPool::Wait => false,
        }
    }

    /// Queues a job until its caller's turn. `bytes` is the memory that the job holds until
    /// then.
    pub(crate) fn run(
        &self,
        pool: WorkerPool,
        caller: Caller,
        bytes: usize,
        job: impl FnOnce() + Send + 'static,
    ) -> Result<(), Overloaded> {
        let pool = match pool {
            WorkerPool::Inline | WorkerPool::Read => &self.read,
            WorkerPool::Execute => &self.execute,
            WorkerPool::Trace => &self.trace,
            WorkerPool::Send | WorkerPool::Write => &self.write,
            WorkerPool::Wait => &self.wait,
        };
        pool.run(caller, Job { bytes, run: Box::new(job) })
    }
}

struct Job {
    bytes: usize,
    run: Box<dyn FnOnce() + Send>,
}

/// A worker pool: its threads and its queue.
struct Pool(Arc<Shared>);

struct Shared {
    name: &'static str,
    limits: WorkerPoolLimits,
    queued_bytes: usize,
    queue: Mutex<Queue>,
    ready: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Addresses with queued jobs.
    addresses: Turns<Option<IpAddr>, Turns<ConnectionId, VecDeque<Job>>>,
    waiting: usize,
    bytes: usize,
    threads: usize,
    idle: usize,
    closed: bool,
}

/// Queues that take turns.
struct Turns<K, Q> {
    /// Keys of the queues that are not empty; the first one is next.
    order: VecDeque<K>,
    queues: HashMap<K, Q>,
}

impl<K, Q> Default for Turns<K, Q> {
    fn default() -> Self {
        Self { order: VecDeque::new(), queues: HashMap::new() }
    }
}

impl<K: Copy + Eq + Hash, Q: Default> Turns<K, Q> {
    /// Returns the queue of `key`, to which the caller adds a job.
    fn queue(&mut self, key: K) -> &mut Q {
        self.queues.entry(key).or_insert_with(|| {
            self.order.push_back(key);
            Q::default()
        })
    }

    /// Removes a job with `take` from the queue whose turn it is; `take` also returns whether the
    /// queue is empty then.
    fn take(&mut self, take: impl FnOnce(&mut Q) -> (Option<Job>, bool)) -> Option<Job> {
        let key = self.order.pop_front()?;
        let (job, is_empty) = take(self.queues.get_mut(&key)?);
        if is_empty {
            self.queues.remove(&key);
        } else {
            self.order.push_back(key);
        }
        job
    }
}

impl Queue {
    fn put(&mut self, caller: Caller, job: Job) {
        self.waiting += 1;
        self.bytes += job.bytes;
        self.addresses.queue(caller.address).queue(caller.connection).push_back(job);
    }

    /// Removes the oldest job of the connection whose turn it is, at the address whose turn it is.
    fn take(&mut self) -> Option<Job> {
        let job = self.addresses.take(|connections| {
            let job = connections.take(|jobs| (jobs.pop_front(), jobs.is_empty()));
            (job, connections.order.is_empty())
        })?;
        self.waiting -= 1;
        self.bytes -= job.bytes;
        Some(job)
    }

    /// Returns `true` if one more job fits. One connection may use at most half of the queue, and
    /// one address at most three quarters.
    fn has_capacity(&self, caller: Caller, job: &Job, shared: &Shared) -> bool {
        let (half, limit) = (shared.limits.queue.div_ceil(2), shared.limits.queue);
        let address = self.addresses.queues.get(&caller.address);
        let of_address =
            address.map_or(0, |queues| queues.queues.values().map(VecDeque::len).sum::<usize>());
        let own = address
            .and_then(|queues| queues.queues.get(&caller.connection))
            .map_or(0, VecDeque::len);
        self.waiting < limit
            && own < half
            && of_address < half + (limit - half).div_ceil(2)
            && (self.waiting == 0 || self.bytes.saturating_add(job.bytes) <= shared.queued_bytes)
    }
}

impl Pool {
    fn new(name: &'static str, limits: WorkerPoolLimits, queued_bytes: usize) -> Self {
        let (queue, ready) = (Mutex::default(), Condvar::new());
        Self(Arc::new(Shared { name, limits, queued_bytes, queue, ready }))
    }

    fn run(&self, caller: Caller, job: Job) -> Result<(), Overloaded> {
        let shared = &self.0;
        let mut queue = shared.queue.lock();
        let refused = Overloaded { waiting: queue.waiting };
        if !queue.has_capacity(caller, &job, shared) {
            if let Some(left_out) = REFUSED.admit() {
                tracing::warn!(
                    pool = shared.name,
                    waiting = queue.waiting,
                    left_out,
                    "rejected request: worker queue is full"
                );
            }
            return Err(refused);
        }
        if queue.waiting >= queue.idle && queue.threads < shared.limits.threads.get() {
            match shared.spawn() {
                Ok(()) => queue.threads += 1,
                Err(error) => {
                    tracing::error!(pool = shared.name, %error, "failed to start worker thread");
                    if queue.threads == 0 {
                        return Err(refused);
                    }
                }
            }
        }
        queue.put(caller, job);
        drop(queue);
        shared.ready.notify_one();
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.0.queue.lock().closed = true;
        self.0.ready.notify_all();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.0.name).field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

impl Shared {
    fn spawn(self: &Arc<Self>) -> io::Result<()> {
        let shared = Arc::clone(self);
        let thread = thread::Builder::new().name(self.name.to_owned());
        thread.spawn(move || shared.work()).map(drop)
    }

    fn work(&self) {
        let mut queue = self.queue.lock();
        loop {
            if let Some(job) = queue.take() {
                MutexGuard::unlocked(&mut queue, || {
                    // The sender is dropped, so the waiting request gets an error; the thread
                    // continues.
                    if catch_unwind(AssertUnwindSafe(job.run)).is_err() {
                        tracing::error!(pool = self.name, "RPC method panicked");
                    }
                });
                continue;
            }
            if queue.closed {
                break;
            }
            queue.idle += 1;
            let waited_long = self.ready.wait_for(&mut queue, IDLE).timed_out();
            queue.idle -= 1;
            if waited_long && queue.waiting == 0 {
                break;
            }
        }
        queue.threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    const RETRY_TIMEOUT: Duration = Duration::from_secs(60);

    /// Returns a connection of the address that ends with `address`.
    fn caller(address: u8, connection: u32) -> Caller {
        Caller { address: Some([10, 0, 0, address].into()), connection: connection.into() }
    }

    fn workers(threads: usize, queue: usize) -> Workers {
        let pool = WorkerPoolLimits { threads: threads.try_into().unwrap(), queue };
        Workers::new(&WorkerOptions {
            read: pool,
            execute: pool,
            write: pool,
            wait: pool,
            queued_bytes: 100,
            ..WorkerOptions::default()
        })
    }

    /// Returns a job that signals when it runs, and then blocks until it is released.
    fn blocked(begun: &Sender<()>) -> (Sender<()>, impl FnOnce() + Send + 'static) {
        let (let_go, wait) = channel::<()>();
        let begun = begun.clone();
        let job = move || {
            begun.send(()).unwrap();
            let _ = wait.recv();
        };
        (let_go, job)
    }

    fn full(workers: &Workers, pool: WorkerPool) -> (Vec<Sender<()>>, Receiver<()>) {
        let (begun, running) = channel();
        let mut gates = Vec::new();
        for connection in 0_u32..2 {
            let (let_go, job) = blocked(&begun);
            workers.run(pool, caller(1, connection), 0, job).unwrap();
            gates.push(let_go);
            running.recv_timeout(RETRY_TIMEOUT).unwrap();
        }
        (gates, running)
    }

    #[test]
    fn busy_pool_does_not_block_other_pools() {
        let workers = workers(2, 8);
        let _gates = full(&workers, WorkerPool::Execute);
        for pool in [WorkerPool::Read, WorkerPool::Trace, WorkerPool::Write, WorkerPool::Wait] {
            let (done, answer) = channel();
            workers.run(pool, caller(1, 0), 0, move || done.send(()).unwrap()).unwrap();
            answer.recv_timeout(RETRY_TIMEOUT).unwrap();
        }
    }

    #[test]
    fn connections_take_turns_whatever_their_backlog() {
        let workers = workers(2, 100);
        let (gates, _running) = full(&workers, WorkerPool::Execute);
        let (done, order) = channel();
        for (connection, count) in [(7_u32, 10), (8, 1), (9, 1)] {
            for _ in 0..count {
                let done = done.clone();
                let job = move || done.send(connection).unwrap();
                workers.run(WorkerPool::Execute, caller(1, connection), 0, job).unwrap();
            }
        }
        // Release a single thread, so that the remaining jobs run in order.
        gates[0].send(()).unwrap();
        let first: Vec<u32> = (0..4).map(|_| order.recv_timeout(RETRY_TIMEOUT).unwrap()).collect();
        assert_eq!(first, [7, 8, 9, 7]);
    }

    #[test]
    fn address_with_many_connections_delays_only_itself() {
        let workers = workers(2, 1_000);
        let (gates, _running) = full(&workers, WorkerPool::Execute);
        let (done, order) = channel();
        let put = |address, connection| {
            let done = done.clone();
            let job = move || done.send(address).unwrap();
            workers.run(WorkerPool::Execute, caller(address, connection), 0, job)
        };
        for connection in 0..300 {
            put(7, connection).unwrap();
        }
        put(8, 0).unwrap();
        put(8, 0).unwrap();
        gates[0].send(()).unwrap();
        let first: Vec<u8> = (0..5).map(|_| order.recv_timeout(RETRY_TIMEOUT).unwrap()).collect();
        assert_eq!(first, [7, 8, 7, 8, 7]);
    }

    #[test]
    fn one_address_leaves_quarter_of_queue() {
        let workers = workers(2, 8);
        let _gates = full(&workers, WorkerPool::Execute);
        let put = |address, connection| {
            workers.run(WorkerPool::Execute, caller(address, connection), 0, || ())
        };
        for connection in 0..6 {
            put(7, connection).unwrap();
        }
        assert_eq!(put(7, 6), Err(Overloaded { waiting: 6 }));
        assert_eq!((put(8, 0), put(9, 0)), (Ok(()), Ok(())));
        assert_eq!(put(10, 0), Err(Overloaded { waiting: 8 }), "the queue is full");
    }

    #[test]
    fn full_queue_rejects_and_connections_get_half() {
        let workers = workers(2, 4);
        let (gates, _running) = full(&workers, WorkerPool::Execute);
        let put = |connection: u8, bytes| {
            let caller = caller(connection, u32::from(connection));
            workers.run(WorkerPool::Execute, caller, bytes, || ())
        };
        assert_eq!((put(7, 60), put(7, 0)), (Ok(()), Ok(())));
        assert_eq!(
            put(7, 0),
            Err(Overloaded { waiting: 2 }),
            "a connection may use half of the queue"
        );
        assert_eq!(put(8, 41), Err(Overloaded { waiting: 2 }), "too many bytes");
        assert_eq!((put(8, 40), put(9, 0)), (Ok(()), Ok(())));
        assert_eq!(put(10, 0), Err(Overloaded { waiting: 4 }));
        drop(gates);
        let (done, answer) = channel();
        // Once there is room again, the pool accepts more jobs.
        while workers
            .run(WorkerPool::Execute, caller(7, 7), 0, {
                let done = done.clone();
                move || done.send(()).unwrap()
            })
            .is_err()
        {
            thread::yield_now();
        }
        answer.recv_timeout(RETRY_TIMEOUT).unwrap();
    }

    #[test]
    fn panicking_job_does_not_end_its_thread() {
        let workers = workers(1, 8);
        let (done, answer) = channel();
        workers.run(WorkerPool::Read, caller(1, 0), 0, || panic!("on purpose")).unwrap();
        workers.run(WorkerPool::Read, caller(1, 0), 0, move || done.send(()).unwrap()).unwrap();
        answer.recv_timeout(RETRY_TIMEOUT).unwrap();
    }
}
