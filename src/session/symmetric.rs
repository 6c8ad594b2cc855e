//! What sessions have KMS do with its symmetric keys: encrypt, decrypt, encrypt anew, and make data keys.
//! Each costs one request.

use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::Session;
use crate::error::{Error, Result};
use crate::kms::{EncryptionContext, Phase};
use crate::mechanism::symmetric::{ReEncryption, Symmetric};
use crate::mechanism::{self, Mechanism, Use};
use crate::object::local::secret::{self, Origin};
use crate::object::template::Template;
use crate::object::{KmsObject, Object};
use crate::reply::{Reply, Room};
use crate::token::ReEncrypt;

/// Bytes of a plaintext, and of a key that is wrapped.
pub(super) const MAX_PLAINTEXT: usize = 4096;
/// Bytes of a ciphertext.
pub(super) const MAX_CIPHERTEXT: usize = 6144;
/// Bytes of a data key.
const MAX_DATA_KEY: usize = 1024;

/// An encryption in KMS.
pub(super) struct KmsEncrypt {
    work: Work,
    /// The data and the answer of a call whose buffer was too small, so that the next one costs no request.
    done: Option<(Zeroizing<Vec<u8>>, Vec<u8>)>,
}

#[derive(Debug)]
enum Work {
    Encrypt {
        key: KmsObject,
        context: Option<EncryptionContext>,
    },
    ReEncrypt(ReEncrypt),
}

impl Session {
    pub(crate) fn generate_key(
        &self,
        mechanism: Mechanism<'_>,
        template: &Template<'_>,
    ) -> Result<CK_OBJECT_HANDLE> {
        if let Some(symmetric) = mechanism::data_key(mechanism)? {
            return self.generate_data_key(mechanism, &symmetric, template);
        }
        self.check_read_write()?;
        self.token.generate_secret(mechanism, template)
    }

    fn generate_data_key(
        &self,
        mechanism: Mechanism<'_>,
        symmetric: &Symmetric,
        template: &Template<'_>,
    ) -> Result<CK_OBJECT_HANDLE> {
        let key = symmetric.key.ok_or_else(|| {
            mechanism.bad_parameter("hKey names the KMS key that the data key is made under")
        })?;
        let key = in_kms(self.key(key, mechanism, Use::Wrap)?, Use::Wrap)?;
        secret::check(template, Origin::DataKey)?;
        let len = secret::wanted_len(template)?.ok_or_else(|| {
            Error::new(
                CKR_TEMPLATE_INCOMPLETE,
                "CKA_VALUE_LEN: KMS makes data keys of any length",
            )
        })?;
        if len > MAX_DATA_KEY {
            return Err(Error::new(
                CKR_ATTRIBUTE_VALUE_INVALID,
                format!(
                    "CKA_VALUE_LEN = {len}: KMS makes data keys of {MAX_DATA_KEY} bytes at most"
                ),
            ));
        }
        let context = symmetric.context.as_ref();
        let made = self.token.generate_data_key(&key, len, context)?;
        self.add_object(secret::of_data_key(template, made)?)
    }

    /// What C_EncryptInit begins with CKM_KMS_REENCRYPT.
    pub(super) fn reencrypt_init(
        &self,
        mechanism: Mechanism<'_>,
        wanted: ReEncryption,
        key: CK_OBJECT_HANDLE,
    ) -> Result<KmsEncrypt> {
        let of_kms = |key| in_kms(self.key(key, mechanism, Use::Encrypt)?, Use::Encrypt);
        Ok(KmsEncrypt::new(Work::ReEncrypt(ReEncrypt {
            source: wanted.source_key.map(of_kms).transpose()?,
            source_context: wanted.source,
            destination: of_kms(key)?,
            context: wanted.destination,
        })))
    }

    /// All of the data of an encryption. The operation comes back when it goes on.
    pub(super) fn encrypt_in_kms(
        &self,
        mut operation: KmsEncrypt,
        data: &[u8],
        room: Room,
    ) -> Result<(Option<KmsEncrypt>, Reply)> {
        let most = operation.work.answer_len(data.len())?;
        let Room::Bytes(capacity) = room else {
            return Ok((Some(operation), Reply::Length(most)));
        };
        let answer = match operation.done.take() {
            Some((same, answer)) if *same == data => answer,
            _ => match &operation.work {
                Work::Encrypt { key, context } => {
                    self.token
                        .encrypt(key, data, context.as_ref(), Phase::Encrypt)?
                }
                Work::ReEncrypt(work) => self.token.re_encrypt(work, data)?,
            },
        };
        if answer.len() > capacity {
            let length = Reply::Length(answer.len());
            operation.done = Some((Zeroizing::new(data.to_vec()), answer));
            return Ok((Some(operation), length));
        }
        Ok((None, answer.into()))
    }

