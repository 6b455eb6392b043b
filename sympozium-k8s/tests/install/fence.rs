//! What the operator tries with its own identity, and what the API server says to it.

use crate::scene::{ONE_AT_A_TIME, bundled, config, until};
use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use sympozium_k8s::install::{Data, Installer, Waiting};

/// A client that the API server takes for a ServiceAccount.
async fn as_account(namespace: &str, name: &str) -> Client {
    let mut config = config().await;
    config.auth_info.impersonate = Some(format!("system:serviceaccount:{namespace}:{name}"));
    config.auth_info.impersonate_groups = Some(vec![
        "system:authenticated".into(),
        "system:serviceaccounts".into(),
        format!("system:serviceaccounts:{namespace}"),
    ]);
    Client::try_from(config).unwrap()
}

/// Tries to create an object, without effect; the message of the refusal.
async fn attempt(client: &Client, api_version: &str, kind: &str, mut object: Value) -> Result<(), String> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    let cluster = kind.starts_with("Cluster") || kind.starts_with("Validating");
    let api: Api<DynamicObject> = if cluster {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), "default", &resource)
    };
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    match api
        .create(&params, &serde_json::from_value(object).unwrap())
        .await
    {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 403 => Err(status.message),
        Err(error) => panic!("{kind}: {error}"),
    }
}

const RBAC: &str = "rbac.authorization.k8s.io/v1";

fn role(name: &str, rule: Value) -> Value {
    let rules = Value::Array(vec![rule]);
    json!({"metadata": {"name": name}, "rules": rules})
}

fn pods() -> Value {
    json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})
}

fn binding(name: &str, role: &str, subject: (&str, &str)) -> Value {
    json!({
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
        "subjects": [{"kind": "ServiceAccount", "namespace": subject.0, "name": subject.1}],
    })
}

fn job(pod: &Value) -> Value {
    let mut spec = json!({
        "restartPolicy": "Never",
        "serviceAccountName": "sympozium-run-x",
        "containers": [{"name": "a", "image": "a:1"}],
    });
    for (name, value) in pod.as_object().unwrap() {
        spec[name] = value.clone();
    }
    json!({"metadata": {"name": "a"}, "spec": {"template": {"spec": spec}}})
}

/// What the operator does, and must be able to.
fn allowed() -> Vec<(&'static str, &'static str, Value)> {
    let secret =
        json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["key"]});
    let named = |name: &str| json!({"metadata": {"name": name}});
    vec![
        (RBAC, "Role", role("sympozium-skill-a-1", pods())),
        (RBAC, "Role", role("sympozium-gateway-a", secret)),
        (RBAC, "ClusterRole", role("sympozium-skill-a-1", pods())),
        (
            RBAC,
            "RoleBinding",
            binding(
                "sympozium-skill-a-1",
                "sympozium-skill-a-1",
                ("x", "sympozium-run-1"),
            ),
        ),
        (
            RBAC,
            "RoleBinding",
            binding(
                "sympozium-gateway-a",
                "sympozium-gateway-a",
                ("sympozium-system", "sympozium-gateway"),
            ),
        ),
        ("batch/v1", "Job", job(&json!({}))),
        ("v1", "ServiceAccount", named("sympozium-run-1")),
        ("v1", "ConfigMap", named("a-memory")),
        ("v1", "ConfigMap", named("sympozium-ca-a")),
        ("v1", "ConfigMap", named("sympozium-skills.a.0")),
        (
            "networking.k8s.io/v1",
            "NetworkPolicy",
            json!({"metadata": {"name": "sympozium-run-pods-a"}, "spec": {"podSelector": {}}}),
        ),
    ]
}

/// What it must not be able to, and a part of what it is told.
type Denied = (&'static str, &'static str, Value, &'static str);

fn denied() -> Vec<Denied> {
    let all = [
        denied_roles(),
        denied_secrets(),
        denied_bindings(),
        denied_pods(),
        denied_names(),
    ];
    all.into_iter().flatten().collect()
}

fn rule(group: &str, resource: &str, verb: &str) -> Value {
    json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]})
}

const OWN: &str = "sympozium-skill-a-1";

