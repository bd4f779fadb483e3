//! Keys of an election in etcd, and requests and responses of etcd's JSON gateway.

use alloy_primitives::{Address, B256, Bytes, hex};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

/// Maximum number of keys of an election that a request reads. The holder's keys sort first.
const MAX_KEYS: u64 = 16;

/// Key prefixes of a rollup's election and records, so that rollups can share an etcd cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseName {
    election: String,
    records: String,
}

impl LeaseName {
    /// Returns the name of a rollup's lease: `enshrine/lease/<L1 chain id>/<rollup>/`, and
    /// `enshrine/records/…` for its records.
    pub fn of_rollup(l1_chain_id: u64, rollup: Address) -> Self {
        let rollup = hex::encode_prefixed(rollup);
        let [election, records] =
            ["lease", "records"].map(|kind| format!("enshrine/{kind}/{l1_chain_id}/{rollup}/"));
        Self { election, records }
    }

    /// Returns the key of the holder, attached to its etcd lease. Its creation revision is the
    /// fencing token.
    fn leader(&self) -> String {
        BASE64.encode(format!("{}leader", self.election))
    }

    /// Returns the key that each renewal writes, without a lease. It outlives the holder; only a
    /// holder that resigns deletes it.
    fn renewal(&self) -> String {
        BASE64.encode(format!("{}renewal", self.election))
    }

    /// Returns the key of a candidate that requests the lease, attached to the candidate's etcd
    /// lease.
    fn waiting(&self, id: CandidateId) -> String {
        BASE64.encode(format!("{}waiting/{}", self.election, id.0))
    }

    fn range(&self) -> Value {
        let (key, range_end) = (BASE64.encode(&self.election), after(&self.election));
        json!({ "key": key, "range_end": range_end, "limit": MAX_KEYS.to_string() })
    }

    /// Returns the key of a record. Keys sort by number.
    pub(super) fn record(&self, number: u64) -> String {
        BASE64.encode(format!("{}{number:016x}", self.records))
    }

    /// Returns the first key after those of all records.
    pub(super) fn records_end(&self) -> String {
        after(&self.records)
    }
}

/// Returns the first key after those with a prefix, which must end with a slash.
fn after(prefix: &str) -> String {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    BASE64.encode(end)
}

/// Identity of a candidate: random for each process, to distinguish processes with the same
/// configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CandidateId(pub B256);

impl CandidateId {
    /// Returns the identity of a new process.
    pub fn random() -> Self {
        Self(B256::random())
    }
}

/// The holder of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leader {
    /// Identity of the candidate.
    pub id: CandidateId,
    /// WebSocket URL at which other nodes follow the candidate while it leads.
    pub url: String,
}

/// A record with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Number of the record.
    pub number: u64,
    /// Content.
    pub bytes: Bytes,
}

#[derive(Debug)]
pub(super) struct Requests {
    pub(super) name: LeaseName,
    pub(super) own: Leader,
}

impl Requests {
    pub(super) fn read(&self) -> Value {
        self.name.range()
    }

    /// Creates the election key, unless there is one. Reads the last renewal of the previous
    /// holder, or else the election.
    pub(super) fn win(&self, lease: i64) -> Value {
        let value = BASE64.encode(json!(self.own).to_string());
        let leader =
            json!({ "key": self.name.leader(), "value": value, "lease": lease.to_string() });
        json!({
            "compare": [self.is_created_at(0)],
            // The range is read before the puts of the same transaction.
            "success": [
                { "request_range": { "key": self.name.renewal() } },
                { "request_put": leader },
                { "request_put": self.renewed() },
            ],
            "failure": [{ "request_range": self.name.range() }],
        })
    }

    /// Renews the term with this token, if the election key is still that of the term, and reads
    /// the election.
    pub(super) fn renew(&self, token: i64) -> Value {
        json!({
            "compare": [self.is_created_at(token)],
            "success": [
                { "request_put": self.renewed() },
                { "request_range": self.name.range() },
            ],
            "failure": [{ "request_range": self.name.range() }],
        })
    }

    /// Checks that the election key still has this token.
    pub(super) fn check(&self, token: i64) -> Value {
        json!({
            "compare": [self.is_created_at(token)],
            // Without this read etcd would treat the transaction as serializable, and a partitioned
            // member would respond with stale state.
            "success": [self.holder()],
        })
    }

