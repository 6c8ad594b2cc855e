//! The import of key material: its parameters, the handing in, and which keys wait for it.

use std::time::{Duration, SystemTime};

use aws_sdk_kms::primitives::{Blob, DateTime};
use aws_sdk_kms::types::{
    AlgorithmSpec, ExpirationModelType, KeySpec as WireKeySpec, KeyState, KeyUsageType, OriginType,
    WrappingKeySpec,
};
use tokio::time::Instant;

use super::creation::passes;
use super::listing::{bad_answer, check_key};
use super::request::{Requests, persist};
use crate::kms::{ImportParameters, KeyEntry, KeySpec, KeyUsage, KmsError, WrappingAlgorithm};

impl Requests {
    pub(super) async fn awaits_import(
        &self,
        key: &KeyEntry,
        spec: KeySpec,
        usage: KeyUsage,
        deadline: Instant,
    ) -> Result<bool, KmsError> {
        const OPERATION: &str = "DescribeKey";
        let metadata = self
            .ask_about(OPERATION, &key.arn, deadline, |client| {
                client.describe_key().key_id(&key.arn).send()
            })
            .await?
            .key_metadata
            .ok_or_else(|| bad_answer(OPERATION, Some(&key.arn), "no key metadata"))?;
        check_key(OPERATION, key, Some(metadata.key_id()))?;
        let same_spec = |own: &WireKeySpec| own.as_str() == spec.as_wire();
        let same_usage = |own: &KeyUsageType| own.as_str() == usage.as_wire();
        Ok(metadata.key_state() == Some(&KeyState::PendingImport)
            && metadata.origin() == Some(&OriginType::External)
            && metadata.key_spec().is_some_and(same_spec)
            && metadata.key_usage().is_some_and(same_usage))
    }

    pub(super) async fn import_parameters(
        &self,
        key: &KeyEntry,
        wrapping: WrappingAlgorithm,
        deadline: Instant,
    ) -> Result<ImportParameters, KmsError> {
        const OPERATION: &str = "GetParametersForImport";
        let answer = persist(deadline, passes, || {
            self.ask(OPERATION, Some(&key.arn), deadline, |client| {
                client
                    .get_parameters_for_import()
                    .key_id(&key.arn)
                    .wrapping_algorithm(AlgorithmSpec::from(wrapping.as_wire()))
                    .wrapping_key_spec(WrappingKeySpec::Rsa4096)
                    .send()
            })
        })
        .await?;
        check_key(OPERATION, key, answer.key_id())?;
        match (answer.public_key, answer.import_token) {
            (Some(wrapping_key), Some(token)) => Ok(ImportParameters {
                wrapping_key: wrapping_key.into_inner(),
                token: token.into_inner(),
            }),
            _ => Err(bad_answer(
                OPERATION,
                Some(&key.arn),
                "no wrapping key or no import token",
            )),
        }
    }

    /// To hand in the same material twice does no harm, so that it may be repeated.
    pub(super) async fn import_material(
        &self,
        key: &KeyEntry,
        token: Vec<u8>,
        wrapped: Vec<u8>,
        lifetime: Option<Duration>,
        deadline: Instant,
    ) -> Result<(), KmsError> {
        const OPERATION: &str = "ImportKeyMaterial";
        let (model, valid_to) = match lifetime {
            None => (ExpirationModelType::KeyMaterialDoesNotExpire, None),
            Some(lifetime) => (
                ExpirationModelType::KeyMaterialExpires,
                Some(DateTime::from(SystemTime::now() + lifetime)),
            ),
        };
        let (token, wrapped) = (Blob::new(token), Blob::new(wrapped));
        persist(deadline, passes, || {
            self.ask(OPERATION, Some(&key.arn), deadline, |client| {
                client
                    .import_key_material()
                    .key_id(&key.arn)
                    .import_token(token.clone())
                    .encrypted_key_material(wrapped.clone())
                    .expiration_model(model.clone())
                    .set_valid_to(valid_to)
                    .send()
            })
        })
        .await
        .map(drop)
    }
}
