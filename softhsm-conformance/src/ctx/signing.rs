//! Signing and generation. Every signature is verified outside of both modules, and kept for the other one, so
//! that no scenario can forget to.

use cryptoki_sys::*;

use super::Ctx;
use crate::arguments::{Input, Mechanism, Output, Place, Template};
use crate::cross::Evidence;
use crate::driver::Answer;
use crate::keys::KeyPair;
use crate::outside::{self, Signed};
use crate::spki;

impl Ctx {
    pub(crate) fn generate_key_pair<'a, 'b>(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: impl Into<Option<Mechanism>>,
        public: impl Into<Template<'a>>,
        private: impl Into<Template<'b>>,
    ) -> Option<KeyPair> {
        let places = (Place::Given, Place::Given);
        let (public, private) =
            self.raw_generate_key_pair(session, mechanism, public, private, places)?;
        self.know(KeyPair { public, private });
        Some(KeyPair { public, private })
    }

    /// Remembers which public key verifies what a private key signs.
    pub(crate) fn know(&mut self, pair: KeyPair) {
        self.pairs.insert(pair.private, pair.public);
    }

    pub(crate) fn sign_init(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: impl Into<Option<Mechanism>>,
        key: CK_OBJECT_HANDLE,
    ) -> CK_RV {
        let mechanism = mechanism.into();
        let rv = self.raw_sign_init(session, mechanism, key);
        if let (CKR_OK, Some(mechanism)) = (rv, mechanism) {
            self.signing
                .insert(session, Signed::nothing(mechanism, key));
        }
        rv
    }

    pub(crate) fn sign_update<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        data: impl Into<Input<'a>>,
    ) -> CK_RV {
        let data = data.into();
        let rv = self.raw_sign_update(session, data);
        if rv == CKR_OK {
            self.signed(session, data);
        }
        rv
    }

    pub(crate) fn sign<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        data: impl Into<Input<'a>>,
        output: Output,
    ) -> Answer {
        let data = data.into();
        let answer = self.raw_sign(session, data, output);
        if answer.rv == CKR_OK && matches!(output, Output::Room(_)) {
            self.signed(session, data);
            self.check_signature(session, &answer.bytes);
        }
        answer
    }

    pub(crate) fn sign_final(&mut self, session: CK_SESSION_HANDLE, output: Output) -> Answer {
        let answer = self.raw_sign_final(session, output);
        if answer.rv == CKR_OK && matches!(output, Output::Room(_)) {
            self.check_signature(session, &answer.bytes);
        }
        answer
    }

    fn signed(&mut self, session: CK_SESSION_HANDLE, data: Input<'_>) {
        if let (Some(signed), Input::Bytes(data)) = (self.signing.get_mut(&session), data) {
            signed.data.extend_from_slice(data);
        }
    }

    fn check_signature(&mut self, session: CK_SESSION_HANDLE, signature: &[u8]) {
        let signed = self.signing.remove(&session);
        self.check(session, signed, signature);
    }

    fn check(&mut self, session: CK_SESSION_HANDLE, signed: Option<Signed>, signature: &[u8]) {
        let Some(signed) = signed else {
            return self.fail("a signature came out of an operation that was never started");
        };
        let Some(public) = self.pairs.get(&signed.key).copied() else {
            return self.fail("a signature was made with a key whose public half is unknown");
        };
        let public = self.quietly(|ctx| ctx.public_values(session, public));
        if let Err(reason) = outside::verify(&spki::of(&public), &signed, signature) {
            self.fail(&format!("nobody else verifies the signature: {reason}"));
        }
        let evidence = Evidence::new(self.last_step(), public, signed, signature);
        self.transcript.signatures.push(evidence);
    }
}

/// Many messages signed with one key, by the functions of version 3.0.
impl Ctx {
    pub(crate) fn message_sign_init(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: impl Into<Option<Mechanism>>,
        key: CK_OBJECT_HANDLE,
    ) -> CK_RV {
        let mechanism = mechanism.into();
        let rv = self.raw_message_sign_init(session, mechanism, key);
        if let (CKR_OK, Some(mechanism)) = (rv, mechanism) {
            self.messages
                .insert(session, Signed::nothing(mechanism, key));
        }
        rv
    }

    pub(crate) fn sign_message<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        data: impl Into<Input<'a>>,
        output: Output,
    ) -> Answer {
        let data = data.into();
        let answer = self.raw_sign_message(session, data, output);
        self.check_message(session, data, output, &answer);
        answer
    }

    pub(crate) fn sign_message_part<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        part: impl Into<Input<'a>>,
    ) -> CK_RV {
        let part = part.into();
        let rv = self.raw_sign_message_part(session, part);
        if let (CKR_OK, Some(signed)) = (rv, self.messages.get_mut(&session)) {
            signed.data.extend(part.to_vec());
        }
        rv
    }

    pub(crate) fn sign_message_last<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        part: impl Into<Input<'a>>,
        output: Output,
    ) -> Answer {
        let part = part.into();
        let answer = self.raw_sign_message_last(session, part, output);
        self.check_message(session, part, output, &answer);
        answer
    }

    fn check_message(
        &mut self,
        session: CK_SESSION_HANDLE,
        last: Input<'_>,
        output: Output,
        answer: &Answer,
    ) {
        if answer.rv != CKR_OK || !matches!(output, Output::Room(_)) {
            return;
        }
        let mut whole = None;
        if let Some(signed) = self.messages.get_mut(&session) {
            let next = Signed::nothing(signed.mechanism, signed.key);
            signed.data.extend(last.to_vec());
            whole = Some(std::mem::replace(signed, next));
        }
        self.check(session, whole, &answer.bytes);
    }
}
