//! Objects destroyed (5.7.3).

use crate::scenarios::prelude::*;

const NO_OBJECT: CK_OBJECT_HANDLE = 0x7fff_fff1;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("destroy: the private, then the public key", |ctx| {
        let session = ctx.session();
        let key = ctx.own_pair("destroy both");
        ctx.at("private").destroy_object(session, key.private);
        ctx.at("public").destroy_object(session, key.public);
        gone(ctx, session, "destroy both");
    }),
    scenario("destroy: the public, then the private key", |ctx| {
        let session = ctx.session();
        let key = ctx.own_pair("destroy reversed");
        ctx.at("public").destroy_object(session, key.public);
        let signing = ctx.session();
        ctx.at("still there").sign_init(signing, ECDSA, key.private);
        ctx.at("private").destroy_object(session, key.private);
        gone(ctx, session, "destroy reversed");
    }),
    scenario("destroy: twice", |ctx| {
        let session = ctx.session();
        let key = ctx.own_pair("destroy twice");
        ctx.destroy_object(session, key.private);
        ctx.destroy_object(session, key.private);
    }),
    scenario("destroy: no object", |ctx| {
        let session = ctx.session();
        ctx.destroy_object(session, NO_OBJECT);
        ctx.at("0").destroy_object(session, CK_INVALID_HANDLE);
    }),
    scenario("destroy: in a read-only session", |ctx| {
        let session = ctx.session();
        let key = ctx.own_pair("destroy read-only");
        let reader = ctx.read_only_session();
        ctx.at("private").destroy_object(reader, key.private);
        ctx.at("public").destroy_object(reader, key.public);
        ctx.at("still there").sign_init(session, ECDSA, key.private);
    }),
    scenario("destroy: a handle that is used afterwards", |ctx| {
        let session = ctx.session();
        let key = ctx.own_pair("destroy and use");
        ctx.quietly(|ctx| ctx.destroy_object(session, key.private));
        ctx.sign_init(session, ECDSA, key.private);
        ctx.get_attribute_value(session, key.private, &[(CKA_CLASS, Room(8))]);
        ctx.set_attribute_value(session, key.private, &[bytes(CKA_LABEL, b"x")]);
        ctx.get_object_size(session, key.private, Given);
    }),
    scenario("destroy: seen from another session", |ctx| {
        let session = ctx.session();
        let other = ctx.session();
        let key = ctx.own_pair("destroy elsewhere");
        ctx.quietly(|ctx| ctx.destroy_object(other, key.private));
        ctx.sign_init(session, ECDSA, key.private);
    }),
    scenario("destroy: while it is found", |ctx| {
        let session = ctx.session();
        let key = ctx.own_pair("destroy while found");
        ctx.find_objects_init(session, &[bytes(CKA_LABEL, b"destroy while found")]);
        ctx.at("while finding").destroy_object(session, key.private);
        ctx.find_objects_final(session);
        gone(ctx, session, "destroy while found");
    }),
];

/// Looks for both halves of a pair that was destroyed.
fn gone(ctx: &mut Ctx, session: CK_SESSION_HANDLE, label: &str) {
    ctx.find_objects_init(session, &[bytes(CKA_LABEL, label.as_bytes())]);
    ctx.at("afterwards").find_objects(session, Room(4));
    ctx.find_objects_final(session);
}
