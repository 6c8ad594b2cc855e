//! The module over a KMS in memory, and calls of its functions with what an input makes of their arguments.

use std::sync::{Arc, LazyLock};

use parking_lot::{Mutex, MutexGuard};
use pkcs11_sys::*;

use super::arguments::{Arguments, word};
use super::functions::{ANSWERS, FUNCTIONS, Function, Kind};
use super::input::Input;
use super::making::{self, Known};
use super::memory_kms::MemoryKms;
use crate::abi;
use crate::config::Config;
use crate::kms::{Kms, KmsErrorKind};
use crate::module::Module;

/// Two tokens, which differ in how one logs in and in whether the signatures of this KMS, which are none, get past
/// the module; and a log whose lines are made and thrown away.
const CONFIGURATION: &str = r#"
[[token]]
label = "any"
region = "eu-west-1"
rsa_usage_when_both = { 2048 = "decrypt" }
verify_signatures = false

[[token]]
label = "credentials"
region = "eu-west-1"
pin = "credentials"

[log]
level = "debug"
file = "/dev/null"
"#;

/// There is one module in a process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Every function takes words, ten at most.
type Entry = unsafe extern "C" fn(
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
) -> CK_RV;

/// The initialised module, with a session and the handles that are known so far.
pub(super) struct Machine {
    kms: Arc<MemoryKms>,
    sessions: Vec<CK_SESSION_HANDLE>,
    pub(super) objects: Vec<CK_OBJECT_HANDLE>,
    is_initialized: bool,
    _alone: MutexGuard<'static, ()>,
}

impl Machine {
    pub(super) fn start() -> Self {
        let alone = ONE_AT_A_TIME.lock();
        let kms = Arc::new(MemoryKms::stocked());
        #[expect(clippy::expect_used, reason = "the configuration is a constant")]
        let config = Config::of_bytes(CONFIGURATION.into()).expect("the configuration is good");
        let port: Arc<dyn Kms> = kms.clone();
        let installed = abi::install(|| Ok(Module::over(config, &port)));
        assert!(installed.is_ok(), "another module is there");
        let mut machine = Self {
            kms,
            sessions: Vec::new(),
            objects: Vec::new(),
            is_initialized: true,
            _alone: alone,
        };
        machine.look_around();
        machine
    }

    /// Opens a session, finds the keys, and makes secret keys of the session.
    fn look_around(&mut self) {
        let mut opening = Arguments::default();
        opening.word(0);
        opening.number(CKF_SERIAL_SESSION | CKF_RW_SESSION);
        opening.word(0);
        opening.word(0);
        handle_for(&mut opening);
        self.call("C_OpenSession", opening);
        self.find(&[]);
        for (key_type, len) in [(CKK_AES, 32), (CKK_AES, 16), (CKK_GENERIC_SECRET, 20)] {
            self.create_secret(key_type, len);
        }
    }

