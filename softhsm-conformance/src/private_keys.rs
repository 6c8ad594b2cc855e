//! Private keys that everybody knows, to be imported: as numbers, as PKCS#8, and wrapped under the secret that
//! `secrets::value(32)` is.

use cryptoki_sys::*;

use crate::arguments::{Attribute, bytes, flag, number};
use crate::keys::P256;

/// A private key as a program would bring it along.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PrivateKey {
    pub(crate) name: &'static str,
    pub(crate) key_type: CK_KEY_TYPE,
    /// `PrivateKeyInfo`.
    pub(crate) pkcs8: &'static [u8],
    /// With `CKM_AES_KEY_WRAP`, filled up with zeros.
    pub(crate) wrapped: &'static [u8],
    values: fn() -> Values,
}

/// What templates say of the halves of a key.
type Values = [Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)>; 2];

/// RSA of 2048 bits.
pub(crate) const RSA: PrivateKey = PrivateKey {
    name: "RSA",
    key_type: CKK_RSA,
    pkcs8: include_bytes!("private_keys/rsa.pk8"),
    wrapped: include_bytes!("private_keys/rsa.kw"),
    values: || {
        let numbers = integers(RSA.pkcs8);
        let public = RSA_NUMBERS.iter().zip(&numbers).take(2);
        let private = RSA_NUMBERS.iter().zip(&numbers);
        let owned = |(kind, value): (&CK_ATTRIBUTE_TYPE, &&[u8])| (*kind, value.to_vec());
        [public.map(owned).collect(), private.map(owned).collect()]
    },
};

/// EC on P-256.
pub(crate) const EC: PrivateKey = PrivateKey {
    name: "EC",
    key_type: CKK_EC,
    pkcs8: include_bytes!("private_keys/p256.pk8"),
    wrapped: include_bytes!("private_keys/p256.kw"),
    values: || {
        // RFC 5915 within RFC 5958: after the scalar of 32 bytes comes the point, the last 65 bytes.
        let (scalar, point) = (&EC.pkcs8[36..68], &EC.pkcs8[EC.pkcs8.len() - 65..]);
        let params = (CKA_EC_PARAMS, P256.to_vec());
        let point = (CKA_EC_POINT, [&[0x04, 65], point].concat());
        [
            vec![params.clone(), point],
            vec![params, (CKA_VALUE, scalar.to_vec())],
        ]
    },
};

/// [`EC`] with `CKM_AES_KEY_WRAP_KWP`.
pub(crate) const EC_PADDED: &[u8] = include_bytes!("private_keys/p256.kwp");

/// The numbers of an RSA key in the order of PKCS#1; the first two are public.
const RSA_NUMBERS: [CK_ATTRIBUTE_TYPE; 8] = [
    CKA_MODULUS,
    CKA_PUBLIC_EXPONENT,
    CKA_PRIVATE_EXPONENT,
    CKA_PRIME_1,
    CKA_PRIME_2,
    CKA_EXPONENT_1,
    CKA_EXPONENT_2,
    CKA_COEFFICIENT,
];

impl PrivateKey {
    /// The template of the private key on the token, which signs.
    pub(crate) fn template(self, label: &str) -> Vec<Attribute> {
        let [_, private] = (self.values)();
        let mut template = self.unwrapping_template(label);
        template.extend(private.iter().map(|(kind, value)| bytes(*kind, value)));
        template
    }

    /// The same of a key whose value C_UnwrapKey finds out.
    pub(crate) fn unwrapping_template(self, label: &str) -> Vec<Attribute> {
        let mut template = self.half(CKO_PRIVATE_KEY, label);
        template.extend([
            flag(CKA_PRIVATE, true),
            flag(CKA_SENSITIVE, true),
            flag(CKA_EXTRACTABLE, false),
            flag(CKA_SIGN, true),
        ]);
        template
    }

    /// The template of the public half, which programs create beside the private one.
    pub(crate) fn public_template(self, label: &str) -> Vec<Attribute> {
        let [public, _] = (self.values)();
        let mut template = self.half(CKO_PUBLIC_KEY, label);
        template.push(flag(CKA_VERIFY, true));
        template.extend(public.iter().map(|(kind, value)| bytes(*kind, value)));
        template
    }

    /// The attributes without which C_CreateObject makes no private key of this type.
    pub(crate) fn required(self) -> Vec<CK_ATTRIBUTE_TYPE> {
        let [_, private] = (self.values)();
        let values = private.iter().map(|(kind, _)| *kind);
        [CKA_CLASS, CKA_KEY_TYPE]
            .into_iter()
            .chain(values)
            .collect()
    }

    fn half(self, class: CK_OBJECT_CLASS, label: &str) -> Vec<Attribute> {
        vec![
            number(CKA_CLASS, class),
            number(CKA_KEY_TYPE, self.key_type),
            flag(CKA_TOKEN, true),
            bytes(CKA_ID, label.as_bytes()),
            bytes(CKA_LABEL, label.as_bytes()),
        ]
    }
}

/// The numbers of an RSA key in PKCS#8, without their versions and leading zeros.
fn integers(pkcs8: &'static [u8]) -> Vec<&'static [u8]> {
    let key = contents(pkcs8);
    // Version and algorithm come before the OCTET STRING that has the RSAPrivateKey.
    let octets = contents(after(after(key)));
    let mut rest = after(contents(octets));
    let mut numbers = Vec::new();
    while !rest.is_empty() {
        let number = contents(rest);
        numbers.push(number.strip_prefix(&[0]).unwrap_or(number));
        rest = after(rest);
    }
    numbers
}

/// What is in the first DER value.
fn contents(der: &'static [u8]) -> &'static [u8] {
    let (start, length) = extent(der);
    &der[start..start + length]
}

/// What comes after the first DER value.
fn after(der: &'static [u8]) -> &'static [u8] {
    let (start, length) = extent(der);
    &der[start + length..]
}

/// Where the contents of the first DER value start, and how long they are.
fn extent(der: &[u8]) -> (usize, usize) {
    match der[1] {
        short @ 0..0x80 => (2, usize::from(short)),
        count => {
            let start = 2 + usize::from(count & 0x7f);
            let length = der[2..start]
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte));
            (start, length)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rsa_key_has_eight_numbers_of_the_right_lengths() {
        let lengths: Vec<usize> = integers(RSA.pkcs8).iter().map(|it| it.len()).collect();
        assert_eq!(lengths, [256, 3, 256, 128, 128, 128, 128, 128]);
    }
}
