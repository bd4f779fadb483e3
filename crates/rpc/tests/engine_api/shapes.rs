//! Responses match the schemas of execution-apis: the members of each object and the encoding of
//! each value.

use crate::support::{BOB, Peer, attributes, tampered, to};
use eyre::{OptionExt as _, Result};
use serde_json::{Value, json};
use std::sync::Arc;
use wire::ProtocolFork;

/// Schema of a JSON value.
enum Shape {
    /// `0x` and exactly this many bytes, in lower case.
    Bytes(usize),
    /// `0x` and at most this many bytes.
    Data(usize),
    /// `0x` and at most this many digits, without leading zeros.
    Quantity(usize),
    Boolean,
    Text,
    OneOf(&'static [&'static str]),
    Null,
    Any(&'static [Self]),
    List(&'static Self),
    Object(&'static [(&'static str, Self)]),
    /// An object with the members of another one, and these.
    Extended(&'static Self, &'static [(&'static str, Self)]),
}

use Shape::{Any, Boolean, Bytes, Data, Extended, List, Null, Object, OneOf, Quantity, Text};

impl Shape {
    /// Returns the members of an object.
    fn members(&self) -> Vec<&(&'static str, Self)> {
        match self {
            Object(own) => own.iter().collect(),
            Extended(base, own) => base.members().into_iter().chain(*own).collect(),
            _ => Vec::new(),
        }
    }
}

fn digits(value: &Value) -> Option<&str> {
    let digits = value.as_str()?.strip_prefix("0x")?;
    digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')).then_some(digits)
}

/// Returns the path of the first mismatch between a value and its schema.
fn differs(value: &Value, shape: &Shape, at: &str) -> Option<String> {
    let is = match shape {
        Bytes(length) => digits(value).is_some_and(|digits| digits.len() == 2 * length),
        Data(most) => digits(value)
            .is_some_and(|digits| digits.len().is_multiple_of(2) && digits.len() / 2 <= *most),
        Quantity(most) => digits(value).is_some_and(|digits| {
            digits == "0" || !digits.is_empty() && !digits.starts_with('0') && digits.len() <= *most
        }),
        Boolean => value.is_boolean(),
        Text => value.is_string(),
        OneOf(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        Null => value.is_null(),
        Any(shapes) => shapes.iter().any(|shape| differs(value, shape, at).is_none()),
        List(shape) => {
            let Some(items) = value.as_array() else { return Some(format!("{at}: {value}")) };
            return items.iter().find_map(|item| differs(item, shape, &format!("{at}[]")));
        }
        Object(_) | Extended(..) => {
            let members = shape.members();
            let Some(object) = value.as_object() else { return Some(format!("{at}: {value}")) };
            let known = |name: &String| members.iter().any(|(member, _)| member == name);
            if let Some(surplus) = object.keys().find(|name| !known(name)) {
                return Some(format!("{at}: {surplus} is not specified"));
            }
            return members.iter().find_map(|(name, shape)| {
                let at = format!("{at}.{name}");
                let Some(member) = object.get(*name) else {
                    return Some(format!("{at} is missing"));
                };
                differs(member, shape, &at)
            });
        }
    };
    (!is).then(|| format!("{at}: {value}"))
}

#[track_caller]
fn assert_shape(value: &Value, shape: &Shape) {
    assert_eq!(differs(value, shape, ""), None);
}

const ALL: usize = usize::MAX;
const HASH: Shape = Bytes(32);
const WITHDRAWALS: Shape = List(&Object(&[
    ("index", Quantity(16)),
    ("validatorIndex", Quantity(16)),
    ("address", Bytes(20)),
    ("amount", Quantity(16)),
]));
const STATUS: Shape = Object(&[
    ("status", OneOf(&["VALID", "INVALID", "SYNCING", "ACCEPTED"])),
    ("latestValidHash", Any(&[HASH, Null])),
    ("validationError", Any(&[Text, Null])),
]);
const UPDATED: Shape = Object(&[
    (
        "payloadStatus",
        Object(&[
            ("status", OneOf(&["VALID", "INVALID", "SYNCING"])),
            ("latestValidHash", Any(&[HASH, Null])),
            ("validationError", Any(&[Text, Null])),
        ]),
    ),
    ("payloadId", Any(&[Bytes(8), Null])),
]);
const PAYLOAD_V3: Shape = Object(&[
    ("parentHash", HASH),
    ("feeRecipient", Bytes(20)),
    ("stateRoot", HASH),
    ("receiptsRoot", HASH),
    ("logsBloom", Bytes(256)),
    ("prevRandao", HASH),
    ("blockNumber", Quantity(16)),
    ("gasLimit", Quantity(16)),
    ("gasUsed", Quantity(16)),
    ("timestamp", Quantity(16)),
    ("extraData", Data(32)),
    ("baseFeePerGas", Quantity(64)),
    ("blockHash", HASH),
    ("transactions", List(&Data(ALL))),
    ("withdrawals", WITHDRAWALS),
    ("blobGasUsed", Quantity(16)),
    ("excessBlobGas", Quantity(16)),
]);
const PAYLOAD_V4: Shape =
    Extended(&PAYLOAD_V3, &[("blockAccessList", Data(ALL)), ("slotNumber", Quantity(16))]);
const BUNDLE: Shape = Object(&[
    ("commitments", List(&Bytes(48))),
    ("proofs", List(&Bytes(48))),
    ("blobs", List(&Bytes(131_072))),
]);
const BUILT: Shape = Object(&[
    ("blockValue", Quantity(64)),
    ("blobsBundle", BUNDLE),
    ("shouldOverrideBuilder", Boolean),
]);
const BUILT_V3: Shape = Extended(&BUILT, &[("executionPayload", PAYLOAD_V3)]);
const BUILT_V5: Shape = Extended(&BUILT_V3, &[("executionRequests", List(&Data(ALL)))]);
const BUILT_V6: Shape =
    Extended(&BUILT, &[("executionPayload", PAYLOAD_V4), ("executionRequests", List(&Data(ALL)))]);
const BODY_V1: Shape =
    Object(&[("transactions", List(&Data(ALL))), ("withdrawals", Any(&[WITHDRAWALS, Null]))]);
const BODY_V2: Shape = Extended(&BODY_V1, &[("blockAccessList", Any(&[Data(ALL), Null]))]);
const CLIENT: Shape =
    Object(&[("code", Text), ("name", Text), ("version", Text), ("commit", Bytes(4))]);

#[test]
fn schema_check_is_strict() {
    for (shape, good, bad) in [
        (&HASH, json!(format!("0x{}", "0a".repeat(32))), json!(format!("0x{}", "0A".repeat(32)))),
        (&Quantity(16), json!("0x0"), json!("0x00")),
        (&Quantity(16), json!("0xffffffffffffffff"), json!("0x10000000000000000")),
        (&Data(1), json!("0x"), json!("0x0")),
        (&Data(1), json!("0x01"), json!("0x0101")),
        (&List(&Boolean), json!([true]), json!([1])),
        (&Object(&[("a", Null)]), json!({ "a": null }), json!({})),
        (&Object(&[("a", Null)]), json!({ "a": null }), json!({ "a": null, "b": 1 })),
    ] {
        assert_shape(&good, shape);
        assert!(differs(&bad, shape, "").is_some(), "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_responses_match_execution_apis_schemas() -> Result<()> {
    for (fork, new_payload, update, get, built) in [
        (ProtocolFork::Cancun, "V3", "V3", "V3", &BUILT_V3),
        (ProtocolFork::Prague, "V4", "V3", "V4", &BUILT_V5),
        (ProtocolFork::Osaka, "V4", "V3", "V5", &BUILT_V5),
        (ProtocolFork::Amsterdam, "V5", "V4", "V6", &BUILT_V6),
    ] {
        let peer = Peer::with(fork, Default::default(), Arc::new(())).await?;
        let call = async |method: String, params: Value| peer.client.call(&method, params).await;
        peer.offer(0, BOB)?;
        let head = peer.head();
        let wanted = attributes(&head, fork);
        let update = format!("engine_forkchoiceUpdated{update}");
        let begun: Value = call(update.clone(), json!([to(head.hash), wanted])).await?;
        assert_shape(&begun, &UPDATED);
        let id = begun["payloadId"].as_str().ok_or_eyre("no payload")?;
        let payload: Value = call(format!("engine_getPayload{get}"), json!([id])).await?;
        assert_shape(&payload, built);
        let mut params = json!([payload["executionPayload"], [], wanted.parent_beacon_block_root]);
        if let (Some(params), Some(requests)) =
            (params.as_array_mut(), payload.get("executionRequests"))
        {
            params.push(requests.clone());
        }
        let new_payload = format!("engine_newPayload{new_payload}");
        let valid: Value = call(new_payload.clone(), params.clone()).await?;
        assert_shape(&valid, &STATUS);
        assert_eq!(valid["status"], "VALID");
        let hash = payload["executionPayload"]["blockHash"].clone();
        let moved: Value = call(
            update,
            json!([{ "headBlockHash": hash, "safeBlockHash": hash, "finalizedBlockHash": hash }]),
        )
        .await?;
        assert_shape(&moved, &UPDATED);
        params[0]["gasUsed"] = json!("0x1");
        let invalid: Value = call(new_payload, params).await?;
        assert_shape(&invalid, &STATUS);
        assert_eq!(invalid["status"], "INVALID");

        let bodies: Value =
            call("engine_getPayloadBodiesByHashV1".to_owned(), json!([[hash]])).await?;
        assert_shape(&bodies, &List(&BODY_V1));
        let range = json!(["0x1", "0x1"]);
        let bodies: Value = call("engine_getPayloadBodiesByRangeV2".to_owned(), range).await?;
        assert_shape(&bodies, &List(&BODY_V2));
        let clients: Value = call(
            "engine_getClientVersionV1".to_owned(),
            json!([{ "code": "XX", "name": "x", "version": "1", "commit": "0x00000000" }]),
        )
        .await?;
        assert_shape(&clients, &List(&CLIENT));
    }
    // The status of a tampered payload has the same schema.
    let (maker, taker) = (Peer::new().await?, Peer::new().await?);
    let lie = tampered(&*maker.make(2_000)?);
    let status = taker.client.new_payload(&lie, taker.fork).await?;
    assert_shape(&serde_json::to_value(status)?, &STATUS);
    Ok(())
}
