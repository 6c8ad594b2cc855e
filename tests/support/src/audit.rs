//! The audit that the module writes, read by a parser of JSON that we did not write.

use std::path::Path;

use crate::python;

const REQUESTS: &str = r#"
import json, sys
fields = ["function", "operation", "key", "outcome", "status", "attempts"]
for line in open(sys.argv[1]):
    event = json.loads(line)
    if event["target"] == "kms_pkcs11::audit":
        assert event["level"] == "INFO" and event["message"] == "KMS request", event
        assert event["timestamp"].endswith("Z") and event["latency_us"] >= 0, event
        assert ("request_id" in event) == ("status" in event), event
        print(*(event.get(field, "-") for field in fields), sep="\t")
"#;

/// The lines about KMS requests in a JSON log, each as `function operation key outcome status attempts` with
/// tabs between and `-` for what is absent.
#[track_caller]
pub fn audited(log: impl AsRef<Path>) -> Vec<String> {
    let lines = python(REQUESTS, [log.as_ref()]).ok().stdout();
    lines.lines().map(str::to_owned).collect()
}
