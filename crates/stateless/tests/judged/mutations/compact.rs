//! The state of a batch in compact form: it expands into exactly the nodes from which it was
//! encoded, below the root for which it was encoded.

use super::support::{Case, all, generated};
use alloy_primitives::{B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::TrieAccount;
use chain::store::{Visitor, walk};
use codec::Encode as _;
use codec::compact::{compact, compact_reachable};
use enshrine_stateless::{expand, expand_within, verify_batch};
use std::collections::BTreeMap;
use testkit::Random;
use trie::{
    EMPTY_ROOT, ExpandedNodes, NodeIndex, NodePath, NodeSource, SourceError, Trie, TrieError,
    hash_tries,
};
use wire::{BatchWitness, ByteLists, DecodeError, StatelessBatch, compact::CompactState};

type Nodes = BTreeMap<B256, Bytes>;

fn expanded_state(state: &CompactState<'_>, codes: ByteLists<'_>) -> ExpandedNodes {
    let codes = NodeIndex::new(vec![codes.iter().map(keccak256).collect()]);
    expand(state, &codes).expect("has been decoded")
}

/// Returns the nodes of a witness by hash; each is in it once.
pub(crate) fn expanded(witness: &BatchWitness<'_>) -> Nodes {
    let nodes = expanded_state(&witness.state, witness.codes);
    let set: Nodes = (0..nodes.len())
        .zip(&**nodes.digests())
        .map(|(at, digest)| (*digest, Bytes::copy_from_slice(nodes.get(at).expect("is there"))))
        .collect();
    assert_eq!(set.len(), nodes.len());
    for (hash, node) in &set {
        assert_eq!(keccak256(node), *hash);
    }
    set
}

pub(crate) fn nodes_of(witness: &BatchWitness<'_>) -> Vec<Bytes> {
    expanded(witness).into_values().collect()
}

pub(crate) fn set_of(list: ByteLists<'_>) -> Nodes {
    list.iter().map(|node| (keccak256(node), Bytes::copy_from_slice(node))).collect()
}

/// Passes a block to `then` as a batch of one, with the state that its witness proves.
fn batch_of_one<T>(case: &Case, then: impl FnOnce(&StatelessBatch<'_>) -> T) -> T {
    let input = case.input();
    let (nodes, codes) = (input.witness.state, input.witness.codes);
    let root = case.verdict.pre_state_root;
    // Witnesses of public networks contain surplus nodes, some of them not below the root.
    let state = match compact(root, nodes, codes) {
        Err(_) if !case.minimal => compact_reachable(root, nodes, codes),
        strict => strict,
    };
    let state = state.unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let witness = BatchWitness::new(&state, codes, input.witness.headers).expect("decodes");
    then(&codec::batch_of(&[input], witness).expect("is a batch"))
}

#[test]
fn batch_of_one_keeps_nodes_and_verdict() {
    let (mut listed, mut streams) = (0, 0);
    for case in all() {
        batch_of_one(case, |batch| {
            let list = case.input().witness.state;
            let (nodes, given) = (expanded(&batch.witness), set_of(list));
            if case.minimal {
                assert_eq!(nodes, given, "{}", case.name);
            } else {
                assert!(nodes.iter().all(|(hash, _)| given.contains_key(hash)), "{}", case.name);
            }
            let bound = batch.witness.state.expanded_len();
            let rlp: usize = nodes.values().map(|node| node.len()).sum();
            assert!(rlp <= bound, "{}: {rlp} bytes, at most {bound}", case.name);
            let bytes = batch.encode();
            let decoded = StatelessBatch::decode(&bytes).expect("decodes");
            assert_eq!(decoded, *batch);
            let verdicts = verify_batch(&decoded, &case.spec).expect("is valid");
            assert_eq!(verdicts, std::slice::from_ref(&case.verdict), "{}", case.name);
            listed += rlp + 4 * nodes.len();
            streams += batch.witness.state.stream().len();
        });
    }
    println!("{listed} bytes of nodes in lists, {streams} in streams");
    assert!(10 * streams < 9 * listed);
}

#[test]
fn oversized_state_is_refused_before_expansion() {
    let case = &generated()[0];
    batch_of_one(case, |batch| {
        let state = &batch.witness.state;
        let codes = NodeIndex::new(vec![batch.witness.codes.iter().map(keccak256).collect()]);
        let bytes = state.expanded_len();
        let whole = expand_within(state, &codes, bytes).expect("there is room");
        assert_eq!(whole.digests(), expand(state, &codes).expect("there is room").digests());
        let refused = expand_within(state, &codes, bytes - 1).expect_err("there is none");
        assert!(
            matches!(refused, DecodeError::TooLong { got, limit, .. } if (got, limit) == (bytes, bytes - 1)),
            "{refused}"
        );
    });
}

#[test]
fn changed_stream_byte_is_refused_or_changes_root() {
    let (mut refused, mut others) = (0, 0);
    let mut random = Random::new(1186);
    for case in generated().iter().step_by(7) {
        batch_of_one(case, |batch| {
            let (state, codes) = (&batch.witness.state, batch.witness.codes);
            let good = {
                let listed: Vec<_> = expanded(&batch.witness).into_values().collect();
                compact(case.verdict.pre_state_root, (&listed).into(), codes).expect("encodes")
            };
            assert_eq!(CompactState::decode(&good, codes.len()).as_ref(), Ok(state));
            for _ in 0..400 {
                let mut bytes = good.clone();
                let at = random.index(bytes.len());
                bytes[at] ^= random.mask();
                if random.one_in(8) {
                    bytes.truncate(random.index(bytes.len()));
                }
                match CompactState::decode(&bytes, codes.len()) {
                    Err(_) => refused += 1,
                    Ok(state) => {
                        let nodes = expanded_state(&state, codes);
                        let root = nodes.digests().last().copied().unwrap_or(EMPTY_ROOT);
                        assert_ne!(root, case.verdict.pre_state_root, "{}, {at}", case.name);
                        others += 1;
                    }
                }
            }
        });
    }
    println!("{refused} refused, {others} of another root");
    assert!(refused > 100 && others > 100);
}

impl NodeSource for Known<'_> {
    type Bytes = Bytes;

    fn node(&self, _: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        Ok(self.0.get(hash).cloned())
    }
}

struct Known<'n>(&'n Nodes);

