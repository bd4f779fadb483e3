//! Start of the signer of prefixes.

use crate::{
    Config, L1Limits, PreconfirmConfig, RollupError, RollupRules,
    prefix::PrefixSigner,
    sequencer::Preconfirmations,
    service::{
        data_dir::PRECONFIRMATIONS, error::ServiceError, node_handle::NodeHandle, preflight,
    },
};
use contracts::Deployment;
use node::Node;
use preconf::Domain;
use std::{sync::Arc, time::Duration};

/// Returns the domain of signed prefixes.
pub(super) fn domain(config: &Config, deployment: &Deployment) -> Domain {
    let deployed = Some(deployment.preconf_bonds).filter(|bonds| !bonds.is_zero());
    let contract = config.preconf_bonds.or(deployed).unwrap_or(deployment.rollup);
    Domain { l1_chain_id: deployment.l1_chain_id, contract }
}

/// Opens the signer of prefixes, if it is configured, or if earlier signatures of this node or of
/// other holders of the lease may bind its key.
///
/// # Errors
///
/// [`ServiceError::Config`] if the configuration does not allow it, and
/// [`PrefixError`](crate::prefix::PrefixError) if the journal cannot be used.
pub(super) fn open(
    config: &Config,
    deployment: &Deployment,
    rules: &RollupRules,
    node: &Node,
    shared: &NodeHandle,
) -> Result<Option<Preconfirmations>, RollupError> {
    let Some(sequencing) = preflight::sequencing(config) else { return Ok(None) };
    let journal = config.data_dir.as_ref().map(|folder| folder.join(PRECONFIRMATIONS));
    let has_lease = shared.lease.get().is_some();
    let slice = match &sequencing.preconfirm {
        Some(preconfirm) => Some(checked_slice(config, preconfirm)?),
        None if journal.as_ref().is_some_and(|path| path.exists() || has_lease) => None,
        None => return Ok(None),
    };
    let Some(journal) = journal else {
        let reason = "requires a data directory, in which signatures are recorded".to_owned();
        return Err(ServiceError::Config { field: "preconfirm", reason }.into());
    };
    let has_history = node.read(|node| node.chain.head().header.number) > 0;
    let signer = PrefixSigner::open(
        &journal,
        deployment.rollup,
        domain(config, deployment),
        sequencing.advance_key.clone(),
        rules,
        has_history,
    )?;
    let signer = if has_lease { signer.with_shared_journal() } else { signer };
    let book = Arc::clone(&shared.prefixes);
    Ok(Some(Preconfirmations::new(signer, book, slice)))
}

/// Returns the minimum time between two prefixes, if the configuration is valid.
fn checked_slice(config: &Config, preconfirm: &PreconfirmConfig) -> Result<Duration, ServiceError> {
    let refused = |reason: String| Err(ServiceError::Config { field: "preconfirm", reason });
    let (got, minimum) = (preconfirm.slice, PreconfirmConfig::MIN_SLICE);
    if got < minimum {
        return refused(format!("a prefix every {got:?}, at least {minimum:?} expected"));
    }
    let public = L1Limits::default();
    if config.l1_limits.gas > public.gas || config.l1_limits.bytes > public.bytes {
        let reason = "the limits of L1 transactions are above those of public ones, so false \
                      promises could not be proven";
        return refused(reason.to_owned());
    }
    Ok(got)
}
