//! What `include/kms_pkcs11.h` has for symmetric keys, and the functions that use them.

use std::ptr;

use base64ct::{Base64, Encoding};
use cryptoki_sys::*;
use kms_pkcs11_testkit::{hex, python};
use serde_json::{Value, json};

use super::attribute::{Attr, bytes, flag, template, ulong};
use super::session::{Mechanism, Session};
use super::world::World;
use super::{Rv, call, ok};

pub(crate) const CKM_KMS_SYMMETRIC: CK_MECHANISM_TYPE = 0xcb4d_0001;
pub(crate) const CKM_KMS_REENCRYPT: CK_MECHANISM_TYPE = 0xcb4d_0002;
pub(crate) const CKA_KMS_CIPHERTEXT: CK_ATTRIBUTE_TYPE = 0xcb4d_0001;
pub(crate) const CKA_KMS_ROTATION_ENABLED: CK_ATTRIBUTE_TYPE = 0xcb4d_0002;
pub(crate) const CKA_KMS_ROTATION_PERIOD: CK_ATTRIBUTE_TYPE = 0xcb4d_0003;
pub(crate) const CKA_KMS_NEXT_ROTATION: CK_ATTRIBUTE_TYPE = 0xcb4d_0004;
pub(crate) const CKA_KMS_ON_DEMAND_ROTATION: CK_ATTRIBUTE_TYPE = 0xcb4d_0005;
pub(crate) const CKA_KMS_AUTOMATIC_ROTATIONS: CK_ATTRIBUTE_TYPE = 0xcb4d_0006;
pub(crate) const CKA_KMS_ON_DEMAND_ROTATIONS: CK_ATTRIBUTE_TYPE = 0xcb4d_0007;

/// Room for every ciphertext of KMS.
pub(crate) const AMPLE: usize = 6144;

/// An encryption context as a parameter has it: `None` is a NULL pointer.
pub(crate) type Context = Option<&'static [u8]>;

/// CKM_KMS_SYMMETRIC with KMS_PKCS11_SYMMETRIC_PARAMS.
pub(crate) fn symmetric(key: CK_OBJECT_HANDLE, context: Context) -> Mechanism {
    let words = [&[key][..], &pointer(context)].concat();
    Mechanism(CKM_KMS_SYMMETRIC, words_to_bytes(&words))
}

/// CKM_KMS_REENCRYPT with KMS_PKCS11_REENCRYPT_PARAMS.
pub(crate) fn reencrypt(source: CK_OBJECT_HANDLE, from: Context, to: Context) -> Mechanism {
    let words = [&[source][..], &pointer(from), &pointer(to)].concat();
    Mechanism(CKM_KMS_REENCRYPT, words_to_bytes(&words))
}

fn pointer(context: Context) -> [CK_ULONG; 2] {
    // Not NULL for no bytes, which is how an empty context is said.
    context.map_or([0, 0], |bytes| {
        [bytes.as_ptr() as CK_ULONG, bytes.len() as CK_ULONG]
    })
}

