//! Memory with canaries on both sides.

use std::fmt::Debug;

use cryptoki_sys::CK_ULONG;

/// Cells of untouched margin on each side.
const MARGIN: usize = 64;

/// What guarded memory is made of.
pub(crate) trait Cell: Copy + Debug {
    const CANARY: Self;

    fn is_canary(&self) -> bool;
}

impl Cell for u8 {
    const CANARY: Self = 0xc5;

    fn is_canary(&self) -> bool {
        *self == Self::CANARY
    }
}

impl Cell for CK_ULONG {
    const CANARY: Self = CK_ULONG::from_ne_bytes([0xc5; size_of::<CK_ULONG>()]);

    fn is_canary(&self) -> bool {
        *self == Self::CANARY
    }
}

/// Memory that a module may write to, between two margins that it may not.
#[derive(Debug)]
pub(crate) struct Guarded<T> {
    cells: Vec<T>,
    room: usize,
}

impl<T: Cell> Guarded<T> {
    pub(crate) fn new(room: usize) -> Self {
        Self {
            cells: vec![T::CANARY; room + 2 * MARGIN],
            room,
        }
    }

    /// Sets the first cell.
    pub(crate) fn set(&mut self, value: T) {
        self.cells[MARGIN] = value;
    }

    pub(crate) fn pointer(&mut self) -> *mut T {
        self.cells[MARGIN..].as_mut_ptr()
    }

    /// The first `length` cells, or all there are.
    pub(crate) fn written(&self, length: CK_ULONG) -> &[T] {
        let length = usize::try_from(length).map_or(self.room, |length| length.min(self.room));
        &self.cells[MARGIN..MARGIN + length]
    }

    /// Whether both margins are as they were.
    pub(crate) fn intact(&self) -> bool {
        let (before, rest) = self.cells.split_at(MARGIN);
        let after = &rest[self.room..];
        before.iter().chain(after).all(T::is_canary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_beyond_the_room_is_noticed() {
        let mut memory = Guarded::<u8>::new(4);
        memory.cells[MARGIN + 3] = 0;
        assert!(memory.intact());
        memory.cells[MARGIN + 4] = 0;
        assert!(!memory.intact());
    }

    #[test]
    fn a_write_before_the_room_is_noticed() {
        let mut memory = Guarded::<CK_ULONG>::new(1);
        memory.cells[MARGIN - 1] = 0;
        assert!(!memory.intact());
    }
}
