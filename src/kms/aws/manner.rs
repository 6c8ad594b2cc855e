//! How urgently a request is sent, where that is not as usual.

use std::time::Duration;

use tokio::task_local;

use crate::kms::Sent;

task_local! {
    static MANNER: Manner;
}

/// Without a choice: repeated as configured, in its turn until its deadline, not sent while the endpoint is down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Manner {
    /// It is given up with its first failure.
    pub(super) once: bool,
    /// It is sent even if its endpoint is deemed down.
    pub(super) anyway: bool,
    /// The longest that it waits for its turn.
    pub(super) most_wait: Option<Duration>,
    /// The longest that it waits for its answer after that.
    pub(super) most_time: Option<Duration>,
    /// The longest that it takes, its turn and retries included.
    pub(super) longest: Option<Duration>,
}

impl From<Sent> for Manner {
    fn from(sent: Sent) -> Self {
        Self {
            anyway: sent == Sent::Anyway,
            ..Self::default()
        }
    }
}

impl Manner {
    /// Sends the requests of `work` so. Tasks that it spawns send theirs as usual.
    pub(super) fn of<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        MANNER.scope(self, work)
    }

    /// That of the request that is under way.
    pub(super) fn current() -> Self {
        MANNER.try_with(|manner| *manner).unwrap_or_default()
    }
}
