//! Records that leaders keep in etcd for their successors.

use crate::{Candidate, cluster, until};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use enshrine_rollup::{LeaseError, MAX_RECORD, Record, SharedRecords};
use serde_json::json;
use testkit::{Cable, Etcd};

fn records(candidate: &Candidate) -> SharedRecords {
    SharedRecords::of(&candidate.lease)
}

fn record(number: u64, byte: u8, length: usize) -> Record {
    Record { number, bytes: vec![byte; length].into() }
}

/// Adds a record, perhaps after attempts at a member that is down.
fn append(records: &SharedRecords, record: &Record) {
    let mut outcome = Ok(());
    until("an addition", || {
        outcome = records.append(record.number, &record.bytes);
        !matches!(outcome, Err(LeaseError::Timeout { .. } | LeaseError::Unreachable { .. }))
    });
    assert!(matches!(outcome, Ok(()) | Err(LeaseError::RecordExists { .. })), "{outcome:?}");
}

#[test]
fn successor_reads_records_and_fences_predecessor() {
    let Some((_etcd, mut candidates)) = cluster("records of a leader", 2) else { return };
    let second = candidates.pop().unwrap();
    let first = candidates.pop().unwrap();
    let (of_first, of_standby) = (records(&first), records(&second));
    let mut all = vec![record(0, 7, 1), record(1, 8, 1_000), record(2, 9, 0)];
    all.iter().for_each(|record| append(&of_first, record));
    assert_eq!(of_first.read(0).unwrap(), all);
    assert_eq!(of_standby.read(1).unwrap(), all[1..]);
    assert!(of_standby.append(3, b"no").is_err(), "only the leader may add some");

    // The first one is suspended, and knows nothing of the second.
    first.task.abort();
    until("the second holder", || second.holds());
    let of_second = records(&second);
    assert_eq!(of_second.read(0).unwrap(), all);
    let refused = of_first.append(3, b"late");
    assert!(matches!(refused, Err(LeaseError::Lost { .. })), "{refused:?}");
    assert!(of_first.remove_before(3).is_err());
    all.push(record(3, 10, 5));
    append(&of_second, &all[3]);
    of_second.remove_before(2).unwrap();
    assert_eq!(of_second.read(0).unwrap(), all[2..]);
}

#[test]
fn record_is_added_once() {
    let Some((_etcd, candidates)) = cluster("numbers of records", 1) else { return };
    let records = records(&candidates[0]);
    append(&records, &record(4, 1, 10));
    let again = records.append(4, b"other");
    assert!(matches!(again, Err(LeaseError::RecordExists { number: 4 })), "{again:?}");
    assert_eq!(records.read(0).unwrap(), [record(4, 1, 10)]);
    assert!(candidates[0].holds(), "the term goes on");
}

#[test]
fn lost_response_leaves_record() {
    let Some(etcd) = Etcd::start(3, "a lost response to a record").unwrap() else { return };
    let cables: Vec<_> = etcd.ports().iter().map(|port| Cable::to(*port).unwrap()).collect();
    let urls = cables.iter().map(|cable| format!("http://127.0.0.1:{}", cable.port())).collect();
    let candidate = Candidate::start(urls);
    until("a holder", || candidate.holds());
    let (own, first) = (records(&candidate), record(0, 7, 1_000));
    let put = BASE64.encode("enshrine/record");
    cables.iter().for_each(|cable| cable.withhold_responses_from(put.as_bytes()));
    let lost = own.append(0, &first.bytes);
    assert!(matches!(lost, Err(LeaseError::Timeout { .. })), "{lost:?}");
    let [key, range_end] = ["enshrine/records/", "enshrine/records0"].map(|key| BASE64.encode(key));
    let range = json!({ "key": key, "range_end": range_end, "count_only": true });
    until("the record", || {
        let response = etcd.post(1, "/v3/kv/range", &range);
        response.is_some_and(|body| body["count"] == json!("1"))
    });
    cables.iter().for_each(Cable::mend);
    append(&own, &record(0, 8, 10));
    assert_eq!(own.read(0).unwrap(), [first]);
    append(&own, &record(1, 9, 10));
    assert_eq!(own.read(1).unwrap(), [record(1, 9, 10)]);
}

#[test]
fn long_records_are_read_in_pages() {
    let Some((mut etcd, candidates)) = cluster("long records", 1) else { return };
    let own = || records(&candidates[0]);
    let refused = own().append(0, &vec![0; MAX_RECORD + 1]);
    let Err(LeaseError::RecordTooLong { got, limit }) = refused else { panic!("{refused:?}") };
    assert_eq!((got, limit), (MAX_RECORD + 1, MAX_RECORD));
    let all: Vec<_> = (0..9).map(|number| record(number, number as u8, MAX_RECORD)).collect();
    all.iter().for_each(|record| append(&own(), record));
    assert!(own().read(0).unwrap() == all, "as they were added");
    // The last member is tried after two whose responses are too long, and its error is another.
    etcd.kill(2);
    until("the records without a member", || own().read(0).is_ok_and(|records| records == all));
}
