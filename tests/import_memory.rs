//! What is left of a key in the memory of the process that handed it to the module: nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::ptr;

use common_p11::attribute::{bytes, flag, id, private_keys, template, ulong};
use common_p11::{Attr, Mechanism, Module, Session, call, ok};
use cryptoki_sys::*;
use kms_pkcs11_testkit::{MiniStack, MiniStackOptions, REGION};
use tempfile::TempDir;

const P256: &[u8] = common_p11::attribute::P256;

/// The numbers of an RSA key by the names of their files; the first two are public.
const RSA_NUMBERS: [(&str, CK_ATTRIBUTE_TYPE); 8] = [
    ("n", CKA_MODULUS),
    ("e", CKA_PUBLIC_EXPONENT),
    ("d", CKA_PRIVATE_EXPONENT),
    ("p", CKA_PRIME_1),
    ("q", CKA_PRIME_2),
    ("dp", CKA_EXPONENT_1),
    ("dq", CKA_EXPONENT_2),
    ("qinv", CKA_COEFFICIENT),
];

#[test]
fn no_byte_of_an_imported_or_unwrapped_key_is_left_in_memory() {
    // Another process: an emulator in this one would hold the keys.
    let ministack = MiniStack::start(MiniStackOptions::default());
    let files = TempDir::new().unwrap();
    let directory = files.path().display().to_string();
    let script = include_str!("import_memory.py");
    let _ = ministack
        .boto3(&ministack.root(), script, &[&directory])
        .ok();
    let module = start(files.path(), ministack.endpoint());
    let session = module.session();

    let secret = |prefix: &str, names: &[&str]| -> Vec<Needle> {
        let path = |name: &&str| files.path().join(format!("{prefix}-{name}"));
        names
            .iter()
            .map(path)
            .flat_map(|path| needles(&path))
            .collect()
    };
    let created = secret(
        "created",
        &["d", "p", "q", "dp", "dq", "qinv", "scalar", "hmac", "aes"],
    );
    let unwrapped = secret(
        "unwrapped",
        &["d", "p", "q", "dp", "dq", "qinv", "scalar", "aes"],
    );
    assert_eq!(found(&created), [0; 0]);

    let read = |name: &str| fs::read(files.path().join(format!("created-{name}"))).unwrap();
    let mut rsa = key_template(CKO_PRIVATE_KEY, CKK_RSA);
    rsa.extend(RSA_NUMBERS.map(|(name, type_)| Attr {
        type_,
        value: read(name),
    }));
    assert!(
        !found(&created).is_empty(),
        "the search finds what is there"
    );
    create(session, rsa);
    let mut ec = key_template(CKO_PRIVATE_KEY, CKK_EC);
    ec.push(bytes(CKA_EC_PARAMS, P256));
    let value = read("scalar");
    ec.push(Attr {
        type_: CKA_VALUE,
        value,
    });
    create(session, ec);
    for (name, key_type) in [("hmac", CKK_GENERIC_SECRET), ("aes", CKK_AES)] {
        let mut secret = key_template(CKO_SECRET_KEY, key_type);
        let value = read(name);
        secret.push(Attr {
            type_: CKA_VALUE,
            value,
        });
        create(session, secret);
    }
    assert_eq!(found(&created), [0; 0]);

    let unwrapping = session.find_one(&[private_keys(), id([0xaa])]);
    for (name, class, key_type) in [
        ("rsa", CKO_PRIVATE_KEY, CKK_RSA),
        ("ec", CKO_PRIVATE_KEY, CKK_EC),
        ("aes", CKO_SECRET_KEY, CKK_AES),
    ] {
        let wrapped = fs::read(files.path().join(format!("unwrapped-{name}-wrapped"))).unwrap();
        unwrap(
            session,
            unwrapping,
            &wrapped,
            &key_template(class, key_type),
        );
    }
    assert_eq!(found(&unwrapped), [0; 0]);
    assert_eq!(session.find(&[private_keys()]).unwrap().len(), 5);
}

/// The module over this endpoint, with credentials of nobody.
fn start(directory: &Path, endpoint: &str) -> Module {
    let config = directory.join("config.toml");
    let token = format!("[[token]]\nregion = \"{REGION}\"\nendpoint = \"{endpoint}\"\n");
    fs::write(&config, token).unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ] {
        // SAFETY: the test is alone in its process, and no other thread looks at the environment.
        unsafe { std::env::set_var(name, value) };
    }
    let module = Module::load();
    let reserved = format!("config={}", config.display());
    module.initialize_reserved(&reserved).unwrap();
    module
}

