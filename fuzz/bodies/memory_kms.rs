//! A KMS in memory, behind the port: it answers at once, the same for the same questions, and fails when told to.
//!
//! Its answers have the form of KMS's and no cryptography behind them: what signs, encrypts or derives here is
//! no secret and proves nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use zeroize::Zeroizing;

use crate::kms::*;

/// Of each key that KMS makes, the public half: DER of a `SubjectPublicKeyInfo`.
macro_rules! public_keys {
    ($($spec:ident $file:literal)+) => {
        /// `None` for a key without a public half.
        pub(super) fn public_key(spec: KeySpec) -> Option<&'static [u8]> {
            match spec {
                $(KeySpec::$spec => Some(include_bytes!(concat!("../keys/", $file, ".der"))),)+
                _ => None,
            }
        }
    };
}

public_keys! {
    Rsa2048 "RSA_2048"
    Rsa3072 "RSA_3072"
    Rsa4096 "RSA_4096"
    EccNistP256 "ECC_NIST_P256"
    EccNistP384 "ECC_NIST_P384"
    EccNistP521 "ECC_NIST_P521"
    EccSecgP256k1 "ECC_SECG_P256K1"
    EccNistEdwards25519 "ECC_NIST_EDWARDS25519"
    MlDsa44 "ML_DSA_44"
    MlDsa65 "ML_DSA_65"
    MlDsa87 "ML_DSA_87"
    MlKem512 "ML_KEM_512"
    MlKem768 "ML_KEM_768"
    MlKem1024 "ML_KEM_1024"
}

/// The keys that are there from the beginning.
const STOCK: [(KeySpec, KeyUsage); 13] = [
    (KeySpec::Rsa2048, KeyUsage::SignVerify),
    (KeySpec::Rsa2048, KeyUsage::EncryptDecrypt),
    (KeySpec::EccNistP256, KeyUsage::SignVerify),
    (KeySpec::EccNistP256, KeyUsage::KeyAgreement),
    (KeySpec::EccNistP521, KeyUsage::SignVerify),
    (KeySpec::EccSecgP256k1, KeyUsage::SignVerify),
    (KeySpec::EccNistEdwards25519, KeyUsage::SignVerify),
    (KeySpec::MlDsa44, KeyUsage::SignVerify),
    (KeySpec::MlKem768, KeyUsage::EncapsulateDecapsulate),
    (KeySpec::Hmac256, KeyUsage::GenerateVerifyMac),
    (KeySpec::Hmac512, KeyUsage::GenerateVerifyMac),
    (KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt),
    (KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt),
];

/// The most keys that there ever are: a listing stays short.
const MOST_KEYS: usize = 64;

/// What a ciphertext begins with, before the id of its key.
const MAGIC: &[u8] = b"blob";

#[derive(Debug, Default)]
pub(super) struct MemoryKms {
    state: Mutex<State>,
    logins: Logins,
}

#[derive(Debug, Default)]
struct State {
    keys: BTreeMap<String, Key>,
    /// The next requests fail with these.
    failures: Vec<KmsErrorKind>,
}

#[derive(Debug)]
struct Key {
    entry: KeyEntry,
    answer: KeyAnswer,
    tags: Tags,
    /// Why it cannot be used.
    refusal: Option<KmsErrorKind>,
}

impl MemoryKms {
    /// With a key of most kinds.
    pub(super) fn stocked() -> Self {
        let kms = Self::default();
        for (number, (spec, usage)) in STOCK.into_iter().enumerate() {
            let tags = Tags::from([
                ("p11:id".to_owned(), format!("{number:02x}")),
                ("p11:label".to_owned(), format!("stock {number}")),
            ]);
            kms.state.lock().add(spec, usage, tags, None);
        }
        kms
    }

    /// Has a request to come fail, the last one that was told first.
    pub(super) fn fail(&self, kind: KmsErrorKind) {
        self.state.lock().failures.push(kind);
    }

    /// No request fails any more.
    pub(super) fn heal(&self) {
        self.state.lock().failures.clear();
    }

