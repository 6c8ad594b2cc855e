//! A session, its functions as methods.

use std::ptr;

use cryptoki_sys::*;

use super::attribute::{self, Attr, P256, bytes, flag, id, label, template, ulong};
use super::{Module, Rv, ok};

/// A session handle; several may name one session, and copies may go to other threads.
#[derive(Clone, Copy)]
pub(crate) struct Session<'m> {
    pub(crate) module: &'m Module,
    pub(crate) handle: CK_SESSION_HANDLE,
}

/// A mechanism type and the bytes of its parameter.
#[derive(Clone, Debug)]
pub(crate) struct Mechanism(pub(crate) CK_MECHANISM_TYPE, pub(crate) Vec<u8>);

impl From<CK_MECHANISM_TYPE> for Mechanism {
    fn from(type_: CK_MECHANISM_TYPE) -> Self {
        Self(type_, Vec::new())
    }
}

impl Mechanism {
    /// RSAES-OAEP with SHA-256, MGF1 with SHA-256 and no label.
    pub(crate) fn oaep_sha256() -> Self {
        let fields: [CK_ULONG; 5] = [CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, 0, 0];
        let parameter = fields.iter().flat_map(|field| field.to_ne_bytes());
        Self(CKM_RSA_PKCS_OAEP, parameter.collect())
    }

    pub(crate) fn raw(&self) -> CK_MECHANISM {
        CK_MECHANISM {
            mechanism: self.0,
            pParameter: if self.1.is_empty() {
                ptr::null_mut()
            } else {
                self.1.as_ptr().cast_mut().cast()
            },
            ulParameterLen: self.1.len() as CK_ULONG,
        }
    }
}

macro_rules! call {
    ($self:ident, $name:ident $(, $argument:expr)* $(,)?) => {
        super::call!($self.module, $name, $self.handle $(, $argument)*)
    };
}

