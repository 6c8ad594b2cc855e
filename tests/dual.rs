//! Dual-function operations: what goes through a cipher and a digest, a signature or a verification at once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::ptr;

use common_p11::attribute::{bytes, flag, private_keys, public_keys, ulong};
use common_p11::{Mechanism, Rv, Session, World, call, calls, ok};
use cryptoki_sys::*;
use kms_emulator::NewKeys;
use kms_pkcs11_testkit::{hex, openssl_ok};

const KEY: [u8; 32] = [0x4b; 32];
const IV: [u8; 16] = [0x1f; 16];

/// A dual-function function, as it is in the list.
type Function = unsafe extern "C" fn(
    CK_SESSION_HANDLE,
    CK_BYTE_PTR,
    CK_ULONG,
    CK_BYTE_PTR,
    CK_ULONG_PTR,
) -> CK_RV;

#[test]
fn what_is_digested_and_encrypted_is_digested_decrypted_and_digested_again() {
    let world = World::start();
    let (session, aes) = session_with_aes(&world);
    let message = message(1000);
    let digest = openssl_ok(["dgst", "-sha256", "-binary"], &message);
    let digest_encrypt = world.module.list().C_DigestEncryptUpdate;
    let decrypt_digest = world.module.list().C_DecryptDigestUpdate;

    session.encrypt_init(cbc_pad(), aes).unwrap();
    digest_init(session).unwrap();
    let mut ciphertext = in_parts(session, digest_encrypt, &message, 77);
    ciphertext.extend(last(session, world.module.list().C_EncryptFinal));
    assert_eq!(ciphertext, encrypted(&message));
    assert_eq!(digest_final(session).as_ref(), Ok(&digest));

    session.decrypt_init(cbc_pad(), aes).unwrap();
    digest_init(session).unwrap();
    let mut plaintext = in_parts(session, decrypt_digest, &ciphertext, 77);
    assert!(
        plaintext.len() < message.len(),
        "the padding is not known yet"
    );
    // What the end of the decryption brings goes nowhere by itself.
    let rest = last(session, world.module.list().C_DecryptFinal);
    digest_update(session, &rest).unwrap();
    plaintext.extend(rest);
    assert_eq!(plaintext, message);
    assert_eq!(digest_final(session).as_ref(), Ok(&digest));
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn what_is_signed_and_encrypted_is_decrypted_and_verified() {
    let world = World::start();
    let (session, aes) = session_with_aes(&world);
    let rsa = NewKeys::new(1, "RSA_2048", "SIGN_VERIFY");
    world.create_keys(&rsa);
    let (private, public) = (
        session.find_one(&[private_keys()]),
        session.find_one(&[public_keys()]),
    );
    let message = message(333);
    world.take_calls();

    session.sign_init(CKM_SHA256_RSA_PKCS, private).unwrap();
    session.encrypt_init(cbc_pad(), aes).unwrap();
    let sign_encrypt = world.module.list().C_SignEncryptUpdate;
    let mut ciphertext = in_parts(session, sign_encrypt, &message, 100);
    ciphertext.extend(last(session, world.module.list().C_EncryptFinal));
    let signature = last(session, world.module.list().C_SignFinal);
    assert_eq!(ciphertext, encrypted(&message));
    assert_eq!(world.take_calls(), calls([("Sign", 1)]));
    let file = |name: &str, content: &[u8]| {
        let path = world.directory.path().join(name);
        fs::write(&path, content).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let spki = session.get(public, CKA_PUBLIC_KEY_INFO).unwrap();
    let (spki, file) = (file("spki", &spki), file("signature", &signature));
    let verify = [
        "dgst",
        "-sha256",
        "-keyform",
        "DER",
        "-verify",
        &spki,
        "-signature",
        &file,
    ];
    openssl_ok(verify, &message);

    for (signature, answer) in [
        (signature.clone(), Ok(())),
        (vec![1; 256], Err(CKR_SIGNATURE_INVALID)),
    ] {
        verify_init(session, CKM_SHA256_RSA_PKCS, public).unwrap();
        session.decrypt_init(cbc_pad(), aes).unwrap();
        let decrypt_verify = world.module.list().C_DecryptVerifyUpdate;
        let mut plaintext = in_parts(session, decrypt_verify, &ciphertext, 100);
        let rest = last(session, world.module.list().C_DecryptFinal);
        verify_update(session, &rest).unwrap();
        plaintext.extend(rest);
        assert_eq!(plaintext, message);
        assert_eq!(verify_final(session, &signature), answer);
    }
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn without_room_for_the_output_neither_operation_takes_the_part() {
    let world = World::start();
    let (session, aes) = session_with_aes(&world);
    let message = message(64);
    let ciphertext = encrypted(&message);
    let list = world.module.list();
    for (function, part, output, is_encryption) in [
        (
            list.C_DigestEncryptUpdate,
            &message,
            &ciphertext[..64],
            true,
        ),
        (list.C_DecryptDigestUpdate, &ciphertext, &message[..], false),
    ] {
        digest_init(session).unwrap();
        if is_encryption {
            session.encrypt_init(cbc_pad(), aes).unwrap();
        } else {
            session.decrypt_init(cbc_pad(), aes).unwrap();
        }
        let room = output.len();
        for small in [0, 1, room - 1] {
            let refused = update(session, function, part, small);
            assert_eq!(refused, Err((CKR_BUFFER_TOO_SMALL, room)));
        }
        assert_eq!(query(session, function, part), Ok(room));
        assert_eq!(update(session, function, part, room).unwrap(), output);
        let digest = openssl_ok(["dgst", "-sha256", "-binary"], &message);
        assert_eq!(digest_final(session), Ok(digest));
        cancel(session);
    }
}

#[test]
fn both_operations_have_to_be_active_and_the_one_that_is_stays_as_it_is() {
    let world = World::start();
    let (session, aes) = session_with_aes(&world);
    let hmac = hmac_key(session);
    let list = world.module.list();
    let encrypt: Begin = |session, aes, _| session.encrypt_init(cbc_pad(), aes);
    let decrypt: Begin = |session, aes, _| session.decrypt_init(cbc_pad(), aes);
    let digest: Begin = |session, _, _| digest_init(session);
    let sign: Begin = |session, _, hmac| session.sign_init(CKM_SHA256_HMAC, hmac);
    let verify: Begin = |session, _, hmac| verify_init(session, CKM_SHA256_HMAC, hmac);
    for (function, pair) in [
        (list.C_DigestEncryptUpdate, [digest, encrypt]),
        (list.C_DecryptDigestUpdate, [digest, decrypt]),
        (list.C_SignEncryptUpdate, [sign, encrypt]),
        (list.C_DecryptVerifyUpdate, [verify, decrypt]),
    ] {
        let idle = Err((CKR_OPERATION_NOT_INITIALIZED, 100));
        assert_eq!(update(session, function, &[7; 16], 100), idle);
        for begin in pair {
            begin(session, aes, hmac).unwrap();
            assert_eq!(update(session, function, &[7; 16], 100), idle);
            assert_eq!(begin(session, aes, hmac), Err(CKR_OPERATION_ACTIVE));
            cancel(session);
        }
    }
    assert_eq!(world.take_calls(), calls([]));
}

type Begin = fn(Session<'_>, CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) -> Rv<()>;

#[test]
fn an_error_of_one_operation_leaves_the_other_as_it_was() {
    let world = World::start();
    let (session, aes) = session_with_aes(&world);
    let list = world.module.list();
    let message = message(32);

    // The signature cannot take the part: nothing is encrypted.
    world.create_keys(&NewKeys::new(1, "HMAC_256", "GENERATE_VERIFY_MAC"));
    let in_kms = [ulong(CKA_CLASS, CKO_SECRET_KEY), flag(CKA_TOKEN, true)];
    let hmac = session.find_one(&in_kms);
    session.sign_init(CKM_SHA256_HMAC, hmac).unwrap();
    session.encrypt_init(cbc_pad(), aes).unwrap();
    let too_long = update(session, list.C_SignEncryptUpdate, &[7; 4097], 5000);
    assert_eq!(too_long, Err((CKR_DATA_LEN_RANGE, 5000)));
    assert_eq!(
        session.sign_init(CKM_SHA256_HMAC, hmac),
        Ok(()),
        "it is over"
    );
    let mut ciphertext = in_parts(session, list.C_SignEncryptUpdate, &message, 32);
    ciphertext.extend(last(session, list.C_EncryptFinal));
    assert_eq!(ciphertext, encrypted(&message));
    cancel(session);

    // The decryption is over, and the digest goes on.
    digest_init(session).unwrap();
    session.decrypt_init(cbc_pad(), aes).unwrap();
    digest_update(session, b"abc").unwrap();
    let mut len = 16;
    let nowhere = call!(
        world.module,
        C_DecryptDigestUpdate,
        session.handle,
        ptr::null_mut(),
        16,
        [0u8; 16].as_mut_ptr(),
        &raw mut len
    );
    assert_eq!(nowhere, CKR_ARGUMENTS_BAD);
    assert_eq!(session.decrypt_init(cbc_pad(), aes), Ok(()), "it is over");
    let digest = openssl_ok(["dgst", "-sha256", "-binary"], b"abc");
    assert_eq!(digest_final(session), Ok(digest));
}

/// A session with an AES key of its own.
fn session_with_aes(world: &World) -> (Session<'_>, CK_OBJECT_HANDLE) {
    let session = world.module.session();
    let aes = session
        .create(&[
            ulong(CKA_CLASS, CKO_SECRET_KEY),
            ulong(CKA_KEY_TYPE, CKK_AES),
            bytes(CKA_VALUE, KEY),
            flag(CKA_ENCRYPT, true),
            flag(CKA_DECRYPT, true),
        ])
        .unwrap();
    (session, aes)
}

fn hmac_key(session: Session<'_>) -> CK_OBJECT_HANDLE {
    session
        .create(&[
            ulong(CKA_CLASS, CKO_SECRET_KEY),
            ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
            bytes(CKA_VALUE, KEY),
            flag(CKA_SIGN, true),
            flag(CKA_VERIFY, true),
        ])
        .unwrap()
}

fn message(len: usize) -> Vec<u8> {
    (0..=255).cycle().take(len).collect()
}

fn cbc_pad() -> Mechanism {
    Mechanism(CKM_AES_CBC_PAD, IV.to_vec())
}

/// AES-256-CBC with padding, by openssl.
fn encrypted(data: &[u8]) -> Vec<u8> {
    let (key, iv) = (hex(&KEY), hex(&IV));
    openssl_ok(["enc", "-aes-256-cbc", "-K", &key, "-iv", &iv], data)
}

/// The whole of `data` through a function, in parts of `len` bytes.
fn in_parts(session: Session<'_>, function: Option<Function>, data: &[u8], len: usize) -> Vec<u8> {
    let parts = data.chunks(len);
    let outputs = parts.map(|part| update(session, function, part, len + 16).unwrap());
    outputs.collect::<Vec<_>>().concat()
}

/// One call with this much room; answers the length with the error.
fn update(
    session: Session<'_>,
    function: Option<Function>,
    part: &[u8],
    room: usize,
) -> Result<Vec<u8>, (CK_RV, usize)> {
    let (mut output, mut len) = (vec![0; room], room as CK_ULONG);
    // SAFETY: the buffers are as long as their lengths say.
    let rv = unsafe {
        function.unwrap()(
            session.handle,
            part.as_ptr().cast_mut(),
            part.len() as CK_ULONG,
            output.as_mut_ptr(),
            &raw mut len,
        )
    };
    let len = usize::try_from(len).unwrap();
    ok(rv).map_err(|rv| (rv, len))?;
    output.truncate(len);
    Ok(output)
}

/// The length that a function answers for a NULL buffer.
fn query(session: Session<'_>, function: Option<Function>, part: &[u8]) -> Rv<usize> {
    let mut len = 0;
    let (data, data_len) = (part.as_ptr().cast_mut(), part.len() as CK_ULONG);
    // SAFETY: the part is as long as its length says, and NULL asks for a length.
    let rv = unsafe {
        function.unwrap()(
            session.handle,
            data,
            data_len,
            ptr::null_mut(),
            &raw mut len,
        )
    };
    ok(rv).map(|()| usize::try_from(len).unwrap())
}

/// What a Final function answers.
fn last(
    session: Session<'_>,
    function: Option<unsafe extern "C" fn(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG_PTR) -> CK_RV>,
) -> Vec<u8> {
    let (mut output, mut len) = ([0; 512], 512);
    // SAFETY: the buffer is as long as its length says.
    let rv = unsafe { function.unwrap()(session.handle, output.as_mut_ptr(), &raw mut len) };
    assert_eq!(rv, CKR_OK);
    output[..usize::try_from(len).unwrap()].to_vec()
}

fn cancel(session: Session<'_>) {
    let cancelled = call!(
        session.module,
        C_SessionCancel,
        session.handle,
        CK_FLAGS::MAX
    );
    assert_eq!(cancelled, CKR_OK);
}

fn mechanism(type_: CK_MECHANISM_TYPE) -> CK_MECHANISM {
    CK_MECHANISM {
        mechanism: type_,
        pParameter: ptr::null_mut(),
        ulParameterLen: 0,
    }
}

fn verify_init(session: Session<'_>, type_: CK_MECHANISM_TYPE, key: CK_OBJECT_HANDLE) -> Rv<()> {
    let mut mechanism = mechanism(type_);
    ok(call!(
        session.module,
        C_VerifyInit,
        session.handle,
        &raw mut mechanism,
        key
    ))
}

fn verify_update(session: Session<'_>, part: &[u8]) -> Rv<()> {
    let (part, len) = (part.as_ptr().cast_mut(), part.len() as CK_ULONG);
    ok(call!(
        session.module,
        C_VerifyUpdate,
        session.handle,
        part,
        len
    ))
}

fn verify_final(session: Session<'_>, signature: &[u8]) -> Rv<()> {
    let (signature, len) = (signature.as_ptr().cast_mut(), signature.len() as CK_ULONG);
    ok(call!(
        session.module,
        C_VerifyFinal,
        session.handle,
        signature,
        len
    ))
}

fn digest_init(session: Session<'_>) -> Rv<()> {
    let mut mechanism = mechanism(CKM_SHA256);
    ok(call!(
        session.module,
        C_DigestInit,
        session.handle,
        &raw mut mechanism
    ))
}

fn digest_update(session: Session<'_>, part: &[u8]) -> Rv<()> {
    let (part, len) = (part.as_ptr().cast_mut(), part.len() as CK_ULONG);
    ok(call!(
        session.module,
        C_DigestUpdate,
        session.handle,
        part,
        len
    ))
}

fn digest_final(session: Session<'_>) -> Rv<Vec<u8>> {
    let (mut digest, mut len) = ([0; 32], 32);
    let answer = digest.as_mut_ptr();
    ok(call!(
        session.module,
        C_DigestFinal,
        session.handle,
        answer,
        &raw mut len
    ))?;
    Ok(digest[..usize::try_from(len).unwrap()].to_vec())
}
