//! Arguments in the form in which C wants them, alive as long as the call.

use std::marker::PhantomData;
use std::ptr;

use cryptoki_sys::*;

use crate::arguments::{Attribute, Input, Output, Template};
use crate::ctx::Ctx;
use crate::guarded::{Cell, Guarded};
use crate::transcript::Detail;

/// What a function that answers bytes answered; no bytes unless it succeeded.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) rv: CK_RV,
    pub(crate) bytes: Vec<u8>,
}

/// A buffer and its length, as a function that answers an array wants them.
pub(super) struct Room<T: Cell> {
    output: Output,
    pub(super) memory: Guarded<T>,
    length: Guarded<CK_ULONG>,
}

impl<T: Cell> Room<T> {
    pub(super) fn new(output: Output) -> Self {
        let cells = usize::try_from(output.room()).unwrap_or(0);
        let mut length = Guarded::new(1);
        length.set(output.room());
        Self {
            output,
            memory: Guarded::new(cells),
            length,
        }
    }

    pub(super) fn pointers(&mut self) -> (*mut T, *mut CK_ULONG) {
        let buffer = match self.output {
            Output::Query => ptr::null_mut(),
            Output::Room(_) | Output::NoLength => self.memory.pointer(),
        };
        let length = match self.output {
            Output::NoLength => ptr::null_mut(),
            Output::Query | Output::Room(_) => self.length.pointer(),
        };
        (buffer, length)
    }

    /// The length that the function answered.
    pub(super) fn length(&self) -> CK_ULONG {
        self.length.written(1)[0]
    }

    /// What the function wrote: nothing when it was asked for the length.
    pub(super) fn written(&self) -> &[T] {
        match self.output {
            Output::Room(_) => self.memory.written(self.length()),
            Output::Query | Output::NoLength => &[],
        }
    }
}

impl Ctx {
    /// Records a function that answers bytes.
    pub(super) fn answer(
        &mut self,
        function: &str,
        rv: CK_RV,
        room: &Room<u8>,
        describe: fn(CK_ULONG, &[u8]) -> Detail,
    ) -> Answer {
        self.watch_room(function, rv, room);
        let details = match rv {
            CKR_OK => vec![describe(room.length(), room.written())],
            CKR_BUFFER_TOO_SMALL => vec![Detail::compared("needed", room.length().to_string())],
            _ => Vec::new(),
        };
        self.record(function, rv, details);
        let bytes = if rv == CKR_OK {
            room.written().to_vec()
        } else {
            Vec::new()
        };
        Answer { rv, bytes }
    }

    /// Records a function that answers a list of numbers, of which only the count may be compared.
    pub(super) fn list(
        &mut self,
        function: &str,
        rv: CK_RV,
        room: &Room<CK_ULONG>,
        count: fn(&str, String) -> Detail,
    ) -> Vec<CK_ULONG> {
        self.watch_room(function, rv, room);
        let details = match rv {
            CKR_OK | CKR_BUFFER_TOO_SMALL => vec![count("count", room.length().to_string())],
            _ => Vec::new(),
        };
        self.record(function, rv, details);
        if rv == CKR_OK {
            room.written().to_vec()
        } else {
            Vec::new()
        }
    }

    /// Records a function that answers a handle: 0 unless it succeeded.
    pub(super) fn handle(
        &mut self,
        function: &str,
        rv: CK_RV,
        handle: &Guarded<CK_ULONG>,
    ) -> CK_ULONG {
        self.watch(handle);
        self.record(function, rv, Vec::new());
        if rv == CKR_OK {
            handle.written(1)[0]
        } else {
            CK_INVALID_HANDLE
        }
    }

    /// Notes a write outside of the memory that a function was given.
    pub(super) fn watch<T: Cell>(&mut self, memory: &Guarded<T>) {
        if !memory.intact() {
            self.fail("wrote outside of the memory it was given");
        }
    }

