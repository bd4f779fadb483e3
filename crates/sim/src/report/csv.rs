//! Data files as CSV.

use serde_json::Value;

/// Returns the figures of a data file as CSV: a line for each figure, with its JSON pointer below
/// `figures` and its value, in the order of the pointers' parts.
pub(crate) fn csv(file: &Value) -> String {
    let mut text = String::from("figure,value\n");
    append("", &file["figures"], &mut text);
    text
}

/// Appends a line for each leaf.
fn append(at: &str, value: &Value, text: &mut String) {
    match value {
        Value::Object(entries) => {
            // The order of a map depends on features of crates.
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            for (key, value) in entries {
                let key = key.replace('~', "~0").replace('/', "~1");
                append(&format!("{at}/{key}"), value, text);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                append(&format!("{at}/{index}"), value, text);
            }
        }
        Value::String(leaf) => *text += &format!("{},{}\n", quoted(at), quoted(leaf)),
        leaf => *text += &format!("{},{leaf}\n", quoted(at)),
    }
}

/// Returns a text field by RFC 4180.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_leaf_becomes_a_line() {
        let figures = json!({ "b": [1, 2.5], "a \"x\"": "y \"z\"", "c": { "d/e": null } });
        let text = csv(&json!({ "kind": "exact", "figures": figures }));
        let lines = [
            "figure,value",
            "\"/a \"\"x\"\"\",\"y \"\"z\"\"\"",
            "\"/b/0\",1",
            "\"/b/1\",2.5",
            "\"/c/d~1e\",null",
        ];
        assert_eq!(text, lines.map(|line| format!("{line}\n")).concat());
    }
}
