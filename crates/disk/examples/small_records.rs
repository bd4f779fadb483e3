//! Compares a [`RecordFile`] with a keyspace of fjall for the small files of a rollup node: the L1
//! log, the pool and the spending of the submitter. Prints the time of an append and of opening the
//! data again, and the size on disk.
//!
//! `cargo run --profile checks -p enshrine-disk --example small_records`

use alloy_primitives::keccak256;
use enshrine_disk::RecordFile;
use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use std::{
    error::Error,
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// Length of a record: that of an L1 block with one advance.
const RECORD: usize = 400;
/// Numbers of records: the pool of a quiet node, and the L1 log of two weeks.
const COUNTS: [u64; 2] = [1_000, 100_000];
/// Number of rounds; the median is printed.
const ROUNDS: usize = 5;

struct Measured {
    append: Duration,
    open: Duration,
    bytes: u64,
}

fn record(index: u64) -> Vec<u8> {
    keccak256(index.to_be_bytes()).iter().copied().cycle().take(RECORD).collect()
}

fn size(folder: &Path) -> Result<u64, Box<dyn Error>> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

fn record_file(folder: &Path, count: u64) -> Result<Measured, Box<dyn Error>> {
    let (path, subject) = (folder.join("l1.log"), keccak256("small records"));
    let (mut file, _) = RecordFile::open(&path, subject, |_, _| Ok(()))?;
    let begun = Instant::now();
    for index in 0..count {
        file.append(&record(index))?;
    }
    let append = begun.elapsed();
    drop(file);
    let (begun, mut read) = (Instant::now(), 0);
    RecordFile::open(&path, subject, |_, body| {
        read += body.len();
        Ok(())
    })?;
    assert_eq!(read, RECORD * count as usize);
    Ok(Measured { append, open: begun.elapsed(), bytes: size(folder)? })
}

/// As in the state store: each record reaches the operating system before the call returns.
fn keyspace(folder: &Path, count: u64) -> Result<Measured, Box<dyn Error>> {
    let open = || -> fjall::Result<_> {
        let db = Database::builder(folder).worker_threads(1).open()?;
        let records = db.keyspace("l1", KeyspaceCreateOptions::default)?;
        Ok((db, records))
    };
    let (db, records) = open()?;
    let begun = Instant::now();
    for index in 0..count {
        let mut batch = db.batch().durability(Some(PersistMode::Buffer));
        batch.insert(&records, index.to_be_bytes(), record(index));
        batch.commit()?;
    }
    let append = begun.elapsed();
    drop((db, records));
    let (begun, mut read) = (Instant::now(), 0);
    let (_db, records) = open()?;
    for entry in records.iter() {
        read += entry.value()?.len();
    }
    assert_eq!(read, RECORD * count as usize);
    Ok(Measured { append, open: begun.elapsed(), bytes: size(folder)? })
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("records  store        append us   open ms        kB");
    for count in COUNTS {
        for (name, measure) in [
            ("record file", record_file as fn(&Path, u64) -> Result<Measured, Box<dyn Error>>),
            ("fjall", keyspace),
        ] {
            let mut rounds = Vec::new();
            for _ in 0..ROUNDS {
                let folder = tempfile::tempdir()?;
                rounds.push(measure(folder.path(), count)?);
            }
            rounds.sort_by_key(|round| round.append);
            let median = &rounds[ROUNDS / 2];
            println!(
                "{count:>7}  {name:<11} {:>10.2} {:>9.1} {:>9}",
                median.append.as_secs_f64() * 1e6 / count as f64,
                median.open.as_secs_f64() * 1e3,
                median.bytes / 1_000,
            );
        }
    }
    Ok(())
}
