//! Threads that help.

use enshrine_stateless::with_help;
use std::{
    panic::catch_unwind,
    sync::atomic::{AtomicUsize, Ordering},
};

#[test]
fn as_many_threads_help_as_are_asked_for() {
    for helpers in 0..=4 {
        let helped = AtomicUsize::new(0);
        let help = || _ = helped.fetch_add(1, Ordering::Relaxed);
        // All have ended when the work is returned.
        assert_eq!(with_help(helpers, help, || 7), 7);
        assert_eq!(helped.into_inner(), helpers);
    }
}

#[test]
fn a_helper_that_panics_decides_nothing_and_work_that_panics_does() {
    assert_eq!(with_help(2, || panic!("a helper"), || 7), 7);
    assert!(catch_unwind(|| with_help(1, || {}, || panic!("the work"))).is_err());
}
