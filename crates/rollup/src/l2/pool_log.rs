//! File of acknowledged transactions that are not on L1 yet, so that they survive a crash of the
//! node.
//!
//! Each record is an encoded transaction with checksums. A torn record at the end was never
//! acknowledged. The file is written without `fsync`: it survives a crash of the process, but not
//! completely a power loss.

use crate::{L2Error, service::data_dir::POOL};
use alloy_consensus::Transaction as _;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{
    Address, B256, Bytes,
    map::{AddressMap, AddressSet, B256Set},
};
use chain::RecoveredTransaction;
use disk::{DiskError, RecordFile};
use node::{
    DropTransaction, Node, PoolJournal, PoolTransaction, Rejected, SetPoolJournal, SetPoolLimits,
};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// Length in bytes from which the file is rewritten without obsolete records.
const REWRITE_FROM: u64 = 1 << 20;
/// Pause after a failure to rewrite the file.
const RETRY_PAUSE: Duration = Duration::from_secs(10);

/// Open pool file.
///
/// Writes are batched: the first waiting caller also writes the transactions that all others have
/// noted.
#[derive(Debug)]
pub(crate) struct PoolLog {
    path: PathBuf,
    /// Hash of the chain's genesis block.
    subject: B256,
    noted: Mutex<WriteBuffer>,
    end: Mutex<End>,
}

/// Transactions that are still to be written.
#[derive(Debug, Default)]
struct WriteBuffer {
    transactions: Vec<Bytes>,
    last: u64,
}

impl WriteBuffer {
    fn take(&mut self) -> Self {
        Self { transactions: core::mem::take(&mut self.transactions), last: self.last }
    }
}

#[derive(Debug)]
struct End {
    file: RecordFile,
    /// Length of the file when it was last rewritten, in bytes.
    rewritten: u64,
    /// Time of the next attempt to rewrite it, after a failure.
    again_at: Option<Instant>,
    /// Number of the last transaction that was written or failed to be written.
    tried: u64,
    /// Transactions that could not be written, with the error, until that is reported to the
    /// sender.
    lost: BTreeMap<u64, String>,
}

impl End {
    const fn of(file: RecordFile) -> Self {
        Self { file, rewritten: 0, again_at: None, tried: 0, lost: BTreeMap::new() }
    }

    /// Returns `true` if most of the file may consist of obsolete records.
    fn is_long(&self) -> bool {
        self.file.length() >= REWRITE_FROM.max(self.rewritten.saturating_mul(4))
            && self.again_at.is_none_or(|at| at <= Instant::now())
    }

    fn write_noted(&mut self, noted: &WriteBuffer) {
        let all = self.tried + 1..=noted.last;
        self.tried = noted.last;
        if let Err(error) = self.file.append_all(slices(&noted.transactions)) {
            self.lost.extend(all.map(|number| (number, error.to_string())));
        }
    }
}

fn slices(transactions: &[Bytes]) -> impl Iterator<Item = &[u8]> {
    transactions.iter().map(|raw| &raw[..])
}

/// Replaces a corrupted file by one with its valid records, and keeps the corrupted one as
/// `.damaged`. At least one of the two exists at any time.
fn repair(path: &Path, genesis: B256) -> io::Result<()> {
    let found = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => fs::read(path)?,
        _ => Vec::new(),
    };
    if found.is_empty() {
        return Ok(());
    }
    let whole = RecordFile::salvage(&found, 0);
    let mended = path.with_extension("mended");
    RecordFile::replace(&mended, genesis, slices(&whole)).map_err(io::Error::other)?;
    if fs::read(&mended)? == found {
        return fs::remove_file(&mended);
    }
    let damaged = path.with_extension("damaged");
    match fs::remove_file(&damaged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::hard_link(path, &damaged)?;
    fs::rename(&mended, path)?;
    let (bytes, salvaged) = (found.len(), whole.len());
    let damaged = damaged.display();
    tracing::error!(bytes, salvaged, %damaged, "pool file is damaged, continuing with its valid records");
    Ok(())
}

impl PoolLog {
    /// Opens or creates the file for the chain with this genesis, and returns its transactions,
    /// oldest first. The valid records of a corrupted file are kept, and a copy of that file.
    pub(crate) fn open(path: &Path, genesis: B256) -> Result<(Self, Vec<Bytes>), L2Error> {
        let fault = |source| L2Error::Pool { path: path.to_owned(), source };
        repair(path, genesis).map_err(fault)?;
        let mut transactions = Vec::new();
        let opened = RecordFile::open(path, genesis, |_, transaction| {
            transactions.push(transaction.clone());
            Ok(())
        });
        let (file, _) = opened.map_err(|error| fault(io::Error::other(error)))?;
        let (noted, end) = (Mutex::default(), Mutex::new(End::of(file)));
        Ok((Self { path: path.to_owned(), subject: genesis, noted, end }, transactions))
    }