fn denied_roles() -> Vec<Denied> {
    let skill = |kind, group: &str, resource: &str, verb: &str, part| {
        (RBAC, kind, role(OWN, rule(group, resource, verb)), part)
    };
    let rbac = "rbac.authorization.k8s.io";
    let by_url = json!({"nonResourceURLs": ["/metrics"], "verbs": ["get"]});
    let taking_up = json!({"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]});
    vec![
        (RBAC, "Role", role("mine", pods()), "named"),
        (RBAC, "ClusterRole", role("sympozium-gateway-a", pods()), "named"),
        (RBAC, "ClusterRole", role("sympozium-operator", pods()), "named"),
        skill("Role", "*", "pods", "get", "by *"),
        skill("Role", "", "*", "get", "by *"),
        skill("ClusterRole", "", "pods", "*", "by *"),
        skill("Role", "", "*/scale", "get", "by *"),
        skill("Role", rbac, "roles", "escalate", "escalate"),
        skill("ClusterRole", rbac, "clusterroles", "bind", "escalate"),
        skill("Role", "", "serviceaccounts", "impersonate", "impersonate"),
        (RBAC, "ClusterRole", role(OWN, by_url), "resources alone"),
        (
            RBAC,
            "ClusterRole",
            json!({"metadata": {"name": OWN}, "rules": [], "aggregationRule": taking_up}),
            "take up",
        ),
    ]
}

fn denied_secrets() -> Vec<Denied> {
    let gateway = |rule| (RBAC, "Role", role("sympozium-gateway-a", rule), "Secrets");
    let listed =
        json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"], "resourceNames": ["a"]});
    vec![
        (RBAC, "Role", role(OWN, rule("", "secrets", "get")), "Secrets"),
        (
            RBAC,
            "ClusterRole",
            role(OWN, rule("", "secrets", "get")),
            "Secrets",
        ),
        gateway(rule("", "secrets", "get")),
        gateway(listed),
        gateway(pods()),
    ]
}

fn denied_bindings() -> Vec<Denied> {
    let run = ("x", "sympozium-run-1");
    let gateway = "sympozium-gateway-a";
    let whole = |role: &str, subject: Value| {
        let reference = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role});
        json!({"metadata": {"name": OWN}, "roleRef": reference, "subjects": [subject]})
    };
    let account = json!({"kind": "ServiceAccount", "namespace": "x", "name": "sympozium-run-1"});
    let user = json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "sympozium-run-1"});
    vec![
        (RBAC, "RoleBinding", binding("mine", OWN, run), "named"),
        (RBAC, "RoleBinding", binding(OWN, gateway, run), "own name"),
        (
            RBAC,
            "RoleBinding",
            binding(OWN, OWN, ("x", "default")),
            "sympozium-run-*",
        ),
        (
            RBAC,
            "RoleBinding",
            binding(gateway, gateway, run),
            "sympozium-run-*",
        ),
        (
            RBAC,
            "RoleBinding",
            binding(gateway, gateway, ("x", "sympozium-gateway")),
            "sympozium-run-*",
        ),
        (
            RBAC,
            "ClusterRoleBinding",
            whole("cluster-admin", account),
            "own name",
        ),
        (RBAC, "ClusterRoleBinding", whole(OWN, user), "sympozium-run-*"),
    ]
}

fn denied_pods() -> Vec<Denied> {
    let host_path = json!({"volumes": [{"name": "a", "hostPath": {"path": "/"}}]});
    let privileged = |name| json!([{"name": name, "image": "a:1", "securityContext": {"privileged": true}}]);
    let of = |pod: Value, part| ("batch/v1", "Job", job(&pod), part);
    let own = json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "image": "a"}]}});
    vec![
        of(json!({"serviceAccountName": "default"}), "ServiceAccounts"),
        of(json!({"hostNetwork": true}), "node"),
        of(json!({"hostPID": true}), "node"),
        of(host_path, "files"),
        of(json!({"containers": privileged("a")}), "privileged"),
        of(json!({"initContainers": privileged("b")}), "privileged"),
        ("v1", "Pod", own, "cannot create"),
    ]
}

/// Never its own fence, nor Secrets.
fn denied_names() -> Vec<Denied> {
    let named = |name: &str| json!({"metadata": {"name": name}});
    let open = json!({"metadata": {"name": "open"}, "spec": {"podSelector": {}}});
    let fence =
        json!({"metadata": {"name": "a"}, "spec": {"policyName": "a", "validationActions": ["Audit"]}});
    vec![
        ("v1", "ServiceAccount", named("mine"), "ServiceAccounts"),
        ("v1", "ConfigMap", named("settings"), "ConfigMaps"),
        ("v1", "ConfigMap", named("sympozium-inventory"), "ConfigMaps"),
        ("networking.k8s.io/v1", "NetworkPolicy", open, "NetworkPolicies"),
        ("v1", "Secret", named("sympozium-skill-a"), "cannot create"),
        (
            "admissionregistration.k8s.io/v1",
            "ValidatingAdmissionPolicyBinding",
            fence,
            "cannot create",
        ),
    ]
}

