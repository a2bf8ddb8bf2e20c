//! An OpenAPI document, and whether requests and their answers are as it says.

use std::{cell::RefCell, collections::BTreeSet, fs, path::Path};

use http::Method;
use jsonschema::Validator;
use serde_json::{Value, json};

#[derive(Default)]
pub(super) struct Document {
    json: Value,
    /// Operations whose success was seen.
    asked: RefCell<BTreeSet<String>>,
}

impl Document {
    pub(super) fn new(json: Value) -> Self {
        Self { json, asked: RefCell::default() }
    }

    /// All of them, as `GET /livez`.
    pub(super) fn operations(&self) -> BTreeSet<String> {
        let paths = self.json["paths"].as_object().expect("paths");
        let methods = ["get", "put", "post", "delete", "patch"];
        let of = |path: &String, item: &Value| {
            let has = methods.into_iter().filter(|method| item.get(method).is_some());
            has.map(|method| format!("{} {path}", method.to_uppercase())).collect::<Vec<_>>()
        };
        paths.iter().flat_map(|(path, item)| of(path, item)).collect()
    }

    pub(super) fn unasked(&self) -> BTreeSet<String> {
        self.operations().difference(&self.asked.borrow()).cloned().collect()
    }

    /// Panics where the document says otherwise of the request's body, of the status or of the answer.
    pub(super) fn judge(&self, method: &Method, path: &str, body: &Value, status: u16, answer: &Value) {
        let path = path.split('?').next().unwrap_or_default();
        let template = self.template(path).unwrap_or_else(|| panic!("{path} is not in the document"));
        let name = format!("{method} {template}");
        let operation = &self.json["paths"][template][method.as_str().to_lowercase()];
        assert!(operation.is_object(), "{name} is not in the document");
        let is_success = (200..300).contains(&status);
        if is_success && !body.is_null() {
            self.check(&operation["requestBody"], body, &format!("the body of {name}"));
        }
        let responses = &operation["responses"];
        let response = responses.get(status.to_string()).or_else(|| responses.get("default"));
        let response = response.unwrap_or_else(|| panic!("{name} does not say that it may answer {status}"));
        assert!(!is_success || responses.get(status.to_string()).is_some(), "{name} answers {status}");
        self.check(self.resolved(response), answer, &format!("{status} of {name}"));
        if is_success {
            self.asked.borrow_mut().insert(name);
        }
    }

    /// The path of the document that fits best: with the fewest parameters.
    fn template(&self, path: &str) -> Option<&str> {
        let fits = |template: &&String| {
            let (parts, asked) = (template.split('/'), path.split('/'));
            parts.clone().count() == asked.clone().count()
                && parts.zip(asked).all(|(part, asked)| part.starts_with('{') || part == asked)
        };
        let known = self.json["paths"].as_object()?.keys().filter(fits);
        known.min_by_key(|template| template.matches('{').count()).map(String::as_str)
    }

    fn resolved<'a>(&'a self, part: &'a Value) -> &'a Value {
        match part["$ref"].as_str() {
            Some(pointer) => {
                self.json.pointer(pointer.trim_start_matches('#')).expect("a reference to something")
            }
            None => part,
        }
    }

    fn check(&self, part: &Value, told: &Value, what: &str) {
        let Some(content) = part["content"].as_object() else {
            assert!(told.is_null(), "{what} is to be empty: {told}");
            return;
        };
        let schema = &content.values().next().expect("a content")["schema"];
        let wrong: Vec<_> = self.validator(schema).iter_errors(told).map(|error| error.to_string()).collect();
        assert!(
            wrong.is_empty(),
            "{what} is not as src/admin/openapi.yaml says: {}\n{told:#}",
            wrong.join("\n")
        );
    }

    /// References are to the document's components, so that these come along.
    fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({ "components": self.json["components"], "allOf": [schema] });
        let built = jsonschema::options().should_validate_formats(true).build(&whole);
        built.unwrap_or_else(|error| panic!("{schema}: {error}"))
    }
}

/// The routes in the files of a folder, all of which are below `/api/v1`.
pub(super) fn routes_of(folder: &Path, routes: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            routes_of(&path, routes);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).expect("a file");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            routes.extend(routes_in(code).into_iter().map(|route| route.replacen(" /", " /api/v1/", 1)));
        }
    }
}

/// Each `.route("/path", get(..).post(..))` as `GET /path` and `POST /path`.
pub(super) fn routes_in(code: &str) -> Vec<String> {
    let mut routes = Vec::new();
    for call in code.split(".route(\"").skip(1) {
        let (path, rest) = call.split_once('"').expect("a path ends");
        let handlers = &rest[..end_of_call(rest)];
        for method in ["get", "put", "post", "delete", "patch"] {
            let is_called = handlers.match_indices(&format!("{method}(")).any(|(at, _)| {
                !handlers[..at]
                    .ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':')
            });
            if is_called {
                routes.push(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    routes
}

/// Where the call's own parenthesis closes.
fn end_of_call(text: &str) -> usize {
    let mut depth = 1;
    let end = text.char_indices().find(|(_, char)| {
        depth += match char {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0
    });
    end.map_or(text.len(), |(at, _)| at)
}
