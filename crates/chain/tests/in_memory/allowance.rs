//! Transactions that buy an allowance of EXECUTE gas: charge, refund, and attempts to evade
//! payment.

use crate::support::market::{
    AROUND, CHAIN_ID, FORKS, FOUR_TIMES, FULL, GOES_ON, GWEI, L1, REVERTS, empty_l2_block, flat,
    gas_used, genesis,
};
use alloy_consensus::TxEip1559;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, Bytes, TxKind, U256, hex};
use codec::{ExecuteTx, ExecuteTxVersion, SignedExecuteTx};
use enshrine_chain::{
    BlockAttributes, BlockBuilder, ChainError, ExecuteMarket, RecoveredTransaction, Rejection,
    Replay,
};
use executor::Invalid;
use revm::inspector::NoOpInspector;
use testkit::{Key, execute_tx_of};
use variants::market::{
    BeyondAllowance, BeyondLimit, LIMIT, TARGET, excess_at, next_excess, price_on,
};
use wire::ProtocolFork;

/// A market without a limit, whose builder produces blocks that the chain must reject.
const BOUNDLESS: ExecuteMarket = ExecuteMarket { limit: u64::MAX, price: price_on };
/// A market with a price of zero.
const FREE: ExecuteMarket = ExecuteMarket { limit: LIMIT, price: |_| Ok(0) };

/// Receives the ether of [`SPENDS_ALL`].
const SINK: Address = Address::repeat_byte(0x51);
/// Sends away all its ether, and forwards its calldata to `0x12`.
const SPENDS_ALL: (Address, [u8; 43]) = (
    Address::repeat_byte(0xe0),
    hex!(
        "5f5f5f5f47735151515151515151515151515151515151515151"
        "5af150"
        "365f5f375f5f365f5f60125af100"
    ),
);
/// Account that makes no calls.
const IDLE: Address = Address::repeat_byte(0x1d);

/// An L1 of Osaka with this price per call of EXECUTE, and per unit of its gas.
fn l1(call: u64, wei: u64) -> L1 {
    let fork = ProtocolFork::Osaka;
    L1::selling_allowances(&genesis(fork, excess_at(wei)), fork, flat(call))
}

/// Returns a call with an allowance and a fee cap of a hundred gwei. Without an address it calls
/// the precompile.
pub(crate) fn buys(
    who: &str,
    nonce: u64,
    to: Option<Address>,
    allowance: u64,
    input: &[u8],
) -> RecoveredTransaction {
    changed(who, nonce, to, allowance, input, |_| {})
}

pub(crate) fn changed(
    who: &str,
    nonce: u64,
    to: Option<Address>,
    allowance: u64,
    input: &[u8],
    change: impl FnOnce(&mut ExecuteTx),
) -> RecoveredTransaction {
    let of_block = execute_tx_of(input).unwrap();
    // These contracts forward the whole input to 0x0101.
    let is_relay =
        to.is_some_and(|to| [GOES_ON.0, REVERTS.0, AROUND.0, FOUR_TIMES.0].contains(&to));
    let (input, witness) = match is_relay {
        true => (Bytes::copy_from_slice(input), Bytes::new()),
        false => (of_block.input.clone(), of_block.witness.clone()),
    };
    let mut tx = ExecuteTx {
        chain_id: CHAIN_ID,
        nonce,
        max_fee_per_gas: 2 * u128::from(GWEI),
        gas_limit: 15_000_000,
        to: to.map_or(TxKind::Create, TxKind::Call),
        input,
        witness,
        version: ExecuteTxVersion::V3 {
            anchor: of_block.anchor(),
            max_fee_per_execute_gas: 100 * u128::from(GWEI),
            execute_gas_limit: allowance,
        },
        ..of_block
    };
    change(&mut tx);
    let key = Key::named(who);
    let signed = SignedExecuteTx { signature: key.sign_digest(&tx.signing_hash()), tx };
    RecoveredTransaction { transaction: signed.into(), sender: key.address(), signed: true }
}

/// Returns the same transaction, unsigned, from an account without a key.
const fn sent_by(mut offered: RecoveredTransaction, sender: Address) -> RecoveredTransaction {
    offered.sender = sender;
    offered.signed = false;
    offered
}

const fn fee_cap(tx: &mut ExecuteTx, wei: u128) {
    if let ExecuteTxVersion::V3 { max_fee_per_execute_gas, .. } = &mut tx.version {
        *max_fee_per_execute_gas = wei;
    }
}

fn reason(rejection: &Rejection) -> (bool, String) {
    (rejection.is_final(), rejection.to_string())
}

