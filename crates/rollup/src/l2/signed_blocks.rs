//! Signatures of the sequencer on unsafe blocks, which allow a node to accept them from any peer.

use crate::{
    L1Error, RollupRules, Signer, SignerError,
    l1::{L1Client, Quorum, rollup_contracts},
    l2::FeedError,
    probe::{Probe, ProbePanicked},
};
use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, Bytes, Signature, keccak256, map::B256Map};
use chain::block_of;
use contracts::Deployment;
use parking_lot::Mutex;
use rpc_types::SignedInput;
use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock, Weak},
    time::{Duration, Instant},
};
use wire::StatelessInput;

/// Maximum number of inputs in one response to a follower, which bounds its size.
pub(crate) const MAX_INPUTS: u64 = 64;
/// Maximum number of stored signatures, far more than the backlog of blocks.
const MAX_KEPT: usize = 8_192;
/// Pause before a failed signature is requested again.
const SIGN_RETRY: Duration = Duration::from_secs(1);
/// Maximum number of accounts in the cache of policy responses.
const MAX_ACCOUNTS: usize = 8;
/// Lifetime of a cached response. The policy may change.
const BELIEVED: Duration = Duration::from_secs(60);
/// Minimum interval between requests to L1 about unknown accounts, which limits the requests that a
/// peer can cause with signatures of random accounts.
const ASK_INTERVAL: Duration = Duration::from_secs(1);

/// Rollup to which a signature is bound.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SigningDomain {
    rollup: Address,
    chain_id: u64,
}

impl SigningDomain {
    /// Returns the message whose Keccak hash is signed for a block.
    ///
    /// It begins with `0x19 0x00` and an address, the prefix of data for a contract (EIP-191). The
    /// key also signs transactions, none of which begins with these bytes.
    fn message(self, number: u64, hash: B256) -> Vec<u8> {
        let mut message = vec![0x19, 0x00];
        message.extend(self.rollup);
        message.extend(b"enshrine unsafe block");
        message.extend(self.chain_id.to_be_bytes());
        message.extend(number.to_be_bytes());
        message.extend(hash);
        message
    }

    fn signer_of(self, number: u64, hash: B256, signature: &Signature) -> Option<Address> {
        let message = keccak256(self.message(number, hash));
        signature.recover_address_from_prehash(&message).ok()
    }
}

/// The latest signatures by block hash, and the signing key of a node that can build blocks.
#[derive(Debug, Default)]
pub(crate) struct SignedBlocks {
    origin: OnceLock<(SigningDomain, Option<Signer>)>,
    signatures: Mutex<(B256Map<Bytes>, VecDeque<B256>)>,
}

impl SignedBlocks {
    /// Sets the rollup, and the signing key of a node that can build its blocks.
    pub(crate) fn open(&self, deployment: &Deployment, key: Option<Signer>) {
        let Deployment { rollup, l2_chain_id: chain_id, .. } = *deployment;
        // Set once, at the node's start.
        let _ = self.origin.set((SigningDomain { rollup, chain_id }, key));
    }

    /// Returns the signature on a block, if this node has signed it or has received a signature.
    /// RPC requests use only this method, so they cannot make the key sign.
    pub(crate) fn get(&self, hash: &B256) -> Option<Bytes> {
        self.signatures.lock().0.get(hash).cloned()
    }

    /// Signs a block, unless there is a signature. The signature covers the block and, through its
    /// hash, all its ancestors.
    fn sign(&self, number: u64, hash: B256) -> Result<(), SignerError> {
        let Some((domain, Some(key))) = self.origin.get().filter(|_| !self.has(&hash)) else {
            return Ok(());
        };
        let signature = key.sign_data(&domain.message(number, hash))?;
        self.keep(hash, signature.as_bytes().into());
        Ok(())
    }

    /// Returns `true` if signing does not block, because the key is local or the node has none.
    fn signs_at_once(&self) -> bool {
        let key = self.origin.get().and_then(|(_, key)| key.as_ref());
        key.is_none_or(Signer::is_local)
    }

