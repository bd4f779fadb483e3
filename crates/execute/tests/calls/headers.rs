//! Answers with the headers of the verified blocks: they hash to the block hashes of the input, and
//! verdict and price are those of the call without them.

use crate::support::{
    host::{CALL, CallResult, Host, WARM_CALL},
    l2::{L2, call, resealed},
};
use alloy_consensus::Header;
use alloy_primitives::{Address, B64, B256, Bloom, Bytes, U256, keccak256};
use chain::{BlockAttributes, Chain, ChainConfig};
use enshrine_execute::{
    Answer, Dialect, EXECUTE_ADDRESS, Execute, ExecuteError, ExecutionSpecs, InternalError,
    PrecompileCall,
};
use executor::ChainSpec;
use std::sync::Arc;
use testkit::{Blobs, Key, Random, mutations, mutations_of_batch, rich_genesis};
use variants::{
    BlobSource, BlobTail, DialectCall, DialectName, Dialects, ExecuteExtension, Headers,
    NESTED_REVISION, Nested,
};
use wire::{Input, ProtocolFork, SchemaId, StatelessResult};

const PLENTY: u64 = 50_000_000;

/// Forks that differ in the items of their headers or only in blob parameters.
fn forks() -> impl Iterator<Item = ProtocolFork> {
    ProtocolFork::ALL.into_iter().filter(|fork| *fork >= ProtocolFork::Cancun)
}

/// Returns the headers of a chain with this many transfers in each block, and the inputs of its
/// last block and of a batch of all blocks.
fn chain_of(fork: ProtocolFork, transfers: &[u64]) -> (Vec<Header>, Vec<u8>, Vec<u8>) {
    let (blocks, batch) = L2::new(fork).batch(transfers);
    let last = blocks.last().unwrap().input().unwrap();
    (blocks.into_iter().map(|new| new.block.header).collect(), last, batch)
}

/// Makes a call in a dialect, next to `beside`.
fn answer(
    execute: &Execute,
    dialect: DialectName,
    beside: &[DialectName],
    call: &DialectCall,
) -> Result<Answer, ExecuteError> {
    let held = Blobs::default();
    let hashes: Vec<_> = call.blobs.iter().map(|blob| held.keep(blob).unwrap()).collect();
    let source: Arc<dyn BlobSource> = Arc::new(held);
    let all = [&[dialect], beside].concat();
    let execute = Dialects::usual(&all).of(execute.clone(), &source);
    let own = execute.dialects.iter().find(|known| known.address() == dialect.address()).unwrap();
    let call = PrecompileCall { calldata: &call.calldata, blob_hashes: &hashes };
    execute.answer(&**own, call, PLENTY)
}

/// Makes a call with the input in calldata.
fn ask(execute: &Execute, input: &[u8]) -> Result<Answer, ExecuteError> {
    let call = DialectCall { calldata: input.to_vec(), blobs: Vec::new() };
    answer(execute, DialectName::Headers, &[], &call)
}

#[test]
fn returned_headers_hash_to_block_hashes() {
    for fork in forks() {
        let (built, single, batch) = chain_of(fork, &[2, 0, 3]);
        let execute = Execute::on(fork);
        for (input, built) in [(&single, &built[2..]), (&batch, &built[..])] {
            let Answer { gas, output } = ask(&execute, input).unwrap();
            let plain = execute.answer(&ExecutionSpecs, input, PLENTY).unwrap();
            assert_eq!(gas, plain.gas, "{fork}");
            assert_eq!(output[..StatelessResult::LEN], plain.output[..], "{fork}");
            let (result, headers) = Headers::split(&output).unwrap();
            assert_eq!(result, StatelessResult::decode(&plain.output).unwrap());
            let decoded = Input::decode(input).unwrap();
            assert_eq!(headers.len(), decoded.requests().len());
            for ((rlp, request), built) in headers.iter().zip(decoded.requests()).zip(built) {
                assert_eq!(keccak256(rlp), request.payload.block_hash, "{fork}");
                assert_eq!(alloy_rlp::decode_exact::<Header>(rlp).as_ref(), Ok(built), "{fork}");
                assert!(rlp.len() <= Headers::MAX_HEADER, "{} bytes", rlp.len());
            }
        }
    }
}

