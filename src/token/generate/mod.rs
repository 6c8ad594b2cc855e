//! C_GenerateKeyPair and C_GenerateKey: templates become one CreateKey request.

pub(super) mod pair;
mod policy;
pub(super) mod secret;

use std::sync::Arc;

use pkcs11_sys::*;

use super::inventory::Inventory;
use super::names::PairNames;
use super::{Token, restrictions};
use crate::config::{OnDestroy, Selection};
use crate::crypto::random;
use crate::error::{Error, Result};
use crate::hex;
use crate::kms::{
    CREATED_TAG, KeyAnswer, KeyEntry, KeySpec, KeyUsage, KmsError, NewKey, Phase, Tags,
};
use crate::mechanism::Mechanism;
use crate::object::attributes::Making;
use crate::object::template::Template;
use crate::object::value::mechanisms_in;
use crate::object::{KeyMaterial, Names, Part, Restrictions, attributes};

/// The handles of a new pair.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewPair {
    pub(crate) public: CK_OBJECT_HANDLE,
    pub(crate) private: CK_OBJECT_HANDLE,
}

/// What templates ask for.
pub(super) struct Wanted {
    pub(super) spec: KeySpec,
    pub(super) usage: KeyUsage,
    pub(super) names: PairNames,
    pub(super) restrictions: Restrictions,
}

impl Token {
    /// Makes a key pair in KMS and waits until it can be used.
    pub(crate) fn generate_pair(
        &self,
        mechanism: Mechanism<'_>,
        public: &Template<'_>,
        private: &Template<'_>,
    ) -> Result<NewPair> {
        self.check_makes_keys()?;
        let (spec, usage) = pair::kind(&self.config, mechanism, public, private)?;
        self.check_keeps(&[public, private])?;
        let entry = self.create(&Wanted {
            spec,
            usage,
            names: PairNames {
                private: names(private),
                public: names(public),
            },
            restrictions: Restrictions {
                key_type: None,
                mechanisms: restriction(private),
                public_mechanisms: restriction(public),
                imported: false,
            },
        })?;
        Ok(NewPair {
            public: self.handle_of(&entry, Part::Public)?,
            private: self.handle_of(&entry, Part::Private)?,
        })
    }

    /// Makes an HMAC key or a symmetric one in KMS and waits until it can be used.
    pub(crate) fn generate_secret(
        &self,
        mechanism: Mechanism<'_>,
        template: &Template<'_>,
    ) -> Result<CK_OBJECT_HANDLE> {
        self.check_makes_keys()?;
        let (spec, usage, key_type) = secret::kind(mechanism, template)?;
        self.check_keeps(&[template])?;
        let names = names(template);
        let entry = self.create(&Wanted {
            spec,
            usage,
            names: PairNames {
                private: names.clone(),
                public: names,
            },
            restrictions: Restrictions {
                key_type,
                mechanisms: restriction(template),
                public_mechanisms: None,
                imported: false,
            },
        })?;
        self.handle_of(&entry, Part::Secret)
    }

    pub(super) fn check_makes_keys(&self) -> Result<()> {
        self.check_login()?;
        match self.config.selection {
            Selection::Keys(_) => Err(Error::new(
                CKR_TOKEN_WRITE_PROTECTED,
                "the token shows the keys that its configuration lists; a new one would not be among them",
            )),
            _ => Ok(()),
        }
    }

