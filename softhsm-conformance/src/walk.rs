//! Random walks: seeded sequences of valid and invalid calls, made on both modules in step.
//!
//! After each call the answers are compared as those of scenarios are. A difference that no rule explains
//! is shrunk to the shortest sequence that still shows it, and printed as a scenario.

mod call;
mod generate;
mod pair;
mod perform;
mod rules;
mod state;

use std::io::{self, Write};

use fastrand::Rng;

use self::call::{Call, Key, Object};
use self::pair::Pair;
use self::perform::Order;
use self::state::{Own, State};
use crate::subjects::Subjects;
use crate::transcript::{Step, Transcript};

pub(crate) use self::perform::serve;
pub(crate) use self::rules::RULES;

/// How far to walk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// The seed of the first round; each round takes the next.
    pub(crate) seed: u64,
    /// Calls in a round.
    pub(crate) steps: usize,
    pub(crate) rounds: u64,
}

/// Walks; answers whether every difference was a known one.
pub(crate) fn walk(subjects: &Subjects, plan: Plan, out: &mut impl Write) -> io::Result<bool> {
    let mut pair = Pair::new(subjects);
    let mut met = vec![0_usize; RULES.len()];
    let (mut calls, mut faults) = (0, 0);
    for seed in plan.seed..plan.seed + plan.rounds {
        let mut rng = Rng::with_seed(seed);
        let mut left = plan.steps;
        let trail = play(&mut pair, |state| {
            left = left.checked_sub(1)?;
            Some(generate::next(&mut rng, state))
        })?;
        calls += trail.steps.len();
        for rule in trail.steps.iter().filter_map(|step| step.rule) {
            met[rule] += 1;
        }
        if let Some(mismatch) = &trail.mismatch {
            faults += 1;
            writeln!(
                out,
                "seed {seed}: UNEXPLAINED after {} calls",
                trail.steps.len()
            )?;
            shrink(&mut pair, trail.calls(), mismatch)?.print(out, seed)?;
        }
    }
    for (rule, count) in RULES.iter().zip(&met) {
        writeln!(out, "{count:6}  {}: {}", rule.section, rule.why)?;
    }
    let known: usize = met.iter().sum();
    writeln!(
        out,
        "{} rounds, {calls} calls: {known} known differences, {faults} unexplained",
        plan.rounds
    )?;
    Ok(faults == 0)
}

/// A sequence that was walked, up to its first mismatch.
#[derive(Debug, Default)]
struct Trail {
    steps: Vec<Taken>,
    mismatch: Option<Mismatch>,
}

#[derive(Debug)]
struct Taken {
    call: Call,
    /// The rule that explains how the answers differ.
    rule: Option<usize>,
}

/// A difference that no rule explains, or a fault that none could.
#[derive(Debug, PartialEq, Eq)]
struct Mismatch {
    softhsm: String,
    module: String,
    /// The function and the return values: what stays the same while a sequence is shrunk.
    essence: (String, String, String),
    faults: Vec<String>,
}

/// Makes calls until there is no next one, or one that the modules answer differently.
fn play(pair: &mut Pair<'_>, mut next: impl FnMut(&State) -> Option<Call>) -> io::Result<Trail> {
    let mut state = State::default();
    let mut trail = Trail::default();
    let (softhsm, module) = pair.follow(&Order::Begin)?;
    trail.mismatch = faults(&softhsm, &module);
    while trail.mismatch.is_none()
        && let Some(call) = next(&state)
    {
        if !state.permits(&call) {
            continue;
        }
        let (softhsm, module) = pair.follow(&Order::Call(call.clone()))?;
        let mut taken = Taken { call, rule: None };
        match judge(&taken.call, &state, &softhsm, &module) {
            Verdict::Equal(rv) => {
                let held = state.own;
                state.follow(&taken.call, &rv);
                if held.is_some() && state.own.is_none() {
                    pair.follow(&Order::ForgetPair)?;
                }
            }
            Verdict::Known(rule) => {
                settle(pair, &mut state, &taken.call)?;
                taken.rule = Some(rule);
            }
            Verdict::Unexplained(mismatch) => trail.mismatch = Some(mismatch),
        }
        trail.steps.push(taken);
    }
    Ok(trail)
}

enum Verdict {
    Equal(String),
    Known(usize),
    Unexplained(Mismatch),
}

fn judge(call: &Call, state: &State, softhsm: &Transcript, module: &Transcript) -> Verdict {
    if let Some(mismatch) = faults(softhsm, module) {
        return Verdict::Unexplained(mismatch);
    }
    match (softhsm.steps.as_slice(), module.steps.as_slice()) {
        ([softhsm], [module]) if softhsm.answer() == module.answer() => {
            Verdict::Equal(softhsm.rv.clone())
        }
        ([softhsm], [module]) if values_differ(call, state, softhsm, module) => {
            Verdict::Unexplained(Mismatch::new(Some(softhsm), Some(module), Vec::new()))
        }
        ([softhsm], [module]) => match rules::explaining(call, state, &softhsm.rv, &module.rv) {
            Some(rule) => Verdict::Known(rule),
            None => Verdict::Unexplained(Mismatch::new(Some(softhsm), Some(module), Vec::new())),
        },
        (softhsm, module) => {
            Verdict::Unexplained(Mismatch::new(softhsm.last(), module.last(), Vec::new()))
        }
    }
}

