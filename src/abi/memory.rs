//! Pointers from C become slices and values here, and answers go back through here.

use std::marker::PhantomData;
use std::slice;

use pkcs11_sys::*;

use super::parameter;
use crate::error::{Error, Result};
use crate::mechanism::Mechanism;
use crate::mechanism::parameter::Parameter;
use crate::object::template::{Attribute, Template};
use crate::reply::{Reply, Room};

/// The caller's `count` values at `pointer`; NULL with a count of 0 is an empty slice.
///
/// # Safety
///
/// `pointer` is NULL or valid for reading `count` values for `'a`.
pub(super) unsafe fn input<'a, T>(pointer: *const T, count: CK_ULONG) -> Result<&'a [T]> {
    let count = check_buffer(pointer, count)?;
    if count == 0 {
        return Ok(&[]);
    }
    // SAFETY: not NULL, aligned, of a size that fits `isize` (just checked), and valid for `count`
    // values by this function's contract.
    Ok(unsafe { slice::from_raw_parts(pointer, count) })
}

/// Refuses a pointer and a count that cannot be a buffer, before any work is done for it.
pub(super) fn check_buffer<T>(pointer: *const T, count: CK_ULONG) -> Result<usize> {
    let fits = |count: &usize| {
        count
            .checked_mul(size_of::<T>())
            .is_some_and(|bytes| isize::try_from(bytes).is_ok())
    };
    let count = usize::try_from(count)
        .ok()
        .filter(fits)
        .ok_or_else(|| Error::new(CKR_ARGUMENTS_BAD, "a length that no buffer can have"))?;
    if count > 0 {
        check_pointer(pointer)?;
    }
    Ok(count)
}

/// Refuses a parameter of a single message: no mechanism here has one.
pub(super) fn check_no_parameter(len: CK_ULONG) -> Result<()> {
    if len == 0 {
        return Ok(());
    }
    Err(Error::new(
        CKR_MECHANISM_PARAM_INVALID,
        "the mechanism has no parameter for single messages",
    ))
}

/// Writes an answer of fixed size.
///
/// # Safety
///
/// `pointer` is NULL or valid for writing a `T`.
pub(super) unsafe fn write<T>(pointer: *mut T, value: T) -> Result<()> {
    check_pointer(pointer)?;
    // SAFETY: not NULL, aligned, valid for writing by this function's contract.
    unsafe { pointer.write(value) };
    Ok(())
}

/// Refuses a pointer that cannot be to a value, before any work is done for it.
pub(super) fn check_pointer<T>(pointer: *const T) -> Result<()> {
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(Error::new(CKR_ARGUMENTS_BAD, "a NULL or unaligned pointer"));
    }
    Ok(())
}

/// An output buffer of the caller with its length field: the length-query convention of PKCS#11
/// 5.2.
pub(super) struct Output<'a> {
    buffer: CK_BYTE_PTR,
    len: CK_ULONG_PTR,
    room: Room,
    _caller: PhantomData<&'a mut [u8]>,
}

impl Output<'_> {
    /// # Safety
    ///
    /// `len` is NULL or valid for reading and writing; `buffer` is NULL or valid for writing `*len`
    /// bytes.
    pub(super) unsafe fn new(buffer: CK_BYTE_PTR, len: CK_ULONG_PTR) -> Result<Self> {
        check_pointer(len)?;
        let room = if buffer.is_null() {
            // The length may be uninitialised here: a query only writes it.
            Room::Query
        } else {
            // SAFETY: just checked, and valid by this function's contract.
            let capacity = unsafe { len.read() };
            Room::Bytes(usize::try_from(capacity).unwrap_or(usize::MAX))
        };
        Ok(Self {
            buffer,
            len,
            room,
            _caller: PhantomData,
        })
    }

    /// Asks for the answer that suits the room and hands it over: the one place where a caller's
    /// output buffer is written.
    pub(super) fn fill(self, answer: impl FnOnce(Room) -> Result<Reply>) -> Result<()> {
        let reply = answer(self.room)?;
        let needed = reply.len();
        // SAFETY: `len` was checked at construction.
        unsafe { self.len.write(needed as CK_ULONG) };
        match (&reply, self.room) {
            (Reply::Length(_), Room::Query) => Ok(()),
            (Reply::Bytes(bytes), Room::Bytes(capacity)) if bytes.len() <= capacity => {
                // SAFETY: `buffer` is not NULL (the room is not a query) and valid for `capacity`
                // bytes; `bytes` is the module's own memory, so the two do not overlap.
                unsafe {
                    self.buffer
                        .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                }
                Ok(())
            }
            _ => Err(Error::from(CKR_BUFFER_TOO_SMALL)),
        }
    }
}

