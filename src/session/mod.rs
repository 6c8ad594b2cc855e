//! Sessions and the operations that run in them.

mod cancel;
mod certificates;
mod cipher;
mod decrypt;
mod derive;
mod digest;
mod dual;
mod encapsulate;
mod encrypt;
mod find;
mod keyed;
mod message;
mod message_cipher;
mod messages;
mod objects;
mod sign;
mod slot;
mod state;
mod symmetric;
mod table;
mod verify;
mod verify_signature;
mod wrap;

use std::sync::Arc;

use parking_lot::Mutex;
use pkcs11_sys::*;

pub(crate) use table::SessionTable;

use crate::error::{Error, Result};
use crate::kms::Phase;
use crate::mechanism::{self, Mechanism, Use};
use crate::object::Object;
use crate::token::Token;
use message_cipher::CipherMessages;
use messages::Messages;
use slot::Slot;

/// One session: its token, its kind, and one slot for each kind of operation, so that none blocks
/// another.
pub(crate) struct Session {
    handle: CK_SESSION_HANDLE,
    token: Arc<Token>,
    read_write: bool,
    closed: Mutex<bool>,
    find: Slot<find::Find>,
    sign: Slot<sign::Sign>,
    verify: Slot<verify::Verify>,
    encrypt: Slot<encrypt::Encrypt>,
    decrypt: Slot<decrypt::Decrypt>,
    digest: Slot<digest::Digest>,
    verify_signature: Slot<verify_signature::VerifySignature>,
    message_sign: Slot<Messages>,
    message_verify: Slot<Messages>,
    message_encrypt: Slot<CipherMessages>,
    message_decrypt: Slot<CipherMessages>,
}

/// The kinds of operations with termination rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sign,
    Verify,
    Encrypt,
    Decrypt,
    Digest,
    VerifySignature,
    /// The message under way of a process for many.
    SignMessage,
    VerifyMessage,
    EncryptMessage,
    DecryptMessage,
}

impl Session {
    fn new(handle: CK_SESSION_HANDLE, token: Arc<Token>, read_write: bool) -> Self {
        Self {
            handle,
            token,
            read_write,
            closed: Mutex::default(),
            find: Slot::default(),
            sign: Slot::default(),
            verify: Slot::default(),
            encrypt: Slot::default(),
            decrypt: Slot::default(),
            digest: Slot::default(),
            verify_signature: Slot::default(),
            message_sign: Slot::default(),
            message_verify: Slot::default(),
            message_encrypt: Slot::default(),
            message_decrypt: Slot::default(),
        }
    }

    pub(crate) fn token(&self) -> &Arc<Token> {
        &self.token
    }

    /// Refuses what changes the token in a read-only session.
    pub(crate) fn check_read_write(&self) -> Result<()> {
        if self.read_write {
            return Ok(());
        }
        Err(Error::new(
            CKR_SESSION_READ_ONLY,
            "open the session with CKF_RW_SESSION to change the token",
        ))
    }

    /// Ends an operation that was called with arguments nobody can work with: a failed call leaves
    /// nothing active (PKCS#11 5.8 to 5.15).
    pub(crate) fn abandon(&self, kind: Kind) {
        match kind {
            Kind::Sign => self.sign.abandon(),
            Kind::Verify => self.verify.abandon(),
            Kind::Encrypt => self.encrypt.abandon(),
            Kind::Decrypt => self.decrypt.abandon(),
            Kind::Digest => self.digest.abandon(),
            Kind::VerifySignature => self.verify_signature.abandon(),
            Kind::SignMessage => self.message_sign.touch(Messages::abandon_message),
            Kind::VerifyMessage => self.message_verify.touch(Messages::abandon_message),
            Kind::EncryptMessage => self.message_encrypt.touch(CipherMessages::abandon_message),
            Kind::DecryptMessage => self.message_decrypt.touch(CipherMessages::abandon_message),
        }
    }

    /// The answer of C_GetSessionInfo.
    pub(crate) fn info(&self) -> CK_SESSION_INFO {
        let state = match (self.read_write, self.token.is_logged_in()) {
            (false, false) => CKS_RO_PUBLIC_SESSION,
            (false, true) => CKS_RO_USER_FUNCTIONS,
            (true, false) => CKS_RW_PUBLIC_SESSION,
            (true, true) => CKS_RW_USER_FUNCTIONS,
        };
        let read_write = if self.read_write { CKF_RW_SESSION } else { 0 };
        CK_SESSION_INFO {
            slotID: self.token.slot(),
            state,
            flags: CKF_SERIAL_SESSION | read_write,
            ulDeviceError: 0,
        }
    }

    /// The key that a function names, one that its mechanism can be used with.
    fn key(&self, handle: CK_OBJECT_HANDLE, mechanism: Mechanism<'_>, use_: Use) -> Result<Object> {
        let object = self
            .token
            .object(handle, use_.phase())
            .map_err(|error| match error.rv() {
                CKR_OBJECT_HANDLE_INVALID => use_.bad_handle("the handle is no object's"),
                _ => error,
            })?;
        mechanism::check(mechanism, use_, &object)?;
        Ok(object)
    }

    /// The object behind the handle of a key, whatever its class.
    fn key_object(&self, handle: CK_OBJECT_HANDLE, phase: Phase) -> Result<Object> {
        self.token
            .object(handle, phase)
            .map_err(|error| match error.rv() {
                CKR_OBJECT_HANDLE_INVALID => Error::from(CKR_KEY_HANDLE_INVALID),
                _ => error,
            })
    }
}
