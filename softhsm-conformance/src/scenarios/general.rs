//! General-purpose functions (5.4).

use cryptoki_sys::*;

use crate::arguments::{Locking, Output, Place};
use crate::scenarios::Scenario;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "initialize: without arguments, and once more",
        steps: |ctx| {
            ctx.initialize_without_arguments();
            ctx.initialize_without_arguments();
            ctx.finalize(Place::Null);
        },
    },
    Scenario {
        name: "initialize: locking by the operating system",
        steps: |ctx| {
            ctx.initialize(Locking::OS);
        },
    },
];
