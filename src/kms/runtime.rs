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
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::stage::call;
use crate::fork;
use crate::log;
use crate::panics::{Panic, caught, caught_in, own_thread};

/// One drives more requests than KMS admits of one account, over 10,000 per second. A second one costs
/// throughput: the two wake each other for every request (docs/performance.md).
const WORKERS: usize = 1;
const THREAD_NAME: &str = "kms-pkcs11";
/// Room for the SDK's deepest calls, TLS handshakes included, in unoptimised builds too.
const STACK_BYTES: usize = 4 << 20;
/// Name resolution, file reads, and background work, which waits for the former: so more than there
/// are tokens in any sensible configuration. Idle ones end.
const BLOCKING_THREADS: usize = 32;
/// Between attempts to start a thread for work that waits for one.
const AGAIN: Duration = Duration::from_secs(1);

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
    /// The runtime was shut down.
    Stopped,
    /// The work panicked.
    Panicked(Panic),
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
    /// The caller's `tracing` subscriber and the name of its PKCS#11 function go with it.
    pub(crate) fn run<T, F>(&self, work: F, deadline: Duration) -> Result<T, RunError>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        // The sender lives in the task: when a shutdown drops that, the channel closes and the wait
        // ends.
        let (sender, receiver) = mpsc::sync_channel(1);
        let task = self.handle()?.spawn(log::carried(async move {
            // Nobody listens any more when the deadline has passed.
            sender.send(caught_in(work).await).ok();
        }));
        match fork::waiting(|| receiver.recv_timeout(deadline)) {
            Ok(result) => result.map_err(RunError::Panicked),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                task.abort();
                Err(RunError::Elapsed)
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(RunError::Stopped),
        }
    }

    /// Runs blocking `work`, which may call [`Runtime::run`] in turn, on a thread of the runtime;
    /// nobody waits for it. Without a runtime, after a shutdown, it does not run.
    pub(crate) fn background(&self, work: impl FnOnce() + Send + 'static) {
        if let Ok(handle) = self.handle() {
            let dispatch = tracing::dispatcher::get_default(Clone::clone);
            let work = move || tracing::dispatcher::with_default(&dispatch, work);
            let work = move || log::within(log::BACKGROUND, || call(work));
            let work = move || fork::at_work(work);
            // By way of a worker: a thread started from here would take over the signal mask of
            // the host's thread.
            handle.spawn(log::carried(on_thread(work)));
        }
    }

    /// Runs blocking `work` after a while on a thread of the runtime; answers whether it will, if
    /// there is no shutdown before. A runtime that has not started is not started for it.
    pub(crate) fn later(&self, delay: Duration, work: impl FnOnce() + Send + 'static) -> bool {
        let State::Running(runtime) = &*self.state.lock() else {
            return false;
        };
        runtime.spawn(log::carried(async move {
            sleep(delay).await;
            on_thread(|| fork::at_work(work)).await;
        }));
        true
    }

    /// Ends calls in flight with [`RunError::Stopped`] and joins the threads, waiting for `bound`
    /// at most: false if some are still there then. Later calls fail at once.
    pub(crate) fn shutdown(&self, bound: Duration) -> bool {
        let previous = std::mem::replace(&mut *self.state.lock(), State::Stopped);
        let State::Running(runtime) = previous else {
            return true;
        };
        let begun = Instant::now();
        // Tokio refuses to wait on a thread that is inside a runtime, and the caller may be.
        let runtime = Arc::new(Mutex::new(Some(runtime)));
        let mut stopper = None;
        (self.with_signals_blocked)(&mut || {
            let runtime = Arc::clone(&runtime);
            stopper = thread::Builder::new()
                .name(THREAD_NAME.to_owned())
                .spawn(move || {
                    own_thread();
                    if let Some(runtime) = runtime.lock().take() {
                        runtime.shutdown_timeout(bound);
                    }
                })
                .ok();
        });
        if let Some(stopper) = stopper {
            // A panic while stopping leaves nothing to do better.
            fork::waiting(|| stopper.join()).ok();
        }
        if let Some(runtime) = runtime.lock().take() {
            runtime.shutdown_background();
            return false;
        }
        // Tokio does not tell.
        begun.elapsed() < bound
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
            let build = || {
                tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(WORKERS)
                    .max_blocking_threads(BLOCKING_THREADS)
                    .thread_name(THREAD_NAME)
                    .thread_stack_size(STACK_BYTES)
                    .on_thread_start(|| {
                        own_thread();
                        fork::own_thread();
                    })
                    .on_thread_unpark(fork::work_begins)
                    .on_thread_park(fork::work_pauses)
                    .on_thread_stop(fork::work_pauses)
                    .enable_io()
                    .enable_time()
                    .build()
            };
            // Tokio panics where the operating system has no thread left.
            started = one_more_thread().and_then(|()| {
                caught(build).unwrap_or_else(|panic| Err(io::Error::other(panic.into_message())))
            });
        });
        // The worker is at work before it pauses for the first time, too: it begins with this task.
        started.inspect(|runtime| drop(runtime.spawn(async { fork::work_begins() })))
    }
}

/// Runs `work` on a thread for what may block; nobody waits for it. Where the operating system has none left, it
/// runs once there is one.
async fn on_thread(work: impl FnOnce() + Send + 'static) {
    let Err(panic) = caught(|| drop(spawn_blocking(work))) else {
        return;
    };
    tracing::warn!(
        "no thread could be started, and work in the background waits for one: {}",
        panic.into_message()
    );
    // The work is in tokio's queue by now. The next thread that starts, for whatever, takes it from there.
    while caught(|| drop(spawn_blocking(|| ()))).is_err() {
        sleep(AGAIN).await;
    }
}

