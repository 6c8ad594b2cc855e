//! Whose credentials they are, as AWS itself says, and whether the configuration lets a token use them.
//!
//! `sts:GetCallerIdentity` needs no permission. It is asked once for each credentials, when they come from
//! their source and before any request carries them; so the first request waits for it, and no later one.

use std::fmt;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{
    ProvideCredentials, Result, SharedCredentialsProvider, future,
};
use aws_sdk_sts::config::IdentityCache;
use parking_lot::Mutex;

use super::failure;
use super::settings::AwsSettings;
use crate::config::CallerRules;
use crate::kms::{KmsError, KmsErrorKind};

pub(super) const OPERATION: &str = "GetCallerIdentity";

/// What AWS says of the owner of credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CallerIdentity {
    /// 12 digits.
    account: String,
    /// Of a user, of the session of a role, of the root, in any partition:
    /// `arn:aws:sts::111122223333:assumed-role/signer/host-1`.
    arn: String,
}

/// The rules of a token, and what they say of the credentials that were seen last.
#[derive(Debug)]
pub(super) struct Guard {
    rules: CallerRules,
    /// Ask even without rules: whether the credentials are good for anything is to be known.
    asks_always: bool,
    last: Mutex<Option<Verdict>>,
}

#[derive(Clone, Debug)]
struct Verdict {
    access_key_id: String,
    /// An error is why the token does not operate.
    outcome: std::result::Result<(), KmsError>,
}

impl Guard {
    /// One that has seen nobody yet.
    pub(super) fn of(settings: &AwsSettings) -> Arc<Self> {
        Arc::new(Self {
            rules: settings.caller.clone(),
            asks_always: settings.needs_identity,
            last: Mutex::default(),
        })
    }

    /// A source whose credentials are judged before they are handed out.
    pub(super) fn watch(
        self: &Arc<Self>,
        source: SharedCredentialsProvider,
        config: &SdkConfig,
    ) -> SharedCredentialsProvider {
        if self.rules.is_empty() && !self.asks_always {
            return source;
        }
        SharedCredentialsProvider::new(Watched {
            guard: Arc::clone(self),
            source,
            config: config.clone(),
        })
    }

    async fn judge(
        &self,
        credentials: &Credentials,
        config: &SdkConfig,
    ) -> std::result::Result<(), KmsError> {
        let known = self.last.lock().clone();
        if let Some(verdict) = known
            && verdict.access_key_id == credentials.access_key_id()
        {
            return verdict.outcome;
        }
        // Not knowing is not remembered: the next request asks again.
        let caller = ask(credentials, config).await?;
        let outcome = self.rules.judge(&caller);
        if outcome.is_ok() {
            tracing::info!("acting as {}", caller.arn);
        }
        *self.last.lock() = Some(Verdict {
            access_key_id: credentials.access_key_id().to_owned(),
            outcome: outcome.clone(),
        });
        outcome
    }
}

impl CallerRules {
    fn judge(&self, caller: &CallerIdentity) -> std::result::Result<(), KmsError> {
        let CallerIdentity { account, arn } = caller;
        let refusal = |rule: fmt::Arguments<'_>| {
            let message = format!("the caller is {arn} of account {account}, and {rule}");
            KmsError::local(KmsErrorKind::Identity, OPERATION, None, message)
        };
        if let Some(wanted) = self
            .account
            .as_ref()
            .filter(|wanted| wanted.as_str() != account)
        {
            return Err(refusal(format_args!("the token's account is \"{wanted}\"")));
        }
        if self.allow.is_empty() || self.allow.iter().any(|rule| rule.describes(account, arn)) {
            return Ok(());
        }
        let rules: Vec<String> = self.allow.iter().map(ToString::to_string).collect();
        Err(refusal(format_args!(
            "none of the token's rules allows it: {}",
            rules.join(", ")
        )))
    }
}

async fn ask(
    credentials: &Credentials,
    config: &SdkConfig,
) -> std::result::Result<CallerIdentity, KmsError> {
    let config = config
        .to_builder()
        .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
        .identity_cache(IdentityCache::no_cache())
        .build();
    let client = aws_sdk_sts::Client::new(&config);
    let answer = Box::pin(client.get_caller_identity().send())
        .await
        .map_err(|error| failure::describe(OPERATION, None, &error))?;
    match (answer.account, answer.arn) {
        (Some(account), Some(arn)) => Ok(CallerIdentity { account, arn }),
        _ => Err(KmsError::local(
            KmsErrorKind::BadAnswer,
            OPERATION,
            None,
            "the answer has no account or no ARN",
        )),
    }
}

/// Hands out what its source has and the guard lets pass.
#[derive(Debug)]
struct Watched {
    guard: Arc<Guard>,
    source: SharedCredentialsProvider,
    config: SdkConfig,
}

impl Watched {
    async fn provide(&self) -> Result {
        let credentials = self.source.provide_credentials().await?;
        // Boxed: the error is far larger than the credentials.
        match Box::pin(self.guard.judge(&credentials, &self.config)).await {
            Ok(()) => Ok(credentials),
            Err(error) => Err(CredentialsError::provider_error(error)),
        }
    }
}

impl ProvideCredentials for Watched {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.provide())
    }
}
