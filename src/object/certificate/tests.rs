use kms_pkcs11_testkit::openssl_ok;

use super::issued::{self, KINDS, self_signed};
use super::*;
use crate::hex;

fn value(certificate: &Certificate, type_: CK_ATTRIBUTE_TYPE) -> Vec<u8> {
    let value = certificate.attribute(type_, Category::Unspecified);
    value.unwrap().into_owned()
}

#[test]
fn every_part_of_a_certificate_is_what_another_library_reads() {
    for issued in issued::issue(&KINDS) {
        let certificate = Certificate::from_der(&issued.field("der")).unwrap();
        for (type_, field) in [
            (CKA_VALUE, "der"),
            (CKA_SUBJECT, "subject"),
            (CKA_ISSUER, "issuer"),
            (CKA_SERIAL_NUMBER, "serial"),
            (CKA_PUBLIC_KEY_INFO, "spki"),
            (CKA_START_DATE, "start"),
            (CKA_END_DATE, "end"),
        ] {
            let (read, expected) = (value(&certificate, type_), issued.field(field));
            assert_eq!(read, expected, "{} {field}", issued.kind());
        }
        assert_eq!(
            value(&certificate, CKA_CHECK_VALUE),
            issued.field("sha1")[..3]
        );
        assert_eq!(certificate.key_identifier(), issued.field("key_identifier"));
        assert_eq!(certificate.fingerprint(), issued.field("sha256"));
        assert_eq!(certificate.spki(), issued.field("spki"));
        assert_eq!(certificate.der(), issued.field("der"));
    }
}

#[test]
fn serial_and_check_value_are_those_that_openssl_prints() {
    let der = self_signed("openssl");
    let certificate = Certificate::from_der(&der).unwrap();
    let options = [
        "x509",
        "-inform",
        "DER",
        "-noout",
        "-serial",
        "-fingerprint",
    ];
    let printed = String::from_utf8(openssl_ok(options, &der)).unwrap();
    let of = |name: &str| {
        let mut pairs = printed.lines().filter_map(|line| line.split_once('='));
        let (_, hex) = pairs.find(|(key, _)| key.ends_with(name)).unwrap();
        hex::decode(&hex.replace(':', "")).unwrap()
    };

    let [0x02, _, serial @ ..] = &value(&certificate, CKA_SERIAL_NUMBER)[..] else {
        panic!("the serial number is no INTEGER");
    };
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    assert_eq!(serial[zeros..], of("serial"));
    let fingerprint = of("Fingerprint");
    assert_eq!(value(&certificate, CKA_CHECK_VALUE), fingerprint[..3]);
}

#[test]
fn the_attributes_that_say_nothing_have_the_defaults_of_the_specification() {
    let certificate = Certificate::from_der(&self_signed("defaults")).unwrap();
    let ulong = |value: CK_ULONG| value.to_ne_bytes().to_vec();
    for (type_, expected) in [
        (CKA_CERTIFICATE_TYPE, ulong(CKC_X_509)),
        (CKA_TRUSTED, vec![CK_FALSE]),
        (CKA_CERTIFICATE_CATEGORY, ulong(0)),
        (CKA_URL, vec![]),
        (CKA_HASH_OF_SUBJECT_PUBLIC_KEY, vec![]),
        (CKA_HASH_OF_ISSUER_PUBLIC_KEY, vec![]),
        (CKA_NAME_HASH_ALGORITHM, ulong(CKM_SHA_1)),
        (CKA_JAVA_MIDP_SECURITY_DOMAIN, ulong(0)),
    ] {
        assert_eq!(value(&certificate, type_), expected, "{type_:#x}");
    }
    assert_eq!(
        certificate.attribute(CKA_MODULUS, Category::default()),
        None
    );
}

#[test]
fn every_value_has_the_shape_that_the_table_gives_it() {
    let certificate = Certificate::from_der(&self_signed("shapes")).unwrap();
    for row in attributes::TABLE {
        let shape = row.shape.check(row.type_, &value(&certificate, row.type_));
        assert_eq!(shape, Ok(()), "{}", row.name);
    }
}

#[test]
fn a_category_is_one_of_the_specifications_four() {
    let certificate = Certificate::from_der(&self_signed("category")).unwrap();
    for (number, category) in Category::ALL {
        assert_eq!(Category::from_number(number), Some(category));
        let value = certificate.attribute(CKA_CERTIFICATE_CATEGORY, category);
        assert_eq!(value.as_deref(), Some(&number.to_ne_bytes()[..]));
    }
    assert_eq!(Category::from_number(4), None);
}

#[test]
fn a_truncated_or_extended_certificate_is_refused() {
    let der = self_signed("whole");
    for end in 0..der.len() {
        assert!(Certificate::from_der(&der[..end]).is_err(), "{end}");
    }
    assert!(Certificate::from_der(&[&der[..], &[0]].concat()).is_err());
}

#[test]
fn what_is_no_certificate_is_refused() {
    let options = ["genpkey", "-algorithm", "ED25519", "-outform", "DER"];
    let key = openssl_ok(options, &[]);
    let error = Certificate::from_der(&key).unwrap_err().to_string();
    let start = "not the DER encoding of an X.509 certificate: ";
    assert!(error.starts_with(start), "{error}");
}