#[test]
fn drawn_gas_is_burned_and_the_rest_refunded() {
    for fork in FORKS {
        let input = empty_l2_block(fork);
        let mut gas = Vec::new();
        for wei in [GWEI / 4, GWEI, 4 * GWEI] {
            let mut l1 =
                L1::selling_allowances(&genesis(fork, excess_at(wei)), fork, flat(1_000_000));
            let excess = l1.excess();
            let (block, used, units) = l1.paid(buys("alice", 0, None, 1_500_000, &input));
            assert!(block.executed.receipts[0].success && l1.reasons().is_empty(), "{fork}");
            assert_eq!(units, 1_000_000, "{fork}");
            let base_fee = block.header.base_fee_per_gas.unwrap();
            assert_eq!(l1.excess(), next_excess(excess, 1_000_000, base_fee), "{fork}");
            gas.push(used);
        }
        assert_eq!(gas, [gas[0]; 3], "{fork}: the gas used does not depend on the price");
    }
}

#[test]
fn unused_allowance_is_refunded_completely() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let mut l1 = l1(100_000, GWEI);
    let excess = l1.excess();
    let (_, _, units) = l1.paid(buys("alice", 0, Some(IDLE), LIMIT, &input));
    assert_eq!((units, l1.excess() + TARGET), (0, excess));
}

/// If a call were paid by value or from the frame's remaining balance, a revert would return the
/// ether although the work was done.
#[test]
fn attack_revert_does_not_refund_drawn_gas() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    for (to, succeeds) in [(GOES_ON.0, true), (REVERTS.0, false), (AROUND.0, true)] {
        let mut l1 = l1(100_000, GWEI);
        let excess = l1.excess();
        let (block, _, units) = l1.paid(buys("alice", 0, Some(to), 500_000, &input));
        assert!(l1.reasons().is_empty(), "EXECUTE itself succeeds");
        assert_eq!(block.executed.receipts[0].success, succeeds);
        assert_eq!((units, l1.excess() + TARGET), (100_000, excess + 100_000), "{to}");
    }
}

#[test]
fn failed_call_draws_its_reserve_and_all_gas() {
    let valid = empty_l2_block(ProtocolFork::Osaka);
    for (corrupt, succeeds) in [(false, true), (true, false)] {
        let mut l1 = l1(100_000, GWEI);
        let excess = l1.excess();
        let offered = changed("alice", 0, None, 500_000, &valid, |tx| {
            if corrupt {
                tx.timestamp += 1;
            }
        });
        let (block, gas, units) = l1.paid(offered);
        assert_eq!(block.executed.receipts[0].success, succeeds);
        assert_eq!(gas == 15_000_000, !succeeds, "{gas}");
        assert_eq!((units, l1.excess() + TARGET), (100_000, excess + 100_000));
    }
}

#[test]
fn call_succeeds_only_within_the_allowance() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    for (allowance, succeeds) in [(0, false), (99_999, false), (100_000, true)] {
        let mut l1 = l1(100_000, GWEI);
        let excess = l1.excess();
        let (block, gas, units) = l1.paid(buys("alice", 0, None, allowance, &input));
        assert_eq!(block.executed.receipts[0].success, succeeds, "{allowance}");
        let drawn = if succeeds { 100_000 } else { 0 };
        assert_eq!((units, l1.excess() + TARGET), (drawn, excess + drawn), "{allowance}");
        if !succeeds {
            assert_eq!(gas, 15_000_000);
            let refused = BeyondAllowance { got: 100_000, left: allowance };
            assert_eq!(l1.reasons(), [refused.into()]);
        }
    }
}

#[test]
fn the_calls_of_a_transaction_share_its_allowance() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    for (allowance, calls) in [(400_000, 4), (399_999, 3)] {
        let mut l1 = l1(100_000, GWEI);
        let (_, _, units) = l1.paid(buys("alice", 0, Some(FOUR_TIMES.0), allowance, &input));
        assert_eq!(units, calls * 100_000);
        let left = allowance - units;
        let beyond = (calls < 4).then(|| BeyondAllowance { got: 100_000, left }.into());
        assert_eq!(l1.reasons(), Vec::from_iter(beyond));
    }
}

