//! What a run found, as a document: the same text for the same answers, on any day and any machine.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::ptr;

use crate::compare::{ComparedStep, Comparison, Verdict};
use crate::cross::Crossing;
use crate::differences::{Chapter, Difference};
use crate::names::FUNCTIONS;
use crate::reference::Reference;
use crate::walk;

/// A comparison, to be printed as Markdown.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) comparison: &'a Comparison,
    pub(crate) crossings: &'a [Crossing],
    /// The table of allowed differences, which gives the document its order.
    pub(crate) differences: &'a [Chapter],
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(INTRODUCTION)?;
        self.counts(f)?;
        self.matrix(f)?;
        self.allowed_differences(f)?;
        rules(f)
    }
}

const INTRODUCTION: &str = "\
# Conformance: kms-pkcs11 beside SoftHSM2 and Kryoptic

Written by `softhsm-conformance compare --report softhsm-conformance/REPORT.md`, never by hand; a test fails
when it is not what a run finds. Every scenario goes through the C function lists of kms-pkcs11 and of a reference,
and every return value, length, attribute and structure that they answer is compared. The reference is SoftHSM2,
or Kryoptic where SoftHSM2 has no answer, as to everything that came with versions 3.0 and 3.2. Every signature is
verified by OpenSSL or by Python's cryptography, and by the other module with the public key imported.

";

impl Report<'_> {
    fn counts(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let steps = &self.comparison.steps;
        let count = |wanted: fn(Verdict) -> bool| {
            let wanted = steps.iter().filter(|step| wanted(step.verdict));
            wanted.count()
        };
        writeln!(f, "| | |\n| --- | ---: |")?;
        for (what, count) in [
            ("scenarios", self.comparison.scenarios),
            ("calls and observations", steps.len()),
            ("equal answers", count(Verdict::is_equal)),
            ("allowed differences", count(Verdict::is_allowed)),
            ("unexplained differences", count(Verdict::is_unexplained)),
        ] {
            writeln!(f, "| {what} | {count} |")?;
        }
        for crossing in self.crossings {
            let Crossing {
                maker,
                verifier,
                signatures,
            } = crossing;
            writeln!(
                f,
                "| signatures of {maker} that {verifier} verified | {signatures} |"
            )?;
        }
        writeln!(f)
    }

    fn matrix(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(MATRIX)?;
        for function in FUNCTIONS {
            let steps = self.comparison.steps.iter();
            Self::row(
                f,
                function,
                steps.filter(|step| step.function() == *function),
            )?;
        }
        let steps = self.comparison.steps.iter();
        let others = steps.filter(|step| !FUNCTIONS.contains(&step.function()));
        Self::row(f, "*observations*", others)?;
        writeln!(f)
    }

    fn row<'a>(
        f: &mut Formatter<'_>,
        title: &str,
        steps: impl Iterator<Item = &'a ComparedStep>,
    ) -> fmt::Result {
        let steps: Vec<_> = steps.collect();
        let scenarios: BTreeSet<_> = steps.iter().map(|step| &step.scenario).collect();
        let equal = steps.iter().filter(|step| step.verdict.is_equal()).count();
        writeln!(
            f,
            "| {title} | {} | {} | {} | {} | {equal} | {} |",
            scenarios.len(),
            steps.len(),
            Reference::ALL
                .map(|reference| theirs(&steps, reference))
                .join(" | "),
            answers(steps.iter().map(|step| step.ours.as_str())),
            steps.len() - equal,
        )
    }

    fn allowed_differences(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(DIFFERENCES)?;
        for chapter in self.differences {
            writeln!(f, "\n### {}", chapter.title)?;
            for difference in chapter.differences {
                self.difference(f, chapter.reference, difference)?;
            }
        }
        Ok(())
    }

    fn difference(
        &self,
        f: &mut Formatter<'_>,
        reference: Reference,
        difference: &'static Difference,
    ) -> fmt::Result {
        let is_this = |step: &&ComparedStep| match step.verdict {
            Verdict::Allowed(allowed) => ptr::eq(allowed, difference),
            Verdict::Equal | Verdict::Unexplained => false,
        };
        writeln!(
            f,
            "\n**{}.** {} ({}.)\n",
            difference.section,
            difference.why,
            difference.backs.beside(reference)
        )?;
        writeln!(f, "| scenario | call | {reference} | kms-pkcs11 |")?;
        writeln!(f, "| --- | --- | --- | --- |")?;
        for step in self.comparison.steps.iter().filter(is_this) {
            let (scenario, call) = (&step.scenario, &step.step);
            let (theirs, ours) = (code(&step.theirs), code(&step.ours));
            writeln!(f, "| {scenario} | {call} | {theirs} | {ours} |")?;
        }
        Ok(())
    }
}

