//! The attributes of X.509 public key certificates.
//!
//! Source: PKCS#11 3.2, section 4.6, certificate objects. What every storage object has (class,
//! label, CKA_ID and so on) is not among them.

use std::borrow::Cow;

use pkcs11_sys::*;

use super::{Category, Certificate};
use crate::crypto::Hash;
use crate::object::value::Shape;

/// One attribute of every certificate.
pub(crate) struct Row {
    pub(crate) type_: CK_ATTRIBUTE_TYPE,
    /// The specification's.
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    value: fn(&Certificate, Category) -> Cow<'_, [u8]>,
}

macro_rules! rows {
    ($($type_:ident $shape:ident $value:expr;)+) => {
        &[$(Row {
            type_: $type_,
            name: stringify!($type_),
            shape: Shape::$shape,
            value: $value,
        }),+]
    };
}

pub(crate) const TABLE: &[Row] = rows! {
    // Every certificate
    CKA_CERTIFICATE_TYPE          Ulong |_, _| ulong(CKC_X_509);
    CKA_TRUSTED                   Flag  |_, _| Cow::Borrowed(&[CK_FALSE]);
    CKA_CERTIFICATE_CATEGORY      Ulong |_, category| ulong(category.number());
    CKA_CHECK_VALUE               Bytes |this, _| check_value(this);
    CKA_START_DATE                Date  |this, _| Cow::Borrowed(&this.not_before);
    CKA_END_DATE                  Date  |this, _| Cow::Borrowed(&this.not_after);
    CKA_PUBLIC_KEY_INFO           Bytes |this, _| Cow::Borrowed(&this.spki);

    // X.509 public key certificates
    CKA_SUBJECT                   Bytes |this, _| Cow::Borrowed(&this.subject);
    CKA_ISSUER                    Bytes |this, _| Cow::Borrowed(&this.issuer);
    CKA_SERIAL_NUMBER             Bytes |this, _| Cow::Borrowed(&this.serial);
    CKA_VALUE                     Bytes |this, _| Cow::Borrowed(&this.der);
    // The certificate is here: there is no URL of it, and no hashes to find it by.
    CKA_URL                       Bytes |_, _| Cow::Borrowed(&[]);
    CKA_HASH_OF_SUBJECT_PUBLIC_KEY Bytes |_, _| Cow::Borrowed(&[]);
    CKA_HASH_OF_ISSUER_PUBLIC_KEY Bytes |_, _| Cow::Borrowed(&[]);
    CKA_NAME_HASH_ALGORITHM       Ulong |_, _| ulong(CKM_SHA_1);
    CKA_JAVA_MIDP_SECURITY_DOMAIN Ulong |_, _| ulong(CK_SECURITY_DOMAIN_UNSPECIFIED);
};

impl Certificate {
    /// The value of an attribute that certificates have; `None` for any other.
    pub(crate) fn attribute(
        &self,
        type_: CK_ATTRIBUTE_TYPE,
        category: Category,
    ) -> Option<Cow<'_, [u8]>> {
        find(type_).map(|row| (row.value)(self, category))
    }
}

pub(crate) fn find(type_: CK_ATTRIBUTE_TYPE) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.type_ == type_)
}

/// The first three bytes of the SHA-1 of the certificate.
fn check_value(certificate: &Certificate) -> Cow<'static, [u8]> {
    let digest = Hash::Sha1.digest(certificate.der());
    digest.iter().copied().take(3).collect()
}

fn ulong(value: CK_ULONG) -> Cow<'static, [u8]> {
    value.to_ne_bytes().to_vec().into()
}
