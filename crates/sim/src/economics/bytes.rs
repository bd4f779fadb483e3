//! Contents of a batch by kind, in bytes.

use alloy_primitives::{Address, B256, keccak256};
use eyre::{Result, ensure, eyre};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use wire::{
    StatelessBatch,
    compact::{Child, Code, Path, Storage, StreamNode, StreamReader},
    layout,
};

/// Number of bytes of one kind, and the number of zero bytes among them.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Count {
    pub(crate) bytes: u64,
    pub(crate) zeros: u64,
}

impl Count {
    fn of(bytes: &[u8]) -> Self {
        let zeros = bytes.iter().filter(|byte| **byte == 0).count() as u64;
        Self { bytes: bytes.len() as u64, zeros }
    }

    /// Returns the gas of these bytes if the floor of EIP-7623 applies.
    pub(crate) const fn floor(self) -> u64 {
        40 * (self.bytes - self.zeros) + 10 * self.zeros
    }
}

/// The parts of a batch, by name.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) parts: BTreeMap<String, Count>,
}

impl Parts {
    /// Splits a batch into parts. The L2 accounts in `names` are listed by name.
    pub(crate) fn of(input: &[u8], names: &[(&str, Address)]) -> Result<Self> {
        let batch = StatelessBatch::decode(input)?;
        let mut found = Self::default();
        for request in &batch.requests {
            let payload = &request.payload;
            found.add("payload: bloom", payload.logs_bloom);
            for transaction in payload.transactions.iter() {
                found.add("transactions", transaction);
            }
        }
        for header in batch.witness.headers.iter() {
            found.add("parent header", header);
        }
        let codes: Vec<_> = batch.witness.codes.iter().collect();
        let state = state_of(input)?;
        let mut walk = Walk {
            reader: batch.witness.state.nodes(codes.len()),
            rest: state,
            names: names.iter().map(|(name, at)| (keccak256(at), (*name).to_owned())).collect(),
            codes: BTreeMap::new(),
            found,
        };
        walk.node(&mut Vec::new(), None)?;
        ensure!(walk.rest.is_empty(), "{} bytes of the state belong to no node", walk.rest.len());
        let Walk { codes: owners, mut found, .. } = walk;
        for (position, code) in codes.iter().enumerate() {
            let owner = owners.get(&position).map_or("unknown", String::as_str);
            found.add(&format!("code: {owner}"), code);
        }
        let fixed: u64 = batch.requests.len() as u64
            * (layout::request::FIXED + layout::payload::FIXED_V3 - 256) as u64;
        let known: u64 = found.parts.values().map(|count| count.bytes).sum();
        let zeros: u64 = found.parts.values().map(|count| count.zeros).sum();
        let all = Count::of(input);
        let rest = Count { bytes: all.bytes - known, zeros: all.zeros - zeros };
        ensure!(rest.bytes >= fixed, "payloads are missing");
        found.parts.insert("payload and offsets: all else".to_owned(), rest);
        Ok(found)
    }

    /// Returns the sum of all parts.
    pub(crate) fn all(&self) -> Count {
        let add = |sum: Count, part: &Count| Count {
            bytes: sum.bytes + part.bytes,
            zeros: sum.zeros + part.zeros,
        };
        self.parts.values().fold(Count::default(), add)
    }

    /// Returns bytes and zero bytes of each part and of `all`.
    pub(crate) fn json(&self) -> Value {
        let all = self.all();
        let counts = self.parts.iter().map(|(name, count)| (name.as_str(), count));
        let counts = counts.chain([("all", &all)]);
        let entries = counts.map(|(name, count)| {
            (name.to_owned(), json!({ "bytes": count.bytes, "zeros": count.zeros }))
        });
        Value::Object(entries.collect::<Map<_, _>>())
    }

    fn add(&mut self, name: &str, bytes: &[u8]) {
        let count = Count::of(bytes);
        let entry = self.parts.entry(name.to_owned()).or_default();
        entry.bytes += count.bytes;
        entry.zeros += count.zeros;
    }
}

