//! Message-based signatures, which came with version 3.0. The mechanisms used have no parameter for a message.

use std::ptr;

use cryptoki_sys::*;

use crate::arguments::{Input, Mechanism, Output};
use crate::ctx::Ctx;
use crate::describe;
use crate::driver::mechanism::RawMechanism;
use crate::driver::raw::{Answer, Room};
use crate::transcript::ABSENT;

/// Functions that start many messages under one key.
macro_rules! inits {
    ($($method:ident = $function:ident;)*) => {
        impl Ctx {$(
            pub(crate) fn $method(
                &mut self,
                session: CK_SESSION_HANDLE,
                mechanism: impl Into<Option<Mechanism>>,
                key: CK_OBJECT_HANDLE,
            ) -> CK_RV {
                let mut mechanism = RawMechanism::new(mechanism.into());
                let rv = call_newest!(self, $function, session, mechanism.pointer(), key);
                self.record(stringify!($function), rv, Vec::new())
            }
        )*}
    };
}

inits! {
    raw_message_sign_init = C_MessageSignInit;
    message_verify_init = C_MessageVerifyInit;
}

/// Functions whose only argument is the session, but for the parameter of a message.
macro_rules! sessions {
    ($($method:ident = $function:ident($($argument:expr),*);)*) => {
        impl Ctx {$(
            pub(crate) fn $method(&mut self, session: CK_SESSION_HANDLE) -> CK_RV {
                let rv = call_newest!(self, $function, session $(, $argument)*);
                self.record(stringify!($function), rv, Vec::new())
            }
        )*}
    };
}

sessions! {
    sign_message_begin = C_SignMessageBegin(ptr::null_mut(), 0);
    message_sign_final = C_MessageSignFinal();
    verify_message_begin = C_VerifyMessageBegin(ptr::null_mut(), 0);
    message_verify_final = C_MessageVerifyFinal();
}

/// Functions that take data and answer a signature.
macro_rules! signatures {
    ($($method:ident = $function:ident;)*) => {
        impl Ctx {$(
            pub(crate) fn $method<'a>(
                &mut self,
                session: CK_SESSION_HANDLE,
                data: impl Into<Input<'a>>,
                output: Output,
            ) -> Answer {
                let (data, data_length) = data.into().parts();
                let mut room = Room::new(output);
                let (pointer, length) = room.pointers();
                let rv = call_newest!(
                    self, $function, session, ptr::null_mut(), 0, data, data_length, pointer, length,
                );
                self.answer(stringify!($function), rv, &room, describe::length)
            }
        )*}
    };
}

signatures! {
    raw_sign_message = C_SignMessage;
    raw_sign_message_last = C_SignMessageNext;
}

impl Ctx {
    /// `C_SignMessageNext` for a part that is not the last: it wants no signature.
    pub(crate) fn raw_sign_message_part<'a>(
        &mut self,
        session: CK_SESSION_HANDLE,
        part: impl Into<Input<'a>>,
    ) -> CK_RV {
        let (part, length) = part.into().parts();
        let rv = call_newest!(
            self,
            C_SignMessageNext,
            session,
            ptr::null_mut(),
            0,
            part,
            length,
            ptr::null_mut(),
            ptr::null_mut(),
        );
        self.record("C_SignMessageNext", rv, Vec::new())
    }
}

/// Functions that take data and its signature.
macro_rules! verifications {
    ($($method:ident = $function:ident;)*) => {
        impl Ctx {$(
            pub(crate) fn $method<'a, 'b>(
                &mut self,
                session: CK_SESSION_HANDLE,
                data: impl Into<Input<'a>>,
                signature: impl Into<Input<'b>>,
            ) -> CK_RV {
                let ((data, data_length), (signature, length)) =
                    (data.into().parts(), signature.into().parts());
                let rv = call_newest!(
                    self, $function, session, ptr::null_mut(), 0, data, data_length, signature, length,
                );
                self.record(stringify!($function), rv, Vec::new())
            }
        )*}
    };
}

verifications! {
    verify_message = C_VerifyMessage;
    verify_message_next = C_VerifyMessageNext;
}
