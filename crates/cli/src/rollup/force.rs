//! `enshrine calldata force`: calldata of a forced transaction.

use super::{
    Node,
    fee_cap::FeeCap,
    key_source::{KeySource, refuse_secret},
};
use crate::{
    execute::content::{self, Content},
    output::{print_stderr, say},
};
use ::rollup::Signer;
use alloy_consensus::{
    EthereumTxEnvelope, Transaction as _, TxEip1559, TxEip4844, transaction::SignerRecoverable as _,
};
use alloy_eips::eip2718::{Decodable2718 as _, Encodable2718 as _};
use alloy_primitives::{Address, Bytes, U64, U256, hex};
use alloy_sol_types::SolCall as _;
use clap::Args;
use contracts::{Deployment, bindings::IForcedInbox::submitCall, capacity::minimum_forced_gas};
use eyre::{OptionExt as _, Result, WrapErr as _, bail, ensure};
use serde_json::json;
use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Environment variable with a raw key of the sender.
const SENDER_KEY: &str = "ENSHRINE_SENDER_KEY";

#[derive(Debug, Args)]
pub(crate) struct Force {
    /// Signed transaction in hexadecimal, as `cast mktx` prints it, or a file that contains it in
    /// binary, in hex or as a JSON-RPC response. `-` is standard input. Alternatively, use --to for
    /// a transaction that this command signs.
    #[arg(value_name = "RAWTX", required_unless_present = "to", conflicts_with = "to")]
    raw: Option<PathBuf>,

    #[command(flatten)]
    unsigned: Unsigned,

    /// Deployment file, to check that the transaction is for this L2.
    #[arg(long, value_name = "FILE")]
    deployment: Option<PathBuf>,

    /// JSON-RPC URL of an L2 node, to compare the fee cap with the sender's balance and the base
    /// fee. The price at which others can delay the transaction is printed to standard error.
    #[arg(long, value_name = "URL")]
    l2: Option<String>,

    /// Print JSON instead of the calldata only.
    #[arg(long)]
    json: bool,
}

/// A transaction that the command signs, with the highest fee cap that its sender's balance covers.
#[derive(Debug, Args)]
struct Unsigned {
    /// Recipient of a transaction that this command signs. Its fee cap is (balance - value -
    /// reserve) / gas limit: a high cap costs the sender nothing and makes it more expensive for
    /// others to delay the transaction.
    #[arg(long, value_name = "ADDRESS", requires = "l2")]
    to: Option<Address>,

    /// With --to: value in wei.
    #[arg(long, value_name = "WEI", default_value = "0", requires = "to")]
    value: U256,

    /// With --to: calldata.
    #[arg(long, value_name = "HEX", default_value = "0x", requires = "to")]
    data: Bytes,

    /// With --to: gas limit [default: the node's estimate, and a quarter more if there is calldata,
    /// but at least the inbox's minimum: 42,000 and 256 per byte of calldata]
    #[arg(long, value_name = "GAS", requires = "to")]
    gas_limit: Option<u64>,

    /// With --to: wei that the sender may spend otherwise before a block includes the transaction.
    /// The transaction is dropped as invalid if the balance no longer covers its fee cap.
    #[arg(long, value_name = "WEI", default_value = "0", requires = "to")]
    reserve: U256,

    /// With --to: nonce [default: the sender's nonce after the newest block]
    #[arg(long, value_name = "NUMBER", requires = "to")]
    nonce: Option<u64>,

    /// With --to: key of the sender, a keystore (Web3 Secret Storage) or a key file with an
    /// `operator`. Set a raw key in ENSHRINE_SENDER_KEY.
    #[arg(long, value_name = "FILE", requires = "to")]
    sender_key: Option<String>,

    /// With --to: file with the password of the keystore.
    #[arg(long, value_name = "FILE", requires = "to")]
    sender_password_file: Option<PathBuf>,
}

impl Unsigned {
    fn signer(&self) -> Result<Signer> {
        refuse_secret("--sender-key", self.sender_key.as_deref())?;
        let from_environment = env::var(SENDER_KEY).ok();
        let source = KeySource {
            name: "sender",
            key: self.sender_key.as_deref().or(from_environment.as_deref()),
            password: self.sender_password_file.as_deref(),
            signer: None,
            address: None,
        };
        source.signer(|keys| keys.operator.secret())
    }

    /// Signs a transaction to this recipient; returns its EIP-2718 encoding.
    fn sign(&self, to: Address, url: &str, deployment: Option<&Deployment>) -> Result<Vec<u8>> {
        let l2 = Node::connect("L2", url, deployment.map(|deployment| deployment.l2_chain_id))?;
        let signer = self.signer()?;
        let sender = signer.address();
        let balance: U256 = l2.request("eth_getBalance", (sender, "latest"))?;
        let nonce = match self.nonce {
            Some(nonce) => nonce,
            None => l2.request::<U64>("eth_getTransactionCount", (sender, "latest"))?.to(),
        };
        let gas_limit = match self.gas_limit {
            Some(gas_limit) => gas_limit,
            None => self.estimate(&l2, sender, to)?,
        };
        let spent = self.value.saturating_add(self.reserve);
        let max_fee_per_gas = FeeCap::greatest(balance, spent, gas_limit);
        ensure!(
            max_fee_per_gas > 0,
            "{sender} has {balance} wei on the L2, and nothing is left for gas: value and reserve are {spent} wei"
        );
        let signed = signer.sign(TxEip1559 {
            chain_id: l2.request::<U64>("eth_chainId", ())?.to(),
            nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas: 0,
            to: to.into(),
            value: self.value,
            input: self.data.clone(),
            ..Default::default()
        })?;
        Ok(signed.encoded_2718())
    }

