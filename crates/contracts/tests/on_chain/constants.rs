//! Constants that exist in Solidity and in Rust, compared by parsing the Solidity sources.

use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
use enshrine_contracts::{
    Anchor, L1_ANCHOR, L2_ACCOUNTS, L2_MESSENGER, Message, PRECONF_BONDS_CODE_HASH,
    advance_plan::{L1Limits, STATE_ROOTS},
    alias_account, capacity, code_reference, extend, sent_slot,
};
use eyre::{Context, OptionExt, Result};
use revm::{context_interface::cfg::gas_params::GasParams, primitives::hardfork::SpecId};
use std::{collections::BTreeMap, fs};
use testkit::{Artifacts, CHAIN_ID, DraftL2, ETHER, rich_genesis};
use toolchain::find_root;
use variants::{DRAFT_REVISION, Draft8079, DraftBlock};
use wire::{ProtocolFork, SchemaId, StatelessInput, StatelessResult, layout};

/// The constants of a Solidity file by name, evaluated.
struct Constants(BTreeMap<String, U256>);

impl Constants {
    fn read(file: &str) -> Result<Self> {
        let path = find_root()?.join("contracts").join(file);
        let source = fs::read_to_string(&path).wrap_err_with(|| path.display().to_string())?;
        let code: String =
            source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
        let mut constants = BTreeMap::new();
        for statement in code.split(';') {
            let Some((declaration, value)) = statement.split_once('=') else { continue };
            let words: Vec<_> = declaration.split_whitespace().collect();
            if let [.., name] = words[..]
                && words.contains(&"constant")
                && let Some(value) = evaluate(value, &constants)
            {
                constants.insert(name.to_owned(), value);
            }
        }
        Ok(Self(constants))
    }

    fn get(&self, name: &str) -> Result<U256> {
        self.0.get(name).copied().ok_or_eyre(name.to_owned())
    }

    #[track_caller]
    fn assert(&self, name: &str, expected: usize) {
        assert_eq!(self.get(name).unwrap(), U256::from(expected), "{name}");
    }

    fn address(&self, name: &str) -> Result<Address> {
        Ok(Address::from_word(self.get(name)?.into()))
    }
}

/// Evaluates a sum of numbers and names, or a shift.
fn evaluate(expression: &str, known: &BTreeMap<String, U256>) -> Option<U256> {
    let term = |term: &str| {
        let term = term.trim().replace('_', "");
        known
            .iter()
            .find(|(name, _)| name.replace('_', "") == term)
            .map(|(_, value)| *value)
            .or_else(|| term.parse().ok())
    };
    if let Some((base, shift)) = expression.split_once("<<") {
        return Some(term(base)? << term(shift)?);
    }
    expression.split('+').map(term).sum()
}

#[test]
fn registry_of_bonds_has_known_code() -> Result<()> {
    let artifacts = Artifacts::load(&toolchain::progress_to_stderr)?;
    let code = &artifacts.get("PreconfBonds")?.runtime_code;
    assert_eq!(keccak256(code), PRECONF_BONDS_CODE_HASH);
    Ok(())
}

#[test]
fn delivery_overhead_covers_call_in_every_fork() -> Result<()> {
    let overhead = Constants::read("libraries/Delivery.sol")?.get("OVERHEAD")?;
    for fork in [SpecId::PRAGUE, SpecId::OSAKA, SpecId::AMSTERDAM] {
        let gas = GasParams::new_spec(fork);
        // A cold account that delegates to another cold one (EIP-7702).
        let access = gas.warm_storage_read_cost() + gas.cold_account_additional_cost();
        let call = gas.transfer_value_cost() + 2 * access;
        println!("{fork:?}: {call}");
        assert!(overhead > U256::from(call), "{fork:?}: {call}");
    }
    Ok(())
}