fn words_to_bytes(words: &[CK_ULONG]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// The template of an AES key of the session that may be read.
pub(crate) fn aes_template() -> Vec<Attr> {
    vec![
        ulong(CKA_CLASS, CKO_SECRET_KEY),
        ulong(CKA_KEY_TYPE, CKK_AES),
        flag(CKA_TOKEN, false),
        flag(CKA_SENSITIVE, false),
        flag(CKA_EXTRACTABLE, true),
    ]
}

pub(crate) const CONTEXT: Context = Some(b"application\0recordings\0");
pub(crate) const OTHER_CONTEXT: Context = Some(b"application\0other\0");
pub(crate) const NO_CONTEXT: Context = Some(b"");

pub(crate) fn context() -> Value {
    json!({ "application": "recordings" })
}

/// A world with one symmetric key, of which everything is known already.
pub(crate) fn with_key(world: &World) -> (Session<'_>, CK_OBJECT_HANDLE) {
    let session = world.module.session();
    let key = session.generate_symmetric("kek").unwrap();
    world.take_calls();
    (session, key)
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

pub(crate) fn from_base64(text: &Value) -> Vec<u8> {
    Base64::decode_vec(text.as_str().unwrap()).unwrap()
}

/// What somebody else's Decrypt answers.
pub(crate) fn opened(world: &World, blob: &[u8], context: &Value) -> Vec<u8> {
    let request = json!({ "CiphertextBlob": base64(blob), "EncryptionContext": context });
    from_base64(&world.ask("Decrypt", &request)["Plaintext"])
}

/// Opens a ciphertext of the emulator with a key's bytes: after version, length of the key id and key id come nonce and
/// sealed plaintext, bound to these three and to the names and values of the context.
pub(crate) fn opened_with(value: &[u8], blob: &[u8], context: &[&str]) -> String {
    let script = "import sys; from cryptography.hazmat.primitives.ciphers.aead import AESGCM; \
                  key, blob = map(bytes.fromhex, sys.argv[1:3]); end = 2 + blob[1]; \
                  context = b''.join(len(text).to_bytes(8, 'big') + text.encode() for text in sys.argv[3:]); \
                  print(AESGCM(key).decrypt(blob[end:end + 12], blob[end + 12:], blob[:end] + context).hex())";
    let mut arguments = vec![hex(value), hex(blob)];
    arguments.extend(context.iter().map(ToString::to_string));
    python(script, arguments).ok().stdout().trim().to_owned()
}

pub(crate) fn arn(session: Session<'_>, key: CK_OBJECT_HANDLE) -> String {
    String::from_utf8(session.get(key, CKA_UNIQUE_ID).unwrap()).unwrap()
}

pub(crate) fn secret_key(session: Session<'_>, value: &[u8]) -> CK_OBJECT_HANDLE {
    let mut template = aes_template();
    template[1] = ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    template.push(bytes(CKA_VALUE, value));
    session.create(&template).unwrap()
}

/// A function that turns data into an answer: C_Encrypt, C_Decrypt.
type OnePart = unsafe extern "C" fn(
    CK_SESSION_HANDLE,
    CK_BYTE_PTR,
    CK_ULONG,
    CK_BYTE_PTR,
    CK_ULONG_PTR,
) -> CK_RV;

impl Session<'_> {
    /// A symmetric key in KMS.
    pub(crate) fn generate_symmetric(self, key_label: &str) -> Rv<CK_OBJECT_HANDLE> {
        let attributes = [
            flag(CKA_TOKEN, true),
            ulong(CKA_VALUE_LEN, 32),
            super::attribute::label(key_label),
        ];
        self.generate_key(CKM_AES_KEY_GEN, &attributes)
    }

    /// C_EncryptInit, C_Encrypt with room for any answer.
    pub(crate) fn encrypt_kms(
        self,
        mechanism: impl Into<Mechanism>,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
    ) -> Rv<Vec<u8>> {
        self.encrypt_init(mechanism, key)?;
        self.encrypt_into(data, AMPLE).map_err(|(rv, _)| rv)
    }

    /// C_DecryptInit, C_Decrypt with room for any answer.
    pub(crate) fn decrypt_kms(
        self,
        mechanism: impl Into<Mechanism>,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
    ) -> Rv<Vec<u8>> {
        self.decrypt_init(mechanism, key)?;
        self.decrypt_into(data, AMPLE).map_err(|(rv, _)| rv)
    }

    /// C_Encrypt with a buffer of `room` bytes; a refusal comes with the length that was answered.
    pub(crate) fn encrypt_into(self, data: &[u8], room: usize) -> Result<Vec<u8>, (CK_RV, usize)> {
        self.one_part(self.module.list().C_Encrypt.unwrap(), data, room)
    }

    /// The same with C_Decrypt.
    pub(crate) fn decrypt_into(self, data: &[u8], room: usize) -> Result<Vec<u8>, (CK_RV, usize)> {
        self.one_part(self.module.list().C_Decrypt.unwrap(), data, room)
    }

    /// The length that C_Encrypt answers for a NULL buffer.
    pub(crate) fn encrypt_len(self, data: &[u8]) -> Rv<usize> {
        self.one_part_len(self.module.list().C_Encrypt.unwrap(), data)
    }

    /// The length that C_Decrypt answers for a NULL buffer.
    pub(crate) fn decrypt_len(self, data: &[u8]) -> Rv<usize> {
        self.one_part_len(self.module.list().C_Decrypt.unwrap(), data)
    }

    fn one_part(
        self,
        function: OnePart,
        data: &[u8],
        room: usize,
    ) -> Result<Vec<u8>, (CK_RV, usize)> {
        let mut answer = vec![0; room];
        let mut len = room as CK_ULONG;
        let data_len = data.len() as CK_ULONG;
        // SAFETY: both buffers are as long as it says beside them.
        let rv = unsafe {
            function(
                self.handle,
                data.as_ptr().cast_mut(),
                data_len,
                answer.as_mut_ptr(),
                &raw mut len,
            )
        };
        let len = usize::try_from(len).unwrap();
        if rv != CKR_OK {
            return Err((rv, len));
        }
        answer.truncate(len);
        Ok(answer)
    }

    fn one_part_len(self, function: OnePart, data: &[u8]) -> Rv<usize> {
        let mut len = 0;
        let data_len = data.len() as CK_ULONG;
        // SAFETY: the data is as long as it says beside it; NULL asks for the length.
        ok(unsafe {
            function(
                self.handle,
                data.as_ptr().cast_mut(),
                data_len,
                ptr::null_mut(),
                &raw mut len,
            )
        })?;
        Ok(usize::try_from(len).unwrap())
    }

    /// C_WrapKey with room for any answer.
    pub(crate) fn wrap(
        self,
        mechanism: impl Into<Mechanism>,
        wrapping_key: CK_OBJECT_HANDLE,
        key: CK_OBJECT_HANDLE,
    ) -> Rv<Vec<u8>> {
        let mut wrapped = vec![0; AMPLE];
        let len = self.wrap_raw(mechanism, wrapping_key, key, Some(&mut wrapped));
        wrapped.truncate(len.map_err(|(rv, _)| rv)?);
        Ok(wrapped)
    }

    /// C_WrapKey into a buffer, or with NULL for the length; a refusal comes with the length that was answered.
    pub(crate) fn wrap_raw(
        self,
        mechanism: impl Into<Mechanism>,
        wrapping_key: CK_OBJECT_HANDLE,
        key: CK_OBJECT_HANDLE,
        room: Option<&mut [u8]>,
    ) -> Result<usize, (CK_RV, usize)> {
        let mechanism = mechanism.into();
        let (buffer, mut len) = room.map_or((ptr::null_mut(), 0), |room| {
            (room.as_mut_ptr(), room.len() as CK_ULONG)
        });
        let rv = call!(
            self.module,
            C_WrapKey,
            self.handle,
            ptr::from_mut(&mut mechanism.raw()),
            wrapping_key,
            key,
            buffer,
            &raw mut len
        );
        let len = usize::try_from(len).unwrap();
        ok(rv).map(|()| len).map_err(|rv| (rv, len))
    }

    pub(crate) fn unwrap(
        self,
        mechanism: impl Into<Mechanism>,
        unwrapping_key: CK_OBJECT_HANDLE,
        wrapped: &[u8],
        attributes: &[Attr],
    ) -> Rv<CK_OBJECT_HANDLE> {
        let mechanism = mechanism.into();
        let mut template = template(attributes);
        let mut key = 0;
        ok(call!(
            self.module,
            C_UnwrapKey,
            self.handle,
            ptr::from_mut(&mut mechanism.raw()),
            unwrapping_key,
            wrapped.as_ptr().cast_mut(),
            wrapped.len() as CK_ULONG,
            template.as_mut_ptr(),
            template.len() as CK_ULONG,
            &raw mut key
        ))?;
        Ok(key)
    }
}
