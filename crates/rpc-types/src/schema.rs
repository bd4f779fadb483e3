//! JSON Schemas of encodings, for fields whose types have none.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

macro_rules! encodings {
    ($($(#[$doc:meta])* $name:ident: $schema:tt;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

encodings! {
    /// 20 bytes.
    Address: { "type": "string", "pattern": "^0x[0-9a-fA-F]{40}$" };
    /// 32 bytes.
    Hash: { "type": "string", "pattern": "^0x[0-9a-f]{64}$" };
    /// Any number of bytes.
    Data: { "type": "string", "pattern": "^0x([0-9a-f]{2})*$" };
    /// Number, tag or hash of a block.
    BlockId: {
        "type": "string",
        "pattern": "^(0x(0|[1-9a-f][0-9a-f]*)|0x[0-9a-f]{64}|latest|safe|finalized|earliest|pending)$"
    };
    /// Hash of a transaction, or a call as for `eth_call`.
    TransactionOrCall: { "type": ["string", "object"] };
    /// An object as for `eth_call`.
    Overrides: { "type": "object" };
}
