//! A heap that counts the bytes in use, for tests of memory.
#![allow(unsafe_code, reason = "a global allocator cannot be written without; it only forwards")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicIsize, Ordering},
};

thread_local! {
    /// Bytes that this thread has allocated, less those that it has freed.
    static OWN: Cell<isize> = const { Cell::new(0) };
}

/// The same for all threads.
static LIVE: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);

/// The system allocator, counting bytes. A test binary has to declare it as its global allocator.
#[derive(Debug, Clone, Copy)]
pub struct CountingHeap;

impl CountingHeap {
    /// Returns the result of `work` and the bytes by which the heap of this thread has grown. Other
    /// tests may run in other threads.
    pub fn growth<T>(work: impl FnOnce() -> T) -> (T, isize) {
        let before = OWN.get();
        let done = work();
        (done, OWN.get() - before)
    }

    /// Returns the maximum number of bytes that all threads have allocated at any time during
    /// `work`. No other test may run meanwhile.
    pub fn peak_of(work: impl FnOnce()) -> usize {
        let before = LIVE.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        work();
        PEAK.load(Ordering::Relaxed).saturating_sub(before).unsigned_abs()
    }

    fn count(bytes: isize) {
        // Fails only while the thread ends.
        let _ = OWN.try_with(|own| own.set(own.get() + bytes));
        let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
        PEAK.fetch_max(live, Ordering::Relaxed);
    }
}

// SAFETY: every method forwards its arguments unchanged to the system allocator, which has the same
// contract as this trait.
unsafe impl GlobalAlloc for CountingHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size().cast_signed());
        // SAFETY: the caller upholds the contract for `layout`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        Self::count(-layout.size().cast_signed());
        // SAFETY: the caller upholds the contract for `ptr` and `layout`.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Counted as if old and new allocation existed at once, which they may.
        Self::count(new_size.cast_signed());
        // SAFETY: the caller upholds the contract for `ptr`, `layout` and `new_size`.
        let moved = unsafe { System.realloc(ptr, layout, new_size) };
        Self::count(-layout.size().cast_signed());
        moved
    }
}
