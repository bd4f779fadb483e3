//! A sequencer whose Web3Signer is slow, signs wrongly or does not respond.

use crate::support::{
    DevnetRollup, is_settled, provider_of, signed_with, submit, until, until_balance, until_nonce,
    until_settled, until_status,
};
use alloy_primitives::{Address, Bytes, U256};
use alloy_provider::Provider as _;
use enshrine_rollup::{Role, RollupNode, Signer};
use eyre::{OptionExt as _, Result};
use testkit::{ETHER, Key, SignerMode, Web3Signer, rich};

/// Sealing continues, and posting resumes once the signer works again.
#[tokio::test(flavor = "multi_thread")]
async fn faulty_remote_advance_signer_only_delays_posting() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let key = Key::from_secret(rollup.l1.keys()[1].to_bytes()).ok_or_eyre("no key")?;
    let signer = Web3Signer::start(&key)?;
    let mut config = rollup.sequencer_config()?;
    config.advance_key = Signer::remote(signer.url(), key.address())?;
    let node = rollup.start(config).await?;
    assert!(node.status().warnings.is_empty(), "{:?}", node.status().warnings);
    let head = || node.status().unsafe_head.number;
    let to = Address::repeat_byte(0xb0);
    let mut blocks = 0;
    for (mode, expected) in [
        (SignerMode::Good, None),
        (SignerMode::HighS, None),
        (SignerMode::Wrong, Some("has signed for")),
        (SignerMode::Slow, Some("no answer within 2s")),
        (SignerMode::Gone, Some("does not respond")),
    ] {
        signer.set(mode);
        rollup.deposit(to, U256::ONE).await?;
        blocks += 1;
        until("a block", &node, || async { Ok(head() >= blocks) }).await?;
        if let Some(expected) = expected {
            let is_told = || node.status().fault.is_some_and(|fault| fault.contains(expected));
            until(expected, &node, || async { Ok(is_told()) }).await?;
            // The next block does not wait for the signer.
            rollup.deposit(to, U256::ONE).await?;
            blocks += 1;
            until("the next block", &node, || async { Ok(head() >= blocks) }).await?;
            assert!(!is_settled(&node));
        }
        signer.set(SignerMode::Good);
        until_status("the blocks on L1", &node, |status| {
            status.safe_head == status.unsafe_head && status.fault.is_none()
        })
        .await?;
    }
    assert!(signer.signed() >= 4);
    node.stop().await;

    // A signer without the key makes the start fail.
    let mut config = rollup.sequencer_config()?;
    config.advance_key = Signer::remote(signer.url(), Key::named("another").address())?;
    let refused = RollupNode::start(rollup.config(Role::Sequencer(Box::new(config)))).await;
    let error = refused.map(drop).unwrap_err().to_string();
    assert!(error.contains("signer of the advance key") && error.contains("has 1 keys"), "{error}");
    Ok(())
}

/// Blocks with user transactions are still sealed.
#[tokio::test(flavor = "multi_thread")]
async fn hanging_remote_operator_signer_only_delays_deposits() -> Result<()> {
    let alice = Key::named("alice");
    let rollup = DevnetRollup::with(vec![(alice.address(), rich(ETHER))]).await?;
    let operator = Key::named("operator");
    let signer = Web3Signer::start(&operator)?;
    let mut config = rollup.sequencer_config()?;
    config.operator_key = Signer::remote(signer.url(), operator.address())?;
    let node = rollup.start(config).await?;
    let l2 = provider_of(&node)?;
    let to = Address::repeat_byte(0xb0);
    signer.set(SignerMode::Slow);
    rollup.deposit(to, U256::ONE).await?;
    for nonce in 0..3 {
        let transfer = signed_with(&alice, nonce, to, 2, Bytes::new(), 21_000);
        submit(&l2, &transfer).await?;
        until_nonce("a block with the transfer", &node, alice.address(), nonce + 1).await?;
    }
    assert_eq!(l2.get_balance(to).await?, U256::from(6), "the deposit cannot have been relayed");
    signer.set(SignerMode::Good);
    until_balance("the deposit", &node, to, U256::from(7)).await?;
    // The node also normalises s in the operator's transactions, so L1 accepts the block.
    signer.set(SignerMode::HighS);
    rollup.deposit(to, U256::ONE).await?;
    until_balance("the deposit", &node, to, U256::from(8)).await?;
    until_settled("L1", &node).await?;
    node.stop().await;
    Ok(())
}