    /// Records the transactions of replaced blocks, since some of them were never in this node's
    /// pool.
    pub(crate) fn keep_displaced(&self, displaced: &[RecoveredTransaction]) {
        if displaced.is_empty() {
            return;
        }
        let number = {
            let mut noted = self.noted.lock();
            let transactions = displaced.iter().map(|tx| tx.transaction.encoded_2718().into());
            noted.transactions.extend(transactions);
            noted.last += 1;
            noted.last
        };
        if let Err(error) = self.keep(number) {
            let transactions = displaced.len();
            tracing::error!(%error, transactions, "failed to persist reorged transactions");
        }
    }

    /// Returns `true` if the file has grown, so that it should be [compacted](Self::compact);
    /// `false` while it is being written.
    pub(crate) fn is_long(&self) -> bool {
        self.end.try_lock().is_some_and(|end| end.is_long())
    }

    /// If the file has grown, rewrites it with the transactions of blocks above `safe` (which may
    /// be replaced), of replaced blocks, and of the pool.
    ///
    /// Must be called at any time and not only after a block: senders can replace transactions that
    /// no block can include, and each is recorded.
    pub(crate) fn compact<'t>(
        &self,
        node: &Node,
        safe: u64,
        displaced: impl Iterator<Item = &'t RecoveredTransaction>,
    ) {
        if let Err(error) = self.rewrite(node, safe, displaced) {
            tracing::warn!(%error, "failed to compact the pool file");
        }
    }

    fn rewrite<'t>(
        &self,
        node: &Node,
        safe: u64,
        displaced: impl Iterator<Item = &'t RecoveredTransaction>,
    ) -> Result<(), DiskError> {
        let mut end = self.end.lock();
        if !end.is_long() {
            return Ok(());
        }
        end.again_at = Some(Instant::now() + RETRY_PAUSE);
        // No transaction is noted concurrently, because that requires the node's lock, or happens
        // on this thread. All noted transactions are in the pool or in `displaced`.
        let (transactions, noted) = node.read(|node| {
            let (mut all, mut seen) = (Vec::<Bytes>::new(), B256Set::default());
            let head = node.chain.head().header.number;
            for number in safe + 1..=head {
                let block = node.chain.canonical_block(number).map_err(|error| {
                    DiskError::Unusable(format!("block {number} cannot be read: {error}"))
                })?;
                for transaction in block.iter().flat_map(|block| &block.transactions) {
                    if seen.insert(*transaction.hash()) {
                        all.push(transaction.encoded_2718().into());
                    }
                }
            }
            for displaced in displaced.filter(|tx| seen.insert(*tx.transaction.hash())) {
                all.push(displaced.transaction.encoded_2718().into());
            }
            for waiting in node.pool.iter().filter(|waiting| seen.insert(*waiting.hash())) {
                all.push(waiting.raw.clone());
            }
            Ok::<_, DiskError>((all, self.noted.lock().take()))
        })?;
        // The node's lock is not held during the write, so that block production continues.
        match RecordFile::replace(&self.path, self.subject, slices(&transactions)) {
            Ok(file) => {
                (end.rewritten, end.file, end.tried) = (file.length(), file, noted.last);
                end.again_at = None;
                Ok(())
            }
            Err(error) => {
                end.write_noted(&noted);
                Err(error)
            }
        }
    }
}

impl PoolJournal for PoolLog {
    fn note(&self, transaction: &PoolTransaction) -> u64 {
        let mut noted = self.noted.lock();
        noted.transactions.push(transaction.raw.clone());
        noted.last += 1;
        noted.last
    }

    fn keep(&self, number: u64) -> io::Result<()> {
        let mut end = self.end.lock();
        if end.tried < number {
            let noted = self.noted.lock().take();
            end.write_noted(&noted);
        }
        end.lost.remove(&number).map_or(Ok(()), |reason| Err(io::Error::other(reason)))
    }
}

