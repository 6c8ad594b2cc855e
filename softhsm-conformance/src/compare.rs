//! The transcripts of kms-pkcs11 and of its references compared, step by step, under a table of allowed differences.

use std::io::{self, Write};

use crate::differences::{Difference, Row};
use crate::reference::Reference;
use crate::transcript::{Step, Transcript};

/// What stands for the answer to a call that a module never came to.
const NOT_REACHED: &str = "not reached";

/// What both modules gave of one scenario.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) reference: Reference,
    pub(crate) theirs: Transcript,
    pub(crate) ours: Transcript,
}

/// Compares the transcripts of scenarios.
pub(crate) fn compare(
    pairs: &[Pair],
    differences: impl Iterator<Item = &'static Difference>,
) -> Comparison {
    let mut table = Table::new(differences);
    let mut comparison = Comparison {
        scenarios: pairs.len(),
        ..Comparison::default()
    };
    for pair in pairs {
        let scenario = &pair.ours.scenario;
        let reference = pair.reference.to_string();
        for (whose, transcript) in [(&*reference, &pair.theirs), ("kms-pkcs11", &pair.ours)] {
            let failures = transcript.failures.iter();
            let failures = failures.map(|failure| format!("{scenario}: {whose}: {failure}"));
            comparison.failures.extend(failures);
        }
        for steps in aligned(&pair.theirs.steps, &pair.ours.steps) {
            let mut step = ComparedStep::new(scenario, pair.reference, steps);
            if step.theirs != step.ours {
                step.verdict = table.verdict(&step);
            }
            comparison.steps.push(step);
        }
    }
    comparison.stale = table.stale(pairs);
    comparison
}

/// The outcome of a run.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) scenarios: usize,
    pub(crate) steps: Vec<ComparedStep>,
    /// Rows of the table that did not occur.
    stale: Vec<&'static Row<'static>>,
    failures: Vec<String>,
}

impl Comparison {
    /// Whether there is nothing left to explain.
    pub(crate) fn passed(&self) -> bool {
        let mut steps = self.steps.iter();
        !steps.any(|step| step.verdict.is_unexplained())
            && self.stale.is_empty()
            && self.failures.is_empty()
    }

    /// Prints what is wrong and a summary; with `verbose`, every step too.
    pub(crate) fn print(&self, out: &mut impl Write, verbose: bool) -> io::Result<()> {
        let (mut equal, mut allowed, mut unexplained) = (0, 0, 0);
        for step in &self.steps {
            let count = match step.verdict {
                Verdict::Equal => &mut equal,
                Verdict::Allowed(_) => &mut allowed,
                Verdict::Unexplained => &mut unexplained,
            };
            *count += 1;
            if verbose || step.verdict.is_unexplained() {
                step.print(out)?;
            }
        }
        for (scenario, step, theirs, ours) in &self.stale {
            writeln!(out, "STALE: the table has a difference that did not occur")?;
            print_answers(out, scenario, step, ("reference", theirs), ours)?;
        }
        for failure in &self.failures {
            writeln!(out, "FAILURE: {failure}")?;
        }
        writeln!(
            out,
            "{} scenarios, {} steps: {equal} equal, {allowed} allowed differences, \
             {unexplained} unexplained, {} stale rows, {} failures",
            self.scenarios,
            self.steps.len(),
            self.stale.len(),
            self.failures.len(),
        )
    }
}

