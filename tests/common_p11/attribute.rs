//! Attributes with values of their own, and templates made of them.

use std::ptr;

use cryptoki_sys::*;

/// DER of the curve's object identifier, as CKA_EC_PARAMS.
pub(crate) const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attr {
    pub(crate) type_: CK_ATTRIBUTE_TYPE,
    pub(crate) value: Vec<u8>,
}

pub(crate) fn bytes(type_: CK_ATTRIBUTE_TYPE, value: impl AsRef<[u8]>) -> Attr {
    Attr {
        type_,
        value: value.as_ref().to_vec(),
    }
}

pub(crate) fn flag(type_: CK_ATTRIBUTE_TYPE, value: bool) -> Attr {
    bytes(type_, [u8::from(value)])
}

pub(crate) fn ulong(type_: CK_ATTRIBUTE_TYPE, value: CK_ULONG) -> Attr {
    bytes(type_, value.to_ne_bytes())
}

pub(crate) fn id(value: impl AsRef<[u8]>) -> Attr {
    bytes(CKA_ID, value)
}

pub(crate) fn label(value: impl AsRef<[u8]>) -> Attr {
    bytes(CKA_LABEL, value)
}

pub(crate) fn private_keys() -> Attr {
    ulong(CKA_CLASS, CKO_PRIVATE_KEY)
}

pub(crate) fn public_keys() -> Attr {
    ulong(CKA_CLASS, CKO_PUBLIC_KEY)
}

/// The template in C's terms: it points into `attributes`. An empty value is (NULL, 0), as crypto11 sends it.
pub(crate) fn template(attributes: &[Attr]) -> Vec<CK_ATTRIBUTE> {
    attributes
        .iter()
        .map(|attribute| CK_ATTRIBUTE {
            type_: attribute.type_,
            pValue: if attribute.value.is_empty() {
                ptr::null_mut()
            } else {
                attribute.value.as_ptr().cast_mut().cast()
            },
            ulValueLen: attribute.value.len() as CK_ULONG,
        })
        .collect()
}
