//! Every PKCS#11 function that asks AWS for something, as a thing to try.

use cryptoki_sys::*;
use kms_pkcs11_testkit::openssl_ok;
use tempfile::TempDir;

use crate::calls;
use crate::common_p11::attribute::{Attr, bytes, flag, label, ulong};
use crate::common_p11::{Mechanism, Session};

/// The keys of a token, by the labels in their tags: spec and usage.
pub(crate) const KEYS: [(&str, &str, &str); 7] = [
    ("signer", "ECC_NIST_P256", "SIGN_VERIFY"),
    ("vault", "RSA_2048", "ENCRYPT_DECRYPT"),
    ("mac", "HMAC_256", "GENERATE_VERIFY_MAC"),
    ("agreer", "ECC_NIST_P256", "KEY_AGREEMENT"),
    // Renamed, certified and destroyed.
    ("victim", "ECC_NIST_P256", "SIGN_VERIFY"),
    // Has a certificate, which is removed.
    ("holder", "ECC_NIST_P256", "SIGN_VERIFY"),
    // Not of MiniStack.
    ("capsule", "ML_KEM_512", "ENCAPSULATE_DECAPSULATE"),
];

/// The alias, without its prefix, of one more key to sign, which has no label in its tags.
pub(crate) const ALIAS: &str = "nameless";

const SECRET: &[u8] = b"a secret of 32 bytes, no more...";
const MESSAGE: &[u8] = b"message";

/// What came of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What was asked for, checked.
    Done,
    /// The object is not found.
    Hidden,
    Refused(CK_RV),
}

impl From<CK_RV> for Outcome {
    fn from(rv: CK_RV) -> Self {
        Self::Refused(rv)
    }
}

pub(crate) type Tried = Result<(), Outcome>;

/// What probes need and only somebody with all permissions can make.
pub(crate) struct Material {
    ciphertext: Vec<u8>,
    mac: Vec<u8>,
    /// For the victim.
    certificate: Vec<u8>,
}

pub(crate) struct Probe {
    pub(crate) name: &'static str,
    run: fn(Session<'_>, &Material) -> Tried,
}

impl Probe {
    pub(crate) fn makes_keys(&self) -> bool {
        self.name.starts_with("generate") || self.name.starts_with("import")
    }

    /// Whether it looks for an object of the token.
    pub(crate) fn needs_object(&self) -> bool {
        !(self.makes_keys() || ["random", "store a certificate"].contains(&self.name))
    }

