//! Answers compared with the OpenRPC document and with the examples in `docs/methods.md`.

use alloy_primitives::{Address, B256, Bytes, U256};
use serde_json::Value;
use std::collections::BTreeMap;

/// Returns the place in a value that does not match a schema of an OpenRPC document. Panics on
/// keywords that it does not know, so that no part of a schema is skipped.
pub(crate) fn mismatch(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    let Value::Object(keywords) = schema else { return None };
    let object = value.as_object();
    let texts = |value: &Value| -> Vec<String> {
        let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let wrong = |what: &str| Some(format!("{value}: {what}"));
    for (keyword, argument) in keywords {
        let found = match keyword.as_str() {
            "title" | "description" | "default" => None,
            "$ref" => {
                let name = argument.as_str()?.rsplit('/').next()?;
                let text = value.as_str().unwrap_or_default();
                let is_encoded = match name {
                    "Quantity" => {
                        let digits = text.strip_prefix("0x").unwrap_or_default();
                        let is_shortest = digits == "0" || !digits.starts_with('0');
                        !digits.is_empty() && is_shortest && text.parse::<U256>().is_ok()
                    }
                    "Address" => text.parse::<Address>().is_ok(),
                    "Hash" => text.parse::<B256>().is_ok(),
                    "Data" => text.starts_with("0x") && text.parse::<Bytes>().is_ok(),
                    _ => true,
                };
                let target = &document["components"]["schemas"][name];
                match is_encoded && target.is_object() {
                    true => mismatch(document, target, value),
                    false => wrong(name),
                }
            }
            "allOf" => argument.as_array()?.iter().find_map(|each| mismatch(document, each, value)),
            "anyOf" | "oneOf" => {
                let mut all = argument.as_array()?.iter();
                match all.any(|each| mismatch(document, each, value).is_none()) {
                    true => None,
                    false => wrong("none of the alternatives"),
                }
            }
            "const" => (argument != value).then(|| format!("{value}, expected {argument}")),
            "enum" => match argument.as_array()?.contains(value) {
                true => None,
                false => wrong("not in the enumeration"),
            },
            "type" => {
                let kind = match value {
                    Value::Null => "null",
                    Value::Bool(_) => "boolean",
                    Value::Number(_) => "number",
                    Value::String(_) => "string",
                    Value::Array(_) => "array",
                    Value::Object(_) => "object",
                };
                match argument == kind || texts(argument).iter().any(|text| text == kind) {
                    true => None,
                    false => wrong(&argument.to_string()),
                }
            }
            "properties" => {
                object.into_iter().flatten().find_map(|(name, field)| match argument.get(name) {
                    Some(schema) => mismatch(document, schema, field),
                    None => Some(format!("{name} is not declared")),
                })
            }
            "required" => {
                let missing =
                    |name: &String| object.is_some_and(|fields| !fields.contains_key(name));
                let missing = texts(argument).into_iter().find(missing);
                missing.map(|name| format!("{name} is missing"))
            }
            "items" => value
                .as_array()
                .into_iter()
                .flatten()
                .find_map(|item| mismatch(document, argument, item)),
            // Checked by the name of the schema.
            "pattern" => None,
            _ => panic!("{keyword} is not checked"),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Returns the schema of a method's answer, if the document has the method.
pub(crate) fn schema_of<'d>(document: &'d Value, method: &str) -> Option<&'d Value> {
    let mut methods = document["methods"].as_array().into_iter().flatten();
    methods.find(|entry| entry["name"] == method).map(|method| &method["result"]["schema"])
}

/// Returns the example answers in `docs/methods.md` by method.
pub(crate) fn examples() -> BTreeMap<&'static str, Value> {
    let document = include_str!("../../../../../docs/methods.md");
    let mut examples = BTreeMap::new();
    for section in document.split("\n### ").skip(1) {
        let (title, rest) = section.split_once('\n').unwrap();
        let Some((_, rest)) = rest.split_once("```json\n") else { continue };
        let (json, _) = rest.split_once("```").unwrap();
        let example: Value = serde_json::from_str(json).unwrap();
        let names = title.split('`').skip(1).step_by(2);
        examples.extend(names.map(|name| (name, example.clone())));
    }
    examples
}

/// Returns the place in an answer that has other fields, or other kinds of values, than an example.
/// Fields that are absent in one of the two are not compared, nor are variants with other names.
pub(crate) fn other_form(example: &Value, response: &Value) -> Option<String> {
    let is_hex = |text: &str| text.starts_with("0x");
    match (example, response) {
        (Value::Null, _) | (_, Value::Null) | (Value::Bool(_), Value::Bool(_)) => None,
        (Value::String(one), Value::String(other)) if is_hex(one) == is_hex(other) => None,
        (Value::Array(examples), Value::Array(items)) => {
            let example = examples.first()?;
            items.iter().find_map(|item| other_form(example, item))
        }
        (Value::Object(fields), Value::Object(others)) => {
            let is_other = |name: &str| fields.get(name) != others.get(name);
            if is_other("status") {
                return None;
            }
            let names = fields.keys().chain(others.keys());
            names.into_iter().find_map(|name| match (fields.get(name), others.get(name)) {
                (Some(example), Some(response)) => other_form(example, response),
                _ => Some(format!("only one of the two has {name}")),
            })
        }
        _ => Some(format!("{response}, in the example {example}")),
    }
}
