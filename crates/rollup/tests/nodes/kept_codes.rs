//! L2 blocks whose inputs reference contract codes stored on L1, and the nodes that read them.

use crate::support::{
    DevnetRollup, L2_CHAIN, is_settled, json_response, provider_of, refusal, signed, submit, until,
    until_l1_head, until_posted_balance, until_status,
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::{Provider as _, ext::AnvilApi as _};
use alloy_sol_types::SolCall as _;
use contracts::{
    Deployment,
    bindings::INativeRollup::{Evidence, advanceCall},
    code_reference::{CodeReference, PROXY, References, codes_in, shorten},
};
use enshrine_rollup::{Role, RollupNode};
use eyre::{OptionExt, Result, ensure};
use std::{
    slice::from_ref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use testkit::{ETHER, Key, L2};
use wire::ProtocolFork;

/// Advances the rollup by two blocks of one transfer each, with inputs that reference their codes;
/// returns the hash of the second.
async fn advance_by_references(rollup: &DevnetRollup) -> Result<B256> {
    let deployment = Deployment::read(&rollup.deployment())?;
    let mut l2 = L2::new(L2_CHAIN, ProtocolFork::Osaka, &deployment.genesis)?;
    let mut hash = B256::ZERO;
    for _ in 0..2 {
        let (from, to) = (Key::named("operator"), Key::named("bob").address());
        let transfer = l2.sign(&from, to.into(), U256::ONE, Bytes::new(), 21_000)?;
        let time = l2.chain().head().header.timestamp + 1;
        let (block, rejected) = l2.seal(time, B256::ZERO, vec![transfer])?;
        ensure!(rejected.is_empty(), "{rejected:?}");
        let input = block.input()?;
        hash = block.block.hash;
        l2.append(block)?;
        let codes =
            CodeReference::new(Bytes::copy_from_slice(codes_in(&input))).ok_or_eyre("none")?;
        if rollup.provider.get_code_at(codes.account()).await?.is_empty() {
            rollup.l1_call(PROXY, U256::ZERO, codes.creation().into()).await?;
        }
        let short = shorten(&input, from_ref(&codes)).ok_or_eyre("no code is referenced")?;
        let call = advanceCall { inputs: vec![short.bytes], evidence: Evidence::default() };
        rollup.l1_call(deployment.rollup, U256::ZERO, call.abi_encode()).await?;
    }
    Ok(hash)
}

#[tokio::test(flavor = "multi_thread")]
async fn follower_verifies_referenced_codes_from_l1() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let hash = advance_by_references(&rollup).await?;
    let (proxy, config) = rollup.behind_proxy(Role::Follower { sequencer: None })?;
    // An L1 node that does not have the codes, or returns other ones.
    for code in ["0x", "0x0033ff"] {
        proxy.intercept(move |request| {
            request.contains("eth_getCode").then(|| json_response(request, code))
        });
        let follower = RollupNode::start(config.clone()).await?;
        until_status("the fault", &follower, |status| status.fault.is_some()).await?;
        assert_eq!(follower.status().safe_head.number, 0);
        // Once the responses are correct, the follower uses them.
        proxy.honest();
        until_status("the follower", &follower, |status| status.safe_head.hash == hash).await?;
        assert_eq!(follower.status().safe_head.number, 2);
        follower.stop().await;
    }
    Ok(())
}

/// Deposits, and returns the inputs of the `advance` that relayed the deposit.
async fn deposited(rollup: &DevnetRollup, sequencer: &RollupNode) -> Result<Vec<Bytes>> {
    let (l2, alice) = (provider_of(sequencer)?, Key::named("alice").address());
    let expected = l2.get_balance(alice).await? + U256::from(ETHER);
    rollup.deposit(alice, U256::from(ETHER)).await?;
    until_posted_balance("the deposit on L1", sequencer, alice, expected).await?;
    for number in (0..=rollup.provider.get_block_number().await?).rev() {
        let block = rollup.provider.get_block_by_number(number.into()).full().await?;
        for transaction in block.ok_or_eyre("no block")?.transactions.into_transactions() {
            let hash = *transaction.inner.tx_hash();
            if let Ok(call) = advanceCall::abi_decode(transaction.input()) {
                let receipt = rollup.provider.get_transaction_receipt(hash).await?;
                ensure!(receipt.is_some_and(|receipt| receipt.status()), "an advance failed");
                return Ok(call.inputs);
            }
        }
    }
    Err(eyre::eyre!("no transaction has advanced the rollup"))
}

fn accounts_in(inputs: &[Bytes]) -> Result<usize> {
    let references = inputs.iter().map(|input| {
        let references = References::of(input)?;
        Ok::<_, eyre::Report>(references.map_or(0, |references| references.accounts().count()))
    });
    references.sum()
}

/// Number of L1 blocks after which the sequencer requests missing accounts again.
const LATER: u64 = 32;

/// Maximum number of deposits until the sequencer has requested the stored codes: it pauses these
/// requests after an `advance` that L1 did not include at once.
const ATTEMPTS: usize = 5;

/// Mines L1 blocks beyond that pause.
async fn later(rollup: &DevnetRollup, sequencer: &RollupNode) -> Result<()> {
    rollup.provider.anvil_mine(Some(LATER), None).await?;
    until_l1_head(rollup, sequencer).await
}

#[tokio::test(flavor = "multi_thread")]
async fn sequencer_references_codes_stored_on_l1() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let sequencer = rollup.sequencer().await?;
    let plain = deposited(&rollup, &sequencer).await?;
    assert_eq!(accounts_in(&plain)?, 0);
    let codes = CodeReference::of_each_code_in(&plain[0]);
    assert!(codes.len() > 1, "expected the codes of system contracts and of the rollup");
    for code in &codes {
        rollup.l1_call(PROXY, U256::ZERO, code.creation().into()).await?;
    }
    let mut named = Vec::new();
    for _ in 0..ATTEMPTS {
        later(&rollup, &sequencer).await?;
        named = deposited(&rollup, &sequencer).await?;
        if accounts_in(&named)? > 0 {
            break;
        }
    }
    assert!(accounts_in(&named)? > 1, "{named:?}");
    let length = |inputs: &[Bytes]| inputs.iter().map(|input| input.len()).sum::<usize>();
    let stored: usize = codes.iter().map(|code| code.bytes().len()).sum();
    assert!(length(&named) + stored / 2 < length(&plain));
    let follower = rollup.follower(None).await?;
    until_status("the follower", &follower, |status| {
        status.safe_head == sequencer.status().safe_head
    })
    .await?;
    follower.stop().await;
    sequencer.stop().await;
    Ok(())
}

