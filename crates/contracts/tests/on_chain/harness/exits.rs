//! Exits from a rollup that nobody advances: calldata for the real `RollupExit`.

use super::support::{ETHER, L2_CHAIN};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall, SolError, SolValue as _, sol};
use chain::AccountProof;
use enshrine_contracts::{
    L2_MESSENGER, Message, alias_account,
    bindings::{IL1MessageQueue, INativeRollup::Evidence, IRollupExit},
    exit::{
        AccountExit, AccountKind, Closing, ExitError, ITokenExit, MessageReturn, MessageSearch,
        MessageStatus, RELAYED_SLOT, TokenExit, TokenProofs, balance_slot, messenger_slots,
    },
    pack,
};
use execute::Execute;
use eyre::Result;
use testkit::{Artifacts, HarnessError, Key, L1, L2, Rollup, RollupFixture};
use wire::ProtocolFork;

const LOST_AFTER: u64 = 30 * 86_400;

/// A rollup with an exit, whose escrow backs its genesis.
struct Scene {
    l1: L1,
    l2: L2,
    rollup: Rollup,
    /// Messages to the L2, with the number and the timestamp of their L1 block.
    sent: Vec<(Message, u64, u64)>,
}

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

impl Scene {
    fn new() -> Result<Self> {
        let fork = ProtocolFork::Osaka;
        let mut l1 = L1::on(fork, 31_337, Execute::on(fork), &["alice", "bob"])?;
        let time = l1.chain().head().header.timestamp;
        let with_code = |wei: u128, code: Vec<u8>| GenesisAccount {
            balance: U256::from(wei),
            code: Some(code.into()),
            ..Default::default()
        };
        let delegation = [&[0xef, 0x01, 0x00][..], Address::repeat_byte(5).as_slice()].concat();
        let fixture = RollupFixture::new(L2_CHAIN, fork, time)?
            .rich(["alice", "bob"], 10 * ETHER)
            .accounts([
                (holder(), with_code(7 * ETHER, vec![0])),
                (delegating(), with_code(5 * ETHER, delegation)),
            ])
            .with(|config| config.lost_after = Some(LOST_AFTER));
        let (l2, rollup) = fixture.deploy_in(&mut l1, &alice())?;
        let genesis = U256::from(32 * ETHER);
        l1.transact(&alice(), rollup.message_queue, genesis, &IL1MessageQueue::backCall {})?;
        Ok(Self { l1, l2, rollup, sent: Vec::new() })
    }

    fn send(&mut self, to: Address, refund_to: Address, gas: u64, data: &[u8]) -> Result<()> {
        let call = IL1MessageQueue::sendCall {
            to,
            refundTo: refund_to,
            gasLimit: gas,
            fee: 5,
            data: data.to_vec().into(),
        };
        let value = U256::from(2 * ETHER + 5);
        let sent = self.l1.transact(&alice(), self.rollup.message_queue, value, &call)?;
        let header = &sent.block.header;
        let messages = self.rollup.messages_in(&sent.block);
        self.sent.extend(messages.into_iter().map(|it| (it, header.number, header.timestamp)));
        Ok(())
    }

    /// Relays all messages, and parks the last one.
    fn advance(&mut self) -> Result<()> {
        let (anchor, update) = self.rollup.newest_anchor(&self.l1, 0)?;
        let messages: Vec<_> = self.sent.iter().map(|(message, ..)| message.clone()).collect();
        let (last, others) = messages.split_last().expect("messages");
        let mut batch = pack(others).to_vec();
        last.pack_parked(&mut batch);
        let relay = enshrine_contracts::bindings::IL2Messenger::relayCall {
            messages: batch.into(),
            feeRecipient: Key::named("fees").address(),
        };
        let data = relay.abi_encode().into();
        let transactions = vec![
            self.l2.prove_anchor(&alice(), &anchor)?,
            self.l2.sign(&alice(), L2_MESSENGER.into(), U256::ZERO, data, 6_000_000)?,
        ];
        let time = self.l2.next_timestamp();
        let block = self.l2.seal_successes(time, anchor.hash(), transactions)?;
        let evidence = Evidence { updates: vec![update], ..Default::default() };
        self.rollup.advance(&mut self.l1, &alice(), block.input()?, evidence)?;
        self.l2.append(block)?;
        Ok(())
    }

