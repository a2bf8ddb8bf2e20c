//! Where a gateway is, by its configuration: for commands that ask a running one, and must not fail for what they do
//! not need, such as the secrets of providers.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::problem::{Problem, cover};
use super::reader::{Field, Keys, Reader, Section};
use super::settings::StoreUrl;
use super::value::address;
use super::{Problems, ROOT, general, source_of, yaml};

/// What can be read of a configuration even where the rest of it is wrong or not for this user's eyes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    pub store: PathBuf,
    /// As clients on this machine reach it.
    pub admin: SocketAddr,
    /// Whether that speaks TLS.
    pub is_tls: bool,
}

/// Reads no more than that.
///
/// # Errors
/// Where the file cannot be read, or says it in words that mean nothing: the defaults in their place may be another
/// gateway's.
pub fn whereabouts(file: &Path, environment: &Environment) -> Result<Whereabouts, Problems> {
    look(file, environment, &["store", "admin"], |reader, root| {
        let known = &["listen", "tls", "tokens", "certificates"];
        let admin = reader.section(root, "admin", Keys { known, later: &[] });
        let listen = reader.setting(&admin, "listen");
        let mut listen = reader.parse_or(listen, general::ADMIN_LISTEN, address);
        if listen.ip().is_unspecified() {
            listen.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        Whereabouts { store: store(reader, root), admin: listen, is_tls: admin.get("tls").is_some() }
    })
}

/// Where the store is, for commands that ask nobody.
///
/// # Errors
/// As [`whereabouts`], but for what is said of the admin listener.
pub fn store_at(file: &Path, environment: &Environment) -> Result<PathBuf, Problems> {
    look(file, environment, &["store"], store)
}

fn store(reader: &mut Reader<'_>, root: &Section<'_>) -> PathBuf {
    let (StoreUrl::Sqlite(store), _) = general::store(reader, root);
    store
}

/// What `read` finds of a configuration in `sections`, and nothing where anything is wrong with these.
fn look<T>(
    file: &Path,
    environment: &Environment,
    sections: &[&str],
    read: impl FnOnce(&mut Reader<'_>, &Section<'_>) -> T,
) -> Result<T, Problems> {
    let source = source_of(file)?;
    let (root, broken) = yaml::parse(&source);
    if !broken.is_empty() {
        return Err(unfit(file, String::new(), broken));
    }
    let covered = root.as_ref().map_or_else(String::new, |root| cover(&source, root));
    let mut reader = Reader::new(environment, file.parent().unwrap_or(Path::new("")));
    let nothing = yaml::Value::Nothing;
    let value = root.as_ref().map_or(&nothing, |node| &node.value);
    let spot = root.as_ref().map(|node| node.spot.clone());
    let root = reader.open(Field { path: String::new(), spot, value }, ROOT);
    // An unknown key is one of these misspelt, unless they are all there.
    if sections.iter().all(|section| root.get(section).is_some()) {
        reader.problems.retain(|problem| problem.path.is_empty());
    }
    let found = read(&mut reader, &root);
    if reader.problems.is_empty() { Ok(found) } else { Err(unfit(file, covered, reader.problems)) }
}

fn unfit(file: &Path, covered: String, list: Vec<Problem>) -> Problems {
    let (files, secret_files) = (Vec::new(), Vec::new());
    Problems { file: file.display().to_string(), list, files, secret_files, covered }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_gateway_is_found_by_a_configuration_that_cannot_be_used_here() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.yaml");
        let read = |text: &str| {
            fs::write(&file, text).unwrap();
            whereabouts(&file, &Environment::default()).unwrap()
        };
        let found = read(
            "admin: { listen: \"0.0.0.0:99\", tls: x }\nstore: { url: \"sqlite:a.db\" }\nproviders: [ { token_env: NO } ]\n",
        );
        assert_eq!(found.store, dir.path().join("a.db"));
        assert_eq!((found.admin.to_string().as_str(), found.is_tls), ("127.0.0.1:99", true));
        let default = read("accounts: 5\n");
        assert_eq!((default.store, default.admin.port()), (dir.path().join("pinfold.db"), 5081));
    }

    #[test]
    fn a_file_that_is_no_configuration_names_no_store_not_even_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.yaml");
        let environment = Environment::default();
        for broken in ["store: [", "store: {}\nstore: {}\n", "just words\n", "- store\n"] {
            fs::write(&file, broken).unwrap();
            let told = whereabouts(&file, &environment).unwrap_err();
            assert_eq!(
                told.to_string(),
                super::super::load(&file, &environment).unwrap_err().list[0].line(&told.file)
            );
            assert!(told.list[0].spot.is_some(), "{told}");
        }
        fs::remove_file(&file).unwrap();
        assert!(whereabouts(&file, &environment).unwrap_err().to_string().contains("cannot be read"));
    }
    #[test]
    fn a_place_that_is_misspelt_is_not_the_default_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.yaml");
        let places = |text: &str, environment: &[(&str, &str)]| {
            fs::write(&file, text).unwrap();
            let environment = environment.iter().copied().collect();
            let told = |told: Result<(), Problems>| {
                told.err().map(|told| {
                    assert!(!told.drawn(false).is_empty());
                    told.to_string()
                })
            };
            (told(store_at(&file, &environment).map(drop)), told(whereabouts(&file, &environment).map(drop)))
        };
        for (text, path) in [
            ("store: { url: \"/var/lib/a.db\" }\n", "store.url"),
            ("store: { url: }\n", "store.url"),
            ("store: { ulr: \"sqlite:a.db\" }\n", "store.ulr"),
            ("store: a.db\n", "store"),
            ("stroe: { url: \"sqlite:a.db\" }\n", "stroe"),
        ] {
            let (store, both) = places(text, &[]);
            assert!(store.as_ref().is_some_and(|told| told.contains(path)), "{text}: {store:?}");
            assert_eq!(store, both);
        }
        let (store, both) = places("", &[("PINFOLD_STORE_URL", "a.db")]);
        assert!(store.as_ref().is_some_and(|told| told.contains("PINFOLD_STORE_URL")), "{store:?}");
        assert_eq!(store, both);
        // What is wrong with the admin listener hinders only those that ask it.
        let (store, both) = places("store: {}\nadmin: { listen: here }\nsomething: else\n", &[]);
        assert_eq!(store, None);
        assert!(both.as_ref().is_some_and(|told| told.contains("admin.listen")), "{both:?}");
        let sound = "store: {}\nadmin: { tokens: [], certificates: [] }\nproviders: 7\nsomething: else\n";
        assert_eq!(places(sound, &[]), (None, None));
    }
}
