//! Documents for programs.

use serde_json::Value;

/// Names that each command would mean something else by: of what, they do not say.
const VAGUE: [&str; 8] = ["number", "hash", "block", "gas", "ms", "size", "chain", "root"];

/// Reads what a command has printed for programs, and looks at its keys: written as JSON-RPC writes them,
/// and none that says less than the next command's key for the same thing.
pub(crate) fn document(text: &[u8]) -> Value {
    let document = serde_json::from_slice(text).expect("JSON");
    check(&document);
    document
}

fn check(value: &Value) {
    match value {
        Value::Array(values) => values.iter().for_each(check),
        Value::Object(fields) => {
            for (key, value) in fields {
                // What gas is paid by each schedule is a group of its own.
                let is_vague = VAGUE.contains(&key.as_str()) && !value.is_object();
                let is_camel =
                    key.chars().all(char::is_alphanumeric) && key.starts_with(char::is_lowercase);
                assert!(is_camel && !is_vague, "{key}: {value}");
                check(value);
            }
        }
        _ => {}
    }
}
