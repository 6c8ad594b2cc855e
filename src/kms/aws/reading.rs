//! What a key is: its spec, its usage, its public half, and whether it can be used.

use std::sync::Arc;

use aws_sdk_kms::operation::get_public_key::GetPublicKeyOutput;
use aws_sdk_kms::types::{
    KeyManagerType, KeyMetadata, KeySpec as WireKeySpec, KeyState, KeyUsageType, OriginType,
};
use tokio::time::Instant;

use super::bulk;
use super::fresh::key_id;
use super::listing::{answered, bad_answer, check_key};
use super::regions::Regions;
use super::request::Requests;
use crate::kms::{KeyAnswer, KeyEntry, KeySpec, KeyUsage, KmsError, KmsErrorKind as Kind};

const GET_PUBLIC_KEY: &str = "GetPublicKey";
const DESCRIBE_KEY: &str = "DescribeKey";

impl Regions {
    /// What keys are is the same in every region that has them.
    pub(super) async fn read_keys(
        self: Arc<Self>,
        keys: Vec<KeyEntry>,
        deadline: Instant,
    ) -> Vec<Result<KeyAnswer, KmsError>> {
        let concurrency = self.home().settings().concurrency;
        let ask = move |key: KeyEntry| {
            let (regions, of_token) = (Arc::clone(&self), key.clone());
            regions.ask(
                GET_PUBLIC_KEY,
                Some(key),
                deadline,
                move |there, deadline| {
                    let key = there.own(&of_token);
                    async move { there.requests.read_key(&key, deadline).await }
                },
            )
        };
        let answers = bulk::each(keys.clone(), concurrency, ask).await;
        answered(GET_PUBLIC_KEY, &keys, answers)
    }
}

impl Requests {
    /// The key behind an id, ARN or alias.
    pub(super) async fn describe_key(
        &self,
        id: &str,
        deadline: Instant,
    ) -> Result<KeyEntry, KmsError> {
        let metadata = self
            .ask_about(DESCRIBE_KEY, id, deadline, |client| {
                client.describe_key().key_id(id).send()
            })
            .await?
            .key_metadata
            .ok_or_else(|| bad_answer(DESCRIBE_KEY, Some(id), "no key metadata"))?;
        let Some(arn) = metadata.arn else {
            return Err(bad_answer(DESCRIBE_KEY, Some(id), "no key ARN"));
        };
        let is_alias = id.starts_with("alias/") || id.contains(":alias/");
        if !is_alias && metadata.key_id != key_id(id) {
            return Err(bad_answer(
                DESCRIBE_KEY,
                Some(id),
                "it is about another key",
            ));
        }
        Ok(KeyEntry {
            arn,
            key_id: metadata.key_id,
        })
    }

    /// Whether a key is on its way out already.
    pub(super) async fn is_pending_deletion(
        &self,
        key: &KeyEntry,
        deadline: Instant,
    ) -> Result<bool, KmsError> {
        let answer = self
            .ask(DESCRIBE_KEY, Some(&key.arn), deadline, |client| {
                client.describe_key().key_id(&key.arn).send()
            })
            .await?;
        let metadata = answer.key_metadata();
        check_key(DESCRIBE_KEY, key, metadata.map(KeyMetadata::key_id))?;
        let state = metadata.and_then(KeyMetadata::key_state);
        Ok(matches!(
            state,
            Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion)
        ))
    }

    /// The same as [`Requests::read_keys`] for a new key, whose spec is known: one request, with no
    /// patience of its own.
    pub(super) async fn read_new_key(
        &self,
        key: &KeyEntry,
        spec: KeySpec,
        deadline: Instant,
    ) -> Result<KeyAnswer, KmsError> {
        if spec.is_symmetric() {
            let answer = self
                .ask(DESCRIBE_KEY, Some(&key.arn), deadline, |client| {
                    client.describe_key().key_id(&key.arn).send()
                })
                .await?;
            return symmetric_key(key, answer.key_metadata());
        }
        let answer = self
            .ask(GET_PUBLIC_KEY, Some(&key.arn), deadline, |client| {
                client.get_public_key().key_id(&key.arn).send()
            })
            .await?;
        public_key(key, answer)
    }

    async fn read_key(&self, key: &KeyEntry, deadline: Instant) -> Result<KeyAnswer, KmsError> {
        let answer = self
            .ask_about(GET_PUBLIC_KEY, &key.arn, deadline, |client| {
                client.get_public_key().key_id(&key.arn).send()
            })
            .await;
        match answer {
            Ok(answer) => public_key(key, answer),
            // Either says that the key has no public half.
            Err(error) if matches!(error.kind, Kind::Unsupported | Kind::InvalidKeyUsage) => {
                self.read_symmetric_key(key, deadline).await
            }
            Err(error) => Err(error),
        }
    }

    async fn read_symmetric_key(
        &self,
        key: &KeyEntry,
        deadline: Instant,
    ) -> Result<KeyAnswer, KmsError> {
        let answer = self
            .ask_about(DESCRIBE_KEY, &key.arn, deadline, |client| {
                client.describe_key().key_id(&key.arn).send()
            })
            .await
            .map_err(without_permission)?;
        symmetric_key(key, answer.key_metadata())
    }
}

