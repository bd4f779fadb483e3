//! Tests of the recovered sender of an L1 transaction, with a devnet behind a proxy that forges
//! responses.

use super::*;
use alloy_eips::eip7702::Authorization;
use alloy_json_rpc::RpcRecv;
use alloy_primitives::{TxKind, U256};
use codec::{ExecuteTx, ExecuteTxVersion, SignedExecuteTx};
use devnet::Devnet;
use eyre::{OptionExt as _, Result};
use serde_json::{Value, json};
use testkit::{GWEI, Key, Proxy, idle_execute_tx, with_allowance};
use variants::{DialectName, Dialects};

/// Account without code, the target of all transactions.
const IDLE: Address = Address::repeat_byte(0x1d);

struct ProxiedL1 {
    devnet: Devnet,
    proxy: Proxy,
    client: L1Client,
}

impl ProxiedL1 {
    async fn start() -> Result<Self> {
        let devnet = Devnet::builder().with(|config| {
            config.execute_market = true;
            config.execute_dialects =
                Dialects::usual(&[DialectName::Specs, DialectName::ExecuteTx]);
        });
        let devnet = devnet.spawn().await?;
        let server = devnet.server().ok_or_eyre("the devnet serves HTTP")?;
        let proxy = Proxy::start(server.addresses()[0])?;
        let client = L1Client::new(&[proxy.url()], Duration::from_secs(60))?;
        Ok(Self { devnet, proxy, client })
    }

    fn request<T: RpcRecv>(&self, method: &'static str, params: Value) -> Result<T> {
        Ok(self.client.inner().request(method, params)?)
    }

    /// Sends a transaction of an Ethereum type, signed by an account of the devnet.
    fn send(&self, from: Address, mut fields: Value) -> Result<B256> {
        (fields["from"], fields["to"]) = (json!(from), json!(IDLE));
        self.request("eth_sendTransaction", json!([fields]))
    }

    /// Sends a transaction of type `0x05`, signed by the account with this index.
    fn send_execute_tx(&self, account: usize, version: ExecuteTxVersion) -> Result<B256> {
        let secret = B256::from_slice(&self.devnet.keys()[account].to_bytes()[..]);
        let key = Key::from_secret(secret).ok_or_eyre("a key of the devnet")?;
        let tx = ExecuteTx {
            chain_id: self.devnet.chain_id(),
            version,
            ..idle_execute_tx(TxKind::Call(IDLE))
        };
        let signed = SignedExecuteTx { signature: key.sign_digest(&tx.signing_hash()), tx };
        self.request("eth_sendRawTransaction", json!([Bytes::from(signed.encode())]))
    }

    /// Sends a transaction of type `0x05` with an allowance, and returns it with its sender.
    fn execute_tx(&self, account: usize) -> Result<(B256, Address)> {
        Ok((self.send_execute_tx(account, with_allowance())?, self.devnet.addresses()[account]))
    }

    /// Sends a transaction of type `0x02`, and returns it with its sender.
    fn ethereum_tx(&self, account: usize) -> Result<(B256, Address)> {
        let from = self.devnet.addresses()[account];
        Ok((self.send(from, json!({ "type": "0x2" }))?, from))
    }

    /// Changes the transaction in each later response.
    fn forge(&self, change: impl Fn(&mut Value) + Send + 'static) {
        self.proxy.set(move |_, response| {
            let mut response: Value = serde_json::from_str(&response).ok()?;
            change(&mut response["result"]);
            Some(response.to_string())
        });
    }

    /// Checks that the client finds the sender with honest responses, i.e. only a forged response
    /// made it fail.
    fn assert_honest(&self, (hash, sender): (B256, Address)) -> Result<()> {
        self.proxy.honest();
        assert_eq!(self.client.sender_of(hash)?, Some(sender), "{hash}");
        Ok(())
    }
}

