//! Last state of an L2, read from the files of a stopped node.

use crate::{
    RollupError,
    service::{
        error::ServiceError,
        snapshot::{newest_on_l1, open_existing, rules},
    },
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, Bytes, U256};
use chain::{AccountProof, Block, Chain, State};
use contracts::Deployment;
use disk::{
    open_chain,
    snapshot::{Snapshot, SnapshotError},
};
use std::{
    fs::{self, File},
    io::{self, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
};

/// State after a block of an L2, with the other data in the node's files.
#[derive(Debug)]
pub struct LastState {
    state: State,
    chain: Chain,
    /// Accounts of the genesis.
    genesis: Vec<Address>,
    /// Removed after the chain has been closed.
    _imported: Option<ImportedFolder>,
}

impl LastState {
    /// Opens the state after a block in the data directory of a stopped node. The default block is
    /// the latest one that was on L1 when the node last read L1.
    ///
    /// # Errors
    ///
    /// [`RollupError`] if the directory has no chain of this deployment or no such block.
    pub fn open(
        data_dir: &Path,
        deployment: &Deployment,
        number: Option<u64>,
    ) -> Result<Self, RollupError> {
        let chain = open_existing(data_dir, deployment)?;
        let number = match number {
            Some(number) => number,
            None => newest_on_l1(&chain, data_dir, deployment)?,
        };
        Self::at(chain, deployment, number, None)
    }

    /// Imports a snapshot into a temporary directory next to the file, which is removed on drop.
    /// Each node and code is verified against the header of the snapshot, which must have the hash
    /// `expected`, if given.
    ///
    /// # Errors
    ///
    /// [`RollupError`] if the snapshot is corrupted or of another chain or block, or if it cannot
    /// be imported.
    pub fn import(
        file: &Path,
        deployment: &Deployment,
        expected: Option<B256>,
    ) -> Result<Self, RollupError> {
        let fault = |path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| ServiceError::DataFile { path, source }
        };
        let input = BufReader::with_capacity(1 << 20, File::open(file).map_err(fault(file))?);
        let snapshot = Snapshot::open(input).map_err(ServiceError::from)?;
        let header = &snapshot.head().header;
        let (number, got) = (header.number, header.hash_slow());
        let mut folder = file.as_os_str().to_owned();
        folder.push(format!(".state-{}", std::process::id()));
        let folder = PathBuf::from(folder);
        fs::create_dir(&folder).map_err(fault(&folder))?;
        let imported = ImportedFolder(folder);
        let (genesis, first) = (&deployment.genesis, deployment.genesis_hash);
        let expected = expected.unwrap_or(got);
        let import = snapshot.import(&imported.0, genesis, first, &rules(deployment), expected);
        import.map_err(ServiceError::from)?;
        let chain = open_chain(&imported.0, genesis, rules(deployment))?;
        Self::at(chain, deployment, number, Some(imported))
    }

    fn at(
        chain: Chain,
        deployment: &Deployment,
        number: u64,
        imported: Option<ImportedFolder>,
    ) -> Result<Self, RollupError> {
        let block = chain.canonical_block(number)?;
        let block = block.ok_or_else(|| ServiceError::Snapshot(SnapshotError::NoBlock(number)))?;
        let state = chain.state_after(&block);
        let genesis = deployment.genesis.alloc.keys().copied().collect();
        Ok(Self { state, chain, genesis, _imported: imported })
    }

    /// Returns the block of the state.
    pub const fn block(&self) -> &Arc<Block> {
        self.state.block()
    }

    /// Returns the state.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Proves an account and some of its slots.
    ///
    /// # Errors
    ///
    /// [`RollupError`] if a part of the state is missing.
    pub fn prove(&self, address: Address, slots: &[U256]) -> Result<AccountProof, RollupError> {
        Ok(AccountProof::new(&self.state, address, slots)?)
    }

    /// Returns the code with this hash.
    ///
    /// # Errors
    ///
    /// [`RollupError`] if the code is missing.
    pub fn code(&self, hash: &B256) -> Result<Option<Bytes>, RollupError> {
        let code = self.state.store().code(hash).map_err(chain::ChainError::from)?;
        Ok(code.map(|code| code.original_bytes()))
    }

    /// Passes the addresses in the files to `visit`, possibly repeatedly: genesis accounts,
    /// accounts changed by this node's blocks, and senders, targets and fee recipients of the
    /// stored blocks. The state may have other accounts, since it only contains the hashes of
    /// addresses.
    ///
    /// # Errors
    ///
    /// [`RollupError`] if the chain cannot be read, or the error of `visit`.
    pub fn each_address<E: From<RollupError>>(
        &self,
        mut visit: impl FnMut(Address) -> Result<(), E>,
    ) -> Result<(), E> {
        self.genesis.iter().try_for_each(|address| visit(*address))?;
        let store = self.state.store();
        let changed =
            store.preimages().map_err(|error| RollupError::from(chain::ChainError::from(error)))?;
        changed.into_keys().try_for_each(&mut visit)?;
        for number in self.chain.first_number()..=self.block().header.number {
            let found = self.chain.canonical_block(number).map_err(RollupError::from)?;
            let Some(block) = found else { continue };
            visit(block.header.beneficiary)?;
            block.senders.iter().try_for_each(|address| visit(*address))?;
            block.transactions.iter().filter_map(|tx| tx.to()).try_for_each(&mut visit)?;
        }
        Ok(())
    }
}

/// A directory that is removed on drop.
#[derive(Debug)]
struct ImportedFolder(PathBuf);

impl Drop for ImportedFolder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
