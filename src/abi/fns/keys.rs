//! Key management (PKCS#11 5.18).

use pkcs11_sys::*;

use super::super::memory::{check_pointer, mechanism, template, write};
use crate::error::{Error, Result};
use crate::module::Module;

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
            mechanism(mechanism_)?,
            template(public_key_template, public_key_attribute_count)?,
            template(private_key_template, private_key_attribute_count)?,
        )
    };
    let mechanism = mechanism.ok_or_else(|| Error::new(CKR_ARGUMENTS_BAD, "a NULL mechanism"))?;
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
