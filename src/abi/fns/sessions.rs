//! Session management (PKCS#11 5.6).

use pkcs11_sys::*;

use super::super::memory::{check_pointer, input, write};
use crate::error::Result;
use crate::module::Module;

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

pub(in super::super) unsafe fn login(
    module: &Module,
    session: CK_SESSION_HANDLE,
    user_type: CK_USER_TYPE,
    pin: CK_UTF8CHAR_PTR,
    pin_len: CK_ULONG,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract. Any PIN is right, but it has to be one.
    unsafe { input(pin.cast_const(), pin_len) }?;
    session.token().login().log_in(user_type)
}

pub(in super::super) unsafe fn logout(module: &Module, session: CK_SESSION_HANDLE) -> Result<()> {
    module.session(session)?.token().login().log_out()
}
