//! Other dialects of EXECUTE: the verdict is equal in all of them.

use crate::{
    PLENTY, execute,
    support::{
        host::{CALL, CallResult, Host, WARM_CALL},
        l2::{CHAIN_ID, ETHER, L2, resealed, transfer, without_witness},
    },
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use codec::Encode as _;
use enshrine_execute::{
    Answer, Dialect, EXECUTE_ADDRESS, Execute, ExecuteError, Executed, PrecompileCall, Refused,
};
use executor::InternalError;
use std::{borrow::Cow, sync::Arc};
use testkit::{Blobs, DraftL2, mutations, mutations_of_draft, rich_genesis};
use variants::{
    BlobSource, DialectCall, DialectEncodeError, DialectName, Dialects, DraftBlock, Drake,
};
use wire::{ByteLists, ProtocolFork, StatelessInput};

/// A claim about a block in Drake's dialect.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) pre: B256,
    pub(crate) post: B256,
    pub(crate) gas_used: U256,
}

impl Claim {
    /// Creates the claim that the input itself makes, true or not. The chain provides the pre-state
    /// root.
    pub(crate) fn of(input: &[u8], pre: B256) -> Self {
        StatelessInput::decode(input).map_or(
            Self { pre, post: B256::ZERO, gas_used: U256::ZERO },
            |input| {
                let payload = &input.request.payload;
                Self { pre, post: payload.state_root, gas_used: U256::from(payload.gas_used) }
            },
        )
    }

    /// `abi.encode(pre, post, trace, gasUsed)`, by hand.
    pub(crate) fn encode(&self, trace: &[u8]) -> Vec<u8> {
        let mut out = [self.pre, self.post, U256::from(0x80).into(), self.gas_used.into()].concat();
        out.extend(U256::from(trace.len()).to_be_bytes::<32>());
        out.extend(trace);
        out.resize(out.len().next_multiple_of(32), 0);
        out
    }
}

/// A valid block and its pre-state root.
fn good() -> (Vec<u8>, B256) {
    let l2 = L2::new(ProtocolFork::Osaka);
    let pre = l2.chain.head().header.state_root;
    (l2.calldata(2), pre)
}

/// A valid call in the dialect of the EIP-8079 draft.
fn good_draft() -> DialectCall {
    let genesis = rich_genesis(ProtocolFork::Osaka, ["alice"], 1_000 * ETHER);
    let l2 = DraftL2::new(genesis, CHAIN_ID, ProtocolFork::Osaka).unwrap();
    let values = DraftBlock { anchor: B256::repeat_byte(7), burned_fees: 0 };
    let built = l2.build(values, vec![transfer(0, 25_000), transfer(1, 25_000)]).unwrap();
    DialectCall { calldata: built.calldata, blobs: Vec::new() }
}

fn ask(calldata: &[u8], gas: u64) -> Result<(bool, u64), ExecuteError> {
    let Answer { gas, output } = execute().answer(&Drake, calldata, gas)?;
    assert_eq!(output.len(), 32);
    let word = U256::from_be_slice(&output);
    assert!(word <= U256::ONE);
    Ok((word == U256::ONE, gas))
}

#[test]
fn default_installs_only_execution_specs_dialect() {
    let (input, pre) = good();
    let calldata = Claim::of(&input, pre).encode(&input);
    let drake = Drake.address();
    assert_eq!(drake, Address::from_word(B256::from(U256::from(0x102))));
    let mut host = Host::new(execute());
    let outcome = host.call(CALL, &input, PLENTY);
    assert!(outcome.success && outcome.returned.len() == 43);
    let outcome = host.call_at(drake, CALL, &calldata, PLENTY);
    let gas = WARM_CALL + 1_000 + 2 * calldata.len() as u64 + 42_000;
    assert_eq!(
        outcome,
        CallResult { success: true, returned: B256::with_last_byte(1).to_vec(), gas }
    );
    // Each address accepts only its own calldata.
    assert!(!host.call(CALL, &calldata, PLENTY).success);
    assert!(!host.call_at(drake, CALL, &input, PLENTY).success);
    // Without the precompile, the address is an account like any other.
    let outcome = Host::new(Execute::default()).call_at(drake, CALL, &calldata, PLENTY);
    assert!(outcome.success && outcome.returned.is_empty());
}

