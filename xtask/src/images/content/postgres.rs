//! The bundled database: Debian's PostgreSQL, without what manages several clusters on one machine.

use anyhow::Context;

use super::super::debian;
use super::super::tree::Tree;
use super::Filled;

const PACKAGES: &[&str] = &["coreutils", "dash", "postgresql"];

/// For managing clusters by Perl, and for compiling queries, which takes more than the rest together.
const WITHOUT: &[&str] = &[
    "init-system-helpers",
    "libfile-find-rule-perl",
    "libgdbm-compat4",
    "libgdbm6",
    "libjson-perl",
    "libllvm14",
    "libllvm19",
    "libnumber-compare-perl",
    "libpam-modules",
    "libpam-modules-bin",
    "libperl5.36",
    "libperl5.40",
    "libtext-glob-perl",
    "libz3-4",
    "libc-l10n",
    "locales",
    "lsb-base",
    "netbase",
    "passwd",
    "perl",
    "perl-base",
    "perl-modules-5.36",
    "perl-modules-5.40",
    "postgresql-client-common",
    "postgresql-common",
    "ssl-cert",
    "sysvinit-utils",
    "usrmerge",
];

/// Debian's number of the user `postgres`, who must have a name: `initdb` refuses users that it cannot look up.
const USER: &str = "999:999";

/// Where each version is, by its number.
const VERSIONS: &str = "usr/lib/postgresql/";

const ENTRYPOINT: &str = "/entrypoint.sh";

/// Fetches.
pub(in super::super) fn obtain() -> anyhow::Result<()> {
    debian::obtain(PACKAGES)
}

/// The server, its tools, and a script that makes the database the first time.
pub(in super::super) fn fill() -> anyhow::Result<Filled> {
    let mut tree = debian::tree(PACKAGES, WITHOUT)?;
    let programs = programs(&tree).context("Debian's package postgresql brings no server")?;
    // Without its library the server would fail at the first large query, rather than do without.
    tree.remove(|path| path.contains("llvmjit") || path.contains("/lib/bitcode"));
    let script = include_bytes!("../../../../images/postgres/entrypoint.sh");
    tree.program(ENTRYPOINT, script.to_vec());
    Ok(Filled {
        tree,
        user: USER,
        env: vec![
            format!("PATH=/{programs}:/usr/bin"),
            "PGDATA=/data/postgres".to_owned(),
            "HOME=/tmp".to_owned(),
        ],
        entrypoint: vec![ENTRYPOINT.to_owned()],
        cmd: Vec::new(),
        licenses: None,
    })
}

/// The folder of the server: `usr/lib/postgresql/15/bin`.
fn programs(tree: &Tree) -> Option<String> {
    let server = tree.iter().map(|(path, _)| path).find(|path| {
        path.strip_prefix(VERSIONS)
            .and_then(|rest| rest.split_once('/'))
            .is_some_and(|(_, rest)| rest == "bin/postgres")
    })?;
    server.strip_suffix("/postgres").map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_found_in_whatever_version_debian_has() {
        for version in ["15", "17"] {
            let mut tree = Tree::default();
            tree.text(&format!("usr/lib/postgresql/{version}/bin/initdb"), "");
            tree.text(&format!("usr/lib/postgresql/{version}/bin/postgres"), "");
            assert_eq!(programs(&tree), Some(format!("usr/lib/postgresql/{version}/bin")));
        }
        assert_eq!(programs(&Tree::default()), None);
    }
}
