//! Signed messages that differ in every way that a check distinguishes.

use alloy_consensus::{Header, proofs::ordered_trie_root_with_encoder};
use alloy_primitives::{Address, B256, Bloom, Bytes, U256, keccak256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use enshrine_preconf::{
    Domain, EMPTY_TRIE, Preconfirmation,
    faults::{Context, Signed},
    prove_transaction,
};
use wire::SchemaId;

pub(crate) const ROLLUP: Address = Address::repeat_byte(0xa0);
pub(crate) const OTHER_ROLLUP: Address = Address::repeat_byte(0xa1);
pub(crate) const DOMAIN: Domain = Domain { l1_chain_id: 1, contract: Address::repeat_byte(0xb0) };
pub(crate) const POST_WITHIN: u64 = 1800;
pub(crate) const CHAIN_ID: u64 = 80_790;
/// Number of the current L1 block.
pub(crate) const L1_HEAD: u64 = 300;
pub(crate) const NUMBER: u64 = 7;
pub(crate) const TIMESTAMP: u64 = 1_700_000_000;

/// Returns the key of an account with a bond, of its registered signer, or of an unrelated account.
pub(crate) fn key(index: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(index)).unwrap()
}

pub(crate) fn account_of(signer: Address) -> Address {
    if signer == key(2).address() { key(1).address() } else { signer }
}

/// Returns the hash of an L1 block from 100 to 199, which consists of bytes with its number. No
/// other hashes are available.
pub(crate) fn l1_hash(number: u64) -> Option<B256> {
    (100..200).contains(&number).then(|| B256::repeat_byte(number as u8))
}

pub(crate) fn context() -> Context<'static> {
    Context { domain: DOMAIN, account_of: &account_of, l1_hash: &l1_hash, post_within: POST_WITHIN }
}

/// Returns the transactions of a block, one per letter.
pub(crate) fn transactions(letters: &str) -> Vec<Bytes> {
    letters.bytes().map(|letter| vec![letter; 40].into()).collect()
}

/// Returns the root of a trie of transactions, and the nodes on the path to `index`.
pub(crate) fn trie(transactions: &[Bytes], index: u32) -> (B256, Vec<Bytes>) {
    let put = |raw: &Bytes, out: &mut Vec<u8>| out.extend_from_slice(raw);
    let root = ordered_trie_root_with_encoder(transactions, put);
    (root, prove_transaction(transactions, index as usize))
}

/// A message with its header, signature and transactions.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) name: String,
    pub(crate) message: Preconfirmation,
    pub(crate) signature: Vec<u8>,
    pub(crate) header: Vec<u8>,
    pub(crate) transactions: Vec<Bytes>,
}

impl Message {
    pub(crate) fn signed(&self) -> Signed<'_> {
        Signed { message: self.message, signature: &self.signature, header: &self.header }
    }
}

/// A message that is not signed yet.
#[derive(Clone)]
struct Draft {
    header: Header,
    transactions: Vec<Bytes>,
    schema: u16,
    is_sealed: bool,
    condition: (u64, B256),
    rollup: Address,
    key: u8,
}

impl Draft {
    /// Creates an unsealed prefix with one transaction and an L1 block as the condition.
    fn new() -> Self {
        Self {
            header: Header {
                parent_hash: B256::repeat_byte(1),
                beneficiary: Address::repeat_byte(3),
                state_root: B256::repeat_byte(4),
                receipts_root: B256::repeat_byte(6),
                logs_bloom: Bloom::ZERO,
                number: NUMBER,
                gas_limit: 10_000_000,
                gas_used: 21_000,
                timestamp: TIMESTAMP,
                base_fee_per_gas: Some(1_000_000_000),
                withdrawals_root: Some(EMPTY_TRIE),
                blob_gas_used: Some(0),
                excess_blob_gas: Some(0),
                parent_beacon_block_root: Some(B256::repeat_byte(10)),
                requests_hash: Some(B256::repeat_byte(11)),
                ..Default::default()
            },
            transactions: transactions("a"),
            schema: 0x1201,
            is_sealed: false,
            condition: (100, B256::repeat_byte(100)),
            rollup: ROLLUP,
            key: 1,
        }
    }

