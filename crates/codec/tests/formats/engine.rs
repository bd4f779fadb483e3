//! Bodies of the Engine API over REST: the bytes of the proposal, and strict decoding.

use alloy_primitives::{B256, Bytes, hex};
use enshrine_codec::Encode as _;
use enshrine_codec::{
    OwnedWitness, PayloadEnvelope, PayloadStatus, PayloadStatusWithWitness, PayloadVerdict,
};
use eyre::Result;
use wire::{ProtocolFork, StatelessInput};

/// The statuses are the worked examples of the proposal.
#[test]
fn status_matches_bytes_of_proposal() -> Result<()> {
    let hash = B256::repeat_byte(0xab);
    let valid = PayloadStatus::valid(hash);
    let bytes = [&hex!("00 09000000 29000000")[..], hash.as_slice()].concat();
    assert_eq!(valid.encode(), bytes);
    assert_eq!(bytes.len(), 41);
    assert_eq!(PayloadStatus::decode(&bytes)?, valid);

    let invalid = PayloadStatus::invalid(None, "bad state root".to_owned());
    let bytes = [&hex!("01 09000000 09000000 04000000")[..], b"bad state root".as_slice()].concat();
    assert_eq!(invalid.encode(), bytes);
    assert_eq!(bytes.len(), 27);
    assert_eq!(PayloadStatus::decode(&bytes)?, invalid);
    Ok(())
}

#[test]
fn malformed_status_is_rejected() {
    let decode = |bytes: &[u8]| PayloadStatus::decode(bytes);
    let none = hex!("03 09000000 09000000");
    assert_eq!(decode(&none).unwrap().status, PayloadVerdict::Accepted);
    assert!(decode(&hex!("04 09000000 09000000")).is_err(), "no such verdict");
    assert!(decode(&hex!("03 08000000 09000000")).is_err(), "an offset into the fixed part");
    assert!(decode(&none[..8]).is_err(), "too short");
    assert!(decode(&[&none[..], &[0]].concat()).is_err(), "an error that is no list");
    let hash = |length: usize| {
        let mut bytes = hex!("00 09000000 00000000").to_vec();
        bytes[5] = 9 + u8::try_from(length).unwrap();
        bytes.resize(9 + length, 7);
        bytes
    };
    assert!(decode(&hash(32)).is_ok());
    assert!(decode(&hash(31)).is_err());
    let error = |text: &[u8]| [&hex!("01 09000000 09000000 04000000")[..], text].concat();
    assert!(decode(&error(&[b'a'; 1_024])).is_ok());
    assert!(decode(&error(&[b'a'; 1_025])).is_err());
    assert!(decode(&error(&[0xff])).is_err(), "no UTF-8");
}

#[test]
fn validation_error_is_cut_at_character_boundary() {
    let long = PayloadStatus::invalid(None, format!("a{}", "ü".repeat(600)));
    let short = PayloadStatus::decode(&long.encode()).unwrap().validation_error.unwrap();
    assert_eq!(short, format!("a{}", "ü".repeat(511)));
}

#[test]
fn status_roundtrips_with_and_without_witness() -> Result<()> {
    let witness = OwnedWitness {
        state: vec![Bytes::from_static(&[1, 2]), Bytes::from_static(&[3])],
        codes: vec![],
        headers: vec![Bytes::from_static(&[4])],
    };
    let with = PayloadStatusWithWitness {
        status: PayloadStatus::valid(B256::ZERO),
        witness: Some(witness),
        public_keys: vec![[4; 65], [5; 65]],
    };
    assert_eq!(PayloadStatusWithWitness::decode(&with.encode())?, with);
    let without = PayloadStatusWithWitness {
        status: PayloadStatus::syncing(),
        witness: None,
        public_keys: vec![],
    };
    let bytes = without.encode();
    assert_eq!(bytes, hex!("0c000000 15000000 15000000 02 09000000 09000000"));
    assert_eq!(PayloadStatusWithWitness::decode(&bytes)?, without);
    // The older form without public keys.
    let older = hex!("08000000 11000000 02 09000000 09000000");
    assert_eq!(PayloadStatusWithWitness::decode(&older)?, without);
    let mut torn = with.encode();
    torn.pop();
    assert!(PayloadStatusWithWitness::decode(&torn).is_err());
    assert!(PayloadStatusWithWitness::decode(&[]).is_err());
    Ok(())
}

