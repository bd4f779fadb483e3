//! Known answers: bytes and roots that the specification and independent encoders publish.

use crate::support::{KnownAnswer, minimal, with_one_of_everything, with_public_keys};
use alloy_primitives::{B256, U256, b256, hex};
use enshrine_codec::{Encode as _, RootConvention, fork_of_name, parse_fork};
use sha2::{Digest, Sha256};
use wire::{
    DecodeError, ExecutionRequests, ProtocolFork, Records, SchemaId, StatelessInput,
    StatelessResult, layout,
};

fn sha256(bytes: &[u8]) -> B256 {
    B256::from_slice(&Sha256::digest(bytes))
}

fn roots(input: &StatelessInput<'_>) -> [B256; 2] {
    [RootConvention::ExecutionSpecs, RootConvention::ConsensusSpecs]
        .map(|convention| enshrine_codec::hash_tree_root(&input.request, input.fork, convention))
}

#[test]
fn specification_known_answer_matches_bytes_and_roots() {
    KnownAnswer::new().with(|input| {
        let bytes = input.encode();
        assert_eq!(bytes.len(), 2938);
        assert_eq!(
            sha256(&bytes),
            b256!("6fda0f5d749cc2794ed04dd48fbff55439061c964bfc2c7672191e6c1b928710")
        );
        assert_eq!(
            roots(&input),
            [
                b256!("71d67022e2df6fc9b757f8c4614f1da20c993efe8595a715829093c431b3f4eb"),
                b256!("43afdcfa2792c3fb237ddbf271fc3675e3dc06ec37283f7f6956c2da6e917dd7"),
            ]
        );
        assert_eq!(StatelessInput::decode(&bytes), Ok(input));
    });
}

/// Roots before Amsterdam, from independent implementations: for the execution-specs convention,
/// the payload and execution-request roots that paradigmxyz/stateless publishes; for the
/// consensus-specs convention, the roots of whole requests computed with remerkleable.
#[test]
fn requests_before_amsterdam_match_published_roots() {
    let hash_pair = |left: B256, right: B256| sha256(&[left.0, right.0].concat());
    let hashes =
        hash_pair(hash_pair(B256::repeat_byte(9), B256::ZERO), B256::new(U256::ONE.to_le_bytes()));
    let anchor = B256::repeat_byte(10);
    let payload = b256!("b9ccbb429059770fb1c3796aa98dc5d5df321b6226d46ed14203cfe8df186834");
    let requests = b256!("56dff976fcc8547491480bb0c68c391852c66410c1768707a851c5038047b78f");
    let head = hash_pair(payload, hashes);
    let electra = [
        hash_pair(head, hash_pair(anchor, requests)),
        b256!("cda48ee1373f683926074149d324020bbb0419b9ec4b3095f6ff4180945fa781"),
    ];
    for (fork, expected) in [
        (
            ProtocolFork::Paris,
            [
                b256!("7607fcf862b0f219726ad51d8651d49a9bbbe12fb62edaacd399c25db92b8d77"),
                b256!("138736b08541df6a7eb8870b6c13c247aa980a9be749cacf587d5e99cb909d6c"),
            ],
        ),
        (
            ProtocolFork::Shanghai,
            [
                b256!("2e3ce606be3d7aa667c2babf22196711f68b45bea6716c6446ec5dce4bd39449"),
                b256!("cc618e0cf37a331a26996ff1ff4a9c080f9370c6146c4453f88a780d128652c6"),
            ],
        ),
        (
            ProtocolFork::Cancun,
            [
                hash_pair(head, hash_pair(anchor, B256::ZERO)),
                b256!("873a51b73f2acf48edd11ff04fe29d1d5571fae3a94c1cde46124a4e9bb86f83"),
            ],
        ),
        (ProtocolFork::Prague, electra),
        (ProtocolFork::Osaka, electra),
        (ProtocolFork::Bpo1, electra),
        (ProtocolFork::Bpo2, electra),
    ] {
        with_one_of_everything(fork, |input| {
            assert_eq!(roots(&input), expected, "{fork}");
            assert_eq!(StatelessInput::decode(&input.encode()), Ok(input), "{fork}");
        });
    }
}

