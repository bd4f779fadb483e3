//! Hash tree root of a request (SSZ merkleization, EIP-7916 progressive lists).
//!
//! Two conventions are in circulation for Amsterdam's shapes and nobody has aligned them yet, so
//! both stand behind one function. Before Amsterdam the shapes are the bounded lists and plain
//! containers of the consensus-specs, on which everybody agrees.

use crate::{
    ByteLists, ExecutionPayload, ExecutionRequests, NewPayloadRequest, ProtocolFork, Records,
    Withdrawal, payload, request,
};
use alloy_primitives::B256;
use sha2::{Digest, Sha256};

/// Whose rules shape the root of an Amsterdam request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RootConvention {
    /// execution-specs: the request is a plain container and its versioned hashes a progressive
    /// list. This is the root in the result of EXECUTE.
    #[default]
    ExecutionSpecs,
    /// consensus-specs (Gloas, EIP-7688 and EIP-8025): the request is a progressive container and
    /// its versioned hashes a list of at most 4096.
    ConsensusSpecs,
}

type Chunk = [u8; 32];

impl NewPayloadRequest<'_> {
    /// The hash tree root of this request as a request of `fork`.
    pub fn hash_tree_root(&self, fork: ProtocolFork, convention: RootConvention) -> B256 {
        let merkle = Merkle::new();
        B256::new(match fork {
            ProtocolFork::Amsterdam => merkle.amsterdam_request(self, convention),
            _ => merkle.bounded_request(self, fork),
        })
    }
}

fn hash_pair(left: &Chunk, right: &Chunk) -> Chunk {
    Sha256::new().chain_update(left).chain_update(right).finalize().into()
}

/// A little-endian integer as one chunk.
fn number(value: u64) -> Chunk {
    let mut chunk = [0; 32];
    chunk[..8].copy_from_slice(&value.to_le_bytes());
    chunk
}

/// Bytes packed into chunks, the last padded with zeros.
fn pack(bytes: &[u8]) -> impl Iterator<Item = Chunk> {
    bytes.chunks(32).map(|part| {
        let mut chunk = [0; 32];
        chunk[..part.len()].copy_from_slice(part);
        chunk
    })
}

fn mix_in_length(root: &Chunk, length: usize) -> Chunk {
    hash_pair(root, &number(length as u64))
}

/// Roots of zero subtrees by depth, shared by all merkleizations of one root.
struct Merkle {
    zeros: [Chunk; Self::MAX_DEPTH + 1],
}

impl Merkle {
    /// Deep enough for every limit and for any progressive list that memory can hold.
    const MAX_DEPTH: usize = 48;

    fn new() -> Self {
        let mut zeros = [[0; 32]; Self::MAX_DEPTH + 1];
        for depth in 1..zeros.len() {
            zeros[depth] = hash_pair(&zeros[depth - 1], &zeros[depth - 1]);
        }
        Self { zeros }
    }

    /// Root of a tree of `depth` over the chunks, padded with zero chunks.
    ///
    /// Works like a binary counter: one pending subtree per set bit of the number of chunks, so
    /// that memory stays logarithmic.
    fn tree(&self, chunks: impl Iterator<Item = Chunk>, depth: usize) -> Chunk {
        let mut pending = [[0; 32]; Self::MAX_DEPTH + 1];
        let mut count = 0_u64;
        for mut node in chunks {
            let mut level = 0;
            while count >> level & 1 == 1 {
                node = hash_pair(&pending[level], &node);
                level += 1;
            }
            pending[level] = node;
            count += 1;
        }
        if count == 0 {
            return self.zeros[depth];
        }
        let mut node: Option<Chunk> = None;
        for (level, (left, zero)) in pending.iter().zip(&self.zeros).take(depth).enumerate() {
            let left = (count >> level & 1 == 1).then_some(left);
            node = match (left, node) {
                (Some(left), Some(right)) => Some(hash_pair(left, &right)),
                (Some(left), None) => Some(hash_pair(left, zero)),
                (None, Some(left)) => Some(hash_pair(&left, zero)),
                (None, None) => None,
            };
        }
        node.unwrap_or(pending[depth])
    }

    /// A vector or plain container: as deep as its number of chunks needs.
    fn container<const N: usize>(&self, fields: [Chunk; N]) -> Chunk {
        self.tree(fields.into_iter(), N.next_power_of_two().trailing_zeros() as usize)
    }