#[test]
fn allowance_fee_cap_must_cover_the_price() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let mut l1 = l1(100_000, GWEI);
    let price = u128::from(l1.price());
    let offer = |wei| changed("alice", 0, None, 100_000, &input, |tx| fee_cap(tx, wei));
    let low = offer(price - 1);
    let expected = format!("max fee per EXECUTE gas less than its price: {} < {price}", price - 1);
    let built = l1.build(std::slice::from_ref(&low));
    let (is_final, said) = reason(&built.rejected[0].1);
    // The transaction waits, because the price may fall.
    assert!(!is_final && said.contains(&expected), "{said}");
    let refused = l1.alone(&low).unwrap_err();
    assert_eq!(refused, Invalid::Transaction { index: 0, reason: expected.clone() });
    let lenient = L1::selling_allowances(
        &genesis(ProtocolFork::Osaka, excess_at(GWEI)),
        ProtocolFork::Osaka,
        flat(100_000),
    )
    .selling(Some(FREE));
    assert_eq!(l1.refusal(&lenient.build(&[low])), (0, expected));
    let (_, _, units) = l1.paid(offer(price));
    assert_eq!(units, 100_000);
}

#[test]
fn a_block_holds_no_allowance_beyond_its_limit() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let third = LIMIT / 3;
    let of = |who, gas| buys(who, 0, None, gas, &input);
    let mut l1 = l1(third, GWEI / 8);
    let lenient = self::l1(third, GWEI / 8).selling(Some(BOUNDLESS));

    // The first transaction draws a third of its allowance; the rest is available again.
    let offered = [of("alice", LIMIT), of("bob", LIMIT - third + 1)];
    let left = LIMIT - third;
    let expected = format!("its EXECUTE gas limit is {}, the block has {left} left", left + 1);
    let built = l1.build(&offered);
    let (is_final, said) = reason(&built.rejected[0].1);
    assert!(!is_final && said.contains(&expected), "{said}");
    assert_eq!((built.rejected.len(), built.rejected[0].0), (1, 1));
    assert_eq!(l1.refusal(&lenient.build(&offered)), (1, expected));
    let excess = l1.excess();
    l1.block_of(&[of("alice", LIMIT), of("bob", left)]);
    assert_eq!(l1.excess(), excess + 2 * third - TARGET);

    // No block can include a single allowance above the limit.
    let beyond = buys("alice", 1, None, LIMIT + 1, &input);
    let (is_final, said) = reason(&l1.build(std::slice::from_ref(&beyond)).rejected[0].1);
    assert!(is_final && said.contains("exceeds the block's 60000000"), "{said}");
    assert!(l1.alone(&beyond).is_err());
    assert!(l1.alone(&buys("alice", 1, None, LIMIT, &input)).is_ok());
}

#[test]
fn allowances_beyond_the_limit_wait_with_their_successors() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let mut l1 = l1(LIMIT / 2, GWEI / 8);
    let half = |who, nonce| buys(who, nonce, None, LIMIT / 2, &input);
    let offered = [half("alice", 0), half("alice", 1), half("bob", 0), half("bob", 1)];
    let built = l1.build(&offered);
    let left_out: Vec<_> = built.rejected.iter().map(|(index, _)| *index).collect();
    assert_eq!(left_out, [2, 3]);
    assert!(built.rejected.iter().all(|(_, reason)| !reason.is_final()), "{:?}", built.rejected);
    l1.chain.append(built.executed).unwrap();
    l1.block_of(&offered[2..]);
}

/// An allowance that is not drawn is refunded. If it counted against the limit nevertheless, a
/// sender could fill blocks for free.
#[test]
fn attack_unused_allowances_exclude_no_other_sender() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let mut l1 = l1(LIMIT, GWEI / 8);
    let excess = l1.excess();
    let idle = |nonce| buys("alice", nonce, Some(IDLE), LIMIT, &input);
    let block = l1.block_of(&[idle(0), idle(1), buys("bob", 0, None, LIMIT, &input)]);
    assert!(block.executed.receipts.iter().all(|receipt| receipt.success));
    assert_eq!(l1.excess(), excess + LIMIT - TARGET);
}

#[test]
fn converted_gas_and_allowances_share_the_limit() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let half = LIMIT / 2;
    let converts = |who: &str, nonce| {
        let transaction = Key::named(who).sign(TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: 16_000_000,
            max_fee_per_gas: 2 * u128::from(GWEI),
            to: TxKind::Call(GOES_ON.0),
            input: input.clone().into(),
            ..Default::default()
        });
        let sender = Key::named(who).address();
        RecoveredTransaction { transaction: transaction.into(), sender, signed: true }
    };
    for (allowance, is_in) in [(half, true), (half + 1, false)] {
        let l1 = l1(half, GWEI / 8);
        let built = l1.build(&[converts("alice", 0), buys("bob", 0, None, allowance, &input)]);
        assert_eq!(built.rejected.is_empty(), is_in, "{:?}", built.rejected);
    }
    // The same holds after an allowance: a converting call can use the part that was not drawn.
    let mut l1 = l1(half, GWEI / 8);
    let offered = [buys("bob", 0, None, LIMIT, &input), converts("alice", 0), converts("alice", 1)];
    l1.block_of(&offered);
    assert_eq!(l1.reasons(), [BeyondLimit { got: LIMIT + half, limit: LIMIT }.into()]);
}

