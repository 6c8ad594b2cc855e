//! The exported functions and the function lists, made from the table.

use pkcs11_sys::*;

use super::entry::{self, answer};
use super::fns::*;
use super::table::with_functions;
use super::v3_2::*;

/// Makes the body of one exported function from its kind in the table.
macro_rules! body {
    ($name:ident, call $path:path, $($arg:ident),*) => {
        entry::call(stringify!($name), |module| {
            // SAFETY: the pointers are the caller's; what it promises of them (PKCS#11 5.1) is
            // exactly what the inner function asks for.
            unsafe { $path(module, $($arg),*) }
        })
    };
    ($name:ident, free $path:path, $($arg:ident),*) => {
        entry::free(stringify!($name), || {
            // SAFETY: as above.
            unsafe { $path($($arg),*) }
        })
    };
    ($name:ident, unsupported $($reason:literal)?, $($arg:ident),*) => {{
        let _ = ($($arg,)*);
        entry::call(stringify!($name), |_| answer(CKR_FUNCTION_NOT_SUPPORTED))
    }};
}

macro_rules! exports {
    ($($section:ident {
        $(
            $name:ident($($arg:ident: $ty:ty),*) => $kind:ident $($path:ident)::* $($reason:literal)?;
        )*
    })*) => {
        $($(
            /// The PKCS#11 function of this name.
            ///
            /// # Safety
            ///
            /// Pointers are NULL or valid for what PKCS#11 says this function reads and writes.
            #[unsafe(no_mangle)]
            pub(super) unsafe extern "C" fn $name($($arg: $ty),*) -> CK_RV {
                body!($name, $kind $($path)::* $($reason)?, $($arg),*)
            }
        )*)*
    };
}

with_functions!(exports);

macro_rules! function_lists {
    (
        v2_40 {
            $($v2_40:ident $args:tt => $kind:ident $($path:ident)::* $($reason:literal)?;)*
        }
        v3_0 {
            $($v3_0:ident $args_3_0:tt => $kind_3_0:ident $($path_3_0:ident)::* $($reason_3_0:literal)?;)*
        }
        v3_2 {
            $($v3_2:ident $args_3_2:tt => $kind_3_2:ident $($path_3_2:ident)::* $($reason_3_2:literal)?;)*
        }
    ) => {
        pub(super) static LIST_2_40: CK_FUNCTION_LIST = CK_FUNCTION_LIST {
            version: CK_VERSION { major: 2, minor: 40 },
            $($v2_40: Some($v2_40),)*
        };

        const fn list_3(minor: CK_BYTE) -> CK_FUNCTION_LIST_3_0 {
            CK_FUNCTION_LIST_3_0 {
                version: CK_VERSION { major: 3, minor },
                $($v2_40: Some($v2_40),)*
                $($v3_0: Some($v3_0),)*
            }
        }

        pub(super) static LIST_3_0: CK_FUNCTION_LIST_3_0 = list_3(0);

        pub(super) static LIST_3_2: CK_FUNCTION_LIST_3_2 = CK_FUNCTION_LIST_3_2 {
            v3_0: list_3(2),
            $($v3_2,)*
        };
    };
}

with_functions!(function_lists);
