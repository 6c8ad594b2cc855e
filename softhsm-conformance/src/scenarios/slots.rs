//! Slots and tokens (5.5).

use std::collections::HashSet;

use crate::scenarios::prelude::*;

/// No slot of either module.
const NO_SLOT: CK_SLOT_ID = 0x7fff_fff1;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("slots: with a token", |ctx| {
        ctx.slot();
        ctx.at("length").get_slot_list(true, Query);
        let slots = ctx.get_slot_list(true, Room(16));
        let distinct: HashSet<_> = slots.iter().collect();
        ctx.observe(
            "slots are distinct",
            (distinct.len() == slots.len()).to_string(),
        );
    }),
    scenario("slots: all of them", |ctx| {
        ctx.slot();
        ctx.at("length").get_slot_list(false, Query);
        ctx.get_slot_list(false, Room(16));
    }),
    scenario("slots: too little room", |ctx| {
        ctx.slot();
        ctx.get_slot_list(true, Room(0));
    }),
    scenario("slots: no pointer to the count", |ctx| {
        ctx.slot();
        ctx.get_slot_list(true, NoLength);
    }),
    scenario("slot info: given, NULL, wrong slot", |ctx| {
        let slot = ctx.slot();
        ctx.get_slot_info(slot, Given);
        ctx.at("NULL").get_slot_info(slot, Null);
        ctx.at("wrong slot").get_slot_info(NO_SLOT, Given);
    }),
    scenario("token info: given, NULL, wrong slot", |ctx| {
        let slot = ctx.slot();
        ctx.get_token_info(slot, Given);
        ctx.at("NULL").get_token_info(slot, Null);
        ctx.at("wrong slot").get_token_info(NO_SLOT, Given);
    }),
    scenario("token info: what a client reads", |ctx| {
        let slot = ctx.slot();
        let Some(token) = ctx.quietly(|ctx| ctx.get_token_info(slot, Given)) else {
            return;
        };
        for (name, flag) in TOKEN_FLAGS {
            ctx.observe(name, (token.flags & flag != 0).to_string());
        }
        let serial = token.serialNumber;
        ctx.observe(
            "serial is all zeros",
            serial.iter().all(|byte| *byte == b'0').to_string(),
        );
        let unlimited = [CK_EFFECTIVELY_INFINITE, CK_UNAVAILABLE_INFORMATION];
        let limited = !unlimited.contains(&token.ulMaxRwSessionCount);
        ctx.observe("sessions are limited", limited.to_string());
    }),
    scenario("mechanisms: list", |ctx| {
        let slot = ctx.slot();
        let list = ctx.quietly(|ctx| ctx.get_mechanism_list(slot, Room(256)));
        let distinct: HashSet<_> = list.iter().collect();
        ctx.observe(
            "mechanisms are distinct",
            (distinct.len() == list.len()).to_string(),
        );
        let all_have_info = list.iter().all(|kind| {
            ctx.quietly(|ctx| ctx.get_mechanism_info(slot, *kind, Given))
                .is_some()
        });
        ctx.observe("every listed mechanism has info", all_have_info.to_string());
        for (name, kind) in MECHANISMS {
            ctx.observe(
                name,
                if list.contains(kind) {
                    "listed"
                } else {
                    "not listed"
                },
            );
        }
    }),
    scenario("mechanisms: too little room", |ctx| {
        let slot = ctx.slot();
        let count = ctx
            .quietly(|ctx| ctx.get_mechanism_list(slot, Room(256)))
            .len();
        ctx.at("one too few")
            .get_mechanism_list(slot, Room(count - 1));
        ctx.at("none").get_mechanism_list(slot, Room(0));
        ctx.at("exact").get_mechanism_list(slot, Room(count));
    }),
    scenario("mechanisms: NULL and wrong slot", |ctx| {
        let slot = ctx.slot();
        ctx.at("no count").get_mechanism_list(slot, NoLength);
        ctx.at("wrong slot").get_mechanism_list(NO_SLOT, Query);
    }),
    scenario("mechanism info: of each mechanism", |ctx| {
        let slot = ctx.slot();
        for (name, kind) in MECHANISMS {
            ctx.at(name).get_mechanism_info(slot, *kind, Given);
        }
    }),
    scenario("mechanism info: NULL, wrong slot, wrong mechanism", |ctx| {
        let slot = ctx.slot();
        ctx.at("NULL").get_mechanism_info(slot, CKM_ECDSA, Null);
        ctx.at("wrong slot")
            .get_mechanism_info(NO_SLOT, CKM_ECDSA, Given);
        ctx.at("wrong mechanism")
            .get_mechanism_info(slot, 0x4242_4242, Given);
    }),
    scenario("slot events: not waited for", |ctx| {
        ctx.slot();
        ctx.wait_for_slot_event(CKF_DONT_BLOCK, Given, Null);
        ctx.at("reserved pointer")
            .wait_for_slot_event(CKF_DONT_BLOCK, Given, Given);
        ctx.at("NULL slot")
            .wait_for_slot_event(CKF_DONT_BLOCK, Null, Null);
    }),
    scenario("token: initialized while a session is open", |ctx| {
        let slot = ctx.slot();
        ctx.public_session();
        ctx.init_token(slot, b"12345678", b"aws-kms                         ");
        ctx.at("wrong slot")
            .init_token(NO_SLOT, b"12345678", &[b' '; 32]);
    }),
    scenario("PIN: initialized by no security officer", |ctx| {
        let session = ctx.public_session();
        ctx.init_pin(session, PIN);
        let session = ctx.session();
        ctx.at("by the user").init_pin(session, PIN);
    }),
    scenario("PIN: changed with a wrong old one", |ctx| {
        let session = ctx.session();
        ctx.set_pin(session, b"9999", b"8888");
    }),
];