/// Says why a key needed to be described at all.
fn without_permission(error: KmsError) -> KmsError {
    if error.kind != Kind::AccessDenied {
        return error;
    }
    let message = format!(
        "the key has no public half, and what else it is may not be asked: {}",
        error.message
    );
    KmsError { message, ..error }
}

/// Checks an answer of `GetPublicKey` for this key.
fn public_key(key: &KeyEntry, answer: GetPublicKeyOutput) -> Result<KeyAnswer, KmsError> {
    check_key(GET_PUBLIC_KEY, key, answer.key_id())?;
    let (spec, usage) = spec_and_usage(
        GET_PUBLIC_KEY,
        key,
        answer.key_spec.as_ref(),
        answer.key_usage.as_ref(),
    )?;
    match answer.public_key {
        Some(spki) if !spki.as_ref().is_empty() => Ok(KeyAnswer {
            spec,
            usage,
            public: Some(spki.into_inner()),
            local: None,
        }),
        _ => Err(bad_answer(GET_PUBLIC_KEY, Some(&key.arn), "no public key")),
    }
}

/// Checks an answer of `DescribeKey` for this key, which has no public half.
fn symmetric_key(key: &KeyEntry, metadata: Option<&KeyMetadata>) -> Result<KeyAnswer, KmsError> {
    let bad = |what: &str| bad_answer(DESCRIBE_KEY, Some(&key.arn), what);
    let metadata = metadata.ok_or_else(|| bad("no key metadata"))?;
    check_key(DESCRIBE_KEY, key, Some(metadata.key_id()))?;
    // Before the state: what is of no use now will not be later.
    let (spec, usage) =
        spec_and_usage(DESCRIBE_KEY, key, metadata.key_spec(), metadata.key_usage())?;
    if !spec.is_symmetric() {
        return Err(bad("a key spec that has a public half"));
    }
    if metadata.key_manager() == Some(&KeyManagerType::Aws) {
        let message = "AWS made the key for a service of its own, which alone can use it";
        return Err(KmsError::local(
            Kind::Unsupported,
            DESCRIBE_KEY,
            Some(&key.arn),
            message,
        ));
    }
    let state = metadata.key_state().ok_or_else(|| bad("no key state"))?;
    check_state(key, state)?;
    Ok(KeyAnswer {
        spec,
        usage,
        public: None,
        local: metadata.origin().map(made_by_kms),
    })
}

fn spec_and_usage(
    operation: &'static str,
    key: &KeyEntry,
    spec: Option<&WireKeySpec>,
    usage: Option<&KeyUsageType>,
) -> Result<(KeySpec, KeyUsage), KmsError> {
    let (Some(spec), Some(usage)) = (spec, usage) else {
        let what = "no key spec or key usage";
        return Err(bad_answer(operation, Some(&key.arn), what));
    };
    let unsupported = |what: &str, name: &str| {
        let message = format!("this module has no use for the {what} {name}");
        KmsError::local(Kind::Unsupported, operation, Some(&key.arn), message)
    };
    let (spec, usage) = (spec.as_str(), usage.as_str());
    Ok((
        spec.parse().map_err(|_| unsupported("key spec", spec))?,
        usage.parse().map_err(|_| unsupported("key usage", usage))?,
    ))
}

/// Fails as an operation with the key would.
///
/// Source: <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>.
fn check_state(key: &KeyEntry, state: &KeyState) -> Result<(), KmsError> {
    let kind = match state {
        KeyState::Enabled | KeyState::Updating => return Ok(()),
        KeyState::Disabled => Kind::Disabled,
        _ => Kind::InvalidState,
    };
    let message = format!("the key is in state {state}");
    Err(KmsError::local(kind, DESCRIBE_KEY, Some(&key.arn), message))
}

/// Imported material, and that of an external key store, comes from elsewhere.
fn made_by_kms(origin: &OriginType) -> bool {
    matches!(origin, OriginType::AwsKms | OriginType::AwsCloudhsm)
}
