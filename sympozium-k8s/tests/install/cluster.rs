//! Installing, upgrading and removing at a real API server.

use crate::scene::{ONE_AT_A_TIME, bundled, config, external, json};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret};
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;
use std::collections::BTreeMap;
use sympozium_k8s::crd::v1alpha1::{SympoziumInstance, SympoziumPolicy};
use sympozium_k8s::install::{
    Data, Entry, InstallError, InstallOptions, Installer, Inventory, Waiting, judge, manifests,
};

async fn install(client: &Client, options: &InstallOptions) {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    Installer::new(client.clone())
        .install(options, None, now, Waiting::No)
        .await
        .unwrap();
}

async fn inventory(client: &Client, namespace: &str) -> Option<Inventory> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let map = maps.get_opt("sympozium-inventory").await.unwrap()?;
    Some(Inventory::read(&map).unwrap())
}

async fn get(client: &Client, entry: &Entry) -> Option<DynamicObject> {
    let resource = entry.resource();
    let api: Api<DynamicObject> = match &entry.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    match api.get_opt(&entry.name).await {
        Ok(object) => object,
        // A kind that is gone has no objects.
        Err(kube::Error::Api(status)) if status.code == 404 => None,
        Err(error) => panic!("{entry:?}: {error}"),
    }
}

/// Every object of the inventory, and its version.
async fn versions(client: &Client, namespace: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for entry in inventory(client, namespace).await.unwrap().objects {
        let object = get(client, &entry)
            .await
            .unwrap_or_else(|| panic!("{entry:?} is missing"));
        // The API server's own controllers write the status of these.
        let version = match object.metadata.generation {
            Some(generation) => format!("generation {generation}"),
            None => object.resource_version().unwrap(),
        };
        all.insert(format!("{} {}", entry.kind, entry.name), version);
    }
    all
}

#[tokio::test]
#[ignore = "needs a Kubernetes API server in KUBECONFIG"]
async fn an_installation_can_be_made_again_changed_and_taken_out_on_a_real_api_server() {
    let _one = ONE_AT_A_TIME.lock().await;
    let client = Client::try_from(config().await).unwrap();
    let (options, namespace) = (bundled(), bundled().namespace);
    install(&client, &options).await;
    let first = versions(&client, &namespace).await;
    assert_eq!(first.len(), manifests(&options).unwrap().len() + 7);

    // What a user changed in his own object stays; what he changed in ours does not.
    let policies: Api<SympoziumPolicy> = Api::namespaced(client.clone(), &namespace);
    let limit = Patch::Merge(json!({"spec": {"budget": {"perRun": {"tokens": 5}}}}));
    policies
        .patch("default", &PatchParams::default(), &limit)
        .await
        .unwrap();
    install(&client, &options).await;
    let mut second = versions(&client, &namespace).await;
    assert_eq!(second.remove("SympoziumPolicy default").unwrap(), "generation 2");
    let mut unchanged = first.clone();
    unchanged.remove("SympoziumPolicy default");
    assert_eq!(second, unchanged);

    // Another shape of the same installation: what it does not need goes, keys stay.
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    let before = secrets.get("sympozium-bus-keys").await.unwrap().data;
    let outside = InstallOptions {
        namespace: namespace.clone(),
        ..external()
    };
    install(&client, &outside).await;
    let after: BTreeMap<_, _> = versions(&client, &namespace).await;
    for gone in [
        "StatefulSet sympozium-nats",
        "StatefulSet sympozium-postgres",
        "ConfigMap sympozium-nats",
    ] {
        assert!(first.contains_key(gone) && !after.contains_key(gone), "{gone}");
    }
    assert!(after.contains_key("EndpointSlice sympozium-nats-external"));
    assert_eq!(secrets.get("sympozium-bus-keys").await.unwrap().data, before);

    taken_out(&client, &options).await;
}