    /// Returns `true` if there is a signature on this block.
    pub(crate) fn has(&self, hash: &B256) -> bool {
        self.signatures.lock().0.contains_key(hash)
    }

    fn keep(&self, hash: B256, signature: Bytes) {
        let (by_hash, order) = &mut *self.signatures.lock();
        if by_hash.insert(hash, signature).is_none() {
            order.push_back(hash);
        }
        if order.len() > MAX_KEPT
            && let Some(oldest) = order.pop_front()
        {
            by_hash.remove(&oldest);
        }
    }
}

/// Blocks of this node that are still to be signed. A remote signer may be slow, so another thread
/// signs them sequentially, with retries, and sealing does not wait.
#[derive(Debug, Default)]
pub(crate) struct BlockSigning {
    waiting: VecDeque<BlockNumHash>,
    pending: Option<Probe<Result<(), SignerError>>>,
    /// Time of the next attempt after a failure.
    not_before: Option<Instant>,
}

impl BlockSigning {
    /// Adds a block that this node has sealed, or that it adopts as the new sequencer.
    pub(crate) fn add(&mut self, block: BlockNumHash) {
        // The signer has failed for hours, so followers have read the oldest blocks from L1 by now.
        if self.waiting.len() >= MAX_KEPT && self.pending.is_none() {
            self.waiting.pop_front();
        }
        self.waiting.push_back(block);
    }

    pub(crate) fn extend(&mut self, block: Option<BlockNumHash>) {
        if let Some(block) = block {
            self.add(block);
        }
    }

    /// Processes a finished signature, and requests the next one. Never blocks on a remote signer.
    pub(crate) fn advance(&mut self, signed: &Arc<SignedBlocks>) {
        if let Some(pending) = &self.pending {
            match pending.response() {
                None => return,
                Some(Ok(Ok(()))) => drop(self.waiting.pop_front()),
                Some(Ok(Err(error))) => {
                    tracing::warn!(%error, "failed to sign a block, retrying");
                    self.not_before = Some(Instant::now() + SIGN_RETRY);
                }
                Some(Err(ProbePanicked)) => self.not_before = Some(Instant::now() + SIGN_RETRY),
            }
            self.pending = None;
        }
        if self.not_before.is_some_and(|at| Instant::now() < at) {
            return;
        }
        self.not_before = None;
        while let Some(BlockNumHash { number, hash }) = self.waiting.front().copied() {
            if signed.has(&hash) || signed.signs_at_once() && signed.sign(number, hash).is_ok() {
                self.waiting.pop_front();
                continue;
            }
            let signed = Arc::clone(signed);
            // If no thread can be started, the next call retries.
            self.pending = Probe::spawn(move || signed.sign(number, hash)).ok();
            return;
        }
    }
}

/// Accounts whose signatures on blocks are accepted.
#[derive(Debug)]
pub(crate) enum FeedTrust {
    /// Any account. Without a policy, the node at the configured URL is trusted.
    Url,
    /// These accounts.
    Accounts(Vec<Address>),
    /// Accounts that the rollup's policy on L1 admits as sequencers.
    Policy(PolicyTrust),
}

/// The policy on L1, with a small cache of its responses.
#[derive(Debug)]
pub(crate) struct PolicyTrust {
    pub(crate) client: Weak<L1Client>,
    pub(crate) rollup: Address,
    pub(crate) rules: RollupRules,
    pub(crate) cache: Mutex<VecDeque<(Address, bool, Instant)>>,
}

