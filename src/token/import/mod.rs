//! C_CreateObject and C_UnwrapKey of keys that are to live in KMS: a key without material is made, and
//! theirs is handed in, wrapped.

mod private;
mod public;
mod secret;

use pkcs11_sys::*;

use super::Token;
use super::generate::{Wanted, new_mark, new_material};
use super::replicas::ORPHAN_WINDOW_DAYS;
use crate::crypto::{Hash, PrivateKey, PublicKey, RsaPublicKey, oaep, rsa_aes};
use crate::error::{Error, Result};
use crate::kms::{
    CREATED_TAG, ImportParameters, KeyAnswer, KeyEntry, KmsErrorKind, NewKey, Phase, Sent, Stage,
    WrappingAlgorithm,
};
use crate::object::template::Template;
use crate::object::{KeyMaterial, Names, Part};

/// What is handed in.
#[derive(Clone, Copy)]
enum Material<'a> {
    Private(&'a PrivateKey),
    Secret(&'a [u8]),
}

impl Token {
    /// Imports the private key that a template of C_CreateObject spells out.
    pub(crate) fn import_private(&self, template: &Template<'_>) -> Result<CK_OBJECT_HANDLE> {
        self.check_makes_keys()?;
        self.check_keeps(&[template])?;
        let (wanted, key) = private::created(&self.config, template)?;
        let entry = self.import(&wanted, Material::Private(&key))?;
        self.handle_of(&entry, Part::Private)
    }

    /// Checks all that can be checked of a template for C_UnwrapKey of a private key before the key is there.
    pub(crate) fn check_import_private(&self, template: &Template<'_>) -> Result<()> {
        self.check_makes_keys()?;
        self.check_keeps(&[template])?;
        private::check_unwrapped(template)
    }

    /// The same of a secret key: the bytes that it has to have, where the template tells.
    pub(crate) fn check_import_secret(&self, template: &Template<'_>) -> Result<Option<usize>> {
        self.check_makes_keys()?;
        self.check_keeps(&[template])?;
        secret::check_unwrapped(template)
    }

    /// Imports the private key of a PKCS#8 that was wrapped.
    pub(crate) fn import_unwrapped_private(
        &self,
        template: &Template<'_>,
        pkcs8: &[u8],
    ) -> Result<CK_OBJECT_HANDLE> {
        let (wanted, key) = private::unwrapped(&self.config, template, pkcs8)?;
        let entry = self.import(&wanted, Material::Private(&key))?;
        self.handle_of(&entry, Part::Private)
    }

    /// Imports the secret key that a template of C_CreateObject spells out.
    pub(crate) fn import_secret(&self, template: &Template<'_>) -> Result<CK_OBJECT_HANDLE> {
        self.check_makes_keys()?;
        self.check_keeps(&[template])?;
        let (wanted, value) = secret::created(template)?;
        let entry = self.import(&wanted, Material::Secret(value))?;
        self.handle_of(&entry, Part::Secret)
    }

    /// Imports the secret key that was wrapped.
    pub(crate) fn import_unwrapped_secret(
        &self,
        template: &Template<'_>,
        value: &[u8],
    ) -> Result<CK_OBJECT_HANDLE> {
        let wanted = secret::unwrapped(template, value.len())?;
        let entry = self.import(&wanted, Material::Secret(value))?;
        self.handle_of(&entry, Part::Secret)
    }

    /// Hands in material for a key that waits for it, or else for a new one.
    fn import(&self, wanted: &Wanted, material: Material<'_>) -> Result<KeyEntry> {
        let mark = new_mark()?;
        let request = self.request(wanted, mark.clone())?;
        // The other keys first: a token that cannot be listed makes no key that nobody would find.
        self.view.snapshot()?;
        let waiting = self.waiting_key(&request, &wanted.names.private)?;
        let (entry, tags, known) = if let Some(entry) = waiting {
            let answer = self.hand_in(&entry, &request, material);
            let tags = self.view.ask(|inventory| inventory.tags_of(&entry));
            let answer = answer.map_err(|(error, _)| error)?;
            self.hand_in_elsewhere(&entry, &request, material)?;
            let known = material.check(&entry, &answer)?;
            (entry, tags, known)
        } else {
            let (entry, known) = self.make_and_hand_in(&request, mark, material)?;
            (entry, request.tags, known)
        };
        self.materials.forget_failure(&entry);
        self.take_in(&entry, tags, known)?;
        let (spec, usage) = (wanted.spec, wanted.usage);
        tracing::info!("{}: imported ({spec}, {usage})", entry.arn);
        Ok(entry)
    }

    /// The key of these names that was imported before and whose material expired or never came.
    ///
    /// Nameless keys cannot be told apart: each is a new one.
    fn waiting_key(&self, request: &NewKey, names: &Names) -> Result<Option<KeyEntry>> {
        if names.id.is_empty() && names.label.is_empty() {
            return Ok(None);
        }
        let mut tags = request.tags.clone();
        tags.remove(CREATED_TAG);
        let same = self.view.ask(|inventory| inventory.with_tags(&tags));
        for entry in same {
            let waits = self
                .kms
                .awaits_import(&entry, request.spec, request.usage, Sent::WhenUp)
                .map_err(|error| error.into_error(Phase::Generate))?;
            if waits {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// A new key, which is not left behind without its material.
    fn make_and_hand_in(
        &self,
        request: &NewKey,
        mark: String,
        material: Material<'_>,
    ) -> Result<(KeyEntry, KeyMaterial)> {
        let entry = self
            .kms
            .create_key_for_import(request, &self.view.search(mark))
            .map_err(|error| error.into_error(Phase::Generate))?;
        let handed_in = self.hand_in(&entry, request, material).and_then(|answer| {
            let known = material.check(&entry, &answer);
            known.map_err(|error| (error, Left::Material))
        });
        match handed_in {
            Ok(known) => {
                self.import_replicas(&entry, request, material)?;
                Ok((entry, known))
            }
            Err((error, Left::Material)) => {
                self.withdraw_from_regions(&entry, request);
                Err(error)
            }
            Err((error, Left::Nothing)) => {
                self.retire(&entry, request);
                Err(error)
            }
        }
    }

    /// Replicates a key with imported material, which KMS leaves to whoever has it.
    fn import_replicas(
        &self,
        key: &KeyEntry,
        request: &NewKey,
        material: Material<'_>,
    ) -> Result<()> {
        for replica in self.replicate(key, request)? {
            if let Err((error, _)) = self.hand_in(&replica, request, material) {
                self.withdraw(key);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Hands in material that a key had before for those of its replicas that wait for it, too.
    fn hand_in_elsewhere(
        &self,
        key: &KeyEntry,
        request: &NewKey,
        material: Material<'_>,
    ) -> Result<()> {
        for replica in self.kms.keys_elsewhere(key) {
            match self
                .kms
                .awaits_import(&replica, request.spec, request.usage, Sent::WhenUp)
            {
                Ok(true) => {
                    self.hand_in(&replica, request, material)
                        .map_err(|(error, _)| error)?;
                }
                Ok(false) => {}
                Err(error) if error.kind == KmsErrorKind::NotFound => {}
                Err(error) => return Err(error.into_error(Phase::Generate)),
            }
        }
        Ok(())
    }

    /// Has a key deleted that will not get its material, or else says that it is there.
    ///
    /// It is looked at again before: another program may have found it waiting and have put its own
    /// material in, or that of a request whose answer was lost may have arrived.
    fn retire(&self, key: &KeyEntry, request: &NewKey) {
        // Whatever the call has used up.
        Stage::Request.anew();
        let waits = self
            .kms
            .awaits_import(key, request.spec, request.usage, Sent::Anyway)
            .and_then(|waits| {
                if waits {
                    self.kms
                        .schedule_deletion(key, ORPHAN_WINDOW_DAYS, Sent::Anyway)?;
                }
                Ok(waits)
            });
        match waits {
            Ok(true) => tracing::warn!(
                "{}: made for an import that failed; it is deleted in {ORPHAN_WINDOW_DAYS} days",
                key.arn
            ),
            Ok(false) => tracing::warn!(
                "{}: made for an import that failed, but it does not wait for material any more: it stays",
                key.arn
            ),
            Err(error) => tracing::error!(
                "{}: made for an import that failed, and it could not be deleted: it stays, waiting for \
                 its material, until somebody deletes it: {error}",
                key.arn
            ),
        }
    }

    fn hand_in(
        &self,
        key: &KeyEntry,
        request: &NewKey,
        material: Material<'_>,
    ) -> std::result::Result<KeyAnswer, (Error, Left)> {
        let parameters = self
            .kms
            .import_parameters(key, material.wrapping())
            .map_err(|error| (error.into_error(Phase::Generate), Left::Nothing))?;
        let wrapped = material
            .wrap(&parameters)
            .map_err(|error| (error, Left::Nothing))?;
        let lifetime = self.config.import_lifetime();
        self.kms
            .import_material(key, &parameters.token, &wrapped, lifetime)
            .map_err(|error| (error.into_error(Phase::Generate), Left::Nothing))?;
        self.kms
            .await_key(key, request.spec, request.usage)
            .map_err(|error| (self.left_over(key, request, error), Left::Material))
    }
}

/// What a failed import leaves in the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    Material,
}

impl Material<'_> {
    /// What KMS tells of the key that it was handed in for, whose public half must be its own.
    fn check(self, entry: &KeyEntry, answer: &KeyAnswer) -> Result<KeyMaterial> {
        if let Self::Private(key) = self
            && answer.public.as_deref() != Some(key.public().spki())
        {
            return Err(Error::new(
                CKR_DEVICE_ERROR,
                format!("{} has another public key than was imported", entry.arn),
            ));
        }
        new_material(entry, answer)
    }

    fn wrapping(self) -> WrappingAlgorithm {
        match self {
            Self::Private(_) => WrappingAlgorithm::RsaAesKeyWrapSha256,
            Self::Secret(_) => WrappingAlgorithm::RsaOaepSha256,
        }
    }

    fn wrap(self, parameters: &ImportParameters) -> Result<Vec<u8>> {
        const HASH: Hash = Hash::Sha256;
        let failed = |error: String| Error::new(CKR_DEVICE_ERROR, error);
        let wrapping_key = wrapping_key(parameters)?;
        match self {
            Self::Private(key) => {
                rsa_aes::wrap(&wrapping_key, HASH, rsa_aes::AES_KEY_LEN, key.pkcs8())
                    .map_err(|error| failed(error.to_string()))
            }
            Self::Secret(value) => {
                oaep::encrypt(&wrapping_key, HASH, value).map_err(|error| failed(error.to_string()))
            }
        }
    }
}

fn wrapping_key(parameters: &ImportParameters) -> Result<RsaPublicKey> {
    match PublicKey::from_spki(&parameters.wrapping_key) {
        Ok(PublicKey::Rsa(key)) => Ok(key),
        _ => Err(Error::new(
            CKR_DEVICE_ERROR,
            "KMS answered a wrapping key that is no RSA key",
        )),
    }
}
