//! Two operations at once (5.17), saved operations (5.6.6, 5.6.7) and digested keys (5.12.4): SoftHSM2 has none of
//! the first two.

use crate::scenarios::prelude::*;
use crate::secrets;

pub(crate) const DUAL: &[Scenario] = &[
    beside_kryoptic("dual functions: digested and encrypted", |ctx| {
        let (session, key) = prepared(ctx);
        ctx.digest_init(session, SHA256);
        ctx.encrypt_init(session, AES_CBC, key);
        let first = ctx.digest_encrypt_update(session, DATA, Room(64)).bytes;
        ctx.observe_bytes("ciphertext", &first);
        ctx.digest_final(session, Room(32));
        ctx.encrypt_final(session, Room(32));
        ctx.decrypt_init(session, AES_CBC, key);
        ctx.digest_init(session, SHA256);
        ctx.decrypt_digest_update(session, &first, Room(64));
        ctx.decrypt_final(session, Room(32));
        ctx.at("of the plaintext").digest_final(session, Room(32));
    }),
    beside_kryoptic("dual functions: signed and encrypted", |ctx| {
        let (session, key) = prepared(ctx);
        let mac = ctx.secret(
            session,
            CKK_GENERIC_SECRET,
            &secrets::value(64),
            &[CKA_SIGN, CKA_VERIFY],
        );
        let hmac = Mechanism::plain(CKM_SHA256_HMAC);
        ctx.raw_sign_init(session, hmac, mac);
        ctx.encrypt_init(session, AES_CBC, key);
        let ciphertext = ctx.sign_encrypt_update(session, DATA, Room(64)).bytes;
        let signature = ctx.raw_sign_final(session, Room(32)).bytes;
        ctx.observe_bytes("signature", &signature);
        ctx.encrypt_final(session, Room(32));
        ctx.decrypt_init(session, AES_CBC, key);
        ctx.verify_init(session, hmac, mac);
        ctx.decrypt_verify_update(session, &ciphertext, Room(64));
        ctx.decrypt_final(session, Room(32));
        ctx.verify_final(session, &signature);
    }),
    beside_kryoptic("dual functions: one of the two is missing", |ctx| {
        let (session, key) = prepared(ctx);
        ctx.digest_init(session, SHA256);
        ctx.at("no cipher")
            .digest_encrypt_update(session, DATA, Room(64));
        let (session, key) = (ctx.session(), key);
        ctx.encrypt_init(session, AES_CBC, key);
        ctx.at("no digest")
            .digest_encrypt_update(session, DATA, Room(64));
        ctx.at("no signature")
            .sign_encrypt_update(session, DATA, Room(64));
    }),
    beside_kryoptic("dual functions: too little room, and enough", |ctx| {
        let (session, key) = prepared(ctx);
        ctx.digest_init(session, SHA256);
        ctx.encrypt_init(session, AES_CBC, key);
        ctx.at("length").digest_encrypt_update(session, DATA, Query);
        ctx.at("one too few")
            .digest_encrypt_update(session, DATA, Room(31));
        ctx.digest_encrypt_update(session, DATA, Room(32));
        ctx.digest_final(session, Room(32));
    }),
];

pub(crate) const STATES: &[Scenario] = &[
    beside_kryoptic("operation state: a digest saved and restored", |ctx| {
        let session = ctx.session();
        ctx.digest_init(session, SHA256);
        ctx.digest_update(session, b"a mess");
        let state = ctx.quietly(|ctx| ctx.get_operation_state(session, Room(4096)));
        ctx.observe("saved", crate::names::rv(state.rv));
        ctx.digest_update(session, b"age");
        ctx.digest_final(session, Room(32));
        ctx.set_operation_state(session, &state.bytes);
        ctx.at("restored").digest_update(session, b"age");
        ctx.at("restored").digest_final(session, Room(32));
        let other = ctx.session();
        ctx.at("another session")
            .set_operation_state(other, &state.bytes);
        ctx.at("another session").digest_update(other, b"age");
        ctx.at("another session").digest_final(other, Room(32));
    }),
    beside_kryoptic("operation state: what is none", |ctx| {
        let session = ctx.session();
        ctx.digest_init(session, SHA256);
        let mut state = ctx
            .quietly(|ctx| ctx.get_operation_state(session, Room(4096)))
            .bytes;
        state.pop();
        for (case, state) in [("cut", &state[..]), ("empty", &[]), ("another", b"state")] {
            let session = ctx.session();
            ctx.at(case).set_operation_state(session, state);
        }
        ctx.at("NULL").set_operation_state(session, Input::Null(8));
    }),
    beside_kryoptic("operation state: of operations that are not saved", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        ctx.raw_sign_init(session, ECDSA, key.private);
        ctx.get_operation_state(session, Query);
        let session = ctx.session();
        ctx.find_objects_init(session, &[]);
        ctx.at("finding").get_operation_state(session, Query);
    }),
];

pub(crate) const DIGESTED_KEYS: &[Scenario] = &[
    scenario("digest: of secret keys of a session", |ctx| {
        let session = ctx.session();
        for (case, key_type, value) in [
            ("generic", CKK_GENERIC_SECRET, &secrets::value(20)[..]),
            ("AES", CKK_AES, &secrets::value(32)),
        ] {
            let key = ctx.secret(session, key_type, value, &[]);
            ctx.digest_init(session, SHA256);
            ctx.digest_update(session, b"before ");
            ctx.at(case).digest_key(session, key);
            ctx.digest_update(session, b" after");
            ctx.digest_final(session, Room(32));
        }
    }),
    scenario("digest: of public keys and certificates", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        ctx.digest_init(session, SHA256);
        ctx.digest_key(session, key.public);
        ctx.digest_final(session, Room(32));
    }),
];

const DATA: &[u8; 32] = b"two blocks of data for a cipher.";

fn prepared(ctx: &mut Ctx) -> (CK_SESSION_HANDLE, CK_OBJECT_HANDLE) {
    let session = ctx.session();
    (session, ctx.aes(session, 32))
}
