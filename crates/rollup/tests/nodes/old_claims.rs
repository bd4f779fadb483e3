//! Claims of messages that are many L2 blocks old, by a node that derives all of them from L1.

use crate::support::{DevnetRollup, provider_of, until_status};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::{Provider as _, ext::AnvilApi as _};
use alloy_sol_types::SolCall as _;
use chain::{ChainConfig, spec_of};
use contracts::{
    Deployment, L2_MESSENGER,
    bindings::{
        IL2Messenger,
        INativeRollup::{Evidence, advanceCall},
    },
};
use enshrine_rollup::{Config, Role, RollupNode};
use eyre::{OptionExt as _, Result, ensure};
use rpc_types::{ClaimProof, MessageInfo, MessageState};
use std::env;
use testkit::{ETHER, Key, L2, Timeout, rich};

/// Environment variable for the number of L2 blocks after the messages; with it, the test prints
/// the times of claims.
const AGE: &str = "ENSHRINE_CLAIM_AGE";
/// Number of blocks without it.
const DEFAULT_AGE: u64 = 300;
/// Blocks of an L1 transaction, which has at most 128 kB.
const BATCH: u64 = 32;
/// Messages in the first block.
const MESSAGES: u64 = 10;
/// Number of requests that are timed.
const REQUESTS: u64 = 2_000;

/// Posts the blocks after this number in one L1 transaction, without new anchors.
async fn post(rollup: &DevnetRollup, contract: Address, l2: &L2, after: u64) -> Result<()> {
    let head = l2.chain().head().header.number;
    let blocks =
        (after + 1..=head).map(|number| l2.chain().canonical_block(number)?.ok_or_eyre("none"));
    let input = l2.chain().batch(blocks.collect::<Result<_>>()?)?.input()?.into();
    let call = advanceCall { inputs: vec![input], evidence: Evidence::default() };
    rollup.provider.anvil_increase_time(head - after).await?;
    rollup.l1_call(contract, U256::ZERO, call.abi_encode()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn message_of_any_age_is_claimed() -> Result<()> {
    let measured = env::var(AGE).ok();
    let age = measured.as_ref().map_or(Ok(DEFAULT_AGE), |text| text.parse())?;
    let alice = Key::named("alice");
    let rollup = DevnetRollup::with(vec![(alice.address(), rich(100 * ETHER))]).await?;
    let deployment = Deployment::read(&rollup.deployment())?;
    let spec = spec_of(&deployment.genesis.config);
    let mut l2 = L2::configured(&deployment.genesis, ChainConfig::new(spec))?;

    let targets: Vec<_> =
        (0..MESSAGES).map(|index| Address::with_last_byte(0xa0 + index as u8)).collect();
    let mut transactions = Vec::new();
    for to in &targets {
        let send = IL2Messenger::sendCall {
            to: *to,
            refundTo: *to,
            gasLimit: 0,
            fee: 0,
            data: Bytes::new(),
        };
        let (value, input) = (U256::from(ETHER), send.abi_encode().into());
        transactions.push(l2.sign(&alice, L2_MESSENGER.into(), value, input, 200_000)?);
    }
    // Alice's ETH is in the genesis, so the queue holds no deposit to pay her withdrawals from.
    rollup.provider.anvil_set_balance(rollup.message_queue, rich(100 * ETHER).balance).await?;
    let mut posted = 0;
    for number in 1..=age + 1 {
        let transactions = std::mem::take(&mut transactions);
        let block = l2.seal_successes(l2.next_timestamp(), B256::ZERO, transactions)?;
        l2.append(block)?;
        if number.is_multiple_of(BATCH) || number == age + 1 {
            post(&rollup, deployment.rollup, &l2, posted).await?;
            posted = number;
        }
    }

    let folder = tempfile::tempdir()?;
    let role = Role::Follower { sequencer: None };
    let config = Config { data_dir: Some(folder.path().to_owned()), ..rollup.config(role) };
    let begun = Timeout::begin();
    let node = RollupNode::start(config).await?;
    until_status("all blocks", &node, |status| status.safe_head.number == age + 1).await?;
    let derived = begun.spent();
    assert_eq!(node.status().safe_head.hash, l2.chain().head().hash);
    let provider = provider_of(&node)?;
    if measured.is_some() {
        println!("{age} blocks derived in {derived:.2?}");
        let mut times = Vec::new();
        for number in 0..REQUESTS {
            let (begun, index) = (Timeout::begin(), format!("{:#x}", number % MESSAGES));
            let _: ClaimProof = provider.raw_request("rollup_claimProof".into(), (index,)).await?;
            times.push(begun.spent());
        }
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        println!("rollup_claimProof: median {:.2?}, p99 {:.2?}", at(50), at(99));
    }
    for (index, to) in targets.into_iter().enumerate() {
        let index = format!("{index:#x}");
        let claim: ClaimProof = provider.raw_request("rollup_claimProof".into(), (&index,)).await?;
        assert_eq!((claim.to, claim.l2_block), (rollup.message_queue, age + 1));
        rollup.l1_call(claim.to, U256::ZERO, claim.data.to_vec()).await?;
        assert_eq!(rollup.provider.get_balance(to).await?, U256::from(ETHER));
        let request = ("l2ToL1", &index);
        let message: MessageInfo =
            provider.raw_request("rollup_getMessage".into(), request).await?;
        assert_eq!(message.sent.block, 1);
        ensure!(matches!(message.state, MessageState::Claimable | MessageState::Claimed));
    }
    node.stop().await;
    Ok(())
}
