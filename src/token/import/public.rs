//! C_CreateObject of a public key in the token: programs that move a pair create both of its halves,
//! and the public one is there as soon as the private one is.

use pkcs11_sys::*;

use crate::error::{Error, Result};
use crate::object::template::{Attribute, Template};
use crate::object::value::{flag, ulong};
use crate::object::{Body, local};
use crate::token::Token;

impl Token {
    /// The public half of a key of the token, as which a template describes it.
    pub(crate) fn stored_public(&self, template: &Template<'_>) -> Result<CK_OBJECT_HANDLE> {
        let said = template.iter().filter(|said| said.type_ != CKA_TOKEN);
        let described = local::create(&Template::new(said.copied().collect()))?;
        let Body::PublicKey(key) = described.body() else {
            return Err(CKR_GENERAL_ERROR.into());
        };
        let (class, token) = (ulong(CKO_PUBLIC_KEY), flag(true));
        let mut wanted: Vec<Attribute<'_>> = [
            (CKA_CLASS, &class[..]),
            (CKA_TOKEN, &token),
            (CKA_PUBLIC_KEY_INFO, key.spki()),
        ]
        .map(|(type_, value)| Attribute { type_, value })
        .into();
        let names = [CKA_ID, CKA_LABEL].map(|type_| (type_, template.get(type_)));
        wanted.extend(names.iter().filter_map(|(type_, value)| {
            let value = value.filter(|value| !value.is_empty())?;
            Some(Attribute {
                type_: *type_,
                value,
            })
        }));
        let found = self.find(&Template::new(wanted))?;
        found.first().copied().ok_or_else(|| {
            Error::new(
                CKR_TEMPLATE_INCONSISTENT,
                "CKA_TOKEN: KMS stores no public key by itself: first import the private one, with this \
                 CKA_ID and CKA_LABEL; CK_FALSE makes an object that lives as long as the session",
            )
        })
    }
}
