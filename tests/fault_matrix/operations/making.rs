//! Keys that are made in KMS.

use cryptoki_sys::*;

use super::{Answer, Operation, SILENT, Site, Subject, USUAL};
use crate::common_p11::Rv;
use crate::common_p11::attribute::{flag, label, ulong};
use crate::expectations::{Class, Function, Outcome};

/// A key whose answer was lost is found by its tag; the request is never sent twice.
pub(super) const ADOPTS: &[(Class, Outcome)] = &[
    (Class::Done, Outcome::Works),
    (Class::Misfit, Outcome::Works),
    (Class::HealsUndone, Outcome::Fails(CKR_DEVICE_ERROR)),
];

pub(super) const MAKE: Operation = Operation {
    function: Function::Make,
    makes_keys: true,
    // Two calls each, of five that KMS admits a second: each token takes some seconds.
    in_a_row: 6,
    ..USUAL
};

pub(super) const CREATED: Answer = Answer {
    output: Some("KeyMetadata"),
    ..SILENT
};

pub(super) const DESCRIBED: Answer = Answer {
    key: Some("KeyMetadata.KeyId"),
    ..CREATED
};

pub(crate) const ALL: &[Operation] = &[
    Operation {
        name: "C_GenerateKeyPair",
        struck: "CreateKey",
        answer: CREATED,
        call: pair,
        deadlines: 3,
        exceptions: ADOPTS,
        ..MAKE
    },
    Operation {
        name: "C_GenerateKeyPair, public key",
        struck: "GetPublicKey",
        answer: Answer {
            output: Some("PublicKey"),
            ..USUAL.answer
        },
        call: pair,
        deadlines: 2,
        ..MAKE
    },
    Operation {
        name: "C_GenerateKey, AES",
        struck: "CreateKey",
        answer: CREATED,
        call: |site, subject| {
            let key = site.session.generate_symmetric(&subject.label)?;
            Ok(key != 0)
        },
        deadlines: 3,
        exceptions: ADOPTS,
        ..MAKE
    },
    Operation {
        name: "C_GenerateKey, HMAC, its state",
        struck: "DescribeKey",
        answer: DESCRIBED,
        call: |site, subject| {
            let template = [
                flag(CKA_TOKEN, true),
                ulong(CKA_VALUE_LEN, 32),
                label(&subject.label),
            ];
            let key = site
                .session
                .generate_key(CKM_GENERIC_SECRET_KEY_GEN, &template)?;
            Ok(key != 0)
        },
        deadlines: 2,
        ..MAKE
    },
];

fn pair(site: Site<'_>, subject: &Subject) -> Rv<bool> {
    let (public, private) = site.session.generate_p256(&subject.label, &subject.label)?;
    Ok(public != 0 && private != 0)
}
