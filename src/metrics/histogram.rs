//! How many durations were how long.

use std::time::Duration;

/// The upper bounds of the buckets, and how Prometheus is told them, in seconds: from an answer of
/// the same data centre to the longest deadline that is of use.
pub(super) const BOUNDS: [(Duration, &str); 13] = [
    (Duration::from_millis(1), "0.001"),
    (Duration::from_micros(2500), "0.0025"),
    (Duration::from_millis(5), "0.005"),
    (Duration::from_millis(10), "0.01"),
    (Duration::from_millis(25), "0.025"),
    (Duration::from_millis(50), "0.05"),
    (Duration::from_millis(100), "0.1"),
    (Duration::from_millis(250), "0.25"),
    (Duration::from_millis(500), "0.5"),
    (Duration::from_secs(1), "1"),
    (Duration::from_millis(2500), "2.5"),
    (Duration::from_secs(5), "5"),
    (Duration::from_secs(15), "15"),
];

#[derive(Clone, Default)]
pub(super) struct Histogram {
    /// Durations in each bucket and in none of the smaller ones.
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: Duration,
}

impl Histogram {
    pub(super) fn observe(&mut self, duration: Duration) {
        let bucket = BOUNDS.iter().position(|(bound, _)| duration <= *bound);
        if let Some(bucket) = bucket {
            self.buckets[bucket] += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(duration);
    }

    /// Each bound with the number of durations up to it.
    pub(super) fn cumulative(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let bounds = BOUNDS.iter().map(|(_, bound)| *bound);
        let up_to = self.buckets.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        bounds.zip(up_to)
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn sum(&self) -> Duration {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_every_bucket_that_it_fits_into() {
        let mut histogram = Histogram::default();
        for millis in [1, 2, 10_000, 60_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let counts: Vec<u64> = histogram.cumulative().map(|(_, count)| count).collect();
        assert_eq!(counts, [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3]);
        assert_eq!(histogram.count(), 4);
        assert_eq!(histogram.sum(), Duration::from_millis(70_003));
    }

    #[test]
    fn the_bounds_grow_and_read_as_they_are() {
        assert!(BOUNDS.is_sorted_by(|(a, _), (b, _)| a < b));
        for (bound, text) in BOUNDS {
            let seconds: f64 = text.parse().unwrap();
            assert_eq!(Duration::from_secs_f64(seconds), bound);
        }
    }
}
