//! Scenarios run on one module: in a process of its own, told about in JSON lines.

use std::any::Any;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ctx::Ctx;
use crate::driver::Module;
use crate::scenarios::Scenario;
use crate::transcript::Transcript;

/// A line of the child's standard output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Line {
    /// The scenario of this name starts: if nothing follows, it took the process down.
    Begin(String),
    End(Transcript),
}

/// Runs scenarios, one after the other, on a module that the environment has set up.
pub(crate) fn run(
    module: &Path,
    scenarios: &[&Scenario],
    out: &mut impl Write,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut ctx = Ctx::new(Module::load(module)?);
    for scenario in scenarios {
        write_line(out, &Line::Begin(scenario.name.to_owned()))?;
        ctx.begin(scenario.name);
        // A scenario panics when it cannot be prepared. `begin` resets all that it leaves behind.
        if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(|| (scenario.steps)(&mut ctx))) {
            ctx.fail(&message(panic.as_ref()));
        }
        let transcript = ctx.end();
        write_line(out, &Line::End(transcript))?;
    }
    Ok(())
}

pub(crate) fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    writeln!(out, "{}", serde_json::to_string(line)?)?;
    out.flush()
}

/// What a panic said.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic")
        .to_owned()
}
