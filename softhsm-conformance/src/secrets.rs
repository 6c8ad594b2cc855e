//! Secret keys of a session, made of values that everybody knows: what both modules make of them is the same.

use cryptoki_sys::*;

use crate::arguments::{Attribute, Output, Place, bytes, flag, number};
use crate::ctx::Ctx;

/// As many bytes of a key as are asked for, up to 64.
pub(crate) fn value(length: usize) -> Vec<u8> {
    (1..=64).cycle().take(length).collect()
}

/// The template of a secret key that may be read, with these of its booleans true.
pub(crate) fn template(
    key_type: CK_KEY_TYPE,
    value: &[u8],
    may: &[CK_ATTRIBUTE_TYPE],
) -> Vec<Attribute> {
    let mut template = vec![
        number(CKA_CLASS, CKO_SECRET_KEY),
        number(CKA_KEY_TYPE, key_type),
        flag(CKA_TOKEN, false),
        flag(CKA_SENSITIVE, false),
        flag(CKA_EXTRACTABLE, true),
        bytes(CKA_VALUE, value),
    ];
    template.extend(may.iter().map(|usage| flag(*usage, true)));
    template
}

/// The template of a secret key that a function finds out the value of.
pub(crate) fn found_out(key_type: CK_KEY_TYPE) -> Vec<Attribute> {
    let mut template = template(key_type, &[], &[]);
    template.retain(|attribute| attribute.kind != CKA_VALUE);
    template
}

impl Ctx {
    /// A session key of these bytes.
    pub(crate) fn secret(
        &mut self,
        session: CK_SESSION_HANDLE,
        key_type: CK_KEY_TYPE,
        value: &[u8],
        may: &[CK_ATTRIBUTE_TYPE],
    ) -> CK_OBJECT_HANDLE {
        let template = template(key_type, value, may);
        let key = self.quietly(|ctx| ctx.create_object(session, &template, Place::Given));
        assert_ne!(key, CK_INVALID_HANDLE, "a secret key could not be made");
        key
    }

    /// An AES key that encrypts and decrypts.
    pub(crate) fn aes(&mut self, session: CK_SESSION_HANDLE, length: usize) -> CK_OBJECT_HANDLE {
        self.secret(
            session,
            CKK_AES,
            &value(length),
            &[CKA_ENCRYPT, CKA_DECRYPT],
        )
    }

    /// The value of a key, as far as it is to be read.
    pub(crate) fn value_of(
        &mut self,
        session: CK_SESSION_HANDLE,
        key: CK_OBJECT_HANDLE,
    ) -> Option<Vec<u8>> {
        let wanted = [(CKA_VALUE, Output::Room(512))];
        self.quietly(|ctx| ctx.get_attribute_value(session, key, &wanted))
            .pop()
            .flatten()
    }
}