/// The pool file, and its transactions that the pool does not accept yet.
#[derive(Debug)]
pub(crate) struct LoadedPool {
    pub(crate) log: Arc<PoolLog>,
    /// Deferred transactions, which may become valid with the next blocks, oldest first.
    pub(crate) refused: Vec<RecoveredTransaction>,
}

impl LoadedPool {
    /// Opens the pool file in the data directory, adds its transactions to the pool, and records
    /// all transactions that the pool accepts from now on. Skips the operator's transactions, since
    /// they are created again.
    ///
    /// # Errors
    ///
    /// [`L2Error::Pool`] if the file cannot be opened.
    pub(crate) fn open(
        node: &Node,
        folder: &Path,
        genesis: B256,
        operator: Option<Address>,
    ) -> Result<Self, L2Error> {
        let (log, transactions) = PoolLog::open(&folder.join(POOL), genesis)?;
        // Lift the limits while loading, since all of these transactions were acknowledged. The
        // file also contains those of replaced blocks, so there may be more than the limits allow;
        // and a rewritten file is not sorted, so most of them may have a nonce gap at first.
        let limits = node.read(|node| node.settings.pool_limits.clone());
        let limits = node.execute(SetPoolLimits(limits.unbounded()));
        let LoadOutcome { accepted, refused } = offer(node, &transactions, operator);
        node.execute(SetPoolLimits(limits));
        if accepted + refused.len() > 0 {
            let not_yet = refused.len();
            tracing::info!(accepted, not_yet, "loaded the pool file");
        }
        let log = Arc::new(log);
        node.execute(SetPoolJournal(Arc::clone(&log) as _));
        Ok(Self { log, refused })
    }
}

/// Result of adding a file's transactions to the pool.
#[derive(Debug, Default)]
struct LoadOutcome {
    /// Number of transactions that the pool accepted.
    accepted: usize,
    /// Rejected transactions with unused nonces, oldest first. They may become valid with the next
    /// blocks, e.g. because of a deposit in a replaced block.
    refused: Vec<RecoveredTransaction>,
}

/// Adds a file's transactions to the pool, except those of the operator.
fn offer(node: &Node, transactions: &[Bytes], operator: Option<Address>) -> LoadOutcome {
    let mut offered = LoadOutcome::default();
    let (mut seen, mut poor) = (B256Set::default(), AddressSet::default());
    let mut refused = Vec::new();
    for transaction in transactions.iter().filter_map(|raw| rpc::decode_pooled(raw).ok()) {
        let recovered = transaction.recovered.clone();
        if Some(recovered.sender) == operator || !seen.insert(*recovered.transaction.hash()) {
            continue;
        }
        match node.submit(transaction) {
            Ok(_) => offered.accepted += 1,
            Err(Rejected::NonceTooLow { .. } | Rejected::Known(_)) => {}
            Err(reason) => {
                if may_become_valid(&reason) {
                    poor.insert(recovered.sender);
                }
                refused.push((recovered, reason));
            }
        }
    }
    let candidates = refused
        .iter()
        .filter(|(recovered, _)| poor.contains(&recovered.sender))
        .map(|(recovered, _)| recovered);
    let waiting = next_ones(node, candidates);
    for (recovered, reason) in refused {
        let hash = *recovered.transaction.hash();
        if waiting.contains(&hash) {
            offered.refused.push(recovered);
        } else {
            // Replaced or evicted before the restart, or now.
            tracing::warn!(transaction = %hash, %reason, "dropped transaction");
            node.execute(DropTransaction { hash, reason: reason.to_string() });
        }
    }
    offered
}

/// Returns the hashes of the transactions without a nonce gap, counting the pool's transactions. If
/// the others were kept, block production would wait for them forever.
fn next_ones<'t>(
    node: &Node,
    transactions: impl Iterator<Item = &'t RecoveredTransaction>,
) -> B256Set {
    let mut by_sender = AddressMap::<BTreeMap<u64, B256>>::default();
    for recovered in transactions {
        // The last transaction with a nonce has replaced the earlier ones.
        let (nonce, hash) = (recovered.transaction.nonce(), *recovered.transaction.hash());
        by_sender.entry(recovered.sender).or_default().insert(nonce, hash);
    }
    let mut next_ones = B256Set::default();
    for (sender, nonces) in by_sender {
        node.read(|node| {
            // An unreadable chain is reported when the next block is built.
            let mut next = node.chain.nonce(sender).unwrap_or_default();
            loop {
                if !node.pool.has(sender, next) {
                    let Some(hash) = nonces.get(&next) else { break };
                    next_ones.insert(*hash);
                }
                next += 1;
            }
        });
    }
    next_ones
}

