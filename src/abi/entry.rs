//! What every exported function does around its own work.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pkcs11_sys::{CK_RV, CKR_GENERAL_ERROR, CKR_OK};

use super::{environment, process};
use crate::error::{Error, Result};
use crate::kms;
use crate::log::{self, Log};
use crate::module::Module;

/// Runs a function that needs the initialised module of this process.
pub(super) fn call(name: &'static str, run: impl FnOnce(&Module) -> Result<()>) -> CK_RV {
    guard(name, || {
        let module = process::current()?;
        let result = module.log().scope(name, || {
            kms::call(|| run(&module)).inspect_err(|error| log::refusal(name, error))
        });
        module.count(name, &result);
        result
    })
}

/// Runs a function that may be called at any time.
pub(super) fn free(name: &'static str, run: impl FnOnce() -> Result<()>) -> CK_RV {
    guard(name, || {
        run().inspect_err(|error| {
            Log::before_initialisation(&environment::variable)
                .scope(name, || log::refusal(name, error));
        })
    })
}

/// The result of a function whose answer is already known.
pub(super) fn answer(rv: CK_RV) -> Result<()> {
    if rv == CKR_OK {
        Ok(())
    } else {
        Err(Error::from(rv))
    }
}

/// Keeps panics from unwinding into C, which would abort the host.
fn guard(name: &'static str, run: impl FnOnce() -> Result<()>) -> CK_RV {
    // Unwind safety: the module's shared state changes only by whole replacement or under locks
    // that do not poison, and an operation that was running is ended by its guard.
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => CKR_OK,
        Ok(Err(error)) => error.rv(),
        Err(_) => {
            log::panicked(name);
            CKR_GENERAL_ERROR
        }
    }
}
