//! The host: memory, input and output.

use alloc::vec::Vec;
use core::{
    alloc::{GlobalAlloc, Layout},
    panic::PanicInfo,
    ptr::null_mut,
    sync::atomic::{AtomicUsize, Ordering},
};

#[link(name = "c")]
unsafe extern "C" {
    fn read(file: i32, buffer: *mut u8, length: usize) -> isize;
    fn write(file: i32, buffer: *const u8, length: usize) -> isize;
    fn abort() -> !;
}

/// Bytes of memory.
const MEMORY: usize = 1 << 30;

/// Memory, which is never given back.
#[repr(align(64))]
struct Memory(core::cell::UnsafeCell<[u8; MEMORY]>);

// SAFETY: each byte belongs to one allocation, since `NEXT` only grows.
unsafe impl Sync for Memory {}

static ARENA: Memory = Memory(core::cell::UnsafeCell::new([0; MEMORY]));
static NEXT: AtomicUsize = AtomicUsize::new(0);

struct Bump;

// SAFETY: allocations are aligned, within the arena, and do not overlap.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let from = NEXT.load(Ordering::Relaxed).next_multiple_of(layout.align());
        match from.checked_add(layout.size()) {
            Some(to) if to <= MEMORY && layout.align() <= 64 => {
                NEXT.store(to, Ordering::Relaxed);
                // SAFETY: `from` is within the arena.
                unsafe { ARENA.0.get().cast::<u8>().add(from) }
            }
            _ => null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Bump = Bump;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: it takes nothing and does not return.
    unsafe { abort() }
}

/// Symbol that `alloc` comes with, though nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// Symbol that `alloc` comes with, though nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    // SAFETY: it takes nothing and does not return.
    unsafe { abort() }
}

/// Reads all of the input.
pub(crate) fn read_input() -> Vec<u8> {
    let (mut input, mut buffer) = (Vec::new(), [0; 1 << 16]);
    loop {
        // SAFETY: the buffer is that long.
        let length = unsafe { read(0, buffer.as_mut_ptr(), buffer.len()) };
        match usize::try_from(length) {
            Ok(length) if length > 0 => input.extend_from_slice(&buffer[..length]),
            _ => return input,
        }
    }
}

/// Writes the output.
pub(crate) fn write_output(output: &[u8]) {
    // SAFETY: the bytes are there.
    unsafe { write(1, output.as_ptr(), output.len()) };
}
