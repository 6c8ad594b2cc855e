//! A call and its fault: what is to come of it, during and afterwards.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use cryptoki_sys::{CKR_DEVICE_ERROR, CKR_TOKEN_RESOURCE_EXCEEDED};
use kms_emulator::{Effect, Fault as Armed};

use super::common_p11::Rv;
use super::expectations::{Class, Outcome, expected};
use super::faults::{Afterwards, Fault, Strike};
use super::fleet::{DEADLINE_SECONDS, Fleet};
use super::keys::Keys;
use super::operations::{Operation, Site, Subject};
use super::report;

/// What came of a pair.
pub(crate) struct Met {
    pub(crate) fault: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) took: Duration,
    /// What should have been otherwise.
    pub(crate) wrong: Vec<String>,
    /// By how much the machine was late during the call.
    late: Duration,
}

/// To end a call after its deadline, on a machine where no thread waits for a processor.
pub(crate) const ALLOWANCE: Duration = Duration::from_millis(50);
/// By how much a machine may be late for what goes wrong meanwhile to be the module's fault.
const DISTURBANCE: Duration = Duration::from_millis(300);
/// How often a pair is met on a machine that is late.
const MOST_TIMES: u32 = 5;
/// New credentials are looked for a second after the old ones at the earliest, hidden keys after five.
const PATIENCE: Duration = Duration::from_secs(12);

impl Met {
    /// What is told of a token that could not go on.
    pub(crate) fn broken(operation: &Operation, faults: &[&'static str]) -> Self {
        Self {
            fault: faults.first().copied().unwrap_or("no fault"),
            operation: operation.name,
            outcome: None,
            took: Duration::ZERO,
            late: Duration::ZERO,
            wrong: vec![format!("{}: panicked within {faults:?}", operation.name)],
        }
    }
}

/// One token's faults, one after the other; without any, one call that works.
pub(crate) fn run(
    fleet: &Fleet,
    slot: usize,
    site: Site<'_>,
    operation: &Operation,
    faults: &[&Fault],
) -> Vec<Met> {
    let mut met = Vec::new();
    let token = Token {
        fleet,
        slot,
        site,
        operation,
    };
    if faults.is_empty() {
        let subject = (operation.prepare)(site, "warm");
        let outcome = outcome((operation.call)(site, &subject));
        if outcome != Outcome::Works {
            let mut broken = Met::broken(operation, &[]);
            broken.wrong = vec![format!("{}: {}", operation.name, report::words(outcome))];
            met.push(broken);
        }
    }
    token.begin();
    for (n, fault) in faults.iter().enumerate() {
        met.push(token.meet_in_peace(fault, n));
    }
    if let (Some(last), Err(wrong)) = (met.last_mut(), token.knows_what_kms_has()) {
        last.wrong.push(format!("{}: {wrong}", operation.name));
    }
    met
}

/// Between two looks at an endpoint that failed several requests of one call: half of a deadline, and what a loaded
/// machine adds.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

struct Token<'f> {
    fleet: &'f Fleet,
    slot: usize,
    site: Site<'f>,
    operation: &'f Operation,
}

