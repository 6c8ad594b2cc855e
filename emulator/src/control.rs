//! The control API, for clients in any language: `/_emulator/…`, JSON in and out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::{Method, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::bulk::NewKeys;
use crate::error::ApiResult;
use crate::fault::Fault;
use crate::members;
use crate::response::{self, ReplyBody};
use crate::service::Service;

/// `PUT settings`: what is absent stays as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsChange {
    latency_ms: Option<u64>,
    stale_reads: Option<u32>,
    creating_reads: Option<u32>,
}

/// A refused request: the HTTP status and why.
struct Refusal(u16, String);

pub(crate) async fn answer(
    service: &Arc<Service>,
    method: &Method,
    resource: &str,
    body: Bytes,
) -> Response<ReplyBody> {
    match handle(service, method, resource, body).await {
        Ok(answer) => response::json(200, &answer),
        Err(Refusal(status, error)) => response::json(status, &json!({ "error": error })),
    }
}

async fn handle(
    service: &Arc<Service>,
    method: &Method,
    resource: &str,
    body: Bytes,
) -> Result<Value, Refusal> {
    match (method.as_str(), resource) {
        ("GET", "health") => Ok(json!({
            "status": "ok",
            "version": env!("CARGO_PKG_VERSION"),
            "region": service.site.region,
            "account": service.site.account,
        })),
        ("GET", "calls") => Ok(json!(service.calls.snapshot())),
        ("DELETE", "calls") => {
            service.calls.reset();
            Ok(json!({}))
        }
        ("POST", "faults") => {
            service.faults.add(read::<Fault>(&body)?);
            Ok(json!({}))
        }
        ("DELETE", "faults") => {
            service.faults.clear();
            Ok(json!({}))
        }
        ("GET", "settings") => Ok(settings(service)),
        ("PUT", "settings") => {
            let SettingsChange {
                latency_ms,
                stale_reads,
                creating_reads,
            } = read(&body)?;
            if let Some(ms) = latency_ms {
                service.settings.set_latency(Duration::from_millis(ms));
            }
            if let Some(count) = stale_reads {
                service.settings.set_stale_reads(count);
            }
            if let Some(count) = creating_reads {
                service.settings.set_creating_reads(count);
            }
            Ok(settings(service))
        }
        ("POST", "keys") => create_keys(service, read(&body)?).await,
        ("PUT", "peers") => {
            for (region, endpoint) in read::<BTreeMap<String, String>>(&body)? {
                let set = service.peers.set(&region, &endpoint);
                set.map_err(|error| Refusal(400, error.to_string()))?;
            }
            Ok(json!({}))
        }
        ("POST", "deletions") => {
            let ended = on_a_thread(service, Service::end_deletions).await?;
            Ok(json!({ "deleted": ended }))
        }
        ("POST", "replicas") => {
            let replica = read(&body)?;
            let received = on_a_thread(service, move |here| here.receive_replica(replica)).await?;
            let refusal = || Refusal(members::CONFLICT, "the key is here already".to_owned());
            Ok(members::received(&received.ok_or_else(refusal)?))
        }
        ("PUT", "replicas") => {
            let shared = read(&body)?;
            on_a_thread(service, move |here| here.follow(shared)).await?;
            Ok(json!({}))
        }
        ("DELETE", "replicas") => {
            let ended = read(&body)?;
            on_a_thread(service, move |here| here.forget_replica(&ended)).await?;
            Ok(json!({}))
        }
        _ => Err(Refusal(404, format!("no {method} /_emulator/{resource}"))),
    }
}

async fn create_keys(service: &Arc<Service>, keys: NewKeys) -> Result<Value, Refusal> {
    let service = Arc::clone(service);
    let created = tokio::task::spawn_blocking(move || keys.create_in(&service)).await;
    match created {
        Ok(Ok(created)) => Ok(json!({ "keys": created })),
        Ok(Err(error)) => Err(Refusal(400, error.to_string())),
        Err(panicked) => Err(Refusal(500, panicked.to_string())),
    }
}

/// Runs what asks other regions or writes a file.
async fn on_a_thread<T: Send + 'static>(
    service: &Arc<Service>,
    work: impl FnOnce(&Service) -> ApiResult<T> + Send + 'static,
) -> Result<T, Refusal> {
    let service = Arc::clone(service);
    match tokio::task::spawn_blocking(move || work(&service)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Refusal(400, error.message.unwrap_or_default())),
        Err(panicked) => Err(Refusal(500, panicked.to_string())),
    }
}

fn settings(service: &Service) -> Value {
    json!({
        "latency_ms": service.settings.latency().as_millis(),
        "stale_reads": service.settings.stale_reads(),
        "creating_reads": service.settings.creating_reads(),
    })
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal(400, error.to_string()))
}
