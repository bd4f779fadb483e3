//! The state of a batch's witness: each rule of the stream has a stream that violates it and one
//! that satisfies it, and the encoder has lists of nodes.

use alloy_primitives::{B256, Bytes, KECCAK256_EMPTY, b256, hex, keccak256};
use enshrine_codec::compact::{LengthAlone, compact};
use wire::{
    BatchWitness, ByteLists, DecodeError, StreamError,
    compact::{Account, Branch, Child, Code, CompactState, Storage, StreamNode},
};

const EMPTY_ROOT: B256 = b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
/// Codes of the witness around the state.
const CODES: usize = 2;

fn state(nodes: u32, parts: &[&[u8]]) -> Vec<u8> {
    [&nodes.to_le_bytes()[..], &parts.concat()].concat()
}

#[track_caller]
fn accepted(nodes: u32, parts: &[&[u8]]) {
    let bytes = state(nodes, parts);
    let decoded = CompactState::decode(&bytes, CODES).expect("is as it must be");
    assert_eq!(decoded.len(), nodes as usize);
    assert_eq!(decoded.is_empty(), nodes == 0);
    assert_eq!(decoded.stream().len() + 4, bytes.len());
}

#[track_caller]
fn refused(nodes: u32, parts: &[&[u8]], node: usize, reason: StreamError) {
    let error = CompactState::decode(&state(nodes, parts), CODES).expect_err("must be refused");
    assert_eq!(error, DecodeError::State { node, reason });
}

/// The rest of a key below `depth` nibbles.
fn path(depth: usize) -> Vec<u8> {
    let nibbles = 64 - depth;
    let mut path = vec![0x11; nibbles.div_ceil(2)];
    if nibbles % 2 == 1 {
        path[0] = 0x01;
    }
    path
}

fn branch(carried: u16, hashed: u16) -> Vec<u8> {
    let masks = [carried.to_le_bytes(), hashed.to_le_bytes()].concat();
    let hashes = (0..hashed.count_ones()).flat_map(|index| [index as u8 + 1; 32]).collect();
    [vec![0x00], masks, hashes].concat()
}

/// A leaf without storage and code, at a depth.
fn leaf(depth: usize) -> Vec<u8> {
    [&[0x10][..], &path(depth), &[0x80, 0x80]].concat()
}

/// A leaf at the root with this tag and with `rest` after its path.
fn account(tag: u8, rest: &[&[u8]]) -> Vec<u8> {
    [&[tag][..], &path(0), &rest.concat()].concat()
}

#[test]
fn stream_must_have_declared_node_count() {
    let two = [branch(1, 2), leaf(1)].concat();
    accepted(2, &[&two]);
    refused(1, &[&two], 1, StreamError::More { declared: 1 });
    refused(3, &[&two], 2, StreamError::Fewer { got: 2, declared: 3 });
    refused(2, &[&two, &[0]], 2, StreamError::Surplus { got: 1 });
    refused(0, &[&two], 0, StreamError::Surplus { got: two.len() });
    accepted(0, &[]);
    for len in 1..two.len() {
        let error = CompactState::decode(&state(2, &[&two[..len]]), CODES).expect_err("is cut");
        assert!(
            matches!(
                error,
                DecodeError::TooMany { .. }
                    | DecodeError::State { reason: StreamError::End { .. }, .. }
            ),
            "{error}"
        );
    }
    let short = CompactState::decode(&[0; 3], CODES).expect_err("has no number");
    let what = "state of the batch";
    assert_eq!(short, DecodeError::TooShort { what, got: 3, expected: 4 });
}

