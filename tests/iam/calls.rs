//! The functions that the shared session does not have.

use std::ptr;

use cryptoki_sys::*;

use crate::common_p11::attribute::{Attr, template};
use crate::common_p11::{Mechanism, Rv, Session, call, ok};

/// C_DecryptInit, C_Decrypt.
pub(crate) fn decrypt(
    session: Session<'_>,
    mechanism: &Mechanism,
    key: CK_OBJECT_HANDLE,
    ciphertext: &[u8],
) -> Rv<Vec<u8>> {
    session.decrypt_init(mechanism.clone(), key)?;
    let mut plaintext = vec![0; 1024];
    let mut len = plaintext.len() as CK_ULONG;
    ok(call!(
        session.module,
        C_Decrypt,
        session.handle,
        ciphertext.as_ptr().cast_mut(),
        ciphertext.len() as CK_ULONG,
        plaintext.as_mut_ptr(),
        &raw mut len
    ))?;
    plaintext.truncate(usize::try_from(len).unwrap());
    Ok(plaintext)
}

/// C_UnwrapKey.
pub(crate) fn unwrap(
    session: Session<'_>,
    mechanism: &Mechanism,
    key: CK_OBJECT_HANDLE,
    wrapped: &[u8],
    attributes: &[Attr],
) -> Rv<CK_OBJECT_HANDLE> {
    let mut template = template(attributes);
    let mut unwrapped = 0;
    ok(call!(
        session.module,
        C_UnwrapKey,
        session.handle,
        ptr::from_mut(&mut mechanism.raw()),
        key,
        wrapped.as_ptr().cast_mut(),
        wrapped.len() as CK_ULONG,
        template.as_mut_ptr(),
        template.len() as CK_ULONG,
        &raw mut unwrapped
    ))?;
    Ok(unwrapped)
}

/// C_DeriveKey with CKM_ECDH1_DERIVE, without a key derivation function.
pub(crate) fn agree(
    session: Session<'_>,
    key: CK_OBJECT_HANDLE,
    peer: &[u8],
    attributes: &[Attr],
) -> Rv<CK_OBJECT_HANDLE> {
    let mut parameter = CK_ECDH1_DERIVE_PARAMS {
        kdf: CKD_NULL,
        ulSharedDataLen: 0,
        pSharedData: ptr::null_mut(),
        ulPublicDataLen: peer.len() as CK_ULONG,
        pPublicData: peer.as_ptr().cast_mut(),
    };
    let mut mechanism = CK_MECHANISM {
        mechanism: CKM_ECDH1_DERIVE,
        pParameter: ptr::from_mut(&mut parameter).cast(),
        ulParameterLen: size_of_val(&parameter) as CK_ULONG,
    };
    let mut template = template(attributes);
    let mut derived = 0;
    ok(call!(
        session.module,
        C_DeriveKey,
        session.handle,
        &raw mut mechanism,
        key,
        template.as_mut_ptr(),
        template.len() as CK_ULONG,
        &raw mut derived
    ))?;
    Ok(derived)
}

/// C_EncapsulateKey with CKM_ML_KEM; answers the ciphertext.
pub(crate) fn encapsulate(
    session: Session<'_>,
    key: CK_OBJECT_HANDLE,
    attributes: &[Attr],
) -> Rv<Vec<u8>> {
    let mut template = template(attributes);
    let mut ciphertext = vec![0; 2048];
    let mut len = ciphertext.len() as CK_ULONG;
    let mut secret = 0;
    ok(call!(
        session.module,
        C_EncapsulateKey,
        session.handle,
        ptr::from_mut(&mut Mechanism::from(CKM_ML_KEM).raw()),
        key,
        template.as_mut_ptr(),
        template.len() as CK_ULONG,
        ciphertext.as_mut_ptr(),
        &raw mut len,
        &raw mut secret
    ))?;
    ciphertext.truncate(usize::try_from(len).unwrap());
    Ok(ciphertext)
}

/// C_DecapsulateKey with CKM_ML_KEM.
pub(crate) fn decapsulate(
    session: Session<'_>,
    key: CK_OBJECT_HANDLE,
    ciphertext: &[u8],
    attributes: &[Attr],
) -> Rv<CK_OBJECT_HANDLE> {
    let mut template = template(attributes);
    let mut secret = 0;
    ok(call!(
        session.module,
        C_DecapsulateKey,
        session.handle,
        ptr::from_mut(&mut Mechanism::from(CKM_ML_KEM).raw()),
        key,
        template.as_mut_ptr(),
        template.len() as CK_ULONG,
        ciphertext.as_ptr().cast_mut(),
        ciphertext.len() as CK_ULONG,
        &raw mut secret
    ))?;
    Ok(secret)
}

/// C_GenerateRandom.
pub(crate) fn random(session: Session<'_>, len: usize) -> Rv<Vec<u8>> {
    let mut bytes = vec![0; len];
    ok(call!(
        session.module,
        C_GenerateRandom,
        session.handle,
        bytes.as_mut_ptr(),
        len as CK_ULONG
    ))?;
    Ok(bytes)
}