#[test]
fn execute_offsets_match_wire_format() -> Result<()> {
    let execute = Constants::read("libraries/Execute.sol")?;
    let (request, payload) = (layout::REQUEST_IN_CALLDATA, layout::PAYLOAD_IN_CALLDATA);
    let calldata = [
        ("INPUT_AT", SchemaId::LEN),
        ("INPUT_FIXED", layout::input::FIXED),
        ("REQUEST_AT", request),
        ("REQUEST_FIXED", layout::request::FIXED),
        ("PAYLOAD_AT", payload),
        ("MIN_LENGTH", payload + layout::payload::FIXED_V3),
        ("CHAIN_ID_AT", SchemaId::LEN + layout::input::CHAIN_ID),
        ("PARENT_BEACON_BLOCK_ROOT_AT", request + layout::request::PARENT_BEACON_BLOCK_ROOT),
        ("PARENT_HASH_AT", payload + layout::payload::PARENT_HASH),
        ("STATE_ROOT_AT", payload + layout::payload::STATE_ROOT),
        ("FEE_RECIPIENT_AT", payload + layout::payload::FEE_RECIPIENT),
        ("GAS_USED_AT", payload + layout::payload::GAS_USED),
        ("BASE_FEE_AT", payload + layout::payload::BASE_FEE_PER_GAS),
        ("TRANSACTIONS_OFFSET_AT", payload + layout::payload::TRANSACTIONS),
        ("WITHDRAWALS_OFFSET_AT", payload + layout::payload::WITHDRAWALS),
        ("BLOCK_NUMBER_AT", payload + layout::payload::BLOCK_NUMBER),
        ("GAS_LIMIT_AT", payload + layout::payload::GAS_LIMIT),
        ("BLOCK_HASH_AT", payload + layout::payload::BLOCK_HASH),
        ("RESULT_LENGTH", StatelessResult::LEN),
        ("FIRST_SCHEMA", ProtocolFork::Prague.schema().get().into()),
        ("REVISION", SchemaId::REVISION.into()),
        ("BATCH_REVISION", SchemaId::BATCH_REVISION.into()),
        ("NESTED_REVISION", variants::NESTED_REVISION.into()),
        ("MAX_BLOCKS", wire::StatelessBatch::MAX_BLOCKS),
        ("MIN_REQUEST", layout::request::FIXED + layout::payload::FIXED_V3),
        ("TRAILER_LENGTH", codec::blob_tail::Trailer::LEN),
        ("REQUEST_HEAD", codec::blob_tail::REQUEST_HEAD),
    ];
    for (name, expected) in calldata {
        execute.assert(name, expected);
    }
    assert_eq!(execute.address("PRECOMPILE")?, execute::EXECUTE_ADDRESS);
    assert_eq!(execute.address("BLOB_PRECOMPILE")?, variants::BLOB_EXECUTE_ADDRESS);
    Ok(())
}

#[test]
fn draft_offsets_match_draft_blocks() -> Result<()> {
    let draft = Constants::read("libraries/DraftExecute.sol")?;
    let at = |name: &str| draft.get(name).map(|place| place.to::<usize>());
    for fork in [ProtocolFork::Prague, ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let genesis = rich_genesis(fork, ["alice"], ETHER);
        let built =
            DraftL2::new(genesis, CHAIN_ID, fork)?.build(DraftBlock::default(), Vec::new())?;
        let bytes = &built.calldata[..];
        let word = |at: usize| B256::from_slice(&bytes[at..at + 32]);
        let fixed = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let (input, _) = DraftBlock::decode(bytes)?;
        let payload = StatelessInput::decode(&input)?.request.payload;
        assert_eq!(word(at("PARENT_HASH_AT")?), built.header.parent_hash, "{fork}");
        assert_eq!(word(at("BLOCK_HASH_AT")?), payload.block_hash, "{fork}");
        let chain_id = at("CHAIN_ID_AT")?;
        assert_eq!(bytes[chain_id..chain_id + 8], CHAIN_ID.to_le_bytes(), "{fork}");
        draft.assert("INPUT_FIXED", fixed(SchemaId::LEN));
        draft.assert("REQUEST_AT", SchemaId::LEN + fixed(SchemaId::LEN));
    }
    let [first, last] =
        [ProtocolFork::Prague, ProtocolFork::Amsterdam].map(|fork| Draft8079::schema(fork).get());
    draft.assert("FIRST_SCHEMA", first.into());
    draft.assert("LAST_SCHEMA", last.into());
    draft.assert("REVISION", DRAFT_REVISION.into());
    draft.assert("ANSWER_LENGTH", Draft8079::ANSWER_LEN);
    let burned = Draft8079::ANSWER_LEN - StatelessResult::LEN;
    let payload = at("REQUEST_AT")? + layout::request::FIXED;
    draft.assert("MIN_LENGTH", payload + layout::payload::FIXED_V3 + burned);
    assert_eq!(draft.address("PRECOMPILE")?, Draft8079::ADDRESS);
    Ok(())
}

