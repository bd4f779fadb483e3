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
                |it| json!({ "name": it.name, "required": it.is_required, "schema": it.schema }),
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