/// The input and the output buffer of a call that turns one into the other. They may be the same
/// memory: nothing is written before the whole answer is there, and the input is not read after it.
///
/// # Safety
///
/// As of [`input`] and [`Output::new`].
pub(super) unsafe fn input_output<'a>(
    data: CK_BYTE_PTR,
    data_len: CK_ULONG,
    buffer: CK_BYTE_PTR,
    len: CK_ULONG_PTR,
) -> Result<(&'a [u8], Output<'a>)> {
    // SAFETY: by this function's contract.
    unsafe {
        Ok((
            input(data.cast_const(), data_len)?,
            Output::new(buffer, len)?,
        ))
    }
}

/// The caller's template.
///
/// # Safety
///
/// `attributes` is NULL or valid for reading `count` attributes whose values are NULL or valid for
/// reading their length, for `'a`.
pub(super) unsafe fn template<'a>(
    attributes: CK_ATTRIBUTE_PTR,
    count: CK_ULONG,
) -> Result<Template<'a>> {
    // SAFETY: by this function's contract.
    let attributes = unsafe { input(attributes.cast_const(), count)? };
    attributes
        .iter()
        .map(|attribute| {
            // SAFETY: by this function's contract.
            let value = unsafe {
                input(
                    attribute.pValue.cast::<u8>().cast_const(),
                    attribute.ulValueLen,
                )
            }
            .map_err(|_| {
                Error::new(
                    CKR_ATTRIBUTE_VALUE_INVALID,
                    format!("attribute {:#x} has a length but no value", attribute.type_),
                )
            })?;
            Ok(Attribute {
                type_: attribute.type_,
                value,
            })
        })
        .collect::<Result<Vec<_>>>()
        .map(Template::new)
}

/// The caller's mechanism, `None` for NULL.
///
/// # Safety
///
/// `mechanism` is NULL or valid for reading, and so are its parameter and what that points to, for `'a`.
pub(super) unsafe fn mechanism<'a>(mechanism: CK_MECHANISM_PTR) -> Result<Option<Mechanism<'a>>> {
    if mechanism.is_null() {
        return Ok(None);
    }
    check_pointer(mechanism)?;
    // SAFETY: not NULL, aligned, valid by this function's contract.
    let mechanism = unsafe { &*mechanism };
    // SAFETY: by this function's contract.
    Ok(Some(unsafe { parameter::mechanism(mechanism) }))
}

/// The caller's mechanism without its parameter, `None` for NULL: that of a process for many messages comes
/// with every message.
///
/// # Safety
///
/// `mechanism` is NULL or valid for reading.
pub(super) unsafe fn bare_mechanism(
    mechanism: CK_MECHANISM_PTR,
) -> Result<Option<Mechanism<'static>>> {
    if mechanism.is_null() {
        return Ok(None);
    }
    check_pointer(mechanism)?;
    // SAFETY: not NULL, aligned, valid by this function's contract.
    let type_ = unsafe { (*mechanism).mechanism };
    Ok(Some(Mechanism {
        type_,
        parameter: Parameter::None,
    }))
}
