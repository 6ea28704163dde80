//! A bump allocator: init allocates little, and most of it once. Only the youngest block can be freed or grow in
//! place, which is what nearly all temporary strings and vectors need.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ptr;

use mote_init::sys::raw_call;

const MMAP: usize = 9;
const PROT_READ_WRITE: usize = 3;
const MAP_PRIVATE_ANONYMOUS: usize = 0x22;

/// Memory is taken from the kernel in pieces of this size, in bytes; a page is used up when it is first touched.
const PIECE: usize = 1 << 20;

/// The allocator.
pub struct Bump {
    next: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: the process has one thread.
unsafe impl Sync for Bump {}

impl Bump {
    /// One without any memory yet.
    pub const fn new() -> Self {
        Self { next: Cell::new(0), end: Cell::new(0) }
    }

    fn is_youngest(&self, block: *mut u8, size: usize) -> bool {
        block as usize + size == self.next.get()
    }

    /// Takes a new piece of memory of at least `size` bytes.
    fn refill(&self, size: usize) -> Option<()> {
        let len = size.checked_next_multiple_of(PIECE)?;
        let arguments = [0, len, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, usize::MAX, 0];
        // SAFETY: the kernel chooses an address where nothing is.
        let start = unsafe { raw_call(MMAP, arguments) }.ok()?;
        self.next.set(start);
        self.end.set(start + len);
        Some(())
    }

    fn take(&self, layout: Layout) -> Option<usize> {
        let start = self.next.get().checked_next_multiple_of(layout.align())?;
        let next = start.checked_add(layout.size())?;
        (next <= self.end.get()).then(|| {
            self.next.set(next);
            start
        })
    }
}

// SAFETY: blocks lie in memory that was mapped, do not overlap, and are aligned.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.take(layout).or_else(|| {
            self.refill(layout.size().checked_add(layout.align())?)?;
            self.take(layout)
        });
        start.map_or(ptr::null_mut(), |start| start as *mut u8)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.is_youngest(block, layout.size()) {
            self.next.set(block as usize);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let fits = block as usize + size <= self.end.get();
        if self.is_youngest(block, layout.size()) && fits {
            self.next.set(block as usize + size);
            return block;
        }
        if size <= layout.size() {
            return block;
        }
        // SAFETY: the caller vouches for `size`; the new block is the larger one, and elsewhere.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size());
                self.dealloc(block, layout);
            }
            new
        }
    }
}