fn assert_other_hash(found: Result<Option<Address>, L1Error>, hash: B256) {
    let Err(L1Error::Mismatch { what: "transaction hash", got, expected }) = found else {
        panic!("{found:?}")
    };
    assert_eq!(expected, hash.to_string());
    assert_ne!(got, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn sender_is_recovered_for_each_transaction_type() -> Result<()> {
    let l1 = ProxiedL1::start().await?;
    let gas_price = json!(U256::from(20 * GWEI));
    let authorization = Key::named("authority").authorize(Authorization {
        chain_id: U256::from(l1.devnet.chain_id()),
        address: IDLE,
        nonce: 0,
    });
    let blob = Bytes::from(vec![0; 131_072]);
    let fields = [
        json!({ "type": "0x0", "gasPrice": gas_price }),
        json!({ "type": "0x1", "gasPrice": gas_price, "accessList": [] }),
        json!({ "type": "0x2" }),
        json!({ "type": "0x3", "blobs": [blob], "maxFeePerBlobGas": gas_price }),
        json!({ "type": "0x4", "authorizationList": [authorization] }),
    ];
    let senders = l1.devnet.addresses().to_vec();
    let mut sent = Vec::new();
    for (fields, from) in fields.into_iter().zip(&senders) {
        sent.push((fields["type"].clone(), l1.send(*from, fields)?, *from));
    }
    for version in
        [ExecuteTxVersion::V1 { blob_hashes: Vec::new() }, ExecuteTxVersion::V2 { anchor: None }]
    {
        let account = sent.len();
        sent.push((json!("0x5"), l1.send_execute_tx(account, version)?, senders[account]));
    }
    let (hash, sender) = l1.execute_tx(sent.len())?;
    sent.push((json!("0x5"), hash, sender));
    for (r#type, hash, sender) in sent {
        let response: Value = l1.request("eth_getTransactionByHash", json!([hash]))?;
        assert_eq!(response["type"], r#type);
        assert_ne!(response["blockHash"], Value::Null, "{type}");
        assert_eq!(l1.client.sender_of(hash)?, Some(sender), "{type}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_or_unsigned_transaction_has_no_sender() -> Result<()> {
    let l1 = ProxiedL1::start().await?;
    assert_eq!(l1.client.sender_of(B256::repeat_byte(7))?, None);
    for sent in [l1.ethereum_tx(0)?, l1.execute_tx(1)?] {
        // The response contains the sender of the signed transaction.
        let mut unsigned: Value = l1.request("eth_getTransactionByHash", json!([sent.0]))?;
        (unsigned["r"], unsigned["s"]) = (json!("0x0"), json!("0x0"));
        let read: RpcTransaction = serde_json::from_value(unsigned.clone())?;
        let hash = keccak256(read.inner.inner().encoded_2718());
        l1.forge(move |transaction| *transaction = unsigned.clone());
        assert_eq!(l1.client.sender_of(hash)?, None);
        l1.assert_honest(sent)?;
    }
    // The hash of an impersonated account's transaction differs from that of its encoding.
    let contract = Address::repeat_byte(0xc0);
    l1.request::<Value>("anvil_setBalance", json!([contract, U256::from(GWEI * GWEI)]))?;
    l1.request::<Value>("anvil_impersonateAccount", json!([contract]))?;
    let impersonated = l1.send(contract, json!({ "type": "0x2" }))?;
    assert_other_hash(l1.client.sender_of(impersonated), impersonated);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_fields_do_not_change_sender() -> Result<()> {
    let l1 = ProxiedL1::start().await?;
    for (r#type, sent, other) in [
        ("0x2", l1.ethereum_tx(0)?, l1.ethereum_tx(1)?),
        ("0x5", l1.execute_tx(2)?, l1.execute_tx(3)?),
    ] {
        let ((hash, sender), (other_hash, other_sender)) = (sent, other);
        let response: Value = l1.request("eth_getTransactionByHash", json!([other_hash]))?;
        assert_eq!(response["type"], r#type);

        l1.forge(move |transaction| transaction["from"] = json!(other_sender));
        assert_eq!(l1.client.sender_of(hash)?, Some(sender), "{type}");
        l1.forge(move |transaction| transaction["hash"] = json!(other_hash));
        assert_eq!(l1.client.sender_of(hash)?, Some(sender), "{type}");

        // Another transaction, with its own hash and with the requested hash.
        let replaced = response.clone();
        l1.forge(move |transaction| *transaction = replaced.clone());
        assert_other_hash(l1.client.sender_of(hash), hash);
        l1.forge(move |transaction| {
            *transaction = response.clone();
            transaction["hash"] = json!(hash);
        });
        assert_other_hash(l1.client.sender_of(hash), hash);

        // Signed fields, and each part of the signature. A change recovers another account, or
        // none.
        for (field, forged) in [
            ("value", json!("0x1")),
            ("nonce", json!("0x63")),
            ("r", json!("0x1")),
            ("s", json!("0x1")),
        ] {
            l1.forge(move |transaction| transaction[field] = forged.clone());
            assert_other_hash(l1.client.sender_of(hash), hash);
        }
        l1.forge(|transaction| {
            let parity = if transaction["yParity"] == "0x0" { "0x1" } else { "0x0" };
            (transaction["yParity"], transaction["v"]) = (json!(parity), json!(parity));
        });
        assert_other_hash(l1.client.sender_of(hash), hash);
        l1.assert_honest((hash, sender))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_transaction_and_rpc_error_are_client_errors() -> Result<()> {
    let l1 = ProxiedL1::start().await?;
    let (ethereum, execute) = (l1.ethereum_tx(0)?, l1.execute_tx(1)?);
    let is_refused = |(hash, _): (B256, Address), change: fn(&mut Value)| {
        l1.forge(change);
        let found = l1.client.sender_of(hash);
        assert!(matches!(found, Err(L1Error::Client(_))), "{found:?}");
    };
    for sent in [ethereum, execute] {
        is_refused(sent, |transaction| *transaction = json!("0x"));
        is_refused(sent, |transaction| transaction["nonce"] = json!("none"));
        is_refused(sent, |transaction| transaction["s"] = Value::Null);
        is_refused(sent, |transaction| transaction["from"] = Value::Null);
    }
    // Fields of two versions, missing fields, and an unknown transaction type.
    is_refused(execute, |transaction| transaction["execute"]["version"] = json!(2));
    is_refused(execute, |transaction| transaction["execute"] = Value::Null);
    is_refused(ethereum, |transaction| transaction["type"] = json!("0x7f"));

    l1.proxy.honest();
    l1.proxy.intercept(|request| {
        let error = json!({ "code": -32_602, "message": "not for you" });
        let id: Value = serde_json::from_str(&testkit::id_of(request)).ok()?;
        Some(json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string())
    });
    let found = l1.client.sender_of(execute.0);
    let Err(L1Error::Client(error)) = found else { panic!("{found:?}") };
    assert!(error.to_string().contains("not for you"), "{error}");
    for sent in [ethereum, execute] {
        l1.assert_honest(sent)?;
    }
    Ok(())
}
