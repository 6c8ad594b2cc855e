//! Signatures verified by OpenSSL's command line.

use std::ffi::OsString;
use std::path::Path;

use cryptoki_sys::*;
use kms_pkcs11_testkit::{hex, openssl, openssl_ok};
use tempfile::TempDir;

use super::Signed;
use crate::arguments::Parameter;
use crate::spki;

/// How OpenSSL is asked to verify what a mechanism signs.
struct Recipe {
    mechanism: CK_MECHANISM_TYPE,
    /// The digest of the data; none when the data is the digest already.
    digest: Option<&'static str>,
    padding: Padding,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Padding {
    Pkcs1,
    Pss,
    /// ECDSA: r‖s becomes DER.
    None,
    /// Ed25519, which hashes by itself: the signature is as OpenSSL has it.
    Edwards,
}

const RECIPES: &[Recipe] = &[
    recipe(CKM_RSA_PKCS, None, Padding::Pkcs1),
    recipe(CKM_SHA1_RSA_PKCS, Some("sha1"), Padding::Pkcs1),
    recipe(CKM_SHA224_RSA_PKCS, Some("sha224"), Padding::Pkcs1),
    recipe(CKM_SHA256_RSA_PKCS, Some("sha256"), Padding::Pkcs1),
    recipe(CKM_SHA384_RSA_PKCS, Some("sha384"), Padding::Pkcs1),
    recipe(CKM_SHA512_RSA_PKCS, Some("sha512"), Padding::Pkcs1),
    recipe(CKM_RSA_PKCS_PSS, None, Padding::Pss),
    recipe(CKM_SHA256_RSA_PKCS_PSS, Some("sha256"), Padding::Pss),
    recipe(CKM_SHA384_RSA_PKCS_PSS, Some("sha384"), Padding::Pss),
    recipe(CKM_SHA512_RSA_PKCS_PSS, Some("sha512"), Padding::Pss),
    recipe(CKM_ECDSA, None, Padding::None),
    recipe(CKM_ECDSA_SHA1, Some("sha1"), Padding::None),
    recipe(CKM_ECDSA_SHA224, Some("sha224"), Padding::None),
    recipe(CKM_ECDSA_SHA256, Some("sha256"), Padding::None),
    recipe(CKM_ECDSA_SHA384, Some("sha384"), Padding::None),
    recipe(CKM_ECDSA_SHA512, Some("sha512"), Padding::None),
    recipe(CKM_EDDSA, None, Padding::Edwards),
];

const fn recipe(
    mechanism: CK_MECHANISM_TYPE,
    digest: Option<&'static str>,
    padding: Padding,
) -> Recipe {
    Recipe {
        mechanism,
        digest,
        padding,
    }
}

/// The longest digest, in bytes, that OpenSSL's command line verifies a signature of.
const LONGEST_DIGEST: usize = 64;

/// Verifies a signature under a `SubjectPublicKeyInfo`; says what OpenSSL said when it does not verify.
pub(super) fn verify(spki: &[u8], signed: &Signed, signature: &[u8]) -> Result<(), String> {
    let recipe = RECIPES
        .iter()
        .find(|recipe| recipe.mechanism == signed.mechanism.kind)
        .ok_or_else(|| format!("no recipe for mechanism {:#x}", signed.mechanism.kind))?;
    let signature = match recipe.padding {
        Padding::None => spki::ecdsa(signature),
        Padding::Pkcs1 | Padding::Pss | Padding::Edwards => signature.to_vec(),
    };
    let files = Files::new(spki, recipe.looked_at(&signed.data), &signature)
        .map_err(|error| error.to_string())?;
    let output = openssl(files.arguments(recipe, signed.mechanism.parameter), &[]);
    // Padded data that is no digest may be longer than what OpenSSL verifies: it is recovered instead.
    if output.status.success() && (!recipe.recovers() || output.stdout == signed.data) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(if said.is_empty() {
        "it is not a signature of this data".to_owned()
    } else {
        said
    })
}

impl Recipe {
    /// What of the data counts: ECDSA takes the leftmost bits of a digest, so that on curves of at most
    /// 512 bits what follows the longest one does not.
    fn looked_at<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        match (self.padding, self.digest) {
            (Padding::None, None) => &data[..data.len().min(LONGEST_DIGEST)],
            _ => data,
        }
    }

