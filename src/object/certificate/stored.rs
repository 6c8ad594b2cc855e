//! Certificates of a token as objects: what is kept of them, where, and how their attributes read.

use std::path::PathBuf;
use std::sync::Arc;

use once_cell::sync::OnceCell;
use pkcs11_sys::*;

use super::{Certificate, Notes, attributes};
use crate::hex;
use crate::kms::KeyEntry;
use crate::object::Key;
use crate::object::template::Template;
use crate::object::value::{Value, flag, ulong};

/// What certificates have because they are storage objects.
const STORAGE: [CK_ATTRIBUTE_TYPE; 9] = [
    CKA_CLASS,
    CKA_TOKEN,
    CKA_PRIVATE,
    CKA_MODIFIABLE,
    CKA_COPYABLE,
    CKA_DESTROYABLE,
    CKA_LABEL,
    CKA_ID,
    CKA_UNIQUE_ID,
];

/// Where a certificate of a token is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In tags of the KMS key that it certifies, by its number among those of the key.
    Tags { entry: KeyEntry, index: u8 },
    /// In a PEM file; `own` for one that C_CreateObject wrote, which holds nothing else.
    File { path: Arc<PathBuf>, own: bool },
}

impl Place {
    /// CKA_UNIQUE_ID of this certificate there. Its SHA-256 is in it, so that another certificate that
    /// takes its place is another object.
    pub(crate) fn unique_id(&self, certificate: &Certificate) -> String {
        let fingerprint = hex::encode(&certificate.fingerprint());
        match self {
            Self::Tags { entry, index } => format!("{}#cert{index}-{fingerprint}", entry.arn),
            Self::File { path, .. } => format!("file:{}#{fingerprint}", path.display()),
        }
    }
}

/// A certificate that outlives sessions.
#[derive(Debug)]
pub(crate) struct StoredCertificate {
    pub(crate) certificate: Arc<Certificate>,
    pub(crate) notes: Notes,
    pub(crate) place: Place,
    unique_id: String,
    /// The key that it certifies, if the token has it. Empty until somebody needs to know: of a
    /// certificate in a file only the public keys tell.
    key: OnceCell<Option<Arc<Key>>>,
}

impl StoredCertificate {
    pub(crate) fn new(certificate: Arc<Certificate>, notes: Notes, place: Place) -> Self {
        Self {
            unique_id: place.unique_id(&certificate),
            certificate,
            notes,
            place,
            key: OnceCell::new(),
        }
    }

    /// The same without notice of a key.
    pub(crate) fn unlinked(&self) -> Self {
        Self {
            certificate: Arc::clone(&self.certificate),
            notes: self.notes.clone(),
            place: self.place.clone(),
            unique_id: self.unique_id.clone(),
            key: OnceCell::new(),
        }
    }

    /// Takes notice of the key that it certifies, or that there is none; the first notice stays.
    pub(crate) fn link(&self, key: Option<Arc<Key>>) {
        self.key.get_or_init(|| key);
    }

    /// The key that it certifies, as far as it is known.
    pub(crate) fn key(&self) -> Option<&Arc<Key>> {
        self.key.get()?.as_ref()
    }

    /// True for a certificate that certifies this public key.
    pub(crate) fn certifies(&self, key: &Key) -> bool {
        key.spki() == Some(self.certificate.spki())
    }

    pub(crate) fn unique_id(&self) -> &str {
        &self.unique_id
    }

    /// CKA_ID: what its creator said, else that of its key, else the usual key identifier. `None` while
    /// its key is not known.
    pub(crate) fn id(&self) -> Option<&[u8]> {
        self.name(
            self.notes.id.as_ref(),
            |key| &key.names.id,
            self.keyless_id(),
        )
    }

    /// CKA_LABEL: what its creator said, else that of its key, else none. `None` while its key is not
    /// known.
    pub(crate) fn label(&self) -> Option<&[u8]> {
        self.name(self.notes.label.as_ref(), |key| &key.names.label, &[])
    }

    /// CKA_ID, if the token does not have its key.
    pub(crate) fn keyless_id(&self) -> &[u8] {
        match &self.notes.id {
            Some(id) => id,
            None => self.certificate.key_identifier(),
        }
    }

    /// CKA_LABEL, if the token does not have its key.
    pub(crate) fn keyless_label(&self) -> &[u8] {
        self.notes.label.as_deref().unwrap_or_default()
    }

    /// True for one that this module wrote, and may change and remove.
    pub(crate) fn is_own(&self) -> bool {
        match self.place {
            Place::Tags { .. } => true,
            Place::File { own, .. } => own,
        }
    }

    /// Reads an attribute; `NotFetched` for names that hang on a key that is not known yet.
    pub(crate) fn read(&self, type_: CK_ATTRIBUTE_TYPE) -> Value<'_> {
        match type_ {
            CKA_CLASS => Value::Known(ulong(CKO_CERTIFICATE).into()),
            CKA_TOKEN | CKA_COPYABLE => Value::Known(flag(true).into()),
            CKA_PRIVATE => Value::Known(flag(false).into()),
            CKA_MODIFIABLE | CKA_DESTROYABLE => Value::Known(flag(self.is_own()).into()),
            CKA_UNIQUE_ID => Value::Known(self.unique_id.as_bytes().into()),
            CKA_ID => known(self.id()),
            CKA_LABEL => known(self.label()),
            other => match self.certificate.attribute(other, self.notes.category) {
                Some(value) => Value::Known(value),
                None => Value::Absent,
            },
        }
    }

    /// The bytes of all attributes.
    pub(crate) fn size(&self) -> usize {
        let of_certificate = attributes::TABLE.iter().map(|row| row.type_);
        STORAGE
            .into_iter()
            .chain(of_certificate)
            .filter_map(|type_| self.read(type_).into_known())
            .map(|value| value.len())
            .sum()
    }

    /// Whether a template describes it; `when_not_fetched` where that hangs on a name that is not
    /// known yet.
    pub(crate) fn matches(&self, template: &Template<'_>, when_not_fetched: bool) -> bool {
        template.iter().all(|attribute| {
            self.read(attribute.type_)
                .matches(attribute.value, when_not_fetched)
        })
    }

    fn name<'a>(
        &'a self,
        noted: Option<&'a Vec<u8>>,
        of_key: fn(&Key) -> &Vec<u8>,
        without_key: &'a [u8],
    ) -> Option<&'a [u8]> {
        match (noted, self.key.get()) {
            (Some(noted), _) => Some(noted),
            (None, Some(Some(key))) => Some(of_key(key)),
            (None, Some(None)) => Some(without_key),
            (None, None) => None,
        }
    }
}

fn known(name: Option<&[u8]>) -> Value<'_> {
    name.map_or(Value::NotFetched, |name| Value::Known(name.into()))
}
