//! Building of blocks within the limits of EXECUTE.

use crate::{
    InputCost, MineRequest, NodeError,
    draft::Draft,
    verify::{InputForm, verify_from_witness},
};
use alloy_primitives::{
    B256,
    map::{AddressSet, B256Set},
};
use chain::{Block, ExecutedBlock, Rejection, shortest_input};
use execute::Rules;
use executor::Invalid;
use std::time::Instant;

/// A block that is built, and verified if verification is enabled, but not yet part of the chain.
/// Only [`seal`](crate::Node::seal) creates one, so [`append`](crate::Node::append) never gets a
/// block that skipped verification.
#[derive(Debug, Clone)]
pub struct BlockCandidate {
    /// The block. It has a witness if it was verified, or if EXECUTE inputs are bounded.
    pub new: ExecutedBlock,
    /// Cost of its input, if EXECUTE has verified the block.
    pub cost: Option<InputCost>,
    /// Transactions that were offered but not included, with the reasons.
    pub rejected: Vec<(B256, Rejection)>,
    /// Senders of transactions that were executed but not included.
    pub(crate) in_vain: AddressSet,
    pub(crate) begun: Instant,
}

impl BlockCandidate {
    /// Builds a block from a draft for this request, and verifies it if there are `rules`. `begun`
    /// is the time at which the draft was started.
    pub(crate) fn build(
        mut draft: Draft,
        request: &MineRequest,
        rules: Option<Rules>,
        begun: Instant,
    ) -> Result<Self, NodeError> {
        let max_gas = draft.budget.limits().map(|limits| limits.gas);
        let number = draft.state.block().header.number + 1;
        let _span = tracing::info_span!("block", number).entered();
        let (mut too_expensive, mut in_vain) = (Vec::new(), AddressSet::default());
        let all = draft.offered.clone();
        let (built, rejected, cost) = loop {
            let mut built = draft.build(rules.is_some())?;
            let senders: Vec<_> = draft.transactions().map(|offered| offered.sender).collect();
            in_vain.extend(built.in_vain.iter().map(|index| senders[*index]));
            let hashes: Vec<B256> =
                draft.transactions().map(|offered| *offered.transaction.hash()).collect();
            let rejected: Vec<_> = core::mem::take(&mut built.rejected)
                .into_iter()
                .map(|(index, reason)| (hashes[index], reason))
                .collect();
            let mut cost = None;
            if let Some(rules) = rules
                && built.executed.block.provable
            {
                let (state, ExecutedBlock { block, witness, .. }) = (&draft.state, &built.executed);
                cost = {
                    let form: InputForm =
                        if draft.is_bounded() { shortest_input } else { Block::input };
                    verify_from_witness(state, block, witness, rules, draft.schedule, form)?
                };
            }
            let gas = cost.map(|cost| cost.gas);
            let Some((got, max)) = gas.zip(max_gas).filter(|(got, max)| got > max) else {
                break (built, rejected, cost);
            };
            // The block is within the builder's estimate, but its verification needs more gas than
            // allowed. Retry with half of the pool transactions until the block fits or none is
            // left. A transaction that does not even fit alone is rejected permanently, and must
            // not keep the others out of the block.
            let rejected_hashes: B256Set = rejected.iter().map(|(hash, _)| *hash).collect();
            draft.offered.retain(|tx| !rejected_hashes.contains(tx.hash()));
            match draft.offered.len() {
                0 => break (built, rejected, cost),
                1 if draft.first.is_empty() => {
                    let index = 0;
                    let reason =
                        format!("EXECUTE needs {got} gas with it, but at most {max} are allowed");
                    let reason = Rejection::TooLarge(Invalid::Transaction { index, reason });
                    in_vain.extend(draft.offered.first().map(|tx| tx.sender()));
                    too_expensive.extend(draft.offered.first().map(|tx| (*tx.hash(), reason)));
                    draft.drop_too_expensive(&all);
                }
                count => draft.offered.truncate(count / 2),
            }
        };
        let rejected: Vec<_> = rejected.into_iter().chain(too_expensive).collect();
        require_prefix(request, &built.executed.block, &rejected)?;
        for (transaction, reason) in &rejected {
            tracing::debug!(%transaction, %reason, "transaction left out of block");
        }
        Ok(Self { new: built.executed, cost, rejected, in_vain, begun })
    }
}

/// Checks that a block begins with the fixed transactions of its request.
fn require_prefix(
    request: &MineRequest,
    block: &Block,
    rejected: &[(B256, Rejection)],
) -> Result<(), NodeError> {
    for (index, expected) in request.transactions.iter().take(request.fixed).enumerate() {
        let transaction = *expected.transaction.hash();
        if block.transactions.get(index).is_some_and(|got| *got.hash() == transaction) {
            continue;
        }
        let reason = rejected.iter().find(|(hash, _)| *hash == transaction);
        let reason =
            reason.map_or_else(|| "not rejected".to_owned(), |(_, reason)| reason.to_string());
        return Err(NodeError::PrefixLost { index, transaction, reason });
    }
    Ok(())
}