#[test]
fn overstated_node_count_is_rejected_before_reading() {
    // 69 bytes: at a minimum of twelve bytes each, these are at most five nodes.
    let one = branch(0, 3);
    let what = "state of the batch";
    let many = CompactState::decode(&state(6, &[&one]), CODES).expect_err("are too many");
    assert_eq!(many, DecodeError::TooMany { what, got: 6, limit: 5 });
    let maximum = CompactState::decode(&state(u32::MAX, &[&one]), CODES).expect_err("are too many");
    assert_eq!(maximum, DecodeError::TooMany { what, got: u32::MAX as usize, limit: 5 });
    refused(5, &[&one], 1, StreamError::Fewer { got: 1, declared: 5 });
    accepted(1, &[&one]);
}

#[test]
fn branch_needs_two_children_each_once() {
    accepted(1, &[&branch(0, 0x8001)]);
    accepted(2, &[&branch(0x8000, 1), &leaf(1)]);
    refused(2, &[&branch(1, 3), &leaf(1)], 0, StreamError::Masks { carried: 1, hashed: 3 });
    refused(1, &[&branch(0, 1)], 0, StreamError::Children { got: 1 });
    refused(2, &[&branch(1, 0), &leaf(1)], 0, StreamError::Children { got: 1 });
    refused(1, &[&branch(0, 0), &[0; 12]], 0, StreamError::Children { got: 0 });
}

#[test]
fn extension_leads_to_branch_within_key() {
    let extension = |tag: u8, nibbles: u8, first: u8| {
        let mut bytes = vec![0x11; 2 + usize::from(nibbles).div_ceil(2)];
        (bytes[0], bytes[1]) = (tag, nibbles);
        if nibbles > 0 {
            bytes[2] = first;
        }
        bytes
    };
    let hash = [7; 32];
    for (nibbles, first) in [(1, 0x0f), (2, 0xff), (62, 0x11), (63, 0x01)] {
        accepted(1, &[&extension(2, nibbles, first), &hash]);
    }
    for nibbles in [0, 64, 255] {
        let reason = StreamError::PathLength { got: usize::from(nibbles), limit: 63 };
        refused(1, &[&extension(2, nibbles, 0x01), &hash], 0, reason);
    }
    refused(1, &[&extension(2, 63, 0x10), &hash], 0, StreamError::Padding { got: 0x10 });
    accepted(2, &[&extension(1, 3, 0x01), &branch(0, 3)]);
    refused(2, &[&extension(1, 3, 0x01), &leaf(3)], 1, StreamError::BelowExtension);
    let further = extension(2, 1, 0x01);
    refused(2, &[&extension(1, 3, 0x01), &further, &hash], 1, StreamError::BelowExtension);
    // A branch may consume the last of the 64 nibbles of a key.
    let to_the_end = extension(1, 63, 0x01);
    accepted(3, &[&to_the_end, &branch(1, 0x8000), &leaf(64)]);
    refused(3, &[&to_the_end, &branch(1, 0x8000), &branch(0, 3)], 2, StreamError::BelowKey);
    let below = [&branch(1, 2)[..], &extension(2, 63, 0x01)].concat();
    refused(2, &[&below, &hash], 1, StreamError::PathLength { got: 63, limit: 62 });
    let below = [&branch(1, 2)[..], &extension(2, 62, 0x11)].concat();
    accepted(2, &[&below, &hash]);
}

#[test]
fn node_kinds_must_fit_their_trie() {
    let slot = [&[0x03][..], &path(0), &[0x01]].concat();
    let above = account(0x18, &[&[0x80, 0x80]]);
    accepted(2, &[&above, &slot]);
    let stands_in = |in_storage: bool| move |got: u8| StreamError::Tag { got, in_storage };
    refused(1, &[&slot], 0, stands_in(false)(0x03));
    refused(2, &[&above, &leaf(0)], 1, stands_in(true)(0x10));
    for tag in [0x04, 0x0f, 0x13, 0x17, 0x1b, 0x1c, 0x1f, 0x20, 0x80, 0xff] {
        refused(1, &[&account(tag, &[&[0x80, 0x80]])], 0, stands_in(false)(tag));
    }
    // Branches and extensions are valid in both tries.
    let storage = [branch(1, 2), [&[0x03][..], &path(1), &[0x01]].concat()].concat();
    accepted(3, &[&above, &storage]);
    // The account trie continues after a storage trie.
    let below = [&[0x18][..], &path(1), &[0x80, 0x80]].concat();
    accepted(4, &[&branch(3, 0), &below, &slot, &leaf(1)]);
    refused(4, &[&branch(3, 0), &below, &slot, &slot], 3, stands_in(false)(0x03));
}