    /// Refuses a key that is not to be destroyed in a token whose keys can be: the promise would not be kept.
    pub(super) fn check_keeps(&self, templates: &[&Template<'_>]) -> Result<()> {
        for template in templates {
            let to_be_kept = template.flag(CKA_DESTROYABLE)? == Some(false);
            if to_be_kept && self.config.on_destroy != OnDestroy::Refuse {
                return Err(Error::new(
                    CKR_TEMPLATE_INCONSISTENT,
                    "CKA_DESTROYABLE: the keys of a token can be destroyed unless its configuration says \
                     on_destroy = \"refuse\"",
                ));
            }
        }
        Ok(())
    }

    fn create(&self, wanted: &Wanted) -> Result<KeyEntry> {
        let mark = new_mark()?;
        let request = self.request(wanted, mark.clone())?;
        // The other keys first: a token that cannot be listed makes no key that nobody would find.
        self.view.snapshot()?;
        let entry = self
            .kms
            .create_key(&request, &self.view.search(mark))
            .map_err(|error| error.into_error(Phase::Generate))?;
        let material = self.complete(&entry, &request)?;
        self.take_in(&entry, request.tags, material)?;
        tracing::info!("{}: created ({}, {})", entry.arn, wanted.spec, wanted.usage);
        Ok(entry)
    }

    /// Waits until a new key can be used, and has it replicated. One that cannot be everywhere is kept nowhere.
    fn complete(&self, entry: &KeyEntry, request: &NewKey) -> Result<KeyMaterial> {
        let material = self
            .kms
            .await_key(entry, request.spec, request.usage)
            .map_err(|error| self.left_over(entry, request, error))
            .and_then(|answer| new_material(entry, &answer))
            .inspect_err(|_| self.withdraw_from_regions(entry, request))?;
        self.replicate(entry, request)?;
        Ok(material)
    }

    /// Has a new key deleted that is not to be in one region alone.
    pub(super) fn withdraw_from_regions(&self, entry: &KeyEntry, request: &NewKey) {
        if self.is_for_regions(entry, request) {
            self.withdraw(entry);
        }
    }

    fn is_for_regions(&self, entry: &KeyEntry, request: &NewKey) -> bool {
        request.multi_region && !self.kms.keys_elsewhere(entry).is_empty()
    }

    /// Says of a new key that cannot be used that it is there, and what becomes of it.
    pub(super) fn left_over(&self, entry: &KeyEntry, request: &NewKey, error: KmsError) -> Error {
        let lack = &error.message;
        let message = if self.is_for_regions(entry, request) {
            format!("the key was created, but {lack}")
        } else {
            format!(
                "the key was created and stays, but {lack}; it is found by its names once it can be read, and if \
                 nobody wants it, aws kms schedule-key-deletion deletes it"
            )
        };
        KmsError { message, ..error }.into_error(Phase::Generate)
    }

    /// What KMS is asked for; the mark is one that no other key has.
    pub(super) fn request(&self, wanted: &Wanted, mark: String) -> Result<NewKey> {
        let mut tags = wanted.names.to_tags()?;
        tags.extend(restrictions::to_tags(&wanted.restrictions)?);
        tags.extend(self.config.tags().clone());
        tags.extend(self.config.new_key_tags.clone());
        tags.insert(CREATED_TAG.to_owned(), mark);
        let policy = self.config.policy_file.as_deref().map(policy::read);
        Ok(NewKey {
            spec: wanted.spec,
            usage: wanted.usage,
            description: self.config.description.as_str().to_owned(),
            tags,
            policy: policy.transpose()?,
            multi_region: self.config.replicas.multi_region,
        })
    }

    /// Shows a key that this process made.
    pub(super) fn take_in(
        &self,
        entry: &KeyEntry,
        tags: Tags,
        material: KeyMaterial,
    ) -> Result<()> {
        let created =
            |inventory: &mut Inventory| inventory.created(entry.clone(), tags, Arc::new(material));
        if self.view.change(created) {
            return Ok(());
        }
        Err(Error::of_kms(
            CKR_USER_NOT_LOGGED_IN,
            format!(
                "{} was made, but the login that it was made under has ended meanwhile: it is found by its names \
                 after a login that may read it",
                entry.arn
            ),
        ))
    }

    pub(super) fn handle_of(&self, entry: &KeyEntry, part: Part) -> Result<CK_OBJECT_HANDLE> {
        self.view
            .latest()
            .objects()
            .find(|shown| shown.part == part && shown.key.entry == *entry)
            .map(|shown| shown.handle)
            .ok_or_else(|| Error::new(CKR_GENERAL_ERROR, "the new key is not in the snapshot"))
    }
}

/// What KMS tells of a key that this process made.
pub(super) fn new_material(entry: &KeyEntry, answer: &KeyAnswer) -> Result<KeyMaterial> {
    KeyMaterial::new(answer).map_err(|error| {
        Error::new(
            CKR_DEVICE_ERROR,
            format!("{} was made, but: {error}", entry.arn),
        )
    })
}

/// What no other key's tag [`CREATED_TAG`] says: 128 random bits.
pub(super) fn new_mark() -> Result<String> {
    let mut bytes = [0; 16];
    random::fill(&mut bytes).map_err(|error| Error::new(CKR_FUNCTION_FAILED, error.to_string()))?;
    Ok(hex::encode(&bytes))
}

/// Checks every attribute of one template by the attribute table, and what its class and key type
/// say.
pub(super) fn check(
    making: Making,
    template: &Template<'_>,
    part: Part,
    key_type: CK_KEY_TYPE,
) -> Result<()> {
    for attribute in template.iter() {
        attributes::check_at_generate(making, attribute.type_, attribute.value, part, key_type)?;
    }
    template.check_no_contradiction()?;
    for (type_, wanted) in [(CKA_CLASS, part.class()), (CKA_KEY_TYPE, key_type)] {
        if template.ulong(type_)?.is_some_and(|given| given != wanted) {
            return Err(Error::new(
                CKR_TEMPLATE_INCONSISTENT,
                format!(
                    "{} contradicts the rest of the request",
                    attributes::name(type_)
                ),
            ));
        }
    }
    if template.flag(CKA_TOKEN)? != Some(true) {
        return Err(Error::new(
            CKR_TEMPLATE_INCONSISTENT,
            "keys in KMS outlive the session: the template needs CKA_TOKEN = CK_TRUE",
        ));
    }
    Ok(())
}

pub(super) fn names(template: &Template<'_>) -> Names {
    let bytes = |type_| template.get(type_).unwrap_or_default().to_vec();
    Names {
        id: bytes(CKA_ID),
        label: bytes(CKA_LABEL),
    }
}

pub(super) fn restriction(template: &Template<'_>) -> Option<Vec<CK_MECHANISM_TYPE>> {
    template.get(CKA_ALLOWED_MECHANISMS).map(mechanisms_in)
}

pub(super) fn missing(attribute: &str) -> Error {
    Error::new(
        CKR_TEMPLATE_INCOMPLETE,
        format!("the template has no {attribute}"),
    )
}

pub(super) fn bad(attribute: &str, advice: &str) -> Error {
    Error::new(
        CKR_ATTRIBUTE_VALUE_INVALID,
        format!("{attribute}: {advice}"),
    )
}

pub(super) fn no_use(uses: &str) -> Error {
    Error::new(
        CKR_TEMPLATE_INCONSISTENT,
        format!("the template leaves the key without use: set {uses}"),
    )
}
