//! Supervision of a node's actors (its background threads and tasks): their progress and panics.
//!
//! An actor that panics may leave inconsistent shared state, e.g. a block that is in the chain but
//! still in the pool. Actors are therefore not restarted. The node reports the panic in logs,
//! health and metrics, and [`failed`] lets the process exit with an error. All acknowledged data is
//! on disk, so the next start continues from there.

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::interval};

/// Interval at which a task reports that it is still polled.
const TASK_BEAT: Duration = Duration::from_millis(500);
/// Progress value of an actor that is not running.
const NEVER: u64 = u64::MAX;

/// A thread or task of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Actor {
    /// Reads L1.
    L1,
    /// Posts blocks to L1.
    Batcher,
    /// Builds or follows blocks.
    Blocks,
    /// Follows the unsafe blocks of a sequencer.
    UnsafeBlocks,
    /// Forwards transactions to the sequencer that the node follows.
    Offers,
    /// Drives another client over the Engine API.
    Driver,
    /// Checks the signatures of the sequencer.
    Watcher,
}

impl Actor {
    /// All actors in the order of their start, each after those whose output it uses.
    pub(crate) const ORDER: [Self; 7] = [
        Self::L1,
        Self::Batcher,
        Self::Blocks,
        Self::UnsafeBlocks,
        Self::Offers,
        Self::Driver,
        Self::Watcher,
    ];

    /// Returns the name of the actor in logs, health and metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::L1 => "l1",
            Self::Batcher => "batcher",
            Self::Blocks => "blocks",
            Self::UnsafeBlocks => "unsafe_blocks",
            Self::Offers => "offers",
            Self::Driver => "driver",
            Self::Watcher => "watcher",
        }
    }
}

/// Observer of a node's actors, for finer monitoring than health and metrics allow.
pub trait ActorObserver: core::fmt::Debug + Send + Sync {
    /// Called at each turn of an actor, with its name, on the actor's thread. Must return quickly;
    /// a panic is a panic of the actor.
    fn turned(&self, actor: &'static str);
}

/// Panic of an actor, from which the node cannot recover.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("actor {actor} panicked: {message}")]
pub struct ActorPanic {
    /// Name of the actor.
    pub actor: &'static str,
    /// Panic message.
    pub message: String,
}

/// Progress and failures of all actors.
#[derive(Debug)]
pub(crate) struct Supervisor {
    begun: Instant,
    /// Milliseconds from `begun` to the last progress of each actor.
    progress: [AtomicU64; Actor::ORDER.len()],
    /// Actors in the order of their start.
    started: Mutex<Vec<Actor>>,
    /// The first panic. Later ones may be its consequences.
    panicked: watch::Sender<Option<ActorPanic>>,
    /// Observer of the turns, if one was set.
    observer: OnceLock<Arc<dyn ActorObserver>>,
}

impl Default for Supervisor {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            progress: [const { AtomicU64::new(NEVER) }; Actor::ORDER.len()],
            started: Mutex::default(),
            panicked: watch::Sender::new(None),
            observer: OnceLock::new(),
        }
    }
}

impl Supervisor {
    /// Records the start of an actor. Called by the thread that starts it, since the order in which
    /// new threads run is undefined.
    pub(crate) fn start(&self, actor: Actor) {
        self.started.lock().push(actor);
    }

    /// Runs the work of an actor on this thread, and records its panic.
    pub(crate) fn run(&self, actor: Actor, work: impl FnOnce()) {
        self.note(actor);
        let outcome = catch_unwind(AssertUnwindSafe(work));
        self.leave(actor, outcome);
    }

    /// Runs the work of an actor as a task, and records its panic. Polling the task counts as
    /// progress, since its work may be idle for long.
    pub(crate) async fn run_task(&self, actor: Actor, work: impl Future<Output = ()>) {
        self.note(actor);
        let mut beat = interval(TASK_BEAT);
        let guarded = async {
            tokio::pin!(work);
            loop {
                tokio::select! {
                    () = &mut work => return,
                    _ = beat.tick() => self.advanced(actor),
                }
            }
        };
        let outcome = AssertUnwindSafe(guarded).catch_unwind().await;
        self.leave(actor, outcome);
    }

