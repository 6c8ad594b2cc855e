//! The open sessions of the application.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use pkcs11_sys::*;

use super::Session;
use crate::error::{Error, Result};
use crate::handle;
use crate::token::{SessionCounts, Token};

/// Sessions by handle.
#[derive(Default)]
pub(crate) struct SessionTable {
    open: RwLock<Open>,
}

#[derive(Default)]
struct Open {
    sessions: HashMap<CK_SESSION_HANDLE, Arc<Session>>,
    /// Kept beside the sessions, since the last one of a token has to be known when it closes.
    counts: HashMap<CK_SLOT_ID, SessionCounts>,
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
        let read_write = flags & CKF_RW_SESSION != 0;
        let handle = handle::next();
        let session = Arc::new(Session::new(handle, Arc::clone(token), read_write));
        let mut open = self.open.write();
        open.sessions.insert(handle, session);
        let counts = open.counts.entry(token.slot()).or_default();
        counts.all += 1;
        counts.read_write += usize::from(read_write);
        Ok(handle)
    }

    /// Closes a session; the last one of a token ends its login.
    pub(crate) fn close(&self, handle: CK_SESSION_HANDLE) -> Result<()> {
        let mut open = self.open.write();
        let session = open
            .sessions
            .remove(&handle)
            .ok_or(CKR_SESSION_HANDLE_INVALID)?;
        session.end();
        let counts = open.counts.entry(session.token().slot()).or_default();
        counts.all -= 1;
        counts.read_write -= usize::from(session.read_write);
        if counts.all == 0 {
            session.token().end_login();
        }
        Ok(())
    }

    pub(crate) fn close_all(&self, token: &Token) {
        let mut open = self.open.write();
        let ended = open
            .sessions
            .extract_if(|_, session| session.token().slot() == token.slot());
        ended.for_each(|(_, session)| session.end());
        open.counts.remove(&token.slot());
        token.end_login();
    }

    pub(crate) fn get(&self, handle: CK_SESSION_HANDLE) -> Result<Arc<Session>> {
        self.open
            .read()
            .sessions
            .get(&handle)
            .cloned()
            .ok_or_else(|| CKR_SESSION_HANDLE_INVALID.into())
    }

    pub(crate) fn counts(&self, slot: CK_SLOT_ID) -> SessionCounts {
        self.open
            .read()
            .counts
            .get(&slot)
            .copied()
            .unwrap_or_default()
    }
}
