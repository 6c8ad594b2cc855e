//! The C functions with slices in place of pointers.
//!
//! A function that has data passes NULL for no bytes, which is legal; one that answers takes a [`Room`], so
//! that every answer lands between canaries.

use std::ffi::CStr;
use std::ptr;

use cryptoki_sys::*;

use super::guarded::{Answer, Cell, Room};
use super::{Client, Mechanism};

/// Calls a function of the list by its name.
macro_rules! call {
    ($client:ident.$function:ident($($argument:expr),* $(,)?)) => {{
        let function = $client.list.$function.expect("no entry of the list is NULL");
        // SAFETY: the arguments are values, NULL where that is legal, or pointers to memory that outlives the
        // call and is as long as the argument beside them says.
        unsafe { function($($argument),*) }
    }};
}
pub(crate) use call;

/// An attribute of a template: its type and its value.
pub(crate) type Attribute = (CK_ATTRIBUTE_TYPE, Vec<u8>);

/// General, slots and sessions.
impl Client {
    pub(super) fn initialize(&self, reserved: &CStr) -> CK_RV {
        let mut args = CK_C_INITIALIZE_ARGS {
            flags: CKF_OS_LOCKING_OK,
            pReserved: reserved.as_ptr().cast_mut().cast(),
            ..CK_C_INITIALIZE_ARGS::default()
        };
        call!(self.C_Initialize((&raw mut args).cast()))
    }

    #[track_caller]
    pub(super) fn open_session(&self) -> CK_SESSION_HANDLE {
        let mut session = 0;
        let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
        let rv = call!(self.C_OpenSession(SLOT, flags, ptr::null_mut(), None, &raw mut session));
        assert_eq!(rv, CKR_OK);
        session
    }

    #[track_caller]
    pub(crate) fn slots(&self, room: Room) -> Answer<CK_SLOT_ID> {
        Answer::take(room, |list, len| {
            call!(self.C_GetSlotList(CK_TRUE, list, len))
        })
    }

    #[track_caller]
    pub(crate) fn mechanisms(&self, room: Room) -> Answer<CK_MECHANISM_TYPE> {
        Answer::take(room, |list, len| {
            call!(self.C_GetMechanismList(SLOT, list, len))
        })
    }

    pub(crate) fn mechanism_info(
        &self,
        type_: CK_MECHANISM_TYPE,
    ) -> Result<CK_MECHANISM_INFO, CK_RV> {
        let mut info = CK_MECHANISM_INFO::default();
        match call!(self.C_GetMechanismInfo(SLOT, type_, &raw mut info)) {
            CKR_OK => Ok(info),
            rv => Err(rv),
        }
    }

    /// Fills a buffer of exactly this many bytes.
    #[track_caller]
    pub(crate) fn random(&self, len: usize) -> Answer {
        Answer::take(Room::Of(len), |buffer, len| {
            call!(self.C_GenerateRandom(self.session, buffer, *len))
        })
    }
}

/// Objects.
impl Client {
    /// The objects that match a template.
    #[track_caller]
    pub(crate) fn find(&self, template: &[Attribute]) -> Vec<CK_OBJECT_HANDLE> {
        assert_eq!(self.find_init(template), CKR_OK);
        let found = self.find_next(64).ok();
        assert_eq!(self.find_final(), CKR_OK);
        found
    }

    pub(crate) fn find_init(&self, template: &[Attribute]) -> CK_RV {
        let mut template = as_c(template);
        call!(self.C_FindObjectsInit(self.session, template.as_mut_ptr(), count(&template)))
    }

    #[track_caller]
    pub(crate) fn find_next(&self, max: usize) -> Answer<CK_OBJECT_HANDLE> {
        Answer::take(Room::Of(max), |objects, len| {
            call!(self.C_FindObjects(self.session, objects, *len, len))
        })
    }

    pub(crate) fn find_final(&self) -> CK_RV {
        call!(self.C_FindObjectsFinal(self.session))
    }

    /// The value of an attribute that the object has.
    #[track_caller]
    pub(crate) fn value(&self, object: CK_OBJECT_HANDLE, type_: CK_ATTRIBUTE_TYPE) -> Vec<u8> {
        let len = self.attribute(object, type_, Room::Query).len;
        self.attribute(object, type_, Room::Of(usize::try_from(len).unwrap()))
            .ok()
    }

    #[track_caller]
    pub(crate) fn attribute(
        &self,
        object: CK_OBJECT_HANDLE,
        type_: CK_ATTRIBUTE_TYPE,
        room: Room,
    ) -> Answer {
        Answer::take(room, |value: *mut u8, len| {
            let mut attribute = CK_ATTRIBUTE {
                type_,
                pValue: value.cast(),
                ulValueLen: *len,
            };
            let rv = call!(self.C_GetAttributeValue(self.session, object, &raw mut attribute, 1));
            *len = attribute.ulValueLen;
            rv
        })
    }

