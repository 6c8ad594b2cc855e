//! Storing, renaming and destroying the certificates of a token.

use std::path::PathBuf;
use std::sync::Arc;

use pkcs11_sys::*;

use super::directory::Directory;
use super::{InFile, Noted, tags};
use crate::error::{Error, Result};
use crate::kms::{KmsError, KmsErrorKind, Phase, Tags};
use crate::object::certificate::{Certificate, Notes, Place, StoredCertificate};
use crate::object::template::Template;
use crate::object::{Key, Value, attributes};
use crate::token::Token;

impl Token {
    /// Stores a certificate in the tags of the key that it certifies; in the directory, if there is
    /// one, where the token has no such key, or its tags do not hold the certificate or may not be
    /// written.
    ///
    /// `CKR_DEVICE_MEMORY` without a place for it, `CKR_FUNCTION_REJECTED` where it has perhaps one, but
    /// the public keys that tell may not be read, `CKR_ATTRIBUTE_VALUE_INVALID` when a name is longer
    /// than a tag's value.
    pub(crate) fn store_certificate(
        &self,
        certificate: &Certificate,
        notes: &Notes,
    ) -> Result<CK_OBJECT_HANDLE> {
        let reserved = match self.key_for(certificate, notes)? {
            Some(key) => {
                let notes = without_names_of(&key, notes);
                let reserve = self
                    .view
                    .ask(|inventory| inventory.reserve(&key.entry, certificate, &notes));
                reserve.map(|(index, tags)| (key, index, tags))
            }
            None => Err(self.no_key()),
        };
        let in_file = |directory: &Directory| self.write_file(directory, certificate, notes);
        let place = match (reserved, self.store.directory()) {
            (Ok((key, index, tags)), _) => self.write_reserved(&key, index, &tags, in_file)?,
            (Err(_), Some(directory)) => in_file(directory)?,
            (Err(error), None) => return Err(error),
        };
        let unique_id = place.unique_id(certificate);
        tracing::info!("{unique_id}: stored");
        let snapshot = self.view.latest();
        // It is not there when another thread or program removed it meanwhile.
        let handle = snapshot.certificates.handle(&unique_id);
        handle.ok_or_else(|| Error::new(CKR_FUNCTION_FAILED, "the new certificate is gone already"))
    }

    /// Removes a certificate from the tags of its key, or its file.
    pub(in crate::token) fn destroy_certificate(
        &self,
        certificate: &StoredCertificate,
    ) -> Result<()> {
        match &certificate.place {
            Place::Tags { entry, index } => {
                let present = self.view.ask(|inventory| inventory.tags_of(entry));
                let keys = tags::keys_of(&present, *index);
                self.elsewhere(entry, |replica| self.kms.untag(replica, &keys))
                    .and_then(|()| self.kms.untag(entry, &keys))
                    .map_err(|error| self.failed(entry, error, Phase::Destroy))?;
                self.view.change(|inventory| {
                    inventory.certificate_destroyed(certificate.unique_id());
                    inventory.untagged(entry, keys);
                });
            }
            Place::File { path, .. } => {
                let directory = self.own_directory(certificate)?;
                directory.remove(&in_file(path, certificate))?;
                self.view.change(|inventory| {
                    inventory.certificate_destroyed(certificate.unique_id());
                    inventory.replace_files(self.store.list());
                });
            }
        }
        tracing::info!("{}: destroyed", certificate.unique_id());
        Ok(())
    }

    /// Changes CKA_ID and CKA_LABEL of a certificate, its only attributes that can change.
    pub(crate) fn set_certificate_attributes(
        &self,
        certificate: &StoredCertificate,
        template: &Template<'_>,
    ) -> Result<()> {
        let new = renaming(certificate, template)?;
        if new == Notes::default() {
            return Ok(());
        }
        match &certificate.place {
            Place::Tags { entry, index } => {
                let tags = tags::note_tags(*index, &new)?;
                self.write_tags(entry, tags, Phase::SetAttribute)
            }
            Place::File { .. } => {
                let directory = self.own_directory(certificate)?;
                let notes = Notes {
                    id: new.id.or_else(|| certificate.notes.id.clone()),
                    label: new.label.or_else(|| certificate.notes.label.clone()),
                    category: certificate.notes.category,
                };
                self.write_file(directory, &certificate.certificate, &notes)?;
                Ok(())
            }
        }
    }

