//! Exits from an abandoned rollup: calldata for the real `RollupExit`.

use super::support::{ETHER, L2_CHAIN};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall, SolError, SolValue as _, sol};
use chain::AccountProof;
use enshrine_contracts::{
    L2_MESSENGER, alias_account,
    bindings::{IL1MessageQueue, IRollupExit},
    exit::{
        AccountExit, AccountKind, Closing, DepositReturn, ExitError, ITokenExit, MessageReturn,
        MessageStatus, RELAYED_SLOT, TokenExit, TokenProofs, balance_slot, messenger_slots,
    },
    pack,
};
use execute::Execute;
use eyre::Result;
use testkit::{Artifacts, HarnessError, InProcessRollup, Key, L1, RollupFixture};
use wire::ProtocolFork;

const LOST_AFTER: u64 = 30 * 86_400;

fn alice() -> Key {
    Key::named("alice")
}

const fn holder() -> Address {
    Address::repeat_byte(0x70)
}

const fn delegating() -> Address {
    Address::repeat_byte(0x77)
}

const fn wallet() -> Address {
    Address::repeat_byte(0x3a)
}

/// Deploys a rollup with an exit, whose escrow backs its genesis.
fn rollup_with_exit() -> Result<InProcessRollup> {
    let fork = ProtocolFork::Osaka;
    let l1 = L1::on(fork, 31_337, Execute::on(fork), &["alice", "bob"])?;
    let time = l1.chain().head().header.timestamp;
    let with_code = |wei: u128, code: Vec<u8>| GenesisAccount {
        balance: U256::from(wei),
        code: Some(code.into()),
        ..Default::default()
    };
    let delegation = [&[0xef, 0x01, 0x00][..], Address::repeat_byte(5).as_slice()].concat();
    let mut rollup = RollupFixture::new(L2_CHAIN, fork, time)?
        .rich(["alice", "bob"], 10 * ETHER)
        .accounts([
            (holder(), with_code(7 * ETHER, vec![0])),
            (delegating(), with_code(5 * ETHER, delegation)),
        ])
        .with(|config| config.lost_after = Some(LOST_AFTER))
        .deploy_on(l1, alice())?;
    let (queue, genesis) = (rollup.contracts.message_queue, U256::from(32 * ETHER));
    rollup.l1.transact(&alice(), queue, genesis, &IL1MessageQueue::backCall {})?;
    Ok(rollup)
}

fn send(
    rollup: &mut InProcessRollup,
    to: Address,
    refund_to: Address,
    gas: u64,
    data: &[u8],
) -> Result<()> {
    let data = data.to_vec().into();
    let call = IL1MessageQueue::sendCall { to, refundTo: refund_to, gasLimit: gas, fee: 5, data };
    let queue = rollup.contracts.message_queue;
    Ok(rollup.send(&alice(), queue, U256::from(2 * ETHER + 5), &call)?)
}

/// Relays all messages, and parks the last one.
fn relay(rollup: &mut InProcessRollup) -> Result<()> {
    let newest = rollup.contracts.newest_anchor(&rollup.l1, 0)?;
    let messages = rollup.messages_from(0);
    let (last, others) = messages.split_last().expect("messages");
    let mut batch = pack(others).to_vec();
    last.pack_parked(&mut batch);
    let relay = enshrine_contracts::bindings::IL2Messenger::relayCall {
        messages: batch.into(),
        feeRecipient: Key::named("fees").address(),
    };
    let data = relay.abi_encode().into();
    let transactions = vec![
        rollup.l2.prove_anchor(&alice(), &newest.0)?,
        rollup.l2.sign(&alice(), L2_MESSENGER.into(), U256::ZERO, data, 6_000_000)?,
    ];
    Ok(rollup.advance(newest, transactions)?)
}

fn closing(rollup: &InProcessRollup) -> Result<Closing> {
    let proof = rollup.l2.prove(L2_MESSENGER, &[RELAYED_SLOT])?;
    Ok(Closing::new(rollup.l2.state_root(), proof)?)
}

fn returned(rollup: &InProcessRollup, index: u64) -> Result<Result<MessageReturn, ExitError>> {
    let found = rollup.search(index)?.finish()?;
    let proof = rollup.l2.prove(L2_MESSENGER, &messenger_slots(&found.message))?;
    Ok(MessageReturn::new(rollup.l2.state_root(), &found, &proof))
}