    pub(crate) fn run(&self, session: Session<'_>, material: &Material) -> Outcome {
        match (self.run)(session, material) {
            Ok(()) => Outcome::Done,
            Err(outcome) => outcome,
        }
    }
}

macro_rules! probes {
    ($($name:literal => $run:expr;)*) => {
        &[$(Probe { name: $name, run: $run }),*]
    };
}

/// In an order in which none stands in another's way.
pub(crate) const PROBES: &[Probe] = probes! {
    "find a pair" => |session, _| find(session, CKO_PRIVATE_KEY, "signer").map(drop);
    "find an HMAC key" => |session, _| find(session, CKO_SECRET_KEY, "mac").map(drop);
    "find a key by its alias" => |session, _| find(session, CKO_PRIVATE_KEY, ALIAS).map(drop);
    "sign" => sign;
    "make a MAC" => make_mac;
    "verify a MAC" => |session, material| {
        let key = find(session, CKO_SECRET_KEY, "mac")?;
        Ok(session.verify(CKM_SHA256_HMAC, key, MESSAGE, &material.mac)?)
    };
    "verify a MAC that is cut" => |session, material| {
        let key = find(session, CKO_SECRET_KEY, "mac")?;
        let cut = Mechanism(CKM_SHA256_HMAC_GENERAL, (16 as CK_ULONG).to_ne_bytes().to_vec());
        Ok(session.verify(cut, key, MESSAGE, &material.mac[..16])?)
    };
    "decrypt" => |session, material| {
        let key = find(session, CKO_PRIVATE_KEY, "vault")?;
        let oaep = Mechanism::oaep_sha256();
        let plaintext = calls::decrypt(session, &oaep, key, &material.ciphertext)?;
        assert_eq!(plaintext, SECRET);
        Ok(())
    };
    "unwrap" => |session, material| {
        let key = find(session, CKO_PRIVATE_KEY, "vault")?;
        let oaep = Mechanism::oaep_sha256();
        let unwrapped = calls::unwrap(session, &oaep, key, &material.ciphertext, &secret())?;
        assert_eq!(session.get(unwrapped, CKA_VALUE), Ok(SECRET.to_vec()));
        Ok(())
    };
    "agree" => |session, _| {
        let key = find(session, CKO_PRIVATE_KEY, "agreer")?;
        let point = session.get(find(session, CKO_PUBLIC_KEY, "agreer")?, CKA_EC_POINT)?;
        Ok(calls::agree(session, key, &point, &secret()).map(drop)?)
    };
    "decapsulate" => |session, _| {
        let public = find(session, CKO_PUBLIC_KEY, "capsule")?;
        let ciphertext = calls::encapsulate(session, public, &secret())?;
        let key = find(session, CKO_PRIVATE_KEY, "capsule")?;
        Ok(calls::decapsulate(session, key, &ciphertext, &secret()).map(drop)?)
    };
    "generate a pair" => |session, _| Ok(session.generate_p256([0xaa], "made").map(drop)?);
    "generate an HMAC key" => |session, _| {
        let template = [
            flag(CKA_TOKEN, true),
            flag(CKA_SIGN, true),
            ulong(CKA_VALUE_LEN, 32),
            label("made"),
        ];
        Ok(session.generate_key(CKM_GENERIC_SECRET_KEY_GEN, &template).map(drop)?)
    };
    "import an HMAC key" => |session, _| {
        let template = [
            ulong(CKA_CLASS, CKO_SECRET_KEY),
            ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
            flag(CKA_TOKEN, true),
            bytes(CKA_VALUE, SECRET),
            label("imported"),
        ];
        Ok(session.create(&template).map(drop)?)
    };
    "store a certificate" => |session, material| {
        let stored = session.create(&certificate_template(&material.certificate, "victim"))?;
        assert_eq!(session.get(stored, CKA_VALUE).as_ref(), Ok(&material.certificate));
        Ok(())
    };
    "remove a certificate" => |session, _| {
        Ok(session.destroy(find(session, CKO_CERTIFICATE, "holder")?)?)
    };
    "rename" => |session, _| {
        let key = find(session, CKO_PRIVATE_KEY, "victim")?;
        session.set(key, &[label("renamed")])?;
        assert_eq!(find(session, CKO_PRIVATE_KEY, "renamed"), Ok(key));
        Ok(session.set(key, &[label("victim")])?)
    };
    "destroy" => |session, _| {
        session.destroy(find(session, CKO_PRIVATE_KEY, "victim")?)?;
        assert_eq!(find(session, CKO_PRIVATE_KEY, "victim"), Err(Outcome::Hidden));
        Ok(())
    };
    "random" => |session, _| {
        let [one, other] = [calls::random(session, 16)?, calls::random(session, 16)?];
        assert_ne!(one, other);
        Ok(())
    };
};

/// Makes the material, and the holder's certificate, with all permissions.
pub(crate) fn prepare(session: Session<'_>) -> Material {
    let vault = find(session, CKO_PUBLIC_KEY, "vault").unwrap();
    let mac = find(session, CKO_SECRET_KEY, "mac").unwrap();
    let holder = certify(session, "holder");
    session
        .create(&certificate_template(&holder, "holder"))
        .unwrap();
    Material {
        ciphertext: session
            .encrypt(Mechanism::oaep_sha256(), vault, SECRET)
            .unwrap(),
        mac: session.sign(CKM_SHA256_HMAC, mac, MESSAGE).unwrap(),
        certificate: certify(session, "victim"),
    }
}

/// The object of this class and label.
pub(crate) fn find(
    session: Session<'_>,
    class: CK_OBJECT_CLASS,
    name: &str,
) -> Result<CK_OBJECT_HANDLE, Outcome> {
    let found = session.find(&[ulong(CKA_CLASS, class), label(name)])?;
    match found[..] {
        [] => Err(Outcome::Hidden),
        // Keys of this name may have been made before.
        [first, ..] => Ok(first),
    }
}

fn sign(session: Session<'_>, _: &Material) -> Tried {
    let key = find(session, CKO_PRIVATE_KEY, "signer")?;
    let signature = session.sign(CKM_ECDSA_SHA256, key, MESSAGE)?;
    let public = find(session, CKO_PUBLIC_KEY, "signer")?;
    Ok(session.verify(CKM_ECDSA_SHA256, public, MESSAGE, &signature)?)
}

fn make_mac(session: Session<'_>, material: &Material) -> Tried {
    let key = find(session, CKO_SECRET_KEY, "mac")?;
    let mac = session.sign(CKM_SHA256_HMAC, key, MESSAGE)?;
    assert_eq!(mac, material.mac);
    Ok(())
}

/// A template for a key that stays in the session.
fn secret() -> [Attr; 5] {
    [
        ulong(CKA_CLASS, CKO_SECRET_KEY),
        ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
        flag(CKA_TOKEN, false),
        flag(CKA_SENSITIVE, false),
        flag(CKA_EXTRACTABLE, true),
    ]
}

/// DER of a certificate for the public key of this label, issued by openssl.
fn certify(session: Session<'_>, name: &str) -> Vec<u8> {
    let public = find(session, CKO_PUBLIC_KEY, name).unwrap();
    let spki = session.get(public, CKA_PUBLIC_KEY_INFO).unwrap();
    let directory = TempDir::new().unwrap();
    let path = |file: &str| directory.path().join(file).display().to_string();
    let (key, ca, public) = (path("ca.key"), path("ca.pem"), path("public.pem"));
    let pem = openssl_ok(
        ["pkey", "-pubin", "-inform", "DER", "-outform", "PEM"],
        &spki,
    );
    std::fs::write(&public, pem).unwrap();
    let curve = "ec_paramgen_curve:prime256v1";
    let request = [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", curve, "-nodes", "-subj", "/CN=CA",
    ];
    openssl_ok(
        [&request[..], &["-keyout", &key, "-out", &ca]].concat(),
        &[],
    );
    let subject = format!("/CN={name}");
    let command = [
        "x509",
        "-new",
        "-force_pubkey",
        &public,
        "-subj",
        &subject,
        "-days",
        "2",
    ];
    openssl_ok(
        [
            &command[..],
            &["-CA", &ca, "-CAkey", &key, "-outform", "DER"],
        ]
        .concat(),
        &[],
    )
}

fn certificate_template(der: &[u8], name: &str) -> [Attr; 5] {
    [
        ulong(CKA_CLASS, CKO_CERTIFICATE),
        ulong(CKA_CERTIFICATE_TYPE, CKC_X_509),
        flag(CKA_TOKEN, true),
        bytes(CKA_SUBJECT, subject(name)),
        bytes(CKA_VALUE, der),
    ]
}

/// DER of the name `CN=NAME`, a name of few letters.
fn subject(name: &str) -> Vec<u8> {
    let der = |tag: u8, contents: &[u8]| {
        [&[tag, u8::try_from(contents.len()).unwrap()], contents].concat()
    };
    let common_name = [der(0x06, &[0x55, 0x04, 0x03]), der(0x0c, name.as_bytes())].concat();
    der(0x30, &der(0x31, &der(0x30, &common_name)))
}
