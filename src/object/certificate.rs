//! X.509 certificates: taken apart once, and shown as the attributes that PKCS#11 gives them.
//!
//! Nothing here trusts a certificate: no signature is checked, and no chain.

pub(crate) mod attributes;
pub(crate) mod creation;
#[cfg(test)]
pub(crate) mod issued;
mod stored;
#[cfg(test)]
mod tests;

use std::fmt;

use der::asn1::BitString;
use der::{DateTime, Decode, Encode};
use pkcs11_sys::*;

pub(crate) use stored::{Place, StoredCertificate};

use crate::crypto::Hash;

/// An X.509 certificate, with the parts of it that are attributes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    der: Vec<u8>,
    /// DER of the Name.
    subject: Vec<u8>,
    /// DER of the Name.
    issuer: Vec<u8>,
    /// DER of the INTEGER.
    serial: Vec<u8>,
    /// DER of the `SubjectPublicKeyInfo`.
    spki: Vec<u8>,
    key_identifier: Vec<u8>,
    not_before: Date,
    not_after: Date,
}

/// A day in UTC, as `CK_DATE` has it: the ASCII digits `YYYYMMDD`.
type Date = [u8; size_of::<CK_DATE>()];

/// Why bytes are not a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the DER encoding of an X.509 certificate: {0}")]
pub(crate) struct CertificateError(#[from] der::Error);

impl Certificate {
    /// Parses strict DER, the whole input. Keys of any algorithm are taken, as are names of any
    /// content.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let parsed = x509_cert::Certificate::from_der(der)?;
        let tbs = parsed.tbs_certificate();
        let spki = tbs.subject_public_key_info();
        let validity = tbs.validity();
        Ok(Self {
            der: der.to_vec(),
            subject: tbs.subject().to_der()?,
            issuer: tbs.issuer().to_der()?,
            serial: tbs.serial_number().to_der()?,
            spki: spki.to_der()?,
            key_identifier: key_identifier(&spki.subject_public_key),
            not_before: date(validity.not_before.to_date_time()),
            not_after: date(validity.not_after.to_date_time()),
        })
    }

    /// The whole certificate: `CKA_VALUE`.
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// DER of the `SubjectPublicKeyInfo`, byte for byte that of the key it certifies.
    pub(crate) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The 20 bytes of RFC 5280's usual key identifier (4.2.1.2, method 1): `CKA_ID` of a
    /// certificate whose key the token does not have.
    pub(crate) fn key_identifier(&self) -> &[u8] {
        &self.key_identifier
    }

    /// The 32 bytes of the SHA-256 of the whole certificate.
    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        Hash::Sha256.digest(&self.der).to_vec()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fingerprint = crate::hex::encode(&self.fingerprint());
        f.debug_tuple("Certificate").field(&fingerprint).finish()
    }
}

/// SHA-1 of the key's bits, without the tag, the length and the number of unused bits.
fn key_identifier(bits: &BitString) -> Vec<u8> {
    Hash::Sha1.digest(bits.raw_bytes()).to_vec()
}

fn date(time: DateTime) -> Date {
    let mut date = Date::default();
    let digits = format!("{:04}{:02}{:02}", time.year(), time.month(), time.day());
    for (place, digit) in date.iter_mut().zip(digits.bytes()) {
        *place = digit;
    }
    date
}

/// `CKA_CERTIFICATE_CATEGORY`: whose certificate it is, as far as its creator said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Category {
    #[default]
    Unspecified,
    /// The token has the private key.
    TokenUser,
    /// A certificate authority's.
    Authority,
    OtherEntity,
}

impl Category {
    const ALL: [(CK_ULONG, Self); 4] = [
        (CK_CERTIFICATE_CATEGORY_UNSPECIFIED, Self::Unspecified),
        (CK_CERTIFICATE_CATEGORY_TOKEN_USER, Self::TokenUser),
        (CK_CERTIFICATE_CATEGORY_AUTHORITY, Self::Authority),
        (CK_CERTIFICATE_CATEGORY_OTHER_ENTITY, Self::OtherEntity),
    ];

    /// The category that the specification gives this number, if it does.
    pub(crate) fn from_number(number: CK_ULONG) -> Option<Self> {
        let row = Self::ALL.iter().find(|(other, _)| *other == number);
        row.map(|(_, category)| *category)
    }

    pub(crate) fn number(self) -> CK_ULONG {
        let row = Self::ALL.iter().find(|(_, other)| *other == self);
        row.map_or(CK_CERTIFICATE_CATEGORY_UNSPECIFIED, |(number, _)| *number)
    }
}

/// What is kept of a certificate beside its value: what its creator said that its DER does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    /// `CKA_ID`; `None`: that of the key it certifies.
    pub(crate) id: Option<Vec<u8>>,
    /// `CKA_LABEL`; `None`: that of the key it certifies.
    pub(crate) label: Option<Vec<u8>>,
    pub(crate) category: Category,
}
