//! Snapshots of an L2, from which a follower can start when old blobs are no longer available.

use crate::{
    L1Client, L1Error, L1Provider as _, L1Reader, RollupError,
    service::{data_dir::L1_LOG, error::ServiceError},
};
use alloy_primitives::B256;
use chain::{Chain, ChainConfig, spec_of};
use contracts::Deployment;
use disk::{
    open_chain,
    snapshot::{Snapshot, SnapshotError, export},
};
use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// Result of an export or import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotSummary {
    /// Number of the L2 block.
    pub number: u64,
    /// Hash of that block.
    pub hash: B256,
    /// Number of trie nodes and codes.
    pub records: u64,
}

pub(super) fn rules(deployment: &Deployment) -> ChainConfig {
    ChainConfig::new(spec_of(&deployment.genesis.config))
}

/// Writes a snapshot from the data directory of a stopped node. The default block is the latest one
/// that was on L1 when the node last read L1.
///
/// # Errors
///
/// [`ServiceError::Snapshot`] if the block or its state is pruned, or if the file cannot be
/// written; [`RollupError::Chain`] if the chain cannot be opened.
pub fn export_snapshot(
    data_dir: &Path,
    deployment: &Deployment,
    number: Option<u64>,
    file: &Path,
) -> Result<SnapshotSummary, RollupError> {
    let fault = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| ServiceError::DataFile { path, source: error }
    };
    let chain = open_existing(data_dir, deployment)?;
    let number = match number {
        Some(number) => number,
        None => newest_on_l1(&chain, data_dir, deployment)?,
    };
    let block = chain.canonical_block(number)?;
    let block = block.ok_or_else(|| ServiceError::Snapshot(SnapshotError::NoBlock(number)))?;
    let out = File::create(file).map_err(fault(file))?;
    let mut out = BufWriter::with_capacity(1 << 20, out);
    let records = export(&chain, &block, deployment.genesis_hash, &mut out);
    let records = records.map_err(ServiceError::from)?;
    let written = out.flush().and_then(|()| out.get_ref().sync_all());
    written.map_err(fault(file))?;
    Ok(SnapshotSummary { number, hash: block.hash, records })
}

/// Opens the chain in the data directory of a stopped node.
pub(super) fn open_existing(
    data_dir: &Path,
    deployment: &Deployment,
) -> Result<Chain, RollupError> {
    if !data_dir.join("blocks").is_dir() {
        let source = io::ErrorKind::NotFound.into();
        return Err(ServiceError::DataFile { path: data_dir.to_owned(), source }.into());
    }
    Ok(open_chain(data_dir, &deployment.genesis, rules(deployment))?)
}

/// Returns the number of the latest block on L1, as of the node's last read of L1.
pub(super) fn newest_on_l1(
    chain: &Chain,
    data_dir: &Path,
    deployment: &Deployment,
) -> Result<u64, RollupError> {
    // Only the stored history is read, so the URL of the client is unused.
    let client = L1Client::new(&["http://127.0.0.1:1"], Duration::from_secs(1))?;
    let is_known = |hash: &B256| chain.find_block(hash).is_ok_and(|found| found.is_some());
    let reader = L1Reader::new(client, deployment.clone())
        .with_first(chain.first_number())
        .with_log(&data_dir.join(L1_LOG), &is_known)?;
    Ok(reader.view().advanced_head().map_or(chain.first_number(), |head| head.number))
}

/// Creates a data directory from a snapshot. The snapshot is verified against its block hash on L1,
/// which commits to all other data, so neither blobs nor inputs are needed. Unless `allows_unfinal`
/// is set, the block must be in a finalized L1 block, because a node cannot revert to a block
/// before its snapshot.
///
/// # Errors
///
/// [`ServiceError::Snapshot`] if the snapshot is corrupted or forged, or if its block is not on L1,
/// and [`ServiceError::SnapshotNotFinal`]. After an error the directory is removed.
pub fn import_snapshot(
    file: &Path,
    data_dir: &Path,
    deployment: &Deployment,
    l1: L1Client,
    allows_unfinal: bool,
) -> Result<SnapshotSummary, RollupError> {
    let fault = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| ServiceError::DataFile { path, source: error }
    };
    let is_empty = |path: &Path| match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    };
    if !is_empty(data_dir).map_err(fault(data_dir))? {
        return Err(fault(data_dir)(io::ErrorKind::DirectoryNotEmpty.into()).into());
    }
    let input = BufReader::with_capacity(1 << 20, File::open(file).map_err(fault(file))?);
    let snapshot = Snapshot::open(input).map_err(ServiceError::from)?;
    // Imported into a sibling directory, so that an interrupted import leaves no data directory.
    // The name is built from the path's components, because with a trailing slash it would be a
    // subfolder.
    let mut part = data_dir.components().as_path().as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    if part.exists() {
        fs::remove_dir_all(&part).map_err(fault(&part))?;
    }
    fs::create_dir_all(&part).map_err(fault(&part))?;
    let imported = import_into(snapshot, &part, deployment, l1, allows_unfinal);
    let moved = imported.and_then(|summary| {
        if data_dir.exists() {
            fs::remove_dir(data_dir).map_err(fault(data_dir))?;
        }
        fs::rename(&part, data_dir).map_err(fault(data_dir))?;
        Ok(summary)
    });
    if moved.is_err() {
        drop(fs::remove_dir_all(&part));
    }
    moved
}

fn import_into(
    snapshot: Snapshot<BufReader<File>>,
    folder: &Path,
    deployment: &Deployment,
    l1: L1Client,
    allows_unfinal: bool,
) -> Result<SnapshotSummary, RollupError> {
    let number = snapshot.head().header.number;
    let (got, expected) = (l1.chain_id()?, deployment.l1_chain_id);
    if got != expected {
        return Err(L1Error::OtherL1 { got, expected }.into());
    }
    let hash = match number {
        0 => deployment.genesis_hash,
        _ => hash_on_l1(folder, deployment, l1, number, allows_unfinal)?,
    };
    let (genesis, first) = (&deployment.genesis, deployment.genesis_hash);
    let records = snapshot.import(folder, genesis, first, &rules(deployment), hash);
    let records = records.map_err(ServiceError::from)?;
    Ok(SnapshotSummary { number, hash, records })
}

/// Returns the hash of the L2 block with this number on L1, and stores the history of L1 in the
/// directory.
fn hash_on_l1(
    folder: &Path,
    deployment: &Deployment,
    l1: L1Client,
    number: u64,
    allows_unfinal: bool,
) -> Result<B256, RollupError> {
    let (_, finalized) = l1.newest()?;
    let finalized = finalized.map_or(0, |final_one| final_one.header.number);
    // All blocks count as known: blobs are not needed, because the logs contain the hashes.
    let is_known = |_: &B256| true;
    let mut reader =
        L1Reader::new(l1, deployment.clone()).with_log(&folder.join(L1_LOG), &is_known)?;
    loop {
        let update = reader.poll(&is_known)?;
        // Stop here: the node reads later L1 blocks, whose inputs it needs.
        if let Some(block) = update.advanced.iter().rev().find(|block| block.number == number) {
            if block.l1_block > finalized && !allows_unfinal {
                let l1_block = block.l1_block;
                return Err(ServiceError::SnapshotNotFinal { number, l1_block, finalized }.into());
            }
            return Ok(block.hash);
        }
        if !update.more {
            return Err(ServiceError::Snapshot(SnapshotError::NotOnL1(number)).into());
        }
    }
}
