//! What came with versions 3.0 and 3.2: interfaces, and the functions of the newest list.

use std::ptr;

use cryptoki_sys::*;

use crate::arguments::{Input, Mechanism, Output, Place, Template};
use crate::ctx::Ctx;
use crate::describe;
use crate::driver::mechanism::RawMechanism;
use crate::driver::raw::{Answer, RawTemplate, Room};
use crate::driver::{GetInterface, GetInterfaceList};
use crate::guarded::{Cell, Guarded};
use crate::transcript::{ABSENT, Detail};

impl Cell for CK_INTERFACE {
    const CANARY: Self = CK_INTERFACE {
        pInterfaceName: ptr::null_mut(),
        pFunctionList: ptr::null_mut(),
        flags: CK_FLAGS::CANARY,
    };

    fn is_canary(&self) -> bool {
        self.pInterfaceName.is_null() && self.pFunctionList.is_null() && self.flags.is_canary()
    }
}

/// Interfaces.
impl Ctx {
    /// Records the version of each interface.
    pub(crate) fn get_interface_list(&mut self, output: Output) -> CK_RV {
        // SAFETY: this is the function's type.
        let symbol = unsafe {
            self.module
                .symbol::<GetInterfaceList>(b"C_GetInterfaceList")
        };
        let Some(get) = symbol else {
            return self.record("C_GetInterfaceList", ABSENT, Vec::new());
        };
        let mut room = Room::<CK_INTERFACE>::new(output);
        let (pointer, count) = room.pointers();
        // SAFETY: as in `call`.
        let rv = unsafe { get(pointer, count) };
        self.watch_room("C_GetInterfaceList", rv, &room);
        let details = match rv {
            CKR_OK if room.written().is_empty() => {
                vec![Detail::aside("count", room.length().to_string())]
            }
            CKR_OK => room.written().iter().map(version).collect(),
            CKR_BUFFER_TOO_SMALL => vec![Detail::aside("needed", room.length().to_string())],
            _ => Vec::new(),
        };
        self.record("C_GetInterfaceList", rv, details)
    }

    /// Asks for an interface by its name, terminated by NUL, and by its version, each if given.
    pub(crate) fn get_interface(
        &mut self,
        name: Option<&[u8]>,
        wanted: Option<(u8, u8)>,
        flags: CK_FLAGS,
        place: Place,
    ) -> CK_RV {
        // SAFETY: this is the function's type.
        let symbol = unsafe { self.module.symbol::<GetInterface>(b"C_GetInterface") };
        let Some(get) = symbol else {
            return self.record("C_GetInterface", ABSENT, Vec::new());
        };
        let name = name.map_or(ptr::null_mut(), |name| name.as_ptr().cast_mut());
        let mut wanted = wanted.map(|(major, minor)| CK_VERSION { major, minor });
        let wanted = wanted.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        let mut interface = ptr::null_mut();
        let place = match place {
            Place::Given => &raw mut interface,
            Place::Null => ptr::null_mut(),
        };
        // SAFETY: as in `call`.
        let rv = unsafe { get(name, wanted, place, flags) };
        // SAFETY: NULL, or one of the module's interfaces, which are constant.
        let details = unsafe { interface.as_ref() }.map(version);
        self.record("C_GetInterface", rv, details.into_iter().collect())
    }
}

fn version(interface: &CK_INTERFACE) -> Detail {
    // SAFETY: every function list begins with its version, and is the module's constant.
    let version = unsafe { &*interface.pFunctionList.cast::<CK_VERSION>() };
    Detail::compared("version", format!("{}.{}", version.major, version.minor))
}

/// Sessions.
impl Ctx {
    pub(crate) fn login_user<'a, 'b>(
        &mut self,
        session: CK_SESSION_HANDLE,
        user: CK_USER_TYPE,
        pin: impl Into<Input<'a>>,
        name: impl Into<Input<'b>>,
    ) -> CK_RV {
        let ((pin, pin_length), (name, length)) = (pin.into().parts(), name.into().parts());
        let rv = call_newest!(
            self,
            C_LoginUser,
            session,
            user,
            pin,
            pin_length,
            name,
            length
        );
        self.record("C_LoginUser", rv, Vec::new())
    }

    pub(crate) fn session_cancel(&mut self, session: CK_SESSION_HANDLE, flags: CK_FLAGS) -> CK_RV {
        let rv = call_newest!(self, C_SessionCancel, session, flags);
        self.record("C_SessionCancel", rv, Vec::new())
    }

