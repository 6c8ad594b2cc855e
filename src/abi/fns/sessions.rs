//! Session management (PKCS#11 5.6).

use pkcs11_sys::*;

use super::super::memory::{Output, check_pointer, input, write};
use super::super::v3_2::CK_SESSION_VALIDATION_FLAGS_TYPE;
use crate::error::{Error, Result};
use crate::module::Module;
use crate::v3_2::CKS_LAST_VALIDATION_OK;

pub(in super::super) unsafe fn open(
    module: &Module,
    slot_id: CK_SLOT_ID,
    flags: CK_FLAGS,
    _application: CK_VOID_PTR,
    _notify: CK_NOTIFY,
    session: CK_SESSION_HANDLE_PTR,
) -> Result<()> {
    check_pointer(session)?;
    let handle = module.sessions().open(module.token(slot_id)?, flags)?;
    // SAFETY: by this function's contract.
    unsafe { write(session, handle) }
}

pub(in super::super) unsafe fn close(module: &Module, session: CK_SESSION_HANDLE) -> Result<()> {
    module.sessions().close(session)
}

pub(in super::super) unsafe fn close_all(module: &Module, slot_id: CK_SLOT_ID) -> Result<()> {
    module.sessions().close_all(module.token(slot_id)?);
    Ok(())
}

pub(in super::super) unsafe fn info(
    module: &Module,
    session: CK_SESSION_HANDLE,
    info: CK_SESSION_INFO_PTR,
) -> Result<()> {
    let answer = module.session(session)?.info();
    // SAFETY: by this function's contract.
    unsafe { write(info, answer) }
}

pub(in super::super) unsafe fn cancel(
    module: &Module,
    session: CK_SESSION_HANDLE,
    flags: CK_FLAGS,
) -> Result<()> {
    module.session(session)?.cancel(flags)
}

pub(in super::super) unsafe fn operation_state(
    module: &Module,
    session: CK_SESSION_HANDLE,
    operation_state: CK_BYTE_PTR,
    operation_state_len: CK_ULONG_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let out = unsafe { Output::new(operation_state, operation_state_len) }?;
    out.fill(|room| session.operation_state(room))
}

pub(in super::super) unsafe fn set_operation_state(
    module: &Module,
    session: CK_SESSION_HANDLE,
    operation_state: CK_BYTE_PTR,
    operation_state_len: CK_ULONG,
    encryption_key: CK_OBJECT_HANDLE,
    authentication_key: CK_OBJECT_HANDLE,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let state = unsafe { input(operation_state.cast_const(), operation_state_len) }?;
    session.restore_operation_state(state, [encryption_key, authentication_key])
}

/// No flag is ever set: nobody has validated the module.
pub(in super::super) unsafe fn validation_flags(
    module: &Module,
    session: CK_SESSION_HANDLE,
    kind: CK_SESSION_VALIDATION_FLAGS_TYPE,
    flags: *mut CK_FLAGS,
) -> Result<()> {
    module.session(session)?;
    check_pointer(flags)?;
    if kind != CKS_LAST_VALIDATION_OK {
        return Err(Error::new(
            CKR_ARGUMENTS_BAD,
            format!("{kind:#x} is no type of validation flags"),
        ));
    }
    // SAFETY: by this function's contract.
    unsafe { write(flags, 0) }
}

pub(in super::super) unsafe fn login(
    module: &Module,
    session: CK_SESSION_HANDLE,
    user_type: CK_USER_TYPE,
    pin: CK_UTF8CHAR_PTR,
    pin_len: CK_ULONG,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let pin = unsafe { input(pin.cast_const(), pin_len) }?;
    session.token().log_in(user_type, pin)
}

/// The one user of a token has any name.
pub(in super::super) unsafe fn login_user(
    module: &Module,
    session: CK_SESSION_HANDLE,
    user_type: CK_USER_TYPE,
    pin: CK_UTF8CHAR_PTR,
    pin_len: CK_ULONG,
    username: CK_UTF8CHAR_PTR,
    username_len: CK_ULONG,
) -> Result<()> {
    module.session(session)?;
    // SAFETY: by this function's contract.
    unsafe {
        input(username.cast_const(), username_len)?;
        login(module, session, user_type, pin, pin_len)
    }
}

pub(in super::super) unsafe fn logout(module: &Module, session: CK_SESSION_HANDLE) -> Result<()> {
    module.session(session)?.token().log_out()
}