#[test]
fn free_header_fields_are_returned_as_verified() {
    let mut random = Random::from_hash(&B256::repeat_byte(0x15));
    for fork in forks() {
        let (_, input, _) = chain_of(fork, &[1]);
        for _ in 0..40 {
            let (length, seed) = (random.in_range(0..33), random.bytes(32));
            let input = resealed(&input, |block| {
                block.request.payload.extra_data = &seed[..length];
                block.request.payload.prev_randao = keccak256(&seed);
            });
            let output = ask(&Execute::on(fork), &input).unwrap().output;
            let (_, headers) = Headers::split(&output).unwrap();
            let [rlp] = headers[..] else { panic!("{} headers", headers.len()) };
            let header: Header = alloy_rlp::decode_exact(rlp).unwrap();
            assert_eq!(header.extra_data[..], seed[..length]);
            assert_eq!(header.mix_hash, keccak256(&seed));
        }
    }
}

#[test]
fn refused_input_returns_no_bytes() {
    let (_, single, batch) = chain_of(ProtocolFork::Osaka, &[1, 2]);
    let source: Arc<dyn BlobSource> = Arc::new(());
    let dialects = Dialects::usual(&[DialectName::Specs, DialectName::Headers]);
    let mut host = Host::new(dialects.of(Execute::default(), &source));
    for input in [&single, &batch] {
        let whole = host.call(CALL, input, PLENTY);
        let outcome = host.call_at(Headers::ADDRESS, CALL, input, PLENTY);
        assert!(outcome.success && Headers::split(&outcome.returned).is_some());
        assert_eq!(outcome.gas, whole.gas);
        let root = match Input::decode(input).unwrap() {
            Input::Block(_) => {
                resealed(input, |block| block.request.payload.state_root = B256::ZERO)
            }
            // The first block is valid, but the call returns no header of it.
            Input::Batch(_) => testkit::relinked(input, |batch| {
                batch.requests[1].payload.state_root = B256::ZERO;
            })
            .unwrap(),
        };
        for bad in [root, input[..input.len() / 2].to_vec()] {
            let outcome = host.call_at(Headers::ADDRESS, CALL, &bad, PLENTY);
            let all = WARM_CALL + PLENTY;
            assert_eq!(outcome, CallResult { success: false, returned: vec![], gas: all });
        }
    }
    // Without the dialect, the address is an account like any other.
    let outcome = Host::new(Execute::default()).call_at(Headers::ADDRESS, CALL, &single, PLENTY);
    assert!(outcome.success && outcome.returned.is_empty());
}

#[test]
fn mutated_inputs_return_only_verified_headers() {
    let (_, single, batch) = chain_of(ProtocolFork::Osaka, &[1, 2]);
    let execute = Execute::default();
    let mutated = mutations(&single, 3_000).chain(mutations_of_batch(&batch, 3_000));
    let mut accepted = 0;
    for input in mutated.chain([single.clone(), batch.clone()]) {
        let plain = execute.answer(&ExecutionSpecs, &input, PLENTY);
        let got = ask(&execute, &input);
        assert_eq!(got.as_ref().err(), plain.as_ref().err());
        let Ok(Answer { output, .. }) = got else { continue };
        let (_, headers) = Headers::split(&output).unwrap();
        let decoded = Input::decode(&input).unwrap();
        let hashes = decoded.requests().iter().map(|request| request.payload.block_hash);
        assert!(headers.iter().map(keccak256).eq(hashes));
        accepted += 1;
    }
    assert!(accepted > 2, "{accepted} accepted");
}

