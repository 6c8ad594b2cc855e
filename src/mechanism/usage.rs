//! What a key may be used for, and with which mechanisms.

use std::borrow::Cow;

use pkcs11_sys::*;

use super::signature::Signing;
use super::{Mechanism, Row, TABLE, Work, find};
use crate::error::{Error, Result};
use crate::kms::Phase;
use crate::object::attributes::read_known;
use crate::object::spec::HmacFacts;
use crate::object::{KmsView, LocalObject, Object, Part};
use crate::v3_2::*;

/// A way of using a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Sign,
    Verify,
    Encrypt,
    Decrypt,
    Wrap,
    Unwrap,
    Derive,
    Encapsulate,
    Decapsulate,
}

/// What PKCS#11 has for a way of using a key.
struct Facts {
    use_: Use,
    flag: CK_FLAGS,
    attribute: CK_ATTRIBUTE_TYPE,
    /// The class that, beside secret keys, can be used so.
    class: CK_OBJECT_CLASS,
    verb: &'static str,
    refusals: &'static Refusals,
    /// Of the function that is told the key.
    phase: Phase,
}

/// How the functions that use a key say that it is none, or none for the mechanism: those that wrap
/// and unwrap have words of their own, since they are told two keys.
struct Refusals {
    handle: CK_RV,
    key_type: CK_RV,
    key_size: CK_RV,
}

const OF_KEY: Refusals = Refusals {
    handle: CKR_KEY_HANDLE_INVALID,
    key_type: CKR_KEY_TYPE_INCONSISTENT,
    key_size: CKR_KEY_SIZE_RANGE,
};
const OF_WRAPPING_KEY: Refusals = Refusals {
    handle: CKR_WRAPPING_KEY_HANDLE_INVALID,
    key_type: CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
    key_size: CKR_WRAPPING_KEY_SIZE_RANGE,
};
const OF_UNWRAPPING_KEY: Refusals = Refusals {
    handle: CKR_UNWRAPPING_KEY_HANDLE_INVALID,
    key_type: CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
    key_size: CKR_UNWRAPPING_KEY_SIZE_RANGE,
};

macro_rules! uses {
    ($($use_:ident $flag:ident $attribute:ident $class:ident $verb:literal $refusals:ident $phase:ident;)+) => {
        &[$(Facts {
            use_: Use::$use_,
            flag: $flag,
            attribute: $attribute,
            class: $class,
            verb: $verb,
            refusals: &$refusals,
            phase: Phase::$phase,
        }),+]
    };
}

const USES: &[Facts] = uses! {
    Sign        CKF_SIGN        CKA_SIGN        CKO_PRIVATE_KEY "signs"        OF_KEY            Init;
    Verify      CKF_VERIFY      CKA_VERIFY      CKO_PUBLIC_KEY  "verifies"     OF_KEY            Init;
    Encrypt     CKF_ENCRYPT     CKA_ENCRYPT     CKO_PUBLIC_KEY  "encrypts"     OF_KEY            Init;
    Decrypt     CKF_DECRYPT     CKA_DECRYPT     CKO_PRIVATE_KEY "decrypts"     OF_KEY            Init;
    Wrap        CKF_WRAP        CKA_WRAP        CKO_PUBLIC_KEY  "wraps"        OF_WRAPPING_KEY   Init;
    Unwrap      CKF_UNWRAP      CKA_UNWRAP      CKO_PRIVATE_KEY "unwraps"      OF_UNWRAPPING_KEY Unwrap;
    Derive      CKF_DERIVE      CKA_DERIVE      CKO_PRIVATE_KEY "derives"      OF_KEY            Derive;
    Encapsulate CKF_ENCAPSULATE CKA_ENCAPSULATE CKO_PUBLIC_KEY  "encapsulates" OF_KEY            Derive;
    Decapsulate CKF_DECAPSULATE CKA_DECAPSULATE CKO_PRIVATE_KEY "decapsulates" OF_UNWRAPPING_KEY Unwrap;
};

impl Use {
    fn facts(self) -> &'static Facts {
        // Every use has its row, as a test sees to.
        USES.iter().find(|row| row.use_ == self).unwrap_or(&USES[0])
    }

    /// The attribute that allows a key to be used so.
    pub(crate) fn attribute(self) -> CK_ATTRIBUTE_TYPE {
        self.facts().attribute
    }

    /// What the application is doing when it names the key.
    pub(crate) fn phase(self) -> Phase {
        self.facts().phase
    }

    /// The refusal of a handle that is not a key's.
    pub(crate) fn bad_handle(self, reason: impl Into<Cow<'static, str>>) -> Error {
        Error::new(self.facts().refusals.handle, reason)
    }

    /// The refusal of a key that is not of the mechanism's type.
    pub(crate) fn bad_key_type(self, reason: impl Into<Cow<'static, str>>) -> Error {
        Error::new(self.facts().refusals.key_type, reason)
    }

    /// The refusal of a key whose length the mechanism does not take.
    pub(crate) fn bad_key_size(self, reason: impl Into<Cow<'static, str>>) -> Error {
        Error::new(self.facts().refusals.key_size, reason)
    }

    /// Whether objects of this class can be used so.
    fn is_of(self, class: CK_OBJECT_CLASS) -> bool {
        class == CKO_SECRET_KEY || class == self.facts().class
    }
}

