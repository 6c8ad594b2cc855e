//! Attributes that KMS is asked for each time they are read: what it tells of a key's rotation.

use once_cell::unsync::OnceCell;
use pkcs11_sys::CK_ATTRIBUTE_TYPE;

use super::Token;
use crate::error::Result;
use crate::kms::{KmsError, Phase, RotationCounts, RotationStatus};
use crate::object::attributes::{self, Asked};
use crate::object::{KmsObject, Object, Value};

/// Reads the attributes of an object for one call. Each question to KMS is asked once, and only when an
/// attribute needs its answer.
pub(crate) struct Reader<'a> {
    token: &'a Token,
    object: &'a Object,
    status: OnceCell<std::result::Result<RotationStatus, KmsError>>,
    counts: OnceCell<std::result::Result<RotationCounts, KmsError>>,
}

impl Token {
    pub(crate) fn reader<'a>(&'a self, object: &'a Object) -> Reader<'a> {
        Reader {
            token: self,
            object,
            status: OnceCell::new(),
            counts: OnceCell::new(),
        }
    }
}

impl Reader<'_> {
    pub(crate) fn read(&self, type_: CK_ATTRIBUTE_TYPE) -> Result<Value<'_>> {
        let asked = match self.object {
            Object::Kms(object) => attributes::asked(object.view(), type_).map(|row| (object, row)),
            Object::Local(_) | Object::Certificate(_) => None,
        };
        let value = match asked {
            None => return Ok(self.object.read(type_)),
            Some((object, Asked::Status(value))) => self.status(object).map(value),
            Some((object, Asked::Counts(value))) => self.counts(object).map(value),
        }?;
        Ok(Value::Known(value.into()))
    }

    fn status(&self, object: &KmsObject) -> Result<&RotationStatus> {
        let key = &object.key.entry;
        let answer = self
            .status
            .get_or_init(|| self.token.kms.rotation_status(key));
        answer.as_ref().map_err(|error| self.failed(object, error))
    }

    fn counts(&self, object: &KmsObject) -> Result<&RotationCounts> {
        let key = &object.key.entry;
        let answer = self
            .counts
            .get_or_init(|| self.token.kms.rotation_counts(key));
        answer.as_ref().map_err(|error| self.failed(object, error))
    }

    fn failed(&self, object: &KmsObject, error: &KmsError) -> crate::error::Error {
        let key = &object.key.entry;
        self.token.failed(key, error.clone(), Phase::Find)
    }
}
