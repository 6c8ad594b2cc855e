//! Mechanisms with the parameters that scenarios use.

use cryptoki_sys::*;

use crate::arguments::{Mechanism, Parameter};

pub(crate) const SHA256: Mechanism = Mechanism::plain(CKM_SHA256);

pub(crate) const RSA_PKCS: Mechanism = Mechanism::plain(CKM_RSA_PKCS);
pub(crate) const SHA256_RSA_PKCS: Mechanism = Mechanism::plain(CKM_SHA256_RSA_PKCS);
pub(crate) const RSA_PSS: Mechanism =
    Mechanism::pss(CKM_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 32);
pub(crate) const SHA256_RSA_PSS: Mechanism =
    Mechanism::pss(CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 32);
pub(crate) const OAEP: Mechanism = Mechanism::oaep(CKM_SHA_1, CKG_MGF1_SHA1);

pub(crate) const ECDSA: Mechanism = Mechanism::plain(CKM_ECDSA);

pub(crate) const EC_GENERATION: Mechanism = Mechanism::plain(CKM_EC_KEY_PAIR_GEN);
pub(crate) const EDDSA: Mechanism = Mechanism::plain(CKM_EDDSA);
pub(crate) const ML_DSA: Mechanism = Mechanism::plain(CKM_ML_DSA);
pub(crate) const ML_KEM: Mechanism = Mechanism::plain(CKM_ML_KEM);

/// An initialisation vector of one block.
pub(crate) const IV: &[u8; 16] = &[
    0x10, 0x21, 0x32, 0x43, 0x54, 0x65, 0x76, 0x87, 0x98, 0xa9, 0xba, 0xcb, 0xdc, 0xed, 0xfe, 0x0f,
];
pub(crate) const AES_CBC: Mechanism = Mechanism::plain(CKM_AES_CBC).with(Parameter::Bytes(IV));
pub(crate) const AES_CBC_PAD: Mechanism =
    Mechanism::plain(CKM_AES_CBC_PAD).with(Parameter::Bytes(IV));
pub(crate) const AES_CTR: Mechanism = Mechanism::plain(CKM_AES_CTR).with(Parameter::Ctr {
    bits: 128,
    block: *IV,
});
pub(crate) const AES_GCM: Mechanism = Mechanism::plain(CKM_AES_GCM).with(Parameter::Gcm {
    iv: IV.first_chunk::<12>().unwrap(),
    aad: b"a header",
    tag_bits: 128,
});
pub(crate) const AES_KEY_WRAP: Mechanism = Mechanism::plain(CKM_AES_KEY_WRAP);