    fn answer<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut State) -> Result<T, KmsErrorKind>,
    ) -> Result<T, KmsError> {
        let mut state = self.state.lock();
        let result = match state.failures.pop() {
            Some(kind) => Err(kind),
            None => work(&mut state),
        };
        result.map_err(|kind| KmsError::local(kind, operation, None, "as the input demands"))
    }

    /// Work with a key that can be used.
    fn with<T>(
        &self,
        operation: &'static str,
        key: &KeyEntry,
        work: impl FnOnce(&mut Key) -> Result<T, KmsErrorKind>,
    ) -> Result<T, KmsError> {
        self.answer(operation, |state| {
            let key = state.key(key)?;
            key.refusal.map_or_else(|| work(key), Err)
        })
    }

    /// Work with a key in any state.
    fn manage(
        &self,
        operation: &'static str,
        key: &KeyEntry,
        work: impl FnOnce(&mut Key),
    ) -> Result<(), KmsError> {
        self.answer(operation, |state| state.key(key).map(work))
    }
}

impl State {
    fn add(
        &mut self,
        spec: KeySpec,
        usage: KeyUsage,
        tags: Tags,
        refusal: Option<KmsErrorKind>,
    ) -> KeyEntry {
        let key_id = format!("00000000-0000-4000-8000-{:012}", self.keys.len());
        let entry = KeyEntry {
            arn: format!("arn:aws:kms:eu-west-1:111122223333:key/{key_id}"),
            key_id: key_id.clone(),
        };
        let key = Key {
            entry: entry.clone(),
            answer: KeyAnswer {
                spec,
                usage,
                public: public_key(spec).map(<[u8]>::to_vec),
                local: spec.is_symmetric().then_some(refusal.is_none()),
            },
            tags,
            refusal,
        };
        self.keys.insert(key_id, key);
        entry
    }

    fn create(
        &mut self,
        request: &NewKey,
        refusal: Option<KmsErrorKind>,
    ) -> Result<KeyEntry, KmsErrorKind> {
        if self.keys.len() >= MOST_KEYS {
            return Err(KmsErrorKind::LimitExceeded);
        }
        Ok(self.add(request.spec, request.usage, request.tags.clone(), refusal))
    }

    fn key(&mut self, entry: &KeyEntry) -> Result<&mut Key, KmsErrorKind> {
        self.keys
            .get_mut(&entry.key_id)
            .ok_or(KmsErrorKind::NotFound)
    }
}

impl Kms for MemoryKms {
    fn log_in(&self, _: Identity) -> Result<(), KmsError> {
        self.answer("GetCallerIdentity", |_| Ok(()))
    }

    fn log_out(&self) {}

    fn places(&self) -> Vec<Box<dyn Kms>> {
        Vec::new()
    }

    fn logins(&self) -> &Logins {
        &self.logins
    }

    fn list_keys(&self) -> Result<Vec<KeyEntry>, KmsError> {
        self.answer("ListKeys", |state| {
            Ok(state.keys.values().map(|key| key.entry.clone()).collect())
        })
    }

    fn list_tags(&self, keys: &[KeyEntry]) -> Vec<Result<Tags, KmsError>> {
        let tags = |entry| {
            self.answer("ListResourceTags", |state| {
                state.key(entry).map(|key| key.tags.clone())
            })
        };
        keys.iter().map(tags).collect()
    }

    fn list_tagged(&self, wanted: &Tags) -> Result<Vec<(KeyEntry, Tags)>, KmsError> {
        self.answer("GetResources", |state| {
            let keys = state.keys.values();
            let tagged = keys.filter(|key| {
                let has = |(name, value): (&String, &String)| key.tags.get(name) == Some(value);
                wanted.iter().all(has)
            });
            Ok(tagged
                .map(|key| (key.entry.clone(), key.tags.clone()))
                .collect())
        })
    }

    fn list_aliases(&self) -> Result<Vec<Alias>, KmsError> {
        self.answer("ListAliases", |_| Ok(Vec::new()))
    }

    fn describe_key(&self, id: &str) -> Result<KeyEntry, KmsError> {
        self.answer("DescribeKey", |state| {
            let mut keys = state.keys.values();
            let found =
                keys.find(|key| [&key.entry.arn, &key.entry.key_id].contains(&&id.to_owned()));
            found
                .map(|key| key.entry.clone())
                .ok_or(KmsErrorKind::NotFound)
        })
    }

    fn read_keys(&self, keys: &[KeyEntry], _: Stage) -> Vec<Result<KeyAnswer, KmsError>> {
        let read = |key| self.with("GetPublicKey", key, |key| Ok(key.answer.clone()));
        keys.iter().map(read).collect()
    }

