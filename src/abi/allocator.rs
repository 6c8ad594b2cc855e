//! Memory that is given back is wiped first.
//!
//! What KMS answers passes through buffers of the SDK, of the HTTP and TLS libraries and of their parsers, none of
//! which wipes them: plaintexts, data keys, agreed secrets, credentials. So every allocation of this library is
//! wiped when it is freed, whoever made it. (The C code of aws-lc does the same with its own.)

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;

#[global_allocator]
static ALLOCATOR: Wiping = Wiping;

struct Wiping;

// SAFETY: memory comes from and goes to the system's allocator with the layouts that the caller gives, of which
// it promises what GlobalAlloc demands.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives up a block of this layout. A plain memset before a free may be left out.
        unsafe {
            libc::explicit_bzero(block.cast(), layout.size());
            System.dealloc(block, layout);
        }
    }

    /// Never in place: the system's allocator would free the old block, or its end, as it is.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises a size, not zero, that makes a layout with this alignment.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: the sizes are not zero; the blocks are two, each at least as long as what is copied.
        unsafe {
            let new_block = self.alloc(new_layout);
            if !new_block.is_null() {
                ptr::copy_nonoverlapping(block, new_block, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            new_block
        }
    }
}

/// Mistakes on purpose: `scripts/sanitize.sh` runs each of them, and does not believe AddressSanitizer that the module
/// has none when it does not find these. Memory that is wiped, and never grows in place, is still its to watch.
#[cfg(test)]
mod planted {
    use std::hint::black_box;
    use std::mem;
    use std::ptr;

    fn block() -> Box<[u8]> {
        black_box(vec![7; 24].into_boxed_slice())
    }

    fn read(byte: *const u8) {
        // SAFETY: none, that is the mistake.
        black_box(unsafe { ptr::read_volatile(byte) });
    }

    #[test]
    #[ignore = "a mistake on purpose: make sanitize"]
    fn read_behind_a_block() {
        let block = block();
        read(block.as_ptr().wrapping_add(block.len()));
    }

    #[test]
    #[ignore = "a mistake on purpose: make sanitize"]
    fn read_of_a_freed_block() {
        let block = block();
        let byte = block.as_ptr();
        drop(block);
        read(byte);
    }

    #[test]
    #[ignore = "a mistake on purpose: make sanitize"]
    fn read_of_a_block_that_has_grown() {
        let mut block = block().into_vec();
        let byte = block.as_ptr();
        block.reserve_exact(1);
        read(byte);
    }

    #[test]
    #[ignore = "a mistake on purpose: make sanitize"]
    fn free_of_a_freed_block() {
        let block = Box::into_raw(block());
        // SAFETY: none the second time, that is the mistake.
        unsafe {
            drop(Box::from_raw(block));
            drop(Box::from_raw(block));
        }
    }

    #[test]
    #[ignore = "a mistake on purpose: make sanitize"]
    fn block_that_is_forgotten() {
        mem::forget(block());
    }
}