impl Session<'_> {
    pub(crate) fn close(self) -> Rv<()> {
        ok(call!(self, C_CloseSession))
    }

    pub(crate) fn info(self) -> Rv<CK_SESSION_INFO> {
        let mut info = CK_SESSION_INFO::default();
        ok(call!(self, C_GetSessionInfo, &raw mut info))?;
        Ok(info)
    }

    pub(crate) fn login(self, user: CK_USER_TYPE, pin: &str) -> Rv<()> {
        let pin_len = pin.len() as CK_ULONG;
        ok(call!(self, C_Login, user, pin.as_ptr().cast_mut(), pin_len))
    }

    pub(crate) fn logout(self) -> Rv<()> {
        ok(call!(self, C_Logout))
    }

    // Objects

    pub(crate) fn find_init(self, attributes: &[Attr]) -> Rv<()> {
        let mut template = template(attributes);
        let count = template.len() as CK_ULONG;
        ok(call!(self, C_FindObjectsInit, template.as_mut_ptr(), count))
    }

    pub(crate) fn find_next(self, max: usize) -> Rv<Vec<CK_OBJECT_HANDLE>> {
        let mut handles = vec![0; max];
        let mut count = 0;
        ok(call!(
            self,
            C_FindObjects,
            handles.as_mut_ptr(),
            max as CK_ULONG,
            &raw mut count
        ))?;
        handles.truncate(usize::try_from(count).unwrap());
        Ok(handles)
    }

    pub(crate) fn find_final(self) -> Rv<()> {
        ok(call!(self, C_FindObjectsFinal))
    }

    /// All matches, twenty at a time until there are none.
    pub(crate) fn find(self, attributes: &[Attr]) -> Rv<Vec<CK_OBJECT_HANDLE>> {
        self.find_init(attributes)?;
        let mut all = Vec::new();
        loop {
            let some = self.find_next(20)?;
            if some.is_empty() {
                break;
            }
            all.extend(some);
        }
        self.find_final()?;
        Ok(all)
    }

    /// The one match.
    #[track_caller]
    pub(crate) fn find_one(self, attributes: &[Attr]) -> CK_OBJECT_HANDLE {
        let found = self.find(attributes).unwrap();
        assert_eq!(found.len(), 1, "{attributes:?} matches {found:?}");
        found[0]
    }

    /// C_GetAttributeValue as it is, over a template of the caller's.
    pub(crate) fn get_raw(self, object: CK_OBJECT_HANDLE, template: &mut [CK_ATTRIBUTE]) -> CK_RV {
        let count = template.len() as CK_ULONG;
        call!(
            self,
            C_GetAttributeValue,
            object,
            template.as_mut_ptr(),
            count
        )
    }

    /// One attribute: its length first, then its value.
    pub(crate) fn get(self, object: CK_OBJECT_HANDLE, type_: CK_ATTRIBUTE_TYPE) -> Rv<Vec<u8>> {
        let mut attribute = CK_ATTRIBUTE {
            type_,
            pValue: ptr::null_mut(),
            ulValueLen: 0,
        };
        ok(self.get_raw(object, std::slice::from_mut(&mut attribute)))?;
        let mut value = vec![0u8; usize::try_from(attribute.ulValueLen).unwrap()];
        attribute.pValue = value.as_mut_ptr().cast();
        ok(self.get_raw(object, std::slice::from_mut(&mut attribute)))?;
        assert_eq!(attribute.ulValueLen, value.len() as CK_ULONG);
        Ok(value)
    }

    pub(crate) fn set(self, object: CK_OBJECT_HANDLE, attributes: &[Attr]) -> Rv<()> {
        let mut template = template(attributes);
        let count = template.len() as CK_ULONG;
        ok(call!(
            self,
            C_SetAttributeValue,
            object,
            template.as_mut_ptr(),
            count
        ))
    }

    pub(crate) fn create(self, attributes: &[Attr]) -> Rv<CK_OBJECT_HANDLE> {
        let mut template = template(attributes);
        let count = template.len() as CK_ULONG;
        let mut object = 0;
        ok(call!(
            self,
            C_CreateObject,
            template.as_mut_ptr(),
            count,
            &raw mut object
        ))?;
        Ok(object)
    }

    pub(crate) fn copy(
        self,
        object: CK_OBJECT_HANDLE,
        attributes: &[Attr],
    ) -> Rv<CK_OBJECT_HANDLE> {
        let mut template = template(attributes);
        let count = template.len() as CK_ULONG;
        let mut copy = 0;
        ok(call!(
            self,
            C_CopyObject,
            object,
            template.as_mut_ptr(),
            count,
            &raw mut copy
        ))?;
        Ok(copy)
    }

    pub(crate) fn size(self, object: CK_OBJECT_HANDLE) -> Rv<usize> {
        let mut size = 0;
        ok(call!(self, C_GetObjectSize, object, &raw mut size))?;
        Ok(usize::try_from(size).unwrap())
    }

    pub(crate) fn destroy(self, object: CK_OBJECT_HANDLE) -> Rv<()> {
        ok(call!(self, C_DestroyObject, object))
    }

    // Keys

    /// Answers the handles of the public and the private half.
    pub(crate) fn generate(
        self,
        mechanism: impl Into<Mechanism>,
        public: &[Attr],
        private: &[Attr],
    ) -> Rv<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
        let mechanism = mechanism.into();
        let (mut public, mut private) = (template(public), template(private));
        let (mut public_key, mut private_key) = (0, 0);
        ok(call!(
            self,
            C_GenerateKeyPair,
            ptr::from_mut(&mut mechanism.raw()),
            public.as_mut_ptr(),
            public.len() as CK_ULONG,
            private.as_mut_ptr(),
            private.len() as CK_ULONG,
            &raw mut public_key,
            &raw mut private_key
        ))?;
        Ok((public_key, private_key))
    }

    /// A P-256 key that signs, as crypto11 asks for it.
    pub(crate) fn generate_p256(
        self,
        key_id: impl AsRef<[u8]>,
        key_label: impl AsRef<[u8]>,
    ) -> Rv<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
        let names = [id(key_id), label(key_label), flag(CKA_TOKEN, true)];
        let public = [
            ulong(CKA_CLASS, CKO_PUBLIC_KEY),
            ulong(CKA_KEY_TYPE, CKK_EC),
            flag(CKA_VERIFY, true),
            bytes(CKA_EC_PARAMS, P256),
        ];
        let private = [
            flag(CKA_SIGN, true),
            flag(CKA_SENSITIVE, true),
            flag(CKA_EXTRACTABLE, false),
        ];
        self.generate(
            CKM_EC_KEY_PAIR_GEN,
            &[&public[..], &names].concat(),
            &[&private[..], &names].concat(),
        )
    }

    pub(crate) fn generate_key(
        self,
        mechanism: impl Into<Mechanism>,
        attributes: &[Attr],
    ) -> Rv<CK_OBJECT_HANDLE> {
        let mechanism = mechanism.into();
        let mut template = template(attributes);
        let mut key = 0;
        ok(call!(
            self,
            C_GenerateKey,
            ptr::from_mut(&mut mechanism.raw()),
            template.as_mut_ptr(),
            template.len() as CK_ULONG,
            &raw mut key
        ))?;
        Ok(key)
    }

    // Operations

    pub(crate) fn sign_init(
        self,
        mechanism: impl Into<Mechanism>,
        key: CK_OBJECT_HANDLE,
    ) -> Rv<()> {
        let mechanism = mechanism.into();
        ok(call!(
            self,
            C_SignInit,
            ptr::from_mut(&mut mechanism.raw()),
            key
        ))
    }

    /// The length that C_Sign answers for a NULL buffer.
    pub(crate) fn sign_len(self, data: &[u8]) -> Rv<usize> {
        let mut len = 0;
        ok(call!(
            self,
            C_Sign,
            data.as_ptr().cast_mut(),
            data.len() as CK_ULONG,
            ptr::null_mut(),
            &raw mut len
        ))?;
        Ok(usize::try_from(len).unwrap())
    }

    /// C_Sign with a buffer of `room` bytes.
    pub(crate) fn sign_into(self, data: &[u8], room: usize) -> Rv<Vec<u8>> {
        let mut signature = vec![0; room];
        let mut len = room as CK_ULONG;
        ok(call!(
            self,
            C_Sign,
            data.as_ptr().cast_mut(),
            data.len() as CK_ULONG,
            signature.as_mut_ptr(),
            &raw mut len
        ))?;
        signature.truncate(usize::try_from(len).unwrap());
        Ok(signature)
    }

    /// C_SignInit, C_Sign for the length, C_Sign.
    pub(crate) fn sign(
        self,
        mechanism: impl Into<Mechanism>,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
    ) -> Rv<Vec<u8>> {
        self.sign_init(mechanism, key)?;
        let len = self.sign_len(data)?;
        self.sign_into(data, len)
    }

    pub(crate) fn verify(
        self,
        mechanism: impl Into<Mechanism>,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
        signature: &[u8],
    ) -> Rv<()> {
        let mechanism = mechanism.into();
        ok(call!(
            self,
            C_VerifyInit,
            ptr::from_mut(&mut mechanism.raw()),
            key
        ))?;
        ok(call!(
            self,
            C_Verify,
            data.as_ptr().cast_mut(),
            data.len() as CK_ULONG,
            signature.as_ptr().cast_mut(),
            signature.len() as CK_ULONG
        ))
    }

    pub(crate) fn digest(self, mechanism: impl Into<Mechanism>, data: &[u8]) -> Rv<Vec<u8>> {
        let mechanism = mechanism.into();
        ok(call!(
            self,
            C_DigestInit,
            ptr::from_mut(&mut mechanism.raw())
        ))?;
        let mut digest = vec![0; 64];
        let mut len = 64;
        ok(call!(
            self,
            C_Digest,
            data.as_ptr().cast_mut(),
            data.len() as CK_ULONG,
            digest.as_mut_ptr(),
            &raw mut len
        ))?;
        digest.truncate(usize::try_from(len).unwrap());
        Ok(digest)
    }

    pub(crate) fn decrypt_init(
        self,
        mechanism: impl Into<Mechanism>,
        key: CK_OBJECT_HANDLE,
    ) -> Rv<()> {
        let mechanism = mechanism.into();
        ok(call!(
            self,
            C_DecryptInit,
            ptr::from_mut(&mut mechanism.raw()),
            key
        ))
    }

    /// C_EncryptInit, C_Encrypt with room for any answer of one block.
    pub(crate) fn encrypt(
        self,
        mechanism: impl Into<Mechanism>,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
    ) -> Rv<Vec<u8>> {
        self.encrypt_init(mechanism, key)?;
        let mut encrypted = vec![0; 1024];
        let mut len = encrypted.len() as CK_ULONG;
        ok(call!(
            self,
            C_Encrypt,
            data.as_ptr().cast_mut(),
            data.len() as CK_ULONG,
            encrypted.as_mut_ptr(),
            &raw mut len
        ))?;
        encrypted.truncate(usize::try_from(len).unwrap());
        Ok(encrypted)
    }

    pub(crate) fn encrypt_init(
        self,
        mechanism: impl Into<Mechanism>,
        key: CK_OBJECT_HANDLE,
    ) -> Rv<()> {
        let mechanism = mechanism.into();
        ok(call!(
            self,
            C_EncryptInit,
            ptr::from_mut(&mut mechanism.raw()),
            key
        ))
    }
}
