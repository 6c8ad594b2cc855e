//! Names of hosts to addresses, asked of the C library.

use std::net::ToSocketAddrs;

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use tokio::task::spawn_blocking;

use crate::fork;

/// What the SDK would do itself, but counted: the C library reads its files, and loads what else it asks, behind
/// locks that a forked child would inherit.
#[derive(Debug)]
pub(super) struct SystemResolver;

impl ResolveDns for SystemResolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        let name = name.to_owned();
        let look_up =
            move || fork::at_work(|| fork::looking_up(|| (name.as_str(), 0).to_socket_addrs()));
        DnsFuture::new(async move {
            let found = spawn_blocking(look_up)
                .await
                .map_err(ResolveDnsError::new)?;
            let found = found.map_err(ResolveDnsError::new)?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
