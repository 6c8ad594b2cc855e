//! Whether clients can connect: a closed door refuses connections and has ended those that there were.

use std::future::Future;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct Door {
    is_open: watch::Sender<bool>,
    behind: Mutex<Behind>,
    changed: Condvar,
}

/// What there is for clients.
#[derive(Debug, Default)]
struct Behind {
    listens: bool,
    connections: usize,
}

/// A connection that is there until this is dropped.
#[derive(Debug)]
pub(crate) struct Connected(Arc<Door>);

impl Default for Door {
    fn default() -> Self {
        Self {
            is_open: watch::Sender::new(true),
            behind: Mutex::default(),
            changed: Condvar::new(),
        }
    }
}

impl Door {
    /// Opens or closes it, and waits until that is so.
    pub(crate) fn set_open(&self, open: bool) {
        self.is_open.send_replace(open);
        let mut behind = self.behind.lock();
        self.changed.wait_while(&mut behind, |behind| {
            behind.listens != open || (!open && behind.connections > 0)
        });
    }

    /// Says whether the port is listened at.
    pub(crate) fn set_listens(&self, listens: bool) {
        self.behind.lock().listens = listens;
        self.changed.notify_all();
    }

    pub(crate) fn connected(self: &Arc<Self>) -> Connected {
        self.behind.lock().connections += 1;
        Connected(Arc::clone(self))
    }

    /// Waits until it is to be open or closed.
    pub(crate) fn until(&self, open: bool) -> impl Future<Output = ()> + Send + 'static {
        let mut is_open = self.is_open.subscribe();
        async move {
            // It fails when the service is gone, and nobody waits for it any more.
            let _ = is_open.wait_for(|now| *now == open).await;
        }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.behind.lock().connections -= 1;
        self.0.changed.notify_all();
    }
}
