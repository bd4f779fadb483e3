//! The token bridge of the Rust SDK with dishonest nodes: each false response is rejected with its
//! error, and nothing is sent. The same calls succeed once the same proxies forward true responses.

use crate::process::Localnet;
use ::sdk::{
    Bridge, BridgeError, Layer, Rejection, Rollup, SentDeposit, TokenBridge, TokenDeposit,
    TokenWithdrawal,
    bindings::{
        IERC20,
        IL1MessageQueue::IL1MessageQueueErrors,
        IL1TokenBridge::{IL1TokenBridgeErrors, L2_BRIDGECall, MESSAGE_QUEUECall},
        IL2TokenBridge::{IL2TokenBridgeErrors, L1_BRIDGECall},
    },
};
use alloy_primitives::{Address, B256, Bytes, U256, hex};
use alloy_provider::{Provider as _, ProviderBuilder, network::EthereumWallet};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::{SolCall as _, sol};
use eyre::{OptionExt as _, Result, ensure};
use serde_json::Value;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use testkit::Proxy;
use tokio::time::sleep;

const PAUSE: Duration = Duration::from_millis(50);

sol! {
    interface IToken {
        function mint(address to, uint256 amount) external;
    }
}

/// An address that has no part in the rollup.
const OTHER: Address = Address::repeat_byte(0xa1);

/// A node behind a proxy, which counts the transactions that are sent through it.
struct Lying {
    proxy: Proxy,
    sent: Arc<AtomicUsize>,
}

impl Lying {
    fn start(url: &str, sent: &Arc<AtomicUsize>) -> Result<Self> {
        let address = url.strip_prefix("http://").ok_or_eyre("no address")?.parse()?;
        let it = Self { proxy: Proxy::start(address)?, sent: Arc::clone(sent) };
        it.lie("", None, Value::Null);
        Ok(it)
    }

    /// Replaces the answer of a method, or of the call of a function at an address.
    fn lie(
        &self,
        method: &'static str,
        call: Option<(Address, [u8; 4])>,
        result: impl Into<Value>,
    ) {
        let (sent, result) = (Arc::clone(&self.sent), result.into());
        self.proxy.set(move |request, answer| {
            let request: Value = serde_json::from_str(request).unwrap_or_default();
            let called = request["method"].as_str().unwrap_or_default();
            if called.starts_with("eth_send") {
                sent.fetch_add(1, Ordering::SeqCst);
            }
            let is_meant = call.is_none_or(|(to, selector)| {
                let call = &request["params"][0];
                let data = call["input"].as_str().or(call["data"].as_str()).unwrap_or_default();
                call["to"].as_str().is_some_and(|address| address.parse() == Ok(to))
                    && data.starts_with(&hex::encode_prefixed(selector))
            });
            if called != method || !is_meant {
                return Some(answer);
            }
            let mut answer: Value = serde_json::from_str(&answer).ok()?;
            answer["result"] = result.clone();
            Some(answer.to_string())
        });
    }
}

/// The text of an address that a call returns.
fn word(address: Address) -> String {
    B256::left_padding_from(address.as_slice()).to_string()
}

