//! Accusations of an honest sequencer, which the contract has to refuse in any L1 reorg.

use super::*;

/// Submits every pair of messages, and each message as a delay, as a promise that the rollup's
/// block breaks and as a lie by the rollup's block, as a watcher would that does not judge first.
/// Returns the refusals of the contract.
async fn require_all_refused(
    bonded: &Bonded,
    updates: &[PrefixUpdate],
    node: &RollupNode,
) -> Result<Vec<Refused>> {
    let chain = node.node().read(|node| node.chain.reader().clone());
    let safe = node.status().safe_head.number;
    let witness = chain.canonical_block(safe)?.ok_or_eyre("no safe head")?;
    let mut refusals = Vec::new();
    let all: Vec<_> = updates.iter().map(SignedHeader::from).zip(whole(updates)?).collect();
    let refused = async |accusation: Accusation| {
        bonded.try_accuse(accusation).await?.ok_or_eyre("the contract accepts it")
    };
    for (index, (a, (header, _, ours))) in all.iter().enumerate() {
        let late = refused(Accusation::Late { signed: a.clone() }).await?;
        let is_expected = matches!(
            late,
            Refused::HeadReached(_) | Refused::NotLate(_) | Refused::ConditionVoid(_)
        );
        ensure!(is_expected, "delay: {late:?}");
        refusals.push(late);
        if header.number <= safe {
            let block = chain.canonical_block(header.number)?.ok_or_eyre("no such block")?;
            let later = (header.number < safe).then_some(&*witness);
            let theirs = block.raw_transactions();
            let transaction = first_difference(ours, &theirs);
            let canonical = canonical_block(&chain, &block, later)?;
            let broken = Accusation::Broken { signed: a.clone(), canonical, transaction };
            let broken = refused(broken).await?;
            let is_expected = matches!(
                broken,
                Refused::NotInConflict(_) | Refused::ConditionVoid(_) | Refused::PromiseEnded(_)
            );
            ensure!(is_expected, "broken promise: {broken:?}");
            refusals.push(broken);
            // The contract compares the outcomes before it runs EXECUTE.
            let input = block.input(FORK, L2_CHAIN, &OwnedWitness::default())?.into();
            let valid = alloy_rlp::encode(&block.header).into();
            let lie = refused(Accusation::Lie { signed: a.clone(), header: valid, input }).await?;
            match header.hash == block.hash {
                true => ensure!(matches!(lie, Refused::OutcomesEqual(_)), "lie: {lie:?}"),
                false => ensure!(matches!(lie, Refused::InputsDiffer(_)), "lie: {lie:?}"),
            }
            refusals.push(lie);
        }
        for (b, (.., theirs)) in &all[index + 1..] {
            let transaction = first_difference(ours, theirs);
            let (a, b) = (a.clone(), b.clone());
            let pair = refused(Accusation::Equivocation { a, b, transaction }).await?;
            let is_expected = matches!(
                pair,
                Refused::NotInConflict(_)
                    | Refused::HeightDiffers(_)
                    | Refused::ParentDiffers(_)
                    | Refused::ConditionVoid(_)
                    | Refused::PromiseEnded(_)
            );
            ensure!(is_expected, "equivocation: {pair:?}");
            refusals.push(pair);
        }
    }
    Ok(refusals)
}

/// The newest prefix of the first block that a node shows.
async fn first_prefix(node: &RollupNode) -> Result<PrefixUpdate> {
    let request = (U64::from(1), U64::ZERO);
    let item: Option<PrefixItem> =
        provider_of(node)?.raw_request("rollup_prefix".into(), request).await?;
    Ok(PrefixUpdate::decode(&item.ok_or_eyre("no prefix")?.ssz)?)
}

