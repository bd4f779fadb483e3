//! The Solidity libraries on revm, called through `test/utils/LibraryHarness.sol`.

use alloy_primitives::{Address, Bytes, address};
use alloy_sol_types::{SolCall, SolInterface, sol};
use revm::{
    Context, ExecuteEvm, MainBuilder, MainContext,
    bytecode::Bytecode,
    context::{
        CfgEnv, TxEnv,
        result::{ExecutionResult, Output},
    },
    database::{CacheDB, EmptyDB},
    primitives::{TxKind, hardfork::SpecId},
    state::AccountInfo,
};
use std::sync::OnceLock;
use testkit::Artifacts;
use toolchain::Toolchain;

const HARNESS: Address = address!("0x00000000000000000000000000000000000011b5");

/// Gas limit that suffices for every call.
const GAS: u64 = 1 << 40;

sol! {
    struct Account {
        uint64 nonce;
        uint256 balance;
        bytes32 storageRoot;
        bytes32 codeHash;
    }

    #[derive(Debug)]
    struct Transaction {
        uint8 kind;
        bool creates;
        address sender;
        address to;
        uint64 nonce;
        uint64 gasLimit;
        uint128 maxFee;
        uint128 value;
        bytes4 selector;
        bytes32 argument;
        uint256 dataLength;
        uint256 addresses;
        uint256 keys;
        uint256 authorizations;
    }

    struct Header {
        address sender;
        address to;
        address refundTo;
        uint128 value;
        uint128 fee;
        uint64 gasLimit;
        uint64 index;
        bytes32 dataHash;
    }

    interface Harness {
        function item(bytes data) returns (uint256 start, uint256 stop, bool isList);
        function integer(bytes data, uint256 maxBytes) returns (uint256 value, uint256 next);
        function fixedString(bytes data, uint256 length) returns (uint256 value, uint256 next);
        function list(bytes data) returns (uint256 start, uint256 stop);
        function str(bytes data) returns (uint256 start, uint256 stop);
        function items(bytes data) returns (bytes[] payloads);
        function account(bytes32 stateRoot, address target, bytes[] nodes)
            returns (bool exists, Account result);
        function slot(bytes32 storageRoot, bytes32 position, bytes[] nodes) returns (uint256 value);
        function get(bytes32 root, bytes32 key, bytes[] nodes) returns (bytes value);
        function decode(bytes raw, uint64 chainId)
            returns (Transaction transaction, uint256 intrinsicGas);
        function messageHash(Header header) returns (bytes32 hash);
        function extend(bytes32 root, bytes32 hash) returns (bytes32 extended);
        function unpack(bytes batch, uint64 first) returns (bytes32[] hashes, bool[] parked);
        function sentSlot(uint256 index) returns (bytes32 slot);
        function assembled(bytes input) returns (bytes whole);
    }

    /// All errors with which the libraries revert.
    #[derive(Debug, PartialEq, Eq)]
    interface Refusal {
        error RlpTruncated(uint256 pos, uint256 end);
        error RlpNotCanonical(uint256 pos);
        error RlpNotList(uint256 pos);
        error RlpNotString(uint256 pos);
        error RlpLengthMismatch(uint256 pos, uint256 got, uint256 expected);
        error RlpIntegerTooLarge(uint256 pos, uint256 got, uint256 max);
        error RlpTrailingBytes(uint256 pos, uint256 end);
        error ProofIncomplete(uint256 nodes);
        error ProofTooLong(uint256 used, uint256 nodes);
        error NodeHashMismatch(uint256 index, bytes32 got, bytes32 expected);
        error NodeMalformed(uint256 index);
        error TypeNotSupported(uint8 kind);
        error TransactionChainIdMismatch(uint256 got, uint256 expected);
        error NonceTooHigh(uint256 nonce);
        error TipAboveFee(uint256 tip, uint256 maxFee);
        error TargetMalformed(uint256 length);
        error NoAuthorization();
        error SignatureInvalid(uint256 v, uint256 r, uint256 s);
        error GasBelowIntrinsic(uint256 got, uint256 minimum);
        error MessageTruncated(uint256 position, uint256 length);
        error ParkedLengthInvalid(uint256 position, uint256 length);
        error ReferencesTooShort(uint256 got, uint256 minimum);
        error NoReferences();
        error ReferenceOutOfPlace(uint256 index, uint256 got, uint256 minimum, uint256 maximum);
        error NothingKept(uint256 index, address account);
        error NotKept(uint256 index, address got, address expected);
        error AssembledLengthMismatch(uint256 got, uint256 expected);
    }
}

pub(crate) use Refusal::RefusalErrors as Refused;

/// Returns the result of a library call, or the library's own error.
///
/// Panics on any other failure: out of gas, overflow, out-of-bounds reads.
pub(crate) fn call<C: SolCall>(call: &C) -> Result<C::Return, Refused> {
    call_beside(&[], call)
}

/// Calls a library with these codes at these accounts.
pub(crate) fn call_beside<C: SolCall>(
    accounts: &[(Address, Bytes)],
    call: &C,
) -> Result<C::Return, Refused> {
    let cfg = {
        let mut cfg = CfgEnv::new_with_spec(SpecId::OSAKA);
        cfg.tx_gas_limit_cap = Some(u64::MAX);
        cfg
    };
    let mut db = CacheDB::new(EmptyDB::new());
    db.insert_account_info(HARNESS, AccountInfo::from_bytecode(code().clone()));
    for (account, code) in accounts {
        let info = AccountInfo::from_bytecode(Bytecode::new_raw(code.clone()));
        db.insert_account_info(*account, info);
    }
    let mut evm = Context::mainnet()
        .with_db(db)
        .with_cfg(cfg)
        .modify_block_chained(|block| block.gas_limit = u64::MAX)
        .build_mainnet();
    let transaction = TxEnv {
        kind: TxKind::Call(HARNESS),
        data: call.abi_encode().into(),
        gas_limit: GAS,
        ..Default::default()
    };
    match evm.transact(transaction).expect("a transaction without any demands").result {
        ExecutionResult::Success { output: Output::Call(output), .. } => {
            Ok(C::abi_decode_returns(&output).expect("the harness answers as declared"))
        }
        ExecutionResult::Revert { output, .. } => Err(refusal(&output)),
        other => panic!("{}: {other:?}", C::SIGNATURE),
    }
}

fn refusal(output: &Bytes) -> Refused {
    Refused::abi_decode(output).unwrap_or_else(|_| panic!("no error of a library: {output}"))
}

fn code() -> &'static Bytecode {
    static CODE: OnceLock<Bytecode> = OnceLock::new();
    CODE.get_or_init(|| {
        let tools = Toolchain::ensure(&toolchain::progress_to_stderr).expect("set-up");
        let file = "test/utils/LibraryHarness.sol";
        let artifacts = Artifacts::compile_files(&tools, &[file]).expect("compiles");
        let harness = artifacts.get("LibraryHarness").expect("is in that file");
        Bytecode::new_raw(harness.runtime_code.clone())
    })
}
