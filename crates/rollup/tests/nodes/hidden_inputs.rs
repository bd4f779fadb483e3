//! Blocks posted through other contracts, and nodes whose L1 has no `debug_traceTransaction`.

use crate::{
    several_l1::behind,
    support::{DevnetRollup, provider_of, refusal, signed, submit, until_fault, until_status},
};
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
use testkit::{ETHER, Key, Proxy, id_of, rich};

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

/// Starts a follower whose L1 node has no `debug_traceTransaction`.
pub(crate) async fn without_traces(
    rollup: &DevnetRollup,
    sequencer: Option<String>,
) -> Result<(Proxy, RollupNode)> {
    let (proxy, config) = rollup.behind_proxy(Role::Follower { sequencer })?;
    proxy.intercept(|request| {
        let is_trace = request.contains("debug_traceTransaction");
        is_trace.then(|| refusal(request, "the method debug_traceTransaction does not exist"))
    });
    Ok((proxy, RollupNode::start(config).await?))
}

pub(crate) async fn until_safe(follower: &RollupNode, number: u64) -> Result<()> {
    until_status("the follower", follower, |status| status.safe_head.number == number).await
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_traces_of_one_node_stop_nothing() -> Result<()> {
    let rollup = DevnetRollup::with(vec![(Key::named("alice").address(), rich(ETHER))]).await?;
    let Forwarding { hiding, sequencer, .. } = Forwarding::start(&rollup).await?;
    let hidden = next_block(&sequencer).await?.iter().map(|byte| !byte).collect();
    rollup.l1_call(hiding, U256::ZERO, hidden).await?;
    let missing = |request: &str| refusal(request, "the method debug_traceTransaction is missing");
    let empty = |request: &str| {
        let (id, zero) = (id_of(request), Address::ZERO);
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"type":"CALL","from":"{zero}","gas":"0x0","gasUsed":"0x0","input":"0x"}}}}"#
        )
    };
    for wrong in [missing as fn(&str) -> String, empty] {
        let (proxies, config) = behind(&rollup, 3, Role::Follower { sequencer: None })?;
        // The node in use from the start on.
        proxies[0].intercept(move |request| {
            request.contains("debug_traceTransaction").then(|| wrong(request))
        });
        let follower = RollupNode::start(config).await?;
        until_safe(&follower, 1).await?;
        follower.stop().await;
    }
    sequencer.stop().await;
    Ok(())
}

/// A follower searches the calldata first, then the sequencer's feed, then a trace.
#[tokio::test(flavor = "multi_thread")]
async fn forwarded_advances_are_found_in_calldata_or_traces() -> Result<()> {
    let rollup = DevnetRollup::with(vec![(Key::named("alice").address(), rich(ETHER))]).await?;
    let Forwarding { plain, hiding, sequencer, .. } = Forwarding::start(&rollup).await?;
    let feed = format!("ws://{}", sequencer.server().addresses()[0]);

    // Forwarded unchanged, the input is in the calldata of the transaction.
    let advance = next_block(&sequencer).await?;
    rollup.l1_call(plain, U256::ZERO, advance).await?;
    let (_blind_proxy, blind) = without_traces(&rollup, None).await?;
    until_safe(&blind, 1).await?;

    // An inverted input is not in the calldata. A follower with the sequencer's feed does not need
    // it, and another one finds it in a trace.
    let hidden = next_block(&sequencer).await?.iter().map(|byte| !byte).collect();
    rollup.l1_call(hiding, U256::ZERO, hidden).await?;
    let (_fed_proxy, fed) = without_traces(&rollup, Some(feed)).await?;
    until_safe(&fed, 2).await?;
    let tracing = rollup.follower(None).await?;
    until_safe(&tracing, 2).await?;
    until_fault(&blind, "debug_traceTransaction").await?;
    assert_eq!(blind.status().safe_head.number, 1);
    let head = sequencer.status().unsafe_head;
    assert_eq!((fed.status().safe_head, tracing.status().safe_head), (head, head));
    for node in [blind, fed, tracing, sequencer] {
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
    let hidden = advance_before_list(&next_input(&sequencer).await?);
    let hidden = hidden.iter().map(|byte| !byte).collect();
    rollup.l1_call(hiding, U256::ZERO, hidden).await?;
    let follower = rollup.follower(None).await?;
    until_safe(&follower, 2).await?;
    until_safe(&sequencer, 2).await?;
    assert_eq!(follower.status().safe_head, sequencer.status().safe_head);
    for node in [follower, sequencer] {
        node.stop().await;
    }
    Ok(())
}

/// Code that calls itself as often as its calldata says, one call within the other.
const NEST: [u8; 24] = [
    0x5f, 0x35, 0x80, 0x15, 0x60, 0x16, 0x57, 0x60, 0x01, 0x90, 0x03, 0x5f, 0x52, 0x5f, 0x5f, 0x60,
    0x20, 0x5f, 0x5f, 0x30, 0x5a, 0xf1, 0x5b, 0x00,
];

/// The sender of an L1 transaction determines how deep its trace is.
#[tokio::test(flavor = "multi_thread")]
async fn deep_traces_are_read() -> Result<()> {
    let rollup = DevnetRollup::with(vec![(Key::named("alice").address(), rich(ETHER))]).await?;
    let Forwarding { hiding, sequencer, .. } = Forwarding::start(&rollup).await?;
    let (nesting, outer) = (Address::repeat_byte(0xf2), Address::repeat_byte(0xf3));
    // With the number behind the copied calldata: 300 calls.
    let call = [
        &[0x61, 0x01, 0x2c, 0x36, 0x52, 0x5f, 0x5f, 0x60, 0x20, 0x36, 0x5f, 0x73][..],
        nesting.as_slice(),
        &[0x5a, 0xf1, 0x50],
    ];
    rollup.provider.anvil_set_code(nesting, Bytes::from_static(&NEST)).await?;
    rollup.provider.anvil_set_code(outer, forwarder(hiding, &call.concat())).await?;
    let hidden = next_block(&sequencer).await?.iter().map(|byte| !byte).collect();
    rollup.l1_call(outer, U256::ZERO, hidden).await?;
    let follower = rollup.follower(None).await?;
    until_safe(&follower, 1).await?;
    assert_eq!(follower.status().safe_head, sequencer.status().unsafe_head);
    for node in [follower, sequencer] {
        node.stop().await;
    }
    Ok(())
}