/// One call, and both answers.
#[derive(Debug)]
pub(crate) struct ComparedStep {
    pub(crate) scenario: String,
    pub(crate) reference: Reference,
    pub(crate) step: String,
    /// What is compared of each answer: the reference's and that of kms-pkcs11.
    pub(crate) theirs: String,
    pub(crate) ours: String,
    /// All that is known of each answer.
    in_full: (String, String),
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict {
    Equal,
    Allowed(&'static Difference),
    Unexplained,
}

impl Verdict {
    pub(crate) fn is_equal(self) -> bool {
        matches!(self, Self::Equal)
    }

    pub(crate) fn is_allowed(self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    pub(crate) fn is_unexplained(self) -> bool {
        matches!(self, Self::Unexplained)
    }
}

impl ComparedStep {
    fn new(
        scenario: &str,
        reference: Reference,
        (theirs, ours): (Option<&Step>, Option<&Step>),
    ) -> Self {
        let name = theirs.or(ours).map(|step| step.name.clone());
        let answer = |step: Option<&Step>| step.map_or(NOT_REACHED.to_owned(), Step::answer);
        let in_full = |step: Option<&Step>| step.map_or(NOT_REACHED.to_owned(), Step::in_full);
        Self {
            scenario: scenario.to_owned(),
            reference,
            step: name.unwrap_or_default(),
            theirs: answer(theirs),
            ours: answer(ours),
            in_full: (in_full(theirs), in_full(ours)),
            verdict: Verdict::Equal,
        }
    }

    /// The function that was called, without the case and the number of the call.
    pub(crate) fn function(&self) -> &str {
        let end = self.step.find([' ', '.']).unwrap_or(self.step.len());
        &self.step[..end]
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        match self.verdict {
            Verdict::Equal => writeln!(out, "equal")?,
            Verdict::Allowed(Difference {
                backs,
                section,
                why,
                ..
            }) => {
                let backs = backs.beside(self.reference);
                writeln!(out, "allowed: {backs} ({section}). {why}")?;
            }
            Verdict::Unexplained => writeln!(out, "UNEXPLAINED")?,
        }
        print_answers(
            out,
            &self.scenario,
            &self.step,
            (&self.reference.to_string(), &self.in_full.0),
            &self.in_full.1,
        )
    }
}

fn print_answers(
    out: &mut impl Write,
    scenario: &str,
    step: &str,
    (reference, theirs): (&str, &str),
    ours: &str,
) -> io::Result<()> {
    writeln!(out, "    {scenario}, {step}")?;
    writeln!(out, "    {reference:<10}  {theirs}")?;
    writeln!(out, "    kms-pkcs11  {ours}")
}

/// The allowed differences, row by row, and whether each has occurred.
struct Table {
    rows: Vec<(&'static Row<'static>, &'static Difference, bool)>,
}

impl Table {
    fn new(differences: impl Iterator<Item = &'static Difference>) -> Self {
        let rows = differences.flat_map(|difference| {
            difference
                .seen
                .iter()
                .map(move |row| (row, difference, false))
        });
        Self {
            rows: rows.collect(),
        }
    }

    fn verdict(&mut self, step: &ComparedStep) -> Verdict {
        let seen: Row<'_> = (&step.scenario, &step.step, &step.theirs, &step.ours);
        match self.rows.iter_mut().find(|(row, ..)| **row == seen) {
            Some((_, difference, occurred)) => {
                *occurred = true;
                Verdict::Allowed(difference)
            }
            None => Verdict::Unexplained,
        }
    }

    /// The rows about these scenarios that have not occurred.
    fn stale(&self, pairs: &[Pair]) -> Vec<&'static Row<'static>> {
        let was_run = |row: &Row| pairs.iter().any(|pair| pair.ours.scenario == row.0);
        let rows = self
            .rows
            .iter()
            .filter(|(row, _, occurred)| !occurred && was_run(row));
        rows.map(|(row, ..)| *row).collect()
    }
}

/// Steps of the same name beside each other, in the order of the first list, then what only the second has.
fn aligned<'a>(theirs: &'a [Step], ours: &'a [Step]) -> Vec<(Option<&'a Step>, Option<&'a Step>)> {
    let find = |steps: &'a [Step], name: &str| steps.iter().find(|step| step.name == name);
    let both = theirs
        .iter()
        .map(|step| (Some(step), find(ours, &step.name)));
    let rest = ours
        .iter()
        .filter(|step| find(theirs, &step.name).is_none());
    both.chain(rest.map(|step| (None, Some(step)))).collect()
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;
    use crate::differences::Backs;

    static ALLOWED: Difference = Difference {
        backs: Backs::Module,
        section: "5.13.2",
        why: "a reason",
        seen: &[("sign", "C_Sign", "CKR_OK", "CKR_DATA_LEN_RANGE")],
    };

    fn transcript(scenario: &str, rv: &str) -> Transcript {
        let step = Step {
            name: "C_Sign".to_owned(),
            rv: rv.to_owned(),
            details: Vec::new(),
        };
        Transcript {
            scenario: scenario.to_owned(),
            steps: vec![step],
            ..Transcript::default()
        }
    }

    /// Compares the transcripts of one scenario.
    fn passes(
        theirs: &Transcript,
        ours: &Transcript,
        differences: impl Iterator<Item = &'static Difference>,
    ) -> bool {
        let pair = Pair {
            reference: Reference::SoftHsm,
            theirs: theirs.clone(),
            ours: ours.clone(),
        };
        compare(&[pair], differences).passed()
    }

    #[test]
    fn equal_answers_pass() {
        let same = transcript("sign", "CKR_OK");
        assert!(passes(&same, &same, iter::empty()));
    }

    #[test]
    fn a_difference_fails_unless_the_table_has_it() {
        let theirs = transcript("sign", "CKR_OK");
        let ours = transcript("sign", "CKR_DATA_LEN_RANGE");
        assert!(!passes(&theirs, &ours, iter::empty()));
        assert!(passes(&theirs, &ours, iter::once(&ALLOWED)));
    }

    #[test]
    fn a_difference_fails_when_the_table_has_it_the_other_way_round() {
        let theirs = transcript("sign", "CKR_DATA_LEN_RANGE");
        let ours = transcript("sign", "CKR_OK");
        assert!(!passes(&theirs, &ours, iter::once(&ALLOWED)));
    }

    #[test]
    fn a_row_of_the_table_that_does_not_occur_fails() {
        let same = transcript("sign", "CKR_OK");
        assert!(!passes(&same, &same, iter::once(&ALLOWED)));
    }

    #[test]
    fn a_row_about_a_scenario_that_was_not_run_is_no_matter() {
        let same = transcript("another", "CKR_OK");
        assert!(passes(&same, &same, iter::once(&ALLOWED)));
    }

    #[test]
    fn a_call_that_one_module_never_came_to_is_a_difference() {
        let whole = transcript("sign", "CKR_OK");
        let mut short = whole.clone();
        short.steps.clear();
        assert!(!passes(&short, &whole, iter::empty()));
        assert!(!passes(&whole, &short, iter::empty()));
    }

    #[test]
    fn a_failure_fails_even_when_both_modules_share_it() {
        let mut failed = transcript("sign", "CKR_OK");
        let fault = "wrote outside of the memory it was given";
        failed.failures.push(fault.to_owned());
        assert!(!passes(&failed, &failed, iter::empty()));
    }
}
