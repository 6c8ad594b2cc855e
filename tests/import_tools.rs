//! Keys brought along with the tools that people have: pkcs11-tool, p11tool, softhsm2-util, and out of SoftHSM2.
//! What they sign afterwards verifies under the certificate that the key had before.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::path::Path;
use std::ptr;

use common_p11::attribute::{bytes, flag, id, label, private_keys, template, ulong};
use common_p11::{Mechanism, World, call, ok};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use cryptoki_sys::*;
use kms_emulator::{Emulator, Options};
use kms_pkcs11_testkit::{AccessKey, MiniStack, MiniStackOptions, Token, run};

/// How keys are made, and the mechanism that signs with them.
const RSA: (&str, &str) = ("rsa:2048", "SHA256-RSA-PKCS");
const EC: (&str, &str) = ("ec -pkeyopt ec_paramgen_curve:P-384", "ECDSA-SHA256");

#[test]
fn pkcs11_tool_writes_keys_that_sign_under_their_old_certificates() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let tools = Tools::over(&emulator.endpoint());
    for (kind, key_id) in [(RSA, "01"), (EC, "02")] {
        tools.make_certificate(kind);
        tools.openssl("pkey -in key.pem -outform DER -out key.der");
        tools.pkcs11_tool(&format!(
            "--write-object key.der --type privkey --id {key_id} --label ca --usage-sign"
        ));
        tools.assert_signs(kind, key_id);
    }
}

#[test]
fn pkcs11_tool_writes_a_key_into_ministack() {
    let ministack = MiniStack::start(MiniStackOptions::default());
    let tools = Tools::over(ministack.endpoint());
    for (kind, key_id) in [(RSA, "01"), (EC, "02")] {
        tools.make_certificate(kind);
        tools.openssl("pkey -in key.pem -outform DER -out key.der");
        tools.pkcs11_tool(&format!(
            "--write-object key.der --type privkey --id {key_id} --label ca --usage-sign"
        ));
        tools.assert_signs(kind, key_id);
    }
}

#[test]
fn p11tool_writes_both_halves_of_a_pair() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let tools = Tools::with_threads_over(&emulator.endpoint());
    for (kind, key_id) in [(RSA, "03"), (EC, "04")] {
        tools.make_certificate(kind);
        tools.openssl("pkey -in key.pem -pubout -out public.pem");
        for half in ["--load-privkey key.pem", "--load-pubkey public.pem"] {
            tools.p11tool(&format!("--write {half} --label gnutls --id {key_id}"));
        }
        tools.assert_signs(kind, key_id);
    }
    let created = emulator.calls().of("CreateKey");
    assert_eq!(created, 2, "a pair is one key");
}

#[test]
fn softhsm2_util_imports_a_pair() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let tools = Tools::over(&emulator.endpoint());
    for (kind, key_id) in [(RSA, "05"), (EC, "06")] {
        tools.make_certificate(kind);
        tools.openssl("pkcs8 -topk8 -nocrypt -in key.pem -out key8.pem");
        let module = tools.token.module.display().to_string();
        tools.run(
            "softhsm2-util",
            &format!(
                "--module {module} --import key8.pem --token aws-kms --label softhsm --id {key_id} --pin 1234"
            ),
        );
        tools.assert_signs(kind, key_id);
    }
    assert_eq!(emulator.calls().of("ScheduleKeyDeletion"), 0);
}

#[test]
fn a_key_wrapped_by_softhsm2_is_unwrapped_into_kms() {
    let softhsm = Tools {
        token: Token::softhsm(),
    };
    softhsm.make_certificate(RSA);
    softhsm.openssl("pkey -in key.pem -outform DER -out key.der");
    softhsm.pkcs11_tool("--write-object key.der --type privkey --id 01 --extractable --usage-sign");
    let kek: Vec<u8> = (0..32).collect();
    let wrapped = softhsm.wrapped(&kek);

    let world = World::with("");
    let session = world.module.session();
    let kek = [
        ulong(CKA_CLASS, CKO_SECRET_KEY),
        ulong(CKA_KEY_TYPE, CKK_AES),
        bytes(CKA_VALUE, &kek),
    ];
    let kek = session.create(&kek).unwrap();
    let wanted = [
        private_keys(),
        ulong(CKA_KEY_TYPE, CKK_RSA),
        flag(CKA_TOKEN, true),
        id([1]),
        label("moved"),
    ];
    let mut wanted = template(&wanted);
    let mut mechanism = Mechanism::from(CKM_AES_KEY_WRAP_KWP).raw();
    let mut key = 0;
    ok(call!(
        world.module,
        C_UnwrapKey,
        session.handle,
        ptr::from_mut(&mut mechanism),
        kek,
        wrapped.as_ptr().cast_mut(),
        wrapped.len() as CK_ULONG,
        wanted.as_mut_ptr(),
        wanted.len() as CK_ULONG,
        &raw mut key
    ))
    .unwrap();
    fs::write(softhsm.path("message"), "a message").unwrap();
    let signature = session
        .sign(CKM_SHA256_RSA_PKCS, key, b"a message")
        .unwrap();
    fs::write(softhsm.path("signature"), signature).unwrap();
    softhsm.assert_verifies();
}