    /// The key whose tags are to hold a certificate. Keys may have been made elsewhere since the last
    /// listing.
    fn key_for(&self, certificate: &Certificate, notes: &Notes) -> Result<Option<Arc<Key>>> {
        let id = notes.id.as_deref();
        let snapshot = self.view.snapshot()?;
        if let Some(key) = self.key_certified_by(&snapshot, certificate, id)? {
            return Ok(Some(key));
        }
        let renewed = self.view.look_again()?;
        if Arc::ptr_eq(&snapshot, &renewed) {
            return Ok(None);
        }
        self.key_certified_by(&renewed, certificate, id)
    }

    /// Why no key is known that a certificate certifies.
    fn no_key(&self) -> Error {
        let snapshot = self.view.latest();
        let denied = snapshot.pairs().find_map(|shown| {
            let failure = self.materials.failure(shown.key);
            failure.filter(|error| error.kind == KmsErrorKind::AccessDenied)
        });
        let Some(error) = denied else {
            return Error::new(
                CKR_DEVICE_MEMORY,
                "the token has no key with the public key of the certificate, whose tags could hold it: set \
                 certificate_directory in the token's configuration to keep certificates in files",
            );
        };
        let message = format!(
            "which key the certificate belongs to is not known, because not all public keys of the token \
             may be read: {}",
            error.message
        );
        KmsError { message, ..error }.into_error(Phase::Manage)
    }

    /// Writes a certificate into the tags of its key; into the directory, if there is one, where the tags
    /// may not be written.
    fn write_reserved(
        &self,
        key: &Key,
        index: u8,
        tags: &Tags,
        in_file: impl FnOnce(&Directory) -> Result<Place>,
    ) -> Result<Place> {
        let entry = &key.entry;
        let written = self.try_write_tags(entry, tags.clone());
        self.view.ask(|inventory| inventory.release(entry, tags));
        match (written, self.store.directory()) {
            (Ok(()), _) => Ok(Place::Tags {
                entry: entry.clone(),
                index,
            }),
            (Err(error), Some(directory)) if error.kind == KmsErrorKind::AccessDenied => {
                error.warn(format_args!("certificates go to certificate_directory"));
                in_file(directory)
            }
            (Err(error), _) => Err(self.failed(entry, error, Phase::Manage)),
        }
    }

    fn write_file(
        &self,
        directory: &Directory,
        certificate: &Certificate,
        notes: &Notes,
    ) -> Result<Place> {
        let path = directory.add(certificate, notes)?;
        // Listed in here, so that no older list takes the place of a newer one.
        self.view.change(|inventory| {
            inventory.replace_files(self.store.list());
        });
        let path = Arc::new(path);
        Ok(Place::File { path, own: true })
    }

    /// The directory of a certificate in a file that this module may change.
    fn own_directory(&self, certificate: &StoredCertificate) -> Result<&Directory> {
        let directory = self.store.directory().filter(|_| certificate.is_own());
        directory.ok_or_else(|| {
            Error::new(
                CKR_ACTION_PROHIBITED,
                format!(
                    "{}: this module changes no file that it did not write",
                    certificate.unique_id()
                ),
            )
        })
    }
}

/// The names in a template of C_SetAttributeValue; refuses all other attributes.
fn renaming(certificate: &StoredCertificate, template: &Template<'_>) -> Result<Notes> {
    template.check_no_contradiction()?;
    for attribute in template.iter() {
        let name = attributes::name(attribute.type_);
        match (attribute.type_, certificate.read(attribute.type_)) {
            (CKA_ID | CKA_LABEL, _) => {}
            (_, Value::Absent) => {
                return Err(Error::new(
                    CKR_ATTRIBUTE_TYPE_INVALID,
                    format!("a certificate has no {name}"),
                ));
            }
            _ => {
                return Err(Error::new(
                    CKR_ATTRIBUTE_READ_ONLY,
                    format!("{name} of a certificate cannot be changed"),
                ));
            }
        }
    }
    let bytes = |type_| template.get(type_).map(<[u8]>::to_vec);
    Ok(Notes {
        id: bytes(CKA_ID),
        label: bytes(CKA_LABEL),
        ..Notes::default()
    })
}

/// What is to be noted of a certificate beside its key: names like the key's go with the key's.
fn without_names_of(key: &Key, notes: &Notes) -> Notes {
    let differing = |name: &Option<Vec<u8>>, of_key: &Vec<u8>| {
        name.as_ref().filter(|name| *name != of_key).cloned()
    };
    Notes {
        id: differing(&notes.id, &key.names.id),
        label: differing(&notes.label, &key.names.label),
        category: notes.category,
    }
}

fn in_file(path: &Arc<PathBuf>, certificate: &StoredCertificate) -> InFile {
    InFile {
        path: Arc::clone(path),
        noted: Noted {
            certificate: Arc::clone(&certificate.certificate),
            notes: certificate.notes.clone(),
        },
    }
}
