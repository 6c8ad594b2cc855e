//! C_FindObjects*.

use std::vec;

use pkcs11_sys::CK_OBJECT_HANDLE;

use super::Session;
use crate::error::Result;
use crate::object::template::Template;

/// The matches that were not handed out yet.
pub(super) type Find = vec::IntoIter<CK_OBJECT_HANDLE>;

impl Session {
    pub(crate) fn find_init(&self, template: &Template<'_>) -> Result<()> {
        self.find
            .start(|| self.token.find(template).map(Vec::into_iter))
    }

    /// The next matches, at most `max`.
    pub(crate) fn find(&self, max: usize) -> Result<Vec<CK_OBJECT_HANDLE>> {
        self.find.step(|mut matches| {
            let next = matches.by_ref().take(max).collect();
            Ok((Some(matches), next))
        })
    }

    pub(crate) fn find_final(&self) -> Result<()> {
        self.find.step(|_| Ok((None, ())))
    }
}
