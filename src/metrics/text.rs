//! Prometheus' text exposition format, version 0.0.4.
//!
//! The values of labels are names of this module's own, in which nothing needs escaping, and what the configuration
//! says.

use std::fmt::{Display, Write};

use super::endpoint::{EndpointName, OfEndpoint, OfRegion};
use super::{Counts, OfOperation};
use crate::error::name_of;

/// The file's contents; with `pid`, each sample is labelled with it.
pub(super) fn of(counts: &Counts, pid: Option<u32>) -> String {
    let mut page = Page {
        text: String::new(),
        pid,
    };
    page.info();
    page.calls(counts);
    page.requests(counts);
    page.durations(counts);
    page.repetitions(counts);
    page.endpoints(counts);
    page.regions(counts);
    page.text
}

type Labels<'a> = &'a [(&'a str, &'a dyn Display)];

struct Page {
    text: String,
    pid: Option<u32>,
}

impl Page {
    fn info(&mut self) {
        const INFO: &str = "kms_pkcs11_info";
        self.family(INFO, "gauge", "The module, which is always 1 of itself.");
        self.sample(INFO, &[("version", &env!("CARGO_PKG_VERSION"))], &1);
    }

    fn calls(&mut self, counts: &Counts) {
        const CALLS: &str = "kms_pkcs11_calls_total";
        self.family(
            CALLS,
            "counter",
            "PKCS#11 calls by function and return value.",
        );
        for ((function, rv), count) in &counts.calls {
            let rv = name_of(*rv);
            self.sample(CALLS, &[("function", function), ("rv", &rv)], count);
        }
    }

    fn requests(&mut self, counts: &Counts) {
        const REQUESTS: &str = "kms_pkcs11_kms_requests_total";
        self.family(
            REQUESTS,
            "counter",
            "Requests to KMS by operation and outcome.",
        );
        for ((operation, outcome), count) in &counts.requests {
            let labels: Labels<'_> = &[("operation", operation), ("outcome", outcome)];
            self.sample(REQUESTS, labels, count);
        }
    }

    fn durations(&mut self, counts: &Counts) {
        const DURATIONS: &str = "kms_pkcs11_kms_request_duration_seconds";
        self.family(
            DURATIONS,
            "histogram",
            "Durations of requests to KMS, all attempts included.",
        );
        let named = |suffix: &str| format!("{DURATIONS}_{suffix}");
        for (operation, of_operation) in &counts.operations {
            let latencies = &of_operation.latencies;
            let buckets = latencies.cumulative();
            for (bound, count) in buckets.chain([("+Inf", latencies.count())]) {
                let labels: Labels<'_> = &[("operation", operation), ("le", &bound)];
                self.sample(&named("bucket"), labels, &count);
            }
            let labels: Labels<'_> = &[("operation", operation)];
            let seconds = latencies.sum().as_secs_f64();
            self.sample(&named("sum"), labels, &seconds);
            self.sample(&named("count"), labels, &latencies.count());
        }
    }

    fn repetitions(&mut self, counts: &Counts) {
        self.by_operation(
            "kms_pkcs11_kms_retries_total",
            "Attempts at requests after the first.",
            counts,
            |of_operation| of_operation.retries,
        );
        self.by_operation(
            "kms_pkcs11_kms_throttles_total",
            "Attempts that KMS throttled.",
            counts,
            |of_operation| of_operation.throttles,
        );
    }

    fn endpoints(&mut self, counts: &Counts) {
        self.by_endpoint(
            "kms_pkcs11_endpoint_up",
            "gauge",
            "Whether an endpoint is deemed to answer: 1, or 0 while requests to it fail at once.",
            counts,
            |of_endpoint| u64::from(!of_endpoint.is_down),
        );
        self.by_endpoint(
            "kms_pkcs11_endpoint_outages_total",
            "counter",
            "How often an endpoint was deemed down.",
            counts,
            |of_endpoint| of_endpoint.outages,
        );
        self.by_endpoint(
            "kms_pkcs11_endpoint_refused_total",
            "counter",
            "Requests that were not sent because their endpoint is deemed down.",
            counts,
            |of_endpoint| of_endpoint.refused,
        );
    }

    fn regions(&mut self, counts: &Counts) {
        self.by_region(
            "kms_pkcs11_region_preferred",
            "gauge",
            "Whether a region is asked before others: 1, or 0 while it fails.",
            counts,
            |of_region| u64::from(!of_region.is_left),
        );
        self.by_region(
            "kms_pkcs11_region_answered_total",
            "counter",
            "Requests for multi-Region keys that a region answered.",
            counts,
            |of_region| of_region.answered,
        );
        self.by_region(
            "kms_pkcs11_region_hedged_total",
            "counter",
            "Second requests that were sent to a region because another one took long.",
            counts,
            |of_region| of_region.hedged,
        );
        self.by_region(
            "kms_pkcs11_region_hedges_won_total",
            "counter",
            "Second requests that were answered first.",
            counts,
            |of_region| of_region.hedges_won,
        );
    }

    fn by_region(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        counts: &Counts,
        count: impl Fn(&OfRegion) -> u64,
    ) {
        let regions = counts.endpoints.iter();
        let regions = regions.filter_map(|(name, of)| Some((name, of.region.as_ref()?)));
        let mut regions = regions.peekable();
        if regions.peek().is_none() {
            return;
        }
        self.family(name, kind, help);
        for (EndpointName { token, region, .. }, of_region) in regions {
            let token = escaped(token);
            let labels: Labels<'_> = &[("token", &token), ("region", region)];
            self.sample(name, labels, &count(of_region));
        }
    }

    fn by_endpoint(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        counts: &Counts,
        count: impl Fn(&OfEndpoint) -> u64,
    ) {
        self.family(name, kind, help);
        for (endpoint, of_endpoint) in &counts.endpoints {
            let token = escaped(&endpoint.token);
            let labels: Labels<'_> = &[
                ("token", &token),
                ("region", &endpoint.region),
                ("service", &endpoint.service),
            ];
            self.sample(name, labels, &count(of_endpoint));
        }
    }

    fn by_operation(
        &mut self,
        name: &str,
        help: &str,
        counts: &Counts,
        count: impl Fn(&OfOperation) -> u64,
    ) {
        self.family(name, "counter", help);
        for (operation, of_operation) in &counts.operations {
            self.sample(name, &[("operation", operation)], &count(of_operation));
        }
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: Labels<'_>, value: &dyn Display) {
        let pid = self.pid.as_ref().map(|pid| ("pid", pid as &dyn Display));
        let labels = labels.iter().copied().chain(pid);
        let labels: Vec<String> = labels
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        self.line(format_args!("{name}{{{}}} {value}", labels.join(",")));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // A string takes all that is written.
        let _ = writeln!(self.text, "{line}");
    }
}

/// As the format wants text that may be anything; line breaks are in no label of a token.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"")
}
