//! Sessions and their states (5.6).

use std::collections::HashSet;

use crate::scenarios::prelude::*;

const SERIAL: CK_FLAGS = CKF_SERIAL_SESSION;
const WRITE: CK_FLAGS = CKF_SERIAL_SESSION | CKF_RW_SESSION;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("session: read/write", |ctx| {
        let slot = ctx.slot();
        let session = ctx.open_session(slot, WRITE, Given);
        ctx.get_session_info(session, Given);
        ctx.close_session(session);
    }),
    scenario("session: read-only", |ctx| {
        let slot = ctx.slot();
        let session = ctx.open_session(slot, SERIAL, Given);
        ctx.get_session_info(session, Given);
        ctx.close_session(session);
    }),
    scenario("session: without the flag for serial ones", |ctx| {
        let slot = ctx.slot();
        ctx.open_session(slot, 0, Given);
        ctx.at("read/write")
            .open_session(slot, CKF_RW_SESSION, Given);
    }),
    scenario("session: a flag of no meaning", |ctx| {
        let slot = ctx.slot();
        let session = ctx.open_session(slot, WRITE | 0x100, Given);
        ctx.get_session_info(session, Given);
    }),
    scenario("session: no place for the handle", |ctx| {
        let slot = ctx.slot();
        ctx.open_session(slot, WRITE, Null);
    }),
    scenario("session: wrong slot", |ctx| {
        ctx.slot();
        ctx.open_session(0x7fff_fff1, WRITE, Given);
    }),
    scenario("session: closed twice", |ctx| {
        let session = ctx.public_session();
        ctx.close_session(session);
        ctx.at("again").close_session(session);
        ctx.at("handle 0").close_session(CK_INVALID_HANDLE);
        ctx.at("no handle").close_session(CK_ULONG::MAX);
    }),
    scenario("session: handles are distinct and not 0", |ctx| {
        let handles: Vec<_> = (0..64).map(|_| ctx.public_session()).collect();
        let distinct: HashSet<_> = handles.iter().collect();
        ctx.observe("distinct", distinct.len().to_string());
        ctx.observe("has 0", handles.contains(&0).to_string());
        let slot = ctx.slot();
        ctx.close_all_sessions(slot);
        for (number, handle) in handles.iter().enumerate().step_by(21) {
            ctx.at(&format!("number {number}"))
                .get_session_info(*handle, Given);
        }
    }),
    scenario("session: close all of a slot without any", |ctx| {
        let slot = ctx.slot();
        ctx.close_all_sessions(slot);
        ctx.at("wrong slot").close_all_sessions(0x7fff_fff1);
    }),
    scenario("session: close all ends the login", |ctx| {
        let slot = ctx.slot();
        let session = ctx.session();
        ctx.get_session_info(session, Given);
        ctx.close_all_sessions(slot);
        let session = ctx.open_session(slot, WRITE, Given);
        ctx.at("of a new one").get_session_info(session, Given);
    }),
    scenario("session: the last one closed ends the login", |ctx| {
        let first = ctx.session();
        let second = ctx.public_session();
        ctx.close_session(first);
        ctx.at("of the other").get_session_info(second, Given);
        ctx.close_session(second);
        let third = ctx.public_session();
        ctx.at("of a new one").get_session_info(third, Given);
    }),
    scenario("session: closing one leaves the others", |ctx| {
        let first = ctx.public_session();
        let second = ctx.public_session();
        ctx.close_session(first);
        ctx.digest_init(second, SHA256);
        ctx.digest(second, b"abc", Room(32));
    }),
    scenario("session info: NULL", |ctx| {
        let session = ctx.public_session();
        ctx.get_session_info(session, Null);
    }),
    scenario(
        "session state: changes with login and logout, for all sessions",
        |ctx| {
            let write = ctx.public_session();
            let read = ctx.read_only_session();
            for case in ["before login", "after login", "after logout"] {
                match case {
                    "after login" => ctx.login(read, CKU_USER, PIN),
                    "after logout" => ctx.logout(write),
                    _ => CKR_OK,
                };
                ctx.at(&format!("read/write, {case}"))
                    .get_session_info(write, Given);
                ctx.at(&format!("read-only, {case}"))
                    .get_session_info(read, Given);
            }
        },
    ),
    scenario("session state: a new session of a logged-in user", |ctx| {
        ctx.session();
        let write = ctx.public_session();
        let read = ctx.read_only_session();
        ctx.at("read/write").get_session_info(write, Given);
        ctx.at("read-only").get_session_info(read, Given);
    }),
    scenario("session: operations of two are independent", |ctx| {
        let first = ctx.session();
        let second = ctx.session();
        ctx.digest_init(first, SHA256);
        ctx.digest_update(first, b"a");
        ctx.at("other session").digest_update(second, b"x");
        ctx.digest_init(second, SHA256);
        ctx.digest_update(first, b"bc");
        ctx.digest_final(second, Room(32));
        ctx.digest_final(first, Room(32));
    }),
    scenario(
        "session: operations of one are independent of each other",
        |ctx| {
            let session = ctx.session();
            let key = ctx.fixture(keys::RSA);
            ctx.find_objects_init(session, &[bytes(CKA_LABEL, keys::RSA.label.as_bytes())]);
            ctx.at("while finding")
                .sign_init(session, SHA256_RSA_PKCS, key.private);
            ctx.at("while finding").sign_update(session, b"abc");
            ctx.at("while signing").find_objects(session, Room(1));
            ctx.sign_final(session, Room(256));
            ctx.at("after signing").find_objects(session, Room(4));
            ctx.find_objects_final(session);
        },
    ),
    scenario("session: two cryptographic operations at a time", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::RSA);
        ctx.sign_init(session, SHA256_RSA_PKCS, key.private);
        ctx.at("while signing").digest_init(session, SHA256);
        ctx.at("while signing")
            .verify_init(session, SHA256_RSA_PKCS, key.public);
    }),
    scenario("session: a key made in one is used in another", |ctx| {
        let first = ctx.session();
        let key = ctx.own_pair("made in one session");
        let second = ctx.session();
        ctx.quietly(|ctx| ctx.close_session(first));
        ctx.sign_init(second, ECDSA, key.private);
        ctx.sign(second, &[1; 32], Room(64));
    }),
    scenario("session: closed while signing", |ctx| {
        let first = ctx.session();
        let key = ctx.fixture(keys::EC);
        let second = ctx.session();
        ctx.sign_init(first, ECDSA, key.private);
        ctx.close_session(first);
        ctx.at("closed session").sign(first, &[1; 32], Room(64));
        ctx.at("other session").sign(second, &[1; 32], Room(64));
    }),
    scenario("operation state: saved and restored", |ctx| {
        let session = ctx.session();
        ctx.at("nothing active").get_operation_state(session, Query);
        ctx.digest_init(session, SHA256);
        ctx.get_operation_state(session, Query);
        ctx.at("no length").get_operation_state(session, NoLength);
        ctx.set_operation_state(session, b"nonsense");
    }),
];
