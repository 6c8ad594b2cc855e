//! Arguments of the C functions, wrong ones included, as plain data.

use std::ptr;

use cryptoki_sys::*;

use crate::guarded::{Cell, Guarded};

/// Whether an answer has a place to go to, or the pointer for it is NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Given,
    Null,
}

impl<T: Cell> Guarded<T> {
    pub(crate) fn pointer_if(&mut self, place: Place) -> *mut T {
        match place {
            Place::Given => self.pointer(),
            Place::Null => ptr::null_mut(),
        }
    }
}

/// Where an answer of variable length goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// A NULL buffer: the length is asked for.
    Query,
    /// A buffer with room for so many bytes or elements.
    Room(usize),
    /// A buffer, but NULL for the pointer to its length.
    NoLength,
}

impl Output {
    /// The length that a caller states for this buffer.
    pub(crate) fn room(self) -> CK_ULONG {
        match self {
            Self::Room(room) => room as CK_ULONG,
            Self::Query | Self::NoLength => 0,
        }
    }
}

/// Bytes for a function, or NULL and the length stated with it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    Bytes(&'a [u8]),
    Null(CK_ULONG),
}

impl Input<'_> {
    /// The bytes, none of NULL.
    pub(crate) fn to_vec(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.to_vec(),
            Self::Null(_) => Vec::new(),
        }
    }
}

impl<'a> From<&'a [u8]> for Input<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Input<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Input<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// The argument of `C_Initialize`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Locking {
    pub(crate) flags: CK_FLAGS,
    /// How many of the four mutex callbacks are given, in the order of the structure.
    pub(crate) callbacks: u8,
    pub(crate) reserved: Place,
}

impl Locking {
    pub(crate) const NONE: Self = Self {
        flags: 0,
        callbacks: 0,
        reserved: Place::Null,
    };
    pub(crate) const OS: Self = Self {
        flags: CKF_OS_LOCKING_OK,
        ..Self::NONE
    };
}

/// A mechanism and its parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mechanism {
    pub(crate) kind: CK_MECHANISM_TYPE,
    pub(crate) parameter: Parameter,
}

/// The parameter of a mechanism.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Parameter {
    /// NULL and 0.
    None,
    /// NULL and a length nevertheless.
    Null(CK_ULONG),
    Bytes(&'static [u8]),
    Pss {
        hash: CK_MECHANISM_TYPE,
        mgf: CK_RSA_PKCS_MGF_TYPE,
        salt: CK_ULONG,
    },
    Oaep {
        hash: CK_MECHANISM_TYPE,
        mgf: CK_RSA_PKCS_MGF_TYPE,
        source: CK_RSA_PKCS_OAEP_SOURCE_TYPE,
        label: Input<'static>,
    },
    /// A `CK_ULONG`: the bytes of a MAC.
    Number(CK_ULONG),
    Gcm {
        iv: &'static [u8],
        aad: &'static [u8],
        tag_bits: CK_ULONG,
    },
    Ctr {
        bits: CK_ULONG,
        block: [u8; 16],
    },
    Ecdh {
        kdf: CK_EC_KDF_TYPE,
        shared: &'static [u8],
        public: &'static [u8],
    },
    /// HKDF that extracts, with the salt that is given, and expands.
    Hkdf {
        hash: CK_MECHANISM_TYPE,
        salt: &'static [u8],
        info: &'static [u8],
    },
    EdDsa {
        prehash: bool,
        context: &'static [u8],
    },
    /// `CK_SIGN_ADDITIONAL_CONTEXT`.
    SignContext {
        hedge: CK_HEDGE_TYPE,
        context: &'static [u8],
    },
}

impl Mechanism {
    /// A mechanism without a parameter.
    pub(crate) const fn plain(kind: CK_MECHANISM_TYPE) -> Self {
        Self {
            kind,
            parameter: Parameter::None,
        }
    }

    pub(crate) const fn pss(
        kind: CK_MECHANISM_TYPE,
        hash: CK_MECHANISM_TYPE,
        mgf: CK_RSA_PKCS_MGF_TYPE,
        salt: CK_ULONG,
    ) -> Self {
        Self {
            kind,
            parameter: Parameter::Pss { hash, mgf, salt },
        }
    }

    pub(crate) const fn oaep(hash: CK_MECHANISM_TYPE, mgf: CK_RSA_PKCS_MGF_TYPE) -> Self {
        let parameter = Parameter::Oaep {
            hash,
            mgf,
            source: CKZ_DATA_SPECIFIED,
            label: Input::Null(0),
        };
        Self {
            kind: CKM_RSA_PKCS_OAEP,
            parameter,
        }
    }

    pub(crate) const fn with(self, parameter: Parameter) -> Self {
        Self {
            kind: self.kind,
            parameter,
        }
    }
}

/// An attribute of a template.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    pub(crate) kind: CK_ATTRIBUTE_TYPE,
    value: Result<Vec<u8>, CK_ULONG>,
}

impl Attribute {
    /// The value, or NULL with the length that is stated for it.
    pub(crate) fn value(&self) -> Input<'_> {
        match &self.value {
            Ok(bytes) => Input::Bytes(bytes),
            Err(length) => Input::Null(*length),
        }
    }
}

/// A boolean attribute.
pub(crate) fn flag(kind: CK_ATTRIBUTE_TYPE, value: bool) -> Attribute {
    bytes(kind, &[CK_BBOOL::from(value)])
}

/// An attribute of type `CK_ULONG`.
pub(crate) fn number(kind: CK_ATTRIBUTE_TYPE, value: CK_ULONG) -> Attribute {
    bytes(kind, &value.to_ne_bytes())
}

pub(crate) fn bytes(kind: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Attribute {
    Attribute {
        kind,
        value: Ok(value.to_vec()),
    }
}

/// An attribute whose value is NULL, `length` bytes long.
pub(crate) fn null(kind: CK_ATTRIBUTE_TYPE, length: CK_ULONG) -> Attribute {
    Attribute {
        kind,
        value: Err(length),
    }
}

/// A template, or NULL and the number of attributes stated with it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Template<'a> {
    Of(&'a [Attribute]),
    Null(CK_ULONG),
}

impl<'a> From<&'a [Attribute]> for Template<'a> {
    fn from(attributes: &'a [Attribute]) -> Self {
        Self::Of(attributes)
    }
}

impl<'a, const N: usize> From<&'a [Attribute; N]> for Template<'a> {
    fn from(attributes: &'a [Attribute; N]) -> Self {
        Self::Of(attributes)
    }
}

impl<'a> From<&'a Vec<Attribute>> for Template<'a> {
    fn from(attributes: &'a Vec<Attribute>) -> Self {
        Self::Of(attributes)
    }
}