#[test]
fn empty_block_root_is_independent_of_fork() {
    let of = |fork| roots(&minimal(fork));
    assert_eq!(of(ProtocolFork::Prague), of(ProtocolFork::Bpo2));
    let [progressive, bounded] = of(ProtocolFork::Bpo2);
    assert_ne!(progressive, bounded);
    assert_ne!(of(ProtocolFork::Bpo2)[0], of(ProtocolFork::Amsterdam)[0]);
}

#[test]
fn known_answer_in_dialect_3_is_named() {
    let known = KnownAnswer::new();
    let bytes = known.with(|input| with_public_keys(&input.encode(), &known.public_keys));
    assert_eq!(bytes.len(), 3072);
    assert_eq!(
        sha256(&bytes),
        b256!("b7d516d24d8bde7426cae58f22b04fd7e824353eccc30bba9592487bcf4e55ec")
    );
    let error = StatelessInput::decode(&bytes).unwrap_err();
    assert!(matches!(error, DecodeError::OlderDialect { surplus: "public keys", .. }), "{error}");
}

#[test]
fn minimal_input_matches_bytes_and_roots() {
    let input = minimal(ProtocolFork::Amsterdam);
    let bytes = input.encode();
    assert_eq!(bytes.len(), 634);
    assert_eq!(
        sha256(&bytes),
        b256!("af012cace55e39a641349bf6816d16166e9d6abbaaadb4fa29bd99897a4305b3")
    );
    assert_eq!(
        roots(&input),
        [
            b256!("cca779c029f4949b1ea16dac12992ec091b3a26d9a2605c8902cbf03efbabdf4"),
            b256!("407fe02f3a194ee97a014ed01b003f43a46fed2aeca6bcc5642ff093059e6e55"),
        ]
    );
    assert_eq!(StatelessInput::decode(&bytes), Ok(input));
}

#[test]
fn minimal_input_in_dialect_3_is_named() {
    let bytes = with_public_keys(&minimal(ProtocolFork::Amsterdam).encode(), &[]);
    assert_eq!(bytes.len(), 638);
    let error = StatelessInput::decode(&bytes).unwrap_err();
    assert!(matches!(error, DecodeError::OlderDialect { surplus: "public keys", .. }), "{error}");
}

#[test]
fn dialect_is_recognised_from_fixed_part_alone() {
    let schema = ProtocolFork::Amsterdam.schema().to_be_bytes();
    let of = |first: u8, len: usize| {
        let body = [&[first][..], &[0; 15]].concat();
        StatelessInput::decode(&[&schema[..], &body[..len]].concat()).unwrap_err()
    };
    let fixed = layout::input::FIXED;
    assert!(matches!(of(20, fixed), DecodeError::OlderDialect { surplus: "public keys", .. }));
    assert!(matches!(of(16, fixed), DecodeError::OffsetOrder { index: 1, got: 0, .. }));
    assert!(matches!(of(20, fixed - 1), DecodeError::TooShort { got: 15, expected: 16, .. }));
}

#[test]
fn dialects_0_and_1_are_named() {
    let good = minimal(ProtocolFork::Amsterdam).encode();

    let mut dialect_0 = good.clone();
    dialect_0[..2].copy_from_slice(&[0x00, 0x01]);
    let error = StatelessInput::decode(&dialect_0).unwrap_err();
    assert!(error.to_string().contains("dialect 0"), "{error}");

    // Four offsets: request, witness, chain configuration, public keys.
    let end = u32::try_from(good.len() - 2).unwrap();
    let mut dialect_1 = good.clone();
    dialect_1[10..14].copy_from_slice(&end.to_le_bytes());
    dialect_1.extend([0; 20]);
    dialect_1[14..18].copy_from_slice(&(end + 20).to_le_bytes());
    let error = StatelessInput::decode(&dialect_1).unwrap_err();
    assert!(error.to_string().contains("dialect 1"), "{error}");

    // Only offsets that ascend within the body are recognised as dialect 1, in which the chain
    // configuration and the public keys may be empty.
    let with = |witness: u32, config: u32, keys: u32| {
        let mut other = dialect_1.clone();
        for (place, offset) in [(6, witness), (10, config), (14, keys)] {
            other[place..place + 4].copy_from_slice(&offset.to_le_bytes());
        }
        StatelessInput::decode(&other).unwrap_err().to_string().contains("dialect 1")
    };
    let witness = u32::from_le_bytes(good[6..10].try_into().unwrap());
    assert!(with(witness, end, end));
    assert!(with(17, end, end + 20));
    assert!(!with(16, end, end + 20));
    assert!(!with(end, end, end + 20));
    assert!(!with(witness, end + 1, end));
    assert!(!with(witness, end, end + 21));

    // With an ordinary chain id, the same trailing bytes are not recognised as a dialect.
    let mut trailing = good.clone();
    trailing.extend([0; 20]);
    let error = StatelessInput::decode(&trailing).unwrap_err();
    assert!(!matches!(error, DecodeError::OlderDialect { .. }), "{error}");
    assert!(StatelessInput::decode(&good).is_ok());
}