    fn finish(mut self, name: &str) -> Message {
        self.header.transactions_root = trie(&self.transactions, 0).0;
        let header = alloy_rlp::encode(&self.header);
        self.over(name, header)
    }

    /// Signs the hash of these bytes, which need not be a header.
    fn over(self, name: &str, header: Vec<u8>) -> Message {
        let message = Preconfirmation {
            rollup: self.rollup,
            block_hash: keccak256(&header),
            schema: SchemaId::new(self.schema),
            is_sealed: self.is_sealed,
            l1_block: self.condition.0,
            l1_hash: self.condition.1,
        };
        let signature = key(self.key).sign_hash_sync(&message.digest(&DOMAIN)).unwrap();
        Message {
            name: name.to_owned(),
            message,
            signature: signature.as_bytes().to_vec(),
            header,
            transactions: self.transactions,
        }
    }
}

fn changed(name: &str, change: impl FnOnce(&mut Draft)) -> Message {
    let mut draft = Draft::new();
    change(&mut draft);
    draft.finish(name)
}

/// Returns all messages.
pub(crate) fn messages() -> Vec<Message> {
    let mut all = honest();
    all.extend(conflicting());
    all.extend(malformed());
    all.extend(mixed(20));
    all
}

pub(crate) fn honest() -> Vec<Message> {
    vec![
        changed("prefix of one", |_| {}),
        changed("empty prefix", |draft| draft.transactions.clear()),
        changed("prefix of three", |draft| draft.transactions = transactions("abc")),
        changed("sealed block of three", |draft| {
            draft.transactions = transactions("abc");
            draft.is_sealed = true;
        }),
        changed("the same without condition", |draft| {
            draft.transactions = transactions("abc");
            draft.is_sealed = true;
            draft.condition = (0, B256::ZERO);
        }),
        changed("sealed block of one", |draft| draft.is_sealed = true),
        changed("sealed empty block", |draft| {
            draft.transactions.clear();
            draft.is_sealed = true;
        }),
        changed("prefix of 300", |draft| draft.transactions = transactions(&"abc".repeat(100))),
        changed("other order", |draft| draft.transactions = transactions("bac")),
        changed("other last transaction", |draft| draft.transactions = transactions("abx")),
    ]
}

pub(crate) fn conflicting() -> Vec<Message> {
    vec![
        changed("other state root", |draft| draft.header.state_root = B256::ZERO),
        changed("other gas used", |draft| draft.header.gas_used = 42_000),
        changed("other logs, sealed", |draft| {
            draft.header.logs_bloom = Bloom::repeat_byte(1);
            draft.is_sealed = true;
        }),
        changed("other requests", |draft| draft.header.requests_hash = Some(B256::ZERO)),
        changed("other coinbase", |draft| draft.header.beneficiary = Address::ZERO),
        changed("other randao", |draft| draft.header.mix_hash = B256::repeat_byte(9)),
        changed("other parent", |draft| draft.header.parent_hash = B256::ZERO),
        changed("other number", |draft| draft.header.number = NUMBER + 1),
        changed("other schema", |draft| draft.schema = 0x1101),
        changed("schema of nested rollups", |draft| draft.schema = 0x1202),
        changed("other rollup", |draft| draft.rollup = OTHER_ROLLUP),
        changed("registered signer", |draft| {
            draft.key = 2;
            draft.header.beneficiary = Address::ZERO;
        }),
        changed("stranger", |draft| draft.key = 3),
        changed("one second later", |draft| draft.header.timestamp += 1),
        changed("last second", |draft| draft.header.timestamp += POST_WITHIN - 1),
        changed("too late", |draft| draft.header.timestamp += POST_WITHIN),
        changed("last timestamp", |draft| draft.header.timestamp = u64::MAX),
        changed("later block of L1", |draft| {
            draft.condition = (150, B256::repeat_byte(150));
            draft.header.beneficiary = Address::ZERO;
        }),
        changed("void", |draft| draft.condition.1 = B256::ZERO),
        changed("void without a number", |draft| draft.condition.0 = 0),
        changed("block of L1 in the future", |draft| {
            draft.condition = (L1_HEAD, B256::repeat_byte(200));
        }),
        changed("Amsterdam", |draft| {
            draft.schema = 0x1501;
            draft.header.block_access_list_hash = Some(B256::ZERO);
            draft.header.slot_number = Some(7);
        }),
    ]
}

