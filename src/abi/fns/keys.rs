//! Key management (PKCS#11 5.18).

use pkcs11_sys::*;

use super::super::memory::{check_pointer, mechanism, template, write};
use crate::error::{Error, Result};
use crate::mechanism::Mechanism;
use crate::module::Module;

pub(in super::super) unsafe fn generate(
    module: &Module,
    session: CK_SESSION_HANDLE,
    mechanism_: CK_MECHANISM_PTR,
    template_: CK_ATTRIBUTE_PTR,
    count: CK_ULONG,
    key: CK_OBJECT_HANDLE_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    check_pointer(key)?;
    // SAFETY: by this function's contract.
    let (mechanism, template) = unsafe { (named(mechanism_)?, template(template_, count)?) };
    session.check_read_write()?;
    let handle = session.token().generate_secret(mechanism, &template)?;
    // SAFETY: checked before the key was made.
    unsafe { write(key, handle) }
}

#[expect(clippy::too_many_arguments, reason = "the C function has them")]
pub(in super::super) unsafe fn generate_pair(
    module: &Module,
    session: CK_SESSION_HANDLE,
    mechanism_: CK_MECHANISM_PTR,
    public_key_template: CK_ATTRIBUTE_PTR,
    public_key_attribute_count: CK_ULONG,
    private_key_template: CK_ATTRIBUTE_PTR,
    private_key_attribute_count: CK_ULONG,
    public_key: CK_OBJECT_HANDLE_PTR,
    private_key: CK_OBJECT_HANDLE_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    check_pointer(public_key)?;
    check_pointer(private_key)?;
    // SAFETY: by this function's contract.
    let (mechanism, public, private) = unsafe {
        (
            named(mechanism_)?,
            template(public_key_template, public_key_attribute_count)?,
            template(private_key_template, private_key_attribute_count)?,
        )
    };
    session.check_read_write()?;
    let pair = session
        .token()
        .generate_pair(mechanism, &public, &private)?;
    // SAFETY: both were checked before the key was made.
    unsafe {
        write(public_key, pair.public)?;
        write(private_key, pair.private)
    }
}

/// The caller's mechanism, in functions that cannot go without one.
///
/// # Safety
///
/// As of [`mechanism`].
unsafe fn named<'a>(pointer: CK_MECHANISM_PTR) -> Result<Mechanism<'a>> {
    // SAFETY: by this function's contract.
    unsafe { mechanism(pointer) }?.ok_or_else(|| Error::new(CKR_ARGUMENTS_BAD, "a NULL mechanism"))
}