#[test]
fn dialects_are_installed_only_at_configured_addresses() {
    let (input, pre) = good();
    let elsewhere = Address::from_word(B256::from(U256::from(0x112)));
    let dialects: Dialects = format!("drake@{elsewhere},specs").parse().unwrap();
    let source: Arc<dyn BlobSource> = Arc::new(Blobs::default());
    let mut host = Host::new(dialects.of(execute(), &source));
    let calldata = Claim::of(&input, pre).encode(&input);
    let outcome = host.call_at(elsewhere, CALL, &calldata, PLENTY);
    assert!(outcome.success && outcome.returned == B256::with_last_byte(1).to_vec());
    let gas = WARM_CALL + 1_000 + 2 * calldata.len() as u64 + 42_000;
    assert_eq!(outcome.gas, gas);
    // The default address is an account like any other.
    let outcome = host.call_at(Drake::ADDRESS, CALL, &calldata, PLENTY);
    assert!(outcome.success && outcome.returned.is_empty());
    assert!(host.call(CALL, &input, PLENTY).returned.len() == 43);
}

#[test]
fn calls_round_trip_in_every_dialect() {
    let (input, pre) = good();
    // Blocks of the draft have inputs of their own.
    for dialect in
        DialectName::OF_ETHEREUM.into_iter().filter(|dialect| *dialect != DialectName::Draft8079)
    {
        let call = dialect.encode(&input).unwrap();
        assert_eq!(dialect.decode(&call.calldata, &call.blobs).unwrap(), input, "{dialect}");
        let has_blobs = matches!(dialect, DialectName::Blobs | DialectName::HeadersBlobs);
        assert_eq!(call.blobs.is_empty(), !has_blobs);
        // Half of an input cannot be encoded, and half of a call cannot be decoded. Dialects whose
        // calldata is the input return the bytes unchanged.
        if dialect != DialectName::Specs {
            assert!(dialect.encode(&input[..input.len() / 2]).is_err(), "{dialect}");
        }
        if !matches!(dialect, DialectName::Specs | DialectName::Nested | DialectName::Headers) {
            let half = &call.calldata[..call.calldata.len() / 2];
            assert!(dialect.decode(half, &call.blobs).is_err(), "{dialect}");
        }
    }
    let drake = DialectName::Drake.encode(&input).unwrap();
    assert_eq!(drake.calldata, Claim::of(&input, pre).encode(&input));
    let mut orphan = StatelessInput::decode(&input).unwrap();
    orphan.witness.headers = ByteLists::EMPTY;
    assert_eq!(DialectName::Drake.encode(&orphan.encode()), Err(DialectEncodeError::NoParent));
    assert!(DialectName::Specs.encode(&orphan.encode()).is_ok(), "makes no claim");
    let blobs = DialectName::Blobs.encode(&input).unwrap();
    let none: [&[u8]; 0] = [];
    assert!(DialectName::Blobs.decode(&blobs.calldata, &none).is_err(), "the blobs are missing");
}

#[test]
fn false_claim_is_charged_the_whole_reserve() {
    let (input, pre) = good();
    let claim = Claim::of(&input, pre);
    let bytes = 1_000 + 2 * claim.encode(&input).len() as u64;
    let (used, reserve) = (bytes + 42_000, bytes + 50_000);
    assert_eq!(ask(&claim.encode(&input), PLENTY), Ok((true, used)));
    for wrong in [
        Claim { pre: B256::ZERO, ..claim.clone() },
        Claim { post: B256::ZERO, ..claim.clone() },
        Claim { gas_used: U256::from(41_999), ..claim.clone() },
        Claim { gas_used: U256::from(42_001), ..claim.clone() },
        // The correct number in the low bits.
        Claim { gas_used: U256::from(42_000) + (U256::ONE << 64), ..claim },
    ] {
        assert_eq!(ask(&wrong.encode(&input), PLENTY), Ok((false, reserve)), "{wrong:?}");
    }
    // A claim about an invalid block is false, and the work that it caused is charged.
    for (what, bad) in [
        ("state root", resealed(&input, |input| input.request.payload.state_root = B256::ZERO)),
        ("witness", without_witness(&input)),
    ] {
        let calldata = Claim::of(&bad, pre).encode(&bad);
        let gas = 1_000 + 2 * calldata.len() as u64 + 50_000;
        assert_eq!(ask(&calldata, PLENTY), Ok((false, gas)), "{what}");
    }
    // An undecodable input has caused no work beyond its bytes.
    let calldata = Claim::of(&input, pre).encode(&input[..600]);
    let gas = 1_000 + 2 * calldata.len() as u64;
    assert_eq!(ask(&calldata, PLENTY), Ok((false, gas)));
}

