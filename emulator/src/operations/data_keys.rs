//! `GenerateDataKey`, `GenerateDataKeyPair`, and both `WithoutPlaintext`.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{KEY_ID_LEN, stop_at_dry_run};
use crate::ciphertext::{self, Context};
use crate::error::{ApiError, ApiResult};
use crate::input::Input;
use crate::key::KeyCore;
use crate::material::Material;
use crate::random;
use crate::service::Service;
use crate::spec::{KeySpec, KeyUsage, SYMMETRIC_DEFAULT};

/// The values of `KeySpec`, and bytes of their keys.
const DATA_KEY_SPECS: [(&str, usize); 2] = [("AES_256", 32), ("AES_128", 16)];

/// The values of `KeyPairSpec`: all key specs with two halves but ML-DSA's.
const DATA_KEY_PAIR_SPECS: [&str; 11] = [
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "ECC_NIST_EDWARDS25519",
    "ML_KEM_512",
    "ML_KEM_768",
    "ML_KEM_1024",
];

pub(super) fn generate_data_key(service: &Service, input: Input) -> ApiResult<Value> {
    let (mut answer, data_key) = data_key(service, input, "GenerateDataKey")?;
    answer["Plaintext"] = BASE64_STANDARD.encode(data_key).into();
    Ok(answer)
}

pub(super) fn generate_data_key_without_plaintext(
    service: &Service,
    input: Input,
) -> ApiResult<Value> {
    data_key(service, input, "GenerateDataKeyWithoutPlaintext").map(|(answer, _)| answer)
}

pub(super) fn generate_data_key_pair(service: &Service, input: Input) -> ApiResult<Value> {
    let (mut answer, private) = data_key_pair(service, input, "GenerateDataKeyPair")?;
    answer["PrivateKeyPlaintext"] = BASE64_STANDARD.encode(private).into();
    Ok(answer)
}

pub(super) fn generate_data_key_pair_without_plaintext(
    service: &Service,
    input: Input,
) -> ApiResult<Value> {
    data_key_pair(service, input, "GenerateDataKeyPairWithoutPlaintext").map(|(answer, _)| answer)
}

/// The answer without the plaintext, and the plaintext.
fn data_key(service: &Service, mut input: Input, operation: &str) -> ApiResult<(Value, Vec<u8>)> {
    let wrapping = Wrapping::read(&mut input)?;
    let spec = input.one_of("KeySpec", &DATA_KEY_SPECS.map(|(name, _)| name))?;
    let count = input.number("NumberOfBytes", 1..=1024)?;
    let dry_run = input.flag("DryRun")?;
    input.validated()?;
    let named = DATA_KEY_SPECS
        .iter()
        .find(|(name, _)| spec.as_deref() == Some(*name));
    let len = match (named, count) {
        (Some((_, len)), None) => *len,
        (None, Some(count)) => count as usize,
        _ => {
            return Err(ApiError::validation(
                "Please specify either number of bytes or key spec.",
            ));
        }
    };
    let mut data_key = vec![0; len];
    random::fill(&mut data_key)?;
    let (core, ciphertext) = wrapping.seal(service, operation, &data_key)?;
    stop_at_dry_run(dry_run)?;
    let answer = json!({
        "CiphertextBlob": BASE64_STANDARD.encode(ciphertext),
        "KeyId": core.arn,
        "KeyMaterialId": core.material_id(),
    });
    Ok((answer, data_key))
}

/// The answer without the private key, and its PKCS#8.
fn data_key_pair(
    service: &Service,
    mut input: Input,
    operation: &str,
) -> ApiResult<(Value, Vec<u8>)> {
    let wrapping = Wrapping::read(&mut input)?;
    let spec = input.required_one_of("KeyPairSpec", &DATA_KEY_PAIR_SPECS)?;
    let dry_run = input.flag("DryRun")?;
    input.validated()?;
    let failed = || ApiError::cryptography("Key generation");
    let spec = KeySpec::by_name(&spec).ok_or_else(failed)?;
    // The usage is for the caller to choose; elliptic curve keys are encoded alike for each.
    let pair = Material::generate(spec, KeyUsage::SignVerify)?;
    let private = pair.to_bytes().map_err(|_| failed())?;
    let (core, ciphertext) = wrapping.seal(service, operation, &private)?;
    stop_at_dry_run(dry_run)?;
    let answer = json!({
        "KeyId": core.arn,
        "KeyMaterialId": core.material_id(),
        "KeyPairSpec": spec.name,
        "PrivateKeyCiphertextBlob": BASE64_STANDARD.encode(ciphertext),
        "PublicKey": BASE64_STANDARD.encode(pair.public_key().ok_or_else(failed)?),
    });
    Ok((answer, private))
}

/// The symmetric key that encrypts what is generated.
#[derive(Debug)]
struct Wrapping {
    key_id: String,
    context: Context,
}

impl Wrapping {
    fn read(input: &mut Input) -> ApiResult<Self> {
        Ok(Self {
            key_id: input.required_text("KeyId", KEY_ID_LEN)?,
            context: input.string_map("EncryptionContext")?,
        })
    }

    fn seal(
        &self,
        service: &Service,
        operation: &str,
        plaintext: &[u8],
    ) -> ApiResult<(Arc<KeyCore>, Vec<u8>)> {
        let core = service.enabled_key(&self.key_id)?;
        let material = core.material_for(KeyUsage::EncryptDecrypt, operation)?;
        if !core.spec.is_symmetric_encryption() {
            return Err(core.incompatible(SYMMETRIC_DEFAULT));
        }
        let ciphertext = ciphertext::seal(&core, material, &self.context, plaintext)?;
        Ok((core, ciphertext))
    }
}
