//! Which images there are. A further image of a program of ours is one more row.

/// An image, as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recipe {
    pub(super) name: &'static str,
    /// One sentence, for the image's labels.
    pub(super) about: &'static str,
    pub(super) content: Content,
}

/// What an image is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Programs of ours and nothing else; the first one is started.
    Programs(&'static [Program]),
    /// A shell with kubectl.
    SkillK8sOps,
    /// A NATS server.
    Nats,
    /// A PostgreSQL server.
    Postgres,
}

/// A program of `sympozium-bins`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Program {
    pub(super) bin: &'static str,
    /// The feature with which cargo builds it.
    pub(super) feature: &'static str,
    /// Where it is in the image. Pods rely on it: `pod_contract` of `sympozium-core` has the same paths.
    pub(super) path: &'static str,
}

const RUNNER: Program = Program {
    bin: "sympozium-runner",
    feature: "runner",
    path: "/sympozium-runner",
};
const BRIDGE: Program = Program {
    bin: "sympozium-ipc-bridge",
    feature: "bridge",
    path: "/sympozium-ipc-bridge",
};
const TOOLBOX: Program = Program {
    bin: "sympozium-toolbox",
    feature: "toolbox",
    path: "/toolbox",
};
const GATEWAY: Program = Program {
    bin: "sympozium-gateway",
    feature: "gateway",
    path: "/sympozium-gateway",
};
const OPERATOR: Program = Program {
    bin: "sympozium-operator",
    feature: "operator",
    path: "/sympozium-operator",
};

/// All images, in the order in which they are made.
pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "runner",
        about: "The agent of a run.",
        content: Content::Programs(&[RUNNER]),
    },
    Recipe {
        name: "bridge",
        about: "The bridge between a run's pod and the event bus, and the toolbox that it installs.",
        content: Content::Programs(&[BRIDGE, TOOLBOX]),
    },
    Recipe {
        name: "toolbox",
        about: "The executor of a run's commands, for images that bring it along.",
        content: Content::Programs(&[TOOLBOX]),
    },
    Recipe {
        name: "gateway",
        about: "The gateway of an installation.",
        content: Content::Programs(&[GATEWAY]),
    },
    Recipe {
        name: "operator",
        about: "The operator of an installation.",
        content: Content::Programs(&[OPERATOR]),
    },
    Recipe {
        name: "skill-k8s-ops",
        about: "A shell with kubectl, curl and jq, for the skill k8s-ops and for sandboxes.",
        content: Content::SkillK8sOps,
    },
    Recipe {
        name: "nats",
        about: "The bundled event bus: NATS.",
        content: Content::Nats,
    },
    Recipe {
        name: "postgres",
        about: "The bundled database: Debian's PostgreSQL.",
        content: Content::Postgres,
    },
];

/// The programs of ours in these images, each once.
pub(super) fn programs(recipes: &[Recipe]) -> Vec<Program> {
    let mut programs: Vec<Program> = recipes
        .iter()
        .flat_map(|recipe| match recipe.content {
            Content::Programs(programs) => programs,
            Content::SkillK8sOps | Content::Nats | Content::Postgres => &[],
        })
        .copied()
        .collect();
    programs.sort_unstable();
    programs.dedup();
    programs
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sympozium_core::run::pod_contract as contract;

    use super::*;
    use crate::{deps, repo};

    /// Programs that run on people's machines and come in no image.
    const NOT_IN_IMAGES: [&str; 2] = ["sympozium", "sympozium-sandbox"];

    #[test]
    fn programs_are_where_pods_look_for_them() {
        assert_eq!(RUNNER.path, contract::RUNNER_PROGRAM);
        assert_eq!(BRIDGE.path, contract::BRIDGE_PROGRAM);
        assert_eq!(TOOLBOX.path, contract::TOOLBOX_SOURCE);
    }

    #[test]
    fn every_program_that_runs_in_a_cluster_is_in_an_image_and_no_other() {
        let manifest = repo::root().join("sympozium-bins/Cargo.toml");
        let manifest = std::fs::read_to_string(manifest).unwrap();
        let bins: BTreeSet<&str> = manifest
            .split("[[bin]]")
            .skip(1)
            .filter_map(|text| text.split("name = \"").nth(1)?.split('"').next())
            .filter(|bin| !NOT_IN_IMAGES.contains(bin))
            .collect();
        let ours: BTreeSet<&str> = programs(RECIPES).iter().map(|program| program.bin).collect();
        assert_eq!(ours, bins);
    }

    #[test]
    fn every_program_has_its_feature() {
        let features = deps::features_of("sympozium-bins").unwrap();
        for program in programs(RECIPES) {
            assert!(
                features.iter().any(|feature| feature == program.feature),
                "{}",
                program.bin
            );
        }
    }

    #[test]
    fn what_two_images_share_is_built_once() {
        let bins: Vec<&str> = programs(RECIPES).iter().map(|program| program.bin).collect();
        assert_eq!(
            bins,
            [
                "sympozium-gateway",
                "sympozium-ipc-bridge",
                "sympozium-operator",
                "sympozium-runner",
                "sympozium-toolbox"
            ]
        );
    }

    /// People who build with Docker get the same images.
    #[test]
    fn the_dockerfile_makes_every_image_from_the_same_programs() {
        let file = include_str!("../../../images/Dockerfile");
        for recipe in RECIPES {
            let stage = format!(" AS {}\n", recipe.name);
            let (_, stage) = file
                .split_once(&stage)
                .unwrap_or_else(|| panic!("no {}", recipe.name));
            let stage = stage.split("\nFROM ").next().unwrap();
            for program in programs(&[*recipe]) {
                let copy = format!("COPY --from=build /out/{} {}\n", program.bin, program.path);
                assert!(stage.contains(&copy), "{}: {copy}", recipe.name);
                assert!(
                    file.contains(&format!("--bin {}", program.bin)),
                    "{}",
                    program.bin
                );
            }
        }
        let mut features: Vec<&str> = programs(RECIPES).iter().map(|program| program.feature).collect();
        features.sort_unstable();
        assert!(file.contains(&format!("--features {} ", features.join(","))));
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<&str> = RECIPES.iter().map(|recipe| recipe.name).collect();
        assert_eq!(names.len(), RECIPES.len());
    }
}