#[test]
fn envelope_converts_to_execute_request() -> Result<()> {
    for fork in [ProtocolFork::Cancun, ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let input = empty_input(fork);
        let input = StatelessInput::decode(&input)?;
        let (_, typed) = input.request.execution_requests.typed()[1];
        let request = [&[1][..], typed].concat();
        let requests: Vec<&[u8]> = if typed.is_empty() { vec![] } else { vec![&request] };
        let envelope = PayloadEnvelope {
            payload: input.request.payload.clone(),
            parent_beacon_block_root: input.request.parent_beacon_block_root,
            execution_requests: requests[..].into(),
        };
        let bytes = envelope.encode(fork);
        let decoded = PayloadEnvelope::decode(&bytes, fork)?;
        assert_eq!(decoded, envelope);
        let execution_requests: Vec<&[u8]> = decoded.execution_requests.iter().collect();
        assert_eq!(decoded.request(&execution_requests, &[])?, input.request, "{fork}");
        // The last execution request ends with the bytes, so a cut within it is not detected.
        let needed = bytes.len() - envelope.execution_requests.total_bytes() - 4 * requests.len();
        for length in 0..needed {
            assert!(PayloadEnvelope::decode(&bytes[..length], fork).is_err(), "{fork}: {length}");
        }
    }
    Ok(())
}

/// The input of a block without transactions; from Prague on, the block has a withdrawal request.
fn empty_input(fork: ProtocolFork) -> Vec<u8> {
    use wire::{
        ByteLists, ExecutionPayload, ExecutionRequests, ExecutionWitness, NewPayloadRequest,
        PayloadShape, Records,
    };
    let records = [[9; 76]];
    let mut execution_requests = ExecutionRequests::default();
    if fork == ProtocolFork::Osaka {
        execution_requests.withdrawals = Records::new(&records);
    }
    let payload = ExecutionPayload {
        shape: PayloadShape::of(fork),
        parent_hash: B256::repeat_byte(1),
        fee_recipient: Default::default(),
        state_root: B256::repeat_byte(2),
        receipts_root: B256::repeat_byte(3),
        logs_bloom: &[0; 256],
        prev_randao: B256::ZERO,
        block_number: 7,
        gas_limit: 8,
        gas_used: 0,
        timestamp: 9,
        extra_data: b"x",
        base_fee_per_gas: Default::default(),
        block_hash: B256::repeat_byte(4),
        transactions: ByteLists::EMPTY,
        withdrawals: Records::EMPTY,
        blob_gas_used: 0,
        excess_blob_gas: 0,
        block_access_list: if fork == ProtocolFork::Amsterdam { &[0xc0] } else { &[] },
        slot_number: u64::from(fork == ProtocolFork::Amsterdam),
    };
    let request = NewPayloadRequest {
        payload,
        versioned_hashes: Records::EMPTY,
        parent_beacon_block_root: B256::repeat_byte(5),
        execution_requests,
    };
    StatelessInput { fork, request, witness: ExecutionWitness::EMPTY, chain_id: 1 }.encode()
}

#[test]
fn geth_witness_roundtrips() -> Result<()> {
    let header = |number: u64| {
        let header = alloy_consensus::Header { number, ..Default::default() };
        Bytes::from(alloy_rlp::encode(&header))
    };
    let witness = OwnedWitness {
        state: vec![Bytes::from_static(&[1, 2]), Bytes::from_static(&[3])],
        codes: vec![Bytes::from_static(&[0xfe])],
        headers: vec![header(6), header(7)],
    };
    let rlp = witness.to_geth_rlp();
    assert_eq!(OwnedWitness::from_geth_rlp(&rlp)?, witness);
    // geth lists the parent first.
    let parent = rlp.windows(header(7).len()).position(|part| part == &header(7)[..]);
    let grandparent = rlp.windows(header(6).len()).position(|part| part == &header(6)[..]);
    assert!(parent < grandparent);
    Ok(())
}
