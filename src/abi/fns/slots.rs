//! Slot and token management (PKCS#11 5.5).

use pkcs11_sys::*;

use super::super::memory::{check_pointer, write};
use super::objects::write_list;
use crate::error::{Error, Result};
use crate::mechanism;
use crate::module::Module;

pub(in super::super) unsafe fn list(
    module: &Module,
    _token_present: CK_BBOOL,
    slot_list: CK_SLOT_ID_PTR,
    count: CK_ULONG_PTR,
) -> Result<()> {
    let slots: Vec<CK_SLOT_ID> = module.tokens().iter().map(|token| token.slot()).collect();
    // SAFETY: by this function's contract.
    unsafe { write_list(&slots, slot_list, count) }
}

pub(in super::super) unsafe fn info(
    module: &Module,
    slot_id: CK_SLOT_ID,
    info: CK_SLOT_INFO_PTR,
) -> Result<()> {
    let answer = module.token(slot_id)?.slot_info();
    // SAFETY: by this function's contract.
    unsafe { write(info, answer) }
}

pub(in super::super) unsafe fn token_info(
    module: &Module,
    slot_id: CK_SLOT_ID,
    info: CK_TOKEN_INFO_PTR,
) -> Result<()> {
    let answer = module
        .token(slot_id)?
        .token_info(module.sessions().counts(slot_id));
    // SAFETY: by this function's contract.
    unsafe { write(info, answer) }
}

pub(in super::super) unsafe fn mechanism_list(
    module: &Module,
    slot_id: CK_SLOT_ID,
    mechanism_list: CK_MECHANISM_TYPE_PTR,
    count: CK_ULONG_PTR,
) -> Result<()> {
    module.token(slot_id)?;
    // SAFETY: by this function's contract.
    unsafe { write_list(&mechanism::list(), mechanism_list, count) }
}

pub(in super::super) unsafe fn mechanism_info(
    module: &Module,
    slot_id: CK_SLOT_ID,
    mechanism_type: CK_MECHANISM_TYPE,
    info: CK_MECHANISM_INFO_PTR,
) -> Result<()> {
    module.token(slot_id)?;
    let answer = mechanism::info(mechanism_type)?;
    // SAFETY: by this function's contract.
    unsafe { write(info, answer) }
}

/// The slots are those of the configuration for as long as the module is initialised, so that there
/// is never an event: a call that blocks does so until C_Finalize.
pub(in super::super) unsafe fn wait_for_event(
    module: &Module,
    flags: CK_FLAGS,
    slot: CK_SLOT_ID_PTR,
    reserved: CK_VOID_PTR,
) -> Result<()> {
    check_pointer(slot)?;
    if !reserved.is_null() {
        return Err(Error::new(
            CKR_ARGUMENTS_BAD,
            "the reserved pointer is not NULL",
        ));
    }
    if flags & CKF_DONT_BLOCK != 0 {
        return Err(CKR_NO_EVENT.into());
    }
    module.wait_for_shut_down();
    Err(CKR_CRYPTOKI_NOT_INITIALIZED.into())
}
