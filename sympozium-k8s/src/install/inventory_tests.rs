//! What is removed, and what never.

use super::*;
use crate::install::{InstallOptions, manifests};

fn inventory(options: &InstallOptions) -> Inventory {
    Inventory::of(&options.version, &manifests(options).unwrap())
}

#[test]
fn a_list_is_read_as_it_was_written() {
    let options = InstallOptions::default();
    let list = inventory(&options);
    let manifest = list.write(&options).unwrap();
    let map: ConfigMap = serde_json::from_value(serde_json::to_value(&manifest.object).unwrap()).unwrap();
    assert_eq!(Inventory::read(&map).unwrap(), list);
    assert_eq!(
        Inventory::read(&ConfigMap::default()).unwrap(),
        Inventory::default()
    );
    let mut broken = map;
    broken
        .data
        .as_mut()
        .unwrap()
        .insert(OBJECTS_KEY.to_owned(), "{".to_owned());
    Inventory::read(&broken).unwrap_err();
}

#[test]
fn an_upgrade_removes_what_is_not_wanted_any_more_and_nothing_that_holds_data() {
    let options = InstallOptions::default();
    let now = inventory(&options);
    let entry = |kind: &str, name: &str, stays| Entry {
        api_version: "v1".into(),
        kind: kind.into(),
        plural: kind.to_lowercase(),
        namespace: Some("sympozium-system".into()),
        name: name.into(),
        stays,
    };
    let mut earlier = now.clone();
    earlier.objects.push(entry("Service", "first", false));
    earlier.objects.push(entry("Secret", "kept", true));
    earlier.objects.push(entry("Service", "second", false));
    let gone: Vec<_> = now
        .no_longer_wanted(&earlier)
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    assert_eq!(gone, ["second", "first"]);
    assert_eq!(now.no_longer_wanted(&now), Vec::<&Entry>::new());
    assert_eq!(now.with(&earlier).objects.len(), now.objects.len() + 3);
}

#[test]
fn another_version_of_a_kind_is_the_same_object() {
    let options = InstallOptions::default();
    let now = inventory(&options);
    let mut earlier = now.clone();
    for entry in &mut earlier.objects {
        entry.api_version = entry.api_version.replace("v1", "v1beta1");
    }
    assert_eq!(now.no_longer_wanted(&earlier), Vec::<&Entry>::new());
}
