//! C_CreateObject of a certificate: what its template must and may say.

use pkcs11_sys::*;

use super::attributes::{Row, TABLE};
use super::{Category, Certificate, Notes};
use crate::error::{Error, Result};
use crate::object::template::Template;

/// What PKCS#11 wants in every template of an X.509 certificate. CKA_VALUE may only be left out for a
/// CKA_URL, which this module does not follow.
const REQUIRED: [CK_ATTRIBUTE_TYPE; 3] = [CKA_CERTIFICATE_TYPE, CKA_SUBJECT, CKA_VALUE];

/// Reads a template's certificate.
///
/// The attributes of every storage object are the caller's to check, but for CKA_ID and CKA_LABEL.
/// What the template says beside CKA_VALUE must be what the certificate says, or the
/// specification's default, the empty value.
pub(crate) fn read(template: &Template<'_>) -> Result<(Certificate, Notes)> {
    for row in TABLE {
        match template.get(row.type_) {
            Some(value) => row.shape.check(row.type_, value)?,
            None if REQUIRED.contains(&row.type_) => return Err(incomplete(row)),
            None => {}
        }
    }
    if template.ulong(CKA_CERTIFICATE_TYPE)? != Some(CKC_X_509) {
        return Err(Error::new(
            CKR_ATTRIBUTE_VALUE_INVALID,
            "CKA_CERTIFICATE_TYPE: only X.509 public key certificates, CKC_X_509, are kept",
        ));
    }
    let value = template.get(CKA_VALUE).unwrap_or_default();
    let certificate = Certificate::from_der(value).map_err(|error| {
        Error::new(CKR_ATTRIBUTE_VALUE_INVALID, format!("CKA_VALUE is {error}"))
    })?;
    let bytes = |type_| template.get(type_).map(<[u8]>::to_vec);
    let notes = Notes {
        id: bytes(CKA_ID),
        label: bytes(CKA_LABEL),
        category: category(template)?,
    };
    for row in TABLE {
        if let Some(given) = template.get(row.type_) {
            check(row, given, &certificate, notes.category)?;
        }
    }
    Ok((certificate, notes))
}

fn category(template: &Template<'_>) -> Result<Category> {
    let number = template.ulong(CKA_CERTIFICATE_CATEGORY)?;
    Category::from_number(number.unwrap_or_default()).ok_or_else(|| {
        Error::new(
            CKR_ATTRIBUTE_VALUE_INVALID,
            "CKA_CERTIFICATE_CATEGORY: 0 to 3 are defined",
        )
    })
}

fn check(row: &Row, given: &[u8], certificate: &Certificate, category: Category) -> Result<()> {
    let reported = certificate.attribute(row.type_, category);
    let is_default = given.is_empty() && !REQUIRED.contains(&row.type_);
    if is_default || reported.as_deref() == Some(given) {
        return Ok(());
    }
    if row.type_ == CKA_TRUSTED {
        return Err(Error::new(
            CKR_ATTRIBUTE_READ_ONLY,
            "CKA_TRUSTED: no application can make a certificate a trusted one",
        ));
    }
    Err(Error::new(
        CKR_TEMPLATE_INCONSISTENT,
        format!("{} is not that of the certificate in CKA_VALUE", row.name),
    ))
}

