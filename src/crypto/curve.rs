//! The elliptic curves of KMS's signing keys.

use der::Decode;
use der::asn1::{ObjectIdentifier, OctetStringRef, PrintableStringRef};

use super::Hash;

/// A named curve. Field and group order have the same number of bits on each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
    Secp256k1,
}

impl Curve {
    pub(crate) const ALL: [Self; 4] = [Self::P256, Self::P384, Self::P521, Self::Secp256k1];

    /// The curve of a `CKA_EC_PARAMS` value: DER of a named curve's OID, or of a `PrintableString`
    /// with its name (`curveName` in PKCS#11's own extension of `ECParameters`).
    pub(crate) fn from_ec_params(der: &[u8]) -> Option<Self> {
        if let Ok(name) = PrintableStringRef::from_der(der) {
            return Self::from_name(name.as_str());
        }
        ObjectIdentifier::from_der(der)
            .ok()
            .and_then(Self::from_oid)
    }

    pub(super) fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|curve| curve.facts().oid == oid.as_bytes())
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| {
            let names = curve.facts().names;
            names.iter().any(|known| known.eq_ignore_ascii_case(name))
        })
    }

    /// `CKA_EC_PARAMS`: DER of the curve's OID.
    pub(crate) const fn ec_params(self) -> &'static [u8] {
        self.facts().ec_params
    }

    /// The size of the field, and of the group's order, in bits.
    pub(crate) const fn bits(self) -> usize {
        self.facts().bits
    }

    /// The length of a coordinate, and of r or s, in bytes.
    pub(crate) const fn field_len(self) -> usize {
        self.bits().div_ceil(8)
    }

    /// The hash in the name of the one ECDSA algorithm that KMS has for this curve.
    pub(crate) const fn kms_hash(self) -> Hash {
        self.facts().kms_hash
    }

    /// The length in bytes of the digest that KMS takes for this curve.
    pub(crate) const fn kms_digest_len(self) -> usize {
        self.kms_hash().len()
    }

    const fn facts(self) -> &'static Facts {
        match self {
            Self::P256 => &P256,
            Self::P384 => &P384,
            Self::P521 => &P521,
            Self::Secp256k1 => &SECP256K1,
        }
    }
}

/// The point in a value of `CKA_EC_POINT`: DER of an OCTET STRING, the whole input.
pub(crate) fn point_in_octet_string(der: &[u8]) -> Option<&[u8]> {
    let string: &OctetStringRef = Decode::from_der(der).ok()?;
    Some(string.as_bytes())
}

struct Facts {
    bits: usize,
    kms_hash: Hash,
    /// DER of the OID.
    ec_params: &'static [u8],
    /// The OID's contents octets.
    oid: &'static [u8],
    /// SEC 2, ANSI X9.62 and NIST names.
    names: &'static [&'static str],
}

impl Facts {
    const fn new(
        bits: usize,
        kms_hash: Hash,
        ec_params: &'static [u8],
        names: &'static [&'static str],
    ) -> Self {
        let (_header, oid) = ec_params.split_at(2);
        Self {
            bits,
            kms_hash,
            ec_params,
            oid,
            names,
        }
    }
}

const P256: Facts = Facts::new(
    256,
    Hash::Sha256,
    &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
    &["secp256r1", "prime256v1", "P-256"],
);
const P384: Facts = Facts::new(
    384,
    Hash::Sha384,
    &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22],
    &["secp384r1", "ansip384r1", "P-384"],
);
const P521: Facts = Facts::new(
    521,
    Hash::Sha512,
    &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23],
    &["secp521r1", "ansip521r1", "P-521"],
);
const SECP256K1: Facts = Facts::new(
    256,
    Hash::Sha256,
    &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a],
    &["secp256k1", "ansip256k1"],
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::openssl;
    use der::Encode;

    #[test]
    fn lengths_are_those_of_the_standards_and_of_kms() {
        let lengths = Curve::ALL.map(|c| (c.bits(), c.field_len(), c.kms_digest_len()));
        assert_eq!(
            lengths,
            [(256, 32, 32), (384, 48, 48), (521, 66, 64), (256, 32, 32)]
        );
    }

    #[test]
    fn ec_params_are_the_oid_that_openssl_writes() {
        for curve in Curve::ALL {
            assert_eq!(curve.ec_params(), openssl::ec_params(curve), "{curve:?}");
            assert_eq!(Curve::from_ec_params(curve.ec_params()), Some(curve));
        }
    }

    #[test]
    fn a_curve_is_found_by_its_printable_name() {
        for (name, curve) in [
            ("secp256r1", Curve::P256),
            ("prime256v1", Curve::P256),
            ("P-256", Curve::P256),
            ("p-384", Curve::P384),
            ("secp384r1", Curve::P384),
            ("P-521", Curve::P521),
            ("SECP521R1", Curve::P521),
            ("secp256k1", Curve::Secp256k1),
        ] {
            let der = PrintableStringRef::new(name).unwrap().to_der().unwrap();
            assert_eq!(Curve::from_ec_params(&der), Some(curve), "{name}");
        }
    }

    #[test]
    fn other_params_are_no_curve() {
        let unknown_name = PrintableStringRef::new("brainpoolP256r1")
            .unwrap()
            .to_der()
            .unwrap();
        let sm2 = [0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d];
        for der in [&[][..], &[0x05, 0x00], b"P-256", &unknown_name, &sm2] {
            assert_eq!(Curve::from_ec_params(der), None, "{der:02x?}");
        }
        for curve in Curve::ALL {
            let der = curve.ec_params();
            for end in 0..der.len() {
                assert_eq!(Curve::from_ec_params(&der[..end]), None);
            }
            let trailing = [der, &[0]].concat();
            assert_eq!(Curve::from_ec_params(&trailing), None);
        }
    }
}