#[tokio::test]
async fn lies_about_token_bridge_are_refused() -> Result<()> {
    let localnet = Localnet::start(&[]);
    let text = |pointer: &str| localnet.report.pointer(pointer).and_then(Value::as_str).unwrap();
    let sent = Arc::<AtomicUsize>::default();
    let (l1_node, l2_node) =
        (Lying::start(text("/l1Url"), &sent)?, Lying::start(text("/l2Url"), &sent)?);
    let key: PrivateKeySigner = text("/accounts/5/key").parse()?;
    let (from, l1_token) = (key.address(), localnet.address("l1Token"));
    let connect = |node: &Lying| -> Result<_> {
        let builder = ProviderBuilder::new().wallet(EthereumWallet::from(key.clone()));
        Ok(builder.connect_http(node.proxy.url().parse()?))
    };
    let (l1, l2) = (connect(&l1_node)?, connect(&l2_node)?);
    let l1_bridge = localnet.contract("l1Bridge");
    let bare = Rollup::read(&l1, localnet.contract("rollup")).await?;
    let rollup = bare.with_token_bridge(&l1, l1_bridge).await?;
    let bridges = rollup.token_bridge.ok_or_eyre("no token bridge")?;
    assert_eq!(bridges, TokenBridge { l1: l1_bridge, l2: localnet.contract("l2Bridge") });
    let of = |rollup| Bridge::new(rollup, l1.clone(), l2.clone());
    let bridge = of(rollup);
    let deposit = TokenDeposit { l1_token, amount: U256::from(600), ..TokenDeposit::default() };
    let withdrawal = TokenWithdrawal { l1_token, amount: U256::ONE, ..TokenWithdrawal::default() };

    // The nodes lie.
    let queue_of_bridge = (l1_bridge, MESSAGE_QUEUECall::SELECTOR);
    for (method, call, result, what) in [
        ("eth_call", Some(queue_of_bridge), word(OTHER), "the message queue of the token bridge"),
        (
            "eth_call",
            Some((l1_bridge, L2_BRIDGECall::SELECTOR)),
            word(OTHER),
            "the token bridge on the L2",
        ),
        (
            "eth_call",
            Some((rollup.address, MESSAGE_QUEUECall::SELECTOR)),
            word(OTHER),
            "the message queue",
        ),
        ("eth_chainId", None, "0x1".to_owned(), "L1"),
    ] {
        l1_node.lie(method, call, result);
        for error in [
            bridge.deposit_token(from, deposit.clone()).await.map(drop).unwrap_err(),
            bridge.register_token(from, l1_token, None, None).await.map(drop).unwrap_err(),
        ] {
            match error {
                BridgeError::WrongRollup { what: it, .. } => assert_eq!(it, what),
                BridgeError::WrongChain { layer: Layer::L1, got: 1, .. } => assert_eq!(what, "L1"),
                error => panic!("{what}: {error:?}"),
            }
        }
    }
    l1_node.lie("eth_call", Some(queue_of_bridge), word(OTHER));
    let error = bare.with_token_bridge(&l1, l1_bridge).await.unwrap_err();
    assert!(matches!(error, BridgeError::WrongRollup { got: OTHER, .. }), "{error:?}");
    l1_node.lie("eth_getCode", None, "0x6000");
    let error = bridge.deposit_token(from, deposit.clone()).await.map(drop).unwrap_err();
    assert!(matches!(error, BridgeError::ContractWallet { code_size: 2, .. }), "{error:?}");
    l1_node.lie("", None, Value::Null);
    l2_node.lie("eth_call", Some((bridges.l2, L1_BRIDGECall::SELECTOR)), word(OTHER));
    let error = bridge.withdraw_token(from, withdrawal.clone()).await.map(drop).unwrap_err();
    assert!(matches!(error, BridgeError::WrongRollup { got: OTHER, .. }), "{error:?}");
    l2_node.lie("eth_chainId", None, "0x1");
    let error = bridge.withdraw_token(from, withdrawal.clone()).await.map(drop).unwrap_err();
    assert!(matches!(error, BridgeError::WrongChain { layer: Layer::L2, .. }), "{error:?}");
    l2_node.lie("", None, Value::Null);

    // The caller's rollup is another one, or has no bridge.
    let error = of(bare).deposit_token(from, deposit.clone()).await.map(drop).unwrap_err();
    assert!(matches!(error, BridgeError::NoTokenBridge), "{error:?}");
    let mut wrong = rollup;
    wrong.token_bridge = Some(TokenBridge { l2: OTHER, ..bridges });
    let error = of(wrong).deposit_token(from, deposit.clone()).await.map(drop).unwrap_err();
    assert!(matches!(error, BridgeError::WrongRollup { expected: OTHER, .. }), "{error:?}");
    wrong.token_bridge = Some(TokenBridge { l1: OTHER, ..bridges });
    let error = of(wrong).withdraw_token(from, withdrawal.clone()).await.map(drop).unwrap_err();
    assert!(matches!(error, BridgeError::WrongRollup { expected: OTHER, .. }), "{error:?}");
    let cheap = TokenDeposit { max_fee: Some(0), ..deposit.clone() };
    let error = bridge.deposit_token(from, cheap).await.map(drop).unwrap_err();
    assert!(matches!(error, BridgeError::FeeAboveMaximum { expected: 0, .. }), "{error:?}");

    // The contracts reject the calls when the nodes estimate them.
    let error = bridge.register_token(from, l1_token, None, Some(1)).await.map(drop).unwrap_err();
    let BridgeError::Rejected(rejection) = error else { panic!("{error:?}") };
    let Rejection::MessageQueue(IL1MessageQueueErrors::FeeTooLow(_)) = *rejection else {
        panic!("{rejection:?}")
    };
    let unknown = TokenDeposit { l1_token: rollup.address, skip_approval: true, ..deposit.clone() };
    let error = bridge.deposit_token(from, unknown).await.map(drop).unwrap_err();
    let BridgeError::Rejected(rejection) = error else { panic!("{error:?}") };
    let Rejection::L1TokenBridge(IL1TokenBridgeErrors::TokenNotRegistered(_)) = *rejection else {
        panic!("{rejection:?}")
    };
    let nothing = TokenWithdrawal { amount: U256::ZERO, ..withdrawal.clone() };
    let error = bridge.withdraw_token(from, nothing).await.map(drop).unwrap_err();
    let BridgeError::Rejected(rejection) = error else { panic!("{error:?}") };
    let Rejection::L2TokenBridge(IL2TokenBridgeErrors::AmountZero(_)) = *rejection else {
        panic!("{rejection:?}")
    };
    assert_eq!(sent.load(Ordering::SeqCst), 0);

    // With true responses from the same proxies: the mint, the approval and the deposit, and the
    // withdrawal.
    let mint = IToken::mintCall { to: from, amount: U256::from(1_000) }.abi_encode();
    let mint = TransactionRequest::default().to(l1_token).input(Bytes::from(mint).into());
    ensure!(l1.send_transaction(mint).await?.get_receipt().await?.status());
    let SentDeposit { approval, deposit } = bridge.deposit_token(from, deposit).await?;
    ensure!(approval.is_some() && deposit.get_receipt().await?.status());
    let pair = bridge.token_pair(l1_token).await?;
    assert_eq!(pair.l2_token, localnet.address("l2Token"));
    assert!(pair.is_registered && pair.owed >= U256::from(600));
    let on_l2 = IERC20::new(pair.l2_token, &l2);
    while on_l2.balanceOf(from).call().await? < U256::from(600) {
        sleep(PAUSE).await;
    }
    let receipt = bridge.withdraw_token(from, withdrawal).await?.get_receipt().await?;
    ensure!(receipt.status());
    ensure!(bridge.register_token(from, l1_token, None, None).await?.get_receipt().await?.status());
    assert_eq!(on_l2.balanceOf(from).call().await?, U256::from(599));
    assert_eq!(sent.load(Ordering::SeqCst), 5);
    Ok(())
}
