//! A store that fails at any single operation: the chain returns exactly its error and is
//! unchanged, and the operation succeeds once the store works again.

mod failing;
mod failing_chain;

use alloy_consensus::Header;
use alloy_genesis::Genesis;
use alloy_primitives::{Address, B256, Bytes, U256};
use codec::RawBlock;
use core::fmt::Debug;
use enshrine_chain::store::Store;
use enshrine_chain::{
    BlockBuilder, Call, CallBlock, Chain, ChainConfig, ChainError, EditState as _, Replay, spec_of,
    witness_of,
};
use executor::Invalid;
use failing::FailingStore;
use failing_chain::{
    CHAIN_ID, FailingChain, HISTORIAN, READER, SETTER, SETTER_CODE, build, call, config, genesis,
    reader_code, set,
};
use revm::inspector::NoOpInspector;
use std::sync::Arc;
use testkit::Key;

/// Asserts that a result has the expected value.
#[allow(clippy::needless_pass_by_value, reason = "what is compared is made where this is called")]
fn is<T: PartialEq + Debug>(got: T, expected: &T) {
    assert_eq!(&got, expected);
}

#[test]
fn building_returns_store_errors() {
    let mut failing = FailingChain::new();
    let (attributes, offered) = (failing.attributes.clone(), failing.offered.clone());
    let (recovered, next) = (failing.recovered(), failing.next.clone());
    let count = failing.reads("build", |chain| {
        let (block, rejected) = chain.build(&attributes, offered.clone())?;
        is(block.block.hash, &next.block.hash);
        is(block.witness, &next.witness);
        is(rejected.len(), &1);
        Ok(())
    });
    assert!(count > 40, "{count}");
    failing.reads("BlockBuilder::build", |chain| {
        let header = chain.state().open_header(&attributes)?;
        let built = BlockBuilder::new(&chain.state()).build(&header, &[], &recovered)?;
        is(built.executed.block.hash, &next.block.hash);
        is(built.rejected.len(), &1);
        Ok(())
    });
    failing.reads("build_recorded", |chain| {
        let header = chain.state().open_header(&attributes)?;
        let built = BlockBuilder::new(&chain.state()).build_recorded(&header, &[], &recovered)?;
        is(built.executed.block.hash, &next.block.hash);
        is(built.executed.witness, &next.witness);
        Ok(())
    });
}

#[test]
fn chain_updates_return_store_errors() {
    let mut failing = FailingChain::new();
    let next = failing.next.clone();
    failing.at_each_operation("insert", |chain| chain.insert(next.clone()).map(drop));
    assert_eq!(failing.chain.head().header.number, 6);
    failing.at_each_operation("append", |chain| chain.append(next.clone()).map(drop));
    assert_eq!(failing.chain.head().hash, next.block.hash);
    assert_eq!(failing.block(7).hash, next.block.hash);

    // Reorg five blocks, and back.
    let branch = failing.branch;
    let count = failing.at_each_operation("set_head", |chain| chain.set_head(&branch));
    assert!(count > 10, "{count}");
    assert_eq!((failing.chain.head().hash, failing.block(7).hash), (branch, branch));
    let old = failing.transactions.last().unwrap();
    assert!(failing.chain.transaction(old).unwrap().is_none(), "its block was replaced");
    failing.at_each_operation("set_head back", |chain| chain.set_head(&next.block.hash));
    assert_eq!(failing.block(7).hash, next.block.hash);
    assert!(failing.chain.transaction(failing.transactions.last().unwrap()).unwrap().is_some());

    // Restore an earlier state.
    let earlier = failing.chain.state_after(&failing.block(3));
    failing.at_each_operation("set_state", |chain| chain.set_state(&earlier));
    assert_eq!(failing.chain.head().header.number, 3);
}

#[test]
fn append_to_another_branch_is_atomic() {
    let mut failing = FailingChain::new();
    // The child of a block that is not canonical: appending it is a reorg.
    let mut other = failing.chain.detached();
    other.set_head(&failing.branch).unwrap();
    let block = build(&other, 2, vec![set(7, 1, 1)]);
    let count = failing.at_each_operation("append", |chain| chain.append(block.clone()).map(drop));
    assert!(count > 10, "{count}");
    assert_eq!(failing.block(7).hash, failing.branch);
    assert_eq!(failing.block(8).hash, block.block.hash);
}