#[test]
fn numbers_have_one_encoding() {
    let nonce = |item: &[u8]| account(0x10, &[item, &[0x80]]);
    let balance = |item: &[u8]| account(0x10, &[&[0x80], item]);
    let long = |first: u8, len: usize| [&[first][..], &vec![1; len]].concat();
    for item in [&[0x80][..], &[0x01], &[0x7f], &[0x81, 0x80], &[0x82, 1, 0], &long(0x88, 8)] {
        accepted(1, &[&nonce(item)]);
        accepted(1, &[&balance(item)]);
    }
    for item in [&[0x00][..], &[0x81, 0x00], &[0x81, 0x7f], &[0x82, 0, 1]] {
        refused(1, &[&nonce(item)], 0, StreamError::NotShortest { what: "nonce" });
        refused(1, &[&balance(item)], 0, StreamError::NotShortest { what: "balance" });
    }
    let too_large = |what, got, limit| StreamError::TooLarge { what, got, limit };
    refused(1, &[&nonce(&long(0x89, 9))], 0, too_large("nonce", 9, 8));
    accepted(1, &[&balance(&long(0x89, 9))]);
    accepted(1, &[&balance(&long(0xa0, 32))]);
    refused(1, &[&balance(&long(0xa1, 33))], 0, too_large("balance", 33, 32));
    refused(1, &[&balance(&long(0xc0, 64))], 0, too_large("balance", 64, 32));
    let slot = |item: &[u8]| {
        [account(0x18, &[&[0x80, 0x80]]), [&[0x03][..], &path(0), item].concat()].concat()
    };
    accepted(2, &[&slot(&long(0xa0, 32))]);
    accepted(2, &[&slot(&[0x01])]);
    refused(2, &[&slot(&[0x80])], 1, StreamError::NoValue);
    refused(2, &[&slot(&[0x00])], 1, StreamError::NotShortest { what: "value" });
    refused(2, &[&slot(&long(0xa1, 33))], 1, too_large("value", 33, 32));
}

#[test]
fn empty_hashes_must_use_their_tag() {
    let (storage, code) = ("storage root", "code hash");
    let with = |tag: u8, hash: B256| account(tag, &[&[0x80, 0x80], hash.as_slice()]);
    accepted(1, &[&with(0x14, KECCAK256_EMPTY)]);
    refused(1, &[&with(0x14, EMPTY_ROOT)], 0, StreamError::HashOfNothing { what: storage });
    accepted(1, &[&with(0x11, EMPTY_ROOT)]);
    refused(1, &[&with(0x11, KECCAK256_EMPTY)], 0, StreamError::HashOfNothing { what: code });
    let both = account(0x15, &[&[0x80, 0x80], &[5; 32], &[6; 32]]);
    accepted(1, &[&both]);
    let code = |item: &[u8]| account(0x12, &[&[0x80, 0x80], item]);
    accepted(1, &[&code(&[0x80])]);
    accepted(1, &[&code(&[0x01])]);
    refused(1, &[&code(&[0x02])], 0, StreamError::Code { got: 2, codes: CODES });
    refused(1, &[&code(&[0x84, 1, 0, 0, 0])], 0, StreamError::Code { got: 1 << 24, codes: CODES });
    let (what, limit) = ("code", 4);
    let long = StreamError::TooLarge { what, got: 5, limit };
    refused(1, &[&code(&[0x85, 1, 0, 0, 0, 0])], 0, long);
    refused(1, &[&code(&[0x00])], 0, StreamError::NotShortest { what });
}

