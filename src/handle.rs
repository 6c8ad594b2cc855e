//! Handles of sessions and objects.

use std::sync::atomic::{AtomicU64, Ordering};

use pkcs11_sys::CK_ULONG;

/// A handle that was never given out in this process, neither for a session nor for an object: not
/// before C_Finalize either, so that a stale one is refused and does not name something else.
pub(crate) fn next() -> CK_ULONG {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}