/// Sends calldata to the exit. A revert is an error.
fn call(rollup: &mut InProcessRollup, from: &Key, calldata: &Bytes) -> Result<(), HarnessError> {
    rollup.l1.transact_raw(from, rollup.contracts.exit, U256::ZERO, calldata.clone()).map(drop)
}

#[track_caller]
fn refused<E: SolError>(rollup: &InProcessRollup, from: &Key, calldata: &Bytes) -> E {
    rollup.l1.try_reverted(from.address(), rollup.contracts.exit, calldata.clone()).unwrap()
}

/// Sends a call that pays wei to an account.
fn pay(
    rollup: &mut InProcessRollup,
    from: &Key,
    to: Address,
    wei: U256,
    calldata: &Bytes,
) -> Result<()> {
    let before = rollup.l1.chain().balance(to)?;
    call(rollup, from, calldata)?;
    assert!(rollup.l1.chain().balance(to)? >= before + wei - U256::from(ETHER / 10), "{to}");
    Ok(())
}

#[test]
fn exits_pay_accounts_of_closed_rollup() -> Result<()> {
    let mut rollup = rollup_with_exit()?;
    let account = alias_account(wallet());
    send(&mut rollup, account, wallet(), 0, b"")?;
    send(&mut rollup, holder(), alice().address(), 100_000, b"")?;
    relay(&mut rollup)?;
    let closing = closing(&rollup)?;
    assert_eq!(closing.relayed, 2);
    refused::<IRollupExit::NotLost>(&rollup, &alice(), &closing.calldata);
    rollup.l1.skip(LOST_AFTER + 60);
    call(&mut rollup, &alice(), &closing.calldata)?;
    refused::<IRollupExit::AlreadyClosed>(&rollup, &alice(), &closing.calldata);

    // Alice has signed a transaction, so that anyone may call; Bob has not.
    let bob = Key::named("bob");
    let paid = rollup.exit(alice().address(), None)??;
    assert_eq!((paid.kind, paid.caller), (AccountKind::Plain, None));
    pay(&mut rollup, &bob, alice().address(), paid.amount, &paid.calldata)?;
    let paid = rollup.exit(bob.address(), None)??;
    assert_eq!((paid.amount, paid.caller), (U256::from(10 * ETHER), Some(bob.address())));
    refused::<IRollupExit::CallerNotAccount>(&rollup, &alice(), &paid.calldata);
    pay(&mut rollup, &bob, bob.address(), paid.amount, &paid.calldata)?;

    // Without the name of its L1 contract, an alias account without code is like any other one.
    assert_eq!(rollup.exit(account, None)??.caller, Some(account));
    let paid = rollup.exit(account, Some(wallet()))??;
    assert_eq!((paid.recipient, paid.caller), (wallet(), None));
    pay(&mut rollup, &bob, wallet(), U256::from(2 * ETHER), &paid.calldata)?;
    let error = rollup.exit(account, Some(holder()))?.unwrap_err();
    assert!(matches!(error, ExitError::OtherAlias { got, .. } if got == account), "{error}");

    let paid = rollup.exit(delegating(), None)??;
    assert_eq!(paid.kind, AccountKind::Delegating(Address::repeat_byte(5)));
    // The genesis gave it a delegation without a signature.
    assert_eq!(paid.caller, Some(delegating()));
    refused::<IRollupExit::CallerNotAccount>(&rollup, &alice(), &paid.calldata);

    let error = rollup.exit(holder(), None)?.unwrap_err();
    let amount = U256::from(7 * ETHER);
    assert!(matches!(error, ExitError::Contract { balance, .. } if balance == amount), "{error}");
    let empty = Address::repeat_byte(0xee);
    let error = rollup.exit(empty, None)?.unwrap_err();
    assert!(matches!(error, ExitError::NothingOwed(address) if address == empty), "{error}");
    Ok(())
}

