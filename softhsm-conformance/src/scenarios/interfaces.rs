//! Interfaces, and the functions that came with versions 3.0 and 3.2.

use crate::scenarios::prelude::*;

const STANDARD: Option<&[u8]> = Some(b"PKCS 11\0");
const DIGEST: &[u8; 32] = &[0x66; 32];

pub(crate) const SCENARIOS: &[Scenario] = &[
    beside_kryoptic("interfaces: listed", |ctx| {
        ctx.at("length").get_interface_list(Query);
        ctx.get_interface_list(Room(16));
    }),
    beside_kryoptic("interfaces: listed with too little room", |ctx| {
        ctx.at("none").get_interface_list(Room(0));
        ctx.at("for one").get_interface_list(Room(1));
    }),
    beside_kryoptic("interfaces: listed without a place for the count", |ctx| {
        ctx.get_interface_list(NoLength);
    }),
    beside_kryoptic("interface: the default", |ctx| {
        ctx.get_interface(None, None, 0, Given);
        ctx.at("named").get_interface(STANDARD, None, 0, Given);
    }),
    beside_kryoptic("interface: of each version", |ctx| {
        for version in [(2, 40), (3, 0), (3, 2)] {
            ctx.get_interface(STANDARD, Some(version), 0, Given);
            ctx.at("without a name")
                .get_interface(None, Some(version), 0, Given);
        }
    }),
    beside_kryoptic("interface: of a version that there is not", |ctx| {
        for version in [(0, 0), (2, 0), (2, 41), (3, 3), (4, 0), (255, 255)] {
            ctx.get_interface(STANDARD, Some(version), 0, Given);
        }
    }),
    beside_kryoptic("interface: of another name", |ctx| {
        for (case, name) in [
            ("empty", &b"\0"[..]),
            ("shorter", b"PKCS 1\0"),
            ("longer", b"PKCS 11 \0"),
            ("small letters", b"pkcs 11\0"),
            ("a vendor's", b"Vendor interface\0"),
        ] {
            ctx.at(case).get_interface(Some(name), None, 0, Given);
        }
    }),
    beside_kryoptic("interface: with flags", |ctx| {
        ctx.at("fork safe")
            .get_interface(STANDARD, None, CKF_INTERFACE_FORK_SAFE, Given);
        ctx.at("unknown")
            .get_interface(STANDARD, None, 0x8000_0000, Given);
    }),
    beside_kryoptic("interface: no place for it", |ctx| {
        ctx.get_interface(STANDARD, None, 0, Null);
    }),
    beside_kryoptic("interface: the same before and after initialize", |ctx| {
        ctx.get_interface(None, None, 0, Given);
        ctx.slot();
        ctx.at("initialized").get_interface(None, None, 0, Given);
        ctx.at("initialized").get_interface_list(Room(16));
    }),
    beside_kryoptic("every newer function: before initialize", |ctx| {
        every_function(ctx, 1);
    }),
    beside_kryoptic("every newer function: session handle 0", |ctx| {
        ctx.slot();
        every_function(ctx, CK_INVALID_HANDLE);
    }),
    beside_kryoptic("every newer function: a closed session", |ctx| {
        let session = ctx.session();
        ctx.quietly(|ctx| ctx.close_session(session));
        every_function(ctx, session);
    }),
    beside_kryoptic("cancel: signing, by no mechanism", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        ctx.sign_init(session, ECDSA, key.private);
        ctx.at("NULL").sign_init(session, None, CK_INVALID_HANDLE);
        ctx.sign(session, DIGEST, Room(64));
    }),
    beside_kryoptic("cancel: signing in parts, by no mechanism", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::RSA);
        ctx.sign_init(session, SHA256_RSA_PKCS, key.private);
        ctx.sign_update(session, b"part");
        ctx.at("NULL").sign_init(session, None, key.private);
        ctx.sign_final(session, Room(256));
        ctx.at("again")
            .sign_init(session, SHA256_RSA_PKCS, key.private);
        ctx.at("again").sign(session, b"message", Room(256));
    }),
    beside_kryoptic("cancel: verifying, by no mechanism", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        ctx.verify_init(session, ECDSA, key.public);
        ctx.at("NULL").verify_init(session, None, CK_INVALID_HANDLE);
        ctx.verify(session, DIGEST, &[1; 64]);
    }),
    beside_kryoptic(
        "cancel: encrypting and decrypting, by no mechanism",
        |ctx| {
            let session = ctx.session();
            let key = ctx.fixture(keys::RSA_DECRYPTION);
            ctx.encrypt_init(session, OAEP, key.public);
            ctx.at("NULL")
                .encrypt_init(session, None, CK_INVALID_HANDLE);
            ctx.encrypt(session, b"data", Room(256));
            ctx.decrypt_init(session, OAEP, key.private);
            ctx.at("NULL")
                .decrypt_init(session, None, CK_INVALID_HANDLE);
            ctx.decrypt(session, &[1; 256], Room(256));
        },
    ),
    beside_kryoptic("cancel: digesting, by no mechanism", |ctx| {
        let session = ctx.session();
        ctx.digest_init(session, SHA256);
        ctx.digest_update(session, b"part");
        ctx.at("NULL").digest_init(session, None);
        ctx.digest_final(session, Room(32));
        ctx.at("again").digest_init(session, SHA256);
        ctx.at("again").digest(session, b"abc", Room(32));
    }),
    beside_kryoptic("cancel: nothing, by no mechanism", |ctx| {
        let session = ctx.session();
        ctx.sign_init(session, None, CK_INVALID_HANDLE);
        ctx.verify_init(session, None, CK_INVALID_HANDLE);
        ctx.encrypt_init(session, None, CK_INVALID_HANDLE);
        ctx.decrypt_init(session, None, CK_INVALID_HANDLE);
        ctx.digest_init(session, None);
    }),
];

/// Calls every newer function with arguments that are in order but for the session.
fn every_function(ctx: &mut Ctx, session: CK_SESSION_HANDLE) {
    ctx.login_user(session, CKU_USER, PIN, b"user");
    ctx.session_cancel(session, CKF_SIGN);
    ctx.get_session_validation_flags(session, CKS_LAST_VALIDATION_OK, Given);
    ctx.verify_signature_init(session, ECDSA, 1, &[1; 64]);
    ctx.verify_signature(session, DIGEST);
    ctx.verify_signature_update(session, DIGEST);
    ctx.verify_signature_final(session);
    let secret = [flag(CKA_TOKEN, false)];
    let mechanism = Mechanism::plain(CKM_ML_KEM);
    ctx.encapsulate_key(session, mechanism, 1, &secret, Room(1568));
    ctx.decapsulate_key(session, mechanism, 1, &secret, &[0; 1088]);
}
