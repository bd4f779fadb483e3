//! Checks of a configuration against L1, for mistakes that do not prevent a start but later
//! operation.
//!
//! [`RollupNode::start`](crate::RollupNode::start) runs them, fails on permanent errors and logs
//! warnings for the others; `enshrine node --check` prints all results.

use crate::{
    Config, L1Client, L1Error, L1Profile, L1Provider as _, Role, RollupError, RollupRules,
    SequencerConfig, Signer, SignerError,
    check::{Check, CheckOutcome},
    l1::{
        BeaconFacts, BlobClient, Quorum,
        fork_schedule::{Difference, L1Schedule},
        profile, rollup_contracts,
    },
    service::error::ServiceError,
    status::bounded_text,
};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, U256};
use alloy_provider::Provider as _;
use alloy_rpc_types_eth::Filter;
use chain::spec_of;
use contracts::{Deployment, GenesisFinding};

/// Maximum number of genesis findings that a check lists.
const MAX_FINDINGS: usize = 8;

/// Checks a configuration without starting a node. Blocks the thread during requests to L1.
///
/// # Errors
///
/// [`RollupError`] if L1 does not respond, if the deployment cannot be read or belongs to another
/// L1, or if L1 has other prices of EXECUTE. In these cases no further check is possible.
pub fn preflight(config: &Config) -> Result<Vec<Check>, RollupError> {
    let deployment = Deployment::read(&config.deployment).map_err(ServiceError::from)?;
    let client = L1Client::new(&config.l1, config.l1_timeout)?;
    let rules = rollup_contracts::rules(&client, &deployment)?;
    let rollup = format!("chain {}, rollup {}", deployment.l1_chain_id, deployment.rollup);
    let mut checks = vec![
        genesis(config, &deployment),
        Check::passed("L1", rollup, "the L1 and the contracts of the deployment file"),
    ];
    let (forks, _) = forks(&client, &deployment)?;
    // The price check uses the gas rules of L1's fork, so the fork must be known.
    if forks.verdict != CheckOutcome::Refused {
        let profile = L1Profile::new(config, &deployment).within(profile::block_gas(&client)?);
        profile.check(&client, &deployment)?;
        let (got, expected) = (profile.execute.to_string(), "the schedule of this L1");
        checks.push(Check::passed("prices of EXECUTE", got, expected));
    }
    checks.push(forks);
    checks.extend(of_l1(&client, &deployment, &rules, sequencing(config))?);
    if !config.l1_beacon.is_empty() {
        let blobs = BlobClient::new(&config.l1_beacon, config.l1_timeout)?;
        checks.extend(of_beacon(&client, &deployment, &blobs)?);
    }
    Ok(checks)
}

/// Returns the sequencer configuration of a sequencer, or of a follower that can be promoted.
pub(crate) fn sequencing(config: &Config) -> Option<&SequencerConfig> {
    match &config.role {
        Role::Sequencer(sequencing) => Some(sequencing),
        Role::Follower { .. } => config.standby.as_deref(),
    }
}

/// Checks a deployment against L1, and the keys of a sequencer.
pub(crate) fn of_l1(
    client: &L1Client,
    deployment: &Deployment,
    rules: &RollupRules,
    sequencing: Option<&SequencerConfig>,
) -> Result<Vec<Check>, L1Error> {
    let mut checks = vec![first_block(client, deployment)?];
    if let Some(SequencerConfig { advance_key, operator_key, .. }) = sequencing {
        checks.extend(remote_signer("signer of the advance key", advance_key));
        checks.extend(remote_signer("signer of the operator key", operator_key));
        let (advance, operator) = (advance_key.address(), operator_key.address());
        checks.push(keys(client, deployment, rules, advance, operator)?);
        checks.push(float(client, advance, operator)?);
    }
    Ok(checks)
}

