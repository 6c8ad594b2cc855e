//! Object management (PKCS#11 5.7).

use std::slice;

use pkcs11_sys::*;

use super::super::memory::{check_buffer, check_pointer, template, write};
use crate::error::{Error, Result};
use crate::kms::Phase;
use crate::module::Module;
use crate::object::{Value, attributes};

pub(in super::super) unsafe fn create(
    module: &Module,
    session: CK_SESSION_HANDLE,
    template_: CK_ATTRIBUTE_PTR,
    count: CK_ULONG,
    object: CK_OBJECT_HANDLE_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    check_pointer(object)?;
    // SAFETY: by this function's contract.
    let template = unsafe { template(template_, count) }?;
    let handle = session.create_object(&template)?;
    // SAFETY: checked before the object was made.
    unsafe { write(object, handle) }
}

pub(in super::super) unsafe fn copy(
    module: &Module,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template_: CK_ATTRIBUTE_PTR,
    count: CK_ULONG,
    new_object: CK_OBJECT_HANDLE_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    check_pointer(new_object)?;
    // SAFETY: by this function's contract.
    let template = unsafe { template(template_, count) }?;
    let handle = session.copy_object(object, &template)?;
    // SAFETY: checked before the object was made.
    unsafe { write(new_object, handle) }
}

pub(in super::super) unsafe fn destroy(
    module: &Module,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
) -> Result<()> {
    module.session(session)?.destroy_object(object)
}

pub(in super::super) unsafe fn size(
    module: &Module,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    size: CK_ULONG_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    check_pointer(size)?;
    let object = session.token().object(object, Phase::Find)?;
    // SAFETY: by this function's contract.
    unsafe { write(size, object.size() as CK_ULONG) }
}

pub(in super::super) unsafe fn get_attributes(
    module: &Module,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: CK_ATTRIBUTE_PTR,
    count: CK_ULONG,
) -> Result<()> {
    let session = module.session(session)?;
    let count = check_buffer(template, count)?;
    let object = session.token().object(object, Phase::Find)?;
    let attributes = if count == 0 {
        &mut []
    } else {
        // SAFETY: not NULL, aligned, of a size that fits `isize` (checked above), and valid for
        // reading and writing by this function's contract.
        unsafe { slice::from_raw_parts_mut(template, count) }
    };
    let reader = session.token().reader(&object);
    // Every attribute is answered; the first refusal is the function's answer.
    let mut refusal = Ok(());
    for attribute in attributes {
        let answered = match reader.read(attribute.type_) {
            // SAFETY: by this function's contract.
            Ok(value) => unsafe { answer(attribute, &value) },
            Err(error) => {
                attribute.ulValueLen = CK_UNAVAILABLE_INFORMATION;
                Err(error)
            }
        };
        refusal = refusal.and(answered);
    }
    refusal
}

pub(in super::super) unsafe fn set_attributes(
    module: &Module,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template_: CK_ATTRIBUTE_PTR,
    count: CK_ULONG,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let template = unsafe { template(template_, count) }?;
    session.set_attributes(object, &template)
}

pub(in super::super) unsafe fn find_init(
    module: &Module,
    session: CK_SESSION_HANDLE,
    template_: CK_ATTRIBUTE_PTR,
    count: CK_ULONG,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let template = unsafe { template(template_, count) }?;
    session.find_init(&template)
}

pub(in super::super) unsafe fn find(
    module: &Module,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE_PTR,
    max_object_count: CK_ULONG,
    object_count: CK_ULONG_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    check_pointer(object_count)?;
    let found = session.find(check_buffer(object, max_object_count)?)?;
    if !found.is_empty() {
        // SAFETY: `object` has room for `max_object_count` handles, and there are no more.
        unsafe { object.copy_from_nonoverlapping(found.as_ptr(), found.len()) };
    }
    // SAFETY: by this function's contract.
    unsafe { write(object_count, found.len() as CK_ULONG) }
}

pub(in super::super) unsafe fn find_final(
    module: &Module,
    session: CK_SESSION_HANDLE,
) -> Result<()> {
    module.session(session)?.find_final()
}

/// Answers one attribute: length for a NULL value, the value where it fits,
/// CK_UNAVAILABLE_INFORMATION else.
///
/// # Safety
///
/// `attribute.pValue` is NULL or valid for writing `attribute.ulValueLen` bytes.
unsafe fn answer(attribute: &mut CK_ATTRIBUTE, value: &Value<'_>) -> Result<()> {
    let room = attribute.ulValueLen;
    attribute.ulValueLen = CK_UNAVAILABLE_INFORMATION;
    let name = || attributes::name(attribute.type_);
    let value = match value {
        Value::Known(value) => value,
        Value::Sensitive => {
            return Err(Error::new(
                CKR_ATTRIBUTE_SENSITIVE,
                format!("{}: the key does not show it", name()),
            ));
        }
        Value::Absent | Value::NotFetched => {
            return Err(Error::new(
                CKR_ATTRIBUTE_TYPE_INVALID,
                format!("the object has no {}", name()),
            ));
        }
    };
    let len = value.len() as CK_ULONG;
    if !attribute.pValue.is_null() {
        if room < len {
            return Err(Error::new(
                CKR_BUFFER_TOO_SMALL,
                format!("{} has {len} bytes", name()),
            ));
        }
        // SAFETY: not NULL, and valid for `room` bytes, which are enough; `value` is the module's
        // memory.
        unsafe {
            attribute
                .pValue
                .cast::<u8>()
                .copy_from_nonoverlapping(value.as_ptr(), value.len());
        }
    }
    attribute.ulValueLen = len;
    Ok(())
}

/// Answers a list by the convention of C_GetSlotList: a NULL list asks for the count.
///
/// # Safety
///
/// `count` is NULL or valid for reading and writing; `list` is NULL or valid for writing `*count`
/// values.
pub(super) unsafe fn write_list<T: Copy>(
    values: &[T],
    list: *mut T,
    count: CK_ULONG_PTR,
) -> Result<()> {
    check_pointer(count)?;
    // A query only writes the count, which may be uninitialised.
    let room = if list.is_null() {
        None
    } else {
        // SAFETY: just checked, and valid by this function's contract.
        Some(unsafe { count.read() })
    };
    // SAFETY: as above.
    unsafe { count.write(values.len() as CK_ULONG) };
    let Some(room) = room else { return Ok(()) };
    if room < values.len() as CK_ULONG {
        return Err(CKR_BUFFER_TOO_SMALL.into());
    }
    check_pointer(list)?;
    // SAFETY: not NULL, aligned, and valid for `room` values, which are enough.
    unsafe { list.copy_from_nonoverlapping(values.as_ptr(), values.len()) };
    Ok(())
}