    fn create_secret(&mut self, key_type: CK_KEY_TYPE, len: usize) {
        let numbers = |number: CK_ULONG| number.to_le_bytes().to_vec();
        let flags = [
            CKA_SIGN,
            CKA_VERIFY,
            CKA_ENCRYPT,
            CKA_DECRYPT,
            CKA_WRAP,
            CKA_UNWRAP,
            CKA_DERIVE,
            CKA_EXTRACTABLE,
        ];
        let template: Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)> = [
            (CKA_CLASS, numbers(CKO_SECRET_KEY)),
            (CKA_KEY_TYPE, numbers(key_type)),
            (CKA_TOKEN, vec![0]),
            (CKA_SENSITIVE, vec![0]),
            (CKA_VALUE, vec![0x5a; len]),
        ]
        .into_iter()
        .chain(flags.map(|flag| (flag, vec![1])))
        .collect();
        let mut arguments = self.in_session();
        append(&mut arguments, &template);
        handle_for(&mut arguments);
        let rv = self.call("C_CreateObject", arguments);
        assert_eq!(rv, CKR_OK, "a secret key of the session");
    }

    /// Handles of what has these attributes, which are then known. A search that is under way ends.
    pub(super) fn find(
        &mut self,
        template: &[(CK_ATTRIBUTE_TYPE, Vec<u8>)],
    ) -> Vec<CK_OBJECT_HANDLE> {
        let arguments = self.in_session();
        self.call("C_FindObjectsFinal", arguments);
        let mut arguments = self.in_session();
        append(&mut arguments, template);
        if self.call("C_FindObjectsInit", arguments) != CKR_OK {
            return Vec::new();
        }
        let mut arguments = self.in_session();
        let (buffer, count) =
            arguments.found(&[0; 128 * size_of::<CK_ULONG>()], size_of::<CK_ULONG>());
        arguments.words.extend([buffer, 128, count]);
        let known = self.objects.len();
        self.call("C_FindObjects", arguments);
        let arguments = self.in_session();
        self.call("C_FindObjectsFinal", arguments);
        self.objects[known..].to_vec()
    }

    /// Arguments that begin with the latest session.
    pub(super) fn in_session(&self) -> Arguments {
        let mut arguments = Arguments::default();
        arguments.number(self.sessions.last().copied().unwrap_or(CK_INVALID_HANDLE));
        arguments
    }

    /// Calls one of these functions as the input says, or has a request to KMS fail that is still to come.
    /// Answers the handle of the object that the call made last.
    pub(super) fn step(
        &mut self,
        input: &mut Input<'_>,
        functions: &[&Function],
    ) -> Option<CK_OBJECT_HANDLE> {
        let byte = usize::from(input.byte());
        if byte == 0xff {
            self.kms.fail(input.choose(&FAILURES));
            return None;
        }
        let function = functions[byte % functions.len()];
        // Initialised anew, the module would have another KMS: the real one.
        if function.name == "C_Initialize" && !self.is_initialized {
            return None;
        }
        let known = Known {
            sessions: &self.sessions,
            objects: &self.objects,
        };
        let mut arguments = Arguments::default();
        for kind in function.arguments {
            making::argument(*kind, input, &mut arguments, &known);
        }
        let before = self.objects.len();
        let rv = self.call(function.name, arguments);
        let has_new = function.arguments.contains(&Kind::NewObject);
        let made = self.objects.get(before..).and_then(<[_]>::last);
        made.copied().filter(|_| has_new && rv == CKR_OK)
    }

    /// No request fails any more.
    pub(super) fn heal(&self) {
        self.kms.heal();
    }

    /// Makes the call and checks what it did to its arguments.
    pub(super) fn call(&mut self, name: &'static str, arguments: Arguments) -> CK_RV {
        self.call_and_keep(name, arguments).0
    }

    /// The same for a caller that wants its arguments back.
    pub(super) fn call_and_keep(
        &mut self,
        name: &'static str,
        arguments: Arguments,
    ) -> (CK_RV, Arguments) {
        let mut words = arguments.words.clone();
        words.resize(10, 0);
        let w = words;
        let entry = entry(name);
        // SAFETY: the words are what the table says of this function: handles, numbers, and pointers that are
        // NULL or to memory in `arguments` of the lengths beside them, or lengths that the module has to refuse.
        // Those that a function does not have it does not look at.
        let rv = unsafe { entry(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9]) };
        assert!(ANSWERS.contains(&rv), "{name} answered {rv:#x}");
        arguments.check(name, rv);
        if rv == CKR_OK {
            self.remember(name, &arguments);
        }
        (rv, arguments)
    }

    fn remember(&mut self, name: &str, arguments: &Arguments) {
        let kinds = FUNCTIONS
            .iter()
            .find(|function| function.name == name)
            .map_or(&[][..], |function| function.arguments);
        if name == "C_Finalize" {
            self.is_initialized = false;
        } else if kinds.contains(&Kind::NewSession) {
            self.sessions.extend(arguments.numbers());
        } else if kinds.contains(&Kind::NewObject) {
            self.objects.extend(arguments.numbers());
        } else if kinds.contains(&Kind::Found) {
            self.objects.extend(arguments.handles());
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if self.is_initialized {
            let mut arguments = Arguments::default();
            arguments.word(0);
            self.call("C_Finalize", arguments);
        }
    }
}

/// Room for the handle of something new.
fn handle_for(arguments: &mut Arguments) {
    let address = arguments.value(&[0; size_of::<CK_ULONG>()], 0);
    arguments.word(address);
}

/// What a request to KMS fails with.
const FAILURES: [KmsErrorKind; 12] = [
    KmsErrorKind::Disabled,
    KmsErrorKind::InvalidState,
    KmsErrorKind::NotFound,
    KmsErrorKind::AccessDenied,
    KmsErrorKind::Credentials,
    KmsErrorKind::InvalidCiphertext,
    KmsErrorKind::Length,
    KmsErrorKind::Validation,
    KmsErrorKind::LimitExceeded,
    KmsErrorKind::Throttled,
    KmsErrorKind::Timeout,
    KmsErrorKind::BadAnswer,
];

fn append(arguments: &mut Arguments, template: &[(CK_ATTRIBUTE_TYPE, Vec<u8>)]) {
    let mut bytes = Vec::new();
    for (type_, value) in template {
        let address = arguments.input(value);
        for word in [word(*type_), address, value.len()] {
            bytes.extend(word.to_le_bytes());
        }
    }
    let address = arguments.input(&bytes);
    arguments.words.extend([address, template.len()]);
}

/// The function of this name.
fn entry(name: &str) -> Entry {
    #[expect(clippy::expect_used, reason = "the names are those of the table")]
    let index = abi::FUNCTIONS
        .iter()
        .position(|function| function.name == name)
        .expect("a function of the table");
    ENTRIES[index]
}

/// The list that programs get.
static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    unsafe extern "C" {
        fn C_GetInterface(
            name: CK_UTF8CHAR_PTR,
            version: CK_VERSION_PTR,
            interface: CK_INTERFACE_PTR_PTR,
            flags: CK_FLAGS,
        ) -> CK_RV;
    }
    let (name, mut version) = (std::ptr::null_mut(), CK_VERSION { major: 3, minor: 2 });
    let mut interface: CK_INTERFACE_PTR = std::ptr::null_mut();
    // SAFETY: a NULL name is allowed, and the other pointers are to values that live here.
    let rv = unsafe { C_GetInterface(name, &raw mut version, &raw mut interface, 0) };
    assert!(rv == CKR_OK && !interface.is_null(), "no interface 3.2");
    let entry = |index| {
        // SAFETY: the interface is a static of the module's, and its list a CK_VERSION, padded to a pointer's
        // size, with a pointer to a function for each name; all of them are called alike for words.
        unsafe { *(*interface).pFunctionList.cast::<Entry>().add(1 + index) }
    };
    (0..abi::FUNCTIONS.len()).map(entry).collect()
});
