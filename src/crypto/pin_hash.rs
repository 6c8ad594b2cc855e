//! Hashes of PINs: PBKDF2-HMAC-SHA256 (RFC 8018), written as a PHC string.
//!
//! `$pbkdf2-sha256$i=600000$SALT$HASH`, salt and hash in Base64 without padding. The string is what a
//! configuration holds; the PIN cannot be had from it but by trying.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::str::FromStr;

use aws_lc_rs::pbkdf2;
use base64ct::{Base64Unpadded, Encoding};

const ALGORITHM: &str = "pbkdf2-sha256";
/// In bytes: that of the hash function.
const HASH_LENGTH: usize = 32;
/// In bytes.
const SALT_LENGTHS: RangeInclusive<usize> = 16..=64;
/// Fewer are tried out too fast, more make every login wait for seconds.
const ITERATIONS: RangeInclusive<u32> = 100_000..=10_000_000;

/// What a PIN is compared with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PinHash {
    iterations: NonZeroU32,
    salt: Vec<u8>,
    hash: [u8; HASH_LENGTH],
}

impl PinHash {
    /// Whether this is the hash of `pin`; takes as long for a wrong one.
    pub(crate) fn is_of(&self, pin: &[u8]) -> bool {
        let Self {
            iterations,
            salt,
            hash,
        } = self;
        pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, *iterations, salt, pin, hash).is_ok()
    }

    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('$').collect();
        let ["", ALGORITHM, parameters, salt, hash] = parts[..] else {
            return None;
        };
        let iterations: u32 = parameters.strip_prefix("i=")?.parse().ok()?;
        let iterations = Some(iterations).filter(|count| ITERATIONS.contains(count))?;
        let salt = Base64Unpadded::decode_vec(salt).ok()?;
        Some(Self {
            iterations: NonZeroU32::new(iterations)?,
            salt: Some(salt).filter(|salt| SALT_LENGTHS.contains(&salt.len()))?,
            hash: Base64Unpadded::decode_vec(hash).ok()?.try_into().ok()?,
        })
    }
}

impl FromStr for PinHash {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).ok_or(
            "$pbkdf2-sha256$i=ITERATIONS$SALT$HASH with 100000 to 10000000 iterations, a salt of 16 to 64 bytes \
             and a hash of 32, both in Base64 without padding",
        )
    }
}

/// Shows nothing: who has the hash can try out PINs.
impl fmt::Debug for PinHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinHash").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "import base64, hashlib, sys\n\
        pin, salt, count = sys.argv[1].encode(), bytes.fromhex(sys.argv[2]), int(sys.argv[3])\n\
        text = lambda data: base64.b64encode(data).decode().rstrip('=')\n\
        digest = hashlib.pbkdf2_hmac('sha256', pin, salt, count)\n\
        print(f'$pbkdf2-sha256$i={count}${text(salt)}${text(digest)}')";

    #[test]
    fn pythons_hash_of_a_pin_is_that_of_this_pin_alone() {
        for (pin, salt, count) in [
            ("1234", "00112233445566778899aabbccddeeff", "100000"),
            (
                "пароль",
                "ffeeddccbbaa99887766554433221100ffeeddccbbaa9988",
                "600000",
            ),
        ] {
            let hash: PinHash = kms_pkcs11_testkit::python(SCRIPT, [pin, salt, count])
                .ok()
                .stdout()
                .trim()
                .parse()
                .unwrap();
            assert!(hash.is_of(pin.as_bytes()));
            for wrong in ["", "1235", "12345", "пароль "] {
                assert!(!hash.is_of(wrong.as_bytes()), "{wrong}");
            }
            assert!(!format!("{hash:?}").contains(char::is_numeric));
        }
    }

    #[test]
    fn a_hash_of_another_form_or_that_is_tried_out_too_fast_is_refused() {
        let salt = "A".repeat(22);
        let hash = "A".repeat(43);
        let text =
            |count: &str, salt: &str, hash: &str| format!("$pbkdf2-sha256$i={count}${salt}${hash}");
        assert!(text("100000", &salt, &hash).parse::<PinHash>().is_ok());
        for refused in [
            text("99999", &salt, &hash),
            text("10000001", &salt, &hash),
            text("100000", &salt[..20], &hash),
            text("100000", &salt, &hash[..42]),
            text("100000", &format!("{salt}=="), &hash),
            text("100000", &salt, &format!("{hash}$")),
            text("100000,l=32", &salt, &hash),
            text("100000", &salt, &hash).replace("256", "512"),
            text("100000", &salt, &hash).replace("$pb", "pb"),
            "1234".to_owned(),
        ] {
            assert!(refused.parse::<PinHash>().is_err(), "{refused}");
        }
    }
}
