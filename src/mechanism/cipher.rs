//! Ciphers with the secret keys of a session: what a mechanism and its parameter ask for.

use std::fmt;

use super::Mechanism;
use super::message::tag_len;
use super::parameter::Parameter;
use crate::crypto::aes::cbc::Padding;
use crate::crypto::aes::wrap::Form;
use crate::crypto::aes::{BLOCK_LEN, gcm};
use crate::error::Result;

/// What an encrypting mechanism does, before its parameter was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Cbc(Padding),
    Ctr,
    Gcm,
}

/// An encrypting mechanism with its parameter, whose lengths are those of the mode.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum CipherScheme {
    Cbc {
        iv: [u8; BLOCK_LEN],
        padding: Padding,
    },
    Ctr {
        block: [u8; BLOCK_LEN],
        /// 1 to 128.
        counter_bits: usize,
    },
    Gcm {
        iv: [u8; gcm::IV_LEN],
        aad: Vec<u8>,
        /// In bytes, 12 to 16.
        tag_len: usize,
    },
}

/// Checks the parameter of a cipher.
pub(super) fn check_cipher(mechanism: Mechanism<'_>, mode: Mode) -> Result<CipherScheme> {
    match mode {
        Mode::Cbc(padding) => check_cbc(mechanism, padding),
        Mode::Ctr => check_ctr(mechanism),
        Mode::Gcm => check_gcm(mechanism),
    }
}

fn check_cbc(mechanism: Mechanism<'_>, padding: Padding) -> Result<CipherScheme> {
    let iv = match mechanism.parameter {
        Parameter::Bytes(bytes) => bytes.try_into().ok(),
        _ => None,
    };
    iv.map(|iv| CipherScheme::Cbc { iv, padding })
        .ok_or_else(|| mechanism.bad_parameter("it takes an initialisation vector of 16 bytes"))
}

fn check_ctr(mechanism: Mechanism<'_>) -> Result<CipherScheme> {
    let Parameter::AesCtr {
        counter_bits,
        block,
    } = mechanism.parameter
    else {
        return Err(mechanism.bad_parameter("it takes CK_AES_CTR_PARAMS"));
    };
    usize::try_from(counter_bits)
        .ok()
        .filter(|bits| (1..=8 * BLOCK_LEN).contains(bits))
        .map(|counter_bits| CipherScheme::Ctr {
            block,
            counter_bits,
        })
        .ok_or_else(|| mechanism.bad_parameter("ulCounterBits is 1 at least and 128 at most"))
}

fn check_gcm(mechanism: Mechanism<'_>) -> Result<CipherScheme> {
    let Parameter::Gcm { iv, aad, tag_bits } = mechanism.parameter else {
        return Err(mechanism.bad_parameter("it takes CK_GCM_PARAMS"));
    };
    let iv = iv.try_into().map_err(|_| {
        mechanism.bad_parameter("the module's AES-GCM takes an initialisation vector of 12 bytes")
    })?;
    Ok(CipherScheme::Gcm {
        iv,
        aad: aad.to_vec(),
        tag_len: tag_len(tag_bits)?,
    })
}

/// Checks the initial value of a key wrap. The parameter may spell out the standard one, which is
/// the only one that there is here.
pub(super) fn check_key_wrap(mechanism: Mechanism<'_>, form: Form) -> Result<()> {
    let standard: &[u8] = match form {
        // RFC 3394, section 2.2.3.1, and RFC 5649, section 3.
        Form::Kw => &[0xa6; 8],
        Form::Kwp => &[0xa6, 0x59, 0x59, 0xa6],
    };
    match mechanism.parameter {
        Parameter::None => Ok(()),
        Parameter::Bytes(iv) if iv == standard => Ok(()),
        _ => Err(mechanism.bad_parameter("it takes no initial value but the standard one")),
    }
}

