//! Fields of a header in each fork.

use alloy_primitives::{Address, B256, U256, keccak256};
use enshrine_stateless::header_of;
use wire::{
    ByteLists, ExecutionPayload, ExecutionRequests, NewPayloadRequest, PayloadShape, ProtocolFork,
    Records,
};

fn request(fork: ProtocolFork) -> NewPayloadRequest<'static> {
    let payload = ExecutionPayload {
        shape: PayloadShape::of(fork),
        parent_hash: B256::repeat_byte(1),
        fee_recipient: Address::repeat_byte(2),
        state_root: B256::repeat_byte(3),
        receipts_root: B256::repeat_byte(4),
        logs_bloom: &[5; 256],
        prev_randao: B256::repeat_byte(6),
        block_number: 7,
        gas_limit: 8,
        gas_used: 9,
        timestamp: 10,
        extra_data: &[11],
        base_fee_per_gas: U256::from(12),
        block_hash: B256::repeat_byte(13),
        transactions: ByteLists::EMPTY,
        withdrawals: Records::EMPTY,
        blob_gas_used: 14,
        excess_blob_gas: 15,
        block_access_list: &[16],
        slot_number: 17,
    };
    NewPayloadRequest {
        payload,
        versioned_hashes: Records::EMPTY,
        parent_beacon_block_root: B256::repeat_byte(18),
        execution_requests: ExecutionRequests::default(),
    }
}

#[test]
fn header_has_exactly_the_fields_of_its_fork() {
    for fork in ProtocolFork::ALL {
        let header = header_of(&request(fork), fork).unwrap();
        assert_eq!((header.number, header.gas_used, header.base_fee_per_gas), (7, 9, Some(12)));
        let since = |first| fork >= first;
        let (shanghai, cancun) = (since(ProtocolFork::Shanghai), since(ProtocolFork::Cancun));
        let amsterdam = since(ProtocolFork::Amsterdam);
        assert_eq!(header.withdrawals_root.is_some(), shanghai, "{fork}");
        assert_eq!(header.blob_gas_used, cancun.then_some(14), "{fork}");
        assert_eq!(header.excess_blob_gas, cancun.then_some(15), "{fork}");
        let beacon_root = cancun.then_some(B256::repeat_byte(18));
        assert_eq!(header.parent_beacon_block_root, beacon_root, "{fork}");
        let requests = ExecutionRequests::default().requests_hash();
        let has_requests = since(ProtocolFork::Prague);
        assert_eq!(header.requests_hash, has_requests.then_some(requests), "{fork}");
        let access_list = amsterdam.then(|| keccak256([16]));
        assert_eq!(header.block_access_list_hash, access_list, "{fork}");
        assert_eq!(header.slot_number, amsterdam.then_some(17), "{fork}");
    }
}

#[test]
fn base_fee_beyond_64_bits_yields_no_header() {
    let fork = ProtocolFork::Osaka;
    let of = |base_fee| {
        let mut request = request(fork);
        request.payload.base_fee_per_gas = base_fee;
        header_of(&request, fork).map(|header| header.base_fee_per_gas)
    };
    let maximum = U256::from(u64::MAX);
    assert_eq!(of(maximum), Some(Some(u64::MAX)));
    assert_eq!(of(maximum + U256::ONE), None);
}
