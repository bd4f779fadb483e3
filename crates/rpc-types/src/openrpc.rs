//! The methods as an OpenRPC document.

use crate::{API_VERSION, methods};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// Version of the OpenRPC specification.
const OPENRPC: &str = "1.3.2";
/// Documentation of the methods that all Ethereum nodes have.
const ETHEREUM: &str = "https://ethereum.github.io/execution-apis/";

/// Returns the [OpenRPC](https://spec.open-rpc.org) document of the methods whose names pass the
/// filter.
pub fn document(is_listed: impl Fn(&str) -> bool) -> Value {
    let mut settings = SchemaSettings::draft07().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    let mut generator = SchemaGenerator::new(settings);
    let methods: Vec<_> = methods::describe(is_listed, &mut generator)
        .into_iter()
        .map(|method| {
            let parameters = method.parameters.into_iter().map(
                |parameter| json!({ "name": parameter.name, "required": parameter.is_required, "schema": parameter.schema }),
            );
            json!({
                "name": method.name,
                "summary": method.summary,
                "paramStructure": "by-position",
                "params": parameters.collect::<Value>(),
                "result": { "name": "answer", "schema": method.answer },
            })
        })
        .collect();
    let schemas: Map<String, Value> = generator.take_definitions(true).into_iter().collect();
    json!({
        "openrpc": OPENRPC,
        "info": { "title": "Enshrine", "version": API_VERSION },
        "externalDocs": { "description": "Methods of all Ethereum nodes", "url": ETHEREUM },
        "methods": methods,
        "components": { "schemas": schemas },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// JavaScript rounds numbers of more than 53 bits.
    #[test]
    fn no_method_has_json_numbers() {
        fn visit(value: &Value, place: &str) {
            let kinds = value["type"].as_array().cloned().unwrap_or(vec![value["type"].clone()]);
            let is_number = kinds.iter().any(|kind| kind == "integer" || kind == "number");
            assert!(!is_number, "{place} is a number, expected a Quantity");
            let members = value.as_object().into_iter().flatten();
            members.for_each(|(name, member)| visit(member, &format!("{place}/{name}")));
            let items = value.as_array().into_iter().flatten();
            items.for_each(|item| visit(item, place));
        }
        let document = document(|_| true);
        assert!(document["components"]["schemas"]["Quantity"].is_object());
        visit(&document, "");
    }
}
