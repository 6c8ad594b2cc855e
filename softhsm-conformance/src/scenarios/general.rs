//! General-purpose functions (5.4).

use crate::arguments::Locking;
use crate::scenarios::every::every_function;
use crate::scenarios::prelude::*;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("initialize: without arguments", |ctx| {
        ctx.initialize_without_arguments();
        initialized(ctx);
    }),
    scenario("initialize: twice", |ctx| {
        ctx.initialize(Locking::OS);
        ctx.initialize(Locking::OS);
        ctx.initialize_without_arguments();
        initialized(ctx);
    }),
    scenario(
        "initialize: neither callbacks nor locking by the system",
        |ctx| {
            ctx.initialize(Locking::NONE);
            initialized(ctx);
        },
    ),
    scenario("initialize: callbacks alone", |ctx| {
        ctx.initialize(Locking {
            callbacks: 4,
            ..Locking::NONE
        });
        initialized(ctx);
    }),
    scenario("initialize: callbacks and locking by the system", |ctx| {
        ctx.initialize(Locking {
            callbacks: 4,
            ..Locking::OS
        });
        initialized(ctx);
    }),
    scenario("initialize: some of the callbacks", |ctx| {
        for callbacks in 1..=3 {
            ctx.initialize(Locking {
                callbacks,
                ..Locking::OS
            });
            ctx.initialize(Locking {
                callbacks,
                ..Locking::NONE
            });
        }
        initialized(ctx);
    }),
    scenario("initialize: the module may not create threads", |ctx| {
        let flags = CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS;
        ctx.initialize(Locking {
            flags,
            ..Locking::NONE
        });
    }),
    scenario("initialize: a reserved pointer", |ctx| {
        ctx.initialize(Locking {
            reserved: Given,
            ..Locking::OS
        });
        initialized(ctx);
    }),
    scenario("initialize: again after finalize", |ctx| {
        for _ in 0..3 {
            ctx.initialize(Locking::OS);
            initialized(ctx);
            ctx.finalize(Null);
        }
    }),
    scenario("finalize: before initialize", |ctx| {
        ctx.finalize(Null);
        ctx.initialize(Locking::OS);
        ctx.finalize(Null);
        ctx.finalize(Null);
    }),
    scenario("finalize: a reserved pointer", |ctx| {
        ctx.initialize(Locking::OS);
        ctx.finalize(Given);
        initialized(ctx);
    }),
    scenario("finalize: ends sessions and login", |ctx| {
        let session = ctx.session();
        ctx.finalize(Null);
        let slot = ctx.slot();
        ctx.at("of before").get_session_info(session, Given);
        let session = ctx.open_session(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, Given);
        ctx.at("of now").get_session_info(session, Given);
    }),
    scenario("finalize: ends operations", |ctx| {
        let session = ctx.session();
        ctx.digest_init(session, SHA256);
        ctx.finalize(Null);
        let session = ctx.session();
        ctx.digest_update(session, b"abc");
    }),
    scenario("info: given and NULL", |ctx| {
        ctx.initialize(Locking::OS);
        ctx.get_info(Given);
        ctx.at("NULL").get_info(Null);
    }),
    scenario("function list: before initialize", |ctx| {
        ctx.get_function_list(Given);
        ctx.at("NULL").get_function_list(Null);
    }),
    scenario("every function: before initialize", |ctx| {
        every_function(ctx, 0, 1);
    }),
    scenario("every function: after finalize", |ctx| {
        let slot = ctx.slot();
        let session = ctx.session();
        ctx.finalize(Null);
        every_function(ctx, slot, session);
    }),
    scenario("every function: session handle 0", |ctx| {
        let slot = ctx.slot();
        every_function(ctx, slot, CK_INVALID_HANDLE);
    }),
    scenario("every function: a closed session", |ctx| {
        let slot = ctx.slot();
        let session = ctx.session();
        ctx.quietly(|ctx| ctx.close_session(session));
        every_function(ctx, slot, session);
    }),
];

/// Observes whether the module considers itself initialized.
fn initialized(ctx: &mut Ctx) {
    let rv = ctx.quietly(|ctx| ctx.close_session(CK_INVALID_HANDLE));
    ctx.observe(
        "initialized",
        (rv != CKR_CRYPTOKI_NOT_INITIALIZED).to_string(),
    );
}
