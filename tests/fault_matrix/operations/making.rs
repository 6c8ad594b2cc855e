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
    // One to make the key, and one until it can be used.
    deadlines: 2,
    // Two calls each, of five that KMS admits a second.
    in_a_row: 2,
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
        ..MAKE
    },
    Operation {
        name: "C_GenerateKeyPair, RSA",
        struck: "CreateKey",
        answer: CREATED,
        call: rsa_pair,
        exceptions: ADOPTS,
        ..MAKE
    },
    Operation {
        name: "C_GenerateKeyPair, RSA, public key",
        struck: "GetPublicKey",
        answer: Answer {
            output: Some("PublicKey"),
            ..USUAL.answer
        },
        call: rsa_pair,
        ..MAKE
    },
    Operation {
        name: "C_GenerateKeyPair, replica",
        struck: "ReplicateKey",
        settings: "replica_regions = [\"eu-west-1\"]\nreplica_endpoints = { eu-west-1 = \"{peer}\" }",
        answer: Answer {
            key: Some("ReplicaKeyMetadata.Arn"),
            output: Some("ReplicaKeyMetadata"),
            algorithm: None,
        },
        call: pair,
        waits_for_its_turn: true,
        // It is waited for in vain.
        exceptions: &[(Class::Exists, Outcome::Fails(CKR_DEVICE_ERROR))],
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
        ..MAKE
    },
];

fn rsa_pair(site: Site<'_>, subject: &Subject) -> Rv<bool> {
    let public = [
        flag(CKA_TOKEN, true),
        flag(CKA_VERIFY, true),
        ulong(CKA_MODULUS_BITS, 2048),
        label(&subject.label),
    ];
    let private = [
        flag(CKA_TOKEN, true),
        flag(CKA_SIGN, true),
        label(&subject.label),
    ];
    let (public, private) = site
        .session
        .generate(CKM_RSA_PKCS_KEY_PAIR_GEN, &public, &private)?;
    Ok(public != 0 && private != 0)
}

fn pair(site: Site<'_>, subject: &Subject) -> Rv<bool> {
    let (public, private) = site.session.generate_p256(&subject.label, &subject.label)?;
    Ok(public != 0 && private != 0)
}
