//! AES-GCM message by message: what CK_GCM_MESSAGE_PARAMS asks for.

use pkcs11_sys::*;

use super::cipher::Mode;
use super::{Mechanism, Work, find, unsuited};
use crate::crypto::aes::gcm::IV_LEN;
use crate::error::{Error, Result};

/// Who makes the initialisation vector of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Caller,
    Module,
}

/// The initialisation vector that a message is to be encrypted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NewIv {
    Given([u8; IV_LEN]),
    /// To be drawn at random, whole.
    Drawn,
}

/// Refuses a mechanism that does not encrypt message by message.
pub(crate) fn encryption(mechanism: Mechanism<'_>) -> Result<()> {
    match find(mechanism.type_)?.work {
        Work::Encrypt(Mode::Gcm) => Ok(()),
        _ => Err(unsuited(mechanism, "encrypts message by message")),
    }
}

/// Whose part an initialisation vector is.
///
/// What the module makes is random, all 96 bits of it, so that no two messages under a key have it in common
/// (NIST SP 800-38D, 8.2.2). The generators that count begin at zero with every process, and so would
/// encrypt two messages under one key with the same vector: they are refused, as is a fixed part, which
/// leaves too few bits to chance. PKCS#11 3.2, 6.13.2, demands CKG_GENERATE without a fixed part.
pub(crate) fn source(generator: CK_ULONG, fixed_bits: CK_ULONG) -> Result<Source> {
    match (generator, fixed_bits) {
        (CKG_NO_GENERATE, _) => Ok(Source::Caller),
        (CKG_GENERATE | CKG_GENERATE_RANDOM, 0) => Ok(Source::Module),
        (CKG_GENERATE | CKG_GENERATE_RANDOM, _) => Err(refused(
            "ulIvFixedBits is 0: a vector that the module makes is random as a whole",
        )),
        _ => Err(refused(
            "ivGenerator is CKG_NO_GENERATE, CKG_GENERATE or CKG_GENERATE_RANDOM",
        )),
    }
}

/// The length in bytes of a tag of so many bits, 12 to 16.
pub(crate) fn tag_len(bits: CK_ULONG) -> Result<usize> {
    [12, 13, 14, 15, 16]
        .into_iter()
        .find(|len| usize::try_from(bits) == Ok(8 * len))
        .ok_or_else(|| refused("ulTagBits is 96, 104, 112, 120 or 128"))
}

fn refused(reason: &'static str) -> Error {
    Error::new(CKR_MECHANISM_PARAM_INVALID, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_the_callers_or_random_as_a_whole() {
        let rv = |generator, fixed_bits| source(generator, fixed_bits).map_err(|error| error.rv());
        for fixed_bits in [0, 32, 96] {
            assert_eq!(rv(CKG_NO_GENERATE, fixed_bits), Ok(Source::Caller));
        }
        for generator in [CKG_GENERATE, CKG_GENERATE_RANDOM] {
            assert_eq!(rv(generator, 0), Ok(Source::Module));
            assert_eq!(rv(generator, 32), Err(CKR_MECHANISM_PARAM_INVALID));
        }
        for generator in [CKG_GENERATE_COUNTER, CKG_GENERATE_COUNTER_XOR, 5] {
            assert_eq!(rv(generator, 0), Err(CKR_MECHANISM_PARAM_INVALID));
        }
    }
}