/// Returns `true` if the next blocks may make a rejected transaction valid, or if it could not be
/// checked.
pub(crate) const fn may_become_valid(reason: &Rejected) -> bool {
    matches!(
        reason,
        Rejected::Funds { .. }
            | Rejected::Overdraft { .. }
            | Rejected::BelowBaseFee { .. }
            | Rejected::SenderHasCode(_)
            | Rejected::Chain(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::Key;

    fn waiting(nonce: u64) -> PoolTransaction {
        let transaction = Key::named("alice")
            .sign(alloy_consensus::TxLegacy { nonce, ..alloy_consensus::TxLegacy::default() });
        let raw = transaction.encoded_2718().into();
        let sender = Key::named("alice").address();
        let recovered =
            RecoveredTransaction { transaction: transaction.into(), sender, signed: true };
        PoolTransaction::new(recovered, None, raw)
    }

    fn open(path: &Path) -> (PoolLog, Vec<Bytes>) {
        PoolLog::open(path, B256::repeat_byte(1)).unwrap()
    }

    /// Transactions that are added later are read back as well.
    #[test]
    fn torn_record_is_cut_and_file_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pool");
        let all: Vec<_> = (0..3).map(waiting).collect();
        let raws: Vec<_> = all.iter().map(|tx| tx.raw.clone()).collect();
        let (log, transactions) = open(&path);
        assert!(transactions.is_empty());
        all.iter().for_each(|transaction| log.keep(log.note(transaction)).unwrap());
        drop(log);
        let whole = fs::read(&path).unwrap();

        for length in 0..=whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let (log, transactions) = open(&path);
            let count = transactions.len();
            assert_eq!(transactions, raws[..count]);
            assert_eq!(count == 3, length == whole.len());
            // The next record follows the valid ones.
            log.keep(log.note(&all[0])).unwrap();
            let (_, again) = open(&path);
            assert_eq!(again, [&raws[..count], &raws[..1]].concat());
        }
        assert_eq!(fs::read(path.with_extension("damaged")).unwrap(), &whole[..whole.len() - 1]);
    }

    #[test]
    fn flipped_byte_loses_at_most_one_transaction() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pool");
        let damaged = path.with_extension("damaged");
        let all: Vec<_> = (0..3).map(waiting).collect();
        let (log, _) = open(&path);
        all.iter().for_each(|transaction| log.keep(log.note(transaction)).unwrap());
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            fs::write(&path, &flipped).unwrap();
            let (_, transactions) = open(&path);
            let lost: Vec<_> = all.iter().filter(|tx| !transactions.contains(&tx.raw)).collect();
            assert!(
                lost.len() <= 1 && transactions.len() + lost.len() == 3,
                "{at}: {transactions:?}"
            );
            assert!(transactions.iter().all(|raw| all.iter().any(|tx| tx.raw == *raw)), "{at}");
            assert_eq!(fs::read(&damaged).unwrap(), flipped, "the damaged file is kept");
            fs::remove_file(&damaged).unwrap();
            // The file has the salvaged records.
            assert_eq!(open(&path).1, transactions);
            assert!(!damaged.exists());
        }
    }

    /// Each caller gets the error of its own transaction, once.
    #[test]
    fn concurrent_notes_are_written_in_one_batch() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pool");
        let (log, _) = open(&path);
        let empty = fs::read(&path).unwrap();
        let all: Vec<_> = (0..4).map(waiting).collect();
        let numbers: Vec<_> = all.iter().map(|transaction| log.note(transaction)).collect();
        assert_eq!(fs::read(&path).unwrap(), empty, "noted, but not written");
        log.keep(numbers[2]).unwrap();
        let whole = fs::read(&path).unwrap();
        assert_eq!(open(&path).1.len(), 4);
        // The transactions noted before and after it were written in the same batch.
        log.keep(numbers[0]).unwrap();
        log.keep(numbers[3]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole);

        // A transaction that is too long for the file.
        let mut too_long = waiting(4);
        too_long.raw = vec![0; (256 << 20) + 1].into();
        let lost = [log.note(&all[0]), log.note(&too_long)];
        assert!(log.keep(lost[1]).is_err());
        let noted = log.note(&all[2]);
        log.keep(noted).unwrap();
        assert!(log.keep(lost[0]).is_err(), "it was not written with the later one");
        assert_eq!(open(&path).1.len(), 5);
        assert!(log.end.lock().lost.is_empty());
    }
}