    pub(crate) fn get_session_validation_flags(
        &mut self,
        session: CK_SESSION_HANDLE,
        kind: CK_SESSION_VALIDATION_FLAGS_TYPE,
        place: Place,
    ) -> CK_RV {
        let mut flags = Guarded::<CK_FLAGS>::new(1);
        let rv = call_newest!(
            self,
            C_GetSessionValidationFlags,
            session,
            kind,
            flags.pointer_if(place)
        );
        self.watch(&flags);
        let value = flags.written(1)[0];
        let details = (rv == CKR_OK).then(|| Detail::compared("flags", format!("{value:#x}")));
        self.record(
            "C_GetSessionValidationFlags",
            rv,
            details.into_iter().collect(),
        )
    }
}

/// Signatures that are given before the data.
impl Ctx {
    pub(crate) fn verify_signature_init<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: impl Into<Option<Mechanism>>,
        key: CK_OBJECT_HANDLE,
        signature: impl Into<Input<'a>>,
    ) -> CK_RV {
        let mut mechanism = RawMechanism::new(mechanism.into());
        let (signature, length) = signature.into().parts();
        let rv = call_newest!(
            self,
            C_VerifySignatureInit,
            session,
            mechanism.pointer(),
            key,
            signature,
            length
        );
        self.record("C_VerifySignatureInit", rv, Vec::new())
    }

    pub(crate) fn verify_signature<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        data: impl Into<Input<'a>>,
    ) -> CK_RV {
        let (data, length) = data.into().parts();
        let rv = call_newest!(self, C_VerifySignature, session, data, length);
        self.record("C_VerifySignature", rv, Vec::new())
    }

    pub(crate) fn verify_signature_update<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        part: impl Into<Input<'a>>,
    ) -> CK_RV {
        let (part, length) = part.into().parts();
        let rv = call_newest!(self, C_VerifySignatureUpdate, session, part, length);
        self.record("C_VerifySignatureUpdate", rv, Vec::new())
    }

    pub(crate) fn verify_signature_final(&mut self, session: CK_SESSION_HANDLE) -> CK_RV {
        let rv = call_newest!(self, C_VerifySignatureFinal, session);
        self.record("C_VerifySignatureFinal", rv, Vec::new())
    }
}

/// Keys that are encapsulated.
impl Ctx {
    /// Answers the ciphertext and the handle of the key.
    pub(crate) fn encapsulate_key<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: impl Into<Option<Mechanism>>,
        public: CK_OBJECT_HANDLE,
        template: impl Into<Template<'a>>,
        output: Output,
    ) -> (Answer, CK_OBJECT_HANDLE) {
        let mut mechanism = RawMechanism::new(mechanism.into());
        let mut template = RawTemplate::new(template.into());
        let (attributes, count) = template.parts();
        let mut room = Room::new(output);
        let (pointer, length) = room.pointers();
        let mut handle = Guarded::<CK_OBJECT_HANDLE>::new(1);
        let rv = call_newest!(
            self,
            C_EncapsulateKey,
            session,
            mechanism.pointer(),
            public,
            attributes,
            count,
            pointer,
            length,
            handle.pointer()
        );
        self.watch(&handle);
        let answer = self.answer("C_EncapsulateKey", rv, &room, describe::length);
        let handle = if answer.bytes.is_empty() {
            CK_INVALID_HANDLE
        } else {
            handle.written(1)[0]
        };
        (answer, handle)
    }

    pub(crate) fn decapsulate_key<'a, 'b>(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: impl Into<Option<Mechanism>>,
        private: CK_OBJECT_HANDLE,
        template: impl Into<Template<'a>>,
        ciphertext: impl Into<Input<'b>>,
    ) -> CK_OBJECT_HANDLE {
        let mut mechanism = RawMechanism::new(mechanism.into());
        let mut template = RawTemplate::new(template.into());
        let (attributes, count) = template.parts();
        let (ciphertext, length) = ciphertext.into().parts();
        let mut handle = Guarded::new(1);
        let rv = call_newest!(
            self,
            C_DecapsulateKey,
            session,
            mechanism.pointer(),
            private,
            attributes,
            count,
            ciphertext,
            length,
            handle.pointer()
        );
        self.handle("C_DecapsulateKey", rv, &handle)
    }
}
