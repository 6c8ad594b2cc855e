//! CK_GCM_MESSAGE_PARAMS: the parameter that comes with every message of a process for many, and that
//! answers go back in.

use std::ptr;

use pkcs11_sys::*;

use super::memory::input;
use super::parameter::structure;
use crate::crypto::aes::gcm::IV_LEN;
use crate::error::{Error, Result};
use crate::mechanism::message::{self, NewIv, Source};

/// The parameter of one message, whose initialisation vector has the length of the mode.
pub(super) struct MessageParameter {
    params: CK_GCM_MESSAGE_PARAMS,
    tag_len: usize,
}

impl MessageParameter {
    /// # Safety
    ///
    /// `parameter` is NULL or valid for reading `len` bytes. Where these are CK_GCM_MESSAGE_PARAMS, `pIv` and
    /// `pTag` are NULL or valid for as many bytes as the structure says, until the call ends: for reading
    /// what the caller gives, for writing what it gets.
    pub(super) unsafe fn read(parameter: CK_VOID_PTR, len: CK_ULONG) -> Result<Self> {
        // SAFETY: by this function's contract.
        let params: Option<CK_GCM_MESSAGE_PARAMS> =
            unsafe { input(parameter.cast::<u8>().cast_const(), len) }
                .ok()
                .and_then(structure);
        let params = params.ok_or_else(|| refused("it is no CK_GCM_MESSAGE_PARAMS"))?;
        if params.pIv.is_null() || usize::try_from(params.ulIvLen) != Ok(IV_LEN) {
            return Err(refused("pIv has room for 12 bytes, and ulIvLen is 12"));
        }
        let tag_len = message::tag_len(params.ulTagBits)?;
        Ok(Self { params, tag_len })
    }

    /// The initialisation vector to encrypt with. It is read only where the caller gives it.
    pub(super) fn new_iv(&self) -> Result<NewIv> {
        let source = message::source(self.params.ivGenerator, self.params.ulIvFixedBits)?;
        Ok(match source {
            Source::Caller => NewIv::Given(self.iv()),
            Source::Module => NewIv::Drawn,
        })
    }

    /// The initialisation vector that the caller gives.
    pub(super) fn iv(&self) -> [u8; IV_LEN] {
        // SAFETY: not NULL, and valid for reading as many bytes by the contract of `read`.
        unsafe { ptr::read(self.params.pIv.cast()) }
    }

    pub(super) fn write_iv(&self, iv: [u8; IV_LEN]) {
        // SAFETY: not NULL, and valid for writing as many bytes by the contract of `read`.
        unsafe { self.params.pIv.cast::<[u8; IV_LEN]>().write(iv) };
    }

    /// The length in bytes of the tag, for which there has to be room.
    pub(super) fn tag_len(&self) -> Result<usize> {
        if self.params.pTag.is_null() {
            return Err(refused("pTag is NULL"));
        }
        Ok(self.tag_len)
    }

    /// The tag that the caller gives.
    pub(super) fn tag(&self) -> Result<Vec<u8>> {
        // SAFETY: by the contract of `read`.
        unsafe { input(self.params.pTag.cast_const(), self.tag_len()? as CK_ULONG) }
            .map(<[u8]>::to_vec)
    }

    /// Writes a tag of [`Self::tag_len`] bytes.
    pub(super) fn write_tag(&self, tag: &[u8]) -> Result<()> {
        if tag.len() != self.tag_len()? {
            return Err(Error::new(CKR_GENERAL_ERROR, "a tag of another length"));
        }
        // SAFETY: not NULL, valid for writing as many bytes by the contract of `read`, and no memory of
        // the module's.
        unsafe {
            self.params
                .pTag
                .copy_from_nonoverlapping(tag.as_ptr(), tag.len());
        }
        Ok(())
    }
}

fn refused(reason: &'static str) -> Error {
    Error::new(CKR_MECHANISM_PARAM_INVALID, reason)
}
