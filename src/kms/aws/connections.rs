//! What the log says of connections, at level debug: where they lead, and how their keys are agreed on.

use aws_smithy_http_client::pool::{ConnectionEvent, ConnectionEventListener};
use rustls::crypto::aws_lc_rs;
use tracing::dispatcher::{get_default, with_default};

/// Says which key exchanges a TLS handshake offers, the most wanted first.
///
/// The SDK takes them from the same place. Which one the server chose it does not tell.
pub(super) fn log_key_exchanges() {
    let provider = aws_lc_rs::default_provider();
    let names: Vec<String> = provider
        .kx_groups
        .iter()
        .map(|group| format!("{:?}", group.name()))
        .collect();
    tracing::debug!(
        "TLS key exchanges, in order of preference: {}",
        names.join(", ")
    );
}

/// Writes a line for each connection that is opened or cannot be, to the log of the thread that calls this.
pub(super) fn listener() -> impl ConnectionEventListener {
    // Connections are made by tasks of their own.
    let dispatch = get_default(Clone::clone);
    move |event: &ConnectionEvent<'_>| with_default(&dispatch, || log(event))
}

fn log(event: &ConnectionEvent<'_>) {
    match event {
        ConnectionEvent::Opened(opened) => {
            let connection = opened.connection();
            let origin = connection.origin();
            tracing::debug!(
                host = origin.host(),
                scheme = %origin.scheme(),
                address = connection.remote_addr().map(tracing::field::display),
                through_proxy = connection.is_proxied(),
                protocol = ?connection.protocol(),
                latency_us = u64::try_from(opened.stats().total_duration().as_micros()).unwrap_or(u64::MAX),
                "connected"
            );
        }
        ConnectionEvent::EstablishmentFailed(failed) => {
            tracing::debug!(
                host = failed.establishment().origin().host(),
                stage = ?failed.stage(),
                "not connected: {}",
                failed.error()
            );
        }
        // Ends of connections are of no interest, and what a later version adds is not known.
        _ => {}
    }
}
