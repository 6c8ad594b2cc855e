//! Secret keys of a session: making them, using them, and what they should give.

use std::ptr;

use cryptoki_sys::*;
use kms_pkcs11_testkit::{from_hex, python};
use serde_json::Value;

use super::calls::{Attribute, as_c, call, count, start};
use super::guarded::{Answer, Room};
use super::mechanism::leaked;
use super::{AMPLE, Client, Mechanism};

/// What a function that makes a key answered.
pub(crate) type Made = Result<CK_OBJECT_HANDLE, CK_RV>;

/// CK_HKDF_PARAMS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hkdf<'a> {
    pub(crate) extract: bool,
    pub(crate) expand: bool,
    pub(crate) hash: CK_MECHANISM_TYPE,
    pub(crate) salt_type: CK_ULONG,
    pub(crate) salt: &'a [u8],
    pub(crate) salt_key: CK_OBJECT_HANDLE,
    pub(crate) info: &'a [u8],
}

impl Mechanism {
    pub(crate) fn ctr(counter_bits: CK_ULONG, block: [u8; 16]) -> Self {
        Self::with_structure(
            CKM_AES_CTR,
            CK_AES_CTR_PARAMS {
                ulCounterBits: counter_bits,
                cb: block,
            },
        )
    }

    pub(crate) fn gcm(iv: &[u8], aad: &[u8], tag_bits: CK_ULONG) -> Self {
        let (iv, aad) = (leaked(iv), leaked(aad));
        Self::with_structure(
            CKM_AES_GCM,
            CK_GCM_PARAMS {
                pIv: start(iv),
                ulIvLen: count(iv),
                ulIvBits: 8 * count(iv),
                pAAD: start(aad),
                ulAADLen: count(aad),
                ulTagBits: tag_bits,
            },
        )
    }

    pub(crate) fn ecdh(kdf: CK_EC_KDF_TYPE, shared: &[u8], public: &[u8]) -> Self {
        let (shared, public) = (leaked(shared), leaked(public));
        Self::with_structure(
            CKM_ECDH1_DERIVE,
            CK_ECDH1_DERIVE_PARAMS {
                kdf,
                ulSharedDataLen: count(shared),
                pSharedData: start(shared),
                ulPublicDataLen: count(public),
                pPublicData: start(public),
            },
        )
    }

    pub(crate) fn hkdf(params: Hkdf<'_>) -> Self {
        let (salt, info) = (leaked(params.salt), leaked(params.info));
        Self::with_structure(
            CKM_HKDF_DERIVE,
            CK_HKDF_PARAMS {
                bExtract: params.extract.into(),
                bExpand: params.expand.into(),
                prfHashMechanism: params.hash,
                ulSaltType: params.salt_type,
                pSalt: start(salt),
                ulSaltLen: count(salt),
                hSaltKey: params.salt_key,
                pInfo: start(info),
                ulInfoLen: count(info),
            },
        )
    }
}

/// Functions that make a key.
impl Client {
    pub(crate) fn create(&self, template: &[Attribute]) -> Made {
        let mut template = as_c(template);
        made(|key| {
            call!(self.C_CreateObject(self.session, template.as_mut_ptr(), count(&template), key))
        })
    }

    /// A secret key of this value, with what else the template says of it.
    #[track_caller]
    pub(crate) fn secret_key(
        &self,
        key_type: CK_KEY_TYPE,
        value: &[u8],
        more: &[Attribute],
    ) -> CK_OBJECT_HANDLE {
        let mut template = vec![
            (CKA_CLASS, ulong(CKO_SECRET_KEY)),
            (CKA_KEY_TYPE, ulong(key_type)),
            (CKA_VALUE, value.to_vec()),
        ];
        template.extend_from_slice(more);
        self.create(&template)
            .unwrap_or_else(|rv| panic!("C_CreateObject answers {rv:#x}\n{}", self.log()))
    }

    pub(crate) fn destroy(&self, object: CK_OBJECT_HANDLE) -> CK_RV {
        call!(self.C_DestroyObject(self.session, object))
    }

