//! Conversion of raw blocks to stateless inputs without loss of fields.

use super::samples::{BlockParts, blob_hashes, header, transactions, withdrawals};
use alloy_consensus::Header;
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{B64, B256, Bloom, Bytes, keccak256};
use enshrine_codec::{OwnedWitness, RawBlock, withdrawal_record};
use wire::{ExecutionRequests, ProtocolFork, Records, StatelessInput};

fn witness() -> OwnedWitness {
    OwnedWitness {
        state: vec![Bytes::from_static(b"node")],
        codes: vec![Bytes::from_static(b"code")],
        headers: vec![Bytes::from_static(b"older"), Bytes::from_static(b"parent")],
    }
}

/// Deposits and consolidations; the lists between and after them are empty.
fn requests() -> [Bytes; 2] {
    let deposit: Vec<u8> = [vec![0], vec![0xd0; 192]].concat();
    let consolidation: Vec<u8> = [vec![2], vec![0xc0; 116]].concat();
    [deposit.into(), consolidation.into()]
}

/// Builds the header from the fields of a decoded input. Fields that a payload does not contain are
/// taken from `original`.
fn header_of(input: &StatelessInput<'_>, original: &Header) -> Header {
    let payload = &input.request.payload;
    let since = |fork| input.fork >= fork;
    Header {
        parent_hash: payload.parent_hash,
        ommers_hash: alloy_consensus::EMPTY_OMMER_ROOT_HASH,
        beneficiary: payload.fee_recipient,
        state_root: payload.state_root,
        transactions_root: original.transactions_root,
        receipts_root: payload.receipts_root,
        logs_bloom: Bloom::new(*payload.logs_bloom),
        difficulty: Default::default(),
        number: payload.block_number,
        gas_limit: payload.gas_limit,
        gas_used: payload.gas_used,
        timestamp: payload.timestamp,
        extra_data: Bytes::copy_from_slice(payload.extra_data),
        mix_hash: payload.prev_randao,
        nonce: B64::ZERO,
        base_fee_per_gas: Some(payload.base_fee_per_gas.to()),
        withdrawals_root: original.withdrawals_root,
        blob_gas_used: since(ProtocolFork::Cancun).then_some(payload.blob_gas_used),
        excess_blob_gas: since(ProtocolFork::Cancun).then_some(payload.excess_blob_gas),
        parent_beacon_block_root: since(ProtocolFork::Cancun)
            .then_some(input.request.parent_beacon_block_root),
        requests_hash: original.requests_hash,
        block_access_list_hash: original.block_access_list_hash,
        slot_number: since(ProtocolFork::Amsterdam).then_some(payload.slot_number),
    }
}

#[test]
fn blocks_of_every_fork_keep_all_fields() {
    for fork in ProtocolFork::ALL {
        let header = header(fork, 17);
        let rlp = BlockParts::new(&header, &transactions()).rlp();
        let block = RawBlock::decode(&rlp).unwrap();
        assert_eq!(block.header, header, "{fork}");
        assert_eq!(block.hash, header.hash_slow(), "{fork}");

        let requests = requests();
        let access_list = if fork >= ProtocolFork::Amsterdam { &b"\xc1\xc0"[..] } else { &[] };
        let bytes = block.to_input(fork, 1234, &witness(), &requests, access_list).unwrap();
        let input = StatelessInput::decode(&bytes).unwrap();
        assert_eq!((input.fork, input.chain_id), (fork, 1234));
        assert_eq!(header_of(&input, &header), header, "{fork}");
        assert_eq!(header_of(&input, &header).hash_slow(), input.request.payload.block_hash);
        assert_eq!(input.witness, witness().view(), "{fork}");
        assert_eq!(input.request.payload.block_access_list, access_list, "{fork}");

        let expected_requests = if fork >= ProtocolFork::Prague {
            enshrine_codec::requests_from_typed(&requests).unwrap()
        } else {
            ExecutionRequests::default()
        };
        assert_eq!(input.request.execution_requests, expected_requests, "{fork}");

        let records: Vec<_> = if fork >= ProtocolFork::Shanghai {
            withdrawals().into_iter().map(withdrawal_record).collect()
        } else {
            Vec::new()
        };
        assert_eq!(input.request.payload.withdrawals, Records::new(&records), "{fork}");
    }
}

#[test]
fn payload_transactions_are_eip_2718_encoded() {
    let sent = transactions();
    let types: Vec<u8> = sent.iter().map(|transaction| transaction.tx_type().into()).collect();
    assert_eq!(types, [0, 0, 1, 3, 2, 4, 3]);

    let rlp = BlockParts::new(&header(ProtocolFork::Osaka, 17), &sent).rlp();
    let bytes = RawBlock::decode(&rlp)
        .unwrap()
        .to_input(ProtocolFork::Osaka, 1, &witness(), &[], &[])
        .unwrap();
    let input = StatelessInput::decode(&bytes).unwrap();
    let got: Vec<_> = input.request.payload.transactions.iter().collect();
    assert_eq!(got.len(), sent.len());
    for (got, sent) in got.into_iter().zip(&sent) {
        assert_eq!(got, sent.encoded_2718());
        assert_eq!(keccak256(got), *sent.tx_hash());
        // A legacy transaction is the RLP list itself; a typed one begins with its type.
        let as_expected =
            if sent.is_legacy() { got[0] >= 0xc0 } else { got[0] == u8::from(sent.tx_type()) };
        assert!(as_expected, "{:#04x}", got[0]);
    }
}

#[test]
fn blob_hashes_are_collected_in_order() {
    let rlp = BlockParts::new(&header(ProtocolFork::Cancun, 17), &transactions()).rlp();
    let block = RawBlock::decode(&rlp).unwrap();
    assert_eq!(block.versioned_hashes, blob_hashes().map(|hash| hash.0));

    let bytes = block.to_input(ProtocolFork::Cancun, 1, &witness(), &[], &[]).unwrap();
    let input = StatelessInput::decode(&bytes).unwrap();
    let got: Vec<B256> = input.request.versioned_hashes.iter().map(|hash| hash.into()).collect();
    assert_eq!(got, blob_hashes());

    let mut others = transactions();
    others.retain(|transaction| !transaction.is_eip4844());
    let rlp = BlockParts::new(&header(ProtocolFork::Cancun, 17), &others).rlp();
    assert!(RawBlock::decode(&rlp).unwrap().versioned_hashes.is_empty());
}

#[test]
fn hash_is_that_of_encoded_header() {
    let header = header(ProtocolFork::Prague, 17);
    let parts = BlockParts::new(&header, &[]);
    assert_eq!(RawBlock::decode(&parts.rlp()).unwrap().hash, keccak256(&parts.header));
}

#[test]
fn missing_withdrawals_differ_from_empty_list() {
    let mut parts = BlockParts::new(&header(ProtocolFork::Shanghai, 17), &[]);
    parts.withdrawals = Some(Vec::new());
    assert_eq!(RawBlock::decode(&parts.rlp()).unwrap().withdrawals, Some(Vec::new()));
    parts.withdrawals = None;
    assert_eq!(RawBlock::decode(&parts.rlp()).unwrap().withdrawals, None);
}
