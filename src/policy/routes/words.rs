//! Why a route does not fit a pin, in plain words.

use std::fmt::Display;

use super::{Condition, Route, Sender, When, any_fits};
use crate::model::PinSpec;

/// The most characters of a pin's own words.
const MAX_WORDS: usize = 64;

pub(super) fn why(route: &Route, miss: Condition, sender: &Sender<'_>, pin: &PinSpec) -> String {
    let When { accounts, tokens, names, codecs, .. } = &route.when;
    match miss {
        Condition::Account => format!("the account is {}, not {}", sender.account, any_of(accounts)),
        Condition::Token => match sender.token {
            Some(token) => format!("the token is {token}, not {}", any_of(tokens)),
            None => format!("it is for the token {}", any_of(tokens)),
        },
        Condition::Name => match &pin.name {
            Some(name) => format!("the name {} does not fit {}", quoted(name), any_of(names)),
            None => format!("there is no name, to fit {}", any_of(names)),
        },
        Condition::Meta => meta(route, pin),
        Condition::Codec => {
            format!("the codec is {}, not {}", pin.cid.content().codec(), any_of(codecs))
        }
        Condition::Origins if pin.origins.is_empty() => "there are no origins".to_owned(),
        Condition::Origins => "there are origins".to_owned(),
        Condition::Allowed => {
            format!("the token may not use {}, only {}", route.policy, any_of(sender.policies))
        }
    }
}

fn meta(route: &Route, pin: &PinSpec) -> String {
    let missed = route.when.meta.iter().filter(|(key, globs)| !any_fits(globs, pin.meta_value(key)));
    let one = |(key, globs): &(String, Vec<_>)| match pin.meta_value(key) {
        Some(value) => format!("meta.{key} {} does not fit {}", quoted(value), any_of(globs)),
        None => format!("there is no meta.{key}"),
    };
    missed.map(one).collect::<Vec<_>>().join("; ")
}

fn any_of(list: &[impl Display]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

fn quoted(text: &str) -> String {
    match text.char_indices().nth(MAX_WORDS) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}...", &text[..end]),
    }
}
