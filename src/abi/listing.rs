//! The functions of the table as data, for the documentation.

use super::table::with_functions;

/// A C function.
#[derive(Debug)]
#[cfg_attr(
    fuzzing,
    expect(dead_code, reason = "fuzz targets want the names alone")
)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// The version of PKCS#11 that brought it, `2.40` for all that are older.
    pub(crate) since: &'static str,
    pub(crate) is_supported: bool,
    /// Why it is not supported.
    pub(crate) reason: Option<&'static str>,
}

macro_rules! listing {
    ($($section:ident {
        $($name:ident $args:tt => $kind:ident $($path:ident)::* $($reason:literal)?;)*
    })*) => {
        /// Every function, in the order of the function lists.
        pub(crate) const FUNCTIONS: &[Function] = &[$($(
            Function {
                name: stringify!($name),
                since: version!($section),
                is_supported: is_supported!($kind),
                reason: reason!($($reason)?),
            },
        )*)*];
    };
}

macro_rules! version {
    (v2_40) => {
        "2.40"
    };
    (v3_0) => {
        "3.0"
    };
    (v3_2) => {
        "3.2"
    };
}

macro_rules! is_supported {
    (unsupported) => {
        false
    };
    ($kind:ident) => {
        true
    };
}

macro_rules! reason {
    () => {
        None
    };
    ($reason:literal) => {
        Some($reason)
    };
}

with_functions!(listing);
