//! Measurement of peak memory.
#![allow(unsafe_code, reason = "a global allocator cannot be written without; it only forwards")]

use mimalloc::MiMalloc;
use std::{
    alloc::{GlobalAlloc, Layout},
    sync::atomic::{AtomicBool, AtomicIsize, Ordering},
};

static COUNTING: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);

/// The allocator of the shipped program, mimalloc, which counts live bytes while [`peak_of`] runs.
/// Otherwise it counts nothing, so that timings match the shipped program.
#[derive(Debug)]
pub(crate) struct CountingHeap;

impl CountingHeap {
    fn count(bytes: isize) {
        if COUNTING.load(Ordering::Relaxed) {
            let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
            PEAK.fetch_max(live, Ordering::Relaxed);
        }
    }
}

// SAFETY: every method forwards its arguments unchanged to mimalloc, which has the same contract as
// this trait.
unsafe impl GlobalAlloc for CountingHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size().cast_signed());
        // SAFETY: the caller upholds the contract for `layout`.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size().cast_signed());
        // SAFETY: the caller upholds the contract for `layout`.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        Self::count(-layout.size().cast_signed());
        // SAFETY: the caller upholds the contract for `ptr` and `layout`.
        unsafe { MiMalloc.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        Self::count(new_size.cast_signed() - layout.size().cast_signed());
        // SAFETY: the caller upholds the contract for `ptr`, `layout` and `new_size`.
        unsafe { MiMalloc.realloc(ptr, layout, new_size) }
    }
}

/// Runs `work`, and returns its result and the peak of live bytes above the level at the start.
///
/// Measurements must not run concurrently, because each would count the allocations of the other.
pub(crate) fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    LIVE.store(0, Ordering::Relaxed);
    PEAK.store(0, Ordering::Relaxed);
    COUNTING.store(true, Ordering::Relaxed);
    let result = work();
    COUNTING.store(false, Ordering::Relaxed);
    (result, PEAK.load(Ordering::Relaxed).max(0).unsigned_abs())
}