fn incomplete(row: &Row) -> Error {
    Error::new(
        CKR_TEMPLATE_INCOMPLETE,
        format!("the template of a certificate has no {}", row.name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::certificate::issued::self_signed;
    use crate::object::template::Attribute;

    const X_509: [u8; size_of::<CK_ULONG>()] = CKC_X_509.to_ne_bytes();

    fn certificate() -> Certificate {
        Certificate::from_der(&self_signed("created")).unwrap()
    }

    /// The least a template must have, with these attributes added or in place of its own.
    fn read_with(
        certificate: &Certificate,
        others: &[(CK_ATTRIBUTE_TYPE, &[u8])],
    ) -> Result<(Certificate, Notes)> {
        let least: [(CK_ATTRIBUTE_TYPE, &[u8]); 3] = [
            (CKA_CERTIFICATE_TYPE, &X_509),
            (CKA_SUBJECT, &certificate.subject),
            (CKA_VALUE, &certificate.der),
        ];
        let replaced = |type_| others.iter().any(|(other, _)| *other == type_);
        let kept = least.iter().filter(|(type_, _)| !replaced(*type_));
        let attribute = |&(type_, value): &_| Attribute { type_, value };
        read(&Template::new(kept.chain(others).map(attribute).collect()))
    }

    fn refusal(certificate: &Certificate, type_: CK_ATTRIBUTE_TYPE, value: &[u8]) -> CK_RV {
        read_with(certificate, &[(type_, value)]).unwrap_err().rv()
    }

    #[test]
    fn a_certificate_takes_its_names_and_category_from_the_template() {
        let certificate = certificate();
        let expected = (certificate.clone(), Notes::default());
        assert_eq!(read_with(&certificate, &[]), Ok(expected));

        let category = CK_CERTIFICATE_CATEGORY_AUTHORITY.to_ne_bytes();
        let template: [(_, &[u8]); 3] = [
            (CKA_ID, b"\x01"),
            (CKA_LABEL, b""),
            (CKA_CERTIFICATE_CATEGORY, &category),
        ];
        let notes = Notes {
            id: Some(vec![1]),
            label: Some(vec![]),
            category: Category::Authority,
        };
        let expected = (certificate.clone(), notes);
        assert_eq!(read_with(&certificate, &template), Ok(expected));
    }

    #[test]
    fn every_attribute_may_be_given_as_it_will_be_reported() {
        let certificate = certificate();
        for row in TABLE {
            let value = certificate.attribute(row.type_, Category::Unspecified);
            let template = [(row.type_, &*value.unwrap())];
            let (read, notes) = read_with(&certificate, &template).unwrap();
            assert_eq!((read, notes), (certificate.clone(), Notes::default()));
        }
        for type_ in [CKA_ISSUER, CKA_SERIAL_NUMBER, CKA_START_DATE, CKA_URL] {
            assert!(
                read_with(&certificate, &[(type_, b"")]).is_ok(),
                "{type_:#x}"
            );
        }
    }

    #[test]
    fn what_contradicts_the_certificate_is_refused() {
        let certificate = certificate();
        let one = 1 as CK_ULONG;
        for (type_, value) in [
            (CKA_SUBJECT, &b""[..]),
            (CKA_SUBJECT, b"0"),
            (CKA_ISSUER, b"0"),
            (CKA_SERIAL_NUMBER, b"\x02\x01\x00"),
            (CKA_CHECK_VALUE, b"abc"),
            (CKA_START_DATE, b"19700101"),
            (CKA_PUBLIC_KEY_INFO, b"0"),
            (CKA_URL, b"https://example.com"),
            (CKA_JAVA_MIDP_SECURITY_DOMAIN, &one.to_ne_bytes()),
        ] {
            let rv = refusal(&certificate, type_, value);
            assert_eq!(rv, CKR_TEMPLATE_INCONSISTENT, "{type_:#x}");
        }
        let rv = refusal(&certificate, CKA_TRUSTED, &[CK_TRUE]);
        assert_eq!(rv, CKR_ATTRIBUTE_READ_ONLY);
    }

    #[test]
    fn values_of_no_meaning_are_refused() {
        let certificate = certificate();
        for (type_, value) in [
            (CKA_VALUE, &certificate.der[1..]),
            (CKA_VALUE, b""),
            (CKA_CERTIFICATE_TYPE, &CKC_WTLS.to_ne_bytes()),
            (CKA_CERTIFICATE_CATEGORY, &[4, 0, 0, 0, 0, 0, 0, 0]),
            (CKA_CERTIFICATE_CATEGORY, b"\x01"),
            (CKA_TRUSTED, b"\x02"),
            (CKA_END_DATE, b"2030"),
        ] {
            let rv = refusal(&certificate, type_, value);
            assert_eq!(rv, CKR_ATTRIBUTE_VALUE_INVALID, "{type_:#x}");
        }
    }

    #[test]
    fn a_template_without_type_subject_or_value_is_incomplete() {
        let certificate = certificate();
        let all: [(CK_ATTRIBUTE_TYPE, &[u8]); 3] = [
            (CKA_CERTIFICATE_TYPE, &X_509),
            (CKA_SUBJECT, &certificate.subject),
            (CKA_VALUE, &certificate.der),
        ];
        for left_out in REQUIRED {
            let others = all.iter().filter(|(type_, _)| *type_ != left_out);
            let attributes = others.map(|&(type_, value)| Attribute { type_, value });
            let error = read(&Template::new(attributes.collect())).unwrap_err();
            assert_eq!(error.rv(), CKR_TEMPLATE_INCOMPLETE);
        }
    }
}