#[test]
fn kept_code_constants_match() -> Result<()> {
    let kept_codes = Constants::read("libraries/KeptCodes.sol")?;
    for (name, expected) in [
        ("REFERENCES_AT", code_reference::REFERENCES_AT),
        ("REFERENCE_LENGTH", code_reference::REFERENCE_LENGTH),
    ] {
        kept_codes.assert(name, expected);
    }
    kept_codes.assert("MAGIC", u16::from_be_bytes(code_reference::MAGIC).into());
    kept_codes.assert("INIT_HEAD_LENGTH", code_reference::INIT_HEAD.len());
    assert_eq!(kept_codes.get("INIT_HEAD")?, U256::from_be_slice(&code_reference::INIT_HEAD));
    assert_eq!(kept_codes.address("PROXY")?, code_reference::PROXY);
    // The code begins with STOP, and EIP-170 limits the rest.
    assert_eq!(
        (code_reference::INIT_HEAD.last(), code_reference::MAX_CODE_REFERENCE),
        (Some(&0), 24_576 - 1)
    );
    Ok(())
}

#[test]
fn addresses_match_genesis_and_eips() -> Result<()> {
    let predeploys = Constants::read("libraries/Predeploys.sol")?;
    assert_eq!(predeploys.address("L1_ANCHOR")?, L1_ANCHOR);
    assert_eq!(predeploys.address("L2_MESSENGER")?, L2_MESSENGER);
    assert_eq!(predeploys.address("L2_ACCOUNTS")?, L2_ACCOUNTS);
    // The same address is pinned in the Solidity tests.
    assert_eq!(
        alias_account(address!("0x0000000000000000000000000000000000001234")),
        address!("0x7361c278c29310Acb17789dCc14813D3259Ad5D1")
    );
    let anchor = Constants::read("l2/L1Anchor.sol")?;
    let beacon_roots = address!("0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02");
    assert_eq!(anchor.address("BEACON_ROOTS")?, beacon_roots);
    let history = Constants::read("libraries/L1History.sol")?;
    let eip2935 = address!("0x0000F90827F1C53a10cb7A02335B175320002935");
    assert!(history.0.values().any(|value| Address::from_word((*value).into()) == eip2935));
    Ok(())
}

#[test]
fn l1_transaction_limits_match_contracts() -> Result<()> {
    let demanded = Constants::read("libraries/Capacity.sol")?;
    let cap = usize::try_from(testkit::TRANSACTION_GAS_CAP)?;
    demanded.assert("TRANSACTION_GAS", cap);
    let limits = L1Limits::default();
    assert_eq!(limits.gas, testkit::TRANSACTION_GAS_CAP);
    demanded.assert("TRANSACTION_BYTES", limits.bytes);
    demanded.assert("ENVELOPE_BYTES", capacity::ENVELOPE_BYTES);
    demanded.assert("CONTRACT_GAS", usize::try_from(capacity::CONTRACT_GAS)?);
    Constants::read("RollupState.sol")?.assert("STATE_ROOTS", STATE_ROOTS.try_into()?);
    let messages = Constants::read("messaging/Messages.sol")?;
    messages.assert("PACKED_HEADER", Message::PACKED_HEADER);
    let slot = keccak256(
        [U256::from(7).to_be_bytes::<32>(), messages.get("SENT_SLOT")?.to_be_bytes()].concat(),
    );
    assert_eq!(sent_slot(7), U256::from_be_bytes(slot.0));
    Ok(())
}

#[test]
fn input_limits_scale_with_transaction_limits() -> Result<()> {
    let mainnet = L1Limits::default();
    assert_eq!(mainnet.input_bytes(), 124_000);
    // With a large size limit, the gas limit and the floor price bound the inputs. The contracts
    // use the same price.
    let long = L1Limits { bytes: 10_000_000, ..mainnet };
    let price = Constants::read("libraries/Capacity.sol")?.get("GAS_PER_BYTE")?.to::<usize>();
    assert_eq!(long.input_bytes(), (mainnet.gas as usize - 21_000) / price - 6_000);
    assert_eq!(L1Limits { gas: 1 << 30, ..long }.input_bytes(), 10_000_000 - 1_072 - 6_000);
    // If the bytes alone exceed the gas limit, no gas is left for EXECUTE.
    assert_eq!(long.execute_gas(), 0);
    for limits in [mainnet, L1Limits { gas: 1 << 34, bytes: 6_000_000 }] {
        let words = limits.bytes.div_ceil(32) as u64;
        let memory = |words: u64| 3 * words + words * words / 512;
        // Bytes as calldata and in memory, copied and hashed once; the contract; EXECUTE, with the
        // 1/64 of the gas that a call retains (EIP-150).
        let all = |execute: u64| {
            let bytes = 16 * limits.bytes as u64 + 9 * words + memory(words + 30);
            bytes + capacity::CONTRACT_GAS + execute / 63 * 64
        };
        let maximum = limits.execute_gas();
        assert!(all(maximum) <= limits.gas && all(maximum + 126) > limits.gas, "{limits:?}");
    }
    Ok(())
}