/// A token, and the tools' files in its directory.
struct Tools {
    token: Token,
}

impl Tools {
    fn over(endpoint: &str) -> Self {
        Self {
            token: Token::kms(endpoint, &AccessKey::test()),
        }
    }

    /// For programs over GnuTLS, which always say that no threads may be created.
    fn with_threads_over(endpoint: &str) -> Self {
        let config = "[host]\ncreate_threads = \"always\"\n";
        Self {
            token: Token::kms_with_config(endpoint, &AccessKey::test(), "aws-kms", config),
        }
    }

    /// The private key of a SoftHSM2 token under an AES key, in the form of RFC 5649.
    fn wrapped(&self, kek: &[u8]) -> Vec<u8> {
        // SAFETY: the test is alone in its process, and no other thread looks at the environment.
        unsafe { std::env::set_var("SOFTHSM2_CONF", self.path("softhsm2.conf")) };
        let softhsm = Pkcs11::new(&self.token.module).unwrap();
        softhsm
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            .unwrap();
        let slot = softhsm.get_slots_with_initialized_token().unwrap()[0];
        let session = softhsm.open_rw_session(slot).unwrap();
        let pin = AuthPin::new(self.token.pin.clone().into());
        session.login(UserType::User, Some(&pin)).unwrap();
        let kek = session
            .create_object(&[
                Attribute::Class(ObjectClass::SECRET_KEY),
                Attribute::KeyType(KeyType::AES),
                Attribute::Token(false),
                Attribute::Wrap(true),
                Attribute::Value(kek.to_vec()),
            ])
            .unwrap();
        let private = [Attribute::Class(ObjectClass::PRIVATE_KEY)];
        let key = session.find_objects(&private).unwrap()[0];
        session
            .wrap_key(&cryptoki::mechanism::Mechanism::AesKeyWrapPad, kek, key)
            .unwrap()
    }

    /// A key in `key.pem`, and a certificate for it in `old.crt`.
    #[track_caller]
    fn make_certificate(&self, (kind, _): (&str, &str)) {
        self.openssl(&format!(
            "req -x509 -newkey {kind} -nodes -keyout key.pem -out old.crt -subj /CN=ca"
        ));
    }

    #[track_caller]
    fn assert_signs(&self, (_, mechanism): (&str, &str), key_id: &str) {
        fs::write(self.path("message"), "a message").unwrap();
        self.pkcs11_tool(&format!(
            "--sign --mechanism {mechanism} --id {key_id} --signature-format openssl \
             --input-file message --output-file signature"
        ));
        self.assert_verifies();
    }

    /// The signature of the message is one under the old certificate, and of no other message.
    #[track_caller]
    fn assert_verifies(&self) {
        self.openssl("x509 -in old.crt -pubkey -noout -out old.pem");
        let verify = "dgst -sha256 -verify old.pem -signature signature message";
        self.openssl(verify);
        fs::write(self.path("message"), "another message").unwrap();
        let mut openssl = self.token.command("openssl");
        assert!(!run(openssl.args(verify.split_whitespace())).success());
    }

    #[track_caller]
    fn pkcs11_tool(&self, arguments: &str) {
        let (module, label) = (self.token.module.display(), &self.token.label);
        let pin = &self.token.pin;
        let common = format!("--module {module} --token-label {label} --login --pin {pin}");
        self.run("pkcs11-tool", &format!("{common} {arguments}"));
    }

    #[track_caller]
    fn p11tool(&self, arguments: &str) {
        let module = self.token.module.display();
        let mut p11tool = self.token.command("p11tool");
        let url = format!("pkcs11:token={}", self.token.label);
        p11tool
            .arg("--provider")
            .arg(module.to_string())
            .args(["--login", "--batch"])
            .args(arguments.split_whitespace())
            .arg(url)
            .env("GNUTLS_PIN", "1234");
        let _ = run(&mut p11tool).ok();
    }

    #[track_caller]
    fn openssl(&self, arguments: &str) {
        self.run("openssl", arguments);
    }

    #[track_caller]
    fn run(&self, program: &str, arguments: &str) {
        let mut command = self.token.command(program);
        let _ = run(command.args(arguments.split_whitespace())).ok();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        Path::new(self.token.directory()).join(name)
    }
}
