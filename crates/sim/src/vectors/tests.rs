use super::*;
use crate::report::check_figures;
use alloy_primitives::{Bytes, keccak256};
use std::{collections::BTreeSet, sync::OnceLock};

/// File with the digest of all calls, their answers, charges and reasons. A changed digest means
/// that a case was added, or that a verdict, an answer or a charge of EXECUTE has changed, which is
/// a consensus change.
const DIGEST: &str = "src/vectors/digest.txt";

/// Returns the files, which are created once for all tests.
fn made() -> &'static Files {
    static MADE: OnceLock<Files> = OnceLock::new();
    MADE.get_or_init(|| Files::make().unwrap())
}

fn cases() -> impl Iterator<Item = &'static Case> {
    made().calls.values().flat_map(|vectors| &vectors.cases)
}

#[test]
fn report_has_counts_of_vectors() {
    check_figures("vectors", &counts(&made().calls)).unwrap();
}

#[test]
fn vectors_are_deterministic_and_match_own_execute() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    write(folders[0].path(), made()).unwrap();
    write(folders[1].path(), &Files::make().unwrap()).unwrap();
    let names = [
        "README.md",
        "batches.json",
        "blobs.json",
        "blocks.json",
        "draft-8079.json",
        "drake.json",
        "execute-tx.json",
        "headers-blobs.json",
        "headers.json",
        "legacy-0x12.json",
        "nested.json",
        "precompiles.json",
        "vectors.py",
    ];
    for name in names {
        let [first, second] =
            [0, 1].map(|index: usize| fs::read(folders[index].path().join(name)).unwrap());
        assert!(first == second, "{name}");
    }
    assert_eq!(fs::read_dir(folders[0].path()).unwrap().count(), names.len());
    assert_eq!(read(folders[0].path()).unwrap(), *made());
    assert_eq!(check(folders[0].path()).unwrap(), cases().count());
}

#[test]
fn vectors_match_recorded_digest() {
    let lines = cases().map(|case| {
        let Case { name, gas, input, blobs, transaction, answer, gas_charged, reason, .. } = case;
        let blobs: Vec<_> = blobs.iter().map(|blob| blob.versioned_hash).collect();
        let carried = transaction.as_ref().map(keccak256);
        let input = keccak256(input);
        format!("{name} {gas} {input} {blobs:?} {carried:?} {answer:?} {gas_charged} {reason:?}\n")
    });
    let digest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(DIGEST)).unwrap();
    assert_eq!(keccak256(lines.collect::<String>()).to_string(), digest.trim());
}

#[test]
fn check_rejects_case_with_other_expectation() {
    for file in [
        "blocks.json",
        "batches.json",
        "drake.json",
        "blobs.json",
        "nested.json",
        "draft-8079.json",
        "headers.json",
        "headers-blobs.json",
    ] {
        let is_refused = |refused: bool| {
            let mut cases = made().calls[file].cases.iter();
            cases.find(|case| case.reason.is_some() == refused).unwrap().clone()
        };
        let changes: [fn(&mut Case); 4] = [
            |case| {
                case.answer = match &case.answer {
                    None => Some(Bytes::new()),
                    Some(answer) => {
                        let mut other = answer.to_vec();
                        other[0] ^= 1;
                        Some(other.into())
                    }
                };
            },
            |case| case.answer = if case.answer.is_none() { Some([0; 43].into()) } else { None },
            |case| case.gas_charged -= 1,
            |case| {
                case.reason = if case.reason.is_some() { None } else { Some("decode".to_owned()) };
            },
        ];
        for good in [is_refused(false), is_refused(true)] {
            good.check().unwrap();
            for (index, change) in changes.iter().enumerate() {
                let mut bad = good.clone();
                change(&mut bad);
                assert!(bad.check().is_err(), "{}, change {index}", good.name);
            }
        }
    }
}

#[test]
fn check_rejects_folder_with_changed_answer() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = made().clone();
    files.calls.retain(|name, _| name == "drake.json");
    write(folder.path(), &files).unwrap();
    assert!(check(folder.path()).is_ok());
    let last = files.calls.get_mut("drake.json").unwrap().cases.last_mut().unwrap();
    last.gas_charged -= 1;
    write(folder.path(), &files).unwrap();
    assert!(check(folder.path()).is_err());

    // The file without calls is compared as well.
    let folder = tempfile::tempdir().unwrap();
    let mut files = Files { calls: BTreeMap::new(), ..made().clone() };
    files.calls.insert("blocks.json".to_owned(), made().calls["blocks.json"].clone());
    let fields = files.layouts.layouts.iter_mut().find(|layout| layout.fields.is_some()).unwrap();
    fields.fields = None;
    write(folder.path(), &files).unwrap();
    assert!(check(folder.path()).is_err());
    assert!(
        check(tempfile::tempdir().unwrap().path()).is_err(),
        "an empty folder must be an error"
    );
}

#[test]
fn each_rejection_has_accepted_neighbour_differing_in_call() {
    let accepted: BTreeMap<_, _> = cases()
        .filter(|case| case.reason.is_none())
        .map(|case| (case.name.as_str(), case))
        .collect();
    let refused: Vec<_> = cases().filter(|case| case.reason.is_some()).collect();
    let names: BTreeSet<_> = cases().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases().count());
    for case in &refused {
        let neighbour = accepted[case.neighbour.as_deref().unwrap()];
        assert_eq!((&case.dialect, &case.schedule), (&neighbour.dialect, &neighbour.schedule));
        let of = |case: &Case| {
            let blobs: Vec<_> = case.blobs.iter().map(|blob| blob.versioned_hash).collect();
            (case.input.clone(), case.transaction.clone(), blobs, case.fork.clone())
        };
        let is_short = case.reason.as_deref() == Some("outOfGas");
        assert_eq!(of(case) == of(neighbour), is_short, "{}", case.name);
        assert!(case.gas >= neighbour.gas || is_short, "{}", case.name);
    }
    for name in accepted.keys() {
        let is_near = |case: &&&Case| case.neighbour.as_deref() == Some(name);
        assert!(refused.iter().any(|case| is_near(&case)), "{name} has no refused neighbour");
    }
}

#[test]
fn vectors_cover_all_dialects_forks_and_steps() {
    for dialect in DialectName::ALL {
        // These dialects have no batches.
        let kinds = match dialect {
            DialectName::Nested | DialectName::Draft8079 | DialectName::ExecuteTx => &["block"][..],
            _ => &["block", "batch"],
        };
        let of = || cases().filter(move |case| case.dialect == dialect.name());
        for fork in ["cancun", "prague", "osaka", "amsterdam"] {
            for kind in kinds {
                let prefix = format!("{dialect}: {fork} {kind}");
                assert!(of().any(|case| case.name.starts_with(&prefix)), "{prefix}");
            }
        }
        let reasons: BTreeSet<_> = of().filter_map(|case| case.reason.as_deref()).collect();
        for reason in
            ["outOfGas", "forkAt", "withdrawals", "blockHash", "missingNode", "commitment"]
        {
            assert!(reasons.contains(reason), "{dialect}: {reason}");
        }
    }
}
