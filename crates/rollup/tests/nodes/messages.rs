//! Messages that do not fit into one block, or into any block.

use crate::support::{World, is_settled, provider_of, until, with_much_code};
use alloy_primitives::{Address, Bytes, U256};
use alloy_provider::{Provider, ext::AnvilApi};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_sol_types::SolCall;
use contracts::bindings::IL1MessageQueue::sendCall;
use eyre::Result;
use rpc_types::{MessageInfo, MessageState};

fn recipient(index: u64) -> Address {
    Address::from_word(U256::from(0xdead_0000_0000_u64 + index).into())
}

const fn plain(to: Address) -> sendCall {
    sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data: Bytes::new() }
}

/// Sends messages with these values in one L1 block.
async fn send_together(world: &World, messages: Vec<(sendCall, u64)>) -> Result<()> {
    let from = world.l1.addresses()[0];
    let nonce = world.provider.get_transaction_count(from).await?;
    world.provider.anvil_set_auto_mine(false).await?;
    for (at, (call, value)) in (nonce..).zip(messages) {
        let request = TransactionRequest::default()
            .from(from)
            .to(world.message_queue)
            .nonce(at)
            .value(U256::from(value))
            .gas_limit(200_000)
            .input(call.abi_encode().into());
        let _ = world.provider.send_transaction(request).await?;
    }
    world.provider.anvil_mine(Some(1), None).await?;
    world.provider.anvil_set_auto_mine(true).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn deposit_burst_is_relayed_once_and_in_order() -> Result<()> {
    const COUNT: u64 = 60;
    let world = World::new().await?;
    let sequencer = world.sequencer().await?;
    let messages = (0..COUNT).map(|index| (plain(recipient(index)), index + 1)).collect();
    send_together(&world, messages).await?;
    let l2 = provider_of(&sequencer)?;
    let last = recipient(COUNT - 1);
    until("the last deposit", &sequencer, || async {
        Ok(l2.get_balance(last).await? == U256::from(COUNT) && is_settled(&sequencer))
    })
    .await?;
    for index in 0..COUNT {
        assert_eq!(l2.get_balance(recipient(index)).await?, U256::from(index + 1), "{index}");
    }
    // They do not fit into one block, so the first relay ends at a waypoint.
    assert!(sequencer.status().unsafe_head.number >= 3, "{:?}", sequencer.status());

    let follower = world.follower(None).await?;
    until("the follower", &follower, || async {
        Ok(follower.status().safe_head == sequencer.status().safe_head)
    })
    .await?;
    assert_eq!(provider_of(&follower)?.get_balance(last).await?, U256::from(COUNT));
    follower.stop().await;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn undeliverable_message_is_parked_between_relayed_ones() -> Result<()> {
    let reader = Address::repeat_byte(0xee);
    let world = World::with(with_much_code(reader)).await?;
    let sequencer = world.sequencer().await?;
    let call = sendCall { gasLimit: 200_000, ..plain(reader) };
    let (before, after) = (recipient(1), recipient(2));
    let messages = vec![(plain(before), 1), (call, 5), (plain(after), 2)];
    send_together(&world, messages).await?;
    let l2 = provider_of(&sequencer)?;
    until("all of them", &sequencer, || async {
        Ok(l2.get_balance(after).await? == U256::from(2) && is_settled(&sequencer))
    })
    .await?;
    assert_eq!(l2.get_balance(before).await?, U256::ONE);
    assert_eq!(l2.get_balance(reader).await?, U256::ZERO);
    let mut states = Vec::new();
    for index in ["0x0", "0x1", "0x2"] {
        let message: MessageInfo =
            l2.raw_request("rollup_getMessage".into(), ("l1ToL2", index)).await?;
        assert!(message.delivered.is_some());
        states.push(message.state);
    }
    use MessageState::{Parked, Relayed};
    assert_eq!(states, [Relayed, Parked, Relayed]);
    sequencer.stop().await;
    Ok(())
}