fn rules(f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str(RULES_OF_WALKS)?;
    for rule in walk::RULES {
        let answers = |answers: &[&str]| answers.join(", ");
        writeln!(
            f,
            "| **{}.** {} ({}.) | {} | {} |",
            rule.section,
            rule.why,
            rule.backs.beside(Reference::SoftHsm),
            answers(rule.softhsm),
            answers(rule.module)
        )?;
    }
    Ok(())
}

const MATRIX: &str = "\
## Functions

Functions in the order of their lists. Under each module: calls answered with `CKR_OK`
and calls refused; *out* when the initialised module answered nothing but `CKR_FUNCTION_NOT_SUPPORTED`.
Observations are what follows from several answers.

| function | scenarios | calls | SoftHSM2 | Kryoptic | kms-pkcs11 | equal | allowed differences |
| --- | ---: | ---: | --- | --- | --- | ---: | ---: |
";

const DIFFERENCES: &str = "\
## Allowed differences

Sections are those of the PKCS #11 Specification 3.1, where that is said and beside Kryoptic those of 3.2.
";

const RULES_OF_WALKS: &str = "
## Rules of the random walks

`softhsm-conformance walk` makes seeded random calls on both modules. Where their answers differ, one of these
rules must explain it, by the call and the state that it was made in.

| rule | SoftHSM2 | kms-pkcs11 |
| --- | --- | --- |
";

/// How a reference answered the calls of one function that it was asked for.
fn theirs(steps: &[&ComparedStep], reference: Reference) -> String {
    let asked = steps.iter().filter(|step| step.reference == reference);
    answers(asked.map(|step| step.theirs.as_str()))
}

/// How a module answered the calls of one function.
fn answers<'a>(answers: impl Iterator<Item = &'a str>) -> String {
    let (mut ok, mut refused, mut too_early, mut left_out) = (0, 0, 0, 0);
    for answer in answers {
        *match answer.split(' ').next() {
            Some("CKR_OK") => &mut ok,
            Some("CKR_FUNCTION_NOT_SUPPORTED") => &mut left_out,
            Some("CKR_CRYPTOKI_NOT_INITIALIZED") => &mut too_early,
            Some(rv) if rv.starts_with("CKR_") => &mut refused,
            // An observation, or a call that was never reached.
            _ => continue,
        } += 1;
    }
    match (ok, refused, too_early, left_out) {
        (0, 0, 0, 0) => "–".to_owned(),
        (0, 0, _, 1..) => "*out*".to_owned(),
        _ => format!("{ok} ok, {} refused", refused + too_early + left_out),
    }
}

/// An answer in a cell of a table.
fn code(answer: &str) -> String {
    format!("`{}`", answer.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_every_call_finds_left_out_is_out() {
        let given = ["CKR_FUNCTION_NOT_SUPPORTED", "CKR_CRYPTOKI_NOT_INITIALIZED"];
        assert_eq!(answers(given.into_iter()), "*out*");
    }

    #[test]
    fn answers_are_counted_by_success() {
        let given = [
            "CKR_OK length=64",
            "CKR_OK",
            "CKR_ARGUMENTS_BAD",
            "not reached",
        ];
        assert_eq!(answers(given.into_iter()), "2 ok, 1 refused");
    }

    #[test]
    fn a_bar_does_not_end_the_cell() {
        assert_eq!(code("a|b"), "`a\\|b`");
    }
}