const TOKEN_FLAGS: &[(&str, CK_FLAGS)] = &[
    ("CKF_RNG", CKF_RNG),
    ("CKF_WRITE_PROTECTED", CKF_WRITE_PROTECTED),
    ("CKF_LOGIN_REQUIRED", CKF_LOGIN_REQUIRED),
    ("CKF_USER_PIN_INITIALIZED", CKF_USER_PIN_INITIALIZED),
    (
        "CKF_PROTECTED_AUTHENTICATION_PATH",
        CKF_PROTECTED_AUTHENTICATION_PATH,
    ),
    ("CKF_TOKEN_INITIALIZED", CKF_TOKEN_INITIALIZED),
    ("CKF_USER_PIN_LOCKED", CKF_USER_PIN_LOCKED),
    ("CKF_ERROR_STATE", CKF_ERROR_STATE),
];

macro_rules! named {
    ($($name:ident)*) => { &[$((stringify!($name), $name),)*] };
}

const MECHANISMS: &[(&str, CK_MECHANISM_TYPE)] = named! {
    CKM_RSA_PKCS_KEY_PAIR_GEN CKM_RSA_PKCS CKM_SHA1_RSA_PKCS CKM_SHA256_RSA_PKCS
    CKM_SHA384_RSA_PKCS CKM_SHA512_RSA_PKCS CKM_RSA_PKCS_PSS CKM_SHA256_RSA_PKCS_PSS
    CKM_SHA384_RSA_PKCS_PSS CKM_SHA512_RSA_PKCS_PSS CKM_RSA_PKCS_OAEP CKM_RSA_X_509
    CKM_EC_KEY_PAIR_GEN CKM_ECDSA CKM_ECDSA_SHA1 CKM_ECDSA_SHA224 CKM_ECDSA_SHA256
    CKM_ECDSA_SHA384 CKM_ECDSA_SHA512 CKM_SHA_1 CKM_SHA224 CKM_SHA256 CKM_SHA384 CKM_SHA512
};
