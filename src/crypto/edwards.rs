//! The Edwards curve of KMS's signing keys, in the form of `CKA_EC_PARAMS`.

use der::Decode;
use der::asn1::{ObjectIdentifier, PrintableStringRef};

/// `CKA_EC_PARAMS` of Ed25519 keys: DER of the OID 1.3.101.112 (RFC 8410).
///
/// Of the two forms that PKCS#11 has, this is the one for pure Ed25519 alone, which is what KMS signs: with
/// the name of the curve, contexts and prehashes would be possible (3.2, 6.3.16). Clients read either.
pub(crate) const ED25519_PARAMS: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];

/// Whether this `CKA_EC_PARAMS` value means Ed25519: DER of its OID, or of a `PrintableString` with
/// its name in PKCS#11.
pub(crate) fn is_ed25519(ec_params: &[u8]) -> bool {
    if let Ok(name) = PrintableStringRef::from_der(ec_params) {
        return name.as_str().eq_ignore_ascii_case("edwards25519");
    }
    ObjectIdentifier::from_der(ec_params).is_ok_and(|oid| oid == ED25519)
}

/// `id-Ed25519`.
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::openssl::Openssl;
    use der::Encode;

    #[test]
    fn the_params_are_the_oid_that_openssl_writes() {
        let openssl = Openssl::new();
        let spki = openssl.spki(&openssl.generate(&["-algorithm", "ED25519"]));
        // SEQUENCE, SEQUENCE, then the OID.
        assert_eq!(&spki[4..4 + ED25519_PARAMS.len()], ED25519_PARAMS);
        assert!(is_ed25519(ED25519_PARAMS));
    }

    #[test]
    fn the_curve_is_found_by_its_printable_name_in_any_case() {
        for name in ["edwards25519", "Edwards25519", "EDWARDS25519"] {
            let der = PrintableStringRef::new(name).unwrap().to_der().unwrap();
            assert!(is_ed25519(&der), "{name}");
        }
    }

    #[test]
    fn other_params_are_not_ed25519() {
        for name in ["edwards448", "curve25519", "ed25519", "edwards25519 "] {
            let der = PrintableStringRef::new(name).unwrap().to_der().unwrap();
            assert!(!is_ed25519(&der), "{name}");
        }
        let ed448 = [0x06, 0x03, 0x2b, 0x65, 0x71];
        for der in [&[][..], &ed448, &[0x05, 0x00], b"edwards25519"] {
            assert!(!is_ed25519(der), "{der:02x?}");
        }
        for end in 0..ED25519_PARAMS.len() {
            assert!(!is_ed25519(&ED25519_PARAMS[..end]));
        }
        assert!(!is_ed25519(&[ED25519_PARAMS, &[0]].concat()));
    }
}
