//! Comparison of two responses.
//!
//! Values are compared exactly, except for the declared [`NORMALISATIONS`]. A hash over a field
//! that may differ cannot be equal on both nodes, but it must denote the same object everywhere.
//! Such hashes are paired at their first occurrence in a field that identifies them, and every
//! later occurrence must be the same pair.

use serde_json::Value;
use std::collections::HashMap;

/// Values that are normalised before they are compared, with the reasons.
pub const NORMALISATIONS: [(&str, &str); 7] = [
    (
        "hashes of blocks, state and tries",
        "one node's hash is paired with the other's where it first appears in a field that names it \
         (`hash`, `blockHash`, `parentHash`, `stateRoot`, …); each later occurrence must be the same pair",
    ),
    ("`mixHash`", "drawn at random by anvil; only its presence is compared"),
    ("the state-dump blob", "compressed; the interchange tests load it in both directions instead"),
    (
        "upper and lower case",
        "of addresses that are values, which some methods of one node show with a checksum where the other does not",
    ),
    ("ids of filters", "drawn at random by anvil"),
    ("client name, version and instance id", "each node has its own"),
    ("the order of members in an object", "JSON gives it no meaning"),
];

/// Fields whose 32-byte values are paired instead of compared.
const PAIRED: [&str; 12] = [
    "hash",
    "blockHash",
    "parentHash",
    "stateRoot",
    "currentBlockHash",
    "latestBlockHash",
    "parentBeaconBlockRoot",
    "storageHash",
    "receiptsRoot",
    "root",
    "block_hash",
    "number_hash",
];

/// Fields that are compared by presence and kind only.
const OPAQUE: [&str; 5] =
    ["mixHash", "clientVersion", "clientSemver", "clientCommitSha", "instanceId"];

/// Methods whose result is compared by kind only.
const OPAQUE_RESULTS: [&str; 6] = [
    "web3_clientVersion",
    "anvil_dumpState",
    "hardhat_dumpState",
    "eth_newFilter",
    "eth_newBlockFilter",
    "eth_newPendingTransactionFilter",
];

/// A difference between two responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Position as a JSON pointer, with `*` in place of array indices.
    pub path: String,
    /// Value of the reference at the path, if any.
    pub reference: Option<String>,
    /// Value of the subject at the path, if any.
    pub subject: Option<String>,
}

/// A comparison over many responses of the same two nodes.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    pairs: HashMap<String, String>,
    back: HashMap<String, String>,
}

impl Comparison {
    /// Returns the differences between two responses to one method.
    pub fn compare(&mut self, method: &str, reference: &Value, subject: &Value) -> Vec<Difference> {
        let mut found = Vec::new();
        let (reference, subject) = (&lower(reference), &lower(subject));
        let opaque = OPAQUE_RESULTS.contains(&method);
        self.walk("", method, opaque, reference, subject, &mut found);
        found
    }

    /// Records that both nodes were reverted to an earlier block. A block that is built again can
    /// have a new hash on a node that draws new randomness, and the old hash on the other.
    pub fn went_back(&mut self) {
        self.back.clear();
    }

    fn walk(
        &mut self,
        path: &str,
        field: &str,
        opaque: bool,
        a: &Value,
        b: &Value,
        found: &mut Vec<Difference>,
    ) {
        match (a, b) {
            (Value::Object(a), Value::Object(b)) => {
                for (name, value) in a {
                    let path = format!("{path}/{name}");
                    match b.get(name) {
                        Some(other) => {
                            let opaque =
                                opaque && name == "result" || OPAQUE.contains(&name.as_str());
                            self.walk(&path, name, opaque, value, other, found);
                        }
                        None => found.push(difference(path, Some(value), None)),
                    }
                }
                for (name, value) in b.iter().filter(|(name, _)| !a.contains_key(*name)) {
                    found.push(difference(format!("{path}/{name}"), None, Some(value)));
                }
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                let path = format!("{path}/*");
                for (a, b) in a.iter().zip(b) {
                    self.walk(&path, field, opaque, a, b, found);
                }
            }
            (Value::String(a_text), Value::String(b_text)) => {
                let paired = || PAIRED.contains(&field) || path.contains("/snapshots/");
                let same = opaque
                    || a_text == b_text
                    || (is_hash(a_text)
                        && is_hash(b_text)
                        && self.same_hash(a_text, b_text, paired()));
                if !same {
                    found.push(difference(path.to_owned(), Some(a), Some(b)));
                }
            }
            _ if a == b || (opaque && kind(a) == kind(b)) => {}
            _ => found.push(difference(path.to_owned(), Some(a), Some(b))),
        }
    }