/// The account trie: a branch with two accounts and a hash. The first account has the second code
/// and a storage trie, an extension by one nibble to a branch of two slots; the other has neither.
fn known() -> (Vec<u8>, Vec<Bytes>, B256) {
    let hash = |byte: u8| [&[0xa0][..], &[byte; 32]].concat();
    let list = |items: &[Vec<u8>]| {
        let payload = items.concat();
        let mut header = match payload.len() {
            short @ 0..=55 => vec![0xc0 + short as u8],
            middle @ 56..=255 => vec![0xf8, middle as u8],
            long => vec![0xf9, (long >> 8) as u8, long as u8],
        };
        header.extend(payload);
        header
    };
    let string = |bytes: &[u8]| {
        let mut header = match bytes {
            [0..=0x7f] => vec![],
            _ if bytes.len() < 56 => vec![0x80 + bytes.len() as u8],
            _ => vec![0xb8, bytes.len() as u8],
        };
        header.extend(bytes);
        header
    };
    let of = |node: &[u8]| [&[0xa0][..], keccak256(node).as_slice()].concat();
    // Slots at nibbles 0xa, 3 and 0xa, 5; 62 nibbles below each.
    let slot = |value: &[u8]| {
        list(&[string(&[&[0x20][..], &[0x44; 31]].concat()), string(&string(value))])
    };
    let (one, two) = (slot(&[0x09]), slot(&[0x80, 0x01]));
    let mut children = vec![vec![0x80]; 17];
    (children[3], children[5]) = (of(&one), of(&two));
    let fork = list(&children);
    let storage = list(&[vec![0x1a], of(&fork)]);
    let codes = [Bytes::from_static(&[0x00]), Bytes::from_static(&[0x60, 0x00])];
    let account = |numbers: [Vec<u8>; 2], storage: Vec<u8>, code: B256| {
        let [nonce, balance] = numbers;
        let value = list(&[nonce, balance, storage, string(code.as_slice())]);
        list(&[string(&[&[0x31][..], &[0x11; 31]].concat()), string(&value)])
    };
    let first = account([vec![0x07], vec![0x80]], of(&storage), keccak256(&codes[1]));
    let second = account(
        [vec![0x80], string(&[0x0d, 0xe0])],
        string(EMPTY_ROOT.as_slice()),
        KECCAK256_EMPTY,
    );
    let mut children = vec![vec![0x80]; 17];
    (children[0], children[9], children[15]) = (of(&first), hash(0xee), of(&second));
    let root = list(&children);
    let stream = [
        &hex!("00 0180 0002")[..],
        &[0xee; 32],
        &hex!("1a 01"),
        &[0x11; 31],
        &hex!("07 80 01"),
        &hex!("01 01 0a"),
        &hex!("00 2800 0000"),
        &hex!("03"),
        &[0x44; 31],
        &hex!("09 03"),
        &[0x44; 31],
        &hex!("82 80 01"),
        &hex!("10 01"),
        &[0x11; 31],
        &hex!("80 82 0d e0"),
    ]
    .concat();
    let nodes = [&root, &first, &second, &storage, &fork, &one, &two];
    let nodes = nodes.map(|node| Bytes::copy_from_slice(node)).to_vec();
    (state(7, &[&stream]), nodes, keccak256(&root))
}

fn known_codes() -> Vec<Bytes> {
    vec![Bytes::from_static(&[0x00]), Bytes::from_static(&[0x60, 0x00])]
}

