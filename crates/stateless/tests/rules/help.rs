//! Helper threads.

use enshrine_stateless::{beside, with_help};
use std::{
    panic::catch_unwind,
    sync::atomic::{AtomicUsize, Ordering},
};

#[test]
fn helper_count_matches_request() {
    for helpers in 0..=4 {
        let helped = AtomicUsize::new(0);
        let help = || _ = helped.fetch_add(1, Ordering::Relaxed);
        // All helpers have ended when the result of the work is returned.
        assert_eq!(with_help(helpers, help, || 7), 7);
        assert_eq!(helped.into_inner(), helpers);
    }
}

#[test]
fn only_panics_of_main_work_propagate() {
    assert_eq!(with_help(2, || panic!("a helper"), || 7), 7);
    assert!(catch_unwind(|| with_help(1, || {}, || panic!("the work"))).is_err());
}

#[test]
fn other_work_reruns_only_after_thread_failure() {
    for shared in [false, true] {
        let here = std::thread::current().id();
        let (ran, elsewhere) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let other = || {
            ran.fetch_add(1, Ordering::Relaxed);
            if std::thread::current().id() != here {
                elsewhere.fetch_add(1, Ordering::Relaxed);
            }
            "other"
        };
        let (done, result) = beside(shared, other, || ran.load(Ordering::Relaxed) < 2);
        assert_eq!((done, result()), (true, "other"));
        assert_eq!((ran.into_inner(), elsewhere.into_inner()), (1, usize::from(shared)));
    }
    let here = std::thread::current().id();
    let fails_elsewhere = || {
        assert_eq!(std::thread::current().id(), here);
        "other"
    };
    let (done, result) = beside(true, fails_elsewhere, || 7);
    assert_eq!((done, result()), (7, "other"));
}
