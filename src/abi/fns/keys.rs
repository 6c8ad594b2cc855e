//! Key management (PKCS#11 5.18).

use pkcs11_sys::*;

use super::super::memory::{Output, check_pointer, input, mechanism, template, write};
use crate::error::{Error, Result};
use crate::mechanism::Mechanism;
use crate::module::Module;
use crate::reply::Room;

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
    let handle = session.generate_key(mechanism, &template)?;
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

pub(in super::super) unsafe fn wrap(
    module: &Module,
    session: CK_SESSION_HANDLE,
    mechanism_: CK_MECHANISM_PTR,
    wrapping_key: CK_OBJECT_HANDLE,
    key: CK_OBJECT_HANDLE,
    wrapped_key: CK_BYTE_PTR,
    wrapped_key_len: CK_ULONG_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let (mechanism, out) = unsafe {
        (
            named(mechanism_)?,
            Output::new(wrapped_key, wrapped_key_len)?,
        )
    };
    out.fill(|room| session.wrap_key(mechanism, wrapping_key, key, room))
}

#[expect(clippy::too_many_arguments, reason = "the C function has them")]
pub(in super::super) unsafe fn unwrap(
    module: &Module,
    session: CK_SESSION_HANDLE,
    mechanism_: CK_MECHANISM_PTR,
    unwrapping_key: CK_OBJECT_HANDLE,
    wrapped_key: CK_BYTE_PTR,
    wrapped_key_len: CK_ULONG,
    template_: CK_ATTRIBUTE_PTR,
    attribute_count: CK_ULONG,
    key: CK_OBJECT_HANDLE_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    check_pointer(key)?;
    // SAFETY: by this function's contract.
    let (mechanism, wrapped, template) = unsafe {
        (
            named(mechanism_)?,
            input(wrapped_key.cast_const(), wrapped_key_len)?,
            template(template_, attribute_count)?,
        )
    };
    let handle = session.unwrap_key(mechanism, unwrapping_key, wrapped, &template)?;
    // SAFETY: checked before the key was made.
    unsafe { write(key, handle) }
}

pub(in super::super) unsafe fn derive(
    module: &Module,
    session: CK_SESSION_HANDLE,
    mechanism_: CK_MECHANISM_PTR,
    base_key: CK_OBJECT_HANDLE,
    template_: CK_ATTRIBUTE_PTR,
    attribute_count: CK_ULONG,
    key: CK_OBJECT_HANDLE_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    check_pointer(key)?;
    // SAFETY: by this function's contract.
    let (mechanism, template) =
        unsafe { (named(mechanism_)?, template(template_, attribute_count)?) };
    let handle = session.derive_key(mechanism, base_key, &template)?;
    // SAFETY: checked before the key was made.
    unsafe { write(key, handle) }
}

#[expect(clippy::too_many_arguments, reason = "the C function has them")]
pub(in super::super) unsafe fn encapsulate(
    module: &Module,
    session: CK_SESSION_HANDLE,
    mechanism_: CK_MECHANISM_PTR,
    public_key: CK_OBJECT_HANDLE,
    template_: CK_ATTRIBUTE_PTR,
    attribute_count: CK_ULONG,
    ciphertext: CK_BYTE_PTR,
    ciphertext_len: CK_ULONG_PTR,
    key: CK_OBJECT_HANDLE_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let (mechanism, template, out) = unsafe {
        (
            named(mechanism_)?,
            template(template_, attribute_count)?,
            Output::new(ciphertext, ciphertext_len)?,
        )
    };
    let mut made = None;
    out.fill(|room| {
        // A query for the length makes no key, so it need not say where to put one.
        if room != Room::Query {
            check_pointer(key)?;
        }
        let (reply, handle) = session.encapsulate_key(mechanism, public_key, &template, room)?;
        made = handle;
        Ok(reply)
    })?;
    match made {
        // SAFETY: checked before the key was made.
        Some(handle) => unsafe { write(key, handle) },
        None => Ok(()),
    }
}

#[expect(clippy::too_many_arguments, reason = "the C function has them")]
pub(in super::super) unsafe fn decapsulate(
    module: &Module,
    session: CK_SESSION_HANDLE,
    mechanism_: CK_MECHANISM_PTR,
    private_key: CK_OBJECT_HANDLE,
    template_: CK_ATTRIBUTE_PTR,
    attribute_count: CK_ULONG,
    ciphertext: CK_BYTE_PTR,
    ciphertext_len: CK_ULONG,
    key: CK_OBJECT_HANDLE_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    check_pointer(key)?;
    // SAFETY: by this function's contract.
    let (mechanism, template, ciphertext) = unsafe {
        (
            named(mechanism_)?,
            template(template_, attribute_count)?,
            input(ciphertext.cast_const(), ciphertext_len)?,
        )
    };
    let handle = session.decapsulate_key(mechanism, private_key, &template, ciphertext)?;
    // SAFETY: checked before the key was made.
    unsafe { write(key, handle) }
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
