//! `console.log` output of contracts.
//!
//! The Solidity library calls an address without code. The devnet installs a precompile there that
//! costs no gas, returns no data and is cold, like an account without code, so that contracts
//! cannot detect it. The precompile reports its calldata.

use alloy_dyn_abi::{DynSolType, DynSolValue};
use alloy_evm::precompiles::{DynPrecompile, PrecompileInput, PrecompilesMap};
use alloy_primitives::{Address, Bytes, U256, keccak256};
use revm::precompile::{PrecompileId, PrecompileOutput};
use rpc::{CONSOLE, Note};
use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, LazyLock},
};

/// Maximum number of calldata bytes that are reported per call.
const MOST: usize = 1 << 16;

/// Installs the precompile that reports calls to the console address.
pub(crate) fn install(precompiles: &mut PrecompilesMap) {
    precompiles.set_precompile_lookup(|address: &Address| {
        (*address == CONSOLE).then(|| {
            let print = |input: PrecompileInput<'_>| {
                let data = &input.data[..input.data.len().min(MOST)];
                rpc::note(Note::Console(Bytes::copy_from_slice(data)));
                Ok(PrecompileOutput::new(0, Bytes::new(), input.reservoir))
            };
            DynPrecompile::new_stateful(PrecompileId::custom("console.log"), print)
        })
    });
}

/// Parameter types of the library's functions, by selector.
static SIGNATURES: LazyLock<HashMap<[u8; 4], Arc<[DynSolType]>>> = LazyLock::new(signatures);

/// Returns all functions of the library: `log` with up to four parameters of four types, and with a
/// single parameter of other types. Older versions computed selectors from `uint` and `int`, which
/// are not canonical ABI types.
fn signatures() -> HashMap<[u8; 4], Arc<[DynSolType]>> {
    let mut all = HashMap::new();
    let mut add = |name: &str, types: &[&str]| {
        let parsed: Option<Arc<[DynSolType]>> =
            types.iter().map(|name| DynSolType::parse(name).ok()).collect();
        let Some(parsed) = parsed else { return };
        for (canonical, other) in [("", ""), ("int256", "int")] {
            let types = types.iter().map(|name| name.replace(canonical, other));
            let types = types.collect::<Vec<_>>().join(",");
            let hash = keccak256(format!("{name}({types})"));
            all.entry(hash[..4].try_into().unwrap_or_default()).or_insert_with(|| parsed.clone());
        }
    };
    let mut lists: Vec<Vec<&str>> = vec![Vec::new()];
    for _ in 0..=4 {
        for types in &lists {
            add("log", types);
        }
        lists = lists
            .iter()
            .flat_map(|types| {
                ["string", "uint256", "bool", "address"]
                    .map(|more| types.iter().copied().chain([more]).collect())
            })
            .collect();
    }
    for (name, one) in [("Int", "int256"), ("Uint", "uint256"), ("String", "string")] {
        add(&format!("log{name}"), &[one]);
    }
    for (name, one) in [("Bool", "bool"), ("Address", "address"), ("Bytes", "bytes")] {
        add(&format!("log{name}"), &[one]);
    }
    for types in [["int256"].as_slice(), &["bytes"], &["string", "int256"]] {
        add("log", types);
    }
    for length in 1..=32 {
        let one = format!("bytes{length}");
        add(&format!("logB{}", &one[1..]), &[&one]);
        add("log", &[&one]);
    }
    all
}

/// Returns the line that a call prints; `None` if it calls no function of the library.
pub(crate) fn line(calldata: &[u8]) -> Option<String> {
    let (selector, parameters) = calldata.split_first_chunk::<4>()?;
    let types = SIGNATURES.get(selector)?;
    let list = DynSolType::Tuple(types.to_vec());
    let DynSolValue::Tuple(values) = list.abi_decode_params(parameters).ok()? else { return None };
    let mut values = values.into_iter();
    let mut text = match values.next() {
        Some(DynSolValue::String(format)) => filled(&format, &mut values),
        Some(first) => text_of(&first),
        None => String::new(),
    };
    for more in values {
        text.push(' ');
        text += &text_of(&more);
    }
    Some(text)
}