    pub(crate) fn derive(
        &self,
        mechanism: &Mechanism,
        base: CK_OBJECT_HANDLE,
        template: &[Attribute],
    ) -> Made {
        let mut mechanism = mechanism.as_c();
        let mut template = as_c(template);
        made(|key| {
            call!(self.C_DeriveKey(
                self.session,
                &raw mut mechanism,
                base,
                template.as_mut_ptr(),
                count(&template),
                key
            ))
        })
    }

    #[track_caller]
    pub(crate) fn wrap(
        &self,
        mechanism: &Mechanism,
        wrapping_key: CK_OBJECT_HANDLE,
        key: CK_OBJECT_HANDLE,
        room: Room,
    ) -> Answer {
        let mut mechanism = mechanism.as_c();
        Answer::take(room, |wrapped, len| {
            call!(self.C_WrapKey(
                self.session,
                &raw mut mechanism,
                wrapping_key,
                key,
                wrapped,
                len
            ))
        })
    }

    pub(crate) fn unwrap(
        &self,
        mechanism: &Mechanism,
        unwrapping_key: CK_OBJECT_HANDLE,
        wrapped: &[u8],
        template: &[Attribute],
    ) -> Made {
        let mut mechanism = mechanism.as_c();
        let mut template = as_c(template);
        made(|key| {
            call!(self.C_UnwrapKey(
                self.session,
                &raw mut mechanism,
                unwrapping_key,
                start(wrapped),
                count(wrapped),
                template.as_mut_ptr(),
                count(&template),
                key
            ))
        })
    }

    /// The ciphertext, and the handle of the key, 0 where the function made none.
    #[track_caller]
    pub(crate) fn encapsulate(
        &self,
        mechanism: &Mechanism,
        public_key: CK_OBJECT_HANDLE,
        template: &[Attribute],
        room: Room,
    ) -> (Answer, CK_OBJECT_HANDLE) {
        // SAFETY: this is the type that PKCS#11 gives the symbol.
        let function =
            unsafe { self.library.get::<EncapsulateKey>(b"C_EncapsulateKey\0") }.unwrap();
        let mut mechanism = mechanism.as_c();
        let mut template = as_c(template);
        let mut key = 0;
        let answer = Answer::take(room, |ciphertext, len| {
            let handle = match room {
                Room::Query => ptr::null_mut(),
                Room::Of(_) => &raw mut key,
            };
            // SAFETY: as of `call!`.
            unsafe {
                function(
                    self.session,
                    &raw mut mechanism,
                    public_key,
                    template.as_mut_ptr(),
                    count(&template),
                    ciphertext,
                    len,
                    handle,
                )
            }
        });
        (answer, key)
    }

    pub(crate) fn decapsulate(
        &self,
        mechanism: &Mechanism,
        private_key: CK_OBJECT_HANDLE,
        template: &[Attribute],
        ciphertext: &[u8],
    ) -> Made {
        // SAFETY: this is the type that PKCS#11 gives the symbol.
        let function =
            unsafe { self.library.get::<DecapsulateKey>(b"C_DecapsulateKey\0") }.unwrap();
        let mut mechanism = mechanism.as_c();
        let mut template = as_c(template);
        // SAFETY: as of `call!`.
        made(|key| unsafe {
            function(
                self.session,
                &raw mut mechanism,
                private_key,
                template.as_mut_ptr(),
                count(&template),
                start(ciphertext),
                count(ciphertext),
                key,
            )
        })
    }
}

/// Encrypting and decrypting in parts.
impl Client {
    #[track_caller]
    pub(crate) fn encrypt_update(&self, part: &[u8], room: Room) -> Answer {
        Answer::take(room, |encrypted, len| {
            call!(self.C_EncryptUpdate(self.session, start(part), count(part), encrypted, len))
        })
    }

    #[track_caller]
    pub(crate) fn encrypt_final(&self, room: Room) -> Answer {
        Answer::take(room, |encrypted, len| {
            call!(self.C_EncryptFinal(self.session, encrypted, len))
        })
    }