    pub(super) fn watch_room<T: Cell>(&mut self, function: &str, rv: CK_RV, room: &Room<T>) {
        self.watch(&room.memory);
        self.watch(&room.length);
        let (Output::Room(_), length, given) = (room.output, room.length(), room.output.room())
        else {
            return;
        };
        if rv == CKR_OK && length > given {
            self.fail(&format!(
                "{function} claims to have written {length}, with room for {given}"
            ));
        }
        if rv == CKR_BUFFER_TOO_SMALL && length <= given {
            self.fail(&format!(
                "{function} finds room for {given} too small, but needs {length}"
            ));
        }
    }
}

impl Input<'_> {
    /// The pointer and the length. C takes input as pointers to mutable bytes and leaves them alone.
    pub(super) fn parts(self) -> (*mut u8, CK_ULONG) {
        match self {
            Self::Bytes(bytes) => (bytes.as_ptr().cast_mut(), bytes.len() as CK_ULONG),
            Self::Null(length) => (ptr::null_mut(), length),
        }
    }
}

/// An array of `CK_ATTRIBUTE`, or NULL.
pub(super) struct RawTemplate<'a> {
    attributes: Option<Vec<CK_ATTRIBUTE>>,
    count: CK_ULONG,
    /// The values that the attributes point to.
    _values: PhantomData<Template<'a>>,
}

impl<'a> RawTemplate<'a> {
    pub(super) fn new(template: Template<'a>) -> Self {
        let (attributes, count) = match template {
            Template::Null(count) => (None, count),
            Template::Of(attributes) => {
                let raw = attributes.iter().map(raw_attribute).collect();
                (Some(raw), attributes.len() as CK_ULONG)
            }
        };
        Self {
            attributes,
            count,
            _values: PhantomData,
        }
    }

    pub(super) fn parts(&mut self) -> (*mut CK_ATTRIBUTE, CK_ULONG) {
        let pointer = self
            .attributes
            .as_mut()
            .map_or(ptr::null_mut(), Vec::as_mut_ptr);
        (pointer, self.count)
    }
}

fn raw_attribute(attribute: &Attribute) -> CK_ATTRIBUTE {
    let (value, length) = attribute.value().parts();
    CK_ATTRIBUTE {
        type_: attribute.kind,
        pValue: value.cast(),
        ulValueLen: length,
    }
}

/// A mutex for modules that are handed callbacks.
pub(super) mod mutex {
    use std::ffi::c_void;
    use std::sync::atomic::{AtomicBool, Ordering};

    use cryptoki_sys::*;

    pub(in crate::driver) unsafe extern "C" fn create(mutex: *mut *mut c_void) -> CK_RV {
        let new = Box::into_raw(Box::new(AtomicBool::new(false)));
        // SAFETY: the module hands a pointer to its own variable for the new mutex.
        unsafe { mutex.write(new.cast()) };
        CKR_OK
    }

    pub(in crate::driver) unsafe extern "C" fn destroy(mutex: *mut c_void) -> CK_RV {
        // SAFETY: `mutex` came from `create` and is destroyed once.
        drop(unsafe { Box::from_raw(mutex.cast::<AtomicBool>()) });
        CKR_OK
    }

    pub(in crate::driver) unsafe extern "C" fn lock(mutex: *mut c_void) -> CK_RV {
        // SAFETY: `mutex` came from `create` and is not destroyed while it is used.
        let locked = unsafe { &*mutex.cast::<AtomicBool>() };
        while locked.swap(true, Ordering::Acquire) {
            std::thread::yield_now();
        }
        CKR_OK
    }

    pub(in crate::driver) unsafe extern "C" fn unlock(mutex: *mut c_void) -> CK_RV {
        // SAFETY: as in `lock`.
        unsafe { &*mutex.cast::<AtomicBool>() }.store(false, Ordering::Release);
        CKR_OK
    }
}
