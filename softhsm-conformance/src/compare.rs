//! Two modules' transcripts compared, step by step, under a table of allowed differences.

use std::io::{self, Write};

use crate::differences::{Difference, Row};
use crate::transcript::{Step, Transcript};

/// What stands for the answer to a call that a module never came to.
const NOT_REACHED: &str = "not reached";

/// The outcome of a run.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    scenarios: usize,
    steps: Vec<ComparedStep>,
    /// Differences of the table that did not occur.
    stale: Vec<String>,
    failures: Vec<String>,
}

#[derive(Debug)]
struct ComparedStep {
    scenario: String,
    step: String,
    softhsm: String,
    module: String,
    /// Both answers with all that is known of them.
    in_full: (String, String),
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Equal,
    Allowed,
    Unexplained,
}

/// Compares the transcripts of both modules. Rows of the table about other scenarios than the ones named
/// are left out of account.
pub(crate) fn compare(
    softhsm: &[Transcript],
    module: &[Transcript],
    differences: &[Difference],
    names: &[&str],
) -> Comparison {
    let rows = differences.iter().flat_map(|difference| difference.seen);
    let rows: Vec<&Row> = rows.filter(|row| names.contains(&row.0)).collect();
    let mut occurred = vec![false; rows.len()];
    let mut comparison = Comparison {
        scenarios: names.len(),
        ..Comparison::default()
    };
    for (softhsm, module) in softhsm.iter().zip(module) {
        for (whose, transcript) in [("SoftHSM2", softhsm), ("kms-pkcs11", module)] {
            let failures = transcript.failures.iter();
            comparison.failures.extend(
                failures.map(|failure| format!("{}: {whose}: {failure}", softhsm.scenario)),
            );
        }
        for (softhsm_step, module_step) in aligned(&softhsm.steps, &module.steps) {
            let mut step = ComparedStep::new(&softhsm.scenario, softhsm_step, module_step);
            if step.softhsm == step.module {
                step.verdict = Verdict::Equal;
            } else if let Some(row) = rows.iter().position(|row| step.is(row)) {
                occurred[row] = true;
                step.verdict = Verdict::Allowed;
            }
            comparison.steps.push(step);
        }
    }
    let stale = rows.iter().zip(occurred).filter(|(_, occurred)| !occurred);
    comparison.stale = stale.map(|(row, _)| format!("{row:?}")).collect();
    comparison
}

/// Steps of the same name beside each other, in the order of the first list, then what only the second has.
fn aligned<'a>(
    softhsm: &'a [Step],
    module: &'a [Step],
) -> Vec<(Option<&'a Step>, Option<&'a Step>)> {
    let find = |steps: &'a [Step], name: &str| steps.iter().find(|step| step.name == name);
    let both = softhsm
        .iter()
        .map(|step| (Some(step), find(module, &step.name)));
    let rest = module
        .iter()
        .filter(|step| find(softhsm, &step.name).is_none());
    both.chain(rest.map(|step| (None, Some(step)))).collect()
}

impl ComparedStep {
    fn new(scenario: &str, softhsm: Option<&Step>, module: Option<&Step>) -> Self {
        let name = softhsm.or(module).map(|step| step.name.clone());
        let answer = |step: Option<&Step>| step.map_or(NOT_REACHED.to_owned(), Step::answer);
        let in_full = |step: Option<&Step>| step.map_or(NOT_REACHED.to_owned(), Step::in_full);
        Self {
            scenario: scenario.to_owned(),
            step: name.unwrap_or_default(),
            softhsm: answer(softhsm),
            module: answer(module),
            in_full: (in_full(softhsm), in_full(module)),
            verdict: Verdict::Unexplained,
        }
    }
}

impl ComparedStep {
    fn is(&self, row: &Row) -> bool {
        (&*self.scenario, &*self.step, &*self.softhsm, &*self.module) == *row
    }
}

impl Comparison {
    /// Whether there is nothing to explain.
    pub(crate) fn passed(&self) -> bool {
        self.count(Verdict::Unexplained) == 0 && self.stale.is_empty() && self.failures.is_empty()
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.steps
            .iter()
            .filter(|step| step.verdict == verdict)
            .count()
    }

    pub(crate) fn print(&self, out: &mut impl Write, verbose: bool) -> io::Result<()> {
        for step in &self.steps {
            if verbose || step.verdict == Verdict::Unexplained {
                step.print(out)?;
            }
        }
        for row in &self.stale {
            writeln!(
                out,
                "in the table of differences, but it did not occur: {row}"
            )?;
        }
        for failure in &self.failures {
            writeln!(out, "failure: {failure}")?;
        }
        writeln!(
            out,
            "{} scenarios, {} steps: {} equal, {} allowed differences, {} unexplained differences, \
             {} stale entries, {} failures",
            self.scenarios,
            self.steps.len(),
            self.count(Verdict::Equal),
            self.count(Verdict::Allowed),
            self.count(Verdict::Unexplained),
            self.stale.len(),
            self.failures.len(),
        )
    }
}

impl ComparedStep {
    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let title = match self.verdict {
            Verdict::Equal => "equal",
            Verdict::Allowed => "allowed difference",
            Verdict::Unexplained => "UNEXPLAINED DIFFERENCE",
        };
        writeln!(out, "{title}: {}, {}", self.scenario, self.step)?;
        writeln!(out, "    SoftHSM2    {}", self.in_full.0)?;
        writeln!(out, "    kms-pkcs11  {}", self.in_full.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Backs;

    const TABLE: &[Difference] = &[Difference {
        backs: Backs::Module,
        section: "5.13.2",
        why: "a reason",
        seen: &[("sign", "C_Sign", "CKR_OK", "CKR_DATA_LEN_RANGE")],
    }];

    fn transcript(rv: &str) -> Vec<Transcript> {
        let step = Step {
            name: "C_Sign".to_owned(),
            rv: rv.to_owned(),
            details: Vec::new(),
        };
        vec![Transcript {
            scenario: "sign".to_owned(),
            steps: vec![step],
            failures: Vec::new(),
        }]
    }

    #[test]
    fn equal_answers_pass() {
        assert!(compare(&transcript("CKR_OK"), &transcript("CKR_OK"), &[], &["sign"]).passed());
    }

    #[test]
    fn a_difference_fails_unless_the_table_has_it() {
        let (softhsm, module) = (transcript("CKR_OK"), transcript("CKR_DATA_LEN_RANGE"));
        assert!(!compare(&softhsm, &module, &[], &["sign"]).passed());
        assert!(compare(&softhsm, &module, TABLE, &["sign"]).passed());
    }

    #[test]
    fn an_entry_of_the_table_that_does_not_occur_fails() {
        let same = transcript("CKR_OK");
        assert!(!compare(&same, &same, TABLE, &["sign"]).passed());
        assert!(compare(&same, &same, TABLE, &["another"]).passed());
    }

    #[test]
    fn a_call_that_one_module_never_came_to_is_a_difference() {
        let mut short = transcript("CKR_OK");
        short[0].steps.clear();
        assert!(!compare(&short, &transcript("CKR_OK"), &[], &["sign"]).passed());
        assert!(!compare(&transcript("CKR_OK"), &short, &[], &["sign"]).passed());
    }

    #[test]
    fn a_failure_fails_even_when_both_modules_share_it() {
        let mut failed = transcript("CKR_OK");
        failed[0]
            .failures
            .push("wrote outside of the memory it was given".to_owned());
        assert!(!compare(&failed, &failed, &[], &["sign"]).passed());
    }
}
