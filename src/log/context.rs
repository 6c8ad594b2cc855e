//! What is known of a call wherever its work is done: its subscriber, and the PKCS#11 function.

use tokio::task_local;
use tracing::instrument::WithSubscriber;

task_local! {
    /// The PKCS#11 function at work. A name has no destructor, so this can be read and set at any
    /// time of a thread's life, also by an exit handler of the host.
    static FUNCTION: &'static str;
}

/// Stands for the function where the module works on its own account.
pub(crate) const BACKGROUND: &str = "background";

/// The PKCS#11 function that this is done for.
pub(crate) fn function() -> &'static str {
    FUNCTION
        .try_with(|function| *function)
        .unwrap_or(BACKGROUND)
}

/// Runs `run` on account of this function.
pub(crate) fn within<T>(function: &'static str, run: impl FnOnce() -> T) -> T {
    FUNCTION.sync_scope(function, run)
}

/// The same work, on account of the function and with the subscriber of this moment, on whatever
/// thread it will be done.
pub(crate) fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    FUNCTION.scope(function(), work).with_current_subscriber()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_goes_with_the_work_and_not_with_the_thread() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let (sign, find) = ("C_Sign", "C_FindObjects");
        let of_sign = within(sign, || carried(async { function() }));
        let of_find = within(find, || {
            let told = runtime.block_on(of_sign);
            (told, function())
        });
        assert_eq!(of_find, (sign, find));
        assert_eq!(function(), BACKGROUND);
    }
}