    /// Asks for many attributes in one call; answers the length of each.
    #[track_caller]
    pub(crate) fn attributes(
        &self,
        object: CK_OBJECT_HANDLE,
        wanted: &mut [(CK_ATTRIBUTE_TYPE, &mut [u8])],
    ) -> (CK_RV, Vec<CK_ULONG>) {
        let mut template: Vec<CK_ATTRIBUTE> = wanted
            .iter_mut()
            .map(|(type_, value)| CK_ATTRIBUTE {
                type_: *type_,
                pValue: value.as_mut_ptr().cast(),
                ulValueLen: count(value),
            })
            .collect();
        let rv = call!(self.C_GetAttributeValue(
            self.session,
            object,
            template.as_mut_ptr(),
            count(&template)
        ));
        let lengths = template.iter().map(|attribute| attribute.ulValueLen);
        (rv, lengths.collect())
    }

    pub(crate) fn generate_key_pair(
        &self,
        mechanism: &Mechanism,
        public: &[Attribute],
        private: &[Attribute],
    ) -> CK_RV {
        let mut mechanism = mechanism.as_c();
        let (mut public, mut private) = (as_c(public), as_c(private));
        let (mut public_key, mut private_key) = (0, 0);
        call!(self.C_GenerateKeyPair(
            self.session,
            &raw mut mechanism,
            public.as_mut_ptr(),
            count(&public),
            private.as_mut_ptr(),
            count(&private),
            &raw mut public_key,
            &raw mut private_key
        ))
    }
}

/// Secret keys.
impl Client {
    pub(crate) fn generate_key(
        &self,
        mechanism: &Mechanism,
        template: &[Attribute],
    ) -> Result<CK_OBJECT_HANDLE, CK_RV> {
        let mut mechanism = mechanism.as_c();
        let mut template = as_c(template);
        let mut key = 0;
        let rv = call!(self.C_GenerateKey(
            self.session,
            &raw mut mechanism,
            template.as_mut_ptr(),
            count(&template),
            &raw mut key
        ));
        if rv == CKR_OK { Ok(key) } else { Err(rv) }
    }
}

/// Signing and verifying.
impl Client {
    pub(crate) fn sign_init(&self, mechanism: &Mechanism, key: CK_OBJECT_HANDLE) -> CK_RV {
        let mut mechanism = mechanism.as_c();
        call!(self.C_SignInit(self.session, &raw mut mechanism, key))
    }

    #[track_caller]
    pub(crate) fn sign(&self, data: &[u8], room: Room) -> Answer {
        Answer::take(room, |signature, len| {
            call!(self.C_Sign(self.session, start(data), count(data), signature, len))
        })
    }

    pub(crate) fn sign_update(&self, part: &[u8]) -> CK_RV {
        call!(self.C_SignUpdate(self.session, start(part), count(part)))
    }

    #[track_caller]
    pub(crate) fn sign_final(&self, room: Room) -> Answer {
        Answer::take(room, |signature, len| {
            call!(self.C_SignFinal(self.session, signature, len))
        })
    }

    /// Signs in one part; the answer of C_Sign, or that of C_SignInit when it is a refusal.
    #[track_caller]
    pub(crate) fn try_signature(
        &self,
        mechanism: &Mechanism,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
    ) -> Result<Vec<u8>, CK_RV> {
        match self.sign_init(mechanism, key) {
            CKR_OK => {}
            rv => return Err(rv),
        }
        let answer = self.sign(data, Room::Of(AMPLE));
        match answer.rv {
            CKR_OK => Ok(answer.values),
            rv => Err(rv),
        }
    }

    /// Signs in one part.
    #[track_caller]
    pub(crate) fn signature(
        &self,
        mechanism: &Mechanism,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
    ) -> Vec<u8> {
        self.try_signature(mechanism, key, data)
            .unwrap_or_else(|rv| panic!("{mechanism:?} answers {rv:#x}\n{}", self.log()))
    }

    /// Signs in these parts.
    #[track_caller]
    pub(crate) fn signature_of_parts<'a>(
        &self,
        mechanism: &Mechanism,
        key: CK_OBJECT_HANDLE,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Vec<u8> {
        assert_eq!(self.sign_init(mechanism, key), CKR_OK);
        for part in parts {
            assert_eq!(self.sign_update(part), CKR_OK);
        }
        self.sign_final(Room::Of(AMPLE)).ok()
    }

    pub(crate) fn verify_init(&self, mechanism: &Mechanism, key: CK_OBJECT_HANDLE) -> CK_RV {
        let mut mechanism = mechanism.as_c();
        call!(self.C_VerifyInit(self.session, &raw mut mechanism, key))
    }

    pub(crate) fn verify(&self, data: &[u8], signature: &[u8]) -> CK_RV {
        call!(self.C_Verify(
            self.session,
            start(data),
            count(data),
            start(signature),
            count(signature)
        ))
    }

    pub(crate) fn verify_update(&self, part: &[u8]) -> CK_RV {
        call!(self.C_VerifyUpdate(self.session, start(part), count(part)))
    }

    pub(crate) fn verify_final(&self, signature: &[u8]) -> CK_RV {
        call!(self.C_VerifyFinal(self.session, start(signature), count(signature)))
    }

