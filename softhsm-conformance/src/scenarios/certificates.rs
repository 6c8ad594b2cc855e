//! X.509 certificates (4.6).

use crate::names;
use crate::scenarios::prelude::*;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("certificates: read", |ctx| {
        let session = ctx.session();
        let certificate = ctx.create_object(session, &template(), Given);
        for kind in [
            CKA_CLASS,
            CKA_TOKEN,
            CKA_PRIVATE,
            CKA_MODIFIABLE,
            CKA_LABEL,
            CKA_CERTIFICATE_TYPE,
            CKA_TRUSTED,
            CKA_CERTIFICATE_CATEGORY,
            CKA_CHECK_VALUE,
            CKA_START_DATE,
            CKA_END_DATE,
            CKA_SUBJECT,
            CKA_ID,
            CKA_ISSUER,
            CKA_SERIAL_NUMBER,
            CKA_VALUE,
            CKA_URL,
            CKA_PUBLIC_KEY_INFO,
            CKA_KEY_TYPE,
        ] {
            ctx.at(&names::attribute(kind)).get_attribute_value(
                session,
                certificate,
                &[(kind, Room(1024))],
            );
        }
    }),
    scenario("certificates: found", |ctx| {
        let session = ctx.session();
        ctx.quietly(|ctx| ctx.create_object(session, &template(), Given));
        for (case, wanted) in [
            ("by class", number(CKA_CLASS, CKO_CERTIFICATE)),
            ("by type", number(CKA_CERTIFICATE_TYPE, CKC_X_509)),
            ("by subject", bytes(CKA_SUBJECT, NAME)),
            ("by issuer", bytes(CKA_ISSUER, NAME)),
            ("by serial number", bytes(CKA_SERIAL_NUMBER, SERIAL)),
            ("by ID", bytes(CKA_ID, b"certificate")),
            ("by value", bytes(CKA_VALUE, CERTIFICATE)),
            ("by another subject", bytes(CKA_SUBJECT, b"\x30\x00")),
        ] {
            ctx.find_objects_init(session, &[wanted, flag(CKA_TOKEN, false)]);
            ctx.at(case).find_objects(session, Room(9));
            ctx.quietly(|ctx| ctx.find_objects_final(session));
        }
    }),
    scenario("certificates: templates that lack something", |ctx| {
        for missing in [
            CKA_CLASS,
            CKA_CERTIFICATE_TYPE,
            CKA_SUBJECT,
            CKA_VALUE,
            CKA_ISSUER,
            CKA_SERIAL_NUMBER,
            CKA_ID,
            CKA_TOKEN,
        ] {
            let mut template = template();
            template.retain(|attribute| attribute.kind != missing);
            created(ctx, &names::attribute(missing), &template);
        }
    }),
    scenario("certificates: templates that say something else", |ctx| {
        for attribute in [
            number(CKA_CERTIFICATE_TYPE, CKC_WTLS),
            number(CKA_CERTIFICATE_TYPE, 0x4242),
            bytes(CKA_SUBJECT, b"\x30\x00"),
            bytes(CKA_ISSUER, b"\x30\x00"),
            bytes(CKA_SERIAL_NUMBER, b"\x02\x01\x07"),
            bytes(CKA_VALUE, b"no certificate"),
            bytes(CKA_VALUE, b""),
            flag(CKA_TRUSTED, true),
            bytes(CKA_MODULUS, b"x"),
            bytes(0x4242_4242, b"x"),
        ] {
            let mut template = template();
            template.retain(|other| other.kind != attribute.kind);
            let case = names::attribute(attribute.kind);
            template.push(attribute);
            created(ctx, &case, &template);
        }
    }),
    scenario("certificates: changed, copied, destroyed", |ctx| {
        let session = ctx.session();
        let certificate = ctx.create_object(session, &template(), Given);
        for attribute in [
            bytes(CKA_LABEL, b"another"),
            bytes(CKA_ID, b"another"),
            bytes(CKA_SUBJECT, b"\x30\x00"),
            bytes(CKA_VALUE, b"another"),
            number(CKA_CERTIFICATE_TYPE, CKC_WTLS),
        ] {
            ctx.at(&names::attribute(attribute.kind))
                .set_attribute_value(session, certificate, &[attribute]);
        }
        ctx.copy_object(session, certificate, &[bytes(CKA_LABEL, b"copy")], Given);
        ctx.get_object_size(session, certificate, Given);
        ctx.destroy_object(session, certificate);
        ctx.at("again").destroy_object(session, certificate);
    }),
    scenario("certificates: no keys to do anything with", |ctx| {
        let session = ctx.session();
        let certificate = ctx.create_object(session, &template(), Given);
        ctx.verify_init(session, ECDSA, certificate);
        ctx.encrypt_init(session, OAEP, certificate);
    }),
    scenario("certificates: for everybody", |ctx| {
        let session = ctx.session();
        let certificate = ctx.create_object(session, &template(), Given);
        ctx.logout(session);
        ctx.get_attribute_value(session, certificate, &[(CKA_SUBJECT, Room(256))]);
        let session = ctx.public_session();
        ctx.at("without a user")
            .create_object(session, &template(), Given);
    }),
];

/// Self-signed, on P-256.
const CERTIFICATE: &[u8] = include_bytes!("certificate.der");
/// Its subject and issuer: O=Example, CN=conformance.
const NAME: &[u8] = b"\x30\x28\x31\x10\x30\x0e\x06\x03\x55\x04\x0a\x0c\x07Example\
    \x31\x14\x30\x12\x06\x03\x55\x04\x03\x0c\x0bconformance";
const SERIAL: &[u8] = b"\x02\x02\x12\x34";

fn template() -> Vec<Attribute> {
    vec![
        number(CKA_CLASS, CKO_CERTIFICATE),
        number(CKA_CERTIFICATE_TYPE, CKC_X_509),
        flag(CKA_TOKEN, false),
        flag(CKA_PRIVATE, false),
        bytes(CKA_LABEL, b"certificate"),
        bytes(CKA_ID, b"certificate"),
        bytes(CKA_SUBJECT, NAME),
        bytes(CKA_ISSUER, NAME),
        bytes(CKA_SERIAL_NUMBER, SERIAL),
        bytes(CKA_VALUE, CERTIFICATE),
    ]
}

/// Creates a certificate, and destroys what was made.
fn created(ctx: &mut Ctx, case: &str, template: &[Attribute]) {
    let session = ctx.session();
    let object = ctx.at(case).create_object(session, template, Given);
    if object != CK_INVALID_HANDLE {
        ctx.quietly(|ctx| ctx.destroy_object(session, object));
    }
}