    /// Wraps a key of this process. A query is answered without a request, with a length that is enough; where
    /// there is too little room, KMS was asked in vain.
    pub(super) fn wrap_in_kms(
        &self,
        wrapping_key: &Object,
        value: &[u8],
        context: Option<&EncryptionContext>,
        room: Room,
    ) -> Result<Reply> {
        let Object::Kms(key) = wrapping_key else {
            return Err(Use::Wrap.bad_key_type("the mechanism is for keys in KMS"));
        };
        if value.len() > MAX_PLAINTEXT {
            return Err(Error::new(
                CKR_KEY_SIZE_RANGE,
                format!("a key of {} bytes; KMS wraps {MAX_PLAINTEXT}", value.len()),
            ));
        }
        if room == Room::Query {
            return Ok(Reply::Length(ciphertext_len(value.len())));
        }
        let wrapped = self.token.encrypt(key, value, context, Phase::Wrap)?;
        Ok(wrapped.into())
    }

    /// Unwraps what any client of KMS wrapped with Encrypt or `GenerateDataKey`.
    pub(super) fn unwrap_in_kms(
        &self,
        unwrapping_key: &Object,
        wrapped: &[u8],
        context: Option<&EncryptionContext>,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let Object::Kms(key) = unwrapping_key else {
            return Err(Use::Unwrap.bad_key_type("the mechanism is for keys in KMS"));
        };
        if !is_ciphertext_len(wrapped.len()) {
            return Err(Error::new(
                CKR_WRAPPED_KEY_LEN_RANGE,
                bad_len(wrapped.len()),
            ));
        }
        self.token
            .decrypt_symmetric(key, wrapped, context, Phase::Unwrap)
    }
}

impl KmsEncrypt {
    fn new(work: Work) -> Self {
        Self { work, done: None }
    }

    /// An encryption with a symmetric key; no context is the token's.
    pub(super) fn with(key: Object, context: Option<EncryptionContext>) -> Result<Self> {
        let key = in_kms(key, Use::Encrypt)?;
        Ok(Self::new(Work::Encrypt { key, context }))
    }
}

impl Work {
    /// The most bytes that KMS answers, unless it does not take this many.
    fn answer_len(&self, len: usize) -> Result<usize> {
        match self {
            Self::Encrypt { .. } if (1..=MAX_PLAINTEXT).contains(&len) => Ok(ciphertext_len(len)),
            Self::Encrypt { .. } => Err(Error::new(
                CKR_DATA_LEN_RANGE,
                format!(
                    "{len} bytes of plaintext; KMS encrypts 1 to {MAX_PLAINTEXT}, and data keys are for more"
                ),
            )),
            Self::ReEncrypt(_) if is_ciphertext_len(len) => Ok(MAX_CIPHERTEXT),
            Self::ReEncrypt(_) => Err(Error::new(CKR_DATA_LEN_RANGE, bad_len(len))),
        }
    }
}

/// Whether a ciphertext of KMS can have this many bytes.
pub(super) fn is_ciphertext_len(len: usize) -> bool {
    (1..=MAX_CIPHERTEXT).contains(&len)
}

/// What is wrong with a ciphertext of another length.
pub(super) fn bad_len(len: usize) -> String {
    format!("{len} bytes; a ciphertext of KMS has 1 to {MAX_CIPHERTEXT}")
}

/// The key that is in KMS, as the table of mechanisms has it for these.
pub(super) fn in_kms(key: Object, use_: Use) -> Result<KmsObject> {
    match key {
        Object::Kms(key) => Ok(key),
        Object::Local(_) | Object::Certificate(_) => {
            Err(use_.bad_key_type("the mechanism is for keys in KMS"))
        }
    }
}

/// An upper bound of a ciphertext's length: what KMS adds is its own affair, and its longest ciphertext
/// belongs to its longest plaintext.
fn ciphertext_len(plaintext: usize) -> usize {
    plaintext + (MAX_CIPHERTEXT - MAX_PLAINTEXT)
}

/// Tells the work: the data may be secret.
impl std::fmt::Debug for KmsEncrypt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KmsEncrypt")
            .field("work", &self.work)
            .finish_non_exhaustive()
    }
}
