//! Requests to the rollup's contracts on L1.

use crate::{
    Duties, RollupRules,
    l1::{L1Client, L1Error, is_revert_response},
};
use alloy_eips::BlockId;
use alloy_primitives::{Address, B256};
use alloy_provider::RootProvider;
use client::Excerpt;
use contracts::{
    Deployment, L1_ANCHOR, L2_ACCOUNTS, L2_MESSENGER, Verification,
    bindings::{IForcedInbox, IHybridSequencing, IL1MessageQueue, INativeRollup, ISequencing},
};
use execute::EXECUTE_ADDRESS;
use rpc_types::{
    API_VERSION, Contracts, Execute, ForcedRules, ForkMode, Guardian, MessageRules,
    PreconfirmationTerms, RollupConfig, Rules,
};

/// Time reserved for the claim of an exit, in seconds, as in `RollupRules`.
const CLAIM_TIME: u64 = 86_400;

/// Requests the parameters of a deployed rollup, and compares it with the deployment file.
///
/// # Errors
///
/// [`L1Error::OtherL1`] or [`L1Error::OtherRollup`] if they differ, and errors of the
/// requests.
pub(crate) fn rules(client: &L1Client, deployment: &Deployment) -> Result<RollupRules, L1Error> {
    let (got, expected) = (client.chain_id()?, deployment.l1_chain_id);
    if got != expected {
        return Err(L1Error::OtherL1 { got, expected });
    }
    let (rollup, forced) = (deployment.rollup, deployment.forced);
    let provider = client.inner().provider().clone();
    let (rules, chain_id, message_queue, forced_inbox) = client.wait(async move {
        let contract = INativeRollup::new(rollup, &provider);
        let queue = IForcedInbox::new(forced, &provider);
        let rules = RollupRules {
            max_lag: contract.MAX_LAG().call().await?,
            open_after: contract.OPEN_AFTER().call().await?,
            relay_deadline: contract.RELAY_DEADLINE().call().await?,
            forced_delay: queue.DELAY().call().await?,
            forced_grace: queue.GRACE().call().await?,
            forced_expiry: queue.EXPIRY().call().await?,
        };
        let chain_id = contract.CHAIN_ID().call().await?;
        let (message_queue, forced) =
            (contract.MESSAGE_QUEUE().call().await?, contract.FORCED().call().await?);
        Ok::<_, alloy_contract::Error>((rules, chain_id, message_queue, forced))
    })?;
    let differs = |what: &str, got: String, expected: String| L1Error::OtherRollup {
        rollup,
        reason: format!("{what} is {got}, but the deployment has {expected}"),
    };
    // Otherwise a node with the deployment file of another rollup would follow the wrong rollup.
    if chain_id != deployment.l2_chain_id {
        let expected = deployment.l2_chain_id.to_string();
        return Err(differs("the L2's chain id", chain_id.to_string(), expected));
    }
    for (what, got, expected) in [
        ("the message queue", message_queue, deployment.message_queue),
        ("the forced inbox", forced_inbox, forced),
    ] {
        if got != expected {
            return Err(differs(what, got.to_string(), expected.to_string()));
        }
    }
    Ok(rules)
}