/// An L1 reorg removes the block of the anchor, and the sequencer signs another first block. When
/// the reorg is reverted, it seals the first one. Without the reorg, another first block costs the
/// bond.
#[tokio::test(flavor = "multi_thread")]
async fn l1_reorg_voids_first_of_two_messages() -> Result<()> {
    for is_reorged in [true, false] {
        let (bonded, folder) = (Bonded::new(&["alice"]).await?, tempfile::tempdir()?);
        let rollup = &bonded.rollup;
        let sequencer = bonded.sequencer(folder.path()).await?;
        let deposited = rollup.deposit(Address::repeat_byte(7), U256::from(ETHER)).await?;
        let condition = deposited.block_hash.ok_or_eyre("not included")?;
        // The block that is opened next has an anchor that covers the deposit.
        until("the deposit", &sequencer, || async {
            Ok(sequencer.status().l1_head.is_some_and(|head| head.hash == condition))
        })
        .await?;
        let sent = send(&provider_of(&sequencer)?, "alice", 0).await?;
        until_preconfirmed(&sequencer, sent).await?;
        let first = first_prefix(&sequencer).await?;
        assert_eq!(first.message.l1_hash, condition);
        let forged = bonded.signed(&bonded.first_header().await?, true, vec![invalid(1)])?;
        let accuse = |other: &PrefixUpdate| {
            let (a, b) = (SignedHeader::from(&first), SignedHeader::from(other));
            let transaction = first_difference(&first.transactions, &other.transactions);
            Accusation::Equivocation { a, b, transaction }
        };
        if is_reorged {
            let nothing: [(); 0] = [];
            let before: Value = rollup.provider.raw_request("evm_snapshot".into(), nothing).await?;
            rollup.reorg(1).await?;
            until("another prefix", &sequencer, || async {
                rollup.provider.anvil_mine(Some(1), None).await?;
                let newest = first_prefix(&sequencer).await.ok();
                Ok(newest
                    .is_some_and(|update| update.message.block_hash != first.message.block_hash))
            })
            .await?;
            let second = first_prefix(&sequencer).await?;
            let [a, b] = [&first, &second].map(|update| HeaderSummary::read(&update.header));
            let (a, b) = (a?, b?);
            assert_eq!((a.number, a.parent), (b.number, b.parent));
            assert_ne!(a.environment, b.environment);
            // L1 serves the hashes of the blocks before the current one.
            rollup.provider.anvil_mine(Some(1), None).await?;
            for other in [&second, &forged] {
                let refused = bonded.try_accuse(accuse(other)).await?;
                assert!(matches!(refused, Some(Refused::ConditionVoid(_))), "{refused:?}");
            }
            let longest = rollup.provider.get_block_number().await?;
            rollup.provider.raw_request::<_, Value>("evm_revert".into(), (before,)).await?;
            let missing = longest + 1 - rollup.provider.get_block_number().await?;
            rollup.provider.anvil_increase_time(2 * LONG.as_secs()).await?;
            rollup.provider.anvil_mine(Some(missing), None).await?;
            until("the first promise", &sequencer, || async {
                Ok(sequencer.status().safe_head.hash == first.message.block_hash)
            })
            .await?;
            let chain = sequencer.node().read(|node| node.chain.reader().clone());
            let block = chain.canonical_block(1)?.ok_or_eyre("no first block")?;
            let canonical = canonical_block(&chain, &block, None)?;
            for (signed, is_void) in [(&first, false), (&second, true)] {
                let transaction = first_difference(&signed.transactions, &block.raw_transactions());
                let (signed, canonical) = (SignedHeader::from(signed), canonical.clone());
                let broken = Accusation::Broken { signed, canonical, transaction };
                let refused = bonded.try_accuse(broken).await?.ok_or_eyre("a broken promise")?;
                match is_void {
                    false => assert!(matches!(refused, Refused::NotInConflict(_)), "{refused:?}"),
                    true => assert!(matches!(refused, Refused::ConditionVoid(_)), "{refused:?}"),
                }
            }
            assert_eq!(bonded.bond().await?, BOND);
        } else {
            rollup.provider.anvil_mine(Some(1), None).await?;
            assert_eq!(bonded.try_accuse(accuse(&forged)).await?, None);
            let input = accuse_calldata(accuse(&forged), B256::ZERO);
            let request = TransactionRequest::default().from(rollup.l1.addresses()[2]);
            let request = request.to(bonded.bonds).input(input.into());
            let receipt = rollup.provider.send_transaction(request).await?.get_receipt().await?;
            assert!(receipt.status());
            assert_eq!(bonded.bond().await?, 0);
        }
        sequencer.stop().await;
    }
    Ok(())
}

