//! Answers of variable length: how much room the caller has, and what goes into it.

use zeroize::Zeroizing;

/// The caller's output buffer, as PKCS#11 5.2 describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// No buffer: the caller asks for the length only.
    Query,
    /// A buffer of this many bytes.
    Bytes(usize),
}

impl Room {
    /// The answer for `len` bytes that are not made yet, unless the caller has room for them.
    pub(crate) fn refuse(self, len: usize) -> Option<Reply> {
        match self {
            Self::Bytes(capacity) if capacity >= len => None,
            _ => Some(Reply::Length(len)),
        }
    }
}

/// What goes back to the caller.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The length needed, in bytes: the answer to a query, and of a buffer that is too small.
    Length(usize),
    /// The bytes, wiped after they were copied out, since some of them are plaintext.
    Bytes(Zeroizing<Vec<u8>>),
}

impl Reply {
    /// Bytes that the caller needs room for.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Length(len) => *len,
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

impl From<Vec<u8>> for Reply {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Zeroizing::new(bytes))
    }
}
