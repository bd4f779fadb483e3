//! The transactions that were taken and are not on L1 for good, in a file: a node that was killed still has
//! them.
//!
//! The file is a row of RLP strings, each the encoding of one transaction. What was cut off at the end was
//! acknowledged to nobody. It is written without waiting for the disk: it outlives the process, and most of
//! it the machine.

use alloy_consensus::Transaction as _;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, Bytes, map::B256Set};
use alloy_rlp::{Decodable as _, Encodable as _};
use chain::RecoveredTransaction;
use node::{Node, PoolJournal, PoolTransaction};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

/// Bytes from which on the file is written anew without what is not needed any more.
const REWRITE_FROM: u64 = 1 << 20;

/// The file, open at its end.
///
/// Whoever comes to the end first writes for all who have noted something by then; those who had to wait for that find
/// it done.
#[derive(Debug)]
pub(crate) struct PoolLog {
    path: PathBuf,
    noted: Mutex<Noted>,
    end: Mutex<End>,
}

/// What is yet to be written.
#[derive(Debug, Default)]
struct Noted {
    text: Vec<u8>,
    /// Number of the last.
    last: u64,
}

impl Noted {
    fn take(&mut self) -> Self {
        Self { text: core::mem::take(&mut self.text), last: self.last }
    }
}

#[derive(Debug)]
struct End {
    file: File,
    bytes: u64,
    /// Bytes when it was written anew last.
    rewritten: u64,
    /// Number of the last that somebody has tried to write.
    tried: u64,
    /// Those that could not be written, until whoever waits for them is told why.
    lost: BTreeMap<u64, String>,
}

impl End {
    const fn of(file: File, bytes: u64) -> Self {
        Self { file, bytes, rewritten: 0, tried: 0, lost: BTreeMap::new() }
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(text) {
            // A part of it would hide what comes behind.
            self.file.set_len(self.bytes)?;
            self.file.seek(SeekFrom::Start(self.bytes))?;
            return Err(error);
        }
        self.bytes += text.len() as u64;
        Ok(())
    }

    fn write_noted(&mut self, noted: &Noted) {
        let all = self.tried + 1..=noted.last;
        self.tried = noted.last;
        if let Err(error) = self.write(&noted.text) {
            self.lost.extend(all.map(|number| (number, error.to_string())));
        }
    }
}

impl PoolLog {
    /// Opens the file, or starts one, and gives back what is in it, oldest first. A file with anything else
    /// behind that is kept beside it, whole.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Vec<Bytes>)> {
        let found = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        let (mut rest, mut kept, mut good) = (&found[..], Vec::new(), 0);
        while let Ok(raw) = Bytes::decode(&mut rest) {
            kept.push(raw);
            good = found.len() - rest.len();
        }
        if good < found.len() {
            let beside = path.with_extension("torn");
            fs::write(&beside, &found)?;
            let bytes = found.len() - good;
            tracing::warn!(bytes, beside = %beside.display(), "the pool's file was torn");
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_len(good as u64)?;
        let end = Mutex::new(End::of(file, good as u64));
        Ok((Self { path: path.to_owned(), noted: Mutex::default(), end }, kept))
    }

    /// Keeps transactions of blocks that gave way too: not all of them came to this node first.
    pub(crate) fn keep_displaced(&self, displaced: &[RecoveredTransaction]) {
        if displaced.is_empty() {
            return;
        }
        let number = {
            let mut noted = self.noted.lock();
            for it in displaced {
                Bytes::from(it.transaction.encoded_2718()).encode(&mut noted.text);
            }
            noted.last += 1;
            noted.last
        };
        if let Err(error) = self.keep(number) {
            let transactions = displaced.len();
            tracing::error!(%error, transactions, "what gave way will not outlive a restart");
        }
    }

    /// Writes the file anew if it has grown: with what stands in blocks above `safe`, which may still give
    /// way, what stood in some that did, and what waits in the pool.
    pub(crate) fn tidy(&self, node: &Node, safe: u64, displaced: &[RecoveredTransaction]) {
        if let Err(error) = self.rewrite(node, safe, displaced) {
            tracing::warn!(%error, "the pool's file grows: it cannot be written anew");
        }
    }

    fn rewrite(
        &self,
        node: &Node,
        safe: u64,
        displaced: &[RecoveredTransaction],
    ) -> io::Result<()> {
        let mut end = self.end.lock();
        if end.bytes < REWRITE_FROM.max(end.rewritten * 4) {
            return Ok(());
        }
        // Nothing is noted meanwhile: whoever notes holds the node, or is the thread that tidies. What was noted before
        // is in the pool, or gave way.
        let (text, noted) = node.read(|node| {
            let (mut text, mut seen) = (Vec::new(), B256Set::default());
            let head = node.chain.head().header.number;
            for number in safe + 1..=head {
                let block = node.chain.canonical_block(number).map_err(io::Error::other)?;
                for transaction in block.iter().flat_map(|block| &block.transactions) {
                    if seen.insert(*transaction.hash()) {
                        Bytes::from(transaction.encoded_2718()).encode(&mut text);
                    }
                }
            }
            for kept in displaced.iter().filter(|it| seen.insert(*it.transaction.hash())) {
                Bytes::from(kept.transaction.encoded_2718()).encode(&mut text);
            }
            for waiting in node.pool.iter().filter(|waiting| seen.insert(*waiting.hash())) {
                waiting.raw.encode(&mut text);
            }
            Ok::<_, io::Error>((text, self.noted.lock().take()))
        })?;
        // Blocks are made while the disk takes it.
        match self.replace(&text) {
            Ok(file) => {
                let bytes = text.len() as u64;
                (end.file, end.bytes, end.rewritten) = (file, bytes, bytes);
                end.tried = noted.last;
                Ok(())
            }
            Err(error) => {
                end.write_noted(&noted);
                Err(error)
            }
        }
    }

