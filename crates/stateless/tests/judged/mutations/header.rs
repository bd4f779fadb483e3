//! Every field of the header is checked, except for the free ones.
//!
//! A change alone never matches the block hash. A change with an updated block hash claims another
//! block, which is refused by the parent and the rules (parent hash, number, timestamp, gas limit,
//! base fee, blob gas) or by execution (roots, bloom, gas used).
//!
//! The remaining fields are those that a block producer may choose:
//! - the extra data, which no contract can see;
//! - the gas limit, within a 1024th of the parent's, which GASLIMIT sees;
//! - the timestamp, after the parent's, and the parent beacon block root: EIP-4788 stores both in
//!   every block, so they decide the state root, except on a chain without that contract;
//! - the fee recipient, who decides the state root as soon as there is a tip;
//! - prev_randao and (Amsterdam) the slot number, which PREVRANDAO and SLOTNUM see.
//!
//! A change of these yields another valid block unless execution depends on the field.

use super::support::{Case, all, generated, rehash};
use alloy_eips::eip4788::BEACON_ROOTS_CODE;
use alloy_primitives::{B256, U256};
use enshrine_stateless::{Ancestors, Verdict, header_of};
use executor::{Invalid, decode_transaction};
use std::collections::BTreeMap;
use testkit::Random;
use wire::{
    ProtocolFork, StatelessInput,
    layout::{self, payload as at},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Field {
    ParentHash,
    FeeRecipient,
    StateRoot,
    ReceiptsRoot,
    LogsBloom,
    PrevRandao,
    BlockNumber,
    GasLimit,
    GasUsed,
    Timestamp,
    ExtraData,
    BaseFee,
    BlockHash,
    BlobGasUsed,
    ExcessBlobGas,
    SlotNumber,
    ParentBeaconBlockRoot,
}

/// Returns the range of each field in the calldata of a block.
fn fields(case: &Case) -> Vec<(Field, core::ops::Range<usize>)> {
    let word = |at: usize| {
        let bytes = case.bytes[at..].first_chunk().expect("is there");
        u32::from_le_bytes(*bytes) as usize
    };
    let request = layout::REQUEST_IN_CALLDATA;
    let payload = request + word(request + layout::request::PAYLOAD);
    let extra_data = payload + word(payload + at::EXTRA_DATA);
    let extra_data_end = payload + word(payload + at::TRANSACTIONS);
    let inside = |offset: usize, len: usize| payload + offset..payload + offset + len;
    let beacon_root = request + layout::request::PARENT_BEACON_BLOCK_ROOT;
    let mut fields = vec![
        (Field::ParentHash, inside(at::PARENT_HASH, 32)),
        (Field::FeeRecipient, inside(at::FEE_RECIPIENT, 20)),
        (Field::StateRoot, inside(at::STATE_ROOT, 32)),
        (Field::ReceiptsRoot, inside(at::RECEIPTS_ROOT, 32)),
        (Field::LogsBloom, inside(at::LOGS_BLOOM, 256)),
        (Field::PrevRandao, inside(at::PREV_RANDAO, 32)),
        (Field::BlockNumber, inside(at::BLOCK_NUMBER, 8)),
        (Field::GasLimit, inside(at::GAS_LIMIT, 8)),
        (Field::GasUsed, inside(at::GAS_USED, 8)),
        (Field::Timestamp, inside(at::TIMESTAMP, 8)),
        (Field::ExtraData, extra_data..extra_data_end),
        (Field::BaseFee, inside(at::BASE_FEE_PER_GAS, 32)),
        (Field::BlockHash, inside(at::BLOCK_HASH, 32)),
        (Field::BlobGasUsed, inside(at::BLOB_GAS_USED, 8)),
        (Field::ExcessBlobGas, inside(at::EXCESS_BLOB_GAS, 8)),
        (Field::ParentBeaconBlockRoot, beacon_root..beacon_root + 32),
    ];
    if case.input().fork >= ProtocolFork::Amsterdam {
        fields.push((Field::SlotNumber, inside(at::SLOT_NUMBER, 8)));
    }
    fields
}

/// Verifies the case with one byte changed.
fn flipped(case: &Case, at: usize, mask: u8, right_hash: bool, check: impl FnOnce(Flipped<'_>)) {
    let mut bytes = case.bytes.clone();
    bytes[at] ^= mask;
    let mut input = StatelessInput::decode(&bytes).expect("no offset was changed");
    if right_hash {
        rehash(&mut input);
    }
    let outcome = case.verify(&input);
    check(Flipped { case, input, outcome });
}

struct Flipped<'a> {
    case: &'a Case,
    input: StatelessInput<'a>,
    outcome: Result<Verdict, Invalid>,
}

#[test]
fn changed_header_byte_breaks_block_hash() {
    let mut random = Random::new(1);
    let mut flips = 0;
    for case in all() {
        for (field, range) in fields(case) {
            for at in range {
                flipped(case, at, random.mask(), false, |Flipped { input, outcome, .. }| {
                    let payload = &input.request.payload;
                    let reason = outcome.expect_err("is invalid");
                    let refused_as_expected = match &reason {
                        Invalid::BlockHash { got, .. } => *got == payload.block_hash,
                        // Base fees beyond 64 bits have no header.
                        Invalid::HeaderRange { field: "base fee", got, .. } => {
                            field == Field::BaseFee && *got == payload.base_fee_per_gas
                        }
                        // Another timestamp may be in another fork.
                        Invalid::Fork { .. } => field == Field::Timestamp,
                        _ => false,
                    };
                    assert!(refused_as_expected, "{} {field:?} {at}: {reason}", case.name);
                });
                flips += 1;
            }
        }
    }
    println!("{flips} bytes flipped, all refused");
}

#[test]
fn changed_field_is_refused_unless_it_is_free() {
    let mut random = Random::new(2);
    let mut flips = 0;
    // For each field, the number of other valid blocks, on public networks and on generated chains.
    let mut siblings = BTreeMap::<Field, [usize; 2]>::new();
    for case in all() {
        let maximum = if case.is_small() { usize::MAX } else { 3 };
        for (field, range) in fields(case) {
            if field == Field::BlockHash {
                continue;
            }
            for index in random.sample(range.len(), maximum) {
                let at = range.start + index;
                flipped(case, at, random.mask(), true, |flipped| {
                    if flipped.outcome.is_ok() {
                        siblings.entry(field).or_default()[usize::from(case.minimal)] += 1;
                    }
                    flipped.judge(field);
                });
                flips += 1;
            }
        }
    }
    // Each free field yields other valid blocks somewhere, so the check is not vacuous.
    for free in [
        Field::ExtraData,
        Field::GasLimit,
        Field::Timestamp,
        Field::FeeRecipient,
        Field::PrevRandao,
        Field::ParentBeaconBlockRoot,
        Field::SlotNumber,
    ] {
        assert!(siblings.contains_key(&free), "{free:?} never made another valid block");
    }
    println!("{flips} bytes flipped and rehashed; other valid blocks, real and ours: {siblings:?}");
}

impl Flipped<'_> {
    /// Asserts that the outcome is the one for a change of this field.
    fn judge(self, field: Field) {
        let (case, before) = (self.case, self.case.input());
        let (old, new) = (&before.request.payload, &self.input.request.payload);
        let right = match field {
            Field::ParentHash => self.is(&Invalid::BrokenAncestry {
                index: before.witness.headers.len() - 1,
                got: old.parent_hash,
                expected: new.parent_hash,
            }),
            Field::StateRoot => self.is_commitment("state root", new.state_root, old.state_root),
            Field::ReceiptsRoot => {
                self.is_commitment("receipts root", new.receipts_root, old.receipts_root)
            }
            Field::LogsBloom => self.is(&Invalid::LogsBloom),
            Field::BlockNumber => self.is_header("number", new.block_number, old.block_number),
            Field::GasLimit => self.gas_limit(),
            Field::GasUsed => self.gas_used(),
            Field::Timestamp => self.timestamp(),
            Field::BaseFee => self.base_fee(),
            Field::BlobGasUsed => self.blob_gas_used(),
            Field::ExcessBlobGas => {
                self.is_header("excess blob gas", new.excess_blob_gas, old.excess_blob_gas)
            }
            Field::FeeRecipient if pays_tips(case) => self.is_refused_by_execution(),
            Field::ParentBeaconBlockRoot if has_beacon_roots(case) => {
                self.is_refused_by_execution()
            }
            Field::PrevRandao | Field::SlotNumber if case.sees_header => {
                self.is_refused_by_execution()
            }
            Field::ExtraData => self.is_sibling(),
            // Free, but the transactions of a real block may read them.
            Field::PrevRandao
            | Field::FeeRecipient
            | Field::ParentBeaconBlockRoot
            | Field::SlotNumber => self.is_sibling() || self.is_refused_by_execution(),
            Field::BlockHash => unreachable!("the block hash is updated"),
        };
        assert!(right, "{} {field:?}: {:?}", case.name, self.outcome.map(|_| "valid"));
    }

    fn is(&self, expected: &Invalid) -> bool {
        self.outcome.as_ref().err() == Some(expected)
    }

    fn is_header(&self, field: &'static str, got: u64, expected: u64) -> bool {
        let (got, expected) = (U256::from(got), U256::from(expected));
        self.is(&Invalid::Header { field, got, expected })
    }

    fn is_commitment(&self, what: &'static str, got: B256, expected: B256) -> bool {
        self.is(&Invalid::Commitment { what, got, expected })
    }

    fn is_range(&self, range: &str, value: u64) -> bool {
        matches!(
            &self.outcome,
            Err(Invalid::HeaderRange { field, got, .. })
                if *field == range && *got == U256::from(value)
        )
    }

    /// Returns `true` if the outcome is another valid block with the same effects.
    fn is_sibling(&self) -> bool {
        let Ok(verdict) = &self.outcome else { return false };
        self.case.assert_sibling(verdict, "free field");
        Some(&verdict.header) == header_of(&self.input.request, self.input.fork).as_ref()
    }

    /// Returns `true` if execution refuses the block, because it needs other state or has another
    /// outcome than claimed, or because a transaction is no longer allowed in the block.
    const fn is_refused_by_execution(&self) -> bool {
        matches!(
            &self.outcome,
            Err(Invalid::State(_)
                | Invalid::Commitment { .. }
                | Invalid::Amount { .. }
                | Invalid::GasBeyondClaim { .. }
                | Invalid::LogsBloom
                | Invalid::Transaction { .. })
        )
    }

    fn gas_limit(&self) -> bool {
        let new = &self.input.request.payload;
        let parent = parent_of(&self.input, self.case);
        let allowed = new.gas_limit.abs_diff(parent.gas_limit) < parent.gas_limit / 1024
            && new.gas_limit >= 5_000;
        if !allowed {
            self.is_range("gas limit", new.gas_limit)
        } else if new.gas_limit < new.gas_used {
            self.is_range("gas used", new.gas_used)
        } else if self.case.sees_header {
            self.is_refused_by_execution()
        } else {
            self.is_sibling() || self.is_refused_by_execution()
        }
    }

    fn gas_used(&self) -> bool {
        let new = &self.input.request.payload;
        let expected = self.case.verdict.header.gas_used;
        let got = new.gas_used;
        if got > new.gas_limit {
            self.is_range("gas used", got)
        } else if got < expected {
            matches!(
                self.outcome,
                Err(Invalid::GasBeyondClaim { got: used, expected: claim, .. })
                    if claim == got && used > claim
            )
        } else {
            self.is(&Invalid::Amount { what: "gas used", got, expected })
        }
    }

    fn timestamp(&self) -> bool {
        let (case, fork) = (self.case, self.input.fork);
        let timestamp = self.input.request.payload.timestamp;
        let expected = case.spec.fork_at(timestamp).unwrap_or(ProtocolFork::Paris);
        if expected != fork {
            self.is(&Invalid::Fork { got: fork, expected, timestamp })
        } else if timestamp <= parent_of(&self.input, case).timestamp {
            self.is_range("timestamp", timestamp)
        } else if has_beacon_roots(case) || case.sees_header {
            self.is_refused_by_execution()
        } else {
            self.is_sibling()
        }
    }

    fn base_fee(&self) -> bool {
        let got = self.input.request.payload.base_fee_per_gas;
        let expected = self.case.input().request.payload.base_fee_per_gas;
        if u64::try_from(got).is_err() {
            matches!(
                &self.outcome,
                Err(Invalid::HeaderRange { field: "base fee", got: refused, .. }) if *refused == got
            )
        } else {
            self.is(&Invalid::Header { field: "base fee", got, expected })
        }
    }

    fn blob_gas_used(&self) -> bool {
        const BLOB: u64 = 1 << 17;
        let new = &self.input.request.payload;
        let params = self.case.spec.blob_params_at(new.timestamp).expect("blobs exist");
        let (got, expected) = (new.blob_gas_used, self.case.verdict.executed.blob_gas_used);
        if got > params.max_blob_gas_per_block() {
            self.is_range("blob gas used", got)
        } else if got % BLOB != 0 {
            self.is_header("blob gas used modulo blob size", got % BLOB, 0)
        } else {
            self.is(&Invalid::Amount { what: "blob gas used", got, expected })
        }
    }
}