#[test]
fn account_exit_rejects_false_proof_and_code() -> Result<()> {
    let rollup = rollup_with_exit()?;
    let (address, root) = (delegating(), rollup.l2.state_root());
    let (code, proof) = (rollup.l2.chain().code(address)?, rollup.l2.prove(address, &[])?);
    let exit = |root, address, code: &[u8], change: &dyn Fn(&mut AccountProof)| {
        let mut proof = proof.clone();
        change(&mut proof);
        AccountExit::new(root, address, None, code, proof)
    };
    let honest = exit(root, address, &code, &|_| {})?;
    // Only the nodes count.
    assert_eq!(exit(root, address, &code, &|proof| proof.account = None)?, honest);
    for error in [
        exit(B256::repeat_byte(1), address, &code, &|_| {}),
        exit(root, address, &code, &|proof| proof.nodes.truncate(1)),
        exit(root, address, &code, &|proof| proof.nodes.push(Bytes::new())),
        exit(root, address, &code, &|proof| proof.nodes.reverse()),
        exit(root, address, &code, &|proof| proof.nodes.insert(0, proof.nodes[0].clone())),
        exit(root, holder(), &code, &|_| {}),
    ] {
        let error = error.unwrap_err();
        assert!(matches!(error, ExitError::Account { .. }), "{error}");
    }
    for false_code in [&[][..], &code[1..]] {
        let error = exit(root, address, false_code, &|_| {}).unwrap_err();
        assert!(matches!(error, ExitError::Code { .. }), "{error}");
    }
    let messenger = rollup.l2.prove(L2_MESSENGER, &[RELAYED_SLOT])?;
    Closing::new(root, messenger.clone())?;
    let closing = |change: &dyn Fn(&mut AccountProof)| {
        let mut proof = messenger.clone();
        change(&mut proof);
        Closing::new(root, proof).unwrap_err()
    };
    let error = closing(&|proof| proof.slots.clear());
    assert!(matches!(error, ExitError::Slots { got: 0, expected: 1, .. }), "{error}");
    // The slot is empty, and so are all slots.
    let error = closing(&|proof| proof.slots[0].nodes.push(Bytes::new()));
    assert!(matches!(error, ExitError::Slot { .. }), "{error}");
    Ok(())
}

#[test]
fn messages_are_returned_by_their_status() -> Result<()> {
    let mut rollup = rollup_with_exit()?;
    let (alice, bob) = (alice(), Key::named("bob"));
    let own = alias_account(alice.address());
    send(&mut rollup, bob.address(), bob.address(), 0, b"")?;
    // Accounts without code accept no data.
    send(&mut rollup, Address::repeat_byte(0xee), bob.address(), 100_000, b"data")?;
    send(&mut rollup, holder(), own, 100_000, b"")?;
    relay(&mut rollup)?;
    send(&mut rollup, holder(), bob.address(), 100_000, b"late")?;
    send(&mut rollup, holder(), Address::ZERO, 100_000, b"")?;
    let state =
        rollup.l1.read(rollup.contracts.message_queue, &IL1MessageQueue::checkpointCall {})?;
    assert_eq!(*rollup.search(0)?.state(), state);
    rollup.l1.skip(LOST_AFTER + 60);
    let closing = closing(&rollup)?;
    assert_eq!(closing.relayed, 3);
    call(&mut rollup, &alice, &closing.calldata)?;

    let error = returned(&rollup, 0)?.unwrap_err();
    assert!(matches!(error, ExitError::Relayed { index: 0, relayed: 3 }), "{error}");
    let value = U256::from(2 * ETHER);
    for (index, status, fee, recipient) in [
        (1, MessageStatus::Failed, 0, &bob),
        (2, MessageStatus::Parked, 5, &alice),
        (3, MessageStatus::Unrelayed, 5, &bob),
        // Without a refund account.
        (4, MessageStatus::Unrelayed, 5, &alice),
    ] {
        let returned = returned(&rollup, index)??;
        assert_eq!((returned.status, returned.recipient), (status, recipient.address()));
        assert_eq!(returned.amount, value + U256::from(fee), "{index}");
        pay(&mut rollup, recipient, recipient.address(), returned.amount, &returned.calldata)?;
        refused::<IRollupExit::AlreadyReturned>(&rollup, &alice, &returned.calldata);
    }
    Ok(())
}

