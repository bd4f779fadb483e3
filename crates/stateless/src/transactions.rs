//! The transactions of a request.

use alloy_consensus::Transaction as _;
use executor::{Invalid, Transaction, decode_transaction};
use wire::NewPayloadRequest;

/// Decodes the transactions of a request to the end of `decoded`.
pub(crate) fn decode_transactions(
    request: &NewPayloadRequest<'_>,
    decoded: &mut Vec<Transaction>,
) -> Result<(), Invalid> {
    for (index, bytes) in request.payload.transactions.iter().enumerate() {
        decoded.push(
            decode_transaction(bytes)
                .map_err(|reason| Invalid::MalformedTransaction { index, reason })?,
        );
    }
    Ok(())
}

/// The blob hashes of the request are those of the transactions, in order.
pub(crate) fn check_versioned_hashes(
    request: &NewPayloadRequest<'_>,
    transactions: &[Transaction],
) -> Result<(), Invalid> {
    let mut claimed = request.versioned_hashes.iter().map(|hash| (*hash).into());
    let mut actual = transactions
        .iter()
        .flat_map(|transaction| transaction.blob_versioned_hashes().unwrap_or_default())
        .copied();
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