fn parent_of(input: &StatelessInput<'_>, case: &Case) -> alloy_consensus::Header {
    let parent_hash = case.verdict.header.parent_hash;
    let ancestors =
        Ancestors::verify(input.witness.headers, parent_hash, &()).expect("leads there");
    ancestors.parent().clone()
}

/// Returns `true` if some transaction pays a tip to the fee recipient.
fn pays_tips(case: &Case) -> bool {
    use alloy_consensus::Transaction;
    let base_fee = case.verdict.header.base_fee_per_gas.unwrap_or_default();
    case.input().request.payload.transactions.iter().any(|bytes| {
        let transaction = decode_transaction(bytes).expect("of a valid block");
        transaction.effective_tip_per_gas(base_fee).is_some_and(|tip| tip > 0)
    })
}

/// Returns `true` if the chain has the contract of EIP-4788, whose code is then in every witness.
fn has_beacon_roots(case: &Case) -> bool {
    case.input().witness.codes.iter().any(|code| *code == BEACON_ROOTS_CODE[..])
}

#[test]
fn amounts_are_exact() {
    for case in all() {
        let name = &case.name;
        let header = &case.verdict.header;
        let used = header.gas_used;
        if used < header.gas_limit {
            assert_eq!(
                case.refusal(|input| input.request.payload.gas_used += 1),
                Invalid::Amount { what: "gas used", got: used + 1, expected: used },
                "{name}"
            );
        }
        if used > 0 {
            let reason = case.refusal(|input| input.request.payload.gas_used -= 1);
            assert!(matches!(reason, Invalid::GasBeyondClaim { .. }), "{name}: {reason}");
        }
        let blob_gas = case.verdict.executed.blob_gas_used;
        let params = case.spec.blob_params_at(header.timestamp).expect("blobs exist");
        if blob_gas < params.max_blob_gas_per_block() {
            let got = blob_gas + (1 << 17);
            assert_eq!(
                case.refusal(|input| input.request.payload.blob_gas_used = got),
                Invalid::Amount { what: "blob gas used", got, expected: blob_gas },
                "{name}"
            );
        }
    }
}