    /// A fixed byte vector.
    fn vector(&self, bytes: &[u8]) -> Chunk {
        let chunks = bytes.len().div_ceil(32);
        self.tree(pack(bytes), chunks.next_power_of_two().trailing_zeros() as usize)
    }

    /// A list of chunks with a limit of `2^depth` chunks.
    fn bounded(&self, chunks: impl Iterator<Item = Chunk>, depth: usize, length: usize) -> Chunk {
        mix_in_length(&self.tree(chunks, depth), length)
    }

    /// The body of a progressive list (EIP-7916): subtrees of 1, 4, 16, … chunks, each hashed with
    /// the root of what follows it.
    fn progressive(&self, mut chunks: impl Iterator<Item = Chunk>) -> Chunk {
        let mut subtrees = Vec::new();
        let mut next = chunks.next();
        while let Some(first) = next {
            let depth = 2 * subtrees.len();
            let mut left = (1_u64 << depth) - 1;
            let rest = core::iter::from_fn(|| {
                left = left.checked_sub(1)?;
                chunks.next()
            });
            subtrees.push(self.tree(core::iter::once(first).chain(rest), depth));
            next = chunks.next();
        }
        subtrees.iter().rev().fold([0; 32], |rest, subtree| hash_pair(subtree, &rest))
    }

    fn progressive_list(&self, chunks: impl Iterator<Item = Chunk>, length: usize) -> Chunk {
        mix_in_length(&self.progressive(chunks), length)
    }

    fn progressive_bytes(&self, bytes: &[u8]) -> Chunk {
        self.progressive_list(pack(bytes), bytes.len())
    }

    /// A progressive container (EIP-7495) all of whose `N` fields are active.
    fn progressive_container<const N: usize>(&self, fields: [Chunk; N]) -> Chunk {
        let active = number((1_u64 << N) - 1);
        hash_pair(&self.progressive(fields.into_iter()), &active)
    }

    fn extra_data(&self, extra_data: &[u8]) -> Chunk {
        self.bounded(pack(extra_data), 0, extra_data.len())
    }

    fn withdrawal(&self, record: &[u8; Withdrawal::LEN]) -> Chunk {
        let withdrawal = Withdrawal::from_record(record);
        self.container([
            number(withdrawal.index),
            number(withdrawal.validator_index),
            withdrawal.address.into_word_right_padded(),
            number(withdrawal.amount),
        ])
    }

    /// A record of SSZ vectors and integers, cut at `widths`; an integer of eight bytes and a
    /// vector of at most 32 both fill one right-padded chunk.
    fn record<const N: usize>(&self, record: &[u8], widths: [usize; N]) -> Chunk {
        let mut rest = record;
        self.container(widths.map(|width| {
            let (field, tail) = rest.split_at(width);
            rest = tail;
            self.vector(field)
        }))
    }

    fn deposit(&self, record: &[u8; 192]) -> Chunk {
        self.record(record, [48, 32, 8, 96, 8])
    }

    fn withdrawal_request(&self, record: &[u8; 76]) -> Chunk {
        self.record(record, [20, 48, 8])
    }

    fn consolidation(&self, record: &[u8; 116]) -> Chunk {
        self.record(record, [20, 48, 48])
    }

