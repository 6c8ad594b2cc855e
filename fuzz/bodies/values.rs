//! Values that lead somewhere, among any others.

use pkcs11_sys::*;

use super::arguments::{Arguments, word};
use super::input::Input;
use super::memory_kms::public_key;
use crate::kms::KeySpec;
use crate::mechanism;
use crate::v3_2::*;
use crate::vendor::*;

/// What is a number here: mechanisms, classes, types and sizes.
const NUMBERS: &[CK_ULONG] = &[
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    16,
    32,
    48,
    64,
    96,
    128,
    256,
    2048,
    CKK_EC,
    CKK_AES,
    CKK_GENERIC_SECRET,
    CKK_SHA256_HMAC,
    CKK_EC_EDWARDS,
    CKK_ML_KEM,
    CKK_ML_DSA,
    CKK_HKDF,
    CKO_PROFILE,
    CKM_SHA_1,
    CKM_SHA256,
    CKM_SHA384,
    CKM_SHA512,
    CKD_SHA256_KDF,
    CKG_MGF1_SHA1,
    CKF_HKDF_SALT_DATA,
    CK_ULONG::MAX,
    CK_ULONG::MAX / 2,
    1 << 63,
];

pub(super) fn number(input: &mut Input<'_>) -> CK_ULONG {
    match input.byte() {
        0 => input.u64() as CK_ULONG,
        1..16 => input.u16().into(),
        16..64 => input.byte().into(),
        byte => NUMBERS[usize::from(byte) % NUMBERS.len()],
    }
}

/// A length beside NULL, or one that no memory can have.
pub(super) fn length(input: &mut Input<'_>) -> CK_ULONG {
    input.choose(&[1, 8, 4096, CK_ULONG::MAX, 1 << 63, CK_ULONG::MAX / 2 + 1])
}

/// One of these handles at most times.
pub(super) fn handle(input: &mut Input<'_>, known: &[CK_ULONG]) -> CK_ULONG {
    match input.byte() {
        0 => number(input),
        _ if known.is_empty() => CK_INVALID_HANDLE,
        byte => known[usize::from(byte) % known.len()],
    }
}

pub(super) fn mechanism(input: &mut Input<'_>) -> CK_MECHANISM_TYPE {
    let all = mechanism::list();
    match input.byte() {
        0 => number(input),
        byte => all[usize::from(byte) % all.len()],
    }
}

