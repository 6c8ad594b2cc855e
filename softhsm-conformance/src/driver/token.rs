//! General-purpose functions, slots, tokens and sessions.

use std::ffi::c_void;
use std::ptr;

use cryptoki_sys::*;

use crate::arguments::{Input, Locking, Output, Place};
use crate::ctx::Ctx;
use crate::driver::raw::{Room, mutex};
use crate::guarded::Guarded;
use crate::transcript::{ABSENT, Detail};

/// General-purpose functions, slots and tokens.
impl Ctx {
    pub(crate) fn initialize(&mut self, arguments: Locking) -> CK_RV {
        let mut reserved = *b"not a reserved value\0";
        let mut raw = CK_C_INITIALIZE_ARGS {
            CreateMutex: (arguments.callbacks > 0).then_some(mutex::create),
            DestroyMutex: (arguments.callbacks > 1).then_some(mutex::destroy),
            LockMutex: (arguments.callbacks > 2).then_some(mutex::lock),
            UnlockMutex: (arguments.callbacks > 3).then_some(mutex::unlock),
            flags: arguments.flags,
            pReserved: match arguments.reserved {
                Place::Given => reserved.as_mut_ptr().cast(),
                Place::Null => ptr::null_mut(),
            },
        };
        let rv = call!(self, C_Initialize, (&raw mut raw).cast::<c_void>());
        self.record("C_Initialize", rv, Vec::new())
    }

    pub(crate) fn initialize_without_arguments(&mut self) -> CK_RV {
        let rv = call!(self, C_Initialize, ptr::null_mut());
        self.record("C_Initialize", rv, Vec::new())
    }

    pub(crate) fn finalize(&mut self, reserved: Place) -> CK_RV {
        let mut byte = 0_u8;
        let pointer = match reserved {
            Place::Given => (&raw mut byte).cast::<c_void>(),
            Place::Null => ptr::null_mut(),
        };
        let rv = call!(self, C_Finalize, pointer);
        self.record("C_Finalize", rv, Vec::new())
    }

    pub(crate) fn get_function_list(&mut self, place: Place) -> CK_RV {
        let mut list = ptr::null_mut();
        let pointer = match place {
            Place::Given => &raw mut list,
            Place::Null => ptr::null_mut(),
        };
        let rv = call!(self, C_GetFunctionList, pointer);
        // SAFETY: NULL or the module's constant list, as in `Module::load`.
        let version = unsafe { list.as_ref() }.map(|list| (list.version.major, list.version.minor));
        let details = version.map(|it| Detail::compared("version", format!("{it:?}")));
        self.record("C_GetFunctionList", rv, details.into_iter().collect())
    }

    pub(crate) fn get_slot_list(&mut self, with_token: bool, output: Output) -> Vec<CK_SLOT_ID> {
        let mut room = Room::new(output);
        let (pointer, count) = room.pointers();
        let rv = call!(
            self,
            C_GetSlotList,
            CK_BBOOL::from(with_token),
            pointer,
            count
        );
        self.list("C_GetSlotList", rv, &room, Detail::compared)
    }

    pub(crate) fn get_mechanism_list(
        &mut self,
        slot: CK_SLOT_ID,
        output: Output,
    ) -> Vec<CK_MECHANISM_TYPE> {
        let mut room = Room::new(output);
        let (pointer, count) = room.pointers();
        let rv = call!(self, C_GetMechanismList, slot, pointer, count);
        self.list("C_GetMechanismList", rv, &room, Detail::aside)
    }

    pub(crate) fn wait_for_slot_event(
        &mut self,
        flags: CK_FLAGS,
        slot: Place,
        reserved: Place,
    ) -> CK_RV {
        let mut memory = Guarded::<CK_SLOT_ID>::new(1);
        let mut byte = 0_u8;
        let reserved = match reserved {
            Place::Given => (&raw mut byte).cast::<c_void>(),
            Place::Null => ptr::null_mut(),
        };
        let rv = call!(
            self,
            C_WaitForSlotEvent,
            flags,
            memory.pointer_if(slot),
            reserved
        );
        self.watch(&memory);
        self.record("C_WaitForSlotEvent", rv, Vec::new())
    }

    pub(crate) fn init_token<'a>(
        &mut self,
        slot: CK_SLOT_ID,
        pin: impl Into<Input<'a>>,
        label: &[u8; 32],
    ) -> CK_RV {
        let (pin, length) = pin.into().parts();
        let mut label = *label;
        let rv = call!(self, C_InitToken, slot, pin, length, label.as_mut_ptr());
        self.record("C_InitToken", rv, Vec::new())
    }

    pub(crate) fn init_pin<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        pin: impl Into<Input<'a>>,
    ) -> CK_RV {
        let (pin, length) = pin.into().parts();
        let rv = call!(self, C_InitPIN, session, pin, length);
        self.record("C_InitPIN", rv, Vec::new())
    }

    pub(crate) fn set_pin<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        old: impl Into<Input<'a>>,
        new: impl Into<Input<'a>>,
    ) -> CK_RV {
        let ((old, old_length), (new, new_length)) = (old.into().parts(), new.into().parts());
        let rv = call!(self, C_SetPIN, session, old, old_length, new, new_length);
        self.record("C_SetPIN", rv, Vec::new())
    }
}

/// Sessions.
impl Ctx {
    pub(crate) fn open_session(
        &mut self,
        slot: CK_SLOT_ID,
        flags: CK_FLAGS,
        place: Place,
    ) -> CK_SESSION_HANDLE {
        let mut handle = Guarded::new(1);
        let rv = call!(
            self,
            C_OpenSession,
            slot,
            flags,
            ptr::null_mut(),
            None,
            handle.pointer_if(place)
        );
        self.handle("C_OpenSession", rv, &handle)
    }

    pub(crate) fn login<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        user: CK_USER_TYPE,
        pin: impl Into<Input<'a>>,
    ) -> CK_RV {
        let (pin, length) = pin.into().parts();
        let rv = call!(self, C_Login, session, user, pin, length);
        self.record("C_Login", rv, Vec::new())
    }

    pub(crate) fn set_operation_state<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        state: impl Into<Input<'a>>,
    ) -> CK_RV {
        let (state, length) = state.into().parts();
        let rv = call!(self, C_SetOperationState, session, state, length, 0, 0);
        self.record("C_SetOperationState", rv, Vec::new())
    }
}
