//! AES-GCM message by message: many messages with one key of a session, each with a vector and a tag of its
//! own, and without any request.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::collections::HashSet;
use std::ptr;

use common_p11::attribute::{bytes, flag, ulong};
use common_p11::{Mechanism, Rv, Session, World, calls, ok};
use cryptoki_sys::*;
use kms_pkcs11_testkit::{from_hex, hex, python};

const KEY: [u8; 32] = [0x6b; 32];
const IV: [u8; 12] = *b"twelve bytes";
const AAD: &[u8] = b"authenticated, not encrypted";
const MESSAGE: &[u8] = b"a message that is longer than two blocks of AES";

#[test]
fn messages_are_sealed_as_python_does_with_vectors_of_the_caller() {
    let world = World::start();
    let session = with_key(&world, CKA_ENCRYPT);
    for message in [MESSAGE, b"", b"short"] {
        let expected = of_python("encrypt", &IV, message);
        for tag_len in [12, 16] {
            let mut params = Params::new(CKG_NO_GENERATE, IV, tag_len);
            let whole = params.encrypt(session, message, message.len()).unwrap();
            assert_eq!((&params.iv, &whole[..]), (&IV, &expected[..message.len()]));
            assert_eq!(params.tag, expected[message.len()..][..tag_len]);

            let mut params = Params::new(CKG_NO_GENERATE, IV, tag_len);
            params.begin_encrypting(session).unwrap();
            let (first, last) = message.split_at(message.len() / 2);
            assert_eq!(params.encrypt_part(session, first), Ok(Vec::new()));
            assert_eq!(params.encrypt_last_len(session, last), Ok(message.len()));
            if let Some(too_little) = message.len().checked_sub(1) {
                let short = params.encrypt_last(session, last, too_little);
                assert_eq!(short, Err(CKR_BUFFER_TOO_SMALL));
            }
            let whole = params.encrypt_last(session, last, message.len());
            assert_eq!(whole, Ok(expected[..message.len()].to_vec()));
            assert_eq!(params.tag, expected[message.len()..][..tag_len]);
        }
    }
    final_of_encryption(session).unwrap();
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn vectors_that_the_module_draws_are_never_the_same_and_python_opens_what_they_sealed() {
    let world = World::start();
    let session = with_key(&world, CKA_ENCRYPT);
    let mut seen = HashSet::new();
    for generator in [CKG_GENERATE, CKG_GENERATE_RANDOM].repeat(4) {
        let mut params = Params::new(generator, IV, 16);
        let query = params.encrypt_len(session, MESSAGE);
        assert_eq!((query, params.iv), (Ok(MESSAGE.len()), IV), "none drawn");
        let short = params.encrypt(session, MESSAGE, MESSAGE.len() - 1);
        assert_eq!((short, params.iv), (Err(CKR_BUFFER_TOO_SMALL), IV));
        let mut sealed = params.encrypt(session, MESSAGE, MESSAGE.len()).unwrap();
        sealed.extend(&params.tag);
        assert_eq!(of_python("decrypt", &params.iv, &sealed), MESSAGE);
        assert!(seen.insert(params.iv));

        let mut params = Params::new(generator, IV, 16);
        params.begin_encrypting(session).unwrap();
        let mut sealed = params.encrypt_last(session, MESSAGE, 100).unwrap();
        sealed.extend(&params.tag);
        assert_eq!(of_python("decrypt", &params.iv, &sealed), MESSAGE);
        assert!(seen.insert(params.iv));
    }
}

#[test]
fn what_python_sealed_is_opened_and_nothing_else_is() {
    let world = World::start();
    let session = with_key(&world, CKA_DECRYPT);
    let sealed = of_python("encrypt", &IV, MESSAGE);
    let (ciphertext, tag) = sealed.split_at(MESSAGE.len());
    let params = || {
        let mut params = Params::new(CKG_GENERATE_COUNTER, IV, 16);
        params.tag = tag.to_vec();
        params
    };
    let short = params().decrypt(session, ciphertext, 10);
    assert_eq!(short, Err(CKR_BUFFER_TOO_SMALL));
    assert_eq!(params().decrypt(session, ciphertext, 100).unwrap(), MESSAGE);
    let in_parts = |mut params: Params, ciphertext: &[u8]| {
        params.begin_decrypting(session).unwrap();
        let (first, last) = ciphertext.split_at(5);
        assert_eq!(params.decrypt_part(session, first), Ok(Vec::new()));
        params.decrypt_last(session, last, 100)
    };
    assert_eq!(in_parts(params(), ciphertext).unwrap(), MESSAGE);

    let mut forged = ciphertext.to_vec();
    forged[7] ^= 1;
    let (mut other_tag, mut other_iv) = (params(), params());
    other_tag.tag[15] ^= 1;
    other_iv.iv[0] ^= 1;
    for (mut params, ciphertext) in [
        (params(), &forged[..]),
        (other_tag, ciphertext),
        (other_iv, ciphertext),
    ] {
        let refused = params.decrypt(session, ciphertext, 100);
        assert_eq!(refused, Err(CKR_AEAD_DECRYPT_FAILED));
        let refused = in_parts(params, ciphertext);
        assert_eq!(refused, Err(CKR_AEAD_DECRYPT_FAILED));
        // The message is over, the process is not.
    }
    assert_eq!(in_parts(params(), ciphertext).unwrap(), MESSAGE);
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn the_states_of_a_message_based_encryption() {
    let world = World::start();
    let session = world.module.session();
    let key = secret_key(session, &[]);
    let mut params = Params::new(CKG_GENERATE, IV, 16);
    let not_initialized = Err(CKR_OPERATION_NOT_INITIALIZED);
    let none = params.encrypt(session, MESSAGE, 100);
    assert_eq!(none, Err(CKR_OPERATION_NOT_INITIALIZED));
    assert_eq!(params.begin_encrypting(session), not_initialized);
    assert_eq!(final_of_encryption(session), not_initialized);
    assert_eq!(encrypt_init(session, None, 0), Err(CKR_ARGUMENTS_BAD));

    encrypt_init(session, Some(CKM_AES_GCM), key).unwrap();
    let again = encrypt_init(session, Some(CKM_AES_GCM), key);
    assert_eq!(again, Err(CKR_OPERATION_ACTIVE));
    // Parts only after Begin, and one message at a time.
    let part = params.encrypt_part(session, MESSAGE);
    assert_eq!(part, Err(CKR_OPERATION_NOT_INITIALIZED));
    params.begin_encrypting(session).unwrap();
    let second = params.begin_encrypting(session);
    assert_eq!(second, Err(CKR_OPERATION_ACTIVE));
    let whole = params.encrypt(session, MESSAGE, 100);
    assert_eq!(whole, Err(CKR_OPERATION_ACTIVE));
    // A last part without room for its tag ends the message, and nothing else.
    params.tag_is_null = true;
    let no_tag = params.encrypt_last(session, MESSAGE, 100);
    assert_eq!(no_tag, Err(CKR_MECHANISM_PARAM_INVALID));
    params.tag_is_null = false;
    let over = params.encrypt_last(session, MESSAGE, 100);
    assert_eq!(over, Err(CKR_OPERATION_NOT_INITIALIZED));
    assert!(params.encrypt(session, MESSAGE, 100).is_ok());
    // A NULL mechanism ends the process, with the message under way.
    params.begin_encrypting(session).unwrap();
    encrypt_init(session, None, 0).unwrap();
    assert_eq!(final_of_encryption(session), not_initialized);
}

#[test]
fn parameters_that_would_repeat_a_vector_or_are_no_structure_are_refused() {
    let world = World::start();
    let session = with_key(&world, CKA_ENCRYPT);
    let refuse = |change: &dyn Fn(&mut Params)| {
        let mut params = Params::new(CKG_GENERATE, IV, 16);
        change(&mut params);
        let refused = params.encrypt(session, MESSAGE, 100);
        assert_eq!(refused, Err(CKR_MECHANISM_PARAM_INVALID));
        assert_eq!(params.iv, IV);
    };
    for generator in [CKG_GENERATE_COUNTER, CKG_GENERATE_COUNTER_XOR, 99] {
        refuse(&|params| params.generator = generator);
    }
    refuse(&|params| params.fixed_bits = 32);
    refuse(&|params| params.iv_len = 96);
    refuse(&|params| params.tag_bits = 16);
    refuse(&|params| params.tag_is_null = true);
    refuse(&|params| params.size = 47);
}

#[test]
fn a_key_or_mechanism_that_does_not_encrypt_so_begins_no_process() {
    let world = World::start();
    let session = world.module.session();
    let key = secret_key(session, &[]);
    for mechanism in [CKM_AES_CBC_PAD, CKM_AES_CTR, CKM_SHA256, CKM_AES_ECB] {
        let refused = encrypt_init(session, Some(mechanism), key);
        assert_eq!(refused, Err(CKR_MECHANISM_INVALID));
    }
    let bound = secret_key(session, &[flag(CKA_ENCRYPT, false)]);
    let refused = encrypt_init(session, Some(CKM_AES_GCM), bound);
    assert_eq!(refused, Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
    let refused = encrypt_init(session, Some(CKM_AES_GCM), 4711);
    assert_eq!(refused, Err(CKR_KEY_HANDLE_INVALID));
    assert_eq!(
        final_of_encryption(session),
        Err(CKR_OPERATION_NOT_INITIALIZED)
    );
}

/// CK_GCM_MESSAGE_PARAMS, with the memory that it points to.
struct Params {
    iv: [u8; 12],
    iv_len: CK_ULONG,
    fixed_bits: CK_ULONG,
    generator: CK_GENERATOR_FUNCTION,
    tag: Vec<u8>,
    tag_bits: CK_ULONG,
    tag_is_null: bool,
    /// What the caller says that the structure has.
    size: usize,
}

macro_rules! call {
    ($session:expr, $name:ident $(, $argument:expr)* $(,)?) => {
        ok(common_p11::call!($session.module, $name, $session.handle $(, $argument)*))
    };
}

/// Calls a function that takes the parameter of a message; what it answers in `$room` bytes.
macro_rules! answer {
    ($session:expr, $name:ident($params:expr $(, $argument:expr)*), $room:expr $(, $flags:expr)?) => {{
        let mut params = $params.as_c();
        let (mut answer, mut len) = (vec![0; $room], $room as CK_ULONG);
        call!(
            $session, $name, (&raw mut params).cast(), $params.size as CK_ULONG
            $(, $argument.as_ptr().cast_mut(), $argument.len() as CK_ULONG)*
            , answer.as_mut_ptr(), &raw mut len $(, $flags)?
        )
        .map(|()| {
            answer.truncate(usize::try_from(len).unwrap());
            answer
        })
    }};
}

/// The same without a buffer; the length.
macro_rules! query {
    ($session:expr, $name:ident($params:expr $(, $argument:expr)*) $(, $flags:expr)?) => {{
        let mut params = $params.as_c();
        let mut len = 0;
        call!(
            $session, $name, (&raw mut params).cast(), $params.size as CK_ULONG
            $(, $argument.as_ptr().cast_mut(), $argument.len() as CK_ULONG)*
            , ptr::null_mut(), &raw mut len $(, $flags)?
        )
        .map(|()| usize::try_from(len).unwrap())
    }};
}

impl Params {
    fn new(generator: CK_GENERATOR_FUNCTION, iv: [u8; 12], tag_len: usize) -> Self {
        Self {
            iv,
            iv_len: 12,
            fixed_bits: 0,
            generator,
            tag: vec![0; tag_len],
            tag_bits: 8 * tag_len as CK_ULONG,
            tag_is_null: false,
            size: size_of::<CK_GCM_MESSAGE_PARAMS>(),
        }
    }

    fn as_c(&mut self) -> CK_GCM_MESSAGE_PARAMS {
        CK_GCM_MESSAGE_PARAMS {
            pIv: self.iv.as_mut_ptr(),
            ulIvLen: self.iv_len,
            ulIvFixedBits: self.fixed_bits,
            ivGenerator: self.generator,
            pTag: if self.tag_is_null {
                ptr::null_mut()
            } else {
                self.tag.as_mut_ptr()
            },
            ulTagBits: self.tag_bits,
        }
    }

    fn encrypt(&mut self, session: Session<'_>, data: &[u8], room: usize) -> Rv<Vec<u8>> {
        answer!(session, C_EncryptMessage(self, AAD, data), room)
    }

    fn encrypt_len(&mut self, session: Session<'_>, data: &[u8]) -> Rv<usize> {
        query!(session, C_EncryptMessage(self, AAD, data))
    }

    fn begin_encrypting(&mut self, session: Session<'_>) -> Rv<()> {
        let mut params = self.as_c();
        let (aad, len) = (AAD.as_ptr().cast_mut(), AAD.len() as CK_ULONG);
        let size = self.size as CK_ULONG;
        let parameter = (&raw mut params).cast();
        call!(session, C_EncryptMessageBegin, parameter, size, aad, len)
    }

    fn encrypt_part(&mut self, session: Session<'_>, part: &[u8]) -> Rv<Vec<u8>> {
        answer!(session, C_EncryptMessageNext(self, part), 100, 0)
    }

    fn encrypt_last(&mut self, session: Session<'_>, part: &[u8], room: usize) -> Rv<Vec<u8>> {
        answer!(
            session,
            C_EncryptMessageNext(self, part),
            room,
            CKF_END_OF_MESSAGE
        )
    }

    fn encrypt_last_len(&mut self, session: Session<'_>, part: &[u8]) -> Rv<usize> {
        query!(
            session,
            C_EncryptMessageNext(self, part),
            CKF_END_OF_MESSAGE
        )
    }

    fn decrypt(&mut self, session: Session<'_>, data: &[u8], room: usize) -> Rv<Vec<u8>> {
        answer!(session, C_DecryptMessage(self, AAD, data), room)
    }

    fn begin_decrypting(&mut self, session: Session<'_>) -> Rv<()> {
        let mut params = self.as_c();
        let (aad, len) = (AAD.as_ptr().cast_mut(), AAD.len() as CK_ULONG);
        let size = self.size as CK_ULONG;
        let parameter = (&raw mut params).cast();
        call!(session, C_DecryptMessageBegin, parameter, size, aad, len)
    }

    fn decrypt_part(&mut self, session: Session<'_>, part: &[u8]) -> Rv<Vec<u8>> {
        answer!(session, C_DecryptMessageNext(self, part), 100, 0)
    }

    fn decrypt_last(&mut self, session: Session<'_>, part: &[u8], room: usize) -> Rv<Vec<u8>> {
        answer!(
            session,
            C_DecryptMessageNext(self, part),
            room,
            CKF_END_OF_MESSAGE
        )
    }
}

fn encrypt_init(
    session: Session<'_>,
    mechanism: Option<CK_MECHANISM_TYPE>,
    key: CK_OBJECT_HANDLE,
) -> Rv<()> {
    let mut mechanism = mechanism.map(|type_| Mechanism::from(type_).raw());
    let mechanism = mechanism.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    call!(session, C_MessageEncryptInit, mechanism, key)
}

fn final_of_encryption(session: Session<'_>) -> Rv<()> {
    call!(session, C_MessageEncryptFinal)
}

fn secret_key(session: Session<'_>, more: &[common_p11::Attr]) -> CK_OBJECT_HANDLE {
    let key = [
        ulong(CKA_CLASS, CKO_SECRET_KEY),
        ulong(CKA_KEY_TYPE, CKK_AES),
        bytes(CKA_VALUE, KEY),
    ];
    session.create(&[&key[..], more].concat()).unwrap()
}

/// A session that began a process with the key, to encrypt or to decrypt.
fn with_key(world: &World, use_: CK_ATTRIBUTE_TYPE) -> Session<'_> {
    let session = world.module.session();
    let key = secret_key(session, &[]);
    let mut mechanism = Mechanism::from(CKM_AES_GCM).raw();
    if use_ == CKA_ENCRYPT {
        call!(session, C_MessageEncryptInit, &raw mut mechanism, key).unwrap();
    } else {
        call!(session, C_MessageDecryptInit, &raw mut mechanism, key).unwrap();
    }
    world.take_calls();
    session
}

/// What Python's AES-GCM makes of the data under the key; a tag of 16 bytes goes behind the ciphertext.
fn of_python(what: &str, iv: &[u8; 12], data: &[u8]) -> Vec<u8> {
    const SCRIPT: &str = "
import sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
what, key, iv, data, aad = sys.argv[1], *map(bytes.fromhex, sys.argv[2:])
print(getattr(AESGCM(key), what)(iv, data, aad).hex())
";
    let arguments = [hex(&KEY), hex(iv), hex(data), hex(AAD)];
    let arguments = [what].into_iter().map(str::to_owned).chain(arguments);
    from_hex(python(SCRIPT, arguments).ok().stdout().trim())
}
