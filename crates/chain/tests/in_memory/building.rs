//! Transactions that a builder leaves out of a block, and whether a later block may include them.

use alloy_consensus::{Header, Transaction as _, TxEip1559};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, TxKind, U256, keccak256};
use enshrine_chain::{
    BlockAttributes, BlockBuilder, BlockBuilderOutcome, BudgetRequest, Chain, ChainConfig,
    ExecutedBlock, RecoveredTransaction, Rejection, empty_genesis, shortest_input,
};
use execute::{Execute, Networks};
use executor::{BlockError, ChainSpec, EvmOverrides, HookState, Transaction, recover_sender};
use rollup::InputLimits;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use testkit::{Key, eip1559};
use wire::ProtocolFork;

const CHAIN_ID: u64 = 8_079;
const FORKS: [ProtocolFork; 3] =
    [ProtocolFork::Cancun, ProtocolFork::Osaka, ProtocolFork::Amsterdam];

fn chain(fork: ProtocolFork, change: impl FnOnce(&mut Genesis)) -> Chain {
    let mut genesis = empty_genesis(fork);
    for name in ["alice", "bob"] {
        let rich =
            GenesisAccount { balance: U256::from(10).pow(U256::from(24)), ..Default::default() };
        genesis.alloc.insert(Key::named(name).address(), rich);
    }
    change(&mut genesis);
    Chain::new(&genesis, ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork))).unwrap()
}

fn transaction(name: &str, nonce: u64, gas_limit: u64, input: Vec<u8>) -> Transaction {
    Key::named(name).sign(TxEip1559 {
        input: input.into(),
        ..eip1559(nonce, Key::named("bob").address(), gas_limit)
    })
}

/// Returns the attributes of a child of the head.
fn next(chain: &Chain) -> BlockAttributes {
    let parent = &chain.head().header;
    BlockAttributes {
        timestamp: parent.timestamp + 12,
        slot_number: parent.number + 1,
        ..Default::default()
    }
}

/// Checks that EXECUTE accepts a block in both forms, and returns the length of the input for L1
/// and of the block's own input.
fn execute(chain: &Chain, built: &BlockBuilderOutcome) -> (usize, usize) {
    let spec = &chain.config().spec;
    let ExecutedBlock { block, witness, .. } = &built.executed;
    let fork = spec.fork_at(block.header.timestamp).unwrap();
    let own = block.input(fork, CHAIN_ID, witness).unwrap();
    let shortest = shortest_input(block, fork, CHAIN_ID, witness).unwrap();
    let networks = Networks::Only(Arc::new(spec.clone()));
    let execute = Execute { networks, ..Execute::l1() };
    for input in [&own, &shortest] {
        execute.run(input, u64::MAX).unwrap();
    }
    (shortest.len(), own.len())
}

/// Builds with and without recording, and checks that the results agree and that EXECUTE accepts
/// them.
fn build(chain: &Chain, transactions: &[Transaction]) -> BlockBuilderOutcome {
    let offered: Vec<_> = transactions
        .iter()
        .map(|transaction| RecoveredTransaction {
            transaction: transaction.clone().into(),
            sender: recover_sender(transaction).unwrap(),
            signed: true,
        })
        .collect();
    let state = chain.state();
    let header = state.open_header(&next(chain)).unwrap();
    let plain = BlockBuilder::new(&state).build(&header, &[], &offered).unwrap();
    let built = BlockBuilder::new(&state).build_recorded(&header, &[], &offered).unwrap();
    assert_eq!(plain.executed.block.hash, built.executed.block.hash);
    assert_eq!(plain.rejected, built.rejected);

    let block = &built.executed.block;
    assert!(block.provable);
    execute(chain, &built);
    // Each transaction is either included or rejected, exactly once.
    assert_eq!(block.transactions.len() + built.rejected.len(), transactions.len());
    built
}