    fn closing(&self) -> Result<Closing> {
        Ok(Closing::new(self.l2.state_root(), self.l2.prove(L2_MESSENGER, &[RELAYED_SLOT])?)?)
    }

    fn exit(
        &self,
        address: Address,
        l1: Option<Address>,
    ) -> Result<Result<AccountExit, ExitError>> {
        let (code, proof) = (self.l2.chain().code(address)?, self.l2.prove(address, &[])?);
        Ok(AccountExit::new(self.l2.state_root(), address, l1, &code, proof))
    }

    fn found(&self, index: u64) -> Result<MessageSearch> {
        let mut search = MessageSearch::new(index);
        for (message, l1_block, timestamp) in &self.sent {
            search.push(message.clone(), *l1_block, *timestamp)?;
        }
        Ok(search)
    }

    fn returned(&self, index: u64) -> Result<Result<MessageReturn, ExitError>> {
        let found = self.found(index)?.finish()?;
        let proof = self.l2.prove(L2_MESSENGER, &messenger_slots(&found.message))?;
        Ok(MessageReturn::new(self.l2.state_root(), &found, &proof))
    }

    /// Sends calldata to the exit. A revert is an error.
    fn call(&mut self, from: &Key, calldata: &Bytes) -> Result<(), HarnessError> {
        let (exit, calldata) = (self.rollup.exit, calldata.clone());
        self.l1.transact_raw(from, exit, U256::ZERO, calldata).map(drop)
    }

    #[track_caller]
    fn refused<E: SolError>(&self, from: &Key, calldata: &Bytes) -> E {
        self.l1.try_reverted(from.address(), self.rollup.exit, calldata.clone()).unwrap()
    }

    /// Sends a call that pays wei to an account.
    fn pay(&mut self, from: &Key, to: Address, wei: U256, calldata: &Bytes) -> Result<()> {
        let before = self.l1.chain().balance(to)?;
        self.call(from, calldata)?;
        assert!(self.l1.chain().balance(to)? >= before + wei - U256::from(ETHER / 10), "{to}");
        Ok(())
    }
}

#[test]
fn exits_pay_accounts_of_closed_rollup() -> Result<()> {
    let mut scene = Scene::new()?;
    let account = alias_account(wallet());
    scene.send(account, wallet(), 0, b"")?;
    scene.send(holder(), alice().address(), 100_000, b"")?;
    scene.advance()?;
    let closing = scene.closing()?;
    assert_eq!(closing.relayed, 2);
    scene.refused::<IRollupExit::NotLost>(&alice(), &closing.calldata);
    scene.l1.skip(LOST_AFTER + 60);
    scene.call(&alice(), &closing.calldata)?;
    scene.refused::<IRollupExit::AlreadyClosed>(&alice(), &closing.calldata);

    // Alice has signed a transaction, so that anyone may call; Bob has not.
    let bob = Key::named("bob");
    let paid = scene.exit(alice().address(), None)??;
    assert_eq!((paid.kind, paid.caller), (AccountKind::Plain, None));
    scene.pay(&bob, alice().address(), paid.amount, &paid.calldata)?;
    let paid = scene.exit(bob.address(), None)??;
    assert_eq!((paid.amount, paid.caller), (U256::from(10 * ETHER), Some(bob.address())));
    scene.refused::<IRollupExit::CallerNotAccount>(&alice(), &paid.calldata);
    scene.pay(&bob, bob.address(), paid.amount, &paid.calldata)?;

    // Without the name of its L1 contract, an alias account without code is like any other one.
    assert_eq!(scene.exit(account, None)??.caller, Some(account));
    let paid = scene.exit(account, Some(wallet()))??;
    assert_eq!((paid.recipient, paid.caller), (wallet(), None));
    scene.pay(&bob, wallet(), U256::from(2 * ETHER), &paid.calldata)?;
    let error = scene.exit(account, Some(holder()))?.unwrap_err();
    assert!(matches!(error, ExitError::OtherAlias { got, .. } if got == account), "{error}");

    let paid = scene.exit(delegating(), None)??;
    assert_eq!(paid.kind, AccountKind::Delegating(Address::repeat_byte(5)));
    // The genesis gave it a delegation without a signature.
    assert_eq!(paid.caller, Some(delegating()));
    scene.refused::<IRollupExit::CallerNotAccount>(&alice(), &paid.calldata);

    let error = scene.exit(holder(), None)?.unwrap_err();
    let amount = U256::from(7 * ETHER);
    assert!(matches!(error, ExitError::Contract { balance, .. } if balance == amount), "{error}");
    let nobody = Address::repeat_byte(0xee);
    let error = scene.exit(nobody, None)?.unwrap_err();
    assert!(matches!(error, ExitError::NothingOwed(address) if address == nobody), "{error}");
    Ok(())
}

