//! Policies and wishes from a number: the same number gives the same case.

use sympozium_core::ids::{
    InstanceName, InstanceRef, ModelName, Namespace, PackName, ProviderName, ToolName,
};
use sympozium_core::policy::{
    Budget, Cap, EgressHost, EgressPolicy, Feature, ModelRules, Pattern, Policy, PolicyName, PolicyOrigin,
    RunRequest, RunToolPolicy, SandboxRequest, ToolAction, ToolRule,
};
use sympozium_core::run::SubagentLimits;
use sympozium_core::skill::HostPort;
use url::Url;

pub(crate) const TOOLS: [&str; 7] = [
    "read_file",
    "write_file",
    "execute_command",
    "fetch_url",
    "spawn_agent",
    "kubectl_get",
    "ab",
];
const TOOL_PATTERNS: [&str; 12] = [
    "read_file",
    "write_file",
    "execute_command",
    "kubectl_get",
    "*",
    "*_file",
    "read_*",
    "re*le",
    "kubectl_*",
    "ab",
    "a*b",
    "**",
];
const MODELS: [&str; 4] = ["gpt-4o", "gpt-4o-mini", "claude", "x/gpt-4o"];
const MODEL_PATTERNS: [&str; 8] = [
    "gpt-4o",
    "gpt-*",
    "openai/*",
    "openai/gpt-4o",
    "*",
    "x/*",
    "*/claude",
    "claude",
];
const IMAGES: [&str; 4] = [
    "registry.example/a:1",
    "registry.example/team/b",
    "evil.example/a",
    "a",
];
const IMAGE_PATTERNS: [&str; 5] = ["registry.example/*", "*/a:1", "a", "*", "registry.example/team/b"];
const TARGETS: [&str; 8] = [
    "a.org",
    "x.a.org",
    "y.x.a.org",
    "*.a.org",
    "*.x.a.org",
    "b.org",
    "xa.org",
    // A star without a dot behind it is no pattern of hosts.
    "*a.org",
];
const PORTS: [u16; 2] = [443, 80];
const URLS: [&str; 9] = [
    "https://a.org/",
    "https://a.org/api",
    "https://a.org/api/x",
    "https://a.org/apix",
    "https://a.org/api/../secret",
    "https://x.a.org/api",
    "http://a.org.evil/api",
    "https://b.org/x/y",
    "https://A.ORG/api?q=1",
];
const HOST_PATTERNS: [&str; 5] = ["a.org", "*.a.org", "b.org", "*", "*.org"];
const PATH_PATTERNS: [&str; 5] = ["/api", "/api/", "/*/y", "/", "/api/x"];
const METHODS: [&str; 3] = ["GET", "HEAD", "POST"];
const PACKS: [&str; 3] = ["one", "two", "three"];

/// A run and the policies that hold for it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) policies: Vec<Policy>,
    pub(crate) request: RunRequest,
    pub(crate) instance: InstanceRef,
    pub(crate) url: Url,
    pub(crate) method: &'static str,
}

/// The case of that number.
pub(crate) fn case(number: u64) -> Case {
    let mut dice = Dice(number);
    let policies = (0..dice.below(4)).map(|i| policy(&mut dice, i)).collect();
    Case {
        policies,
        request: request(&mut dice),
        instance: InstanceRef {
            namespace: Namespace::new("n").unwrap(),
            name: InstanceName::new("i").unwrap(),
        },
        url: Url::parse(dice.pick(&URLS)).unwrap(),
        method: dice.pick(&METHODS),
    }
}

/// SplitMix64: short, and good enough to choose with.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n).unwrap()).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn maybe<T>(&mut self, percent: usize, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance(percent).then(|| make(self))
    }

    fn list<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }

    fn pattern(&mut self, from: &[&str]) -> Pattern {
        Pattern::new(self.pick(from)).unwrap()
    }

    /// One of a few small numbers, so that equality and both sides of it are common.
    fn small(&mut self) -> u64 {
        self.next() % 4
    }
}

