//! Parts of a node that are created before its actors.

use crate::{
    Config, L1Client, L1Profile, L1Reader, Role, RollupError,
    l1::{BlobClient, execute_rate::PricedLimits},
    l2::message_index::MessageIndex,
    lease::{Lease, LeaseName},
    service::{
        data_dir::{L1_LOG, MESSAGES},
        node_handle::NodeHandle,
        preflight,
    },
};
use alloy_primitives::B256;
use contracts::Deployment;
use disk::DiskOptions;
use execute::Rules as ExecuteRules;
use node::{Mining, Node, Settings};
use std::sync::Arc;

/// Returns the settings of the L2's chain and pool.
pub(super) fn settings(config: &Config, profile: &L1Profile, shared: &NodeHandle) -> Settings {
    let coinbase = match &config.role {
        Role::Sequencer(sequencing) => sequencing.operator_key.address(),
        Role::Follower { .. } => Default::default(),
    };
    let sequencing = preflight::sequencing(config);
    let prices = sequencing.map(|sequencing| sequencing.prices).unwrap_or_default();
    Settings {
        mining: Mining::Manual,
        coinbase,
        pool_limits: config.pool.clone(),
        history: config.data_dir.as_ref().map(|_| DiskOptions::default().states),
        min_tip: prices.gas,
        suggested_tip: prices.gas.max(1_000_000),
        // A transaction below the base fee could block its nonce indefinitely, so it is rejected
        // while the wallet can still inform the user.
        refuse_below_base_fee: true,
        // Followers have the same limits, because they may be promoted with the transactions in
        // their pool.
        budget: Arc::new(PricedLimits {
            limits: profile.input_limits(prices.byte),
            rate: shared.rate.clone(),
            byte_price: shared.byte_price.clone(),
        }),
        execute_gas: profile.execute,
        // Every verifier would reject a block built on stale state, and L1 would never accept its
        // descendants.
        verify_blocks: Some(ExecuteRules::default()),
        ..Settings::default()
    }
}

/// Creates the lease of this node, if one is configured.
pub(super) fn open_lease(
    config: &mut Config,
    deployment: &Deployment,
    shared: &NodeHandle,
) -> Result<Option<Lease>, RollupError> {
    let Some(config) = config.lease.take() else { return Ok(None) };
    let name = LeaseName::of_rollup(deployment.l1_chain_id, deployment.rollup);
    let lease = Lease::new(name, config)?;
    Ok(Some(shared.lease.get_or_init(|| lease).clone()))
}

/// Creates the reader of L1, and opens its files and the index of messages if the node has a data
/// directory.
pub(super) fn open_reader(
    config: &Config,
    deployment: &Deployment,
    (client, blobs): (L1Client, Option<BlobClient>),
    node: &Node,
    shared: &NodeHandle,
) -> Result<L1Reader, RollupError> {
    let reader = L1Reader::new(client, deployment.clone()).with_blobs(blobs);
    let Some(folder) = &config.data_dir else { return Ok(reader) };
    let chain = node.read(|node| node.chain.reader().clone());
    // After an error the block counts as unknown, so L1 is read again, which is slower but correct.
    let is_known = |hash: &B256| chain.find_block(hash).is_ok_and(|found| found.is_some());
    let reader =
        reader.with_first(chain.first_number()).with_log(&folder.join(L1_LOG), &is_known)?;
    reader.posted().into_iter().for_each(|posted| shared.costs.open(Arc::clone(posted)));
    *shared.messages.lock() = MessageIndex::open(&folder.join(MESSAGES), &chain);
    Ok(reader)
}