/// Refuses a key that the mechanism cannot be used with in this way.
pub(crate) fn check(mechanism: Mechanism<'_>, use_: Use, key: &Object) -> Result<()> {
    let row = find(mechanism.type_)?;
    let verb = use_.facts().verb;
    if row.flags & use_.facts().flag == 0 {
        return Err(Error::new(
            CKR_MECHANISM_INVALID,
            format!("mechanism {:#x} is none that {verb}", mechanism.type_),
        ));
    }
    let Some(key_type) = key.key_type() else {
        return Err(use_.bad_handle("the object is no key"));
    };
    if !use_.is_of(key.class()) {
        return Err(Error::new(
            CKR_KEY_FUNCTION_NOT_PERMITTED,
            format!("{key}: not the object of the pair that {verb}"),
        ));
    }
    if !row.key_types.contains(&key_type) {
        return Err(use_.bad_key_type(format!(
            "{key}: a key of type {key_type:#x} does not fit mechanism {:#x}",
            mechanism.type_
        )));
    }
    if !key.permits(use_) {
        let usage = match key {
            Object::Kms(object) => format!("the key's usage in KMS is {}", object.material.usage),
            Object::Local(_) | Object::Certificate(_) => {
                "its attributes do not allow it".to_owned()
            }
        };
        return Err(Error::new(
            CKR_KEY_FUNCTION_NOT_PERMITTED,
            format!("{key}: {usage}"),
        ));
    }
    match key {
        Object::Kms(object) if !row.suits(object.view()) => {
            return Err(use_.bad_key_type(format!(
                "{key}: KMS has no such algorithm for a key of spec {}",
                object.material.spec
            )));
        }
        Object::Local(_) if row.is_for_kms_alone() => {
            return Err(use_.bad_key_type(format!("{key}: the mechanism is for keys in KMS")));
        }
        _ => {}
    }
    // The specification names no value for it; SoftHSM2 and Kryoptic give this one too. A list without
    // anything in it allows nothing.
    if key
        .restriction()
        .is_some_and(|allowed| !allowed.contains(&mechanism.type_))
    {
        return Err(Error::new(
            CKR_MECHANISM_INVALID,
            format!(
                "{key}: mechanism {:#x} is not among its CKA_ALLOWED_MECHANISMS",
                mechanism.type_
            ),
        ));
    }
    Ok(())
}

/// The mechanisms that a key in KMS can be used with.
pub(crate) fn usable_by_kms(key: KmsView<'_>) -> Vec<CK_MECHANISM_TYPE> {
    let permits = |attribute| read_known(key, attribute).is_true();
    usable(key.part.class(), key.key_type(), permits)
        .filter(|row| row.suits(key))
        .map(|row| row.type_)
        .collect()
}

/// The mechanisms that a key in this process can be used with.
pub(crate) fn usable_by_local(key: &LocalObject) -> Vec<CK_MECHANISM_TYPE> {
    let key_type = key.ulong(CKA_KEY_TYPE);
    let rows = key_type.map(|type_| usable(key.class(), type_, |attribute| key.flag(attribute)));
    rows.into_iter()
        .flatten()
        .filter(|row| !row.is_for_kms_alone())
        .map(|row| row.type_)
        .collect()
}

fn usable(
    class: CK_OBJECT_CLASS,
    key_type: CK_KEY_TYPE,
    permits: impl Fn(CK_ATTRIBUTE_TYPE) -> bool,
) -> impl Iterator<Item = &'static Row> {
    let uses: CK_FLAGS = USES
        .iter()
        .filter(|row| row.use_.is_of(class) && permits(row.attribute))
        .map(|row| row.flag)
        .sum();
    TABLE
        .iter()
        .filter(move |row| row.flags & uses != 0 && row.key_types.contains(&key_type))
}

impl Row {
    /// Whether KMS can do the row's work with a key of the row's type: an HMAC key has one hash, and a
    /// symmetric key KMS's own way of encrypting.
    fn suits(&self, key: KmsView<'_>) -> bool {
        match (self.work, key.part) {
            (Work::Sign(Signing::Hmac { hash }), Part::Secret) => {
                HmacFacts::of_spec(key.material.spec).is_some_and(|facts| facts.hash == hash)
            }
            (Work::Encrypt(_) | Work::WrapKey(_), Part::Secret) => false,
            _ => true,
        }
    }

    /// Whether no key of this process can be used with the mechanism.
    fn is_for_kms_alone(&self) -> bool {
        matches!(self.work, Work::KmsSymmetric | Work::KmsReEncrypt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_use_has_its_row() {
        for use_ in [
            Use::Sign,
            Use::Verify,
            Use::Encrypt,
            Use::Decrypt,
            Use::Wrap,
            Use::Unwrap,
            Use::Derive,
            Use::Encapsulate,
            Use::Decapsulate,
        ] {
            assert_eq!(USES.iter().filter(|row| row.use_ == use_).count(), 1);
        }
    }
}