/// Collects the reached nodes and the values.
#[derive(Default)]
struct Reached {
    nodes: Nodes,
    values: Vec<Vec<u8>>,
}

impl Visitor<Bytes> for Reached {
    fn node(&mut self, hash: &B256, node: &Bytes) -> bool {
        self.nodes.insert(*hash, node.clone());
        true
    }

    fn value(&mut self, _: &B256, value: &[u8]) {
        self.values.push(value.to_vec());
    }

    fn missing(&mut self, _: trie::Nibbles, _: B256) -> Result<(), TrieError> {
        Ok(())
    }
}

/// Returns the nodes that are reachable from a root, without using the code under test.
fn reachable(root: B256, nodes: &Nodes) -> Nodes {
    let mut reached = Reached::default();
    walk(&Known(nodes), None, root, &mut reached).expect("are nodes");
    let Reached { nodes: mut all, values } = reached;
    for value in values {
        let account: TrieAccount = alloy_rlp::decode_exact(&value).expect("is an account");
        let mut storage = Reached::default();
        walk(&Known(nodes), Some(&B256::ZERO), account.storage_root, &mut storage)
            .expect("are nodes");
        all.extend(storage.nodes);
    }
    all
}

/// Builds a trie of these values and adds its nodes to `nodes`.
fn trie_of(values: &BTreeMap<B256, Vec<u8>>, nodes: &mut Nodes) -> B256 {
    let mut trie = Trie::<Bytes>::new(EMPTY_ROOT);
    let none = Nodes::new();
    for (key, value) in values {
        trie.insert(&Known(&none), key, value).expect("needs no other nodes");
    }
    hash_tries(&mut [&mut trie], |(hash, node)| {
        nodes.insert(hash, Bytes::copy_from_slice(node));
    });
    trie.root().expect("is hashed")
}

/// Keys that are spread like hashes, that share long prefixes, or that differ only at their ends.
fn key(random: &mut Random) -> B256 {
    let number = random.index(60) as u8;
    let mut key = B256::repeat_byte(0x11);
    match random.index(3) {
        0 => key = keccak256([number]),
        1 => (key[10], key[20]) = (number % 3, number),
        _ => (key[30], key[31]) = (number % 3, number),
    }
    key
}

fn number(random: &mut Random, maximum: usize) -> U256 {
    let bytes = random.in_range(0..maximum + 1);
    U256::from_be_slice(&random.bytes(bytes))
}