#[test]
fn account_exit_rejects_false_proof_and_code() -> Result<()> {
    let scene = Scene::new()?;
    let (address, root) = (delegating(), scene.l2.state_root());
    let (code, proof) = (scene.l2.chain().code(address)?, scene.l2.prove(address, &[])?);
    let exit = |root, address, code: &[u8], change: &dyn Fn(&mut AccountProof)| {
        let mut proof = proof.clone();
        change(&mut proof);
        AccountExit::new(root, address, None, code, proof)
    };
    let honest = exit(root, address, &code, &|_| {})?;
    // Only the nodes count.
    assert_eq!(exit(root, address, &code, &|it| it.account = None)?, honest);
    for error in [
        exit(B256::repeat_byte(1), address, &code, &|_| {}),
        exit(root, address, &code, &|it| it.nodes.truncate(1)),
        exit(root, address, &code, &|it| it.nodes.push(Bytes::new())),
        exit(root, address, &code, &|it| it.nodes.reverse()),
        exit(root, address, &code, &|it| it.nodes.insert(0, it.nodes[0].clone())),
        exit(root, holder(), &code, &|_| {}),
    ] {
        let error = error.unwrap_err();
        assert!(matches!(error, ExitError::Account { .. }), "{error}");
    }
    for false_code in [&[][..], &code[1..]] {
        let error = exit(root, address, false_code, &|_| {}).unwrap_err();
        assert!(matches!(error, ExitError::Code { .. }), "{error}");
    }
    let messenger = scene.l2.prove(L2_MESSENGER, &[RELAYED_SLOT])?;
    Closing::new(root, messenger.clone())?;
    let closing = |change: &dyn Fn(&mut AccountProof)| {
        let mut proof = messenger.clone();
        change(&mut proof);
        Closing::new(root, proof).unwrap_err()
    };
    let error = closing(&|it| it.slots.clear());
    assert!(matches!(error, ExitError::Slots { got: 0, expected: 1, .. }), "{error}");
    // The slot is empty, and so are all slots.
    let error = closing(&|it| it.slots[0].nodes.push(Bytes::new()));
    assert!(matches!(error, ExitError::Slot { .. }), "{error}");
    Ok(())
}

