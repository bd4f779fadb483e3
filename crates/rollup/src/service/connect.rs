//! Connection to L1 at a node's start, and checks of L1 against the configuration.

use crate::{
    Config, L1Client, L1Error, L1Profile, RollupError, RollupRules, SequencerConfig,
    check::Check,
    l1::{
        BlobClient, L1Provider as _, Silence as _, fork_schedule::Difference, profile,
        rollup_contracts,
    },
    service::{node_handle::NodeHandle, preflight, worker::MAX_RETRY_INTERVAL},
};
use alloy_primitives::Address;
use chain::{Chain, ChainConfig, spec_of};
use contracts::Deployment;
use rpc_types::{Execute, RollupConfig};
use std::{slice, sync::Arc, time::Duration};

/// Interval of the fork check, and of the other checks while there are warnings.
const RECHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Parameters and checks of L1 at a node's start.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) rules: RollupRules,
    /// Configured profile of L1, within the gas limit of its blocks.
    pub(super) profile: L1Profile,
    pub(super) warnings: Vec<String>,
    /// Response to `rollup_config`.
    pub(super) config: RollupConfig,
    /// First difference between the fork schedules of L1 and the L2.
    pub(super) unknown_fork: Option<Difference>,
}

/// Parts of a configuration that are checked against L1 at the start.
pub(super) struct CheckedConfig {
    pub(super) deployment: Deployment,
    pub(super) profile: L1Profile,
    pub(super) sequencing: Option<SequencerConfig>,
    pub(super) beacon: Option<BlobClient>,
    /// Contract in whose domain preconfirmations are signed and verified.
    pub(super) domain: Address,
}

impl CheckedConfig {
    /// Runs all checks against L1, and returns its parameters if none of them prevents a start.
    fn check_with(&self, client: &L1Client) -> Result<Connected, RollupError> {
        let rules = rollup_contracts::rules(client, &self.deployment)?;
        // The price check uses the gas rules of L1's fork, so the fork must be known.
        let (forks, unknown_fork) = preflight::forks(client, &self.deployment)?;
        preflight::require_passed(slice::from_ref(&forks))?;
        let profile = self.profile.clone().within(profile::block_gas(client)?);
        profile.check(client, &self.deployment)?;
        let mut checks = self.checks(client, &rules)?;
        preflight::require_passed(&checks)?;
        checks.push(forks);
        let warnings = preflight::warnings(&checks);
        let config = rollup_contracts::config(client, &self.deployment, &rules, self.domain)?;
        let execute = Execute {
            schedule: profile.execute.to_string(),
            market: profile::has_market(client)?,
            blobs: self.beacon.is_some(),
            ..config.execute
        };
        let config = RollupConfig { execute, ..config };
        Ok(Connected { rules, profile, warnings, config, unknown_fork })
    }

    /// Runs all checks. If they fail with the L1 node in use, repeats them with the others, and
    /// returns the majority result.
    fn check_with_majority(&self, client: &L1Client) -> Result<Connected, RollupError> {
        let nodes = client.nodes();
        let error = match self.check_with(client) {
            Err(error) if !error.is_silence() => error,
            result => return result,
        };
        let (mut passed, mut failed) = (0, 1);
        while 2 * failed <= nodes && passed + failed < nodes {
            tracing::warn!(%error, "check failed with one L1 node, trying the next one");
            client.leave_node();
            match self.check_with(client) {
                Ok(connected) if 2 * (passed + 1) > nodes => return Ok(connected),
                Ok(_) => passed += 1,
                Err(later) if later.is_silence() => return Err(later),
                Err(_) => failed += 1,
            }
        }
        Err(error)
    }

    /// Runs all checks except the fork check.
    fn checks(&self, client: &L1Client, rules: &RollupRules) -> Result<Vec<Check>, L1Error> {
        let mut checks =
            preflight::of_l1(client, &self.deployment, rules, self.sequencing.as_ref())?;
        if let Some(beacon) = &self.beacon {
            checks.extend(preflight::of_beacon(client, &self.deployment, beacon)?);
        }
        Ok(checks)
    }

    /// Repeats the fork check, and all checks while there are warnings, so that resolved warnings
    /// disappear.
    fn check_again(&self, client: &L1Client, rules: &RollupRules, shared: &NodeHandle) {
        let (rollup, max_lag) = (self.deployment.rollup, rules.max_lag);
        let changeable = rollup_contracts::changeable_terms(client, rollup, max_lag, self.domain);
        if let Ok(changeable) = changeable
            && let Some(config) = &mut *shared.config.lock()
        {
            config.owner = changeable.owner;
            config.contracts.policy = changeable.policy;
            config.preconfirmations = changeable.preconfirmations;
        }
        let forks = preflight::forks(client, &self.deployment);
        let Ok((check, unknown_fork)) = forks else { return };
        let is_new = *shared.unknown_fork.lock() != unknown_fork;
        if is_new && unknown_fork.is_some() {
            tracing::error!(%check, "fork schedules of L1 and the L2 differ");
        }
        *shared.unknown_fork.lock() = unknown_fork;
        if !is_new && shared.warnings.lock().is_empty() {
            return;
        }
        if let Ok(mut checks) = self.checks(client, rules) {
            checks.push(check);
            *shared.warnings.lock() = preflight::warnings(&checks);
        }
    }

    /// Starts the task that repeats the checks.
    pub(super) fn recheck(
        self: Arc<Self>,
        client: &Arc<L1Client>,
        rules: RollupRules,
        shared: &Arc<NodeHandle>,
    ) -> tokio::task::JoinHandle<()> {
        // The node may end while a check waits for L1.
        let (client, shared) = (Arc::downgrade(client), Arc::downgrade(shared));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(RECHECK_INTERVAL).await;
                let (Some(client), Some(shared)) = (client.upgrade(), shared.upgrade()) else {
                    return;
                };
                let checked = Arc::clone(&self);
                let again = tokio::task::spawn_blocking(move || {
                    checked.check_again(&client, &rules, &shared);
                });
                if again.await.is_err() {
                    return;
                }
            }
        })
    }
}

/// Reads the parameters of a deployment, and retries until L1 responds, so that a node can be
/// restarted during an outage of L1.
pub(super) async fn connect(
    client: L1Client,
    checked: &Arc<CheckedConfig>,
) -> Result<(L1Client, Connected), RollupError> {
    let client = Arc::new(client);
    let mut pause = Duration::from_secs(1);
    loop {
        let (shared, checked) = (Arc::clone(&client), Arc::clone(checked));
        let request = tokio::task::spawn_blocking(move || checked.check_with_majority(&shared));
        match request.await.map_err(|_| L1Error::Thread)? {
            Ok(connected) => {
                let client = Arc::into_inner(client).ok_or(L1Error::Thread)?;
                return Ok((client, connected));
            }
            Err(error) if error.is_silence() => {
                let seconds = pause.as_secs();
                tracing::warn!(%error, "L1 request failed, retrying in {seconds} s");
                tokio::time::sleep(pause).await;
                // Bound the backoff, so that the node notices within ten seconds that L1 has
                // recovered.
                pause = (pause * 2).min(MAX_RETRY_INTERVAL);
            }
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn open_chain(config: &Config, deployment: &Deployment) -> Result<Chain, RollupError> {
    let rules = ChainConfig::new(spec_of(&deployment.genesis.config))
        .with_cryptography(crypto::libraries());
    match &config.data_dir {
        None => Ok(Chain::new(&deployment.genesis, rules)?),
        Some(folder) => Ok(disk::open_chain(folder, &deployment.genesis, rules)?),
    }
}