/// A state of random accounts, some of them with storage or code.
fn random_state(random: &mut Random) -> (B256, Nodes, Vec<Bytes>) {
    let codes: Vec<Bytes> = (0..300_u16).map(|code| code.to_be_bytes().into()).collect();
    let mut nodes = Nodes::new();
    let mut accounts = BTreeMap::new();
    let mut last = EMPTY_ROOT;
    for _ in 0..random.in_range(1..40) {
        let storage_root = match random.index(4) {
            0 => EMPTY_ROOT,
            // Two accounts with the same storage.
            1 => last,
            2 => B256::from_slice(&random.bytes(32)),
            _ => {
                let slot = |random: &mut Random| {
                    (key(random), alloy_rlp::encode(number(random, 32).max(U256::ONE)))
                };
                let count = random.in_range(1..30);
                let slots = (0..count).map(|_| slot(random)).collect();
                trie_of(&slots, &mut nodes)
            }
        };
        last = storage_root;
        let code_hash = match random.index(3) {
            0 => KECCAK256_EMPTY,
            1 => B256::from_slice(&random.bytes(32)),
            _ => keccak256(random.pick(&codes)),
        };
        let (nonce, balance) = (number(random, 8).to(), number(random, 32));
        let account = TrieAccount { nonce, balance, storage_root, code_hash };
        accounts.insert(key(random), alloy_rlp::encode(account));
    }
    let root = trie_of(&accounts, &mut nodes);
    (root, nodes, codes)
}

#[test]
fn random_states_round_trip_through_compact_form() {
    let (mut embedded, mut pruned) = (0, 0);
    for seed in 0..400 {
        let random = &mut Random::new(seed);
        let (root, nodes, codes) = random_state(random);
        let nodes = reachable(root, &nodes);
        let list: Vec<_> = nodes.values().cloned().collect();
        let state = compact(root, (&list).into(), (&codes).into()).expect("are all below the root");
        let state = CompactState::decode(&state, codes.len()).expect("decodes");
        let back = expanded_state(&state, (&codes).into());
        assert_eq!(back.digests().last(), Some(&root), "{seed}");
        let witness = BatchWitness { state, codes: (&codes).into(), headers: ByteLists::EMPTY };
        assert_eq!(expanded(&witness), nodes, "{seed}");
        embedded += state.len() - nodes.len();

        // And a part of them.
        let rest: Nodes = nodes
            .iter()
            .filter(|(hash, _)| **hash == root || !random.one_in(6))
            .map(|(hash, node)| (*hash, node.clone()))
            .collect();
        let below = reachable(root, &rest);
        let list: Vec<_> = rest.values().cloned().collect();
        let strict = compact(root, (&list).into(), (&codes).into());
        assert_eq!(strict.is_ok(), below.len() == rest.len(), "{seed}");
        let state = compact_reachable(root, (&list).into(), (&codes).into()).expect("are nodes");
        let witness =
            BatchWitness::new(&state, (&codes).into(), ByteLists::EMPTY).expect("decodes");
        assert_eq!(expanded(&witness), below, "{seed}");
        pruned += nodes.len() - below.len();
    }
    println!("{embedded} embedded nodes, {pruned} left out");
    assert!(embedded > 1_000 && pruned > 1_000);
}

/// A branch of two accounts: the first with a storage of one slot, the other with the fields that
/// `tag` selects.
fn twins(nodes: u32, tag: u8, storage: &[u8]) -> Vec<u8> {
    let account = |tag: u8, nibble: u8| [&[tag, nibble][..], &[0x22; 31], &[0x80, 0x80]].concat();
    let masks = [0x00, 0x03, 0x00, 0x00, 0x00];
    let (first, second) = (account(0x18, 0x05), account(tag, 0x06));
    [&nodes.to_le_bytes()[..], &masks, &first, &slot(), &second, storage].concat()
}

/// A slot that is the only one of its trie.
fn slot() -> Vec<u8> {
    [&[0x03][..], &[0x33; 32], &[0x07]].concat()
}

#[test]
fn shared_storage_is_carried_once_or_twice() {
    // The slot as RLP: the value is an integer in a string.
    let leaf = [&[0xe3, 0xa1, 0x20][..], &[0x33; 32], &[0x07]].concat();
    let once = twins(4, 0x14, keccak256(&leaf).as_slice());
    let twice = twins(5, 0x18, &slot());
    let decode = |bytes| CompactState::decode(bytes, 0).expect("decodes");
    let none = ByteLists::EMPTY;
    let (one, two) = (expanded_state(&decode(&once), none), expanded_state(&decode(&twice), none));
    assert_eq!((one.len(), two.len()), (4, 5));
    assert_eq!(one.digests().last(), two.digests().last());
    let root = *one.digests().last().expect("has a root");
    let list: Vec<_> = (0..one.len()).filter_map(|at| one.get(at)).collect();
    assert_eq!(compact(root, list[..].into(), none).as_deref(), Ok(&once[..]));
    // Another hash yields another state.
    let other = twins(4, 0x14, &[9; 32]);
    assert_ne!(expanded_state(&decode(&other), none).digests().last(), Some(&root));
}
