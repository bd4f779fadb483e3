//! A heap that counts the bytes in use, for tests of memory.
#![allow(unsafe_code, reason = "a global allocator cannot be written without; it only forwards")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    /// Bytes that this thread has allocated, less those that it has freed. Other tests run in other
    /// threads.
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

fn count(bytes: isize) {
    // Fails only while the thread ends.
    let _ = LIVE.try_with(|live| live.set(live.get() + bytes));
}

// SAFETY: every method passes its arguments unchanged to the system allocator, which has the same
// contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller upholds the requirements on `layout`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller upholds the requirements on `ptr` and `layout`.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static HEAP: Counting = Counting;

/// Returns the result of `work` and the bytes by which the heap has grown.
pub(crate) fn growth<T>(work: impl FnOnce() -> T) -> (T, isize) {
    let before = LIVE.get();
    let done = work();
    (done, LIVE.get() - before)
}
