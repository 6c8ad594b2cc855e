//! The little DER that it takes to hand keys and signatures to OpenSSL.

use cryptoki_sys::*;

use crate::keys::P256;

/// `rsaEncryption` with its NULL parameters, as an `AlgorithmIdentifier`.
const RSA_ENCRYPTION: &[u8] = &[
    0x30, 13, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 0x05, 0,
];
/// `id-Ed25519` (RFC 8410) as an `AlgorithmIdentifier`.
const ED25519: &[u8] = &[0x30, 5, 0x06, 3, 0x2b, 0x65, 0x70];
/// `id-ml-dsa-44`, `-65` and `-87` (RFC 9881) as `AlgorithmIdentifier` but for the last byte, to which the
/// number of the parameter set is added.
const ML_DSA: &[u8] = &[0x30, 11, 0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 0x10];
/// The object identifier `id-ecPublicKey`.
const EC_PUBLIC_KEY: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];

/// `[0]`, where an `ECPrivateKey` has its curve.
const CURVE_OF_PRIVATE_KEY: u8 = 0xa0;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// The `SubjectPublicKeyInfo` of a public key, from its attributes.
pub(crate) fn of(public: &[(CK_ATTRIBUTE_TYPE, Vec<u8>)]) -> Vec<u8> {
    let value = |wanted| {
        let found = public.iter().find(|(kind, _)| *kind == wanted);
        found.map(|(_, value)| value.as_slice())
    };
    let needed =
        |wanted| value(wanted).unwrap_or_else(|| panic!("a public key has no {wanted:#x}"));
    match number(needed(CKA_KEY_TYPE)) {
        CKK_RSA => rsa(needed(CKA_MODULUS), needed(CKA_PUBLIC_EXPONENT)),
        CKK_EC => ec(needed(CKA_EC_PARAMS), needed(CKA_EC_POINT)),
        CKK_EC_EDWARDS => element(
            SEQUENCE,
            &[ED25519, &bits(octets(needed(CKA_EC_POINT)))].concat(),
        ),
        CKK_ML_DSA => ml_dsa(number(needed(CKA_PARAMETER_SET)), needed(CKA_VALUE)),
        other => panic!("a public key is of type {other:#x}"),
    }
}

/// The value of an attribute that is a `CK_ULONG`.
fn number(value: &[u8]) -> CK_ULONG {
    value
        .try_into()
        .map_or(CK_UNAVAILABLE_INFORMATION, CK_ULONG::from_ne_bytes)
}

/// The `SubjectPublicKeyInfo` of an ML-DSA key, from the number of its parameter set and its bytes.
fn ml_dsa(set: CK_ULONG, key: &[u8]) -> Vec<u8> {
    let mut algorithm = ML_DSA.to_vec();
    if let (Some(last), Ok(set)) = (algorithm.last_mut(), u8::try_from(set)) {
        *last += set;
    }
    element(SEQUENCE, &[algorithm, bits(key)].concat())
}

/// The `SubjectPublicKeyInfo` of an RSA key, from big-endian numbers.
fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let key = element(SEQUENCE, &[integer(modulus), integer(exponent)].concat());
    element(SEQUENCE, &[RSA_ENCRYPTION, &bits(&key)].concat())
}

/// The `SubjectPublicKeyInfo` of an EC key, from `CKA_EC_PARAMS` and `CKA_EC_POINT`.
fn ec(curve: &[u8], point: &[u8]) -> Vec<u8> {
    let algorithm = element(SEQUENCE, &[EC_PUBLIC_KEY, curve].concat());
    element(SEQUENCE, &[algorithm, bits(octets(point))].concat())
}

/// The `ECPrivateKey` of a number on P-256.
pub(crate) fn p256_private(number: &[u8; 32]) -> Vec<u8> {
    let curve = element(CURVE_OF_PRIVATE_KEY, P256);
    let version = integer(&[1]);
    element(
        SEQUENCE,
        &[version, element(OCTET_STRING, number), curve].concat(),
    )
}

/// An ECDSA signature as SEQUENCE of its two numbers, from r‖s.
pub(crate) fn ecdsa(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    element(SEQUENCE, &[integer(r), integer(s)].concat())
}

/// The content of a short-form or one-byte-long-form OCTET STRING: all points are below 256 bytes.
fn octets(der: &[u8]) -> &[u8] {
    match der {
        [OCTET_STRING, 0x81, _, content @ ..] | [OCTET_STRING, _, content @ ..] => content,
        other => other,
    }
}

fn bits(content: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], content].concat())
}

fn integer(big_endian: &[u8]) -> Vec<u8> {
    let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
    let digits = &big_endian[zeros..];
    // A leading zero keeps the number positive, and makes a zero a number at all.
    let sign: &[u8] = if digits.first().is_none_or(|byte| *byte >= 0x80) {
        &[0]
    } else {
        &[]
    };
    element(INTEGER, &[sign, digits].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let length = &length[zeros..];
    let header = match length {
        [] => vec![tag, 0],
        [short @ 0..=0x7f] => vec![tag, *short],
        // At most eight bytes of length.
        long => [&[tag, 0x80 | u8::try_from(long.len()).unwrap_or(8)], long].concat(),
    };
    [&header, content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_minimal_and_positive() {
        assert_eq!(integer(&[0, 0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 0]), [2, 1, 0]);
    }

    #[test]
    fn lengths_from_128_on_take_the_long_form() {
        assert_eq!(element(4, &[7; 127])[..2], [4, 127]);
        assert_eq!(element(4, &[7; 128])[..3], [4, 0x81, 128]);
        assert_eq!(element(4, &[7; 300])[..4], [4, 0x82, 1, 44]);
    }
}