    fn leave(&self, actor: Actor, outcome: Result<(), Box<dyn Any + Send>>) {
        self.progress[actor as usize].store(NEVER, Ordering::Relaxed);
        let Err(payload) = outcome else { return };
        let message = message_of(&*payload);
        let actor = actor.name();
        tracing::error!(actor, message, "actor panicked, shutting down");
        self.panicked.send_if_modified(|panicked| {
            let is_first = panicked.is_none();
            panicked.get_or_insert(ActorPanic { actor, message });
            is_first
        });
    }

    /// Records progress of an actor.
    pub(crate) fn advanced(&self, actor: Actor) {
        self.note(actor);
        if let Some(observer) = self.observer.get() {
            observer.turned(actor.name());
        }
    }

    /// Sets the observer, which is called at each later turn.
    pub(crate) fn observe(&self, observer: Arc<dyn ActorObserver>) {
        // Set once, from the node's configuration.
        let _ = self.observer.set(observer);
    }

    fn note(&self, actor: Actor) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(NEVER - 1);
        self.progress[actor as usize].store(now, Ordering::Relaxed);
    }

    /// Returns the time since the last progress of each running actor.
    pub(crate) fn ages(&self, now: Instant) -> impl Iterator<Item = (Actor, Duration)> {
        let now = now.saturating_duration_since(self.begun);
        Actor::ORDER.into_iter().filter_map(move |actor| {
            let at = self.progress[actor as usize].load(Ordering::Relaxed);
            (at != NEVER).then(|| (actor, now.saturating_sub(Duration::from_millis(at))))
        })
    }

    /// Returns the names of the actors in the order of their start.
    pub(crate) fn started(&self) -> Vec<&'static str> {
        self.started.lock().iter().map(|actor| actor.name()).collect()
    }

    /// Returns the first panic of an actor, if there was one.
    pub(crate) fn panicked(&self) -> Option<ActorPanic> {
        self.panicked.borrow().clone()
    }

    /// Returns a receiver for the first panic of an actor.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<ActorPanic>> {
        self.panicked.subscribe()
    }
}

/// Waits until an actor panics.
pub(crate) async fn failed(mut panicked: watch::Receiver<Option<ActorPanic>>) -> ActorPanic {
    match panicked.wait_for(Option::is_some).await.map(|found| found.clone()) {
        Ok(Some(found)) => found,
        // The node was dropped.
        _ => core::future::pending().await,
    }
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An actor that ends without a panic is not a fault.
    #[test]
    fn supervisor_reports_first_panic() {
        let supervisor = Supervisor::default();
        [Actor::Batcher, Actor::L1, Actor::Blocks]
            .into_iter()
            .for_each(|actor| supervisor.start(actor));
        supervisor.run(Actor::Batcher, || supervisor.advanced(Actor::Batcher));
        assert_eq!(supervisor.panicked(), None);
        supervisor.run(Actor::L1, || panic!("number {}", 7));
        supervisor.run(Actor::Blocks, || panic!("it follows"));
        let found = supervisor.panicked().unwrap();
        assert_eq!(found, ActorPanic { actor: "l1", message: "number 7".to_owned() });
        assert_eq!(supervisor.started(), ["batcher", "l1", "blocks"]);
    }

    #[test]
    fn room_age_counts_from_last_turn() {
        let supervisor = Supervisor::default();
        let ages = |supervisor: &Supervisor| {
            let later = supervisor.begun + Duration::from_secs(3_600);
            supervisor.ages(later).collect::<Vec<_>>()
        };
        assert!(ages(&supervisor).is_empty());
        supervisor.run(Actor::Offers, || {
            let [(actor, age)] = ages(&supervisor)[..] else { panic!("one actor runs") };
            assert_eq!(actor, Actor::Offers);
            supervisor.progress[Actor::Offers as usize].store(1_000, Ordering::Relaxed);
            assert!(ages(&supervisor)[0].1 <= age);
            assert_eq!(ages(&supervisor)[0].1, Duration::from_secs(3_599));
        });
        assert!(ages(&supervisor).is_empty());
        assert_eq!(supervisor.panicked(), None);
    }

    #[tokio::test]
    async fn panic_of_task_resolves_failed() {
        let supervisor = Supervisor::default();
        let failed = failed(supervisor.subscribe());
        supervisor.run_task(Actor::UnsafeBlocks, async { panic!("the task") }).await;
        assert_eq!(failed.await.actor, "unsafe_blocks");
    }
}
