//! Compares what was seen with what the preset says, key by key.

use serde_json::{Map, Value, json};

use super::{Line, Verdict};
use crate::presets::Preset;

pub(super) struct Findings {
    preset: Value,
    lines: Vec<Line>,
    learned: Vec<(&'static str, Value)>,
}

impl Findings {
    pub(super) fn new(preset: &Preset) -> Self {
        Self { preset: json!(preset), lines: Vec::new(), learned: Vec::new() }
    }

    fn add(
        &mut self,
        check: &'static str,
        says: Option<String>,
        seen: String,
        verdict: Verdict,
        advice: Option<&str>,
    ) {
        self.lines.push(Line { check, says, seen, verdict, advice: advice.map(str::to_owned) });
    }

    pub(super) fn pass(&mut self, check: &'static str, seen: String) {
        self.add(check, None, seen, Verdict::Ok, None);
    }

    pub(super) fn note(&mut self, check: &'static str, seen: String) {
        self.add(check, None, seen, Verdict::Noted, None);
    }

    pub(super) fn fail(&mut self, check: &'static str, seen: String, advice: &str) {
        self.add(check, None, seen, Verdict::Failed, Some(advice));
    }

    /// Something could not be told; `at` is the key of the preset that it is about, if there is one.
    pub(super) fn untold(&mut self, check: &'static str, at: Option<&str>, why: impl Into<String>) {
        let says = at.and_then(|at| self.says(at));
        self.add(check, says, why.into(), Verdict::Untold, None);
    }

    /// What is known, and what was seen is in keeping with it though it does not prove it.
    pub(super) fn fits(&mut self, check: &'static str, at: &str, seen: String) {
        let says = self.says(at);
        self.add(check, says, seen, Verdict::Ok, None);
    }

    /// What the preset has at this JSON pointer was seen to be so.
    pub(super) fn bit(&mut self, check: &'static str, at: &'static str, seen: Value) {
        let known = self.preset.pointer(at).cloned().unwrap_or(Value::Null);
        let verdict = match known {
            Value::Null => Verdict::Learned,
            ref known if *known == seen => Verdict::Ok,
            _ => Verdict::Differs,
        };
        let key = at[1..].replace('/', ".");
        let advice = format!(
            "write `{key}: {}` for this preset in a presets_file (--write FILE does), and tell Pinfold's makers",
            plain(&seen)
        );
        let says = self.says(at);
        let advice = (verdict == Verdict::Differs).then_some(advice.as_str());
        self.add(check, says, words(at, &seen), verdict, advice);
        if verdict != Verdict::Ok {
            self.learned.push((at, seen));
        }
    }

    fn says(&self, at: &str) -> Option<String> {
        self.preset.pointer(at).filter(|value| !value.is_null()).map(|value| words(at, value))
    }

    /// The lines, and what was learned with the keys of a presets file.
    pub(super) fn end(self) -> (Vec<Line>, Map<String, Value>) {
        let mut learned = Map::new();
        for (at, value) in &self.learned {
            put(&mut learned, at, value.clone());
        }
        // The codes are known together or not at all.
        if let (Some(Value::Null), Some(codes)) = (self.preset.get("codes"), learned.get("codes"))
            && codes.as_object().is_none_or(|codes| codes.len() < 3)
        {
            learned.remove("codes");
        }
        (self.lines, learned)
    }
}

fn put(map: &mut Map<String, Value>, at: &str, value: Value) {
    match at[1..].split_once('/') {
        None => drop(map.insert(at[1..].to_owned(), value)),
        Some((key, rest)) => {
            let inner = map.entry(key).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                put(inner, &format!("/{rest}"), value);
            }
        }
    }
}

/// As a presets file writes it, on one line.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(keys) => {
            let pairs: Vec<String> =
                keys.iter().map(|(key, value)| format!("{key}: {}", plain(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

fn words(at: &str, value: &Value) -> String {
    match value {
        Value::Bool(true) if at.starts_with("/filters/") => "works".to_owned(),
        Value::Bool(false) if at.starts_with("/filters/") => "does not work".to_owned(),
        Value::Bool(true) if at == "/ordered" => "newest first".to_owned(),
        Value::Bool(false) if at == "/ordered" => "no order".to_owned(),
        Value::Object(keys) => keys.values().map(plain).collect::<Vec<_>>().join(", "),
        other => plain(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets::Presets;

    fn of(preset: &str) -> Findings {
        Findings::new(&Presets::known(preset))
    }

    #[test]
    fn what_is_as_known_is_ok_what_is_not_differs_and_what_was_unknown_is_learned() {
        let mut findings = of("pinata");
        findings.bit("a", "/codes/add", json!(200));
        findings.bit("b", "/codes/remove", json!(202));
        findings.bit("c", "/filters/meta", json!(true));
        let (lines, learned) = findings.end();
        let verdicts: Vec<Verdict> = lines.iter().map(|line| line.verdict).collect();
        assert_eq!(verdicts, [Verdict::Ok, Verdict::Differs, Verdict::Learned]);
        assert_eq!(lines[1].says.as_deref(), Some("200"));
        assert!(lines[1].advice.as_deref().unwrap().contains("`codes.remove: 202`"));
        assert_eq!(
            Value::Object(learned),
            json!({ "codes": { "remove": 202 }, "filters": { "meta": true } })
        );
    }

    #[test]
    fn codes_are_learned_together_or_not_at_all() {
        let mut findings = of("generic");
        findings.bit("a", "/codes/add", json!(200));
        assert!(findings.end().1.is_empty());
    }
}
