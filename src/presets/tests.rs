//! The built-in presets are sound, and a user's file lies over them.

use super::*;
use crate::model::Rate;

#[test]
fn every_service_that_is_promised_has_a_dated_preset() {
    let promised = [
        "4everland",
        "crust",
        "estuary",
        "filebase",
        "fula",
        "generic",
        "helia",
        "ipfs-cluster",
        "kubo",
        "nft.storage",
        "pinata",
        "scaleway",
        "w3ipfs",
        "web3.storage",
    ];
    assert_eq!(Presets::built_in().names().collect::<Vec<_>>(), promised);
    for preset in Presets::built_in().iter() {
        assert!(!preset.title.is_empty() && !preset.auth.is_empty(), "{}", preset.name);
        assert!(!preset.source.is_empty(), "{}", preset.name);
        let date: Result<jiff::civil::Date, _> = preset.as_of.parse();
        assert!(date.is_ok(), "{}: {}", preset.name, preset.as_of);
        assert_eq!(preset.retired_on.is_some(), preset.instead.is_some(), "{}", preset.name);
        assert_eq!(preset.auth.contains(&Auth::Login), preset.login.is_some(), "{}", preset.name);
    }
}

#[test]
fn what_is_unknown_is_handled_with_care() {
    let generic = Presets::known(GENERIC);
    assert_eq!((generic.batch(), generic.concurrency()), (10, 4));
    assert_eq!((generic.deadline(), generic.settle()), (Duration::from_secs(90), Duration::from_secs(60)));
    assert_eq!((generic.existing_code, generic.refresh_origins, generic.duplicates), (None, None, None));
}

#[test]
fn a_file_overrides_key_by_key_adds_presets_and_makes_unknown() {
    let yaml = "pinata:\n  limits: { list: 60/min }\n  count: null\nmine:\n  title: Mine\n  settle: 5s\n";
    let presets = Presets::built_in().with(yaml).unwrap();
    let (pinata, known) = (presets.find("pinata").unwrap(), Presets::known("pinata"));
    assert_eq!(pinata.limits.list, Some("60/min".parse().unwrap()));
    assert_eq!((pinata.limits.any, pinata.count, known.count.is_some()), (known.limits.any, None, true));
    assert_eq!(pinata.endpoint, known.endpoint);
    assert_eq!(presets.find("mine").unwrap().settle(), Duration::from_secs(5));
}

#[test]
fn all_that_is_wrong_in_a_file_is_told_at_once() {
    let yaml = "pinata:\n  coutn: exact\n  limits: { list: often }\nfula:\n  settle: soon\nBad Name: {}\n";
    let wrongs = Presets::built_in().with(yaml).unwrap_err();
    let paths: Vec<&str> = wrongs.iter().map(|wrong| wrong.path.as_str()).collect();
    assert_eq!(paths, ["Bad Name", "fula.settle", "pinata.coutn", "pinata.limits"]);
    assert!(wrongs[3].what.contains("30/min"), "{}", wrongs[3].what);
    assert_eq!(Presets::built_in().with("- a\n").unwrap_err()[0].path, "");
}

#[test]
fn rates_and_offsets_print_and_parse_back() {
    for text in ["30/min", "100/s", "5/h", "7/90s"] {
        assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
    }
    for text in ["Z", "-04:00", "+05:30"] {
        assert_eq!(text.parse::<Offset>().unwrap().to_string(), text);
    }
    for text in ["0/min", "30", "30/", "30/0s"] {
        assert!(text.parse::<Rate>().is_err(), "{text}");
    }
    assert!("04:00".parse::<Offset>().is_err() && "+4:00".parse::<Offset>().is_err());
}