/// Whether both answered attributes, but other values: rules are about return values alone.
fn values_differ(call: &Call, state: &State, softhsm: &Step, module: &Step) -> bool {
    matches!(call, Call::GetAttributeValue(..))
        && state.own != Some(Own::Renamed)
        && !softhsm.details.is_empty()
        && !module.details.is_empty()
        && softhsm.details != module.details
}

/// Faults that no rule can explain: an overrun, a signature that does not verify.
fn faults(softhsm: &Transcript, module: &Transcript) -> Option<Mismatch> {
    let named = |whose: &str, transcript: &Transcript| -> Vec<String> {
        let failures = transcript.failures.iter();
        failures
            .map(|failure| format!("{whose}: {failure}"))
            .collect()
    };
    let faults = [named("SoftHSM2", softhsm), named("kms-pkcs11", module)].concat();
    (!faults.is_empty()).then(|| Mismatch::new(softhsm.steps.last(), module.steps.last(), faults))
}

impl Mismatch {
    fn new(softhsm: Option<&Step>, module: Option<&Step>, faults: Vec<String>) -> Self {
        let rv = |step: Option<&Step>| step.map_or_else(String::new, |step| step.rv.clone());
        let answer = |step: Option<&Step>| step.map_or_else(String::new, Step::in_full);
        let function = softhsm.or(module).map(|step| step.name.clone());
        Self {
            softhsm: answer(softhsm),
            module: answer(module),
            essence: (function.unwrap_or_default(), rv(softhsm), rv(module)),
            faults,
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.essence == other.essence && self.faults.len() == other.faults.len()
    }
}

/// Takes the consequences of a known difference back: a new session, and the login as it was.
fn settle(pair: &mut Pair<'_>, state: &mut State, call: &Call) -> io::Result<()> {
    let session = call
        .session()
        .and_then(|session| Some((session, state.open(session)?.access)));
    state.settle(call);
    pair.follow(&Order::Settle {
        session,
        logged_in: state.logged_in,
    })?;
    Ok(())
}

/// The shortest sequence found that ends in a mismatch of the same essence.
fn shrink(pair: &mut Pair<'_>, mut calls: Vec<Call>, mismatch: &Mismatch) -> io::Result<Trail> {
    let mut shortest = replay(pair, &calls)?;
    let mut size = calls.len() / 2;
    while size > 0 {
        let mut start = 0;
        // The last call is the one that is answered differently.
        while start + size < calls.len() {
            let mut candidate = calls.clone();
            candidate.drain(start..start + size);
            let trail = replay(pair, &candidate)?;
            if trail
                .mismatch
                .as_ref()
                .is_some_and(|it| it.is_like(mismatch))
            {
                calls = trail.calls();
                shortest = trail;
            } else {
                start += size;
            }
        }
        size /= 2;
    }
    Ok(shortest)
}

fn replay(pair: &mut Pair<'_>, calls: &[Call]) -> io::Result<Trail> {
    let mut calls = calls.iter();
    play(pair, |_| calls.next().cloned())
}

impl Trail {
    fn calls(&self) -> Vec<Call> {
        self.steps.iter().map(|step| step.call.clone()).collect()
    }

    /// Prints the sequence as a scenario, and what came of its last call.
    fn print(&self, out: &mut impl Write, seed: u64) -> io::Result<()> {
        writeln!(out, "    scenario(\"walk: seed {seed}\", |ctx| {{")?;
        writeln!(out, "        let slot = ctx.slot();")?;
        for Taken { call, rule } in &self.steps {
            if let Some(Object::Key(key, _)) = call.object() {
                write_key(out, key)?;
            }
            writeln!(out, "        {call}")?;
            if let (Some(_), Some(session)) = (rule, call.session()) {
                writeln!(
                    out,
                    "        let {session} = ctx.public_session(); // A known difference."
                )?;
            }
        }
        writeln!(out, "    }}),")?;
        if let Some(mismatch) = &self.mismatch {
            writeln!(out, "    SoftHSM2    {}", mismatch.softhsm)?;
            writeln!(out, "    kms-pkcs11  {}", mismatch.module)?;
            for fault in &mismatch.faults {
                writeln!(out, "    {fault}")?;
            }
        }
        Ok(())
    }
}

fn write_key(out: &mut impl Write, key: Key) -> io::Result<()> {
    let fixture = match key {
        Key::Ec => "EC",
        Key::Rsa => "RSA",
        Key::Decryption => "RSA_DECRYPTION",
        Key::Own => return Ok(()),
    };
    writeln!(out, "        let {key} = ctx.fixture(keys::{fixture});")
}