fn policy(dice: &mut Dice, index: usize) -> Policy {
    let origins = [
        PolicyOrigin::InstallWide,
        PolicyOrigin::Namespace,
        PolicyOrigin::Instance,
    ];
    let mut policy = Policy::open(PolicyName(format!("p{index}")), dice.pick(&origins));
    policy.sandbox.required = dice.chance(20);
    policy.sandbox.max_cpu_millis = dice.maybe(30, Dice::small);
    policy.sandbox.max_memory_bytes = dice.maybe(30, Dice::small);
    policy.subagents.max_depth = dice.maybe(30, |d| d.pick(&[0, 1, 2, 3]));
    policy.subagents.max_concurrent = dice.maybe(30, |d| d.pick(&[1, 2, 3]));
    policy.subagents.max_children = dice.maybe(30, |d| d.pick(&[0, 1, 2, 3]));
    policy.tools.default_action = action(dice);
    policy.tools.rules = dice.list(4, |d| ToolRule {
        tool: d.pattern(&TOOL_PATTERNS),
        action: action(d),
    });
    policy.features = dice
        .list(3, |d| (d.pick(&Feature::ALL), d.chance(60)))
        .into_iter()
        .collect();
    policy.network.require_enforced = dice.chance(30);
    policy.network.allowed_egress = dice.maybe(50, |d| d.list(3, target));
    policy.models = ModelRules {
        allow: dice.list(2, |d| d.pattern(&MODEL_PATTERNS)),
        deny: dice.list(1, |d| d.pattern(&MODEL_PATTERNS)),
    };
    policy.images = dice.maybe(50, |d| d.list(3, |d| d.pattern(&IMAGE_PATTERNS)));
    policy.egress = dice.maybe(60, |d| EgressPolicy {
        hosts: d.list(3, egress_host),
    });
    policy.budget = Budget {
        per_run: cap(dice),
        per_day: cap(dice),
        per_month: cap(dice),
    };
    policy.skills.shared_identity = dice.chance(60);
    policy
}

fn action(dice: &mut Dice) -> ToolAction {
    dice.pick(&[ToolAction::Allow, ToolAction::Ask, ToolAction::Deny])
}

fn target(dice: &mut Dice) -> HostPort {
    HostPort {
        host: dice.pick(&TARGETS).to_owned(),
        port: dice.pick(&PORTS),
    }
}

fn egress_host(dice: &mut Dice) -> EgressHost {
    EgressHost {
        host: dice.pattern(&HOST_PATTERNS),
        methods: dice.list(2, |d| d.pick(&METHODS).to_owned()),
        paths: dice.list(2, |d| d.pattern(&PATH_PATTERNS)),
        private: dice.chance(30),
    }
}

fn cap(dice: &mut Dice) -> Cap {
    Cap {
        tokens: dice.maybe(30, |d| d.pick(&[0, 5, 7, 100])),
        micro_usd: dice.maybe(30, |d| d.pick(&[0, 3, 9, 80])),
    }
}

fn request(dice: &mut Dice) -> RunRequest {
    let depth = dice.pick(&[0, 0, 1, 2, 3]);
    RunRequest {
        provider: ProviderName::new(dice.pick(&["openai", "x"])).unwrap(),
        model: ModelName::new(dice.pick(&MODELS)).unwrap(),
        sandbox: dice.maybe(60, |d| SandboxRequest {
            image: None,
            cpu_millis: d.maybe(60, Dice::small),
            memory_bytes: d.maybe(60, Dice::small),
        }),
        depth,
        subagents: SubagentLimits {
            max_depth: dice.pick(&[1, 2, 3]),
            max_concurrent: dice.pick(&[1, 2, 3]),
            max_children: dice.pick(&[1, 2, 3]),
        },
        siblings: dice.maybe(60, |d| d.pick(&[0, 1, 2, 3])),
        images: dice.list(2, |d| {
            (format!("image {}", d.small()), d.pick(&IMAGES).to_owned())
        }),
        egress: dice.list(2, |d| (format!("egress {}", d.small()), target(d))),
        rbac_packs: dice.list(2, |d| {
            (
                "spec.skills[0]".to_owned(),
                PackName::new(d.pick(&PACKS)).unwrap(),
            )
        }),
        features: dice.list(2, |d| (d.pick(&Feature::ALL), format!("feature {}", d.small()))),
        tools: TOOLS.map(|tool| ToolName::new(tool).unwrap()).to_vec(),
        needed_tools: dice.list(2, |d| {
            (
                format!("tool {}", d.small()),
                ToolName::new(d.pick(&TOOLS)).unwrap(),
            )
        }),
        tool_policy: RunToolPolicy {
            allow: dice.list(2, |d| d.pattern(&TOOL_PATTERNS)),
            deny: dice.list(2, |d| d.pattern(&TOOL_PATTERNS)),
        },
        typed_tools: vec![ToolName::new("kubectl_get").unwrap()],
        network_enforced: dice.maybe(60, |d| d.chance(50)),
    }
}
