//! Hash tree root of a request (SSZ merkleization, EIP-7916 progressive lists).

use crate::{
    ExecutionPayload, ExecutionRequests, NewPayloadRequest, ProtocolFork, Records, Withdrawal,
};
use alloc::{vec, vec::Vec};
use alloy_primitives::B256;
use sha2::{Digest, Sha256};

/// Thirty-two bytes: a leaf or a node of an SSZ tree.
pub type Chunk = [u8; 32];

impl NewPayloadRequest<'_> {
    /// Returns the hash tree root of this request as a request of `fork`, by the convention of the
    /// execution-specs: under every fork payload and execution requests are progressive containers
    /// of progressive lists, the request around them is a plain container and its versioned hashes
    /// are a progressive list. This is the root in the EXECUTE result.
    pub fn hash_tree_root(&self, fork: ProtocolFork) -> B256 {
        B256::new(Merkle::get().request(self, fork))
    }
}

/// Returns the hash tree root of a progressive list of requests with these roots (EIP-7916).
pub(crate) fn root_of_requests(roots: impl ExactSizeIterator<Item = B256>) -> B256 {
    let count = roots.len();
    B256::new(Merkle::get().progressive_list(roots.map(|root| root.0), count))
}

fn hash_pair(left: &Chunk, right: &Chunk) -> Chunk {
    Sha256::new().chain_update(left).chain_update(right).finalize().into()
}

/// A little-endian integer as one chunk.
pub fn number(value: u64) -> Chunk {
    let mut chunk = [0; 32];
    chunk[..8].copy_from_slice(&value.to_le_bytes());
    chunk
}

/// Bytes packed into chunks, the last padded with zeros.
pub fn pack(bytes: &[u8]) -> impl ExactSizeIterator<Item = Chunk> {
    bytes.chunks(32).map(|part| {
        let mut chunk = [0; 32];
        chunk[..part.len()].copy_from_slice(part);
        chunk
    })
}

fn mix_in_length(root: &Chunk, length: usize) -> Chunk {
    hash_pair(root, &number(length as u64))
}

/// Roots of zero subtrees by depth, shared by all merkleizations.
#[derive(Debug)]
pub struct Merkle {
    zeros: [Chunk; Self::MAX_DEPTH + 1],
}

// Computed once for the process rather than for each root.
#[cfg(feature = "std")]
static MERKLE: std::sync::LazyLock<Merkle> = std::sync::LazyLock::new(Merkle::new);

impl Merkle {
    /// Deep enough for every limit and for any progressive list that memory can hold.
    const MAX_DEPTH: usize = 48;