    /// Reads the election key.
    pub(super) fn holder(&self) -> Value {
        json!({ "request_range": { "key": self.name.leader() } })
    }

    /// Deletes the election key with this token, and the renewal if no earlier holder can still
    /// hold the lease.
    pub(super) fn resign(&self, token: i64, is_clean: bool) -> Value {
        let mut keys = vec![self.name.leader()];
        if is_clean {
            keys.push(self.name.renewal());
        }
        let deleted: Vec<_> =
            keys.iter().map(|key| json!({ "request_delete_range": { "key": key } })).collect();
        json!({ "compare": [self.is_created_at(token)], "success": deleted })
    }

    /// Deletes the election key with this token if this renewal is still the last one.
    pub(super) fn depose(&self, token: i64, renewal: i64) -> Value {
        let is_last = json!({
            "key": self.name.renewal(),
            "target": "MOD",
            "result": "EQUAL",
            "mod_revision": renewal.to_string(),
        });
        json!({
            "compare": [self.is_created_at(token), is_last],
            "success": [{ "request_delete_range": { "key": self.name.leader() } }],
        })
    }

    /// Writes the key that announces this candidate.
    pub(super) fn wait(&self, lease: i64) -> Value {
        let key = self.name.waiting(self.own.id);
        json!({ "key": key, "value": "", "lease": lease.to_string() })
    }

    fn renewed(&self) -> Value {
        json!({ "key": self.name.renewal(), "value": BASE64.encode(self.own.id.0) })
    }

    pub(super) fn is_created_at(&self, revision: i64) -> Value {
        json!({
            "key": self.name.leader(),
            "target": "CREATE",
            "result": "EQUAL",
            "create_revision": revision.to_string(),
        })
    }
}

/// State of an election in a response.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Election {
    /// The candidate with the election key, and the revision at which it created the key.
    pub(super) leader: Option<(Leader, i64)>,
    /// Revision of the last renewal.
    pub(super) renewal: Option<i64>,
    /// `true` if another candidate requests the lease.
    pub(super) is_contested: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Committed {
    /// `true` if the comparison succeeded.
    pub(super) succeeded: bool,
    /// etcd's revision after the transaction.
    pub(super) revision: i64,
    /// The keys that the transaction read.
    pub(super) election: Election,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Range {
    kvs: Vec<KeyValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct KeyValue {
    key: String,
    value: String,
    #[serde(deserialize_with = "number")]
    create_revision: i64,
    #[serde(deserialize_with = "number")]
    mod_revision: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Header {
    #[serde(deserialize_with = "number")]
    revision: i64,
}

/// Parses the response to a read of an election.
pub(super) fn election(requests: &Requests, response: Value) -> Option<Election> {
    Some(of_range(requests, serde_json::from_value(response).ok()?))
}

/// Parses the response to a transaction.
pub(super) fn committed(requests: &Requests, response: Value) -> Option<Committed> {
    #[derive(Deserialize)]
    struct Answer {
        header: Header,
        #[serde(default)]
        succeeded: bool,
        #[serde(default)]
        responses: Vec<Response>,
    }
    #[derive(Deserialize)]
    struct Response {
        response_range: Option<Range>,
    }
    let Answer { header, succeeded, responses } = serde_json::from_value(response).ok()?;
    let read =
        responses.into_iter().find_map(|response| response.response_range).unwrap_or_default();
    Some(Committed { succeeded, revision: header.revision, election: of_range(requests, read) })
}

/// Parses the response to a read of records.
pub(super) fn records(requests: &Requests, response: Value) -> Option<Vec<Record>> {
    let range: Range = serde_json::from_value(response).ok()?;
    let record = |pair: KeyValue| {
        let key = BASE64.decode(pair.key).ok()?;
        let digits = key.strip_prefix(requests.name.records.as_bytes())?;
        let number = u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
        Some(Record { number, bytes: BASE64.decode(pair.value).ok()?.into() })
    };
    range.kvs.into_iter().map(record).collect()
}

/// Parses the response to a grant: the id of the lease.
pub(super) fn granted(response: Value) -> Option<i64> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "ID", deserialize_with = "number")]
        id: i64,
    }
    serde_json::from_value::<Answer>(response)
        .ok()
        .map(|response| response.id)
        .filter(|id| *id != 0)
}