    /// A file with this text in the place of the one that is there.
    fn replace(&self, text: &[u8]) -> io::Result<File> {
        let fresh = self.path.with_extension("new");
        let mut file = File::create(&fresh)?;
        file.write_all(text)?;
        file.sync_data()?;
        fs::rename(&fresh, &self.path)?;
        Ok(file)
    }
}

impl PoolJournal for PoolLog {
    fn note(&self, transaction: &PoolTransaction) -> u64 {
        let mut noted = self.noted.lock();
        transaction.raw.encode(&mut noted.text);
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

/// What a file held, offered to the pool again.
#[derive(Debug, Default)]
pub(crate) struct Offered {
    /// How many the pool takes.
    pub(crate) taken: usize,
    /// Those that it refuses, oldest first, but for those whose nonces are used. They may need what the next blocks
    /// bring: a deposit that stood in a block which is gone.
    pub(crate) refused: Vec<RecoveredTransaction>,
}

/// Offers what a file held to the pool again, but for the transactions of this operator, which are made anew.
pub(crate) fn offer(node: &Node, kept: &[Bytes], operator: Option<Address>) -> Offered {
    let mut offered = Offered::default();
    let state = node.read(|node| node.chain.state());
    let mut seen = B256Set::default();
    for transaction in kept.iter().filter_map(|raw| rpc::decode_pooled(raw).ok()) {
        let recovered = transaction.recovered.clone();
        if Some(recovered.sender) == operator || !seen.insert(*recovered.transaction.hash()) {
            continue;
        }
        if node.submit(transaction).is_ok() {
            offered.taken += 1;
            continue;
        }
        // A chain that cannot be read says so when it is asked for a block.
        let next = state.nonce(recovered.sender).unwrap_or_default();
        if recovered.transaction.nonce() >= next {
            offered.refused.push(recovered);
        }
    }
    offered
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
        let recovered = RecoveredTransaction { transaction, sender, signed: true };
        PoolTransaction::new(recovered, None, raw)
    }

    #[test]
    fn what_was_kept_is_read_again_and_a_torn_end_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pool");
        let all: Vec<_> = (0..3).map(waiting).collect();
        let raws: Vec<_> = all.iter().map(|it| it.raw.clone()).collect();
        let (log, kept) = PoolLog::open(&path).unwrap();
        assert!(kept.is_empty());
        all.iter().for_each(|transaction| log.keep(log.note(transaction)).unwrap());
        drop(log);
        let whole = fs::read(&path).unwrap();

        for length in 0..=whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let (log, kept) = PoolLog::open(&path).unwrap();
            let count = kept.len();
            assert_eq!(kept, raws[..count]);
            assert_eq!(count == 3, length == whole.len());
            // What comes next stands behind what is whole.
            log.keep(log.note(&all[0])).unwrap();
            let (_, again) = PoolLog::open(&path).unwrap();
            assert_eq!(again, [&raws[..count], &raws[..1]].concat());
        }
        assert_eq!(fs::read(path.with_extension("torn")).unwrap(), &whole[..whole.len() - 1]);
    }

    #[test]
    fn what_was_noted_side_by_side_is_written_at_once_and_each_is_told_once_if_it_was_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pool");
        let (log, _) = PoolLog::open(&path).unwrap();
        let all: Vec<_> = (0..4).map(waiting).collect();
        let numbers: Vec<_> = all.iter().map(|transaction| log.note(transaction)).collect();
        assert!(fs::read(&path).unwrap().is_empty(), "noted, and not kept");
        log.keep(numbers[2]).unwrap();
        let whole = fs::read(&path).unwrap();
        assert_eq!(PoolLog::open(&path).unwrap().1.len(), 4);
        // Those beside it, and those that are noted behind.
        log.keep(numbers[0]).unwrap();
        log.keep(numbers[3]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole);

        // A file that cannot be written.
        log.end.lock().file = File::open(&path).unwrap();
        let lost = [log.note(&all[0]), log.note(&all[1])];
        assert!(log.keep(lost[1]).is_err());
        log.end.lock().file = OpenOptions::new().append(true).open(&path).unwrap();
        let kept = log.note(&all[2]);
        log.keep(kept).unwrap();
        assert!(log.keep(lost[0]).is_err(), "it was not written with the later one");
        let (_, found) = PoolLog::open(&path).unwrap();
        assert_eq!(found.len(), 5);
        assert!(log.end.lock().lost.is_empty());
    }
}
