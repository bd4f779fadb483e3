//! Hash tree roots of a request by both conventions in use, which the specifications have not
//! aligned yet.

use alloy_primitives::B256;
use wire::{
    ByteLists, NewPayloadRequest, ProtocolFork, Records,
    root::{Chunk, Merkle, number, pack},
};

/// The specification whose rules shape the root of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RootConvention {
    /// execution-specs: under every fork payload and execution requests are progressive containers
    /// of progressive lists, the request around them is a plain container and its versioned hashes
    /// are a progressive list. This is the root in the EXECUTE result.
    #[default]
    ExecutionSpecs,
    /// consensus-specs: before Gloas plain containers and bounded lists; since Gloas, which is
    /// Amsterdam (EIP-7688 and EIP-8025), the request too is a progressive container and its
    /// versioned hashes are a list of at most 4096.
    ///
    /// A request with more elements than a bounded list allows has no root under this convention.
    /// The function returns the root of a larger list instead, which equals no valid root.
    ConsensusSpecs,
}

/// Limits of the consensus-specs, as depths of trees.
mod depth {
    /// `MAX_BYTES_PER_TRANSACTION`, in chunks.
    pub(super) const TRANSACTION_CHUNKS: usize = 30 - 5;
    /// `MAX_TRANSACTIONS_PER_PAYLOAD`.
    pub(super) const TRANSACTIONS: usize = 20;
    /// `MAX_WITHDRAWALS_PER_PAYLOAD`.
    pub(super) const WITHDRAWALS: usize = 4;
    /// `MAX_BLOB_COMMITMENTS_PER_BLOCK`.
    pub(super) const VERSIONED_HASHES: usize = 12;
    /// `MAX_DEPOSIT_REQUESTS_PER_PAYLOAD`.
    pub(super) const DEPOSIT_REQUESTS: usize = 13;
    /// `MAX_WITHDRAWAL_REQUESTS_PER_PAYLOAD`.
    pub(super) const WITHDRAWAL_REQUESTS: usize = 4;
    /// `MAX_CONSOLIDATION_REQUESTS_PER_PAYLOAD`.
    pub(super) const CONSOLIDATION_REQUESTS: usize = 1;
}

/// Returns the hash tree root of a request of `fork`.
pub fn hash_tree_root(
    request: &NewPayloadRequest<'_>,
    fork: ProtocolFork,
    convention: RootConvention,
) -> B256 {
    match convention {
        RootConvention::ExecutionSpecs => request.hash_tree_root(fork),
        RootConvention::ConsensusSpecs if fork < ProtocolFork::Amsterdam => {
            B256::new(bounded_request(Merkle::get(), request, fork))
        }
        // Amsterdam is Gloas on the consensus side: from there both conventions use progressive
        // containers.
        RootConvention::ConsensusSpecs => B256::new(gloas_request(Merkle::get(), request, fork)),
    }
}

fn gloas_request(merkle: &Merkle, request: &NewPayloadRequest<'_>, fork: ProtocolFork) -> Chunk {
    let hashes = request.versioned_hashes;
    merkle.progressive_container(&[
        merkle.progressive_payload(&request.payload, fork),
        merkle.bounded(hashes.iter().copied(), depth::VERSIONED_HASHES, hashes.len()),
        request.parent_beacon_block_root.0,
        merkle.progressive_requests(&request.execution_requests, fork),
    ])
}

fn bounded_records<const N: usize>(
    merkle: &Merkle,
    records: &Records<'_, N>,
    depth: usize,
    root: impl Fn(&[u8; N]) -> Chunk,
) -> Chunk {
    merkle.bounded(records.iter().map(root), depth, records.len())
}

fn bounded_transactions(merkle: &Merkle, transactions: ByteLists<'_>) -> Chunk {
    let transaction = |tx: &[u8]| merkle.bounded(pack(tx), depth::TRANSACTION_CHUNKS, tx.len());
    let roots = transactions.iter().map(transaction);
    merkle.bounded(roots, depth::TRANSACTIONS, transactions.len())
}

fn bounded_request(merkle: &Merkle, request: &NewPayloadRequest<'_>, fork: ProtocolFork) -> Chunk {
    let payload = &request.payload;
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n] =
        merkle.payload_fields(payload, bounded_transactions(merkle, payload.transactions));
    let withdrawals = || {
        bounded_records(merkle, &payload.withdrawals, depth::WITHDRAWALS, |record| {
            merkle.withdrawal(record)
        })
    };
    let payload_root = match fork {
        ProtocolFork::Paris => merkle.container([a, b, c, d, e, f, g, h, i, j, k, l, m, n]),
        ProtocolFork::Shanghai => {
            merkle.container([a, b, c, d, e, f, g, h, i, j, k, l, m, n, withdrawals()])
        }
        _ => merkle.container([
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
    let hashes_root = merkle.bounded(hashes.iter().copied(), depth::VERSIONED_HASHES, hashes.len());
    let anchor = request.parent_beacon_block_root.0;
    if fork < ProtocolFork::Prague {
        return merkle.container([payload_root, hashes_root, anchor]);
    }
    let requests = &request.execution_requests;
    let requests_root = merkle.container([
        bounded_records(merkle, &requests.deposits, depth::DEPOSIT_REQUESTS, |record| {
            merkle.deposit(record)
        }),
        bounded_records(merkle, &requests.withdrawals, depth::WITHDRAWAL_REQUESTS, |record| {
            merkle.withdrawal_request(record)
        }),
        bounded_records(
            merkle,
            &requests.consolidations,
            depth::CONSOLIDATION_REQUESTS,
            |record| merkle.consolidation(record),
        ),
    ]);
    merkle.container([payload_root, hashes_root, anchor, requests_root])
}