#[test]
fn importing_returns_store_errors() {
    let mut failing = FailingChain::new();
    let next = failing.next.clone();
    let rlp = next.block.rlp();
    let raw = RawBlock::decode(&rlp).unwrap();
    failing.reads("import", |chain| {
        let imported = chain.import(&raw)?;
        is(imported.block.hash, &next.block.hash);
        is(imported.witness, &next.witness);
        Ok(())
    });
    failing.reads("import_with_ommers", |chain| {
        is(chain.import_with_ommers(&raw, &[])?.block.hash, &next.block.hash);
        Ok(())
    });
    // A store failure must not be reported as an invalid block.
    let mut bad = raw.clone();
    bad.header.state_root = B256::ZERO;
    failing.reads("import of an invalid block", |chain| match chain.import(&bad) {
        Err(ChainError::Invalid(_)) => Ok(()),
        other => other.map(|_| panic!("it is not valid")),
    });
    failing.at_each_operation("import_rlp", |chain| chain.import_rlp(&rlp).map(drop));
    assert_eq!(failing.chain.head().hash, next.block.hash);
}

#[test]
fn interrupted_import_can_be_continued() {
    let source = FailingChain::new();
    let file: Vec<u8> = (0..=6).flat_map(|number| source.block(number).rlp()).collect();
    let mut operations = 0;
    for count in 0.. {
        let store = Arc::new(FailingStore::default());
        let shared = Arc::clone(&store) as Arc<dyn Store>;
        let mut chain = Chain::with_store(&genesis(), config(), shared).unwrap();
        store.fail_after(count);
        let result = chain.import_rlp(&file);
        let Some(injected) = store.heal() else {
            assert_eq!(result, Ok(6));
            break;
        };
        assert_eq!(result, Err(ChainError::Store(injected)), "operation {count}");
        // The blocks before the failure are imported completely.
        let head = chain.head().header.number;
        for number in 0..=6 {
            let expected = (number <= head).then(|| source.block(number).hash);
            assert_eq!(chain.canonical_hash(number).unwrap(), expected);
        }
        assert_eq!(chain.import_rlp(&file), Ok(6 - head as usize));
        assert_eq!(chain.head().hash, source.chain.head().hash);
        operations = count;
    }
    assert!(operations > 100, "{operations}");
}

#[test]
fn calling_returns_store_errors() {
    let mut failing = FailingChain::new();
    let carol = U256::from_be_slice(Key::named("carol").address().as_slice());
    let data = Bytes::from([carol, U256::from(3)].map(|w| w.to_be_bytes::<32>()).concat());
    let call = Call {
        from: Key::named("alice").address(),
        to: Some(READER),
        data,
        block: CallBlock::Next { timestamp: 1_000 },
        ..Call::default()
    };
    let expected = failing.chain.call(call.clone()).unwrap();
    assert!(expected.success);
    let count = failing.reads("call", |chain| {
        is(chain.call(call.clone())?, &expected);
        Ok(())
    });
    assert!(count > 15, "{count}");
}

#[test]
fn reading_and_proving_return_store_errors() {
    let mut failing = FailingChain::new();
    let head = Arc::clone(failing.chain.head());
    let slots = [1_u64, 4, 999].map(U256::from);
    let expected = failing.chain.prove(&head, SETTER, &slots).unwrap();
    assert!(expected.account.is_some() && expected.slots.iter().any(|slot| !slot.value.is_zero()));
    failing.reads("prove", |chain| {
        is(chain.prove(&head, SETTER, &slots)?, &expected);
        Ok(())
    });
    let absent = failing.chain.prove(&head, Address::ZERO, &[]).unwrap();
    failing.reads("prove an absence", |chain| {
        is(chain.prove(&head, Address::ZERO, &[])?, &absent);
        Ok(())
    });
    let block = failing.block(4);
    let transaction = *block.transactions[0].hash();
    failing.reads("canonical_block", |chain| {
        is(chain.canonical_block(4)?.map(|found| found.hash), &Some(block.hash));
        Ok(())
    });
    failing.reads("transaction", |chain| {
        let found = chain.transaction(&transaction)?.map(|(found, index)| (found.hash, index));
        is(found, &Some((block.hash, 0)));
        Ok(())
    });
    failing.reads("block", |chain| {
        is(chain.block(&block.hash)?.hash, &block.hash);
        Ok(())
    });
    failing.reads("storage", |chain| {
        is(chain.storage(SETTER, U256::from(4))?, &U256::from(28));
        Ok(())
    });
    failing.reads("code", |chain| {
        is(chain.code(SETTER)?, &Bytes::from_static(&SETTER_CODE));
        Ok(())
    });
    failing.reads("balance of an absent account", |chain| {
        is(chain.balance(Address::ZERO)?, &U256::ZERO);
        Ok(())
    });
}

