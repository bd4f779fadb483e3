//! The market on its own: its price, its rate, and the contract that stores its excess.

use alloy_primitives::{Address, B256, Bytes, U256, U512, address, keccak256, map::AddressMap};
use enshrine_variants::market::{
    LIMIT, MARKET_ADDRESS, MARKET_CODE, MARKET_CODE_HASH, MAX_EXCESS, RESERVE_RATIO, Rate, TARGET,
    UPDATE_FRACTION, close_block, excess_at, next_excess, price,
};
use executor::{BlockTally, Invalid, ReadError};
use revm::{
    Context, Database, DatabaseCommit, ExecuteCommitEvm, MainBuilder, MainContext,
    bytecode::{Bytecode, opcode::OpCode},
    context::{TxEnv, result::ExecutionResult},
    database::{CacheDB, EmptyDBTyped},
    primitives::TxKind,
    state::{Account, AccountInfo},
};

use testkit::Random;

const SYSTEM: Address = address!("0xfffffffffffffffffffffffffffffffffffffffe");
const GWEI: u64 = 1_000_000_000;

/// `fake_exponential(1, excess, UPDATE_FRACTION)` of EIP-4844, with integers that cannot overflow.
fn reference_price(excess: u64) -> U512 {
    let (numerator, denominator) = (U512::from(excess), U512::from(UPDATE_FRACTION));
    let (mut i, mut output, mut accumulator) = (U512::ONE, U512::ZERO, denominator);
    while !accumulator.is_zero() {
        output += accumulator;
        accumulator = accumulator * numerator / (denominator * i);
        i += U512::ONE;
    }
    output / denominator
}

/// The update of the excess as documented, with integers that cannot overflow.
fn reference_next(excess: U512, used: U512, base_fee: U512, price: U512) -> U512 {
    let (limit, target) = (U512::from(LIMIT), U512::from(TARGET));
    let next = if price * U512::from(RESERVE_RATIO) < base_fee {
        excess + used * (limit - target) / limit
    } else {
        (excess + used).saturating_sub(target)
    };
    next.min(U512::from(MAX_EXCESS))
}

/// Random numbers of all sizes.
const fn any_size(rng: &mut Random, bits: u64) -> u64 {
    let bits = 1 + rng.below(bits);
    rng.next() >> (64 - bits)
}

#[test]
fn price_matches_big_integer_reference() {
    let mut rng = Random::new(8_079);
    let (mut reserved, mut free, mut capped) = (0, 0, 0);
    for _ in 0..100_000 {
        let mut excess = any_size(&mut rng, 34).min(MAX_EXCESS);
        let mut expected = U512::from(excess);
        let base_fee = any_size(&mut rng, 50);
        for _ in 0..3 {
            let reference = reference_price(excess);
            assert_eq!(U512::from(price(excess)), reference, "excess {excess}");
            let used = [0, LIMIT, rng.below(LIMIT + 1)][rng.below(3) as usize];
            let wide = [used, base_fee].map(U512::from);
            expected = reference_next(expected, wide[0], wide[1], reference);
            let next = next_excess(excess, used, base_fee);
            assert_eq!(U512::from(next), expected, "{excess} {used} {base_fee}");
            reserved += u32::from(next > excess && used < TARGET);
            free += u32::from(next < excess);
            capped += u32::from(next == MAX_EXCESS);
            excess = next;
        }
    }
    assert!(reserved > 1_000 && free > 1_000 && capped > 100, "{reserved} {free} {capped}");
}

#[test]
fn nothing_overflows_for_any_state_and_block() {
    for excess in [0, MAX_EXCESS - 1, MAX_EXCESS, u64::MAX] {
        for used in [0, 1, LIMIT, u64::MAX] {
            for base_fee in [0, 1, GWEI, u64::MAX] {
                assert!(next_excess(excess, used, base_fee) <= MAX_EXCESS);
                let rate = Rate { price: price(excess), base_fee };
                assert!(rate.gas(used) > 0 || used == 0);
                let _ = rate.execute_gas(used);
            }
        }
    }
    assert_eq!(price(u64::MAX), price(MAX_EXCESS));
    assert!(price(MAX_EXCESS - UPDATE_FRACTION) < price(MAX_EXCESS));
    assert!(price(MAX_EXCESS) > GWEI * 100_000_000, "a tenth of an ether for a unit of gas");
}

