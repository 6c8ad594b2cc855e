//! Finding out which keys there are, and what they are.

use cryptoki_sys::*;
use kms_emulator::NewKeys;

use super::{Answer, Operation, SILENT, Site, Subject, USUAL, of_class};
use crate::common_p11::Rv;
use crate::common_p11::attribute::label;
use crate::expectations::{Class, Function, Outcome};

/// What concerns one key hides that key alone.
const HIDES: &[(Class, Outcome)] = &[
    (Class::Disabled, Outcome::NoObject),
    (Class::InvalidState, Outcome::NoObject),
    (Class::InvalidKeyUsage, Outcome::NoObject),
    (Class::NotFound, Outcome::NoObject),
    (Class::Denied, Outcome::NoObject),
    (Class::InvalidCiphertext, Outcome::NoObject),
    (Class::InvalidSignature, Outcome::NoObject),
    (Class::KeyMaterial, Outcome::NoObject),
    (Class::Length, Outcome::NoObject),
    (Class::Validation, Outcome::NoObject),
    (Class::Attribute, Outcome::NoObject),
    (Class::Unsupported, Outcome::NoObject),
    (Class::Limit, Outcome::NoObject),
    (Class::Unknown, Outcome::NoObject),
    (Class::Exists, Outcome::NoObject),
];

/// A key without a public half is described, and KMS says then that it has one.
const HIDES_A_PAIR: &[(Class, Outcome)] = &[
    (Class::Unsupported, Outcome::Fails(CKR_DEVICE_ERROR)),
    (Class::InvalidKeyUsage, Outcome::Fails(CKR_DEVICE_ERROR)),
    (Class::Disabled, Outcome::NoObject),
    (Class::InvalidState, Outcome::NoObject),
    (Class::NotFound, Outcome::NoObject),
    (Class::Denied, Outcome::NoObject),
    (Class::InvalidCiphertext, Outcome::NoObject),
    (Class::InvalidSignature, Outcome::NoObject),
    (Class::KeyMaterial, Outcome::NoObject),
    (Class::Length, Outcome::NoObject),
    (Class::Validation, Outcome::NoObject),
    (Class::Attribute, Outcome::NoObject),
    (Class::Limit, Outcome::NoObject),
    (Class::Unknown, Outcome::NoObject),
    (Class::Exists, Outcome::NoObject),
];

const FIND: Operation = Operation {
    function: Function::Find,
    prepare: |site, label| {
        site.make_key("ECC_NIST_P256", "SIGN_VERIFY", label);
        Subject::labelled(label)
    },
    call: |site, subject| find(site, subject, CKO_PRIVATE_KEY),
    finds_again: true,
    ..USUAL
};

pub(crate) const ALL: &[Operation] = &[
    Operation {
        name: "C_FindObjects, listing",
        struck: "ListKeys",
        answer: Answer {
            output: Some("Keys"),
            ..SILENT
        },
        ..FIND
    },
    Operation {
        name: "C_FindObjects, tagging API",
        struck: "GetResources",
        settings: "tags = { Fleet = \"one\" }\ndiscovery = \"tagging-api\"",
        answer: Answer {
            output: Some("ResourceTagMappingList"),
            ..SILENT
        },
        ..FIND
    },
    Operation {
        name: "C_FindObjects, tags of a key",
        struck: "ListResourceTags",
        answer: Answer {
            output: Some("Tags"),
            ..SILENT
        },
        exceptions: HIDES,
        ..FIND
    },
    Operation {
        name: "C_FindObjects, aliases",
        struck: "ListAliases",
        answer: Answer {
            output: Some("Aliases"),
            ..SILENT
        },
        prepare: |site, name| {
            let keys = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY");
            let keys = keys.alias(format!("alias/{name}"));
            site.emulator.create_keys(&keys).unwrap();
            Subject::labelled(name)
        },
        // The key is shown under its id.
        is_optional: true,
        ..FIND
    },
    Operation {
        name: "C_FindObjects and C_Sign, a pair",
        struck: "GetPublicKey",
        // By the signature.
        is_verified: true,
        call: |site, subject| {
            if !find(site, subject, CKO_PRIVATE_KEY)? {
                return Ok(false);
            }
            let named = [of_class(CKO_PRIVATE_KEY), label(&subject.label)];
            let key = site.session.find(&named)?[0];
            let signature = site.session.sign(CKM_ECDSA_SHA256, key, b"message")?;
            Ok(!signature.is_empty())
        },
        answer: Answer {
            output: Some("PublicKey"),
            ..USUAL.answer
        },
        exceptions: HIDES_A_PAIR,
        ..FIND
    },
    Operation {
        name: "C_FindObjects, a secret key",
        struck: "DescribeKey",
        answer: Answer {
            key: Some("KeyMetadata.KeyId"),
            output: Some("KeyMetadata"),
            algorithm: None,
        },
        prepare: |site, label| {
            site.make_key("HMAC_256", "GENERATE_VERIFY_MAC", label);
            Subject::labelled(label)
        },
        call: |site, subject| find(site, subject, CKO_SECRET_KEY),
        exceptions: HIDES,
        ..FIND
    },
];

fn find(site: Site<'_>, subject: &Subject, class: CK_OBJECT_CLASS) -> Rv<bool> {
    let found = site
        .session
        .find(&[of_class(class), label(&subject.label)])?;
    assert!(found.len() < 2, "{found:?}");
    Ok(found.len() == 1)
}
