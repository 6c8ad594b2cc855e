//! Every function that takes a session, called with arguments that are in order but for the session.

use crate::scenarios::prelude::*;

/// Calls every function with this session, and those of slots with this slot.
pub(super) fn every_function(ctx: &mut Ctx, slot: CK_SLOT_ID, session: CK_SESSION_HANDLE) {
    slots(ctx, slot);
    sessions(ctx, session);
    objects(ctx, session);
    signatures(ctx, session);
    ciphers_and_digests(ctx, session);
    keys_and_random(ctx, session);
}

fn slots(ctx: &mut Ctx, slot: CK_SLOT_ID) {
    ctx.get_info(Null);
    ctx.get_slot_list(true, NoLength);
    ctx.get_slot_info(slot, Given);
    ctx.get_token_info(slot, Null);
    ctx.get_mechanism_list(slot, NoLength);
    ctx.get_mechanism_info(slot, CKM_ECDSA, Null);
    ctx.wait_for_slot_event(CKF_DONT_BLOCK, Given, Null);
    ctx.open_session(slot, CKF_SERIAL_SESSION, Null);
}

fn sessions(ctx: &mut Ctx, session: CK_SESSION_HANDLE) {
    ctx.get_session_info(session, Given);
    ctx.login(session, CKU_USER, PIN);
    ctx.logout(session);
    ctx.init_pin(session, PIN);
    ctx.set_pin(session, PIN, PIN);
    ctx.get_operation_state(session, Query);
    ctx.set_operation_state(session, b"state");
    ctx.get_function_status(session);
    ctx.cancel_function(session);
    ctx.close_session(session);
}

fn objects(ctx: &mut Ctx, session: CK_SESSION_HANDLE) {
    ctx.create_object(session, &[number(CKA_CLASS, CKO_DATA)], Given);
    ctx.copy_object(session, 1, &[flag(CKA_TOKEN, false)], Given);
    ctx.destroy_object(session, 1);
    ctx.get_object_size(session, 1, Given);
    ctx.get_attribute_value(session, 1, &[(CKA_LABEL, Query)]);
    ctx.set_attribute_value(session, 1, &[bytes(CKA_LABEL, b"label")]);
    ctx.find_objects_init(session, &[]);
    ctx.find_objects(session, Room(1));
    ctx.find_objects_final(session);
}

fn signatures(ctx: &mut Ctx, session: CK_SESSION_HANDLE) {
    ctx.sign_init(session, ECDSA, 1);
    ctx.sign(session, &[0; 32], Room(64));
    ctx.sign_update(session, b"data");
    ctx.sign_final(session, Room(64));
    ctx.verify_init(session, ECDSA, 1);
    ctx.verify(session, &[0; 32], &[0; 64]);
    ctx.verify_update(session, b"data");
    ctx.verify_final(session, &[0; 64]);
    ctx.sign_recover_init(session, RSA_PKCS, 1);
    ctx.sign_recover(session, b"data", Room(256));
    ctx.verify_recover_init(session, RSA_PKCS, 1);
    ctx.verify_recover(session, &[0; 256], Room(256));
}

fn ciphers_and_digests(ctx: &mut Ctx, session: CK_SESSION_HANDLE) {
    ctx.encrypt_init(session, OAEP, 1);
    ctx.encrypt(session, b"data", Room(256));
    ctx.encrypt_update(session, b"data", Room(256));
    ctx.encrypt_final(session, Room(256));
    ctx.decrypt_init(session, OAEP, 1);
    ctx.decrypt(session, &[0; 256], Room(256));
    ctx.decrypt_update(session, &[0; 256], Room(256));
    ctx.decrypt_final(session, Room(256));
    ctx.digest_init(session, SHA256);
    ctx.digest(session, b"data", Room(32));
    ctx.digest_update(session, b"data");
    ctx.digest_key(session, 1);
    ctx.digest_final(session, Room(32));
    ctx.digest_encrypt_update(session, b"data", Room(256));
    ctx.decrypt_digest_update(session, b"data", Room(256));
    ctx.sign_encrypt_update(session, b"data", Room(256));
    ctx.decrypt_verify_update(session, b"data", Room(256));
}

fn keys_and_random(ctx: &mut Ctx, session: CK_SESSION_HANDLE) {
    let pair = PairTemplate::new(Kind::Ec(keys::P256), Purpose::Signing, "never made");
    ctx.generate_key(session, Mechanism::plain(CKM_GENERIC_SECRET_KEY_GEN), &[]);
    ctx.generate_key_pair(session, pair.mechanism, &pair.public, &pair.private);
    ctx.wrap_key(session, RSA_PKCS, 1, 1, Room(256));
    ctx.unwrap_key(session, RSA_PKCS, 1, &[0; 256], &[]);
    ctx.derive_key(session, Mechanism::plain(CKM_ECDH1_DERIVE), 1, &[]);
    ctx.seed_random(session, b"seed");
    ctx.generate_random(session, Room(16));
}