/// Parses the response to a keep-alive: `false` if the lease no longer exists.
pub(super) fn is_alive(response: &Value) -> bool {
    let ttl = &response["result"]["TTL"];
    ttl.as_str()
        .and_then(|text| text.parse().ok())
        .or_else(|| ttl.as_i64())
        .is_some_and(|seconds| seconds > 0)
}

fn of_range(requests: &Requests, range: Range) -> Election {
    let mut election = Election::default();
    let waiting = format!("{}waiting/", requests.name.election);
    let own = requests.name.waiting(requests.own.id);
    for KeyValue { key, value, create_revision, mod_revision } in range.kvs {
        if key == requests.name.leader() {
            let leader = BASE64.decode(value).ok();
            let leader = leader.and_then(|value| serde_json::from_slice(&value).ok());
            election.leader = leader.map(|leader| (leader, create_revision));
        } else if key == requests.name.renewal() {
            election.renewal = Some(mod_revision);
        } else if key != own {
            let key = BASE64.decode(key).unwrap_or_default();
            election.is_contested |= key.starts_with(waiting.as_bytes());
        }
    }
    election
}

/// The gateway encodes 64-bit numbers as JSON strings.
fn number<'d, D: Deserializer<'d>>(from: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Text(String),
        Plain(i64),
    }
    match Number::deserialize(from)? {
        Number::Text(text) => text.parse().map_err(serde::de::Error::custom),
        Number::Plain(number) => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests() -> Requests {
        let own = Leader { id: CandidateId(B256::repeat_byte(1)), url: "ws://a".to_owned() };
        Requests { name: LeaseName::of_rollup(1, Address::repeat_byte(2)), own }
    }

    #[test]
    fn each_rollup_has_a_lease_of_its_own() {
        let name = |chain, byte| LeaseName::of_rollup(chain, Address::repeat_byte(byte));
        assert_eq!(name(1, 2), name(1, 2));
        assert_ne!(name(1, 2), name(1, 3));
        assert_ne!(name(1, 2), name(2, 2));
        let range = name(1, 2).range();
        let decoded = |field: &str| BASE64.decode(range[field].as_str().unwrap()).unwrap();
        let (first, end) = (decoded("key"), decoded("range_end"));
        assert!(first.ends_with(b"/") && end.ends_with(b"0"));
        assert_eq!(first[..first.len() - 1], end[..end.len() - 1]);
    }

    #[test]
    fn responses_of_gateway_are_parsed() {
        let requests = requests();
        let other = Leader { id: CandidateId(B256::repeat_byte(9)), url: "ws://b".to_owned() };
        let kvs = json!([
            {
                "key": requests.name.leader(),
                "create_revision": "7",
                "mod_revision": "7",
                "value": BASE64.encode(json!(other).to_string()),
            },
            { "key": requests.name.renewal(), "create_revision": "7", "mod_revision": "12" },
            { "key": requests.name.waiting(requests.own.id), "mod_revision": "9" },
        ]);
        let read = election(&requests, json!({ "header": {}, "kvs": kvs })).unwrap();
        let leader = Some((other.clone(), 7));
        assert_eq!(read, Election { leader, renewal: Some(12), is_contested: false });
        let waits = json!({ "key": requests.name.waiting(other.id) });
        let responses = json!([{ "response_put": {} }, { "response_range": { "kvs": [waits] } }]);
        let response = json!({
            "header": { "revision": "13" }, "succeeded": true, "responses": responses,
        });
        let read = Election { is_contested: true, ..Election::default() };
        let expected = Committed { succeeded: true, revision: 13, election: read };
        assert_eq!(committed(&requests, response), Some(expected));
        // Fields with default values are omitted.
        let failed = committed(&requests, json!({ "header": { "revision": "13" } })).unwrap();
        assert!(!failed.succeeded);
        assert_eq!(committed(&requests, json!({ "error": "no" })), None);
        assert_eq!(granted(json!({ "ID": "-5", "TTL": "5" })), Some(-5));
        assert_eq!(granted(json!({ "TTL": "5" })), None);
        assert!(is_alive(&json!({ "result": { "ID": "5", "TTL": "5" } })));
        assert!(!is_alive(&json!({ "result": { "ID": "5" } })));
    }
}