/// Checks that the genesis state has the protocol contracts of this node, and no ETH or code beyond
/// what the configuration allows, whose owner could drain the escrow on L1 with valid claims.
pub(crate) fn genesis(config: &Config, deployment: &Deployment) -> Check {
    let (name, expected) =
        ("genesis state", "the accounts of a new L2, and those that are allowed");
    let genesis = &deployment.genesis;
    let findings = contracts::check_genesis(genesis, &config.genesis_allowance);
    let has_protocol = findings.iter().any(GenesisFinding::is_protocol);
    let is_foreign = |finding: &GenesisFinding| !finding.is_protocol();
    let (verdict, advice) = if findings.iter().any(GenesisFinding::is_fatal) {
        (CheckOutcome::Refused, "redeploy the L2 with a genesis without this storage")
    } else if has_protocol && !config.allow_altered_genesis {
        let advice = "such an L2 can drain the escrow on L1; use --allow-altered-genesis to follow it nevertheless";
        (CheckOutcome::Refused, advice)
    } else if findings.iter().any(is_foreign) {
        let advice = "ask the deployers what these accounts are for and what backs them on L1; `enshrine verify` lists \
                      all of them";
        (CheckOutcome::Refused, advice)
    } else if has_protocol {
        let advice = "such an L2 can drain the escrow on L1: the node only starts with --allow-altered-genesis";
        (CheckOutcome::Warning, advice)
    } else {
        let (accounts, ether) = (genesis.alloc.len(), contracts::allocated_ether(genesis));
        let got = format!("{accounts} accounts, {ether} wei outside L2Messenger");
        return Check::passed(name, got, expected);
    };
    let mut got: Vec<_> = findings.iter().take(MAX_FINDINGS).map(ToString::to_string).collect();
    if findings.len() > MAX_FINDINGS {
        got.push(format!("and {} more", findings.len() - MAX_FINDINGS));
    }
    Check::passed(name, got.join("; "), expected).with(verdict, advice)
}

/// Checks that the L2 genesis has the fork schedule of L1, and returns the first difference.
pub(crate) fn forks(
    client: &L1Client,
    deployment: &Deployment,
) -> Result<(Check, Option<Difference>), L1Error> {
    let (name, expected) = ("fork schedule", "the forks of L1, at the same times");
    let Some(schedule) = L1Schedule::of(client)? else {
        let got = "L1 does not support eth_config".to_owned();
        return Ok((Check::passed(name, got, expected), None));
    };
    let spec = spec_of(&deployment.genesis.config);
    let Some(difference) = schedule.difference(&spec, deployment.genesis.timestamp) else {
        let forks = spec.fork_times().into_iter();
        let forks: Vec<_> = forks.map(|(fork, time)| format!("{fork}@{time}")).collect();
        return Ok((Check::passed(name, forks.join(","), expected), None));
    };
    let time = client.header(BlockNumberOrTag::Latest)?.map_or(0, |head| head.header.timestamp);
    let check = Check::passed(name, difference.to_string(), expected);
    let check = match difference.at() <= time {
        true => check.with(
            CheckOutcome::Refused,
            "L1 rejects all blocks from then on: give the genesis of the deployment file the fork of L1 (such as \
             `amsterdamTime` in `config`), with a node that knows it",
        ),
        false => check.with(
            CheckOutcome::Warning,
            "no block is made from then on: give the genesis of the deployment file the fork of L1 (such as \
             `amsterdamTime` in `config`) and restart the node, or update it if it does not know the fork",
        ),
    };
    Ok((check, Some(difference)))
}

