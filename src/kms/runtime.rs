//! The one asynchronous runtime of the process, and blocking calls into it.
//!
//! The SDK is asynchronous, PKCS#11 is not. A call spawns its work here and waits on a channel: it
//! never drives the work on the host's own thread, which may have a small stack or be inside a
//! runtime of the host's.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tracing::instrument::WithSubscriber;

/// One drives more requests than KMS admits of one account, over 10,000 per second. A second one costs
/// throughput: the two wake each other for every request (docs/performance.md).
const WORKERS: usize = 1;
const THREAD_NAME: &str = "kms-pkcs11";
/// Room for the SDK's deepest calls, TLS handshakes included, in unoptimised builds too.
const STACK_BYTES: usize = 4 << 20;
/// Name resolution and file reads; more of them at once wait.
const BLOCKING_THREADS: usize = 4;

/// Runs a closure while the calling thread has every signal blocked.
///
/// Threads inherit their signal mask from the thread that starts them, and a signal meant for the
/// host must not land on a thread of ours.
pub(crate) type WithSignalsBlocked = fn(&mut dyn FnMut());

/// Why a call ended without its result.
#[derive(Debug)]
pub(crate) enum RunError {
    /// The deadline passed; the work was cancelled.
    Elapsed,
    /// The runtime was shut down, or the work panicked.
    Stopped,
    /// The operating system would not start the threads.
    NotStarted(io::Error),
}

/// A multi-threaded tokio runtime that starts with its first call and ends once.
///
/// In a forked child the threads do not exist: there, forget (`mem::forget`) every handle and make
/// a new runtime.
pub(crate) struct Runtime {
    state: Mutex<State>,
    with_signals_blocked: WithSignalsBlocked,
}

enum State {
    Idle,
    Running(tokio::runtime::Runtime),
    Stopped,
}

impl Runtime {
    /// A runtime without threads; they start with the first call of [`Runtime::run`].
    pub(crate) fn new(with_signals_blocked: WithSignalsBlocked) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::Idle),
            with_signals_blocked,
        })
    }

    /// Runs `work` on the runtime's threads and waits for it, for `deadline` at most.
    ///
    /// The caller's `tracing` subscriber goes with it.
    pub(crate) fn run<T, F>(&self, work: F, deadline: Duration) -> Result<T, RunError>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        // The sender lives in the task: when that is dropped, by a panic or by a shutdown, the
        // channel closes and the wait ends.
        let (sender, receiver) = mpsc::sync_channel(1);
        let task = self.handle()?.spawn(
            async move {
                // Nobody listens any more when the deadline has passed.
                drop(sender.send(work.await));
            }
            .with_current_subscriber(),
        );
        receiver
            .recv_timeout(deadline)
            .map_err(|error| match error {
                mpsc::RecvTimeoutError::Timeout => {
                    task.abort();
                    RunError::Elapsed
                }
                mpsc::RecvTimeoutError::Disconnected => RunError::Stopped,
            })
    }

    /// Runs blocking `work`, which may call [`Runtime::run`] in turn, on a thread of the runtime; nobody
    /// waits for it. Without a runtime, after a shutdown, it does not run.
    pub(crate) fn background(&self, work: impl FnOnce() + Send + 'static) {
        if let Ok(handle) = self.handle() {
            let dispatch = tracing::dispatcher::get_default(Clone::clone);
            handle.spawn_blocking(move || tracing::dispatcher::with_default(&dispatch, work));
        }
    }

    /// Ends calls in flight with [`RunError::Stopped`] and joins the threads, waiting for `bound`
    /// at most. Later calls fail at once.
    pub(crate) fn shutdown(&self, bound: Duration) {
        let previous = std::mem::replace(&mut *self.state.lock(), State::Stopped);
        let State::Running(runtime) = previous else {
            return;
        };
        // Tokio refuses to wait on a thread that is inside a runtime, and the caller may be.
        let runtime = Arc::new(Mutex::new(Some(runtime)));
        let mut stopper = None;
        (self.with_signals_blocked)(&mut || {
            let runtime = Arc::clone(&runtime);
            stopper = thread::Builder::new()
                .name(THREAD_NAME.to_owned())
                .spawn(move || {
                    if let Some(runtime) = runtime.lock().take() {
                        runtime.shutdown_timeout(bound);
                    }
                })
                .ok();
        });
        if let Some(stopper) = stopper {
            // A panic while stopping leaves nothing to do better.
            drop(stopper.join());
        }
        if let Some(runtime) = runtime.lock().take() {
            runtime.shutdown_background();
        }
    }

    fn handle(&self) -> Result<tokio::runtime::Handle, RunError> {
        let mut state = self.state.lock();
        if let State::Idle = *state {
            *state = State::Running(self.start().map_err(RunError::NotStarted)?);
        }
        match &*state {
            State::Running(runtime) => Ok(runtime.handle().clone()),
            State::Idle | State::Stopped => Err(RunError::Stopped),
        }
    }

    fn start(&self) -> io::Result<tokio::runtime::Runtime> {
        let mut started = Err(io::Error::other(
            "the signal mask hook did not run its closure",
        ));
        (self.with_signals_blocked)(&mut || {
            started = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(WORKERS)
                .max_blocking_threads(BLOCKING_THREADS)
                .thread_name(THREAD_NAME)
                .thread_stack_size(STACK_BYTES)
                .enable_io()
                .enable_time()
                .build();
        });
        started
    }
}

impl Drop for Runtime {
    /// Never waits: a drop may happen anywhere, also inside the host's runtime.
    fn drop(&mut self) {
        if let State::Running(runtime) = std::mem::replace(self.state.get_mut(), State::Stopped) {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}