#[tokio::test]
#[ignore = "needs a Kubernetes API server in KUBECONFIG"]
async fn the_operator_can_do_its_work_and_nothing_else_on_a_real_api_server() {
    let _one = ONE_AT_A_TIME.lock().await;
    let admin = Client::try_from(config().await).unwrap();
    let installer = Installer::new(admin.clone());
    let now = Timestamp::now();
    installer
        .install(&bundled(), None, now, Waiting::No)
        .await
        .unwrap();
    compiled(&admin).await;

    let operator = as_account("sympozium-system", "sympozium-operator").await;
    // Policies hold a moment after they are accepted; these are looked at one after the other, so each is waited for.
    for (version, kind, object, part) in denied() {
        until(&format!("the refusal of {kind} {object}"), async || {
            attempt(&operator, version, kind, object.clone()).await.is_err()
        })
        .await;
        let said = attempt(&operator, version, kind, object.clone())
            .await
            .unwrap_err();
        assert!(said.contains(part), "{kind} {object}: {said}");
    }
    for (version, kind, object) in allowed() {
        attempt(&operator, version, kind, object.clone())
            .await
            .unwrap_or_else(|said| panic!("{kind} {object}: {said}"));
    }
    // Nobody else is fenced in: these are what an administrator does.
    attempt(&admin, RBAC, "Role", role("mine", pods())).await.unwrap();

    the_gateway_only_asks_and_reads().await;
    only_the_kubelet_has_tokens_of_runs(&admin).await;
    installer
        .uninstall("sympozium-system", Data::Delete)
        .await
        .unwrap();
}

/// The API server has checked the types of all expressions and has nothing to say.
async fn compiled(admin: &Client) {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(admin.clone());
    let ours = ListParams::default().labels("app.kubernetes.io/managed-by=sympozium");
    until("the check of the expressions", async || {
        let all = policies.list(&ours).await.unwrap().items;
        let checked = |one: &ValidatingAdmissionPolicy| {
            one.status
                .as_ref()
                .is_some_and(|status| status.type_checking.is_some())
        };
        all.len() == 8 && all.iter().all(checked)
    })
    .await;
    for policy in policies.list(&ours).await.unwrap() {
        let status = policy.status.clone().unwrap();
        let warnings = status
            .type_checking
            .unwrap()
            .expression_warnings
            .unwrap_or_default();
        assert_eq!(warnings, [], "{}", policy.name_any());
    }
}

async fn the_gateway_only_asks_and_reads() {
    let gateway = as_account("sympozium-system", "sympozium-gateway").await;
    let review = json!({"metadata": {}, "spec": {"token": "x"}});
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(
        "authentication.k8s.io",
        "v1",
        "TokenReview",
    ));
    let reviews: Api<DynamicObject> = Api::all_with(gateway.clone(), &resource);
    let mut review: Value = review;
    review["apiVersion"] = "authentication.k8s.io/v1".into();
    review["kind"] = "TokenReview".into();
    let review = serde_json::from_value(review).unwrap();
    reviews.create(&PostParams::default(), &review).await.unwrap();
    let runs: Api<sympozium_k8s::crd::v1alpha1::AgentRun> = Api::all(gateway.clone());
    runs.list(&ListParams::default()).await.unwrap();
    let secrets: Api<k8s_openapi::api::core::v1::Secret> = Api::all(gateway.clone());
    secrets.list(&ListParams::default()).await.unwrap_err();
    let secrets: Api<k8s_openapi::api::core::v1::Secret> = Api::namespaced(gateway, "sympozium-system");
    secrets.get("sympozium-bus-keys").await.unwrap_err();
}

/// Not even an administrator has one made by mistake; an ordinary ServiceAccount is as it was.
async fn only_the_kubelet_has_tokens_of_runs(admin: &Client) {
    use k8s_openapi::api::authentication::v1::TokenRequest;
    use k8s_openapi::api::core::v1::ServiceAccount;
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), "default");
    let asked: TokenRequest =
        serde_json::from_value(json!({"metadata": {}, "spec": {"audiences": ["x"]}})).unwrap();
    for (name, refused) in [("sympozium-run-t", true), ("ordinary", false)] {
        let mut account = ServiceAccount::default();
        account.metadata.name = Some(name.into());
        accounts.create(&PostParams::default(), &account).await.unwrap();
        let token = accounts
            .create_token_request(name, &PostParams::default(), &asked)
            .await;
        assert_eq!(token.is_err(), refused, "{name}");
        accounts
            .delete(name, &kube::api::DeleteParams::default())
            .await
            .unwrap();
    }
}
