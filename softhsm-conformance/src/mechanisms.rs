//! Mechanisms with the parameters that scenarios use.

use cryptoki_sys::*;

use crate::arguments::Mechanism;

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