pub(crate) fn malformed() -> Vec<Message> {
    let good = changed("", |_| {});
    let mut all = Vec::new();
    let mut add = |name: &str, change: &dyn Fn(&mut Message)| {
        let mut message = Message { name: name.to_owned(), ..good.clone() };
        change(&mut message);
        all.push(message);
    };
    add("short signature", &|message| message.signature.truncate(64));
    add("v of zero", &|message| message.signature[64] -= 27);
    add("high s", &|message| {
        let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
        let order = U256::from_str_radix(order, 16).unwrap();
        let high = order - U256::from_be_slice(&message.signature[32..64]);
        message.signature[32..64].copy_from_slice(&high.to_be_bytes::<32>());
        message.signature[64] = 55 - message.signature[64];
    });
    add("r of zero", &|message| message.signature[..32].fill(0));
    add("changed header", &|message| message.header[4] ^= 1);
    add("no header", &|message| message.header.clear());
    let resigned = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut header = good.header.clone();
        change(&mut header);
        Draft::new().over(name, header)
    };
    all.push(resigned("trailing byte", &|header| header.push(0)));
    all.push(resigned("truncated", &|header| header.truncate(600)));
    all.push(resigned("too long", &|header| header.resize(1025, 0)));
    // The parent hash follows the list header of three bytes.
    all.push(resigned("hash of another length", &|header| header[3] = 0x9f));
    all.push(resigned("list as parent", &|header| header[3] = 0xe0));
    all.push(resigned("sixteen items", &|header| {
        *header = [0xd0].into_iter().chain([0x80; 16]).collect();
    }));
    all.push(resigned("24 items", &|header| {
        *header = [0xd8].into_iter().chain([0x80; 24]).collect();
    }));
    all
}

/// Returns messages with several changes at once, the same in every run.
pub(crate) fn mixed(count: u64) -> Vec<Message> {
    let draft = |seed: u64| {
        let bits = keccak256(seed.to_be_bytes());
        let choice = |at: usize, count: u8| bits[at] % count;
        let mut draft = Draft::new();
        draft.transactions = transactions(["", "a", "ab", "abc", "b"][choice(0, 5) as usize]);
        draft.is_sealed = choice(1, 2) == 0;
        draft.header.timestamp += [0, 0, 1, POST_WITHIN - 1, POST_WITHIN][choice(2, 5) as usize];
        draft.header.state_root = B256::repeat_byte(4 + choice(3, 2));
        draft.header.number += u64::from(choice(4, 8) / 7);
        draft.schema = [0x1201, 0x1201, 0x1201, 0x1301][choice(5, 4) as usize];
        draft.condition = match choice(6, 5) {
            0 => (0, B256::ZERO),
            1 => (101, B256::repeat_byte(100)),
            _ => (101, B256::repeat_byte(101)),
        };
        draft.key = [1, 1, 1, 2, 3][choice(7, 5) as usize];
        draft
    };
    (0..count).map(|seed| draft(seed).finish(&format!("mixed {seed}"))).collect()
}