#[test]
fn messages_of_contracts_are_reclaimed_by_sender() -> Result<()> {
    let mut rollup = rollup_with_exit()?;
    let (alice, bob) = (alice(), Key::named("bob"));
    // Accounts without code accept no data.
    send(&mut rollup, Address::repeat_byte(0xee), holder(), 100_000, b"data")?;
    send(&mut rollup, holder(), holder(), 100_000, b"")?;
    relay(&mut rollup)?;
    for refund_to in [holder(), bob.address(), delegating()] {
        send(&mut rollup, holder(), refund_to, 100_000, b"late")?;
    }
    rollup.l1.skip(LOST_AFTER + 60);
    let closing = closing(&rollup)?;
    call(&mut rollup, &alice, &closing.calldata)?;

    let (root, to) = (rollup.l2.state_root(), Address::repeat_byte(0xca));
    let reclaimed = |rollup: &InProcessRollup, index, code: Option<Bytes>| {
        let found = rollup.search(index)?.finish()?;
        let proof = rollup.l2.prove(L2_MESSENGER, &messenger_slots(&found.message))?;
        let account = found.message.refund_to;
        let code = code.map_or_else(|| rollup.l2.chain().code(account), Ok)?;
        let refund = (rollup.l2.prove(account, &[])?, code);
        eyre::Ok(MessageReturn::reclaim(root, &found, &proof, to, refund))
    };
    let mut sum = U256::ZERO;
    for (index, status, fee) in [
        (0, MessageStatus::Failed, 0),
        (1, MessageStatus::Parked, 5),
        (2, MessageStatus::Unrelayed, 5),
    ] {
        let returned = reclaimed(&rollup, index, None)??;
        assert_eq!((returned.status, returned.recipient), (status, to));
        assert_eq!(returned.callers, [alice.address()]);
        assert_eq!(returned.amount, U256::from(2 * ETHER + fee));
        refused::<IRollupExit::NotRefundable>(&rollup, &bob, &returned.calldata);
        call(&mut rollup, &alice, &returned.calldata)?;
        sum += returned.amount;
        assert_eq!(rollup.l1.chain().balance(to)?, sum);
        refused::<IRollupExit::AlreadyReturned>(&rollup, &alice, &returned.calldata);
    }
    for (index, account) in [(3, bob.address()), (4, delegating())] {
        let error = reclaimed(&rollup, index, None)?.unwrap_err();
        assert!(matches!(error, ExitError::NotContract(found) if found == account), "{error}");
    }
    let error = reclaimed(&rollup, 2, Some(vec![1].into()))?.unwrap_err();
    assert!(matches!(error, ExitError::Code { .. }), "{error}");
    Ok(())
}

