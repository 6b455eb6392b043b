//! From SkillPacks to skills.

use super::bounds;
use super::policy::host_port;
use super::problem::{Findings, InvalidObjects};
use super::shelf::PackEntry;
use crate::crd::v1alpha1::{EnvVar, PackSkill, RbacRuleSpec, SidecarSpec, SkillPackSpec, TypedToolSpec};
use serde_json::Value;
use std::collections::BTreeMap;
use sympozium_core::ids::{PackName, ToolName};
use sympozium_core::skill::{RbacRule, Sidecar, Skill, SkillDocument, TypedTool};

/// The most that all documents of a pack hold together, in characters. The schema says the same.
const MAX_CONTENT: usize = 512 * 1024;

/// Reads a pack.
pub fn skill(entry: PackEntry<'_>) -> Result<Skill, InvalidObjects> {
    let name = entry.pack.metadata.name.as_deref().unwrap_or_default();
    let spec = &entry.pack.spec;
    let mut findings = Findings::of("SkillPack", name);
    bounds::check("SkillPack", spec, &mut findings);
    let pack = findings.take("metadata.name", PackName::new(name));
    let documents = documents(spec, &mut findings);
    let sidecar = spec
        .sidecar
        .as_ref()
        .map(|sidecar| read_sidecar(spec, sidecar, &mut findings));
    let skill = pack.map(|pack| Skill {
        pack,
        builtin: entry.builtin,
        category: spec.category.clone(),
        documents,
        sidecar,
    });
    findings.finish(skill)
}

fn documents(spec: &SkillPackSpec, findings: &mut Findings) -> Vec<SkillDocument> {
    let total: usize = spec
        .skills
        .iter()
        .map(|skill| skill.content.chars().count())
        .sum();
    if total > MAX_CONTENT {
        findings.add(
            "spec.skills",
            format_args!("the contents together have {total} characters; at most {MAX_CONTENT} are allowed"),
        );
    }
    for (index, skill) in spec.skills.iter().enumerate() {
        let path = || format!("spec.skills[{index}].name");
        if !is_file_name(&skill.name) {
            findings.add(
                path(),
                "must be of a-z, 0-9, -, _ and . and start and end with a letter or digit",
            );
        }
        if spec
            .skills
            .iter()
            .take(index)
            .any(|other| other.name == skill.name)
        {
            findings.add(path(), format_args!("{:?} is there twice", skill.name));
        }
        let requires = skill.requires.iter().flat_map(|requires| &requires.tools);
        findings.take_each(
            &format!("spec.skills[{index}].requires.tools"),
            requires,
            ToolName::new,
        );
    }
    spec.skills.iter().map(document).collect()
}

/// What the schema's pattern says: the name becomes a file.
fn is_file_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.bytes().all(|b| inner(b) || matches!(b, b'-' | b'_' | b'.'))
        && name.bytes().next().is_some_and(inner)
        && name.bytes().last().is_some_and(inner)
}

fn document(skill: &PackSkill) -> SkillDocument {
    let requires = skill.requires.clone().unwrap_or_default();
    SkillDocument {
        name: skill.name.clone(),
        description: skill.description.clone().filter(|text| !text.is_empty()),
        content: skill.content.clone(),
        requires_bins: requires.bins,
        requires_tools: requires.tools,
    }
}

fn read_sidecar(spec: &SkillPackSpec, given: &SidecarSpec, findings: &mut Findings) -> Sidecar {
    Sidecar {
        image: given.image.clone(),
        command: given.command.clone(),
        env: environment("spec.sidecar.env", &given.env, findings),
        mount_workspace: given.mount_workspace,
        resources: resources(spec, given),
        tools: typed_tools(&given.tools, findings),
        egress: given.egress.iter().map(host_port).collect(),
        rbac: given.rbac.iter().map(rbac_rule).collect(),
        cluster_rbac: given.cluster_rbac.iter().map(rbac_rule).collect(),
    }
}