#[test]
fn block_changes_price_by_at_most_an_eighth() {
    for excess in (UPDATE_FRACTION * 10..MAX_EXCESS - LIMIT).step_by(97_000_000) {
        let (before, base_fee) = (price(excess), 1);
        let after = |used| price(next_excess(excess, used, base_fee));
        assert_eq!(after(TARGET), before);
        // A millionth is allowed for rounding to integers.
        let (before, full, empty) = (before as f64, after(LIMIT) as f64, after(0) as f64);
        assert!((full / before - 1.125).abs() < 1e-4, "{}", full / before);
        assert!((before / empty - 1.125).abs() < 1e-4, "{}", before / empty);
    }
}

#[test]
fn use_raises_price_below_the_reserve_price() {
    let base_fee = 16 * GWEI;
    let reserve = excess_at(GWEI);
    assert_eq!(next_excess(reserve - 1, 1_000, base_fee), reserve + 499);
    assert_eq!(next_excess(reserve - 1, 0, base_fee), reserve - 1, "without use");
    assert_eq!(next_excess(reserve, 1_000, base_fee), reserve + 1_000 - TARGET);
    assert_eq!(next_excess(0, LIMIT, 0), TARGET, "without a base fee there is no reserve price");
}

#[test]
fn reserve_price_is_a_fraction_of_base_fee() {
    for wei in [1, GWEI, 77 * GWEI] {
        let excess = excess_at(wei).max(TARGET);
        let base_fee = RESERVE_RATIO * price(excess);
        assert_eq!(next_excess(excess, 1_000, base_fee), excess + 1_000 - TARGET, "{wei}");
        assert_eq!(next_excess(excess, 1_000, base_fee + 1), excess + 500, "{wei}");
    }
}

#[test]
fn excess_at_price_is_minimal() {
    assert_eq!(excess_at(0), 0);
    assert_eq!(excess_at(1), 0);
    for wei in [2, 7, GWEI / 16, GWEI, 1_000 * GWEI] {
        let excess = excess_at(wei);
        assert!(price(excess) >= wei && price(excess - 1) < wei, "{wei}");
    }
    assert_eq!(excess_at(u64::MAX), MAX_EXCESS);
}

#[test]
fn execute_gas_is_the_maximum_affordable() {
    let mut rng = Random::new(1);
    for _ in 0..10_000 {
        let rate = Rate { price: any_size(&mut rng, 50), base_fee: any_size(&mut rng, 50) };
        let gas = any_size(&mut rng, 40);
        let bought = rate.execute_gas(gas);
        assert!(rate.gas(bought) <= gas, "{rate:?} {gas}");
        if rate.base_fee > 0 && bought < u64::MAX {
            assert!(rate.gas(bought + 1) > gas, "{rate:?} {gas}");
        }
        assert!(rate.gas(1) > 0, "no work is free");
    }
    let same = Rate { price: GWEI, base_fee: GWEI };
    assert_eq!((same.gas(77), same.execute_gas(77)), (77, 77));
    let expensive = Rate { price: 3, base_fee: 2 };
    assert_eq!((expensive.gas(3), expensive.execute_gas(4), expensive.execute_gas(5)), (5, 2, 3));
    let unpriced = Rate { price: GWEI, base_fee: 0 };
    assert_eq!((unpriced.gas(77), unpriced.execute_gas(77)), (77, 77));
}