    /// Whether OpenSSL answers the signed data rather than whether it is the right one.
    fn recovers(&self) -> bool {
        self.padding == Padding::Pkcs1 && self.digest.is_none()
    }
}

/// The secret that a private key agrees on with a `SubjectPublicKeyInfo`.
pub(crate) fn agreed(private: &[u8], spki: &[u8]) -> Vec<u8> {
    let directory = TempDir::new().unwrap_or_else(|error| panic!("no directory: {error}"));
    let path = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap_or_else(|error| panic!("no file {name}: {error}"));
        path.into_os_string()
    };
    let text = OsString::from;
    openssl_ok(
        [
            text("pkeyutl"),
            text("-derive"),
            text("-keyform"),
            text("DER"),
            text("-inkey"),
            path("private", private),
            text("-peerform"),
            text("DER"),
            text("-peerkey"),
            path("public", spki),
        ],
        &[],
    )
}

/// What the key derivation function of X9.63 makes of a secret.
pub(crate) fn x963(secret: &[u8], digest: &str, shared: &[u8], length: usize) -> Vec<u8> {
    let option = |option: String| [OsString::from("-kdfopt"), OsString::from(option)];
    let mut arguments = vec![OsString::from("kdf")];
    arguments.extend(["-binary", "-keylen"].map(OsString::from));
    arguments.push(length.to_string().into());
    arguments.extend(option(format!("digest:{digest}")));
    arguments.extend(option(format!("hexsecret:{}", hex(secret))));
    if !shared.is_empty() {
        arguments.extend(option(format!("hexinfo:{}", hex(shared))));
    }
    arguments.push("X963KDF".into());
    openssl_ok(arguments, &[])
}

/// The files between this program and OpenSSL.
struct Files {
    directory: TempDir,
}

impl Files {
    fn new(spki: &[u8], data: &[u8], signature: &[u8]) -> std::io::Result<Self> {
        let directory = TempDir::new()?;
        std::fs::write(directory.path().join("key"), spki)?;
        std::fs::write(directory.path().join("data"), data)?;
        std::fs::write(directory.path().join("signature"), signature)?;
        Ok(Self { directory })
    }

    fn arguments(&self, recipe: &Recipe, parameter: Parameter) -> Vec<OsString> {
        let path = |name: &str| Path::join(self.directory.path(), name).into_os_string();
        let text = |text: &str| OsString::from(text);
        let mut arguments = vec![
            text("pkeyutl"),
            text("-pubin"),
            text("-keyform"),
            text("DER"),
            text("-inkey"),
            path("key"),
        ];
        if recipe.recovers() {
            arguments.extend([text("-verifyrecover"), text("-in"), path("signature")]);
        } else {
            arguments.extend([text("-verify"), text("-in"), path("data")]);
            arguments.extend([text("-sigfile"), path("signature")]);
        }
        if let Some(digest) = recipe.digest {
            arguments.extend([text("-rawin"), text("-digest"), text(digest)]);
        }
        if recipe.padding == Padding::Edwards {
            arguments.push(text("-rawin"));
        }
        for option in padding(recipe, parameter) {
            arguments.extend([text("-pkeyopt"), OsString::from(option)]);
        }
        arguments
    }
}

/// The options that describe the padding of an RSA signature.
fn padding(recipe: &Recipe, parameter: Parameter) -> Vec<String> {
    match (recipe.padding, parameter) {
        (Padding::None | Padding::Edwards, _) => Vec::new(),
        (Padding::Pss, Parameter::Pss { hash, salt, .. }) => {
            let mut options = vec![
                "rsa_padding_mode:pss".to_owned(),
                format!("rsa_pss_saltlen:{salt}"),
            ];
            if recipe.digest.is_none() {
                options.push(format!("digest:{}", digest_name(hash)));
            }
            options
        }
        (Padding::Pkcs1 | Padding::Pss, _) => vec!["rsa_padding_mode:pkcs1".to_owned()],
    }
}

fn digest_name(hash: CK_MECHANISM_TYPE) -> &'static str {
    match hash {
        CKM_SHA_1 => "sha1",
        CKM_SHA224 => "sha224",
        CKM_SHA384 => "sha384",
        CKM_SHA512 => "sha512",
        _ => "sha256",
    }
}
