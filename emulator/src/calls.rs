//! The call log: what clients asked for, in numbers.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use serde::Serialize;

/// What the emulator was asked since it started or since the log was reset.
///
/// Every KMS request counts, also one that failed or met a fault; requests to the control API do not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Calls {
    /// KMS requests in all.
    pub total: u64,
    /// TCP connections on which a first KMS request arrived.
    pub connections: u64,
    /// The most requests that were being answered at one time.
    pub in_flight_max: u64,
    /// Requests by operation: `Sign` → 3. Operations never called are absent.
    pub operations: BTreeMap<String, u64>,
    /// How clients called themselves in `User-Agent`.
    pub user_agents: BTreeSet<String>,
}

impl Calls {
    /// Requests of one operation.
    pub fn of(&self, operation: &str) -> u64 {
        self.operations.get(operation).copied().unwrap_or_default()
    }
}

#[derive(Debug, Default)]
pub(crate) struct CallLog(Mutex<Counters>);

#[derive(Debug, Default)]
struct Counters {
    calls: Calls,
    in_flight: u64,
}

impl CallLog {
    /// Counts a request, which is in flight until the guard is dropped.
    pub(crate) fn begin(
        &self,
        operation: &str,
        user_agent: Option<&str>,
        first_on_connection: bool,
    ) -> InFlight<'_> {
        let mut counters = self.0.lock();
        let Counters { calls, in_flight } = &mut *counters;
        *in_flight += 1;
        calls.total += 1;
        calls.connections += u64::from(first_on_connection);
        calls.in_flight_max = calls.in_flight_max.max(*in_flight);
        match calls.operations.get_mut(operation) {
            Some(count) => *count += 1,
            None => {
                calls.operations.insert(operation.to_owned(), 1);
            }
        }
        if let Some(user_agent) = user_agent
            && !calls.user_agents.contains(user_agent)
        {
            calls.user_agents.insert(user_agent.to_owned());
        }
        InFlight(self)
    }

    pub(crate) fn snapshot(&self) -> Calls {
        self.0.lock().calls.clone()
    }

    /// Starts counting anew; requests in flight stay in flight.
    pub(crate) fn reset(&self) {
        let mut counters = self.0.lock();
        counters.calls = Calls {
            in_flight_max: counters.in_flight,
            ..Calls::default()
        };
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct InFlight<'a>(&'a CallLog);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.0.lock().in_flight -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_counts_operations_connections_and_the_most_in_flight() {
        let log = CallLog::default();
        let first = log.begin("Sign", Some("one/1.0"), true);
        drop((
            log.begin("Sign", Some("one/1.0"), false),
            log.begin("Encrypt", None, true),
        ));
        let calls = log.snapshot();
        assert_eq!(calls.user_agents, BTreeSet::from(["one/1.0".to_owned()]));
        assert_eq!(
            (calls.total, calls.connections, calls.in_flight_max),
            (3, 2, 3)
        );
        assert_eq!(
            (calls.of("Sign"), calls.of("Encrypt"), calls.of("Verify")),
            (2, 1, 0)
        );

        log.reset();
        assert_eq!(
            log.snapshot(),
            Calls {
                in_flight_max: 1,
                ..Calls::default()
            }
        );
        drop(first);
        log.reset();
        assert_eq!(log.snapshot(), Calls::default());
    }
}
