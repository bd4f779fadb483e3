//! Transactions of a request.

use alloc::vec::Vec;
use alloy_consensus::Transaction as _;
use executor::{Invalid, Transaction, TransactionCheck, decode_transaction};
use wire::{NewPayloadRequest, ProtocolFork};

/// Decodes the transactions of a request one by one.
fn transactions<'a>(
    request: &NewPayloadRequest<'a>,
) -> impl Iterator<Item = Result<Transaction, Invalid>> + use<'a> {
    request.payload.transactions.iter().enumerate().map(|(index, bytes)| {
        decode_transaction(bytes).map_err(|reason| Invalid::MalformedTransaction { index, reason })
    })
}

/// Decodes the transactions of a request and appends them to `decoded`.
pub(crate) fn decode_transactions(
    request: &NewPayloadRequest<'_>,
    decoded: &mut Vec<Transaction>,
) -> Result<(), Invalid> {
    decoded.reserve(request.payload.transactions.len());
    for transaction in transactions(request) {
        decoded.push(transaction?);
    }
    Ok(())
}

/// Returns the sum of the gas limits of a block's transactions, saturating.
///
/// A decoded transaction needs many times the memory of its encoding, so each is dropped before the
/// next one is decoded, and decoding stops at the first one that does not fit into a block with
/// this gas limit. The caller therefore only needs to have been paid for reading the input.
pub fn declared_gas(request: &NewPayloadRequest<'_>, fork: ProtocolFork) -> Result<u64, Invalid> {
    let mut check = TransactionCheck::new(request.payload.gas_limit, fork);
    transactions(request).try_for_each(|transaction| check.add(&transaction?))?;
    Ok(check.allowed())
}

/// Checks that the blob hashes of the request match the transactions, in order.
pub(crate) fn check_versioned_hashes(
    request: &NewPayloadRequest<'_>,
    transactions: &[Transaction],
) -> Result<(), Invalid> {
    let mut claimed = request.versioned_hashes.iter().map(|hash| (*hash).into());
    let mut actual = transactions
        .iter()
        .flat_map(|transaction| transaction.blob_versioned_hashes().unwrap_or_default())
        .copied();
    // Iterates to the end of the longer sequence, so that neither can have extra hashes.
    for index in 0.. {
        let (got, expected) = (claimed.next(), actual.next());
        if got != expected {
            return Err(Invalid::VersionedHash { index, got, expected });
        }
        if got.is_none() {
            break;
        }
    }
    Ok(())
}
