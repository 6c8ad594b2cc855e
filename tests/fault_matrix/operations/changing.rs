//! What is done to keys that there are.

use cryptoki_sys::*;

use super::{Operation, SILENT, Site, Subject, USUAL, of_class};
use crate::common_p11::attribute::{bytes, flag, id, label, ulong};
use crate::common_p11::kms::CKA_KMS_ROTATION_ENABLED;
use crate::expectations::Function;
use crate::fleet::certificate;

const CHANGE: Operation = Operation {
    prepare: |site, name| {
        site.make_key("ECC_NIST_P256", "SIGN_VERIFY", name);
        Subject {
            object: private_key(site, name),
            ..Subject::labelled(name)
        }
    },
    // Of ten that KMS admits a second.
    in_a_row: 12,
    ..USUAL
};

const DESTROY: Operation = Operation {
    function: Function::Destroy,
    call: |site, subject| {
        site.session.destroy(subject.object)?;
        let found = site.session.find(&[label(&subject.label)]);
        assert_eq!(found.unwrap_or_default().len(), 0);
        Ok(true)
    },
    // Of five DisableKey.
    in_a_row: 6,
    ..CHANGE
};

pub(crate) const ALL: &[Operation] = &[
    Operation {
        name: "C_SetAttributeValue, label",
        struck: "TagResource",
        function: Function::SetAttribute,
        answer: SILENT,
        call: |site, subject| {
            let new = label(format!("{}, renamed", subject.label));
            site.session
                .set(subject.object, std::slice::from_ref(&new))?;
            assert_eq!(site.session.get(subject.object, CKA_LABEL), Ok(new.value));
            Ok(true)
        },
        ..CHANGE
    },
    Operation {
        name: "C_DestroyObject, deletion",
        struck: "ScheduleKeyDeletion",
        ..DESTROY
    },
    Operation {
        name: "C_DestroyObject, disabling",
        struck: "DisableKey",
        settings: "on_destroy = \"disable\"",
        answer: SILENT,
        ..DESTROY
    },
    Operation {
        name: "C_CreateObject, certificate",
        struck: "TagResource",
        function: Function::Create,
        key: Some(("ECC_NIST_P256", "SIGN_VERIFY")),
        answer: SILENT,
        prepare: |site, name| {
            let public = site.key(CKO_PUBLIC_KEY);
            for stored in site.session.find(&[of_class(CKO_CERTIFICATE)]).unwrap() {
                site.session.destroy(stored).unwrap();
            }
            let spki = site.session.get(public, CKA_PUBLIC_KEY_INFO).unwrap();
            let certificate = certificate(&spki);
            Subject {
                template: vec![
                    of_class(CKO_CERTIFICATE),
                    ulong(CKA_CERTIFICATE_TYPE, CKC_X_509),
                    flag(CKA_TOKEN, true),
                    id(name),
                    bytes(CKA_SUBJECT, &certificate.subject),
                    bytes(CKA_VALUE, &certificate.der),
                ],
                ..Subject::labelled(name)
            }
        },
        call: |site, subject| {
            let certificate = site.session.create(&subject.template)?;
            Ok(certificate != 0)
        },
        // Of five UntagResource.
        in_a_row: 6,
        ..USUAL
    },
    Operation {
        name: "C_GetAttributeValue, rotation",
        struck: "GetKeyRotationStatus",
        function: Function::Find,
        // An answer without members says no.
        answer: SILENT,
        prepare: |site, name| {
            site.make_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", name);
            Subject {
                object: site
                    .session
                    .find_one(&[of_class(CKO_SECRET_KEY), label(name)]),
                ..Subject::labelled(name)
            }
        },
        call: |site, subject| {
            let enabled = site.session.get(subject.object, CKA_KMS_ROTATION_ENABLED)?;
            assert_eq!(enabled, [CK_FALSE]);
            Ok(true)
        },
        ..USUAL
    },
];

fn private_key(site: Site<'_>, name: &str) -> CK_OBJECT_HANDLE {
    site.session
        .find_one(&[of_class(CKO_PRIVATE_KEY), label(name)])
}