/// Returns the positions of rejected transactions that a later block may include, and of those that
/// none may.
fn left(built: &BlockBuilderOutcome) -> (Vec<usize>, Vec<usize>) {
    let of = |room: bool| {
        let of =
            |(index, reason): &(usize, Rejection)| (reason.is_final() != room).then_some(*index);
        built.rejected.iter().filter_map(of).collect()
    };
    (of(true), of(false))
}

#[test]
fn full_block_leaves_the_rest_to_later_blocks() {
    for fork in FORKS {
        let mut chain = chain(fork, |genesis| genesis.gas_limit = 100_000);
        let mut waiting: Vec<_> =
            (0..8).map(|nonce| transaction("alice", nonce, 40_000, vec![])).collect();
        let mut blocks = 0;
        while !waiting.is_empty() {
            let built = build(&chain, &waiting);
            let (later, never) = left(&built);
            assert!(never.is_empty(), "{fork}: {:?}", built.rejected);
            assert!(later.len() < waiting.len(), "{fork}: no progress");
            waiting = later.into_iter().map(|index| waiting[index].clone()).collect();
            chain.append(built.executed).unwrap();
            blocks += 1;
        }
        assert!(blocks > 1, "{fork}");
        assert_eq!(chain.nonce(Key::named("alice").address()).unwrap(), 8);
    }
}

#[test]
fn transaction_above_block_gas_limit_is_rejected_permanently() {
    for fork in FORKS {
        let chain = chain(fork, |genesis| genesis.gas_limit = 100_000);
        let greedy = transaction("alice", 0, 100_001, vec![]);
        let fitting = transaction("alice", 0, 100_000, vec![]);
        assert_eq!(left(&build(&chain, &[greedy])), (vec![], vec![0]), "{fork}");
        assert_eq!(left(&build(&chain, &[fitting])), (vec![], vec![]), "{fork}");
    }
}

#[test]
fn later_nonces_wait_for_an_earlier_one() {
    for fork in FORKS {
        let chain = chain(fork, |genesis| genesis.gas_limit = 100_000);
        let offered = [
            transaction("bob", 0, 60_000, vec![]),
            // Does not fit after the first, which uses little of its limit, but only once executed.
            transaction("alice", 0, 99_000, vec![]),
            // Would fit, but its nonce is too high without the previous one.
            transaction("alice", 1, 25_000, vec![]),
            transaction("bob", 1, 25_000, vec![]),
            // The nonces before it are missing.
            transaction("bob", 9, 25_000, vec![]),
            // Its nonce is already used.
            transaction("bob", 0, 25_000, vec![]),
        ];
        assert_eq!(left(&build(&chain, &offered)), (vec![1, 2, 4], vec![5]), "{fork}");
    }
}

/// EIP-7934: a block of Osaka and later is at most 8 MiB long.
#[test]
fn block_is_filled_up_to_the_rlp_limit() {
    const LIMIT: usize = 8 << 20;
    // Zero bytes cost ten gas each by the floor of EIP-7623.
    let chunk = 1_000_000;
    let gas = 21_000 + 10 * chunk as u64 + 1_000;
    for fork in [ProtocolFork::Prague, ProtocolFork::Osaka] {
        let chain = chain(fork, |genesis| genesis.gas_limit = 200_000_000);
        let offered: Vec<_> =
            (0..9).map(|nonce| transaction("alice", nonce, gas, vec![0; chunk])).collect();
        let built = build(&chain, &offered);
        let length = built.executed.block.rlp().len();
        if fork < ProtocolFork::Osaka {
            assert_eq!(left(&built), (vec![], vec![]));
            assert!(length > LIMIT);
        } else {
            assert_eq!(left(&built), (vec![8], vec![]));
            assert!(length <= LIMIT && length > LIMIT - chunk);
        }
    }
}