/// Tells the mode: additional data may be confidential to whoever reads a log.
impl fmt::Debug for CipherScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cbc { .. } => "AES-CBC",
            Self::Ctr { .. } => "AES-CTR",
            Self::Gcm { .. } => "AES-GCM",
        })
    }
}

#[cfg(test)]
mod tests {
    use pkcs11_sys::*;

    use super::*;
    use crate::error::Error;

    fn of(parameter: Parameter<'_>) -> Mechanism<'_> {
        Mechanism {
            type_: CKM_AES_GCM,
            parameter,
        }
    }

    fn refused<T>(result: Result<T>) -> bool {
        result.is_err_and(|error: Error| error.rv() == CKR_MECHANISM_PARAM_INVALID)
    }

    #[test]
    fn cbc_takes_a_block_as_its_vector() {
        let check = |parameter| check_cipher(of(parameter), Mode::Cbc(Padding::None));
        let padding = Padding::None;
        let iv = [7; 16];
        let scheme = CipherScheme::Cbc { iv, padding };
        assert_eq!(check(Parameter::Bytes(&iv)), Ok(scheme));
        for parameter in [
            Parameter::None,
            Parameter::Bytes(&[7; 15]),
            Parameter::Bytes(&[7; 17]),
            Parameter::Malformed(16),
        ] {
            assert!(refused(check(parameter)), "{parameter:?}");
        }
    }

    #[test]
    fn ctr_counts_with_1_to_128_bits() {
        let check = |counter_bits| {
            let block = [7; 16];
            check_cipher(
                of(Parameter::AesCtr {
                    counter_bits,
                    block,
                }),
                Mode::Ctr,
            )
        };
        for bits in [1, 32, 128] {
            let scheme = CipherScheme::Ctr {
                block: [7; 16],
                counter_bits: bits,
            };
            assert_eq!(check(bits as CK_ULONG), Ok(scheme));
        }
        for bits in [0, 129, CK_ULONG::MAX] {
            assert!(refused(check(bits)), "{bits}");
        }
        assert!(refused(check_cipher(of(Parameter::None), Mode::Ctr)));
    }

    #[test]
    fn gcm_takes_12_bytes_and_a_tag_of_12_to_16() {
        let check = |iv, tag_bits| {
            let aad = b"aad";
            check_cipher(of(Parameter::Gcm { iv, aad, tag_bits }), Mode::Gcm)
        };
        for (bits, tag_len) in [(96, 12), (104, 13), (112, 14), (120, 15), (128, 16)] {
            let scheme = CipherScheme::Gcm {
                iv: [7; 12],
                aad: b"aad".to_vec(),
                tag_len,
            };
            assert_eq!(check(&[7; 12], bits), Ok(scheme));
        }
        for bits in [0, 12, 64, 95, 97, 127, 129, CK_ULONG::MAX] {
            assert!(refused(check(&[7; 12], bits)), "{bits}");
        }
        for iv in [&[7; 11][..], &[7; 13], &[]] {
            assert!(refused(check(iv, 128)), "{iv:?}");
        }
    }

    #[test]
    fn a_key_wrap_takes_its_standard_initial_value_or_none() {
        let kw = |parameter| check_key_wrap(of(parameter), Form::Kw);
        let kwp = |parameter| check_key_wrap(of(parameter), Form::Kwp);
        let (long, short) = ([0xa6; 8], [0xa6, 0x59, 0x59, 0xa6]);
        for check in [kw(Parameter::None), kw(Parameter::Bytes(&long))] {
            assert_eq!(check, Ok(()));
        }
        for check in [kwp(Parameter::None), kwp(Parameter::Bytes(&short))] {
            assert_eq!(check, Ok(()));
        }
        assert!(refused(kw(Parameter::Bytes(&short))));
        assert!(refused(kw(Parameter::Bytes(&[0; 8]))));
        assert!(refused(kwp(Parameter::Bytes(&long))));
        assert!(refused(kwp(Parameter::Malformed(4))));
    }
}
