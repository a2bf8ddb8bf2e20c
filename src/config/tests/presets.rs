//! Provider entries that name a preset, and files of presets.

use super::*;

fn of(preset: &str) -> String {
    with(&format!("preset: {preset}, token: t-alpha"), "secret: t-laptop", "")
}

#[test]
fn a_preset_brings_its_endpoint_along() {
    let endpoint = |source: &str| good(source).settings.providers[0].endpoint.clone();
    assert_eq!(endpoint(&of("pinata")), "https://api.pinata.cloud/psa");
    assert_eq!(endpoint(&of("w3ipfs")), "https://api.w3ipfs.storage/api/psa");
    assert_eq!(endpoint(&of("pinata, endpoint: \"http://127.0.0.1:1/psa/\"")), "http://127.0.0.1:1/psa");
    let own = bad(&of("ipfs-cluster"));
    assert!(own.contains("`endpoint` is missing"), "{own}");
}

#[test]
fn a_service_that_closed_is_refused_unless_somebody_runs_one_like_it() {
    for (preset, day) in [("nft.storage", "2024-06-30"), ("web3.storage", "2024-01-09"), ("estuary", "2023")]
    {
        let told = bad(&of(preset));
        assert!(
            told.contains("closed") && told.contains(day) && told.contains("providers[0].preset"),
            "{told}"
        );
        assert!(told.contains("take its provider out"), "{told}");
    }
    let own = bad(&of("nft.storage, endpoint: \"https://api.nft.storage/\""));
    assert!(own.contains("closed"), "{own}");
    let ours = good(&of("nft.storage, endpoint: \"https://pins.example.org\"")).settings;
    assert_eq!(ours.providers[0].endpoint, "https://pins.example.org");
}

#[test]
fn a_presets_file_lies_over_the_built_in_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = format!("presets_file: mine.yaml\n{}", of("mine"));
    let read = || parse("config.yaml", &source, folder.path(), &environment([]));
    let told = || read().expect_err("a wrong file").to_string();
    assert!(told().contains("presets_file") && told().contains("cannot be read"), "{}", told());
    let write = |text: &str| fs::write(folder.path().join("mine.yaml"), text).expect("written");
    write("mine:\n  titel: Mine\n  settle: soon\n");
    assert!(told().contains("mine.titel") && told().contains("mine.settle"), "{}", told());
    write("mine: { title: Mine, endpoint: \"https://pins.example.org\", settle: 7s, auth: [bearer] }\n");
    let entry = &read().unwrap_or_else(|problems| panic!("{problems}")).settings.providers[0];
    let again = parse("again", &read().expect("read").settings.effective(), Path::new("/"), &environment([]));
    assert!(again.is_ok_and(|again| again.settings.providers[0].preset.name == "mine"));
    assert_eq!((entry.endpoint.as_str(), entry.settle), ("https://pins.example.org", Duration::from_secs(7)));
}

#[test]
fn a_preset_that_there_is_not_is_told_with_the_nearest() {
    let told = bad(&of("pinatta"));
    assert!(told.contains("no such preset") && told.contains("did you mean `pinata`?"), "{told}");
}

#[test]
fn exclusive_is_not_heeded_where_all_share_one_pin() {
    let warned = |preset: &str| {
        let more = format!("{preset}, exclusive: true, endpoint: \"http://127.0.0.1:1\"");
        good(&of(&more)).warnings.iter().any(|warning| warning.line("f").contains("share one pin"))
    };
    assert!(warned("ipfs-cluster") && !warned("fula"));
}
