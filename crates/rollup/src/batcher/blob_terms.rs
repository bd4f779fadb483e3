//! Terms on which L1 takes blobs: whether EXECUTE reads inputs there, and the price.

use super::{Batcher, Work};
use crate::{L1Error, RollupError, l1::L1Client, probe::Probe};
use alloy_provider::Provider as _;
use alloy_rpc_types_eth::TransactionRequest;
use contracts::advance_plan::L1Prices;
use std::sync::Arc;
use variants::BLOB_EXECUTE_ADDRESS;
use wire::ProtocolFork;

/// L1 blocks for which a price holds: it rises by an eighth with each at most, and twice as much is
/// offered.
const MAX_AGE: u64 = 3;

/// An answer of L1: the price of blob gas in wei; `None` if EXECUTE takes no inputs that end in
/// blobs there.
type Answer = Result<Option<u128>, L1Error>;

/// The newest answer, and the question for the next one. A posting waits for L1 only if the answer
/// is old.
#[derive(Debug, Default)]
pub(super) struct BlobTerms {
    /// The answer, and L1's head when it was asked for.
    known: Option<(u64, Option<u128>)>,
    asked: Option<(u64, Probe<Answer>)>,
}

impl BlobTerms {
    /// The price at L1's block `head`, or at one shortly before.
    fn at(&mut self, head: u64, client: &Arc<L1Client>) -> Answer {
        if let Some((at, answer)) =
            self.asked.as_ref().and_then(|(at, it)| Some((*at, it.answer()?)))
        {
            self.asked = None;
            // Without an answer it is asked again, and waited for once the last one is old.
            self.known = answer.ok().and_then(Result::ok).map(|price| (at, price)).or(self.known);
        }
        match self.known {
            Some((at, price)) if at == head => Ok(price),
            Some((at, price)) if at < head && head - at <= MAX_AGE => {
                if self.asked.is_none() {
                    let client = Arc::clone(client);
                    self.asked = Probe::ask(move || ask(&client)).ok().map(|it| (head, it));
                }
                Ok(price)
            }
            _ => {
                let price = ask(client)?;
                (self.known, self.asked) = (Some((head, price)), None);
                Ok(price)
            }
        }
    }
}

impl Batcher {
    /// Returns L1's prices now; `None` if L1 does not take inputs that end in blobs, or asks for
    /// more than may be paid.
    pub(super) fn prices(
        &mut self,
        work: &Work,
        fork: ProtocolFork,
    ) -> Result<Option<L1Prices>, RollupError> {
        let Some(price) = self.blob_terms.at(work.l1_head(), &self.client)? else {
            self.blobs.warn_once(format!("L1 has no EXECUTE at {BLOB_EXECUTE_ADDRESS}"));
            return Ok(None);
        };
        if price > self.config.submitter.max_blob_fee {
            self.blobs.warn_once("blobs cost more than may be paid".to_owned());
            return Ok(None);
        }
        self.blobs.has_no_reason();
        let base_fee = work.view.head().map_or(0, |head| u128::from(head.base_fee));
        let gas = base_fee.saturating_add(self.config.submitter.tip);
        Ok(Some(L1Prices { fork, gas, blob_gas: Some(price) }))
    }
}

/// Asks L1 for both at once.
fn ask(client: &L1Client) -> Answer {
    let provider = client.inner().provider().clone();
    // Where EXECUTE takes such inputs, it refuses one without anything; elsewhere nothing is there,
    // and a call of it succeeds.
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