#[test]
fn gas_comes_before_work_in_every_dialect() {
    let (input, pre) = good();
    let calldata = Claim::of(&input, pre).encode(&input);
    let bytes = 1_000 + 2 * calldata.len() as u64;
    let reserve = bytes + 50_000;
    assert!(ask(&calldata, reserve).is_ok());
    let short = |got, reserve| Err(ExecuteError::OutOfGas { got, reserve });
    assert_eq!(ask(&calldata, reserve - 1), short(reserve - 1, reserve));
    assert_eq!(ask(&calldata, bytes - 1), short(bytes - 1, bytes));
    // Bytes are paid for before they are read, even if they cannot be decoded.
    let junk = vec![0xff; 1_000];
    assert_eq!(ask(&junk, 2_999), short(2_999, 3_000));
    assert!(matches!(ask(&junk, 3_000), Err(ExecuteError::Calldata { .. })));
}

#[test]
fn non_canonical_calldata_fails_the_call() {
    let (input, pre) = good();
    let claim = Claim::of(&input, pre);
    // The length of the trace is not a multiple of a word, so there is padding.
    assert_ne!(input.len() % 32, 0);
    let good = claim.encode(&input);
    assert!(ask(&good, PLENTY).unwrap().0);
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut calldata = good.clone();
        change(&mut calldata);
        calldata
    };
    for (what, calldata) in [
        ("empty", vec![]),
        ("within the head", good[..159].to_vec()),
        ("another offset", changed(&|bytes| bytes[95] = 0xa0)),
        ("an offset of 2^64", changed(&|bytes| bytes[64 + 23] = 1)),
        ("dirty padding", changed(&|bytes| *bytes.last_mut().unwrap() = 1)),
        ("a word too many", changed(&|bytes| bytes.extend([0; 32]))),
        ("a byte too many", changed(&|bytes| bytes.push(0))),
        ("a word too few", changed(&|bytes| bytes.truncate(bytes.len() - 32))),
        ("without padding", changed(&|bytes| bytes.truncate(160 + input.len()))),
        ("a length beyond the end", changed(&|bytes| bytes[128] = 0xff)),
        ("a length of 2^64", changed(&|bytes| bytes[128 + 23] = 1)),
    ] {
        let refused = ask(&calldata, PLENTY);
        assert!(matches!(refused, Err(ExecuteError::Calldata { .. })), "{what}: {refused:?}");
        let outcome = Host::new(execute()).call_at(Drake.address(), CALL, &calldata, PLENTY);
        assert_eq!(
            outcome,
            CallResult { success: false, returned: vec![], gas: WARM_CALL + PLENTY }
        );
    }
    // A trace that ends at a word boundary has no padding.
    let even = vec![0; 64];
    assert!(!ask(&claim.encode(&even), PLENTY).unwrap().0);
}

/// Number of mutated inputs and calls: 10,000, unless `ENSHRINE_MUTATED` sets another.
fn mutated() -> u64 {
    std::env::var("ENSHRINE_MUTATED").map_or(10_000, |count| count.parse().expect("a number"))
}

/// Blobs of a test; the first byte of a hash is the position of its blob.
#[derive(Debug)]
struct Held(Vec<Vec<u8>>);

impl BlobSource for Held {
    fn blob(&self, versioned_hash: &B256) -> Option<Bytes> {
        self.0.get(usize::from(versioned_hash[0])).cloned().map(Bytes::from)
    }
}

/// Returns `true` if EXECUTE accepts the call in its dialect. A negative answer counts as a
/// refusal.
fn is_accepted(execute: &Execute, dialect: DialectName, call: &DialectCall) -> bool {
    let hashes: Vec<_> = (0..call.blobs.len() as u8).map(B256::repeat_byte).collect();
    let source: Arc<dyn BlobSource> = Arc::new(Held(call.blobs.clone()));
    let own = Dialects::usual(&[dialect]).of(execute.clone(), &source).dialects.remove(0);
    let precompile = PrecompileCall { calldata: &call.calldata, blob_hashes: &hashes };
    match execute.answer(&*own, precompile, PLENTY) {
        Ok(answer) => answer.output.len() >= 43 || answer.output[..] == B256::with_last_byte(1)[..],
        Err(ExecuteError::Internal(error)) => panic!("{error}"),
        Err(_) => false,
    }
}