    /// Returns `true` if two different hashes are known to denote the same object, or may be
    /// paired.
    fn same_hash(&mut self, a: &str, b: &str, may_pair: bool) -> bool {
        match (self.pairs.get(a), self.back.get(b)) {
            (Some(known), _) => known == b,
            (None, None) if may_pair => {
                self.pairs.insert(a.to_owned(), b.to_owned());
                self.back.insert(b.to_owned(), a.to_owned());
                true
            }
            _ => false,
        }
    }
}

/// Returns the value with all hexadecimal digits in lower case, except in the names of members,
/// which are significant for clients.
fn lower(value: &Value) -> Value {
    let text = |text: &str| match text.strip_prefix("0x") {
        Some(_) => text.to_lowercase(),
        None => text.to_owned(),
    };
    match value {
        Value::String(string) => text(string).into(),
        Value::Array(items) => items.iter().map(lower).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, item)| (name.clone(), lower(item))).collect()
        }
        other => other.clone(),
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 66
        && text.starts_with("0x")
        && text.bytes().skip(2).all(|byte| byte.is_ascii_hexdigit())
}

const fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

fn difference(path: String, reference: Option<&Value>, subject: Option<&Value>) -> Difference {
    Difference {
        path,
        reference: reference.map(Value::to_string),
        subject: subject.map(Value::to_string),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hash(fill: char) -> String {
        format!("0x{}", fill.to_string().repeat(64))
    }

    #[test]
    fn paired_hashes_must_match_in_later_answers() {
        let mut comparison = Comparison::default();
        let block = |hash: String| json!({ "result": { "blockHash": hash } });
        let nothing: Vec<Difference> = Vec::new();
        assert_eq!(comparison.compare("m", &block(hash('a')), &block(hash('b'))), nothing);
        assert_eq!(comparison.compare("m", &json!([hash('a')]), &json!([hash('b')])), nothing);
        assert_eq!(comparison.compare("m", &block(hash('a')), &block(hash('c'))).len(), 1);
        assert_eq!(comparison.compare("m", &block(hash('c')), &block(hash('b'))).len(), 1);
    }

    #[test]
    fn rebuilt_block_may_differ_after_revert() {
        let mut comparison = Comparison::default();
        let block = |fill| json!({ "blockHash": hash(fill) });
        assert!(comparison.compare("m", &block('a'), &block('b')).is_empty());
        comparison.went_back();
        assert!(comparison.compare("m", &block('c'), &block('b')).is_empty());
        assert!(comparison.compare("m", &block('a'), &block('b')).is_empty());
        assert_eq!(comparison.compare("m", &block('d'), &block('b')).len(), 1);
    }

    #[test]
    fn other_hashes_are_compared_exactly() {
        let mut comparison = Comparison::default();
        let (a, b) = (json!({ "value": hash('a') }), json!({ "value": hash('b') }));
        assert_eq!(comparison.compare("m", &a, &b)[0].path, "/value");
        assert!(comparison.compare("m", &a, &a).is_empty());
    }

    #[test]
    fn missing_members_are_differences() {
        let mut comparison = Comparison::default();
        let found = comparison.compare("m", &json!({ "a": 1, "c": 1 }), &json!({ "b": 1, "c": 1 }));
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].path.as_str(), &found[0].subject), ("/a", &None));
        assert_eq!((found[1].path.as_str(), &found[1].reference), ("/b", &None));
    }
}