/// The L1 node returns codes that L1 does not have. The sequencer simulates such an `advance` and
/// does not send it.
#[tokio::test(flavor = "multi_thread")]
async fn false_code_claims_do_not_stop_posting() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let (proxy, config) = rollup.behind_proxy(rollup.sequencer_role()?)?;
    let sequencer = RollupNode::start(config).await?;
    // An L1 node without `eth_getCode` does not delay posting.
    proxy.intercept(|request| {
        request.contains("eth_getCode").then(|| refusal(request, "no such method"))
    });
    let plain = deposited(&rollup, &sequencer).await?;
    let codes = CodeReference::of_each_code_in(&plain[0]);
    let has_lied = Arc::new(AtomicBool::new(false));
    let lies = Arc::clone(&has_lied);
    proxy.intercept(move |request| {
        let request_text = request.to_lowercase();
        let named = |code: &&CodeReference| {
            let account = code.account().to_string().to_lowercase();
            request_text.contains("eth_getcode") && request_text.contains(&account)
        };
        let code = codes.iter().find(named)?;
        lies.store(true, Ordering::SeqCst);
        let code = Bytes::from([&[0], &code.bytes()[..]].concat());
        Some(json_response(request, code))
    });
    for _ in 0..ATTEMPTS {
        later(&rollup, &sequencer).await?;
        let inputs = deposited(&rollup, &sequencer).await?;
        assert_eq!(accounts_in(&inputs)?, 0);
        if has_lied.load(Ordering::SeqCst) {
            break;
        }
    }
    assert!(has_lied.swap(false, Ordering::SeqCst), "eth_getCode was not requested");
    // Blocks without messages from L1.
    let (l2, alice) = (provider_of(&sequencer)?, Key::named("alice"));
    for count in 1..=ATTEMPTS as u64 {
        later(&rollup, &sequencer).await?;
        let transfer = signed(&l2, &alice, Address::ZERO, 1, Bytes::new(), 21_000).await?;
        submit(&l2, &transfer).await?;
        until("the transfer on L1", &sequencer, || async {
            let sent = l2.get_transaction_count(alice.address()).await?;
            Ok(sent == count && is_settled(&sequencer))
        })
        .await?;
        if has_lied.load(Ordering::SeqCst) {
            break;
        }
    }
    assert!(has_lied.load(Ordering::SeqCst), "eth_getCode was not requested");
    // The sequencer sent no transaction that would fail on L1.
    for number in 0..=rollup.provider.get_block_number().await? {
        let receipts = rollup.provider.get_block_receipts(number.into()).await?;
        assert!(receipts.into_iter().flatten().all(|receipt| receipt.status()), "{number}");
    }
    sequencer.stop().await;
    Ok(())
}
