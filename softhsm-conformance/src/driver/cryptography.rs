//! Cryptographic functions that none of the shapes covers.

use cryptoki_sys::*;

use crate::arguments::{Input, Mechanism, Output, Place, Template};
use crate::ctx::Ctx;
use crate::describe;
use crate::driver::mechanism::RawMechanism;
use crate::driver::raw::{Answer, RawTemplate, Room};
use crate::guarded::Guarded;
use crate::transcript::ABSENT;

impl Ctx {
    pub(crate) fn digest_init(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: impl Into<Option<Mechanism>>,
    ) -> CK_RV {
        let mut mechanism = RawMechanism::new(mechanism.into());
        let rv = call!(self, C_DigestInit, session, mechanism.pointer());
        self.record("C_DigestInit", rv, Vec::new())
    }

    pub(crate) fn verify<'a, 'b>(
        &mut self,
        session: CK_SESSION_HANDLE,
        data: impl Into<Input<'a>>,
        signature: impl Into<Input<'b>>,
    ) -> CK_RV {
        let ((data, data_length), (signature, length)) =
            (data.into().parts(), signature.into().parts());
        let rv = call!(
            self,
            C_Verify,
            session,
            data,
            data_length,
            signature,
            length
        );
        self.record("C_Verify", rv, Vec::new())
    }

    pub(crate) fn generate_random(&mut self, session: CK_SESSION_HANDLE, output: Output) -> Answer {
        let mut room = Room::<u8>::new(output);
        let rv = call!(
            self,
            C_GenerateRandom,
            session,
            room.pointers().0,
            output.room()
        );
        self.watch(&room.memory);
        self.record("C_GenerateRandom", rv, Vec::new());
        Answer {
            rv,
            bytes: room.memory.written(output.room()).to_vec(),
        }
    }

    /// `C_GenerateRandom` with NULL for a buffer of `length` bytes.
    pub(crate) fn generate_random_null(
        &mut self,
        session: CK_SESSION_HANDLE,
        length: CK_ULONG,
    ) -> CK_RV {
        let rv = call!(
            self,
            C_GenerateRandom,
            session,
            std::ptr::null_mut(),
            length
        );
        self.record("C_GenerateRandom", rv, Vec::new())
    }

    pub(crate) fn generate_key<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: impl Into<Option<Mechanism>>,
        template: impl Into<Template<'a>>,
    ) -> CK_OBJECT_HANDLE {
        let mut mechanism = RawMechanism::new(mechanism.into());
        let mut template = RawTemplate::new(template.into());
        let (attributes, count) = template.parts();
        let mut handle = Guarded::new(1);
        let rv = call!(
            self,
            C_GenerateKey,
            session,
            mechanism.pointer(),
            attributes,
            count,
            handle.pointer()
        );
        self.handle("C_GenerateKey", rv, &handle)
    }

    /// Answers the handles of the public and the private key.
    pub(crate) fn raw_generate_key_pair<'a, 'b>(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: impl Into<Option<Mechanism>>,
        public: impl Into<Template<'a>>,
        private: impl Into<Template<'b>>,
        places: (Place, Place),
    ) -> Option<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
        let mut mechanism = RawMechanism::new(mechanism.into());
        let mut public = RawTemplate::new(public.into());
        let mut private = RawTemplate::new(private.into());
        let (public, public_count) = public.parts();
        let (private, private_count) = private.parts();
        let mut handles = (Guarded::new(1), Guarded::new(1));
        let rv = call!(
            self,
            C_GenerateKeyPair,
            session,
            mechanism.pointer(),
            public,
            public_count,
            private,
            private_count,
            handles.0.pointer_if(places.0),
            handles.1.pointer_if(places.1),
        );
        self.watch(&handles.0);
        let private = self.handle("C_GenerateKeyPair", rv, &handles.1);
        (rv == CKR_OK).then(|| (handles.0.written(1)[0], private))
    }

    pub(crate) fn wrap_key(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: impl Into<Option<Mechanism>>,
        wrapping: CK_OBJECT_HANDLE,
        key: CK_OBJECT_HANDLE,
        output: Output,
    ) -> Answer {
        let mut mechanism = RawMechanism::new(mechanism.into());
        let mut room = Room::new(output);
        let (pointer, length) = room.pointers();
        let rv = call!(
            self,
            C_WrapKey,
            session,
            mechanism.pointer(),
            wrapping,
            key,
            pointer,
            length
        );
        self.answer("C_WrapKey", rv, &room, describe::length)
    }

    pub(crate) fn unwrap_key<'a, 'b>(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: impl Into<Option<Mechanism>>,
        unwrapping: CK_OBJECT_HANDLE,
        wrapped: impl Into<Input<'a>>,
        template: impl Into<Template<'b>>,
    ) -> CK_OBJECT_HANDLE {
        let mut mechanism = RawMechanism::new(mechanism.into());
        let (wrapped, length) = wrapped.into().parts();
        let mut template = RawTemplate::new(template.into());
        let (attributes, count) = template.parts();
        let mut handle = Guarded::new(1);
        let rv = call!(
            self,
            C_UnwrapKey,
            session,
            mechanism.pointer(),
            unwrapping,
            wrapped,
            length,
            attributes,
            count,
            handle.pointer(),
        );
        self.handle("C_UnwrapKey", rv, &handle)
    }

    pub(crate) fn derive_key<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: impl Into<Option<Mechanism>>,
        base: CK_OBJECT_HANDLE,
        template: impl Into<Template<'a>>,
    ) -> CK_OBJECT_HANDLE {
        let mut mechanism = RawMechanism::new(mechanism.into());
        let mut template = RawTemplate::new(template.into());
        let (attributes, count) = template.parts();
        let mut handle = Guarded::new(1);
        let rv = call!(
            self,
            C_DeriveKey,
            session,
            mechanism.pointer(),
            base,
            attributes,
            count,
            handle.pointer()
        );
        self.handle("C_DeriveKey", rv, &handle)
    }
}