#[test]
fn sender_must_fund_allowance_in_addition_to_gas() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let tx = |value: u64, wei: u128| {
        changed("carol", 0, Some(IDLE), 1_000_000, &input, |tx| {
            tx.value = U256::from(value);
            fee_cap(tx, wei);
        })
    };
    let cost = 15_000_000 * 2 * u128::from(GWEI) + 7 + 1_000_000 * 3 * u128::from(GWEI);
    for (balance, is_in) in [(cost, true), (cost - 1, false)] {
        let mut genesis = genesis(ProtocolFork::Osaka, excess_at(GWEI));
        let carol = GenesisAccount { balance: U256::from(balance), ..Default::default() };
        genesis.alloc.insert(Key::named("carol").address(), carol);
        let l1 = L1::selling_allowances(&genesis, ProtocolFork::Osaka, flat(100_000));
        let offered = tx(7, 3 * u128::from(GWEI));
        assert_eq!(l1.build(std::slice::from_ref(&offered)).rejected.is_empty(), is_in);
        assert_eq!(l1.alone(&offered).is_ok(), is_in);
        if !is_in {
            let said = l1.alone(&offered).unwrap_err().to_string();
            assert!(said.contains(&format!("may cost {cost}")), "{said}");
        }
    }
}

#[test]
fn attack_overflowing_cost_is_rejected() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let l1 = l1(100_000, GWEI);
    let tx = |value: U256, allowance: u64, wei: u128| {
        let offered = changed("alice", 0, Some(IDLE), allowance, &input, |tx| {
            tx.value = value;
            fee_cap(tx, wei);
        });
        // An account with the maximum balance.
        sent_by(offered, FULL)
    };
    let gas = U256::from(15_000_000_u64) * U256::from(2 * GWEI);
    let allowance = U256::from(LIMIT) * U256::from(u128::MAX);
    for (value, is_in) in [
        (U256::MAX - gas - allowance, true),
        (U256::MAX - gas - allowance + U256::ONE, false),
        (U256::MAX, false),
    ] {
        let offered = tx(value, LIMIT, u128::MAX);
        let built = l1.build(std::slice::from_ref(&offered));
        assert_eq!(built.rejected.is_empty(), is_in, "{value}: {:?}", built.rejected);
        assert_eq!(l1.alone(&offered).is_ok(), is_in, "{value}");
    }
    // A rich account with less than that.
    let offered = changed("alice", 0, Some(IDLE), LIMIT, &input, |tx| fee_cap(tx, u128::MAX));
    assert!(l1.alone(&offered).is_err());
}

#[test]
fn attack_frame_cannot_spend_the_allowance_price() {
    let fork = ProtocolFork::Osaka;
    let input = empty_l2_block(fork);
    let mut genesis = genesis(fork, excess_at(GWEI));
    let code = Some(Bytes::copy_from_slice(&SPENDS_ALL.1));
    genesis.alloc.insert(SPENDS_ALL.0, GenesisAccount { code, ..Default::default() });
    // Alice delegates to that code (EIP-7702).
    let alice = Key::named("alice").address();
    let delegation = [&hex!("ef0100")[..], SPENDS_ALL.0.as_slice()].concat();
    genesis.alloc.get_mut(&alice).unwrap().code = Some(delegation.into());
    let mut l1 = L1::selling_allowances(&genesis, fork, flat(100_000));
    let (price, before, excess) = (l1.price(), l1.balance("alice"), l1.excess());
    let block = l1.block_of(&[buys("alice", 0, Some(alice), 400_000, &input)]);
    assert!(block.executed.receipts[0].success && l1.reasons().is_empty());

    let wei = |gas: u64, price: u64| U256::from(gas) * U256::from(price);
    let base_fee = block.header.base_fee_per_gas.unwrap();
    let paid = wei(15_000_000, base_fee) + wei(400_000, price);
    assert_eq!(
        l1.chain.balance(SINK).unwrap(),
        before - paid,
        "everything except the prepaid costs"
    );
    let back = wei(15_000_000 - gas_used(&block)[0], base_fee) + wei(300_000, price);
    assert_eq!(l1.balance("alice"), back);
    assert_eq!(l1.excess() + TARGET, excess + 100_000);
}