#[test]
fn limits_are_accepted_and_one_more_is_refused() {
    let bare = generated().iter().filter(|case| case.name.contains("bare"));
    let mut cases = 0;
    for case in bare {
        let parent = parent_of(&case.input(), case);
        let slack = parent.gas_limit / 1024;
        for (limit, allowed) in [
            (parent.gas_limit + slack - 1, true),
            (parent.gas_limit + slack, false),
            (parent.gas_limit - slack + 1, true),
            (parent.gas_limit - slack, false),
        ] {
            let outcome = case.rehashed(|input| input.request.payload.gas_limit = limit);
            assert_eq!(outcome.is_ok(), allowed, "{}", case.name);
            match outcome {
                Ok(verdict) => case.assert_sibling(&verdict, "gas limit"),
                Err(reason) => assert!(
                    matches!(reason, Invalid::HeaderRange { field: "gas limit", .. }),
                    "{}: {reason}",
                    case.name
                ),
            }
        }
        for (timestamp, allowed) in
            [(parent.timestamp, false), (parent.timestamp + 1, true), (u64::MAX, true)]
        {
            let outcome = case.rehashed(|input| input.request.payload.timestamp = timestamp);
            assert_eq!(outcome.is_ok(), allowed, "{}", case.name);
            match outcome {
                Ok(verdict) => case.assert_sibling(&verdict, "timestamp"),
                Err(reason) => assert!(
                    matches!(reason, Invalid::HeaderRange { field: "timestamp", .. }),
                    "{}: {reason}",
                    case.name
                ),
            }
        }
        cases += 1;
    }
    assert_eq!(cases, 6);
}
