//! What it takes to verify a signature here, beside the signature that KMS makes in 5 ms.

use std::ptr;
use std::time::{Duration, Instant};

use cryptoki_sys::*;
use libloading::Library;
use serde_json::{Value, json};

use crate::emulator::Emulator;
use crate::{Child, Result, median};

const SERVICE: Duration = Duration::from_millis(5);
const SIGNATURES: usize = 60;
const VERIFICATIONS: usize = 400;
/// The id of every key, in hexadecimal, is `7e` and its number in [`KINDS`].
const ID: u8 = 0x7e;

struct Kind {
    spec: &'static str,
    mechanism: CK_MECHANISM_TYPE,
}

/// Every mechanism hashes a message, or takes it as it is.
const KINDS: &[Kind] = {
    const fn kind(spec: &'static str, mechanism: CK_MECHANISM_TYPE) -> Kind {
        Kind { spec, mechanism }
    }
    &[
        kind("RSA_2048", CKM_SHA256_RSA_PKCS),
        kind("RSA_3072", CKM_SHA256_RSA_PKCS),
        kind("RSA_4096", CKM_SHA256_RSA_PKCS),
        kind("ECC_NIST_P256", CKM_ECDSA_SHA256),
        kind("ECC_NIST_P384", CKM_ECDSA_SHA384),
        kind("ECC_NIST_P521", CKM_ECDSA_SHA512),
        kind("ECC_SECG_P256K1", CKM_ECDSA_SHA256),
        kind("ECC_NIST_EDWARDS25519", CKM_EDDSA),
        kind("ML_DSA_44", CKM_ML_DSA),
        kind("ML_DSA_65", CKM_ML_DSA),
        kind("ML_DSA_87", CKM_ML_DSA),
    ]
};

pub(crate) fn compare() -> Result<()> {
    println!(
        "\nVerification of a signature by the module, and the signature itself with a service latency of {SERVICE:?}:\n\
         medians in ms, on one thread.\n\n\
         {:<21} | {:>7} {:>7} {:>7}",
        "key", "verify", "sign", "share"
    );
    let emulator = Emulator::start()?;
    for (number, kind) in KINDS.iter().enumerate() {
        emulator.create_keys(1, kind.spec, &format!("{ID:02x}{number:02x}"))?;
    }
    emulator.control().set_latency(SERVICE)?;
    let config = "[[token]]\nlabel = \"bench\"\nverify_signatures = false\n";
    let answer = Child::with_config(&emulator, &["verification"], config)?.answer()?;
    let rows = answer.as_array().ok_or("no rows")?;
    for (kind, row) in KINDS.iter().zip(rows) {
        let ms = |name: &str| row[name].as_f64().ok_or("an incomplete answer");
        let (verify, sign) = (ms("verify")?, ms("sign")?);
        let share = 100.0 * verify / sign;
        println!(
            "{:<21} | {verify:>7.3} {sign:>7.2} {share:>6.1}%",
            kind.spec
        );
    }
    Ok(())
}

/// Signs and verifies with every key, and prints what it took.
pub(crate) fn child() -> Result<()> {
    let module = Module::load()?;
    let rows = KINDS.iter().enumerate().map(|(number, kind)| {
        let id = [ID, u8::try_from(number)?];
        module.measure(kind, &id)
    });
    let rows = rows.collect::<Result<Vec<Value>>>()?;
    println!("{}", Value::from(rows));
    Ok(())
}

/// The module with a session, called by its C functions: no crate for clients knows ML-DSA.
struct Module {
    list: CK_FUNCTION_LIST,
    session: CK_SESSION_HANDLE,
    _library: Library,
}

/// Calls a function of the list by its name.
macro_rules! call {
    ($module:ident.$function:ident($($argument:expr),* $(,)?)) => {{
        let function = $module.list.$function.ok_or("an incomplete list")?;
        // SAFETY: pointers are to values that outlive the call, of the lengths beside them.
        match unsafe { function($($argument),*) } {
            CKR_OK => Ok(()),
            rv => Err(format!("{} answered {rv:#x}", stringify!($function))),
        }
    }};
}

