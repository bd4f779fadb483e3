//! The same commits to an LSM tree (fjall) and to a B+ tree (redb).
//!
//! The data are the nodes of the chain measured before, under the keys of its state store: those of
//! all blocks except the last 64 as a base, then one commit for each of the last 64 blocks.

use super::{milliseconds, quantile, random};
use eyre::{OptionExt, Result, ensure};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, compaction::Leveled};
use redb::{Durability, ReadableDatabase as _, TableDefinition};
use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Instant};

const NODES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("nodes");
/// Number of measured commits, which is also the sync interval of the state store.
const COMMITS: usize = 64;
const READS: u64 = 20_000;
const CACHE: usize = 64 << 20;

type Entry = (Vec<u8>, Vec<u8>);

/// Durability that a commit waits for.
#[derive(Clone, Copy)]
enum Sync {
    /// Each commit is durable when the call returns.
    Each,
    /// Only the last of 64 commits syncs; until then a log in front of the store is durable.
    Last,
}

trait Store: Sized {
    fn open(folder: &Path) -> Result<Self>;
    fn commit(&self, entries: &[Entry], synced: bool) -> Result<()>;
    fn read(&self, key: &[u8]) -> Result<usize>;
}

struct Lsm {
    db: Database,
    nodes: Keyspace,
}

impl Store for Lsm {
    fn open(folder: &Path) -> Result<Self> {
        let db = Database::builder(folder)
            .cache_size(CACHE as u64)
            .max_journaling_size(96 << 20)
            .worker_threads(2)
            .open()?;
        let nodes = db.keyspace("nodes", || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(16 << 20)
                .compaction_strategy(Arc::new(Leveled::default().with_table_target_size(16 << 20)))
                .expect_point_read_hits(true)
        })?;
        Ok(Self { db, nodes })
    }

    fn commit(&self, entries: &[Entry], synced: bool) -> Result<()> {
        let mode = if synced { PersistMode::SyncAll } else { PersistMode::Buffer };
        let mut batch = self.db.batch().durability(Some(mode));
        for (key, value) in entries {
            batch.insert(&self.nodes, &key[..], &value[..]);
        }
        Ok(batch.commit()?)
    }

    fn read(&self, key: &[u8]) -> Result<usize> {
        Ok(self.nodes.get(key)?.ok_or_eyre("a node is missing")?.len())
    }
}

struct BTree(redb::Database);

impl Store for BTree {
    fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self(redb::Builder::new().set_cache_size(CACHE).create(folder.join("redb"))?))
    }

    fn commit(&self, entries: &[Entry], synced: bool) -> Result<()> {
        let mut transaction = self.0.begin_write()?;
        if synced {
            transaction.set_quick_repair(true);
        } else {
            transaction.set_durability(Durability::None)?;
        }
        {
            let mut nodes = transaction.open_table(NODES)?;
            for (key, value) in entries {
                nodes.insert(&key[..], &value[..])?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn read(&self, key: &[u8]) -> Result<usize> {
        let nodes = self.0.begin_read()?.open_table(NODES)?;
        Ok(nodes.get(key)?.ok_or_eyre("a node is missing")?.value().len())
    }
}

/// Measures both stores and prints a table. `state` is the state store to read from, and `folder`
/// the folder to write to.
pub(crate) fn compare(state: &Path, folder: &Path) -> Result<()> {
    let (base, commits) = entries(state)?;
    println!(
        "{} nodes, then {} commits of {} nodes, median",
        base.len(),
        commits.len(),
        commits[commits.len() / 2].len()
    );
    println!("            commit ms    p90  behind a log    p90  read us      MB  reopened ms");
    row::<Lsm>("fjall", &base, &commits, &folder.join("fjall"))?;
    row::<BTree>("redb", &base, &commits, &folder.join("redb"))
}

/// Returns the contents of a state store: the nodes of older blocks, and those of each recent
/// block.
fn entries(state: &Path) -> Result<(Vec<Entry>, Vec<Vec<Entry>>)> {
    let source = Lsm::open(state)?;
    let mut by_epoch: BTreeMap<u64, Vec<Entry>> = BTreeMap::new();
    for guard in source.nodes.iter() {
        let (key, value) = guard.into_inner()?;
        // A value starts with the length of its epoch, followed by the epoch.
        let (head, rest) = value.split_first().ok_or_eyre("an empty value")?;
        let epoch = rest.get(..usize::from(head & 0x0f)).ok_or_eyre("a short value")?;
        let epoch = epoch.iter().fold(0, |epoch, byte| epoch << 8 | u64::from(*byte));
        by_epoch.entry(epoch).or_default().push((key.to_vec(), value.to_vec()));
    }
    ensure!(by_epoch.len() > COMMITS, "{} blocks are too few", by_epoch.len());
    let mut blocks: Vec<_> = by_epoch.into_values().collect();
    let last = blocks.split_off(blocks.len() - COMMITS);
    Ok((blocks.concat(), last))
}

fn row<S: Store>(name: &str, base: &[Entry], commits: &[Vec<Entry>], folder: &Path) -> Result<()> {
    let mut figures = Vec::new();
    for sync in [Sync::Each, Sync::Last] {
        let place = folder.join(format!("{}", sync as u8));
        let store = S::open(&place)?;
        for chunk in base.chunks(20_000) {
            store.commit(chunk, false)?;
        }
        store.commit(&[], true)?;
        let mut times = Vec::new();
        for (index, commit) in commits.iter().enumerate() {
            let synced = matches!(sync, Sync::Each) || index + 1 == commits.len();
            let start = Instant::now();
            store.commit(commit, synced)?;
            times.push(milliseconds(start));
        }
        figures.push((quantile(&mut times, 0.5), quantile(&mut times, 0.9)));
        if matches!(sync, Sync::Last) {
            let start = Instant::now();
            for index in 0..READS {
                store.read(&base[(random(index) % base.len() as u64) as usize].0)?;
            }
            let read = milliseconds(start) * 1e3 / READS as f64;
            // A copy of the open store has the files of a killed process.
            let copy = folder.join("copy");
            let bytes = copy_folder(&place, &copy)?;
            let start = Instant::now();
            let reopened = S::open(&copy)?;
            let reopen = milliseconds(start);
            reopened.read(&commits[0][0].0)?;
            let [(each, each_90), (behind, behind_90)] = figures[..] else { continue };
            println!(
                "  {name:<8}{each:>11.1}{each_90:>7.1}{behind:>14.1}{behind_90:>7.1}{read:>9.1}{:>8.0}{reopen:>13.1}",
                bytes as f64 / 1e6,
            );
        }
    }
    Ok(fs::remove_dir_all(folder)?)
}

/// Copies a folder and returns its size in bytes.
fn copy_folder(from: &Path, to: &Path) -> Result<u64> {
    fs::create_dir_all(to)?;
    let mut bytes = 0;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        bytes += if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?
        } else {
            fs::copy(entry.path(), target)?
        };
    }
    Ok(bytes)
}
