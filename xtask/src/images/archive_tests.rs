use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use super::archive::{Image, archive};
use super::blob::Blob;
use super::content::programs;
use super::document::{FULL_NAME, Process, REF_NAME};
use super::labels::{Source, labels};
use super::list::{Content, Program, Recipe};
use super::name::Name;
use super::tree::{EXECUTABLE, Node, Tree};

const PROGRAMS: &[Program] = &[Program {
    bin: "agent",
    feature: "agent",
    path: "/opt/agent",
}];

fn image(tree: Tree) -> Image {
    let recipe = Recipe {
        name: "agent",
        about: "An agent.",
        content: Content::Programs(PROGRAMS),
    };
    let source = Source {
        page: "https://example.com/project",
        version: "1.2.3",
        revision: Some("0123abc".to_owned()),
    };
    Image {
        name: Name {
            registry: "registry.example.com/team".parse().unwrap(),
            image: "agent",
            tag: "7".parse().unwrap(),
        },
        architecture: "amd64",
        process: Process {
            user: "1000:1000".to_owned(),
            env: vec!["HOME=/tmp".to_owned()],
            entrypoint: vec!["/opt/agent".to_owned()],
            cmd: Vec::new(),
            working_dir: "/".to_owned(),
            labels: labels(&recipe, Some("Apache-2.0"), &source),
        },
        tree,
    }
}

fn sample() -> Tree {
    let mut tree = Tree::default();
    tree.program("opt/agent", b"program".to_vec());
    tree.text("etc/passwd", "root:x:0:0::/:\n");
    tree.link("bin", "usr/bin");
    tree.add("tmp", Node::Folder { mode: 0o1777 });
    tree
}

/// The files of a tar.
fn files(tar: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(tar);
    let read = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().display().to_string(), content)
    };
    archive.entries().unwrap().map(read).collect()
}

fn json(files: &BTreeMap<String, Vec<u8>>, path: &str) -> Value {
    serde_json::from_slice(&files[path]).unwrap()
}

/// The file that a descriptor means; its size and digest are right.
fn blob(files: &BTreeMap<String, Vec<u8>>, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap();
    let content = &files[&format!("blobs/{}", digest.replace(':', "/"))];
    assert_eq!(descriptor["size"].as_u64().unwrap(), content.len() as u64);
    assert_eq!(Blob::new(content.clone()).digest(), digest);
    content.clone()
}

fn unpacked(layer: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(layer).read_to_end(&mut tar).unwrap();
    tar
}

#[test]
fn every_digest_and_size_on_the_way_from_the_index_to_the_files_is_right() {
    let files = files(&archive(&image(sample())).unwrap().bytes);
    let index = json(&files, "index.json");
    let manifest: Value = serde_json::from_slice(&blob(&files, &index["manifests"][0])).unwrap();
    let config: Value = serde_json::from_slice(&blob(&files, &manifest["config"])).unwrap();
    let tar = unpacked(&blob(&files, &manifest["layers"][0]));
    assert_eq!(config["rootfs"]["diff_ids"][0], Blob::new(tar).digest());
    let annotations = &index["manifests"][0]["annotations"];
    assert_eq!(annotations[FULL_NAME], "registry.example.com/team/agent:7");
    assert_eq!(annotations[REF_NAME], "7");
    // Nothing is in the file that nothing refers to.
    assert_eq!(files.len(), 6);
}

#[test]
fn docker_finds_the_same_image() {
    let files = files(&archive(&image(sample())).unwrap().bytes);
    let manifest: Value =
        serde_json::from_slice(&blob(&files, &json(&files, "index.json")["manifests"][0])).unwrap();
    let row = &json(&files, "manifest.json")[0];
    assert_eq!(row["RepoTags"][0], "registry.example.com/team/agent:7");
    let path = |descriptor: &Value| {
        format!(
            "blobs/{}",
            descriptor["digest"].as_str().unwrap().replace(':', "/")
        )
    };
    assert_eq!(row["Config"], path(&manifest["config"]));
    assert_eq!(row["Layers"][0], path(&manifest["layers"][0]));
}

#[test]
fn documents_are_as_the_specification_has_them() {
    let files = files(&archive(&image(sample())).unwrap().bytes);
    let index = json(&files, "index.json");
    let manifest: Value = serde_json::from_slice(&blob(&files, &index["manifests"][0])).unwrap();
    let config: Value = serde_json::from_slice(&blob(&files, &manifest["config"])).unwrap();
    insta::assert_json_snapshot!([index, manifest, config]);
}

#[test]
fn everything_in_a_layer_is_roots_and_as_old_as_time() {
    let files = files(&archive(&image(sample())).unwrap().bytes);
    let row = json(&files, "manifest.json");
    let layer = &files[row[0]["Layers"][0].as_str().unwrap()];
    let tar = unpacked(layer);
    let mut archive = tar::Archive::new(tar.as_slice());
    let lines = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        let header = entry.header();
        let numbers = [
            header.uid().unwrap(),
            header.gid().unwrap(),
            header.mtime().unwrap(),
        ];
        assert_eq!(numbers, [0, 0, 0]);
        let link = entry
            .link_name()
            .unwrap()
            .map_or(String::new(), |to| format!(" -> {}", to.display()));
        format!(
            "{:o} {}{link}",
            header.mode().unwrap(),
            entry.path().unwrap().display()
        )
    });
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            "777 bin -> usr/bin",
            "755 etc/",
            "644 etc/passwd",
            "755 opt/",
            "755 opt/agent",
            "1777 tmp/"
        ]
    );
    // The gzip header holds no time, no file name and no system.
    assert_eq!(layer[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
}

/// Writes the program as a build would, with what must not matter.
fn built(folder: &Path, mode: u32, seconds: u64) -> Tree {
    let file = folder.join("agent");
    std::fs::write(&file, b"program").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    std::fs::File::options()
        .append(true)
        .open(&file)
        .unwrap()
        .set_modified(time)
        .unwrap();
    programs::fill(PROGRAMS, folder).unwrap().tree
}

#[test]
fn the_same_program_gives_the_same_bytes_from_any_folder_with_any_mode_at_any_time() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = archive(&image(built(one.path(), 0o600, 1))).unwrap();
    let second = archive(&image(built(other.path(), 0o777, 2_000_000_000))).unwrap();
    assert_eq!(first.bytes, second.bytes);
    let file = Node::File {
        mode: EXECUTABLE,
        content: b"program".to_vec(),
    };
    assert_eq!(built(one.path(), 0o600, 3).get("opt/agent"), Some(&file));
}

#[test]
fn another_byte_gives_another_digest() {
    let digest = |content: &[u8]| {
        let mut tree = Tree::default();
        tree.program("opt/agent", content.to_vec());
        archive(&image(tree)).unwrap().digest
    };
    assert_ne!(digest(b"program"), digest(b"Program"));
    assert_eq!(digest(b"program"), digest(b"program"));
}
