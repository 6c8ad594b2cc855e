//! The built module, called through its C function list as a C program calls it, over an emulator.

#![allow(
    dead_code,
    unused_imports,
    reason = "each suite has its own use of these helpers"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod calls;
mod guarded;
mod mechanism;
mod outside;
mod secrets;

use std::ffi::CString;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{env, fs, ptr};

use cryptoki_sys::*;
use kms_emulator::{Calls, Emulator, NewKeys, Options};
use kms_pkcs11_testkit::{AccessKey, REGION, aws_environment, module};
use libloading::Library;
use tempfile::TempDir;

pub(crate) use calls::{AMPLE, call};
pub(crate) use guarded::{Answer, Room, UNAVAILABLE};
pub(crate) use mechanism::{
    Hash, Mechanism, SHA_1, SHA_224, SHA_256, SHA_384, SHA_512, SHA3_256, der,
};
pub(crate) use outside::{Claim, Outside, Scheme};
pub(crate) use secrets::{Hkdf, computed, flag, ulong};

/// A key to be made in KMS: its spec and its usage.
pub(crate) type KeyKind = (&'static str, &'static str);

pub(crate) const P256: KeyKind = ("ECC_NIST_P256", "SIGN_VERIFY");
pub(crate) const P384: KeyKind = ("ECC_NIST_P384", "SIGN_VERIFY");
pub(crate) const P521: KeyKind = ("ECC_NIST_P521", "SIGN_VERIFY");
pub(crate) const SECP256K1: KeyKind = ("ECC_SECG_P256K1", "SIGN_VERIFY");
pub(crate) const ED25519: KeyKind = ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY");
pub(crate) const ML_DSA_44: KeyKind = ("ML_DSA_44", "SIGN_VERIFY");
pub(crate) const ML_DSA_65: KeyKind = ("ML_DSA_65", "SIGN_VERIFY");
pub(crate) const ML_DSA_87: KeyKind = ("ML_DSA_87", "SIGN_VERIFY");
pub(crate) const RSA_2048: KeyKind = ("RSA_2048", "SIGN_VERIFY");
pub(crate) const RSA_3072: KeyKind = ("RSA_3072", "SIGN_VERIFY");
pub(crate) const RSA_4096: KeyKind = ("RSA_4096", "SIGN_VERIFY");
pub(crate) const RSA_2048_DECRYPT: KeyKind = ("RSA_2048", "ENCRYPT_DECRYPT");
pub(crate) const RSA_3072_DECRYPT: KeyKind = ("RSA_3072", "ENCRYPT_DECRYPT");
pub(crate) const P256_AGREE: KeyKind = ("ECC_NIST_P256", "KEY_AGREEMENT");
pub(crate) const P384_AGREE: KeyKind = ("ECC_NIST_P384", "KEY_AGREEMENT");
pub(crate) const P521_AGREE: KeyKind = ("ECC_NIST_P521", "KEY_AGREEMENT");
pub(crate) const ML_KEM_512: KeyKind = ("ML_KEM_512", "ENCAPSULATE_DECAPSULATE");
pub(crate) const ML_KEM_768: KeyKind = ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE");
pub(crate) const ML_KEM_1024: KeyKind = ("ML_KEM_1024", "ENCAPSULATE_DECAPSULATE");
pub(crate) const RSA_4096_DECRYPT: KeyKind = ("RSA_4096", "ENCRYPT_DECRYPT");

/// The module, initialised, with one read-write session on its one token.
///
/// The module is one for the process, and so is the environment that its credentials come from: clients
/// in several threads take turns.
pub(crate) struct Client {
    list: &'static CK_FUNCTION_LIST,
    session: CK_SESSION_HANDLE,
    emulator: Emulator,
    directory: TempDir,
    library: Library,
    _turn: MutexGuard<'static, ()>,
}

/// The two objects of a key in KMS.
pub(crate) struct Key {
    pub(crate) private: CK_OBJECT_HANDLE,
    pub(crate) public: CK_OBJECT_HANDLE,
    /// The public key, DER.
    pub(crate) spki: Vec<u8>,
}

impl Client {
    /// A token with these keys, their public keys fetched already.
    #[track_caller]
    pub(crate) fn start<const N: usize>(kinds: [KeyKind; N]) -> (Self, [Key; N]) {
        Self::configured("", kinds)
    }