#[test]
fn several_allowances_use_the_price_of_the_block() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let mut l1 = l1(1_000_000, GWEI);
    let (price, excess) = (l1.price(), l1.excess());
    let before = ["alice", "bob"].map(|who| l1.balance(who));
    let offered = [
        buys("alice", 0, None, 2_000_000, &input),
        buys("bob", 0, Some(REVERTS.0), 3_000_000, &input),
        buys("alice", 1, None, 1_000_000, &input),
    ];
    let block = l1.block_of(&offered);
    assert_eq!(l1.excess() + TARGET, excess + 3_000_000);
    let (gas, base_fee) = (gas_used(&block), block.header.base_fee_per_gas.unwrap());
    let cost = |gas: u64, units: u64| {
        U256::from(gas) * U256::from(base_fee) + U256::from(units) * U256::from(price)
    };
    assert_eq!(before[0] - l1.balance("alice"), cost(gas[0] + gas[2], 2_000_000));
    assert_eq!(before[1] - l1.balance("bob"), cost(gas[1], 1_000_000));
}

#[test]
fn rejected_buyer_does_not_change_the_block() {
    let fork = ProtocolFork::Cancun;
    let input = empty_l2_block(fork);
    let l1 = || L1::selling_allowances(&genesis(fork, excess_at(GWEI)), fork, flat(100_000));
    // The executor rejects the first one before it runs the EVM, and the EVM rejects the second.
    // The sender of the third cannot pay.
    let much = changed("alice", 0, None, 500_000, &input, |tx| tx.gas_limit = 200_000_001);
    let little = changed("alice", 0, None, 500_000, &input, |tx| tx.gas_limit = 21_000);
    let poor = changed("alice", 0, None, 500_000, &input, |tx| fee_cap(tx, u128::MAX));
    let good =
        [buys("bob", 0, Some(IDLE), 500_000, &input), buys("alice", 0, None, 500_000, &input)];
    let expected = l1().build(&good);
    assert!(expected.rejected.is_empty());
    for bad in [much, little, poor] {
        assert!(l1().alone(&bad).is_err());
        let offered: Vec<_> = [&[bad][..], &good].concat();
        let built = l1().build(&offered);
        assert_eq!(built.rejected.len(), 1, "{:?}", built.rejected);
        assert_eq!(built.executed.block.hash, expected.executed.block.hash);
        assert_eq!(built.executed.witness, expected.executed.witness);
    }
    // This one fails only after its execution, because its fees would overflow the balance of
    // their recipient.
    let l1 = l1();
    let tipped = changed("alice", 0, None, 500_000, &input, |tx| tx.max_priority_fee_per_gas = 1);
    let state = l1.chain.state();
    let attributes = BlockAttributes { fee_recipient: FULL, ..l1.attributes() };
    let header = state.open_header(&attributes).unwrap();
    let expected = BlockBuilder::new(&state).build_recorded(&header, &[], &good).unwrap();
    let built = BlockBuilder::new(&state)
        .build_recorded(&header, &[], [&tipped, &good[0], &good[1]])
        .unwrap();
    assert_eq!(built.rejected.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0]);
    assert_eq!(built.executed.block.hash, expected.executed.block.hash);
}

#[test]
fn trace_shows_the_refund() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let mut l1 = l1(100_000, GWEI);
    let block = l1.block_of(&[buys("alice", 0, None, 500_000, &input)]);
    let parent = l1.chain.state_before(&block).unwrap().unwrap();
    let mut state = parent.open();
    let mut replay = Replay::new(&parent, &mut state, &block, NoOpInspector).unwrap();
    let alice = Key::named("alice").address();
    let balance = replay
        .inspect(|_, _, _, done| Ok::<_, ChainError>(done.state[&alice].info.balance))
        .unwrap();
    assert_eq!(balance, Some(l1.balance("alice")));
}

#[test]
fn without_a_market_no_allowance_is_sold() {
    let input = empty_l2_block(ProtocolFork::Osaka);
    let l1 = l1(100_000, GWEI).selling(None);
    let offered = buys("alice", 0, None, 500_000, &input);
    let built = l1.build(std::slice::from_ref(&offered));
    let (is_final, said) = reason(&built.rejected[0].1);
    assert!(is_final && said.contains("an allowance, but this chain has no market"), "{said}");
    // The other versions still pay in gas of the block.
    let converts = changed("alice", 0, None, 0, &input, |tx| {
        tx.version = ExecuteTxVersion::V2 { anchor: tx.anchor() };
    });
    assert!(l1.build(&[converts]).rejected.is_empty());
}