impl FeedTrust {
    /// Checks a node's response to a request for the blocks after `from`: they must be consecutive
    /// and of this rollup. Unless every account is trusted, they must also be signed by trusted
    /// accounts and have the signed hashes, and only the blocks before the first unsigned one are
    /// returned. Stores the signatures. May wait for L1.
    ///
    /// # Errors
    ///
    /// [`FeedError`] if no block of the response may be executed.
    pub(crate) fn check(
        &self,
        book: &SignedBlocks,
        from: u64,
        limit: usize,
        served: Vec<SignedInput>,
    ) -> Result<Vec<Bytes>, FeedError> {
        let Some((domain, _)) = book.origin.get() else { return Err(FeedError::NotOpen) };
        // Checked before decoding, to bound the work that an untrusted response can cause.
        if served.len() > limit {
            return Err(FeedError::TooMany { got: served.len(), limit });
        }
        let (mut inputs, mut signatures) = (Vec::new(), Vec::new());
        for (SignedInput { input, signature }, expected) in served.into_iter().zip(from + 1..) {
            let malformed = |error: wire::DecodeError| FeedError::Malformed(error.to_string());
            let decoded = StatelessInput::decode(&input).map_err(malformed)?;
            let payload = &decoded.request.payload;
            let (number, hash) = (payload.block_number, payload.block_hash);
            // A response with consecutive blocks either makes progress or is rejected, so a peer
            // cannot make this node request the same blocks forever.
            if number != expected {
                return Err(FeedError::OutOfOrder { got: number, expected });
            }
            // The signature covers the chain id too, but without a policy there may be none.
            if decoded.chain_id != domain.chain_id {
                let (got, expected) = (decoded.chain_id, domain.chain_id);
                return Err(FeedError::OtherChain { got, expected });
            }
            // The signature covers only the hash, so a relay could serve another block under it.
            if !matches!(self, Self::Url) {
                block_of(&decoded.request, decoded.fork).map_err(|reason| FeedError::Altered {
                    number,
                    hash,
                    reason: reason.to_string(),
                })?;
            }
            match (signature, self) {
                (None, Self::Url) => {}
                // The sequencer serves a block before its signer has responded. Accept the blocks
                // before it.
                (None, _) if !inputs.is_empty() => break,
                (None, _) => return Err(FeedError::Unsigned { number, hash }),
                (Some(bytes), _) => {
                    let signature = Signature::from_raw(&bytes).ok();
                    let signer =
                        signature.and_then(|signature| domain.signer_of(number, hash, &signature));
                    let signer = signer.ok_or(FeedError::NoSignature { number, hash })?;
                    self.admits(signer, number)?;
                    signatures.push((hash, bytes));
                }
            }
            inputs.push(input);
        }
        // Stored only now, so that no signature of a rejected response is forwarded to other nodes.
        for (hash, signature) in signatures {
            book.keep(hash, signature);
        }
        Ok(inputs)
    }

    /// Checks that the account may sign a block with this number. May wait for L1.
    ///
    /// # Errors
    ///
    /// [`FeedError::WrongSigner`], or [`FeedError::Policy`] if the request to L1 fails.
    pub(crate) fn admits(&self, signer: Address, number: u64) -> Result<(), FeedError> {
        let is_admitted = match self {
            Self::Url => true,
            Self::Accounts(accounts) => accounts.contains(&signer),
            Self::Policy(policy) => policy.admits(signer, Instant::now())?,
        };
        is_admitted.then_some(()).ok_or(FeedError::WrongSigner { number, got: signer })
    }
}

impl PolicyTrust {
    fn admits(&self, signer: Address, now: Instant) -> Result<bool, FeedError> {
        let age = |at: Instant| now.saturating_duration_since(at);
        {
            let cached = self.cache.lock();
            let found = cached.iter().find(|(account, ..)| *account == signer);
            if let Some((_, is_admitted, at)) = found
                && age(*at) < BELIEVED
            {
                return Ok(*is_admitted);
            }
            // Rate-limit requests about unknown accounts. Accounts in the cache are not affected.
            let newest = cached.iter().map(|(.., at)| age(*at)).min();
            if newest.is_some_and(|newest| newest < ASK_INTERVAL) && found.is_none() {
                return Ok(false);
            }
        }
        let unasked = |error: L1Error| FeedError::Policy(error.to_string());
        let client = self.client.upgrade().ok_or(FeedError::NotOpen)?;
        let latest = alloy_eips::BlockId::latest();
        // The lock is not held here: L1 may be slow, and blocks of known accounts must be accepted
        // meanwhile.
        let (rollup, rules) = (self.rollup, self.rules);
        let is_admitted = client.majority(Quorum::Responding, |provider| async move {
            let admission =
                rollup_contracts::admission(provider, rollup, signer, rules, latest).await?;
            Ok::<_, L1Error>(admission.is_by_policy())
        });
        let is_admitted = is_admitted.map_err(unasked)?;
        let mut cached = self.cache.lock();
        cached.retain(|(account, ..)| *account != signer);
        // Accounts that L1 does not admit are evicted first.
        if cached.len() >= MAX_ACCOUNTS {
            let other = cached.iter().position(|(_, is_admitted, _)| !is_admitted);
            cached.remove(other.unwrap_or_default());
        }
        cached.push_back((signer, is_admitted, now));
        Ok(is_admitted)
    }
}