    #[track_caller]
    pub(crate) fn decrypt_update(&self, part: &[u8], room: Room) -> Answer {
        Answer::take(room, |data, len| {
            call!(self.C_DecryptUpdate(self.session, start(part), count(part), data, len))
        })
    }

    #[track_caller]
    pub(crate) fn decrypt_final(&self, room: Room) -> Answer {
        Answer::take(room, |data, len| {
            call!(self.C_DecryptFinal(self.session, data, len))
        })
    }

    /// Encrypts in parts of this length.
    #[track_caller]
    pub(crate) fn ciphertext_of_parts(
        &self,
        mechanism: &Mechanism,
        key: CK_OBJECT_HANDLE,
        plaintext: &[u8],
        part: usize,
    ) -> Vec<u8> {
        assert_eq!(self.encrypt_init(mechanism, key), CKR_OK);
        let mut parts: Vec<Vec<u8>> = plaintext
            .chunks(part)
            .map(|part| self.encrypt_update(part, Room::Of(AMPLE)).ok())
            .collect();
        parts.push(self.encrypt_final(Room::Of(AMPLE)).ok());
        parts.concat()
    }

    /// Decrypts in parts of this length; the answer of C_DecryptFinal with all parts before it.
    #[track_caller]
    pub(crate) fn plaintext_of_parts(
        &self,
        mechanism: &Mechanism,
        key: CK_OBJECT_HANDLE,
        ciphertext: &[u8],
        part: usize,
    ) -> Answer {
        assert_eq!(self.decrypt_init(mechanism, key), CKR_OK);
        let mut values: Vec<u8> = ciphertext
            .chunks(part)
            .flat_map(|part| self.decrypt_update(part, Room::Of(AMPLE)).ok())
            .collect();
        let last = self.decrypt_final(Room::Of(AMPLE));
        values.extend(&last.values);
        Answer { values, ..last }
    }
}

/// What Python's `cryptography` makes of each of these: `{"do": name, argument: value, …}`, with
/// bytes in hex. See `secrets.py` for the names.
#[track_caller]
pub(crate) fn computed(cases: &[Value]) -> Vec<Vec<u8>> {
    let cases = serde_json::to_string(cases).unwrap();
    let printed = python(include_str!("secrets.py"), [cases]).ok().stdout();
    printed.lines().map(from_hex).collect()
}

pub(crate) fn flag(value: bool) -> Vec<u8> {
    vec![value.into()]
}

pub(crate) fn ulong(value: CK_ULONG) -> Vec<u8> {
    value.to_ne_bytes().to_vec()
}

/// The handle that a call wrote. One that fails has to leave it alone.
fn made(call: impl FnOnce(*mut CK_OBJECT_HANDLE) -> CK_RV) -> Made {
    const NONE: CK_OBJECT_HANDLE = CK_OBJECT_HANDLE::MAX;
    let mut handle = NONE;
    let rv = call(&raw mut handle);
    assert_eq!(rv == CKR_OK, handle != NONE, "{rv:#x}");
    match rv {
        CKR_OK => Ok(handle),
        rv => Err(rv),
    }
}

type EncapsulateKey = unsafe extern "C" fn(
    CK_SESSION_HANDLE,
    CK_MECHANISM_PTR,
    CK_OBJECT_HANDLE,
    CK_ATTRIBUTE_PTR,
    CK_ULONG,
    CK_BYTE_PTR,
    CK_ULONG_PTR,
    CK_OBJECT_HANDLE_PTR,
) -> CK_RV;

type DecapsulateKey = unsafe extern "C" fn(
    CK_SESSION_HANDLE,
    CK_MECHANISM_PTR,
    CK_OBJECT_HANDLE,
    CK_ATTRIBUTE_PTR,
    CK_ULONG,
    CK_BYTE_PTR,
    CK_ULONG,
    CK_OBJECT_HANDLE_PTR,
) -> CK_RV;
