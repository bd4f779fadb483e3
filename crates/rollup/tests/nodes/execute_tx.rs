//! Nodes on an L1 with transactions of type 0x05, which no Ethereum client knows.

use crate::{
    hidden_inputs::{Forwarding, advance_by, next_input, until_safe, without_traces},
    support::{DevnetRollup, Setup, is_settled, provider_of, until, until_status},
};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_provider::{Provider as _, ext::AnvilApi as _};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_sol_types::SolCall as _;
use codec::{ExecuteTx, ExecuteTxVersion, OwnedWitness, SignedExecuteTx};
use contracts::{Deployment, bindings::IL1MessageQueue};
use devnet::DevnetConfig;
use execute::EXECUTE_ADDRESS;
use eyre::{OptionExt as _, Result, ensure, eyre};
use serde_json::{Value, json};
use testkit::{ETHER, Key, execute_tx_of, idle_execute_tx, rich, with_allowance};
use variants::{DialectName, Dialects};
use wire::{Input, StatelessInput};

/// Deploys a rollup that calls EXECUTE at this address. Its L1 has transactions of type `0x05` and
/// a market where they buy allowances.
async fn deployed(
    calling: Address,
    accounts: Vec<(Address, GenesisAccount)>,
) -> Result<DevnetRollup> {
    let change = |config: &mut DevnetConfig| {
        config.execute_market = true;
        config.execute_dialects = Dialects::usual(&[DialectName::Specs, DialectName::ExecuteTx]);
    };
    let setup = Setup::new().on(|l1| l1.with(change)).accounts(accounts);
    setup.change(move |fixture| fixture.calling(calling)).deploy().await
}

/// Calldata of a deposit to an L2 account.
fn deposit_call(to: Address) -> Bytes {
    let data = Bytes::new();
    IL1MessageQueue::sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data }.abi_encode().into()
}

impl DevnetRollup {
    /// Sends a transaction of type 0x05 to the pool of L1, from an account that no node uses, and
    /// returns its hash.
    async fn send_execute_tx(&self, tx: ExecuteTx) -> Result<B256> {
        let secret = B256::from_slice(&self.l1.keys()[3].to_bytes()[..]);
        let key = Key::from_secret(secret).ok_or_eyre("a key of the devnet")?;
        let chain_id = self.provider.get_chain_id().await?;
        let nonce = self.provider.get_transaction_count(key.address()).pending().await?;
        let tx = ExecuteTx { chain_id, nonce, ..tx };
        let signed = SignedExecuteTx { signature: key.sign_digest(&tx.signing_hash()), tx };
        let raw = Bytes::from(signed.encode());
        Ok(self.provider.raw_request("eth_sendRawTransaction".into(), (raw,)).await?)
    }

    /// Sends a transaction of type 0x05, which must succeed, and returns its receipt.
    async fn executed(&self, tx: ExecuteTx) -> Result<Value> {
        let hash = self.send_execute_tx(tx).await?;
        let receipt: Value =
            self.provider.raw_request("eth_getTransactionReceipt".into(), (hash,)).await?;
        ensure!(receipt["status"] == "0x1", "{receipt}");
        Ok(receipt)
    }

    /// Adds transactions of type 0x05 to the L1 pool and mines a block with all pending
    /// transactions. Does nothing if the pool is empty.
    async fn mine_between_others(&self) -> Result<()> {
        let waiting: Value = self.provider.raw_request("txpool_status".into(), ()).await?;
        if waiting["pending"] == "0x0" {
            return Ok(());
        }
        let stranger = Address::repeat_byte(0x77);
        let version = ExecuteTxVersion::V1 { blob_hashes: Vec::new() };
        for tx in [
            idle_execute_tx(stranger.into()),
            ExecuteTx { version, ..idle_execute_tx(TxKind::Create) },
            ExecuteTx { version: with_allowance(), ..idle_execute_tx(stranger.into()) },
        ] {
            self.send_execute_tx(tx).await?;
        }
        self.provider.anvil_mine(Some(1), None).await?;
        Ok(())
    }