    fn create_key(&self, request: &NewKey, _: &Search) -> Result<KeyEntry, KmsError> {
        self.answer("CreateKey", |state| state.create(request, None))
    }

    fn create_key_for_import(&self, request: &NewKey, _: &Search) -> Result<KeyEntry, KmsError> {
        self.answer("CreateKey", |state| {
            state.create(request, Some(KmsErrorKind::InvalidState))
        })
    }

    fn keys_elsewhere(&self, _: &KeyEntry) -> Vec<KeyEntry> {
        Vec::new()
    }

    fn replicate(&self, _: &KeyEntry, _: &NewKey) -> Result<Vec<KeyEntry>, KmsError> {
        self.answer("ReplicateKey", |_| Ok(Vec::new()))
    }

    fn awaits_import(
        &self,
        key: &KeyEntry,
        spec: KeySpec,
        usage: KeyUsage,
        _: Sent,
    ) -> Result<bool, KmsError> {
        self.answer("DescribeKey", |state| {
            let key = state.key(key)?;
            let is_alike = (key.answer.spec, key.answer.usage) == (spec, usage);
            Ok(is_alike && key.refusal == Some(KmsErrorKind::InvalidState))
        })
    }

    fn import_parameters(
        &self,
        key: &KeyEntry,
        _: WrappingAlgorithm,
    ) -> Result<ImportParameters, KmsError> {
        self.answer("GetParametersForImport", |state| {
            state.key(key)?;
            Ok(ImportParameters {
                wrapping_key: public_key(KeySpec::Rsa4096).unwrap_or_default().to_vec(),
                token: vec![7; 64],
            })
        })
    }

    fn import_material(
        &self,
        key: &KeyEntry,
        _: &[u8],
        _: &[u8],
        _: Option<Duration>,
    ) -> Result<(), KmsError> {
        self.manage("ImportKeyMaterial", key, |key| key.refusal = None)
    }

    fn await_key(&self, key: &KeyEntry, _: KeySpec, _: KeyUsage) -> Result<KeyAnswer, KmsError> {
        self.with("GetPublicKey", key, |key| Ok(key.answer.clone()))
    }

    fn sign(
        &self,
        key: &KeyEntry,
        _: SigningAlgorithm,
        _: MessageType,
        message: &[u8],
    ) -> Result<Vec<u8>, KmsError> {
        self.with("Sign", key, |key| {
            let len = match key.answer.spec {
                KeySpec::Rsa2048 => 256,
                KeySpec::Rsa3072 => 384,
                KeySpec::Rsa4096 => 512,
                KeySpec::EccNistEdwards25519 => 64,
                KeySpec::MlDsa44 => 2420,
                KeySpec::MlDsa65 => 3309,
                KeySpec::MlDsa87 => 4627,
                // r = 1, and s of one byte that is of the message.
                _ => {
                    let s = message.first().map_or(1, |byte| byte & 0x7f | 1);
                    return Ok(vec![0x30, 6, 2, 1, 1, 2, 1, s]);
                }
            };
            Ok(stretched(message, len))
        })
    }