#[test]
fn known_nodes_encode_identically_in_any_order() {
    let (expected, mut nodes, root) = known();
    let codes = known_codes();
    let stream = |nodes: &Vec<Bytes>| compact(root, nodes.into(), (&codes).into());
    assert_eq!(stream(&nodes), Ok(expected.clone()));
    nodes.reverse();
    nodes.push(nodes[0].clone());
    assert_eq!(stream(&nodes), Ok(expected.clone()));

    let decoded = CompactState::decode(&expected, CODES).unwrap();
    let rlp: usize = nodes[1..].iter().map(|node| node.len()).sum();
    // The bound assumes long RLP headers; short lists and strings need one byte less.
    let bound = decoded.expanded_len();
    assert!((rlp..rlp + 12).contains(&bound), "{rlp} bytes, at most {bound}");
    let mut reader = decoded.nodes(CODES);
    let mut next = || reader.next_node().unwrap();
    let Some(StreamNode::Branch(Branch { carried: 0x8001, hashed: 0x0200, hashes })) = next()
    else {
        panic!("no branch first");
    };
    assert_eq!(hashes, [[0xee; 32]]);
    let Some(StreamNode::Account { path, account }) = next() else { panic!("no account") };
    assert_eq!((path.nibbles, path.packed[0], path.packed.len()), (63, 0x01, 32));
    let carried =
        Account { numbers: &[7, 0x80], storage: Storage::Carried, code: Code::Carried(1) };
    assert_eq!(account, carried);
    assert!(matches!(next(), Some(StreamNode::Extension { child: Child::Carried, .. })));
    assert!(matches!(next(), Some(StreamNode::Branch(Branch { carried: 0x28, hashed: 0, .. }))));
    assert!(matches!(next(), Some(StreamNode::Slot { value: [9], .. })));
    assert!(matches!(next(), Some(StreamNode::Slot { value: [0x82, 0x80, 1], .. })));
    let Some(StreamNode::Account { account, .. }) = next() else { panic!("no account") };
    let numbers = &[0x80, 0x82, 0x0d, 0xe0];
    assert_eq!(account, Account { numbers, storage: Storage::Empty, code: Code::Empty });
    assert_eq!((next(), next()), (None, None));
}

/// Every node but the root saves its hash in its parent.
#[test]
fn stream_length_is_sum_of_lengths_alone() {
    let (_, nodes, root) = known();
    let places = [(0, false), (1, false), (1, false), (0, true), (1, true), (2, true), (2, true)];
    let alone = |(node, (depth, in_storage)): (&Bytes, _)| LengthAlone::of(node, depth, in_storage);
    let alone: Vec<_> = nodes.iter().zip(places).map(alone).collect();
    // Parents come first, so every prefix of the nodes is connected.
    for count in 1..=nodes.len() {
        let length = |codes: &[Bytes]| {
            let nodes = ByteLists::from(&nodes[..count]);
            compact(root, nodes, codes.into()).unwrap().len()
        };
        let sum = |of: fn(&LengthAlone) -> usize| {
            4 + alone[..count].iter().map(of).sum::<usize>() - LengthAlone::HASH * (count - 1)
        };
        // With the code of the account in the witness, and without it.
        assert_eq!(sum(|alone| alone.minimum), length(&known_codes()), "{count}");
        assert_eq!(sum(|alone| alone.maximum), length(&[]), "{count}");
    }
    let none = LengthAlone::of(&[0x80; 40], 0, false);
    assert_eq!(none, LengthAlone { minimum: 40, maximum: 40 });
}

#[test]
fn unreachable_node_is_an_error() {
    let (_, nodes, root) = known();
    let codes = known_codes();
    let of = |nodes: &[Bytes]| compact(root, nodes.into(), (&codes).into());
    assert!(of(&nodes).is_ok());
    let foreign = Bytes::from_static(&[0xc8; 40]);
    let with = [&nodes[..], std::slice::from_ref(&foreign)].concat();
    let lost = DecodeError::Unreachable { hash: keccak256(&foreign), reached: 7, nodes: 8 };
    assert_eq!(of(&with), Err(lost));
    // Without the branch of the storage trie, its slots are unreachable.
    let without = [&nodes[..4], &nodes[5..]].concat();
    assert!(matches!(of(&without), Err(DecodeError::Unreachable { reached: 4, nodes: 6, .. })));
    // Without the slots, the branch contains their hashes.
    assert!(of(&nodes[..5]).is_ok());
    assert!(matches!(of(&nodes[1..]), Err(DecodeError::Unreachable { reached: 0, .. })));
    assert_eq!(of(&[]), Ok(vec![0; 4]));
}