#[test]
fn messages_are_returned_by_their_status() -> Result<()> {
    let mut scene = Scene::new()?;
    let (alice, bob) = (alice(), Key::named("bob"));
    let own = alias_account(alice.address());
    scene.send(bob.address(), bob.address(), 0, b"")?;
    // Accounts without code accept no data.
    scene.send(Address::repeat_byte(0xee), bob.address(), 100_000, b"data")?;
    scene.send(holder(), own, 100_000, b"")?;
    scene.advance()?;
    scene.send(holder(), bob.address(), 100_000, b"late")?;
    scene.send(holder(), Address::ZERO, 100_000, b"")?;
    let state = scene.l1.read(scene.rollup.message_queue, &IL1MessageQueue::checkpointCall {})?;
    assert_eq!(*scene.found(0)?.state(), state);
    scene.l1.skip(LOST_AFTER + 60);
    let closing = scene.closing()?;
    assert_eq!(closing.relayed, 3);
    scene.call(&alice, &closing.calldata)?;

    let error = scene.returned(0)?.unwrap_err();
    assert!(matches!(error, ExitError::Relayed { index: 0, relayed: 3 }), "{error}");
    let value = U256::from(2 * ETHER);
    for (index, status, fee, recipient) in [
        (1, MessageStatus::Failed, 0, &bob),
        (2, MessageStatus::Parked, 5, &alice),
        (3, MessageStatus::Unrelayed, 5, &bob),
        // Without a refund account.
        (4, MessageStatus::Unrelayed, 5, &alice),
    ] {
        let returned = scene.returned(index)??;
        assert_eq!((returned.status, returned.recipient), (status, recipient.address()));
        assert_eq!(returned.amount, value + U256::from(fee), "{index}");
        scene.pay(recipient, recipient.address(), returned.amount, &returned.calldata)?;
        scene.refused::<IRollupExit::AlreadyReturned>(&alice, &returned.calldata);
    }
    Ok(())
}

#[test]
fn messages_of_contracts_are_reclaimed_by_sender() -> Result<()> {
    let mut scene = Scene::new()?;
    let (alice, bob) = (alice(), Key::named("bob"));
    // Accounts without code accept no data.
    scene.send(Address::repeat_byte(0xee), holder(), 100_000, b"data")?;
    scene.send(holder(), holder(), 100_000, b"")?;
    scene.advance()?;
    for refund_to in [holder(), bob.address(), delegating()] {
        scene.send(holder(), refund_to, 100_000, b"late")?;
    }
    scene.l1.skip(LOST_AFTER + 60);
    let closing = scene.closing()?;
    scene.call(&alice, &closing.calldata)?;

    let (root, to) = (scene.l2.state_root(), Address::repeat_byte(0xca));
    let reclaimed = |scene: &Scene, index, code: Option<Bytes>| {
        let found = scene.found(index)?.finish()?;
        let proof = scene.l2.prove(L2_MESSENGER, &messenger_slots(&found.message))?;
        let account = found.message.refund_to;
        let code = code.map_or_else(|| scene.l2.chain().code(account), Ok)?;
        let refund = (scene.l2.prove(account, &[])?, code);
        eyre::Ok(MessageReturn::reclaim(root, &found, &proof, to, refund))
    };
    let mut sum = U256::ZERO;
    for (index, status, fee) in [
        (0, MessageStatus::Failed, 0),
        (1, MessageStatus::Parked, 5),
        (2, MessageStatus::Unrelayed, 5),
    ] {
        let returned = reclaimed(&scene, index, None)??;
        assert_eq!((returned.status, returned.recipient), (status, to));
        assert_eq!(returned.callers, [alice.address()]);
        assert_eq!(returned.amount, U256::from(2 * ETHER + fee));
        scene.refused::<IRollupExit::NotRefundable>(&bob, &returned.calldata);
        scene.call(&alice, &returned.calldata)?;
        sum += returned.amount;
        assert_eq!(scene.l1.chain().balance(to)?, sum);
        scene.refused::<IRollupExit::AlreadyReturned>(&alice, &returned.calldata);
    }
    for (index, account) in [(3, bob.address()), (4, delegating())] {
        let error = reclaimed(&scene, index, None)?.unwrap_err();
        assert!(matches!(error, ExitError::NotContract(it) if it == account), "{error}");
    }
    let error = reclaimed(&scene, 2, Some(vec![1].into()))?.unwrap_err();
    assert!(matches!(error, ExitError::Code { .. }), "{error}");
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
