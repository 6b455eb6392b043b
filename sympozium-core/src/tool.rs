//! The seam to a tool: [`Tool`] is what authors write, [`DynTool`] what an agent loop holds, [`ToolSet`] a run's tools.

use crate::chat::ToolSpec;
use crate::ids::{CallId, RunUid, StepId, ToolName};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{collections::BTreeMap, fmt, future::Future, sync::Arc};
use tokio_util::sync::CancellationToken;

/// A tool with typed arguments. Implement this; every `Tool` is a [`DynTool`].
///
/// ```
/// # use sympozium_core::tool::{Tool, ToolContext, ToolOutput};
/// /// Adds two numbers.
/// struct Add;
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct AddArgs { a: f64, b: f64 }
/// impl Tool for Add {
///     const NAME: &'static str = "add";
///     const DESCRIPTION: &'static str = "Adds two numbers.";
///     type Args = AddArgs;
///     type Error = std::convert::Infallible;
///     async fn call(&self, _: &ToolContext, args: AddArgs) -> Result<ToolOutput, Self::Error> {
///         Ok(ToolOutput::text((args.a + args.b).to_string()))
///     }
/// }
/// ```
pub trait Tool: Send + Sync + 'static {
    /// The name; must be a valid [`ToolName`].
    const NAME: &'static str;
    /// What it does and when to use it, for the model.
    const DESCRIPTION: &'static str;
    /// The arguments. Their JSON schema is what the model sees; unknown fields are up to the type.
    type Args: DeserializeOwned + JsonSchema + Send;
    /// Why it can fail; the model reads its `Display`.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Does it. Has to stop soon after `ctx.cancel` is cancelled.
    fn call(
        &self,
        ctx: &ToolContext,
        args: Self::Args,
    ) -> impl Future<Output = Result<ToolOutput, Self::Error>> + Send;
}

/// What a tool knows about the call.
#[derive(Debug, Clone)]
pub struct ToolContext {
    /// The run.
    pub run: RunUid,
    /// The step of the run in which the model asked for it.
    pub step: StepId,
    /// Which of the step's calls this is, from 0. With `run` and `step` it makes [`derived ids`](crate::ids::derived_id).
    pub index: u32,
    /// The model's id for the call.
    pub call: CallId,
    /// Cancelled when the run is cancelled or its deadline passes.
    pub cancel: CancellationToken,
}

/// What came of a call. A failure is an answer too: the model reads it and goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolOutput {
    /// What the model reads.
    pub content: String,
    /// True when it failed or was refused.
    pub is_error: bool,
}

impl ToolOutput {
    /// A success.
    pub fn text(content: impl Into<String>) -> Self {
        Self {
            content: content.into(),
            is_error: false,
        }
    }

    /// A failure.
    pub fn error(content: impl Into<String>) -> Self {
        Self {
            content: content.into(),
            is_error: true,
        }
    }
}

/// A tool whose types are erased. Tools whose schema is only known at run time implement it directly.
#[async_trait]
pub trait DynTool: Send + Sync {
    /// Name, description and schema.
    fn spec(&self) -> ToolSpec;

    /// Does it. Never fails: a failure is a [`ToolOutput`] with `is_error`.
    async fn invoke(&self, ctx: &ToolContext, arguments: Value) -> ToolOutput;
}

/// A [`Tool`] as a [`DynTool`].
struct Erased<T> {
    tool: T,
    name: ToolName,
}

#[async_trait]
impl<T: Tool> DynTool for Erased<T> {
    fn spec(&self) -> ToolSpec {
        let mut parameters =
            schemars::SchemaGenerator::new(schemars::generate::SchemaSettings::draft2020_12().with(|s| {
                s.inline_subschemas = true;
                s.meta_schema = None;
            }))
            .into_root_schema_for::<T::Args>()
            .to_value();
        if let Some(object) = parameters.as_object_mut() {
            object.remove("title");
        }
        ToolSpec {
            name: self.name.clone(),
            description: T::DESCRIPTION.to_owned(),
            parameters,
        }
    }

    async fn invoke(&self, ctx: &ToolContext, arguments: Value) -> ToolOutput {
        let args = match serde_json::from_value::<T::Args>(arguments) {
            Ok(args) => args,
            Err(error) => {
                return ToolOutput::error(format!("The arguments do not fit the tool's schema: {error}."));
            }
        };
        match self.tool.call(ctx, args).await {
            Ok(output) => output,
            Err(error) => ToolOutput::error(crate::error::chain(&error)),
        }
    }
}

/// Two tools claim one name, or a name is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ToolSetError {
    /// Two tools claim one name.
    #[error("two tools are named {0}")]
    Duplicate(ToolName),
    /// [`Tool::NAME`] is not a valid name.
    #[error("add a tool")]
    Name(#[from] crate::ids::InvalidId),
}

/// The tools of a run, by name.
#[derive(Clone, Default)]
pub struct ToolSet {
    tools: BTreeMap<ToolName, Arc<dyn DynTool>>,
}

impl ToolSet {
    /// Adds a typed tool.
    pub fn add<T: Tool>(&mut self, tool: T) -> Result<(), ToolSetError> {
        self.add_dyn(Arc::new(Erased {
            tool,
            name: ToolName::new(T::NAME)?,
        }))
    }

    /// Adds an erased tool.
    pub fn add_dyn(&mut self, tool: Arc<dyn DynTool>) -> Result<(), ToolSetError> {
        let name = tool.spec().name;
        if self.tools.contains_key(&name) {
            return Err(ToolSetError::Duplicate(name));
        }
        self.tools.insert(name, tool);
        Ok(())
    }

    /// The tool of that name.
    pub fn get(&self, name: &ToolName) -> Option<&Arc<dyn DynTool>> {
        self.tools.get(name)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &ToolName> {
        self.tools.keys()
    }

    /// All specs, sorted by name, so that equal sets give equal requests.
    pub fn specs(&self) -> Vec<ToolSpec> {
        self.tools.values().map(|tool| tool.spec()).collect()
    }

    /// Keeps only those for which `keep` says true.
    pub fn retain(&mut self, mut keep: impl FnMut(&ToolName) -> bool) {
        self.tools.retain(|name, _| keep(name));
    }
}

impl fmt::Debug for ToolSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.tools.keys()).finish()
    }
}