#[test]
fn mutated_calls_get_verdict_of_their_input() {
    let (input, _) = good();
    let execute = execute();
    for dialect in DialectName::OF_ETHEREUM {
        let is_draft = dialect == DialectName::Draft8079;
        let good = if is_draft { good_draft() } else { dialect.encode(&input).unwrap() };
        assert!(is_accepted(&execute, dialect, &good), "{dialect}");
        let (mut readable, mut refused) = (0, 0);
        let calls: Box<dyn Iterator<Item = Vec<u8>>> = match is_draft {
            true => Box::new(mutations_of_draft(&good.calldata, mutated())),
            false => Box::new(mutations(&good.calldata, mutated())),
        };
        for calldata in calls {
            let decoded = dialect.decode(&calldata, &good.blobs);
            readable += u64::from(decoded.is_ok());
            let expected =
                decoded.is_ok_and(|input| dialect.run(&execute, &calldata, &input).is_ok());
            let call = DialectCall { calldata, blobs: good.blobs.clone() };
            assert_eq!(is_accepted(&execute, dialect, &call), expected, "{dialect}");
            refused += u64::from(!expected);
        }
        assert!(refused > mutated() * 9 / 10, "{dialect}: {refused} refused");
        assert!(readable > 0, "{dialect}: no mutated call has an input");
    }
}

#[test]
fn mutated_inputs_get_equal_verdicts_in_all_dialects() {
    let (input, pre) = good();
    let execute = execute();
    let mut reasons = std::collections::BTreeMap::<_, u64>::new();
    for mutated in mutations(&input, mutated()).chain([input.clone()]) {
        let verdict = execute.run(&mutated, PLENTY);
        let expected = verdict.is_ok();
        let reason = match verdict {
            Err(reason @ (ExecuteError::Internal(_) | ExecuteError::Panic(_))) => {
                panic!("{reason}")
            }
            Err(ExecuteError::Invalid(_)) => "invalid",
            Err(ExecuteError::Decode(_)) => "decode",
            Err(ExecuteError::Rules(_)) => "rules",
            Err(_) => "other",
            Ok(_) => "valid",
        };
        *reasons.entry(reason).or_default() += 1;
        // A claim about any bytes is answered.
        let claim = Claim::of(&mutated, pre).encode(&mutated);
        assert_eq!(ask(&claim, PLENTY).unwrap().0, expected);
        for dialect in [
            DialectName::Drake,
            DialectName::Blobs,
            DialectName::Nested,
            DialectName::Headers,
            DialectName::HeadersBlobs,
        ] {
            let call = dialect.encode(&mutated);
            let got = call.is_ok_and(|call| is_accepted(&execute, dialect, &call));
            assert_eq!(got, expected, "{dialect}");
        }
    }
    assert!(
        ["invalid", "decode", "rules"].iter().all(|reason| reasons.contains_key(reason)),
        "{reasons:?}"
    );
    assert!(reasons["valid"] <= mutated() / 10, "{reasons:?}");
}

/// A dialect that fails in the way that its calldata selects.
#[derive(Debug)]
struct Breaking;

impl Dialect for Breaking {
    fn name(&self) -> &'static str {
        "breaking"
    }

    fn address(&self) -> Address {
        EXECUTE_ADDRESS
    }

    fn input<'c>(&self, call: &PrecompileCall<'c>) -> Result<Cow<'c, [u8]>, ExecuteError> {
        match call.calldata {
            [0, ..] => Err(InternalError::Executor("the disk is gone".to_owned()).into()),
            [1, ..] => panic!("an assertion of a library"),
            calldata => Ok(Cow::Borrowed(calldata)),
        }
    }

    fn answer(&self, _: &[u8], outcome: Result<Executed, Refused>) -> Result<Answer, ExecuteError> {
        let refused = outcome.map(|_| ()).expect_err("nothing here is valid");
        assert!(
            !matches!(refused.reason, ExecuteError::Internal(_)),
            "internal errors get no answer"
        );
        Err(refused.reason)
    }
}

#[test]
fn internal_error_stops_evm_but_panic_does_not() {
    let breaking = Execute { dialects: vec![Arc::new(Breaking)], ..execute() };
    let mut host = Host::new(breaking.clone());
    let call = TxKind::Call(EXECUTE_ADDRESS);
    let stopped = host.try_transact(call, &[0], PLENTY).unwrap_err();
    assert!(stopped.contains("the disk is gone"), "{stopped}");
    // Its neighbours fail like any other call, and the caller continues.
    for calldata in [&[1][..], &[2], &[]] {
        let outcome = host.call(CALL, calldata, PLENTY);
        assert_eq!(
            outcome,
            CallResult { success: false, returned: vec![], gas: WARM_CALL + PLENTY }
        );
    }
    let refused = breaking.run_as(&Breaking, &[1], PLENTY, |_| {}).unwrap_err();
    assert_eq!(refused.reason, ExecuteError::Panic("an assertion of a library".to_owned()));
    assert_eq!(refused.gas, 1_002, "its byte was paid for");
}