    /// The payload fields that all shapes have, with the root of the transactions.
    fn payload_fields(&self, payload: &ExecutionPayload<'_>, transactions: Chunk) -> [Chunk; 14] {
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

    fn amsterdam_request(
        &self,
        request: &NewPayloadRequest<'_>,
        convention: RootConvention,
    ) -> Chunk {
        let payload = &request.payload;
        let transactions = self.progressive_list(
            payload.transactions.iter().map(|tx| self.progressive_bytes(tx)),
            payload.transactions.len(),
        );
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = self.payload_fields(payload, transactions);
        let withdrawals = self.progressive_list(
            payload.withdrawals.iter().map(|record| self.withdrawal(record)),
            payload.withdrawals.len(),
        );
        let payload_root = self.progressive_container([
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
            i,
            j,
            k,
            l,
            m,
            n,
            withdrawals,
            number(payload.blob_gas_used),
            number(payload.excess_blob_gas),
            self.progressive_bytes(payload.block_access_list),
            number(payload.slot_number),
        ]);
        // Destructured without `..` so that a new kind of request cannot be left out of the root.
        let ExecutionRequests {
            deposits,
            withdrawals,
            consolidations,
            builder_deposits,
            builder_exits,
        } = &request.execution_requests;
        let requests_root = self.progressive_container([
            self.records(deposits, |record| self.deposit(record)),
            self.records(withdrawals, |record| self.withdrawal_request(record)),
            self.records(consolidations, |record| self.consolidation(record)),
            self.records(builder_deposits, |record| self.record(record, [48, 32, 8, 96])),
            self.records(builder_exits, |record| self.record(record, [20, 48])),
        ]);
        let hashes = request.versioned_hashes;
        let chunks = hashes.iter().copied();
        match convention {
            RootConvention::ExecutionSpecs => self.container([
                payload_root,
                self.progressive_list(chunks, hashes.len()),
                request.parent_beacon_block_root.0,
                requests_root,
            ]),
            RootConvention::ConsensusSpecs => self.progressive_container([
                payload_root,
                self.bounded(chunks, log2(request::MAX_VERSIONED_HASHES), hashes.len()),
                request.parent_beacon_block_root.0,
                requests_root,
            ]),
        }
    }

    fn records<const N: usize>(
        &self,
        records: &Records<'_, N>,
        root: impl Fn(&[u8; N]) -> Chunk,
    ) -> Chunk {
        self.progressive_list(records.iter().map(root), records.len())
    }

    fn bounded_records<const N: usize>(
        &self,
        records: &Records<'_, N>,
        limit: usize,
        root: impl Fn(&[u8; N]) -> Chunk,
    ) -> Chunk {
        self.bounded(records.iter().map(root), log2(limit), records.len())
    }

    fn bounded_transactions(&self, transactions: ByteLists<'_>) -> Chunk {
        let bytes_depth = log2(payload::MAX_TRANSACTION_BYTES / 32);
        self.bounded(
            transactions.iter().map(|tx| self.bounded(pack(tx), bytes_depth, tx.len())),
            log2(payload::MAX_TRANSACTIONS),
            transactions.len(),
        )
    }

    fn bounded_request(&self, request: &NewPayloadRequest<'_>, fork: ProtocolFork) -> Chunk {
        let payload = &request.payload;
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n] =
            self.payload_fields(payload, self.bounded_transactions(payload.transactions));
        let withdrawals = || {
            self.bounded_records(&payload.withdrawals, payload::MAX_WITHDRAWALS, |record| {
                self.withdrawal(record)
            })
        };
        let payload_root = match fork {
            ProtocolFork::Paris => self.container([a, b, c, d, e, f, g, h, i, j, k, l, m, n]),
            ProtocolFork::Shanghai => {
                self.container([a, b, c, d, e, f, g, h, i, j, k, l, m, n, withdrawals()])
            }
            _ => self.container([
                a,
                b,
                c,
                d,
                e,
                f,
                g,
                h,
                i,
                j,
                k,
                l,
                m,
                n,
                withdrawals(),
                number(payload.blob_gas_used),
                number(payload.excess_blob_gas),
            ]),
        };
        if fork < ProtocolFork::Cancun {
            return payload_root;
        }
        let hashes = request.versioned_hashes;
        let hashes_root =
            self.bounded(hashes.iter().copied(), log2(request::MAX_VERSIONED_HASHES), hashes.len());
        let anchor = request.parent_beacon_block_root.0;
        if fork < ProtocolFork::Prague {
            return self.container([payload_root, hashes_root, anchor]);
        }
        let requests = &request.execution_requests;
        let requests_root = self.container([
            self.bounded_records(&requests.deposits, ExecutionRequests::MAX_DEPOSITS, |record| {
                self.deposit(record)
            }),
            self.bounded_records(
                &requests.withdrawals,
                ExecutionRequests::MAX_WITHDRAWALS,
                |record| self.withdrawal_request(record),
            ),
            self.bounded_records(
                &requests.consolidations,
                ExecutionRequests::MAX_CONSOLIDATIONS,
                |record| self.consolidation(record),
            ),
        ]);
        self.container([payload_root, hashes_root, anchor, requests_root])
    }
}

/// Depth of a tree with room for `limit` chunks, a power of two.
const fn log2(limit: usize) -> usize {
    limit.trailing_zeros() as usize
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
