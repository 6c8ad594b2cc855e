//! What every exported function does around its own work.

use std::hint::black_box;

use pkcs11_sys::{CK_RV, CKR_GENERAL_ERROR, CKR_OK};

use super::thread_state::ThreadState;
use super::{environment, process};
use crate::error::{Error, Result};
use crate::fork;
use crate::kms;
use crate::log::{self, Log};
use crate::module::Module;
use crate::panics::{Panic, caught};

/// Bytes of the host's stack that are wiped after each call: as far down as calls get that handle secrets, without
/// optimisation, too.
const WIPED_STACK: usize = 48 << 10;

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

/// Keeps panics from unwinding into C, which would abort the host, forks from the middle of the work, and the
/// host's thread as it was.
fn guard(name: &'static str, run: impl FnOnce() -> Result<()>) -> CK_RV {
    let _state = ThreadState::keep();
    let ended = fork::at_work(|| caught(run));
    wipe_stack();
    match ended {
        Ok(Ok(())) => CKR_OK,
        Ok(Err(error)) => error.rv(),
        Err(panic) => {
            // It may have been the log that panicked.
            caught(|| report(name, &panic))
                .or_else(|_| caught(|| log::complain(&log::panicked(name, &panic))))
                .unwrap_or_default();
            CKR_GENERAL_ERROR
        }
    }
}

/// Overwrites what the calls before this one have left below the frame of its caller: key schedules of AES, say,
/// which libraries move from place to place.
#[inline(never)]
#[expect(
    clippy::large_stack_arrays,
    reason = "it is the stack that is to be overwritten"
)]
fn wipe_stack() {
    black_box(&mut [0_u8; WIPED_STACK]);
}

fn report(name: &'static str, panic: &Panic) {
    let tell = || log::internal_error(name, panic);
    match process::current() {
        Ok(module) => module.log().scope(name, tell),
        Err(_) => Log::before_initialisation(&environment::variable).scope(name, tell),
    }
}