/// EIP-7928: the gas limit pays for every item of the block access list.
#[test]
fn access_list_size_is_bounded_by_gas_limit() {
    let paying =
        |items: u64| chain(ProtocolFork::Amsterdam, |genesis| genesis.gas_limit = 2_000 * items);
    let transfer =
        |name: &str, to: u8| Key::named(name).sign(eip1559(0, Address::repeat_byte(to), 25_000));
    let items_of = |transactions: &[Transaction]| {
        let built = build(&paying(500), transactions);
        assert!(built.rejected.is_empty(), "{:?}", built.rejected);
        built.executed.block.executed.access_list_items
    };
    let (one, two) = (transfer("alice", 1), transfer("bob", 2));
    let none = items_of(&[]);
    let with_one = items_of(core::slice::from_ref(&one));
    let with_both = items_of(&[one.clone(), two.clone()]);
    assert!(none < with_one && with_one < with_both);

    // Too little for the first transaction: it does not fit even alone, so no block can include it.
    assert_eq!(left(&build(&paying(with_one - 1), core::slice::from_ref(&one))), (vec![], vec![0]));
    // Enough for one of the two; the other waits.
    let offered = [one, two];
    let built = build(&paying(with_both - 1), &offered);
    assert_eq!(left(&built), (vec![1], vec![]));
    assert_eq!(built.executed.block.ethereum_transactions().unwrap(), offered[..1]);
    assert_eq!(left(&build(&paying(with_both), &offered)), (vec![], vec![]));
}

/// Counts how often the execution of a block is started.
#[derive(Debug, Default)]
struct Begun(AtomicUsize);