fn key_template(class: CK_OBJECT_CLASS, key_type: CK_KEY_TYPE) -> Vec<Attr> {
    let (class, key_type) = (ulong(CKA_CLASS, class), ulong(CKA_KEY_TYPE, key_type));
    vec![class, key_type, flag(CKA_TOKEN, true)]
}

/// C_CreateObject, after which the caller wipes what is its own.
fn create(session: Session<'_>, mut wanted: Vec<Attr>) {
    session.create(&wanted).unwrap();
    for attribute in &mut wanted {
        wipe(&mut attribute.value);
    }
}

fn unwrap(session: Session<'_>, key: CK_OBJECT_HANDLE, wrapped: &[u8], wanted: &[Attr]) {
    let oaep = Mechanism::oaep_sha256().1;
    let fields: [CK_ULONG; 2] = [256, oaep.as_ptr() as CK_ULONG];
    let parameter = fields.iter().flat_map(|field| field.to_ne_bytes());
    let mechanism = Mechanism(CKM_RSA_AES_KEY_WRAP, parameter.collect());
    let mut wanted = template(wanted);
    let mut object = 0;
    ok(call!(
        session.module,
        C_UnwrapKey,
        session.handle,
        ptr::from_mut(&mut mechanism.raw()),
        key,
        wrapped.as_ptr().cast_mut(),
        wrapped.len() as CK_ULONG,
        wanted.as_mut_ptr(),
        wanted.len() as CK_ULONG,
        &raw mut object
    ))
    .unwrap();
}

fn wipe(bytes: &mut [u8]) {
    for byte in bytes {
        // SAFETY: a byte that this function borrows. Volatile, so that it happens.
        unsafe { ptr::write_volatile(byte, 0) };
    }
}

const NEEDLE: usize = 16;
/// What lies in this process of a needle is another one: the search must not find itself.
const MASK: u8 = 0xa5;

/// Bytes of a key, disguised.
type Needle = [u8; NEEDLE];

/// The ends of a number, as it is written and as a library of big numbers holds it on this machine.
fn needles(path: &Path) -> Vec<Needle> {
    let mut number = fs::read(path).unwrap();
    assert!(number.len() >= 32, "{}", path.display());
    let (first, last) = (&number[..NEEDLE], &number[number.len() - NEEDLE..]);
    let needles = [first, last].into_iter().flat_map(|part| {
        let mut written = [0; NEEDLE];
        let mut reversed = [0; NEEDLE];
        for (index, byte) in part.iter().enumerate() {
            written[index] = byte ^ MASK;
            reversed[NEEDLE - 1 - index] = byte ^ MASK;
        }
        [written, reversed]
    });
    let needles = needles.collect();
    wipe(&mut number);
    needles
}

/// The indices of the needles that are somewhere in the writable memory of this process.
fn found(needles: &[Needle]) -> Vec<usize> {
    const CHUNK: usize = 1 << 20;
    // By their first two bytes, undisguised: what can be left out of the search for most positions.
    let mut beginnings = vec![false; 1 << 16];
    for needle in needles {
        beginnings[beginning(needle, MASK)] = true;
    }
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut memory = File::open("/proc/self/mem").unwrap();
    let mut chunk = vec![0; CHUNK + NEEDLE - 1];
    let mut found = Vec::new();
    let mut searched = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, rest) = line.split_once('-').unwrap();
        let (end, _) = rest.split_once(' ').unwrap();
        let [mut start, end] = [start, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        while start < end {
            let wanted = (end - start).min(chunk.len() as u64);
            let wanted = usize::try_from(wanted).unwrap();
            memory.seek(SeekFrom::Start(start)).unwrap();
            // A mapping of a device may not be readable.
            if memory.read_exact(&mut chunk[..wanted]).is_ok() {
                searched += wanted;
                for window in chunk[..wanted].windows(NEEDLE) {
                    if beginnings[beginning(window, 0)] {
                        let same = |needle: &Needle| {
                            needle.iter().zip(window).all(|(a, b)| a ^ MASK == *b)
                        };
                        found.extend(needles.iter().position(same));
                    }
                }
            }
            start += CHUNK as u64;
        }
    }
    // What was read is searched for, too, where it lies now.
    wipe(&mut chunk);
    assert!(searched > CHUNK, "{searched} bytes");
    found.sort_unstable();
    found.dedup();
    found
}

fn beginning(bytes: &[u8], mask: u8) -> usize {
    usize::from(bytes[0] ^ mask) << 8 | usize::from(bytes[1] ^ mask)
}