    /// Returns the number of L1 blocks with a transaction of type 0x05 and a log of this account.
    async fn blocks_with_both(&self, account: Address) -> Result<usize> {
        let mut count = 0;
        for number in 0..=self.provider.get_block_number().await? {
            let at = format!("{number:#x}");
            let receipts: Vec<Value> =
                self.provider.raw_request("eth_getBlockReceipts".into(), (at,)).await?;
            let logs = |receipt: &Value| receipt["logs"].as_array().cloned().unwrap_or_default();
            let has_log =
                receipts.iter().flat_map(logs).any(|log| log["address"] == json!(account));
            count +=
                usize::from(has_log && receipts.iter().any(|receipt| receipt["type"] == "0x5"));
        }
        Ok(count)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_blocks_with_execute_transactions_are_read() -> Result<()> {
    let rollup = deployed(EXECUTE_ADDRESS, Vec::new()).await?;
    let contract = Deployment::read(&rollup.deployment())?.rollup;
    let (sequencer, follower) = (rollup.sequencer().await?, rollup.follower(None).await?);
    let (alice, bob, l2) =
        (Address::repeat_byte(0xa1), Address::repeat_byte(0xb1), provider_of(&sequencer)?);
    rollup.provider.anvil_set_auto_mine(false).await?;
    for round in 1..=3_u64 {
        // One deposit by an EIP-1559 transaction, and one by a transaction of type 0x05.
        let from = rollup.l1.addresses()[0];
        let nonce = rollup.provider.get_transaction_count(from).pending().await?;
        let request = TransactionRequest::default()
            .from(from)
            .nonce(nonce)
            .to(rollup.message_queue)
            .value(U256::from(ETHER))
            .input(deposit_call(alice).into());
        drop(rollup.provider.send_transaction(request).await?);
        let value = U256::from(2 * ETHER);
        let deposit = idle_execute_tx(rollup.message_queue.into());
        let version = if round == 2 { with_allowance() } else { deposit.version.clone() };
        let tx = ExecuteTx { value, input: deposit_call(bob), version, ..deposit };
        rollup.send_execute_tx(tx).await?;
        let expected = U256::from(round) * U256::from(ETHER);
        until("the deposits", &sequencer, || async {
            rollup.mine_between_others().await?;
            Ok(l2.get_balance(alice).await? == expected
                && l2.get_balance(bob).await? == expected * U256::from(2)
                && is_settled(&sequencer))
        })
        .await?;
    }
    assert!(rollup.blocks_with_both(rollup.message_queue).await? >= 3);
    assert!(rollup.blocks_with_both(contract).await? >= 3);
    let head = sequencer.status().safe_head;
    assert!(head.number >= 3, "{head:?}");
    let fresh = rollup.follower(None).await?;
    for node in [&follower, &fresh] {
        until_status("the L2", node, |status| status.safe_head == head).await?;
        assert_eq!(node.status().fault, None);
    }
    for node in [follower, fresh, sequencer] {
        node.stop().await;
    }
    Ok(())
}

/// Returns the witness of a single input in geth's RLP and in SSZ.
fn witnesses(input: &[u8]) -> Result<(Bytes, Bytes)> {
    let Input::Block(StatelessInput { witness, .. }) = Input::decode(input)? else {
        return Err(eyre!("a batch"));
    };
    let owned = OwnedWitness::of(&witness);
    Ok((owned.to_geth_rlp(), owned.to_ssz().into()))
}

#[tokio::test(flavor = "multi_thread")]
async fn execute_transactions_are_derived_with_their_witness() -> Result<()> {
    let accounts = vec![(Key::named("alice").address(), rich(ETHER))];
    let rollup = deployed(ExecuteTx::PRECOMPILE, accounts).await?;
    let Forwarding { contract, plain, hiding, sequencer } = Forwarding::start(&rollup).await?;
    let (_proxy, follower) = without_traces(&rollup).await?;
    let l2 = provider_of(&follower)?;
    let cost = |number: u64| {
        let l2 = l2.clone();
        let params = (format!("{number:#x}"),);
        async move {
            Ok::<Value, eyre::Report>(l2.raw_request("rollup_blockCost".into(), params).await?)
        }
    };
    let advance = |input: &Bytes, to: Address| {
        let tx = execute_tx_of(input).ok_or_eyre("an input of one block")?;
        let (fees, calldata) = (idle_execute_tx(to.into()), advance_by(tx.input.clone()).into());
        let ExecuteTx { max_fee_per_gas, to, .. } = fees;
        Ok::<_, eyre::Report>(ExecuteTx {
            max_fee_per_gas,
            gas_limit: 15_000_000,
            to,
            input: calldata,
            ..tx
        })
    };

    // Calls the rollup directly: the gas is the whole cost.
    let input = next_input(&sequencer).await?;
    let receipt = rollup.executed(advance(&input, contract)?).await?;
    until_safe(&follower, 1).await?;
    let fields = cost(1).await?;
    let product = |a: &Value, b: &Value| -> Result<U256> {
        let of = |value: &Value| value.as_str().ok_or_eyre("a number").map(str::to_owned);
        Ok(of(a)?.parse::<U256>()? * of(b)?.parse::<U256>()?)
    };
    let paid = product(&receipt["gasUsed"], &receipt["effectiveGasPrice"])?;
    assert_eq!(fields["transactionCost"], json!(paid), "{fields}");

    // A contract forwards the head, the witness has geth's encoding, and an allowance pays for
    // EXECUTE.
    let input = next_input(&sequencer).await?;
    let (geths, ssz) = witnesses(&input)?;
    let tx = advance(&input, plain)?;
    assert_eq!(tx.witness, ssz);
    let tx = ExecuteTx { witness: geths, version: with_allowance(), ..tx };
    let receipt = rollup.executed(tx).await?;
    assert_ne!(receipt["executeGasUsed"], "0x0", "{receipt}");
    until_safe(&follower, 2).await?;
    let fields = cost(2).await?;
    assert_eq!(fields["l1GasUsed"], receipt["gasUsed"], "{fields}");
    // The cost of the allowance cannot be proven.
    for unknown in ["l1Cost", "transactionCost"] {
        assert_eq!(fields[unknown], Value::Null, "{fields}");
    }

    // The calldata of the transaction does not contain the head.
    let input = next_input(&sequencer).await?;
    let tx = advance(&input, hiding)?;
    let inverted: Vec<u8> = tx.input.iter().map(|byte| !byte).collect();
    rollup.executed(ExecuteTx { input: inverted.into(), ..tx }).await?;
    until_safe(&follower, 3).await?;
    assert_eq!(follower.status().safe_head, sequencer.status().unsafe_head);
    for node in [follower, sequencer] {
        node.stop().await;
    }
    Ok(())
}