    /// The same with more lines in the `[[token]]` of the configuration.
    #[track_caller]
    pub(crate) fn configured<const N: usize>(token: &str, kinds: [KeyKind; N]) -> (Self, [Key; N]) {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let emulator = Emulator::start(Options::default()).unwrap();
        let key_ids = kinds.map(|(spec, usage)| {
            let created = emulator.create_keys(&NewKeys::new(1, spec, usage)).unwrap();
            created[0].key_id.clone()
        });
        let directory = TempDir::new().unwrap();
        let reserved = configure(&directory, &emulator.endpoint(), token);
        set_environment(&emulator.endpoint());
        // SAFETY: the module's initialisers are those of Rust's standard library and aws-lc, which may run
        // at any time.
        let library = unsafe { Library::new(module()) }.unwrap();
        let mut client = Self {
            list: function_list(&library),
            session: 0,
            emulator,
            directory,
            library,
            _turn: turn,
        };
        assert_eq!(client.initialize(&reserved), CKR_OK);
        client.session = client.open_session();
        let keys = key_ids.map(|key_id| client.key(&key_id));
        client.emulator.reset_calls();
        (client, keys)
    }

    pub(crate) fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// Where the client may keep files.
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// What `work` asked of KMS.
    pub(crate) fn requests(&self, work: impl FnOnce()) -> Calls {
        self.emulator.reset_calls();
        work();
        self.emulator.calls()
    }

    /// Everything in the module's log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join(LOG)).unwrap_or_default()
    }

    /// The objects of a key that was made without this module: their CKA_ID is its id.
    #[track_caller]
    fn key(&self, key_id: &str) -> Key {
        let id = u128::from_str_radix(&key_id.replace('-', ""), 16).unwrap();
        let [private, public] = [CKO_PRIVATE_KEY, CKO_PUBLIC_KEY].map(|class| {
            let found = self.find(&[
                (CKA_CLASS, class.to_ne_bytes().to_vec()),
                (CKA_ID, id.to_be_bytes().to_vec()),
            ]);
            assert_eq!(found.len(), 1, "{key_id}: {found:?}\n{}", self.log());
            found[0]
        });
        Key {
            private,
            public,
            spki: self.value(public, CKA_PUBLIC_KEY_INFO),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let rv = call!(self.C_Finalize(ptr::null_mut()));
        // A second panic would hide the test's own.
        if !std::thread::panicking() {
            assert_eq!(rv, CKR_OK);
        }
    }
}

/// `len` bytes that look random and are the same in every run.
pub(crate) fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(len).collect()
}

static TURN: Mutex<()> = Mutex::new(());

const LOG: &str = "module.log";

/// Writes the configuration; answers the reserved string of C_Initialize that names it.
fn configure(directory: &TempDir, endpoint: &str, token: &str) -> CString {
    let file = directory.path().join("config.toml");
    let log = directory.path().join(LOG);
    let text = format!(
        "[[token]]\n\
         region = \"{REGION}\"\n\
         endpoint = \"{endpoint}\"\n\
         {token}\n\
         [log]\n\
         file = \"{}\"\n",
        log.display()
    );
    fs::write(&file, text).unwrap();
    CString::new(format!("config={}", file.display())).unwrap()
}

/// Leaves nothing in the environment that configures the module but what makes it use this endpoint.
fn set_environment(endpoint: &str) {
    let ours = |name: &str| {
        let name = name.to_ascii_uppercase();
        name.starts_with("AWS_") || name.starts_with("KMS_PKCS11_") || name.ends_with("_PROXY")
    };
    let inherited: Vec<String> = env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| ours(name))
        .collect();
    // SAFETY: the module is not initialised and the emulator reads no variables, so nobody reads the
    // environment but Rust's standard library, which locks it, in tests that wait for their turn.
    unsafe {
        for name in inherited {
            env::remove_var(name);
        }
        for (name, value) in aws_environment(endpoint, &AccessKey::test()) {
            env::set_var(name, value);
        }
    }
}

fn function_list(library: &Library) -> &'static CK_FUNCTION_LIST {
    let mut list = ptr::null_mut();
    // SAFETY: this is the type that PKCS#11 gives the symbol.
    let get = unsafe { library.get::<GetFunctionList>(b"C_GetFunctionList\0") }.unwrap();
    // SAFETY: `list` is valid for writing a pointer.
    let rv = unsafe { get(&raw mut list) };
    assert_eq!(rv, CKR_OK);
    // SAFETY: the module answers a pointer to a static, and it is never unloaded (`-z nodelete`).
    unsafe { list.as_ref() }.unwrap()
}

type GetFunctionList = unsafe extern "C" fn(CK_FUNCTION_LIST_PTR_PTR) -> CK_RV;