/// Returns `None` if the contract has no such function. Other error responses, such as that of a
/// rate limit, are errors.
pub(crate) async fn if_present<T>(
    call: impl Future<Output = Result<T, alloy_contract::Error>>,
) -> Result<Option<T>, alloy_contract::Error> {
    use alloy_contract::Error;
    match call.await {
        Ok(value) => Ok(Some(value)),
        Err(Error::ZeroData(..) | Error::AbiError(_)) => Ok(None),
        Err(Error::TransportError(error)) if is_revert_response(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Requests the data of [`rollup_config`](RollupConfig) for a rollup whose [`rules`] have been
/// checked, and a node with this domain of preconfirmations. The caller sets the client version and
/// EXECUTE's schedule.
pub(crate) fn config(
    client: &L1Client,
    deployment: &Deployment,
    rules: &RollupRules,
    domain: Address,
) -> Result<RollupConfig, L1Error> {
    let &Deployment { rollup, message_queue, forced, .. } = deployment;
    let provider = client.inner().provider().clone();
    let max_lag = rules.max_lag;
    let facts = client.wait(async move {
        let contract = INativeRollup::new(rollup, &provider);
        // Sequentially, these requests would take seconds with a remote L1.
        let calls = (contract.FORK_MODE(), contract.UPGRADE_DELAY(), contract.STATE_ROOTS());
        let own = async { tokio::try_join!(calls.0.call(), calls.1.call(), calls.2.call()) };
        tokio::try_join!(
            own,
            request_changeable_terms(&provider, rollup, max_lag, domain),
            forced_rules(&provider, forced),
            message_rules(&provider, message_queue)
        )
    })?;
    let ((fork_mode, upgrade_delay, state_roots), changeable, forced_rules, messages) = facts;
    let ChangeableTerms { owner, policy, preconfirmations } = changeable;
    let (messages, guardian) = messages;
    let present = |address: Address| (!address.is_zero()).then_some(address);
    let exit_time = [
        forced_rules.delay,
        forced_rules.grace,
        rules.max_lag,
        // `open_after` counts twice: for a silent sequencer, and for a block that processes only
        // older entries.
        rules.open_after,
        rules.open_after,
        CLAIM_TIME,
        guardian.pause,
    ];
    Ok(RollupConfig {
        api: API_VERSION.into(),
        client_version: String::new(),
        l1_chain_id: deployment.l1_chain_id,
        l2_chain_id: deployment.l2_chain_id,
        l1_block: deployment.l1_block,
        genesis_hash: deployment.genesis_hash,
        genesis_state_root: deployment.genesis_state_root,
        contracts: Contracts {
            rollup,
            message_queue,
            forced,
            exit: present(deployment.exit),
            policy,
            l1_bridge: present(deployment.l1_bridge),
            l2_messenger: L2_MESSENGER,
            l2_anchor: L1_ANCHOR,
            l2_accounts: L2_ACCOUNTS,
            l2_bridge: present(deployment.l2_bridge),
        },
        rules: Rules {
            fork_mode: match fork_mode {
                INativeRollup::ForkMode::Follow => ForkMode::Follow,
                INativeRollup::ForkMode::Registry => ForkMode::Registry,
                INativeRollup::ForkMode::Pinned => ForkMode::Pinned,
                _ => ForkMode::Unknown,
            },
            max_lag: rules.max_lag,
            open_after: rules.open_after,
            relay_deadline: rules.relay_deadline,
            upgrade_delay,
            exit_time: exit_time.into_iter().fold(0, u64::saturating_add),
            state_roots,
            forced: forced_rules,
            messages,
        },
        owner,
        guardian: present(guardian.account).map(|account| Guardian {
            account,
            pause: guardian.pause,
            limit: guardian.limit,
        }),
        preconfirmations,
        verification: match deployment.verification {
            Verification::Native => rpc_types::Verification::Native,
            Verification::Verified => rpc_types::Verification::Verified,
        },
        execute: Execute {
            address: EXECUTE_ADDRESS,
            schedule: String::new(),
            market: false,
            blobs: false,
        },
    })
}

/// Parameters that the owner of a rollup can change.
#[derive(Debug)]
pub(crate) struct ChangeableTerms {
    pub(crate) owner: Option<Address>,
    pub(crate) policy: Option<Address>,
    pub(crate) preconfirmations: Option<PreconfirmationTerms>,
}

/// Requests the changeable parameters of a rollup with this maximum lag.
pub(crate) fn changeable_terms(
    client: &L1Client,
    rollup: Address,
    max_lag: u64,
    domain: Address,
) -> Result<ChangeableTerms, L1Error> {
    let provider = client.inner().provider().clone();
    let request = async move { request_changeable_terms(&provider, rollup, max_lag, domain).await };
    Ok(client.wait(request)?)
}

async fn request_changeable_terms(
    provider: &RootProvider,
    rollup: Address,
    max_lag: u64,
    domain: Address,
) -> Result<ChangeableTerms, alloy_contract::Error> {
    let contract = INativeRollup::new(rollup, provider);
    let (owner, policy) = (contract.owner(), contract.policy());
    let (owner, policy) = tokio::try_join!(owner.call(), policy.call())?;
    let present = |address: Address| (!address.is_zero()).then_some(address);
    let preconfirmations = match present(policy) {
        Some(policy) => preconfirmation_terms(provider, policy, max_lag, domain).await?,
        None => None,
    };
    Ok(ChangeableTerms { owner: present(owner), policy: present(policy), preconfirmations })
}

/// Requests the terms of a policy; `None` if it has no timeout, since it then lets any account
/// advance at any time.
async fn preconfirmation_terms(
    provider: &RootProvider,
    policy: Address,
    max_lag: u64,
    domain: Address,
) -> Result<Option<PreconfirmationTerms>, alloy_contract::Error> {
    // Policies without a bond or without `post` lack some of the functions.
    let policy = IHybridSequencing::new(policy, provider);
    let calls = (policy.TIMEOUT(), policy.BONDS(), policy.MIN_BOND(), policy.POST_DELAY());
    let (timeout, bonds, min_bond, post_delay) = tokio::try_join!(
        if_present(async { calls.0.call().await }),
        if_present(async { calls.1.call().await }),
        if_present(async { calls.2.call().await }),
        if_present(async { calls.3.call().await })
    )?;
    Ok(timeout.map(|timeout| PreconfirmationTerms {
        domain,
        bonds: bonds.filter(|bonds| !bonds.is_zero()),
        min_bond: min_bond.unwrap_or_default(),
        post_within: max_lag / 2,
        post_delay,
        timeout,
    }))
}

async fn forced_rules(
    provider: &RootProvider,
    forced: Address,
) -> Result<ForcedRules, alloy_contract::Error> {
    let inbox = IForcedInbox::new(forced, provider);
    let delays = (inbox.DELAY(), inbox.GRACE(), inbox.EXPIRY());
    let fees = (inbox.FEE_CAP_MARGIN(), inbox.FEE_CAP_FLOOR(), inbox.FEE_PERCENT());
    let limits = (inbox.MAX_SIZE(), inbox.MAX_GAS(), inbox.MAX_BOUNDED_GAS());
    let (delay, grace, expiry, fee_cap_margin, fee_cap_floor, fee_percent, size, gas, bounded) = tokio::try_join!(
        delays.0.call(),
        delays.1.call(),
        delays.2.call(),
        fees.0.call(),
        fees.1.call(),
        fees.2.call(),
        limits.0.call(),
        limits.1.call(),
        limits.2.call()
    )?;
    Ok(ForcedRules {
        delay,
        grace,
        expiry,
        fee_cap_margin,
        fee_cap_floor,
        fee_percent,
        max_size: size,
        max_gas: gas,
        max_bounded_gas: bounded,
    })
}

async fn message_rules(
    provider: &RootProvider,
    message_queue: Address,
) -> Result<(MessageRules, IL1MessageQueue::Guardian), alloy_contract::Error> {
    let queue = IL1MessageQueue::new(message_queue, provider);
    let calls = (queue.MAX_GAS(), queue.MAX_DATA(), queue.FEE_PERCENT(), queue.guardian());
    let (max_gas, max_data, fee_percent, guardian) =
        tokio::try_join!(calls.0.call(), calls.1.call(), calls.2.call(), calls.3.call())?;
    Ok((MessageRules { max_gas, max_data, fee_percent }, guardian))
}

/// Requests the state of the duties at the L1 block with this hash from a node. Unverified: with a
/// false state a sequencer sends a transaction that fails.
pub(crate) async fn duties(
    provider: RootProvider,
    rollup: Address,
    at: B256,
) -> Result<Duties, L1Error> {
    let duties = INativeRollup::new(rollup, &provider).duties().block(at.into()).call().await?;
    Ok(Duties {
        relayed: duties.relayed,
        relay_due: duties.relayDue,
        forced_next: duties.forcedNext,
        forced_due: duties.forcedDue,
        forced_first_since: duties.forcedFirstSince,
    })
}

/// Conditions under which L1 accepts blocks of an account.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    account: Address,
    /// L1 timestamp from which anyone may advance; 0 without a policy.
    open_at: u64,
    /// Number of the L1 block in the anchor of the rollup's head. The next anchor must not name an
    /// earlier one.
    pub(crate) anchor_number: u64,
    /// Fee recipient that the policy requires, or its reason for rejecting the account.
    policy: Result<Option<Address>, String>,
}

impl PartialEq for Admission {
    fn eq(&self, other: &Self) -> bool {
        // Ignores the reason of a rejection, because its text differs between L1 clients.
        let policy = |admission: &Self| admission.policy.as_ref().ok().copied();
        self.account == other.account
            && self.open_at == other.open_at
            && self.anchor_number == other.anchor_number
            && policy(self) == policy(other)
    }
}

impl Admission {
    /// Returns `true` if the policy allows the account to advance, or there is none; `false` if the
    /// account may advance only while the rollup is open to anyone.
    pub(crate) const fn is_by_policy(&self) -> bool {
        self.policy.is_ok()
    }

    /// Returns `true` if the rollup has no policy, so that any account may advance at any time.
    pub(crate) const fn is_open_to_all(&self) -> bool {
        self.open_at == 0
    }

    /// Returns the fee recipient that the policy requires of the account's blocks, if it allows the
    /// account and requires one.
    pub(crate) fn required_recipient(&self) -> Option<Address> {
        self.policy.as_ref().ok().copied().flatten()
    }

    /// Returns the fee recipient of a block that L1 accepts at this time, if the policy requires
    /// one. While the rollup is open to anyone, L1 accepts any. The policy's is required again
    /// after the first block, so blocks have it all the time.
    ///
    /// # Errors
    ///
    /// [`L1Error::NotAuthorized`] if L1 would reject the account's blocks.
    pub(crate) fn fee_recipient(&self, l1_time: u64) -> Result<Option<Address>, L1Error> {
        match &self.policy {
            Ok(recipient) => Ok(*recipient),
            // Overdue duties open the rollup too. This is not checked here, so an account that may
            // advance only for that reason waits until `open_at`.
            Err(_) if l1_time >= self.open_at => Ok(None),
            Err(reason) => {
                Err(L1Error::NotAuthorized { account: self.account, reason: reason.clone() })
            }
        }
    }
}

/// Requests the target of the blocks' gas limit at an L1 block from a node. Unverified, as
/// [`duties`].
pub(crate) async fn gas_target(
    provider: RootProvider,
    rollup: Address,
    at: BlockId,
) -> Result<u64, L1Error> {
    let limits = INativeRollup::new(rollup, &provider).gasLimits().block(at).call().await?;
    Ok(limits.target)
}

/// Requests the conditions for this account at an L1 block from a node.
pub(crate) async fn admission(
    provider: RootProvider,
    rollup: Address,
    account: Address,
    rules: RollupRules,
    at: BlockId,
) -> Result<Admission, L1Error> {
    let contract = INativeRollup::new(rollup, &provider);
    let (policy, head) = (contract.policy().block(at), contract.head().block(at));
    let (policy, head) = (async { policy.call().await }, async { head.call().await });
    let (policy, head) = tokio::try_join!(policy, head)?;
    let anchor_number = head.anchorNumber;
    // Without a policy anyone may advance at any time.
    if policy.is_zero() {
        return Ok(Admission { account, open_at: 0, anchor_number, policy: Ok(None) });
    }
    let open_at = head.timestamp.saturating_add(rules.open_after);
    let policy = ISequencing::new(policy, &provider);
    let result = policy.authorize(account, head.timestamp).block(at).call().await;
    let policy = match result {
        Ok(recipient) => Ok(Some(recipient).filter(|recipient| !recipient.is_zero())),
        // A revert is the policy's rejection. Other errors are failures of the request, which the
        // caller retries.
        Err(alloy_contract::Error::TransportError(error)) if is_revert_response(&error) => {
            Err(Excerpt::new(error).to_string())
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Admission { account, open_at, anchor_number, policy })
}
