//! HMAC (FIPS 198-1) with a key at hand; keys of KMS never are.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use super::Hash;

/// A MAC in progress. A clone goes on from the same state.
#[derive(Clone)]
pub(crate) struct Hmac {
    hash: Hash,
    context: hmac::Context,
}

impl Hmac {
    /// A key of any length, an empty one too.
    pub(crate) fn new(hash: Hash, key: &[u8]) -> Self {
        let key = hmac::Key::new(algorithm(hash), key);
        Self {
            hash,
            context: hmac::Context::with_key(&key),
        }
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        self.context.update(data);
    }

    /// The whole MAC, of [`Hash::len`] bytes.
    pub(crate) fn finish(self) -> Mac {
        Mac(self.context.sign())
    }
}

impl fmt::Debug for Hmac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hmac").field(&self.hash).finish()
    }
}

/// A finished MAC, which is secret as long as a forger could use it.
#[derive(Clone, Copy)]
pub(crate) struct Mac(hmac::Tag);

impl AsRef<[u8]> for Mac {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mac").finish_non_exhaustive()
    }
}

/// Whether two MACs are the same, in a time that depends on their lengths alone.
pub(crate) fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    verify_slices_are_equal(a, b).is_ok()
}

fn algorithm(hash: Hash) -> hmac::Algorithm {
    match hash {
        Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha224 => hmac::HMAC_SHA224,
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha384 => hmac::HMAC_SHA384,
        Hash::Sha512 => hmac::HMAC_SHA512,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::openssl::Openssl;

    fn mac(hash: Hash, key: &[u8], message: &[u8]) -> Mac {
        let mut hmac = Hmac::new(hash, key);
        hmac.update(message);
        hmac.finish()
    }

    #[test]
    fn macs_equal_those_of_openssl() {
        let openssl = Openssl::new();
        let message: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for hash in Hash::ALL {
            for (key_len, length) in [(1, 0), (20, 1), (64, 64), (65, 127), (128, 1), (129, 1000)] {
                let key = &message[1..=key_len];
                let mac = mac(hash, key, &message[..length]);
                assert_eq!(mac.as_ref().len(), hash.len());
                assert_eq!(
                    mac.as_ref(),
                    openssl.hmac(hash, key, &message[..length]),
                    "{hash:?}, a key of {key_len} bytes"
                );
            }
        }
    }

    #[test]
    fn a_mac_does_not_depend_on_how_the_message_is_cut() {
        let message: Vec<u8> = (0..=255).collect();
        for hash in Hash::ALL {
            let whole = mac(hash, b"key", &message);
            for cut in 0..=message.len() {
                let mut parts = Hmac::new(hash, b"key");
                parts.update(&message[..cut]);
                let mut copy = parts.clone();
                parts.update(&message[cut..]);
                copy.update(b"another end");
                assert_eq!(parts.finish().as_ref(), whole.as_ref());
                assert_ne!(copy.finish().as_ref(), whole.as_ref());
            }
        }
    }

    #[test]
    fn macs_are_the_same_to_the_last_byte_or_not_at_all() {
        let mac = mac(Hash::Sha256, b"key", b"message");
        let mac = mac.as_ref();
        assert!(constant_time_eq(mac, mac));
        assert!(!constant_time_eq(mac, &mac[..31]));
        for index in 0..mac.len() {
            let mut changed = mac.to_vec();
            changed[index] ^= 1;
            assert!(!constant_time_eq(mac, &changed));
        }
    }

    #[test]
    fn nothing_printed_tells_the_mac_or_the_key() {
        let printed = format!(
            "{:?} {:?}",
            Hmac::new(Hash::Sha256, b"key"),
            mac(Hash::Sha256, b"key", b"")
        );
        assert_eq!(printed, "Hmac(Sha256) Mac { .. }");
    }
}