#[test]
fn blob_form_returns_same_headers() {
    let (_, single, batch) = chain_of(ProtocolFork::Osaka, &[1, 2]);
    let execute = Execute::default();
    for input in [&single, &batch] {
        let expected = ask(&execute, input).unwrap();
        let call = DialectName::HeadersBlobs.encode(input).unwrap();
        let got = answer(&execute, DialectName::HeadersBlobs, &[], &call).unwrap();
        assert_eq!(got.output, expected.output);
        assert_eq!(got.gas, expected.gas + BlobTail::trailer_charge(&*execute.gas));
        // Each address accepts only its own form.
        let swapped = DialectCall { calldata: input.clone(), blobs: Vec::new() };
        assert!(answer(&execute, DialectName::HeadersBlobs, &[], &swapped).is_err());
        assert!(answer(&execute, DialectName::Headers, &[], &call).is_err());
        let without = DialectCall { blobs: Vec::new(), ..call };
        assert!(answer(&execute, DialectName::HeadersBlobs, &[], &without).is_err());
    }
}

#[test]
fn nested_blocks_return_headers_beside_nested_dialect() {
    let l1 = Execute::default();
    let extension = ExecuteExtension::new(Nested::execute_of_l2(&l1));
    let config = ChainConfig::new(ChainSpec::constant(testkit::CHAIN_ID, ProtocolFork::Osaka));
    let genesis = rich_genesis(ProtocolFork::Osaka, ["alice"], 1_000 * testkit::ETHER);
    let chain = Chain::new(&genesis, config.with_extension(Arc::new(extension))).unwrap();
    let l3 = L2::new(ProtocolFork::Osaka).calldata(2);
    let inner = call(0, EXECUTE_ADDRESS, 5_000_000, U256::ZERO, Bytes::from(l3));
    let attributes =
        BlockAttributes { timestamp: chain.head().header.timestamp + 12, ..Default::default() };
    let (block, _) = chain.build(&attributes, vec![Key::named("alice").sign(inner)]).unwrap();
    let input = block.input().unwrap();
    let calldata = DialectName::Nested.encode(&input).unwrap().calldata;
    assert_eq!(calldata[1], NESTED_REVISION);
    for dialect in [DialectName::Headers, DialectName::HeadersBlobs] {
        let call = dialect.encode(&calldata).unwrap();
        let output = answer(&l1, dialect, &[DialectName::Nested], &call).unwrap().output;
        let (result, headers) = Headers::split(&output).unwrap();
        assert_eq!(result.schema, SchemaId::new(0x1202));
        let [header] = headers[..] else { panic!("{} headers", headers.len()) };
        assert_eq!(keccak256(header), block.block.hash);
        // Without the nested dialect, the revision is refused.
        assert!(answer(&l1, dialect, &[], &call).is_err(), "{dialect}");
    }
}

/// The answer is checked against the verified hash, so a fault of the node cannot return another
/// header.
#[test]
fn header_with_other_hash_stops_evm() {
    let (_, input, _) = chain_of(ProtocolFork::Osaka, &[1]);
    let (execute, dialect) = (Execute::default(), Headers::of_calldata(None));
    let executed = execute.run(&input, PLENTY).unwrap();
    assert!(dialect.answer(&input, Ok(executed.clone())).is_ok());
    let mut other = executed;
    other.verdict.header.gas_used += 1;
    let refused = dialect.answer(&input, Ok(other));
    assert!(matches!(refused, Err(ExecuteError::Internal(InternalError::Executor(_)))));
}

#[test]
fn largest_header_has_stated_length() {
    let (word, large) = (B256::repeat_byte(0xff), u64::MAX);
    let header = Header {
        parent_hash: word,
        ommers_hash: word,
        beneficiary: Address::repeat_byte(0xff),
        state_root: word,
        transactions_root: word,
        receipts_root: word,
        logs_bloom: Bloom::repeat_byte(0xff),
        difficulty: U256::ZERO,
        number: large,
        gas_limit: large,
        gas_used: large,
        timestamp: large,
        extra_data: Bytes::from(vec![0xff; 32]),
        mix_hash: word,
        nonce: B64::ZERO,
        base_fee_per_gas: Some(large),
        withdrawals_root: Some(word),
        blob_gas_used: Some(large),
        excess_blob_gas: Some(large),
        parent_beacon_block_root: Some(word),
        requests_hash: Some(word),
        block_access_list_hash: Some(word),
        slot_number: Some(large),
    };
    assert_eq!(alloy_rlp::encode(header).len(), Headers::MAX_HEADER);
}