/// What the pack says, else the least that it needs.
fn resources(spec: &SkillPackSpec, given: &SidecarSpec) -> BTreeMap<String, String> {
    let own = given.resources.clone().unwrap_or_default();
    let least = spec.runtime_requirements.clone().unwrap_or_default();
    [
        ("cpu", own.cpu.or(least.min_cpu)),
        ("memory", own.memory.or(least.min_memory)),
    ]
    .into_iter()
    .filter_map(|(name, amount)| Some((name.to_owned(), amount?.to_string())))
    .collect()
}

/// Literal environment, without names that the platform keeps and without doubles.
pub(super) fn environment(path: &str, given: &[EnvVar], findings: &mut Findings) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for (index, var) in given.iter().enumerate() {
        let name_path = format!("{path}[{index}].name");
        if var.is_reserved() {
            findings.add(
                name_path,
                format_args!(
                    "{:?} is reserved: SYMPOZIUM_*, LD_* and *_PROXY can't be set",
                    var.name
                ),
            );
        } else if !is_env_name(&var.name) {
            findings.add(
                name_path,
                format_args!("{:?} is not a name: use letters, digits and _", var.name),
            );
        } else if env.insert(var.name.clone(), var.value.clone()).is_some() {
            findings.add(name_path, format_args!("{:?} is there twice", var.name));
        }
        if var.value.contains('\0') {
            findings.add(format!("{path}[{index}].value"), "holds a zero byte");
        }
    }
    env
}

fn is_env_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}

fn rbac_rule(given: &RbacRuleSpec) -> RbacRule {
    RbacRule {
        api_groups: given.api_groups.clone(),
        resources: given.resources.clone(),
        verbs: given.verbs.clone(),
    }
}

fn typed_tools(given: &[TypedToolSpec], findings: &mut Findings) -> Vec<TypedTool> {
    let mut tools: Vec<TypedTool> = Vec::new();
    for (index, tool) in given.iter().enumerate() {
        let path = format!("spec.sidecar.tools[{index}]");
        check_arguments(&path, tool, findings);
        let Some(name) = findings.take(format!("{path}.name"), ToolName::new(&tool.name)) else {
            continue;
        };
        if tools.iter().any(|other| other.name == name) {
            findings.add(format!("{path}.name"), format_args!("{name} is there twice"));
        }
        tools.push(TypedTool {
            name,
            description: tool.description.clone(),
            parameters: parameters(tool),
            argv: tool.argv.clone(),
            timeout_seconds: tool.timeout_seconds,
        });
    }
    tools
}

/// The schema of the arguments; no schema means no arguments.
fn parameters(tool: &TypedToolSpec) -> Value {
    if tool.parameters.is_empty() {
        return serde_json::json!({ "type": "object", "properties": {}, "additionalProperties": false });
    }
    Value::Object(tool.parameters.clone())
}

/// Every placeholder must be an argument and no program, and the schema must be one of an object.
fn check_arguments(path: &str, tool: &TypedToolSpec, findings: &mut Findings) {
    let kind = tool.parameters.get("type").and_then(Value::as_str);
    if !tool.parameters.is_empty() && kind != Some("object") {
        findings.add(format!("{path}.parameters.type"), "must be object");
    }
    let known = |name: &str| {
        tool.parameters
            .get("properties")
            .and_then(Value::as_object)
            .is_some_and(|properties| properties.contains_key(name))
    };
    for (index, element) in tool.argv.iter().enumerate() {
        let path = format!("{path}.argv[{index}]");
        if index == 0 && element.contains("{{") {
            findings.add(&path, "the program can't come from an argument");
        }
        if element.split("{{").skip(1).any(|after| !after.contains("}}")) {
            findings.add(&path, "a placeholder is not closed: write {{name}}");
        }
        for name in placeholders(element).filter(|name| !known(name)) {
            findings.add(
                &path,
                format_args!("{{{{{name}}}}} is not a property of parameters"),
            );
        }
    }
}

/// The names between `{{` and `}}`.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{")
        .skip(1)
        .filter_map(|after| after.split_once("}}").map(|(name, _)| name.trim()))
}
