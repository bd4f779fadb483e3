//! Blocks posted through other contracts.

use crate::support::{DevnetRollup, provider_of, refusal, signed, submit, until_status};
use alloy_primitives::{Address, Bytes, U256};
use alloy_provider::{Provider, ext::AnvilApi as _};
use alloy_sol_types::{SolCall as _, SolValue as _};
use contracts::{
    Deployment,
    bindings::INativeRollup::{Evidence, advanceCall},
};
use enshrine_rollup::{Role, RollupNode};
use eyre::{Result, ensure};
use std::time::Duration;
use testkit::{ETHER, Key, Proxy, rich};

/// Bytecode that copies the calldata into memory.
const COPY: [u8; 4] = [0x36, 0x5f, 0x5f, 0x37];
/// Bytecode that inverts all bits of the copied calldata, word by word.
const HIDE: [u8; 17] = [
    0x5f, 0x5b, 0x80, 0x51, 0x19, 0x81, 0x52, 0x60, 0x20, 0x01, 0x80, 0x36, 0x11, 0x60, 0x05, 0x57,
    0x50,
];

/// Code of a contract that calls the rollup with its calldata after `change`, and reverts if the
/// call fails.
fn forwarder(contract: Address, change: &[u8]) -> Bytes {
    let mut code =
        [&COPY, change, &[0x5f, 0x5f, 0x36, 0x5f, 0x5f, 0x73], contract.as_slice()].concat();
    code.extend([0x5a, 0xf1, 0x60]);
    let end = u8::try_from(code.len() + 5).unwrap_or(u8::MAX);
    code.extend([end, 0x57, 0x5f, 0x5f, 0xfd, 0x5b, 0x00]);
    code.into()
}

/// Has the sequencer, which posts nothing itself, seal a block and returns its input.
pub(crate) async fn next_input(sequencer: &RollupNode) -> Result<Bytes> {
    let l2 = provider_of(sequencer)?;
    let head = sequencer.status().unsafe_head.number;
    let to = Address::repeat_byte(0xb0);
    submit(&l2, &signed(&l2, &Key::named("alice"), to, 1, Bytes::new(), 21_000).await?).await?;
    until_status("a block", sequencer, |status| status.unsafe_head.number > head).await?;
    let mut inputs: Vec<Bytes> =
        l2.raw_request("rollup_inputsAfter".into(), (format!("{head:#x}"),)).await?;
    ensure!(inputs.len() == 1, "{} blocks", inputs.len());
    Ok(inputs.remove(0))
}

/// Returns the calldata of an `advance` with this input.
pub(crate) fn advance_by(input: Bytes) -> Vec<u8> {
    advanceCall { inputs: vec![input], evidence: Evidence::default() }.abi_encode()
}

/// Returns the calldata of an `advance` whose input precedes the list that points to it. Solidity
/// accepts the negative offset, and ABI decoders do not.
fn advance_before_list(input: &Bytes) -> Vec<u8> {
    let word = |value: U256| value.to_be_bytes::<32>();
    let padding = vec![0; input.len().next_multiple_of(32) - input.len()];
    let list = U256::from(3 * 32 + input.len() + padding.len());
    let evidence = Evidence::default().abi_encode();
    [
        &advanceCall::SELECTOR[..],
        &word(list),
        &word(list + U256::from(2 * 32)),
        &word(U256::from(input.len())),
        input,
        &padding,
        &word(U256::ONE),
        &word(U256::from(2 * 32).wrapping_sub(list + U256::from(32))),
        // Without the offset of an only argument.
        &evidence[32..],
    ]
    .concat()
}

/// Returns the calldata of an `advance` with the sequencer's next block.
async fn next_block(sequencer: &RollupNode) -> Result<Vec<u8>> {
    Ok(advance_by(next_input(sequencer).await?))
}

/// A sequencer that posts nothing itself, and L1 contracts that forward calls to its rollup.
pub(crate) struct Forwarding {
    pub(crate) contract: Address,
    /// Forwards its calldata unchanged.
    pub(crate) plain: Address,
    /// Forwards its calldata with each bit inverted.
    pub(crate) hiding: Address,
    pub(crate) sequencer: RollupNode,
}

impl Forwarding {
    pub(crate) async fn start(rollup: &DevnetRollup) -> Result<Self> {
        let contract = Deployment::read(&rollup.deployment())?.rollup;
        let (plain, hiding) = (Address::repeat_byte(0xf0), Address::repeat_byte(0xf1));
        rollup.provider.anvil_set_code(plain, forwarder(contract, &[])).await?;
        rollup.provider.anvil_set_code(hiding, forwarder(contract, &HIDE)).await?;
        let mut config = rollup.sequencer_config()?;
        config.submit_interval = Duration::from_secs(3_600);
        let config = rollup.config(Role::Sequencer(Box::new(config)));
        Ok(Self { contract, plain, hiding, sequencer: RollupNode::start(config).await? })
    }
}

/// Starts a follower whose L1 node has no namespace `debug`.
pub(crate) async fn without_traces(rollup: &DevnetRollup) -> Result<(Proxy, RollupNode)> {
    let (proxy, config) = rollup.behind_proxy(Role::Follower { sequencer: None })?;
    proxy.intercept(|request| {
        let is_debug = request.contains("\"debug_");
        is_debug.then(|| refusal(request, "the method does not exist"))
    });
    Ok((proxy, RollupNode::start(config).await?))
}

pub(crate) async fn until_safe(follower: &RollupNode, number: u64) -> Result<()> {
    until_status("the follower", follower, |status| status.safe_head.number == number).await
}

/// The receipts of L1 prove the inputs, so its nodes need not trace.
#[tokio::test(flavor = "multi_thread")]
async fn inputs_of_contracts_are_derived_from_logs() -> Result<()> {
    let rollup = DevnetRollup::with(vec![(Key::named("alice").address(), rich(ETHER))]).await?;
    let Forwarding { contract, plain, hiding, sequencer } = Forwarding::start(&rollup).await?;
    let (_proxy, follower) = without_traces(&rollup).await?;
    rollup.l1_call(contract, U256::ZERO, next_block(&sequencer).await?).await?;
    until_safe(&follower, 1).await?;
    rollup.l1_call(plain, U256::ZERO, next_block(&sequencer).await?).await?;
    until_safe(&follower, 2).await?;
    let inverted = next_block(&sequencer).await?.iter().map(|byte| !byte).collect();
    rollup.l1_call(hiding, U256::ZERO, inverted).await?;
    until_safe(&follower, 3).await?;
    assert_eq!(follower.status().safe_head, sequencer.status().unsafe_head);
    for node in [follower, sequencer] {
        node.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_before_their_list_are_derived() -> Result<()> {
    let rollup = DevnetRollup::with(vec![(Key::named("alice").address(), rich(ETHER))]).await?;
    let Forwarding { contract, hiding, sequencer, .. } = Forwarding::start(&rollup).await?;
    let direct = advance_before_list(&next_input(&sequencer).await?);
    rollup.l1_call(contract, U256::ZERO, direct).await?;
    let inverted = advance_before_list(&next_input(&sequencer).await?);
    let inverted = inverted.iter().map(|byte| !byte).collect();
    rollup.l1_call(hiding, U256::ZERO, inverted).await?;
    let follower = rollup.follower(None).await?;
    until_safe(&follower, 2).await?;
    until_safe(&sequencer, 2).await?;
    assert_eq!(follower.status().safe_head, sequencer.status().safe_head);
    for node in [follower, sequencer] {
        node.stop().await;
    }
    Ok(())
}
