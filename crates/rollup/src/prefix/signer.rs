//! The only owner of the key for signatures on prefixes.

use crate::{
    RollupRules, Signer,
    l1::L1View,
    prefix::{
        NotPreconfirming, Prefix, PrefixError, PublishedPrefix,
        condition::is_replaced,
        journal::{Journal, Opened},
    },
};
use alloy_primitives::{Address, B256};
use disk::DiskError;
use preconf::{Conflict, Domain, Promises};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Extension of the file that exists while the journal may lack records.
const INCOMPLETE: &str = "incomplete";
/// Slot of L1, in seconds.
const L1_SLOT: u64 = 12;

/// Signs prefixes, and refuses those that contradict an earlier signature. There is no way around
/// the refusal.
#[derive(Debug)]
pub(crate) struct PrefixSigner {
    domain: Domain,
    rollup: Address,
    key: Signer,
    promises: Promises,
    journal: Journal,
    unfinished: Option<Unfinished>,
    /// State of a signer that may lack records.
    unsure: Option<Unsure>,
    /// File that exists while the journal may lack records, for the next start.
    marker: PathBuf,
}

/// The prefix with which the journal ended at the start. If it is sealed, the node may have stopped
/// before it stored the block.
#[derive(Debug, Clone)]
pub(crate) struct Unfinished(pub(crate) Prefix);

/// A signer that may lack records of signatures signs nothing until L1 has a block of this process:
/// what it does not know of has a parent that is decided then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unsure {
    /// This process has sealed no block.
    Waiting,
    /// This process has sealed this block first.
    Sealed { number: u64, hash: B256 },
}