/// Assembles the code from the words of its documentation.
fn assembled() -> Vec<u8> {
    let mut listing = include_str!("../src/market/contract.rs").split("```");
    let mut code = Vec::new();
    let (mut labels, mut jumps) = (Vec::new(), Vec::new());
    for line in listing.nth(1).unwrap().lines().skip(1) {
        let line = line.trim_start_matches("///").trim_start();
        // Text next to or below the instructions is a comment.
        if line.contains(" = ") && !line.contains("jumpdest") || line.starts_with("term,") {
            let instructions = line.split("  ").next().unwrap();
            if instructions.contains('=') || instructions.contains(',') {
                continue;
            }
        }
        let mut words = line.split("  ").next().unwrap().split_whitespace().peekable();
        let label = line.split_once(':').filter(|(label, _)| !label.contains(' '));
        if let Some((label, rest)) = label {
            labels.push((label.to_owned(), u8::try_from(code.len()).unwrap()));
            words = rest.trim_start().split("  ").next().unwrap().split_whitespace().peekable();
        }
        while let Some(word) = words.next() {
            let mut all = (0..=u8::MAX).filter_map(OpCode::new);
            let named = all.find(|code| code.as_str().eq_ignore_ascii_case(word));
            code.push(named.unwrap_or_else(|| panic!("{word} is no instruction")).get());
            let Some(length) = word.strip_prefix("push") else { continue };
            let operand = words.next().unwrap();
            match (length, operand) {
                ("20", "SYSTEM_ADDRESS") => code.extend(SYSTEM),
                ("4", "UPDATE_FRACTION") => code.extend((UPDATE_FRACTION as u32).to_be_bytes()),
                ("4", "LIMIT") => code.extend((LIMIT as u32).to_be_bytes()),
                ("1", number) if number.parse::<u8>().is_ok() => code.push(number.parse().unwrap()),
                ("1", label) => {
                    jumps.push((code.len(), label.to_owned()));
                    code.push(0);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    for (at, label) in jumps {
        code[at] = labels.iter().find(|(name, _)| *name == label).unwrap().1;
    }
    code
}

#[test]
fn contract_code_matches_documented_assembly() {
    assert_eq!(assembled(), MARKET_CODE);
    assert_eq!(keccak256(MARKET_CODE), MARKET_CODE_HASH);
}

struct MarketState(CacheDB<EmptyDBTyped<ReadError>>);

impl MarketState {
    fn new(excess: u64) -> Self {
        let mut db = CacheDB::new(EmptyDBTyped::new());
        let code = Bytecode::new_raw(Bytes::from_static(MARKET_CODE));
        db.insert_account_info(MARKET_ADDRESS, AccountInfo::from_bytecode(code));
        db.insert_account_storage(MARKET_ADDRESS, U256::ZERO, U256::from(excess)).unwrap();
        for caller in [SYSTEM, Address::ZERO] {
            let rich = AccountInfo { balance: U256::from(100), ..Default::default() };
            db.insert_account_info(caller, rich);
        }
        Self(db)
    }

    fn call(&mut self, caller: Address, value: u64, data: &[u8]) -> ExecutionResult {
        let mut evm = Context::mainnet()
            .modify_cfg_chained(|cfg| cfg.disable_nonce_check = true)
            .with_db(&mut self.0)
            .build_mainnet();
        let transaction = TxEnv {
            caller,
            value: U256::from(value),
            kind: TxKind::Call(MARKET_ADDRESS),
            data: Bytes::copy_from_slice(data),
            gas_limit: 1_000_000,
            ..Default::default()
        };
        evm.transact_commit(transaction).unwrap()
    }

    fn excess(&mut self) -> U256 {
        self.0.storage(MARKET_ADDRESS, U256::ZERO).unwrap()
    }
}

#[test]
fn contract_returns_price_excess_and_limit() {
    let mut rng = Random::new(2);
    let random = (0..50).map(|_| rng.below(MAX_EXCESS));
    for excess in [0, 1, TARGET, UPDATE_FRACTION, MAX_EXCESS].into_iter().chain(random) {
        let result = MarketState::new(excess).call(Address::ZERO, 0, &[]);
        assert!(result.is_success(), "{result:?}");
        let words =
            [price(excess), excess, LIMIT].map(|value| U256::from(value).to_be_bytes::<32>());
        assert_eq!(result.output().unwrap()[..], words.concat(), "{excess}");
    }
}

#[test]
fn only_system_address_sets_excess() {
    let word = |value: u64| U256::from(value).to_be_bytes::<32>();
    let mut market = MarketState::new(5);
    for caller in [Address::ZERO, Address::repeat_byte(0xff)] {
        assert!(matches!(market.call(caller, 0, &word(9)), ExecutionResult::Revert { .. }));
    }
    for data in [&[][..], &word(9)[1..], &[&word(9)[..], &[0]].concat()] {
        assert!(matches!(market.call(SYSTEM, 0, data), ExecutionResult::Revert { .. }));
    }
    assert!(matches!(market.call(Address::ZERO, 1, &[]), ExecutionResult::Revert { .. }));
    assert_eq!(market.excess(), U256::from(5));
    assert!(market.call(SYSTEM, 0, &word(9)).is_success());
    assert_eq!(market.excess(), U256::from(9));
}

/// A state that records which accounts are changed.
struct Noting {
    market: MarketState,
    changed: Vec<Address>,
}

impl Noting {
    fn new(excess: u64) -> Self {
        Self { market: MarketState::new(excess), changed: Vec::new() }
    }
}

impl Database for Noting {
    type Error = ReadError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, ReadError> {
        self.market.0.basic(address)
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, ReadError> {
        self.market.0.code_by_hash(hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, ReadError> {
        self.market.0.storage(address, slot)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, ReadError> {
        self.market.0.block_hash(number)
    }
}

impl DatabaseCommit for Noting {
    fn commit(&mut self, changes: AddressMap<Account>) {
        self.changed.extend(changes.keys());
        self.market.0.commit(changes);
    }
}

#[test]
fn closing_block_updates_only_market_contract() {
    for (excess, settled, open) in [(0, 0, 0), (0, 1_000, 78), (50 * TARGET, LIMIT, 1)] {
        let tally = BlockTally::new(GWEI);
        tally.count(settled);
        tally.settle();
        tally.count(open);
        let mut state = Noting::new(excess);
        close_block(&mut state, &tally).unwrap();
        assert_eq!(state.market.excess(), U256::from(next_excess(excess, settled, GWEI)));
        assert_eq!(state.changed, [MARKET_ADDRESS]);
    }
}

#[test]
fn foreign_code_at_market_address_is_refused() {
    let other = Bytes::from([MARKET_CODE, &[0]].concat());
    for code in [Bytes::new(), other] {
        let got = keccak256(&code);
        let mut state = Noting::new(5);
        let info = AccountInfo::from_bytecode(Bytecode::new_raw(code));
        state.market.0.insert_account_info(MARKET_ADDRESS, info);
        let refused =
            Invalid::SystemCode { address: MARKET_ADDRESS, got, expected: MARKET_CODE_HASH };
        let outcome = close_block(&mut state, &BlockTally::new(GWEI));
        assert_eq!(outcome, Err(refused.into()));
        assert!(state.changed.is_empty());
        assert_eq!(state.market.excess(), U256::from(5));
    }
}

/// Wei of all ether, and more.
const ALL_ETHER: u128 = 200_000_000 * 1_000_000_000_000_000_000;
/// L1 blocks in 30 days, the least time after which `RollupExit.close` can be called.
const LOST_AFTER: u64 = 30 * 24 * 3_600 / 12;
/// EXECUTE gas that a block with one transfer is charged, and a little more.
const ADVANCE: u64 = 50_000;
/// Wei that a single account pays to keep its rollup open.
const PAID: u128 = 2_000_000_000_000_000_000;

/// An attacker who excludes all rollups by full blocks has no ether left after a few hours, and the
/// price falls as fast as it has risen.
#[test]
fn no_budget_excludes_rollups_until_they_are_lost() {
    for base_fee in [0, GWEI, 1_000 * GWEI] {
        let (mut budget, mut excess, mut blocks) = (ALL_ETHER, excess_at(GWEI), 0);
        while let Some(rest) = budget.checked_sub(u128::from(LIMIT) * u128::from(price(excess))) {
            budget = rest;
            excess = next_excess(excess, LIMIT, base_fee);
            blocks += 1;
        }
        assert!(blocks > 100, "the attack of {blocks} blocks has not raised the price");
        while u128::from(ADVANCE) * u128::from(price(excess)) > PAID {
            excess = next_excess(excess, 0, base_fee);
            blocks += 1;
        }
        assert!(blocks < LOST_AFTER / 100, "no advance for {blocks} blocks");
    }
}

/// A price is held by the target in each block, and one advance in all that time is enough.
#[test]
fn all_ether_holds_no_price_that_closes_rollup() {
    let held = ALL_ETHER / u128::from(LOST_AFTER) / u128::from(TARGET);
    let held = u64::try_from(held).unwrap();
    let excess = excess_at(held);
    assert_eq!(next_excess(excess, TARGET, GWEI), excess);
    assert!(u128::from(ADVANCE) * u128::from(price(excess)) <= PAID, "{held} wei");
}