/// Encodings that mean something: of keys, names, dates.
pub(super) fn known(input: &mut Input<'_>) -> &'static [u8] {
    const SPECS: [KeySpec; 7] = [
        KeySpec::Rsa2048,
        KeySpec::EccNistP256,
        KeySpec::EccNistP521,
        KeySpec::EccSecgP256k1,
        KeySpec::EccNistEdwards25519,
        KeySpec::MlDsa44,
        KeySpec::MlKem512,
    ];
    const P256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    const VALUES: [&[u8]; 20] = [
        b"",
        &[0],
        &[1],
        b"\x00",
        b"\x01\x00\x01",
        b"stock 2",
        b"label",
        P256,
        b"\x06\x05\x2b\x81\x04\x00\x22",
        b"\x06\x05\x2b\x81\x04\x00\x23",
        b"\x06\x05\x2b\x81\x04\x00\x0a",
        b"\x06\x03\x2b\x65\x70",
        b"\x13\x0cedwards25519",
        b"20261231",
        &[0x5a; 16],
        &[0x5a; 32],
        &[0x5a; 64],
        include_bytes!("../keys/certificate.der"),
        include_bytes!("../keys/private_p256.der"),
        b"name\0value\0",
    ];
    let byte = usize::from(input.byte());
    if let Some(value) = VALUES.get(byte % (VALUES.len() + 2 * SPECS.len())) {
        return value;
    }
    let spec = SPECS[byte % SPECS.len()];
    let der = public_key(spec).unwrap_or_default();
    if byte.is_multiple_of(2) {
        return der;
    }
    // The key alone: an EC point, an Ed25519, ML-DSA or ML-KEM key as it stands in attributes.
    let len = match spec {
        KeySpec::EccNistP256 | KeySpec::EccSecgP256k1 => 65,
        KeySpec::EccNistP521 => 133,
        KeySpec::EccNistEdwards25519 => 32,
        KeySpec::MlDsa44 => 1312,
        KeySpec::MlKem512 => 800,
        // The modulus without its zero, and the exponent behind it.
        _ => 261,
    };
    &der[der.len() - len..]
}

/// Attributes of all objects that there are.
pub(super) const ATTRIBUTES: &[CK_ATTRIBUTE_TYPE] = &[
    CKA_CLASS,
    CKA_KEY_TYPE,
    CKA_TOKEN,
    CKA_LABEL,
    CKA_ID,
    CKA_SIGN,
    CKA_VERIFY,
    CKA_ENCRYPT,
    CKA_DECRYPT,
    CKA_DERIVE,
    CKA_WRAP,
    CKA_UNWRAP,
    CKA_ENCAPSULATE,
    CKA_DECAPSULATE,
    CKA_VALUE,
    CKA_VALUE_LEN,
    CKA_EC_PARAMS,
    CKA_EC_POINT,
    CKA_MODULUS,
    CKA_MODULUS_BITS,
    CKA_PUBLIC_EXPONENT,
    CKA_PARAMETER_SET,
    CKA_PUBLIC_KEY_INFO,
    CKA_CERTIFICATE_TYPE,
    CKA_SUBJECT,
    CKA_ISSUER,
    CKA_SERIAL_NUMBER,
    CKA_SENSITIVE,
    CKA_EXTRACTABLE,
    CKA_PRIVATE,
    CKA_MODIFIABLE,
    CKA_COPYABLE,
    CKA_DESTROYABLE,
    CKA_TRUSTED,
    CKA_LOCAL,
    CKA_ALLOWED_MECHANISMS,
    CKA_WRAP_TEMPLATE,
    CKA_UNWRAP_TEMPLATE,
    CKA_DERIVE_TEMPLATE,
    CKA_ENCAPSULATE_TEMPLATE,
    CKA_DECAPSULATE_TEMPLATE,
    CKA_PRIVATE_EXPONENT,
    CKA_PRIME_1,
    CKA_PRIME_2,
    CKA_EXPONENT_1,
    CKA_EXPONENT_2,
    CKA_COEFFICIENT,
    CKA_APPLICATION,
    CKA_OBJECT_ID,
    CKA_CERTIFICATE_CATEGORY,
    CKA_CHECK_VALUE,
    CKA_START_DATE,
    CKA_END_DATE,
    CKA_URL,
    CKA_HASH_OF_SUBJECT_PUBLIC_KEY,
    CKA_JAVA_MIDP_SECURITY_DOMAIN,
    CKA_ALWAYS_SENSITIVE,
    CKA_NEVER_EXTRACTABLE,
    CKA_ALWAYS_AUTHENTICATE,
    CKA_KEY_GEN_MECHANISM,
    CKA_UNIQUE_ID,
    CKA_PROFILE_ID,
    CKA_SEED,
    CKA_KMS_CIPHERTEXT,
    CKA_KMS_ROTATION_ENABLED,
    CKA_KMS_NEXT_ROTATION,
    CKA_KMS_AUTOMATIC_ROTATIONS,
];

pub(super) fn attribute_type(input: &mut Input<'_>) -> CK_ATTRIBUTE_TYPE {
    match input.byte() {
        0 => number(input),
        1 => input.u16().into(),
        byte => ATTRIBUTES[usize::from(byte) % ATTRIBUTES.len()],
    }
}

/// Appends a template to be read: its address and its count.
pub(super) fn template(input: &mut Input<'_>, arguments: &mut Arguments) {
    let count = match input.byte() {
        0 => {
            arguments.word(0);
            return arguments.number(length(input));
        }
        byte => usize::from(byte) % 12,
    };
    let mut words = Vec::new();
    for _ in 0..count {
        let type_ = attribute_type(input);
        let (address, len) = value(input, arguments, type_);
        words.extend([word(type_), address, len]);
    }
    let bytes: Vec<u8> = words.into_iter().flat_map(usize::to_le_bytes).collect();
    let address = arguments.input(&bytes);
    arguments.word(address);
    arguments.word(count);
}

/// The address and length of an attribute's value.
fn value(
    input: &mut Input<'_>,
    arguments: &mut Arguments,
    type_: CK_ATTRIBUTE_TYPE,
) -> (usize, usize) {
    let number_of = |number: CK_ULONG, arguments: &mut Arguments| {
        (
            arguments.input(&number.to_le_bytes()),
            size_of::<CK_ULONG>(),
        )
    };
    match input.byte() {
        0 => (0, 0),
        1 => (0, word(length(input))),
        2 => (arguments.input(&[]), usize::MAX - usize::from(input.byte())),
        3..32 => {
            let piece = input.piece();
            (arguments.input(piece), piece.len())
        }
        32..64 => {
            let number = number(input);
            number_of(number, arguments)
        }
        byte => {
            let low = CK_ULONG::from(byte & 7);
            match type_ {
                CKA_CLASS => number_of(low % 5, arguments),
                CKA_CERTIFICATE_TYPE | CKA_PARAMETER_SET => number_of(low % 4, arguments),
                CKA_KEY_TYPE | CKA_MODULUS_BITS | CKA_VALUE_LEN => {
                    let number = number(input);
                    number_of(number, arguments)
                }
                CKA_LABEL | CKA_ID | CKA_VALUE | CKA_EC_PARAMS | CKA_EC_POINT | CKA_MODULUS
                | CKA_PUBLIC_EXPONENT | CKA_PUBLIC_KEY_INFO | CKA_SUBJECT | CKA_START_DATE => {
                    let known = known(input);
                    (arguments.input(known), known.len())
                }
                _ => (arguments.input(&[byte & 1]), 1),
            }
        }
    }
}

/// Appends a template to be filled: its address and its count.
pub(super) fn wanted(input: &mut Input<'_>, arguments: &mut Arguments) {
    let count = match input.byte() {
        0 => {
            arguments.word(0);
            return arguments.number(length(input));
        }
        byte => usize::from(byte) % 12,
    };
    let attributes: Vec<_> = (0..count)
        .map(|_| {
            let type_ = attribute_type(input);
            let room = match input.byte() {
                0..64 => None,
                byte @ 64..128 => Some(usize::from(byte - 64)),
                128..160 => Some(usize::from(input.u16() % 4096)),
                _ => Some(2048),
            };
            (type_, room)
        })
        .collect();
    let address = arguments.attributes(&attributes);
    arguments.word(address);
    arguments.word(count);
}