/// Checks that the contracts have no logs before the first L1 block that a node reads. If it missed
/// a message, for example, it would reject each block that relays later messages.
fn first_block(client: &L1Client, deployment: &Deployment) -> Result<Check, L1Error> {
    const ADVICE: &str = "set `l1Block` of the deployment file to the L1 block of the deployment";
    let &Deployment { l1_block, rollup, message_queue, forced, .. } = deployment;
    let name = "first L1 block";
    let expected = "no log of the contracts before it";
    let head = client.header(BlockNumberOrTag::Latest)?.map_or(0, |read| read.header.number);
    if l1_block > head {
        let check = Check::passed(name, format!("block {l1_block}, L1 is at {head}"), expected);
        let advice = "wait until the L1 node has synced, or set `l1Block` of the deployment file to the L1 block of the \
                      deployment";
        return Ok(check.with(CheckOutcome::Warning, advice));
    }
    let Some(before) = l1_block.checked_sub(1) else {
        return Ok(Check::passed(name, "block 0".to_owned(), expected));
    };
    let filter = Filter::new().address(vec![rollup, message_queue, forced]);
    let filter = filter.from_block(0).to_block(before);
    let provider = client.inner().provider().clone();
    let logs = client.wait(async move { provider.get_logs(&filter).await });
    Ok(match logs {
        Ok(logs) => match logs.iter().filter_map(|log| log.block_number).min() {
            None => Check::passed(name, format!("block {l1_block}"), expected),
            Some(first) => {
                let got = format!("block {l1_block}, but they have logs from block {first} on");
                Check::passed(name, got, expected).with(CheckOutcome::Refused, ADVICE)
            }
        },
        // Public nodes limit the block range of `eth_getLogs`.
        Err(error) if error.as_error_resp().is_some() => {
            let got = format!("block {l1_block}, but L1 rejects the search: {error}");
            let advice =
                "compare `l1Block` of the deployment file with the block of the deployment";
            Check::passed(name, got, expected).with(CheckOutcome::Warning, advice)
        }
        Err(error) => return Err(error.into()),
    })
}

/// Decision of a policy on an account; an error is a rejection. The reason is not compared, because
/// its text differs between L1 clients.
struct Decision(Option<L1Error>);

impl PartialEq for Decision {
    fn eq(&self, other: &Self) -> bool {
        self.0.is_some() == other.0.is_some()
    }
}

/// Checks that the rollup's sequencing policy admits the `advance` account, and that the two keys
/// are not swapped.
fn keys(
    client: &L1Client,
    deployment: &Deployment,
    rules: &RollupRules,
    advance: Address,
    operator: Address,
) -> Result<Check, L1Error> {
    let name = "sequencing policy";
    let head = client.header(BlockNumberOrTag::Latest)?;
    let time = head.map_or(0, |read| read.header.timestamp);
    let refusal = |account| {
        let latest = BlockNumberOrTag::Latest.into();
        let (rollup, rules) = (deployment.rollup, *rules);
        // Only the decision is compared, because nodes may be at different blocks.
        let decided = client.majority(Quorum::Responding, |provider| async move {
            let admission =
                rollup_contracts::admission(provider, rollup, account, rules, latest).await?;
            Ok::<_, L1Error>(Decision(admission.fee_recipient(time).err()))
        });
        match decided?.0 {
            None => Ok(None),
            Some(L1Error::NotAuthorized { reason, .. }) => Ok(Some(reason)),
            Some(error) => Err(error),
        }
    };
    let expected = format!("admission of the advance key's account {advance}");
    let Some(reason) = refusal(advance)? else {
        return Ok(Check::passed(name, format!("{advance} is admitted"), expected));
    };
    if advance != operator && refusal(operator)?.is_none() {
        let got = format!("{operator}, the account of the operator key, is admitted");
        let check = Check::passed(name, got, expected);
        return Ok(check.with(CheckOutcome::Refused, "exchange --advance-key and --operator-key"));
    }
    let check = Check::passed(name, format!("{advance} is not admitted now: {reason}"), expected);
    let advice = "wait for its turn, or use the key of the account that the policy admits";
    Ok(check.with(CheckOutcome::Warning, advice))
}

/// Checks that a remote signer responds and has the key; `None` for a local key.
fn remote_signer(name: &'static str, key: &Signer) -> Option<Check> {
    let expected = format!("a Web3Signer with the key of {}", key.address());
    Some(match key.ask_remote()? {
        Ok(public_key) => Check::passed(name, format!("public key {public_key}"), expected),
        Err(error @ SignerError::NoKey { .. }) => {
            let advice = "load the key into the signer, or correct the address";
            Check::passed(name, error.to_string(), expected).with(CheckOutcome::Refused, advice)
        }
        Err(error) => {
            let advice = "start the signer, or correct its URL";
            Check::passed(name, error.to_string(), expected).with(CheckOutcome::Warning, advice)
        }
    })
}