    fn generate_mac(
        &self,
        key: &KeyEntry,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KmsError> {
        self.with("GenerateMac", key, |_| {
            Ok(stretched(message, algorithm.mac_len()))
        })
    }

    fn verify_mac(
        &self,
        key: &KeyEntry,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), KmsError> {
        self.with("VerifyMac", key, |_| {
            let is_equal = stretched(message, algorithm.mac_len()) == mac;
            is_equal.then_some(()).ok_or(KmsErrorKind::InvalidSignature)
        })
    }

    fn derive_shared_secret(
        &self,
        key: &KeyEntry,
        peer_spki: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        self.with("DeriveSharedSecret", key, |key| {
            let len = match key.answer.spec {
                KeySpec::EccNistP384 => 48,
                KeySpec::EccNistP521 => 66,
                _ => 32,
            };
            Ok(stretched(peer_spki, len).into())
        })
    }

    fn decapsulate(
        &self,
        key: &KeyEntry,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        self.with("Decapsulate", key, |_| Ok(stretched(ciphertext, 32).into()))
    }

    fn encrypt(
        &self,
        key: &KeyEntry,
        plaintext: &[u8],
        _: &EncryptionContext,
    ) -> Result<Vec<u8>, KmsError> {
        self.with("Encrypt", key, |key| Ok(key.blob(plaintext)))
    }

    fn decrypt(
        &self,
        key: &KeyEntry,
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
        _: &EncryptionContext,
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        self.with("Decrypt", key, |key| {
            let plaintext = match algorithm {
                EncryptionAlgorithm::SymmetricDefault => key.plaintext(ciphertext)?,
                // As many bytes as the ciphertext says, any.
                _ => &ciphertext[..usize::from(ciphertext[0] % 191).min(ciphertext.len())],
            };
            Ok(plaintext.to_vec().into())
        })
    }

    fn generate_data_key(
        &self,
        key: &KeyEntry,
        len: usize,
        _: &EncryptionContext,
    ) -> Result<DataKey, KmsError> {
        self.with("GenerateDataKey", key, |key| {
            let plaintext = stretched(b"data key", len);
            Ok(DataKey {
                ciphertext: key.blob(&plaintext),
                plaintext: plaintext.into(),
            })
        })
    }

    fn re_encrypt(&self, request: &Move) -> Result<Vec<u8>, KmsError> {
        let source = request.source.as_ref().unwrap_or(&request.destination);
        let plaintext = self.with("ReEncrypt", source, |key| {
            key.plaintext(&request.ciphertext).map(<[u8]>::to_vec)
        })?;
        self.with("ReEncrypt", &request.destination, |key| {
            Ok(key.blob(&plaintext))
        })
    }

    fn rotation_status(&self, key: &KeyEntry) -> Result<RotationStatus, KmsError> {
        self.with("GetKeyRotationStatus", key, |_| {
            Ok(RotationStatus {
                enabled: true,
                period_days: Some(365),
                next: Some("20270131".to_owned()),
                on_demand: None,
            })
        })
    }

    fn rotation_counts(&self, key: &KeyEntry) -> Result<RotationCounts, KmsError> {
        self.with("ListKeyRotations", key, |_| {
            Ok(RotationCounts {
                automatic: 2,
                on_demand: 1,
            })
        })
    }

    fn tag(&self, key: &KeyEntry, tags: &Tags) -> Result<(), KmsError> {
        self.manage("TagResource", key, |key| {
            key.tags.extend(tags.clone());
        })
    }

    fn untag(&self, key: &KeyEntry, tag_keys: &[String]) -> Result<(), KmsError> {
        self.manage("UntagResource", key, |key| {
            key.tags.retain(|name, _| !tag_keys.contains(name));
        })
    }

    fn schedule_deletion(&self, key: &KeyEntry, _: u8, _: Sent) -> Result<(), KmsError> {
        self.manage("ScheduleKeyDeletion", key, |key| {
            key.refusal = Some(KmsErrorKind::InvalidState);
        })
    }

    fn is_pending_deletion(&self, key: &KeyEntry) -> Result<bool, KmsError> {
        self.answer("DescribeKey", |state| {
            let key = state.key(key)?;
            Ok(key.refusal == Some(KmsErrorKind::InvalidState))
        })
    }

    fn disable(&self, key: &KeyEntry) -> Result<(), KmsError> {
        self.manage("DisableKey", key, |key| {
            key.refusal = Some(KmsErrorKind::Disabled);
        })
    }

    fn log_counts(&self) {}

    fn random(&self, out: &mut [u8]) -> Result<(), KmsError> {
        self.answer("GenerateRandom", |_| {
            out.copy_from_slice(&stretched(b"random", out.len()));
            Ok(())
        })
    }
}

impl Key {
    fn blob(&self, plaintext: &[u8]) -> Vec<u8> {
        [MAGIC, self.entry.key_id.as_bytes(), plaintext].concat()
    }

    fn plaintext<'c>(&self, ciphertext: &'c [u8]) -> Result<&'c [u8], KmsErrorKind> {
        ciphertext
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.strip_prefix(self.entry.key_id.as_bytes()))
            .ok_or(KmsErrorKind::InvalidCiphertext)
    }
}

/// As many bytes as wanted, made of others.
fn stretched(bytes: &[u8], len: usize) -> Vec<u8> {
    let seed = bytes
        .iter()
        .fold(1u8, |sum, byte| sum.wrapping_mul(31) ^ byte);
    (0..len)
        .map(|index| seed.wrapping_add(index.to_le_bytes()[0]))
        .collect()
}