/// Returns the trusted signers of a feed: the configured accounts, or else the rollup's policy, if
/// it has one.
pub(crate) fn trust(
    accounts: &[Address],
    deployment: &Deployment,
    client: &Arc<L1Client>,
    rules: RollupRules,
) -> FeedTrust {
    if !accounts.is_empty() {
        return FeedTrust::Accounts(accounts.to_vec());
    }
    if deployment.policy.is_zero() {
        return FeedTrust::Url;
    }
    let (client, rollup) = (Arc::downgrade(client), deployment.rollup);
    FeedTrust::Policy(PolicyTrust { client, rollup, rules, cache: Mutex::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(rollup: Address, chain_id: u64, key: Option<u8>) -> SignedBlocks {
        let book = SignedBlocks::default();
        let key = key.map(|key| Signer::new("key", B256::repeat_byte(key)).unwrap());
        book.origin.set((SigningDomain { rollup, chain_id }, key)).unwrap();
        book
    }

    #[test]
    fn signature_is_bound_to_block_and_rollup() {
        let (rollup, hash) = (Address::repeat_byte(1), B256::repeat_byte(7));
        let key = Signer::new("key", B256::repeat_byte(9)).unwrap();
        let signer = book(rollup, 5, Some(9));
        signer.sign(3, hash).unwrap();
        let signed = signer.get(&hash).unwrap();
        let signature = Signature::from_raw(&signed).unwrap();
        let by = |rollup, chain_id, number, hash| {
            SigningDomain { rollup, chain_id }.signer_of(number, hash, &signature)
        };
        assert_eq!(by(rollup, 5, 3, hash), Some(key.address()));
        for other in [
            by(Address::repeat_byte(2), 5, 3, hash),
            by(rollup, 6, 3, hash),
            by(rollup, 5, 4, hash),
            by(rollup, 5, 3, B256::repeat_byte(8)),
        ] {
            assert_ne!(other, Some(key.address()));
        }
        let message = SigningDomain { rollup, chain_id: 5 }.message(3, hash);
        // A legacy transaction begins with a byte of at least 0xc0, a typed one with its type, and
        // 0x19 is no transaction type.
        assert_eq!(message[0], 0x19);
    }

    #[test]
    fn only_added_blocks_are_signed() {
        let rollup = Address::repeat_byte(1);
        let hash = B256::repeat_byte(7);
        let sign = |book: &Arc<SignedBlocks>| {
            let mut signing = BlockSigning::default();
            signing.add(BlockNumHash { number: 3, hash });
            signing.advance(book);
            assert!(signing.waiting.is_empty() && signing.pending.is_none());
        };
        let without_key = Arc::new(book(rollup, 5, None));
        sign(&without_key);
        assert_eq!(without_key.get(&hash), None);
        let book = Arc::new(book(rollup, 5, Some(9)));
        assert_eq!(book.get(&hash), None);
        sign(&book);
        let signed = book.get(&hash);
        assert!(signed.is_some());
        sign(&book);
        assert_eq!(book.get(&hash), signed);
        for number in 0..2 * MAX_KEPT as u64 {
            book.keep(keccak256(number.to_be_bytes()), Bytes::new());
        }
        let (by_hash, order) = &*book.signatures.lock();
        assert_eq!((by_hash.len(), order.len()), (MAX_KEPT, MAX_KEPT));
    }
}