    /// Returns the table of the process.
    #[cfg(feature = "std")]
    pub fn get() -> &'static Self {
        &MERKLE
    }

    /// Computes the table.
    #[cfg(not(feature = "std"))]
    pub fn get() -> Self {
        Self::new()
    }

    fn new() -> Self {
        let mut zeros = [[0; 32]; Self::MAX_DEPTH + 1];
        for depth in 1..zeros.len() {
            zeros[depth] = hash_pair(&zeros[depth - 1], &zeros[depth - 1]);
        }
        Self { zeros }
    }

    /// Returns the root over two subtrees of `depth`. Roots of zero subtrees are known, and most
    /// blooms consist of zeros.
    fn join(&self, left: &Chunk, right: &Chunk, depth: usize) -> Chunk {
        let zero = &self.zeros[depth];
        if left == zero && right == zero {
            return self.zeros[depth + 1];
        }
        hash_pair(left, right)
    }

    /// Returns the root of a tree of `depth` over the chunks, padded with zero chunks.
    ///
    /// Works like a binary counter: one pending subtree per set bit of the number of chunks, so
    /// that memory stays logarithmic.
    fn tree(&self, chunks: impl Iterator<Item = Chunk>, depth: usize) -> Chunk {
        let mut pending = [[0; 32]; Self::MAX_DEPTH + 1];
        let mut count = 0_u64;
        for mut node in chunks {
            let mut level = 0;
            // A set bit at `level` is a complete subtree of that depth without its right sibling.
            while count >> level & 1 == 1 {
                node = self.join(&pending[level], &node, level);
                level += 1;
            }
            pending[level] = node;
            count += 1;
        }
        if count == 0 {
            return self.zeros[depth];
        }
        let mut node: Option<Chunk> = None;
        // Closes the tree from the bottom: a missing right sibling is a zero subtree of the same
        // depth.
        for (level, (left, zero)) in pending.iter().zip(&self.zeros).take(depth).enumerate() {
            let left = (count >> level & 1 == 1).then_some(left);
            node = match (left, node) {
                (Some(left), Some(right)) => Some(self.join(left, &right, level)),
                (Some(left), None) => Some(self.join(left, zero, level)),
                (None, Some(left)) => Some(self.join(&left, zero, level)),
                (None, None) => None,
            };
        }
        // With exactly `2^depth` chunks no bit below `depth` is set, and the tree is already
        // complete.
        node.unwrap_or(pending[depth])
    }

    /// Returns the root of a vector or plain container, as deep as its number of chunks needs.
    pub fn container<const N: usize>(&self, fields: [Chunk; N]) -> Chunk {
        self.tree(fields.into_iter(), N.next_power_of_two().trailing_zeros() as usize)
    }

    /// Returns the root of a fixed byte vector.
    fn vector(&self, bytes: &[u8]) -> Chunk {
        let chunks = bytes.len().div_ceil(32);
        self.tree(pack(bytes), chunks.next_power_of_two().trailing_zeros() as usize)
    }

    /// Returns the root of a list of chunks with a limit of `2^depth` chunks.
    pub fn bounded(
        &self,
        chunks: impl ExactSizeIterator<Item = Chunk>,
        depth: usize,
        length: usize,
    ) -> Chunk {
        // A list that exceeds the limit gets a deeper tree, not a panic. No valid block has the
        // resulting root.
        let depth = depth.max(chunks.len().next_power_of_two().trailing_zeros() as usize);
        mix_in_length(&self.tree(chunks, depth), length)
    }

    /// Returns the body of a progressive list (EIP-7916): subtrees of 1, 4, 16, … chunks, each
    /// hashed with the root of the rest.
    fn progressive(&self, mut chunks: impl Iterator<Item = Chunk>) -> Chunk {
        let mut subtrees = Vec::new();
        let mut next = chunks.next();
        while let Some(first) = next {
            // Subtree `n` has depth `2n`; a list that fits in memory ends long before the shift
            // overflows.
            let depth = 2 * subtrees.len();
            let mut left = (1_u64 << depth) - 1;
            let rest = core::iter::from_fn(|| {
                left = left.checked_sub(1)?;
                chunks.next()
            });
            subtrees.push(self.tree(core::iter::once(first).chain(rest), depth));
            next = chunks.next();
        }
        // The innermost rest is a zero chunk; the fold hashes from the last subtree outwards, as
        // the type nests.
        subtrees.iter().rev().fold([0; 32], |rest, subtree| hash_pair(subtree, &rest))
    }

    fn progressive_list(&self, chunks: impl Iterator<Item = Chunk>, length: usize) -> Chunk {
        mix_in_length(&self.progressive(chunks), length)
    }

    fn progressive_bytes(&self, bytes: &[u8]) -> Chunk {
        self.progressive_list(pack(bytes), bytes.len())
    }

    /// Returns the root of a progressive container (EIP-7495) with all its fields active; fewer
    /// than 64.
    pub fn progressive_container(&self, fields: &[Chunk]) -> Chunk {
        // A bit vector with every bit set. The count of fields is a constant of the fork and
        // never 64.
        let active = number((1_u64 << fields.len()) - 1);
        hash_pair(&self.progressive(fields.iter().copied()), &active)
    }

    fn extra_data(&self, extra_data: &[u8]) -> Chunk {
        self.bounded(pack(extra_data), 0, extra_data.len())
    }

    /// Returns the root of a withdrawal.
    pub fn withdrawal(&self, record: &[u8; Withdrawal::LEN]) -> Chunk {
        let withdrawal = Withdrawal::from_record(record);
        self.container([
            number(withdrawal.index),
            number(withdrawal.validator_index),
            withdrawal.address.into_word_right_padded(),
            number(withdrawal.amount),
        ])
    }

    /// Returns the root of a record of SSZ vectors and integers, cut at `widths`; an integer of
    /// eight bytes and a vector of at most 32 bytes both fill one right-padded chunk.
    fn record<const N: usize>(&self, record: &[u8], widths: [usize; N]) -> Chunk {
        let mut rest = record;
        self.container(widths.map(|width| {
            let (field, tail) = rest.split_at(width);
            rest = tail;
            self.vector(field)
        }))
    }

    /// Returns the root of a deposit request (EIP-6110).
    pub fn deposit(&self, record: &[u8; 192]) -> Chunk {
        self.record(record, [48, 32, 8, 96, 8])
    }

    /// Returns the root of a withdrawal request (EIP-7002).
    pub fn withdrawal_request(&self, record: &[u8; 76]) -> Chunk {
        self.record(record, [20, 48, 8])
    }

    /// Returns the root of a consolidation request (EIP-7251).
    pub fn consolidation(&self, record: &[u8; 116]) -> Chunk {
        self.record(record, [20, 48, 48])
    }

    /// Returns the payload fields that all shapes have, with the root of the transactions.
    pub fn payload_fields(
        &self,
        payload: &ExecutionPayload<'_>,
        transactions: Chunk,
    ) -> [Chunk; 14] {
        [
            payload.parent_hash.0,
            payload.fee_recipient.into_word_right_padded(),
            payload.state_root.0,
            payload.receipts_root.0,
            self.vector(payload.logs_bloom),
            payload.prev_randao.0,
            number(payload.block_number),
            number(payload.gas_limit),
            number(payload.gas_used),
            number(payload.timestamp),
            self.extra_data(payload.extra_data),
            payload.base_fee_per_gas.to_le_bytes(),
            payload.block_hash.0,
            transactions,
        ]
    }

    fn request(&self, request: &NewPayloadRequest<'_>, fork: ProtocolFork) -> Chunk {
        let payload = self.progressive_payload(&request.payload, fork);
        // Before Cancun the request is the payload alone, and a container of one field has the
        // field's root.
        if fork < ProtocolFork::Cancun {
            return payload;
        }
        let hashes = request.versioned_hashes;
        let hashes = self.progressive_list(hashes.iter().copied(), hashes.len());
        let anchor = request.parent_beacon_block_root.0;
        if fork < ProtocolFork::Prague {
            return self.container([payload, hashes, anchor]);
        }
        let requests = self.progressive_requests(&request.execution_requests, fork);
        self.container([payload, hashes, anchor, requests])
    }

    /// Returns the root of a payload as a progressive container.
    pub fn progressive_payload(&self, payload: &ExecutionPayload<'_>, fork: ProtocolFork) -> Chunk {
        let transactions = self.progressive_list(
            payload.transactions.iter().map(|tx| self.progressive_bytes(tx)),
            payload.transactions.len(),
        );
        let mut fields = self.payload_fields(payload, transactions).to_vec();
        if fork >= ProtocolFork::Shanghai {
            fields.push(self.records(&payload.withdrawals, |record| self.withdrawal(record)));
        }
        if fork >= ProtocolFork::Cancun {
            fields.extend([payload.blob_gas_used, payload.excess_blob_gas].map(number));
        }
        if fork >= ProtocolFork::Amsterdam {
            fields.push(self.progressive_bytes(payload.block_access_list));
            fields.push(number(payload.slot_number));
        }
        self.progressive_container(&fields)
    }

    /// Returns the root of execution requests as a progressive container.
    pub fn progressive_requests(
        &self,
        requests: &ExecutionRequests<'_>,
        fork: ProtocolFork,
    ) -> Chunk {
        // Destructured without `..` so that a new kind of request cannot be left out of the root.
        let ExecutionRequests {
            deposits,
            withdrawals,
            consolidations,
            builder_deposits,
            builder_exits,
        } = requests;
        let mut lists = vec![
            self.records(deposits, |record| self.deposit(record)),
            self.records(withdrawals, |record| self.withdrawal_request(record)),
            self.records(consolidations, |record| self.consolidation(record)),
        ];
        if fork >= ProtocolFork::Amsterdam {
            let deposit = |record: &[u8; 184]| self.record(record, [48, 32, 8, 96]);
            lists.push(self.records(builder_deposits, deposit));
            lists.push(self.records(builder_exits, |record| self.record(record, [20, 48])));
        }
        self.progressive_container(&lists)
    }

    fn records<const N: usize>(
        &self,
        records: &Records<'_, N>,
        root: impl Fn(&[u8; N]) -> Chunk,
    ) -> Chunk {
        self.progressive_list(records.iter().map(root), records.len())
    }
}

/// An address as an SSZ chunk: padded on the right, unlike the EVM's words.
trait RightPadded {
    fn into_word_right_padded(self) -> Chunk;
}

impl RightPadded for alloy_primitives::Address {
    fn into_word_right_padded(self) -> Chunk {
        let mut chunk = [0; 32];
        chunk[..20].copy_from_slice(self.as_slice());
        chunk
    }
}
