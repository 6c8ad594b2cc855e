//! The fuzzer's bytes as choices: numbers, lengths, pieces. After the last byte all choices are the first.

pub(super) struct Input<'i> {
    rest: &'i [u8],
}

impl<'i> Input<'i> {
    pub(super) fn new(bytes: &'i [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// 0 after the end.
    pub(super) fn byte(&mut self) -> u8 {
        let (first, rest) = self.rest.split_first().unwrap_or((&0, &[]));
        self.rest = rest;
        *first
    }

    /// True once in so many times.
    pub(super) fn one_in(&mut self, times: u8) -> bool {
        self.byte() % times == times - 1
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// One of at most 256 values.
    pub(super) fn choose<T: Copy>(&mut self, values: &[T]) -> T {
        values[usize::from(self.byte()) % values.len()]
    }

    /// At most so many of the bytes that are left.
    pub(super) fn bytes(&mut self, len: usize) -> &'i [u8] {
        let (bytes, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        bytes
    }

    /// A piece that says its length itself: mostly short, at times as long as what is left.
    pub(super) fn piece(&mut self) -> &'i [u8] {
        let len = match self.byte() {
            byte @ ..0xf0 => usize::from(byte),
            _ => usize::from(self.u16()),
        };
        self.bytes(len)
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'i [u8] {
        std::mem::take(&mut self.rest)
    }
}
