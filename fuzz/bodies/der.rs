//! Encodings: what is read is written again as it was, by every way there is.

use std::sync::Arc;

use super::input::Input;
use crate::crypto::curve::point_in_octet_string;
use crate::crypto::private_key::PrivateKeyError;
use crate::crypto::{Curve, PrivateKey, PublicKey, digest_info, ecdsa};
use crate::hex;
use crate::kms::{Identity, Tags};
use crate::object::certificate::{Certificate, Notes, attributes};
use crate::token::fuzzed;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let readers = [
        digest_of_info,
        public_key,
        private_key,
        signature,
        curve,
        certificate,
        certificates,
        tags,
        names,
    ];
    let reader = input.choose(&readers);
    reader(&mut input);
}

fn digest_of_info(input: &mut Input<'_>) {
    let der = input.rest();
    if let Ok((hash, digest)) = digest_info::parse(der) {
        assert_eq!(digest_info::encode(hash, digest), der);
    }
}

fn public_key(input: &mut Input<'_>) {
    let der = input.rest();
    let Ok(key) = PublicKey::from_spki(der) else {
        return;
    };
    assert_eq!(key.spki(), der);
    let again = match &key {
        PublicKey::Rsa(key) => PublicKey::from_rsa(key.modulus(), key.exponent()),
        PublicKey::Ec(key) => {
            assert_eq!(point_in_octet_string(&key.ec_point()), Some(key.point()));
            PublicKey::from_ec(key.curve(), key.point())
        }
        PublicKey::Ed25519(key) => {
            assert_eq!(point_in_octet_string(&key.ec_point()), Some(key.raw()));
            PublicKey::from_ed25519(key.raw())
        }
        PublicKey::MlDsa(key) => PublicKey::from_ml_dsa(key.set(), key.raw()),
        PublicKey::MlKem(key) => PublicKey::from_ml_kem(key.set(), key.raw()),
    };
    assert_eq!(again.as_ref().map(PublicKey::spki), Ok(der));
    assert!(!format!("{key:?}").is_empty());
}

fn private_key(input: &mut Input<'_>) {
    let der = input.rest();
    let Ok(key) = PrivateKey::from_unwrapped(der) else {
        return;
    };
    let again = PrivateKey::from_unwrapped(key.pkcs8());
    let parts = again.as_ref().map(|key| (key.pkcs8(), key.public().spki()));
    let expected: Result<_, &PrivateKeyError> = Ok((key.pkcs8(), key.public().spki()));
    assert_eq!(parts, expected);
    // What a wrapping form may leave behind a key is no part of it.
    let padded = [key.pkcs8(), &[0; 7]].concat();
    assert!(PrivateKey::from_unwrapped(&padded).is_ok());
    assert!(!format!("{key:?}").is_empty());
}

fn signature(input: &mut Input<'_>) {
    let curve = input.choose(&Curve::ALL);
    let bytes = input.rest();
    let len = 2 * curve.field_len();
    if let Ok(raw) = ecdsa::raw_from_der(curve, bytes) {
        assert_eq!(raw.len(), len);
        assert_eq!(ecdsa::der_from_raw(curve, &raw).as_deref(), Ok(bytes));
    }
    if let Ok(der) = ecdsa::der_from_raw(curve, bytes)
        && let Ok(raw) = ecdsa::raw_from_der(curve, &der)
    {
        let half = bytes.len() / 2;
        for (padded, given) in raw.chunks(len / 2).zip(bytes.chunks(half)) {
            assert!(padded.ends_with(given), "{given:02x?} became {padded:02x?}");
        }
    }
    if let Ok(digest) = ecdsa::fit_digest(curve, bytes) {
        assert_eq!(digest.len(), curve.kms_digest_len());
    }
}

fn curve(input: &mut Input<'_>) {
    let der = input.rest();
    if let Some(curve) = Curve::from_ec_params(der) {
        assert_eq!(Curve::from_ec_params(curve.ec_params()), Some(curve));
    }
    if let Some(point) = point_in_octet_string(der) {
        assert!(der.ends_with(point));
    }
}

fn certificate(input: &mut Input<'_>) {
    let notes = Notes {
        id: (!input.one_in(2)).then(|| input.piece().to_vec()),
        label: (!input.one_in(2)).then(|| input.piece().to_vec()),
        ..Notes::default()
    };
    let der = input.rest();
    let Ok(certificate) = Certificate::from_der(der) else {
        return;
    };
    assert_eq!(certificate.der(), der);
    for row in attributes::TABLE {
        assert!(certificate.attribute(row.type_, notes.category).is_some());
    }
    assert!(!format!("{certificate:?}").is_empty());
    check_stored(&certificate, &notes);
}

/// In tags and in files it stays what it is.
fn check_stored(certificate: &Certificate, notes: &Notes) {
    if let Ok((index, tags)) = fuzzed::certificate_to_tags(&Tags::new(), certificate, notes) {
        let read = fuzzed::certificates_of_tags(&tags).certificates;
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].index, &read[0].noted.notes), (index, notes));
        assert_eq!(&*read[0].noted.certificate, certificate);
    }
    if let Ok(text) = fuzzed::pem_of_certificate(certificate, notes) {
        let read = fuzzed::certificates_of_pem(text.as_bytes());
        assert!(read.problem.is_none(), "{:?} in {text}", read.problem);
        assert_eq!(read.certificates.len(), 1);
        assert_eq!(&read.certificates[0].notes, notes);
        assert_eq!(&*read.certificates[0].certificate, certificate);
    }
}

fn certificates(input: &mut Input<'_>) {
    let text = input.rest();
    let lines = text.split(|byte| *byte == b'\n').count();
    let read = fuzzed::certificates_of_pem(text);
    assert!(read.certificates.len() <= lines);
    for noted in &read.certificates {
        let certificate = Arc::clone(&noted.certificate);
        check_stored(&certificate, &noted.notes);
    }
}

fn tags(input: &mut Input<'_>) {
    let mut tags = Tags::new();
    while !input.is_empty() {
        let number = input.byte() % 32;
        let key = match input.byte() % 8 {
            0 => format!("p11:cert{}.label", number % 4),
            1 => format!("p11:cert{}.id", number % 4),
            2 => format!("p11:cert{}.category", number % 4),
            3 => String::from_utf8_lossy(input.piece()).into_owned(),
            _ => format!("p11:cert{}.{:02}", number % 2, number / 2),
        };
        tags.insert(key, String::from_utf8_lossy(input.piece()).into_owned());
    }
    let read = fuzzed::certificates_of_tags(&tags);
    for stored in &read.certificates {
        check_stored(&stored.noted.certificate, &stored.noted.notes);
    }
}

fn names(input: &mut Input<'_>) {
    let bytes = input.rest();
    let escaped = fuzzed::escape_label(bytes);
    assert_eq!(fuzzed::decode_label(&escaped), bytes);
    let is_in_alphabet = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
    assert!(escaped.chars().all(is_in_alphabet), "{escaped}");
    assert_eq!(hex::decode(&hex::encode(bytes)).as_deref(), Some(bytes));
    if let Ok(text) = std::str::from_utf8(bytes) {
        let label = fuzzed::decode_label(text);
        assert!(label.len() <= text.len());
        if let Some(decoded) = hex::decode(text) {
            assert_eq!(hex::encode(&decoded), text.to_ascii_lowercase());
        }
    }
    if let Some(identity) = Identity::from_pin(bytes) {
        assert!(!format!("{identity:?}").is_empty());
    }
}
