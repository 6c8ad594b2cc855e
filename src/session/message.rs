//! The data of a signature or a verification: in one part, or in many.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use pkcs11_sys::*;
use zeroize::Zeroizing;

use crate::crypto::hmac::Hmac;
use crate::crypto::ml_dsa::Mu;
use crate::crypto::{Hasher, PublicKey};
use crate::error::{Error, Result};
use crate::mechanism::Use;
use crate::mechanism::signature::{Input, RAW_MESSAGE_LENS, SignatureScheme};
use crate::object::Object;

/// Data on its way to becoming what is signed or verified.
#[derive(Debug)]
pub(super) struct Message {
    intake: Intake,
    /// Parts were handed in, be it empty ones.
    in_parts: bool,
}

/// What becomes of the data.
#[derive(Debug)]
enum Intake {
    /// It is taken as it is, in one part.
    OnePart,
    /// It is taken as it is.
    Raw(Raw),
    Hash(Hasher),
    Mu(Mu),
    /// MACed here, with a key of this process.
    Hmac(Box<Hmac>),
}

/// All of a message, of which so many bytes can be taken.
#[derive(Debug)]
struct Raw {
    bytes: Zeroizing<Vec<u8>>,
    lens: RangeInclusive<usize>,
}

impl Message {
    /// A message to sign or verify with `key`, which fits the scheme.
    pub(super) fn of(
        scheme: &SignatureScheme,
        key: &Object,
        public: Option<&PublicKey>,
        use_: Use,
    ) -> Result<Self> {
        Ok(Self::new(match scheme {
            SignatureScheme::Rsa(_, Input::Message(hash))
            | SignatureScheme::Ecdsa(Input::Message(hash))
            | SignatureScheme::HashMlDsa {
                input: Input::Message(hash),
                ..
            } => Intake::Hash(Hasher::new(*hash)),
            SignatureScheme::Rsa(..)
            | SignatureScheme::Ecdsa(_)
            | SignatureScheme::HashMlDsa { .. } => Intake::OnePart,
            // Verified here, whoever signed it.
            SignatureScheme::Ed25519 if use_ == Use::Verify => Intake::Raw(Raw::of_any_len()),
            SignatureScheme::Ed25519 => Intake::Raw(Raw::for_kms()),
            SignatureScheme::MlDsa { context } => match public {
                Some(PublicKey::MlDsa(key)) => {
                    Intake::Mu(Mu::new(key, context).map_err(|error| {
                        Error::new(CKR_MECHANISM_PARAM_INVALID, error.to_string())
                    })?)
                }
                _ => return Err(CKR_KEY_TYPE_INCONSISTENT.into()),
            },
            SignatureScheme::Hmac { hash, .. } => match key.secret() {
                Some(value) => Intake::Hmac(Box::new(Hmac::new(*hash, value))),
                None => Intake::Raw(Raw::for_kms()),
            },
        }))
    }

    fn new(intake: Intake) -> Self {
        Self {
            intake,
            in_parts: false,
        }
    }

    /// Takes one part of several.
    pub(super) fn add(&mut self, part: &[u8]) -> Result<()> {
        self.check_part(part.len())?;
        self.in_parts = true;
        match &mut self.intake {
            Intake::OnePart => {}
            Intake::Raw(raw) => raw.bytes.extend_from_slice(part),
            Intake::Hash(hasher) => hasher.update(part),
            Intake::Mu(mu) => mu.update(part),
            Intake::Hmac(hmac) => hmac.update(part),
        }
        Ok(())
    }

    /// All of the data in one part: its digest or MAC, or the data itself.
    pub(super) fn whole(self, data: &[u8]) -> Result<Cow<'_, [u8]>> {
        match self.intake {
            Intake::OnePart => Ok(data.into()),
            Intake::Raw(raw) => {
                raw.check_len(data.len())?;
                Ok(data.into())
            }
            Intake::Hash(_) | Intake::Mu(_) | Intake::Hmac(_) => {
                let mut message = self;
                message.add(data)?;
                message.finish().map(Cow::Owned)
            }
        }
    }

    /// The digest or MAC of all parts, or all of them; of the empty message when there were none.
    pub(super) fn finish(self) -> Result<Vec<u8>> {
        self.check_multi_part()?;
        Ok(match self.intake {
            Intake::OnePart => Vec::new(),
            Intake::Raw(raw) => {
                raw.check_len(raw.bytes.len())?;
                raw.bytes.to_vec()
            }
            Intake::Hash(hasher) => hasher.finish().to_vec(),
            Intake::Mu(mu) => mu.finish().to_vec(),
            Intake::Hmac(hmac) => hmac.finish().as_ref().to_vec(),
        })
    }

    /// Refuses a one-part call after parts were handed in.
    pub(super) fn check_one_part(&self) -> Result<()> {
        check_one_part(self.in_parts)
    }

    /// Refuses a part of this many bytes where the message has no room for it.
    pub(super) fn check_part(&self, len: usize) -> Result<()> {
        self.check_multi_part()?;
        match &self.intake {
            Intake::Raw(raw) => raw.check_room_for(len),
            _ => Ok(()),
        }
    }

    /// Refuses mechanisms that take their data in one part.
    pub(super) fn check_multi_part(&self) -> Result<()> {
        match self.intake {
            Intake::OnePart => Err(Error::new(
                CKR_OPERATION_NOT_INITIALIZED,
                "the mechanism takes its data in one part: there is no multiple-part operation",
            )),
            _ => Ok(()),
        }
    }
}

/// Refuses a one-part call of an operation that was handed parts.
pub(super) fn check_one_part(in_parts: bool) -> Result<()> {
    if !in_parts {
        return Ok(());
    }
    Err(Error::new(
        CKR_OPERATION_ACTIVE,
        "parts were handed in: the operation ends with its Final function",
    ))
}

impl Raw {
    /// A message that KMS hashes.
    fn for_kms() -> Self {
        Self {
            bytes: Zeroizing::default(),
            lens: RAW_MESSAGE_LENS,
        }
    }

    fn of_any_len() -> Self {
        Self {
            bytes: Zeroizing::default(),
            lens: 0..=usize::MAX,
        }
    }

    /// Refuses a part that makes the message longer than can be taken: what comes is longer still.
    fn check_room_for(&self, part: usize) -> Result<()> {
        let len = self.bytes.len().saturating_add(part);
        self.check_len(len.max(*self.lens.start()))
    }

    fn check_len(&self, len: usize) -> Result<()> {
        if self.lens.contains(&len) {
            return Ok(());
        }
        Err(Error::new(
            CKR_DATA_LEN_RANGE,
            format!(
                "a message of {len} bytes: KMS hashes it itself, and takes {} to {} bytes",
                self.lens.start(),
                self.lens.end()
            ),
        ))
    }
}
