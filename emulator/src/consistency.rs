//! Eventual consistency: for a while after a change, readers see what was there before.
//!
//! KMS's changes become visible after seconds, at times minutes. Here the while is counted in reads,
//! so that a test is exact: after a change made with `stale_reads = N`, the next N reads are stale.

/// Reads that still miss something new.
#[derive(Debug, Default)]
pub(crate) struct StaleReads(u32);

impl StaleReads {
    pub(crate) fn new(count: u32) -> Self {
        Self(count)
    }

    /// Whether the next read is stale.
    pub(crate) fn left(&self) -> bool {
        self.0 > 0
    }

    /// Whether this read is stale; counts it.
    pub(crate) fn take(&mut self) -> bool {
        let stale = self.left();
        self.0 = self.0.saturating_sub(1);
        stale
    }
}

/// A value whose last change may not be visible yet.
#[derive(Debug, Default)]
pub(crate) struct Eventual<T> {
    current: T,
    previous: Option<(T, StaleReads)>,
}

impl<T> Eventual<T> {
    /// A value that every reader sees.
    pub(crate) fn settled(current: T) -> Self {
        Self {
            current,
            previous: None,
        }
    }

    /// Changes the value; the next `stale_reads` reads still answer the old one.
    pub(crate) fn set(&mut self, value: T, stale_reads: u32) {
        let previous = std::mem::replace(&mut self.current, value);
        self.previous = (stale_reads > 0).then(|| (previous, StaleReads::new(stale_reads)));
    }

    /// What the next reader sees.
    pub(crate) fn peek(&self) -> &T {
        match &self.previous {
            Some((previous, reads)) if reads.left() => previous,
            _ => &self.current,
        }
    }

    /// What this reader sees; counts as a read.
    pub(crate) fn read(&mut self) -> &T {
        if let Some((previous, reads)) = &mut self.previous
            && reads.take()
        {
            return previous;
        }
        &self.current
    }

    /// What the service itself knows.
    pub(crate) fn current(&self) -> &T {
        &self.current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_after_exactly_the_stale_reads() {
        let mut value = Eventual::settled("old");
        value.set("new", 2);
        assert_eq!(*value.current(), "new");
        let seen = [*value.read(), *value.read(), *value.read(), *value.read()];
        assert_eq!(seen, ["old", "old", "new", "new"]);
    }

    #[test]
    fn without_stale_reads_a_change_is_seen_at_once() {
        let mut value = Eventual::settled("old");
        value.set("new", 0);
        assert_eq!(*value.read(), "new");
    }
}