impl EvmOverrides for Begun {
    fn begin_block(&self, _: &Header, _: &mut dyn HookState) -> Result<(), BlockError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Builds a block with recording, and returns it with the number of times that execution was
/// started.
fn build_counted(chain: &Chain, offered: &[RecoveredTransaction]) -> (BlockBuilderOutcome, usize) {
    let begun = Arc::<Begun>::default();
    let config = chain.config().clone().with_extension(begun.clone());
    let state = chain.state().with_config(config);
    let header = state.open_header(&next(chain)).unwrap();
    let built = BlockBuilder::new(&state).build_recorded(&header, &[], offered).unwrap();
    (built, begun.0.load(Ordering::Relaxed))
}

#[test]
fn invalid_transactions_cause_no_rebuild_and_no_reads() {
    let code = |genesis: &mut Genesis| {
        // A rich account with code, which cannot send (EIP-3607).
        let mut account = GenesisAccount { code: Some([0].into()), ..Default::default() };
        account.balance = U256::from(10).pow(U256::from(24));
        genesis.alloc.insert(Key::named("contract").address(), account);
    };
    for fork in FORKS {
        let chain = chain(fork, code);
        let offer = |transaction: Transaction| RecoveredTransaction {
            sender: recover_sender(&transaction).unwrap(),
            transaction: transaction.into(),
            signed: true,
        };
        let good = [
            offer(transaction("alice", 0, 100_000, vec![1])),
            offer(transaction("bob", 0, 100_000, vec![2])),
            offer(transaction("alice", 1, 100_000, vec![3])),
        ];
        let (expected, once) = build_counted(&chain, &good);
        assert_eq!((expected.rejected.len(), once), (0, 1));
        let [a, b, c] = good;

        // Without funds, with a used nonce, with a nonce that is too high, and with too little gas
        // for any transaction.
        let bad = [
            offer(transaction("pauper", 0, 100_000, vec![])),
            offer(transaction("alice", 0, 90_000, vec![])),
            offer(transaction("bob", 7, 100_000, vec![])),
            offer(transaction("alice", 2, 1, vec![])),
        ];
        let [w, x, y, z] = bad;
        let (built, begun) = build_counted(&chain, &[w, a.clone(), x, b.clone(), y, c.clone(), z]);
        assert_eq!(begun, 1, "{fork:?}");
        assert_eq!(left(&built), (vec![4], vec![0, 2, 6]));
        assert_eq!(built.executed.block.hash, expected.executed.block.hash);
        assert_eq!(built.executed.witness, expected.executed.witness);

        // The check of a sender with code has read the code; this read is reverted.
        let contract = offer(transaction("contract", 0, 100_000, vec![]));
        let (built, begun) = build_counted(&chain, &[a, contract, b, c]);
        assert_eq!(begun, 1, "{fork:?}");
        assert_eq!(left(&built), (vec![], vec![1]));
        assert_eq!(built.executed.witness, expected.executed.witness);
    }
}

/// Adds four large contracts that do nothing, and one that reads the code of all of them.
fn with_codes(genesis: &mut Genesis) {
    let mut reader = Vec::new();
    for number in 0..4_u8 {
        let code = [vec![0], vec![number; 20_000]].concat();
        let account = GenesisAccount { code: Some(code.into()), ..Default::default() };
        genesis.alloc.insert(Address::repeat_byte(0x10 + number), account);
        // CALL(GAS, address, 0, 0, 0, 0, 0), POP
        reader.extend([0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x73]);
        reader.extend([0x10 + number; 20]);
        reader.extend([0x5a, 0xf1, 0x50]);
    }
    let account = GenesisAccount { code: Some(reader.into()), ..Default::default() };
    genesis.alloc.insert(READER, account);
}

const READER: Address = Address::repeat_byte(0x20);
/// Input limit with room for two of the four codes.
const MAX_INPUT: usize = 55_000;

fn call(name: &str, nonce: u64, to: Address) -> RecoveredTransaction {
    let transaction = Key::named(name).sign(eip1559(nonce, to, 100_000));
    RecoveredTransaction {
        sender: Key::named(name).address(),
        transaction: transaction.into(),
        signed: true,
    }
}

fn bytes(max: usize) -> InputLimits {
    InputLimits { bytes: Some(max), ..InputLimits::default() }
}

fn build_within(
    chain: &Chain,
    max: usize,
    offered: &[RecoveredTransaction],
) -> (BlockBuilderOutcome, usize) {
    build_paced(chain, max, offered, None)
}

/// Like [`build_within`], with at most this gas for the transactions.
fn build_paced(
    chain: &Chain,
    max: usize,
    offered: &[RecoveredTransaction],
    pool_gas: Option<u64>,
) -> (BlockBuilderOutcome, usize) {
    let state = chain.state();
    let header = state.open_header(&next(chain)).unwrap();
    let request = BudgetRequest { pool_gas, ..BudgetRequest::default() };
    let built = BlockBuilder::new(&state)
        .build_within(&header, &[], offered, &bytes(max), request)
        .unwrap();
    let (length, _) = execute(chain, &built);
    (built, length)
}

#[test]
fn block_is_filled_up_to_the_input_limit() {
    for fork in FORKS {
        let chain = chain(fork, with_codes);
        let codes = |number: u8| Address::repeat_byte(0x10 + number);
        let offered = [
            call("alice", 0, codes(0)),
            call("alice", 1, codes(1)),
            call("alice", 2, codes(2)),
            call("alice", 3, codes(0)),
        ];
        let (built, length) = build_within(&chain, MAX_INPUT, &offered);
        assert!(length <= MAX_INPUT, "{length}");
        assert_eq!(built.executed.block.transactions.len(), 2, "{fork:?}");
        // The last would fit, but an earlier transaction of its sender waits.
        assert_eq!(left(&built), (vec![2, 3], vec![]));

        // All transactions fit if the limit is higher.
        let (all, length) = build_within(&chain, 4 * MAX_INPUT, &offered);
        assert!(length > MAX_INPUT);
        assert_eq!(left(&all), (vec![], vec![]));
    }
}

#[test]
fn oversized_transaction_does_not_displace_others() {
    for fork in FORKS {
        let chain = chain(fork, with_codes);
        let offered = [
            call("alice", 0, READER),
            call("bob", 0, Address::repeat_byte(0x10)),
            call("bob", 1, Address::repeat_byte(0x11)),
        ];
        let (built, length) = build_within(&chain, MAX_INPUT, &offered);
        assert!(length <= MAX_INPUT, "{length}");
        assert_eq!(left(&built), (vec![], vec![0]), "{fork:?}");
        assert_eq!(built.executed.block.transactions.len(), 2);

        let (all, _) = build_within(&chain, 4 * MAX_INPUT, &offered);
        assert_eq!(left(&all), (vec![], vec![]));
    }
}

/// Each is found to be too long only once the block with it alone is complete.
#[test]
fn oversized_lone_transactions_keep_out_no_others() {
    const ATTACKERS: usize = 20;
    let attacker = |number: usize| format!("attacker {number}");
    for fork in FORKS {
        let chain = chain(fork, |genesis| {
            for number in 0..ATTACKERS {
                let rich =
                    GenesisAccount { balance: U256::from(testkit::ETHER), ..Default::default() };
                genesis.alloc.insert(Key::named(&attacker(number)).address(), rich);
            }
        });
        let long = |number: usize| RecoveredTransaction {
            sender: Key::named(&attacker(number)).address(),
            transaction: transaction(&attacker(number), 0, 1_000_000, vec![0; 10_000]).into(),
            signed: true,
        };
        let mut offered: Vec<_> = (0..ATTACKERS).map(long).collect();
        let alone =
            offered.iter().map(|tx| build_within(&chain, 1 << 20, std::slice::from_ref(tx)).1);
        let max = alone.min().unwrap() - 1;
        for honest in ["alice", "bob"] {
            offered.push(call(honest, 0, Key::named("bob").address()));
        }
        for count in [1, 16, 17, ATTACKERS] {
            let (built, length) = build_within(&chain, max, &offered[ATTACKERS - count..]);
            assert!(length <= max, "{fork}: {length} of {max}");
            assert_eq!(built.executed.block.transactions.len(), 2, "{fork}: {count}");
            // The last ones are not tried any more.
            let tried = count.min(17);
            assert_eq!(left(&built), ((tried..count).collect(), (0..tried).collect()), "{fork}");
            // A share of the gas counts what is included, not what is tried.
            let honest = offered[ATTACKERS..].iter().map(|tx| tx.transaction.gas_limit()).sum();
            let paced = build_paced(&chain, max, &offered[ATTACKERS - count..], Some(honest)).0;
            assert_eq!(paced.executed.block.hash, built.executed.block.hash, "{fork}: {count}");
        }
        // With one more byte, the shortest one fits alone.
        let (built, _) = build_within(&chain, max + 1, &offered);
        assert_eq!(built.executed.block.transactions.len(), 1, "{fork}");
    }
}

#[test]
fn input_limit_applies_to_the_shortest_form() {
    let to = |number: u64| Address::from_word(keccak256(number.to_be_bytes()));
    for fork in FORKS {
        let chain = chain(fork, |genesis| {
            genesis.gas_limit = 30_000_000;
            for number in 0..2_000 {
                let account = GenesisAccount { balance: U256::ONE, ..Default::default() };
                genesis.alloc.insert(to(number), account);
            }
        });
        let offered: Vec<_> = (0..150).map(|nonce| call("alice", nonce, to(nonce))).collect();
        let max = 40_000;
        let state = chain.state();
        let header = state.open_header(&next(&chain)).unwrap();
        let built = BlockBuilder::new(&state)
            .build_within(&header, &[], &offered, &bytes(max), BudgetRequest::default())
            .unwrap();
        let (length, own) = execute(&chain, &built);
        let count = built.executed.block.transactions.len();
        assert!(length <= max && count < offered.len(), "{fork}: {length}, {count}");
        // The remaining room is only that reserved for the reads after the last transaction.
        assert!(length + 4_096 + 1_200 > max, "{fork}: {length} of {max}");
        // The block's own input would be too long.
        assert!(own > max * 5 / 4, "{fork}: {own}");
        assert_eq!(left(&built), ((count..offered.len()).collect(), vec![]), "{fork}");
    }
}

#[test]
fn underpaid_bytes_are_rejected_unless_owed() {
    /// Wei per gas.
    const TIP: u128 = 1_000;
    let tipping = |name: &str, input: usize| {
        let transaction = Key::named(name).sign(TxEip1559 {
            max_priority_fee_per_gas: TIP,
            input: vec![0; input].into(),
            ..eip1559(0, Key::named("bob").address(), 400_000)
        });
        RecoveredTransaction {
            sender: Key::named(name).address(),
            transaction: transaction.into(),
            signed: true,
        }
    };
    for fork in FORKS {
        let chain = chain(fork, |_| {});
        // The first transaction reads the items that both need; the other has many bytes of its
        // own.
        let offered = [tipping("alice", 10), tipping("bob", 2_000)];
        let built = |byte_price: u128, owed: usize| {
            let state = chain.state();
            let header = state.open_header(&next(&chain)).unwrap();
            let limits = InputLimits { byte_price, ..InputLimits::default() };
            let request = BudgetRequest { owed, ..BudgetRequest::default() };
            let built = BlockBuilder::new(&state)
                .build_within(&header, &[], &offered, &limits, request)
                .unwrap();
            execute(&chain, &built);
            left(&built)
        };
        let gas = {
            let state = chain.state();
            let header = state.open_header(&next(&chain)).unwrap();
            let built = BlockBuilder::new(&state).build_recorded(&header, &[], &offered).unwrap();
            let receipts = &built.executed.block.executed.receipts;
            receipts[1].cumulative_gas_used - receipts[0].cumulative_gas_used
        };
        // Bob's transaction adds only its own bytes, so the length is known exactly.
        let bytes = offered[1].transaction.encode_2718_len() as u128 + 4;
        let maximum = TIP * u128::from(gas) / bytes;
        assert_eq!(built(0, 0), (vec![], vec![]), "{fork}");
        assert_eq!(built(maximum, 0), (vec![], vec![]), "{fork}");
        assert_eq!(built(maximum + 1, 0), (vec![], vec![1]), "{fork}");
        assert_eq!(built(maximum + 1, 1), (vec![], vec![1]), "{fork}");
        assert_eq!(built(maximum + 1, 2), (vec![], vec![]), "{fork}");
        // The only transaction of a block adds the paths to both accounts.
        assert_eq!(built(1_000 * TIP * u128::from(gas), 0), (vec![], vec![0, 1]), "{fork}");
    }
}

/// A transaction whose fee cap is below the base fee of this block fits into a later one.
#[test]
fn fee_cap_below_base_fee_is_not_final() {
    let chain = chain(ProtocolFork::Osaka, |_| ());
    let base_fee = u128::from(chain.state().next_base_fee().unwrap());
    let priced = |nonce, max_fee_per_gas| {
        Key::named("alice").sign(TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas,
            to: TxKind::Call(Key::named("bob").address()),
            ..Default::default()
        })
    };
    for (fee_cap, is_included) in [(base_fee - 1, false), (base_fee, true)] {
        let offered = vec![priced(0, fee_cap), priced(1, base_fee), priced(0, fee_cap)];
        let (built, rejected) = chain.build(&next(&chain), offered.clone()).unwrap();
        assert_eq!(built.block.transactions.len(), if is_included { 2 } else { 0 });
        assert_eq!(rejected.len(), 3 - built.block.transactions.len());
        let recovered = offered.into_iter().map(|transaction| RecoveredTransaction {
            sender: recover_sender(&transaction).unwrap(),
            transaction: transaction.into(),
            signed: true,
        });
        let recovered: Vec<_> = recovered.collect();
        let state = chain.state();
        let header = state.open_header(&next(&chain)).unwrap();
        let outcome = BlockBuilder::new(&state).build(&header, &[], &recovered).unwrap();
        let finals: Vec<_> = outcome.rejected.iter().map(|(_, reason)| reason.is_final()).collect();
        // A used nonce is final.
        assert_eq!(finals, if is_included { vec![true] } else { vec![false; 3] });
    }
}