/// Returns the stream of the state.
fn state_of(input: &[u8]) -> Result<&[u8]> {
    let offset = |at: usize| {
        let bytes = input.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(|bytes| u32::from_le_bytes(bytes) as usize).ok_or_else(|| eyre!("no offset"))
    };
    let witness = 2 + offset(2 + layout::batch::WITNESS)?;
    let (state, codes) = (witness + offset(witness)?, witness + offset(witness + 4)?);
    input.get(state + 4..codes).ok_or_else(|| eyre!("no state"))
}

struct Walk<'a> {
    reader: StreamReader<'a>,
    rest: &'a [u8],
    names: BTreeMap<B256, String>,
    /// Owner of each code, by position.
    codes: BTreeMap<usize, String>,
    found: Parts,
}

impl Walk<'_> {
    /// Reads a node and its subtree, and returns the accounts in it. `owner` is the account of a
    /// storage trie, and `None` in the state trie.
    fn node(&mut self, prefix: &mut Vec<u8>, owner: Option<&str>) -> Result<BTreeSet<String>> {
        let node = self.reader.next_node()?.ok_or_else(|| eyre!("the stream ends"))?;
        let depth = prefix.len();
        let mut own = match &node {
            StreamNode::Branch(branch) => 5 + 32 * branch.hashes.len(),
            StreamNode::Extension { path, child } => {
                2 + path.packed.len() + if matches!(child, Child::Hash(_)) { 32 } else { 0 }
            }
            StreamNode::Slot { path, value } => 1 + path.packed.len() + value.len(),
            StreamNode::Account { path, account } => {
                let storage = if matches!(account.storage, Storage::Hash(_)) { 32 } else { 0 };
                1 + path.packed.len() + account.numbers.len() + storage
            }
        };
        if let StreamNode::Account { account, .. } = &node {
            own += match account.code {
                Code::Empty => 0,
                Code::Hash(_) => 32,
                Code::Carried(position) => alloy_rlp::Encodable::length(&(position as u64)),
            };
        }
        let (bytes, rest) = self.rest.split_at_checked(own).ok_or_else(|| eyre!("too short"))?;
        self.rest = rest;
        let mut below = BTreeSet::new();
        match node {
            StreamNode::Branch(branch) => {
                for child in (0..16_u8).filter(|child| branch.carried >> child & 1 == 1) {
                    prefix.push(child);
                    below.extend(self.node(prefix, owner)?);
                    prefix.truncate(depth);
                }
            }
            StreamNode::Extension { path, child } => {
                push(prefix, &path);
                if child == Child::Carried {
                    below.extend(self.node(prefix, owner)?);
                }
                prefix.truncate(depth);
            }
            StreamNode::Slot { .. } => {}
            StreamNode::Account { path, account } => {
                push(prefix, &path);
                let key = B256::from_slice(
                    &prefix.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect::<Vec<_>>(),
                );
                prefix.truncate(depth);
                let name = self.names.get(&key).cloned().unwrap_or_else(|| key.to_string());
                if let Code::Carried(position) = account.code {
                    self.codes.entry(position).or_insert_with(|| name.clone());
                }
                if account.storage == Storage::Carried {
                    let label = self.label(&name).to_owned();
                    self.node(&mut Vec::new(), Some(&label))?;
                }
                below.insert(name);
            }
        }
        let name = match (owner, below.len()) {
            (Some(owner), _) => format!("storage: {owner}"),
            (None, 1) => format!("path: {}", self.label(below.first().map_or("", |name| name))),
            (None, 0) => "path: unknown".to_owned(),
            _ if depth == 0 => "state: root".to_owned(),
            _ => "state: branches above several accounts".to_owned(),
        };
        self.found.add(&name, bytes);
        Ok(below)
    }

    /// Returns a known name, or `others`.
    fn label<'n>(&self, name: &'n str) -> &'n str {
        if self.names.values().any(|known| known == name) { name } else { "others" }
    }
}

fn push(prefix: &mut Vec<u8>, path: &Path<'_>) {
    let odd = path.nibbles % 2;
    for (index, byte) in path.packed.iter().enumerate() {
        if index > 0 || odd == 0 {
            prefix.push(byte >> 4);
        }
        prefix.push(byte & 15);
    }
}