/// First without its data, then with it.
async fn taken_out(client: &Client, options: &InstallOptions) {
    let namespace = options.namespace.as_str();
    install(client, options).await;
    let all = inventory(client, namespace).await.unwrap();
    let instances: Api<SympoziumInstance> = Api::namespaced(client.clone(), "default");
    let spec = json!({"agents": {"default": {"model": "gpt-4o"}}});
    let instance = SympoziumInstance::new("mine", serde_json::from_value(spec).unwrap());
    instances.create(&PostParams::default(), &instance).await.unwrap();
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    let claim = json!({
        "metadata": {"name": "data-x-0", "labels": {"app.kubernetes.io/managed-by": "sympozium"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    let claim = serde_json::from_value(claim).unwrap();
    claims.create(&PostParams::default(), &claim).await.unwrap();

    let installer = Installer::new(client.clone());
    assert!(installer.user_objects(namespace).await.unwrap() >= 2);
    installer.uninstall(namespace, Data::Keep).await.unwrap();
    for entry in &all.objects {
        assert_eq!(get(client, entry).await.is_some(), entry.stays, "{entry:?}");
    }
    instances.get("mine").await.unwrap();
    claims.get("data-x-0").await.unwrap();

    install(client, options).await;
    installer.uninstall(namespace, Data::Delete).await.unwrap();
    for entry in &all.objects {
        assert!(get(client, entry).await.is_none(), "{entry:?}");
    }
    let again = installer.uninstall(namespace, Data::Delete).await;
    assert!(matches!(again, Err(InstallError::NotInstalled(_))), "{again:?}");
}

#[tokio::test]
#[ignore = "needs a Kubernetes API server in KUBECONFIG"]
async fn what_is_not_ours_stays_and_what_does_not_run_is_told_on_a_real_api_server() {
    let _one = ONE_AT_A_TIME.lock().await;
    let client = Client::try_from(config().await).unwrap();
    let options = InstallOptions {
        namespace: "theirs".into(),
        ..bundled()
    };
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client.clone());
    let own = serde_json::from_value(json!({"metadata": {"name": "theirs"}})).unwrap();
    namespaces.create(&PostParams::default(), &own).await.unwrap();
    install(&client, &options).await;
    let installer = Installer::new(client.clone());
    let verdicts = judge(
        &installer.status("theirs").await.unwrap(),
        "1.2.3",
        Timestamp::now(),
    );
    let wrong: Vec<_> = verdicts
        .iter()
        .filter(|one| !one.fine)
        .map(|one| one.subject.as_str())
        .collect();
    // Without a node no pod is ready, or with one: nothing can be pulled there.
    assert_eq!(
        wrong,
        [
            "sympozium-nats",
            "sympozium-postgres",
            "sympozium-gateway",
            "sympozium-operator"
        ]
    );

    installer.uninstall("theirs", Data::Delete).await.unwrap();
    let left = namespaces.get("theirs").await.unwrap();
    assert!(left.metadata.deletion_timestamp.is_none());
    assert!(!left.labels().contains_key("app.kubernetes.io/managed-by"));
    namespaces
        .delete("theirs", &kube::api::DeleteParams::default())
        .await
        .unwrap();
}

/// What `--dry-run` prints is what is applied: each object, as the server would store it.
#[tokio::test]
#[ignore = "needs a Kubernetes API server in KUBECONFIG"]
async fn every_field_of_every_object_is_known_on_a_real_api_server() {
    let _one = ONE_AT_A_TIME.lock().await;
    let client = Client::try_from(config().await).unwrap();
    let installer = Installer::new(client.clone());
    for options in [bundled(), external()] {
        install(&client, &options).await;
        for manifest in manifests(&options).unwrap() {
            let api: Api<DynamicObject> = match manifest.namespace() {
                Some(namespace) => Api::namespaced_with(client.clone(), namespace, &manifest.resource),
                None => Api::all_with(client.clone(), &manifest.resource),
            };
            // Strict: a field that the server does not know is an error rather than left out.
            let mut params = PatchParams::apply("test").force().dry_run();
            params.field_validation = Some(kube::api::ValidationDirective::Strict);
            let stored = api
                .patch(manifest.name(), &params, &Patch::Apply(&json(&manifest)))
                .await;
            stored.unwrap_or_else(|error| panic!("{manifest}: {error}"));
        }
        installer
            .uninstall(&options.namespace, Data::Delete)
            .await
            .unwrap();
    }
}