/// The result of something that may wait for files, and holds no lock meanwhile: a fork of the host's does not wait
/// for it, nor do other requests, but where there is no thread left to do it on.
pub(crate) async fn apart<T, F>(wait: F) -> T
where
    T: Send + 'static,
    F: Fn() -> T + Clone + Send + 'static,
{
    let elsewhere = wait.clone();
    if let Ok(task) = caught(|| spawn_blocking(elsewhere))
        && let Ok(result) = task.await
    {
        return result;
    }
    wait()
}

/// Whether the operating system has another thread. To be asked before tokio is: its panic leaves behind what it has
/// made by then, two descriptors and some memory with every attempt.
fn one_more_thread() -> io::Result<()> {
    let thread = thread::Builder::new()
        .name(THREAD_NAME.to_owned())
        .stack_size(STACK_BYTES)
        .spawn(|| ())
        .map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("OS can't spawn worker thread: {error}"),
            )
        })?;
    // It does nothing, so it does not panic.
    thread.join().ok();
    Ok(())
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(200);

    fn runtime() -> Arc<Runtime> {
        Runtime::new(|start| start())
    }

    async fn forever() {
        std::future::pending::<()>().await;
    }

    #[test]
    fn threads_start_once_with_the_first_call_and_with_signals_blocked() {
        static STARTS: AtomicUsize = AtomicUsize::new(0);
        let runtime = Runtime::new(|start| {
            STARTS.fetch_add(1, Ordering::Relaxed);
            start();
        });
        assert_eq!(STARTS.load(Ordering::Relaxed), 0);
        for _ in 0..3 {
            let name = runtime.run(async { thread::current().name().map(str::to_owned) }, LONG);
            assert_eq!(name.unwrap().as_deref(), Some(THREAD_NAME));
        }
        assert_eq!(STARTS.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_call_ends_at_its_deadline_and_its_work_is_dropped() {
        let runtime = runtime();
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let started = Instant::now();
        let result = runtime.run(
            async move {
                forever().await;
                drop(held);
            },
            SHORT,
        );
        assert!(matches!(result, Err(RunError::Elapsed)));
        assert!(started.elapsed() < LONG / 10);
        while Arc::strong_count(&alive) > 1 {
            assert!(started.elapsed() < LONG, "the work is still there");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn work_that_panics_is_told_apart_from_a_shutdown() {
        let runtime = runtime();
        let result = runtime.run(async { panic!("on purpose") }, LONG);
        assert!(matches!(result, Err::<(), _>(RunError::Panicked(_))));
        assert!(runtime.run(async { 1 }, LONG).is_ok());
        runtime.shutdown(LONG);
        assert!(matches!(
            runtime.run(async { 1 }, LONG),
            Err(RunError::Stopped)
        ));
    }

    #[test]
    fn a_shutdown_ends_calls_in_flight_and_returns_when_the_threads_are_gone() {
        struct OnThreadEnd(mpsc::Sender<()>);
        impl Drop for OnThreadEnd {
            fn drop(&mut self) {
                thread::sleep(SHORT);
                // The test may have failed and gone.
                self.0.send(()).ok();
            }
        }
        thread_local! {
            static LAST: std::cell::RefCell<Option<OnThreadEnd>> = const { std::cell::RefCell::new(None) };
        }
        let (runtime, (ended, end)) = (runtime(), mpsc::channel());
        let mark = async move { LAST.set(Some(OnThreadEnd(ended))) };
        runtime.run(mark, LONG).unwrap();
        thread::scope(|scope| {
            let call = scope.spawn(|| runtime.run(forever(), LONG));
            thread::sleep(SHORT);
            assert!(runtime.shutdown(LONG));
            assert!(end.try_recv().is_ok(), "a worker outlives the shutdown");
            assert!(matches!(call.join().unwrap(), Err(RunError::Stopped)));
        });
    }

    #[test]
    fn a_shutdown_waits_for_a_stuck_thread_no_longer_than_its_bound() {
        let runtime = runtime();
        let stuck = async {
            spawn_blocking(|| thread::sleep(Duration::from_secs(30)));
        };
        runtime.run(stuck, LONG).unwrap();
        let started = Instant::now();
        assert!(!runtime.shutdown(SHORT));
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn background_work_of_many_tokens_leaves_threads_for_what_it_waits_for() {
        let runtime = runtime();
        let (done, finished) = mpsc::channel();
        for _ in 0..16 {
            let (inner, done) = (Arc::clone(&runtime), done.clone());
            runtime.background(move || {
                let looked_up = async { spawn_blocking(|| 1).await.is_ok() };
                done.send(inner.run(looked_up, LONG).is_ok_and(|found| found))
                    .ok();
            });
        }
        for _ in 0..16 {
            assert!(finished.recv_timeout(LONG / 3).unwrap());
        }
    }

    #[test]
    fn calls_shutdowns_and_drops_work_inside_a_host_runtime() {
        let host = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        host.block_on(async {
            let (stopped, dropped) = (runtime(), runtime());
            assert_eq!(stopped.run(async { 1 }, LONG).unwrap(), 1);
            assert_eq!(dropped.run(async { 2 }, LONG).unwrap(), 2);
            stopped.shutdown(LONG);
            drop(dropped);
        });
    }

    #[test]
    fn a_hook_that_does_not_run_its_closure_is_an_error() {
        let runtime = Runtime::new(|_| {});
        assert!(matches!(
            runtime.run(async { 1 }, LONG),
            Err(RunError::NotStarted(_))
        ));
        runtime.shutdown(LONG);
    }
}
