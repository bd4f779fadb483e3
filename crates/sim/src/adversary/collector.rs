//! Collects all signed messages that two nodes publish, from their streams and by polling.

use crate::failover::quick_client;
use alloy_consensus::proofs::ordered_trie_root_with_encoder;
use alloy_primitives::{B256, Bytes, U64};
use alloy_provider::{Provider as _, ProviderBuilder, RootProvider, WsConnect};
use client::Client;
use eyre::{Result, eyre};
use preconf::{HeaderSummary, Preconfirmation, PrefixUpdate, evidence::SignedHeader};
use rpc_types::PrefixItem;
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::sleep,
    time::Duration,
};
use testkit::localnet::requests::number as head;

/// Interval between polls.
const LOOK: Duration = Duration::from_millis(20);

/// A signed message with all transactions of its block.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) signed: SignedHeader,
    pub(super) header: HeaderSummary,
    pub(super) transactions: Vec<Bytes>,
}

/// All published messages. None is ever dropped.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// In the order of their arrival.
    pub(super) all: Vec<Arc<Message>>,
    known: HashSet<Preconfirmation>,
    by_environment: HashMap<B256, Vec<usize>>,
    /// Updates whose earlier transactions are unknown.
    partial: HashMap<Preconfirmation, PrefixUpdate>,
}

impl Book {
    /// Adds an update unless it is known.
    pub(super) fn add(&mut self, update: PrefixUpdate) -> Result<()> {
        if self.known.contains(&update.message) {
            return Ok(());
        }
        let header = HeaderSummary::read(&update.header)?;
        let Some(transactions) = self.transactions_of(&update, &header) else {
            self.partial.insert(update.message, update);
            return Ok(());
        };
        self.partial.remove(&update.message);
        self.known.insert(update.message);
        self.by_environment.entry(header.environment).or_default().push(self.all.len());
        let signed = SignedHeader::from(&update);
        self.all.push(Arc::new(Message { signed, header, transactions }));
        Ok(())
    }

    /// Returns all transactions of an update's prefix, identified by the transactions root in its
    /// header.
    fn transactions_of(&self, update: &PrefixUpdate, header: &HeaderSummary) -> Option<Vec<Bytes>> {
        let first = update.first as usize;
        let known = self.by_environment.get(&header.environment).into_iter().flatten();
        let mut begins: Vec<&[Bytes]> =
            known.filter_map(|at| self.all[*at].transactions.get(..first)).collect();
        if first == 0 {
            begins.push(&[]);
        }
        let put = |bytes: &Bytes, out: &mut Vec<u8>| out.extend_from_slice(bytes);
        begins.into_iter().rev().find_map(|begin| {
            let all: Vec<Bytes> = begin.iter().chain(&update.transactions).cloned().collect();
            (ordered_trie_root_with_encoder(&all, put) == header.transactions_root).then_some(all)
        })
    }

    /// Number of messages whose transactions were never published in full.
    pub(super) fn incomplete(&self) -> usize {
        self.partial.len()
    }
}

/// State shared by the threads of the run.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) stop: AtomicBool,
    /// URL of each node, which changes when it is restarted.
    pub(super) urls: Mutex<[String; 2]>,
    pub(super) book: Mutex<Book>,
}

impl Shared {
    pub(super) fn new(urls: [String; 2]) -> Self {
        Self { stop: AtomicBool::new(false), urls: Mutex::new(urls), book: Mutex::default() }
    }

    pub(super) fn is_running(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn urls(&self) -> [String; 2] {
        self.urls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_url(&self, at: usize, url: &str) {
        self.urls.lock().unwrap_or_else(PoisonError::into_inner)[at] = url.to_owned();
    }

    fn add(&self, item: &PrefixItem) -> Result<()> {
        self.book().add(PrefixUpdate::decode(&item.ssz)?)
    }
}

/// Collects the messages of a node until the run ends.
pub(super) fn collect(shared: &Shared, at: usize) -> Result<()> {
    while shared.is_running() {
        let url = shared.urls()[at].clone();
        // A node that was killed or suspended does not respond.
        if let Ok(client) = quick_client(&url) {
            follow(shared, at, &url, &client)?;
        }
        sleep(LOOK);
    }
    Ok(())
}

/// Reads a node's stream and polls it, until the connection ends or the node's URL changes.
fn follow(shared: &Shared, at: usize, url: &str, client: &Client) -> Result<()> {
    let socket = url.replacen("http", "ws", 1);
    let subscribed = client.wait(async move {
        let provider: RootProvider =
            ProviderBuilder::default().connect_ws(WsConnect::new(socket)).await?;
        let mut call = provider.client().request("rollup_subscribe", ("prefixes",));
        call.set_is_subscription();
        let id: B256 = call.await?;
        let items = provider.get_subscription::<PrefixItem>(id).await?;
        // The connection ends with the provider.
        Ok::<_, eyre::Report>((provider, items))
    });
    let Ok((_connected, mut items)) = subscribed else { return Ok(()) };
    let mut lost = 0;
    while shared.is_running() && shared.urls()[at] == url && lost < 25 {
        while let Ok(item) = items.try_recv() {
            shared.add(&item)?;
        }
        match look_once(client) {
            Ok(prefixes) => {
                lost = 0;
                for item in prefixes {
                    shared.add(&item)?;
                }
            }
            Err(_) => lost += 1,
        }
        sleep(LOOK);
    }
    Ok(())
}

/// Returns the newest prefixes of a node, with all their transactions.
fn look_once(client: &Client) -> Result<Vec<PrefixItem>> {
    let next = head(client)? + 1;
    let mut prefixes = Vec::new();
    for number in [next - 1, next] {
        let item: Option<PrefixItem> =
            client.request("rollup_prefix", (U64::from(number), U64::ZERO))?;
        prefixes.extend(item);
    }
    Ok(prefixes)
}

/// Returns the raw block with this hash, from the first of the nodes that has it.
pub(super) fn raw_block(urls: &[String], hash: B256) -> Result<Bytes> {
    let found = urls.iter().find_map(|url| {
        let client = quick_client(url).ok()?;
        client.request::<_, Bytes>("debug_getRawBlock", (hash,)).ok()
    });
    found.ok_or_else(|| eyre!("no node has block {hash}"))
}