#[test]
fn deposit_to_undeployed_bridge_returns_tokens() -> Result<()> {
    sol! {
        function give(address to, uint256 amount) external;
        function approve(address spender, uint256 amount) external returns (bool);
        function balanceOf(address account) external view returns (uint256);
        function register(address l1Token, uint64 gasLimit) external payable returns (uint64);
        function deposit(address l1Token, address to, address refundTo, uint256 amount, uint64 gasLimit)
            external payable returns (uint64);
    }
    let (mut rollup, alice) = (rollup_with_exit()?, alice());
    let (l2_bridge, amount) = (Address::repeat_byte(0x5b), U256::from(70));
    let tools = toolchain::Toolchain::ensure(&toolchain::progress_to_stderr)?;
    let tokens = Artifacts::compile_files(&tools, &["test/utils/Tokens.sol"])?;
    let token = rollup.l1.deploy(&alice, tokens.get("Token")?.init_code.clone())?;
    let artifact = Artifacts::load(&toolchain::progress_to_stderr)?.get("L1TokenBridge")?;
    let arguments = (rollup.contracts.message_queue, l2_bridge).abi_encode_params();
    let code = [&artifact.init_code[..], &arguments].concat();
    let l1_bridge = rollup.l1.deploy(&alice, code.into())?;
    let account = alice.address();
    rollup.l1.transact(&alice, token, U256::ZERO, &giveCall { to: account, amount })?;
    let approve = approveCall { spender: l1_bridge, amount };
    rollup.l1.transact(&alice, token, U256::ZERO, &approve)?;
    let register = registerCall { l1Token: token, gasLimit: 700_000 };
    rollup.send(&alice, l1_bridge, U256::ZERO, &register)?;
    let deposit =
        depositCall { l1Token: token, to: account, refundTo: account, amount, gasLimit: 300_000 };
    rollup.send(&alice, l1_bridge, U256::from(5), &deposit)?;
    rollup.l1.skip(LOST_AFTER + 60);
    let closing = closing(&rollup)?;
    call(&mut rollup, &alice, &closing.calldata)?;

    // The registration is message 0.
    let found = rollup.search(1)?.finish()?;
    let proof = rollup.l2.prove(L2_MESSENGER, &messenger_slots(&found.message))?;
    let root = rollup.l2.state_root();
    let absent = rollup.l2.prove(l2_bridge, &[])?;
    let returned = |code: Bytes| {
        let bridge = (absent.clone(), code);
        DepositReturn::new(root, (l1_bridge, l2_bridge), &found, &proof, bridge)
    };
    let error = returned(vec![0].into()).unwrap_err();
    assert!(matches!(error, ExitError::Code { .. }), "{error}");
    let returned = returned(Bytes::new())?;
    assert_eq!((returned.recipient, returned.amount, returned.fee), (account, amount, 0));
    rollup.l1.transact_raw(&alice, l1_bridge, U256::ZERO, returned.calldata.clone())?;
    assert_eq!(rollup.l1.read(token, &balanceOfCall { account })?, amount);
    let again = rollup.l1.try_call(account, l1_bridge, U256::ZERO, returned.calldata)?;
    assert!(!again.success);
    Ok(())
}

#[test]
fn token_exit_reads_slot_of_real_token() -> Result<()> {
    sol! {
        function mint(address to, uint256 amount) external;
    }
    // Any chain with the token has its storage layout.
    let fork = ProtocolFork::Osaka;
    let mut chain = L1::on(fork, L2_CHAIN, Execute::on(fork), &["alice"])?;
    let (bridge, owner) = (alice(), Address::repeat_byte(0xb0));
    let artifact = Artifacts::load(&toolchain::progress_to_stderr)?.get("BridgedToken")?;
    let code = [&artifact.init_code[..], &bridge.address().abi_encode()].concat();
    let token = chain.deploy(&bridge, code.into())?;
    let call = mintCall { to: owner, amount: U256::from(77) };
    chain.transact(&bridge, token, U256::ZERO, &call)?;
    let head = chain.chain().head();
    let root = head.header.state_root;
    let exit = |account: Address, l1_account: Option<Address>, slots: &[U256]| {
        let code = chain.chain().code(account)?;
        let account_proof = chain.chain().prove(head, account, &[])?;
        let token_proof = chain.chain().prove(head, token, slots)?;
        let proofs = TokenProofs { account: account_proof, token: token_proof };
        let tokens = (Address::repeat_byte(1), token);
        eyre::Ok(TokenExit::new(root, tokens, account, l1_account, &code, proofs))
    };
    let slot = balance_slot(owner);
    let paid = exit(owner, None, &[slot])??;
    assert_eq!((paid.amount, paid.caller), (U256::from(77), Some(owner)));
    let call = ITokenExit::exitTokenCall::abi_decode(&paid.calldata)?;
    assert_eq!(
        (call.l1Token, call.account, call.delegate),
        (Address::repeat_byte(1), owner, Address::ZERO)
    );
    assert_eq!(call.proof.tokenProof, chain.chain().prove(head, token, &[])?.nodes);
    let nothing = exit(bridge.address(), None, &[balance_slot(bridge.address())])?.unwrap_err();
    assert!(matches!(nothing, ExitError::NoTokens { .. }), "{nothing}");
    let other = exit(owner, None, &[slot + U256::ONE])?.unwrap_err();
    assert!(matches!(other, ExitError::Slot { .. }), "{other}");
    let contract = exit(token, None, &[balance_slot(token)])?.unwrap_err();
    assert!(matches!(contract, ExitError::Contract { .. }), "{contract}");
    let alias = exit(owner, Some(wallet()), &[slot])?.unwrap_err();
    assert!(matches!(alias, ExitError::OtherAlias { .. }), "{alias}");
    Ok(())
}
