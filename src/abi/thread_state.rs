//! What a thread has besides its memory and a call has to leave as it was.

use std::mem::MaybeUninit;

/// errno and the floating-point environment of the calling thread, put back when this ends.
///
/// In between, floating point is as programs begin with: rounding to the nearest, no exception trapped. A
/// host that traps some would otherwise be ended by arithmetic of ours, also on the threads that a call
/// starts, which inherit the environment.
pub(super) struct ThreadState {
    errno: libc::c_int,
    /// `None` where it could not be read.
    floating_point: Option<FloatingPoint>,
}

/// `fenv_t` of the C library, which is smaller on every architecture (x86-64: 32 bytes, AArch64: 8).
#[repr(C, align(16))]
#[derive(Clone, Copy)]
struct FloatingPoint([u64; 16]);

/// The same number on x86-64, AArch64, RISC-V and POWER.
const FE_TONEAREST: libc::c_int = 0;

// C99 7.6; in libm of glibc, in libc of musl.
unsafe extern "C" {
    fn feholdexcept(saved: *mut FloatingPoint) -> libc::c_int;
    fn fesetround(mode: libc::c_int) -> libc::c_int;
    fn fesetenv(saved: *const FloatingPoint) -> libc::c_int;
}

impl ThreadState {
    pub(super) fn keep() -> Self {
        // SAFETY: the pointer is to this thread's errno.
        let errno = unsafe { *libc::__errno_location() };
        let mut saved = MaybeUninit::<FloatingPoint>::zeroed();
        // SAFETY: it stores an fenv_t, for which there is room.
        let is_held = unsafe { feholdexcept(saved.as_mut_ptr()) } == 0;
        // SAFETY: it takes a number.
        unsafe { fesetround(FE_TONEAREST) };
        // SAFETY: integers, each of them zero or stored by the call above.
        let floating_point = is_held.then(|| unsafe { saved.assume_init() });
        Self {
            errno,
            floating_point,
        }
    }
}

impl Drop for ThreadState {
    fn drop(&mut self) {
        if let Some(saved) = &self.floating_point {
            // SAFETY: feholdexcept stored it, on this thread.
            unsafe { fesetenv(saved) };
        }
        // SAFETY: the pointer is to this thread's errno.
        unsafe { *libc::__errno_location() = self.errno };
    }
}