#[test]
fn block_duty_limits_match_contracts() -> Result<()> {
    let demanded = Constants::read("libraries/Capacity.sol")?;
    for (name, expected) in [
        ("DUTY_GAS", capacity::DUTY_GAS),
        ("DUTY_BYTES", capacity::DUTY_BYTES),
        ("ENTRY_BYTES", capacity::ENTRY_BYTES),
        ("PROOF_BYTES", capacity::PROOF_BYTES),
        ("RELAYS", capacity::RELAYS),
        ("AHEAD", capacity::AHEAD),
    ] {
        assert_eq!(demanded.get(name)?, U256::from(expected), "{name}");
    }
    let forced = Constants::read("forced/ForcedQueue.sol")?;
    forced.assert("MAX_DISCHARGES", capacity::MAX_DISCHARGES);
    let price = Constants::read("libraries/Transactions.sol")?;
    let base = U256::from(2) * price.get("GAS_BASE")?;
    assert_eq!(base, U256::from(capacity::FORCED_GAS));
    let byte = U256::from(4) * price.get("FLOOR_BYTE")?;
    assert_eq!(byte, U256::from(capacity::FORCED_GAS_PER_BYTE));
    let sent = Constants::read("messaging/SendQueue.sol")?;
    assert_eq!(sent.get("CHECKPOINT_INTERVAL")?, U256::from(capacity::CHECKPOINT_INTERVAL));
    Ok(())
}

#[test]
fn genesis_reader_knows_amsterdam_fork_number() -> Result<()> {
    let reader = Constants::read("deployment/GenesisReader.sol")?;
    reader.assert("AMSTERDAM", ProtocolFork::Amsterdam as usize);
    Ok(())
}

#[test]
fn deploy_script_lists_forks_in_schema_order() -> Result<()> {
    let source = fs::read_to_string(find_root()?.join("script/PlanChecks.sol"))?;
    let execute = Constants::read("libraries/Execute.sol")?;
    let first = execute.get("FIRST_SCHEMA")?;
    let forks = ProtocolFork::ALL.map(|fork| (U256::from(fork.schema().get()), fork.name()));
    let forks: Vec<_> = forks.into_iter().filter(|(schema, _)| *schema >= first).collect();
    let names: Vec<_> = forks.iter().map(|(_, name)| format!("\"{name}\"")).collect();
    assert!(source.contains(&format!("return [{}];", names.join(", "))), "{names:?}");
    for (index, (schema, name)) in forks.iter().enumerate() {
        assert_eq!(*schema, first + U256::from(256 * index), "{name}");
    }
    Ok(())
}

#[test]
fn constants_reader_finds_only_existing_constants() -> Result<()> {
    let execute = Constants::read("libraries/Execute.sol")?;
    assert!(execute.0.len() >= 15, "{:?}", execute.0.keys());
    assert!(execute.get("NO_SUCH_CONSTANT").is_err());
    Ok(())
}

#[test]
fn hashes_have_the_preimages_that_the_contracts_document() {
    let message = Message {
        sender: Address::repeat_byte(1),
        to: Address::repeat_byte(2),
        refund_to: Address::repeat_byte(3),
        value: 4,
        fee: 5,
        gas_limit: 6,
        index: 7,
        data: Bytes::from_static(b"data"),
    };
    let word = |number: u64| B256::from(U256::from(number)).to_vec();
    let padded = |byte: u8| [vec![0; 12], vec![byte; 20]].concat();
    let fields = [
        padded(1),
        padded(2),
        padded(3),
        word(4),
        word(5),
        word(6),
        word(7),
        keccak256(b"data").to_vec(),
    ];
    assert_eq!(message.hash(), keccak256(fields.concat()));
    let root = extend(B256::ZERO, message.hash());
    assert_eq!(root, keccak256([[0; 32], message.hash().0].concat()));
    let anchor = Anchor {
        l1_block_number: 8,
        l1_block_hash: B256::repeat_byte(9),
        message_count: 10,
        message_root: B256::repeat_byte(11),
    };
    let fields = [word(8), vec![9; 32], word(10), vec![11; 32]];
    assert_eq!(anchor.hash(), keccak256(fields.concat()));
}
