//! The open sessions of the application.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use pkcs11_sys::*;

use super::Session;
use crate::error::{Error, Result};
use crate::token::{SessionCounts, Token};

/// Sessions by handle. Handles are never used twice.
#[derive(Default)]
pub(crate) struct SessionTable {
    last: AtomicU64,
    open: RwLock<HashMap<CK_SESSION_HANDLE, Arc<Session>>>,
}

impl SessionTable {
    /// Opens a session: local, and without a limit on their number.
    pub(crate) fn open(&self, token: &Arc<Token>, flags: CK_FLAGS) -> Result<CK_SESSION_HANDLE> {
        if flags & CKF_SERIAL_SESSION == 0 {
            return Err(Error::new(
                CKR_SESSION_PARALLEL_NOT_SUPPORTED,
                "CKF_SERIAL_SESSION must be set",
            ));
        }
        let session = Arc::new(Session::new(Arc::clone(token), flags & CKF_RW_SESSION != 0));
        let handle = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.open.write().insert(handle, session);
        Ok(handle)
    }

    /// Closes a session; the last one of a token ends its login.
    pub(crate) fn close(&self, handle: CK_SESSION_HANDLE) -> Result<()> {
        let mut open = self.open.write();
        let session = open.remove(&handle).ok_or(CKR_SESSION_HANDLE_INVALID)?;
        let slot = session.token().slot();
        if !open.values().any(|other| other.token().slot() == slot) {
            session.token().login().end();
        }
        Ok(())
    }

    pub(crate) fn close_all(&self, token: &Token) {
        self.open
            .write()
            .retain(|_, session| session.token().slot() != token.slot());
        token.login().end();
    }

    pub(crate) fn get(&self, handle: CK_SESSION_HANDLE) -> Result<Arc<Session>> {
        self.open
            .read()
            .get(&handle)
            .cloned()
            .ok_or_else(|| CKR_SESSION_HANDLE_INVALID.into())
    }

    pub(crate) fn counts(&self, slot: CK_SLOT_ID) -> SessionCounts {
        let open = self.open.read();
        let of_slot = open
            .values()
            .filter(|session| session.token().slot() == slot);
        of_slot.fold(SessionCounts::default(), |counts, session| SessionCounts {
            all: counts.all + 1,
            read_write: counts.read_write + usize::from(session.read_write),
        })
    }
}