#[test]
fn replaying_returns_store_errors() {
    let mut failing = FailingChain::new();
    let next = failing.next.clone();
    failing.chain.append(next.clone()).unwrap();
    let block = Arc::clone(failing.chain.head());
    let count = failing.reads("witness_of", |chain| {
        let state = chain.state_before(&block)?.expect("it has a parent");
        is(witness_of(&state, &block)?, &next.witness);
        Ok(())
    });
    assert!(count > 30, "{count}");
    failing.reads("replay", |chain| {
        let before = chain.state_before(&block)?.expect("it has a parent");
        let mut state = before.open();
        let mut replay = Replay::new(&before, &mut state, &block, NoOpInspector)?;
        replay.run_to(2)?;
        let mut gas = Vec::new();
        while let Some(used) = replay.inspect(|index, _, _, done| {
            assert!(index >= 2);
            Ok::<_, ChainError>(done.result.tx_gas_used())
        })? {
            gas.push(used);
        }
        is(gas, &(2..4).map(|index| block.transaction_gas(index)).collect());
        Ok(())
    });
}

#[test]
fn editing_returns_store_errors() {
    let mut failing = FailingChain::new();
    let carol = Key::named("carol").address();
    let root = failing.chain.state().root();
    let count = failing.at_each_operation("edit", |chain| {
        chain.edit(|state| {
            state.set_balance(carol, U256::from(5))?;
            state.set_code(carol, SETTER_CODE.to_vec().into())?;
            state.set_slot(SETTER, U256::from(1), U256::ZERO)?;
            state.set_slot(SETTER, U256::from(100), U256::from(9))?;
            state.remove_account(READER)
        })
    });
    assert!(count > 5, "{count}");
    assert_ne!(failing.chain.state().root(), root);
    assert_eq!(failing.chain.balance(carol).unwrap(), U256::from(5));
    assert_eq!(failing.chain.storage(SETTER, U256::from(100)).unwrap(), U256::from(9));
    assert!(failing.chain.code(READER).unwrap().is_empty());
}

#[test]
fn pruning_returns_store_errors() {
    let mut failing = FailingChain::new();
    for nonce in 6..40 {
        let block = build(&failing.chain, 1, vec![set(nonce, nonce, nonce)]);
        failing.chain.append(block).unwrap();
    }
    let old = failing.chain.state_after(&failing.block(3));
    assert!(old.storage(SETTER, U256::from(1)).is_ok());
    let count = failing.at_each_operation("prune", |chain| chain.prune(1, []));
    assert!(count > 16, "{count}");
    let pruned = old.storage(SETTER, U256::from(1)).unwrap_err();
    assert!(matches!(pruned, ChainError::Incomplete(_)), "{pruned}");

    let hashes: Vec<B256> =
        (1..36).map(|number| *failing.block(number).transactions[0].hash()).collect();
    let last = *failing.chain.head().transactions[0].hash();
    let count = failing.at_each_operation("forget_bodies", |chain| {
        let forgotten = chain.forget_bodies(5)?;
        is(forgotten, &hashes);
        Ok(())
    });
    assert!(count > 36, "{count}");
    assert!(
        failing.block(35).transactions.is_empty() && !failing.block(36).transactions.is_empty()
    );
    assert!(hashes.iter().all(|hash| failing.chain.transaction(hash).unwrap().is_none()));
    assert!(failing.chain.transaction(&last).unwrap().is_some());
}

#[test]
fn start_and_resume_return_store_errors() {
    let store = Arc::new(FailingStore::default());
    let start = || {
        let shared = Arc::clone(&store) as Arc<dyn Store>;
        Chain::with_store(&genesis(), config(), shared).map(|chain| chain.head().hash)
    };
    store.fail_after(0);
    let refused = start();
    assert_eq!(refused, Err(ChainError::Store(store.heal().unwrap())));
    assert_eq!(store.first_number().unwrap(), None);
    let genesis = start().unwrap();
    assert_eq!(store.canonical_hash(0).unwrap(), Some(genesis));

    let failing = FailingChain::new();
    let shared = || Arc::clone(&failing.store) as Arc<dyn Store>;
    for count in 0.. {
        failing.store.fail_after(count);
        let resumed = Chain::resume(config(), shared(), Arc::clone(failing.chain.head()));
        let Some(injected) = failing.store.heal() else {
            let resumed = resumed.unwrap();
            assert_eq!((resumed.first_number(), resumed.head().header.number), (0, 6));
            assert_eq!(resumed.storage(SETTER, U256::from(4)).unwrap(), U256::from(28));
            assert!(count > 6, "{count}");
            break;
        };
        assert_eq!(resumed.map(drop), Err(ChainError::Store(injected)));
    }
}

#[test]
fn state_advances_atomically() {
    let mut failing = FailingChain::new();
    let next = failing.next.clone();
    // Commits to the same store, as a builder of several consecutive blocks does.
    let count = failing.at_each_operation("State::advance", |chain| {
        let state = chain.state().advance(next.clone())?;
        is(state.root(), &next.block.header.state_root);
        Ok(())
    });
    assert_eq!(count, 1);
    failing.reads("State::after", |chain| {
        let after = chain.state().after(next.clone())?;
        is(after.storage(SETTER, U256::from(5))?, &U256::ZERO);
        // Values that the block has not changed are read from the store below.
        is(after.code(READER)?, &reader_code().into());
        Ok(())
    });
}

