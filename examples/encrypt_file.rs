//! Encrypts a file of any size under a symmetric key of KMS, and decrypts it again.
//!
//! ```text
//! encrypt_file encrypt|decrypt MODULE TOKEN KEY IN OUT
//! ```
//!
//! MODULE is the path of `libkms_pkcs11.so`, TOKEN the label of a token, KEY that of a symmetric key. Each
//! direction costs one request to KMS, however long the file is. `examples/README.md` has the format.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::vendor_defined::VendorDefinedMechanism;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::types::Ulong;

// What include/kms_pkcs11.h has for programs in C.
const CKM_KMS_SYMMETRIC: cryptoki_sys::CK_MECHANISM_TYPE = 0xcb4d_0001;
const CKA_KMS_CIPHERTEXT: AttributeType = AttributeType::VendorDefined(0xcb4d_0001);

#[repr(C)]
struct SymmetricParams {
    key: cryptoki_sys::CK_OBJECT_HANDLE,
    context: *const u8,
    context_len: cryptoki_sys::CK_ULONG,
}

/// What KMS binds the data key to: names and values, each ended by a NUL.
const CONTEXT: &[u8] = b"format\0KMSFILE1\0";
const MAGIC: &[u8; 8] = b"KMSFILE1";
/// Bytes of plaintext in a chunk of what is encrypted here, and at most in what is decrypted.
const CHUNK: u32 = 1 << 16;
const MAX_CHUNK: u32 = 1 << 24;
const TAG: usize = 16;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    // The first is the program itself.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [direction, module, token, key, input, output] = arguments.as_slice() else {
        return complain("usage: encrypt_file encrypt|decrypt MODULE TOKEN KEY IN OUT");
    };
    let work = match direction.as_str() {
        "encrypt" => encrypt,
        "decrypt" => decrypt,
        _ => return complain("the first argument is encrypt or decrypt"),
    };
    match run(work, module, token, key, input.as_ref(), output.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&format!("encrypt_file: {error}")),
    }
}

type Work = fn(&Session, ObjectHandle, &mut dyn Read, &mut dyn Write, Progress) -> Result<()>;

fn run(
    work: Work,
    module: &str,
    token: &str,
    key: &str,
    input: &Path,
    output: &Path,
) -> Result<()> {
    let mut source = BufReader::new(File::open(input)?);
    let progress = Progress::of(fs::metadata(input)?.len());
    let pkcs11 = Pkcs11::new(module)?;
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    let session = session(&pkcs11, token)?;
    let key = find(&session, key)?;
    // What is not whole gets no name: a reader never takes a part of a file for all of it.
    let partial = PathBuf::from(format!("{}.partial", output.display()));
    let target = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&partial)?;
    let mut target = BufWriter::new(target);
    let done = work(&session, key, &mut source, &mut target, progress)
        .and_then(|()| Ok(target.into_inner()?.sync_all()?))
        .and_then(|()| Ok(fs::rename(&partial, output)?));
    if done.is_err() {
        fs::remove_file(&partial)?;
    }
    done
}

fn session(pkcs11: &Pkcs11, label: &str) -> Result<Session> {
    for slot in pkcs11.get_slots_with_initialized_token()? {
        if pkcs11.get_token_info(slot)?.label() == label {
            return Ok(pkcs11.open_ro_session(slot)?);
        }
    }
    Err(format!("no token has the label {label}").into())
}

fn find(session: &Session, label: &str) -> Result<ObjectHandle> {
    let found = session.find_objects(&[
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(true),
        Attribute::Label(label.into()),
    ])?;
    match found.as_slice() {
        [key] => Ok(*key),
        [] => Err(format!("no symmetric key has the label {label}").into()),
        _ => Err(format!("several symmetric keys have the label {label}").into()),
    }
}

fn encrypt(
    session: &Session,
    key: ObjectHandle,
    input: &mut dyn Read,
    output: &mut dyn Write,
    mut progress: Progress,
) -> Result<()> {
    // The key of this file alone, which this program never sees.
    let params = params(key.handle());
    let template = [
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(Ulong::new(32)),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
    ];
    let data_key = session.generate_key(&mechanism(&params)?, &template)?;
    let read = session.get_attributes(data_key, &[CKA_KMS_CIPHERTEXT])?;
    let [Attribute::VendorDefined((_, wrapped))] = read.as_slice() else {
        return Err("the data key has no encrypted copy".into());
    };
    let wrapped_len = u16::try_from(wrapped.len())?;
    let header = [
        &MAGIC[..],
        &CHUNK.to_be_bytes(),
        &wrapped_len.to_be_bytes(),
        wrapped,
    ]
    .concat();
    output.write_all(&header)?;
    each_chunk(input, usize::try_from(CHUNK)?, |number, last, chunk| {
        let mut nonce = nonce(number, last);
        let gcm = GcmParams::new(&mut nonce, &header, Ulong::new(128))?;
        output.write_all(&session.encrypt(&Mechanism::AesGcm(gcm), data_key, chunk)?)?;
        progress.add(chunk.len())
    })
}

