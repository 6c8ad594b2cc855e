//! What is the module's own beside the standard: mechanisms, attributes and a structure for each parameter.
//!
//! `include/kms_pkcs11.h` is the same for programs in C; a test compares the two.
#![allow(non_camel_case_types, non_snake_case)]

use pkcs11_sys::*;

/// `KM`, so that other vendors' numbers are others.
const VENDOR: CK_ULONG = 0x4b4d_0000;

/// Encrypt, Decrypt and `GenerateDataKey` of KMS with a symmetric key.
pub(crate) const CKM_KMS_SYMMETRIC: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | VENDOR | 1;
/// `ReEncrypt` of KMS: from one symmetric key to another.
pub(crate) const CKM_KMS_REENCRYPT: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | VENDOR | 2;

/// The copy of a data key that KMS encrypted: bytes.
pub(crate) const CKA_KMS_CIPHERTEXT: CK_ATTRIBUTE_TYPE = CKA_VENDOR_DEFINED | VENDOR | 1;
/// Whether KMS rotates the key by itself: CK_BBOOL.
pub(crate) const CKA_KMS_ROTATION_ENABLED: CK_ATTRIBUTE_TYPE = CKA_VENDOR_DEFINED | VENDOR | 2;
/// Days between two automatic rotations: CK_ULONG, 0 where there are none.
pub(crate) const CKA_KMS_ROTATION_PERIOD: CK_ATTRIBUTE_TYPE = CKA_VENDOR_DEFINED | VENDOR | 3;
/// The day of the next automatic rotation: CK_DATE, empty where there is none.
pub(crate) const CKA_KMS_NEXT_ROTATION: CK_ATTRIBUTE_TYPE = CKA_VENDOR_DEFINED | VENDOR | 4;
/// The day on which the rotation on demand began that is under way: CK_DATE, empty where none is.
pub(crate) const CKA_KMS_ON_DEMAND_ROTATION: CK_ATTRIBUTE_TYPE = CKA_VENDOR_DEFINED | VENDOR | 5;
/// The number of automatic rotations so far: CK_ULONG.
pub(crate) const CKA_KMS_AUTOMATIC_ROTATIONS: CK_ATTRIBUTE_TYPE = CKA_VENDOR_DEFINED | VENDOR | 6;
/// The number of rotations on demand so far: CK_ULONG.
pub(crate) const CKA_KMS_ON_DEMAND_ROTATIONS: CK_ATTRIBUTE_TYPE = CKA_VENDOR_DEFINED | VENDOR | 7;

/// Parameter of [`CKM_KMS_SYMMETRIC`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct KMS_PKCS11_SYMMETRIC_PARAMS {
    pub(crate) hKey: CK_OBJECT_HANDLE,
    pub(crate) pContext: CK_BYTE_PTR,
    pub(crate) ulContextLen: CK_ULONG,
}

/// Parameter of [`CKM_KMS_REENCRYPT`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct KMS_PKCS11_REENCRYPT_PARAMS {
    pub(crate) hSourceKey: CK_OBJECT_HANDLE,
    pub(crate) pSourceContext: CK_BYTE_PTR,
    pub(crate) ulSourceContextLen: CK_ULONG,
    pub(crate) pContext: CK_BYTE_PTR,
    pub(crate) ulContextLen: CK_ULONG,
}
