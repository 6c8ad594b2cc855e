//! The numbers that PKCS#11 3.2 adds to those of `pkcs11-sys` (which end at 3.1).
//!
//! A test compares every one with `cryptoki-sys`.

use pkcs11_sys::*;

macro_rules! numbers {
    ($($name:ident: $type:ty = $value:literal;)+) => {
        $(pub(crate) const $name: $type = $value;)+

        #[cfg(test)]
        mod tests {
            #[test]
            fn the_3_2_numbers_are_those_of_the_header() {
                $(assert_eq!(super::$name, cryptoki_sys::$name, stringify!($name));)+
            }
        }
    };
}

numbers! {
    CKK_ML_KEM: CK_KEY_TYPE = 0x49;
    CKK_ML_DSA: CK_KEY_TYPE = 0x4a;
    CKM_ML_KEM_KEY_PAIR_GEN: CK_MECHANISM_TYPE = 0x0f;
    CKM_ML_KEM: CK_MECHANISM_TYPE = 0x17;
    CKM_ML_DSA_KEY_PAIR_GEN: CK_MECHANISM_TYPE = 0x1c;
    CKM_ML_DSA: CK_MECHANISM_TYPE = 0x1d;
    CKM_HASH_ML_DSA: CK_MECHANISM_TYPE = 0x1f;
    CKM_HASH_ML_DSA_SHA224: CK_MECHANISM_TYPE = 0x23;
    CKM_HASH_ML_DSA_SHA256: CK_MECHANISM_TYPE = 0x24;
    CKM_HASH_ML_DSA_SHA384: CK_MECHANISM_TYPE = 0x25;
    CKM_HASH_ML_DSA_SHA512: CK_MECHANISM_TYPE = 0x26;
    CKA_PARAMETER_SET: CK_ATTRIBUTE_TYPE = 0x61d;
    CKA_ENCAPSULATE_TEMPLATE: CK_ATTRIBUTE_TYPE = 0x62a;
    CKA_DECAPSULATE_TEMPLATE: CK_ATTRIBUTE_TYPE = 0x62b;
    CKA_ENCAPSULATE: CK_ATTRIBUTE_TYPE = 0x633;
    CKA_DECAPSULATE: CK_ATTRIBUTE_TYPE = 0x634;
    CKA_SEED: CK_ATTRIBUTE_TYPE = 0x637;
    CKF_ENCAPSULATE: CK_FLAGS = 0x1000_0000;
    CKF_DECAPSULATE: CK_FLAGS = 0x2000_0000;
    CKP_ML_DSA_44: CK_ULONG = 1;
    CKP_ML_DSA_65: CK_ULONG = 2;
    CKP_ML_DSA_87: CK_ULONG = 3;
    CKP_ML_KEM_512: CK_ULONG = 1;
    CKP_ML_KEM_768: CK_ULONG = 2;
    CKP_ML_KEM_1024: CK_ULONG = 3;
    CKS_LAST_VALIDATION_OK: CK_ULONG = 1;
    CKH_HEDGE_PREFERRED: CK_ULONG = 0;
    CKR_PARAMETER_SET_NOT_SUPPORTED: CK_RV = 0x209;
}
