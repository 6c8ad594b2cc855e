//! Every file of the corpora, and a number of variations of them that is the same each time.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use super::run;
use crate::hex;

/// Gives a target its corpus, and so many inputs made of it.
fn replay(target: &str, variations: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(!corpus.is_empty(), "{} is empty", folder.display());
    for (input, file) in corpus.iter().zip(&files) {
        attempt(target, input, &file.display().to_string());
    }
    for number in 0..variations {
        let mut random = fastrand::Rng::with_seed(number as u64);
        let input = vary(&corpus, &mut random);
        attempt(target, &input, &format!("variation {number}"));
    }
}

/// One file with some bytes of it changed, taken out, repeated, or followed by those of another.
fn vary(corpus: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut input = corpus[random.usize(..corpus.len())].clone();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..=input.len());
        let end = (at + random.usize(..16)).min(input.len());
        match random.u8(..6) {
            0 => input.truncate(at),
            1 => drop(input.drain(at..end)),
            2 => input.insert(at, random.u8(..)),
            3 => {
                let repeated = input[at..end].to_vec();
                input.splice(at..at, repeated);
            }
            4 => {
                let other = &corpus[random.usize(..corpus.len())];
                let from = random.usize(..=other.len());
                input.splice(at.., other[from..].iter().copied());
            }
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = random.u8(..);
                }
            }
        }
    }
    input
}

/// What went wrong was printed when it did; here is what it went wrong with.
fn attempt(target: &str, input: &[u8], name: &str) {
    let outcome = catch_unwind(|| run(target, input));
    assert!(outcome.is_ok(), "{target}: {name}: {}", hex::encode(input));
}

#[test]
fn calls_in_any_order_with_any_arguments_keep_the_promises_of_the_functions() {
    replay("calls", 400);
}

#[test]
fn templates_of_any_attributes_make_objects_that_can_be_read_and_found() {
    replay("templates", 400);
}

#[test]
fn mechanisms_with_any_parameters_are_refused_or_serve() {
    replay("parameters", 400);
}

#[test]
fn encodings_that_are_read_are_written_as_they_were() {
    replay("der", 3000);
}

#[test]
fn configurations_that_are_read_say_the_same_when_they_are_rewritten() {
    replay("config", 3000);
}

#[test]
fn answers_of_any_content_end_their_operation_in_time() {
    replay("responses", 100);
}

#[test]
fn the_emulator_answers_every_request_in_json() {
    replay("emulator", 400);
}
