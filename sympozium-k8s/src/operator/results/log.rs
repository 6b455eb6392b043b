//! The markers in the agent container's log: [`LogMarkers`]. The last resort: the log is the agent's to write.

use crate::operator::run::{Found, Origin, ResultSource, SourceError, Wanted};
use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::{Api, Client};
use sympozium_core::ipc::result_from_log;
use sympozium_core::run::pod_contract::AGENT_CONTAINER;

/// How many lines of the end of a log are read.
const LINES: i64 = 20;
/// How many bytes of them, so that one long line can't fill the memory.
const BYTES: i64 = 256 * 1024;

/// The markers in the agent container's log.
#[derive(Clone)]
pub struct LogMarkers {
    client: Client,
}

impl std::fmt::Debug for LogMarkers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogMarkers").finish_non_exhaustive()
    }
}

impl LogMarkers {
    /// Reads logs by this client.
    pub const fn new(client: Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl ResultSource for LogMarkers {
    fn origin(&self) -> Origin {
        Origin::Log
    }

    async fn find(&self, wanted: Wanted<'_>) -> Result<Option<Found>, SourceError> {
        let Some(pod) = wanted.pod else { return Ok(None) };
        let api: Api<Pod> = Api::namespaced(self.client.clone(), wanted.run.namespace.as_str());
        let params = LogParams {
            container: Some(AGENT_CONTAINER.to_owned()),
            tail_lines: Some(LINES),
            limit_bytes: Some(BYTES),
            ..LogParams::default()
        };
        match api.logs(&pod.name, &params).await {
            Ok(log) => Ok(result_from_log(&log).map(|result| Found {
                result,
                origin: Origin::Log,
                usage: None,
                at: None,
            })),
            // The pod, or its log, is no more.
            Err(kube::Error::Api(status)) if status.code == 404 || status.code == 400 => Ok(None),
            Err(source) => Err(SourceError {
                origin: Origin::Log,
                source: source.into(),
            }),
        }
    }
}
