//! The initialised module: its tokens and sessions.

use std::sync::Arc;
use std::time::Duration;

use pkcs11_sys::*;

use crate::config::{Config, TokenConfig};
use crate::error::{Error, Result};
use crate::kms::{AwsKms, AwsSettings, Kms, Runtime, SharedHttp, WithSignalsBlocked};
use crate::log::{self, Log};
use crate::metrics::Metrics;
use crate::session::{Session, SessionTable};
use crate::sync::{Condvar, Mutex};
use crate::token::Token;

/// What lives from C_Initialize to C_Finalize.
pub(crate) struct Module {
    log: Log,
    metrics: Option<Arc<Metrics>>,
    tokens: Vec<Arc<Token>>,
    sessions: SessionTable,
    runtime: Arc<Runtime>,
    is_shut_down: Mutex<bool>,
    shut_down: Condvar,
}

impl Module {
    /// Builds the module without any request, thread or connection: those come with the first use.
    pub(crate) fn new(
        config: Config,
        region: Option<&str>,
        with_signals_blocked: WithSignalsBlocked,
    ) -> Self {
        log::meet_stderr();
        let runtime = Runtime::new(with_signals_blocked);
        let http = SharedHttp::new();
        let metrics = Metrics::new(&config.metrics);
        let kms = |config: &TokenConfig| -> Arc<dyn Kms> {
            Arc::new(AwsKms::new(
                AwsSettings::from(config),
                Arc::clone(&runtime),
                &http,
                metrics.as_ref(),
            ))
        };
        Self::with(config, region, &runtime, metrics.clone(), kms)
    }

    /// A module whose tokens share a KMS that is not AWS's.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn over(config: Config, kms: &Arc<dyn Kms>) -> Self {
        let runtime = Runtime::new(|start| start());
        Self::with(config, None, &runtime, None, |_| Arc::clone(kms))
    }

    fn with(
        config: Config,
        region: Option<&str>,
        runtime: &Arc<Runtime>,
        metrics: Option<Arc<Metrics>>,
        kms: impl Fn(&TokenConfig) -> Arc<dyn Kms>,
    ) -> Self {
        let token = |(slot, config): (CK_SLOT_ID, TokenConfig)| {
            let kms = kms(&config);
            Arc::new(Token::new(slot, config, region, kms, Arc::clone(runtime)))
        };
        Self {
            log: Log::new(&config.log),
            tokens: (0..).zip(config.tokens).map(token).collect(),
            sessions: SessionTable::default(),
            runtime: Arc::clone(runtime),
            is_shut_down: Mutex::new(false),
            shut_down: Condvar::new(),
            metrics,
        }
    }

    /// Ends what runs: calls in flight answer with an error, threads are joined, for `bound` at most, and
    /// counts are written.
    pub(crate) fn shut_down(&self, bound: Duration) {
        *self.is_shut_down.lock() = true;
        self.shut_down.notify_all();
        if !self.runtime.shutdown(bound) {
            tracing::warn!(
                "after {:.0} s threads of the module are still in a call of the system's: of a name server or of a file \
                 system that does not answer; they end when it does",
                bound.as_secs_f64()
            );
        }
        for token in &self.tokens {
            token.log_counts();
        }
        if let Some(metrics) = &self.metrics {
            metrics.write();
        }
    }

    /// Counts an answer of a PKCS#11 function, where anybody wants to know.
    pub(crate) fn count(&self, function: &'static str, result: &Result<()>) {
        if let Some(metrics) = &self.metrics {
            let rv = result.as_ref().err().map_or(CKR_OK, Error::rv);
            metrics.call(function, rv, &self.runtime);
        }
    }

    /// Keeps this thread waiting until C_Finalize; any number of threads may.
    pub(crate) fn wait_for_shut_down(&self) {
        let is_shut_down = self.is_shut_down.lock();
        let is_open = |is_shut_down: &mut bool| !*is_shut_down;
        drop(
            self.shut_down
                .wait_while(&self.is_shut_down, is_shut_down, is_open),
        );
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    pub(crate) fn sessions(&self) -> &SessionTable {
        &self.sessions
    }

    pub(crate) fn tokens(&self) -> &[Arc<Token>] {
        &self.tokens
    }

    pub(crate) fn token(&self, slot: CK_SLOT_ID) -> Result<&Arc<Token>> {
        self.tokens
            .iter()
            .find(|token| token.slot() == slot)
            .ok_or_else(|| CKR_SLOT_ID_INVALID.into())
    }

    /// The session that a function is called in.
    pub(crate) fn session(&self, handle: CK_SESSION_HANDLE) -> Result<Arc<Session>> {
        let session = self.sessions.get(handle)?;
        session.token().begin_call();
        Ok(session)
    }
}