/// Formats a string with placeholders, as `util.format` of Node.js does.
fn filled(format: &str, values: &mut impl Iterator<Item = DynSolValue>) -> String {
    let mut text = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        text += before;
        let mut letters = after.chars();
        let letter = letters.next();
        match letter {
            Some('%') => text.push('%'),
            Some('s' | 'd' | 'i' | 'o' | 'O' | 'x' | 'j') => match values.next() {
                Some(value) => text += &formatted(&value, letter),
                None => {
                    text.push('%');
                    text.extend(letter);
                }
            },
            other => {
                text.push('%');
                text.extend(other);
            }
        }
        rest = letters.as_str();
    }
    text + rest
}

fn formatted(value: &DynSolValue, letter: Option<char>) -> String {
    match (value, letter) {
        (DynSolValue::Uint(number, _), Some('x')) => format!("{number:#x}"),
        (DynSolValue::Int(number, _), Some('x')) => format!("{number:#x}"),
        (DynSolValue::Bool(bit), Some('d' | 'i')) => u8::from(*bit).to_string(),
        (DynSolValue::Address(address), Some('d' | 'i')) => {
            U256::from_be_slice(address.as_slice()).to_string()
        }
        _ => text_of(value),
    }
}

fn text_of(value: &DynSolValue) -> String {
    match value {
        DynSolValue::String(text) => text.clone(),
        DynSolValue::Uint(number, _) => number.to_string(),
        DynSolValue::Int(number, _) => number.to_string(),
        DynSolValue::Bool(bit) => bit.to_string(),
        DynSolValue::Address(address) => address.to_string(),
        DynSolValue::Bytes(bytes) => alloy_primitives::hex::encode_prefixed(bytes),
        DynSolValue::FixedBytes(word, length) => {
            alloy_primitives::hex::encode_prefixed(&word[..(*length).min(32)])
        }
        other => {
            let mut text = String::new();
            // Writing to a string cannot fail.
            let _ = write!(text, "{other:?}");
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::hex;

    fn call(signature: &str, values: Vec<DynSolValue>) -> Option<String> {
        let mut data = keccak256(signature)[..4].to_vec();
        data.extend(DynSolValue::Tuple(values).abi_encode_params());
        line(&data)
    }

    fn text(text: &str) -> DynSolValue {
        DynSolValue::String(text.to_owned())
    }

    fn number(number: u64) -> DynSolValue {
        DynSolValue::Uint(U256::from(number), 256)
    }

    #[test]
    fn all_console_log_variants_are_decoded() {
        let who = DynSolValue::Address(Address::repeat_byte(0xab));
        let lines = [
            (call("log(string)", vec![text("hello")]), "hello"),
            (call("log(string,uint256)", vec![text("hello"), number(7)]), "hello 7"),
            (call("log(uint256,bool)", vec![number(7), DynSolValue::Bool(true)]), "7 true"),
            (call("log(uint)", vec![number(9)]), "9"),
            (call("log()", vec![]), ""),
            (
                call("log(string,address)", vec![text("from"), who]),
                "from 0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB",
            ),
            (call("logBytes(bytes)", vec![DynSolValue::Bytes(vec![1, 2])]), "0x0102"),
            (
                call(
                    "log(string,uint256,uint256,string)",
                    vec![text("%d%% of %x, %s"), number(5), number(255), text("all")],
                ),
                "5% of 0xff, all",
            ),
            (call("log(string,string)", vec![text("%s and %s"), text("one")]), "one and %s"),
        ];
        for (found, expected) in lines {
            assert_eq!(found.as_deref(), Some(expected));
        }
        // Selector in Foundry's library.
        assert_eq!(keccak256("log(string)")[..4], hex!("41304fac"));
    }

    #[test]
    fn other_calldata_prints_no_line() {
        assert_eq!(line(&hex!("41304f")), None);
        assert_eq!(line(&hex!("41304fac0000")), None, "the string is truncated");
        assert_eq!(line(&hex!("ffffffff")), None);
        assert_eq!(call("log(string,uint256,uint256,uint256,uint256)", vec![]), None);
    }
}
