//! What is computed with a key inside KMS. Each operation is safe to repeat.

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{
    EncapsulationAlgorithmSpec, KeyAgreementAlgorithmSpec, MacAlgorithmSpec,
    MessageType as WireMessageType, SigningAlgorithmSpec,
};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::listing::{bad_answer, check_key};
use super::quota::Call;
use super::request::Requests;
use crate::kms::{
    KeyEntry, KmsError, KmsErrorKind as Kind, MacAlgorithm, MessageType, SigningAlgorithm,
};

/// Bytes of every ML-KEM shared secret (FIPS 203, table 3).
const ML_KEM_SECRET: usize = 32;

impl Requests {
    pub(super) async fn sign(
        &self,
        key: &KeyEntry,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: Vec<u8>,
        deadline: Instant,
    ) -> Result<Vec<u8>, KmsError> {
        const OPERATION: &str = "Sign";
        let asked = SigningAlgorithmSpec::from(algorithm.as_wire());
        let message_type = WireMessageType::from(message_type.as_wire());
        let message = Blob::new(message);
        let answer = self
            .ask_about(Call::sign(algorithm), &key.arn, deadline, |client| {
                client
                    .sign()
                    .key_id(&key.arn)
                    .message_type(message_type.clone())
                    .signing_algorithm(asked.clone())
                    .message(message.clone())
                    .send()
            })
            .await?;
        check_key(OPERATION, key, answer.key_id())?;
        check_algorithm(OPERATION, key, &asked, answer.signing_algorithm())?;
        match answer.signature {
            Some(signature) if !signature.as_ref().is_empty() => Ok(signature.into_inner()),
            _ => Err(bad_answer(OPERATION, Some(&key.arn), "no signature")),
        }
    }

    pub(super) async fn generate_mac(
        &self,
        key: &KeyEntry,
        algorithm: MacAlgorithm,
        message: Vec<u8>,
        deadline: Instant,
    ) -> Result<Vec<u8>, KmsError> {
        const OPERATION: &str = "GenerateMac";
        let asked = MacAlgorithmSpec::from(algorithm.as_wire());
        let message = Blob::new(message);
        let answer = self
            .ask_about(OPERATION, &key.arn, deadline, |client| {
                client
                    .generate_mac()
                    .key_id(&key.arn)
                    .mac_algorithm(asked.clone())
                    .message(message.clone())
                    .send()
            })
            .await?;
        check_key(OPERATION, key, answer.key_id())?;
        check_algorithm(OPERATION, key, &asked, answer.mac_algorithm())?;
        match answer.mac {
            Some(mac) if mac.as_ref().len() == algorithm.mac_len() => Ok(mac.into_inner()),
            _ => Err(bad_answer(
                OPERATION,
                Some(&key.arn),
                "no MAC of full length",
            )),
        }
    }

    pub(super) async fn verify_mac(
        &self,
        key: &KeyEntry,
        algorithm: MacAlgorithm,
        message: Vec<u8>,
        mac: Vec<u8>,
        deadline: Instant,
    ) -> Result<(), KmsError> {
        const OPERATION: &str = "VerifyMac";
        let asked = MacAlgorithmSpec::from(algorithm.as_wire());
        let (message, mac) = (Blob::new(message), Blob::new(mac));
        let answer = self
            .ask_about(OPERATION, &key.arn, deadline, |client| {
                client
                    .verify_mac()
                    .key_id(&key.arn)
                    .mac_algorithm(asked.clone())
                    .message(message.clone())
                    .mac(mac.clone())
                    .send()
            })
            .await?;
        check_key(OPERATION, key, answer.key_id())?;
        check_algorithm(OPERATION, key, &asked, answer.mac_algorithm())?;
        // KMS answers an error in this case; its model leaves room for this.
        if !answer.mac_valid() {
            let message = "KMS says that the MAC is not valid";
            return Err(KmsError::local(
                Kind::InvalidSignature,
                OPERATION,
                Some(&key.arn),
                message,
            ));
        }
        Ok(())
    }

    pub(super) async fn derive_shared_secret(
        &self,
        key: &KeyEntry,
        peer_spki: Vec<u8>,
        deadline: Instant,
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        const OPERATION: &str = "DeriveSharedSecret";
        let asked = KeyAgreementAlgorithmSpec::Ecdh;
        let peer = Blob::new(peer_spki);
        let answer = self
            .ask_about(OPERATION, &key.arn, deadline, |client| {
                client
                    .derive_shared_secret()
                    .key_id(&key.arn)
                    .key_agreement_algorithm(asked.clone())
                    .public_key(peer.clone())
                    .send()
            })
            .await?;
        let (key_id, used) = (answer.key_id, answer.key_agreement_algorithm);
        let shared = answer.shared_secret.map(secret);
        check_key(OPERATION, key, key_id.as_deref())?;
        check_algorithm(OPERATION, key, &asked, used.as_ref())?;
        shared
            .filter(|shared| !shared.is_empty())
            .ok_or_else(|| bad_answer(OPERATION, Some(&key.arn), "no shared secret"))
    }

    pub(super) async fn decapsulate(
        &self,
        key: &KeyEntry,
        ciphertext: Vec<u8>,
        deadline: Instant,
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        const OPERATION: &str = "Decapsulate";
        let asked = EncapsulationAlgorithmSpec::MlKem;
        let ciphertext = Blob::new(ciphertext);
        let answer = self
            .ask_about(OPERATION, &key.arn, deadline, |client| {
                client
                    .decapsulate()
                    .key_id(&key.arn)
                    .encapsulation_algorithm(asked.clone())
                    .shared_secret_ciphertext_blob(ciphertext.clone())
                    .send()
            })
            .await?;
        let (key_id, used) = (answer.key_id, answer.encapsulation_algorithm);
        let shared = answer.shared_secret.map(secret);
        check_key(OPERATION, key, key_id.as_deref())?;
        check_algorithm(OPERATION, key, &asked, used.as_ref())?;
        shared
            .filter(|shared| shared.len() == ML_KEM_SECRET)
            .ok_or_else(|| bad_answer(OPERATION, Some(&key.arn), "no shared secret of 32 bytes"))
    }
}

/// Wrapped before an answer is looked at any further, so that it is wiped whatever the checks say.
pub(super) fn secret(answered: Blob) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(answered.into_inner())
}

pub(super) fn check_algorithm<A: AsRef<str>>(
    operation: &'static str,
    key: &KeyEntry,
    asked: &A,
    answered: Option<&A>,
) -> Result<(), KmsError> {
    let asked = asked.as_ref();
    match answered.map(AsRef::as_ref) {
        Some(answered) if answered == asked => Ok(()),
        Some(other) => {
            let message = format!("algorithm {other} in place of {asked}");
            Err(bad_answer(operation, Some(&key.arn), message))
        }
        None => Err(bad_answer(operation, Some(&key.arn), "no algorithm")),
    }
}