/// Completes the header of a pre-merge block by correcting each claim that the chain rejects.
fn settle(chain: &Chain, header: Header, ommers: &[Header]) -> RawBlock {
    let mut raw = RawBlock {
        hash: header.hash_slow(),
        header,
        transactions: vec![],
        withdrawals: None,
        versioned_hashes: vec![],
    };
    for _ in 0..8 {
        match chain.import_with_ommers(&raw, ommers) {
            Ok(_) => return raw,
            Err(ChainError::Invalid(Invalid::Header { field: "difficulty", expected, .. })) => {
                raw.header.difficulty = expected;
            }
            Err(ChainError::Invalid(Invalid::Commitment { what, expected, .. })) => match what {
                "ommers hash" => raw.header.ommers_hash = expected,
                "state root" => raw.header.state_root = expected,
                _ => panic!("{what}"),
            },
            Err(other) => panic!("{other}"),
        }
        raw.hash = raw.header.hash_slow();
    }
    panic!("the header has fewer claims");
}

#[test]
fn ommer_checks_return_store_errors() {
    let block = Some(0);
    let rules = alloy_genesis::ChainConfig {
        chain_id: CHAIN_ID,
        homestead_block: block,
        eip150_block: block,
        eip155_block: block,
        eip158_block: block,
        byzantium_block: block,
        ..Default::default()
    };
    let genesis =
        Genesis { gas_limit: 8_000_000, difficulty: U256::from(1 << 20), ..Default::default() };
    let store = Arc::new(FailingStore::default());
    let shared = Arc::clone(&store) as Arc<dyn Store>;
    let mut chain = Chain::with_store(&genesis, ChainConfig::new(spec_of(&rules)), shared).unwrap();
    let child = |parent: &Header, mark: u8| Header {
        parent_hash: parent.hash_slow(),
        number: parent.number + 1,
        timestamp: parent.timestamp + 13,
        gas_limit: parent.gas_limit,
        extra_data: vec![mark].into(),
        ..Default::default()
    };
    let parent = chain.head().header.clone();
    let sibling = settle(&chain, child(&parent, 2), &[]).header;
    let mut append = |header, ommers: &[Header]| {
        let raw = settle(&chain, header, ommers);
        let executed = chain.import_with_ommers(&raw, ommers).unwrap();
        chain.append(executed).unwrap().header.clone()
    };
    let first = append(child(&parent, 1), &[]);
    let second = append(child(&first, 1), &[]);
    let ommers = [sibling];
    let raw = settle(&chain, child(&second, 1), &ommers);
    assert_ne!(raw.header.ommers_hash, second.ommers_hash);
    for count in 0.. {
        store.fail_after(count);
        let imported = chain.import_with_ommers(&raw, &ommers);
        let Some(injected) = store.heal() else {
            assert_eq!(imported.unwrap().block.hash, raw.hash);
            assert!(count > 4, "{count}: the parent, and three ancestors");
            break;
        };
        assert_eq!(imported.map(drop), Err(ChainError::Store(injected)), "operation {count}");
    }
}

#[test]
fn ancestor_hashes_are_read_once() {
    let FailingChain { store, mut chain, .. } = FailingChain::new();
    let request = Call {
        from: Key::named("alice").address(),
        to: Some(HISTORIAN),
        block: CallBlock::Next { timestamp: 1_000 },
        ..Call::default()
    };
    store.take_block_reads();
    assert!(chain.call(request).unwrap().success);
    // The head's hash is known, so five ancestors are read.
    assert_eq!(store.take_block_reads(), 5, "call");

    let block = build(&chain, 1, vec![call(6, HISTORIAN, [U256::ZERO; 2])]);
    assert!(block.block.executed.receipts[0].success);
    // The witness reads the headers once more.
    assert_eq!(block.witness.headers.len(), 6);
    assert_eq!(store.take_block_reads(), 10, "build");

    let (before, built) = (chain.state(), block.block.clone());
    assert_eq!(witness_of(&before, &built).unwrap(), block.witness);
    assert_eq!(store.take_block_reads(), 10, "witness");

    let again = chain.state();
    let mut state = again.open();
    let mut replay = Replay::new(&again, &mut state, &built, NoOpInspector).unwrap();
    replay.run_to(1).unwrap();
    assert_eq!(store.take_block_reads(), 5, "trace");

    // The child's ancestors are other blocks.
    chain.append(block).unwrap();
    let next = build(&chain, 1, vec![call(7, HISTORIAN, [U256::ZERO; 2])]);
    assert_eq!(next.witness.headers.len(), 6);
    assert_eq!(next.witness.headers[5], Bytes::from(alloy_rlp::encode(&built.header)));
}
