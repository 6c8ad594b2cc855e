//! Dual-function cryptographic functions (PKCS#11 5.16).

use pkcs11_sys::*;

use super::super::memory::input_output;
use crate::error::Result;
use crate::module::Module;
use crate::reply::{Reply, Room};
use crate::session::{Kind, Session};

macro_rules! dual_functions {
    ($($name:ident $cipher:ident;)+) => {
        $(pub(in super::super) unsafe fn $name(
            module: &Module,
            session: CK_SESSION_HANDLE,
            part: CK_BYTE_PTR,
            part_len: CK_ULONG,
            answer: CK_BYTE_PTR,
            answer_len: CK_ULONG_PTR,
        ) -> Result<()> {
            // SAFETY: by this function's contract.
            unsafe {
                update(
                    &*module.session(session)?,
                    (part, part_len),
                    (answer, answer_len),
                    Kind::$cipher,
                    Session::$name,
                )
            }
        })+
    };
}

dual_functions! {
    digest_encrypt_update Encrypt;
    decrypt_digest_update Decrypt;
    sign_encrypt_update Encrypt;
    decrypt_verify_update Decrypt;
}

/// One part through the cipher of this kind and another operation. Arguments that nobody can work
/// with end the cipher's operation.
unsafe fn update(
    session: &Session,
    (part, part_len): (CK_BYTE_PTR, CK_ULONG),
    (answer, answer_len): (CK_BYTE_PTR, CK_ULONG_PTR),
    cipher: Kind,
    work: impl FnOnce(&Session, &[u8], Room) -> Result<Reply>,
) -> Result<()> {
    // SAFETY: by this function's contract.
    let arguments = unsafe { input_output(part, part_len, answer, answer_len) };
    let (part, out) = arguments.inspect_err(|_| session.abandon(cipher))?;
    out.fill(|room| work(session, part, room))
}
