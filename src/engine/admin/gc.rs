//! Collection on demand.

use std::time::Duration;

use artifactapi_actors::handles::{GcReport, GcRequest};
use artifactapi_api::gc::{GcOrder, GcStatus};
use artifactapi_core::fault::{Fault, Kind};
use serde_json::Value;

use super::{Admin, Refused};

impl Admin {
    /// Collects now, or says what would be collected.
    pub async fn collect(&self, order: GcOrder) -> Result<Value, Refused> {
        let request = GcRequest {
            dry_run: order.dry_run,
            grace: order.grace_seconds.map(Duration::from_secs),
        };
        let report = self.parts.handles.gc.run(request).await?;
        Ok(shown(&report)?)
    }

    /// The last collection since start.
    pub fn collection(&self) -> Result<GcStatus, Refused> {
        let last = self.parts.handles.gc.last();
        Ok(GcStatus {
            last: last.map(|report| shown(&report)).transpose()?,
        })
    }
}

fn shown(report: &GcReport) -> Result<Value, Fault> {
    serde_json::to_value(report)
        .map_err(|fault| Fault::ours(Kind::Internal, "the report cannot be shown", fault))
}
