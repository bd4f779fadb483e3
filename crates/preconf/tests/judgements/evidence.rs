//! Evidence can be built from messages and transactions if and only if a check finds a fault, with
//! the same result.

use crate::{
    INDICES, evidence,
    messages::{CHAIN_ID, DOMAIN, Message, NUMBER, POST_WITHIN, TIMESTAMP, context, messages},
};
use alloy_primitives::{Address, B256, Bytes, FixedBytes};
use enshrine_preconf::{
    HeaderSummary,
    evidence::{Accusation, CanonicalBlock, LieError, SignedBlock, SignedHeader},
    faults::{self, Canonical, Fault, TransactionEvidence},
};

/// All messages that an update can contain, i.e. with a signature of 65 bytes.
fn received() -> Vec<(Message, SignedHeader)> {
    let all = messages().into_iter().filter_map(|spec| {
        let signature = FixedBytes::<65>::try_from(&spec.signature[..]).ok()?;
        let signed =
            SignedHeader { message: spec.message, signature, header: spec.header.clone().into() };
        Some((spec, signed))
    });
    all.collect()
}

const fn block<'a>((message, signed): &'a (Message, SignedHeader)) -> SignedBlock<'a> {
    SignedBlock { signed, transactions: message.transactions.as_slice() }
}

/// If two blocks differ, the index of the difference is found.
#[test]
fn equivocation_is_built_wherever_judged() {
    let (all, context) = (received(), context());
    let mut found = 0;
    for a in &all {
        for b in &all {
            let is_judged = INDICES.iter().any(|index| {
                let proof = evidence(&a.0, &b.0, *index);
                faults::equivocation(&a.0.signed(), &b.0.signed(), &proof, &context).is_ok()
            });
            let built = Accusation::equivocation(block(a), block(b), &context);
            assert_eq!(built.is_ok(), is_judged, "{} {}: {built:?}", a.0.name, b.0.name);
            let Ok((accusation, offence)) = built else { continue };
            let Accusation::Equivocation { a, b, transaction } = &accusation else {
                panic!("{accusation:?}")
            };
            let (a, b) = (a.as_signed(), b.as_signed());
            assert_eq!(faults::equivocation(&a, &b, transaction, &context), Ok(offence));
            let is_least =
                faults::equivocation(&a, &b, &TransactionEvidence::default(), &context).is_err();
            assert!(is_least || transaction.ours.is_empty(), "proofs that are not needed");
            found += 1;
        }
    }
    assert!(found > 100, "{found}");
}

#[test]
fn broken_promise_is_built_wherever_judged() {
    let (all, context) = (received(), context());
    let mut found = 0;
    for s in &all {
        for c in &all {
            let header = c.1.header.clone();
            let posted = CanonicalBlock { header, ..CanonicalBlock::default() };
            let hash = c.0.message.block_hash;
            let is_judged = INDICES.iter().any(|index| {
                let canonical = Canonical { header: &c.0.header, hash };
                let proof = evidence(&s.0, &c.0, *index);
                faults::broken(&s.0.signed(), canonical, &proof, &context).is_ok()
            });
            let built = Accusation::broken(block(s), posted, &c.0.transactions, &context);
            // The header was changed after the hash was signed.
            let is_own = c.0.name != "changed header" && c.0.name != "no header";
            assert_eq!(built.is_ok() && is_own, is_judged, "{} {}", s.0.name, c.0.name);
            let Ok((Accusation::Broken { signed, canonical, transaction }, offence)) = built else {
                continue;
            };
            let judged = Canonical {
                header: &canonical.header,
                hash: HeaderSummary::read(&canonical.header).unwrap().hash,
            };
            let again = faults::broken(&signed.as_signed(), judged, &transaction, &context);
            assert_eq!(again, Ok(offence));
            found += 1;
        }
    }
    assert!(found > 100, "{found}");
}

#[test]
fn late_block_is_accused_only_when_late() {
    let (all, context) = (received(), context());
    let (_, signed) = all.iter().find(|(spec, _)| spec.name == "prefix of one").unwrap();
    let late = |now| Accusation::late(signed, NUMBER - 1, now, 0, &context);
    assert!(late(TIMESTAMP + POST_WITHIN).is_err());
    let (accusation, offence) = late(TIMESTAMP + POST_WITHIN + 1).unwrap();
    assert_eq!((accusation.fault(), offence.number), (Fault::Late, NUMBER));
    assert_eq!(accusation.first(), signed);
}

#[test]
fn lie_needs_an_input() {
    let (all, context) = (received(), context());
    let (_, signed) = all.iter().find(|(spec, _)| spec.name == "other state root").unwrap();
    let header = signed.header.clone();
    let refused = Accusation::lie(signed, header, Bytes::from(vec![0; 40]), CHAIN_ID, &context);
    assert!(matches!(refused, Err(LieError::Input(_))), "{refused:?}");
}

#[test]
fn commitment_binds_fault_message_reporter_salt() {
    let (all, context) = (received(), context());
    let (_, signed) = all.iter().find(|(spec, _)| spec.name == "prefix of one").unwrap();
    let late = Accusation::late(signed, 0, u64::MAX, 0, &context).unwrap().0;
    let lie = Accusation::Lie { signed: signed.clone(), header: Bytes::new(), input: Bytes::new() };
    let (reporter, salt) = (Address::repeat_byte(0xcc), B256::repeat_byte(0x5a));
    let base = late.commitment(&DOMAIN, reporter, salt);
    for other in [
        lie.commitment(&DOMAIN, reporter, salt),
        late.commitment(&DOMAIN, Address::ZERO, salt),
        late.commitment(&DOMAIN, reporter, B256::ZERO),
    ] {
        assert_ne!(other, base);
    }
}
