//! The attribute table of objects that live in this process: which object has which attribute, who
//! may give it, what it is where nobody does, and what becomes of it later.
//!
//! Source: PKCS#11 3.2, chapter 4 (storage objects, data, keys) and the key types of chapter 6.

use pkcs11_sys::*;

use super::super::value::{Shape, flag, ulong};
use crate::v3_2::*;
use crate::vendor::CKA_KMS_CIPHERTEXT;

/// Which templates of new objects may give an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// Every one.
    Always,
    /// That of C_CreateObject, which must.
    Required,
    /// Every one but that of C_CreateObject: the value given there tells it.
    Made,
    /// None: the token sets it.
    Never,
    /// Every one, but only as it would be without.
    AsDefault,
    /// Every one as CK_FALSE; CK_TRUE is the security officer's to give, of which a token in KMS has
    /// none.
    Officer,
}

/// How C_SetAttributeValue may change an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Later {
    Free,
    /// Not away from CK_TRUE.
    ToTrue,
    /// Not away from CK_FALSE.
    ToFalse,
    /// It can only be emptied.
    ToEmpty,
    /// Not at all, but C_CopyObject may.
    InCopy,
    /// Not at all.
    Fixed,
}

/// The value of an attribute that no template gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Initial {
    /// The object goes without, or whoever makes it finds the value out.
    Missing,
    Empty,
    False,
    True,
    Ulong(CK_ULONG),
    /// CK_TRUE for keys of these types: they are good for it.
    TrueFor(&'static [CK_KEY_TYPE]),
}

impl Initial {
    pub(super) fn value(self, key_type: Option<CK_KEY_TYPE>) -> Option<Vec<u8>> {
        match self {
            Self::Missing => None,
            Self::Empty => Some(Vec::new()),
            Self::False => Some(flag(false)),
            Self::True => Some(flag(true)),
            Self::Ulong(value) => Some(ulong(value)),
            Self::TrueFor(types) => {
                Some(flag(key_type.is_some_and(|type_| types.contains(&type_))))
            }
        }
    }
}

/// The objects that have an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    All,
    Data,
    Keys,
    Public,
    Secret,
    Certificates,
}

impl On {
    fn includes(self, class: CK_OBJECT_CLASS) -> bool {
        match self {
            Self::All => true,
            Self::Data => class == CKO_DATA,
            Self::Keys => matches!(class, CKO_PUBLIC_KEY | CKO_SECRET_KEY),
            Self::Public => class == CKO_PUBLIC_KEY,
            Self::Secret => class == CKO_SECRET_KEY,
            Self::Certificates => class == CKO_CERTIFICATE,
        }
    }
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) type_: CK_ATTRIBUTE_TYPE,
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    on: On,
    /// The key types that have this attribute; none named means all.
    key_types: &'static [CK_KEY_TYPE],
    pub(super) given: Given,
    pub(super) later: Later,
    pub(super) default: Initial,
}

impl Row {
    fn is_of(&self, class: CK_OBJECT_CLASS, key_type: Option<CK_KEY_TYPE>) -> bool {
        self.on.includes(class)
            && (self.key_types.is_empty()
                || key_type.is_some_and(|type_| self.key_types.contains(&type_)))
    }
}

/// The attribute of objects of this class and, for keys, type.
pub(super) fn find(
    type_: CK_ATTRIBUTE_TYPE,
    class: CK_OBJECT_CLASS,
    key_type: Option<CK_KEY_TYPE>,
) -> Option<&'static Row> {
    all(class, key_type).find(|row| row.type_ == type_)
}

/// All attributes of objects of this class and, for keys, type.
pub(super) fn all(
    class: CK_OBJECT_CLASS,
    key_type: Option<CK_KEY_TYPE>,
) -> impl Iterator<Item = &'static Row> {
    TABLE.iter().filter(move |row| row.is_of(class, key_type))
}

/// The specification's name of an attribute that some object of this process has.
pub(in crate::object) fn name(type_: CK_ATTRIBUTE_TYPE) -> Option<&'static str> {
    let row = TABLE.iter().find(|row| row.type_ == type_);
    row.map(|row| row.name)
}

macro_rules! rows {
    ($($type_:ident $shape:ident $on:ident $key_types:expr, $given:ident $later:ident $default:expr;)+) => {
        &[$(Row {
            type_: $type_,
            name: stringify!($type_),
            shape: Shape::$shape,
            on: On::$on,
            key_types: $key_types,
            given: Given::$given,
            later: Later::$later,
            default: $default,
        }),+]
    };
}

use Initial::{Empty, False, Missing, True, TrueFor, Ulong};