#[test]
fn extension_path_has_at_most_63_nibbles() {
    let extension = |path: &[u8]| {
        let path = [&[0x80 + path.len() as u8], path].concat();
        let payload = [&path[..], &[0xa0], &[0x22; 32]].concat();
        Bytes::from([&[0xf8, payload.len() as u8][..], &payload].concat())
    };
    let of = |node: &Bytes| {
        let nodes = [node.clone()];
        compact(keccak256(node), (&nodes[..]).into(), ByteLists::EMPTY)
    };
    // 63 nibbles, and 64.
    let (longest, too_long) =
        (extension(&[0x11; 32]), extension(&[&[0x00], &[0x11; 32][..]].concat()));
    let stream = of(&longest).unwrap();
    assert!(CompactState::decode(&stream, 0).unwrap().expanded_len() >= longest.len());
    let refused = of(&too_long).unwrap_err().to_string();
    assert!(refused.contains("a path does not fit the key"), "{refused}");
}

#[test]
fn expanded_len_assumes_longest_rlp_headers() {
    let bound = |nodes, parts: &[&[u8]]| {
        CompactState::decode(&state(nodes, parts), CODES).unwrap().expanded_len()
    };
    let (hash, path) = ([0x22; 32], 34);
    assert_eq!(bound(1, &[&branch(0, 0xffff)]), 3 + 16 * 33 + 1);
    // The path of an extension by 62 nibbles takes one byte less than that of a leaf.
    assert_eq!(bound(1, &[&[0x02, 62], &[0x11; 31], &hash]), 2 + 33 + 33);
    let (nonce, balance) = ([&[0x88][..], &[1; 8]].concat(), [&[0xa0][..], &[1; 32]].concat());
    let account_of = |tag, hashes: &[&[u8]]| account(tag, &[&[&*nonce, &balance], hashes].concat());
    let length = 2 + path + 2 + (2 + 9 + 33 + 2 * 33);
    assert_eq!(bound(1, &[&account_of(0x15, &[&hash, &hash])]), length);
    assert_eq!(bound(1, &[&account_of(0x10, &[])]), length);
    let slot = [&[0x03][..], &[0x11; 32], &balance].concat();
    assert_eq!(bound(2, &[&account_of(0x18, &[]), &slot]), length + 2 + path + 1 + 33);
}

#[test]
fn invalid_trie_nodes_cannot_be_encoded() {
    for (node, reason) in [
        (&[0x80; 40][..], "not an RLP list"),
        (&[0xc3, 1, 2, 3], "neither two items nor a branch without a value"),
        (&[0xc2, 0x60, 0x01], "a path is not in hex prefix form"),
        (&[0xc2, 0x31, 0x01], "a path does not fit the key"),
        (&[0xc2, 0x11, 0x05], "a child is neither a hash nor an embedded node"),
        (&[0xc2, 0x11, 0x80], "an extension without a child"),
    ] {
        let nodes = [Bytes::copy_from_slice(node)];
        let refused = compact(keccak256(node), (&nodes[..]).into(), ByteLists::EMPTY).unwrap_err();
        assert_eq!(refused, DecodeError::TrieNode { index: 1, reason });
    }
}

#[test]
fn code_references_must_be_in_witness() {
    let (state, _, _) = known();
    let codes = known_codes();
    let with = |codes: &[Bytes]| BatchWitness::new(&state, codes.into(), ByteLists::EMPTY).is_ok();
    assert!(with(&codes));
    assert!(!with(&codes[..1]));
}
