//! Output buffers between canaries: every answer that a suite takes comes through here.

use std::fmt::Debug;

use cryptoki_sys::*;

/// What the caller offers for an answer of variable length.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Room {
    /// NULL: the length is asked for.
    Query,
    /// A buffer of so many values.
    Of(usize),
}

/// What a function answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer<T = u8> {
    pub(crate) rv: CK_RV,
    /// The length field as the function left it.
    pub(crate) len: CK_ULONG,
    /// The answer itself; empty for a query and for a refusal.
    pub(crate) values: Vec<T>,
}

/// A value of an output buffer.
pub(crate) trait Cell: Copy + PartialEq + Debug {
    /// What stands where nothing was written.
    const CANARY: Self;
}

impl Cell for u8 {
    const CANARY: Self = 0xa5;
}

impl Cell for CK_ULONG {
    const CANARY: Self = Self::MAX / 3;
}

/// The length that an answer cannot have: for a refused attribute.
pub(crate) const UNAVAILABLE: CK_ULONG = CK_UNAVAILABLE_INFORMATION;

impl<T: Cell> Answer<T> {
    /// Makes a call with a guarded buffer and its length field.
    ///
    /// Panics when the call wrote beyond the buffer, beyond its answer, or anything but a success.
    #[track_caller]
    pub(crate) fn take(room: Room, call: impl FnOnce(*mut T, &mut CK_ULONG) -> CK_RV) -> Self {
        let Room::Of(capacity) = room else {
            let mut len = CK_ULONG::CANARY;
            let rv = call(std::ptr::null_mut(), &mut len);
            return Self {
                rv,
                len,
                values: Vec::new(),
            };
        };
        let mut memory = vec![T::CANARY; GUARD + capacity + GUARD];
        let mut len = capacity as CK_ULONG;
        let rv = call(memory[GUARD..].as_mut_ptr(), &mut len);
        let written = if rv == CKR_OK {
            usize::try_from(len).unwrap()
        } else {
            0
        };
        assert!(
            written <= capacity,
            "{written} values in room for {capacity}"
        );
        let (before, rest) = memory.split_at(GUARD);
        let (values, after) = rest.split_at(written);
        for untouched in [before, after] {
            assert!(
                untouched.iter().all(|value| *value == T::CANARY),
                "written outside of the answer: {untouched:?}"
            );
        }
        Self {
            rv,
            len,
            values: values.to_vec(),
        }
    }

    /// The values of a successful answer.
    #[track_caller]
    pub(crate) fn ok(self) -> Vec<T> {
        assert_eq!(self.rv, CKR_OK);
        self.values
    }
}

/// Values on each side of a buffer, more than any mistake in a length would skip.
const GUARD: usize = 256;