const ANY: &[CK_KEY_TYPE] = &[];
const RSA: &[CK_KEY_TYPE] = &[CKK_RSA];
const CURVES: &[CK_KEY_TYPE] = &[CKK_EC, CKK_EC_EDWARDS];
const LATTICES: &[CK_KEY_TYPE] = &[CKK_ML_DSA, CKK_ML_KEM];
const ML_KEM: &[CK_KEY_TYPE] = &[CKK_ML_KEM];
const AES: &[CK_KEY_TYPE] = &[CKK_AES];
const VERIFIES: &[CK_KEY_TYPE] = &[CKK_RSA, CKK_EC, CKK_EC_EDWARDS, CKK_ML_DSA];
const MACS: &[CK_KEY_TYPE] = &[
    CKK_GENERIC_SECRET,
    CKK_SHA_1_HMAC,
    CKK_SHA224_HMAC,
    CKK_SHA256_HMAC,
    CKK_SHA384_HMAC,
    CKK_SHA512_HMAC,
];

const TABLE: &[Row] = rows! {
    // Storage objects (4.4)
    CKA_CLASS               Ulong All     ANY, Always Fixed Missing;
    CKA_TOKEN               Flag  Data    ANY, AsDefault Fixed False;
    CKA_TOKEN               Flag  Keys    ANY, AsDefault Fixed False;
    CKA_PRIVATE             Flag  Data    ANY, Always InCopy False;
    CKA_PRIVATE             Flag  Public  ANY, Always InCopy False;
    CKA_PRIVATE             Flag  Secret  ANY, Always InCopy True;
    CKA_MODIFIABLE          Flag  All     ANY, Always InCopy True;
    CKA_COPYABLE            Flag  All     ANY, Always ToFalse True;
    CKA_DESTROYABLE         Flag  All     ANY, Always InCopy True;
    CKA_LABEL               Bytes All     ANY, Always Free Empty;
    CKA_UNIQUE_ID           Bytes All     ANY, Never Fixed Missing;

    // Certificates (4.6), which may be made in the token too. What CKA_VALUE says does not change.
    CKA_TOKEN               Flag  Certificates ANY, Always Fixed False;
    CKA_PRIVATE             Flag  Certificates ANY, AsDefault Fixed False;
    CKA_ID                  Bytes Certificates ANY, Always Free Empty;
    CKA_CERTIFICATE_TYPE    Ulong Certificates ANY, Required Fixed Missing;
    CKA_TRUSTED             Flag  Certificates ANY, Officer Fixed False;
    CKA_CERTIFICATE_CATEGORY Ulong Certificates ANY, Always Fixed Missing;
    CKA_CHECK_VALUE         Bytes Certificates ANY, Always Fixed Missing;
    CKA_START_DATE          Date  Certificates ANY, Always Fixed Missing;
    CKA_END_DATE            Date  Certificates ANY, Always Fixed Missing;
    CKA_PUBLIC_KEY_INFO     Bytes Certificates ANY, Always Fixed Missing;
    CKA_SUBJECT             Bytes Certificates ANY, Required Fixed Missing;
    CKA_ISSUER              Bytes Certificates ANY, Always Fixed Missing;
    CKA_SERIAL_NUMBER       Bytes Certificates ANY, Always Fixed Missing;
    CKA_VALUE               Bytes Certificates ANY, Required Fixed Missing;
    CKA_URL                 Bytes Certificates ANY, Always Fixed Missing;
    CKA_HASH_OF_SUBJECT_PUBLIC_KEY Bytes Certificates ANY, Always Fixed Missing;
    CKA_HASH_OF_ISSUER_PUBLIC_KEY Bytes Certificates ANY, Always Fixed Missing;
    CKA_NAME_HASH_ALGORITHM Ulong Certificates ANY, Always Fixed Missing;
    CKA_JAVA_MIDP_SECURITY_DOMAIN Ulong Certificates ANY, Always Fixed Missing;

    // Data objects (4.5)
    CKA_APPLICATION         Bytes Data    ANY, Always Free Empty;
    CKA_OBJECT_ID           Bytes Data    ANY, Always Free Empty;
    CKA_VALUE               Bytes Data    ANY, Always Free Empty;

    // Keys (4.7)
    CKA_KEY_TYPE            Ulong Keys    ANY, Always Fixed Missing;
    CKA_ID                  Bytes Keys    ANY, Always Free Empty;
    CKA_START_DATE          Date  Keys    ANY, Always Free Empty;
    CKA_END_DATE            Date  Keys    ANY, Always Free Empty;
    CKA_DERIVE              Flag  Keys    ANY, Always Free False;
    CKA_LOCAL               Flag  Keys    ANY, Never Fixed False;
    CKA_KEY_GEN_MECHANISM   Ulong Keys    ANY, Never Fixed Ulong(CK_UNAVAILABLE_INFORMATION);
    CKA_ALLOWED_MECHANISMS  Mechanisms Keys ANY, Always Fixed Missing;

    // Public keys (4.8)
    CKA_SUBJECT             Bytes Public  ANY, Always Free Empty;
    CKA_PUBLIC_KEY_INFO     Bytes Public  ANY, Always Fixed Missing;
    CKA_ENCRYPT             Flag  Public  ANY, Always Free TrueFor(RSA);
    CKA_VERIFY              Flag  Public  ANY, Always Free TrueFor(VERIFIES);
    CKA_VERIFY_RECOVER      Flag  Public  ANY, Always Free False;
    CKA_WRAP                Flag  Public  ANY, Always Free TrueFor(RSA);
    CKA_ENCAPSULATE         Flag  Public  ANY, Always Free TrueFor(ML_KEM);
    CKA_TRUSTED             Flag  Keys    ANY, Officer Fixed False;
    CKA_WRAP_TEMPLATE       Bytes Keys    ANY, AsDefault Fixed Empty;
    CKA_ENCAPSULATE_TEMPLATE Bytes Public ANY, AsDefault Fixed Empty;

    // Secret keys (4.10). What is not said to be sensitive may be read: callers that agree on a
    // secret without saying so go on to read it.
    CKA_SENSITIVE           Flag  Secret  ANY, Always ToTrue False;
    CKA_EXTRACTABLE         Flag  Secret  ANY, Always ToFalse True;
    CKA_ALWAYS_SENSITIVE    Flag  Secret  ANY, Never Fixed False;
    CKA_NEVER_EXTRACTABLE   Flag  Secret  ANY, Never Fixed False;
    CKA_WRAP_WITH_TRUSTED   Flag  Secret  ANY, Always ToTrue False;
    CKA_ENCRYPT             Flag  Secret  ANY, Always Free TrueFor(AES);
    CKA_DECRYPT             Flag  Secret  ANY, Always Free TrueFor(AES);
    CKA_SIGN                Flag  Secret  ANY, Always Free TrueFor(MACS);
    CKA_VERIFY              Flag  Secret  ANY, Always Free TrueFor(MACS);
    CKA_WRAP                Flag  Secret  ANY, Always Free TrueFor(AES);
    CKA_UNWRAP              Flag  Secret  ANY, Always Free TrueFor(AES);
    CKA_UNWRAP_TEMPLATE     Bytes Secret  ANY, AsDefault Fixed Empty;
    CKA_DERIVE_TEMPLATE     Bytes Secret  ANY, AsDefault Fixed Empty;
    CKA_CHECK_VALUE         Bytes Secret  ANY, Always ToEmpty Missing;
    CKA_VALUE               Bytes Secret  ANY, Required Fixed Missing;
    CKA_VALUE_LEN           Ulong Secret  ANY, Made Fixed Missing;
    CKA_KMS_CIPHERTEXT      Bytes Secret  ANY, Never Fixed Missing;

    // RSA keys (6.1)
    CKA_MODULUS             Bytes Public  RSA, Required Fixed Missing;
    CKA_MODULUS_BITS        Ulong Public  RSA, Made Fixed Missing;
    CKA_PUBLIC_EXPONENT     Bytes Public  RSA, Required Fixed Missing;

    // EC and Edwards keys (6.3)
    CKA_EC_PARAMS           Bytes Public  CURVES, Required Fixed Missing;
    CKA_EC_POINT            Bytes Public  CURVES, Required Fixed Missing;

    // ML-DSA and ML-KEM keys (6.67, 6.68)
    CKA_PARAMETER_SET       Ulong Public  LATTICES, Required Fixed Missing;
    CKA_VALUE               Bytes Public  LATTICES, Required Fixed Missing;
};

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: &[(CK_OBJECT_CLASS, Option<CK_KEY_TYPE>)] = &[
        (CKO_DATA, None),
        (CKO_PUBLIC_KEY, Some(CKK_RSA)),
        (CKO_PUBLIC_KEY, Some(CKK_EC)),
        (CKO_PUBLIC_KEY, Some(CKK_EC_EDWARDS)),
        (CKO_PUBLIC_KEY, Some(CKK_ML_DSA)),
        (CKO_PUBLIC_KEY, Some(CKK_ML_KEM)),
        (CKO_SECRET_KEY, Some(CKK_GENERIC_SECRET)),
        (CKO_SECRET_KEY, Some(CKK_AES)),
    ];

    #[test]
    fn no_object_has_an_attribute_twice() {
        for (class, key_type) in KINDS {
            let types: Vec<_> = all(*class, *key_type).map(|row| row.type_).collect();
            for (index, type_) in types.iter().enumerate() {
                assert!(!types[..index].contains(type_), "{type_:#x} of {class}");
            }
        }
    }

    #[test]
    fn every_default_is_of_its_attributes_shape() {
        for row in TABLE {
            if let Some(value) = row.default.value(Some(CKK_RSA)) {
                assert_eq!(row.shape.check(row.type_, &value), Ok(()), "{}", row.name);
            }
        }
    }

    #[test]
    fn what_only_goes_one_way_is_a_flag() {
        let one_way = |row: &&Row| matches!(row.later, Later::ToTrue | Later::ToFalse);
        for row in TABLE.iter().filter(one_way) {
            assert_eq!(row.shape, Shape::Flag, "{}", row.name);
        }
    }

    #[test]
    fn what_the_token_sets_or_never_differs_does_not_change() {
        for row in TABLE {
            if matches!(row.given, Given::Never | Given::AsDefault | Given::Officer) {
                assert_eq!(row.later, Later::Fixed, "{}", row.name);
            }
            if row.given == Given::AsDefault {
                assert_ne!(row.default, Missing, "{}", row.name);
            }
        }
    }
}