fn decrypt(
    session: &Session,
    key: ObjectHandle,
    input: &mut dyn Read,
    output: &mut dyn Write,
    mut progress: Progress,
) -> Result<()> {
    let mut header = vec![0; MAGIC.len() + 6];
    input.read_exact(&mut header)?;
    let Some([chunk @ .., high, low]) = header.strip_prefix(MAGIC) else {
        return Err("not a file of this program".into());
    };
    let chunk = u32::from_be_bytes(chunk.try_into()?);
    if !(1..=MAX_CHUNK).contains(&chunk) {
        return Err("chunks of a length that this program does not take".into());
    }
    let mut wrapped = vec![0; usize::from(u16::from_be_bytes([*high, *low]))];
    input.read_exact(&mut wrapped)?;
    header.extend_from_slice(&wrapped);
    progress.add(header.len())?;

    let params = params(0);
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
    ];
    let data_key = session.unwrap_key(&mechanism(&params)?, key, &wrapped, &template)?;
    each_chunk(
        input,
        usize::try_from(chunk)? + TAG,
        |number, last, chunk| {
            let mut nonce = nonce(number, last);
            let gcm = GcmParams::new(&mut nonce, &header, Ulong::new(128))?;
            output.write_all(&session.decrypt(&Mechanism::AesGcm(gcm), data_key, chunk)?)?;
            progress.add(chunk.len())
        },
    )
}

fn params(key: cryptoki_sys::CK_OBJECT_HANDLE) -> SymmetricParams {
    SymmetricParams {
        key,
        context: CONTEXT.as_ptr(),
        context_len: CONTEXT.len() as cryptoki_sys::CK_ULONG,
    }
}

fn mechanism(params: &SymmetricParams) -> Result<Mechanism<'_>> {
    let type_ = MechanismType::new_vendor_defined(CKM_KMS_SYMMETRIC)?;
    let mechanism = VendorDefinedMechanism::new(type_, Some(params));
    Ok(Mechanism::VendorDefined(mechanism))
}

/// The number of the chunk and whether it is the last: chunks cannot change places, nor can the end be cut
/// off. Each file has a key of its own, so no nonce comes twice.
fn nonce(number: u64, last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(last);
    nonce
}

/// Hands out chunks of `len` bytes, with their number; the last one may be shorter, and is empty only where
/// it is the first.
fn each_chunk(
    input: &mut dyn Read,
    len: usize,
    mut work: impl FnMut(u64, bool, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut read = || -> Result<Vec<u8>> {
        let mut chunk = Vec::with_capacity(len);
        (&mut *input).take(len as u64).read_to_end(&mut chunk)?;
        Ok(chunk)
    };
    let mut chunk = read()?;
    let mut number = 0;
    loop {
        let next = read()?;
        work(number, next.is_empty(), &chunk)?;
        if next.is_empty() {
            return Ok(());
        }
        chunk = next;
        number += 1;
    }
}

/// Bytes done of bytes to do, on stderr.
struct Progress {
    done: u64,
    total: u64,
    shown: Option<u64>,
}

impl Progress {
    fn of(total: u64) -> Self {
        Self {
            done: 0,
            total,
            shown: None,
        }
    }

    fn add(&mut self, len: usize) -> Result<()> {
        self.done += len as u64;
        let percent = (self.done.saturating_mul(100))
            .checked_div(self.total)
            .unwrap_or(100)
            .min(100);
        if self.shown != Some(percent) {
            self.shown = Some(percent);
            let end = if percent == 100 { "\n" } else { "" };
            write!(io::stderr(), "\r{percent:3} %{end}")?;
        }
        Ok(())
    }
}

fn complain(message: &str) -> ExitCode {
    // Nobody is left to tell when this fails.
    let _ = writeln!(io::stderr(), "{message}");
    ExitCode::FAILURE
}
