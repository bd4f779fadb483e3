//! Start of a watcher.

use crate::{
    Config, Role,
    service::{data_dir::WATCHED, error::ServiceError},
    watch::Watch,
};
use contracts::Deployment;
use preconf::Domain;
use std::sync::Arc;

/// Opens the book of a node that watches the sequencer.
///
/// # Errors
///
/// [`ServiceError::Config`] if the configuration does not allow it, and [`ServiceError::DataDir`]
/// if the file cannot be used.
pub(super) fn open(
    config: &Config,
    deployment: &Deployment,
    domain: Domain,
) -> Result<Option<Arc<Watch>>, ServiceError> {
    let Some(watch) = &config.watch else { return Ok(None) };
    let refused =
        |reason: &str| Err(ServiceError::Config { field: "watch", reason: reason.to_owned() });
    if matches!(config.role, Role::Sequencer(_)) {
        return refused("only a follower can watch the sequencer");
    }
    if domain.contract == deployment.rollup {
        return refused("requires the address of PreconfBonds, to which faults are proven");
    }
    if deployment.policy.is_zero() && config.feed_signers.is_empty() {
        return refused("requires a sequencing policy, which determines the signers");
    }
    if watch.post && watch.reporter.is_none() {
        return refused("posting requires the key of the reporter");
    }
    let path = config.data_dir.as_ref().map(|folder| folder.join(WATCHED));
    let opened = Watch::open(path.as_deref(), deployment.rollup, domain);
    let path = path.unwrap_or_default();
    let watch = opened.map_err(|source| ServiceError::DataDir { path, source })?;
    Ok(Some(Arc::new(watch)))
}

/// Returns the URLs of all further nodes whose prefixes a watcher can read.
pub(super) fn other_streams(config: &Config) -> impl Iterator<Item = String> {
    let sequencer = match &config.role {
        Role::Follower { sequencer } => sequencer.clone(),
        Role::Sequencer(_) => None,
    };
    let mut all = config.feeds.clone();
    all.extend(sequencer.filter(|url| !config.feeds.contains(url)));
    all.into_iter().skip(1)
}
