//! Terms for posting in blobs: whether L1's EXECUTE reads inputs from blobs, and the blob base fee.

use crate::{L1Error, l1::L1Client, probe::Probe};
use alloy_provider::Provider as _;
use alloy_rpc_types_eth::TransactionRequest;
use std::sync::Arc;
use variants::BLOB_EXECUTE_ADDRESS;

/// Number of L1 blocks for which a price is reused. The blob base fee rises by at most an eighth
/// per block, and transactions offer twice the price.
const MAX_AGE: u64 = 3;

/// L1's blob base fee in wei; `None` if its EXECUTE does not read inputs from blobs.
type Answer = Result<Option<u128>, L1Error>;

/// The latest terms, and the pending request for newer ones. Planning waits for L1 only if the
/// terms are too old.
#[derive(Debug, Default)]
pub(super) struct BlobTerms {
    /// L1's head at the time of the request, and the response.
    latest: Option<(u64, Option<u128>)>,
    /// L1's head at the time of the pending request, and the request.
    pending: Option<(u64, Probe<Answer>)>,
}

impl BlobTerms {
    /// Returns the price at L1's block `head`, or at one of the [`MAX_AGE`] blocks before it.
    pub(super) fn at(&mut self, head: u64, client: &Arc<L1Client>) -> Answer {
        if let Some((at, response)) =
            self.pending.as_ref().and_then(|(at, probe)| Some((*at, probe.response()?)))
        {
            self.pending = None;
            // A failed request is repeated. The planner only waits for it once the known price is
            // too old.
            self.latest =
                response.ok().and_then(Result::ok).map(|price| (at, price)).or(self.latest);
        }
        match self.latest {
            Some((at, price)) if at == head => Ok(price),
            Some((at, price)) if at < head && head - at <= MAX_AGE => {
                if self.pending.is_none() {
                    let client = Arc::clone(client);
                    self.pending =
                        Probe::spawn(move || request(&client)).ok().map(|probe| (head, probe));
                }
                Ok(price)
            }
            _ => {
                let price = request(client)?;
                (self.latest, self.pending) = (Some((head, price)), None);
                Ok(price)
            }
        }
    }
}

/// Requests both terms from L1 concurrently.
fn request(client: &L1Client) -> Answer {
    let provider = client.inner().provider().clone();
    // EXECUTE for blobs reverts on empty calldata. If L1 does not support it, the address has no
    // code, so the call succeeds.
    let nothing = TransactionRequest::default().to(BLOB_EXECUTE_ADDRESS).gas_limit(100_000);
    let (called, price) = client.inner().wait(async move {
        tokio::join!(
            provider.call(nothing).into_future(),
            provider.get_blob_base_fee().into_future()
        )
    });
    match called {
        Ok(_) => return Ok(None),
        Err(error) if error.as_error_resp().is_none() => return Err(error.into()),
        Err(_) => {}
    }
    Ok(Some(price?))
}
