//! What is written is read again, and says what was learned.

use super::*;
use crate::config::{self, Environment};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn entry(preset: &str) -> ProviderSettings {
    let yaml = format!(
        "accounts: [ {{ name: default, tokens: [ {{ name: laptop, secret: x }} ] }} ]\n\
         providers: [ {{ name: alpha, preset: {preset}, endpoint: \"http://127.0.0.1:1\", token: y }} ]\n"
    );
    let loaded = config::parse("config.yaml", &yaml, Path::new(""), &Environment::default());
    loaded.expect("a good config").settings.providers.remove(0)
}

fn report(learned: Value) -> Report {
    let Value::Object(learned) = learned else { panic!("an object") };
    Report { learned, ..Report::default() }
}

fn written(folder: &Path) -> Presets {
    let text = fs::read_to_string(folder.join("presets.yaml")).unwrap();
    Presets::built_in().with(&text).unwrap_or_else(|wrongs| panic!("{wrongs:?} in\n{text}"))
}

#[test]
fn what_is_written_overrides_and_leaves_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("presets.yaml");
    let first = report(json!({ "codes": { "remove": 202 }, "filters": { "meta": true } }));
    File::open(&path).unwrap().write(&entry("pinata"), &first, NOW).unwrap();
    let second = report(
        json!({ "filters": { "after": false }, "created": { "precision": "micros", "offset": "-04:00" } }),
    );
    File::open(&path).unwrap().write(&entry("pinata"), &second, NOW).unwrap();
    let (presets, known) = (written(folder.path()), Presets::known("pinata"));
    let pinata = presets.find("pinata").unwrap();
    assert_eq!(pinata.codes.map(|codes| (codes.add, codes.remove)), Some((200, 202)));
    assert_eq!(
        (pinata.filters.meta, pinata.filters.after, pinata.filters.name),
        (Some(true), Some(false), Some(true))
    );
    assert_eq!(pinata.created.unwrap().offset.to_string(), "-04:00");
    assert_eq!((pinata.as_of.as_str(), &pinata.endpoint), ("2027-01-15", &known.endpoint));
    assert!(pinata.source[0].starts_with("probed ") && pinata.source[1..] == known.source);
}

#[test]
fn what_is_learned_of_one_server_becomes_a_preset_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("presets.yaml");
    let said = File::open(&path)
        .unwrap()
        .write(&entry("generic"), &report(json!({ "count": "exact" })), NOW)
        .unwrap();
    assert!(said.contains("`preset: alpha`"), "{said}");
    let presets = written(folder.path());
    assert_eq!(presets.find("alpha").unwrap().auth, Presets::known(GENERIC).auth);
    assert_eq!(presets.find(GENERIC).unwrap().count, None);
}

#[test]
fn what_is_no_file_of_presets_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("presets.yaml");
    fs::write(&path, "server: { listen: 127.0.0.1:1 }\n").unwrap();
    let failure = File::open(&path).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.text.contains("is no file of presets"), "{}", failure.text);
}