    /// Returns a gas limit that suffices by the node's estimate and that the inbox accepts.
    fn estimate(&self, l2: &Node, sender: Address, to: Address) -> Result<u64> {
        let call = json!({ "from": sender, "to": to, "value": self.value, "data": self.data });
        let estimate = l2.request::<U64>("eth_estimateGas", (call,));
        let gas = estimate.wrap_err("cannot estimate the gas limit: set --gas-limit")?.to::<u64>();
        Ok(gas_limit(gas, self.data.len()))
    }
}

/// Returns the gas limit of a transaction with this estimate and this many bytes of calldata. The
/// state may change until a block includes it, so a call gets a quarter more than the estimate.
fn gas_limit(estimate: u64, data: usize) -> u64 {
    let gas = if data == 0 { estimate } else { estimate.saturating_add(estimate / 4) };
    gas.max(minimum_forced_gas(data))
}

pub(super) fn run(arguments: &Force) -> Result<ExitCode> {
    let deployment = arguments.deployment.as_deref().map(Deployment::read).transpose()?;
    let Force { raw, unsigned, l2, json, .. } = arguments;
    let raw = match (raw, unsigned.to, l2) {
        (Some(raw), _, _) => raw_transaction(raw).wrap_err(
            "RAWTX must be a signed transaction in hexadecimal digits, as `cast mktx` prints it, or a file with one",
        )?,
        (None, Some(to), Some(url)) => unsigned.sign(to, url, deployment.as_ref())?,
        // clap requires one of them.
        _ => bail!("expected RAWTX, or --to and --l2"),
    };
    let transaction = EthereumTxEnvelope::<TxEip4844>::decode_2718_exact(&raw)
        .wrap_err("RAWTX is not a signed transaction")?;
    let sender = transaction.recover_signer().wrap_err("RAWTX has no valid signature")?;
    let (got, expected) = (transaction.gas_limit(), minimum_forced_gas(transaction.input().len()));
    ensure!(
        got >= expected,
        "the transaction has a gas limit of {got}, and the inbox requires {expected} (ForcedGasTooLow)"
    );
    if let Some(deployment) = &deployment {
        let expected = deployment.l2_chain_id;
        let got = transaction.chain_id().ok_or_eyre("RAWTX has no chain id (EIP-155)")?;
        ensure!(got == expected, "RAWTX is signed for chain {got}, expected L2 chain {expected}");
    }
    let fee_cap = match l2 {
        Some(url) => {
            let l2 = Node::connect("L2", url, transaction.chain_id())?;
            let fee_cap = FeeCap::of(&l2, sender, &transaction)?;
            print_stderr(format_args!("{fee_cap}"));
            for warning in fee_cap.warnings() {
                print_stderr(format_args!("warning: {warning}"));
            }
            Some(fee_cap)
        }
        None => None,
    };
    let raw = Bytes::from(raw);
    let calldata = Bytes::from(submitCall { raw: raw.clone() }.abi_encode());
    if *json {
        let document = json!({
            "to": deployment.map(|deployment| deployment.forced),
            "transaction": raw,
            "transactionHash": transaction.trie_hash(),
            "sender": sender,
            "nonce": transaction.nonce(),
            "gasLimit": transaction.gas_limit(),
            "feeCap": fee_cap.as_ref().map(FeeCap::to_json),
            "calldata": calldata,
        });
        say!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        say!("{}", hex::encode_prefixed(&calldata));
    }
    print_stderr(format_args!(
        "send wei with the call: the inbox requires minimumFee(gas limit, footprintOf(transaction)), and \
         refunds the excess"
    ));
    Ok(ExitCode::SUCCESS)
}

/// Returns the bytes of a transaction from its hexadecimal digits or from a file.
fn raw_transaction(hex_or_path: &Path) -> Result<Vec<u8>> {
    let text = hex_or_path.to_string_lossy();
    let text = text.trim();
    if text.starts_with("0x") || text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(hex::decode(text)?);
    }
    match content::read(hex_or_path)? {
        Content::Bytes(bytes) => Ok(bytes),
        Content::Object(_) => bail!("{} contains a JSON object", content::name_of(hex_or_path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gas_limit_is_estimate_or_minimum_of_inbox() {
        assert_eq!(gas_limit(21_000, 0), 42_000);
        assert_eq!(gas_limit(42_001, 0), 42_001);
        // A call gets a quarter more.
        assert_eq!(gas_limit(33_804, 1), 42_256);
        assert_eq!(gas_limit(33_808, 1), 42_260);
    }
}
