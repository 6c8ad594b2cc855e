//! What PKCS#11 3.2 adds to the types of `pkcs11-sys` (which end at 3.1).
//!
//! A test compares every layout here with `cryptoki-sys`.
#![allow(non_camel_case_types, non_snake_case)]

use pkcs11_sys::*;

pub(super) type CK_SESSION_VALIDATION_FLAGS_TYPE = CK_ULONG;

/// Parameter of the post-quantum signature mechanisms.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct CK_SIGN_ADDITIONAL_CONTEXT {
    pub(super) hedgeVariant: CK_ULONG,
    pub(super) pContext: CK_BYTE_PTR,
    pub(super) ulContextLen: CK_ULONG,
}

/// Parameter of the mechanisms that sign a digest whose hash they leave open.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct CK_HASH_SIGN_ADDITIONAL_CONTEXT {
    pub(super) hedgeVariant: CK_ULONG,
    pub(super) pContext: CK_BYTE_PTR,
    pub(super) ulContextLen: CK_ULONG,
    pub(super) hash: CK_MECHANISM_TYPE,
}

/// Result of an asynchronous call.
#[repr(C)]
#[derive(Debug)]
pub(super) struct CK_ASYNC_DATA {
    pub(super) ulVersion: CK_ULONG,
    pub(super) pValue: CK_BYTE_PTR,
    pub(super) ulValue: CK_ULONG,
    pub(super) hObject: CK_OBJECT_HANDLE,
    pub(super) hAdditionalObject: CK_OBJECT_HANDLE,
}

pub(super) type CK_ASYNC_DATA_PTR = *mut CK_ASYNC_DATA;

/// Declares the tail of the 3.2 function list from the `v3_2` section of the table.
macro_rules! function_list_tail {
    (
        v2_40 { $($v2_40:tt)* }
        v3_0 { $($v3_0:tt)* }
        v3_2 {
            $(
                $name:ident($($arg:ident: $ty:ty),*)
                => $kind:ident $($path:ident)::* $($reason:literal)?;
            )*
        }
    ) => {
        /// The 3.0 function list followed by the functions that 3.2 added.
        #[repr(C)]
        #[derive(Debug)]
        pub(super) struct CK_FUNCTION_LIST_3_2 {
            pub(super) v3_0: CK_FUNCTION_LIST_3_0,
            $(pub(super) $name: unsafe extern "C" fn($($ty),*) -> CK_RV,)*
        }
    };
}

super::table::with_functions!(function_list_tail);

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;

    #[test]
    fn the_3_2_types_have_the_layout_of_the_header() {
        use cryptoki_sys as header;
        assert_eq!(
            size_of::<CK_FUNCTION_LIST_3_2>(),
            size_of::<header::CK_FUNCTION_LIST_3_2>()
        );
        assert_eq!(
            offset_of!(CK_FUNCTION_LIST_3_2, C_EncapsulateKey),
            offset_of!(header::CK_FUNCTION_LIST_3_2, C_EncapsulateKey)
        );
        assert_eq!(
            offset_of!(CK_FUNCTION_LIST_3_2, C_UnwrapKeyAuthenticated),
            offset_of!(header::CK_FUNCTION_LIST_3_2, C_UnwrapKeyAuthenticated)
        );
        assert_eq!(
            size_of::<CK_ASYNC_DATA>(),
            size_of::<header::CK_ASYNC_DATA>()
        );
        assert_eq!(
            size_of::<CK_SIGN_ADDITIONAL_CONTEXT>(),
            size_of::<header::CK_SIGN_ADDITIONAL_CONTEXT>()
        );
        assert_eq!(
            offset_of!(CK_SIGN_ADDITIONAL_CONTEXT, ulContextLen),
            offset_of!(header::CK_SIGN_ADDITIONAL_CONTEXT, ulContextLen)
        );
        assert_eq!(
            size_of::<CK_HASH_SIGN_ADDITIONAL_CONTEXT>(),
            size_of::<header::CK_HASH_SIGN_ADDITIONAL_CONTEXT>()
        );
        assert_eq!(
            offset_of!(CK_HASH_SIGN_ADDITIONAL_CONTEXT, hash),
            offset_of!(header::CK_HASH_SIGN_ADDITIONAL_CONTEXT, hash)
        );
    }
}