/// L1 does not have the block of the anchor yet, and may still have the same one.
#[tokio::test(flavor = "multi_thread")]
async fn shorter_l1_repeats_no_preconfirmed_block() -> Result<()> {
    let (rollup, folder) = (rollup(&["alice"]).await?, tempfile::tempdir()?);
    let sequencer = RollupNode::start(preconfirming(&rollup, folder.path(), LONG)?).await?;
    let nothing: [(); 0] = [];
    let before: Value = rollup.provider.raw_request("evm_snapshot".into(), nothing).await?;
    rollup.provider.anvil_mine(Some(4), None).await?;
    let deposited = rollup.deposit(Address::repeat_byte(7), U256::from(ETHER)).await?;
    let condition = deposited.block_hash.ok_or_eyre("not included")?;
    until("the deposit", &sequencer, || async {
        Ok(sequencer.status().l1_head.is_some_and(|head| head.hash == condition))
    })
    .await?;
    let sent = send(&provider_of(&sequencer)?, "alice", 0).await?;
    until_preconfirmed(&sequencer, sent).await?;
    let first = first_prefix(&sequencer).await?;
    assert_eq!(first.message.l1_hash, condition);

    rollup.provider.raw_request::<_, Value>("evm_revert".into(), (before,)).await?;
    rollup.provider.anvil_increase_time(2 * LONG.as_secs()).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    until("L1's next blocks are awaited", &sequencer, || async {
        let status = sequencer.status();
        Ok(status.fault.is_some_and(|fault| fault.contains("contradicts")))
    })
    .await?;
    assert_eq!(sequencer.status().unsafe_head.number, 0);
    until("another prefix", &sequencer, || async {
        rollup.provider.anvil_mine(Some(1), None).await?;
        let newest = first_prefix(&sequencer).await.ok();
        Ok(newest.is_some_and(|update| update.message.block_hash != first.message.block_hash))
    })
    .await?;
    assert!(first_prefix(&sequencer).await?.message.l1_block >= first.message.l1_block);
    sequencer.stop().await;
    Ok(())
}

/// It rebuilds a block after an L1 reorg, and continues after a restart.
#[tokio::test(flavor = "multi_thread")]
async fn honest_sequencer_keeps_its_bond() -> Result<()> {
    let bonded = Bonded::new(&["alice", "bob"]).await?;
    let (folder, data) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (rollup, mut updates) = (&bonded.rollup, Vec::new());
    let sequencer = bonded.sequencer(folder.path()).await?;
    let mut watching = bonded.watch(&sequencer, Some(data.path())).await?;
    let recording = Recording::start(&sequencer).await?;
    let _sent = rollup.deposit(Address::repeat_byte(7), U256::from(ETHER)).await?;
    let first = send(&provider_of(&sequencer)?, "alice", 0).await?;
    until_preconfirmed(&sequencer, first).await?;
    rollup.reorg(1).await?;
    let second = send(&provider_of(&sequencer)?, "bob", 0).await?;
    until("a prefix with both", &sequencer, || async {
        rollup.provider.anvil_mine(Some(1), None).await?;
        let newest = metric(&watching.node, "rollup_watch_kept").await?;
        Ok(newest >= 2 && until_preconfirmed(&sequencer, second).await.is_ok())
    })
    .await?;
    seal(rollup, &sequencer).await?;
    until_included(&sequencer, second).await?;
    until("settlement", &sequencer, || async { Ok(is_settled(&sequencer)) }).await?;
    let third = send(&provider_of(&sequencer)?, "alice", 1).await?;
    until_preconfirmed(&sequencer, third).await?;
    updates.extend(recording.end().await);
    sequencer.stop().await;

    rollup.provider.anvil_increase_time(100).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    assert_eq!(watching.reports(), []);
    watching.node.stop().await;
    let sequencer = bonded.sequencer(folder.path()).await?;
    let mut watching = bonded.watch(&sequencer, Some(data.path())).await?;
    let recording = Recording::start(&sequencer).await?;
    until_included(&sequencer, third).await?;
    let fourth = send(&provider_of(&sequencer)?, "bob", 1).await?;
    until_preconfirmed(&watching.node, fourth).await?;
    updates.extend(recording.end().await);
    // A recording can start within a block, whose first transactions it lacks.
    let mut count = 0;
    updates.retain(|update| {
        let is_whole = update.first <= count;
        if is_whole {
            count = update.first + update.transactions.len() as u32;
        }
        is_whole
    });
    ensure!(updates.len() > 3, "too few updates");
    until("settlement", &sequencer, || async { Ok(is_settled(&sequencer)) }).await?;
    let refusals = require_all_refused(&bonded, &updates, &sequencer).await?;
    for (error, was_seen) in [
        ("kept", refusals.iter().any(|refusal| matches!(refusal, Refused::NotInConflict(_)))),
        ("true", refusals.iter().any(|refusal| matches!(refusal, Refused::OutcomesEqual(_)))),
    ] {
        ensure!(was_seen, "nothing was refused as {error}: {refusals:?}");
    }
    assert_eq!(watching.reports(), []);
    assert_eq!(bonded.bond().await?, BOND);
    for node in [watching.node, sequencer] {
        node.stop().await;
    }
    Ok(())
}
