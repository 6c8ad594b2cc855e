//! Keys that an application brings along.

use std::sync::OnceLock;

use cryptoki_sys::*;
use kms_pkcs11_testkit::{from_hex, hex, python};

use super::making::{ADOPTS, CREATED, DESCRIBED, MAKE};
use super::{Answer, Operation, SILENT, Site, Subject, USUAL, of_class};
use crate::common_p11::Rv;
use crate::common_p11::attribute::{Attr, bytes, flag, label, ulong};

const IMPORT: Operation = Operation {
    call: |site, subject| {
        let template = [
            of_class(CKO_SECRET_KEY),
            ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
            flag(CKA_TOKEN, true),
            label(&subject.label),
            bytes(CKA_VALUE, [7; 32]),
        ];
        let key = site.session.create(&template)?;
        Ok(key != 0)
    },
    ..MAKE
};

pub(crate) const ALL: &[Operation] = &[
    Operation {
        name: "C_CreateObject, import",
        struck: "CreateKey",
        answer: CREATED,
        exceptions: ADOPTS,
        ..IMPORT
    },
    Operation {
        name: "C_CreateObject, import, wrapping key",
        struck: "GetParametersForImport",
        answer: PUBLIC_KEY,
        ..IMPORT
    },
    Operation {
        name: "C_CreateObject, import, material",
        struck: "ImportKeyMaterial",
        answer: SILENT,
        ..IMPORT
    },
    Operation {
        name: "C_CreateObject, import, its state",
        struck: "DescribeKey",
        answer: DESCRIBED,
        ..IMPORT
    },
    Operation {
        name: "C_CreateObject, import of an EC key, wrapping key",
        struck: "GetParametersForImport",
        answer: PUBLIC_KEY,
        call: create_ec,
        ..IMPORT
    },
    Operation {
        name: "C_CreateObject, import of an EC key, material",
        struck: "ImportKeyMaterial",
        answer: SILENT,
        call: create_ec,
        ..IMPORT
    },
    Operation {
        name: "C_CreateObject, import of an EC key, public key",
        struck: "GetPublicKey",
        call: create_ec,
        ..IMPORT_PAIR
    },
    Operation {
        name: "C_UnwrapKey, import of an RSA key, wrapping key",
        struck: "GetParametersForImport",
        answer: PUBLIC_KEY,
        call: unwrap_rsa,
        ..IMPORT
    },
    Operation {
        name: "C_UnwrapKey, import of an RSA key, material",
        struck: "ImportKeyMaterial",
        answer: SILENT,
        call: unwrap_rsa,
        ..IMPORT
    },
    Operation {
        name: "C_UnwrapKey, import of an RSA key, public key",
        struck: "GetPublicKey",
        call: unwrap_rsa,
        ..IMPORT_PAIR
    },
];

const PUBLIC_KEY: Answer = Answer {
    output: Some("PublicKey"),
    ..USUAL.answer
};

const IMPORT_PAIR: Operation = Operation {
    answer: PUBLIC_KEY,
    // Against the public half of what was handed in.
    is_verified: true,
    ..IMPORT
};

/// Private keys that an application has, and what they are wrapped under.
struct Brought {
    /// The private value of a P-256 key.
    ec: Vec<u8>,
    /// The PKCS#8 of an RSA key, wrapped as RFC 5649 has it.
    rsa: Vec<u8>,
}

const KEK: [u8; 32] = *b"a key that both the sides know..";

impl Brought {
    /// Made once, by python's cryptography.
    fn get() -> &'static Self {
        const SCRIPT: &str = "import sys
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
value = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
key = rsa.generate_private_key(65537, 2048)
key = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
print(value.to_bytes(32, 'big').hex())
print(keywrap.aes_key_wrap_with_padding(bytes.fromhex(sys.argv[1]), key).hex())
";
        static BROUGHT: OnceLock<Brought> = OnceLock::new();
        BROUGHT.get_or_init(|| {
            let made = python(SCRIPT, [hex(&KEK)]).ok().stdout();
            let (ec, rsa) = made.trim().split_once('\n').unwrap();
            Self {
                ec: from_hex(ec.trim()),
                rsa: from_hex(rsa.trim()),
            }
        })
    }
}

fn create_ec(site: Site<'_>, subject: &Subject) -> Rv<bool> {
    let mut template = private_key(subject, CKK_EC);
    template.extend([
        bytes(CKA_EC_PARAMS, from_hex("06082a8648ce3d030107")),
        bytes(CKA_VALUE, &Brought::get().ec),
    ]);
    Ok(site.session.create(&template)? != 0)
}

fn unwrap_rsa(site: Site<'_>, subject: &Subject) -> Rv<bool> {
    let template = [
        of_class(CKO_SECRET_KEY),
        ulong(CKA_KEY_TYPE, CKK_AES),
        flag(CKA_TOKEN, false),
        flag(CKA_UNWRAP, true),
        bytes(CKA_VALUE, KEK),
    ];
    let kek = site.session.create(&template).unwrap();
    let template = private_key(subject, CKK_RSA);
    let wrapped = &Brought::get().rsa;
    let unwrapped = site
        .session
        .unwrap(CKM_AES_KEY_WRAP_KWP, kek, wrapped, &template);
    site.session.destroy(kek).unwrap();
    Ok(unwrapped? != 0)
}

fn private_key(subject: &Subject, key_type: CK_KEY_TYPE) -> Vec<Attr> {
    vec![
        of_class(CKO_PRIVATE_KEY),
        ulong(CKA_KEY_TYPE, key_type),
        flag(CKA_TOKEN, true),
        flag(CKA_SIGN, true),
        label(&subject.label),
    ]
}
