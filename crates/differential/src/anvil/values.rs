//! Values that a script computes: calldata and signed transactions.

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEip7702, TxLegacy};
use alloy_eips::{eip2718::Encodable2718, eip7702::Authorization};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, hex, keccak256};
use serde_json::{Value, json};
use testkit::{Key, Transaction};

/// Private keys of the ten default accounts of both nodes.
pub const SECRETS: [&str; 10] = [
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    "47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
    "8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
    "92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e",
    "4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356",
    "dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97",
    "2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6",
];

/// Returns the key of the account with this index.
///
/// # Panics
///
/// If `index` is not below ten.
pub fn key(index: usize) -> Key {
    let secret: B256 = SECRETS[index].parse().expect("a constant");
    Key::from_secret(secret).expect("a constant")
}

/// Reason why a value cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// The name of the computation is unknown.
    #[error("unknown computation {0}")]
    Unknown(String),
    /// The argument is invalid for the word, for this reason.
    #[error("{0}")]
    Argument(String),
}

/// Computes the value of a word.
///
/// - `value X` is `X`.
/// - `call ["f(uint256,address)", 1, "0x…"]` is the calldata of a call with static arguments.
/// - `concat ["0x…", "0x…"]` joins bytes.
/// - `sign {"from": 0, "type": 2, …}` is a raw transaction, signed by the account of that index.
/// - `hash "0x…"` is the Keccak-256 of bytes.
///
/// # Errors
///
/// [`WordError`] if the word is unknown or its argument invalid.
pub fn compute(word: &str, argument: &Value) -> Result<Value, WordError> {
    let value = match word {
        "value" => Ok(argument.clone()),
        "call" => calldata(argument).map(|data| json!(data)),
        "concat" => {
            let parts = argument.as_array().ok_or_else(|| "`concat` takes a list".to_owned());
            parts
                .and_then(|parts| parts.iter().map(bytes).collect::<Result<Vec<_>, _>>())
                .map(|parts| json!(Bytes::from(parts.concat())))
        }
        "hash" => bytes(argument).map(|bytes| json!(keccak256(bytes))),
        "sign" => signed(argument).map(|raw| json!(raw)),
        other => return Err(WordError::Unknown(other.to_owned())),
    };
    value.map_err(WordError::Argument)
}

fn calldata(argument: &Value) -> Result<Bytes, String> {
    let parts = argument.as_array().ok_or("`call` takes a list")?;
    let signature = parts.first().and_then(Value::as_str).ok_or("no signature")?;
    let mut data = keccak256(signature)[..4].to_vec();
    for part in &parts[1..] {
        data.extend_from_slice(&number(part)?.to_be_bytes::<32>());
    }
    Ok(data.into())
}

fn bytes(value: &Value) -> Result<Bytes, String> {
    let text = value.as_str().ok_or_else(|| format!("bytes are a string, not {value}"))?;
    hex::decode(text).map(Into::into).map_err(|error| format!("{error}: {text}"))
}

fn number(value: &Value) -> Result<U256, String> {
    match value {
        Value::Number(number) => {
            number.as_u64().map(U256::from).ok_or_else(|| format!("not a number: {number}"))
        }
        Value::String(text) => text.parse().map_err(|error| format!("{error}: {text}")),
        other => Err(format!("not a number: {other}")),
    }
}

/// Signs a transaction. Members are named as in `eth_sendTransaction`; missing ones get a default
/// that a fresh node accepts.
fn signed(argument: &Value) -> Result<Bytes, String> {
    let field =
        |name: &str, default: u64| argument.get(name).map_or(Ok(U256::from(default)), number);
    let small = |name: &str, default: u64| -> Result<u64, String> {
        field(name, default)?.try_into().map_err(|_| format!("{name} is too large"))
    };
    let wide = |name: &str, default: u64| -> Result<u128, String> {
        field(name, default)?.try_into().map_err(|_| format!("{name} is too large"))
    };
    let signer = key(usize::try_from(small("from", 0)?).map_err(|error| error.to_string())?);
    let address = |value: &Value| -> Result<Address, String> {
        value.as_str().and_then(|text| text.parse().ok()).ok_or(format!("no address: {value}"))
    };
    let to = match argument.get("to") {
        None | Some(Value::Null) => TxKind::Create,
        Some(to) => TxKind::Call(address(to)?),
    };
    let input = argument.get("data").map_or(Ok(Bytes::new()), bytes)?;
    let chain_id = small("chainId", 31337)?;
    let nonce = small("nonce", 0)?;
    let gas_limit = small("gas", 100_000)?;
    let value = field("value", 0)?;
    let gas_price = wide("gasPrice", 3_000_000_000)?;
    let max_fee_per_gas = wide("maxFeePerGas", 3_000_000_000)?;
    let max_priority_fee_per_gas = wide("maxPriorityFeePerGas", 1_000_000_000)?;
    let access_list = match argument.get("accessList") {
        Some(list) => serde_json::from_value(list.clone()).map_err(|error| error.to_string())?,
        None => Default::default(),
    };
    Ok(match small("type", 2)? {
        0 => {
            let chain_id = argument.get("unprotected").is_none().then_some(chain_id);
            raw(&signer, TxLegacy { chain_id, nonce, gas_price, gas_limit, to, value, input })
        }
        1 => raw(
            &signer,
            TxEip2930 { chain_id, nonce, gas_price, gas_limit, to, value, access_list, input },
        ),
        2 => raw(
            &signer,
            TxEip1559 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to,
                value,
                access_list,
                input,
            },
        ),
        4 => {
            let TxKind::Call(to) = to else { return Err("type 4 needs `to`".to_owned()) };
            let delegate = address(&argument["delegate"])?;
            let authority = usize::try_from(small("authority", 0)?).map_err(|e| e.to_string())?;
            let authorization = Authorization {
                chain_id: U256::from(chain_id),
                address: delegate,
                nonce: small("authorityNonce", 0)?,
            };
            raw(
                &signer,
                TxEip7702 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas,
                    max_priority_fee_per_gas,
                    to,
                    value,
                    access_list,
                    authorization_list: vec![key(authority).authorize(authorization)],
                    input,
                },
            )
        }
        other => return Err(format!("transactions of type {other} cannot be signed here")),
    })
}

fn raw<T>(signer: &Key, transaction: T) -> Bytes
where
    T: SignableTransaction<Signature>,
    alloy_consensus::Signed<T>: Into<Transaction>,
{
    signer.sign(transaction).encoded_2718().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calldata_is_selector_and_words() {
        let data = compute("call", &json!(["transfer(address,uint256)", "0x01", 2])).unwrap();
        let text = data.as_str().unwrap();
        assert!(text.starts_with("0xa9059cbb") && text.len() == 2 + 2 * 68 && text.ends_with('2'));
    }

    #[test]
    fn supported_types_are_signed_and_others_rejected() {
        let to = "0x0000000000000000000000000000000000000001";
        for (kind, first) in [(0, "0xf8"), (1, "0x01"), (2, "0x02"), (4, "0x04")] {
            let raw = compute("sign", &json!({ "type": kind, "to": to, "delegate": to })).unwrap();
            assert!(raw.as_str().unwrap().starts_with(first), "{kind}: {raw}");
        }
        assert!(compute("sign", &json!({ "type": 3 })).is_err());
        assert!(compute("no such word", &json!(0)).is_err());
    }
}
