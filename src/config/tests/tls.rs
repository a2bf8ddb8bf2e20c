//! TLS and clients' certificates: what may be said, and what is told where it cannot be used.

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};

use super::*;
use crate::auth::Mark;
use crate::model::{Scope, Scopes};
use crate::server::tls::{Clients, Version};

/// A folder with cert.pem and key.pem, and a key of another certificate.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let put = |name: &str, text: &str| {
        fs::write(dir.path().join(name), text).unwrap();
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o640)).unwrap();
    };
    put("cert.pem", &cert.pem());
    put("key.pem", &signing_key.serialize_pem());
    put("other.pem", &KeyPair::generate().unwrap().serialize_pem());
    dir
}

fn load_in(dir: &Path, rest: &str) -> Result<Loaded, Problems> {
    parse("config.yaml", &alpha(rest), dir, &Environment::default())
}

fn refused(rest: &str, words: &str) {
    let dir = folder();
    let text = load_in(dir.path(), rest).unwrap_err().to_string();
    assert!(text.contains(words), "{words:?} is not in:\n{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

const TLS: &str = "tls: { cert: cert.pem, key: key.pem }";
const MUTUAL: &str = "tls: { cert: cert.pem, key: key.pem, client_ca: cert.pem, require_client_cert: true }";

#[test]
fn a_listener_speaks_tls_by_files_beside_the_configuration() {
    let dir = folder();
    let loaded = load_in(dir.path(), &format!("server: {{ {TLS} }}\nadmin: {{ {MUTUAL} }}\n")).unwrap();
    assert_eq!(loaded.warnings, []);
    let (server, admin) = (loaded.settings.server.tls.clone(), loaded.settings.admin.tls.clone());
    let server = server.unwrap();
    assert_eq!((server.cert, server.key), (dir.path().join("cert.pem"), dir.path().join("key.pem")));
    assert_eq!((server.clients, server.min_version), (None, Version::Tls12));
    assert_eq!(admin.unwrap().clients, Some(Clients { ca: dir.path().join("cert.pem"), required: true }));
    let shown = loaded.settings.effective();
    let again =
        parse("config.yaml", &shown.replace("***", "x"), dir.path(), &Environment::default()).unwrap();
    assert_eq!(again.settings.effective(), shown);
}

#[test]
fn files_that_cannot_be_used_are_told_at_their_keys() {
    let with = |cert: &str, key: &str| format!("server: {{ tls: {{ cert: {cert}, key: {key} }} }}\n");
    refused(
        &with("cert.pem", "other.pem"),
        "server.tls.key: the key is not the certificate's; name the key that",
    );
    refused(
        &with("missing.pem", "key.pem"),
        "server.tls.cert: there is no such file; name a PEM file with `BEGIN C",
    );
    refused(
        &with("cert.pem", "cert.pem"),
        "server.tls.key: it holds no private key in PEM form; name a PEM file",
    );
    refused("server: { tls: { cert: cert.pem } }\n", "server.tls: `key` is missing; write key: and the file");
    let unknown = "server: { tls: { cert: cert.pem, key: key.pem, min_version: \"1.1\" } }\n";
    refused(unknown, "server.tls.min_version: not a version that is spoken");
    let nobody = "server: { tls: { cert: cert.pem, key: key.pem, require_client_cert: true } }\n";
    refused(
        nobody,
        "server.tls.require_client_cert: no client has a certificate that is known to be good; write",
    );
}

#[test]
fn a_key_that_everybody_may_read_is_warned_of() {
    let dir = folder();
    fs::set_permissions(dir.path().join("key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    let loaded = load_in(dir.path(), &format!("server: {{ {TLS} }}\n")).unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(|warning| warning.path.as_str()).collect();
    assert_eq!(warnings, ["server.tls.key"]);
}

#[test]
fn certificates_of_operators_let_the_admin_listener_be_reached_by_others() {
    let at = |rest: &str| format!("admin: {{ listen: \"0.0.0.0:5081\", {rest} }}\n");
    let named = "certificates: [ { name: ops, san: Ops.example.org } ]";
    refused(&at(TLS), "admin.listen: the admin listener would be open to others");
    refused(&at(MUTUAL), "admin.listen: the admin listener would be open to others");
    refused(&at(&format!("{TLS}, {named}")), "admin.listen: the admin listener would be open to others");
    let dir = folder();
    let settings = load_in(dir.path(), &at(&format!("{MUTUAL}, {named}"))).unwrap().settings;
    assert_eq!(settings.certificates[0].mark, Mark::San("ops.example.org".to_owned()));
    assert_eq!(settings.certificates[0].scopes, Scopes::NONE.with(Scope::AdminRead));
}

#[test]
fn an_accounts_certificates_are_known_by_name_or_by_hash_and_once() {
    let dir = folder();
    let of = |certificates: &str| {
        let account = "  - name: default\n    tokens:";
        let more = format!("  - name: default\n    certificates: [ {certificates} ]\n    tokens:");
        let source = alpha(&format!("server: {{ {MUTUAL} }}\n")).replace(account, &more);
        parse("config.yaml", &source, dir.path(), &Environment::default())
    };
    let hash = "AB:".repeat(31) + "AB";
    let both = format!(
        "{{ name: ci, san: ci.example.org, scopes: [pins:read] }}, {{ name: one, sha256: \"{hash}\" }}"
    );
    let loaded = of(&both).unwrap();
    assert_eq!(loaded.warnings, []);
    let found: Vec<_> =
        loaded.settings.certificates.iter().map(|found| (&found.mark, found.scopes)).collect();
    assert_eq!(found[0], (&Mark::San("ci.example.org".to_owned()), Scopes::NONE.with(Scope::PinsRead)));
    assert_eq!(found[1], (&Mark::Sha256([0xab; 32]), Scopes::NONE.with(Scope::PinsWrite)));
    let told = |certificates: &str, words: &str| {
        let text = of(certificates).unwrap_err().to_string();
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    };
    told("{ name: ci }", "certificates[0]: says not which certificate; write san:");
    told("{ name: ci, san: a, sha256: b }", "has san and sha256; keep one of them");
    told("{ name: ci, sha256: b }", "sha256: not a SHA-256 in 64 hexadecimal digits");
    told(
        "{ name: a, san: x.org }, { name: b, san: X.org }",
        "has the same mark as accounts[0].certificates[0]",
    );
}

#[test]
fn certificates_that_nobody_is_asked_for_are_warned_of() {
    let text = alpha("admin: { certificates: [ { name: ops, san: ops.example.org } ] }\n");
    let warnings = parse("config.yaml", &text, Path::new(""), &Environment::default()).unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].line("").contains("nobody is asked for a certificate; write admin.tls.client_ca:"));
}

#[test]
fn other_files_are_taken_up_while_serving_and_tls_itself_by_a_restart() {
    let dir = folder();
    for (from, to) in [("cert.pem", "new-cert.pem"), ("key.pem", "new-key.pem")] {
        fs::copy(dir.path().join(from), dir.path().join(to)).unwrap();
    }
    let settings = |tls: &str| load_in(dir.path(), &format!("server: {{ {tls} }}\n")).unwrap().settings;
    let (plain, old) = (settings("listen: \"127.0.0.1:5080\""), settings(TLS));
    let new = settings(&MUTUAL.replace("cert: cert", "cert: new-cert").replace("key: key", "key: new-key"));
    let told = |old: &Settings, new: &Settings| -> Vec<(bool, String)> {
        old.changes(new).into_iter().map(|change| (change.needs_restart(), change.path)).collect()
    };
    let live: Vec<_> = told(&old, &new);
    let keys: Vec<_> = live.iter().map(|(_, path)| path.trim_start_matches("server.tls.")).collect();
    assert_eq!(keys, ["cert", "client_ca", "key", "require_client_cert"]);
    assert!(live.iter().all(|(needs_restart, _)| !needs_restart), "{live:?}");
    assert_eq!(old.taken_up(new.clone()).server.tls, new.server.tls);
    for (from, to) in [(&plain, &old), (&old, &plain)] {
        assert_eq!(told(from, to), [(true, "server.tls.cert".to_owned())]);
        assert_eq!(from.taken_up(to.clone()).server, from.server);
    }
}