/// Checks that the `advance` account has ether on L1.
fn float(client: &L1Client, advance: Address, operator: Address) -> Result<Check, L1Error> {
    let balance = |account| {
        let provider = client.inner().provider().clone();
        client.wait(async move { provider.get_balance(account).await }).map_err(L1Error::from)
    };
    let (name, expected) = ("float on L1", "ether to pay for posting");
    let found = balance(advance)?;
    let check = Check::passed(name, format!("{advance} has {found} wei"), expected);
    if !found.is_zero() {
        return Ok(check);
    }
    let advice = match advance != operator && balance(operator)? > U256::ZERO {
        true => {
            "exchange --advance-key and --operator-key if they are swapped (the other account has ether on \
                 L1), or send ether to this one"
        }
        false => "send ether to it: no blocks are posted without it",
    };
    Ok(check.with(CheckOutcome::Warning, advice))
}

/// Checks that the consensus clients belong to this L1.
pub(crate) fn of_beacon(
    client: &L1Client,
    deployment: &Deployment,
    blobs: &BlobClient,
) -> Result<Vec<Check>, L1Error> {
    let name = "consensus client";
    let Some(head) = client.header(BlockNumberOrTag::Latest)? else { return Ok(Vec::new()) };
    let (time, chain) = (head.header.timestamp, deployment.l1_chain_id);
    let expected = format!("chain {chain}, with a slot that starts at {time} s, as L1's head does");
    let facts = blobs.facts();
    let is_other = |facts: &BeaconFacts| facts.chain_id.is_some_and(|got| got != chain);
    // A client of another L1 is a permanent mistake, but if there are others it only reduces the
    // number of sources of blobs.
    let has_none = facts.iter().all(|(_, facts)| facts.as_ref().is_ok_and(is_other));
    let checks = facts.into_iter().map(|(url, facts)| match facts {
        Err(error) => {
            let check = Check::passed(name, format!("{url}: {error}"), expected.clone());
            let advice = "blocks in blobs cannot be read until it responds; check --l1-beacon";
            check.with(CheckOutcome::Warning, advice)
        }
        Ok(facts) => {
            let of_chain = facts.chain_id.map_or_else(String::new, |id| format!(", of chain {id}"));
            let got = format!(
                "{url}: slots of {} s from {} on{of_chain}",
                facts.seconds_per_slot, facts.genesis_time
            );
            let check = Check::passed(name, got, expected.clone());
            let since = time.checked_sub(facts.genesis_time);
            let is_aligned = since.is_some_and(|since| since % facts.seconds_per_slot == 0);
            if is_other(&facts) {
                let verdict = if has_none { CheckOutcome::Refused } else { CheckOutcome::Warning };
                let advice =
                    "it belongs to another L1: give --l1-beacon the URL of a consensus client of this one";
                return check.with(verdict, advice);
            }
            match is_aligned {
                true => check,
                // The client's response may be wrong. It is requested again if a blob cannot be
                // found.
                false => check.with(
                    CheckOutcome::Warning,
                    "blocks in blobs cannot be found by these slots; check --l1-beacon",
                ),
            }
        }
    });
    Ok(checks.collect())
}

/// Returns the texts of the checks that did not pass, including those that would prevent a start,
/// since they may also fail while the node runs.
pub(crate) fn warnings(checks: &[Check]) -> Vec<String> {
    let warnings = checks.iter().filter(|check| check.verdict != CheckOutcome::Passed);
    warnings.map(bounded_text).collect()
}

/// Logs the warnings, and fails with the first check that prevents a start.
pub(crate) fn require_passed(checks: &[Check]) -> Result<(), ServiceError> {
    for check in checks {
        match check.verdict {
            CheckOutcome::Passed => {}
            CheckOutcome::Warning => tracing::warn!(%check, "preflight check failed"),
            CheckOutcome::Refused => return Err(ServiceError::Preflight(Box::new(check.clone()))),
        }
    }
    Ok(())
}