impl Module {
    fn load() -> Result<Self> {
        type GetFunctionList = unsafe extern "C" fn(CK_FUNCTION_LIST_PTR_PTR) -> CK_RV;
        // SAFETY: the initialisers are those of Rust's standard library and aws-lc.
        let library = unsafe { Library::new(kms_pkcs11_testkit::module()) }?;
        let mut list = ptr::null_mut();
        // SAFETY: the type is PKCS#11's, and the list is the module's for as long as it is loaded.
        let list = unsafe {
            let get = library.get::<GetFunctionList>(b"C_GetFunctionList\0")?;
            get(&raw mut list);
            *list.as_ref().ok_or("no function list")?
        };
        let mut module = Self {
            list,
            session: 0,
            _library: library,
        };
        let mut session = 0;
        call!(module.C_Initialize(ptr::null_mut()))?;
        call!(module.C_OpenSession(
            0,
            CKF_SERIAL_SESSION,
            ptr::null_mut(),
            None,
            &raw mut session
        ))?;
        module.session = session;
        Ok(module)
    }

    fn measure(&self, kind: &Kind, id: &[u8]) -> Result<Value> {
        let mut message = *b"a message of thirty-two bytes ...";
        let (data, len) = (message.as_mut_ptr(), message.len() as CK_ULONG);
        let mut mechanism = CK_MECHANISM {
            mechanism: kind.mechanism,
            pParameter: ptr::null_mut(),
            ulParameterLen: 0,
        };
        let [private, public] = [
            self.find(CKO_PRIVATE_KEY, id)?,
            self.find(CKO_PUBLIC_KEY, id)?,
        ];
        let mut signature = vec![0; 5000];
        let mut signature_len = 0;
        let mut sign = || -> Result<()> {
            signature_len = signature.len() as CK_ULONG;
            call!(self.C_SignInit(self.session, &raw mut mechanism, private))?;
            let (out, room) = (signature.as_mut_ptr(), &raw mut signature_len);
            Ok(call!(self.C_Sign(self.session, data, len, out, room))?)
        };
        let signed = typical(SIGNATURES, &mut sign)?;
        let mut verify = || -> Result<()> {
            call!(self.C_VerifyInit(self.session, &raw mut mechanism, public))?;
            Ok(call!(self.C_Verify(
                self.session,
                data,
                len,
                signature.as_mut_ptr(),
                signature_len
            ))?)
        };
        let verified = typical(VERIFICATIONS, &mut verify)?;
        Ok(json!({ "verify": verified, "sign": signed }))
    }

    fn find(&self, mut class: CK_OBJECT_CLASS, id: &[u8]) -> Result<CK_OBJECT_HANDLE> {
        let attribute = |type_, value: *const u8, len: usize| CK_ATTRIBUTE {
            type_,
            pValue: value.cast_mut().cast(),
            ulValueLen: len as CK_ULONG,
        };
        let mut template = [
            attribute(CKA_CLASS, (&raw mut class).cast(), size_of_val(&class)),
            attribute(CKA_ID, id.as_ptr(), id.len()),
        ];
        let (mut object, mut count) = (0, 0);
        call!(self.C_FindObjectsInit(self.session, template.as_mut_ptr(), 2))?;
        call!(self.C_FindObjects(self.session, &raw mut object, 1, &raw mut count))?;
        call!(self.C_FindObjectsFinal(self.session))?;
        if count == 1 {
            Ok(object)
        } else {
            Err("a key is not found".into())
        }
    }
}

/// The median of how long something takes, in milliseconds; the first time is not counted.
fn typical(times: usize, work: &mut dyn FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let begin = Instant::now();
        work()?;
        took.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(took))
}