impl PrefixSigner {
    /// Opens the signer of a sequencer. `has_history` tells that the data directory may have had a
    /// journal that is lost.
    ///
    /// # Errors
    ///
    /// [`PrefixError::Journal`] if the journal cannot be used.
    pub(crate) fn open(
        path: &Path,
        rollup: Address,
        domain: Domain,
        key: Signer,
        rules: &RollupRules,
        has_history: bool,
    ) -> Result<Self, PrefixError> {
        let is_new = !path.exists();
        let marker = path.with_extension(INCOMPLETE);
        let failed = |what: &'static str| {
            let (path, marker) = (path.to_owned(), marker.clone());
            move |source| PrefixError::Journal {
                path,
                source: DiskError::Io { what, path: marker, source },
            }
        };
        let was_incomplete = marker.exists();
        // Before the journal is opened, which removes damaged records: a crash in between must not
        // make it look complete.
        fs::File::create(&marker).and_then(|file| file.sync_all()).map_err(failed("create"))?;
        let Opened { journal, prefixes, is_intact } = Journal::open(path, rollup, key.address())?;
        // One slot more than L1 accepts the block for: L1's time is an estimate.
        let mut promises = Promises::new(rules.max_lag.saturating_add(L1_SLOT));
        let last = prefixes.last().cloned();
        prefixes.into_iter().for_each(|it| promises.add(it.promised));
        let is_complete = is_intact && !was_incomplete && !(is_new && has_history);
        if is_complete {
            fs::remove_file(&marker).map_err(failed("remove"))?;
        }
        Ok(Self {
            domain,
            rollup,
            key,
            promises,
            journal,
            unfinished: last.map(Unfinished),
            unsure: (!is_complete).then_some(Unsure::Waiting),
            marker,
        })
    }

    /// Notes that another node may have signed with this key.
    pub(crate) const fn doubt(&mut self) {
        self.unsure = Some(Unsure::Waiting);
    }

    /// The rollup of the messages.
    pub(crate) const fn rollup(&self) -> Address {
        self.rollup
    }

    /// Returns the prefix with which the journal ended, if its parent is this block, and its promise
    /// still binds at this time. Its block must be sealed as it is.
    pub(crate) fn unfinished_on(&mut self, parent: B256, time: u64) -> Option<Unfinished> {
        let binds_for = self.promises.binds_for();
        self.unfinished = self.unfinished.take().filter(|it| {
            let header = &it.0.promised.header;
            header.parent == parent && time < header.timestamp.saturating_add(binds_for)
        });
        self.unfinished.clone()
    }

    /// Forgets that prefix, since its block was sealed or cannot be built again.
    pub(crate) fn forget_unfinished(&mut self) {
        self.unfinished = None;
    }

    /// Returns an error if this signer may lack records of its signatures.
    pub(crate) fn require_complete(&mut self, view: &L1View) -> Result<(), NotPreconfirming> {
        if let Some(Unsure::Sealed { number, hash }) = self.unsure
            && view.advanced_hash(number) == Some(hash)
        {
            match fs::remove_file(&self.marker) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, marker = %self.marker.display(), "cannot remove file");
                }
                _ => self.unsure = None,
            }
        }
        self.unsure.map_or(Ok(()), |_| Err(NotPreconfirming::JournalLost))
    }

    /// Notes a block that this process has sealed.
    pub(crate) fn sealed(&mut self, number: u64, hash: B256) {
        if self.unsure == Some(Unsure::Waiting) {
            self.unsure = Some(Unsure::Sealed { number, hash });
        }
    }

    /// Lowest number of the L1 block that the condition of another header for this parent has to
    /// name.
    pub(crate) fn least_condition(&self, number: u64, parent: B256) -> u64 {
        self.promises.least_condition(number, parent)
    }

    /// Returns `true` if this key has promised the block as sealed.
    pub(crate) fn has_sealed(&self, number: u64, hash: B256) -> bool {
        self.promises.has_sealed(number, hash)
    }

    /// Checks that a block may be sealed without a signature.
    ///
    /// # Errors
    ///
    /// [`Conflict`] if it contradicts a signature of this key.
    pub(crate) fn check_unsigned(&self, block: &Prefix, view: &L1View) -> Result<(), Conflict> {
        let is_replaced = |number, hash| is_replaced(view, number, hash);
        self.promises.check_unsigned(&block.promised, &is_replaced)
    }

    /// Records a prefix on the disk, and signs it. If the key gives no signature, the record stays:
    /// the signature may exist.
    ///
    /// # Errors
    ///
    /// [`PrefixError`] if the prefix contradicts an earlier one, cannot be recorded, or cannot be
    /// signed.
    pub(crate) fn sign(
        &mut self,
        prefix: Prefix,
        view: &L1View,
    ) -> Result<PublishedPrefix, PrefixError> {
        let is_replaced = |number, hash| is_replaced(view, number, hash);
        self.promises.check(&prefix.promised, &is_replaced)?;
        self.journal.record(&prefix)?;
        self.promises.add(prefix.promised.clone());
        let signature = self.key.sign_preconfirmation(self.domain, &prefix.promised.message)?;
        Ok(PublishedPrefix { prefix, signature: signature.as_bytes().into() })
    }

    /// Drops what was signed about blocks up to this number, which are final on L1.
    pub(crate) fn forget_up_to(&mut self, number: u64) {
        self.promises.forget_up_to(number);
        if let Err(error) = self.journal.forget_up_to(number) {
            tracing::warn!(%error, "failed to shorten the journal of preconfirmations");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefix::journal::tests::prefix;
    use testkit::bare_deployment;

    fn open(path: &Path) -> PrefixSigner {
        let key = Signer::new("key", B256::repeat_byte(7)).unwrap();
        let rollup = Address::repeat_byte(0xa0);
        let domain = Domain { l1_chain_id: 1, contract: rollup };
        let rules = RollupRules {
            max_lag: 3_600,
            open_after: 0,
            relay_deadline: 0,
            forced_delay: 0,
            forced_grace: 0,
            forced_expiry: 0,
        };
        PrefixSigner::open(path, rollup, domain, key, &rules, false).unwrap()
    }

    /// Neither by a signature nor by a block without one, also after a restart.
    #[test]
    fn conflicting_prefix_is_refused_and_not_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preconfirmations");
        let view = L1View::new(bare_deployment(Address::repeat_byte(0xa0), Address::ZERO));
        let mut signer = open(&path);
        signer.sign(prefix(1, 2, false), &view).unwrap();
        for mut signer in [signer, open(&path)] {
            let refused = signer.sign(prefix(1, 1, false), &view);
            assert!(matches!(refused, Err(PrefixError::Conflict(_))), "{refused:?}");
            assert!(signer.check_unsigned(&prefix(1, 1, true), &view).is_err());
            assert!(signer.check_unsigned(&prefix(1, 3, true), &view).is_ok());
        }
        let mut signer = open(&path);
        signer.sign(prefix(1, 3, true), &view).unwrap();
        let recorded = Journal::open(&path, Address::repeat_byte(0xa0), signer.key.address());
        let recorded = recorded.unwrap().prefixes;
        assert_eq!(recorded.iter().map(|it| it.transactions.len()).collect::<Vec<_>>(), [2, 3]);
    }

    /// The node may have stopped between the last signature and storing the block.
    #[test]
    fn sealed_prefix_may_be_unfinished_too() {
        for is_sealed in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("preconfirmations");
            let last = prefix(1, 2, is_sealed);
            open(&path).journal.record(&last).unwrap();
            let parent = last.promised.header.parent;
            let unfinished = |parent, time| open(&path).unfinished_on(parent, time);
            assert_eq!(unfinished(parent, 3_611).map(|it| it.0.promised), Some(last.promised));
            assert!(unfinished(parent, 3_612).is_none(), "it binds no longer");
            assert!(unfinished(B256::repeat_byte(1), 0).is_none(), "the block is stored");
        }
    }
}
