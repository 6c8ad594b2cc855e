//! Random bytes of this machine, for tokens configured with `random = "local"`.

use aws_lc_rs::rand;

/// The operating system gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no random bytes from the operating system")]
pub(crate) struct RandomError;

/// Fills `out` from aws-lc's generator, seeded by the operating system.
pub(crate) fn fill(out: &mut [u8]) -> Result<(), RandomError> {
    rand::fill(out).map_err(|_| RandomError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_a_buffer_is_filled_anew() {
        let mut seen = [[0u8; 37]; 64];
        for buffer in &mut seen {
            fill(buffer).unwrap();
        }
        // A byte left alone stays 0 in all 64 draws; by chance once in 2^512.
        for position in 0..37 {
            assert!(seen.iter().any(|buffer| buffer[position] != 0));
        }
        for (index, buffer) in seen.iter().enumerate() {
            assert!(!seen[..index].contains(buffer));
        }
    }

    #[test]
    fn an_empty_buffer_is_fine() {
        fill(&mut []).unwrap();
    }
}
