//! `GetParametersForImport`, `ImportKeyMaterial`, `DeleteImportedKeyMaterial`.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{CIPHERTEXT_LEN, KEY_ID_LEN};
use crate::error::{ApiError, ApiResult};
use crate::input::{Input, Shown};
use crate::key::{Import, ImportToken, Key, Origin, Requires};
use crate::material::Material;
use crate::random;
use crate::service::{Names, Service};
use crate::timestamp::Timestamp;
use crate::wrapping::{WRAPPING_KEY_SPEC_NAMES, WRAPPING_NAMES, Wrapping, WrappingKey};

const EXPIRATION_MODELS: [&str; 2] = ["KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"];
const IMPORT_TYPES: [&str; 2] = ["NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"];

/// The longest life of imported material.
const MOST_DAYS: u32 = 365;

pub(super) fn get_parameters_for_import(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    let algorithm = input.required_one_of("WrappingAlgorithm", &WRAPPING_NAMES)?;
    let key_spec = input.required_one_of("WrappingKeySpec", &WRAPPING_KEY_SPEC_NAMES)?;
    input.validated()?;
    let unsupported = |what: &str| ApiError::unsupported(format!("{what} is not supported."));
    let wrapping = Wrapping::by_name(&algorithm).ok_or_else(|| unsupported(&algorithm))?;
    let wrapping_key = WrappingKey::by_spec(&key_spec)?.ok_or_else(|| unsupported(&key_spec))?;
    let token: [u8; 64] = random::bytes()?;
    let valid_to = Timestamp::now().plus_days(1);
    service.with_key(&key_id, Names::Key, Requires::Importable, |key| {
        key.core.origin.require_external(&key.core.arn)?;
        let spec = key.core.spec;
        if !wrapping.takes(spec, wrapping_key.size) {
            return Err(ApiError::unsupported(format!(
                "Material of key spec {} cannot be wrapped by {algorithm} with {key_spec}.",
                spec.name
            )));
        }
        key.import_tokens.push(ImportToken {
            token: token.to_vec(),
            wrapping,
            key: wrapping_key,
            valid_to,
        });
        Ok(json!({
            "ImportToken": BASE64_STANDARD.encode(token),
            "KeyId": key.core.arn,
            "ParametersValidTo": valid_to.seconds(),
            "PublicKey": BASE64_STANDARD.encode(&wrapping_key.public),
        }))
    })
}

pub(super) fn import_key_material(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    let token = input.required_blob("ImportToken", CIPHERTEXT_LEN, Shown::Yes)?;
    let wrapped = input.required_blob("EncryptedKeyMaterial", CIPHERTEXT_LEN, Shown::Yes)?;
    let model = input.one_of("ExpirationModel", &EXPIRATION_MODELS)?;
    let valid_to = input.timestamp("ValidTo")?;
    let import_type = input.one_of("ImportType", &IMPORT_TYPES)?;
    input.validated()?;
    let valid_to = checked_expiry(model.as_deref(), valid_to)?;
    service.with_key(&key_id, Names::Key, Requires::Importable, |key| {
        key.core.origin.require_external(&key.core.arn)?;
        let import_token = find_token(key, &token)?;
        let bytes = import_token
            .wrapping
            .unwrap(import_token.key, &wrapped)
            .ok_or_else(|| ApiError::bare("InvalidCiphertextException"))?;
        let material = checked_material(key, &bytes)?;
        let stored = material.to_bytes();
        let stored = stored.map_err(|_| ApiError::cryptography("The import"))?;
        let import = Import {
            fingerprint: digest(&SHA256, &stored).as_ref().to_vec(),
            valid_to,
        };
        check_replaces(key, &import, import_type.as_deref())?;
        key.set_material(Some(Arc::new(material)), Origin::External(Some(import)));
        Ok(answer(key))
    })
}

pub(super) fn delete_imported_key_material(
    service: &Service,
    mut input: Input,
) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    input.validated()?;
    service.with_key(&key_id, Names::Key, Requires::Importable, |key| {
        key.core.origin.require_external(&key.core.arn)?;
        key.set_material(None, key.core.origin.clone());
        Ok(answer(key))
    })
}

/// When the material expires; material that does not say so expires, too, and must say when.
fn checked_expiry(
    model: Option<&str>,
    valid_to: Option<Timestamp>,
) -> ApiResult<Option<Timestamp>> {
    let now = Timestamp::now();
    match (model, valid_to) {
        (Some("KEY_MATERIAL_DOES_NOT_EXPIRE"), None) => Ok(None),
        (Some("KEY_MATERIAL_DOES_NOT_EXPIRE"), Some(_)) => Err(ApiError::validation(
            "A validTo date cannot be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE",
        )),
        (_, None) => Err(ApiError::validation(
            "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES",
        )),
        (_, Some(date)) if date <= now || date > now.plus_days(MOST_DAYS) => {
            Err(ApiError::validation(
                "The validTo date must be in the future, and not more than 365 days away",
            ))
        }
        (_, Some(date)) => Ok(Some(date)),
    }
}

fn find_token<'a>(key: &'a Key, token: &[u8]) -> ApiResult<&'a ImportToken> {
    let arn = &key.core.arn;
    let known = key.import_tokens.iter().find(|known| known.token == token);
    let known = known.ok_or_else(|| {
        ApiError::invalid_import_token(format!("The import token was not made for {arn}."))
    })?;
    if known.valid_to <= Timestamp::now() {
        return Err(ApiError::expired_import_token(format!(
            "The import token for {arn} has expired."
        )));
    }
    Ok(known)
}

fn checked_material(key: &Key, bytes: &[u8]) -> ApiResult<Material> {
    let core = &key.core;
    Material::from_bytes(core.spec, core.usage, bytes).map_err(|_| {
        ApiError::incorrect_key_material(format!(
            "The key material is none of key spec {}.",
            core.spec.name
        ))
    })
}

/// Only what a key had before can take its place.
fn check_replaces(key: &Key, import: &Import, import_type: Option<&str>) -> ApiResult<()> {
    let Some(before) = key.core.import() else {
        return Ok(());
    };
    if import_type == Some("NEW_KEY_MATERIAL") {
        return Err(ApiError::unsupported(
            "ImportType NEW_KEY_MATERIAL is not supported for a key that had material.",
        ));
    }
    if before.fingerprint == import.fingerprint {
        return Ok(());
    }
    Err(ApiError::incorrect_key_material(format!(
        "{} had other key material before.",
        key.core.arn
    )))
}

fn answer(key: &Key) -> Value {
    let mut answer = json!({ "KeyId": key.core.arn });
    if let Some(id) = key.core.material_id() {
        answer["KeyMaterialId"] = id.into();
    }
    answer
}