impl Token<'_> {
    /// The first listing, for which everything is set up: on a loaded machine it may take longer than it should.
    fn begin(&self) {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let _leave = self.fleet.leave();
            if Keys::shown_by(self.site.session, self.slot).is_ok() {
                return;
            }
        }
    }

    /// A pair says nothing of the module where the machine let its threads wait for a good part of a deadline: one that
    /// goes wrong then is met anew, as often as it may take, and the last time counts.
    fn meet_in_peace(&self, fault: &Fault, n: usize) -> Met {
        let mut times = 0;
        loop {
            let met = self.meet(fault, &format!("{}-{n}-{times}", self.slot));
            times += 1;
            if met.wrong.is_empty() || met.late < DISTURBANCE || times == MOST_TIMES {
                return met;
            }
            eprintln!(
                "met anew, since the machine was late by {:?}: {:?}",
                met.late, met.wrong
            );
        }
    }

    fn meet(&self, fault: &Fault, label: &str) -> Met {
        let Self {
            site, operation, ..
        } = *self;
        let mut leave = Some(self.fleet.leave());
        let subject = (operation.prepare)(site, label);
        let before = Keys::of(site.emulator);
        self.arm(fault);
        if fault.waits {
            drop(leave.take());
        }
        let (began, late) = (Instant::now(), self.fleet.canary.late());
        let outcome = outcome((operation.call)(site, &subject));
        let took = began.elapsed();
        let late = self.fleet.canary.late().saturating_sub(late);
        self.disarm(fault);
        let leave = leave.unwrap_or_else(|| self.fleet.leave());

        let mut wrong = Vec::new();
        let expected = expected(operation, fault.class);
        if outcome != expected {
            let words = report::words;
            wrong.push(format!("{}, not {}", words(outcome), words(expected)));
        }
        let limit = Duration::from_secs_f64(1.1 * DEADLINE_SECONDS) * operation.deadlines;
        if took > limit + ALLOWANCE + late {
            wrong.push(format!(
                "it took {took:?}, and the machine was late by {late:?}"
            ));
        }
        drop(leave);
        if operation.makes_keys {
            wrong.extend(self.made(&before, label, outcome).err());
        }
        wrong.extend(self.goes_on(fault, &subject, outcome, label).err());
        let pair = format!("{} / {} {}", operation.name, fault.name, fault.detail);
        Met {
            fault: fault.name,
            operation: operation.name,
            outcome: Some(outcome),
            took,
            late,
            wrong: wrong
                .into_iter()
                .map(|wrong| format!("{pair}: {wrong}"))
                .collect(),
        }
    }

    fn arm(&self, fault: &Fault) {
        let emulator = self.site.emulator;
        let strike = |effect| {
            let armed = Armed::once(self.operation.struck, effect);
            emulator.fault(armed.times(fault.times));
        };
        match &fault.strike {
            Strike::Effect(effect) => strike(effect.clone()),
            Strike::Answer(change) => strike(change.effect(&self.operation.answer)),
            Strike::Unreachable => emulator.set_reachable(false),
            Strike::Quota => emulator.set_quota(self.operation.struck, 0),
            Strike::Stale(reads) => emulator.set_stale_reads(*reads),
        }
    }

    fn disarm(&self, fault: &Fault) {
        let emulator = self.site.emulator;
        // Those that wait go on waiting for nobody.
        if fault.afterwards != Afterwards::NewCredentials {
            emulator.clear_faults();
        }
        match fault.strike {
            Strike::Unreachable => emulator.set_reachable(true),
            Strike::Quota => emulator.set_quota(self.operation.struck, usize::MAX),
            Strike::Stale(_) => emulator.set_stale_reads(0),
            Strike::Effect(_) | Strike::Answer(_) => {}
        }
        match fault.afterwards {
            Afterwards::Nothing => {}
            Afterwards::NewCredentials => self.fleet.renew_credentials(self.slot),
            Afterwards::RightClock => {
                let right = Armed::once("*", Effect::ClockSkew { seconds: 0 });
                emulator.fault(right.times(u32::MAX));
            }
        }
    }

    /// The next call succeeds, if not at once then when the endpoint is not deemed down any more: with the same subject
    /// where the last one failed, else with another.
    fn goes_on(
        &self,
        fault: &Fault,
        subject: &Subject,
        was: Outcome,
        label: &str,
    ) -> Result<(), String> {
        let Self {
            site, operation, ..
        } = *self;
        let patience = match fault.afterwards {
            Afterwards::NewCredentials => PATIENCE,
            Afterwards::Nothing | Afterwards::RightClock => LONGEST_PAUSE,
        };
        if fault.afterwards == Afterwards::NewCredentials {
            // Clients are not given up in their first second.
            thread::sleep(Duration::from_millis(1100));
        }
        let began = Instant::now();
        let other = operation.makes_keys || operation.finds_again;
        let mut attempts = 0;
        loop {
            let label = format!("{label}-{attempts}-next");
            let leave = self.fleet.leave();
            if fault.afterwards == Afterwards::NewCredentials {
                // What comes before the call needs the new credentials as well.
                let _ = Keys::shown_by(site.session, self.slot);
            }
            let new = (other || was == Outcome::Works).then(|| (operation.prepare)(site, &label));
            let again = outcome((operation.call)(site, new.as_ref().unwrap_or(subject)));
            if again == Outcome::Works {
                return Ok(());
            }
            let is_held_back = operation.waits_for_its_turn
                && fault.class == Class::Throttled
                && matches!(
                    again,
                    // Its turn may leave the request too little time.
                    Outcome::Fails(CKR_TOKEN_RESOURCE_EXCEEDED | CKR_DEVICE_ERROR)
                );
            let may_wait = fault.afterwards == Afterwards::NewCredentials
                || is_held_back
                || self.was_deemed_down();
            if !may_wait || began.elapsed() >= patience {
                return Err(format!("the next call answers {}", report::words(again)));
            }
            drop(leave);
            attempts += 1;
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Whether so many requests in a row failed that the endpoint got a pause.
    fn was_deemed_down(&self) -> bool {
        let token = format!("token lane-{}: the endpoint", self.slot);
        self.fleet.warned(&[&token, "deemed down"])
    }

    /// A call leaves one key or none; what it leaves is the token's, or is on its way out, or is named in the log.
    fn made(&self, before: &Keys, label: &str, outcome: Outcome) -> Result<(), String> {
        let now = Keys::of(self.site.emulator);
        let new = now.without(before);
        if new.len() > 1 {
            return Err(format!("{} keys were made: {new:?}", new.len()));
        }
        let Some(key) = new.first() else {
            return match outcome {
                Outcome::Works => Err("no key was made".to_owned()),
                _ => Ok(()),
            };
        };
        if outcome == Outcome::Works {
            return match key.state {
                "Enabled" => Ok(()),
                state => Err(format!("the key is {state}")),
            };
        }
        if !self.fleet.warned(&[&key.arn]) {
            return Err(format!("{label}: a key is left behind unsaid: {key:?}"));
        }
        Ok(())
    }

    /// The keys that can be used in KMS are those that the token shows.
    fn knows_what_kms_has(&self) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let shown = {
                let _leave = self.fleet.leave();
                Keys::shown_by(self.site.session, self.slot)
            };
            let there = Keys::of(self.site.emulator).enabled();
            if shown.as_ref() == Ok(&there) {
                return self.has_replicas_of(&there);
            }
            if began.elapsed() >= PATIENCE {
                return Err(format!("KMS has {there:?}, the token {shown:?}"));
            }
            thread::sleep(Duration::from_millis(250));
        }
    }

    /// The other region has the same keys, but for those of which the log says that they could not be deleted.
    fn has_replicas_of(&self, keys: &BTreeSet<String>) -> Result<(), String> {
        let Some(peer) = self.site.peer else {
            return Ok(());
        };
        let replicas = Keys::of(peer).enabled();
        let id = |arn: &String| arn.rsplit_once('/').map(|(_, id)| id.to_owned());
        let is_told = |arn: &&String| {
            let words = [arn.as_str(), " ERROR ", "may not have been deleted"];
            self.fleet.warned(&words)
        };
        let lonely = |arns: &BTreeSet<String>, others: &BTreeSet<String>| {
            let others: BTreeSet<_> = others.iter().filter_map(id).collect();
            let alone = |arn: &&String| !id(arn).is_some_and(|id| others.contains(&id));
            let lonely = arns.iter().filter(alone);
            lonely
                .filter(|arn| !is_told(arn))
                .cloned()
                .collect::<Vec<_>>()
        };
        let (here, there) = (lonely(keys, &replicas), lonely(&replicas, keys));
        if here.is_empty() && there.is_empty() {
            return Ok(());
        }
        Err(format!("in one region alone are {here:?}, {there:?}"))
    }
}

fn outcome(answer: Rv<bool>) -> Outcome {
    match answer {
        Ok(true) => Outcome::Works,
        Ok(false) => Outcome::NoObject,
        Err(rv) => Outcome::Fails(rv),
    }
}
