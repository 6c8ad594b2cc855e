//! How late this machine lets threads go on that wait for a time.
//!
//! One thread sleeps again and again and measures by how much it oversleeps. What a call is late beyond that is the
//! module's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

const TICK: Duration = Duration::from_millis(5);

pub(crate) struct Canary {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    is_over: AtomicBool,
    slept: Mutex<Slept>,
}

struct Slept {
    /// Since when it sleeps.
    since: Instant,
    /// By how much it overslept, in all.
    late: Duration,
}

impl Slept {
    fn late(&self, now: Instant) -> Duration {
        let late = now.saturating_duration_since(self.since);
        self.late + late.saturating_sub(TICK)
    }
}

impl Canary {
    pub(crate) fn start() -> Self {
        let slept = Slept {
            since: Instant::now(),
            late: Duration::ZERO,
        };
        let shared = Arc::new(Shared {
            is_over: AtomicBool::new(false),
            slept: Mutex::new(slept),
        });
        let own = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            while !own.is_over.load(Ordering::Relaxed) {
                own.slept.lock().since = Instant::now();
                thread::sleep(TICK);
                let mut slept = own.slept.lock();
                let now = Instant::now();
                slept.late = slept.late(now);
                slept.since = now;
            }
        });
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// By how much it has overslept since it was started.
    pub(crate) fn late(&self) -> Duration {
        self.shared.slept.lock().late(Instant::now())
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