#[test]
fn result_has_43_bytes_and_little_endian_schema() {
    let input = minimal(ProtocolFork::Amsterdam);
    let result = StatelessResult {
        request_root: input.request.hash_tree_root(input.fork),
        valid: true,
        chain_id: 1,
        schema: SchemaId::AMSTERDAM,
    };
    let bytes = result.encode();
    assert_eq!(bytes[..32], result.request_root[..]);
    assert_eq!(bytes[32..], hex!("01 0100000000000000 0115"));
    assert_eq!(StatelessResult::decode(&bytes), Ok(result));
    assert!(StatelessResult::decode(&bytes[..42]).is_err());
    assert!(StatelessResult::decode(&[&bytes[..], &[0]].concat()).is_err());
    let mut flag = bytes;
    flag[32] = 0;
    assert_eq!(StatelessResult::decode(&flag), Ok(StatelessResult { valid: false, ..result }));
    flag[32] = 2;
    assert!(StatelessResult::decode(&flag).is_err());
}

#[test]
fn schema_ids_put_the_fork_before_the_revision() {
    let ids: Vec<_> = ProtocolFork::ALL.iter().map(|fork| fork.schema().get()).collect();
    assert_eq!(ids, [0x0e01, 0x0f01, 0x1001, 0x1101, 0x1201, 0x1301, 0x1401, 0x1501]);
    for fork in ProtocolFork::ALL {
        assert_eq!(fork.schema().fork(), Some(fork));
        assert_eq!(fork_of_name(fork.name()), Some(fork));
        for text in [fork.name().to_uppercase(), fork.schema().to_string()] {
            assert_eq!(parse_fork(&text), Ok(fork));
        }
    }
    assert_eq!(SchemaId::new(0x1502).fork(), None);
    assert_eq!(SchemaId::new(0x1601).fork(), None);
    assert_eq!(parse_fork("1201"), Ok(ProtocolFork::Osaka));
    assert_eq!(parse_fork("0e01"), Ok(ProtocolFork::Paris));
    // Ids of a batch and of unknown forks, and notations that other number parsers accept.
    for text in
        ["0x12ba", "0x1601", "0x01201", "+1201", "+e01", "0x+e01", "4609", "", "0x", "london"]
    {
        let refused = parse_fork(text).unwrap_err().to_string();
        assert!(refused.contains("write paris") && refused.contains("0x1201"), "{refused}");
    }
}

#[test]
fn empty_requests_have_eip_7685_hash() {
    assert_eq!(
        ExecutionRequests::default().requests_hash(),
        b256!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    );
}

#[test]
fn requests_hash_includes_type_bytes() -> Result<(), DecodeError> {
    let (deposit, withdrawal, consolidation) = ([1; 192], [2; 76], [3; 116]);
    let (builder_deposit, builder_exit) = ([4; 184], [5; 68]);
    let all = ExecutionRequests {
        deposits: Records::from_bytes("deposits", &deposit)?,
        withdrawals: Records::from_bytes("withdrawals", &withdrawal)?,
        consolidations: Records::from_bytes("consolidations", &consolidation)?,
        builder_deposits: Records::from_bytes("builder deposits", &builder_deposit)?,
        builder_exits: Records::from_bytes("builder exits", &builder_exit)?,
    };
    let parts: [&[u8]; 5] =
        [&deposit, &withdrawal, &consolidation, &builder_deposit, &builder_exit];
    let hashes: Vec<B256> =
        (0..).zip(parts).map(|(kind, part)| sha256(&[&[kind], part].concat())).collect();
    assert_eq!(all.requests_hash(), sha256(hashes.concat().as_slice()));
    Ok(())
}
