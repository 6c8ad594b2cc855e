//! A KMS with users and roles, and the module in this process.

use std::path::PathBuf;
use std::{env, fs};

use kms_pkcs11_testkit::{
    AccessKey, MiniStack, MiniStackOptions, REGION, Token, openssl_ok, python,
};
use serde_json::json;
use tempfile::TempDir;

use super::Module;

/// A KMS that enforces what its users may do, with one P-256 key, and a directory for files.
pub(crate) struct Cloud {
    pub(crate) ministack: MiniStack,
    directory: TempDir,
}

impl Cloud {
    pub(crate) fn start() -> Self {
        let ministack = MiniStack::start(MiniStackOptions { auth: true });
        let create = "import boto3; boto3.client('kms').create_key(\
                      KeySpec='ECC_NIST_P256', KeyUsage='SIGN_VERIFY')";
        let _ = ministack.boto3(&ministack.root(), create, &[]).ok();
        Self {
            ministack,
            directory: TempDir::new().unwrap(),
        }
    }

    /// An access key that is none of anybody's.
    pub(crate) fn nobody() -> AccessKey {
        AccessKey {
            id: "AKIANOBODY".to_owned(),
            secret: "none".to_owned(),
        }
    }

    /// A user who may list keys, and these actions.
    pub(crate) fn user(&self, name: &str, actions: &[&str]) -> AccessKey {
        let actions: Vec<&str> = actions.iter().copied().chain(["kms:ListKeys"]).collect();
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }],
        });
        self.ministack.create_user(name, &policy)
    }

    /// A user who may list keys and sign.
    pub(crate) fn signer(&self, name: &str) -> AccessKey {
        let actions = ["kms:ListResourceTags", "kms:GetPublicKey", "kms:Sign"];
        self.user(name, &actions)
    }

    /// The module in this process, with one token of these settings, this access key in its environment,
    /// the profiles of the file `profiles`, and a log of everything.
    pub(crate) fn module(&self, settings: &str, key: &AccessKey) -> Module {
        let config = format!(
            "[[token]]\nregion = \"{REGION}\"\n{settings}\n[log]\nlevel = \"trace\"\nfile = \"{}\"\n",
            self.path("log").display()
        );
        let token = Token::kms_with_config(self.ministack.endpoint(), key, "aws-kms", &config);
        let file = self.path("config.toml");
        fs::copy(token.directory().join("config.toml"), &file).unwrap();
        // SAFETY: the test is alone in its process, which has no other thread that looks at the environment.
        unsafe {
            for (name, value) in self.ministack.environment(key) {
                env::set_var(name, value);
            }
            env::set_var("AWS_CONFIG_FILE", self.path("profiles"));
            env::set_var("AWS_SHARED_CREDENTIALS_FILE", self.path("credentials"));
            env::remove_var("KMS_PKCS11_LOG");
        }
        let module = Module::load();
        module
            .initialize_reserved(&format!("config={}", file.display()))
            .unwrap();
        module
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, contents).unwrap();
        path
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Has openssl verify r and s over a digest with the key of this SubjectPublicKeyInfo.
    #[track_caller]
    pub(crate) fn verify(&self, spki: &[u8], digest: &[u8], signature: &[u8]) {
        let script = "import sys\n\
            from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature\n\
            rs = open(sys.argv[1], 'rb').read()\n\
            r, s = (int.from_bytes(half, 'big') for half in (rs[:32], rs[32:]))\n\
            open(sys.argv[2], 'wb').write(encode_dss_signature(r, s))";
        let der = self.path("signature.der");
        let _ = python(script, [&self.write("signature", signature), &der]).ok();
        let (key, digest) = (self.write("key", spki), self.write("digest", digest));
        let text = |path: &PathBuf| path.display().to_string();
        openssl_ok(
            [
                "pkeyutl",
                "-verify",
                "-pubin",
                "-keyform",
                "DER",
                "-inkey",
                &text(&key),
                "-sigfile",
                &text(&der),
                "-in",
                &text(&digest),
            ],
            &[],
        );
    }
}
