//! Methods for block explorers on a rollup's node.

use crate::support::{DevnetRollup, one_wei, provider_of, until};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::Address;
use alloy_provider::Provider as _;
use enshrine_rollup::RollupNode;
use eyre::{Result, ensure};
use rpc::Namespaces;
use serde_json::{Value, json};
use testkit::{ETHER, Key, rich};

/// Namespaces that a rollup's node serves by default.
const PUBLIC: &str = "enshrine,eth,net,rollup,web3";

/// The requests of Otterscan's pages about a block with one transfer. Otterscan sends numbers of
/// blocks as JSON numbers.
#[tokio::test(flavor = "multi_thread")]
async fn otterscan_shows_l2_if_operator_allows() -> Result<()> {
    let alice = Key::named("alice");
    let rollup = DevnetRollup::with(vec![(alice.address(), rich(ETHER))]).await?;
    for (namespaces, is_served) in
        [(format!("{PUBLIC},erigon,ots,trace"), true), (PUBLIC.into(), false)]
    {
        let mut config = rollup.config(rollup.sequencer_role()?);
        config.server.http_api = namespaces.parse::<Namespaces>()?;
        let node = RollupNode::start(config).await?;
        let l2 = provider_of(&node)?;
        let (sender, to) = (alice.address(), Address::repeat_byte(0xb0));
        let transfer = one_wei(&alice, 0, to);
        let hash = *transfer.tx_hash();
        if is_served {
            drop(l2.send_raw_transaction(&transfer.encoded_2718()).await?);
        }
        until("the transfer", &node, || async {
            Ok(!is_served || l2.get_transaction_receipt(hash).await?.is_some())
        })
        .await?;
        let number = match l2.get_transaction_receipt(hash).await? {
            Some(receipt) => receipt.block_number.unwrap_or_default(),
            None => 0,
        };
        for (method, params) in [
            ("ots_getApiLevel", json!([])),
            ("erigon_getHeaderByNumber", json!([number])),
            ("ots_getBlockDetails", json!([number])),
            ("ots_getBlockTransactions", json!([number, 0, 25])),
            ("ots_hasCode", json!([to, number])),
            ("ots_getInternalOperations", json!([hash])),
            ("ots_getTransactionError", json!([hash])),
            ("ots_traceTransaction", json!([hash])),
            ("ots_searchTransactionsBefore", json!([to, 0, 25])),
            ("ots_searchTransactionsAfter", json!([to, 0, 25])),
            ("ots_getTransactionBySenderAndNonce", json!([sender, 0])),
            ("ots_getContractCreator", json!([to])),
            ("trace_block", json!([format!("{number:#x}")])),
            ("trace_replayTransaction", json!([hash, ["trace"]])),
        ] {
            let response = l2.raw_request::<_, Value>(method.into(), params).await;
            match response {
                Ok(response) => {
                    ensure!(is_served, "{method} is served by default: {response}");
                    let is_found = match method {
                        "ots_searchTransactionsBefore" | "ots_searchTransactionsAfter" => {
                            response["txs"][0]["hash"] == json!(hash)
                        }
                        "ots_getTransactionBySenderAndNonce" => response == json!(hash),
                        "ots_getBlockTransactions" => response["receipts"]
                            .as_array()
                            .is_some_and(|receipts| !receipts.is_empty()),
                        "trace_block" => response.to_string().contains(&hash.to_string()),
                        _ => true,
                    };
                    ensure!(is_found, "{method}: {response}");
                }
                Err(error) => {
                    let code = error.as_error_resp().map(|error| error.code);
                    ensure!(!is_served && code == Some(-32_601), "{method}: {error}");
                }
            }
        }
        node.stop().await;
    }
    Ok(())
}