    /// Verifies in one part; what C_Verify answers.
    #[track_caller]
    pub(crate) fn verdict(
        &self,
        mechanism: &Mechanism,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
        signature: &[u8],
    ) -> CK_RV {
        assert_eq!(self.verify_init(mechanism, key), CKR_OK);
        self.verify(data, signature)
    }
}

/// Encrypting, decrypting and digesting.
impl Client {
    pub(crate) fn encrypt_init(&self, mechanism: &Mechanism, key: CK_OBJECT_HANDLE) -> CK_RV {
        let mut mechanism = mechanism.as_c();
        call!(self.C_EncryptInit(self.session, &raw mut mechanism, key))
    }

    #[track_caller]
    pub(crate) fn encrypt(&self, data: &[u8], room: Room) -> Answer {
        Answer::take(room, |encrypted, len| {
            call!(self.C_Encrypt(self.session, start(data), count(data), encrypted, len))
        })
    }

    pub(crate) fn decrypt_init(&self, mechanism: &Mechanism, key: CK_OBJECT_HANDLE) -> CK_RV {
        let mut mechanism = mechanism.as_c();
        call!(self.C_DecryptInit(self.session, &raw mut mechanism, key))
    }

    #[track_caller]
    pub(crate) fn decrypt(&self, encrypted: &[u8], room: Room) -> Answer {
        Answer::take(room, |data, len| {
            call!(self.C_Decrypt(self.session, start(encrypted), count(encrypted), data, len))
        })
    }

    /// Encrypts in one part.
    #[track_caller]
    pub(crate) fn ciphertext(
        &self,
        mechanism: &Mechanism,
        key: CK_OBJECT_HANDLE,
        plaintext: &[u8],
    ) -> Vec<u8> {
        assert_eq!(self.encrypt_init(mechanism, key), CKR_OK);
        self.encrypt(plaintext, Room::Of(AMPLE)).ok()
    }

    /// Decrypts in one part; the answer of C_Decrypt.
    #[track_caller]
    pub(crate) fn plaintext(
        &self,
        mechanism: &Mechanism,
        key: CK_OBJECT_HANDLE,
        ciphertext: &[u8],
    ) -> Answer {
        assert_eq!(self.decrypt_init(mechanism, key), CKR_OK);
        self.decrypt(ciphertext, Room::Of(AMPLE))
    }

    pub(crate) fn digest_init(&self, mechanism: &Mechanism) -> CK_RV {
        let mut mechanism = mechanism.as_c();
        call!(self.C_DigestInit(self.session, &raw mut mechanism))
    }

    #[track_caller]
    pub(crate) fn digest(&self, data: &[u8], room: Room) -> Answer {
        Answer::take(room, |digest, len| {
            call!(self.C_Digest(self.session, start(data), count(data), digest, len))
        })
    }

    /// Makes the one-part call of an operation with its answer in the place of its data.
    #[track_caller]
    pub(crate) fn in_place(
        &self,
        data: &[u8],
        function: impl FnOnce(&CK_FUNCTION_LIST) -> OnePart,
    ) -> Vec<u8> {
        let function = function(self.list).expect("no entry of the list is NULL");
        let mut memory = data.to_vec();
        memory.resize(AMPLE, 0);
        let (buffer, mut len) = (memory.as_mut_ptr(), count(&memory));
        // SAFETY: `buffer` has room for the data and every answer, and nobody else looks at it.
        let rv = unsafe { function(self.session, buffer, count(data), buffer, &raw mut len) };
        assert_eq!(rv, CKR_OK);
        memory.truncate(usize::try_from(len).unwrap());
        memory
    }

    pub(crate) fn digest_update(&self, part: &[u8]) -> CK_RV {
        call!(self.C_DigestUpdate(self.session, start(part), count(part)))
    }

    #[track_caller]
    pub(crate) fn digest_final(&self, room: Room) -> Answer {
        Answer::take(room, |digest, len| {
            call!(self.C_DigestFinal(self.session, digest, len))
        })
    }
}

/// A function that turns data into an answer: C_Sign, C_Encrypt, C_Decrypt, C_Digest.
type OnePart = Option<
    unsafe extern "C" fn(
        CK_SESSION_HANDLE,
        CK_BYTE_PTR,
        CK_ULONG,
        CK_BYTE_PTR,
        CK_ULONG_PTR,
    ) -> CK_RV,
>;

/// The one slot of the token.
const SLOT: CK_SLOT_ID = 0;

/// Room for every signature, ciphertext and plaintext there is.
pub(crate) const AMPLE: usize = 8192;

/// NULL for no values.
pub(super) fn start<T: Cell>(values: &[T]) -> *mut T {
    if values.is_empty() {
        ptr::null_mut()
    } else {
        values.as_ptr().cast_mut()
    }
}

pub(super) fn count<T>(values: &[T]) -> CK_ULONG {
    values.len() as CK_ULONG
}

/// A template in C's form, which borrows from this one.
pub(super) fn as_c(template: &[Attribute]) -> Vec<CK_ATTRIBUTE> {
    template
        .iter()
        .map(|(type_, value)| CK_ATTRIBUTE {
            type_: *type_,
            pValue: start(value).cast(),
            ulValueLen: count(value),
        })
        .collect()
}
